/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mergeable log-linear histogram of durations (16 steps per power of two: 3% resolution), sparse,
 * because there is one or two per task and a task may have one entry or millions.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stddef.h>
#include <stdint.h>

struct hist_bucket {
	uint16_t idx;
	uint64_t cnt;
};

struct hist {
	struct hist_bucket *buckets; /* sorted by idx */
	size_t bucket_cnt;
	size_t bucket_cap;
	uint64_t cnt;
	uint64_t total;
	uint64_t max;
};

void hist__add(struct hist *hist, uint64_t val, uint64_t cnt);
/* Adds `cnt` values known only to lie in [lo, hi): their middle, without touching total and max. */
void hist__add_range(struct hist *hist, uint64_t lo, uint64_t hi, uint64_t cnt);
void hist__merge(struct hist *to, const struct hist *from);
/* The value below which `share` (0..1) of the entries lie; never above max. 0 when empty. */
uint64_t hist__percentile(const struct hist *hist, double share);
void hist__free(struct hist *hist);
/* Bucket borders, for snapshots and plots. */
uint16_t hist__idx(uint64_t val);
uint64_t hist__idx_low(uint16_t idx);

#endif
