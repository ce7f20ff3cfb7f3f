/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --max-memory: ended tasks fold into their class, oldest end first. Called by the feed now and
 * then. Sums over tasks and classes are the same before and after.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/feed_state.h"

bool fold__has(const struct feed *feed, uint64_t id)
{
	uint64_t bits;

	return map64__get(&feed->folded, id / 64, &bits) && bits >> id % 64 & 1;
}

uint32_t fold__class(const struct feed *feed, uint64_t id)
{
	uint64_t class;

	if (!fold__has(feed, id) || !map64__get(&feed->folded_class, id / 64, &class))
		return NO_IDX;
	return (uint32_t) class;
}

static int remember(struct feed *feed, uint64_t id, uint32_t class_idx)
{
	uint64_t bits = 0, class = class_idx;
	int err;

	if (map64__get(&feed->folded_class, id / 64, &class) && class != class_idx)
		class = NO_IDX;
	err = map64__set(&feed->folded_class, id / 64, class);
	if (err)
		return err;
	map64__get(&feed->folded, id / 64, &bits);
	return map64__set(&feed->folded, id / 64, bits | 1ULL << id % 64);
}

void fold__merge(struct task_class *class, struct task *task)
{
	counters_merge(class->folded_c, task->c);
	class->folded_wall_ns = add_ns(class->folded_wall_ns, task->wall_ns);
	hist__merge(&class->folded_runs, &task->runs);
	hist__merge(&class->folded_wake, &task->wake);
	heap_sums__add(&class->folded_heap, &task->heap);
}

static size_t hist_bytes(const struct task *task)
{
	return (task->runs.bucket_cap + task->wake.bucket_cap) * sizeof(struct hist_bucket);
}

static size_t class_bytes(const struct task_class *class)
{
	return (class->folded_runs.bucket_cap + class->folded_wake.bucket_cap) *
	       sizeof(struct hist_bucket);
}

struct candidate {
	int64_t end_ns;
	size_t idx;
};

static int compare(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->end_ns != right->end_ns)
		return left->end_ns < right->end_ns ? -1 : 1;
	return left->idx < right->idx ? -1 : left->idx > right->idx;
}

/* Tasks whose end is at least so long ago, and of which (`with_uses`) it is known what they used. */
static size_t find_candidates(const struct model *model, struct candidate *candidates,
			      uint64_t window_ns, bool with_uses)
{
	const struct feed *feed = model->feed;
	int64_t before = sub_ns(rel_ns(feed, feed->clock_ns), (int64_t)window_ns);
	uint64_t taken_ns = feed->io.taken_ns;
	size_t cnt = 0;

	if (with_uses && taken_ns && rel_ns(feed, taken_ns) < before)
		before = rel_ns(feed, taken_ns);

	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		if (task->end_ns == NO_TIME || task->end_ns > before || feed->tasks[i].open_cnt)
			continue;
		candidates[cnt].end_ns = task->end_ns;
		candidates[cnt++].idx = i;
	}
	qsort(candidates, cnt, sizeof(*candidates), compare);
	return cnt;
}

static int fold_task(struct model *model, size_t idx)
{
	struct task *task = &model->tasks[idx];
	struct feed *feed = model->feed;
	struct feed_task *state = &feed->tasks[idx];
	struct task_class *class;
	int err;

	err = remember(feed, task->id, task->class_idx);
	if (err)
		return err;
	task_settle(model, task, state, task->end_ns);
	/* its rows follow with those of the others: see io__fold() */
	if (state->io_bytes) {
		err = map64__set(&feed->io.folded_to, task->id, task->class_idx);
		if (err)
			return err;
	}
	class = &model->classes[task->class_idx];
	feed->hist_bytes -= hist_bytes(task) + class_bytes(class);
	fold__merge(class, task);
	feed->hist_bytes += class_bytes(class);
	class->folded_cnt++;
	class->folded_by_state[task->state]++;
	class->folded_leaking_cnt += task->heap.current_cnt > 0;
	class->folded_leaked_bytes += task->heap.current_bytes;
	feed->slices_missing += task->slices_lost;
	model->meta.tasks_folded++;

	hist__free(&task->runs);
	hist__free(&task->wake);
	if (state->latency)
		feed->hist_bytes -= LATENCY_BUCKETS * sizeof(*state->latency);
	free(state->latency);
	state->latency = NULL;
	state->fold = true;
	map64__del(&model->task_idx, task->id);
	return 0;
}

/* Closes the gaps. The index's keys are there already, so nothing can fail. */
static void compact_tasks(struct model *model)
{
	struct feed *feed = model->feed;
	size_t to = 0;

	for (size_t i = 0; i < model->task_cnt; i++) {
		if (feed->tasks[i].fold)
			continue;
		if (to != i) {
			model->tasks[to] = model->tasks[i];
			feed->tasks[to] = feed->tasks[i];
			map64__set(&model->task_idx, model->tasks[to].id, to);
		}
		to++;
	}
	/* What is behind is freed with the rest: no pointer may stand there twice. */
	memset(feed->tasks + to, 0, (model->task_cnt - to) * sizeof(*feed->tasks));
	model->task_cnt = to;
}

/* Drops the edges of folded tasks; the index chains colliding keys, so it is built anew. */
static int compact_edges(struct model *model)
{
	struct feed *feed = model->feed;
	size_t cnt = model->edge_cnt;

	map64__free(&model->edge_idx);
	model->edge_cnt = 0;
	for (size_t i = 0; i < cnt; i++) {
		struct edge edge = model->edges[i], *kept;

		if (fold__has(feed, edge.from) || fold__has(feed, edge.to)) {
			feed->edges_folded++;
			continue;
		}
		kept = model__edge_get(model, edge.from, edge.to, edge.kind);
		if (!kept)
			return -ENOMEM;
		*kept = edge;
	}
	return 0;
}

/* Bytes that have to be freed: of everything, and of the rows of IO, which have a share of their own. */
struct excess {
	uint64_t all, io;
};

static void less(uint64_t *excess, uint64_t freed)
{
	*excess -= freed < *excess ? freed : *excess;
}

/* Folds what ended at least window_ns ago until *excess is freed; *excess is what is left of it. */
static int fold_ended(struct model *model, uint64_t window_ns, struct excess *excess)
{
	const struct feed *feed = model->feed;
	struct candidate *candidates;
	size_t cnt;
	int err = 0, err_io;

	candidates = malloc((model->task_cnt + 1) * sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	cnt = find_candidates(model, candidates, window_ns, !excess->all);
	for (size_t i = 0; i < cnt && (excess->all || excess->io) && !err; i++) {
		const struct task *task = &model->tasks[candidates[i].idx];
		uint64_t io_bytes = feed->tasks[candidates[i].idx].io_bytes;
		uint64_t freed =
			sizeof(*task) + sizeof(struct feed_task) + hist_bytes(task) + io_bytes;

		if (!excess->all && !io_bytes)
			continue;
		if (task->parent)
			freed += sizeof(struct edge) + 2 * sizeof(struct map64_slot);
		less(&excess->all, freed);
		less(&excess->io, io_bytes);
		err = fold_task(model, candidates[i].idx);
	}
	free(candidates);
	if (!cnt)
		return err;
	compact_tasks(model);
	err_io = io__fold(model);
	return compact_edges(model) || err_io ? -ENOMEM : err;
}

/*
 * Of what ended longer ago than the window nothing more is to come. Where that does not free enough,
 * tasks come and go faster than memory allows: the rare late record is then the class's, counted. Not
 * so for the rows of IO: they come late, and there is another way when they are too many.
 */
static int fold(struct model *model, struct excess *excess)
{
	static const uint64_t windows_ns[] = {WINDOW_NS, WINDOW_NS / 20, 0};
	int err = fold_ended(model, windows_ns[0], excess);

	excess->io = 0;
	for (size_t i = 1; i < 3 && excess->all && !err; i++)
		err = fold_ended(model, windows_ns[i], excess);
	return err;
}

bool fold__is_tight(const struct model *model)
{
	uint64_t limit = model->feed->options.max_memory;

	return limit && feed__memory(model) > limit + limit / 4;
}

int fold__check(struct model *model)
{
	struct feed *feed = model->feed;
	uint64_t limit = feed->options.max_memory, used, io_used;
	struct excess excess = {};
	int err;

	if (!limit)
		return 0;
	used = feed__memory(model);
	io_used = io__row_bytes(model);
	if (used > limit && used > feed->fold_at)
		excess.all = used - limit / 4 * 3;
	if (io_used > limit / IO_SHARE && io_used > feed->io.fold_at)
		excess.io = io_used - limit / IO_SHARE / 4 * 3;
	if (!excess.all && !excess.io)
		return 0;
	err = fold(model, &excess);
	/* When what lives is too much already, looking again must pay. */
	used = feed__memory(model);
	feed->fold_at = used > limit ? used + limit / 16 : limit;
	io_used = io__row_bytes(model);
	feed->io.fold_at = io_used + limit / IO_SHARE / 16;
	return err;
}
