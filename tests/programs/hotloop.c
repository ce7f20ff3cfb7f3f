/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target that allocates as fast as it can, or nearly nothing, and says every 100 ms how far it got: so
 * that a test sees what tracing costs it. Run by tests/live/budget.t.
 *
 *   hotloop [--wait] SECONDS [PAUSE_US]
 *
 * Each line: wall clock in ms, CPU time so far in ns, pairs of malloc() and free() so far. With a pause it
 * sleeps after each pair.
 */
#include "truth.h"

#include <stdatomic.h>

static atomic_ullong pairs;
static atomic_bool stop;
static uint64_t pause_ns;

static void *allocate(void *arg)
{
	void *volatile block;

	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		block = malloc(64);
		free(block);
		atomic_store_explicit(&pairs, pairs + 1, memory_order_relaxed);
		if (pause_ns)
			sleep_ns(pause_ns);
	}
	return NULL;
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	int seconds = argc > 1 ? atoi(argv[1]) : 0;
	pthread_t thread;

	if (seconds < 1 || seconds > 600) {
		fprintf(stderr, "usage: hotloop [--wait] SECONDS [PAUSE_US]\n");
		return 2;
	}
	pause_ns = argc > 2 ? atoi(argv[2]) * 1000ULL : 0;
	truth_limit((unsigned int)seconds + 30);
	truth_ready(wait);
	errno = pthread_create(&thread, NULL, allocate, NULL);
	if (errno)
		die("pthread_create");
	for (int tick = 0; tick < seconds * 10; tick++) {
		printf("%llu %llu %llu\n", (unsigned long long)clock_now(CLOCK_REALTIME) / 1000000,
		       (unsigned long long)clock_now(CLOCK_PROCESS_CPUTIME_ID),
		       atomic_load(&pairs));
		fflush(stdout);
		sleep_ns(100 * NS_PER_MS);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	return 0;
}
