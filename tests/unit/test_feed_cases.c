/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's rules one by one: names, states, placeholders, latencies, and what bounds memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/feed.h"
#include "model/feed_state.h"
#include "tap.h"

#define START_NS 1000000000000ULL
#define MS       1000000ULL
#define END_NS   (10000 * MS)

static struct model *start(uint64_t max_memory, size_t max_slices)
{
	struct feed_options options = {.start_mono_ns = START_NS,
				       .max_memory = max_memory,
				       .max_slices = max_slices};
	struct model *model = model__new();

	if (!model || feed__start(model, &options))
		exit(2);
	return model;
}

static struct event at(enum wire_kind kind, uint64_t ms)
{
	return (struct event){.kind = kind, .tgid = 42, .ns = START_NS + ms * MS};
}

static void spawn(struct model *model, uint64_t ms, uint64_t task, uint8_t runtime,
		  const char *comm, uint8_t flags)
{
	struct event event = at(WIRE_SPAWN, ms);

	event.spawn.task = task;
	event.spawn.native = task;
	event.spawn.start_ns = event.ns;
	event.spawn.runtime = runtime;
	event.spawn.flags = flags;
	event.spawn.tid = (uint32_t)task;
	strcpy(event.spawn.comm, comm);
	feed__event(model, &event);
}

static void slice(struct model *model, uint64_t task, uint64_t enter_ms, uint64_t ms,
		  uint32_t flush, uint8_t flags, uint8_t depth, int64_t on_cpu)
{
	struct event event = at(WIRE_SLICE, ms);

	event.slice.task = task;
	event.slice.enter_ns = START_NS + enter_ms * MS;
	event.slice.flush = flush;
	event.slice.flags = flags;
	event.slice.depth = depth;
	event.slice.tid = 7;
	event.slice.present = 1ULL << COUNTER_ON_CPU;
	event.slice.c[COUNTER_ON_CPU] = on_cpu;
	feed__event(model, &event);
}

static void end(struct model *model, uint64_t ms, uint64_t task, uint8_t state)
{
	struct event event = at(WIRE_END, ms);

	event.end.task = task;
	event.end.state = state;
	feed__event(model, &event);
}

static void rename_to(struct model *model, uint64_t ms, uint64_t task, const char *comm)
{
	struct event event = at(WIRE_RENAME, ms);

	event.rename.task = task;
	strcpy(event.rename.comm, comm);
	feed__event(model, &event);
}

static const char *class_name(const struct model *model, const struct task *task)
{
	return model__str(model, model->classes[task->class_idx].name);
}

static const char *task_name(const struct model *model, uint64_t id)
{
	static char name[64];

	return model__task_name(model, model__task(model, id), name, sizeof(name));
}

static uint64_t counter_val(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (!strcmp(model__str(model, model->counters[i].name), name))
			return model->counters[i].val;
	}
	return 0;
}

static void test_placeholder(void)
{
	struct model *model = start(0, 0);
	struct task *task;

	slice(model, 5, 100, 101, 0, 0, 1, 900);
	task = model__task(model, 5);
	ok(task && task->flags == TASK_PLACEHOLDER && task->binding == BINDING_UNKNOWN &&
		   !strcmp(class_name(model, task), "(met without its beginning)"),
	   "a task met in a slice is a placeholder");
	ok(task->start_ns == (int64_t)(100 * MS) && task->tgid == 42 && task->tid == 7 &&
		   task->runtime == RUNTIME_MARKS,
	   "it began no later than that, in a runtime above threads");
	spawn(model, 90, 5, RUNTIME_MARKS, "", 0);
	task = model__task(model, 5);
	ok(task->flags == TASK_SEEN_FROM_START && task->binding == BINDING_SYMBOL &&
		   task->start_ns == (int64_t)(90 * MS) && task->c[COUNTER_ON_CPU] == 900 &&
		   !strcmp(class_name(model, task), "marks"),
	   "its SPAWN fills it");
	spawn(model, 1, 6, RUNTIME_THREAD, "comm", SPAWN_EXISTED);
	ok(model__task(model, 6)->flags == 0 && model__task(model, 6)->binding == BINDING_KERNEL,
	   "a thread that existed was not seen from its start");
	feed__edge(model, &(struct wire_edge_key){8, 6}, &(struct wire_edge){3, 30, 20});
	feed__edge(model, &(struct wire_edge_key){8, 6}, &(struct wire_edge){1, 5, 5});
	feed__edge(model, &(struct wire_edge_key){0, 6}, &(struct wire_edge){1, 1, 1});
	ok(model->edge_cnt == 2 && model->edges[0].cnt == 4 && model->edges[0].delay_ns == 35 &&
		   model->edges[0].max_ns == 20 && model->edges[0].kind == EDGE_WAKE,
	   "edges add up");
	feed__finish(model, END_NS);
	ok(model__task(model, 8)->flags & TASK_PLACEHOLDER &&
		   model__task(model, 8)->start_ns == 0 && !model__task(model, 0),
	   "who is met in an edge only is a placeholder, 0 is nobody");
	ok(feed__event(model, &(struct event){.kind = WIRE_EXEC}) == -EINVAL &&
		   feed__finish(model, 1) == -EINVAL &&
		   feed__edge(model, &(struct wire_edge_key){1, 2}, &(struct wire_edge){}) ==
			   -EINVAL,
	   "a finished model takes nothing more");
	model__free(model);
}

static uint64_t class_of(void *ctx, const struct wire_spawn *spawn, uint32_t tgid, char *name,
			 size_t sz)
{
	snprintf(name, sz, "%s of %u", (const char *)ctx, tgid);
	return 1000 + spawn->site;
}

static void test_names(void)
{
	struct feed_options options = {.start_mono_ns = START_NS,
				       .ctx = "class",
				       .class_of = class_of};
	struct model *model = model__new();

	feed__start(model, &options);
	spawn(model, 1, 1, RUNTIME_MARKS, "", 0);
	spawn(model, 1, 2, RUNTIME_MARKS, "", 0);
	spawn(model, 1, 3, RUNTIME_THREAD, "comm", 0);
	ok(!strcmp(class_name(model, model__task(model, 1)), "class of 42") &&
		   model->classes[model__task(model, 1)->class_idx].id == 1000 &&
		   model__task(model, 1)->class_idx == model__task(model, 2)->class_idx,
	   "classes are the caller's");
	ok(!strcmp(task_name(model, 2), "class of 42 #2") && !strcmp(task_name(model, 3), "comm"),
	   "a task is called by its class and its own id, a thread by its comm");
	model__free(model);

	model = start(0, 0);
	rename_to(model, 5, 1, "later");
	spawn(model, 1, 1, RUNTIME_THREAD, "first", 0);
	ok(!strcmp(task_name(model, 1), "later") &&
		   !strcmp(class_name(model, model__task(model, 1)), "later"),
	   "a RENAME that overtook the SPAWN keeps the name and its class");
	rename_to(model, 3, 1, "between");
	ok(!strcmp(task_name(model, 1), "later"), "an older RENAME changes nothing");
	rename_to(model, 6, 1, "last");
	ok(!strcmp(task_name(model, 1), "last"), "a newer one does");
	spawn(model, 1, 2, RUNTIME_THREAD, "last", 0);
	ok(model__task(model, 1)->class_idx == model__task(model, 2)->class_idx,
	   "threads of one comm are one class");
	model__free(model);
}

static void test_states(void)
{
	struct model *model = start(0, 0);
	const uint8_t stop = SLICE_PARTIAL | SLICE_AT_STOP;
	struct event event;

	for (uint64_t id = 1; id <= 6; id++)
		spawn(model, 1, id, RUNTIME_MARKS, "", 0);
	for (uint64_t id = 11; id <= 16; id++)
		spawn(model, id < 14 ? 0 : 1000, id, RUNTIME_THREAD, "t", 0);
	slice(model, 2, 10, 20, 0, 0, 1, 1);
	slice(model, 3, 10, 20, 0, 0, 1, 1);
	slice(model, 3, 9000, 10000, 0, stop, 1, 1);
	slice(model, 4, 10, 300, 0, SLICE_PARTIAL, 1, 1);
	end(model, 50, 5, STATE_DROPPED);
	end(model, 40, 5, STATE_COMPLETED);
	end(model, 40, 6, STATE_PANICKED);
	end(model, 60, 6, STATE_DROPPED);
	for (uint64_t id = 11; id <= 12; id++) {
		event = at(WIRE_SLICE, 10000);
		event.slice.task = id;
		event.slice.enter_ns = START_NS;
		event.slice.flags = stop;
		event.slice.running = id == 11;
		feed__event(model, &event);
	}
	slice(model, 13, 0, 4000, 0, 0, 0, 1);
	end(model, 5000, 14, STATE_COMPLETED);
	event = at(WIRE_SLICE, 100);
	feed__finish(model, END_NS);
	ok(model__task(model, 1)->state == STATE_UNFINISHED, "never ran: unfinished");
	ok(model__task(model, 2)->state == STATE_WAITING, "ran, between two runs: waiting");
	ok(model__task(model, 3)->state == STATE_RUNNING, "in a frame at the stop: running");
	ok(model__task(model, 4)->state == STATE_UNFINISHED &&
		   model__task(model, 4)->slices_lost == 1,
	   "its last slices were lost: unfinished, and it shows");
	ok(model__task(model, 5)->state == STATE_COMPLETED &&
		   model__task(model, 5)->end_ns == (int64_t)(40 * MS) &&
		   model__task(model, 6)->state == STATE_PANICKED,
	   "of two ends the first one counts, in any order");
	ok(model__task(model, 11)->state == STATE_RUNNING &&
		   model__task(model, 12)->state == STATE_WAITING,
	   "threads run or wait as their last slice says");
	ok(model__task(model, 13)->state == STATE_COMPLETED &&
		   model__task(model, 13)->wall_ns == (int64_t)(4000 * MS),
	   "a thread whose own frame was left has ended, also without an END");
	ok(model__task(model, 14)->wall_ns == (int64_t)(4000 * MS) &&
		   model__task(model, 15)->wall_ns == (int64_t)(9000 * MS),
	   "a thread's wall is its life within the recording");
	ok(model__task(model, 3)->wall_ns == (int64_t)(1010 * MS) &&
		   model__task(model, 3)->runs.cnt == 1,
	   "an open frame counts in the wall, not in the runs");
	model__free(model);
}

static void test_latency(void)
{
	struct model *model = start(0, 0);
	struct event event = at(WIRE_LATENCY, 500);
	struct task *task;

	spawn(model, 0, 1, RUNTIME_THREAD, "t", 0);
	event.latency.task = 1;
	event.latency.buckets[2] = 10; /* 512..768 */
	event.latency.buckets[9] = 1; /* 6144 * 2..8192 * 2: 2^12*1.5..2^13 */
	feed__event(model, &event);
	event.latency.buckets[2] = 4; /* older, and late */
	event.latency.buckets[9] = 0;
	feed__event(model, &event);
	event = at(WIRE_SLICE, 900);
	event.slice.task = 1;
	event.slice.enter_ns = START_NS;
	event.slice.flags = SLICE_PARTIAL | SLICE_AT_STOP;
	event.slice.present = 1ULL << COUNTER_WAKE_LATENCY | 1ULL << COUNTER_WAKE_LATENCY_MAX;
	event.slice.c[COUNTER_WAKE_LATENCY] = 13000;
	event.slice.c[COUNTER_WAKE_LATENCY_MAX] = 7000;
	feed__event(model, &event);
	feed__finish(model, END_NS);
	task = model__task(model, 1);
	ok(task->wake.cnt == 11,
	   "cumulative buckets replace each other, the newest is the largest");
	ok(task->wake.total == 13000 && task->wake.max == 7000, "total and maximum are counters");
	ok(hist__percentile(&task->wake, 0.5) >= 512 && hist__percentile(&task->wake, 0.5) < 768 &&
		   hist__percentile(&task->wake, 0.99) >= 6144 &&
		   hist__percentile(&task->wake, 0.99) <= 7000,
	   "percentiles lie in the buckets");
	ok(task->runs.cnt == 0, "a thread has no runs");
	model__free(model);

	model = start(0, 0);
	spawn(model, 0, 1, RUNTIME_THREAD, "t", 0);
	event = at(WIRE_LATENCY, 500);
	event.latency.task = 1;
	event.latency.buckets[LATENCY_BUCKETS - 1] = 1;
	feed__event(model, &event);
	feed__finish(model, END_NS);
	ok(hist__percentile(&model__task(model, 1)->wake, 0.5) > 1ULL << 35,
	   "the last bucket, and no maximum: percentiles are not cut to 0");
	model__free(model);
}

static void test_frames(void)
{
	struct model *model = start(0, 0);
	struct task *task;

	slice(model, 1, 10, 11, 0, SLICE_FORCED, 1, 5);
	ok(!model->feed->frame_cnt && !model->feed->frame_idx.cap,
	   "a frame that ends with its first slice leaves nothing behind");
	slice(model, 1, 20, 300, 0, SLICE_PARTIAL, 1, 100);
	slice(model, 1, 20, 500, 1, SLICE_PARTIAL, 1, 90);
	task = model__task(model, 1);
	ok(task->c[COUNTER_ON_CPU] == 95, "a cumulative number may shrink");
	slice(model, 1, 20, 600, 2, 0, 1, 200);
	ok(task->c[COUNTER_ON_CPU] == 205 && !model->feed->frame_cnt, "the last slice ends it");
	slice(model, 1, 700, 1500, 3, 0, 1, 1000);
	ok(model->feed->frame_cnt == 1 && task->slices_lost == 3,
	   "earlier ones are missing: it stays for them");
	slice(model, 1, 700, 900, 1, SLICE_PARTIAL, 1, 400);
	ok(task->c[COUNTER_ON_CPU] == 1205 && task->slices_lost == 2, "a late one adds nothing");
	end(model, 2600, 99, STATE_COMPLETED);
	model->feed->swept_ns = 0;
	frames__sweep(model);
	ok(!model->feed->frame_cnt && task->slices_lost == 2, "after a second nobody waits");
	/* one frame, four slices, the numbers beyond 16 bits */
	slice(model, 2, 0, 9000, 70000, SLICE_PARTIAL, 0, 50);
	slice(model, 2, 0, 9100, 70002, SLICE_PARTIAL, 0, 80);
	slice(model, 2, 0, 9050, 70001, SLICE_PARTIAL, 0, 60);
	task = model__task(model, 2);
	ok(task->c[COUNTER_ON_CPU] == 80 && task->slices_lost == 70000, "numbers beyond 16 bits");
	feed__finish(model, END_NS);
	task = model__task(model, 1);
	ok(task->forced_cnt == 1 && task->runs.cnt == 3 && task->runs.max == 800 * MS,
	   "runs and forced ends");
	ok(model->slice_cnt == 7, "each newer slice is a piece of the timeline");
	ok(model->slices[0].start_ns == 0 && model->slices[0].dur_ns == (int64_t)(9000 * MS) &&
		   model->slices[3].start_ns == (int64_t)(300 * MS) &&
		   model->slices[3].dur_ns == (int64_t)(200 * MS) && model->slices[3].c[0] == -10,
	   "a piece lasts from the last flush to this one, and holds the difference");
	model__free(model);
}

static void test_processes(void)
{
	struct model *model = start(0, 0);
	struct event event = at(WIRE_FORK, 1);

	feed__event(model, &event);
	event.fork.followed = 1;
	feed__event(model, &event);
	event = at(WIRE_EXEC, 2);
	feed__event(model, &event);
	ok(counter_val(model, "forks") == 2 && counter_val(model, "forks_not_followed") == 1 &&
		   counter_val(model, "execs") == 1,
	   "forks and execs are counted");
	ok(model__losses(model) == 0 && model->meta.records_seen == 3 &&
		   model->meta.slices_seen == 0,
	   "and are no losses");
	model__free(model);
}

/* Beyond max_slices the longest of each thread, depth and second stays. */
static void test_thin(void)
{
	struct model *model = start(0, 4);
	int64_t longest = 0, kept = 0;

	for (uint64_t i = 0; i < 4; i++)
		slice(model, 1, i, i + 1, 0, 0, 1, 1);
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t dur = 1 + i * 37 % 50;

		slice(model, 1, 2000 + i * 10, 2000 + i * 10 + dur, 0, 0, 1, 1);
		longest = (int64_t)(dur * MS) > longest ? (int64_t)(dur * MS) : longest;
	}
	slice(model, 1, 2990, 2991, 0, 0, 2, 1);
	feed__finish(model, END_NS);
	for (size_t i = 0; i < model->slice_cnt; i++) {
		if (model->slices[i].start_ns >= (int64_t)(2000 * MS) &&
		    model->slices[i].depth == 1)
			kept = model->slices[i].dur_ns;
	}
	ok(model->slice_cnt == 6 && kept == longest && counter_val(model, "slices_thinned") == 49,
	   "the longest piece of a thread, depth and second is left");
	model__free(model);
}

static uint64_t new_class(void *ctx, const struct wire_spawn *spawn, uint32_t tgid, char *name,
			  size_t sz)
{
	(void)ctx;
	(void)tgid;
	snprintf(name, sz, "class %d", (int)spawn->task);
	return hash64(spawn->task);
}

/* A target that wants to exhaust our memory: new classes, names and tasks that never end. */
static void test_hostile(void)
{
	struct feed_options options = {.start_mono_ns = START_NS,
				       .max_memory = 64 << 20,
				       .class_of = new_class};
	struct model *model = model__new();
	uint64_t worst = 0, cnt = 300000;
	int64_t sum = 0;

	feed__start(model, &options);
	for (uint64_t i = 1; i <= cnt; i++) {
		spawn(model, i / 100, i, RUNTIME_MARKS, "", 0);
		slice(model, i, i / 100, i / 100 + 1, 0, 0, 1, 3);
		worst = feed__memory(model) > worst ? feed__memory(model) : worst;
	}
	ok(worst < 96 << 20, "%d MB for a limit of 64 MB", (int)(worst >> 20));
	ok(model->class_cnt <= 65536 + RUNTIME_CNT && model->strings.sz <= 16 << 20,
	   "classes and names are bounded");
	feed__finish(model, END_NS);
	for (size_t i = 0; i < model->task_cnt; i++)
		sum += model->tasks[i].c[COUNTER_ON_CPU];
	for (size_t i = 0; i < model->class_cnt; i++)
		sum += model->classes[i].folded_c[COUNTER_ON_CPU];
	ok(sum == (int64_t)cnt * 3, "no time is lost");
	ok(counter_val(model, "tasks_refused") > 0 && model__losses(model) > 0,
	   "what was not kept is counted, as a loss");
	model__free(model);

	model = start(8 << 20, 0);
	spawn(model, 0, 1, RUNTIME_THREAD, "first", 0);
	for (uint64_t i = 1; i <= cnt; i++) {
		char comm[16];

		snprintf(comm, sizeof(comm), "thread%09d", (int)i);
		rename_to(model, i / 100, 1, comm);
	}
	ok(model->strings.sz <= 4 << 20, "names of a thread that renames itself are bounded");
	feed__finish(model, END_NS);
	ok(counter_val(model, "names_cut") > 0 && model__losses(model) > 0,
	   "names that were not kept are counted, as a loss");
	model__free(model);
}

/* Folding gives a thread its wall and its latencies first, and spares who is still in a frame. */
static void test_fold(void)
{
	struct model *model = start(200 << 10, 0);
	struct event event = at(WIRE_LATENCY, 400);
	const struct task_class *class;
	uint32_t idx;

	spawn(model, 100, 1, RUNTIME_THREAD, "short", 0);
	event.latency.task = 1;
	event.latency.buckets[4] = 6;
	feed__event(model, &event);
	end(model, 500, 1, STATE_COMPLETED);
	/* its task ends within a frame, long before it is left */
	slice(model, 2, 100, 400, 0, SLICE_PARTIAL, 1, 10);
	end(model, 400, 2, STATE_COMPLETED);
	for (uint64_t i = 0; i < 1300; i++) {
		spawn(model, 2000 + i * 5, 100 + i, RUNTIME_MARKS, "", 0);
		end(model, 2000 + i * 5, 100 + i, STATE_COMPLETED);
	}
	ok(model->meta.tasks_folded > 800 && !model__task(model, 1), "ended tasks are folded (%d)",
	   (int)model->meta.tasks_folded);
	ok(model__task(model, 2) != NULL, "but not one whose frame is open");
	slice(model, 2, 100, 5000, 1, 0, 1, 30);
	ok(model__task(model, 2)->c[COUNTER_ON_CPU] == 30, "which still gets what it used");
	idx = model__class_get(model, named_id(RUNTIME_THREAD, "short"), RUNTIME_THREAD, "short");
	class = &model->classes[idx];
	ok(class->folded_cnt == 1 && class->folded_wall_ns == (int64_t)(400 * MS) &&
		   class->folded_wake.cnt == 6,
	   "a folded thread leaves its wall and latencies");
	spawn(model, 9000, 9, RUNTIME_THREAD, "short", 0);
	feed__finish(model, END_NS);
	idx = model__class_get(model, named_id(RUNTIME_THREAD, "short"), RUNTIME_THREAD, "short");
	class = &model->classes[idx];
	ok(class->folded_cnt == 1 && !model__task(model, 1),
	   "the end does not bring folded tasks back");
	model__free(model);
}

/* The last slice of every frame is lost. */
static void test_frames_lost(void)
{
	struct model *model = start(0, 1);
	const uint64_t cnt = 150000;
	size_t worst = 0;

	for (uint64_t i = 0; i < cnt; i++) {
		slice(model, 1 + i % 10, i, i + 300, 0, SLICE_PARTIAL, 1, 2);
		worst = model->feed->frame_cnt > worst ? model->feed->frame_cnt : worst;
	}
	ok(worst < 70000, "frames without an end: %zu at once", worst);
	feed__finish(model, (int64_t)(cnt * MS));
	ok(model__task(model, 1)->c[COUNTER_ON_CPU] == (int64_t)cnt / 10 * 2 &&
		   model__task(model, 1)->slices_lost == cnt / 10 &&
		   model__task(model, 1)->wall_ns == (int64_t)(cnt / 10 * 300 * MS),
	   "their sums and walls are whole, the losses counted");
	model__free(model);
}

int main(void)
{
	test_placeholder();
	test_names();
	test_states();
	test_latency();
	test_frames();
	test_processes();
	test_thin();
	test_hostile();
	test_fold();
	test_frames_lost();
	return tap_done();
}
