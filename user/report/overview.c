/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strip that says how far to trust the recording, the tiles, and the sums that show where all
 * of the process's CPU time went. HTML, called by html.c.
 */
#include <stdlib.h>

#include "analyze/heap.h"
#include "report/charts.h"
#include "report/markup.h"
#include "report/sections.h"
#include "report/tiles.h"

/* Steps of the budget that stand at the top. */
#define MAX_STEPS 3

/* A label and what follows; the caller writes the value and closes. */
static void chip(struct buf *buf, const char *state, const char *label, const char *title)
{
	buf__printf(buf, "<li class=\"%s\" title=\"", state);
	markup__text(buf, title);
	buf__printf(buf, "\"><span>%s</span> <b>", label);
}

static void chip_end(struct buf *buf)
{
	buf__puts(buf, "</b></li>\n");
}

static void chip_losses(struct buf *buf, const struct model *model)
{
	uint64_t lost = model__losses(model);
	bool first = true;

	chip(buf, lost || !model__losses_known(model) ? "warn" : "good", "lost",
	     "events that were dropped or could not be matched");
	if (model__losses_known(model))
		markup__count(buf, lost);
	else
		markup__missing(buf, "the recording was not finished: nothing counted its losses");
	for (size_t i = 0; lost && i < model->counter_cnt; i++) {
		const struct counter *counter = &model->counters[i];

		if (!counter->is_loss || !counter->val)
			continue;
		buf__puts(buf, first ? " (" : ", ");
		markup__text(buf, model__str(model, counter->name));
		buf__puts(buf, " ");
		markup__count(buf, counter->val);
		first = false;
	}
	if (!first)
		buf__puts(buf, ")");
	chip_end(buf);
}

static void chip_unattributed(struct buf *buf, const struct analysis *analysis)
{
	const struct totals *totals = &analysis->totals;
	int64_t cpu = analysis->model->meta.process_cpu_ns;
	bool much = totals->unattributed_cpu_ns != NO_TIME && cpu > 0 &&
		    totals->unattributed_cpu_ns > cpu / 50;

	chip(buf, much ? "warn" : "good", "CPU not attributed",
	     "CPU time of the process that no task was charged");
	if (totals->unattributed_cpu_ns == NO_TIME || cpu <= 0) {
		markup__missing(buf, totals->unattributed_why
					     ? totals->unattributed_why
					     : "the process's CPU time is unknown");
	} else {
		format_ns(buf, totals->unattributed_cpu_ns);
		buf__puts(buf, ", ");
		markup__percent(buf, (double)totals->unattributed_cpu_ns / cpu);
	}
	chip_end(buf);
}

static void chip_overhead(struct buf *buf, const struct model *model)
{
	const struct meta *meta = &model->meta;
	double dur = meta->duration_ns;

	chip(buf, "good", "recorder", "CPU time of the recorder itself; 100% is one CPU");
	if (meta->tracer_cpu_ns == NO_TIME || meta->duration_ns <= 0)
		markup__missing(buf, "the recorder's CPU time was not read");
	else
		markup__percent(buf, meta->tracer_cpu_ns / dur);
	chip_end(buf);
	chip(buf, "good", "probes",
	     "CPU time that the probes cost the target: hits x calibrated price; 100% is one CPU");
	if (meta->probe_hits == NO_TIME || meta->probe_price_ns == NO_TIME ||
	    meta->duration_ns <= 0)
		markup__missing(buf,
				model->caps[CAP_PROBE_PRICE].measured
					? "probe hits were not counted"
					: model__str(model, model->caps[CAP_PROBE_PRICE].reason));
	else
		markup__percent(buf, (double)meta->probe_hits * meta->probe_price_ns / dur);
	chip_end(buf);
}

/* What was stepped down, and the numbers that are estimates for it. */
static void chips_budget(struct buf *buf, const struct model *model)
{
	struct buf text = {0};

	for (size_t i = 0; i < model->backoff_cnt && i < MAX_STEPS; i++) {
		buf__reset(&text);
		backoff_text(&text, model, &model->backoffs[i]);
		chip(buf, "warn", "stepped", "what was done to keep the budget");
		markup__text(buf, buf__str(&text));
		chip_end(buf);
	}
	if (model->backoff_cnt > MAX_STEPS) {
		chip(buf, "warn", "stepped", "all steps stand in the section Memory");
		markup__count(buf, model->backoff_cnt - MAX_STEPS);
		buf__puts(buf, " more times");
		chip_end(buf);
	}
	for (unsigned int cap = 0; cap < CAP_CNT; cap++) {
		buf__reset(&text);
		estimate_text(&text, model, cap);
		if (!text.sz)
			continue;
		chip(buf, "warn", "estimate", "sums of it stand for more than was counted");
		markup__text(buf, buf__str(&text));
		chip_end(buf);
	}
	buf__free(&text);
}

void part_quality(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;

	chip_losses(buf, model);
	chip_unattributed(buf, analysis);
	chip_overhead(buf, model);
	chips_budget(buf, model);
	if (model->meta.tasks_folded > 0) {
		chip(buf, "warn", "folded",
		     "ended tasks that --max-memory folded into their class");
		markup__count(buf, model->meta.tasks_folded);
		buf__puts(buf, " tasks");
		chip_end(buf);
	}
	for (size_t i = 0; i < model->runtime_cnt; i++) {
		const struct runtime_info *runtime = &model->runtimes[i];

		chip(buf, "good", "runtime", model__str(model, runtime->reason));
		markup__text(buf, model__str(model, runtime->name));
		buf__puts(buf, " ");
		markup__text(buf, model__str(model, runtime->version));
		buf__puts(buf, " <span class=\"dim\">by ");
		markup__text(buf, model__str(model, runtime->binding));
		buf__puts(buf, "</span>");
		chip_end(buf);
	}
}

void tile__open(struct buf *buf, const char *label, const char *doc)
{
	buf__printf(buf, "<div class=\"tile\" title=\"%s\"><dt>%s</dt><dd>", doc, label);
}

void tile__note(struct buf *buf)
{
	buf__puts(buf, "</dd><dd class=\"note\">");
}

void tile__end(struct buf *buf)
{
	buf__puts(buf, "</dd></div>\n");
}

static void tile_tasks(struct buf *buf, const struct analysis *analysis)
{
	bool any = false;

	tile__open(buf, "Tasks", "task instances of the recording, folded ones included");
	markup__count(buf, analysis->totals.tasks);
	tile__note(buf);
	for (int i = 0; i < STATE_CNT; i++) {
		if (!analysis->totals.by_state[i])
			continue;
		buf__puts(buf, any ? ", " : "");
		markup__count(buf, analysis->totals.by_state[i]);
		buf__printf(buf, " %s", state_name(i));
		any = true;
	}
	tile__end(buf);
}

static void tile_cpu(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	int64_t cpu = analysis->totals.c[COUNTER_ON_CPU], dur = model->meta.duration_ns;

	tile__open(buf, "CPU", "time on a CPU, all tasks, and how many CPUs that is");
	if (!model->caps[CAP_CPU].measured) {
		markup__missing(buf, model__str(model, model->caps[CAP_CPU].reason));
		tile__end(buf);
		return;
	}
	format_ns(buf, cpu);
	tile__note(buf);
	if (dur > 0)
		buf__printf(buf, "%.2f CPUs busy", (double)cpu / dur);
	if (dur > 0 && model->meta.cpus > 0)
		buf__printf(buf, " of %lld", (long long)model->meta.cpus);
	tile__end(buf);
}

/* One cause of waiting, and its share of all time that was not idle. */
static void tile_wait(struct buf *buf, const struct analysis *analysis, enum wire_counter counter,
		      const char *label, const char *doc)
{
	const struct cap_state *cap = &analysis->model->caps[CAP_WAITS];
	int64_t busy = busy_ns(analysis->totals.c), ns = analysis->totals.c[counter];

	tile__open(buf, label, doc);
	if (!cap->measured) {
		markup__missing(buf, model__str(analysis->model, cap->reason));
	} else {
		format_ns(buf, ns);
		tile__note(buf);
		markup__percent(buf, busy > 0 ? (double)ns / busy : 0);
		buf__puts(buf, " of what was not idle");
	}
	tile__end(buf);
}

static void tile_hist(struct buf *buf, const struct model *model, enum model_cap cap,
		      const struct hist *hist, const char *label, const char *doc)
{
	int64_t p99 = known_percentile(hist, 0.99);

	tile__open(buf, label, doc);
	if (!model->caps[cap].measured) {
		markup__missing(buf, model__str(model, model->caps[cap].reason));
	} else if (!hist->cnt) {
		buf__puts(buf, "none</dd><dd class=\"note\">nothing of this kind happened");
	} else {
		if (p99 == COLUMN_NULL)
			buf__puts(buf, "<span class=\"missing\">n too small</span>");
		else
			format_ns(buf, p99);
		tile__note(buf);
		buf__puts(buf, "n ");
		markup__count(buf, hist->cnt);
		buf__puts(buf, ", longest ");
		format_ns(buf, hist_part(hist, HIST_MAX));
	}
	tile__end(buf);
}

static void tile_latencies(struct buf *buf, const struct model *model)
{
	struct hist runs = {0}, wake = {0};

	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		hist__merge(&wake, &task->wake);
		if (task->runtime != RUNTIME_THREAD)
			hist__merge(&runs, &task->runs);
	}
	for (size_t i = 0; i < model->class_cnt; i++) {
		const struct task_class *class = &model->classes[i];

		hist__merge(&wake, &class->folded_wake);
		hist__merge(&runs, &class->folded_runs);
	}
	tile_hist(buf, model, CAP_WAKES, &wake, "Wake to run p99",
		  "from being woken until running; 99 of 100 are faster");
	tile_hist(buf, model, CAP_RUNS, &runs, "Poll p99",
		  "one poll or callback; 99 of 100 are shorter");
	hist__free(&runs);
	hist__free(&wake);
}

void tile__unmeasured(struct buf *buf, const struct model *model, enum model_cap cap,
		      const char *label)
{
	if (model->caps[cap].measured)
		return;
	tile__open(buf, label, label);
	markup__missing(buf, model__str(model, model->caps[cap].reason));
	tile__note(buf);
	markup__text(buf, model__str(model, model->caps[cap].reason));
	tile__end(buf);
}

/* Where all the time went: one bar with a legend that has every number in words. */
static void time_bar(struct buf *buf, const struct analysis *analysis)
{
	const int64_t *c = analysis->totals.c;
	int64_t sum = accounted_ns(c), busy = busy_ns(c);
	int64_t without_idle[COUNTER_CNT];

	if (!analysis->model->caps[CAP_WAITS].measured || sum <= 0)
		return;
	for (int i = 0; i < COUNTER_CNT; i++)
		without_idle[i] = i == COUNTER_IDLE ? 0 : c[i];
	buf__puts(buf, "<figure class=\"where\"><figcaption>Where the time went, all tasks, without"
		       " idle: ");
	format_ns(buf, busy);
	buf__puts(buf, "</figcaption>\n");
	markup__bar(buf, without_idle, busy);
	buf__puts(buf, "\n<ul class=\"legend\">\n");
	for (int i = 0; i < BAR_PART_CNT; i++) {
		int64_t ns = c[bar_parts[i].counter];

		buf__printf(buf, "<li><i class=\"k-%s\"></i>%s <b>", bar_parts[i].key,
			    bar_parts[i].label);
		format_ns(buf, ns);
		buf__puts(buf, "</b>");
		if (bar_parts[i].counter != COUNTER_IDLE && busy > 0) {
			buf__puts(buf, " <span class=\"dim\">");
			markup__percent(buf, (double)ns / busy);
			buf__puts(buf, "</span>");
		}
		buf__puts(buf, "</li>\n");
	}
	buf__puts(buf, "</ul></figure>\n");
}

void part_tiles(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;

	time_bar(buf, analysis);
	buf__puts(buf, "<dl class=\"tiles\">\n");
	tile_tasks(buf, analysis);
	tile_cpu(buf, analysis);
	tile_wait(buf, analysis, COUNTER_RUNQUEUE, "Run queue", "ready, but no CPU was free");
	tile_wait(buf, analysis, COUNTER_BLOCKED_DISK, "Disk", "blocked by the disk");
	tile_wait(buf, analysis, COUNTER_BLOCKED_NET, "Network", "blocked by the network");
	tile_wait(buf, analysis, COUNTER_BLOCKED_LOCK, "Locks", "blocked by a lock");
	tile_latencies(buf, model);
	tiles_memory(buf, analysis);
	tiles_io(buf, analysis);
	tiles_network(buf, analysis);
	buf__puts(buf, "</dl>\n");
	chart__all(buf, model);
}

void part_sums(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const struct totals *totals = &analysis->totals;
	int64_t folded = 0, listed;

	if (!model->caps[CAP_CPU].measured)
		return;
	for (size_t i = 0; i < model->class_cnt; i++)
		if (__builtin_add_overflow(folded, model->classes[i].folded_c[COUNTER_ON_CPU],
					   &folded))
			folded = INT64_MAX;
	buf__puts(buf, "<p class=\"sums\">CPU: <b>");
	if (__builtin_sub_overflow(totals->c[COUNTER_ON_CPU], folded, &listed))
		listed = 0;
	format_ns(buf, listed);
	buf__puts(buf, "</b> in the tasks below");
	if (folded) {
		buf__puts(buf, " + <b>");
		format_ns(buf, folded);
		buf__puts(buf, "</b> in folded tasks");
	}
	if (totals->unattributed_cpu_ns != NO_TIME && model->meta.process_cpu_ns != NO_TIME) {
		buf__puts(buf, " + <b>");
		format_ns(buf, totals->unattributed_cpu_ns);
		buf__puts(buf, "</b> not attributed = <b>");
		format_ns(buf, model->meta.process_cpu_ns);
		buf__puts(buf, "</b>, the process's own total");
	} else {
		buf__puts(buf, "; not attributed: ");
		markup__missing(buf, totals->unattributed_why
					     ? totals->unattributed_why
					     : "the process's CPU time is unknown");
	}
	buf__puts(buf, ".</p>\n");
}
