/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a recording, or of a task that is folded: what only then is known. Walls of threads,
 * states of what never ended, latencies from their buckets; called by cmd/record and fold.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/feed_state.h"

/* A thread's latencies come as cumulative buckets, their sum and maximum as counters. */
static void settle_latency(struct feed *feed, struct task *task, const uint32_t *latency)
{
	const int64_t *c = task->c;
	size_t cap = task->wake.bucket_cap;
	uint64_t low = 0;

	for (unsigned int i = 0; latency && i < LATENCY_BUCKETS; i++) {
		uint64_t base = 1ULL << (LATENCY_MIN_LOG2 + i / 2);
		uint64_t lo = i % 2 ? base + base / 2 : base;
		uint64_t hi = i % 2 ? base * 2 : base + base / 2;

		if (!latency[i])
			continue;
		hist__add_range(&task->wake, lo, hi, latency[i]);
		low = lo;
	}
	feed->hist_bytes += (task->wake.bucket_cap - cap) * sizeof(*task->wake.buckets);
	if (c[COUNTER_WAKE_LATENCY] > 0)
		task->wake.total = (uint64_t)c[COUNTER_WAKE_LATENCY];
	if (c[COUNTER_WAKE_LATENCY_MAX] > 0)
		low = (uint64_t)c[COUNTER_WAKE_LATENCY_MAX];
	if (low > task->wake.max)
		task->wake.max = low;
}

static void settle_thread(struct feed *feed, struct task *task, struct feed_task *state,
			  int64_t end_ns)
{
	int64_t start = task->start_ns > 0 ? task->start_ns : 0;
	int64_t child = task->c[COUNTER_CHILD_WALL];

	if (task->end_ns == NO_TIME && state->ran && is_final(state->last_flags)) {
		/* Its own frame was left: only the END was lost. */
		task->end_ns = rel_ns(feed, state->last_ns);
		task->state = STATE_COMPLETED;
	} else if (task->end_ns == NO_TIME && state->ran) {
		task->state = state->running ? STATE_RUNNING : STATE_WAITING;
	}
	if (task->end_ns != NO_TIME && task->end_ns < end_ns)
		end_ns = task->end_ns;
	task->wall_ns = end_ns > start ? end_ns - start : 0;
	task->run_self_ns = (uint64_t)(child > 0 && child < task->wall_ns ? task->wall_ns - child
				       : child > 0                        ? 0
									  : task->wall_ns);
	settle_latency(feed, task, state->latency);
}

void task_settle(struct model *model, struct task *task, struct feed_task *state, int64_t end_ns)
{
	if (task->flags & TASK_PLACEHOLDER && state->async)
		placeholder_fill(model, task, true); /* by now more runtimes may be known */
	if (task->start_ns == NO_TIME)
		task->start_ns = 0; /* met in an edge only */
	if (task->runtime == RUNTIME_THREAD && !state->async)
		settle_thread(model->feed, task, state, end_ns);
	else if (task->end_ns == NO_TIME && state->ran && is_final(state->last_flags))
		task->state = STATE_WAITING;
	else if (task->end_ns == NO_TIME && state->ran && state->last_flags & SLICE_AT_STOP)
		task->state = STATE_RUNNING;
}

uint32_t other_class(struct model *model, bool async)
{
	static const char name[] = "(not kept: --max-memory)";
	struct feed *feed = model->feed;
	uint8_t runtime = async ? feed->async_runtime : RUNTIME_THREAD;
	uint32_t *class = &feed->other_class[async], idx;

	if (*class)
		return *class - 1;
	idx = model__class_get(model, named_id(runtime, name), runtime, name);
	*class = idx + 1; /* 0 for NO_IDX */
	return idx;
}

/* What belongs to no task that is kept gets a class of its own: sums must be whole. */
static int settle_others(struct model *model)
{
	struct feed *feed = model->feed;

	for (unsigned int i = 0; i < 2; i++) {
		struct task *other = &feed->other[i];
		int64_t any =
			other->wall_ns | (int64_t)(other->heap.current_cnt | other->heap.freed_cnt);
		uint32_t idx;

		for (unsigned int j = 0; j < COUNTER_CNT; j++)
			any |= other->c[j];
		if (!any && !other->runs.cnt)
			continue;
		idx = other_class(model, i);
		if (idx == NO_IDX)
			return -ENOMEM;
		fold__merge(&model->classes[idx], other);
		feed->slices_missing += other->slices_lost;
	}
	return 0;
}

static bool has_sums(const struct task_class *class)
{
	int64_t any = class->folded_wall_ns |
		      (int64_t)(class->folded_heap.current_cnt | class->folded_heap.freed_cnt);

	for (unsigned int i = 0; i < COUNTER_CNT; i++)
		any |= class->folded_c[i];
	return any || class->folded_cnt || class->folded_runs.cnt;
}

/* Tasks change class, when a SPAWN follows late or a thread takes its name: some end up empty. */
static int drop_empty_classes(struct model *model)
{
	uint32_t *place = calloc(model->class_cnt + 1, sizeof(*place)), cnt = 0;

	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < model->task_cnt; i++)
		place[model->tasks[i].class_idx] = 1;
	for (size_t i = 0; i < model->use_cnt; i++)
		if (model->uses[i].class_idx != NO_IDX)
			place[model->uses[i].class_idx] = 1;
	for (size_t i = 0; i < model->link_cnt; i++)
		if (model->links[i].class_idx != NO_IDX)
			place[model->links[i].class_idx] = 1;
	map64__free(&model->class_idx);
	for (size_t i = 0; i < model->class_cnt; i++) {
		if (!place[i] && !has_sums(&model->classes[i]))
			continue;
		place[i] = cnt;
		model->classes[cnt] = model->classes[i];
		if (map64__set(&model->class_idx, model->classes[cnt].id, cnt)) {
			free(place);
			return -ENOMEM;
		}
		cnt++;
	}
	for (size_t i = 0; i < model->task_cnt; i++)
		model->tasks[i].class_idx = place[model->tasks[i].class_idx];
	for (size_t i = 0; i < model->use_cnt; i++)
		if (model->uses[i].class_idx != NO_IDX)
			model->uses[i].class_idx = place[model->uses[i].class_idx];
	for (size_t i = 0; i < model->link_cnt; i++)
		if (model->links[i].class_idx != NO_IDX)
			model->links[i].class_idx = place[model->links[i].class_idx];
	model->class_cnt = cnt;
	free(place);
	return 0;
}

static void add_counters(struct model *model)
{
	const struct feed *feed = model->feed;
	const struct {
		const char *name, *meaning;
		bool is_loss;
		uint64_t val;
	} rows[] = {
		{"slices_thinned",
		 "pieces of the timeline that were dropped because it was full; no sum lacks them",
		 false, feed->slices_thinned},
		{"slices_missing",
		 "numbered slices of frames that never came; a later one held what they had", false,
		 feed->slices_missing},
		{"edges_folded",
		 "edges dropped because one of their tasks was folded into its class", false,
		 feed->edges_folded},
		{"records_after_fold", "records that came after their task was folded", false,
		 feed->late_cnt},
		{"tasks_refused",
		 "records of tasks that were not kept because living ones used up --max-memory",
		 true, feed->refused_cnt},
		{"names_cut", "names that were not kept because there were too many", true,
		 feed->names_cut},
		{"objects_folded",
		 "records and uses of files and peers that were not told apart because there were "
		 "too many",
		 true, feed->io.objects_folded},
		{"uses_folded",
		 "uses and connections that were counted as nobody's because there was no room for "
		 "more rows",
		 true, feed->io.uses_folded},
		{"objects_unknown", "files and sockets that were used, but of which no record came",
		 false, feed->io.objects_unknown},
		{"samples_merged", "values of series that were merged with their neighbours", false,
		 feed->io.samples_merged},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].val)
			model__counter_add(model, rows[i].name, rows[i].meaning, rows[i].is_loss,
					   rows[i].val);
	}
}

int feed__finish(struct model *model, int64_t end_ns)
{
	struct feed *feed = model->feed;
	int err;

	if (!feed)
		return -EINVAL;
	frames__finish(model);
	err = links__end(model, feed->options.start_mono_ns + (uint64_t)end_ns);
	if (!err)
		err = changes__apply(model, UINT64_MAX);
	if (err)
		return err;
	if (feed->io.has_conns) {
		model->meta.connections_active = feed->io.active;
		model->meta.connections_max = feed->io.active_max;
	}
	for (size_t i = 0; i < model->task_cnt; i++) {
		task_settle(model, &model->tasks[i], &feed->tasks[i], end_ns);
		feed->slices_missing += model->tasks[i].slices_lost;
	}
	err = settle_others(model);
	if (!err)
		err = drop_empty_classes(model);
	if (!err)
		err = io__finish(model);
	if (err)
		return err;
	totals__scale(model);
	add_counters(model);
	err = timeline__sort(model);
	if (err)
		return err;
	model->meta.duration_ns = end_ns;
	feed__free(feed);
	model->feed = NULL;
	return 0;
}
