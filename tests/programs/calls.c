/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls as fast as they go: what a recorder costs each of them, in its target and in a
 * process beside it. It prints how many and the CPU time that they took. Run by tools/bench.
 *
 *   calls [--wait] getpid | pread FILE | tcp SECONDS
 *
 * pread: one byte at a time. tcp: two threads on one CPU hand a byte to and fro over the loopback,
 * two calls each way.
 */
#include "truth.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#define BATCH 100 /* calls between two looks at the clock */

static uint64_t call_getpid(uint64_t end)
{
	uint64_t cnt = 0;

	do {
		for (int i = 0; i < BATCH; i++)
			syscall(SYS_getpid);
		cnt += BATCH;
	} while (mono_ns() < end);
	return cnt;
}

static uint64_t call_pread(uint64_t end, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t cnt = 0;
	char byte;

	if (fd < 0)
		die(path);
	do {
		for (int i = 0; i < BATCH; i++) {
			if (pread(fd, &byte, 1, 0) != 1)
				die("pread");
		}
		cnt += BATCH;
	} while (mono_ns() < end);
	close(fd);
	return cnt;
}

static void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity");
}

static void *echo(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
		;
	return NULL;
}

static void connect_pair(int fds[2])
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t sz = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || fds[0] < 0 || bind(listener, (struct sockaddr *)&addr, sz) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&addr, &sz) ||
	    connect(fds[0], (struct sockaddr *)&addr, sz))
		die("connect");
	fds[1] = accept(listener, NULL, NULL);
	if (fds[1] < 0)
		die("accept");
	close(listener);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static uint64_t call_tcp(uint64_t end, const int fds[2])
{
	pthread_t thread;
	uint64_t cnt = 0;
	char byte = 'x';

	stay_on_one_cpu();
	errno = pthread_create(&thread, NULL, echo, (void *)&fds[1]);
	if (errno)
		die("pthread_create");
	do {
		for (int i = 0; i < BATCH / 4; i++) {
			if (send(fds[0], &byte, 1, 0) != 1 || recv(fds[0], &byte, 1, 0) != 1)
				die("ping");
		}
		cnt += BATCH;
	} while (mono_ns() < end);
	shutdown(fds[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	return cnt;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	uint64_t start, cpu, cnt;
	double seconds = argc > 2 ? atof(argv[argc - 1]) : 0;
	int fds[2];

	if (seconds <= 0 || seconds > 600)
		return 2;
	truth_limit((unsigned int)seconds + 60);
	if (strcmp(argv[1], "tcp") == 0)
		connect_pair(fds);
	truth_ready(wait);
	start = mono_ns();
	cpu = process_cpu_ns();
	uint64_t end = start + (uint64_t)(seconds * 1e9);

	if (strcmp(argv[1], "getpid") == 0)
		cnt = call_getpid(end);
	else if (strcmp(argv[1], "pread") == 0 && argc == 4)
		cnt = call_pread(end, argv[2]);
	else if (strcmp(argv[1], "tcp") == 0)
		cnt = call_tcp(end, fds);
	else
		return 2;
	cpu = process_cpu_ns() - cpu;
	printf("{\"calls\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 ", \"elapsed_ns\": %" PRIu64 "}\n",
	       cnt, cpu, mono_ns() - start);
	return 0;
}
