/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Per-CPU perf events: the sampling tick and hardware counters. */
#ifndef LIVE_PERF_H
#define LIVE_PERF_H

#include <stdbool.h>
#include <stddef.h>

#include "live/features.h"

struct bpf_program;
struct bpf_link;

struct perf_events {
	int *fds;
	struct bpf_link **links;
	size_t cnt;
};

bool perf__can_sample(void);
/* errno of opening hardware counter idx, 0 when it works. */
int perf__hw_error(unsigned int idx);
const char *perf__hw_text(int err);

/* Attaches `prog` to a clock tick of `hz` on every CPU. 0 or -errno. */
int perf__attach_tick(struct perf_events *events, struct bpf_program *prog, int hz);
/* Opens counter idx on every CPU into the map. 0 or -errno. */
int perf__open_hw(struct perf_events *events, int map_fd, unsigned int idx, enum hw_source source);
void perf__close(struct perf_events *events);

#endif
