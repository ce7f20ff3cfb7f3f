/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section "timeline": a lane per thread, the recording cut into bins, in each bin the share of
 * each state as 0..255. What a slice was charged is spread evenly over the time that it covers,
 * which is exact to the length of a slice (200 ms at most where something runs). Called by html.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/map64.h"
#include "report/markup.h"
#include "report/sections.h"

#define BINS     480
#define FULL_BIN 255

struct lane {
	uint32_t tid;
	int64_t busy_ns;
	double (*bins)[BAR_PART_CNT]; /* BINS of them; NULL for lanes that are not shown */
};

struct timeline {
	const struct model *model;
	struct map64 lane_idx; /* tid -> index in lanes */
	struct lane *lanes;
	size_t lane_cnt, lane_cap;
	size_t shown;
	double bin_ns;
	int err;
};

static struct lane *lane_get(struct timeline *timeline, uint32_t tid)
{
	uint64_t idx;
	int err;

	if (map64__get(&timeline->lane_idx, tid, &idx))
		return &timeline->lanes[idx];
	err = array__reserve((void **)&timeline->lanes, &timeline->lane_cap, timeline->lane_cnt + 1,
			     sizeof(*timeline->lanes));
	if (!err)
		err = map64__set(&timeline->lane_idx, tid, timeline->lane_cnt);
	if (err) {
		timeline->err = err;
		return NULL;
	}
	timeline->lanes[timeline->lane_cnt] = (struct lane){.tid = tid};
	return &timeline->lanes[timeline->lane_cnt++];
}

/* What a slice is charged stands in wire order; the bar's order picks from it. */
static void slice_counters(const struct slice *slice, int64_t counters[COUNTER_CNT])
{
	for (int i = 0; i < COUNTER_CNT; i++)
		counters[i] = i < (int)SLICE_TIMES ? slice->c[i] : 0;
}

static void find_lanes(struct timeline *timeline)
{
	const struct model *model = timeline->model;
	int64_t counters[COUNTER_CNT];

	for (size_t i = 0; i < model->slice_cnt && !timeline->err; i++) {
		struct lane *lane = lane_get(timeline, model->slices[i].tid);

		slice_counters(&model->slices[i], counters);
		if (lane &&
		    __builtin_add_overflow(lane->busy_ns, busy_ns(counters), &lane->busy_ns))
			lane->busy_ns = INT64_MAX;
	}
}

static int compare_lanes(const void *a, const void *b)
{
	const struct lane *left = a, *right = b;

	if (left->busy_ns != right->busy_ns)
		return left->busy_ns < right->busy_ns ? 1 : -1;
	return (left->tid > right->tid) - (left->tid < right->tid);
}

static void rank_lanes(struct timeline *timeline)
{
	if (!timeline->lane_cnt)
		return;
	qsort(timeline->lanes, timeline->lane_cnt, sizeof(*timeline->lanes), compare_lanes);
	timeline->shown = timeline->lane_cnt < LANES_MAX ? timeline->lane_cnt : LANES_MAX;
	for (size_t i = 0; i < timeline->lane_cnt; i++) {
		map64__set(&timeline->lane_idx, timeline->lanes[i].tid,
			   i); /* replaces: no memory */
		if (i >= timeline->shown)
			continue;
		timeline->lanes[i].bins = calloc(BINS, sizeof(*timeline->lanes[i].bins));
		if (!timeline->lanes[i].bins)
			timeline->err = -ENOMEM;
	}
}

static void spread(struct timeline *timeline, struct lane *lane, const struct slice *slice)
{
	double start = slice->start_ns, dur = slice->dur_ns > 0 ? slice->dur_ns : 1;
	double end = start + dur, bin_ns = timeline->bin_ns;
	int64_t counters[COUNTER_CNT];

	if (end <= 0 || start >= bin_ns * BINS)
		return;
	slice_counters(slice, counters);
	for (size_t bin = start > 0 ? start / bin_ns : 0; bin < BINS && bin * bin_ns < end; bin++) {
		double from = bin * bin_ns > start ? bin * bin_ns : start;
		double to = (bin + 1) * bin_ns < end ? (bin + 1) * bin_ns : end;

		for (int part = 0; part < BAR_PART_CNT && to > from; part++)
			lane->bins[bin][part] +=
				counters[bar_parts[part].counter] * (to - from) / dur;
	}
}

static void fill_bins(struct timeline *timeline)
{
	const struct model *model = timeline->model;
	uint64_t idx;

	for (size_t i = 0; i < model->slice_cnt; i++)
		if (map64__get(&timeline->lane_idx, model->slices[i].tid, &idx) &&
		    idx < timeline->shown)
			spread(timeline, &timeline->lanes[idx], &model->slices[i]);
}

/* A share of the bin. What is there at all is at least 1; what nested frames were charged for the
 * same moments twice is scaled down, so that a bin is never more than full. */
static int64_t share_of(const struct timeline *timeline, const double *parts, int part)
{
	double sum = 0, full = timeline->bin_ns, share;

	for (int i = 0; i < BAR_PART_CNT; i++)
		sum += parts[i];
	if (sum > full)
		full = sum;
	share = parts[part] * FULL_BIN / full;
	return share <= 0         ? 0
	       : share < 1        ? 1
	       : share > FULL_BIN ? FULL_BIN
				  : (int64_t)(share + 0.5);
}

static void write_bins(struct timeline *timeline, struct columns *out)
{
	int64_t *vals = malloc((out->rows ? out->rows : 1) * sizeof(*vals));

	if (!vals) {
		out->err = -ENOMEM;
		return;
	}
	for (int part = 0; part < BAR_PART_CNT; part++) {
		for (size_t i = 0; i < out->rows; i++)
			vals[i] =
				share_of(timeline, timeline->lanes[i / BINS].bins[i % BINS], part);
		columns__add(out, bar_parts[part].key, vals);
	}
	free(vals);
}

static void write_head(struct timeline *timeline, struct json *head)
{
	const struct model *model = timeline->model;
	int64_t seen = model->meta.slices_seen;

	json__kv_u64(head, "bins", BINS);
	json__kv_f64(head, "bin_ns", timeline->bin_ns);
	json__kv_u64(head, "lanes_total", timeline->lane_cnt);
	json__kv_u64(head, "slices", model->slice_cnt);
	if (seen != NO_TIME)
		json__kv_i64(head, "slices_seen", seen);
	if (!model->caps[CAP_CPU].measured)
		json__kv_str(head, "why", model__str(model, model->caps[CAP_CPU].reason));
	if (!model->caps[CAP_WAITS].measured)
		json__kv_str(head, "why_waits", model__str(model, model->caps[CAP_WAITS].reason));
	json__key(head, "lanes");
	json__arr_begin(head);
	for (size_t i = 0; i < timeline->shown; i++)
		json__u64(head, timeline->lanes[i].tid);
	json__arr_end(head);
}

int section_timeline(const struct model *model, FILE *file)
{
	struct timeline timeline = {.model = model};
	struct columns out;
	int err;

	if (model->meta.duration_ns > 0) { /* NO_TIME is negative */
		timeline.bin_ns = (double)model->meta.duration_ns / BINS;
		find_lanes(&timeline);
		if (!timeline.err)
			rank_lanes(&timeline);
		if (!timeline.err)
			fill_bins(&timeline);
	}
	columns__start(&out, timeline.shown * BINS);
	if (timeline.err)
		out.err = timeline.err;
	if (!out.err) {
		write_head(&timeline, &out.head);
		write_bins(&timeline, &out);
	}
	err = columns__finish(&out, "as-timeline", file);
	for (size_t i = 0; i < timeline.lane_cnt; i++)
		free(timeline.lanes[i].bins);
	free(timeline.lanes);
	map64__free(&timeline.lane_idx);
	return err;
}
