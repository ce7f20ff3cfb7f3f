/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget: decides what is looked at less closely so that the recording does not cost the target
 * more than it may. Pure: it is told what was counted, about every 100 ms, and calls back with what to
 * switch; cmd/record feeds and wires it. A new thing to step down is a row of its table.
 */
#ifndef CMD_BUDGET_H
#define CMD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What costs. X(id, trap_ns assumed where calibration failed, is it the target itself that pays) */
#define BUDGET_KINDS(X)                                                                            \
	X(HEAP_ENTRY, 1000, 1)                                                                     \
	X(HEAP_RETURN, 800, 1)                                                                     \
	X(PROBE, 1000, 1)                                                                          \
	X(SYSCALL, 150, 0)                                                                         \
	X(HOOK, 0, 0)

enum budget_kind {
#define X(id, trap_ns, in_target) BUDGET_##id,
	BUDGET_KINDS(X)
#undef X
		BUDGET_KIND_CNT
};

/* What can be stepped down, in the order in which it is. */
enum budget_what { BUDGET_HEAP, BUDGET_IO, BUDGET_WHAT_CNT };

/* Their states; each begins with the closest. */
enum budget_heap {
	BUDGET_HEAP_EXACT,
	BUDGET_HEAP_SAMPLED,
	BUDGET_HEAP_COUNTING,
	BUDGET_HEAP_WINDOWS,
	BUDGET_HEAP_OFF
};
enum budget_io { BUDGET_IO_EXACT, BUDGET_IO_WINDOWS, BUDGET_IO_OFF };
#define BUDGET_STATE_MAX 5

/* All cumulative. Hits were counted within span_ns (for exact counters: all the time that passed, for
 * what is counted in windows: the time in them); the programs took run_ns in `runs` of them. */
struct budget_count {
	uint64_t hits, span_ns;
	uint64_t run_ns, runs;
};

struct budget_input {
	uint64_t now_ns;
	int64_t target_cpu_ns; /* of all its processes */
	int64_t tracer_cpu_ns;
	struct budget_count counts[BUDGET_KIND_CNT];
};

struct budget_step {
	uint64_t at_ns;
	bool down;
	const char *what, *from, *to;
	char reason[256];
};

struct budget_options {
	double percent; /* of the target's CPU time; 0 = never steps */
	int64_t trap_ns[BUDGET_KIND_CNT]; /* without the program's time; -1 = not known */
	/* Where each begins, as it is switched already; it never goes above. `off`: stays off. */
	unsigned int start[BUDGET_WHAT_CNT];
	/* Switches; 0 or -errno: that state cannot be had here, and is not tried again. In the states
	 * `windows` and `off` it is looked at only while `armed`. */
	int (*apply)(void *ctx, enum budget_what what, unsigned int state, bool armed);
	/* Switching takes a while, which the target pays for, too. */
	uint64_t (*now_ns)(void *ctx);
	void (*tell)(void *ctx, const struct budget_step *step);
	void *ctx;
};

struct budget;

struct budget *budget__new(const struct budget_options *options); /* NULL and errno */
void budget__free(struct budget *budget);
/* The first one begins the account. */
void budget__tick(struct budget *budget, const struct budget_input *input);
/* Is something looked at for a moment only? What takes long should wait: each tick counts. */
bool budget__in_window(const struct budget *budget);
/* Is it worth having the kernel time the programs now? */
bool budget__wants_runs(const struct budget *budget);

/* Of the target's work so far: in how much of it was it looked at, and in how much of it so in that
 * state. Totals from windows are estimated with 1 / share as their weight. */
double budget__share(const struct budget *budget, enum budget_what what);
double budget__state_share(const struct budget *budget, enum budget_what what, unsigned int state);
/* How much of the target's CPU time went into these probes while they were there. */
double budget__burden(const struct budget *budget, enum budget_what what);
/* What all costs now, of the target's CPU time; -1 = not known yet. */
double budget__cost(const struct budget *budget);
const char *budget_what_name(enum budget_what what);
const char *budget_state_name(enum budget_what what, unsigned int state);

#endif
