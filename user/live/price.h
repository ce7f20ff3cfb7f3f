/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the traps of each kind of hook cost on this machine, without what a BPF program does then.
 * Measured in a child of its own, so that neither the tracer nor the target ever has such a probe.
 * Needs no loaded object: to be called once, before the recorder grows.
 */
#ifndef LIVE_PRICE_H
#define LIVE_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "live/features.h"

/* Nanoseconds per hit; -1 = not measured. */
struct prices {
	int64_t entry_ns; /* a probe on an instruction that the kernel emulates */
	int64_t slow_ns; /* on any other */
	int64_t return_ns; /* at the function's return, in addition to one at its entry */
	int64_t syscall_ns; /* programs at the beginning and the end of a system call */
};

/* Takes some 30 ms, and never longer than 500 ms. */
void prices__measure(struct prices *prices, enum uprobe_rung rung);

/* Does a process live on here that returns from a function with a return probe, while a seccomp
 * filter of the kind that containers have refuses or kills for system calls it does not list? The
 * kernel makes a system call of such a return (6.11). False also when it could not be tried. */
bool price__return_survives_seccomp(enum uprobe_rung rung);

#endif
