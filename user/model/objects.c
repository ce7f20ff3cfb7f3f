/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of a recording that is fed: one for all that has the same name, as many as memory
 * allows, and "(others)" of each kind for what is beyond. Called by io.c and links.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

static const char unknown_name[] = "(unknown)";

/* A path of unix sockets says nothing of streams or datagrams; other kinds have one or the other. */
static bool is_unix_datagram(const struct object *object)
{
	return object->kind == OBJECT_UNIX && object->role == ROLE_DATAGRAM;
}

/* A name that is gone, or half of one (flags), may be that of many: those go by their inode, too. */
static uint64_t object_key(const struct object *object)
{
	uint64_t inode = object->flags ? hash64(object->ino ^ hash64(object->dev)) : 0;

	return hash64((uint64_t)object->name << 32 ^ object->local ^
		      hash64(inode + object->kind + (is_unix_datagram(object) ? 256 : 0)));
}

static bool same_object(const struct object *a, const struct object *b)
{
	return a->name == b->name && a->local == b->local && a->kind == b->kind &&
	       a->flags == b->flags && is_unix_datagram(a) == is_unix_datagram(b) &&
	       (!a->flags || (a->ino == b->ino && a->dev == b->dev));
}

/* The object with this key's content, or NO_IDX and in *key where to put it. */
static uint32_t find(const struct model *model, const struct object *object, uint64_t *key)
{
	uint64_t idx;

	*key = object_key(object);
	for (; map64__get(&model->feed->io.object_idx, *key, &idx); (*key)++)
		if (same_object(&model->objects[idx], object))
			return (uint32_t)idx;
	return NO_IDX;
}

/* One more, at no place in the index. */
static uint32_t add(struct model *model, const struct object *object)
{
	struct io_state *io = &model->feed->io;
	size_t idx = model->object_cnt;

	if (idx >= NO_IDX - 1 ||
	    array__reserve((void **)&model->objects, &model->object_cap, idx + 1,
			   sizeof(*model->objects)) ||
	    array__reserve((void **)&io->objects, &io->object_cap, idx + 1, sizeof(*io->objects)))
		return NO_IDX;
	model->objects[idx] = *object;
	io->objects[idx] = (struct object_state){.alias = NO_IDX};
	model->object_cnt++;
	return (uint32_t)idx;
}

static uint32_t get(struct model *model, const struct object *object)
{
	uint64_t key;
	uint32_t idx = find(model, object, &key);

	if (idx != NO_IDX)
		return idx;
	idx = add(model, object);
	if (idx == NO_IDX || map64__set(&model->feed->io.object_idx, key, idx))
		return NO_IDX;
	return idx;
}

uint32_t object_others(struct model *model, unsigned int kind)
{
	struct object object = {.kind = (uint8_t)kind};
	uint32_t *others = &model->feed->io.others[kind], idx;

	if (*others)
		return *others - 1;
	object.name = model__intern(model, "(others)");
	idx = get(model, &object);
	*others = idx + 1; /* 0 for NO_IDX */
	return idx;
}

uint32_t object_unknown(struct model *model, unsigned int kind)
{
	struct object object = {.kind = (uint8_t)kind, .name = model__intern(model, unknown_name)};

	return get(model, &object);
}

/* What is newer about an object that was there: the file behind a path, the role of a socket. */
static void refresh(struct model *model, uint32_t idx, const struct object *from, uint64_t ns)
{
	struct object_state *state = &model->feed->io.objects[idx];
	struct object *object = &model->objects[idx];

	if (from->role > object->role)
		object->role = from->role;
	if (ns < state->ns)
		return;
	/* of two of one moment the larger number, so that no order matters */
	if (ns > state->ns || from->ino > object->ino) {
		object->ino = from->ino;
		object->dev = from->dev;
	}
	state->ns = ns;
}

uint32_t object_get(struct model *model, const struct object_desc *desc, uint64_t ns)
{
	struct object object = {
		.ino = desc->ino,
		.dev = desc->dev,
		.kind = desc->kind,
		.role = desc->role,
		.flags = desc->flags,
		.name = strtab__find(&model->strings, desc->name),
		.local = strtab__find(&model->strings, desc->local),
	};
	size_t sz = strlen(desc->name) + strlen(desc->local);
	uint32_t idx = NO_IDX;
	uint64_t key;

	if ((object.name || !*desc->name) && (object.local || !*desc->local))
		idx = find(model, &object, &key);
	if (idx == NO_IDX &&
	    (io__is_full(model) || model->strings.sz + sz >= model->feed->max_strings)) {
		model->feed->io.objects_folded++;
		return object_others(model, desc->kind);
	}
	if (idx == NO_IDX) {
		object.name = model__intern(model, desc->name);
		object.local = model__intern(model, desc->local);
		idx = get(model, &object);
	}
	if (idx != NO_IDX)
		refresh(model, idx, &object, ns);
	return idx;
}

uint32_t object_pending(struct model *model, unsigned int kind)
{
	struct object object = {.kind = (uint8_t)kind};
	uint32_t idx;

	if (io__is_full(model)) {
		model->feed->io.objects_folded++;
		return object_others(model, kind);
	}
	object.name = model__intern(model, unknown_name);
	idx = add(model, &object);
	if (idx != NO_IDX)
		model->feed->io.objects[idx].pending = true;
	return idx;
}

void object_is(struct model *model, uint32_t pending, uint32_t object)
{
	struct object_state *state = &model->feed->io.objects[pending];

	state->pending = false;
	state->alias = object;
	/* who looks before the end, like a checkpoint, sees the name twice, but the right one */
	model->objects[pending] = model->objects[object];
}

uint32_t object_resolve(const struct model *model, uint32_t object)
{
	uint32_t alias = model->feed->io.objects[object].alias;

	return alias == NO_IDX ? object : alias;
}
