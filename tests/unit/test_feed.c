/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed, as a whole: a random recording (threads, nested frames, partial slices, wakes, ends)
 * whose true sums are computed here, independently, and fed in many orders, with losses, and with
 * little memory. The model must say the same every time. Single rules are in test_feed_cases.c.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/feed.h"
#include "tap.h"

#define THREADS  6
#define ASYNC    300
#define TASKS    (THREADS + ASYNC)
#define START_NS 5000000000000ULL
#define MS       1000000ULL
#define LEN_NS   (20000 * MS)
#define MAX_EVTS 60000

struct truth {
	uint64_t id;
	uint64_t start_ns, end_ns; /* monotonic; end 0: still there */
	uint8_t state;
	int64_t c[COUNTER_CNT];
	int64_t wall_ns, self_ns;
	uint64_t run_cnt, run_ns, run_max;
	uint64_t wake_cnt, wake_ns;
	uint64_t lost;
};

/* Of an event no more than these records need: a file's would be big. */
#define EVENT_SZ (offsetof(struct event, slice) + sizeof(struct event_slice))

struct item {
	struct event *event;
	uint64_t key; /* its place in the order */
	struct truth *of;
	bool dropped;
};

static struct truth truth[TASKS];
static struct item *items;
static char *events;
static size_t item_cnt;
static size_t piece_cnt; /* that the timeline should have */
static unsigned int seed;

static uint64_t upto(uint64_t max)
{
	return ((uint64_t)rand_r(&seed) << 20 ^ (uint64_t)rand_r(&seed)) % (max + 1);
}

static struct event *emit(struct truth *of, enum wire_kind kind, uint64_t ns)
{
	struct event *event = (struct event *)(events + item_cnt * EVENT_SZ);
	struct item *item = &items[item_cnt++];

	if (item_cnt > MAX_EVTS)
		exit(2);
	memset(event, 0, EVENT_SZ);
	event->kind = kind;
	event->tgid = 42;
	event->ns = ns;
	*item = (struct item){.event = event, .key = ns, .of = of};
	return event;
}

/* What the merge rules of wire.h say, written down a second time. */
static void add_truth(int64_t *to, const int64_t *c)
{
	for (int i = 0; i < COUNTER_CNT; i++) {
		if (i == COUNTER_CPUS)
			to[i] |= c[i];
		else if (i == COUNTER_WAKE_LATENCY_MAX)
			to[i] = c[i] > to[i] ? c[i] : to[i];
		else
			to[i] += c[i];
	}
}

static void grow(int64_t *c, uint64_t ns)
{
	for (int i = 0; i < COUNTER_CNT; i++) {
		if (i == COUNTER_WAKE_LATENCY || i == COUNTER_WAKE_LATENCY_MAX)
			continue; /* known when the frame begins */
		if (i == COUNTER_CPUS)
			c[i] |= 1LL << upto(7);
		else if (i == COUNTER_CHILD_WALL)
			c[i] += (int64_t)upto(ns / 4);
		else if (upto(2) == 0)
			c[i] += (int64_t)upto(ns);
	}
	/* the CPU time of a thread that runs is an estimate, and may be taken back */
	c[COUNTER_ON_CPU] -= (int64_t)upto(ns / 8);
}

/* One frame of `task`, flushed at `flushes` points before its end (or the stop's). */
static void make_frame(struct truth *of, uint32_t tid, uint8_t depth, uint64_t enter, uint64_t end,
		       uint32_t flushes, bool at_stop)
{
	struct event_slice *slice;
	int64_t c[COUNTER_CNT] = {};
	uint64_t ns = enter;

	if (depth && upto(1)) {
		c[COUNTER_WAKE_LATENCY] = 1 + (int64_t)upto(MS);
		c[COUNTER_WAKE_LATENCY_MAX] = c[COUNTER_WAKE_LATENCY];
	}
	for (uint32_t i = 0; i <= flushes; i++) {
		uint64_t next = enter + (end - enter) / (flushes + 1) * (i + 1);

		if (i == flushes)
			next = end;
		grow(c, next - ns);
		ns = next;
		slice = &emit(of, WIRE_SLICE, ns)->slice;
		slice->task = of->id;
		slice->enter_ns = enter;
		slice->tid = tid;
		slice->flush = i;
		slice->depth = depth;
		slice->running = 1;
		slice->flags = i < flushes ? SLICE_PARTIAL
			       : at_stop   ? SLICE_PARTIAL | SLICE_AT_STOP
					   : 0;
		memcpy(slice->c, c, sizeof(c));
		for (int j = 0; j < COUNTER_CNT; j++)
			slice->present |= (uint64_t)(c[j] != 0) << j;
		piece_cnt++;
	}
	add_truth(of->c, c);
	if (!depth)
		return;
	of->wall_ns += (int64_t)(end - enter);
	of->self_ns += (int64_t)(end - enter) - c[COUNTER_CHILD_WALL];
	if (c[COUNTER_WAKE_LATENCY]) {
		of->wake_cnt++;
		of->wake_ns += (uint64_t)c[COUNTER_WAKE_LATENCY];
	}
	if (at_stop)
		return;
	of->run_cnt++;
	of->run_ns += end - enter;
	of->run_max = end - enter > of->run_max ? end - enter : of->run_max;
}

static void make_task(struct truth *of, uint32_t tid, uint32_t seq, uint8_t runtime,
		      uint64_t parent)
{
	struct wire_spawn *spawn = &emit(of, WIRE_SPAWN, of->start_ns)->spawn;

	of->id = (uint64_t)tid << 32 | seq;
	spawn->task = of->id;
	spawn->parent = parent;
	spawn->native = of->id * 3;
	spawn->start_ns = of->start_ns;
	spawn->runtime = runtime;
	spawn->tid = tid;
	spawn->site = seq % 5;
	strcpy(spawn->comm, "worker");
}

static void make_end(struct truth *of, uint64_t ns)
{
	struct wire_end *end = &emit(of, WIRE_END, ns)->end;

	of->end_ns = ns;
	of->state = STATE_COMPLETED + upto(3);
	end->task = of->id;
	end->state = of->state;
	end->wakes_received = (uint32_t)upto(3);
	of->c[COUNTER_WAKE_RECEIVED] += end->wakes_received;
}

static void make_async(struct truth *of, uint32_t seq)
{
	uint32_t tid = 100 + (uint32_t)upto(THREADS - 1), polls = (uint32_t)upto(12);
	uint64_t ns = START_NS + upto(LEN_NS * 3 / 4);
	bool to_stop = upto(20) == 0;

	of->start_ns = ns;
	make_task(of, tid, seq, RUNTIME_MARKS, upto(3) ? (uint64_t)tid << 32 : 0);
	for (uint32_t i = 0; i < polls; i++) {
		uint64_t enter = ns + upto(200 * MS), len = upto(3) ? upto(MS) : upto(1500 * MS);

		if (enter + len >= START_NS + LEN_NS)
			break;
		tid = 100 + (uint32_t)upto(THREADS - 1);
		ns = enter + len;
		make_frame(of, tid, (uint8_t)(1 + upto(3)), enter, ns,
			   len > 200 * MS ? (uint32_t)(len / (200 * MS)) : 0, false);
	}
	if (to_stop) {
		of->state = STATE_RUNNING;
		make_frame(of, tid, 1, ns, START_NS + LEN_NS, 1 + (uint32_t)upto(30), true);
	} else if (upto(4)) {
		make_end(of, ns + upto(10));
	} else {
		of->state = of->run_cnt ? STATE_WAITING : STATE_UNFINISHED;
	}
}

static void make_thread(struct truth *of, uint32_t tid)
{
	bool ends = tid % 3 == 0;
	uint64_t end = ends ? START_NS + LEN_NS - upto(LEN_NS / 3) : START_NS + LEN_NS;

	of->start_ns = START_NS;
	make_task(of, tid, 0, RUNTIME_THREAD, 0);
	make_frame(of, tid, 0, START_NS, end, (uint32_t)((end - START_NS) / (100 * MS)), !ends);
	of->state = STATE_RUNNING;
	if (ends)
		make_end(of, end);
	of->wall_ns = (int64_t)(end - START_NS);
	of->self_ns = of->wall_ns - of->c[COUNTER_CHILD_WALL];
	if (of->self_ns < 0)
		of->self_ns = 0;
}

static void make_recording(unsigned int with_seed)
{
	seed = with_seed;
	item_cnt = piece_cnt = 0;
	memset(truth, 0, sizeof(truth));
	for (uint32_t i = 0; i < THREADS; i++)
		make_thread(&truth[i], 100 + i);
	for (uint32_t i = 0; i < ASYNC; i++)
		make_async(&truth[THREADS + i], 1 + i);
}

/* Orders */

static int compare(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	return left->key < right->key ? -1 : left->key > right->key;
}

static void order(uint64_t jitter_ns, bool reverse)
{
	for (size_t i = 0; i < item_cnt; i++) {
		items[i].key = items[i].event->ns + upto(jitter_ns);
		if (reverse)
			items[i].key = UINT64_MAX - items[i].key;
	}
	qsort(items, item_cnt, sizeof(*items), compare);
}

/* Every third PARTIAL is lost; not the last one of a frame, after which nothing can make up. */
static void drop_partials(void)
{
	for (size_t i = 0; i < item_cnt; i++) {
		const struct event *event = items[i].event;

		if (event->kind != WIRE_SLICE || event->slice.flags != SLICE_PARTIAL || upto(2))
			continue;
		items[i].dropped = true;
		items[i].of->lost++;
	}
}

static void restore_partials(void)
{
	for (size_t i = 0; i < item_cnt; i++)
		items[i].dropped = false;
	for (size_t i = 0; i < TASKS; i++)
		truth[i].lost = 0;
}

static struct model *feed_all(const struct feed_options *options)
{
	struct model *model = model__new();
	bool good = !feed__start(model, options);

	for (size_t i = 0; i < item_cnt; i++) {
		if (!items[i].dropped)
			good &= !feed__event(model, items[i].event);
	}
	if (!good)
		ok(false, "the feed takes every event");
	return model;
}

static bool same_task(const struct model *model, const struct truth *of)
{
	const struct task *task = model__task(model, of->id);

	if (!task || memcmp(task->c, of->c, sizeof(of->c)))
		return false;
	if (task->wall_ns != of->wall_ns || (int64_t)task->run_self_ns != of->self_ns)
		return false;
	if (task->runs.cnt != of->run_cnt || task->runs.total != of->run_ns ||
	    task->runs.max != of->run_max)
		return false;
	if (task->wake.cnt != of->wake_cnt || task->wake.total != of->wake_ns)
		return false;
	if (task->slices_lost != of->lost || task->state != of->state)
		return false;
	if (task->start_ns != (int64_t)(of->start_ns - START_NS) || task->native != of->id * 3)
		return false;
	return task->end_ns == (of->end_ns ? (int64_t)(of->end_ns - START_NS) : NO_TIME);
}

/* Sorted; and of each task as much time in pieces as in sums, when no piece was thinned out. */
static bool right_timeline(const struct model *model, bool dropped)
{
	int64_t(*sums)[SLICE_TIMES] = calloc(TASKS, sizeof(*sums));
	bool good = dropped ? model->slice_cnt < piece_cnt : true;

	for (size_t i = 0; i < model->slice_cnt; i++) {
		const struct slice *slice = &model->slices[i];
		size_t t = 0;

		good &= !i || model->slices[i - 1].start_ns <= slice->start_ns;
		good &= slice->dur_ns >= 0 && slice->start_ns >= 0;
		while (t < TASKS && truth[t].id != slice->task)
			t++;
		if (t == TASKS) {
			good = false;
			break;
		}
		for (int j = 0; j < SLICE_TIMES; j++)
			sums[t][j] += slice->c[j];
	}
	for (size_t t = 0; t < TASKS; t++)
		good &= !memcmp(sums[t], truth[t].c, sizeof(sums[t]));
	free(sums);
	return good;
}

static void check(const char *how, bool dropped)
{
	struct feed_options options = {.start_mono_ns = START_NS};
	struct model *model = feed_all(&options);
	size_t wrong = 0;

	feed__finish(model, (int64_t)LEN_NS);
	for (size_t i = 0; i < TASKS; i++)
		wrong += !same_task(model, &truth[i]);
	ok(!wrong && model->task_cnt == TASKS, "%s: every task is as it was (%zu wrong)", how,
	   wrong);
	ok(right_timeline(model, dropped), "%s: the timeline holds the same times", how);
	ok(model->meta.duration_ns == (int64_t)LEN_NS && !model->feed, "%s: finished", how);
	model__free(model);
}

static void test_orders(unsigned int with_seed)
{
	note("recording %u", with_seed);
	make_recording(with_seed);
	order(0, false);
	check("in order", false);
	order(900 * MS, false);
	check("shuffled within 0.9 s", false);
	order(0, true);
	check("reversed", false);
	drop_partials();
	order(0, false);
	check("in order, PARTIALs lost", true);
	order(900 * MS, false);
	check("shuffled, PARTIALs lost", true);
	order(0, true);
	check("reversed, PARTIALs lost", true);
	restore_partials();
}

/* Folding */

struct sums {
	int64_t c[COUNTER_CNT];
	int64_t wall_ns;
	uint64_t tasks, runs, run_ns, wakes;
	uint64_t by_state[STATE_CNT];
};

static void add_sums(struct sums *to, const int64_t *c, int64_t wall_ns, uint64_t runs,
		     uint64_t run_ns, uint64_t wakes)
{
	add_truth(to->c, c);
	to->wall_ns += wall_ns;
	to->runs += runs;
	to->run_ns += run_ns;
	to->wakes += wakes;
}

static struct sums sum_truth(void)
{
	struct sums sums = {.tasks = TASKS};

	for (size_t i = 0; i < TASKS; i++) {
		add_sums(&sums, truth[i].c, truth[i].wall_ns, truth[i].run_cnt, truth[i].run_ns,
			 truth[i].wake_cnt);
		sums.by_state[truth[i].state]++;
	}
	return sums;
}

static struct sums sum_model(const struct model *model)
{
	struct sums sums = {.tasks = model->task_cnt};

	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		add_sums(&sums, task->c, task->wall_ns, task->runs.cnt, task->runs.total,
			 task->wake.cnt);
		sums.by_state[task->state]++;
	}
	for (size_t i = 0; i < model->class_cnt; i++) {
		const struct task_class *class = &model->classes[i];

		add_sums(&sums, class->folded_c, class->folded_wall_ns, class->folded_runs.cnt,
			 class->folded_runs.total, class->folded_wake.cnt);
		sums.tasks += class->folded_cnt;
		for (int j = 0; j < STATE_CNT; j++)
			sums.by_state[j] += class->folded_by_state[j];
	}
	return sums;
}

static bool indices_right(struct model *model)
{
	bool good =
		model->task_idx.cnt == model->task_cnt && model->edge_idx.cnt == model->edge_cnt;

	for (size_t i = 0; i < model->task_cnt; i++)
		good &= model__task(model, model->tasks[i].id) == &model->tasks[i];
	for (size_t i = 0; i < model->edge_cnt; i++) {
		struct edge *edge = &model->edges[i];
		size_t cnt = model->edge_cnt;

		good &= model__edge_get(model, edge->from, edge->to, edge->kind) == edge &&
			model->edge_cnt == cnt;
		good &= model__task(model, edge->from) && model__task(model, edge->to);
	}
	return good;
}

static uint64_t counter_val(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (!strcmp(model__str(model, model->counters[i].name), name))
			return model->counters[i].val;
	}
	return 0;
}

static void check_fold(const char *how, uint64_t max_memory)
{
	struct feed_options options = {.start_mono_ns = START_NS, .max_memory = max_memory};
	struct model *model = feed_all(&options);
	struct sums want = sum_truth(), got;
	int64_t folded;

	feed__finish(model, (int64_t)LEN_NS);
	folded = model->meta.tasks_folded;
	got = sum_model(model);
	ok(folded > ASYNC / 10, "%s: %d tasks were folded", how, (int)folded);
	ok(!memcmp(got.c, want.c, sizeof(got.c)), "%s: sums of counters", how);
	ok(got.wall_ns == want.wall_ns && got.runs == want.runs && got.run_ns == want.run_ns &&
		   got.wakes == want.wakes,
	   "%s: walls, runs and wakes", how);
	ok(got.tasks == want.tasks && !memcmp(got.by_state, want.by_state, sizeof(got.by_state)),
	   "%s: tasks by state", how);
	ok(indices_right(model) && model->task_cnt + (size_t)folded == TASKS,
	   "%s: the rest is found, no edge ends in nothing", how);
	ok(counter_val(model, "edges_folded") > 0, "%s: dropped edges are counted", how);
	model__free(model);
}

/* Reversed, ends come long before what they end: no more than the sums can be right. */
static void check_fold_reversed(uint64_t max_memory)
{
	struct feed_options options = {.start_mono_ns = START_NS, .max_memory = max_memory};
	struct model *model = feed_all(&options);
	struct sums want = sum_truth(), got;

	feed__finish(model, (int64_t)LEN_NS);
	got = sum_model(model);
	ok(model->meta.tasks_folded > 0 && counter_val(model, "records_after_fold") > 0,
	   "reversed: records come after their task was folded, and are counted");
	ok(!memcmp(got.c, want.c, sizeof(got.c)) && got.runs == want.runs &&
		   got.run_ns == want.run_ns,
	   "reversed: sums are still whole");
	model__free(model);
}

static void test_fold(void)
{
	make_recording(77);
	order(0, false);
	check_fold("folding in order", 480 << 10);
	order(900 * MS, false);
	check_fold("folding, shuffled", 480 << 10);
	drop_partials();
	check_fold("folding, PARTIALs lost", 480 << 10);
	restore_partials();
	order(0, true);
	check_fold_reversed(300 << 10);
}

/* Thinning: nothing but the timeline changes. */
static void test_thin(void)
{
	struct feed_options options = {.start_mono_ns = START_NS, .max_slices = 800};
	struct model *model;
	size_t wrong = 0;

	make_recording(5);
	order(0, false);
	model = feed_all(&options);
	feed__finish(model, (int64_t)LEN_NS);
	for (size_t i = 0; i < TASKS; i++)
		wrong += !same_task(model, &truth[i]);
	ok(!wrong, "thinning leaves the sums");
	ok(model->slice_cnt >= 800 && model->slice_cnt <= 1001,
	   "%zu of %zu pieces are left, for 800 and a quarter more", model->slice_cnt, piece_cnt);
	ok(model->slice_cnt + counter_val(model, "slices_thinned") == piece_cnt,
	   "the others are counted");
	ok(model__losses(model) == 0, "and are no loss");
	model__free(model);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* No judgement (this build has sanitizers): a number for who changes the feed. */
static void time_feed(void)
{
	struct feed_options options = {.start_mono_ns = START_NS};
	struct event event = {.kind = WIRE_SLICE, .tgid = 42};
	struct model *model = model__new();
	const size_t cnt = 1000000;
	double begin;

	feed__start(model, &options);
	event.slice.depth = 1;
	event.slice.present = 1ULL << COUNTER_ON_CPU | 1ULL << COUNTER_CPUS |
			      1ULL << COUNTER_PROBE_HITS | 1ULL << COUNTER_WAKE_LATENCY;
	event.slice.c[COUNTER_CPUS] = 1;
	event.slice.c[COUNTER_PROBE_HITS] = 2;
	begin = seconds();
	for (size_t i = 0; i < cnt; i++) {
		event.ns = START_NS + i * 5000;
		event.slice.tid = (uint32_t)(i % 16);
		event.slice.task = 1ULL << 32 | i * 7919 % 20000;
		event.slice.enter_ns = event.ns - 1000 - i % 3000;
		event.slice.c[COUNTER_ON_CPU] = (int64_t)(i % 3000);
		event.slice.c[COUNTER_WAKE_LATENCY] = (int64_t)(i % 30000);
		feed__event(model, &event);
	}
	note("%.0f ns per slice, %.0f MB", (seconds() - begin) * 1e9 / (double)cnt,
	     (double)feed__memory(model) / 1e6);
	begin = seconds();
	feed__finish(model, 5000000000);
	note("%.2f s to finish %zu slices", seconds() - begin, cnt);
	model__free(model);
}

int main(void)
{
	items = calloc(MAX_EVTS, sizeof(*items));
	events = calloc(MAX_EVTS, EVENT_SZ);
	if (!items || !events)
		return 2;
	for (unsigned int i = 1; i <= 3; i++)
		test_orders(i);
	test_fold();
	test_thin();
	time_feed();
	free(items);
	free(events);
	return tap_done();
}
