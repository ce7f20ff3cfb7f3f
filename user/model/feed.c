/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From events to the model: tasks, classes, edges and states. Slices go on to frames.c, files and
 * connections to io.c and links.c, memory is kept by fold.c. Called by cmd/record for each decoded event.
 */
#include "model/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

#define DEFAULT_SLICES  2000000
#define DEFAULT_STRINGS (64 << 20)
#define MIN_STRINGS     (1 << 20)
#define NAME_SZ         512
/* Memory and tombstones are looked after once in so many records. */
#define CARE_INTERVAL 256

static const char placeholder_name[] = "(met without its beginning)";

int feed__start(struct model *model, const struct feed_options *options)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	uint64_t limit;

	if (!feed)
		return -ENOMEM;
	feed->options = *options;
	feed->clock_ns = options->start_mono_ns;
	feed->swept_ns = feed->clock_ns;
	feed->fold_at = options->max_memory;
	feed->async_runtime = RUNTIME_MARKS;
	feed->max_slices = options->max_slices ? options->max_slices : DEFAULT_SLICES;
	feed->max_strings = DEFAULT_STRINGS;
	if (options->max_memory) {
		/* Folding tasks frees nothing of the timeline: it must leave room for them. */
		limit = options->max_memory / 2 / sizeof(struct slice);
		if (feed->max_slices > limit)
			feed->max_slices = limit;
		limit = options->max_memory / 8;
		feed->max_strings = limit > MIN_STRINGS ? limit : MIN_STRINGS;
	}
	feed__free(model->feed);
	model->feed = feed;
	model->meta.start_mono_ns = (int64_t)options->start_mono_ns;
	model->meta.records_seen = 0;
	model->meta.slices_seen = 0;
	model->meta.tasks_folded = 0;
	return 0;
}

void feed__free(struct feed *feed)
{
	if (!feed)
		return;
	for (size_t i = 0; i < feed->task_cap; i++)
		free(feed->tasks[i].latency);
	for (unsigned int i = 0; i < 2; i++) {
		hist__free(&feed->other[i].runs);
		hist__free(&feed->other[i].wake);
	}
	free(feed->other_state.latency);
	io__free(&feed->io);
	free(feed->tasks);
	free(feed->frames);
	map64__free(&feed->frame_idx);
	map64__free(&feed->longest);
	map64__free(&feed->folded);
	map64__free(&feed->folded_class);
	free(feed);
}

int64_t rel_ns(const struct feed *feed, uint64_t mono_ns)
{
	int64_t ns = (int64_t)(mono_ns - feed->options.start_mono_ns);

	/* NO_TIME is no time, whatever a record says. */
	return ns == NO_TIME ? NO_TIME + 1 : ns;
}

void feed_hist_add(struct feed *feed, struct hist *hist, uint64_t val)
{
	size_t cap = hist->bucket_cap;

	hist__add(hist, val, 1);
	feed->hist_bytes += (hist->bucket_cap - cap) * sizeof(*hist->buckets);
}

static size_t map_bytes(const struct map64 *map)
{
	return map->cap * sizeof(*map->slots);
}

uint64_t feed__memory(const struct model *model)
{
	const struct feed *feed = model->feed;
	uint64_t sum = io__memory(model);

	sum += model->strings.cap + map_bytes(&model->strings.index) + map_bytes(&model->task_idx) +
	       map_bytes(&model->class_idx) + map_bytes(&model->edge_idx) +
	       model->task_cnt * sizeof(*model->tasks) +
	       model->class_cnt * sizeof(*model->classes) +
	       model->edge_cnt * sizeof(*model->edges) + model->slice_cnt * sizeof(*model->slices);
	if (feed)
		return sum + feed->hist_bytes + model->task_cnt * sizeof(*feed->tasks) +
		       feed->frame_cnt * sizeof(*feed->frames) + map_bytes(&feed->frame_idx) +
		       map_bytes(&feed->longest) + map_bytes(&feed->folded) +
		       map_bytes(&feed->folded_class);
	for (size_t i = 0; i < model->task_cnt; i++)
		sum += (model->tasks[i].runs.bucket_cap + model->tasks[i].wake.bucket_cap) *
		       sizeof(struct hist_bucket);
	for (size_t i = 0; i < model->class_cnt; i++)
		sum += (model->classes[i].folded_runs.bucket_cap +
			model->classes[i].folded_wake.bucket_cap) *
		       sizeof(struct hist_bucket);
	return sum;
}

/* A task's name, unless names have become too many: then `fallback`, which is known. */
static uint32_t intern_name(struct model *model, const char *name, uint32_t fallback)
{
	struct feed *feed = model->feed;
	uint32_t id = strtab__find(&model->strings, name);

	if (id)
		return id;
	if (model->strings.sz + strlen(name) < feed->max_strings)
		return model__intern(model, name);
	feed->names_cut++;
	return fallback;
}

int placeholder_fill(struct model *model, struct task *task, bool async)
{
	uint8_t runtime = async ? model->feed->async_runtime : RUNTIME_THREAD;
	uint32_t idx = model__class_get(model, named_id(runtime, placeholder_name), runtime,
					placeholder_name);

	if (idx == NO_IDX)
		return -ENOMEM;
	task->runtime = runtime;
	task->class_idx = idx;
	task->name = model->classes[idx].name;
	return 0;
}

/* Who takes the numbers of a task that is folded already, or that there is no room for. */
static struct task *stand_in(struct feed *feed, bool async, struct feed_task **state)
{
	*state = &feed->other_state;
	return &feed->other[async];
}

/* New room is cleared here, because `latency` of all of it is freed at the end. */
static int reserve_state(struct feed *feed, size_t cnt)
{
	size_t cap = feed->task_cap;

	if (array__reserve((void **)&feed->tasks, &feed->task_cap, cnt, sizeof(*feed->tasks)))
		return -ENOMEM;
	memset(feed->tasks + cap, 0, (feed->task_cap - cap) * sizeof(*feed->tasks));
	return 0;
}

struct task *task_of(struct model *model, uint64_t id, uint32_t tgid, bool async,
		     struct feed_task **state)
{
	struct task *task = model__task(model, id);
	struct feed *feed = model->feed;

	if (task) {
		*state = &feed->tasks[task - model->tasks];
		return task;
	}
	if (fold__has(feed, id)) {
		feed->late_cnt++;
		return stand_in(feed, async, state);
	}
	/* What lives cannot be folded, and the target decides how much that is. */
	if (!id || fold__is_tight(model)) {
		feed->refused_cnt++;
		return stand_in(feed, async, state);
	}
	if (reserve_state(feed, model->task_cnt + 1))
		return NULL;
	task = model__task_get(model, id);
	if (!task || placeholder_fill(model, task, async))
		return NULL;
	task->tgid = tgid;
	*state = &feed->tasks[task - model->tasks];
	return task;
}

/* As long as its SPAWN has not come, a task began no later than it was seen. */
static void placeholder_seen(struct task *task, int64_t ns)
{
	if (task->flags & TASK_PLACEHOLDER && (task->start_ns == NO_TIME || ns < task->start_ns))
		task->start_ns = ns;
}

static uint32_t class_of(struct model *model, const struct wire_spawn *spawn, uint32_t tgid,
			 char *name)
{
	const struct feed_options *options = &model->feed->options;
	uint64_t id = 0;

	name[0] = '\0';
	if (options->class_of)
		id = options->class_of(options->ctx, spawn, tgid, name, NAME_SZ);
	if (!name[0])
		strcpy(name, spawn->runtime == RUNTIME_THREAD ? spawn->comm
							      : runtime_name(spawn->runtime));
	if (!id && spawn->runtime == RUNTIME_THREAD)
		id = named_id(RUNTIME_THREAD, name);
	else if (!id)
		id = hash64(named_id(spawn->runtime, name) ^
			    hash64(spawn->type_key ^ hash64(spawn->site)));
	return model__class_get(model, id, spawn->runtime, name);
}

/* 1 when the task at an edge's end is kept (or made), 0 when the edge has to be dropped. */
static int edge_end(struct model *model, uint64_t id, uint32_t tgid)
{
	struct feed_task *state;
	struct task *task;

	if (!fold__has(model->feed, id)) {
		task = task_of(model, id, tgid, false, &state);
		if (!task)
			return -ENOMEM;
		if (!is_stand_in(model->feed, task))
			return 1;
	}
	model->feed->edges_folded++;
	return 0;
}

static int spawn_edge(struct model *model, uint64_t parent, uint64_t child, uint32_t tgid)
{
	struct edge *edge;
	int kept;

	if (!parent)
		return 0;
	kept = edge_end(model, parent, tgid);
	if (kept <= 0)
		return kept;
	edge = model__edge_get(model, parent, child, EDGE_SPAWN);
	if (!edge)
		return -ENOMEM;
	edge->cnt = 1;
	return 0;
}

static int on_spawn(struct model *model, const struct event *event)
{
	const struct wire_spawn *spawn = &event->spawn;
	bool async = spawn->runtime != RUNTIME_THREAD;
	struct feed *feed = model->feed;
	struct feed_task *state;
	char name[NAME_SZ];
	struct task *task;
	uint32_t idx;

	if (async)
		feed->async_runtime = spawn->runtime;
	task = task_of(model, spawn->task, event->tgid, async, &state);
	if (!task)
		return -ENOMEM;
	if (is_stand_in(feed, task) || !(task->flags & TASK_PLACEHOLDER))
		return 0;
	task->parent = spawn->parent;
	task->native = spawn->native;
	task->site = spawn->site;
	task->tgid = event->tgid;
	task->runtime = spawn->runtime;
	task->start_ns = rel_ns(feed, spawn->start_ns ? spawn->start_ns : event->ns);
	task->binding = async ? BINDING_SYMBOL : BINDING_KERNEL;
	task->flags = (spawn->flags & SPAWN_EXISTED ? 0 : TASK_SEEN_FROM_START) |
		      (spawn->native ? 0 : TASK_NATIVE_UNKNOWN);
	if (!async)
		task->tid = spawn->tid;
	/* a later RENAME may have come before */
	if (event->ns >= state->name_ns) {
		idx = class_of(model, spawn, event->tgid, name);
		if (idx == NO_IDX)
			return -ENOMEM;
		task->class_idx = idx;
		state->name_ns = event->ns;
		/* what a runtime's task is called follows from its class and its own id */
		task->name = async ? model->classes[idx].name
				   : intern_name(model, spawn->comm, model->classes[idx].name);
	}
	return spawn_edge(model, spawn->parent, spawn->task, event->tgid);
}

static int on_end(struct model *model, const struct event *event)
{
	const struct wire_end *end = &event->end;
	int64_t ns = rel_ns(model->feed, event->ns);
	struct feed_task *state;
	struct task *task = task_of(model, end->task, event->tgid, false, &state);

	if (!task)
		return -ENOMEM;
	task->c[COUNTER_WAKE_RECEIVED] =
		add_ns(task->c[COUNTER_WAKE_RECEIVED], end->wakes_received);
	task->c[COUNTER_WAKE_SELF] = add_ns(task->c[COUNTER_WAKE_SELF], end->wakes_self);
	if (is_stand_in(model->feed, task))
		return 0;
	placeholder_seen(task, ns);
	/* Completed, then dropped: the first end is the task's. */
	if (task->end_ns == NO_TIME || ns < task->end_ns) {
		task->end_ns = ns;
		task->state = end->state;
	}
	return 0;
}

/* Is this slice newer than all that came of its task? */
static bool is_newest(const struct feed_task *state, const struct event *event)
{
	const struct event_slice *slice = &event->slice;

	if (!state->ran || event->ns != state->last_ns)
		return !state->ran || event->ns > state->last_ns;
	if (slice->enter_ns != state->last_enter_ns)
		return slice->enter_ns > state->last_enter_ns;
	return slice->flush > state->last_flush;
}

static int on_slice(struct model *model, const struct event *event)
{
	const struct event_slice *slice = &event->slice;
	bool async = slice->depth > 0;
	struct feed_task *state;
	struct task *task;

	model->meta.slices_seen++;
	task = task_of(model, slice->task, event->tgid, async, &state);
	if (!task)
		return -ENOMEM;
	if (task->flags & TASK_PLACEHOLDER) {
		placeholder_seen(task, rel_ns(model->feed, slice->enter_ns));
		if (async && !state->async && placeholder_fill(model, task, true))
			return -ENOMEM;
	}
	state->async |= async;
	if (is_newest(state, event)) {
		state->ran = true;
		state->last_ns = event->ns;
		state->last_enter_ns = slice->enter_ns;
		state->last_flush = slice->flush;
		state->last_flags = slice->flags;
		state->running = slice->running;
		task->tid = slice->tid;
	}
	return frame__slice(model, event, task, state);
}

/* A thread is of the class that its latest name says: pools name their threads after making them. */
static int on_rename(struct model *model, const struct event *event)
{
	struct feed_task *state;
	struct task *task = task_of(model, event->rename.task, event->tgid, false, &state);
	struct wire_spawn named = {.runtime = RUNTIME_THREAD};
	char name[NAME_SZ];
	uint32_t idx;

	if (!task)
		return -ENOMEM;
	if (is_stand_in(model->feed, task))
		return 0;
	placeholder_seen(task, rel_ns(model->feed, event->ns));
	if (event->ns < state->name_ns)
		return 0;
	memcpy(named.comm, event->rename.comm, sizeof(named.comm));
	idx = class_of(model, &named, event->tgid, name);
	if (idx == NO_IDX)
		return -ENOMEM;
	state->name_ns = event->ns;
	task->class_idx = idx;
	task->name = intern_name(model, event->rename.comm, task->name);
	return 0;
}

static int on_latency(struct model *model, const struct event *event)
{
	const struct wire_latency *latency = &event->latency;
	struct feed_task *state;
	struct task *task = task_of(model, latency->task, event->tgid, false, &state);

	if (!task)
		return -ENOMEM;
	if (is_stand_in(model->feed, task))
		return 0; /* the sums are in the counters */
	placeholder_seen(task, rel_ns(model->feed, event->ns));
	if (!state->latency) {
		state->latency = calloc(LATENCY_BUCKETS, sizeof(*state->latency));
		if (!state->latency)
			return -ENOMEM;
		model->feed->hist_bytes += LATENCY_BUCKETS * sizeof(*state->latency);
	}
	/* They only grow, so the largest of each is the latest, in any order. */
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		if (latency->buckets[i] > state->latency[i])
			state->latency[i] = latency->buckets[i];
	}
	return 0;
}

static int on_fork(struct model *model, const struct event *event)
{
	model__counter_add(model, "forks", "processes that the target started", false, 1);
	if (!event->fork.followed)
		model__counter_add(model, "forks_not_followed",
				   "processes that the target started and that were not recorded",
				   false, 1);
	return 0;
}

static int on_exec(struct model *model, const struct event *event)
{
	(void)event;
	model__counter_add(model, "execs", "programs that the target executed", false, 1);
	return 0;
}

static int (*const handlers[WIRE_KIND_CNT])(struct model *model, const struct event *event) = {
	[WIRE_SPAWN] = on_spawn,     [WIRE_END] = on_end,      [WIRE_SLICE] = on_slice,
	[WIRE_RENAME] = on_rename,   [WIRE_FORK] = on_fork,    [WIRE_EXEC] = on_exec,
	[WIRE_LATENCY] = on_latency, [WIRE_FILE] = io__file,   [WIRE_CONN] = io__conn,
	[WIRE_USE] = io__use,        [WIRE_SITE] = heap__site, [WIRE_HEAP] = heap__event,
};

int feed__event(struct model *model, const struct event *event)
{
	struct feed *feed = model->feed;
	int err;

	if (!feed || event->kind >= WIRE_KIND_CNT || !handlers[event->kind])
		return -EINVAL;
	if (event->ns > feed->clock_ns)
		feed->clock_ns = event->ns;
	if (model->meta.records_seen++ % CARE_INTERVAL == 0) {
		frames__sweep(model);
		err = changes__apply(model, feed->clock_ns - WINDOW_NS);
		if (!err)
			err = fold__check(model);
		if (err)
			return err;
		feed->is_tight = fold__is_tight(model);
	}
	return handlers[event->kind](model, event);
}

int feed__edge(struct model *model, const struct wire_edge_key *key, const struct wire_edge *edge)
{
	struct edge *sum;
	int kept = 1;

	if (!model->feed)
		return -EINVAL;
	if (key->from)
		kept = edge_end(model, key->from, 0);
	if (kept > 0 && key->to)
		kept = edge_end(model, key->to, 0);
	if (kept <= 0)
		return kept;
	sum = model__edge_get(model, key->from, key->to, EDGE_WAKE);
	if (!sum)
		return -ENOMEM;
	sum->cnt += edge->cnt;
	sum->delay_ns += edge->delay_ns;
	if (edge->max_ns > sum->max_ns)
		sum->max_ns = edge->max_ns;
	return 0;
}
