/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of who used what, and of who is connected to whom, while they are fed: found by what they
 * are of, bounded, folded with their task, and merged at the end. Called by io.c, links.c, fold.c and
 * finish.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

/* What a row takes, with its place in the index. */
#define USE_SZ  (sizeof(struct use) + 2 * sizeof(struct map64_slot))
#define LINK_SZ (sizeof(struct link) + 2 * sizeof(struct map64_slot))
#define OBJECT_SZ                                                                                  \
	(sizeof(struct object) + sizeof(struct object_state) + 2 * sizeof(struct map64_slot))

static uint64_t row_key(const struct owner *owner, uint32_t object, unsigned int op)
{
	return hash64(owner->task ^
		      hash64((uint64_t)owner->class_idx << 32 ^ object ^ hash64(op + 1)));
}

static bool is_owner(const struct owner *owner, uint64_t task, uint32_t class_idx)
{
	return owner->task == task && owner->class_idx == class_idx;
}

uint64_t io__row_bytes(const struct model *model)
{
	return model->object_cnt * OBJECT_SZ + model->use_cnt * USE_SZ + model->link_cnt * LINK_SZ +
	       model->feed->io.bytes;
}

bool io__is_full(const struct model *model)
{
	uint64_t limit = model->feed->options.max_memory;

	return limit && io__row_bytes(model) > limit / IO_SHARE;
}

bool io__is_tight(const struct model *model)
{
	uint64_t limit = model->feed->options.max_memory;

	return limit && io__row_bytes(model) > limit / IO_SHARE * 2;
}

static size_t map_bytes(const struct map64 *map)
{
	return map->cap * sizeof(*map->slots);
}

uint64_t io__memory(const struct model *model)
{
	const struct io_state *io = model->feed ? &model->feed->io : NULL;
	uint64_t sum = model->object_cnt * sizeof(*model->objects) +
		       model->use_cnt * sizeof(*model->uses) +
		       model->link_cnt * sizeof(*model->links) +
		       model->sample_cnt * sizeof(*model->samples);

	if (io)
		return sum + io->bytes + model->object_cnt * sizeof(*io->objects) +
		       io->ref_cnt * sizeof(*io->refs) + io->change_cnt * sizeof(*io->changes) +
		       map_bytes(&io->ref_idx) + map_bytes(&io->idle[0]) + map_bytes(&io->idle[1]) +
		       map_bytes(&io->object_idx) + map_bytes(&io->use_idx) +
		       map_bytes(&io->link_idx);
	for (size_t i = 0; i < model->use_cnt; i++)
		sum += model->uses[i].latency.bucket_cap * sizeof(struct hist_bucket);
	return sum;
}

void io__charge(struct model *model, uint64_t id, size_t bytes)
{
	struct task *task = id ? model__task(model, id) : NULL;
	uint32_t *sum = task ? &model->feed->tasks[task - model->tasks].io_bytes : NULL;

	if (sum)
		*sum = bytes < UINT32_MAX - *sum ? *sum + (uint32_t)bytes : UINT32_MAX;
}

static struct use *find_use(const struct model *model, const struct owner *owner, uint32_t object,
			    uint8_t op, uint64_t *key)
{
	uint64_t idx;

	*key = row_key(owner, object, op);
	for (; map64__get(&model->feed->io.use_idx, *key, &idx); (*key)++) {
		struct use *use = &model->uses[idx];

		if (is_owner(owner, use->task, use->class_idx) && use->object == object &&
		    use->op == op)
			return use;
	}
	return NULL;
}

/* When there is no room for a row, it is nobody's and of no object; of these there are few. */
static uint32_t give_up_row(struct model *model, struct owner *owner, uint32_t object)
{
	model->feed->io.uses_folded++;
	*owner = (struct owner){0, NO_IDX};
	return object_others(model, model->objects[object].kind);
}

struct use *use_get(struct model *model, const struct owner *of, uint32_t object, uint8_t op)
{
	struct owner owner = *of;
	struct use *use;
	uint64_t key;

	object = object_resolve(model, object);
	use = find_use(model, &owner, object, op, &key);
	if (!use && io__is_tight(model)) {
		object = give_up_row(model, &owner, object);
		if (object == NO_IDX)
			return NULL;
		use = find_use(model, &owner, object, op, &key);
	}
	if (use)
		return use;
	if (array__reserve((void **)&model->uses, &model->use_cap, model->use_cnt + 1,
			   sizeof(*use)) ||
	    map64__set(&model->feed->io.use_idx, key, model->use_cnt))
		return NULL;
	use = &model->uses[model->use_cnt++];
	*use = (struct use){.task = owner.task,
			    .class_idx = owner.class_idx,
			    .object = object,
			    .op = op};
	io__charge(model, owner.task, USE_SZ);
	return use;
}

static struct link *find_link(const struct model *model, const struct owner *owner, uint32_t object,
			      uint64_t *key)
{
	uint64_t idx;

	*key = row_key(owner, object, 0);
	for (; map64__get(&model->feed->io.link_idx, *key, &idx); (*key)++) {
		struct link *link = &model->links[idx];

		if (is_owner(owner, link->task, link->class_idx) && link->object == object)
			return link;
	}
	return NULL;
}

struct link *link_find(const struct model *model, const struct owner *owner, uint32_t object)
{
	uint64_t key;

	return find_link(model, owner, object_resolve(model, object), &key);
}

struct link *link_get(struct model *model, const struct owner *of, uint32_t object)
{
	struct owner owner = *of;
	struct link *link;
	uint64_t key;

	object = object_resolve(model, object);
	link = find_link(model, &owner, object, &key);
	if (!link && io__is_tight(model)) {
		object = give_up_row(model, &owner, object);
		if (object == NO_IDX)
			return NULL;
		link = find_link(model, &owner, object, &key);
	}
	if (link)
		return link;
	if (array__reserve((void **)&model->links, &model->link_cap, model->link_cnt + 1,
			   sizeof(*link)) ||
	    map64__set(&model->feed->io.link_idx, key, model->link_cnt))
		return NULL;
	link = &model->links[model->link_cnt++];
	*link = (struct link){.task = owner.task, .class_idx = owner.class_idx, .object = object};
	io__charge(model, owner.task, LINK_SZ);
	return link;
}

static void merge_use(struct use *to, struct use *from)
{
	to->cnt += from->cnt;
	to->bytes += from->bytes;
	to->errors += from->errors;
	to->again += from->again;
	hist__merge(&to->latency, &from->latency);
	hist__free(&from->latency);
}

static uint32_t min_known(uint32_t a, uint32_t b)
{
	return !a || (b && b < a) ? b : a;
}

static void merge_link(struct link *to, const struct link *from)
{
	to->met += from->met;
	to->opened += from->opened;
	to->failed += from->failed;
	to->closed += from->closed;
	to->active += from->active;
	/* not at one time, perhaps: what both had together is not known any more */
	to->active_max = to->active_max > from->active_max ? to->active_max : from->active_max;
	if (to->active > to->active_max)
		to->active_max = to->active;
	to->tcp_cnt += from->tcp_cnt;
	to->segs_out += from->segs_out;
	to->segs_in += from->segs_in;
	to->retransmits += from->retransmits;
	to->bytes_acked += from->bytes_acked;
	to->bytes_received += from->bytes_received;
	to->rtt_sum_us += from->rtt_sum_us;
	to->rttvar_sum_us += from->rttvar_sum_us;
	to->cwnd_sum += from->cwnd_sum;
	to->rtt_cnt += from->rtt_cnt;
	to->rtt_min_us = min_known(to->rtt_min_us, from->rtt_min_us);
	to->rtt_max_us = to->rtt_max_us > from->rtt_max_us ? to->rtt_max_us : from->rtt_max_us;
	to->path_rtt_us = min_known(to->path_rtt_us, from->path_rtt_us);
	to->mss = to->mss > from->mss ? to->mss : from->mss;
}

/* Whom it belongs to now. */
static struct owner moved(const struct io_state *io, uint64_t task, uint32_t class_idx)
{
	uint64_t into;

	if (task && map64__get(&io->folded_to, task, &into))
		return (struct owner){0, (uint32_t)into};
	return (struct owner){task, class_idx};
}

/* The indices chain colliding keys, so they are built anew. A row that finds its equal goes there. */
static int fold_uses(struct model *model)
{
	struct io_state *io = &model->feed->io;
	size_t cnt = model->use_cnt;
	int err = 0;

	map64__free(&io->use_idx);
	model->use_cnt = 0;
	for (size_t i = 0; i < cnt; i++) {
		struct use use = model->uses[i], *equal;
		struct owner owner = moved(io, use.task, use.class_idx);
		uint64_t key;

		equal = find_use(model, &owner, use.object, use.op, &key);
		if (equal) {
			io->bytes -= (equal->latency.bucket_cap + use.latency.bucket_cap) *
				     sizeof(struct hist_bucket);
			merge_use(equal, &use);
			io->bytes += equal->latency.bucket_cap * sizeof(struct hist_bucket);
			continue;
		}
		use.task = owner.task;
		use.class_idx = owner.class_idx;
		if (map64__set(&io->use_idx, key, model->use_cnt))
			err = -ENOMEM; /* the row stays, for who frees it */
		model->uses[model->use_cnt++] = use;
	}
	return err;
}

static int fold_links(struct model *model)
{
	struct io_state *io = &model->feed->io;
	size_t cnt = model->link_cnt;
	int err = 0;

	map64__free(&io->link_idx);
	model->link_cnt = 0;
	for (size_t i = 0; i < cnt; i++) {
		struct link link = model->links[i], *equal;
		struct owner owner = moved(io, link.task, link.class_idx);
		uint64_t key;

		equal = find_link(model, &owner, link.object, &key);
		if (equal) {
			merge_link(equal, &link);
			continue;
		}
		link.task = owner.task;
		link.class_idx = owner.class_idx;
		if (map64__set(&io->link_idx, key, model->link_cnt))
			err = -ENOMEM;
		model->links[model->link_cnt++] = link;
	}
	return err;
}

int io__fold(struct model *model)
{
	struct io_state *io = &model->feed->io;
	int err, err_links;

	if (!io->folded_to.cnt)
		return 0;
	for (size_t i = 0; i < io->ref_cnt; i++)
		io->refs[i].owner = moved(io, io->refs[i].owner.task, io->refs[i].owner.class_idx);
	for (size_t i = io->change_first; i < io->change_cnt; i++)
		io->changes[i].owner =
			moved(io, io->changes[i].owner.task, io->changes[i].owner.class_idx);
	err = fold_uses(model);
	err_links = fold_links(model);
	map64__free(&io->folded_to);
	return err ? err : err_links;
}

static int compare_objects(const void *a, const void *b, void *ctx)
{
	const struct model *model = ctx;
	const struct object *left = &model->objects[*(const uint32_t *)a];
	const struct object *right = &model->objects[*(const uint32_t *)b];
	int order = left->kind - right->kind;

	if (!order)
		order = strcmp(model__str(model, left->name), model__str(model, right->name));
	if (!order)
		order = strcmp(model__str(model, left->local), model__str(model, right->local));
	if (!order)
		order = left->flags - right->flags;
	if (!order)
		order = left->role - right->role;
	if (!order && left->dev != right->dev)
		order = left->dev < right->dev ? -1 : 1;
	if (!order && left->ino != right->ino)
		order = left->ino < right->ino ? -1 : 1;
	return order;
}

/* Objects that rows are of, in an order that does not depend on how they arrived. `place` of each is
 * its new index + 1; 0: it goes. */
static int order_objects(struct model *model, uint32_t *place)
{
	uint32_t *order = calloc(model->object_cnt + 1, sizeof(*order));
	struct object *objects = calloc(model->object_cnt + 1, sizeof(*objects));
	uint32_t cnt = 0;

	if (!order || !objects) {
		free(order);
		free(objects);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < model->object_cnt; i++)
		if (place[i])
			order[cnt++] = i;
	qsort_r(order, cnt, sizeof(*order), compare_objects, model);
	for (uint32_t i = 0; i < cnt; i++) {
		objects[i] = model->objects[order[i]];
		place[order[i]] = i + 1;
	}
	free(order);
	free(model->objects);
	model->objects = objects;
	model->object_cap = model->object_cnt + 1;
	model->object_cnt = cnt;
	return 0;
}

/* Of what no record ever came is one object. */
static int settle_pending(struct model *model)
{
	struct io_state *io = &model->feed->io;
	uint32_t unknown;

	for (uint32_t i = 0; i < model->object_cnt; i++) {
		if (!io->objects[i].pending)
			continue;
		unknown = object_unknown(model, model->objects[i].kind);
		if (unknown == NO_IDX)
			return -ENOMEM;
		object_is(model, i, unknown);
		io->objects_unknown++;
	}
	return 0;
}

static void merge_rows(struct model *model)
{
	size_t to = 0;

	for (size_t i = 0; i < model->use_cnt; i++) {
		struct use *use = &model->uses[i], *last = &model->uses[to - !!to];

		if (i && use->task == last->task && use->class_idx == last->class_idx &&
		    use->object == last->object && use->op == last->op)
			merge_use(last, use);
		else
			model->uses[to++] = *use;
	}
	model->use_cnt = to;
	to = 0;
	for (size_t i = 0; i < model->link_cnt; i++) {
		struct link *link = &model->links[i], *last = &model->links[to - !!to];

		if (i && link->task == last->task && link->class_idx == last->class_idx &&
		    link->object == last->object)
			merge_link(last, link);
		else
			model->links[to++] = *link;
	}
	model->link_cnt = to;
}

/* Rows that were nobody's until it was known whose they are hold nothing any more. */
static void drop_empty_links(struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->link_cnt; i++) {
		const struct link *link = &model->links[i];

		if (link->task || link->class_idx != NO_IDX || link->met || link->opened ||
		    link->failed || link->closed || link->active || link->tcp_cnt)
			model->links[kept++] = *link;
	}
	model->link_cnt = kept;
}

int io__finish(struct model *model)
{
	int err = settle_pending(model);
	uint32_t *place;

	if (err)
		return err;
	drop_empty_links(model);
	place = calloc(model->object_cnt + 1, sizeof(*place));
	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < model->use_cnt; i++) {
		model->uses[i].object = object_resolve(model, model->uses[i].object);
		place[model->uses[i].object] = 1;
	}
	for (size_t i = 0; i < model->link_cnt; i++) {
		model->links[i].object = object_resolve(model, model->links[i].object);
		place[model->links[i].object] = 1;
	}
	err = order_objects(model, place);
	for (size_t i = 0; !err && i < model->use_cnt; i++)
		model->uses[i].object = place[model->uses[i].object] - 1;
	for (size_t i = 0; !err && i < model->link_cnt; i++)
		model->links[i].object = place[model->links[i].object] - 1;
	free(place);
	if (err)
		return err;
	model__sort_io(model);
	merge_rows(model);
	return 0;
}
