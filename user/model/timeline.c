/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timeline: every piece up to max_slices; from there on the longest of each thread, depth and
 * second, so that a recording of any length stays bounded. Called by frames.c and the feed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/feed_state.h"

/* By depth too: a thread's own piece is longer than all that ran in it. */
static uint64_t second_key(const struct event *event, uint64_t start_ns)
{
	return hash64(start_ns / 1000000000 ^
		      hash64((uint64_t)event->slice.tid << 8 | event->slice.depth));
}

/* Where the piece goes when the timeline is full; NULL: it is dropped. */
static struct slice *longest_of_second(struct model *model, const struct event *event,
				       uint64_t start_ns, int64_t dur_ns)
{
	struct feed *feed = model->feed;
	uint64_t key = second_key(event, start_ns), idx;
	struct slice *slice;

	if (map64__get(&feed->longest, key, &idx)) {
		feed->slices_thinned++;
		slice = &model->slices[idx];
		return slice->dur_ns < dur_ns ? slice : NULL;
	}
	/* Threads and seconds are without end, memory is not. */
	if (feed->longest.cnt > feed->max_slices / 4 ||
	    map64__set(&feed->longest, key, model->slice_cnt)) {
		feed->slices_thinned++;
		return NULL;
	}
	slice = model__slice_add(model);
	if (!slice)
		map64__del(&feed->longest, key);
	return slice;
}

int timeline__add(struct model *model, const struct event *event, uint64_t start_ns,
		  const int64_t *before)
{
	const struct event_slice *from = &event->slice;
	uint64_t dur_ns = event->ns > start_ns ? event->ns - start_ns : 0;
	struct feed *feed = model->feed;
	struct slice *slice;

	if (dur_ns > INT64_MAX)
		dur_ns = INT64_MAX;
	if (model->slice_cnt < feed->max_slices && !feed->is_tight) {
		slice = model__slice_add(model);
		if (!slice)
			return -ENOMEM;
	} else {
		slice = longest_of_second(model, event, start_ns, (int64_t)dur_ns);
		if (!slice)
			return 0;
	}
	slice->task = from->task;
	slice->start_ns = rel_ns(feed, start_ns);
	slice->dur_ns = (int64_t)dur_ns;
	slice->tid = from->tid;
	slice->cpu = from->cpu;
	slice->depth = from->depth;
	slice->flags = from->flags;
	for (unsigned int i = 0; i < SLICE_TIMES; i++)
		slice->c[i] = before ? sub_ns(from->c[i], before[i]) : from->c[i];
	return 0;
}

/* What is sorted instead of the slices: a sixth of their size. */
struct order {
	int64_t start_ns;
	uint32_t idx;
	uint8_t depth;
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct order *left = a, *right = b;
	const struct slice *slices = ctx;
	uint64_t left_task, right_task;

	if (left->start_ns != right->start_ns)
		return left->start_ns < right->start_ns ? -1 : 1;
	if (left->depth != right->depth)
		return left->depth - right->depth;
	left_task = slices[left->idx].task;
	right_task = slices[right->idx].task;
	return left_task < right_task ? -1 : left_task > right_task;
}

/* Moves each slice to its place along the permutation's cycles, without a second timeline. */
static void permute(struct slice *slices, struct order *order, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		struct slice first = slices[i];
		size_t to = i;

		while (order[to].idx != i) {
			size_t from = order[to].idx;

			slices[to] = slices[from];
			order[to].idx = (uint32_t)to;
			to = from;
		}
		slices[to] = first;
		order[to].idx = (uint32_t)to;
	}
}

int timeline__sort(struct model *model)
{
	struct order *order;

	if (model->slice_cnt < 2)
		return 0;
	order = malloc(model->slice_cnt * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < model->slice_cnt; i++) {
		order[i].start_ns = model->slices[i].start_ns;
		order[i].idx = (uint32_t)i;
		order[i].depth = model->slices[i].depth;
	}
	qsort_r(order, model->slice_cnt, sizeof(*order), compare, model->slices);
	permute(model->slices, order, model->slice_cnt);
	free(order);
	return 0;
}
