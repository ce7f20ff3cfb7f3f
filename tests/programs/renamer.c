/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that change their names: by themselves, one by another thread, one over and over, and one
 * with a name that wants to break a report. Run by tests/live/life.t.
 *
 *   renamer [--wait]
 */
#include "truth.h"

static const char *const last_names[] = {
	"after-self", "after-other", "round-9", "</script>\"\n\xff", "",
};
#define THREAD_CNT ((int)ARRAY_CNT(last_names))

static pthread_barrier_t born, named;
static pid_t tids[ARRAY_CNT(last_names)];

static void *run(void *arg)
{
	int idx = (int)(intptr_t)arg;
	char name[16];

	tids[idx] = thread_id();
	snprintf(name, sizeof(name), "before-%d", idx);
	pthread_setname_np(pthread_self(), name);
	burn_ns(5 * NS_PER_MS);
	pthread_barrier_wait(&born);
	for (int i = 0; idx == 2 && i < 10; i++) {
		snprintf(name, sizeof(name), "round-%d", i);
		pthread_setname_np(pthread_self(), name);
		sleep_ns(2 * NS_PER_MS);
	}
	if (idx != 1)
		pthread_setname_np(pthread_self(), last_names[idx]);
	pthread_barrier_wait(&named);
	burn_ns(10 * NS_PER_MS);
	return NULL;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	pthread_t threads[ARRAY_CNT(last_names)];

	truth_limit(30);
	pthread_barrier_init(&born, NULL, THREAD_CNT + 1);
	pthread_barrier_init(&named, NULL, THREAD_CNT + 1);
	truth_ready(wait);
	for (int i = 0; i < THREAD_CNT; i++) {
		errno = pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i);
		if (errno)
			die("pthread_create");
	}
	pthread_barrier_wait(&born);
	pthread_setname_np(threads[1], last_names[1]);
	pthread_barrier_wait(&named);
	for (int i = 0; i < THREAD_CNT; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREAD_CNT; i++)
		printf("{\"idx\": %d, \"tid\": %d, \"first\": \"before-%d\"}\n", i, (int)tids[i],
		       i);
	return 0;
}
