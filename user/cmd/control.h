/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control loop of a recording: feeds the budget with what was counted, switches what it says, and
 * notes its steps in the model. Called by session.c, record.c and meta.c. */
#ifndef CMD_CONTROL_H
#define CMD_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/budget.h"
#include "runtime/runtime.h"

struct session;
struct process;

struct control {
	struct budget *budget;
	uint64_t heap_gives; /* calls that give memory, at the last look */
	uint64_t returns; /* hits of the heap's return probes, so far */
	bool heap_armed, heap_returns; /* its probes are there */
	bool io_off; /* system calls are not hooked now */
	bool heap_sampled; /* blocks were sampled for a while */
	bool heap_stepped; /* blocks were not followed for a while */
};

/* Attaches what costs most when all else is armed: until then the target would pay for nothing. */
void control__arm(struct session *session);
/* The account begins. 0 or -errno. */
int control__start(struct session *session);
/* To be called about every 100 ms, after session__care(). */
void control__tick(struct session *session, uint64_t now_ns);
/* What a hit of a probe cost on average, its trap and its program; -1: not measured. */
int64_t control__probe_price(struct session *session);
void control__free(struct control *control);

/* Attaches of a plan what is wanted now; `present`: what is there already, or NULL. 0, or -errno when some
 * of memory's probes could not be. */
int control__attach(struct session *session, const struct plan *plan, const struct plan *present);
/* What was only looked at for a part of the time; into the model, after all capabilities. */
void control__caps(struct session *session);

#endif
