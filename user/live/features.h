/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel can do, found by asking for it, never by its version. `check` prints it, and
 * live/ chooses its rungs by it.
 */
#ifndef LIVE_FEATURES_H
#define LIVE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* How uprobes are attached, best first. */
#define LIVE_UPROBE_RUNGS(X)                                                                       \
	X(MULTI, "uprobe.multi")                                                                   \
	X(TRACEFS, "one tracefs event with many probes")                                           \
	X(PERF, "single perf uprobes")                                                             \
	X(NONE, "none")

enum uprobe_rung {
#define X(id, name) UPROBE_##id,
	LIVE_UPROBE_RUNGS(X)
#undef X
		UPROBE_RUNG_CNT
};

/* Hardware counters, in the order of the wire's HW counters. */
enum hw_source {
	HW_SOURCE_HARDWARE,
	HW_SOURCE_SOFTWARE, /* software events in their place: tests the path */
	HW_SOURCE_OFF,
};

struct features {
	bool root; /* may load BPF and open perf events */
	bool btf;
	bool ring; /* BPF ring buffer */
	bool tp_btf; /* raw tracepoints with BTF */
	bool task_storage;
	bool switch_state;
	bool task_pt_regs;
	bool find_vma;
	bool seed_sleepable; /* iterators that may read another task's memory */
	bool attach_cookie;
	bool uprobe_multi;
	bool tracefs;
	bool perf_uprobe;
	bool cpu_clock; /* perf software sampling */
	bool kprobe; /* by perf_event_open() */
	bool kprobe_tracefs;
	bool fentry;
	uint64_t kernel_functions; /* that can be hooked, see live/kernel_hooks.h */
	char functions_missing[256];
	bool tp_btf_syscalls; /* sys_enter and sys_exit */
	bool classic_syscalls;
	bool tp_btf_preempted; /* such programs may be preempted, and miss what happens meanwhile */
	bool block_requests;
	bool request_queue; /* block_rq_insert and _issue have it as first argument */
	bool data_ready; /* the tracepoint of arriving data */
	bool hash_alloc; /* hash tables without preallocation may be filled from tracing programs */
	bool ring_results; /* io_uring's requests hold their result where we look for it */
	bool rss_stat;
	bool rss_exact; /* told with each page; before 6.2 in batches of 64 */
	bool io_accounting; /* bytes that a thread made storage read or write */
	bool connect_states; /* inet_sock_set_state */
	int hw_err[HW_CNT]; /* 0 or the errno of opening it */
	int root_err;
};

/* Fills in what can be known without attaching to anything. */
void features__probe(struct features *features);
/* Can anything be recorded here? If not, why, with the remedy, into `why`. */
bool features__usable(const struct features *features, char *why, size_t why_sz);
enum uprobe_rung features__uprobe_rung(const struct features *features);
/* The source that `wanted` means here; OFF when there is none. */
enum wire_io_source features__io_source(const struct features *features,
					enum wire_io_source wanted);
/* How kernel functions are hooked beside system calls: FENTRY, KPROBE, KPROBE_TRACEFS or OFF. */
enum wire_io_source features__io_extra(const struct features *features);
const char *io_source_name(enum wire_io_source source); /* as --io-source takes it */
const char *io_source_text(enum wire_io_source source);
const char *uprobe_rung_name(enum uprobe_rung rung);
const char *hw_name(unsigned int idx);

/* Where tracefs is, mounted if need be; NULL when it cannot be had. */
const char *tracefs_path(void);

/* One row of `check`: a capability, the rung in use, and how to get the next one. */
struct check_row {
	const char *capability;
	const char *rung; /* in use; NULL = not available */
	const char *better; /* the next rung, NULL at the top */
	const char *remedy; /* for `better` */
};

size_t features__rows(const struct features *features, struct check_row *rows, size_t row_max);

#endif
