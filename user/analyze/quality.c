/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about the recording itself: what was lost, and CPU time of the process that no task
 * accounts for. They say how far the other numbers can be trusted, and are never the verdict.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOSS_WARNING        0.001 /* of all records */
#define LOSS_CRITICAL       0.05
#define UNATTRIBUTED_SHARE  0.05
#define UNATTRIBUTED_MIN_NS (20 * NS_PER_MS)
#define UNATTRIBUTED_SEVERE 0.20

/* What helps against a loss, by the counter's name. */
static const struct {
	const char *name;
	const char *remedy;
} remedies[] = {
	{"ring_full", "Give the ring more room with --ring, or record fewer tasks."},
	{"ring_busy",
	 "The ring was locked by a preempted writer: record for longer, few are normal."},
	{"tasks_full", "Record for less time, or fewer processes."},
	{"edges_full", "Record for less time; sums per task are not affected."},
	{"targets_full", "Record fewer processes (no -f, a smaller cgroup)."},
	{"heap_full", "Keep more blocks with --heap-entries, or sample them with --heap sampled."},
	{"heap_missed_frees", "The blocks concerned are no leaks: they are counted as freed."},
	{"frames_deep", "Tasks nest deeper than 16: inner ones are charged to the 16th."},
};

static const struct counter *largest_loss(const struct model *model)
{
	const struct counter *top = NULL;

	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (model->counters[i].is_loss && model->counters[i].val > (top ? top->val : 0))
			top = &model->counters[i];
	}
	return top;
}

static const char *remedy_of(const char *name)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		if (!strcmp(remedies[i].name, name))
			return remedies[i].remedy;
	}
	return "See what the counter means; the tasks concerned may be under-counted.";
}

/* What could be lost: records, and calls of the allocator, which are counted in BPF and make none;
 * negative where it is not known. */
static double seen_events(const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const int64_t *c = analysis->totals.c;
	double seen = (double)model->meta.records_seen;

	if (model->meta.records_seen == NO_TIME || model->meta.records_seen < 0)
		return -1;
	if (model->caps[CAP_HEAP].measured && c[COUNTER_HEAP_ALLOCS] > 0)
		seen += (double)c[COUNTER_HEAP_ALLOCS];
	if (model->caps[CAP_HEAP].measured && c[COUNTER_HEAP_FREES] > 0)
		seen += (double)c[COUNTER_HEAP_FREES];
	return seen;
}

static int find_losses(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const struct counter *top = largest_loss(model);
	uint64_t lost = model__losses(model);
	double seen = seen_events(analysis);
	enum severity severity = SEVERITY_WARNING;
	char of_all[96] = "";
	struct finding *finding;

	if (!top || !lost)
		return 0;
	if (seen >= 0) {
		double share = (double)lost / ((double)lost + seen);

		severity = share >= LOSS_CRITICAL  ? SEVERITY_CRITICAL
			   : share >= LOSS_WARNING ? SEVERITY_WARNING
						   : SEVERITY_INFO;
		snprintf(of_all, sizeof(of_all), " (%.2g%% of the %s)", share * 100,
			 model->caps[CAP_HEAP].measured ? "records and calls of the allocator"
							: "records");
	}
	finding = finding__new(analysis, "losses", severity,
			       "%llu event%s lost or not understood%s, most of them %s (%llu)",
			       (unsigned long long)lost, lost == 1 ? " was" : "s were", of_all,
			       model__str(model, top->name), (unsigned long long)top->val);
	if (!finding)
		return -ENOMEM;
	finding->is_quality = true;
	finding->confidence = 1;
	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (model->counters[i].is_loss && model->counters[i].val)
			finding__evidence(finding, model__str(model, model->counters[i].name),
					  (double)model->counters[i].val, "count", 0);
	}
	return finding__advice_fmt(finding, "The losses of a new recording.", "%s: %s. %s",
				   model__str(model, top->name), model__str(model, top->meaning),
				   remedy_of(model__str(model, top->name)));
}

static int find_unattributed(struct analysis *analysis)
{
	int64_t process = analysis->model->meta.process_cpu_ns;
	int64_t rest = analysis->totals.unattributed_cpu_ns;
	double size = rest < 0 ? -(double)rest : (double)rest;
	char text[NS_TEXT_SZ], all[NS_TEXT_SZ];
	struct finding *finding;
	double share;

	if (rest == NO_TIME || process <= 0 || size < UNATTRIBUTED_MIN_NS)
		return 0;
	share = size / (double)process;
	if (share < UNATTRIBUTED_SHARE)
		return 0;
	finding = finding__new(
		analysis, "unattributed",
		share >= UNATTRIBUTED_SEVERE ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		rest > 0
			? "%s of the process's CPU time belongs to no task (%.1f%% of %s)"
			: "The tasks account for %s more CPU time than the process used (%.1f%% of %s)",
		ns_text(text, (int64_t)size), share * 100, ns_text(all, process));
	if (!finding)
		return -ENOMEM;
	finding->is_quality = true;
	finding->confidence = 1;
	finding__evidence(finding, "unattributed_cpu_ns", (double)rest, "ns", 0);
	finding__evidence(finding, "process_cpu_ns", (double)process, "ns", 0);
	finding__evidence(finding, "time.on_cpu_ns", (double)analysis->totals.c[COUNTER_ON_CPU],
			  "ns", 0);
	return finding__advice(
		finding,
		"Shares of single tasks may be off by this much. Threads that begin and end within "
		"milliseconds and a lossy ring are the usual reasons.",
		"A longer recording, and the losses above: both should lower it.");
}

int pass_quality(struct analysis *analysis)
{
	int err = find_losses(analysis);

	return err ? err : find_unattributed(analysis);
}
