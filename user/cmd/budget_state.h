/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget from inside: what budget_account.c counts and budget.c decides by. Private to the two.
 * All costs are parts of one CPU: hits per nanosecond times nanoseconds per hit.
 */
#ifndef CMD_BUDGET_STATE_H
#define CMD_BUDGET_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/budget.h"

#define MS 1000000ULL
#define S  1000000000ULL

enum how { HOW_ON, HOW_WINDOWS, HOW_OFF };

extern const struct ladder {
	const char *name;
	const char *costs; /* the subject of "... cost 38%" */
	unsigned int kinds; /* bits: what it pays for */
	int base; /* the one of them that it pays for in all states */
	unsigned int state_cnt;
	struct {
		const char *name;
		enum how how;
		unsigned int unpaid; /* of the kinds, those that are not for this state */
	} states[BUDGET_STATE_MAX];
} budget_ladders[BUDGET_WHAT_CNT];

struct mean {
	double val, seen_ns;
};

struct row {
	unsigned int state, top;
	bool armed;
	bool missing[BUDGET_STATE_MAX]; /* cannot be had here */
	double run_ns[BUDGET_STATE_MAX][BUDGET_KIND_CNT]; /* of a hit; -1 = never measured */
	/* windows, and looks at what is off */
	double duty;
	uint64_t edge_ns; /* when it is armed or disarmed next */
	uint64_t window_ns; /* when that began, */
	uint64_t armed_ns; /* and when it was done */
	uint64_t look_ns; /* between looks */
	unsigned int window_cnt;
	/* stepping up */
	uint64_t calm_ns; /* since when it could be, or 0 */
	uint64_t hold_ns; /* for how long that must be so */
	uint64_t up_ns; /* when it was, last */
	double looked[BUDGET_STATE_MAX]; /* how much of the target's work was done meanwhile, */
	double used; /* and how much CPU time it used for that */
};

struct budget {
	struct budget_options options;
	double allowed; /* the part of the target's CPU time */
	struct budget_input last;
	uint64_t begin_ns;
	bool begun;
	struct mean cpu, tracer;
	struct mean rate[BUDGET_KIND_CNT]; /* hits per ns, while armed */
	double ratio[BUDGET_KIND_CNT]; /* hits by hits of the kind that its row always pays for */
	struct mean run[BUDGET_KIND_CNT]; /* ns of programs per hit */
	struct row rows[BUDGET_WHAT_CNT];
	double work; /* the target's, so far: CPU time without what probes took of it */
	uint64_t over_ns; /* since when it has been too much, or 0 */
	uint64_t step_ns; /* when something was switched, last */
};

/* What all costs at a time. */
struct cost {
	double cpu; /* that the target uses, probes included */
	double total;
	double fixed; /* what no row pays for */
	double rows[BUDGET_WHAT_CNT];
};

static inline double min(double a, double b)
{
	return a < b ? a : b;
}

static inline double max(double a, double b)
{
	return a > b ? a : b;
}

static inline enum how how_of(const struct row *row, enum budget_what what)
{
	return budget_ladders[what].states[row->state].how;
}

/* budget_account.c */
/* Nothing is known yet. */
void budget__begin(struct budget *budget);
/* What was counted since the last time. */
void budget__take(struct budget *budget, const struct budget_input *input);
/* What was counted until now weighs no more than `weight_ns` of what comes. */
void budget__age(struct budget *budget, enum budget_what what, double weight_ns);
void budget__add_up(const struct budget *budget, struct cost *cost);
/* While it is armed, as it is now. */
double budget__cost_armed(const struct budget *budget, enum budget_what what);
/* What it would cost in another state, while armed there. */
double budget__cost_in(const struct budget *budget, enum budget_what what, unsigned int state,
		       bool going_down);
/* Is it the target that pays for all of it? */
bool budget_in_target(enum budget_what what);

#endif
