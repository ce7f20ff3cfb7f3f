/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about memory beside leaks (leaks.c): tasks that ended and still hold some, a heap that
 * grows without a place that does it, places that allocate without a pause. Run by analyze.c.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/heap.h"

/* What a task leaves behind when it ends may be its result, on its way to somebody: only that of tasks
 * which ended a while ago counts. */
#define ENDED_AGO_NS    (NS_PER_SEC / 2)
#define ENDED_MIN_BYTES (16 << 10)
#define ENDED_BAD_BYTES (1 << 20)

struct ended {
	uint64_t cnt, bytes;
	uint64_t task; /* the one that holds most */
	uint64_t task_bytes;
};

static void add_ended(struct ended *ended, const struct task *task, int64_t before)
{
	if (task->end_ns == NO_TIME || task->end_ns > before || !task->heap.current_cnt)
		return;
	ended->cnt = sat_addu(ended->cnt, 1);
	ended->bytes = sat_addu(ended->bytes, task->heap.current_bytes);
	if (task->heap.current_bytes <= ended->task_bytes)
		return;
	ended->task = task->id;
	ended->task_bytes = task->heap.current_bytes;
}

/* Is most of it what a leak is told of already? */
static bool is_told(const struct analysis *analysis, uint32_t class_idx)
{
	for (size_t i = 0; i < analysis->finding_cnt; i++)
		if (analysis->findings[i].class_idx == class_idx &&
		    !strcmp(analysis->findings[i].id, "memory_leak"))
			return true;
	return false;
}

static int report_ended(struct analysis *analysis, uint32_t class_idx, const struct ended *ended)
{
	const struct model *model = analysis->model;
	struct finding *finding;
	struct buf bytes = {};

	format_bytes(&bytes, ended->bytes);
	finding = bytes.err
			  ? NULL
			  : finding__new(analysis, "memory_held_by_ended_task",
					 ended->bytes >= ENDED_BAD_BYTES ? SEVERITY_WARNING
									 : SEVERITY_INFO,
					 "%llu task%s of %s finished still holding %s",
					 (unsigned long long)ended->cnt, ended->cnt == 1 ? "" : "s",
					 model__str(model, model->classes[class_idx].name),
					 buf__str(&bytes));
	buf__free(&bytes);
	if (!finding)
		return -ENOMEM;
	finding->confidence = 0.6; /* it may have been handed over to be kept */
	finding->cost_ns = (double)recording_ns(model) / 4;
	finding->class_idx = class_idx;
	finding->task = ended->task;
	finding__evidence(finding, "leaked.tasks", (double)ended->cnt, "count", 0);
	finding__evidence(finding, "leaked.bytes", (double)ended->bytes, "bytes", 0);
	if (ended->task)
		finding__evidence(finding, "memory_metrics.current_bytes",
				  (double)ended->task_bytes, "bytes", ended->task);
	return finding__advice(
		finding,
		"What a task allocated and nobody freed after its end is a result that others keep, "
		"or lost. The places are in hot_metrics.memory_hotspots of the class: those that "
		"hold more with every task that ends are lost.",
		"Let twice as many tasks end: leaked.bytes doubles if it is lost, and stays if it is "
		"kept for reuse.");
}

static int find_ended(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct ended *ended = calloc(model->class_cnt + 1, sizeof(*ended));
	int64_t before = sat_sub(recording_ns(model), ENDED_AGO_NS);
	int err = ended ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < model->task_cnt; i++)
		if (model->tasks[i].class_idx < model->class_cnt)
			add_ended(&ended[model->tasks[i].class_idx], &model->tasks[i], before);
	for (uint32_t i = 0; !err && i < model->class_cnt; i++) {
		ended[i].cnt = sat_addu(ended[i].cnt, model->classes[i].folded_leaking_cnt);
		ended[i].bytes = sat_addu(ended[i].bytes, model->classes[i].folded_leaked_bytes);
		if (ended[i].bytes >= ENDED_MIN_BYTES && !is_told(analysis, i))
			err = report_ended(analysis, i, &ended[i]);
	}
	free(ended);
	return err;
}

/* The heap of a program that was just attached to seems to grow: what was there before is replaced by
 * what is seen. So the second half of the recording has to grow like the first, and resident memory
 * with it. */
#define GROWTH_MIN_SAMPLES 20
#define GROWTH_MIN_BYTES   (1 << 20)
#define GROWTH_LATE_SHARE  0.5
#define GROWTH_TOLD_SHARE  0.5 /* by leaks that are told of */
#define GROWTH_RSS_SHARE   0.5

struct growth {
	size_t cnt;
	double rate, late_rate; /* bytes per second: of all of it, of its second half */
	double bytes;
};

static double least_of(const struct sample *samples, size_t cnt)
{
	double least = (double)samples[0].val;

	for (size_t i = 1; i < cnt; i++)
		least = (double)samples[i].val < least ? (double)samples[i].val : least;
	return least;
}

/* From the lowest value of each quarter: what goes up and down does not grow. */
static struct growth growth_of(const struct model *model)
{
	const struct sample *first = NULL;
	struct growth growth = {};
	double lows[4], len;

	for (size_t i = 0; i < model->sample_cnt; i++) {
		if (model->samples[i].series != SERIES_HEAP_LIVE)
			continue;
		if (!growth.cnt++)
			first = &model->samples[i];
	}
	if (growth.cnt < GROWTH_MIN_SAMPLES)
		return growth;
	for (size_t i = 0; i < 4; i++) {
		size_t from = growth.cnt * i / 4, to = growth.cnt * (i + 1) / 4;

		lows[i] = least_of(first + from, to - from);
		if (i && lows[i] <= lows[i - 1])
			return growth;
	}
	len = ((double)first[growth.cnt - 1].at_ns - (double)first->at_ns) / 1e9;
	if (len <= 0)
		return growth;
	/* the first and the last quarter are three quarters apart */
	growth.rate = (lows[3] - lows[0]) / (len * 3 / 4);
	growth.late_rate = (lows[3] - lows[2]) / (len / 4);
	growth.bytes = growth.rate * len;
	return growth;
}

static int report_growth(struct analysis *analysis, const struct growth *growth)
{
	const struct model *model = analysis->model;
	bool has_rss = model->caps[CAP_RSS].measured;
	struct finding *finding;
	struct buf text = {};

	format_bytes(&text, (uint64_t)growth->bytes);
	buf__puts(&text, " in ");
	format_ns(&text, recording_ns(model));
	buf__puts(&text, ", ");
	format_bytes(&text, (uint64_t)growth->late_rate);
	finding = text.err ? NULL
			   : finding__new(analysis, "memory_growth",
					  has_rss ? SEVERITY_WARNING : SEVERITY_INFO,
					  "The heap grows: by %s per second at the end, and no "
					  "single place does it",
					  buf__str(&text));
	buf__free(&text);
	if (!finding)
		return -ENOMEM;
	finding->confidence = has_rss ? 0.7 : 0.5;
	finding->cost_ns = (double)recording_ns(model) / 2;
	finding__evidence(finding, "heap_live_bytes, growth", growth->bytes, "bytes", 0);
	finding__evidence(finding, "bytes per second", growth->rate, "bytes", 0);
	finding__evidence(finding, "bytes per second, last quarter", growth->late_rate, "bytes", 0);
	if (has_rss)
		finding__evidence(finding, "memory_metrics.rss_growth_bytes",
				  (double)analysis->totals.c[COUNTER_RSS_GROWN], "bytes", 0);
	return finding__advice(
		finding,
		"Look at the places that hold most, and at their ages: a cache that is still being "
		"filled has a limit, a list that nobody shortens has none.",
		"Record again some minutes later: a cache will be full by then.");
}

static int find_growth(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct growth growth = growth_of(model);

	if (recording_ns(model) < LEAK_MIN_NS || growth.bytes < GROWTH_MIN_BYTES ||
	    growth.late_rate < GROWTH_LATE_SHARE * growth.rate ||
	    analysis->leak_rate >= GROWTH_TOLD_SHARE * growth.late_rate)
		return 0;
	if (model->caps[CAP_RSS].measured &&
	    (double)analysis->totals.c[COUNTER_RSS_GROWN] < GROWTH_RSS_SHARE * growth.bytes)
		return 0;
	return report_growth(analysis, &growth);
}

/* What a pair of malloc and free costs depends on the allocator and the size: that it is worth a look
 * is all that the numbers say. */
#define CHURN_MIN_RATE  100000 /* allocations per second */
#define CHURN_FREED     0.9
#define CHURN_LIFETIME  NS_PER_MS
#define CHURN_MIN_TIMED 100

static bool is_churn(const struct site_total *site, double seconds)
{
	return (double)site->alloc.cnt >= CHURN_MIN_RATE * seconds &&
	       (double)site->freed.cnt >= CHURN_FREED * (double)site->alloc.cnt &&
	       site->lifetime.cnt >= CHURN_MIN_TIMED &&
	       hist__percentile(&site->lifetime, 0.5) < CHURN_LIFETIME;
}

static int report_churn(struct analysis *analysis, const struct site_total *site, double seconds)
{
	const struct model *model = analysis->model;
	char label[OBJECT_LABEL_SZ], lasts[NS_TEXT_SZ];
	int64_t half = sat_i64(hist__percentile(&site->lifetime, 0.5));
	struct finding *finding = finding__new(
		analysis, "memory_churn", SEVERITY_INFO,
		"%s allocates %.0f times per second, %.0f bytes on average, and half of these last less "
		"than %s",
		object_label(model, site->object, 100, label), (double)site->alloc.cnt / seconds,
		(double)site->alloc.bytes / (double)site->alloc.cnt, ns_text(lasts, half));

	if (!finding)
		return -ENOMEM;
	finding->confidence = 0.8;
	finding->class_idx = site->class_idx;
	finding->task = site->task;
	finding__evidence(finding, "allocations", (double)site->alloc.cnt, "count", 0);
	finding__evidence(finding, "allocations per second", (double)site->alloc.cnt / seconds,
			  "count", 0);
	finding__evidence(finding, "bytes", (double)site->alloc.bytes, "bytes", 0);
	finding__evidence(finding, "lifetime_p50_ns", (double)half, "ns", 0);
	return finding__advice(
		finding,
		"Use the block again (a buffer that is kept, an arena, a pool by thread), or make room "
		"for many at once. What it costs was not measured here.",
		"`perf record -g -p PID`: the share of malloc and free below that place.");
}

static int find_churn(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	double seconds = (double)recording_ns(model) / 1e9;
	const struct site_total *worst = NULL;
	struct site_totals totals = {};
	int err = site_totals__add(&totals, model, model->uses, model->use_cnt);

	site_totals__rank(&totals);
	for (size_t i = 0; !err && seconds > 0 && i < totals.cnt; i++)
		if (is_churn(&totals.rows[i], seconds) &&
		    (!worst || totals.rows[i].alloc.cnt > worst->alloc.cnt))
			worst = &totals.rows[i];
	if (worst)
		err = report_churn(analysis, worst, seconds);
	site_totals__free(&totals);
	return err;
}

int pass_memory(struct analysis *analysis)
{
	const struct cap_state *caps = analysis->model->caps;
	int err = 0;

	if (caps[CAP_HEAP_LIVE].measured)
		err = find_ended(analysis);
	if (!err && caps[CAP_HEAP_LIVE].measured)
		err = find_growth(analysis);
	if (!err && caps[CAP_HEAP_SITES].measured)
		err = find_churn(analysis);
	return err;
}
