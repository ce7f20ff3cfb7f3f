/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part that is read first: the verdict in plain words, then each finding with its numbers, the
 * next step and how to check it. HTML, so that it needs no script. Called by html.c.
 */
#include <math.h>
#include <string.h>

#include "report/markup.h"
#include "report/sections.h"

/* A number with its unit, as evidence has it. */
static void value(struct buf *buf, double val, const char *unit)
{
	if (!isfinite(val))
		markup__missing(buf, "the value is not a number");
	else if (!strcmp(unit, "ns") && fabs(val) < 9e18)
		format_ns(buf, val);
	else if (!strcmp(unit, "bytes") && val >= 0 && val < 1.8e19)
		format_bytes(buf, val);
	else if (!strcmp(unit, "%"))
		markup__percent(buf, val / 100);
	else if (val >= 0 && val < 1.8e19 && val == floor(val))
		markup__count(buf, val);
	else
		buf__printf(buf, "%.3g", val);
}

static void task_link(struct buf *buf, const struct model *model, uint64_t id)
{
	const struct task *task = model__task(model, id);
	char name[192];

	buf__puts(buf, "<a href=\"#task=");
	markup__task_id(buf, id);
	buf__puts(buf, "\"><bdi>");
	if (task)
		markup__text(buf, model__task_name(model, task, name, sizeof(name)));
	buf__puts(buf, "</bdi> ");
	markup__task_id(buf, id);
	buf__puts(buf, "</a>");
}

static void evidence_table(struct buf *buf, const struct model *model,
			   const struct finding *finding)
{
	size_t cnt =
		finding->evidence_cnt < FINDING_EVIDENCE ? finding->evidence_cnt : FINDING_EVIDENCE;

	if (!cnt)
		return;
	buf__puts(buf, "<table class=\"evidence\"><thead><tr><th scope=\"col\">Number</th>"
		       "<th scope=\"col\" class=\"num\">Value</th><th scope=\"col\">From</th></tr>"
		       "</thead><tbody>\n");
	for (size_t i = 0; i < cnt; i++) {
		const struct evidence *evidence = &finding->evidence[i];

		buf__puts(buf, "<tr><th scope=\"row\">");
		markup__text(buf, evidence->name);
		buf__puts(buf, "</th><td class=\"num\">");
		value(buf, evidence->val, evidence->unit ? evidence->unit : "");
		buf__puts(buf, "</td><td>");
		if (evidence->task)
			task_link(buf, model, evidence->task);
		else
			buf__puts(buf, "all tasks");
		buf__puts(buf, "</td></tr>\n");
	}
	buf__puts(buf, "</tbody></table>\n");
}

static void paragraph(struct buf *buf, const char *label, const char *text)
{
	if (!text || !*text)
		return;
	buf__printf(buf, "<p><b>%s</b> ", label);
	markup__text(buf, text);
	buf__puts(buf, "</p>\n");
}

static void one_finding(struct buf *buf, const struct model *model, const struct finding *finding,
			bool open)
{
	const char *severity = severity_name(finding->severity);

	buf__printf(buf,
		    "<li class=\"finding sev-%s\"><details%s><summary><span class=\"sev\">%s</span>"
		    " <span class=\"what\">",
		    severity, open ? " open" : "", severity);
	markup__text(buf, finding->title);
	buf__puts(buf, "</span></summary>\n<div class=\"body\">");
	paragraph(buf, "Next step", finding->recommendation);
	paragraph(buf, "How to check", finding->how_to_verify);
	evidence_table(buf, model, finding);
	buf__puts(buf, "<p class=\"dim\">Confidence ");
	markup__percent(buf, finding->confidence);
	if (finding->task) {
		buf__puts(buf, " &middot; look at ");
		task_link(buf, model, finding->task);
	}
	if (finding->class_idx != NO_IDX && finding->class_idx < model->class_cnt) {
		buf__puts(buf, " &middot; class <bdi>");
		markup__text(buf, model__str(model, model->classes[finding->class_idx].name));
		buf__puts(buf, "</bdi>");
	}
	buf__puts(buf, "</p></div></details></li>\n");
}

void part_verdict(struct buf *buf, const struct analysis *analysis)
{
	buf__puts(buf, "<p class=\"verdict\">");
	markup__text(buf, analysis->verdict ? analysis->verdict : "No verdict was reached.");
	buf__puts(buf, "</p>\n");
	if (!analysis->finding_cnt)
		return;
	buf__puts(buf, "<ol class=\"findings\">\n");
	for (size_t i = 0; i < analysis->finding_cnt; i++) {
		const struct finding *finding = &analysis->findings[i];
		bool is_verdict = analysis->verdict && finding->title &&
				  !strcmp(finding->title, analysis->verdict);

		one_finding(buf, analysis->model, finding, i == 0 || is_verdict);
	}
	buf__puts(buf, "</ol>\n");
}
