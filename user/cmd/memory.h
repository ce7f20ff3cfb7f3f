/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recording does about memory, beside the events that flow by: see memory.c. */
#ifndef CMD_MEMORY_H
#define CMD_MEMORY_H

#include "cmd/session.h"
#include "runtime/runtime.h"

/* What is wanted of the plan for one process. */
void memory__plan_options(struct session *session, const struct target *target,
			  struct plan_options *options);
/* Tells BPF what it has to know of a process's allocators, before their probes are attached. */
void memory__planned(struct session *session, const struct target *target, const struct plan *plan);
/* To be called every 100 ms. 0 or -errno. */
int memory__sample(struct session *session);
/* The recording has been disarmed and drained: what everybody holds. 0 or -errno. */
int memory__end(struct session *session);
/* Whether memory was measured, and how; into the model. */
void memory__caps(struct session *session);
void memory__counters(struct session *session);
/* For the feed: where an allocation returns to. */
void memory__site_name(void *ctx, uint32_t tgid, uint64_t ip, struct site_text *out);

#endif
