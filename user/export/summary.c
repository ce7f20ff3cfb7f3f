/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary for a terminal: the verdict and findings, how good the data is, and the costliest
 * tasks, files and peers. Printed at the end of a recording, by `report SNAP`, and as `-o out.txt`.
 */
#include "export/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/heap.h"
#include "export/export.h"
#include "export/term.h"

#define DEFAULT_WIDTH 100
#define MIN_WIDTH     60
#define DEFAULT_TOP   15
#define MAX_FINDINGS  5
#define MAX_BACKOFFS  4

/* By severity. */
static const struct {
	const char *mark, *ascii, *colour;
} marks[SEVERITY_CNT] = {
	[SEVERITY_INFO] = {"\u2022", "-", "36"},
	[SEVERITY_WARNING] = {"\u25b2", "!", "33"},
	[SEVERITY_CRITICAL] = {"\u2716", "X", "31"},
};

void summary__colour(struct summary *summary, const char *colour)
{
	if (summary->options.colour)
		buf__printf(&summary->buf, "\033[%sm", colour);
}

static void mark(struct summary *summary, const char *text, const char *ascii, const char *colour)
{
	summary__colour(summary, colour);
	buf__puts(&summary->buf, summary->options.ascii ? ascii : text);
	summary__colour(summary, "0");
	buf__add(&summary->buf, " ", 1);
}

static void wrap(struct summary *summary, const char *text, size_t indent, size_t used)
{
	term__wrap(&summary->buf, text, summary->options.width, indent, used,
		   summary->options.ascii);
}

/* The first line is the verdict: the top finding itself, or that there is none. */
static void write_findings(struct summary *summary)
{
	const struct analysis *analysis = summary->analysis;
	const char *verdict = analysis->verdict;
	bool advised = false;
	size_t shown = 0;

	if (!analysis->finding_cnt || strcmp(analysis->findings[0].title, verdict)) {
		mark(summary, "\u2714", "=", "32");
		wrap(summary, verdict, 2, 2);
	}
	for (size_t i = 0; i < analysis->finding_cnt && shown < MAX_FINDINGS; i++, shown++) {
		const struct finding *finding = &analysis->findings[i];
		unsigned int severity = finding->severity < SEVERITY_CNT ? finding->severity : 0;

		mark(summary, marks[severity].mark, marks[severity].ascii, marks[severity].colour);
		wrap(summary, finding->title, 2, 2);
		if (advised || !finding->recommendation || finding->severity == SEVERITY_INFO)
			continue;
		advised = true; /* one next step is enough here, the report has all */
		buf__puts(&summary->buf, "  ");
		wrap(summary, finding->recommendation, 2, 2);
	}
	if (analysis->finding_cnt > shown) {
		size_t more = analysis->finding_cnt - shown;

		buf__printf(&summary->buf, "  %zu more finding%s in the report\n", more,
			    more == 1 ? "" : "s");
	}
}

static void add_losses(struct buf *line, const struct model *model)
{
	uint64_t lost = model__losses(model);
	const char *sep = " (";

	if (!model__losses_known(model)) {
		buf__puts(line, "losses not known: the recording was not finished");
		return;
	}
	if (!lost) {
		buf__puts(line, "nothing lost");
		return;
	}
	buf__printf(line, "%llu lost", (unsigned long long)lost);
	for (size_t i = 0; i < model->counter_cnt; i++) {
		const struct counter *counter = &model->counters[i];

		if (!counter->is_loss || !counter->val)
			continue;
		buf__printf(line, "%s%s %llu", sep, model__str(model, counter->name),
			    (unsigned long long)counter->val);
		sep = ", ";
	}
	buf__puts(line, ")");
}

static void add_overhead(struct buf *line, const struct meta *meta, int64_t duration)
{
	double len = (double)duration / 100;

	if (meta->tracer_cpu_ns != NO_TIME && duration > 0)
		buf__printf(line, "; recorder %.1f%% of a CPU", (double)meta->tracer_cpu_ns / len);
	else
		buf__puts(line, "; recorder's CPU use not measured");
	if (meta->hook_ns != NO_TIME && duration > 0)
		buf__printf(line, ", kernel hooks %.1f%%", (double)meta->hook_ns / len);
	if (meta->probe_hits != NO_TIME && meta->probe_price_ns != NO_TIME && duration > 0)
		buf__printf(line, ", probes %.1f%%",
			    (double)meta->probe_hits * (double)meta->probe_price_ns / len);
}

static void add_unattributed(struct buf *line, const struct analysis *analysis)
{
	const struct totals *totals = &analysis->totals;
	int64_t all = analysis->model->meta.process_cpu_ns;

	if (totals->unattributed_cpu_ns == NO_TIME) {
		buf__printf(line, "; unattributed CPU time not known: %s",
			    totals->unattributed_why ? totals->unattributed_why : "not measured");
		return;
	}
	buf__puts(line, "; ");
	/* The two clocks differ by a tick or so: that is said, too. */
	if (totals->unattributed_cpu_ns < 0) {
		buf__puts(line, "tasks have ");
		format_ns(line, -totals->unattributed_cpu_ns);
		buf__puts(line, " more CPU time than the process's ");
		format_ns(line, all);
		return;
	}
	format_ns(line, totals->unattributed_cpu_ns);
	buf__puts(line, " of ");
	format_ns(line, all);
	buf__puts(line, " CPU time unattributed");
}

static void write_quality(struct summary *summary)
{
	const struct model *model = summary->model;
	int64_t duration = summary->analysis->totals.duration_ns;
	const char *comm = model__str(model, model->meta.comm);
	struct buf line = {};

	buf__puts(&line, "Data: ");
	if (*comm)
		buf__printf(&line, "%s ", comm);
	if (model->meta.pid != NO_TIME)
		buf__printf(&line, "pid %lld, ", (long long)model->meta.pid);
	format_ns(&line, duration);
	buf__puts(&line, "; ");
	add_losses(&line, model);
	add_overhead(&line, &model->meta, duration);
	add_unattributed(&line, summary->analysis);
	wrap(summary, buf__str(&line), 6, 0);
	buf__free(&line);
}

/* What the budget did, and which numbers are estimates because of it. */
static void write_budget(struct summary *summary)
{
	const struct model *model = summary->model;
	size_t shown = model->backoff_cnt < MAX_BACKOFFS ? model->backoff_cnt : MAX_BACKOFFS;
	struct buf line = {};

	for (size_t i = 0; i < shown; i++) {
		buf__reset(&line);
		buf__puts(&line, "Stepped: ");
		backoff_text(&line, model, &model->backoffs[i]);
		wrap(summary, buf__str(&line), 6, 0);
	}
	if (model->backoff_cnt > shown)
		buf__printf(&summary->buf, "      %zu more steps in the report\n",
			    model->backoff_cnt - shown);
	for (unsigned int cap = 0; cap < CAP_CNT; cap++) {
		buf__reset(&line);
		estimate_text(&line, model, cap);
		if (!line.sz)
			continue;
		buf__puts(&summary->buf, "Estimate: ");
		wrap(summary, buf__str(&line), 6, 10);
	}
	buf__free(&line);
}

int export_summary(const struct model *model, const struct analysis *analysis,
		   const struct export_options *options, FILE *out)
{
	struct summary summary = {.model = model, .analysis = analysis, .options = *options};
	int err = 0;

	if (!summary.options.width)
		summary.options.width = DEFAULT_WIDTH;
	if (summary.options.width < MIN_WIDTH)
		summary.options.width = MIN_WIDTH;
	if (!summary.options.top)
		summary.options.top = DEFAULT_TOP;
	write_findings(&summary);
	write_quality(&summary);
	write_budget(&summary);
	err = summary__tasks(&summary);
	if (!err)
		err = summary__heap(&summary);
	if (!err)
		err = summary__io(&summary);
	if (!err)
		err = summary.buf.err;
	errno = 0;
	if (!err && fwrite(summary.buf.data, 1, summary.buf.sz, out) != summary.buf.sz)
		err = errno ? -errno : -EIO;
	buf__free(&summary.buf);
	return err;
}
