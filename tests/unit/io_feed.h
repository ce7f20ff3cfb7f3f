/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Feeding records of files, sockets and uses, and finding what became of them; for the tests of the
 * feed's IO side. */
#ifndef TESTS_UNIT_IO_FEED_H
#define TESTS_UNIT_IO_FEED_H

#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "model/feed.h"

#define START_NS 5000000000000ULL
#define MS       1000000ULL

/* One for all: it is big. Only the part of the kind at hand is cleared. */
static struct event io_event;

#define IO_EVENT(kind_id, member, at_ns)                                                           \
	(memset(&io_event.member, 0, sizeof(io_event.member)), io_event.kind = (kind_id),          \
	 io_event.tgid = 42, io_event.ns = (at_ns), &io_event.member)

__attribute__((unused)) static struct model *io_start(uint64_t max_memory)
{
	struct feed_options options = {.start_mono_ns = START_NS, .max_memory = max_memory};
	struct model *model = model__new();

	if (!model || feed__start(model, &options))
		exit(2);
	return model;
}

__attribute__((unused)) static void feed_now(struct model *model)
{
	if (feed__event(model, &io_event))
		exit(2);
}

__attribute__((unused)) static void feed_spawn(struct model *model, uint64_t ns, uint64_t id)
{
	struct wire_spawn *spawn = IO_EVENT(WIRE_SPAWN, spawn, ns);

	spawn->task = id;
	spawn->tid = (uint32_t)(id >> 32);
	spawn->start_ns = ns;
	strcpy(spawn->comm, "worker");
	feed_now(model);
}

__attribute__((unused)) static void feed_end(struct model *model, uint64_t ns, uint64_t id)
{
	struct wire_end *end = IO_EVENT(WIRE_END, end, ns);

	end->task = id;
	end->state = STATE_COMPLETED;
	feed_now(model);
}

__attribute__((unused)) static void feed_file(struct model *model, uint64_t ns, uint64_t id,
					      uint16_t mode, const char *path)
{
	io_event.kind = WIRE_FILE;
	io_event.ns = ns;
	io_event.file = (struct event_file){.id = id, .mode = mode, .ino = id, .dev = 8 << 20};
	strcpy(io_event.file.path, path);
	feed_now(model);
}

/* A connection's record, to be filled in and fed. */
__attribute__((unused)) static struct wire_conn *make_conn(uint64_t ns, uint64_t id, uint64_t task,
							   enum wire_conn_event event)
{
	struct wire_conn *conn = IO_EVENT(WIRE_CONN, conn, ns);

	conn->id = id;
	conn->task = task;
	conn->event = event;
	conn->family = AF_INET;
	conn->type = SOCK_STREAM;
	conn->protocol = IPPROTO_TCP;
	conn->min_rtt_us = ~0U;
	conn->flags = event == CONN_CLOSED ? CONN_IS_ACTIVE : 0;
	return conn;
}

__attribute__((unused)) static void set_ends(struct wire_conn *conn, uint8_t local_host,
					     uint16_t local_port, uint8_t peer_host,
					     uint16_t peer_port)
{
	memcpy(conn->local, (uint8_t[]){10, 0, 0, local_host}, 4);
	memcpy(conn->peer, (uint8_t[]){10, 0, 0, peer_host}, 4);
	conn->local_port = local_port;
	conn->peer_port = peer_port;
}

/* A client of 10.0.0.7:80. */
__attribute__((unused)) static void feed_client(struct model *model, uint64_t ns, uint64_t id,
						uint64_t task, enum wire_conn_event event)
{
	struct wire_conn *conn = make_conn(ns, id, task, event);

	conn->role = ROLE_CLIENT;
	set_ends(conn, 1, (uint16_t)(40000 + id % 10000), 7, 80);
	if (event == CONN_LAST)
		conn->flags = CONN_IS_ACTIVE;
	feed_now(model);
}

/* The bucket that BPF puts a latency into, by another way than the reader's. */
__attribute__((unused)) static unsigned int io_bucket(uint64_t ns)
{
	unsigned int i = 0;
	double end = 1 << IO_MIN_LOG2;

	for (double begin = end; i < IO_BUCKETS - 1; i++) {
		if (i && i % 4 == 0)
			begin *= 2;
		end = begin * (1 + (i % 4 + 1) / 4.0);
		if ((double)ns < end)
			break;
	}
	return i;
}

__attribute__((unused)) static struct wire_use *make_use(uint64_t ns, uint64_t task,
							 uint64_t object, enum wire_io_op op)
{
	struct wire_use *use = IO_EVENT(WIRE_USE, use, ns);

	use->key.task = task;
	use->key.object = object;
	use->key.op = op;
	return use;
}

__attribute__((unused)) static void use_ns(struct wire_use *use, uint64_t ns)
{
	use->val.latency[io_bucket(ns)]++;
	use->val.ns += ns;
	use->val.max_ns = ns > use->val.max_ns ? ns : use->val.max_ns;
}

/* One operation of so many bytes that took 1000 ns. */
__attribute__((unused)) static void feed_use(struct model *model, uint64_t ns, uint64_t task,
					     uint64_t object, enum wire_io_op op, uint64_t bytes)
{
	struct wire_use *use = make_use(ns, task, object, op);

	use->val.cnt = 1;
	use->val.bytes = bytes;
	use_ns(use, 1000);
	feed_now(model);
}

__attribute__((unused)) static const char *name_of(const struct model *model, uint32_t object)
{
	return model__str(model, model->objects[object].name);
}

/* The object of that name, or NULL; `cnt` says how many there are. */
__attribute__((unused)) static const struct object *object_named(const struct model *model,
								 const char *name, size_t *cnt)
{
	const struct object *found = NULL;

	*cnt = 0;
	for (size_t i = 0; i < model->object_cnt; i++) {
		if (strcmp(name_of(model, (uint32_t)i), name))
			continue;
		found = &model->objects[i];
		(*cnt)++;
	}
	return found;
}

/* The only use of a finished model that is of this task, this object and operation; or NULL. */
__attribute__((unused)) static const struct use *use_of(const struct model *model, uint64_t task,
							const char *name, enum wire_io_op op)
{
	const struct use *found = NULL;
	size_t cnt;
	const struct use *uses = model__uses(model, task, NO_IDX, &cnt);

	for (size_t i = 0; i < cnt; i++) {
		if (uses[i].op != op || strcmp(name_of(model, uses[i].object), name))
			continue;
		if (found)
			return NULL;
		found = &uses[i];
	}
	return found;
}

__attribute__((unused)) static const struct link *link_of(const struct model *model, uint64_t task,
							  const char *name)
{
	const struct link *found = NULL;
	size_t cnt;
	const struct link *links = model__links(model, task, NO_IDX, &cnt);

	for (size_t i = 0; i < cnt; i++) {
		if (strcmp(name_of(model, links[i].object), name))
			continue;
		if (found)
			return NULL;
		found = &links[i];
	}
	return found;
}

__attribute__((unused)) static uint64_t counter_val(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (!strcmp(model__str(model, model->counters[i].name), name))
			return model->counters[i].val;
	}
	return 0;
}

#endif
