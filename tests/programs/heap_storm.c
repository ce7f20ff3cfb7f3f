/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that allocate and free as fast as they can, or at a rate, and count it. Run by the live tests
 * about losses and stalls, and by tools/bench.
 *
 *   heap_storm [--wait] [--threads N] [--rate PAIRS] [--seconds S] [--size BYTES] [--timed]
 *
 * --rate is for all threads together; 0, as by default, is no limit. --timed reads the clock after each
 * pair, for the longest time between two that follow one another, less what the thread waited for a CPU
 * meanwhile, which is what a stall is; without it nothing but the pairs is in the loop. Ends after S seconds (default 5) or at SIGUSR1, then prints what
 * was done; with --wait and a rate it then waits for (another) SIGUSR1.
 */
#include "heap_books.h"

#define MAX_THREADS 64
#define BATCH       256
#define GAP_NS      NS_PER_MS /* shorter ones are not looked at */

static struct storm {
	pthread_t thread;
	pid_t tid;
	int schedstat_fd;
	uint64_t pairs, longest_ns, longest_at, stall_ns, begin_ns, end_ns, cpu_ns;
} storms[MAX_THREADS];

static struct {
	int threads;
	uint64_t rate, size;
	double seconds;
	bool timed;
} opts = {.threads = 2, .size = 64, .seconds = 5};

static atomic_bool stop;
static pthread_barrier_t barrier;

__attribute__((noinline)) static void storm_pair(size_t sz)
{
	free(heap_escape(malloc(sz)));
}

static void pairs(struct storm *storm, uint64_t cnt)
{
	for (uint64_t i = 0; i < cnt; i++)
		storm_pair(opts.size);
	storm->pairs += cnt;
}

static void note_gap(struct storm *storm, uint64_t at, uint64_t ns, uint64_t *queued)
{
	uint64_t now = schedstat_read(storm->schedstat_fd).runqueue_ns;
	uint64_t waited = now - *queued;

	*queued = now;
	if (ns > waited && ns - waited > storm->stall_ns)
		storm->stall_ns = ns - waited;
	if (ns > storm->longest_ns) {
		storm->longest_ns = ns;
		storm->longest_at = at;
	}
}

static void timed_pairs(struct storm *storm, uint64_t cnt)
{
	uint64_t queued = schedstat_read(storm->schedstat_fd).runqueue_ns;
	uint64_t before = mono_ns();

	for (uint64_t i = 0; i < cnt; i++) {
		storm_pair(opts.size);
		uint64_t after = mono_ns();

		if (after - before > GAP_NS) {
			note_gap(storm, before, after - before, &queued);
			after = mono_ns();
		}
		before = after;
	}
	storm->pairs += cnt;
}

/* Batches at fixed times: who falls behind catches up, so the sum is that of the rate. */
static void storm_loop(struct storm *storm)
{
	void (*run)(struct storm * storm, uint64_t cnt) = opts.timed ? timed_pairs : pairs;
	uint64_t end = storm->begin_ns + (uint64_t)(opts.seconds * NS_PER_SEC);
	uint64_t gap = opts.rate ? BATCH * NS_PER_SEC * (uint64_t)opts.threads / opts.rate : 0;
	uint64_t next = storm->begin_ns;

	while (!atomic_load(&stop) && mono_ns() < end) {
		run(storm, BATCH);
		if (!gap)
			continue;
		next += gap;
		if (next > mono_ns())
			sleep_until(next);
	}
}

static void *storm_main(void *arg)
{
	struct storm *storm = arg;

	storm->tid = thread_id();
	storm->schedstat_fd = schedstat_open();
	pthread_barrier_wait(&barrier); /* made */
	pthread_barrier_wait(&barrier); /* go */
	storm->begin_ns = mono_ns();
	uint64_t cpu = thread_cpu_ns();

	storm_loop(storm);
	storm->cpu_ns = thread_cpu_ns() - cpu;
	storm->end_ns = mono_ns();
	pthread_barrier_wait(&barrier); /* done */
	pthread_barrier_wait(&barrier); /* the recording has ended */
	return NULL;
}

static void say(void)
{
	uint64_t sum = 0, longest = 0, stall = 0, ns = 0, cpu = 0;

	for (int i = 0; i < opts.threads; i++) {
		struct storm *storm = &storms[i];

		sum += storm->pairs;
		ns += storm->end_ns - storm->begin_ns;
		cpu += storm->cpu_ns;
		if (storm->longest_ns > longest)
			longest = storm->longest_ns;
		if (storm->stall_ns > stall)
			stall = storm->stall_ns;
		heap_say("{\"thread\": \"storm\", \"tid\": %d, \"pairs\": %" PRIu64
			 ", \"bytes\": %" PRIu64 ", \"longest_ns\": %" PRIu64
			 ", \"stall_ns\": %" PRIu64 ", \"longest_at_ns\": %" PRIu64 "}\n",
			 (int)storm->tid, storm->pairs, storm->pairs * opts.size, storm->longest_ns,
			 storm->stall_ns, storm->longest_at);
	}
	heap_say("{\"thread\": \"all\", \"pairs\": %" PRIu64 ", \"bytes\": %" PRIu64
		 ", \"ns_per_pair\": %.2f, \"cpu_ns_per_pair\": %.2f, \"longest_ns\": %" PRIu64
		 ", \"stall_ns\": %" PRIu64 "}\n",
		 sum, sum * opts.size, sum ? (double)ns / (double)sum : 0,
		 sum ? (double)cpu / (double)sum : 0, longest, stall);
}

static void usage(void)
{
	fprintf(stderr, "usage: heap_storm [--wait] [--threads N] [--rate PAIRS] [--seconds S] "
			"[--size BYTES] [--timed]\n");
	exit(2);
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *val = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--timed") == 0) {
			opts.timed = true;
			continue;
		}
		if (val && strcmp(argv[i], "--threads") == 0)
			opts.threads = atoi(val);
		else if (val && strcmp(argv[i], "--rate") == 0)
			opts.rate = strtoull(val, NULL, 10);
		else if (val && strcmp(argv[i], "--seconds") == 0)
			opts.seconds = strtod(val, NULL);
		else if (val && strcmp(argv[i], "--size") == 0)
			opts.size = strtoull(val, NULL, 10);
		else
			usage();
		i++;
	}
	if (opts.threads < 1 || opts.threads > MAX_THREADS || opts.seconds > 3600)
		usage();
}

/* SIGUSR1 ends the threads early. They end by themselves, too, so the main thread looks. */
static void await_end(void)
{
	struct timespec limit = {.tv_sec = (time_t)opts.seconds,
				 .tv_nsec = (long)((opts.seconds - (time_t)opts.seconds) * 1e9)};
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigtimedwait(&usr1, NULL, &limit);
	atomic_store(&stop, true);
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);

	options(argc, argv);
	truth_limit((unsigned int)opts.seconds + 60);
	block_end_signal();
	pthread_barrier_init(&barrier, NULL, (unsigned int)opts.threads + 1);
	for (int i = 0; i < opts.threads; i++) {
		errno = pthread_create(&storms[i].thread, NULL, storm_main, &storms[i]);
		if (errno)
			die("pthread_create");
	}
	pthread_barrier_wait(&barrier);
	truth_ready(wait);
	pthread_barrier_wait(&barrier);
	await_end();
	pthread_barrier_wait(&barrier);
	say();
	heap_quiet(wait);
	_exit(0);
}
