/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long blocks live, by class: bars by powers of two, drawn as SVG when the page is written, with
 * the same in words. Called by memory.c.
 */
#include "report/lifetimes.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/uses.h"
#include "report/markup.h"
#include "report/sections.h"

#define CHARTS 6
#define LOGS   64
#define HIGH   100

struct lifetimes {
	struct hist hist;
	uint32_t class_idx;
};

static uint32_t class_of(const struct model *model, const struct use *use)
{
	const struct task *task = use->task ? model__task(model, use->task) : NULL;
	uint32_t class_idx = task ? task->class_idx : use->class_idx;

	return class_idx < model->class_cnt ? class_idx : (uint32_t)model->class_cnt;
}

/* By class, and behind them those of no class; NULL when memory ran out. */
static struct lifetimes *gather(const struct model *model)
{
	static const struct use_filter frees = {OP_BIT(FREE), KINDS_SITE};
	struct lifetimes *rows = calloc(model->class_cnt + 1, sizeof(*rows));

	for (uint32_t i = 0; rows && i <= model->class_cnt; i++)
		rows[i].class_idx = i;
	for (size_t i = 0; rows && i < model->use_cnt; i++)
		if (use_fits(model, &model->uses[i], &frees))
			hist__merge(&rows[class_of(model, &model->uses[i])].hist,
				    &model->uses[i].latency);
	return rows;
}

static int by_cnt(const void *a, const void *b)
{
	const struct lifetimes *x = a, *y = b;

	if (x->hist.cnt != y->hist.cnt)
		return x->hist.cnt > y->hist.cnt ? -1 : 1;
	return x->class_idx < y->class_idx ? -1 : 1;
}

/* The bars between the first and the last power of two that has any. */
static void bars(struct buf *buf, const struct hist *hist, int *first, int *last)
{
	uint64_t cnts[LOGS] = {0}, top = 1;

	for (size_t i = 0; i < hist->bucket_cnt; i++) {
		uint64_t low = hist__idx_low(hist->buckets[i].idx);
		int log2 = low ? 63 - __builtin_clzll(low) : 0;

		cnts[log2] = sat_addu(cnts[log2], hist->buckets[i].cnt);
		top = cnts[log2] > top ? cnts[log2] : top;
	}
	for (*first = 0; *first < LOGS - 1 && !cnts[*first];)
		(*first)++;
	for (*last = LOGS - 1; *last > *first && !cnts[*last];)
		(*last)--;
	buf__printf(buf, " viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\">",
		    (*last - *first + 1) * 10, HIGH);
	for (int i = *first; i <= *last; i++) {
		double high = (double)cnts[i] / top * HIGH;

		/* a single one among millions is seen, too */
		if (cnts[i])
			buf__printf(buf,
				    "<rect class=\"s-run\" x=\"%d\" y=\"%.1f\" width=\"9\""
				    " height=\"%.1f\"/>",
				    (i - *first) * 10, HIGH - (high < 2 ? 2 : high),
				    high < 2 ? 2 : high);
	}
	buf__puts(buf, "</svg>");
}

/* "n 1,234, half of them less than 50 us, 99% less than 2 ms, longest 3 s" */
static void words(struct buf *buf, const struct hist *hist)
{
	int64_t p50 = known_percentile(hist, 0.5), p99 = known_percentile(hist, 0.99);

	buf__puts(buf, "n ");
	markup__count(buf, hist->cnt);
	if (p50 != COLUMN_NULL) {
		buf__puts(buf, ", half of them less than ");
		format_ns(buf, p50);
	}
	if (p99 != COLUMN_NULL) {
		buf__puts(buf, ", 99% less than ");
		format_ns(buf, p99);
	}
	buf__puts(buf, ", longest ");
	format_ns(buf, hist_part(hist, HIST_MAX));
}

static void end_ns(struct buf *buf, int log2)
{
	format_ns(buf, log2 < 63 ? (int64_t)1 << log2 : INT64_MAX);
}

static void chart(struct buf *buf, const struct model *model, const struct lifetimes *row)
{
	int first, last;

	buf__puts(buf, "<figure class=\"chart\"><figcaption><bdi>");
	if (row->class_idx < model->class_cnt)
		markup__id_or_unknown(buf, model, model->classes[row->class_idx].name);
	else
		buf__puts(buf, "(no class)");
	buf__puts(buf, "</bdi> <span class=\"dim\">");
	words(buf, &row->hist);
	buf__puts(buf,
		  "</span></figcaption>\n<svg class=\"plot\" role=\"img\" aria-label=\"how many"
		  " blocks lived how long: ");
	words(buf, &row->hist);
	buf__puts(buf, "\"");
	bars(buf, &row->hist, &first, &last);
	buf__puts(buf, "\n<p class=\"ends\"><span>");
	end_ns(buf, first);
	buf__puts(buf, "</span><span>");
	end_ns(buf, last + 1);
	buf__puts(buf, "</span></p></figure>\n");
}

void part_lifetimes(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct lifetimes *rows;

	if (!model->caps[CAP_HEAP_LIVE].measured || !model->caps[CAP_HEAP_SITES].measured)
		return;
	rows = gather(model);
	if (!rows) {
		buf->err = buf->err ? buf->err : -ENOMEM;
		return;
	}
	qsort(rows, model->class_cnt + 1, sizeof(*rows), by_cnt);
	buf__puts(buf, "<h3>How long blocks live</h3>\n");
	if (!rows[0].hist.cnt)
		buf__puts(buf, "<p>No block was freed whose allocation was seen.</p>\n");
	else
		buf__puts(buf, "<p class=\"dim\">From their allocation until they were freed; each"
			       " bar stands for lives twice as long as the one before it.</p>\n"
			       "<div class=\"charts\">\n");
	for (size_t i = 0; i < CHARTS && i <= model->class_cnt && rows[i].hist.cnt; i++)
		chart(buf, model, &rows[i]);
	buf__puts(buf, rows[0].hist.cnt ? "</div>\n" : "");
	for (size_t i = 0; i <= model->class_cnt; i++)
		hist__free(&rows[i].hist);
	free(rows);
}
