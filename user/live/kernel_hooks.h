/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks on the kernel's own functions (bpf/kernel.bpf.c), by fentry or kprobes: which of them this
 * kernel has, attaching and detaching. Used by live/io.c, and by features.c for `check`.
 */
#ifndef LIVE_KERNEL_HOOKS_H
#define LIVE_KERNEL_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "live/features.h"

struct bpf_object;
struct btf;
struct kernel_hooks;

/* What this kernel has, a bit for each row of WIRE_KERNEL_FUNCTIONS and then WIRE_KERNEL_MOMENTS. */
uint64_t kernel_hooks__functions(const struct btf *btf);
/* The names of what is missing, with commas; how many. */
size_t kernel_hooks__missing(uint64_t functions, char *names, size_t names_sz);

/* Which of the programs are loaded. `how` is FENTRY, KPROBE or KPROBE_TRACEFS; OFF: none. `extra`:
 * only what system calls do not show. */
void kernel_hooks__fit(struct bpf_object *object, const struct features *features,
		       enum wire_io_source how, bool extra);
/* Attaches what was loaded. NULL if none could be, with a line for the user in `why`. */
struct kernel_hooks *kernel_hooks__attach(struct bpf_object *object,
					  const struct features *features, enum wire_io_source how,
					  bool extra, char *why, size_t why_sz);
/* The functions that could not be hooked, with the reason; "" if all are. */
const char *kernel_hooks__unhooked(const struct kernel_hooks *hooks);
/* Hits that the kernel did not handle, as far as it tells. */
uint64_t kernel_hooks__misses(const struct kernel_hooks *hooks);
void kernel_hooks__detach(struct kernel_hooks *hooks);

#endif
