/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory: what tasks hold, and the places that allocate. What was allocated where, freed and held is
 * in uses, like IO (io.c). Called by the feed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/feed_state.h"

void heap_sums__add(struct heap_sums *to, const struct heap_sums *from)
{
	to->current_bytes += from->current_bytes;
	to->current_cnt += from->current_cnt;
	to->freed_bytes += from->freed_bytes;
	to->freed_cnt += from->freed_cnt;
	to->usable_bytes += from->usable_bytes;
	to->asked_bytes += from->asked_bytes;
	if (from->peak_bytes > to->peak_bytes)
		to->peak_bytes = from->peak_bytes;
}

/* A task is told anew only after it held nothing: what it holds is in the newest record. Of two of
 * one moment the larger one, so that no order matters. */
static void take_current(struct heap_sums *sums, struct feed_task *state, const struct event *event)
{
	const struct wire_heap *heap = &event->heap;

	if (event->ns < state->heap_ns ||
	    (event->ns == state->heap_ns && heap->current_bytes < sums->current_bytes))
		return;
	state->heap_ns = event->ns;
	sums->current_bytes = heap->current_bytes;
	sums->current_cnt = heap->current_cnt;
}

/* What ended tasks hold is told at the recording's end, when some of them are folded. */
static void add_to_class(struct task_class *class, const struct heap_sums *sums)
{
	heap_sums__add(&class->folded_heap, sums);
	class->folded_leaking_cnt += sums->current_cnt > 0;
	class->folded_leaked_bytes += sums->current_bytes;
}

int heap__event(struct model *model, const struct event *event)
{
	const struct wire_heap *heap = &event->heap;
	struct feed *feed = model->feed;
	struct heap_sums sums = {.peak_bytes = heap->peak_bytes,
				 .freed_bytes = heap->freed_bytes,
				 .freed_cnt = heap->freed_cnt,
				 .usable_bytes = heap->usable_bytes,
				 .asked_bytes = heap->asked_bytes};
	struct feed_task *state = NULL;
	struct task *task = &feed->other[0]; /* of nobody */
	uint32_t class_idx = fold__class(feed, heap->task);

	if (class_idx == NO_IDX && heap->task)
		task = task_of(model, heap->task, event->tgid, false, &state);
	if (!task)
		return -ENOMEM;
	if (class_idx == NO_IDX && !is_stand_in(feed, task)) {
		take_current(&task->heap, state, event);
		heap_sums__add(&task->heap, &sums);
		return 0;
	}
	/* of many: those that are told twice held nothing the first time */
	sums.current_bytes = heap->current_bytes;
	sums.current_cnt = heap->current_cnt;
	if (class_idx == NO_IDX)
		heap_sums__add(&task->heap, &sums);
	else
		add_to_class(&model->classes[class_idx], &sums);
	return 0;
}

/* "read_row+0x1d"; without a function "libfoo.so+0x1234"; and where nothing is known just that: an
 * address alone says nothing once the target is gone. */
static void site_name(char *name, size_t sz, const struct site_text *text)
{
	const char *slash = strrchr(text->module, '/');

	if (*text->function)
		snprintf(name, sz, "%s+0x%" PRIx64, text->function, text->offset);
	else if (*text->module)
		snprintf(name, sz, "%s+0x%" PRIx64, slash ? slash + 1 : text->module, text->offset);
	else
		snprintf(name, sz, "(unknown)");
}

int heap__site(struct model *model, const struct event *event)
{
	const struct feed_options *options = &model->feed->options;
	struct site_text text = {};
	char name[sizeof(text.function) + 32];
	struct object_desc desc;
	struct ref *ref;
	int err = ref_get(model, event->site.id, event->ns, &ref);

	/* it is named once: that may be expensive */
	if (err || !ref || ref->rank == RANK_PEER)
		return err;
	if (options->site_name)
		options->site_name(options->ctx, event->tgid, event->site.ip, &text);
	site_name(name, sizeof(name), &text);
	object_desc__site(&desc, name, text.module);
	return ref_name(model, ref, &desc, event->ns);
}
