/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The durations' histogram: filled by the feed, merged and read by analyze/ and the exporters. */
#include "base/hist.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define STEPS      16 /* per power of two */
#define STEPS_LOG2 4
#define IDX_CNT    ((64 - STEPS_LOG2 + 1) * STEPS)

/* Below 16 each value has its own bucket; from there on 16 for each power of two. */
uint16_t hist__idx(uint64_t val)
{
	unsigned int exp;

	if (val < STEPS)
		return (uint16_t)val;
	exp = 63 - (unsigned int)__builtin_clzll(val);
	return (uint16_t)((exp - STEPS_LOG2 + 1) * STEPS +
			  ((val >> (exp - STEPS_LOG2)) & (STEPS - 1)));
}

uint64_t hist__idx_low(uint16_t idx)
{
	if (idx < STEPS)
		return idx;
	if (idx >= IDX_CNT)
		return UINT64_MAX;
	return (uint64_t)(STEPS + idx % STEPS) << (idx / STEPS - 1);
}

static uint64_t add_sat(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* When memory runs out the entry still counts in cnt, total and max. */
static void bucket_add(struct hist *hist, uint16_t idx, uint64_t cnt)
{
	size_t lo = 0, hi = hist->bucket_cnt;

	hist->cnt = add_sat(hist->cnt, cnt);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (hist->buckets[mid].idx < idx)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == hist->bucket_cnt || hist->buckets[lo].idx != idx) {
		if (array__reserve((void **)&hist->buckets, &hist->bucket_cap, hist->bucket_cnt + 1,
				   sizeof(*hist->buckets)))
			return;
		memmove(hist->buckets + lo + 1, hist->buckets + lo,
			(hist->bucket_cnt - lo) * sizeof(*hist->buckets));
		hist->bucket_cnt++;
		hist->buckets[lo] = (struct hist_bucket){.idx = idx};
	}
	hist->buckets[lo].cnt = add_sat(hist->buckets[lo].cnt, cnt);
}

void hist__add(struct hist *hist, uint64_t val, uint64_t cnt)
{
	uint64_t sum;

	if (!cnt)
		return;
	bucket_add(hist, hist__idx(val), cnt);
	if (__builtin_mul_overflow(val, cnt, &sum))
		sum = UINT64_MAX;
	hist->total = add_sat(hist->total, sum);
	if (val > hist->max)
		hist->max = val;
}

void hist__add_range(struct hist *hist, uint64_t lo, uint64_t hi, uint64_t cnt)
{
	if (cnt)
		bucket_add(hist, hist__idx(hi > lo ? lo + (hi - lo) / 2 : lo), cnt);
}

void hist__merge(struct hist *to, const struct hist *from)
{
	uint64_t cnt = add_sat(to->cnt, from->cnt);

	for (size_t i = 0; i < from->bucket_cnt; i++)
		bucket_add(to, from->buckets[i].idx, from->buckets[i].cnt);
	to->cnt = cnt; /* what has no bucket for want of memory counts too */
	to->total = add_sat(to->total, from->total);
	if (from->max > to->max)
		to->max = from->max;
}

uint64_t hist__percentile(const struct hist *hist, double share)
{
	double rank = share * (double)hist->cnt;
	uint64_t seen = 0;

	if (!hist->cnt)
		return 0;
	if (share >= 1)
		return hist->max;
	for (size_t i = 0; i < hist->bucket_cnt; i++) {
		uint64_t low, high, mid;

		seen = add_sat(seen, hist->buckets[i].cnt);
		/* The first bucket that reaches the rank; a rank of 0 is the smallest entry. */
		if (!seen || (double)seen < rank)
			continue;
		low = hist__idx_low(hist->buckets[i].idx);
		high = hist__idx_low((uint16_t)(hist->buckets[i].idx + 1));
		mid = low + (high - low - (high > low)) / 2;
		return mid < hist->max ? mid : hist->max;
	}
	return hist->max;
}

void hist__free(struct hist *hist)
{
	if (!hist)
		return;
	free(hist->buckets);
	memset(hist, 0, sizeof(*hist));
}
