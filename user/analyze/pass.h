/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the passes of analyze/ share; private to this folder. */
#ifndef ANALYZE_PASS_H
#define ANALYZE_PASS_H

#include <stdarg.h>
#include <stdbool.h>

#include "analyze/analyze.h"

#define NS_PER_MS  1000000LL
#define NS_PER_SEC 1000000000LL

/* A pass reads the model and what earlier passes found; 0 or -ENOMEM. */
typedef int (*pass_fn)(struct analysis *analysis);

int pass_totals(struct analysis *analysis);
int pass_bottlenecks(struct analysis *analysis);
int pass_sched(struct analysis *analysis);
int pass_waits(struct analysis *analysis);
int pass_io(struct analysis *analysis);
int pass_leaks(struct analysis *analysis);
int pass_memory(struct analysis *analysis);
int pass_async(struct analysis *analysis);
int pass_quality(struct analysis *analysis);

/* A new finding with its title, or NULL when memory ran out. Pointers hold until the next one. */
struct finding *finding__new(struct analysis *analysis, const char *id, enum severity severity,
			     const char *title, ...) __attribute__((format(printf, 4, 5)));
void finding__evidence(struct finding *finding, const char *name, double val, const char *unit,
		       uint64_t task);
/* 0 or -ENOMEM */
int finding__advice(struct finding *finding, const char *recommendation, const char *how_to_verify);
int finding__advice_fmt(struct finding *finding, const char *how_to_verify, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Length of the recording; of an unfinished one as far as its records reach. Never negative. */
int64_t recording_ns(const struct model *model);
/* The name that a person knows the task by: "worker-3[TID]", or its id. Hostile text. */
const char *task_label(const struct model *model, const struct task *task, char *buf, size_t sz);
bool is_thread(const struct task *task);
/* A part of the task's life within the recording; 0 for no task. */
double life_share(const struct analysis *analysis, const struct task *task, uint64_t ns);
/* The parts of pass_io() that are about durations and about failures. */
int find_slow_io(struct analysis *analysis);
int find_io_errors(struct analysis *analysis);
double percent(double part, double whole);
/* Held up: queued for a CPU, blocked on disks and locks. Not idling, not sleeping by its own wish;
 * and neither sockets nor unclear waits, because most of these wait for work: a hundred threads in
 * recv() would hide any lock. */
int64_t held_up_ns(const int64_t c[COUNTER_CNT]);
/* On a CPU or held up. */
int64_t active_ns(const int64_t c[COUNTER_CNT]);
/* The task with the most of one counter, or NULL when nobody has any. */
const struct task *top_task(const struct model *model, enum wire_counter counter);

/* Saturating: the numbers may come from a hostile snapshot. */
static inline int64_t sat_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? -INT64_MAX : INT64_MAX;
	return sum;
}

static inline int64_t sat_sub(int64_t a, int64_t b)
{
	int64_t diff;

	if (__builtin_sub_overflow(a, b, &diff))
		return b > 0 ? -INT64_MAX : INT64_MAX;
	return diff;
}

/* format_ns into a small buffer; returns it. */
#define NS_TEXT_SZ 32
const char *ns_text(char buf[NS_TEXT_SZ], int64_t ns);

#endif
