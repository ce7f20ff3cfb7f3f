/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and uses, as they arrive: a use may come before the record that names its object, and each
 * socket has an id of its own. Connections are in links.c, the rows in io_rows.c. Called by the feed.
 */
#include "model/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

#define MIN_SWEEP 4096
/* What a reference takes, with its place in the index. */
#define REF_SZ (sizeof(struct ref) + 2 * sizeof(struct map64_slot))

void io__free(struct io_state *io)
{
	for (size_t i = 0; i < io->ref_cnt; i++)
		free(io->refs[i].tcp);
	free(io->refs);
	free(io->objects);
	free(io->changes);
	map64__free(&io->ref_idx);
	map64__free(&io->idle[0]);
	map64__free(&io->idle[1]);
	map64__free(&io->object_idx);
	map64__free(&io->use_idx);
	map64__free(&io->link_idx);
	map64__free(&io->folded_to);
	memset(io, 0, sizeof(*io));
}

void feed__uses_taken(struct model *model, uint64_t mono_ns)
{
	struct feed *feed = model->feed;

	if (feed && mono_ns > feed->io.taken_ns)
		feed->io.taken_ns = mono_ns;
}

/* All that happened until then has been told. */
static bool is_past(const struct io_state *io, uint64_t ns)
{
	return ns < UINT64_MAX - WINDOW_NS && ns + WINDOW_NS < io->taken_ns;
}

/* Nothing more is to come of a socket that ended before all uses were taken, or of the attempt to
 * connect one. */
static bool is_done(const struct io_state *io, const struct ref *ref)
{
	if (ref->is_closed)
		return is_past(io, ref->closed_ns);
	return ref->failed_ns && !ref->is_begun && is_past(io, ref->failed_ns);
}

/*
 * A file or a socket that is no connection may be used again after any time, and BPF does not name it
 * once more. Of one that is idle the object is kept, and what was counted, in 64 bits.
 */
enum idle_bits { IDLE_RANK = 32, IDLE_MET = 40, IDLE_OWNED = 41 };

static size_t idle_max(const struct feed *feed)
{
	return feed->options.max_memory / 64 / (2 * sizeof(struct map64_slot));
}

/* Returns false when it has to stay. */
static bool put_aside(struct feed *feed, const struct ref *ref)
{
	struct io_state *io = &feed->io;
	bool is_owned = ref->owner.task || ref->owner.class_idx != NO_IDX || ref->was_owned;

	if (ref->is_begun || ref->tcp || ref->object == NO_IDX || !is_past(io, ref->used_ns))
		return false;
	if (io->idle[0].cnt >= idle_max(feed)) {
		map64__free(&io->idle[1]);
		io->idle[1] = io->idle[0];
		io->idle[0] = (struct map64){0};
	}
	return !map64__set(&io->idle[0], ref->id,
			   ref->object | (uint64_t)ref->rank << IDLE_RANK |
				   (uint64_t)ref->is_met << IDLE_MET |
				   (uint64_t)is_owned << IDLE_OWNED);
}

/* What was put aside, for an id that is used again. */
static void take_back(struct io_state *io, struct ref *ref)
{
	uint64_t val;

	for (size_t i = 0; i < 2; i++) {
		if (!map64__get(&io->idle[i], ref->id, &val))
			continue;
		map64__del(&io->idle[i], ref->id);
		ref->object = (uint32_t)val;
		ref->rank = (uint8_t)(val >> IDLE_RANK);
		ref->is_met = val >> IDLE_MET & 1;
		ref->was_owned = val >> IDLE_OWNED & 1;
		return;
	}
}

static void sweep(struct feed *feed, bool is_full)
{
	struct io_state *io = &feed->io;

	for (size_t i = io->ref_cnt; i-- > 0;) {
		struct ref *ref = &io->refs[i], *last = &io->refs[io->ref_cnt - 1];

		if (!is_done(io, ref) && !(is_full && put_aside(feed, ref)))
			continue;
		map64__del(&io->ref_idx, ref->id);
		io->bytes -= ref->tcp ? sizeof(*ref->tcp) : 0;
		free(ref->tcp);
		if (ref != last) {
			*ref = *last;
			map64__set(&io->ref_idx, ref->id, i);
		}
		io->ref_cnt--;
	}
	io->swept_ns = io->taken_ns;
	io->sweep_at = io->ref_cnt * 2 > MIN_SWEEP ? io->ref_cnt * 2 : MIN_SWEEP;
}

static bool has_room(struct feed *feed)
{
	size_t limit = feed->options.max_memory / 16 / REF_SZ;
	struct io_state *io = &feed->io;

	if (!feed->options.max_memory)
		limit = SIZE_MAX;
	if (io->taken_ns > io->swept_ns && (io->ref_cnt >= io->sweep_at || io->ref_cnt >= limit))
		sweep(feed, io->ref_cnt >= limit);
	return io->ref_cnt < limit;
}

int ref_get(struct model *model, uint64_t id, uint64_t ns, struct ref **ref)
{
	struct io_state *io = &model->feed->io;
	uint64_t idx;

	if (map64__get(&io->ref_idx, id, &idx)) {
		*ref = &io->refs[idx];
		if (ns > (*ref)->used_ns)
			(*ref)->used_ns = ns;
		return 0;
	}
	*ref = NULL;
	if (!has_room(model->feed)) {
		io->objects_folded++;
		return 0;
	}
	if (array__reserve((void **)&io->refs, &io->ref_cap, io->ref_cnt + 1, sizeof(**ref)) ||
	    map64__set(&io->ref_idx, id, io->ref_cnt))
		return -ENOMEM;
	*ref = &io->refs[io->ref_cnt++];
	**ref = (struct ref){.id = id, .used_ns = ns, .object = NO_IDX, .owner = {0, NO_IDX}};
	take_back(io, *ref);
	return 0;
}

int ref_name(struct model *model, struct ref *ref, const struct object_desc *desc, uint64_t ns)
{
	uint32_t object, before = ref->object;
	int err = 0;

	if (desc->rank < ref->rank || (desc->rank == ref->rank && ns < ref->named_ns))
		return 0;
	object = object_get(model, desc, ns);
	if (object == NO_IDX)
		return -ENOMEM;
	ref->object = object;
	ref->rank = desc->rank;
	ref->named_ns = ns;
	if (before == NO_IDX || before == object)
		return 0;
	if (model->feed->io.objects[before].pending)
		object_is(model, before, object);
	if (ref->is_begun && !ref->is_closed) {
		err = active_drop(model, ref, &ref->owner, before, ns);
		if (!err)
			err = active_add(model, ref, ns);
	}
	return err;
}

int owner_of(struct model *model, uint64_t id, uint32_t tgid, struct owner *owner)
{
	struct feed_task *state;
	struct task *task;

	*owner = (struct owner){id, NO_IDX};
	if (!id)
		return 0;
	owner->class_idx = fold__class(model->feed, id);
	if (owner->class_idx != NO_IDX) {
		owner->task = 0;
		model->feed->late_cnt++;
		return 0;
	}
	task = task_of(model, id, tgid, false, &state);
	if (!task)
		return -ENOMEM;
	if (!is_stand_in(model->feed, task))
		return 0;
	owner->task = 0;
	owner->class_idx = other_class(model, task == &model->feed->other[1]);
	return owner->class_idx == NO_IDX ? -ENOMEM : 0;
}

int io__file(struct model *model, const struct event *event)
{
	struct object_desc desc;
	struct ref *ref;
	int err = ref_get(model, event->file.id, event->ns, &ref);

	if (err || !ref)
		return err;
	object_desc__file(&desc, &event->file);
	return ref_name(model, ref, &desc, event->ns);
}

static uint32_t disk(struct model *model, uint32_t dev)
{
	const struct feed_options *options = &model->feed->options;
	struct object_desc desc = {.name = desc.texts[0],
				   .local = "",
				   .dev = dev,
				   .kind = OBJECT_DISK};

	if (options->disk_name)
		options->disk_name(options->ctx, dev, desc.texts[0], sizeof(desc.texts[0]));
	if (!*desc.texts[0])
		snprintf(desc.texts[0], sizeof(desc.texts[0]), "disk %u:%u", dev >> 20,
			 dev & 0xfffff);
	return object_get(model, &desc, 0);
}

/* What an id says by itself. */
static enum object_kind id_kind(uint64_t id)
{
	if (id & DISK_ID)
		return OBJECT_DISK;
	if (id & OBJECT_IS_SOCKET)
		return OBJECT_SOCKET;
	return id & OBJECT_IS_SITE ? OBJECT_SITE : OBJECT_UNKNOWN;
}

/* The object that a use is of, or NO_IDX when memory ran out. */
static uint32_t object_of(struct model *model, uint64_t id, uint64_t ns)
{
	struct ref *ref;

	if (!id || id == OBJECT_IS_SOCKET || id == OBJECT_IS_SITE)
		return object_unknown(model, id_kind(id));
	if (ref_get(model, id, ns, &ref))
		return NO_IDX;
	if (!ref)
		return object_others(model, id_kind(id));
	/* a disk is named once: that may be expensive */
	if (ref->object == NO_IDX)
		ref->object = id & DISK_ID ? disk(model, (uint32_t)id)
					   : object_pending(model, id_kind(id));
	return ref->object;
}

/* Buckets of the wire, four for each power of two; total and maximum are exact. */
static void add_latency(struct hist *hist, const struct wire_use_val *val)
{
	for (unsigned int i = 0; i < IO_BUCKETS; i++) {
		uint64_t quarter = 1ULL << (IO_MIN_LOG2 - 2 + i / 4);
		/* both are of the bucket: its middle begins the upper half, and the last value of
		 * the lower half is nearer to all of it when a percentile is the middle of a
		 * sixteenth */
		uint64_t lo = quarter * (4 + i % 4), hi = lo + quarter - 1;

		if (i == IO_BUCKETS - 1 && val->max_ns > hi)
			hi = val->max_ns; /* it has no end of its own */
		hist__add_range(hist, lo, hi, val->latency[i]);
	}
	if (__builtin_add_overflow(hist->total, val->ns, &hist->total))
		hist->total = UINT64_MAX;
	if (val->max_ns > hist->max)
		hist->max = val->max_ns;
}

int io__use(struct model *model, const struct event *event)
{
	const struct wire_use_key *key = &event->use.key;
	const struct wire_use_val *val = &event->use.val;
	struct owner owner;
	struct use *use;
	uint32_t object;
	size_t cap;
	int err = owner_of(model, key->task, event->tgid, &owner);

	if (err)
		return err;
	object = object_of(model, key->object, event->ns);
	use = object == NO_IDX ? NULL : use_get(model, &owner, object, (uint8_t)key->op);
	if (!use)
		return -ENOMEM;
	use->cnt += val->cnt;
	use->bytes += val->bytes;
	use->errors += val->errors;
	use->again += val->again;
	cap = use->latency.bucket_cap;
	add_latency(&use->latency, val);
	cap = (use->latency.bucket_cap - cap) * sizeof(struct hist_bucket);
	model->feed->io.bytes += cap;
	io__charge(model, use->task, cap);
	return 0;
}
