/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that runs itself anew by exec, from its first thread or from another one (whose thread
 * id then becomes the process's). Run by tests/live/life.t.
 *
 *   execer [--wait] leader|thread
 */
#include "truth.h"

#define BURN_MS 50

static char went_arg[64];

/* The CPU time that was used until "go" is handed on by the argument. */
static void run_anew(void)
{
	burn_ns(BURN_MS * NS_PER_MS);
	execl("/proc/self/exe", "execer", "--after", went_arg, NULL);
	die("exec");
}

static void *exec_thread(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "exec-thread");
	run_anew();
	return NULL;
}

static int after(const char *base)
{
	char comm[16] = "";

	truth_limit(30);
	pthread_getname_np(pthread_self(), comm, sizeof(comm));
	pthread_setname_np(pthread_self(), "after-exec");
	burn_ns(BURN_MS * NS_PER_MS);
	printf("{\"pid\": %d, \"tid\": %d, \"comm\": \"%s\", \"cpu_ns\": %" PRIu64 "}\n",
	       (int)getpid(), (int)thread_id(), comm,
	       process_cpu_ns() - (uint64_t)strtoull(base, NULL, 10));
	return 0;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	pthread_t thread;

	if (argc == 3 && strcmp(argv[1], "--after") == 0)
		return after(argv[2]);
	if (argc != 2 || (strcmp(argv[1], "leader") && strcmp(argv[1], "thread"))) {
		fprintf(stderr, "usage: execer [--wait] leader|thread\n");
		return 2;
	}
	truth_limit(30);
	truth_ready(wait);
	snprintf(went_arg, sizeof(went_arg), "%" PRIu64, process_cpu_ns());
	if (strcmp(argv[1], "leader") == 0)
		run_anew();
	errno = pthread_create(&thread, NULL, exec_thread, NULL);
	if (errno)
		die("pthread_create");
	for (;;)
		pause();
}
