/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only a live recording needs beside the model: frames that are open, what is known of a task
 * while it runs, what was folded. Private to the feed's files (feed.c, finish.c, frames.c,
 * timeline.c, fold.c, series.c, heap.c, scale.c and, with io.h, objects.c, io.c, links.c, io_rows.c); model.c frees it.
 */
#ifndef MODEL_FEED_STATE_H
#define MODEL_FEED_STATE_H

#include "model/feed.h"
#include "model/io.h"
#include "model/model.h"

/* Records arrive out of order within this window of event time. */
#define WINDOW_NS 1000000000ULL

/* Beside model->tasks, with the same index. */
struct feed_task {
	uint64_t name_ns; /* when it got its name: the latest RENAME wins, in any order */
	/* its newest slice */
	uint64_t last_ns;
	uint64_t last_enter_ns;
	uint32_t last_flush;
	uint8_t last_flags;
	bool running;
	bool ran;
	bool async; /* it was met in a frame above a thread's own */
	bool fold; /* chosen by the folding pass that runs now */
	uint32_t open_cnt; /* its frames that are open */
	uint32_t io_bytes; /* of its uses and links */
	uint32_t *latency; /* of a thread: LATENCY_BUCKETS cumulative numbers, or NULL */
	uint64_t heap_ns; /* of the newest record of what it holds */
};

/* A frame of which more than one slice comes. */
struct frame {
	uint64_t task;
	uint64_t enter_ns;
	uint64_t last_ns; /* the end of its newest slice */
	uint64_t expires_ns; /* 0 while open; else a tombstone: late slices are ignored */
	int64_t last_flush; /* -1: none yet */
	uint64_t missing; /* earlier slices that have not come */
	uint32_t tid;
	uint8_t depth;
	uint8_t flags; /* of the newest slice */
	int64_t c[COUNTER_CNT]; /* cumulative, as the newest slice had them */
};

struct feed {
	struct feed_options options;
	uint64_t clock_ns; /* the latest event time */

	struct feed_task *tasks;
	size_t task_cap;
	/* Who takes what belongs to tasks that are folded or were not kept: [0] threads, [1] async. */
	struct task other[2];
	struct feed_task other_state;
	uint32_t other_class[2]; /* index + 1 of the class that they become; 0: none yet */

	struct frame *frames;
	size_t frame_cnt, frame_cap;
	struct map64 frame_idx; /* hash(task, enter_ns) -> index */
	size_t evict_at; /* frames */
	uint64_t swept_ns;

	size_t max_slices;
	bool is_tight; /* what lives uses up all memory: the timeline is full before max_slices */
	struct map64 longest; /* hash(tid, depth, second) -> slice, once max_slices are there */

	struct map64 folded; /* id / 64 -> bits: ids are dense, so a set of millions stays small */
	struct map64 folded_class; /* id / 64 -> the class that all of these were of, or NO_IDX */
	uint64_t fold_at; /* the next attempt, in bytes */
	size_t hist_bytes; /* of all histograms and latency arrays */
	size_t max_strings;
	uint8_t async_runtime; /* the last one seen: the best guess for tasks without a SPAWN */

	struct io_state io;

	/* become counters of the model at the end */
	uint64_t slices_thinned, edges_folded, late_cnt, refused_cnt, names_cut, slices_missing;
};

/* feed.c */
void feed__free(struct feed *feed);
int64_t rel_ns(const struct feed *feed, uint64_t mono_ns);
/* Anything may come out of BPF or a fuzzer: sums wrap, they are never undefined. */
static inline int64_t add_ns(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t sub_ns(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* hist__add() with the memory accounted. */
void feed_hist_add(struct feed *feed, struct hist *hist, uint64_t val);
/* The task, found or made, or a stand-in; `state` is the matching feed_task. NULL: no memory. */
struct task *task_of(struct model *model, uint64_t id, uint32_t tgid, bool async,
		     struct feed_task **state);
static inline bool is_stand_in(const struct feed *feed, const struct task *task)
{
	return task >= feed->other && task < feed->other + 2;
}

/* Gives a task that was met without its SPAWN its runtime and class. */
int placeholder_fill(struct model *model, struct task *task, bool async);
/* heap.c */
int heap__event(struct model *model, const struct event *event);
int heap__site(struct model *model, const struct event *event);
void heap_sums__add(struct heap_sums *to, const struct heap_sums *from);

/* The class that a folded task was of, or NO_IDX: so much is kept of neighbours alike only. */
uint32_t fold__class(const struct feed *feed, uint64_t id);
/* Wall, latencies and state of a task, as at `end_ns`: when it is folded, and at the end. */
void task_settle(struct model *model, struct task *task, struct feed_task *state, int64_t end_ns);

/* finish.c: the class of what belongs to stand-ins, or NO_IDX. */
uint32_t other_class(struct model *model, bool async);

/* frames.c */
int frame__slice(struct model *model, const struct event *event, struct task *task,
		 struct feed_task *state);
/* Adds up two sets of counters, each by its rule. */
void counters_merge(int64_t *to, const int64_t *from);
/* At the stop a frame is flushed because the recording ends, not because it does. */
static inline bool is_final(uint8_t flags)
{
	return !(flags & (SLICE_PARTIAL | SLICE_AT_STOP));
}

/* Forgets tombstones older than the window; called now and then. */
void frames__sweep(struct model *model);
/* Charges the walls of what is still open. */
void frames__finish(struct model *model);

/* timeline.c */
/* One piece from `start_ns` to `end_ns`, with what was charged between two cumulative states. */
int timeline__add(struct model *model, const struct event *event, uint64_t start_ns,
		  const int64_t *before);
int timeline__sort(struct model *model);

/* fold.c */
bool fold__has(const struct feed *feed, uint64_t id);
/* Is there no room for more living tasks, nor for more of the timeline? */
bool fold__is_tight(const struct model *model);
/* Folds ended tasks, oldest first, when the model has become too big. Moves tasks. */
int fold__check(struct model *model);
/* Adds a task's numbers to its class; the task itself is not counted. */
void fold__merge(struct task_class *class, struct task *task);

/* model.c: the id of a class that is known by its name only */
uint64_t named_id(uint8_t runtime, const char *name);

/* scale.c */
/* Totals of what was measured for a share of the time only: from here on they stand for all of it. */
void totals__scale(struct model *model);

#endif
