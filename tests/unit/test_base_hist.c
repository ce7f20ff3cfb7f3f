/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The histogram, against sorted arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hist.h"
#include "tap.h"

static void test_borders(void)
{
	bool good = true;
	uint16_t last = hist__idx(UINT64_MAX);

	for (unsigned int idx = 0; idx <= last; idx++) {
		uint64_t low = hist__idx_low((uint16_t)idx);

		good &= hist__idx(low) == idx;
		good &= !low || hist__idx(low - 1) == idx - 1;
	}
	ok(good, "the low border of each of %u buckets is in it, the value before is not",
	   last + 1u);
	ok(hist__idx_low((uint16_t)(last + 1)) == UINT64_MAX &&
		   hist__idx_low(UINT16_MAX) == UINT64_MAX,
	   "an index outside has a border too");
	good = true;
	for (unsigned int idx = 16; idx < last; idx++) {
		uint64_t low = hist__idx_low((uint16_t)idx);

		good &= (double)(hist__idx_low((uint16_t)(idx + 1)) - low) <= (double)low / 16 + 1;
	}
	ok(good, "no bucket is wider than 1/16 of its value");
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void test_percentiles(unsigned int seed, size_t cnt)
{
	uint64_t *vals = calloc(cnt, sizeof(*vals)), total = 0;
	const double shares[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999};
	struct hist hist = {}, parts[2] = {};
	bool good = true, same = true;
	double worst = 0;

	for (size_t i = 0; i < cnt; i++) {
		vals[i] = (uint64_t)rand_r(&seed) << 10 >> rand_r(&seed) % 40;
		total += vals[i];
		hist__add(&hist, vals[i], 1);
		hist__add(&parts[i % 2], vals[i], 1);
	}
	qsort(vals, cnt, sizeof(*vals), compare);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		double exact = shares[i] * (double)cnt;
		size_t rank = (size_t)exact + (exact > (double)(size_t)exact);
		double want = (double)vals[rank ? rank - 1 : 0];
		double got = (double)hist__percentile(&hist, shares[i]);
		double off = (got > want ? got - want : want - got) / (want > 1 ? want : 1);

		worst = off > worst ? off : worst;
		good &= got <= (double)hist.max;
	}
	ok(good && worst < 0.032, "percentiles of %zu values within 3.2%% (%.2f%%)", cnt,
	   100 * worst);
	ok(hist.cnt == cnt && hist.total == total && hist.max == vals[cnt - 1] &&
		   hist__percentile(&hist, 1) == hist.max,
	   "count, total and maximum are exact");
	hist__merge(&parts[0], &parts[1]);
	for (double share = 0; share <= 1; share += 0.01)
		same &= hist__percentile(&parts[0], share) == hist__percentile(&hist, share);
	ok(same && parts[0].cnt == hist.cnt && parts[0].total == hist.total &&
		   parts[0].max == hist.max && parts[0].bucket_cnt == hist.bucket_cnt,
	   "two halves merge to the whole");
	hist__free(&hist);
	hist__free(&parts[0]);
	hist__free(&parts[1]);
	free(vals);
}

static void test_special(void)
{
	struct hist hist = {}, other = {};

	ok(hist__percentile(&hist, 0.5) == 0, "an empty histogram has no percentile");
	hist__add(&hist, 5, 0);
	ok(!hist.cnt && !hist.bucket_cnt, "zero entries are none");
	hist__add(&hist, 1000, 1);
	ok(hist__percentile(&hist, 0.5) == 1000, "a single entry is exact: never above max");
	hist__add_range(&hist, 256, 384, 10);
	ok(hist.cnt == 11 && hist.total == 1000 && hist.max == 1000,
	   "a range leaves total and max");
	ok(hist__percentile(&hist, 0.5) >= 256 && hist__percentile(&hist, 0.5) < 384,
	   "a range's entries lie within it");
	hist__merge(&other, &hist);
	hist__merge(&other, &(struct hist){});
	ok(other.cnt == 11 && other.max == 1000, "merging an empty one changes nothing");
	hist__add(&other, UINT64_MAX, 2);
	ok(other.total == UINT64_MAX && other.max == UINT64_MAX &&
		   hist__percentile(&other, 0.9999) > 1ULL << 63,
	   "sums saturate");
	ok(hist__percentile(&other, NAN) <= other.max && hist__percentile(&other, -1) <= 384 &&
		   hist__percentile(&other, 7) == other.max,
	   "nonsensical shares are harmless");
	hist__free(&hist);
	hist__free(&other);
	hist__free(NULL);
}

int main(void)
{
	test_borders();
	test_percentiles(1, 1);
	test_percentiles(2, 10);
	test_percentiles(3, 100000);
	test_special();
	return tap_done();
}
