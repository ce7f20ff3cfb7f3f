/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads that hand a byte to and fro through pipes, as fast as they can: what tracing costs a
 * switch. Run by tools/bench.
 *
 *   pingpong [--wait] [--together | --apart] SECONDS
 *
 * --together: both on one CPU, so that each hand-over is one switch. --apart: each on its own, so
 * that each wakes an idle CPU. Without: as the scheduler likes, which differs from run to run.
 */
#include "truth.h"

#include <sched.h>
#include <stdatomic.h>

struct end {
	int read_fd, write_fd;
	bool starts;
	int cpu; /* -1: any */
	uint64_t trips, cpu_ns;
	pthread_t thread;
};

static atomic_bool stop;

static void *run(void *arg)
{
	struct end *end = arg;
	char byte = 'x';
	cpu_set_t cpus;

	if (end->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(end->cpu, &cpus);
		pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	}
	pthread_setname_np(pthread_self(), end->starts ? "ping" : "pong");
	/* whoever stops closes its write end, so that the other one's read returns 0 */
	while (!end->starts || !atomic_load(&stop)) {
		if (end->starts && write(end->write_fd, &byte, 1) != 1)
			break;
		if (read(end->read_fd, &byte, 1) != 1)
			break;
		if (!end->starts && write(end->write_fd, &byte, 1) != 1)
			break;
		end->trips++;
	}
	close(end->write_fd);
	end->cpu_ns = thread_cpu_ns();
	return NULL;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	struct end ends[2] = {{.starts = true, .cpu = -1}, {.starts = false, .cpu = -1}};
	int there[2], back[2];
	uint64_t start, elapsed;
	double seconds;

	if (argc > 2) {
		ends[0].cpu = 0;
		ends[1].cpu = strcmp(argv[1], "--apart") == 0;
	}
	seconds = argc > 1 ? atof(argv[argc - 1]) : 1;
	if (seconds <= 0 || seconds > 600 || pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		return 2;
	ends[0].write_fd = there[1];
	ends[1].read_fd = there[0];
	ends[1].write_fd = back[1];
	ends[0].read_fd = back[0];
	truth_limit((unsigned int)seconds + 60);
	truth_ready(wait);
	start = mono_ns();
	for (int i = 0; i < 2; i++) {
		errno = pthread_create(&ends[i].thread, NULL, run, &ends[i]);
		if (errno)
			die("pthread_create");
	}
	sleep_ns((uint64_t)(seconds * 1e9));
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(ends[i].thread, NULL);
	elapsed = mono_ns() - start;
	printf("{\"switches\": %" PRIu64 ", \"elapsed_ns\": %" PRIu64 ", \"cpu_ns\": %" PRIu64
	       "}\n",
	       ends[0].trips * 2, elapsed, ends[0].cpu_ns + ends[1].cpu_ns);
	return 0;
}
