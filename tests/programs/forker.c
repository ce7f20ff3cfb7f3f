/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that makes processes: every second child runs the program anew by exec. Each prints
 * what it used itself. Run by tests/live/life.t.
 *
 *   forker [--wait] [CHILDREN]
 */
#include "truth.h"

#include <sys/wait.h>

#define CHILD_BURN_MS 60
#define AFTER_BURN_MS 40

/* One write, so that lines of several processes do not mix. */
static void print_child(const char *kind, int idx, uint64_t thread_ns)
{
	char line[256];
	int sz = snprintf(line, sizeof(line),
			  "{\"pid\": %d, \"parent\": %d, \"kind\": \"%s\", \"idx\": %d, "
			  "\"cpu_ns\": %" PRIu64 ", \"second_thread_cpu_ns\": %" PRIu64 "}\n",
			  (int)getpid(), (int)getppid(), kind, idx, process_cpu_ns(), thread_ns);

	if (write(STDOUT_FILENO, line, (size_t)sz) != sz)
		_exit(1);
}

static void *second_thread(void *arg)
{
	pthread_setname_np(pthread_self(), "second");
	burn_ns(CHILD_BURN_MS / 2 * NS_PER_MS);
	*(uint64_t *)arg = thread_cpu_ns();
	return NULL;
}

static int child(const char *kind, int idx)
{
	pthread_t thread;
	uint64_t thread_ns = 0;

	truth_limit(30);
	burn_ns(CHILD_BURN_MS * NS_PER_MS);
	errno = pthread_create(&thread, NULL, second_thread, &thread_ns);
	if (errno)
		die("pthread_create");
	pthread_join(thread, NULL);
	print_child(kind, idx, thread_ns);
	return 0;
}

static pid_t start_child(int idx)
{
	char arg[16];
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	if (idx % 2 == 0)
		_exit(child("fork", idx));
	snprintf(arg, sizeof(arg), "%d", idx);
	burn_ns(AFTER_BURN_MS * NS_PER_MS); /* before the exec: the same process's CPU time */
	execl("/proc/self/exe", "forker", "--child", arg, NULL);
	die("exec");
	return 0;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	int cnt;

	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return child("exec", atoi(argv[2]));
	cnt = argc > 1 ? atoi(argv[1]) : 4;
	if (cnt < 0 || cnt > 1000)
		return 2;
	truth_limit(60);
	truth_ready(wait);
	uint64_t before = process_cpu_ns();

	for (int i = 0; i < cnt; i++)
		start_child(i);
	burn_ns(50 * NS_PER_MS);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	printf("{\"pid\": %d, \"parent\": %d, \"kind\": \"root\", \"idx\": -1, \"cpu_ns\": %" PRIu64
	       ", \"second_thread_cpu_ns\": 0}\n",
	       (int)getpid(), (int)getppid(), process_cpu_ns() - before);
	return 0;
}
