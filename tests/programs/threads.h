/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread of the truth program threads.c: its life, and what it measures of itself.
 */
#ifndef THREADS_H
#define THREADS_H

#include "truth.h"

#include <sched.h>

/* The wall time around blocking calls, by what the program knows that it waited for. */
#define CAUSES(X)                                                                                  \
	X(LOCK, lock)                                                                              \
	X(NET, net)                                                                                \
	X(DISK, disk)                                                                              \
	X(TIMER, timer)                                                                            \
	X(IDLE, idle)                                                                              \
	X(CREATE, create)                                                                          \
	X(PIPE, pipe)                                                                              \
	X(SEM, sem)                                                                                \
	X(JOIN, join)

enum cause {
#define X(id, name) WAIT_##id,
	CAUSES(X)
#undef X
		WAIT_CNT
};

static const char *const cause_names[] = {
#define X(id, name) #name,
	CAUSES(X)
#undef X
};

struct moment {
	uint64_t runqueue_ns, cpu_ns, mono_ns;
};

struct worker;

struct pattern {
	const char *name;
	void (*run)(struct worker *worker);
	int share; /* threads of 200; 0: takes what is left */
	int unit; /* their number is a multiple of this */
	char phase;
};

struct worker {
	const struct pattern *pattern;
	pthread_t thread;
	int idx; /* within the pattern */
	bool joined;
	char name[16];
	pid_t tid;
	int schedstat_fd;
	int fd; /* the disk's file, the socket, eventfd or pipe end that it waits on */
	int peer_fd;
	struct worker *join;
	uint64_t wall_ns[WAIT_CNT], blocked_ns[WAIT_CNT];
	struct rusage usage, usage_end;
	uint64_t born_ns, created_ns; /* its creator's clock around its birth */
	struct moment birth, start, end; /* birth: at its first own instructions */
	struct schedstat schedstat, schedstat_end;
};

/* Three clocks at one moment: again when the thread was preempted between them. */
static inline struct moment now(const struct worker *worker)
{
	struct moment moment;
	uint64_t begin;
	int tries = 20;

	do {
		begin = mono_ns();
		moment.runqueue_ns = schedstat_read(worker->schedstat_fd).runqueue_ns;
		moment.cpu_ns = thread_cpu_ns();
		moment.mono_ns = mono_ns();
	} while (moment.mono_ns - begin > 100 * NS_PER_US && --tries);
	return moment;
}

static inline void waited(struct worker *worker, const struct moment *begin, enum cause cause)
{
	struct moment end = now(worker);
	uint64_t wall = end.mono_ns - begin->mono_ns;
	uint64_t busy = end.cpu_ns - begin->cpu_ns + end.runqueue_ns - begin->runqueue_ns;

	worker->wall_ns[cause] += wall;
	worker->blocked_ns[cause] += wall > busy ? wall - busy : 0;
}

static inline void timer(struct worker *worker, uint64_t ns)
{
	struct moment begin = now(worker);

	if (worker->idx & 1)
		sleep_until(mono_ns() + ns);
	else
		sleep_ns(ns);
	waited(worker, &begin, WAIT_TIMER);
}

static inline void life_begin(struct worker *worker)
{
	worker->tid = thread_id();
	worker->schedstat_fd = schedstat_open();
	worker->schedstat = schedstat_read(worker->schedstat_fd);
	worker->start = now(worker);
	worker->schedstat.runqueue_ns = worker->start.runqueue_ns;
	getrusage(RUSAGE_THREAD, &worker->usage);
}

/* Yields first: with a fresh slice it is rarely preempted between its last clock and its exit. */
static inline void life_end(struct worker *worker)
{
	sched_yield();
	worker->schedstat_end = schedstat_read(worker->schedstat_fd);
	worker->end = now(worker);
	worker->schedstat_end.runqueue_ns = worker->end.runqueue_ns;
	getrusage(RUSAGE_THREAD, &worker->usage_end);
	close(worker->schedstat_fd);
}

static inline void print_waits(const char *name, const uint64_t *ns)
{
	printf("\"%s\": {", name);
	for (int i = 0; i < WAIT_CNT; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", cause_names[i], ns[i]);
	printf("}, ");
}

static inline void print_worker(const struct worker *worker)
{
	const struct rusage *a = &worker->usage, *b = &worker->usage_end;

	printf("{\"thread\": \"%s\", \"tid\": %d, \"pattern\": \"%s\", ", worker->name,
	       (int)worker->tid, worker->pattern->name);
	printf("\"cpu_ns\": %" PRIu64 ", \"cpu_user_ns\": %" PRIu64 ", \"cpu_system_ns\": %" PRIu64
	       ", ",
	       worker->end.cpu_ns - worker->start.cpu_ns,
	       timeval_ns(&b->ru_utime) - timeval_ns(&a->ru_utime),
	       timeval_ns(&b->ru_stime) - timeval_ns(&a->ru_stime));
	printf("\"schedstat_cpu_ns\": %" PRIu64 ", \"schedstat_runqueue_ns\": %" PRIu64 ", ",
	       worker->schedstat_end.cpu_ns - worker->schedstat.cpu_ns,
	       worker->schedstat_end.runqueue_ns - worker->schedstat.runqueue_ns);
	print_waits("wait_ns", worker->blocked_ns);
	print_waits("wait_wall_ns", worker->wall_ns);
	printf("\"nvcsw\": %ld, \"nivcsw\": %ld, \"minflt\": %ld, \"majflt\": %ld, ",
	       b->ru_nvcsw - a->ru_nvcsw, b->ru_nivcsw - a->ru_nivcsw, b->ru_minflt - a->ru_minflt,
	       b->ru_majflt - a->ru_majflt);
	printf("\"born_ns\": %" PRIu64 ", \"created_ns\": %" PRIu64 ", \"start_ns\": %" PRIu64
	       ", \"end_ns\": %" PRIu64 ", ",
	       worker->born_ns, worker->created_ns, worker->start.mono_ns, worker->end.mono_ns);
	printf("\"birth_cpu_ns\": %" PRIu64 ", \"birth_runqueue_ns\": %" PRIu64 "}\n",
	       worker->birth.cpu_ns, worker->birth.runqueue_ns);
}

#endif
