/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probes that tell about memory. For plan.c. */
#ifndef RUNTIME_HEAP_H
#define RUNTIME_HEAP_H

#include "runtime/runtime.h"

/* Adds them, and plan->allocators; 0 or -errno. */
int heap__plan(const struct target *target, struct plan *plan, const struct plan_options *options);

#endif
