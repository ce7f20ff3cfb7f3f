/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Charts drawn as SVG when the page is written: they need no script. A chart has BINS points at
 * most; where a bin has more samples, the band between its least and its largest is filled, so that
 * a short peak is never averaged away.
 */
#include "report/charts.h"

#include "analyze/analyze.h"
#include "report/markup.h"

#define BINS  240
#define HIGH  100
#define BYTES -1

static const struct {
	const char *label;
	enum model_cap cap;
	const char *key; /* the CSS class of its colour */
	int64_t scale; /* of the model's value; BYTES: it is in bytes */
} rows[SERIES_CNT] = {
	[SERIES_CONNECTIONS] = {"Connections open", CAP_NETWORK, "net", 1},
	[SERIES_IO_QUEUE] = {"File operations in flight, mean", CAP_IO, "disk", 1000},
	[SERIES_DISK_IN_FLIGHT] = {"Disk requests in flight", CAP_DISK, "disk", 1},
	[SERIES_HEAP_LIVE] = {"Memory held", CAP_HEAP_LIVE, "run", BYTES},
};

struct series_stats series__stats(const struct model *model, enum model_series series)
{
	struct series_stats stats = {0};

	for (size_t i = 0; i < model->sample_cnt; i++) {
		const struct sample *sample = &model->samples[i];

		if (sample->series != series)
			continue;
		if (!stats.cnt++)
			stats = (struct series_stats){sample, sample, 1, sample->val, 0};
		if (sample->val < stats.min)
			stats.min = sample->val;
		if (sample->val > stats.highest->val)
			stats.highest = sample;
		stats.last = sample->val;
	}
	return stats;
}

struct bin {
	int64_t min, max, last;
	bool used;
};

/* A gauge keeps its value until the next tick: bins without one take that of the bin before. */
static void fill_bins(struct bin bins[BINS], const struct series_stats *stats, int64_t duration)
{
	for (size_t i = 0; i < stats->cnt; i++) {
		const struct sample *sample = &stats->first[i]; /* they are sorted by series */
		double share = (double)sample->at_ns / duration;
		struct bin *bin = &bins[share <= 0   ? 0
					: share >= 1 ? BINS - 1
						     : (int)(share * BINS)];

		if (!bin->used)
			*bin = (struct bin){sample->val, sample->val, sample->val, true};
		if (sample->val < bin->min)
			bin->min = sample->val;
		if (sample->val > bin->max)
			bin->max = sample->val;
		bin->last = sample->val;
	}
	for (int i = 1; i < BINS; i++)
		if (!bins[i].used && bins[i - 1].used)
			bins[i] = (struct bin){bins[i - 1].last, bins[i - 1].last, bins[i - 1].last,
					       true};
}

static double height_of(int64_t val, int64_t top)
{
	double share = top > 0 ? (double)val / top : 0;

	return HIGH - HIGH * (share < 0 ? 0 : share > 1 ? 1 : share);
}

/* In steps: forth along the upper border of the band, back along the lower one. */
static void edge(struct buf *buf, const struct bin bins[BINS], int64_t top, bool forth, bool *begun)
{
	for (int i = forth ? 0 : BINS - 1; i >= 0 && i < BINS; i += forth ? 1 : -1) {
		if (!bins[i].used)
			continue;
		buf__printf(buf, "%c%d %.1f", *begun ? 'L' : 'M', forth ? i : i + 1,
			    height_of(forth ? bins[i].max : bins[i].min, top));
		buf__printf(buf, "H%d", forth ? i + 1 : i);
		*begun = true;
	}
}

/* The inside of the <svg>, which the caller opened. */
static void path(struct buf *buf, const struct model *model, const struct series_stats *stats,
		 const char *key)
{
	struct bin bins[BINS] = {0};
	int64_t duration = model->meta.duration_ns > 0 ? model->meta.duration_ns : 1;
	bool begun = false;

	fill_bins(bins, stats, duration);
	buf__printf(buf,
		    " viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\"><path class=\"s-%s\""
		    " d=\"",
		    BINS, HIGH, key);
	edge(buf, bins, stats->highest->val, true, &begun);
	edge(buf, bins, stats->highest->val, false, &begun);
	buf__puts(buf, "Z\"/></svg>");
}

static void number(struct buf *buf, int64_t val, int64_t scale)
{
	if (scale == BYTES)
		format_bytes(buf, val < 0 ? 0 : val);
	else if (scale > 1)
		buf__printf(buf, "%.2f", (double)val / scale);
	else if (val >= 0)
		markup__count(buf, val);
	else
		buf__printf(buf, "%lld", (long long)val);
}

/* "min 6, max 26 (at 12.3 s), last 6" */
static void numbers(struct buf *buf, const struct series_stats *stats, int64_t scale)
{
	buf__puts(buf, "min ");
	number(buf, stats->min, scale);
	buf__puts(buf, ", max ");
	number(buf, stats->highest->val, scale);
	buf__puts(buf, " (at ");
	format_ns(buf, stats->highest->at_ns);
	buf__puts(buf, "), last ");
	number(buf, stats->last, scale);
}

static void figure(struct buf *buf, const struct model *model, enum model_series series)
{
	struct series_stats stats = series__stats(model, series);
	const struct cap_state *cap = &model->caps[rows[series].cap];

	buf__puts(buf, "<figure class=\"chart\" title=\"");
	markup__text(buf, series_meaning(series));
	buf__printf(buf, "\"><figcaption>%s", rows[series].label);
	if (!cap->measured || !stats.cnt) {
		buf__puts(buf, " ");
		markup__missing(buf, !cap->measured ? model__str(model, cap->reason)
						    : "no sample of it was taken");
		buf__puts(buf, "</figcaption></figure>\n");
		return;
	}
	buf__puts(buf, " <span class=\"dim\">");
	numbers(buf, &stats, rows[series].scale);
	buf__printf(buf,
		    "</span></figcaption>\n<svg class=\"plot\" role=\"img\" aria-label=\"%s"
		    " over time: ",
		    rows[series].label);
	numbers(buf, &stats, rows[series].scale);
	buf__puts(buf, "\"");
	path(buf, model, &stats, rows[series].key);
	buf__puts(buf, "\n<p class=\"ends\"><span>0 s</span><span>");
	if (model->meta.duration_ns > 0)
		format_ns(buf, model->meta.duration_ns);
	buf__puts(buf, "</span></p></figure>\n");
}

void chart__spark(struct buf *buf, const struct model *model, enum model_series series)
{
	struct series_stats stats = series__stats(model, series);

	if (!stats.cnt)
		return;
	buf__puts(buf, "<svg class=\"spark\" aria-hidden=\"true\"");
	path(buf, model, &stats, rows[series].key);
}

void chart__all(struct buf *buf, const struct model *model)
{
	bool any = false;

	for (int series = 0; series < SERIES_CNT; series++)
		any |= model->caps[rows[series].cap].measured;
	if (!any) /* the tiles say why */
		return;
	buf__puts(buf, "<div class=\"charts\">\n");
	for (int series = 0; series < SERIES_CNT; series++)
		figure(buf, model, series);
	buf__puts(buf, "</div>\n");
}
