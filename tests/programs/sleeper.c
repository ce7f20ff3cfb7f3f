/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Very many threads that mostly sleep and wake ten times a second. They exist before "ready". Run
 * by tests/live/memory.t.
 *
 *   sleeper [--wait] [THREADS [SECONDS]]
 */
#include "truth.h"

#include <stdatomic.h>

static atomic_bool stop;

static void *run(void *arg)
{
	int idx = (int)(intptr_t)arg;
	char name[16];

	snprintf(name, sizeof(name), "sleeper-%04d", idx % 10000);
	pthread_setname_np(pthread_self(), name);
	while (!atomic_load(&stop))
		sleep_ns((100 + (uint64_t)idx % 10) * NS_PER_MS);
	return NULL;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	int cnt = argc > 1 ? atoi(argv[1]) : 1000;
	int seconds = argc > 2 ? atoi(argv[2]) : 5;
	pthread_t *threads;
	pthread_attr_t attr;

	if (cnt < 1 || cnt > 20000 || seconds < 1 || seconds > 600) {
		fprintf(stderr, "usage: sleeper [--wait] [THREADS [SECONDS]]\n");
		return 2;
	}
	truth_limit((unsigned int)seconds + 60);
	threads = calloc((size_t)cnt, sizeof(*threads));
	if (!threads)
		die("calloc");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (int i = 0; i < cnt; i++) {
		errno = pthread_create(&threads[i], &attr, run, (void *)(intptr_t)i);
		if (errno)
			die("pthread_create");
	}
	truth_ready(wait);
	sleep_ns((uint64_t)seconds * NS_PER_SEC);
	atomic_store(&stop, true);
	for (int i = 0; i < cnt; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	printf("{\"threads\": %d}\n", cnt + 1);
	return 0;
}
