/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tasks of the rich model do with files, peers and a disk: two threads, six tasks of a
 * runtime, the folded tasks of a class, and nobody. Round numbers. Included by rich_model.h.
 */
#ifndef TESTS_UNIT_RICH_IO_H
#define TESTS_UNIT_RICH_IO_H

#include <stdlib.h>

#include "base/array.h"
#include "model/model.h"

#define US 1000LL

/* The rich model's objects. */
enum {
	RICH_WAL,
	RICH_DATA,
	RICH_PIPE,
	RICH_HOSTILE,
	RICH_REDIS,
	RICH_CLIENTS,
	RICH_SOCK,
	RICH_SDA,
	RICH_DNS,
	RICH_LISTENER,
};

__attribute__((unused)) static uint32_t add_object(struct model *model, uint8_t kind,
						   const char *name)
{
	if (array__reserve((void **)&model->objects, &model->object_cap, model->object_cnt + 1,
			   sizeof(*model->objects)))
		abort();
	model->objects[model->object_cnt] =
		(struct object){.kind = kind, .name = model__intern(model, name)};
	return (uint32_t)model->object_cnt++;
}

/* `cnt` operations of `ns` each. */
__attribute__((unused)) static struct use *add_use(struct model *model, uint64_t task,
						   uint32_t object, uint8_t op, uint64_t cnt,
						   uint64_t bytes, uint64_t ns)
{
	struct use *use;

	if (array__reserve((void **)&model->uses, &model->use_cap, model->use_cnt + 1,
			   sizeof(*model->uses)))
		abort();
	use = &model->uses[model->use_cnt++];
	*use = (struct use){.task = task,
			    .class_idx = NO_IDX,
			    .object = object,
			    .op = op,
			    .cnt = cnt,
			    .bytes = bytes};
	if (ns)
		hist__add(&use->latency, ns, cnt);
	return use;
}

__attribute__((unused)) static struct link *add_link(struct model *model, uint64_t task,
						     uint32_t object)
{
	if (array__reserve((void **)&model->links, &model->link_cap, model->link_cnt + 1,
			   sizeof(*model->links)))
		abort();
	model->links[model->link_cnt] =
		(struct link){.task = task, .class_idx = NO_IDX, .object = object};
	return &model->links[model->link_cnt++];
}

__attribute__((unused)) static void add_sample(struct model *model, uint8_t series, int64_t at_ns,
					       int64_t val)
{
	if (array__reserve((void **)&model->samples, &model->sample_cap, model->sample_cnt + 1,
			   sizeof(*model->samples)))
		abort();
	model->samples[model->sample_cnt++] =
		(struct sample){.series = series, .at_ns = at_ns, .val = val};
}

__attribute__((unused)) static void rich_objects(struct model *model, const char *hostile)
{
	struct object *object;

	add_object(model, OBJECT_REGULAR, "/srv/db/wal");
	add_object(model, OBJECT_REGULAR,
		   "/srv/db/a/directory/with/a/long/name/that/no/column/can/hold/data");
	add_object(model, OBJECT_PIPE, "[pipe]");
	add_object(model, OBJECT_REGULAR, hostile);
	add_object(model, OBJECT_TCP, "10.0.0.7:6379");
	add_object(model, OBJECT_TCP, "10.0.0.9");
	add_object(model, OBJECT_UNIX, "unix:/run/app.sock");
	add_object(model, OBJECT_DISK, "disk 8:0");
	add_object(model, OBJECT_UDP, "[2001:db8::1]:53");
	add_object(model, OBJECT_TCP, "listening on 10.0.0.1:80");
	object = model->objects;
	object[RICH_WAL].dev = 8 << 20 | 1;
	object[RICH_WAL].ino = 42;
	object[RICH_DATA].dev = 8 << 20 | 1;
	object[RICH_DATA].ino = 43;
	object[RICH_DATA].flags = FILE_DELETED | FILE_CUT;
	object[RICH_PIPE].dev = 14;
	object[RICH_PIPE].ino = 99;
	object[RICH_SDA].dev = 8 << 20;
	object[RICH_REDIS].role = ROLE_CLIENT;
	object[RICH_CLIENTS].role = ROLE_SERVER;
	object[RICH_CLIENTS].local = model__intern(model, "10.0.0.1:80");
	object[RICH_SOCK].role = ROLE_CLIENT;
	object[RICH_DNS].role = ROLE_DATAGRAM;
	object[RICH_LISTENER].role = ROLE_LISTENER;
}

/* Files: reads, writes, syncs, an open, faults; a pipe; a peer that it connects to. */
__attribute__((unused)) static void rich_io_main(struct model *model, struct task *task)
{
	struct link *link;

	task->c[COUNTER_IO_READS] = 1050;
	task->c[COUNTER_IO_READ_BYTES] = 4101000;
	task->c[COUNTER_IO_WRITES] = 200;
	task->c[COUNTER_IO_WRITE_BYTES] = 819000;
	task->c[COUNTER_IO_ERRORS] = 2;
	task->c[COUNTER_IO_TIME] = 170 * 1000 * US;
	task->c[COUNTER_DISK_READ_BYTES] = 1 << 20;
	task->c[COUNTER_DISK_WRITE_BYTES] = 819200;
	task->c[COUNTER_MAPPED_BYTES] = 8192;
	task->c[COUNTER_NET_SENDS] = 501;
	task->c[COUNTER_NET_SENT_BYTES] = 50000;
	task->c[COUNTER_NET_RECEIVES] = 500;
	task->c[COUNTER_NET_RECEIVED_BYTES] = 100000;
	task->c[COUNTER_NET_PACKETS_SENT] = 511;
	task->c[COUNTER_NET_PACKETS_RECEIVED] = 505;
	task->c[COUNTER_NET_ERRORS] = 1;
	task->c[COUNTER_NET_RETRANSMITS] = 5;
	add_use(model, task->id, RICH_WAL, IO_READ, 1000, 4096000, 100 * US);
	add_use(model, task->id, RICH_WAL, IO_WRITE, 200, 819000, 200 * US)->errors = 2;
	add_use(model, task->id, RICH_WAL, IO_SYNC, 10, 0, 3000 * US);
	add_use(model, task->id, RICH_WAL, IO_OPEN, 1, 0, 50 * US);
	add_use(model, task->id, RICH_DATA, IO_FAULT, 4, 16384, 1000 * US);
	add_use(model, task->id, RICH_PIPE, IO_READ, 50, 5000, 10000 * US)->again = 7;
	add_use(model, task->id, RICH_HOSTILE, IO_WRITE, 0, 0, 0)->again = 1;
	add_use(model, task->id, RICH_REDIS, IO_CONNECT, 1, 0, 2000 * US)->errors = 1;
	add_use(model, task->id, RICH_REDIS, IO_WRITE, 500, 49900, 20 * US);
	add_use(model, task->id, RICH_REDIS, IO_READ, 500, 100000, 1000 * US)->again = 3;
	add_use(model, task->id, RICH_REDIS, IO_RESPONSE, 500, 0, 1000 * US);
	add_use(model, task->id, RICH_DNS, IO_WRITE, 1, 100, 0);
	add_use(model, task->id, RICH_SDA, IO_DISK_READ, 200, 1 << 20, 1000 * US);
	add_use(model, task->id, RICH_LISTENER, IO_ACCEPT, 0, 0, 0)->again = 1;
	add_link(model, task->id, RICH_LISTENER)->met = 1;
	link = add_link(model, task->id, RICH_REDIS);
	*link = (struct link){.task = task->id,
			      .class_idx = NO_IDX,
			      .object = RICH_REDIS,
			      .met = 1,
			      .opened = 1,
			      .failed = 1,
			      .closed = 1,
			      .active = 1,
			      .active_max = 2,
			      .tcp_cnt = 2,
			      .segs_out = 510,
			      .segs_in = 505,
			      .retransmits = 5,
			      .bytes_acked = 49900,
			      .bytes_received = 100000,
			      .rtt_sum_us = 3000,
			      .rttvar_sum_us = 500,
			      .cwnd_sum = 25,
			      .rtt_cnt = 2,
			      .rtt_min_us = 1000,
			      .rtt_max_us = 2000,
			      .path_rtt_us = 900,
			      .mss = 1448};
}

/* A task that serves `nr` requests of `nr` ms each on one connection that stays open. */
__attribute__((unused)) static void rich_io_server(struct model *model, struct task *task,
						   uint32_t nr)
{
	struct link *link = add_link(model, task->id, RICH_CLIENTS);

	link->opened = nr;
	link->closed = nr - 1;
	link->active = link->active_max = 1;
	task->c[COUNTER_NET_SENDS] = task->c[COUNTER_NET_RECEIVES] = nr;
	task->c[COUNTER_NET_SENT_BYTES] = 1000 * (int64_t)nr;
	task->c[COUNTER_NET_RECEIVED_BYTES] = 100 * (int64_t)nr;
	task->c[COUNTER_NET_PACKETS_SENT] = task->c[COUNTER_NET_PACKETS_RECEIVED] = 2 * nr;
	add_use(model, task->id, RICH_CLIENTS, IO_READ, nr, 100 * nr, 5 * US);
	add_use(model, task->id, RICH_CLIENTS, IO_WRITE, nr, 1000 * nr, 15 * US);
	add_use(model, task->id, RICH_CLIENTS, IO_ACCEPT, nr, 0, 300 * US);
	add_use(model, task->id, RICH_CLIENTS, IO_REQUEST, nr, 0, nr * 1000 * US);
	add_use(model, task->id, RICH_CLIENTS, IO_QUEUED, nr, 0, 500 * US);
}

/* The same of 40 tasks that were folded, and reads of a file. */
__attribute__((unused)) static void rich_io_folded(struct model *model, uint32_t class_idx)
{
	struct task_class *class = &model->classes[class_idx];

	class->folded_c[COUNTER_IO_READS] = 400;
	class->folded_c[COUNTER_IO_READ_BYTES] = 40000;
	class->folded_c[COUNTER_NET_SENDS] = 40;
	class->folded_c[COUNTER_NET_SENT_BYTES] = 4000;
	add_use(model, 0, RICH_WAL, IO_READ, 400, 40000, 50 * US)->class_idx = class_idx;
	add_use(model, 0, RICH_PIPE, IO_READ, 0, 0, 0)->again = 40;
	model->uses[model->use_cnt - 1].class_idx = class_idx;
	add_use(model, 0, RICH_CLIENTS, IO_WRITE, 40, 4000, 30 * US)->class_idx = class_idx;
	add_link(model, 0, RICH_CLIENTS)->class_idx = class_idx;
	model->links[model->link_cnt - 1].opened = 40;
	model->links[model->link_cnt - 1].closed = 40;
	model->links[model->link_cnt - 1].active_max = 3;
}

__attribute__((unused)) static void rich_samples(struct model *model)
{
	static const int64_t connections[] = {6, 26, 6};

	for (size_t i = 0; i < 3; i++)
		add_sample(model, SERIES_CONNECTIONS, (int64_t)(i + 1) * 100000 * US,
			   connections[i]);
	add_sample(model, SERIES_IO_QUEUE, 100000 * US, 1500);
	add_sample(model, SERIES_IO_QUEUE, 200000 * US, 500);
	add_sample(model, SERIES_DISK_IN_FLIGHT, 100000 * US, 2);
}

#endif
