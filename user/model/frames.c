/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From numbered, cumulative slices of a frame to sums: called by the feed for each slice. A frame
 * that ends with its first slice (nearly every poll) leaves nothing behind; of others the last
 * cumulative counters are kept, and only what a newer slice has more is charged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

/* Frames whose end was lost stay open for ever; from this number on the oldest are given up. */
#define MAX_FRAMES 65536

enum merge {
	MERGE_SUM,
	MERGE_MAX,
	MERGE_OR,
};

static const uint8_t merges[COUNTER_CNT] = {
#define X(id, name, merge) [COUNTER_##id] = MERGE_##merge,
	WIRE_COUNTERS(X)
#undef X
};

static void charge(int64_t *to, unsigned int counter, int64_t val, int64_t before)
{
	switch (merges[counter]) {
	case MERGE_SUM:
		to[counter] = add_ns(to[counter], sub_ns(val, before));
		break;
	case MERGE_MAX:
		if (val > to[counter])
			to[counter] = val;
		break;
	case MERGE_OR:
		to[counter] |= val;
		break;
	}
}

void counters_merge(int64_t *to, const int64_t *from)
{
	for (unsigned int i = 0; i < COUNTER_CNT; i++)
		charge(to, i, from[i], 0);
}

/* The walls and latencies of a run that ended, or (not `ended`) that nobody will see end. */
static void charge_run(struct feed *feed, struct task *task, uint64_t dur_ns, const int64_t *c,
		       bool ended)
{
	uint64_t child_ns = c[COUNTER_CHILD_WALL] > 0 ? (uint64_t)c[COUNTER_CHILD_WALL] : 0;

	task->wall_ns = add_ns(task->wall_ns, (int64_t)dur_ns);
	task->run_self_ns += dur_ns > child_ns ? dur_ns - child_ns : 0;
	if (ended)
		feed_hist_add(feed, &task->runs, dur_ns);
	if (c[COUNTER_WAKE_LATENCY] > 0)
		feed_hist_add(feed, &task->wake, (uint64_t)c[COUNTER_WAKE_LATENCY]);
}

static void end_run(struct feed *feed, struct task *task, const struct event *event)
{
	const struct event_slice *slice = &event->slice;

	if (slice->flags & SLICE_FORCED)
		task->forced_cnt++;
	if (slice->depth)
		charge_run(feed, task,
			   event->ns > slice->enter_ns ? event->ns - slice->enter_ns : 0, slice->c,
			   true);
}

static uint64_t frame_key(uint64_t task, uint64_t enter_ns)
{
	return hash64(task ^ hash64(enter_ns));
}

static struct frame *find(const struct feed *feed, uint64_t key)
{
	uint64_t idx;

	if (!feed->frame_cnt || !map64__get(&feed->frame_idx, key, &idx))
		return NULL;
	return &feed->frames[idx];
}

/* The last frame takes the place of the one that goes. */
static void forget(struct feed *feed, struct frame *frame)
{
	struct frame *last = &feed->frames[feed->frame_cnt - 1];

	map64__del(&feed->frame_idx, frame_key(frame->task, frame->enter_ns));
	if (frame != last) {
		*frame = *last;
		map64__set(&feed->frame_idx, frame_key(frame->task, frame->enter_ns),
			   (uint64_t)(frame - feed->frames));
	}
	feed->frame_cnt--;
}

/* An open frame whose end will not come any more. */
static void give_up(struct model *model, struct frame *frame)
{
	struct feed_task *state;
	struct task *task = task_of(model, frame->task, 0, frame->depth > 0, &state);

	if (!task)
		return;
	if (state->open_cnt)
		state->open_cnt--;
	if (!(frame->flags & SLICE_AT_STOP))
		task->slices_lost++; /* its final slice */
	if (frame->depth)
		charge_run(model->feed, task,
			   frame->last_ns > frame->enter_ns ? frame->last_ns - frame->enter_ns : 0,
			   frame->c, false);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Makes room: a quarter of the frames go, those that were silent for longest. Never a thread's. */
static void evict(struct model *model)
{
	struct feed *feed = model->feed;
	uint64_t *ends = malloc(feed->frame_cnt * sizeof(*ends)), limit;

	if (!ends)
		return;
	for (size_t i = 0; i < feed->frame_cnt; i++)
		ends[i] = feed->frames[i].last_ns;
	qsort(ends, feed->frame_cnt, sizeof(*ends), compare_u64);
	limit = ends[feed->frame_cnt / 4];
	free(ends);
	for (size_t i = feed->frame_cnt; i-- > 0;) {
		struct frame *frame = &feed->frames[i];

		if (frame->last_ns > limit || !frame->depth)
			continue;
		if (!frame->expires_ns)
			give_up(model, frame);
		forget(feed, frame);
	}
}

/* A new frame of which `slice` is the first to come. */
static struct frame *make(struct model *model, const struct event *event, uint64_t key)
{
	const struct event_slice *slice = &event->slice;
	struct feed *feed = model->feed;
	struct frame *frame;

	if (array__reserve((void **)&feed->frames, &feed->frame_cap, feed->frame_cnt + 1,
			   sizeof(*frame)) ||
	    map64__set(&feed->frame_idx, key, feed->frame_cnt))
		return NULL;
	frame = &feed->frames[feed->frame_cnt++];
	memset(frame, 0, sizeof(*frame));
	frame->task = slice->task;
	frame->enter_ns = slice->enter_ns;
	frame->last_ns = slice->enter_ns;
	frame->last_flush = -1;
	frame->depth = slice->depth;
	return frame;
}

/* An older slice than one that came: the newer one's counters held it already. */
static void take_late(struct feed *feed, struct task *task, struct frame *frame, int64_t flush)
{
	if (flush == frame->last_flush || !frame->missing)
		return;
	frame->missing--;
	if (task->slices_lost)
		task->slices_lost--;
	if (frame->expires_ns && !frame->missing)
		forget(feed, frame);
}

static int take_newer(struct model *model, const struct event *event, struct task *task,
		      struct feed_task *state, struct frame *frame)
{
	const struct event_slice *slice = &event->slice;
	uint64_t gap = (uint64_t)(slice->flush - frame->last_flush - 1);
	int err;

	for (unsigned int i = 0; i < COUNTER_CNT; i++)
		charge(task->c, i, slice->c[i], frame->c[i]);
	err = timeline__add(model, event, frame->last_ns, frame->c);
	memcpy(frame->c, slice->c, sizeof(frame->c));
	frame->missing += gap;
	task->slices_lost += gap;
	frame->last_flush = slice->flush;
	frame->last_ns = event->ns;
	frame->flags = slice->flags;
	if (is_final(slice->flags) && !frame->expires_ns) {
		end_run(model->feed, task, event);
		if (state->open_cnt)
			state->open_cnt--;
		frame->expires_ns = model->feed->clock_ns + WINDOW_NS;
		if (!frame->missing)
			forget(model->feed, frame);
	}
	return err;
}

int frame__slice(struct model *model, const struct event *event, struct task *task,
		 struct feed_task *state)
{
	const struct event_slice *slice = &event->slice;
	uint64_t key = frame_key(slice->task, slice->enter_ns);
	struct feed *feed = model->feed;
	struct frame *frame = find(feed, key);

	if (!frame && !slice->flush && is_final(slice->flags)) {
		for (uint64_t left = slice->present; left; left &= left - 1) {
			unsigned int i = (unsigned int)__builtin_ctzll(left);

			charge(task->c, i, slice->c[i], 0);
		}
		end_run(feed, task, event);
		return timeline__add(model, event, slice->enter_ns, NULL);
	}
	if (!frame) {
		frame = make(model, event, key);
		if (!frame)
			return -ENOMEM;
		state->open_cnt++;
	}
	if (slice->flush > frame->last_flush)
		return take_newer(model, event, task, state, frame);
	take_late(feed, task, frame, slice->flush);
	return 0;
}

void frames__sweep(struct model *model)
{
	struct feed *feed = model->feed;

	if (feed->frame_cnt >= feed->evict_at && feed->frame_cnt >= MAX_FRAMES) {
		evict(model);
		feed->evict_at = feed->frame_cnt + MAX_FRAMES / 4;
	}
	if (feed->clock_ns - feed->swept_ns < WINDOW_NS)
		return;
	feed->swept_ns = feed->clock_ns;
	for (size_t i = feed->frame_cnt; i-- > 0;) {
		struct frame *frame = &feed->frames[i];

		if (frame->expires_ns && frame->expires_ns < feed->clock_ns)
			forget(feed, frame);
	}
}

void frames__finish(struct model *model)
{
	struct feed *feed = model->feed;

	for (size_t i = 0; i < feed->frame_cnt; i++) {
		if (!feed->frames[i].expires_ns)
			give_up(model, &feed->frames[i]);
	}
}
