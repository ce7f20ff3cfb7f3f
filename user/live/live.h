/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live side: loads the BPF object as this kernel can take it, attaches, arms, drains the ring,
 * stops. The only folder that knows libbpf. Used by cmd/record in this order:
 * new -> attach -> attach_group (per process) -> arm -> drain ... -> disarm, flush -> drain -> edges,
 * losses, costs -> free (detaches; the report is written before).
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "live/features.h"
#include "live/uprobe.h"
#include "runtime/runtime.h"

struct live_options {
	pid_t single_pid; /* the only target ever, or 0 when there may be several */
	bool follow_forks;
	uint32_t ring_sz; /* a power of two */
	uint32_t thread_hint; /* threads to expect */
	enum hw_source hw;
	enum wire_io_source io_source; /* AUTO = the best there is */
	enum uprobe_rung rung; /* at most this one; UPROBE_MULTI = the best there is */
	enum wire_heap_mode heap_mode; /* as closely as this */
	uint32_t heap_entries; /* blocks that are kept at most */
};

#define LIVE_HEAP_ENTRIES 1000000 /* unless somebody says otherwise */

#define LIVE_TICK_HZ 49 /* off the beat of timers that run in round numbers */

struct live;

/* Each prints its own error, once, with the remedy, and returns NULL or -errno. */
struct live *live__new(const struct features *features, const struct live_options *options);
int live__attach(struct live *live);
int live__add_target(struct live *live, pid_t pid);
void live__drop_target(struct live *live, pid_t pid);
/* The tasks that a process had when its memory went (it ended, or exec'ed at that time): their ids mean
 * nothing any more. */
void live__forget_tasks(struct live *live, pid_t pid, uint64_t before_ns);
/* One group of a plan's probes, but those that are in `present` already (may be NULL). */
int live__attach_group(struct live *live, const struct plan *plan, const struct plan *present,
		       enum probe_group group);
/* Detaches one group of a process, for a while, */
void live__drop_group(struct live *live, pid_t pid, enum probe_group group);
/* or all its probes (it has ended). */
void live__drop_plan(struct live *live, pid_t pid);
/* Switches the recording on and seeds the threads that exist. *armed_ns is time zero. */
int live__arm(struct live *live, uint64_t *armed_ns);
/* Makes the states of threads of targets added later. */
int live__seed(struct live *live);
/* Switches off; *stop_ns is the end of the recording. Then flushes what is open. */
void live__disarm(struct live *live, uint64_t *stop_ns);
int live__flush(struct live *live);
void live__free(struct live *live);

enum uprobe_rung live__rung(const struct live *live);
bool live__has_probes(const struct live *live);
bool live__hw(const struct live *live, unsigned int idx);

/* Reads records until the ring is empty or `max` were read; the callback returns 0 or -errno,
 * which stops. Returns the number read or -errno. live__fd is readable when there is much. */
typedef int (*live_record_fn)(void *ctx, const void *data, size_t sz);
int live__drain(struct live *live, int max, live_record_fn fn, void *ctx);
int live__fd(const struct live *live);

typedef int (*live_edge_fn)(void *ctx, const struct wire_edge_key *key,
			    const struct wire_edge *edge);
int live__edges(struct live *live, live_edge_fn fn, void *ctx);
/* What tasks did with files and peers since the last time: calls `fn` with struct wire_use records.
 * How many, or -errno. */
int live__uses(struct live *live, live_record_fn fn, void *ctx);
/* Attaches and detaches what hooks the system calls of the whole host. 0 or -errno. */
int live__switch_calls(struct live *live, bool on);
int64_t live__gauge(struct live *live, enum wire_gauge gauge);

/* Memory. How closely it is looked at from now on: not closer than it was loaded for. */
void live__heap_set(struct live *live, enum wire_heap_mode mode);
enum wire_heap_mode live__heap_mode(const struct live *live);
/* All allocations are by glibc's malloc, which writes a block's size in front of it. */
void live__heap_tells_size(struct live *live, bool tells);
/* An allocation that returns to `ip` is its caller's, whose return address is `depth` further up. */
int live__heap_wrapper(struct live *live, pid_t pid, uint64_t ip, uint32_t depth);
void live__heap_calls(struct live *live, enum wire_heap_function function,
		      struct wire_heap_calls *calls);
/* What tasks hold, as struct wire_heap records: of those that have held nothing for a while; at_end:
 * of all. */
int live__owners(struct live *live, bool at_end, live_record_fn fn, void *ctx);
/* What is held by whom and where it was allocated, as struct wire_use records; after live__disarm(). */
int live__held(struct live *live, live_record_fn fn, void *ctx);
/* The blocks of a process that were allocated until then are gone: it exec'ed. */
void live__heap_forget(struct live *live, pid_t pid, uint64_t before_ns);
/* Makes room when the table of blocks is nearly full; true: from now on each stands for more. */
bool live__heap_trim(struct live *live);
uint32_t live__heap_weight(const struct live *live);
enum wire_io_source live__io_source(const struct live *live);
/* Where IO is accounted, for a human, with what could not be hooked. */
void live__io_text(const struct live *live, char *text, size_t sz);
/* Hits of kprobes that the kernel did not handle, as far as it tells. */
uint64_t live__probe_misses(const struct live *live);
uint64_t live__loss(struct live *live, enum wire_loss loss);
uint64_t live__recursion_misses(struct live *live);
uint64_t live__kernel_memory(struct live *live);

/* What programs are run by, as far as their costs are told apart. */
enum live_hook {
	LIVE_HEAP_ENTRY,
	LIVE_HEAP_RETURN,
	LIVE_PROBE, /* of runtimes */
	LIVE_SYSCALL, /* of the whole host */
	LIVE_HOOK, /* scheduler, samples, disks, sockets */
	LIVE_HOOK_CNT
};

struct live_runs {
	uint64_t ns, cnt;
};

/* What the programs cost, measured by the kernel in short windows (it costs some itself). */
struct live_cost {
	uint64_t hook_ns, hook_runs; /* all that is no uprobe, whole recording */
	uint64_t probe_ns, probe_runs; /* uprobe programs, within the windows */
	uint64_t window_ns;
};
/* To be called about every 100 ms; opens and closes the windows. wanted: measure now and until further
 * notice. */
void live__measure(struct live *live, uint64_t now_ns, bool wanted);
/* What was run within all windows until now; returns how long they are together. */
uint64_t live__runs(struct live *live, struct live_runs runs[LIVE_HOOK_CNT]);
void live__cost(struct live *live, uint64_t duration_ns, struct live_cost *cost);

#endif
