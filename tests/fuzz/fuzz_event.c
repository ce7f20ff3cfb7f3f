/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes what the ring's records go through: event__decode(), then the feed. The input is a
 * sequence of (u16 size, record), or (a bit of the first byte) of short orders from which records
 * are made whose ids and times have to do with each other. A quarter of the inputs run with little
 * memory, so that folding and the limits are reached too. What went in must be in the model. Run by
 * tools/fuzz, which gets seeds by FUZZ_WRITE_SEEDS=DIR.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "event/event.h"
#include "model/feed.h"

#define START_NS   1000000000
#define MADE       4 /* in the first byte: orders follow, not records */
#define RECORD_MAX 6000

enum order_kind { ORDER_SAMPLE = WIRE_KIND_CNT, ORDER_TAKEN, ORDER_CNT };

/* A record to make: everything small, so that the same values come again. */
struct order {
	uint8_t kind;
	uint8_t task;
	uint8_t object;
	uint8_t what; /* event, operation, mode, state, series */
	uint8_t ms[2];
	uint8_t more[2];
};

/* What the model must hold in the end. */
struct sums {
	uint64_t cnt, bytes, errors, again, opened, failed, closed;
};

static struct event event;
static struct sums fed;
static uint64_t seen; /* records; a connection that is told twice is met once */

static void feed_edge(struct model *model)
{
	struct wire_edge_key key = {event.end.task, event.ns};
	struct wire_edge edge = {1, event.ns, event.ns};

	feed__edge(model, &key, &edge);
}

static void count(void)
{
	if (event.kind == WIRE_USE) {
		fed.cnt += event.use.val.cnt;
		fed.bytes += event.use.val.bytes;
		fed.errors += event.use.val.errors;
		fed.again += event.use.val.again;
	} else if (event.kind == WIRE_CONN) {
		seen += event.conn.event == CONN_SEEN;
		fed.opened += event.conn.event == CONN_OPENED;
		fed.failed += event.conn.event == CONN_FAILED;
		fed.closed += event.conn.event == CONN_CLOSED;
	}
}

static void feed_record(struct model *model, const void *record, size_t sz)
{
	/* exactly so much memory, for the sanitizer */
	void *exact = malloc(sz ? sz : 1);

	if (!exact)
		abort();
	memcpy(exact, record, sz);
	if (!event__decode(&event, exact, sz)) {
		if (event.kind == WIRE_FILE && !memchr(event.file.path, '\0', FILE_PATH_MAX))
			abort();
		if (feed__event(model, &event))
			abort(); /* what decodes can be fed */
		if (event.kind == WIRE_END)
			feed_edge(model);
		count();
	}
	free(exact);
}

static uint64_t task_of_order(const struct order *order)
{
	return order->task ? (uint64_t)(order->task & 31) << 32 | order->task >> 5 : 0;
}

/* Files and sockets share ids; some are disks', some nobody's. */
static uint64_t object_of_order(const struct order *order)
{
	return order->object > 250 ? DISK_ID | order->object : order->object;
}

static size_t make_file(void *to, const struct order *order)
{
	static const uint32_t magics[] = {0xef53, 0x01021994, 0x9fa0, 0x09041934};
	static const uint16_t modes[] = {S_IFREG, S_IFDIR, S_IFIFO, S_IFCHR, S_IFBLK, 0};
	struct wire_file *file = to;

	file->id = object_of_order(order);
	file->ino = order->more[0] & 3;
	file->mode = modes[order->what % 6];
	file->magic = magics[order->what / 6 % 4];
	file->rdev = (uint32_t)order->more[1] << 20;
	file->flags = order->more[0] >> 4;
	file->path_sz = sprintf((char *)(file + 1), order->more[1] & 1 ? "memfd:%u" : "%u",
				order->more[1] & 7) +
			1;
	return sizeof(*file) + file->path_sz;
}

static size_t make_conn(void *to, const struct order *order)
{
	static const uint16_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};
	struct wire_conn *conn = to;

	conn->id = object_of_order(order);
	conn->task = task_of_order(order);
	conn->event = order->what % CONN_EVENT_CNT;
	conn->role = order->what / CONN_EVENT_CNT % ROLE_CNT;
	conn->family = families[order->more[0] & 3];
	conn->type = order->more[0] & 4 ? SOCK_DGRAM : SOCK_STREAM;
	conn->protocol = order->more[0] & 8 ? 6 : order->more[0] >> 4;
	conn->flags = order->more[1] & 3;
	conn->peer[0] = conn->peer_port = order->more[1] >> 2;
	conn->path[0] = (char)(order->more[1] >> 4);
	conn->segs_out = conn->rest_out = order->more[1];
	conn->srtt_us = order->more[0];
	return sizeof(*conn);
}

static size_t make_use(void *to, const struct order *order)
{
	struct wire_use *use = to;

	use->key.task = task_of_order(order);
	use->key.object = object_of_order(order);
	use->key.op = order->what % IO_OP_CNT;
	use->val.cnt = use->val.bytes = order->more[0];
	use->val.latency[order->more[1] % IO_BUCKETS] = order->more[0];
	use->val.ns = use->val.max_ns = 1ULL << order->more[1] % 64;
	return sizeof(*use);
}

static size_t make_slice(void *to, const struct order *order)
{
	struct wire_slice *slice = to;

	slice->task = task_of_order(order);
	slice->enter_ns = START_NS + order->more[0] * 10000000ULL;
	slice->flush = order->more[1] & 3;
	slice->flags = order->what & 7;
	slice->depth = order->what >> 6;
	slice->tid = order->task & 31;
	return sizeof(*slice);
}

static size_t make_small(void *to, const struct order *order)
{
	struct wire_spawn *spawn = to;
	struct wire_end *end = to;
	struct wire_rename *rename = to;

	if (order->kind % ORDER_CNT == WIRE_SPAWN) {
		spawn->task = task_of_order(order);
		spawn->runtime = order->what % RUNTIME_CNT;
		spawn->comm[0] = (char)order->more[0];
		return sizeof(*spawn);
	}
	if (order->kind % ORDER_CNT == WIRE_RENAME) {
		rename->task = task_of_order(order);
		rename->comm[0] = (char)order->more[0];
		return sizeof(*rename);
	}
	end->task = task_of_order(order);
	end->state = order->what % STATE_CNT;
	return sizeof(*end);
}

static void obey(struct model *model, const struct order *order)
{
	uint64_t ns = START_NS + (order->ms[0] | order->ms[1] << 8) * 1000000ULL;
	char record[1024] = {};
	struct wire_hdr *hdr = (void *)record;
	unsigned int kind = order->kind % ORDER_CNT;
	size_t sz;

	if (kind == ORDER_SAMPLE) {
		feed__sample(model, order->what % SERIES_CNT, ns, order->more[0]);
		return;
	}
	if (kind == ORDER_TAKEN) {
		feed__uses_taken(model, ns);
		return;
	}
	sz = kind == WIRE_FILE    ? make_file(record, order)
	     : kind == WIRE_CONN  ? make_conn(record, order)
	     : kind == WIRE_USE   ? make_use(record, order)
	     : kind == WIRE_SLICE ? make_slice(record, order)
				  : make_small(record, order);
	if (kind != WIRE_SPAWN && kind != WIRE_RENAME && kind < WIRE_FILE && kind != WIRE_SLICE)
		kind = WIRE_END;
	hdr->kind = (uint16_t)kind;
	hdr->sz = (uint16_t)sz;
	hdr->ns = ns;
	feed_record(model, record, sz);
}

static void feed_orders(struct model *model, const uint8_t *data, size_t sz)
{
	struct order order;

	for (; sz >= sizeof(order); data += sizeof(order), sz -= sizeof(order)) {
		memcpy(&order, data, sizeof(order));
		obey(model, &order);
	}
}

static void feed_records(struct model *model, const uint8_t *data, size_t sz)
{
	uint16_t len;

	while (sz > sizeof(len)) {
		memcpy(&len, data, sizeof(len));
		data += sizeof(len);
		sz -= sizeof(len);
		len %= RECORD_MAX;
		if (len > sz)
			len = (uint16_t)sz;
		feed_record(model, data, len);
		data += len;
		sz -= len;
	}
}

static void check_tasks(const struct model *model)
{
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		if (task->class_idx >= model->class_cnt || task->start_ns == NO_TIME ||
		    model__task(model, task->id) != task)
			abort();
	}
}

static void check_owner(const struct model *model, uint64_t task, uint32_t class_idx,
			uint32_t object)
{
	if (object >= model->object_cnt || !*model__str(model, model->objects[object].name))
		abort();
	if (task ? class_idx != NO_IDX || !model__task(model, task)
		 : class_idx != NO_IDX && class_idx >= model->class_cnt)
		abort();
}

static void check_io(const struct model *model)
{
	struct sums sums = {};
	int64_t active = 0;
	size_t cnt;

	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i], *first;

		check_owner(model, use->task, use->class_idx, use->object);
		first = model__uses(model, use->task, use->class_idx, &cnt);
		if (use->op >= IO_OP_CNT || first > use || first + cnt <= use)
			abort();
		sums.cnt += use->cnt;
		sums.bytes += use->bytes;
		sums.errors += use->errors;
		sums.again += use->again;
	}
	for (size_t i = 0; i < model->link_cnt; i++) {
		const struct link *link = &model->links[i], *first;

		check_owner(model, link->task, link->class_idx, link->object);
		first = model__links(model, link->task, link->class_idx, &cnt);
		if (first > link || first + cnt <= link)
			abort();
		if (link->met > seen)
			abort();
		sums.opened += link->opened;
		sums.failed += link->failed;
		sums.closed += link->closed;
		active += link->active;
	}
	/* a socket is met once, however often it is seen, and one that is not told of has ended */
	if (sums.met > fed.met || sums.closed < fed.closed)
		abort();
	sums.met = fed.met;
	sums.closed = fed.closed;
	if (memcmp(&sums, &fed, sizeof(sums)))
		abort();
	if (model->meta.connections_active != NO_TIME &&
	    (active != model->meta.connections_active || active < 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	struct feed_options options = {.start_mono_ns = START_NS};
	struct model *model = model__new();

	if (!sz) {
		model__free(model);
		return 0;
	}
	if (data[0] % 4 == 1)
		options.max_memory = 1 << 14;
	if (data[0] % 4 == 2)
		options.max_slices = 2;
	if (!model || feed__start(model, &options))
		abort();
	memset(&fed, 0, sizeof(fed));
	seen = 0;
	if (data[0] & MADE)
		feed_orders(model, data + 1, sz - 1);
	else
		feed_records(model, data + 1, sz - 1);
	if (feed__finish(model, 1000000000))
		abort();
	check_tasks(model);
	check_io(model);
	model__free(model);
	return 0;
}

/* One input of orders, of all kinds, in an order that is not quite theirs. */
static void write_seed(const char *dir, unsigned int nr)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/orders-%u", dir, nr);
	out = fopen(path, "w");
	if (!out || fputc((int)(MADE | nr % 4), out) == EOF) {
		perror(path);
		exit(1);
	}
	srand(nr);
	for (unsigned int i = 0; i < 40 * (nr + 1); i++) {
		struct order order = {
			.kind = (uint8_t)(rand() % ORDER_CNT),
			.task = (uint8_t)(rand() % 4),
			.object = (uint8_t)(rand() % 8),
			.what = (uint8_t)rand(),
			.ms = {(uint8_t)rand(), (uint8_t)(i / 20)},
			.more = {(uint8_t)rand(), (uint8_t)rand()},
		};

		fwrite(&order, sizeof(order), 1, out);
	}
	if (fclose(out)) {
		perror(path);
		exit(1);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("FUZZ_WRITE_SEEDS");

	(void)argc;
	(void)argv;
	if (!dir)
		return 0;
	for (unsigned int nr = 0; nr < 8; nr++)
		write_seed(dir, nr);
	exit(0);
}
