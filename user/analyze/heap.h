/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums over what tasks allocated, freed and hold: by place, by class, in all. For the passes here
 * and for the outputs. All sums saturate: the numbers may come from a hostile snapshot.
 */
#ifndef ANALYZE_HEAP_H
#define ANALYZE_HEAP_H

#include "analyze/uses.h"
#include "base/buf.h"

/* What was allocated at one place by all whose uses were added. */
struct site_total {
	uint32_t object;
	uint32_t class_idx; /* of its tasks, or NO_IDX; once it is ranked: of `task` */
	uint64_t task; /* the one that holds most, or else allocated most; or 0 */
	uint64_t task_bytes[2]; /* held and allocated by that one */
	struct use_sum alloc, freed, held; /* errors: allocations that failed */
	struct hist lifetime; /* of what was freed */
	struct hist age; /* of what is held, at the end */
};

struct site_totals {
	struct site_total *rows;
	size_t cnt, cap;
};

/* Adds what is of sites. 0 or -ENOMEM. */
int site_totals__add(struct site_totals *totals, const struct model *model, const struct use *uses,
		     size_t cnt);
/* One row for each place, by bytes held, then bytes allocated. */
void site_totals__rank(struct site_totals *totals);
/* One for each class and place, in the same order. */
void site_totals__rank_by_class(struct site_totals *totals);
void site_totals__free(struct site_totals *totals);

/* What all tasks of a class, or all there are, hold and did. */
struct heap_total {
	struct heap_sums sums; /* the peak is the largest one's: others had theirs at other times */
	uint64_t allocs, alloc_bytes, frees;
	uint64_t leaking_cnt, leaked_bytes; /* tasks that ended and still hold something */
};

/* By class, and behind them one for all; NULL when memory ran out. */
struct heap_total *heap_totals__new(const struct model *model);
/* Of one task; its end within the recording is what makes it a leaking one. */
void heap_total__add_task(struct heap_total *total, const struct task *task);
void heap_total__add_folded(struct heap_total *total, const struct task_class *class);

/* The function of a site's name without the place in it; NULL when only the module is known. The text
 * is in buf. Hostile. */
const char *site_function(const struct model *model, uint32_t object, char *buf, size_t sz);
/* "memory: from exact to counting at 0.4 s: 9.1% of the target's CPU, budget 5%" */
void backoff_text(struct buf *buf, const struct model *model, const struct backoff *backoff);
/* "memory counted for 31% of the time", or "1 of 17 blocks seen"; nothing for what is exact. */
void estimate_text(struct buf *buf, const struct model *model, enum model_cap cap);

#endif
