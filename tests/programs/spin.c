/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target that must keep running: busy threads, and a progress counter on stdout every 100 ms, so
 * that a test sees that it lives. Run by tests/live/kill9.t, errors.t, pidns.t and tools/soak.
 *
 *   spin [--wait] [THREADS [SECONDS]]
 *
 * Threads burn, or burn and sleep in turn. They also run the marks functions, so that there is
 * something to probe: a probe left behind is found in them.
 */
#include "marks.h"

#include <stdatomic.h>

static atomic_ullong progress;
static atomic_bool stop;

static void *spin(void *arg)
{
	uint64_t idx = (uint64_t)(uintptr_t)arg, id = idx + 1, x = id;
	char name[16];

	snprintf(name, sizeof(name), "spin-%02d", (int)(idx % 100));
	pthread_setname_np(pthread_self(), name);
	asyncscope_spawn(id, "spin");
	while (!atomic_load(&stop)) {
		asyncscope_enter(id, NULL);
		for (int i = 0; i < 16; i++)
			x = spin_round(x);
		asyncscope_leave(id);
		asyncscope_wake(id);
		atomic_fetch_add(&progress, 1);
		if (idx % 2)
			sleep_ns(NS_PER_MS);
	}
	asyncscope_end(id, STATE_COMPLETED);
	return NULL;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	int cnt = argc > 1 ? atoi(argv[1]) : 2;
	int seconds = argc > 2 ? atoi(argv[2]) : 60;
	pthread_t threads[64];

	if (cnt < 1 || cnt > 64 || seconds < 1 || seconds > 7200) {
		fprintf(stderr, "usage: spin [--wait] [THREADS [SECONDS]]\n");
		return 2;
	}
	truth_limit((unsigned int)seconds + 30);
	truth_ready(wait);
	for (int i = 0; i < cnt; i++) {
		errno = pthread_create(&threads[i], NULL, spin, (void *)(uintptr_t)i);
		if (errno)
			die("pthread_create");
	}
	for (int tick = 0; tick < seconds * 10; tick++) {
		printf("%llu\n", atomic_load(&progress));
		fflush(stdout);
		sleep_ns(100 * NS_PER_MS);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < cnt; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
