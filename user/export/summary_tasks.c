/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary's table: the costliest tasks, each with a bar of where its life went, and below it
 * what is not in a row, so that the sums stay visible. Called by summary.c.
 */
#include "export/summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/record.h"
#include "export/term.h"

#define MIN_BAR  10
#define MAX_BAR  24
#define MAX_NAME 40

/* The parts of a bar, in its order. */
static const struct {
	enum wire_counter counter;
	const char *name, *glyph, *ascii, *colour;
} parts[] = {
	{COUNTER_ON_CPU, "run", "\u2588", "#", "94"},
	{COUNTER_RUNQUEUE, "queue", "\u2593", "=", "33"},
	{COUNTER_BLOCKED_DISK, "disk", "\u2592", "d", "35"},
	{COUNTER_BLOCKED_NET, "net", "\u2591", "n", "36"},
	{COUNTER_BLOCKED_LOCK, "lock", "\u259a", "L", "31"},
	{COUNTER_BLOCKED_TIMER, "timer", "\u2504", "t", "93"},
	{COUNTER_BLOCKED_OTHER, "other", "\u25aa", "o", "37"},
	{COUNTER_IDLE, "idle", "\u00b7", ".", "90"},
};
#define PART_CNT (sizeof(parts) / sizeof(parts[0]))

struct line {
	struct summary *summary;
	const struct task *task;
	size_t idx;
	size_t name_cols, bar_cols;
};

void summary__ns(struct buf *buf, int64_t ns)
{
	struct buf text = {};
	const char *blank;

	format_ns(&text, ns);
	blank = strchr(buf__str(&text), ' ');
	if (!ns || !blank)
		buf__puts(buf, ns ? buf__str(&text) : "0");
	else
		buf__printf(buf, "%.*s%s", (int)(blank - buf__str(&text)), buf__str(&text),
			    strcmp(blank + 1, "min") ? blank + 1 : "m");
	buf__free(&text);
}

void summary__count(struct buf *buf, uint64_t cnt)
{
	static const char units[] = " kMGTPE";
	double val = (double)cnt;
	size_t unit = 0;

	for (; val >= 9999.5 && units[unit + 1]; unit++)
		val /= 1000;
	if (unit)
		buf__printf(buf, "%.*f%c", val < 99.95 ? 1 : 0, val, units[unit]);
	else
		buf__printf(buf, "%.0f", val);
}

void summary__bytes(struct buf *buf, uint64_t bytes)
{
	struct buf text = {};
	const char *blank;

	format_bytes(&text, bytes);
	blank = strchr(buf__str(&text), ' ');
	if (blank && blank[1] != 'B')
		buf__printf(buf, "%.*s%c", (int)(blank - buf__str(&text)), buf__str(&text),
			    blank[1]);
	else
		buf__printf(buf, "%llu", (unsigned long long)bytes);
	buf__free(&text);
}

static bool measured(const struct line *line, enum model_cap cap)
{
	return line->summary->model->caps[cap].measured;
}

static void cell_name(struct buf *buf, const struct line *line)
{
	char id[SCHEMA_ID_SZ], name[128];

	model__task_name(line->summary->model, line->task, name, sizeof(name));

	buf__puts(buf, *name ? name : schema_task_id(id, line->task->id));
	/* Threads of a pool often share one name. */
	if (*name && line->task->runtime == RUNTIME_THREAD && line->name_cols > 20)
		buf__printf(buf, "[%u]", line->task->tid);
}

static void cell_runtime(struct buf *buf, const struct line *line)
{
	buf__puts(buf, runtime_name(line->task->runtime));
}

static void cell_state(struct buf *buf, const struct line *line)
{
	buf__puts(buf, state_name(line->task->state));
}

static void cell_usage(struct buf *buf, const struct line *line)
{
	int64_t inside = line->summary->analysis->tasks[line->idx].inside_ns;

	if (!measured(line, CAP_CPU) || inside <= 0)
		buf__puts(buf, "n/a");
	else
		buf__printf(buf, "%.0f",
			    (double)line->task->c[COUNTER_ON_CPU] / (double)inside * 100);
}

static void cell_on_cpu(struct buf *buf, const struct line *line)
{
	if (measured(line, CAP_CPU))
		summary__ns(buf, line->task->c[COUNTER_ON_CPU]);
	else
		buf__puts(buf, "n/a");
}

static void cell_queue(struct buf *buf, const struct line *line)
{
	if (measured(line, CAP_WAITS))
		summary__ns(buf, line->task->c[COUNTER_RUNQUEUE]);
	else
		buf__puts(buf, "n/a");
}

/* The largest cause; the bar shows the others. */
static void cell_blocked(struct buf *buf, const struct line *line)
{
	size_t top = 2; /* behind run and queue */

	if (!measured(line, CAP_WAITS)) {
		buf__puts(buf, "n/a");
		return;
	}
	for (size_t i = top; i + 1 < PART_CNT; i++) { /* without idle */
		if (line->task->c[parts[i].counter] > line->task->c[parts[top].counter])
			top = i;
	}
	summary__ns(buf, line->task->c[parts[top].counter]);
	if (line->task->c[parts[top].counter] > 0)
		buf__printf(buf, " %s", parts[top].name);
}

static void cell_wake(struct buf *buf, const struct line *line)
{
	struct value value;
	struct row row;

	row__of_task(&row, line->summary->model, line->summary->analysis, line->idx);
	value__percentile(&value, &row.wake, 0.99);
	if (!measured(line, CAP_WAKES))
		buf__puts(buf, "n/a");
	else if (value.kind == VALUE_NULL)
		buf__puts(buf, "-");
	else
		summary__ns(buf, (int64_t)value.u);
}

/* How many columns of the bar each part gets: by largest remainder, so that they add up. */
static void share_out(const struct line *line, size_t cols, size_t out[PART_CNT])
{
	const struct task *task = line->task;
	int64_t inside = line->summary->analysis->tasks[line->idx].inside_ns;
	double vals[PART_CNT], rest[PART_CNT], sum = 0, whole;
	size_t used = 0, want;

	for (size_t i = 0; i < PART_CNT; i++) {
		vals[i] = task->c[parts[i].counter] > 0 ? (double)task->c[parts[i].counter] : 0;
		/* Between its runs a task of a runtime waits for something: shown as idle. */
		if (parts[i].counter == COUNTER_IDLE && task->runtime != RUNTIME_THREAD &&
		    inside > task->wall_ns)
			vals[i] += (double)inside - (double)task->wall_ns;
		sum += vals[i];
	}
	whole = sum > (double)inside ? sum : (double)inside;
	want = whole > 0 ? (size_t)(sum / whole * (double)cols + 0.5) : 0;
	for (size_t i = 0; i < PART_CNT; i++) {
		double exact = whole > 0 ? vals[i] / whole * (double)cols : 0;

		out[i] = (size_t)exact;
		rest[i] = exact - (double)out[i];
		used += out[i];
	}
	for (; used < want; used++) {
		size_t best = 0;

		for (size_t i = 1; i < PART_CNT; i++) {
			if (rest[i] > rest[best])
				best = i;
		}
		out[best]++;
		rest[best] = -1;
	}
}

static void write_bar(const struct line *line)
{
	struct summary *summary = line->summary;
	size_t cols[PART_CNT], used = 0;

	share_out(line, line->bar_cols, cols);
	for (size_t i = 0; i < PART_CNT; i++) {
		if (!cols[i])
			continue;
		summary__colour(summary, parts[i].colour);
		for (size_t j = 0; j < cols[i]; j++)
			buf__puts(&summary->buf,
				  summary->options.ascii ? parts[i].ascii : parts[i].glyph);
		summary__colour(summary, "0");
		used += cols[i];
	}
	for (; used < line->bar_cols; used++)
		buf__add(&summary->buf, " ", 1);
}

/* In order. Without `cell`: the bar. A column is left out below `from` columns of the terminal;
 * no `cols` of its own: the name and the bar share what is left. */
static const struct {
	const char *title;
	size_t cols;
	unsigned int from;
	bool right;
	void (*cell)(struct buf *buf, const struct line *line);
} columns[] = {
	{"TASK", 0, 0, false, cell_name},     {"RUNTIME", 7, 80, false, cell_runtime},
	{"STATE", 10, 72, false, cell_state}, {"CPU%", 4, 0, true, cell_usage},
	{"TIME", 0, 0, false, NULL},          {"ON CPU", 6, 0, true, cell_on_cpu},
	{"QUEUE", 6, 0, true, cell_queue},    {"BLOCKED", 12, 0, true, cell_blocked},
	{"WAKE99", 6, 0, true, cell_wake},
};
#define COLUMN_CNT (sizeof(columns) / sizeof(columns[0]))

static void layout(struct line *line)
{
	unsigned int width = line->summary->options.width;
	size_t fixed = 0, left;

	for (size_t i = 0; i < COLUMN_CNT; i++) {
		if (width >= columns[i].from)
			fixed += columns[i].cols + (i ? 1 : 0);
	}
	left = width > fixed + 2 * MIN_BAR ? width - fixed : 2 * MIN_BAR;
	line->bar_cols = MIN_BAR + (left - 2 * MIN_BAR) / 2;
	if (line->bar_cols > MAX_BAR)
		line->bar_cols = MAX_BAR;
	line->name_cols = left - line->bar_cols;
	if (line->name_cols > MAX_NAME)
		line->name_cols = MAX_NAME;
}

/* One row, or with no task the titles. */
static void write_row(struct line *line)
{
	struct summary *summary = line->summary;
	struct buf cell = {};

	for (size_t i = 0; i < COLUMN_CNT; i++) {
		size_t cols = columns[i].cols;

		if (summary->options.width < columns[i].from)
			continue;
		if (!cols)
			cols = columns[i].cell ? line->name_cols : line->bar_cols;
		if (i)
			buf__add(&summary->buf, " ", 1);
		if (line->task && !columns[i].cell) {
			write_bar(line);
			continue;
		}
		buf__reset(&cell);
		if (line->task)
			columns[i].cell(&cell, line);
		term__cell(&summary->buf, line->task ? buf__str(&cell) : columns[i].title, cols,
			   columns[i].right, summary->options.ascii);
	}
	buf__add(&summary->buf, "\n", 1);
	if (cell.err)
		summary->buf.err = cell.err;
	buf__free(&cell);
}

static void write_legend(struct summary *summary)
{
	for (size_t i = 0; i < PART_CNT; i++) {
		if (i)
			buf__add(&summary->buf, " ", 1);
		summary__colour(summary, parts[i].colour);
		buf__puts(&summary->buf, summary->options.ascii ? parts[i].ascii : parts[i].glyph);
		summary__colour(summary, "0");
		buf__printf(&summary->buf, " %s", parts[i].name);
	}
	buf__add(&summary->buf, "\n", 1);
}

/* What no row shows, so that the sums are there. */
static void write_rest(struct summary *summary, uint64_t shown, int64_t shown_cpu)
{
	const struct totals *totals = &summary->analysis->totals;
	struct buf line = {};
	int64_t rest;

	if (totals->tasks > shown) {
		buf__printf(&line,
			    "%llu more tasks: ", (unsigned long long)(totals->tasks - shown));
		if (__builtin_sub_overflow(totals->c[COUNTER_ON_CPU], shown_cpu, &rest))
			rest = NO_TIME;
		format_ns(&line, rest);
		buf__puts(&line, " on CPU");
	}
	if (totals->unattributed_cpu_ns != NO_TIME) {
		buf__puts(&line, line.sz ? "; unattributed: " : "Unattributed: ");
		format_ns(&line, totals->unattributed_cpu_ns);
	}
	if (line.sz)
		term__wrap(&summary->buf, buf__str(&line), summary->options.width, 2, 0,
			   summary->options.ascii);
	buf__free(&line);
}

static int by_cost(const void *a, const void *b, void *arg)
{
	const struct task *tasks = ((const struct model *)arg)->tasks;
	const struct task *x = &tasks[*(const size_t *)a], *y = &tasks[*(const size_t *)b];
	int64_t cost_x = task_cost_ns(x), cost_y = task_cost_ns(y);

	if (cost_x != cost_y)
		return cost_x > cost_y ? -1 : 1;
	if (x->wall_ns != y->wall_ns)
		return x->wall_ns > y->wall_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int summary__tasks(struct summary *summary)
{
	const struct model *model = summary->model;
	size_t shown =
		model->task_cnt < summary->options.top ? model->task_cnt : summary->options.top;
	size_t *order = malloc((model->task_cnt + 1) * sizeof(*order));
	struct line line = {.summary = summary};
	int64_t cpu = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < model->task_cnt; i++)
		order[i] = i;
	qsort_r(order, model->task_cnt, sizeof(*order), by_cost, (void *)model);
	if (shown) {
		buf__add(&summary->buf, "\n", 1);
		layout(&line);
		write_row(&line);
	}
	for (size_t i = 0; i < shown; i++) {
		line.idx = order[i];
		line.task = &model->tasks[order[i]];
		write_row(&line);
		if (__builtin_add_overflow(cpu, line.task->c[COUNTER_ON_CPU], &cpu))
			cpu = INT64_MAX;
	}
	write_rest(summary, shown, cpu);
	if (shown)
		write_legend(summary);
	free(order);
	return 0;
}
