/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was measured in windows only, to keep the budget, is scaled to the whole recording once, at
 * its end: so all outputs have the same numbers, and the capability's share says that they are
 * estimates. Distributions stay as they were seen: a percentile needs no scaling, and how many
 * values it is of must not look like more than there were. Called by finish.c.
 */
#include <math.h>

#include "model/feed_state.h"

/* Which counters are whose. Packets and segments sent again are the kernel's own sums. */
static const struct {
	enum wire_counter counter;
	enum model_cap cap;
} rows[] = {
	{COUNTER_HEAP_ALLOCS, CAP_HEAP},
	{COUNTER_HEAP_ALLOC_BYTES, CAP_HEAP},
	{COUNTER_HEAP_FREES, CAP_HEAP},
	{COUNTER_IO_READ_BYTES, CAP_IO},
	{COUNTER_IO_WRITE_BYTES, CAP_IO},
	{COUNTER_IO_READS, CAP_IO},
	{COUNTER_IO_WRITES, CAP_IO},
	{COUNTER_IO_ERRORS, CAP_IO},
	{COUNTER_IO_TIME, CAP_IO},
	{COUNTER_MAPPED_BYTES, CAP_IO},
	{COUNTER_UNMAPPED_BYTES, CAP_IO},
	{COUNTER_NET_SENT_BYTES, CAP_NETWORK},
	{COUNTER_NET_RECEIVED_BYTES, CAP_NETWORK},
	{COUNTER_NET_SENDS, CAP_NETWORK},
	{COUNTER_NET_RECEIVES, CAP_NETWORK},
	{COUNTER_NET_ERRORS, CAP_NETWORK},
	{COUNTER_NET_TIME, CAP_NETWORK},
};
#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))

static bool is_partial(const struct cap_state *cap)
{
	return cap->measured && cap->share < 1;
}

static int64_t scaled(int64_t val, double share)
{
	double whole = round((double)val / share);

	if (whole >= 0x1p63)
		return INT64_MAX;
	return whole > -0x1p63 ? (int64_t)whole : INT64_MIN;
}

static void scale_counters(const struct model *model, int64_t c[COUNTER_CNT])
{
	for (size_t i = 0; i < ROW_CNT; i++) {
		const struct cap_state *cap = &model->caps[rows[i].cap];

		if (is_partial(cap))
			c[rows[i].counter] = scaled(c[rows[i].counter], cap->share);
	}
}

/* Where a use is from; CAP_ALWAYS: not from what is measured in windows. What is still held is looked
 * at once, at the end. */
static enum model_cap cap_of(const struct model *model, const struct use *use)
{
	switch (object_group(model->objects[use->object].kind)) {
	case GROUP_FILE:
		return CAP_IO;
	case GROUP_SOCKET:
		return CAP_NETWORK;
	case GROUP_HEAP:
		return use->op == IO_HOLD ? CAP_ALWAYS : CAP_HEAP;
	case GROUP_DISK:
		break;
	}
	return CAP_ALWAYS;
}

static void scale_use(struct use *use, double share)
{
	uint64_t *const sums[] = {&use->cnt, &use->bytes, &use->errors, &use->again};

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		double whole = round((double)*sums[i] / share);

		*sums[i] = whole < 0x1p64 ? (uint64_t)whole : UINT64_MAX;
	}
}

void totals__scale(struct model *model)
{
	bool any = false;

	for (size_t i = 0; i < ROW_CNT; i++)
		any |= is_partial(&model->caps[rows[i].cap]);
	if (!any)
		return;
	for (size_t i = 0; i < model->task_cnt; i++)
		scale_counters(model, model->tasks[i].c);
	for (size_t i = 0; i < model->class_cnt; i++)
		scale_counters(model, model->classes[i].folded_c);
	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct cap_state *cap = &model->caps[cap_of(model, &model->uses[i])];

		if (is_partial(cap))
			scale_use(&model->uses[i], cap->share);
	}
}
