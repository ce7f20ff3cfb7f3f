/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The twenty tasks that were busy longest, as a plain HTML table: what a reader without JavaScript
 * and a printed page have in place of the task table. Called by html.c.
 */
#include <stdlib.h>

#include "report/markup.h"
#include "report/sections.h"

#define TOP_CNT 20

/* The indices of the busiest tasks, by insertion: one pass, no copy of a hundred thousand. */
static size_t pick(const struct model *model, size_t top[TOP_CNT])
{
	int64_t busy[TOP_CNT];
	size_t cnt = 0;

	for (size_t i = 0; i < model->task_cnt; i++) {
		int64_t ns = busy_ns(model->tasks[i].c);
		size_t at = cnt;

		if (cnt == TOP_CNT && ns <= busy[cnt - 1])
			continue;
		if (cnt < TOP_CNT)
			cnt++;
		else
			at--;
		for (; at > 0 && busy[at - 1] < ns; at--) {
			busy[at] = busy[at - 1];
			top[at] = top[at - 1];
		}
		busy[at] = ns;
		top[at] = i;
	}
	return cnt;
}

static int64_t blocked_ns(const struct task *task)
{
	int64_t counters[COUNTER_CNT];

	for (int i = 0; i < COUNTER_CNT; i++)
		counters[i] = i == COUNTER_ON_CPU || i == COUNTER_RUNQUEUE ? 0 : task->c[i];
	return busy_ns(counters);
}

static void cell(struct buf *buf, const struct model *model, enum model_cap cap, int64_t ns)
{
	buf__puts(buf, "<td class=\"num\">");
	if (model->caps[cap].measured)
		format_ns(buf, ns);
	else
		markup__missing(buf, model__str(model, model->caps[cap].reason));
	buf__puts(buf, "</td>");
}

static void row(struct buf *buf, const struct analysis *analysis, size_t idx)
{
	const struct model *model = analysis->model;
	const struct task *task = &model->tasks[idx];
	const struct task_result *result = &analysis->tasks[idx];
	char name[192];

	buf__puts(buf, "<tr><th scope=\"row\"><bdi>");
	markup__or_unknown(buf, model__task_name(model, task, name, sizeof(name)));
	buf__puts(buf, "</bdi> <span class=\"dim\">");
	markup__task_id(buf, task->id);
	buf__puts(buf, "</span></th><td><bdi>");
	if (task->class_idx < model->class_cnt)
		markup__id_or_unknown(buf, model, model->classes[task->class_idx].name);
	buf__printf(buf, "</bdi></td><td>%s</td><td>",
		    task->state < STATE_CNT ? state_name(task->state) : "unknown");
	if (model->caps[CAP_CPU].measured || model->caps[CAP_WAITS].measured)
		markup__bar(buf, task->c, result->inside_ns);
	else
		markup__missing(buf, model__str(model, model->caps[CAP_CPU].reason));
	buf__puts(buf, "</td>");
	cell(buf, model, CAP_CPU, task->c[COUNTER_ON_CPU]);
	cell(buf, model, CAP_WAITS, task->c[COUNTER_RUNQUEUE]);
	cell(buf, model, CAP_WAITS, blocked_ns(task));
	buf__puts(buf, "<td>");
	markup__text(buf, result->cause ? result->cause : bottleneck_name(result->bottleneck));
	buf__puts(buf, "</td></tr>\n");
}

void part_top(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	size_t top[TOP_CNT], cnt = pick(model, top);

	if (!cnt) {
		buf__puts(buf, "<p>No task was seen in this recording.</p>\n");
		return;
	}
	buf__puts(buf,
		  "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"busiest tasks\">"
		  "<table class=\"top\"><caption>The ");
	markup__count(buf, cnt);
	buf__puts(buf, " busiest of ");
	markup__count(buf, model->task_cnt);
	buf__puts(buf,
		  " tasks</caption><thead><tr><th scope=\"col\">Task</th><th scope=\"col\">Class"
		  "</th><th scope=\"col\">State</th><th scope=\"col\">Time</th>"
		  "<th scope=\"col\" class=\"num\">CPU</th>"
		  "<th scope=\"col\" class=\"num\">Run queue</th>"
		  "<th scope=\"col\" class=\"num\">Blocked</th><th scope=\"col\">Bound by</th>"
		  "</tr></thead><tbody>\n");
	for (size_t i = 0; i < cnt; i++)
		row(buf, analysis, top[i]);
	buf__puts(buf, "</tbody></table></div>\n");
}
