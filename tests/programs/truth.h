/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all truth programs share: the clocks that the kernel itself answers for, the start protocol
 * (print "ready PID", wait for "go"), and a bound on their life. Included by each program here.
 */
#ifndef TRUTH_H
#define TRUTH_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_US  UINT64_C(1000)

#define ARRAY_CNT(a) (sizeof(a) / sizeof((a)[0]))

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The calling thread's own CPU time. Unlike RUSAGE_THREAD it is not a tick old. */
static inline uint64_t thread_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline uint64_t process_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline uint64_t timeval_ns(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * NS_PER_SEC + (uint64_t)tv->tv_usec * NS_PER_US;
}

static inline pid_t thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SEC),
			      .tv_nsec = (long)(ns % NS_PER_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static inline void sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SEC),
			      .tv_nsec = (long)(ns % NS_PER_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Work that a compiler cannot remove; returns how many rounds of 2,000 it did. */
static inline uint64_t spin_round(uint64_t x)
{
	for (int i = 0; i < 2000; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

/* Uses so much of the thread's own CPU time, in user mode but for the clock reads. */
static inline void burn_ns(uint64_t ns)
{
	uint64_t end = thread_cpu_ns() + ns;
	uint64_t x = end;

	while (thread_cpu_ns() < end)
		for (int i = 0; i < 8; i++)
			x = spin_round(x);
}

/*
 * /proc/thread-self/schedstat: CPU ns (a tick old), run-queue ns, slices. `fd` belongs to the
 * thread that opened it.
 */
struct schedstat {
	uint64_t cpu_ns;
	uint64_t runqueue_ns;
};

static inline int schedstat_open(void)
{
	return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

static inline struct schedstat schedstat_read(int fd)
{
	struct schedstat stat = {0};
	char buf[96];
	ssize_t sz = fd >= 0 ? pread(fd, buf, sizeof(buf) - 1, 0) : -1;

	if (sz <= 0)
		return stat;
	buf[sz] = '\0';
	char *end;

	stat.cpu_ns = strtoull(buf, &end, 10);
	stat.runqueue_ns = strtoull(end, NULL, 10);
	return stat;
}

static volatile sig_atomic_t truth_signalled;

static inline void truth_on_signal(int sig)
{
	(void)sig;
	truth_signalled = 1;
}

/* Takes the option `--wait` out of the arguments; says whether it was there. */
static inline bool truth_take_wait(int *argc, char **argv)
{
	bool found = false;
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--wait") == 0)
			found = true;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	*argc = kept;
	return found;
}

/* No program outlives its test: SIGALRM's default action ends it. */
static inline void truth_limit(unsigned int seconds)
{
	alarm(seconds);
}

/*
 * Prints "ready PID" and, with `wait`, returns only after a line or the end of stdin, or SIGUSR1.
 * The signal is blocked but inside ppoll, so one that comes early is not lost.
 */
static inline void truth_ready(bool wait)
{
	struct sigaction action = {.sa_handler = truth_on_signal};
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t usr1, old;
	char line[64];

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, &old);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (wait && !truth_signalled) {
		if (ppoll(&in, 1, NULL, &old) <= 0)
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) >= 0 || errno != EINTR)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

#endif
