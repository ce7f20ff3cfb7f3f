/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the scheduler's side charges: the buckets of wake-up latencies at each of their borders, the
 * causes and the run queue by given times, and a thread's end. Then its programs are attached, and
 * real threads wake each other.
 */
#include <pthread.h>
#include <semaphore.h>

#include "records.h"
#include "tests/sched_run.skel.h"

#define RING_SZ   (1 << 20)
#define DEAD      0x80
#define SLEEPS    1
#define MS        1000000ULL
#define WAKER     77
#define HANDOVERS 500

static struct sched_run *skel;
static struct records records;

/* The lower border of a bucket, by the words of wire.h. */
static uint64_t border(unsigned int idx)
{
	uint64_t power = 1ULL << (LATENCY_MIN_LOG2 + idx / 2);

	return idx % 2 ? power + power / 2 : power;
}

/* The bucket that a latency is counted in; -1 when it is in several or none. */
static int bucket_of(uint64_t ns)
{
	static uint32_t before[LATENCY_BUCKETS];
	const uint32_t *after = records.latencies[0].buckets;
	int found = -1, changed = 0;

	run_prog(skel->progs.run_latency, ns, 0, 0, 0);
	run_prog(skel->progs.tell_latency, 0, 0, 0, 0);
	records_read(&records);
	if (records.latency_cnt != 1)
		return -1;
	for (int i = 0; i < LATENCY_BUCKETS; i++) {
		changed += (int)(after[i] - before[i]);
		if (after[i] != before[i])
			found = i;
	}
	memcpy(before, after, sizeof(before));
	return changed == 1 ? found : -1;
}

static void test_buckets(void)
{
	unsigned int wrong = 0, last = LATENCY_BUCKETS - 1;

	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		int below = i ? (int)i - 1 : 0, at = bucket_of(border(i));

		if (at == (int)i && bucket_of(border(i) - 1) == below &&
		    bucket_of(border(i) + 1) == (int)i)
			continue;
		wrong++;
		note("the border %lu of bucket %u is in %d", border(i), i, at);
	}
	ok(!wrong, "each latency at, before and behind a border is in its bucket");
	ok(bucket_of(0) == 0 && bucket_of(1) == 0, "the shortest are in the first");
	ok(bucket_of(border(last) * 4) == (int)last && bucket_of(UINT64_MAX) == (int)last,
	   "the longest are in the last");
}

/* The thread's own frame since the last call. */
static const uint64_t *base_counters(uint64_t now)
{
	run_prog(skel->progs.tell_base, now, 0, 0, 0);
	records_read(&records);
	if (!ok(records.slice_cnt >= 1, "the thread's frame is told"))
		exit(1);
	return records.slices[records.slice_cnt - 1].c;
}

/* The next moment of leaving the CPU: times only go forward, away from one another. */
static uint64_t next_out(void)
{
	static uint64_t out;

	out = (out ? out : now_ns()) + 50 * MS;
	return out;
}

/* Away from `out` to `in`, woken and queued in between, for a cause. */
static const uint64_t *away(uint32_t cause, uint64_t out, uint64_t wake, uint64_t queued,
			    uint64_t in)
{
	run_prog(skel->progs.run_switch_out, out, cause == CAUSE_RUNQUEUE, SLEEPS, 0);
	base_counters(out); /* what leaving the CPU charged is of the time before */
	run_prog(skel->progs.set_wait, cause, wake, queued, WAKER);
	run_prog(skel->progs.run_switch_in, in, 0, 0, 0);
	return base_counters(in);
}

static const uint32_t causes[] = {CAUSE_DISK,  CAUSE_NET,   CAUSE_LOCK,
				  CAUSE_TIMER, CAUSE_OTHER, CAUSE_IDLE};

static void test_cause(uint32_t cause)
{
	uint64_t out = next_out(), elsewhere = 0;
	const uint64_t *c = away(cause, out, out + 5 * MS, out + 6 * MS, out + 8 * MS);

	ok(c[cause] == 6 * MS && c[COUNTER_RUNQUEUE] == 2 * MS,
	   "%s: until it is queued, from then on it waits for a CPU", cause_name(cause));
	ok(c[COUNTER_WAKE_RECEIVED] == 1 && c[COUNTER_WAKE_LATENCY] == 3 * MS &&
		   c[COUNTER_WAKE_LATENCY_MAX] == 3 * MS,
	   "the latency begins with the wake");
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		elsewhere += causes[i] == cause ? 0 : c[causes[i]];
	ok(!elsewhere, "and no other cause is charged");
}

static void test_odd_times(void)
{
	uint64_t out = next_out(), unseen = loss_of(skel->obj, LOSS_WAKE_UNSEEN);
	const uint64_t *c = away(CAUSE_LOCK, out, out + 5 * MS, out + 2 * MS, out + 8 * MS);

	ok(c[CAUSE_LOCK] == 5 * MS && c[COUNTER_RUNQUEUE] == 3 * MS,
	   "an older time of queueing is not used");
	out = next_out();
	c = away(CAUSE_LOCK, out, out - MS, out - MS, out + 8 * MS);
	ok(!c[CAUSE_LOCK] && c[COUNTER_RUNQUEUE] == 8 * MS, "woken before it slept: never blocked");
	out = next_out();
	c = away(CAUSE_LOCK, out, out + 9 * MS, out + 9 * MS, out + 8 * MS);
	ok(c[CAUSE_LOCK] == 8 * MS && !c[COUNTER_RUNQUEUE], "woken after it ran: no run queue");
	ok(loss_of(skel->obj, LOSS_WAKE_UNSEEN) == unseen, "all these wakes were seen");
	out = next_out();
	c = away(CAUSE_LOCK, out, 0, 0, out + 8 * MS);
	ok(c[CAUSE_LOCK] == 8 * MS && loss_of(skel->obj, LOSS_WAKE_UNSEEN) == unseen + 1,
	   "a wake that nobody saw is counted");
	out = next_out();
	c = away(CAUSE_RUNQUEUE, out, out + 5 * MS, out + 5 * MS, out + 8 * MS);
	ok(c[COUNTER_RUNQUEUE] == 8 * MS && !c[COUNTER_WAKE_RECEIVED],
	   "preempted: all of it is run queue, and no wake");
}

/* A wait for a CPU that the kernel knows nothing of was none. The next switch corrects it. */
static void test_corrected(void)
{
	uint64_t out = next_out();
	const uint64_t *c = away(CAUSE_NET, out, out + MS, out + MS, out + 31 * MS);

	ok(c[CAUSE_NET] == MS && c[COUNTER_RUNQUEUE] == 30 * MS, "a long wait for a CPU");
	out = next_out();
	run_prog(skel->progs.run_switch_out, out, 0, SLEEPS, 0);
	c = base_counters(out);
	ok((int64_t)c[COUNTER_RUNQUEUE] < 0 && c[CAUSE_NET] == -c[COUNTER_RUNQUEUE],
	   "that never was is charged to the cause instead");
	run_prog(skel->progs.run_switch_in, next_out(), 0, 0, 0);
}

static void test_edge(void)
{
	struct wire_edge_key key = {.from = WAKER};
	struct wire_edge before = {0}, after = {0};
	int fd = bpf_map__fd(skel->maps.edges);
	uint64_t out = next_out();

	base_counters(out);
	key.to = records.slices[records.slice_cnt - 1].wire.task;
	bpf_map_lookup_elem(fd, &key, &before);
	away(CAUSE_NET, out, out + MS, out + MS, out + 41 * MS);
	bpf_map_lookup_elem(fd, &key, &after);
	ok(after.cnt == before.cnt + 1 && after.delay_ns == before.delay_ns + 40 * MS &&
		   after.max_ns == 40 * MS,
	   "an edge leads from the waker, with the delay");
}

static void test_end(void)
{
	uint64_t forced = loss_of(skel->obj, LOSS_FRAME_FORCED);
	const struct slice *s = records.slices;

	base_counters(next_out());
	run_prog(skel->progs.run_enter, 1, 0, 0, 0);
	run_prog(skel->progs.run_enter, 2, 0, 0, 0);
	run_prog(skel->progs.run_switch_out, next_out(), 0, DEAD, 0);
	records_read(&records);
	if (!ok(records.slice_cnt == 3 && records.end_cnt == 1 && records.latency_cnt == 1,
		"a thread that ends inside of two tasks"))
		return;
	ok(s[0].wire.depth == 2 && s[1].wire.depth == 1 && s[2].wire.depth == 0, "innermost first");
	ok(s[0].wire.flags == SLICE_FORCED && s[1].wire.flags == SLICE_FORCED && !s[2].wire.flags,
	   "the tasks' frames are forced, the thread's own is not");
	ok(loss_of(skel->obj, LOSS_FRAME_FORCED) == forced + 2, "two frames are counted as forced");
	ok(records.ends[0].task == s[2].wire.task && records.ends[0].state == STATE_COMPLETED,
	   "the thread has completed");
}

static sem_t here, there;

static void *answer(void *arg)
{
	for (int i = 0; i < HANDOVERS; i++) {
		sem_wait(&there);
		sem_post(&here);
	}
	return arg;
}

/* All latencies lie within the borders of the buckets that count them, and so does their sum. */
static void check_latency(const struct wire_latency *latency, const uint64_t *c)
{
	uint64_t low = 0, high = 0, cnt = 0;
	int last = -1;

	for (int i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t n = latency->buckets[i];

		cnt += n;
		low += n * (i ? border((unsigned int)i) : 0);
		high += n * border((unsigned int)i + 1);
		last = n ? i : last;
	}
	ok(cnt == c[COUNTER_WAKE_RECEIVED], "each wake is in a bucket");
	ok(cnt >= HANDOVERS / 20, "there are many (%lu)", cnt);
	ok(cnt + 1 == c[COUNTER_SWITCH_VOLUNTARY],
	   "one for each sleep; only its end was the last (%lu)", c[COUNTER_SWITCH_VOLUNTARY]);
	ok(c[COUNTER_WAKE_LATENCY] >= low && c[COUNTER_WAKE_LATENCY] <= high,
	   "the sum lies between the borders");
	ok(last >= 0 && c[COUNTER_WAKE_LATENCY_MAX] < border((unsigned int)last + 1) &&
		   c[COUNTER_WAKE_LATENCY_MAX] >= (last ? border((unsigned int)last) : 0),
	   "the longest lies in the highest bucket in use");
}

static int attach(void)
{
	skel->links.sched_switch = bpf_program__attach(skel->progs.sched_switch);
	skel->links.sched_waking = bpf_program__attach(skel->progs.sched_waking);
	skel->links.sched_wakeup = bpf_program__attach(skel->progs.sched_wakeup);
	skel->links.sched_process_fork = bpf_program__attach(skel->progs.sched_process_fork);
	return skel->links.sched_switch && skel->links.sched_waking && skel->links.sched_wakeup &&
			       skel->links.sched_process_fork
		       ? 0
		       : -errno;
}

static const struct slice *last_slice_of(uint64_t task)
{
	for (unsigned int i = records.slice_cnt; i; i--) {
		if (records.slices[i - 1].wire.task == task)
			return &records.slices[i - 1];
	}
	return NULL;
}

static void test_real(void)
{
	const struct slice *own;
	pthread_t thread;

	sem_init(&here, 0, 0);
	sem_init(&there, 0, 0);
	if (!ok(!pthread_create(&thread, NULL, answer, NULL), "a thread to wake and be woken by"))
		return;
	for (int i = 0; i < HANDOVERS; i++) {
		sem_post(&there);
		sem_wait(&here);
	}
	pthread_join(thread, NULL);
	usleep(20000); /* its end follows its join */
	records_read(&records);
	if (!ok(records.latency_cnt == 1 && records.end_cnt == 1 && records.spawn_cnt == 1,
		"it began and ended"))
		return;
	own = last_slice_of(records.latencies[0].task);
	if (!ok(own && own->wire.hdr.ns == records.ends[0].hdr.ns, "its slice ends with it"))
		return;
	check_latency(&records.latencies[0], own->c);
	ok(own->c[COUNTER_ON_CPU] + own->c[COUNTER_STOLEN] + own->c[COUNTER_RUNQUEUE] +
			   own->c[CAUSE_OTHER] + own->c[CAUSE_LOCK] + own->c[CAUSE_IDLE] +
			   own->c[CAUSE_DISK] + own->c[CAUSE_NET] + own->c[CAUSE_TIMER] ==
		   own->wire.hdr.ns - own->wire.enter_ns,
	   "its times add up to its life");
}

static int load(void)
{
	skel = sched_run__open();
	if (!skel)
		return -errno;
	configure(&skel->rodata->cfg, (uint32_t)getpid(), RING_SZ);
	bpf_map__set_max_entries(skel->maps.ring, RING_SZ);
	bpf_map__set_autocreate(skel->maps.thread_table, false);
	bpf_map__set_map_flags(skel->maps.live_tasks, BPF_F_NO_PREALLOC);
	bpf_program__set_autoload(skel->progs.seed_threads, true);
	bpf_program__set_autoload(skel->progs.sched_waking, true);
	if (sched_run__load(skel))
		return -errno;
	skel->bss->armed = ARMED_THREADS;
	if (walk_tasks(skel->progs.seed_threads))
		return -errno;
	skel->bss->armed = ARMED_ALL;
	return records_open(&records, skel->obj);
}

int main(void)
{
	alarm(120);
	libbpf_set_print(print_warnings);
	if (!ok(!load(), "the object is loaded and this thread seeded"))
		return tap_done();
	records_read(&records);
	test_buckets();
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		test_cause(causes[i]);
	test_odd_times();
	test_corrected();
	test_edge();
	test_end();
	if (ok(!attach(), "the scheduler's programs are attached"))
		test_real();
	ring_buffer__free(records.ring);
	sched_run__destroy(skel);
	return tap_done();
}
