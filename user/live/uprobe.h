/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaching a plan's uprobes by the best rung the kernel has: uprobe.multi; one tracefs event with
 * many probes; single perf uprobes. An attachment serves one process.
 */
#ifndef LIVE_UPROBE_H
#define LIVE_UPROBE_H

#include <stdbool.h>

#include "live/features.h"
#include "runtime/runtime.h"

/* The attach type uprobe programs are loaded with for uprobe.multi; libbpf 1.1 has no name for it. */
#define UPROBE_MULTI_ATTACH_TYPE 48

struct bpf_object;
struct uprobes;

bool uprobe__multi_works(void);
/* One link for all offsets of a file; at_return: of the functions that begin there. fd or -errno. */
int uprobe__multi_link(int prog_fd, const char *path, const __u64 *offsets, __u32 cnt, pid_t pid,
		       bool at_return);

/* Attaches one group of the plan's probes, but those that are in `present` already (may be NULL), to
 * process plan->pid. On failure a line for the user in
 * `why`. */
struct uprobes *uprobes__attach(struct bpf_object *object, enum uprobe_rung rung,
				const struct plan *plan, const struct plan *present,
				enum probe_group group, char *why, size_t why_sz);
void uprobes__detach(struct uprobes *uprobes);

#endif
