/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first pass: sums over all tasks, the folded ones too, and what of the process's CPU time no
 * task accounts for. Everything else in analyze/ and the outputs is held against these sums.
 */
#include "analyze/pass.h"

/* How the values of two tasks become one; the third column of WIRE_COUNTERS. */
enum merge { MERGE_SUM, MERGE_MAX, MERGE_OR };

static const enum merge merges[COUNTER_CNT] = {
#define X(id, name, merge) [COUNTER_##id] = MERGE_##merge,
	WIRE_COUNTERS(X)
#undef X
};

static void merge_counters(int64_t to[COUNTER_CNT], const int64_t from[COUNTER_CNT])
{
	for (unsigned int i = 0; i < COUNTER_CNT; i++) {
		if (merges[i] == MERGE_SUM)
			to[i] = sat_add(to[i], from[i]);
		else if (merges[i] == MERGE_OR)
			to[i] |= from[i];
		else if (from[i] > to[i])
			to[i] = from[i];
	}
}

static void unattributed(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct totals *totals = &analysis->totals;

	totals->unattributed_cpu_ns = NO_TIME;
	if (!model->caps[CAP_CPU].measured) {
		totals->unattributed_why = "CPU time was not measured";
	} else if (model->meta.process_cpu_ns == NO_TIME) {
		totals->unattributed_why = "the process's own CPU time was not read";
	} else {
		totals->unattributed_cpu_ns =
			sat_sub(model->meta.process_cpu_ns, totals->c[COUNTER_ON_CPU]);
	}
}

int pass_totals(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct totals *totals = &analysis->totals;
	int64_t duration = recording_ns(model);

	totals->duration_ns = duration;
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];
		int64_t from = task->start_ns > 0 ? task->start_ns : 0;
		int64_t to = task->end_ns == NO_TIME || task->end_ns > duration ? duration
										: task->end_ns;

		analysis->tasks[i].inside_ns = to > from ? to - from : 0;
		merge_counters(totals->c, task->c);
		totals->tasks++;
		if (task->state < STATE_CNT)
			totals->by_state[task->state]++;
	}
	for (size_t i = 0; i < model->class_cnt; i++) {
		const struct task_class *class = &model->classes[i];

		merge_counters(totals->c, class->folded_c);
		totals->tasks += class->folded_cnt;
		for (unsigned int state = 0; state < STATE_CNT; state++)
			totals->by_state[state] += class->folded_by_state[state];
	}
	unattributed(analysis);
	return 0;
}

int64_t held_up_ns(const int64_t c[COUNTER_CNT])
{
	static const enum wire_counter waits[] = {COUNTER_RUNQUEUE, COUNTER_BLOCKED_DISK,
						  COUNTER_BLOCKED_LOCK};
	int64_t sum = 0;

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		sum = sat_add(sum, c[waits[i]]);
	return sum;
}

int64_t active_ns(const int64_t c[COUNTER_CNT])
{
	return sat_add(c[COUNTER_ON_CPU], held_up_ns(c));
}

const struct task *top_task(const struct model *model, enum wire_counter counter)
{
	const struct task *top = NULL;

	for (size_t i = 0; i < model->task_cnt; i++) {
		if (model->tasks[i].c[counter] > (top ? top->c[counter] : 0))
			top = &model->tasks[i];
	}
	return top;
}
