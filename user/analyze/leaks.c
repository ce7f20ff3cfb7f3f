/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about memory that is allocated over and over and never given back, by class and place.
 *
 * A recording sees only blocks that were allocated in it. Those of a leak are held at its end and
 * were allocated at all times alike. A cache that was warmed has none from later on, a queue none
 * from long ago, and what lives for long but not for ever has others that were freed at an age that
 * the held ones have reached, too. So what counts is the quarter of the recording from which the
 * fewest blocks are left, and whether blocks that became old were freed at all. What lives longer
 * than the recording looks like a leak: then blocks from before it are freed at the same pace, and
 * resident memory does not grow. Run by analyze.c.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/heap.h"

/* Shorter recordings do not tell a leak from what is used for some seconds. */
#define SURE_LEN_NS (10 * NS_PER_SEC)
#define MIN_BLOCKS  8 /* two from each quarter, if they are spread evenly */
#define MANY_BLOCKS 20
#define MIN_BYTES   (32 << 10)
#define MIN_RATE    1024 /* bytes per second */
#define BAD_RATE    (1 << 20)
/* A quarter that has at least this share of what it had if all were alike: they are spread evenly. */
#define EVEN_SHARE 0.5
/* Of those that became older than half the recording so many may have been freed. */
#define OLD_FREED_SHARE 0.005
/* Blocks from before the recording that were freed, and growth of resident memory, by these parts of
 * what is held: it may be steady. */
#define UNKNOWN_SHARE 0.7
#define RSS_SHARE     0.5
#define MAX_FINDINGS  3
#define QUARTERS      4

struct leak {
	const struct site_total *site;
	double bytes; /* what is leaked of what is held */
	double rate; /* bytes per second */
	double blocks; /* that were looked at: fewer than are held when they are sampled */
	double old_held, old_freed; /* older than half the recording, of these */
	bool is_even;
};

/* How many of a distribution are in each quarter of `len`, by their age. */
static void by_quarter(const struct hist *hist, int64_t len, double cnts[QUARTERS])
{
	for (int i = 0; i < QUARTERS; i++)
		cnts[i] = 0;
	for (size_t i = 0; i < hist->bucket_cnt; i++) {
		double low = (double)hist__idx_low(hist->buckets[i].idx);
		double quarter = low / (double)len * QUARTERS;

		cnts[quarter < QUARTERS ? (int)quarter : QUARTERS - 1] +=
			(double)hist->buckets[i].cnt;
	}
}

static double least(const double cnts[QUARTERS])
{
	double min = cnts[0];

	for (int i = 1; i < QUARTERS; i++)
		min = cnts[i] < min ? cnts[i] : min;
	return min;
}

/* Fills `leak`; false when it is none. */
static bool is_leak(const struct site_total *site, int64_t len, struct leak *leak)
{
	double held[QUARTERS], freed[QUARTERS], min, share;

	by_quarter(&site->age, len, held);
	by_quarter(&site->lifetime, len, freed);
	*leak = (struct leak){.site = site, .blocks = (double)site->age.cnt};
	leak->old_held = held[2] + held[3];
	leak->old_freed = freed[2] + freed[3];
	min = least(held);
	leak->is_even = min * QUARTERS >= EVEN_SHARE * leak->blocks;
	/* few blocks say something only when they are all of the same */
	if (leak->blocks < MIN_BLOCKS || min < (leak->is_even ? 1 : 3) ||
	    (!leak->is_even && leak->blocks < MANY_BLOCKS))
		return false;
	if (leak->old_freed > OLD_FREED_SHARE * leak->old_held)
		return false;
	/* beside a cache or a queue of the same place only a part of it is leaked */
	share = leak->is_even ? 1 : min * QUARTERS / leak->blocks;
	leak->bytes = share * (double)site->held.bytes;
	leak->rate = leak->bytes / ((double)len / NS_PER_SEC);
	return leak->bytes >= MIN_BYTES && leak->rate >= MIN_RATE;
}

static int by_rate(const void *a, const void *b)
{
	const struct leak *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate > y->rate ? -1 : 1;
	return x->site < y->site ? -1 : x->site > y->site;
}

static uint64_t counter_of(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->counter_cnt; i++)
		if (!strcmp(model__str(model, model->counters[i].name), name))
			return model->counters[i].val;
	return 0;
}

/* What speaks for and against all leaks together. */
struct evidence_sum {
	double unknown_frees;
	double rss_bytes; /* < 0: not measured, or the process gave memory back */
	bool may_be_steady; /* as many blocks from before were freed */
	bool contradicts; /* and resident memory did not grow */
};

static struct evidence_sum weigh(const struct analysis *analysis, const struct leak *leaks,
				 size_t cnt)
{
	const struct model *model = analysis->model;
	struct evidence_sum sum = {.rss_bytes = -1};
	double blocks = 0, bytes = 0;

	for (size_t i = 0; i < cnt; i++) {
		blocks += (double)leaks[i].site->held.cnt;
		bytes += leaks[i].bytes;
	}
	sum.unknown_frees = (double)counter_of(model, "heap_unknown_frees");
	if (model->caps[CAP_RSS].measured)
		sum.rss_bytes = (double)analysis->totals.c[COUNTER_RSS_GROWN];
	sum.may_be_steady = sum.unknown_frees >= UNKNOWN_SHARE * blocks;
	sum.contradicts = sum.may_be_steady && model->caps[CAP_RSS].measured &&
			  sum.rss_bytes < RSS_SHARE * bytes;
	return sum;
}

static double confidence_of(const struct analysis *analysis, const struct leak *leak,
			    const struct evidence_sum *sum)
{
	double confidence = 0.9;

	if (recording_ns(analysis->model) < SURE_LEN_NS)
		confidence -= 0.2;
	if (leak->blocks < MANY_BLOCKS)
		confidence -= 0.15;
	if (!leak->is_even)
		confidence -= 0.1;
	if (sum->may_be_steady)
		confidence -= sum->contradicts ? 0.4 : 0.2;
	return confidence > 0.2 ? confidence : 0.2;
}

static void leak_title(struct buf *title, const struct model *model, const struct leak *leak)
{
	const struct site_total *site = leak->site;
	char label[OBJECT_LABEL_SZ];

	buf__printf(title, "Memory leak: what %s allocates stays, ",
		    object_label(model, site->object, 100, label));
	format_bytes(title, (uint64_t)leak->rate);
	buf__puts(title, " more each second (");
	format_bytes(title, (uint64_t)leak->bytes);
	buf__puts(title, leak->is_even ? " in " : " of ");
	buf__printf(title, "%llu blocks from all of ", (unsigned long long)site->held.cnt);
	format_ns(title, recording_ns(model));
	if (site->class_idx != NO_IDX)
		buf__printf(title, ", by %s",
			    model__str(model, model->classes[site->class_idx].name));
	buf__puts(title, ")");
}

static void leak_evidence(struct finding *finding, const struct analysis *analysis,
			  const struct leak *leak, const struct evidence_sum *sum)
{
	const struct site_total *site = leak->site;

	finding__evidence(finding, "bytes per second", leak->rate, "bytes", 0);
	finding__evidence(finding, "held_bytes", (double)site->held.bytes, "bytes", 0);
	finding__evidence(finding, "held_blocks", (double)site->held.cnt, "count", 0);
	finding__evidence(finding, "allocations", (double)site->alloc.cnt, "count", 0);
	finding__evidence(finding, "held, older than half the recording", leak->old_held, "count",
			  0);
	finding__evidence(finding, "freed, older than half the recording", leak->old_freed, "count",
			  0);
	finding__evidence(finding, "heap_unknown_frees", sum->unknown_frees, "count", 0);
	if (analysis->model->caps[CAP_RSS].measured)
		finding__evidence(finding, "memory_metrics.rss_growth_bytes", sum->rss_bytes,
				  "bytes", 0);
}

static int report_leak(struct analysis *analysis, const struct leak *leak,
		       const struct evidence_sum *sum)
{
	enum severity severity = leak->rate >= BAD_RATE ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	struct finding *finding;
	struct buf title = {};

	leak_title(&title, analysis->model, leak);
	finding = title.err ? NULL
			    : finding__new(analysis, "memory_leak",
					   sum->contradicts ? SEVERITY_INFO : severity, "%s",
					   buf__str(&title));
	buf__free(&title);
	if (!finding)
		return -ENOMEM;
	/* no time is lost by it, until the memory is used up: as if one task had waited all along */
	finding->cost_ns = (double)recording_ns(analysis->model);
	finding->confidence = confidence_of(analysis, leak, sum);
	finding->class_idx = leak->site->class_idx;
	finding->task = leak->site->task;
	leak_evidence(finding, analysis, leak, sum);
	return finding__advice_fmt(
		finding,
		"Record for twice as long: the rate stays, and the oldest blocks are still held. A "
		"heap profiler's diff (heaptrack, jeprof, valgrind on a test system) names the same "
		"place.",
		"Look who is to free what is allocated there, and on which way out (errors, early "
		"returns, lists that only grow) nobody does.%s",
		sum->may_be_steady
			? " As many blocks from before the recording were freed meanwhile: if these "
			  "live longer than it, nothing grows, and a longer one will tell."
			: " What is meant to live longer than the recording looks the same: a longer "
			  "one will tell.");
}

/* Adds what leaks to `leaks`, which has room for all. */
static size_t find_leaks(const struct site_totals *totals, int64_t len, struct leak *leaks)
{
	size_t cnt = 0;

	for (size_t i = 0; i < totals->cnt; i++)
		cnt += is_leak(&totals->rows[i], len, &leaks[cnt]);
	qsort(leaks, cnt, sizeof(*leaks), by_rate);
	return cnt;
}

int pass_leaks(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct site_totals totals = {};
	struct leak *leaks = NULL;
	struct evidence_sum sum;
	int64_t len = recording_ns(model);
	size_t cnt;
	int err;

	if (!model->caps[CAP_HEAP_LIVE].measured || !model->caps[CAP_HEAP_SITES].measured ||
	    len < LEAK_MIN_NS)
		return 0;
	err = site_totals__add(&totals, model, model->uses, model->use_cnt);
	site_totals__rank_by_class(&totals);
	leaks = calloc(totals.cnt + 1, sizeof(*leaks));
	if (!err && !leaks)
		err = -ENOMEM;
	if (!err) {
		cnt = find_leaks(&totals, len, leaks);
		sum = weigh(analysis, leaks, cnt);
		for (size_t i = 0; !err && i < cnt; i++) {
			analysis->leak_rate += leaks[i].rate;
			if (i < MAX_FINDINGS)
				err = report_leak(analysis, &leaks[i], &sum);
		}
	}
	free(leaks);
	site_totals__free(&totals);
	return err;
}
