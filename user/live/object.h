/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside live/: the loaded object. */
#ifndef LIVE_OBJECT_H
#define LIVE_OBJECT_H

#include "live/live.h"
#include "live/perf.h"

struct asyncscope;
struct ring_buffer;

struct live_probes {
	pid_t pid;
	struct uprobes *uprobes;
};

struct live {
	const struct features *features;
	struct live_options options;
	struct asyncscope *skel;
	struct ring_buffer *ring;
	struct perf_events events; /* ticks and hardware counters */
	bool hw[HW_CNT];
	struct live_probes *probes;
	size_t probe_cnt, probe_cap;
	/* draining */
	live_record_fn record_fn;
	void *record_ctx;
	int record_left;
	int record_err;
	int record_cnt;
	/* cost windows */
	int stats_fd; /* -1 = closed */
	uint64_t window_began_ns, window_next_ns;
	struct live_cost window; /* what programs had used when the window was opened: somebody else
				    may have the kernel count, too */
	struct live_cost used; /* within windows */
};

/* object.c */
int object__load(struct live *live);
/* seed.c */
int seed__walk(struct live *live, bool at_stop);

#endif
