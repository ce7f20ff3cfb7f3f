/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of files, connections and series: what each task, or the folded ones of a class, did
 * with one file or one peer; and what was measured over time. Written by ndjson.c.
 */
#include "export/io.h"

#include <stdio.h>
#include <string.h>

#define NONE_SEEN "no such operation was seen"
#define NOT_TIMED "none of them was seen to begin"
#define NO_EFFECT "all of them were of no effect"
#define KIND(name, table)                                                                          \
	const struct record_kind record_##name = {                                                 \
		.record = #name,                                                                   \
		.getters = table,                                                                  \
		.getter_cnt = sizeof(table) / sizeof(table[0]),                                    \
	}

static const struct object *object_of(const struct row *row)
{
	static const struct object unknown = {};

	return row->idx < row->model->object_cnt ? &row->model->objects[row->idx] : &unknown;
}

static unsigned int kind_of(const struct row *row)
{
	unsigned int kind = object_of(row)->kind;

	return kind < OBJECT_KIND_CNT ? kind : OBJECT_UNKNOWN;
}

enum object_text { OBJECT_NAME, OBJECT_LOCAL, OBJECT_KIND, OBJECT_ROLE };

static void get_text(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct object *object = object_of(row);
	const char *text;

	if (getter->arg == OBJECT_KIND)
		text = object_kind_name(kind_of(row));
	else if (getter->arg == OBJECT_ROLE)
		text = conn_role_name(object->role);
	else
		text = model__str(row->model,
				  getter->arg == OBJECT_NAME ? object->name : object->local);
	if (*text)
		value__str(value, text);
	else
		value__null(value, getter->why);
}

/* Pipes and the like lie in file systems of the kernel, whose numbers say nothing. */
#define KINDS_PLACED                                                                               \
	(KINDS_STORAGE | KINDS_DISK | KIND_BIT(CHARACTER) | KIND_BIT(TERMINAL) |                   \
	 KIND_BIT(MEMORY) | KIND_BIT(KERNEL))

static void get_device(struct value *value, const struct row *row, const struct getter *getter)
{
	uint32_t dev = object_of(row)->dev;

	if (!dev || !(KINDS_PLACED >> kind_of(row) & 1)) {
		value__null(value, getter->why);
		return;
	}
	value->kind = VALUE_STR;
	value->text = value->str;
	snprintf(value->str, sizeof(value->str), "%u:%u", dev >> 20, dev & 0xfffff);
}

static void get_inode(struct value *value, const struct row *row, const struct getter *getter)
{
	uint64_t ino = object_of(row)->ino;

	if (ino && KINDS_PLACED >> kind_of(row) & 1)
		value__uint(value, ino);
	else
		value__null(value, getter->why);
}

static void get_flag(struct value *value, const struct row *row, const struct getter *getter)
{
	bool set = object_of(row)->flags & (getter->arg < 0 ? -getter->arg : getter->arg);

	value__bool(value, getter->arg < 0 ? !set : set);
}

static void get_owner(struct value *value, const struct row *row, const struct getter *getter)
{
	value__task_id(value, row->owner,
		       row->owner_class != NO_IDX ? "folded tasks of the class" : getter->why);
}

static void get_owner_class(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct task *task = row->owner ? model__task(row->model, row->owner) : NULL;

	value__class_id(value, row->model, task ? task->class_idx : row->owner_class, getter->why);
}

static struct use_sum sum_of(const struct row *row, uint32_t ops)
{
	struct use_sum sum = {};

	for (size_t i = 0; i < row->use_cnt; i++) {
		if (row->uses[i].op < IO_OP_CNT && ops >> row->uses[i].op & 1)
			use_sum__add(&sum, &row->uses[i]);
	}
	return sum;
}

enum whole { WHOLE_OPERATIONS, WHOLE_BYTES, WHOLE_TIME, WHOLE_LATENCY, WHOLE_ERRORS, WHOLE_AGAIN };

static void get_whole(struct value *value, const struct row *row, const struct getter *getter)
{
	bool failed = getter->arg == WHOLE_ERRORS || getter->arg == WHOLE_AGAIN;
	struct use_sum sum =
		sum_of(row, failed ? OPS_FALLIBLE : main_ops(object_group(kind_of(row))));
	const uint64_t vals[] = {
		[WHOLE_OPERATIONS] = sum.cnt, [WHOLE_BYTES] = sum.bytes,
		[WHOLE_TIME] = sum.ns,        [WHOLE_LATENCY] = sum.timed ? sum.ns / sum.timed : 0,
		[WHOLE_ERRORS] = sum.errors,  [WHOLE_AGAIN] = sum.again,
	};
	bool is_time = getter->arg == WHOLE_TIME || getter->arg == WHOLE_LATENCY;

	if (is_time && !sum.timed)
		value__null(value, sum.cnt || sum.errors ? NOT_TIMED : getter->why);
	else
		value__uint(value, vals[getter->arg]);
}

enum use_member {
	USE_OPERATIONS,
	USE_BYTES,
	USE_ERRORS,
	USE_AGAIN,
	USE_TOTAL,
	USE_MEAN,
	USE_P50,
	USE_P99,
	USE_MAX,
};
#define USE_ARG(op, member) (IO_##op << 8 | USE_##member)

/* Why a sub-object is null. */
static const char *why_none(const struct row *row, unsigned int op)
{
	bool is_disk = object_group(kind_of(row)) == GROUP_DISK;
	bool of_disk = op == IO_DISK_READ || op == IO_DISK_WRITE;

	if (is_disk && !of_disk)
		return "of a disk only its requests are known";
	if (!is_disk && of_disk)
		return "requests are known by disk, not by file";
	return NONE_SEEN;
}

static void use_time(struct value *value, const struct use *use, enum use_member member)
{
	const struct hist *hist = &use->latency;

	if (!hist->cnt)
		value__null(value, use->cnt || use->errors ? NOT_TIMED : NO_EFFECT);
	else if (member == USE_MEAN)
		value__uint(value, hist->total / hist->cnt);
	else if (member == USE_TOTAL)
		value__hist(value, hist, HIST_TOTAL);
	else if (member == USE_MAX)
		value__hist(value, hist, HIST_MAX);
	else
		value__hist(value, hist, member == USE_P50 ? 50 : 99);
}

static void get_use(struct value *value, const struct row *row, const struct getter *getter)
{
	unsigned int op = (unsigned int)getter->arg >> 8;
	enum use_member member = getter->arg & 0xff;
	const struct use *use = NULL;

	for (size_t i = 0; i < row->use_cnt && !use; i++)
		use = row->uses[i].op == op ? &row->uses[i] : NULL;
	if (!use)
		value__null(value, why_none(row, op));
	else if (member == USE_OPERATIONS)
		value__uint(value, use->cnt);
	else if (member == USE_BYTES)
		value__uint(value, use->bytes);
	else if (member == USE_ERRORS)
		value__uint(value, use->errors);
	else if (member == USE_AGAIN)
		value__uint(value, use->again);
	else
		use_time(value, use, member);
}

#define USE_GET(path, op, member) IO_GET(path, get_use, USE_ARG(op, member), NULL)
#define USE_SUM(path, op, member) IO_TOTAL(path, get_use, USE_ARG(op, member), NULL)
/* In the order of their names. */
#define USE_GETTERS_TIMES(path, op)                                                                \
	USE_GET(path ".p50_ns", op, P50), USE_GET(path ".p99_ns", op, P99),                        \
		USE_GET(path ".total_ns", op, TOTAL)
#define USE_GETTERS_PLAIN(path, op)                                                                \
	USE_SUM(path ".again", op, AGAIN), USE_SUM(path ".errors", op, ERRORS),                    \
		USE_GET(path ".max_ns", op, MAX), USE_GET(path ".mean_ns", op, MEAN),              \
		USE_SUM(path ".operations", op, OPERATIONS), USE_GETTERS_TIMES(path, op)
#define USE_GETTERS(path, op)                                                                      \
	USE_SUM(path ".again", op, AGAIN), USE_SUM(path ".bytes", op, BYTES),                      \
		USE_SUM(path ".errors", op, ERRORS), USE_GET(path ".max_ns", op, MAX),             \
		USE_GET(path ".mean_ns", op, MEAN), USE_SUM(path ".operations", op, OPERATIONS),   \
		USE_GETTERS_TIMES(path, op)
#define USE_GETTERS_SPAN(path, op)                                                                 \
	USE_SUM(path ".count", op, OPERATIONS), USE_GET(path ".max_ns", op, MAX),                  \
		USE_GET(path ".mean_ns", op, MEAN), USE_GETTERS_TIMES(path, op)

#define NOBODY   "of none of the recorded tasks"
#define NO_CLASS "its class is not known"
#define NO_PLACE "it lies in no file system of its own, or was not looked at"

static const struct getter file_getters[] = {
	IO_TOTAL("again", get_whole, WHOLE_AGAIN, NULL),
	IO_TOTAL("bytes", get_whole, WHOLE_BYTES, NULL),
	IO_GET("class_id", get_owner_class, 0, NO_CLASS),
	IO_GET("deleted", get_flag, FILE_DELETED, NULL),
	IO_GET("device", get_device, 0, NO_PLACE),
	USE_GETTERS("disk_read", DISK_READ),
	USE_GETTERS("disk_write", DISK_WRITE),
	IO_TOTAL("errors", get_whole, WHOLE_ERRORS, NULL),
	USE_GETTERS("fault", FAULT),
	IO_GET("inode", get_inode, 0, NO_PLACE),
	IO_GET("kind", get_text, OBJECT_KIND, NULL),
	IO_GET("latency_ns", get_whole, WHOLE_LATENCY, "neither read, written nor synced"),
	USE_GETTERS_PLAIN("open", OPEN),
	IO_TOTAL("operations", get_whole, WHOLE_OPERATIONS, NULL),
	IO_GET("path", get_text, OBJECT_NAME, "its name was not seen"),
	IO_GET("path_whole", get_flag, -(FILE_CUT | FILE_DETACHED), NULL),
	USE_GETTERS("read", READ),
	USE_GETTERS_PLAIN("sync", SYNC),
	IO_GET("task_id", get_owner, 0, NOBODY),
	IO_GET("time_ns", get_whole, WHOLE_TIME, "neither read, written nor synced"),
	USE_GETTERS("write", WRITE),
};
KIND(file, file_getters);

#define LINK_NUMBERS(X)                                                                            \
	X(MET_CNT, met)                                                                            \
	X(OPENED_CNT, opened)                                                                      \
	X(FAILED_CNT, failed)                                                                      \
	X(CLOSED_CNT, closed)                                                                      \
	X(TCP_CNT, tcp_cnt)                                                                        \
	X(SEGMENTS_SENT, segs_out)                                                                 \
	X(SEGMENTS_RECEIVED, segs_in)                                                              \
	X(RETRANSMITS, retransmits)                                                                \
	X(ACKED, bytes_acked)                                                                      \
	X(RECEIVED, bytes_received)                                                                \
	X(MSS, mss)

enum link_number {
#define X(id, name) NUMBER_##id,
	LINK_NUMBERS(X)
#undef X
};

static uint64_t link_number(const struct link *link, enum link_number number)
{
	const uint64_t vals[] = {
#define X(id, name) [NUMBER_##id] = link->name,
		LINK_NUMBERS(X)
#undef X
	};

	return vals[number];
}

#define NO_LINK "counted at the task that opened, accepted or met them"

/* Why it has no connections, or NULL. */
static const char *no_link(const struct row *row)
{
	if (object_of(row)->role == ROLE_LISTENER)
		return "it listens: those that it accepts have records of their own";
	if (object_of(row)->role == ROLE_DATAGRAM)
		return "datagrams need no connection";
	return row->link ? NULL : NO_LINK;
}

static void get_link(struct value *value, const struct row *row, const struct getter *getter)
{
	const char *why = no_link(row);

	if (!why)
		value__uint(value, link_number(row->link, (enum link_number)getter->arg));
	else
		value__null(value, why);
}

enum link_active { ACTIVE_NOW, ACTIVE_MAX };

static void get_active(struct value *value, const struct row *row, const struct getter *getter)
{
	const char *why = no_link(row);

	if (!why)
		value__int(value,
			   getter->arg == ACTIVE_NOW ? row->link->active : row->link->active_max);
	else
		value__null(value, why);
}

/* Why nothing is known of TCP, or NULL. */
static const char *no_tcp(const struct row *row)
{
	if (kind_of(row) != OBJECT_TCP)
		return "not TCP";
	if (no_link(row))
		return no_link(row);
	return row->link->tcp_cnt ? NULL : "no connection was seen to tell";
}

static void get_tcp(struct value *value, const struct row *row, const struct getter *getter)
{
	const char *why = no_tcp(row);

	if (why)
		value__null(value, why);
	else
		get_link(value, row, getter);
}

enum tcp_mean { TCP_RTT, TCP_RTTVAR, TCP_CWND, TCP_RTT_MIN, TCP_RTT_MAX, TCP_PATH_RTT };

/* Those that told their round trip time, and the kernel's own minimum. */
static void get_rtt_of(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct link *link = row->link;
	const char *why = no_tcp(row);
	double cnt;

	if (why) {
		value__null(value, why);
		return;
	}
	if (getter->arg == TCP_PATH_RTT ? !link->path_rtt_us : !link->rtt_cnt) {
		value__null(value, "no round trip was measured yet");
		return;
	}
	cnt = (double)link->rtt_cnt;
	if (getter->arg == TCP_RTT_MIN)
		value__uint(value, (uint64_t)link->rtt_min_us * 1000);
	else if (getter->arg == TCP_RTT_MAX)
		value__uint(value, (uint64_t)link->rtt_max_us * 1000);
	else if (getter->arg == TCP_PATH_RTT)
		value__uint(value, (uint64_t)link->path_rtt_us * 1000);
	else if (getter->arg == TCP_CWND)
		value__num(value, (double)link->cwnd_sum / cnt);
	else
		value__int(value, to_int((double)(getter->arg == TCP_RTT ? link->rtt_sum_us
									 : link->rttvar_sum_us) /
					 cnt * 1000));
}

#define LINK_GET(path, number) IO_GET(path, get_link, NUMBER_##number, NULL)
#define TCP_GET(path, number)  IO_GET(path, get_tcp, NUMBER_##number, NULL)

static const struct getter connection_getters[] = {
	USE_GETTERS_PLAIN("accept", ACCEPT),
	IO_TOTAL("again", get_whole, WHOLE_AGAIN, NULL),
	IO_TOTAL("bytes", get_whole, WHOLE_BYTES, NULL),
	IO_GET("class_id", get_owner_class, 0, NO_CLASS),
	USE_GETTERS_PLAIN("connect", CONNECT),
	IO_GET("connections.active", get_active, ACTIVE_NOW, NULL),
	IO_GET("connections.active_max", get_active, ACTIVE_MAX, NULL),
	LINK_GET("connections.closed", CLOSED_CNT),
	LINK_GET("connections.failed", FAILED_CNT),
	LINK_GET("connections.met", MET_CNT),
	LINK_GET("connections.opened", OPENED_CNT),
	IO_TOTAL("errors", get_whole, WHOLE_ERRORS, NULL),
	IO_GET("latency_ns", get_whole, WHOLE_LATENCY, "neither sent nor received"),
	IO_GET("local", get_text, OBJECT_LOCAL, "known of accepted and listening sockets only"),
	IO_TOTAL("operations", get_whole, WHOLE_OPERATIONS, NULL),
	IO_GET("peer", get_text, OBJECT_NAME, "it has no address, or that was not seen"),
	IO_GET("protocol", get_text, OBJECT_KIND, NULL),
	USE_GETTERS_SPAN("queued", QUEUED),
	USE_GETTERS("received", READ),
	USE_GETTERS_SPAN("request", REQUEST),
	USE_GETTERS_SPAN("response", RESPONSE),
	IO_GET("role", get_text, OBJECT_ROLE, NULL),
	USE_GETTERS("sent", WRITE),
	IO_GET("task_id", get_owner, 0, NOBODY),
	TCP_GET("tcp.bytes_acked", ACKED),
	TCP_GET("tcp.bytes_received", RECEIVED),
	TCP_GET("tcp.connections", TCP_CNT),
	IO_GET("tcp.cwnd", get_rtt_of, TCP_CWND, NULL),
	TCP_GET("tcp.mss", MSS),
	IO_GET("tcp.path_rtt_ns", get_rtt_of, TCP_PATH_RTT, NULL),
	TCP_GET("tcp.retransmissions", RETRANSMITS),
	IO_GET("tcp.rtt_max_ns", get_rtt_of, TCP_RTT_MAX, NULL),
	IO_GET("tcp.rtt_min_ns", get_rtt_of, TCP_RTT_MIN, NULL),
	IO_GET("tcp.rtt_ns", get_rtt_of, TCP_RTT, NULL),
	IO_GET("tcp.rttvar_ns", get_rtt_of, TCP_RTTVAR, NULL),
	TCP_GET("tcp.segments_received", SEGMENTS_RECEIVED),
	TCP_GET("tcp.segments_sent", SEGMENTS_SENT),
	IO_GET("time_ns", get_whole, WHOLE_TIME, "neither sent nor received"),
};
KIND(connection, connection_getters);

/* Who did it, and with what; in the model's order of uses and links. */
struct owner {
	uint64_t task;
	uint32_t class_idx, object;
};

static int cmp(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Task 0 is the last one, and only then the class counts. */
static int cmp_owner(const struct owner *a, const struct owner *b)
{
	int order = cmp(a->task - 1, b->task - 1);

	if (!order && !a->task)
		order = cmp(a->class_idx, b->class_idx);
	return order ? order : cmp(a->object, b->object);
}

static struct owner owner_of_use(const struct use *use)
{
	return (struct owner){use->task, use->class_idx, use->object};
}

static struct owner owner_of_link(const struct link *link)
{
	return (struct owner){link->task, link->class_idx, link->object};
}

/* Takes the next owner's uses and link from both tables, which stand at *use and *link. */
static void next_row(struct row *row, size_t *use, size_t *link)
{
	const struct model *model = row->model;
	struct owner owner = {}, other;
	bool has_use = *use < model->use_cnt;

	if (has_use)
		owner = owner_of_use(&model->uses[*use]);
	row->uses = has_use ? &model->uses[*use] : NULL;
	row->use_cnt = 0;
	row->link = NULL;
	if (*link < model->link_cnt) {
		other = owner_of_link(&model->links[*link]);
		if (!has_use || cmp_owner(&other, &owner) < 0)
			owner = other;
	}
	row->idx = owner.object;
	row->owner = owner.task;
	row->owner_class = owner.task ? NO_IDX : owner.class_idx;
	for (; *use < model->use_cnt; (*use)++, row->use_cnt++) {
		other = owner_of_use(&model->uses[*use]);
		if (cmp_owner(&other, &owner))
			break;
	}
	for (; *link < model->link_cnt; (*link)++) {
		other = owner_of_link(&model->links[*link]);
		if (cmp_owner(&other, &owner))
			break;
		row->link = &model->links[*link];
	}
}

static int write_objects(const struct record_kind *kind, const struct model *model,
			 const struct analysis *analysis, uint32_t kinds, FILE *out)
{
	struct record_writer writer;
	struct row row = {.model = model, .analysis = analysis};
	size_t use = 0, link = 0;
	int err = record_writer__init(&writer, kind);

	if (err)
		return err;
	while (!err && (use < model->use_cnt || link < model->link_cnt)) {
		next_row(&row, &use, &link);
		if (kinds >> kind_of(&row) & 1)
			err = record_writer__write(&writer, &row, out);
	}
	record_writer__free(&writer);
	return err;
}

int write_files(const struct model *model, const struct analysis *analysis, FILE *out)
{
	return write_objects(&record_file, model, analysis, KINDS_FILE | KINDS_DISK, out);
}

int write_connections(const struct model *model, const struct analysis *analysis, FILE *out)
{
	return write_objects(&record_connection, model, analysis, KINDS_SOCKET, out);
}
