/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget's account; see budget.h: what was counted, what that costs now and would cost in another
 * state, and which share of the target's work was looked at. It decides nothing: budget.c does.
 */
#include "cmd/budget.h"

#include <math.h>

#include "cmd/budget_state.h"

#define MEAN_NS        (2.0 * S) /* what is counted is averaged over this, and the tracer's own: */
#define TRACER_MEAN_NS (5.0 * S) /* it does much at once now and then */
#define WORK_MIN       0.01 /* of its CPU time is taken for the target's work in any case */
#define RATIO          0.5 /* until it is known: of a malloc and a free, one returns something */

static const struct {
	int64_t trap_ns;
	bool in_target;
} kinds[] = {
#define X(id, trap_ns, in_target) {trap_ns, in_target},
	BUDGET_KINDS(X)
#undef X
};

void budget__begin(struct budget *budget)
{
	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
		budget->ratio[kind] = RATIO;
	for (int what = 0; what < BUDGET_WHAT_CNT; what++)
		for (int state = 0; state < BUDGET_STATE_MAX; state++)
			for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
				budget->rows[what].run_ns[state][kind] = -1;
}

/* A plain average at first, later the older counts less and less. */
static void mean__add(struct mean *mean, double val, double span_ns)
{
	mean->seen_ns += span_ns;
	mean->val += (val - mean->val) * max(span_ns / mean->seen_ns, 1 - exp(-span_ns / MEAN_NS));
}

static int row_of(int kind)
{
	for (int what = 0; what < BUDGET_WHAT_CNT; what++)
		if (budget_ladders[what].kinds >> kind & 1)
			return what;
	return -1;
}

static double trap_of(const struct budget *budget, int kind)
{
	int64_t ns = budget->options.trap_ns[kind];

	return ns >= 0 ? ns : kinds[kind].trap_ns;
}

/* Hits per ns while it is armed, also of what is not hit in the present state. */
static double rate_of(const struct budget *budget, int kind)
{
	int what = row_of(kind);

	if (what < 0 || kind == budget_ladders[what].base)
		return budget->rate[kind].val;
	return budget->rate[budget_ladders[what].base].val * budget->ratio[kind];
}

static double cost_of(const struct budget *budget, int kind)
{
	return rate_of(budget, kind) * (trap_of(budget, kind) + budget->run[kind].val);
}

double budget__cost_armed(const struct budget *budget, enum budget_what what)
{
	const struct ladder *ladder = &budget_ladders[what];
	unsigned int paid = ladder->kinds & ~ladder->states[budget->rows[what].state].unpaid;
	double sum = 0;

	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
		sum += paid >> kind & 1 ? cost_of(budget, kind) : 0;
	return sum;
}

static double row_cost(const struct budget *budget, enum budget_what what)
{
	const struct row *row = &budget->rows[what];
	double on = budget__cost_armed(budget, what);

	switch (how_of(row, what)) {
	case HOW_ON:
		return on;
	case HOW_WINDOWS:
		return on * row->duty;
	default:
		return 0;
	}
}

bool budget_in_target(enum budget_what what)
{
	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
		if (budget_ladders[what].kinds >> kind & 1 && !kinds[kind].in_target)
			return false;
	return true;
}

void budget__add_up(const struct budget *budget, struct cost *cost)
{
	double own = cost_of(budget, BUDGET_PROBE);

	cost->fixed = budget->tracer.val;
	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
		cost->fixed += row_of(kind) < 0 ? cost_of(budget, kind) : 0;
	for (int what = 0; what < BUDGET_WHAT_CNT; what++) {
		cost->rows[what] = row_cost(budget, what);
		own += budget_in_target(what) ? cost->rows[what] : 0;
	}
	cost->total = cost->fixed;
	for (int what = 0; what < BUDGET_WHAT_CNT; what++)
		cost->total += cost->rows[what];
	cost->cpu = max(max(budget->cpu.val, own), 1e-6);
}

/* Programs of a state that it has not been in: not known, so below that of a closer one. */
static double run_in(const struct budget *budget, enum budget_what what, unsigned int state,
		     int kind, bool going_down)
{
	const struct row *row = &budget->rows[what];

	if (row->run_ns[state][kind] >= 0)
		return row->run_ns[state][kind];
	if (going_down)
		return 0; /* then it is tried */
	while (state-- > 0)
		if (row->run_ns[state][kind] >= 0)
			return row->run_ns[state][kind];
	return budget->run[kind].val * 2;
}

double budget__cost_in(const struct budget *budget, enum budget_what what, unsigned int state,
		       bool going_down)
{
	unsigned int paid = budget_ladders[what].kinds & ~budget_ladders[what].states[state].unpaid;
	double sum = 0;

	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
		if (paid >> kind & 1)
			sum += rate_of(budget, kind) *
			       (trap_of(budget, kind) +
				run_in(budget, what, state, kind, going_down));
	return sum;
}

void budget__age(struct budget *budget, enum budget_what what, double weight_ns)
{
	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++) {
		if (!(budget_ladders[what].kinds >> kind & 1))
			continue;
		budget->rate[kind].seen_ns = min(budget->rate[kind].seen_ns, weight_ns);
		budget->run[kind].seen_ns = min(budget->run[kind].seen_ns, weight_ns);
	}
}

static void take_count(struct budget *budget, int kind, const struct budget_count *now)
{
	const struct budget_count *last = &budget->last.counts[kind];
	double span = now->span_ns > last->span_ns ? now->span_ns - last->span_ns : 0;
	double runs = now->runs > last->runs ? now->runs - last->runs : 0;
	int what = row_of(kind);
	struct row *row = what < 0 ? NULL : &budget->rows[what];

	/* it was armed in the middle of a time that was counted in */
	if (row && row->armed_ns > budget->last.now_ns &&
	    span > row->armed_ns - budget->last.now_ns)
		span -= row->armed_ns - budget->last.now_ns;
	if (row && (!row->armed || budget_ladders[what].states[row->state].unpaid >> kind & 1))
		return;
	if (span > 0)
		mean__add(&budget->rate[kind],
			  now->hits > last->hits ? (now->hits - last->hits) / span : 0, span);
	if (!runs || now->run_ns < last->run_ns)
		return;
	mean__add(&budget->run[kind], (now->run_ns - last->run_ns) / runs, span > 0 ? span : 1);
	if (row)
		row->run_ns[row->state][kind] = budget->run[kind].val;
}

static void take_ratios(struct budget *budget)
{
	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++) {
		int what = row_of(kind);
		double base = what < 0 ? 0 : budget->rate[budget_ladders[what].base].val;

		if (base > 0 && budget->rows[what].armed &&
		    !(budget_ladders[what].states[budget->rows[what].state].unpaid >> kind & 1))
			budget->ratio[kind] = budget->rate[kind].val / base;
	}
}

/* What probes took of the target's CPU time meanwhile. */
static double taken(const struct budget *budget, const struct budget_input *input)
{
	double span = input->now_ns - budget->last.now_ns, sum = 0;

	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++) {
		const struct budget_count *last = &budget->last.counts[kind];
		const struct budget_count *now = &input->counts[kind];
		double hits = now->hits - last->hits;

		if (!kinds[kind].in_target)
			continue;
		if (now->span_ns - last->span_ns < span / 2)
			hits = row_of(kind) < 0 ? budget->rate[kind].val * span : 0;
		sum += hits * (trap_of(budget, kind) + budget->run[kind].val);
	}
	return sum;
}

/* Shares are of work, not of time: while it is looked at the target gets less done. */
static void take_work(struct budget *budget, const struct budget_input *input)
{
	double cpu = max(input->target_cpu_ns - budget->last.target_cpu_ns, 0);
	double work = max(cpu - taken(budget, input), cpu * WORK_MIN);

	budget->work += work;
	for (int what = 0; what < BUDGET_WHAT_CNT; what++)
		if (budget->rows[what].armed) {
			budget->rows[what].looked[budget->rows[what].state] += work;
			budget->rows[what].used += cpu;
		}
}

void budget__take(struct budget *budget, const struct budget_input *input)
{
	const struct budget_input *last = &budget->last;
	double span = input->now_ns - last->now_ns;
	double own = max(input->tracer_cpu_ns - last->tracer_cpu_ns, 0) / span;

	mean__add(&budget->cpu, max(input->target_cpu_ns - last->target_cpu_ns, 0) / span, span);
	budget->tracer.val += (own - budget->tracer.val) * (1 - exp(-span / TRACER_MEAN_NS));
	for (int kind = 0; kind < BUDGET_KIND_CNT; kind++)
		take_count(budget, kind, &input->counts[kind]);
	take_ratios(budget);
	take_work(budget, input);
}

double budget__state_share(const struct budget *budget, enum budget_what what, unsigned int state)
{
	const struct row *row = &budget->rows[what];

	if (budget->work > 0)
		return row->looked[state] / budget->work;
	return row->armed && row->state == state;
}

double budget__share(const struct budget *budget, enum budget_what what)
{
	double sum = 0;

	for (unsigned int state = 0; state < budget_ladders[what].state_cnt; state++)
		sum += budget__state_share(budget, what, state);
	return min(sum, 1);
}

double budget__burden(const struct budget *budget, enum budget_what what)
{
	const struct row *row = &budget->rows[what];
	double work = 0;

	for (unsigned int state = 0; state < budget_ladders[what].state_cnt; state++)
		work += row->looked[state];
	return row->used > 0 ? 1 - work / row->used : 0;
}

double budget__cost(const struct budget *budget)
{
	struct cost cost;

	if (!budget->cpu.seen_ns)
		return -1;
	budget__add_up(budget, &cost);
	return cost.total / cost.cpu;
}
