/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget's decisions; see budget.h: the ladders, when to step and where to, what is armed for
 * moments. What they go by is counted in budget_account.c.
 */
#include "cmd/budget.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/budget_state.h"

#define TICK_MIN_NS   (20 * MS)
#define LEAST_CPU     0.4 /* of one CPU: a target that uses less is taken to use so much */
#define PART_MIN      0.1 /* of the budget: nor is what makes no difference */
#define SEVERE        2.0 /* times the budget: acted upon at once */
#define MILD_NS       (500 * MS) /* less: when it lasts */
#define SETTLE_NS     (200 * MS) /* after a step */
#define ROOM          0.9 /* of the budget: a step down aims at this, windows at this: */
#define WINDOWS_ROOM  0.8
#define CALM          0.7 /* and a step up at this */
#define HOLD_MIN_NS   (3 * S)
#define HOLD_MAX_NS   (300 * S)
#define REGRET_NS     (30 * S) /* a step down so soon after a step up makes the next one wait longer */
#define WINDOW_NS     (200 * MS)
#define WINDOW_MIN_NS (100 * MS)
#define PERIOD_MAX_NS (30 * S)
#define FIRST_NS      (5 * S) /* until the first one at most: short recordings want one, too */
#define DUTY_MIN      ((double)WINDOW_MIN_NS / PERIOD_MAX_NS)
#define DUTY_MAX      0.5
#define WINDOWS_SEEN  2 /* before they are believed */
#define LOOK_NS       (10 * S) /* after this what is off is looked at for a moment */
#define RUNS_NS       (1 * S) /* programs are timed for so long after a step, and at the start: */
#define RUNS_START_NS (3 * S)

const struct ladder budget_ladders[BUDGET_WHAT_CNT] = {
	[BUDGET_HEAP] = {"heap",
			 "probes on malloc and free",
			 1 << BUDGET_HEAP_ENTRY | 1 << BUDGET_HEAP_RETURN,
			 BUDGET_HEAP_ENTRY,
			 5,
			 {{"exact", HOW_ON, 0},
			  {"sampled", HOW_ON, 0},
			  {"counting", HOW_ON, 1 << BUDGET_HEAP_RETURN},
			  {"windows", HOW_WINDOWS, 0},
			  {"off", HOW_OFF, 1 << BUDGET_HEAP_RETURN}}},
	[BUDGET_IO] = {"io",
		       "hooks of the host's system calls",
		       1 << BUDGET_SYSCALL,
		       BUDGET_SYSCALL,
		       3,
		       {{"exact", HOW_ON, 0}, {"windows", HOW_WINDOWS, 0}, {"off", HOW_OFF, 0}}},
};

struct budget *budget__new(const struct budget_options *options)
{
	struct budget *budget = calloc(1, sizeof(*budget));

	if (!budget)
		return NULL;
	budget->options = *options;
	budget->allowed = options->percent / 100;
	budget__begin(budget);
	for (int what = 0; what < BUDGET_WHAT_CNT; what++) {
		struct row *row = &budget->rows[what];

		row->state = row->top = options->start[what];
		row->armed = how_of(row, what) == HOW_ON;
		row->hold_ns = HOLD_MIN_NS;
	}
	return budget;
}

void budget__free(struct budget *budget)
{
	free(budget);
}

/* What costs less is never stepped down: of one CPU. */
static double least(const struct budget *budget)
{
	return budget->allowed * LEAST_CPU;
}

/* What it may cost if all is to keep within `aim` of the budget. Of what the others cost it leaves each
 * no more than an equal part: the rest is theirs to step down. What makes no difference it may cost in
 * any case: what no step can lower must not blind the recording. */
static double room_for(const struct budget *budget, enum budget_what what, const struct cost *cost,
		       double aim)
{
	/* without the probes the target uses less, unless it has more to do than it can */
	double cpu = max(cost->cpu - cost->rows[what], cost->cpu / 2);
	double room = max(aim * budget->allowed * cpu, least(budget) / 2) - cost->fixed;
	double part = max(room, 0) / BUDGET_WHAT_CNT;

	for (int other = 0; other < BUDGET_WHAT_CNT; other++)
		if (other != (int)what)
			room -= min(cost->rows[other], part);
	return max(room, PART_MIN * budget->allowed * cost->cpu);
}

/* The part of the time that windows may take. */
static double duty_for(const struct budget *budget, enum budget_what what, const struct cost *cost,
		       double aim)
{
	double on = budget__cost_armed(budget, what);
	double room = room_for(budget, what, cost, aim);

	return on > 0 ? min(room / on, DUTY_MAX) : DUTY_MAX;
}

static uint64_t window_len(double duty)
{
	return WINDOW_NS / duty > PERIOD_MAX_NS ? WINDOW_MIN_NS : WINDOW_NS;
}

/* Armed or not, in the state that it is in. */
static void arm(struct budget *budget, enum budget_what what, bool armed)
{
	struct row *row = &budget->rows[what];

	if (armed)
		row->window_ns = budget->last.now_ns;
	if (budget->options.apply(budget->options.ctx, what, row->state, armed))
		return;
	row->armed = armed;
	row->armed_ns = budget->options.now_ns(budget->options.ctx);
	if (armed)
		budget__age(budget, what, how_of(row, what) == HOW_WINDOWS ? WINDOW_NS : 0);
}

static void percent_text(char *text, size_t sz, double part)
{
	double percent = part * 100;

	snprintf(text, sz, "%.*f%%", percent < 1 ? 2 : percent < 10 ? 1 : 0, percent);
}

/* In plain words, with numbers: people read this in the outputs. `before`: the state it leaves. */
static void explain(const struct budget *budget, enum budget_what what, enum how before,
		    const struct cost *cost, double part, struct budget_step *step)
{
	const struct row *row = &budget->rows[what];
	enum how how = how_of(row, what);
	double cpu = cost->cpu + (budget_in_target(what) ? max(part - cost->rows[what], 0) : 0);
	char own[16], all[16], duty[16], together[48] = "", windows[64] = "";

	percent_text(own, sizeof(own), part / cpu);
	percent_text(all, sizeof(all), cost->total / cost->cpu);
	percent_text(duty, sizeof(duty), row->duty);
	if (step->down && cost->total > part * 1.2)
		snprintf(together, sizeof(together), ", all together %s", all);
	if (how == HOW_WINDOWS)
		snprintf(windows, sizeof(windows), "; looked at %s of the time at first", duty);
	snprintf(step->reason, sizeof(step->reason),
		 "%s %s %s of the target's CPU time%s%s, the budget is %g%%%s",
		 budget_ladders[what].costs, step->down ? "cost" : "would cost", own,
		 step->down && before == HOW_WINDOWS ? " while they are looked at" : "", together,
		 budget->options.percent, windows);
}

/* Makes the step; `part`: what it costs, or would cost. Is the state to be had? */
static bool step_to(struct budget *budget, enum budget_what what, unsigned int state,
		    const struct cost *cost, double part)
{
	const struct ladder *ladder = &budget_ladders[what];
	struct row *row = &budget->rows[what];
	enum how how = ladder->states[state].how, before = how_of(row, what);
	uint64_t now = budget->last.now_ns;
	struct budget_step step = {
		.at_ns = now,
		.down = state > row->state,
		.what = ladder->name,
		.from = ladder->states[row->state].name,
		.to = ladder->states[state].name,
	};

	if (budget->options.apply(budget->options.ctx, what, state, how == HOW_ON)) {
		row->missing[state] = true;
		return false;
	}
	row->state = state;
	row->armed = how == HOW_ON;
	row->armed_ns = budget->options.now_ns(budget->options.ctx);
	row->window_cnt = 0;
	row->calm_ns = 0;
	row->look_ns = LOOK_NS;
	row->edge_ns = now + LOOK_NS;
	if (how == HOW_WINDOWS)
		row->edge_ns = now + min(window_len(row->duty) * (1 / row->duty - 1), FIRST_NS);
	if (step.down && row->up_ns && now - row->up_ns < REGRET_NS)
		row->hold_ns = min(row->hold_ns * 2, HOLD_MAX_NS);
	if (!step.down && row->up_ns && now - row->up_ns > 2 * REGRET_NS)
		row->hold_ns = max(row->hold_ns / 2, HOLD_MIN_NS);
	if (!step.down)
		row->up_ns = now;
	budget->step_ns = now;
	budget->over_ns = 0;
	/* what comes is counted anew; until then the old is what is known */
	budget->cpu.seen_ns = 0;
	budget__age(budget, what, 0);
	explain(budget, what, before, cost, part, &step);
	budget->options.tell(budget->options.ctx, &step);
	return true;
}

/* To the first state further down that fits. */
static void lower(struct budget *budget, enum budget_what what, const struct cost *cost)
{
	const struct ladder *ladder = &budget_ladders[what];
	struct row *row = &budget->rows[what];
	double duty = duty_for(budget, what, cost, WINDOWS_ROOM);
	double fits = room_for(budget, what, cost, ROOM);
	double part = budget__cost_armed(budget, what);

	for (unsigned int state = row->state + 1; state < ladder->state_cnt; state++) {
		enum how how = ladder->states[state].how;

		if (row->missing[state] || (how == HOW_WINDOWS && duty < DUTY_MIN) ||
		    (how == HOW_ON && budget__cost_in(budget, what, state, true) > fits))
			continue;
		row->duty = how == HOW_WINDOWS ? duty : 0;
		if (step_to(budget, what, state, cost, part))
			return;
	}
}

/* Can it be lowered, and would that make a difference? */
static bool may_lower(const struct budget *budget, enum budget_what what, const struct cost *cost)
{
	const struct row *row = &budget->rows[what];

	switch (how_of(row, what)) {
	case HOW_ON:
		return cost->rows[what] >= least(budget) &&
		       cost->rows[what] >= PART_MIN * budget->allowed * cost->cpu;
	case HOW_WINDOWS:
		return duty_for(budget, what, cost, WINDOWS_ROOM) < DUTY_MIN;
	default:
		return false;
	}
}

/* Where there are windows, fewer of them may do: no step. */
static void thin_out(struct budget *budget, struct cost *cost)
{
	for (int what = 0; what < BUDGET_WHAT_CNT; what++) {
		struct row *row = &budget->rows[what];
		double duty = duty_for(budget, what, cost, WINDOWS_ROOM);

		if (how_of(row, what) != HOW_WINDOWS || duty >= row->duty)
			continue;
		row->duty = max(duty, DUTY_MIN);
		budget__add_up(budget, cost);
	}
}

/* The first that would suffice, or else the first. */
static void step_down(struct budget *budget, const struct cost *cost)
{
	int first = -1;

	for (int what = 0; what < BUDGET_WHAT_CNT; what++) {
		if (!may_lower(budget, what, cost))
			continue;
		if (first < 0)
			first = what;
		if (cost->total - cost->rows[what] <= budget->allowed * cost->cpu) {
			lower(budget, what, cost);
			return;
		}
	}
	if (first >= 0)
		lower(budget, first, cost);
}

/* Would it be calm if this cost `part` instead? */
static bool calm_with(const struct budget *budget, enum budget_what what, const struct cost *cost,
		      double part)
{
	double more = part - cost->rows[what], total = cost->total + more;
	double cpu = cost->cpu + (budget_in_target(what) ? more : 0);

	return total <= CALM * budget->allowed * cpu || total <= CALM * least(budget);
}

static bool try_higher(struct budget *budget, enum budget_what what, const struct cost *cost)
{
	struct row *row = &budget->rows[what];
	uint64_t now = budget->last.now_ns;
	unsigned int state = row->state;
	double part;

	if (how_of(row, what) == HOW_OFF || state == row->top ||
	    (how_of(row, what) == HOW_WINDOWS && row->window_cnt < WINDOWS_SEEN))
		return false;
	do {
		state--;
	} while (state > row->top && row->missing[state]);
	if (row->missing[state])
		return false;
	part = budget__cost_in(budget, what, state, false);
	if (!calm_with(budget, what, cost, part)) {
		row->calm_ns = 0;
		return false;
	}
	if (!row->calm_ns)
		row->calm_ns = now;
	if (now - row->calm_ns < row->hold_ns)
		return false;
	return step_to(budget, what, state, cost, part);
}

/* What was stepped down last comes back first. */
static void step_up(struct budget *budget, const struct cost *cost)
{
	for (int what = BUDGET_WHAT_CNT - 1; what >= 0; what--)
		if (try_higher(budget, what, cost))
			return;
}

/* A window ends: how it was says how long until the next one, or that there is no room for any. */
static void end_window(struct budget *budget, enum budget_what what)
{
	struct row *row = &budget->rows[what];
	struct cost cost;
	uint64_t now, len;

	arm(budget, what, false);
	now = budget->options.now_ns(budget->options.ctx);
	len = now - row->window_ns;
	row->window_cnt++;
	budget__add_up(budget, &cost);
	row->duty = duty_for(budget, what, &cost, WINDOWS_ROOM);
	if (row->duty >= DUTY_MIN)
		row->edge_ns = now + len * (1 / row->duty - 1);
	else if (!step_to(budget, what, row->state + 1, &cost, budget__cost_armed(budget, what))) {
		row->duty = DUTY_MIN;
		row->edge_ns = now + PERIOD_MAX_NS;
	}
}

/* A look at what is off ends: is there room for windows, or for all of it? */
static void end_look(struct budget *budget, enum budget_what what)
{
	struct row *row = &budget->rows[what];
	unsigned int state = row->state;
	struct cost cost;

	arm(budget, what, false);
	budget__add_up(budget, &cost);
	row->look_ns = min(row->look_ns * 2, HOLD_MAX_NS);
	row->edge_ns = budget->last.now_ns + row->look_ns;
	row->duty = duty_for(budget, what, &cost, CALM * WINDOWS_ROOM);
	while (state-- > row->top) {
		enum how how = budget_ladders[what].states[state].how;
		double part = budget__cost_in(budget, what, state, false);

		if (row->missing[state])
			continue;
		if (how == HOW_WINDOWS ? row->duty < DUTY_MIN
				       : !calm_with(budget, what, &cost, part))
			continue;
		part *= how == HOW_WINDOWS ? row->duty : 1;
		if (step_to(budget, what, state, &cost, part))
			return;
	}
}

/* What is armed for moments only. */
static void turn_edges(struct budget *budget)
{
	for (int what = 0; what < BUDGET_WHAT_CNT; what++) {
		struct row *row = &budget->rows[what];
		enum how how = how_of(row, what);
		uint64_t now = budget->last.now_ns;

		if (how == HOW_ON || now < row->edge_ns || row->state == row->top)
			continue;
		if (!row->armed) {
			arm(budget, what, true);
			row->edge_ns = row->armed_ns +
				       (how == HOW_OFF ? WINDOW_MIN_NS : window_len(row->duty));
		} else if (how == HOW_WINDOWS) {
			end_window(budget, what);
		} else {
			end_look(budget, what);
		}
	}
}

static void decide(struct budget *budget)
{
	uint64_t now = budget->last.now_ns;
	struct cost cost;
	double over;

	budget__add_up(budget, &cost);
	over = cost.total / (budget->allowed * cost.cpu);
	if (cost.total <= least(budget) || over <= 1) {
		budget->over_ns = 0;
		step_up(budget, &cost);
		return;
	}
	if (!budget->over_ns)
		budget->over_ns = now;
	if ((over >= SEVERE || now - budget->over_ns >= MILD_NS) &&
	    (!budget->step_ns || now - budget->step_ns >= SETTLE_NS)) {
		thin_out(budget, &cost);
		if (cost.total > budget->allowed * cost.cpu)
			step_down(budget, &cost);
	}
}

void budget__tick(struct budget *budget, const struct budget_input *input)
{
	if (!budget->begun) {
		budget->begun = true;
		budget->begin_ns = input->now_ns;
		budget->last = *input;
		return;
	}
	if (input->now_ns < budget->last.now_ns + TICK_MIN_NS)
		return;
	budget__take(budget, input);
	budget->last = *input;
	if (!budget->options.percent)
		return;
	turn_edges(budget);
	decide(budget);
}

bool budget__in_window(const struct budget *budget)
{
	for (int what = 0; what < BUDGET_WHAT_CNT; what++)
		if (budget->rows[what].armed && how_of(&budget->rows[what], what) != HOW_ON)
			return true;
	return false;
}

bool budget__wants_runs(const struct budget *budget)
{
	uint64_t now = budget->last.now_ns;

	if (!budget->options.percent)
		return false; /* nothing is decided by it */
	if (!budget->begun || now - budget->begin_ns < RUNS_START_NS ||
	    (budget->step_ns && now - budget->step_ns < RUNS_NS))
		return true;
	return budget__in_window(budget);
}

const char *budget_what_name(enum budget_what what)
{
	return budget_ladders[what].name;
}

const char *budget_state_name(enum budget_what what, unsigned int state)
{
	return budget_ladders[what].states[state].name;
}
