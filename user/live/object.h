/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside live/: the loaded object. */
#ifndef LIVE_OBJECT_H
#define LIVE_OBJECT_H

#include "base/map64.h"
#include "live/live.h"
#include "live/perf.h"

struct asyncscope;
struct ring_buffer;

struct live_probes {
	pid_t pid;
	enum probe_group group;
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
	uint64_t window_began_ns, window_next_ns, window_read_ns;
	struct live_runs window[LIVE_HOOK_CNT]; /* what programs had used when it was read: somebody
						 * else may have the kernel count, too */
	struct live_runs used[LIVE_HOOK_CNT]; /* within windows, */
	uint64_t used_ns; /* which are so long */
	/* IO */
	int use_pattern_fd; /* 0: none */
	int uses_idx; /* which of the two tables is in use */
	struct wire_use_key *use_keys; /* one batch */
	struct wire_use_val *use_vals;
	enum wire_io_source hooks_how; /* of the kernel's functions; OFF = none are hooked */
	bool hooks_extra; /* only what system calls do not show */
	struct kernel_hooks *hooks;
	/* memory */
	struct map64 owners_idle; /* tasks that held nothing at the last look -> freed until then */
};

/* object.c */
int object__load(struct live *live);
/* A value of a per-CPU array, of all CPUs; 0 when it cannot be read. */
struct bpf_map;
uint64_t object__cpu_sum(const struct bpf_map *map, uint32_t key);
/* The same of rows of `cnt` such numbers. */
void object__cpu_sums(const struct bpf_map *map, uint32_t key, uint64_t *sums, size_t cnt);
/* seed.c */
int seed__walk(struct live *live, bool at_stop);
/* Runs an iterator program to its end; over the descriptors of one process if the kernel can. */
struct bpf_program;
int iter__run(struct bpf_program *prog, pid_t pid);
int iter__run_map(struct bpf_program *prog, int map_fd);

/* heap.c */
void heap__fit(struct live *live);
bool heap__is_on(const struct live *live);
/* What was freed of a site, or is held, was allocated there: BPF counts it once. */
int heap__tell_alloc(const struct wire_use *use, live_record_fn fn, void *ctx);

/* io.c */
/* Which programs account IO here, before they are loaded. */
void io_hooks__fit(struct live *live);
int io_hooks__attach(struct live *live);
/* Makes the sockets known that are open; at the stop tells how they are. */
int sockets__walk(struct live *live, bool at_stop);
void io_hooks__free(struct live *live);

#endif
