/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs and their frames: this thread says SPAWN, ENTER, LEAVE, WAKE and END through small
 * programs, and the records in the ring must tell what it said. No scheduler program is attached,
 * so the thread counts as running from its seeding on, and all times add up exactly.
 */
#include <pthread.h>

#include "records.h"
#include "tests/verbs_run.skel.h"

#define RING_SZ (1 << 20)
#define DEPTH   15 /* tasks in each other on one thread */

static struct verbs_run *skel;
static struct records records;
static uint64_t seeded_task; /* this thread */

static void spawn(uint64_t native)
{
	run_prog(skel->progs.run_spawn, native, native + 1000, native + 2000, 0);
}

static void enter_at(uint64_t native, uint64_t sp)
{
	run_prog(skel->progs.run_enter, native, 7, sp, 0);
}

static void enter(uint64_t native)
{
	enter_at(native, 0);
}

static void leave(uint64_t native)
{
	run_prog(skel->progs.run_leave, native, 0, 0, 0);
}

static void wake(uint64_t native)
{
	run_prog(skel->progs.run_wake, native, 0, 0, 0);
}

static void end(uint64_t native, enum wire_state state)
{
	run_prog(skel->progs.run_end, native, state, 0, 0);
}

static uint32_t depth(void)
{
	run_prog(skel->progs.peek, 0, 0, 0, 0);
	return skel->bss->seen_depth;
}

static uint64_t loss(enum wire_loss kind)
{
	return loss_of(skel->obj, kind);
}

static uint64_t wall(const struct slice *slice)
{
	return slice->wire.hdr.ns - slice->wire.enter_ns;
}

static const struct wire_spawn *spawn_of(uint64_t native)
{
	for (unsigned int i = 0; i < records.spawn_cnt; i++) {
		if (records.spawns[i].native == native)
			return &records.spawns[i];
	}
	return NULL;
}

/* The slices that were read must be of these depths and flags, in this order. */
static bool slices_are(const char *what, unsigned int cnt, const uint8_t *depths,
		       const uint8_t *flags)
{
	bool same = records.slice_cnt == cnt;

	for (unsigned int i = 0; same && i < cnt; i++)
		same = records.slices[i].wire.depth == depths[i] &&
		       records.slices[i].wire.flags == flags[i];
	ok(same, "%s: %u slices of the right depths and flags", what, cnt);
	for (unsigned int i = 0; !same && i < records.slice_cnt; i++)
		note("slice %u: depth %u flags %u", i, records.slices[i].wire.depth,
		     records.slices[i].wire.flags);
	return same;
}

static void test_life(void)
{
	uint64_t before = now_ns(), after;
	const struct wire_spawn *born = &records.spawns[0];
	const struct slice *slice = &records.slices[0];
	const struct wire_end *ended = &records.ends[0];

	spawn(1);
	after = now_ns();
	enter(1);
	leave(1);
	end(1, STATE_CANCELLED);
	records_read(&records);
	if (!ok(records.spawn_cnt == 1 && records.slice_cnt == 1 && records.end_cnt == 1,
		"a life: one SPAWN, one SLICE, one END"))
		return;
	ok(born->native == 1 && born->type_key == 1001 && born->site == 2001, "what it is");
	ok(born->runtime == RUNTIME_MARKS && !born->flags && born->parent == seeded_task,
	   "whose it is");
	ok(born->tid == (uint32_t)gettid() && born->hdr.tgid == (uint32_t)getpid(), "where");
	ok(born->start_ns >= before && born->start_ns <= after && born->start_ns == born->hdr.ns,
	   "when");
	ok(born->task >> 32 == (uint32_t)gettid() && born->task != seeded_task, "its id");
	ok(slice->wire.task == born->task && ended->task == born->task, "all are of one task");
	ok(slice->wire.tid == (uint32_t)gettid() && slice->wire.depth == 1 && !slice->wire.flags &&
		   !slice->wire.flush && slice->wire.running,
	   "its slice: final, the first, on this thread, running");
	ok(slice->c[COUNTER_ON_CPU] == wall(slice) && wall(slice) > 0, "all its time was on a CPU");
	ok(slice->c[COUNTER_PROBE_HITS] == 1, "one probe was hit in it: its LEAVE");
	ok(!slice->c[COUNTER_CHILD_WALL] && !slice->c[COUNTER_WAKE_RECEIVED] &&
		   !slice->c[COUNTER_WAKE_SENT] && !slice->c[COUNTER_RUNQUEUE],
	   "and nothing else happened");
	ok(ended->state == STATE_CANCELLED && !ended->wakes_received && !ended->wakes_self,
	   "its end");
}

static void test_again(void)
{
	uint64_t first;

	enter(1);
	leave(1);
	enter(1);
	leave(1);
	end(1, STATE_COMPLETED);
	enter(1);
	leave(1);
	end(1, STATE_COMPLETED);
	end(1, STATE_COMPLETED);
	records_read(&records);
	ok(records.spawn_cnt == 2 && records.slice_cnt == 3 && records.end_cnt == 2,
	   "an id that is used again is another task; it ends once");
	first = records.spawns[0].task;
	ok(records.spawns[0].flags == SPAWN_EXISTED && !records.spawns[0].parent &&
		   records.spawns[0].site == 7,
	   "met at its ENTER, it was there before");
	ok(records.slices[0].wire.task == first && records.slices[1].wire.task == first &&
		   records.slices[2].wire.task == records.spawns[1].task &&
		   records.spawns[1].task != first,
	   "the slices are of the right ones");
}

static void test_nesting(void)
{
	const struct slice *s = records.slices;

	enter(1);
	enter(2);
	enter(3);
	spawn(4);
	leave(3);
	leave(2);
	leave(1);
	records_read(&records);
	if (!slices_are("nesting", 3, (uint8_t[]){3, 2, 1}, (uint8_t[]){0, 0, 0}))
		return;
	ok(s[1].c[COUNTER_CHILD_WALL] == wall(&s[0]) && s[2].c[COUNTER_CHILD_WALL] == wall(&s[1]),
	   "what is nested in it is child wall time");
	for (int i = 0; i < 3; i++)
		ok(s[i].c[COUNTER_ON_CPU] == wall(&s[i]) - s[i].c[COUNTER_CHILD_WALL],
		   "frame %d is charged for itself only", 3 - i);
	ok(spawn_of(4) && spawn_of(4)->parent == s[0].wire.task,
	   "a task is born of the innermost one");
	ok(s[0].c[COUNTER_PROBE_HITS] == 2 && s[1].c[COUNTER_PROBE_HITS] == 2,
	   "probes are charged where they were hit");
}

static void test_missing_leave(void)
{
	uint64_t forced = loss(LOSS_FRAME_FORCED), unmatched = loss(LOSS_LEAVE_UNMATCHED);
	const struct slice *s = records.slices;

	enter(1);
	enter(2);
	enter(3);
	leave(1);
	records_read(&records);
	if (slices_are("a missing LEAVE", 3, (uint8_t[]){3, 2, 1},
		       (uint8_t[]){SLICE_FORCED, SLICE_FORCED, 0})) {
		ok(s[0].wire.hdr.ns == s[2].wire.hdr.ns && s[1].wire.hdr.ns == s[2].wire.hdr.ns,
		   "all end together");
		ok(s[1].c[COUNTER_CHILD_WALL] == wall(&s[0]) &&
			   s[2].c[COUNTER_CHILD_WALL] == wall(&s[1]),
		   "and are child wall time all the same");
	}
	ok(loss(LOSS_FRAME_FORCED) == forced + 2, "two frames were forced");
	leave(3);
	leave(99);
	records_read(&records);
	ok(!records.slice_cnt && loss(LOSS_LEAVE_UNMATCHED) == unmatched + 2 && !depth(),
	   "a LEAVE without an ENTER is counted and does nothing");
}

static void test_entered_again(void)
{
	enter(1);
	enter(2);
	enter(3);
	enter(2);
	records_read(&records);
	slices_are("an open task entered again", 2, (uint8_t[]){3, 2},
		   (uint8_t[]){SLICE_FORCED, SLICE_FORCED});
	ok(depth() == 2, "it is open once, in what encloses it");
	leave(2);
	leave(1);
	records_read(&records);
	slices_are("and left", 2, (uint8_t[]){2, 1}, (uint8_t[]){0, 0});
}

static void test_too_deep(void)
{
	uint64_t deep = loss(LOSS_FRAMES_DEEP), unmatched = loss(LOSS_LEAVE_UNMATCHED);
	bool right = true;

	for (uint64_t i = 1; i <= DEPTH + 4; i++)
		enter(i);
	ok(depth() == DEPTH && loss(LOSS_FRAMES_DEEP) == deep + 4, "four frames are too deep");
	for (uint64_t i = DEPTH + 4; i > DEPTH; i--)
		leave(i);
	records_read(&records);
	ok(!records.slice_cnt && depth() == DEPTH, "leaving them leaves no other");
	for (uint64_t i = DEPTH; i; i--)
		leave(i);
	records_read(&records);
	for (unsigned int i = 0; i < DEPTH; i++)
		right = right && records.slices[i].wire.depth == DEPTH - i &&
			!records.slices[i].wire.flags;
	ok(records.slice_cnt == DEPTH && right && !depth(), "the others are left one by one");
	ok(loss(LOSS_LEAVE_UNMATCHED) == unmatched, "every LEAVE was matched");
}

/* What was too deep goes with the frames under it. */
static void test_unwound_from_too_deep(void)
{
	for (uint64_t i = 1; i <= DEPTH + 4; i++)
		enter(i);
	enter(1);
	records_read(&records);
	ok(records.slice_cnt == DEPTH && depth() == 1, "the outermost again: all others are gone");
	leave(1);
	ok(!depth(), "its LEAVE leaves it");
	for (int i = 0; i < 8 && depth(); i++)
		leave(1);
	ok(!skel->bss->seen_deeper, "nothing is too deep any more");
	records_read(&records);
}

static void test_stack_pointer(void)
{
	const uint64_t lo = 0x10000, hi = 0x20000;
	uint64_t unknown = loss(LOSS_STACK_BOUNDS);

	enter_at(1, lo + 0x800);
	enter_at(2, lo + 0x900);
	ok(depth() == 2, "bounds that are not known pop nothing");
	ok(loss(LOSS_STACK_BOUNDS) == unknown + 2, "and are counted");
	leave(2);
	leave(1);
	run_prog(skel->progs.set_bounds, lo, hi, 0, 0);
	enter_at(1, lo + 0x800);
	enter_at(2, lo + 0x400);
	enter_at(3, lo + 0x400);
	ok(depth() == 3, "the same stack frame or one further down pops nothing");
	enter_at(4, hi);
	enter_at(5, lo - 8);
	enter_at(6, lo + 0x900);
	ok(depth() == 6, "another stack between them pops nothing");
	leave(4);
	records_read(&records);
	enter_at(5, lo + 0x600);
	records_read(&records);
	slices_are("a frame further up", 2, (uint8_t[]){3, 2},
		   (uint8_t[]){SLICE_FORCED, SLICE_FORCED});
	ok(depth() == 2, "what it was called from stays");
	leave(5);
	leave(1);
	enter_at(1, lo);
	enter_at(2, lo + 8);
	records_read(&records);
	ok(depth() == 1, "the lowest word belongs to the stack");
	leave(2);
	ok(loss(LOSS_STACK_BOUNDS) == unknown + 2, "bounds that are known are not counted");
	run_prog(skel->progs.set_bounds, 0, 0, 0, 0);
	records_read(&records);
}

static struct wire_edge edge_between(uint64_t from, uint64_t to)
{
	struct wire_edge_key key = {.from = from, .to = to};
	struct wire_edge edge = {0};

	bpf_map_lookup_elem(bpf_map__fd(skel->maps.edges), &key, &edge);
	return edge;
}

static void test_wake(void)
{
	const struct slice *s = records.slices, *woken = &s[1];
	uint64_t before, after, latency;
	struct wire_edge edge;

	spawn(2);
	enter(1);
	before = now_ns();
	wake(2);
	after = now_ns();
	wake(2);
	wake(404);
	leave(1);
	enter(2);
	leave(2);
	enter(2);
	leave(2);
	records_read(&records);
	if (!slices_are("wakes", 3, (uint8_t[]){1, 1, 1}, (uint8_t[]){0, 0, 0}))
		return;
	ok(s[0].c[COUNTER_WAKE_SENT] == 3 && !s[0].c[COUNTER_WAKE_RECEIVED], "three are sent");
	ok(woken->c[COUNTER_WAKE_RECEIVED] == 2 && !woken->c[COUNTER_WAKE_SELF], "two arrive");
	latency = woken->c[COUNTER_WAKE_LATENCY];
	ok(woken->wire.enter_ns - latency >= before && woken->wire.enter_ns - latency <= after,
	   "the latency is counted from the first");
	ok(woken->c[COUNTER_WAKE_LATENCY_MAX] == latency, "and is the longest");
	ok(!s[2].c[COUNTER_WAKE_RECEIVED] && !s[2].c[COUNTER_WAKE_LATENCY], "once only");
	edge = edge_between(s[0].wire.task, woken->wire.task);
	ok(edge.cnt == 1 && edge.delay_ns == latency && edge.max_ns == latency,
	   "an edge leads from the waker to the woken");
	wake(2);
	enter(2);
	leave(2);
	records_read(&records);
	edge = edge_between(seeded_task, woken->wire.task);
	ok(edge.cnt == 1 && edge.delay_ns == s[0].c[COUNTER_WAKE_LATENCY],
	   "a thread outside of tasks wakes as itself");
}

static void test_wake_self(void)
{
	const struct slice *s = records.slices;

	enter(1);
	wake(1);
	leave(1);
	enter(1);
	wake(1);
	leave(1);
	wake(1);
	end(1, STATE_COMPLETED);
	records_read(&records);
	if (!ok(records.slice_cnt == 2 && records.end_cnt == 1, "a task that wakes itself"))
		return;
	ok(s[0].c[COUNTER_WAKE_SENT] == 1 && !s[0].c[COUNTER_WAKE_SELF], "it sends");
	ok(s[1].c[COUNTER_WAKE_RECEIVED] == 1 && s[1].c[COUNTER_WAKE_SELF] == 1, "it receives");
	ok(records.ends[0].wakes_received == 2 && records.ends[0].wakes_self == 1,
	   "at its end, two had not been answered, one of them its own");
	ok(edge_between(s[0].wire.task, s[0].wire.task).cnt == 1, "an edge leads to itself");
}

/* The smallest of the three shapes that loses nothing. */
static void test_shapes(void)
{
	uint64_t shapes[3] = {0}, nonzero;
	unsigned int wrong = 0, unfit = 0;

	for (unsigned int i = 0; i < COUNTER_CNT; i++) {
		enter(1);
		run_prog(skel->progs.add_counter, i, 1ULL << 40, 0, 0);
		leave(1);
	}
	records_read(&records);
	if (!ok(records.slice_cnt == COUNTER_CNT, "a slice for each counter"))
		return;
	for (unsigned int i = 0; i < COUNTER_CNT; i++) {
		const struct slice *slice = &records.slices[i];
		int cnt = __builtin_popcountll(slice->wire.present);

		/* ticks are kept for threads only */
		if (i == COUNTER_TICKS_USER || i == COUNTER_TICKS_KERNEL)
			continue;
		wrong += slice->c[i] >> 40 != 1;
		shapes[cnt == 2 ? 0 : cnt == COUNTER_CNT ? 2 : 1] = slice->wire.present;
	}
	ok(!wrong, "each counter arrives");
	ok(shapes[0] && shapes[1] && shapes[2] && (shapes[0] & shapes[1]) == shapes[0] &&
		   (shapes[1] & shapes[2]) == shapes[1],
	   "in one of three shapes");
	for (unsigned int i = 0; i < records.slice_cnt; i++) {
		unsigned int shape = 0;

		nonzero = 0;
		for (unsigned int j = 0; j < COUNTER_CNT; j++)
			nonzero |= (uint64_t)(records.slices[i].c[j] != 0) << j;
		while (shape < 2 && nonzero & ~shapes[shape])
			shape++;
		unfit += records.slices[i].wire.present != shapes[shape];
	}
	ok(!unfit, "always the smallest that loses nothing");
}

static void test_partial(void)
{
	const struct slice *s = records.slices;

	enter(1);
	wake(404);
	run_prog(skel->progs.run_partial, 0, 0, 0, 0);
	wake(404);
	run_prog(skel->progs.run_partial, 0, 0, 0, 0);
	leave(1);
	records_read(&records);
	if (!slices_are("a frame that is flushed", 3, (uint8_t[]){1, 1, 1},
			(uint8_t[]){SLICE_PARTIAL, SLICE_PARTIAL, 0}))
		return;
	ok(s[0].wire.flush == 0 && s[1].wire.flush == 1 && s[2].wire.flush == 2, "in their order");
	ok(s[0].c[COUNTER_WAKE_SENT] == 1 && s[1].c[COUNTER_WAKE_SENT] == 2 &&
		   s[2].c[COUNTER_WAKE_SENT] == 2,
	   "each tells all since the ENTER");
	ok(s[0].wire.enter_ns == s[2].wire.enter_ns && s[2].c[COUNTER_ON_CPU] == wall(&s[2]),
	   "the final one as if there had been no others");
}

/* A thread that came on its CPU after the last border is charged from then on. */
static void test_border_after_switch(void)
{
	const struct slice *s = records.slices;
	uint64_t in_ns;

	enter(1);
	in_ns = now_ns();
	run_prog(skel->progs.set_in, in_ns, 0, 0, 0);
	enter(2);
	leave(2);
	leave(1);
	records_read(&records);
	if (!slices_are("a switch inside", 2, (uint8_t[]){2, 1}, (uint8_t[]){0, 0}))
		return;
	ok(s[1].c[COUNTER_ON_CPU] == s[1].wire.hdr.ns - in_ns - wall(&s[0]),
	   "only what comes after the switch is charged by the clock");
	ok(s[0].c[COUNTER_ON_CPU] == wall(&s[0]), "a frame after it in full");
}

static void test_silence(void)
{
	uint64_t unseeded = loss(LOSS_THREAD_STATE);

	for (skel->bss->armed = ARMED_OFF; skel->bss->armed < ARMED_ALL; skel->bss->armed++) {
		spawn(1);
		enter(1);
		wake(1);
		leave(1);
		end(1, STATE_COMPLETED);
		records_read(&records);
		ok(!records.spawn_cnt && !records.slice_cnt && !records.end_cnt && !depth(),
		   "armed %u: nothing is recorded", skel->bss->armed);
	}
	ok(loss(LOSS_THREAD_STATE) == unseeded, "and nothing lost");
}

static void *unseeded_thread(void *arg)
{
	spawn(50);
	enter(50);
	leave(50);
	return arg;
}

static void test_unseeded(void)
{
	uint64_t before = loss(LOSS_THREAD_STATE);
	pthread_t thread;

	if (!ok(!pthread_create(&thread, NULL, unseeded_thread, NULL), "a thread without state"))
		return;
	pthread_join(thread, NULL);
	records_read(&records);
	ok(!records.spawn_cnt && !records.slice_cnt && loss(LOSS_THREAD_STATE) == before + 3,
	   "each of its verbs is counted as lost");
}

/* At the stop what is open is told as it is, and all adds up to the thread's own time. */
static void test_stop(void)
{
	const struct slice *s = records.slices;

	enter(1);
	enter(2);
	skel->bss->armed = ARMED_OFF;
	skel->bss->stop_ns = now_ns();
	ok(!walk_tasks(skel->progs.flush_threads), "the last walk");
	records_read(&records);
	if (!slices_are("the stop", 3, (uint8_t[]){2, 1, 0},
			(uint8_t[]){SLICE_PARTIAL | SLICE_AT_STOP, SLICE_PARTIAL | SLICE_AT_STOP,
				    SLICE_PARTIAL | SLICE_AT_STOP}))
		return;
	ok(s[1].c[COUNTER_CHILD_WALL] == wall(&s[0]), "open frames are child wall time, too");
	ok(s[2].wire.task == seeded_task && s[2].wire.hdr.ns == skel->bss->stop_ns,
	   "the thread itself until then");
	ok(s[2].c[COUNTER_ON_CPU] == wall(&s[2]) - s[2].c[COUNTER_CHILD_WALL],
	   "all that was not a task's is its own time");
	ok(records.latency_cnt == 1 && records.latencies[0].task == seeded_task, "its latencies");
}

static int seed(void)
{
	skel->bss->armed = ARMED_THREADS;
	if (walk_tasks(skel->progs.seed_threads))
		return -1;
	skel->bss->armed = ARMED_ALL;
	records_read(&records);
	run_prog(skel->progs.peek, 0, 0, 0, 0);
	seeded_task = skel->bss->seen_task;
	return records.spawn_cnt == 1 && records.spawns[0].task == seeded_task ? 0 : -1;
}

static int load(uint32_t ring_sz)
{
	skel = verbs_run__open();
	if (!skel)
		return -errno;
	configure(&skel->rodata->cfg, (uint32_t)getpid(), ring_sz);
	bpf_map__set_max_entries(skel->maps.ring, ring_sz);
	bpf_map__set_autocreate(skel->maps.thread_table, false);
	bpf_map__set_map_flags(skel->maps.live_tasks, BPF_F_NO_PREALLOC);
	bpf_program__set_autoload(skel->progs.seed_threads, true);
	bpf_program__set_autoload(skel->progs.flush_threads, true);
	if (verbs_run__load(skel))
		return -errno;
	return records_open(&records, skel->obj) ? -errno : seed();
}

static void unload(void)
{
	ring_buffer__free(records.ring);
	verbs_run__destroy(skel);
}

static void test_ring_full(void)
{
	unsigned int told = 0, said = 200;

	if (!ok(!load(4096), "an object with a ring of one page"))
		return;
	for (uint64_t i = 0; i < said; i++)
		spawn(100 + i);
	records_read(&records);
	told = records.spawn_cnt;
	ok(told > 0 && told < said, "the ring was too small");
	ok(loss(LOSS_RING_FULL) == said - told, "each record that was lost is counted");
	ok(!loss(LOSS_RING_BUSY), "as what it was");
	spawn(1);
	records_read(&records);
	ok(records.spawn_cnt == 1, "a ring that was read has room again");
	unload();
}

int main(void)
{
	libbpf_set_print(print_warnings);
	if (!ok(!load(RING_SZ), "the object is loaded and this thread seeded"))
		return tap_done();
	test_life();
	test_again();
	test_nesting();
	test_missing_leave();
	test_entered_again();
	test_too_deep();
	test_unwound_from_too_deep();
	test_stack_pointer();
	test_wake();
	test_wake_self();
	test_shapes();
	test_partial();
	test_border_after_switch();
	test_silence();
	test_unseeded();
	test_stop();
	ok(!loss(LOSS_RING_FULL) && !loss(LOSS_RING_BUSY) && !loss(LOSS_TASKS_FULL),
	   "nothing was lost in the big ring");
	unload();
	test_ring_full();
	return tap_done();
}
