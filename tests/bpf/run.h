/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the BPF side share: run a program once, walk an iterator, read the ring and the
 * loss counters. Works on any of the objects that Makefile.inc links.
 */
#ifndef TESTS_BPF_RUN_H
#define TESTS_BPF_RUN_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "live/features.h"
#include "wire.h"
#include "../unit/tap.h"

__attribute__((unused)) static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* libbpf speaks only when something is wrong, and then as a comment of the test. */
__attribute__((unused)) static int print_warnings(enum libbpf_print_level level, const char *fmt,
						  va_list args)
{
	if (level != LIBBPF_WARN)
		return 0;
	printf("# ");
	return vprintf(fmt, args);
}

/* Runs a raw_tp program in this thread, with up to four arguments. */
__attribute__((unused)) static uint32_t run_prog(struct bpf_program *prog, uint64_t a, uint64_t b,
						 uint64_t c, uint64_t d)
{
	uint64_t args[] = {a, b, c, d};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)) {
		ok(false, "run %s: %s", bpf_program__name(prog), strerror(errno));
		return (uint32_t)-1;
	}
	return opts.retval;
}

/* Reading an iterator drives its walk; it writes nothing. */
__attribute__((unused)) static int walk_tasks(struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	char buf[64];
	ssize_t sz = -1;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd >= 0) {
		do {
			sz = read(fd, buf, sizeof(buf));
		} while (sz > 0 || (sz < 0 && errno == EAGAIN));
		close(fd);
	}
	bpf_link__destroy(link);
	return sz ? -EIO : 0;
}

/* A loss counter, summed over the CPUs. */
__attribute__((unused)) static uint64_t loss_of(struct bpf_object *obj, enum wire_loss loss)
{
	int fd = bpf_object__find_map_fd_by_name(obj, "losses"), cpus = libbpf_num_possible_cpus();
	uint64_t *vals = calloc((size_t)cpus, sizeof(*vals)), sum = 0;
	uint32_t key = loss;

	if (vals && !bpf_map_lookup_elem(fd, &key, vals)) {
		for (int i = 0; i < cpus; i++)
			sum += vals[i];
	}
	free(vals);
	return sum;
}

/* What every object is told before it is loaded. */
__attribute__((unused)) static void configure(struct wire_config *cfg, uint32_t tgid,
					      uint32_t ring_sz)
{
	struct features features;

	features__probe(&features);
	cfg->flush_ns = 100000000;
	cfg->single_tgid = tgid;
	cfg->ring_sz = ring_sz;
	cfg->wakeup_bytes = ring_sz / 8;
	cfg->has_task_storage = features.task_storage;
	cfg->has_switch_state = features.switch_state;
	cfg->has_task_pt_regs = features.task_pt_regs;
}

__attribute__((unused)) static const char *cause_name(uint32_t cause)
{
	switch (cause) {
	case CAUSE_RUNQUEUE:
		return "run queue";
	case CAUSE_DISK:
		return "disk";
	case CAUSE_NET:
		return "net";
	case CAUSE_LOCK:
		return "lock";
	case CAUSE_TIMER:
		return "timer";
	case CAUSE_OTHER:
		return "other";
	case CAUSE_IDLE:
		return "idle";
	}
	return "nothing";
}

#endif
