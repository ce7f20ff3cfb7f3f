/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sections "files", "peers" and "disks": the rows of flows.h as columns. A group that was not
 * measured has no rows and says "why". Called by html.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "report/flows.h"
#include "report/sections.h"

typedef int64_t (*get_fn)(const struct flow *flow, int arg);

struct flow_column {
	const char *name;
	get_fn get;
	int arg;
};

static int64_t clamp(uint64_t val)
{
	return val > INT64_MAX ? INT64_MAX : (int64_t)val;
}

enum half {
	HIGH,
	LOW,
};

static int64_t get_task(const struct flow *flow, int half)
{
	if (!flow->task || flow->folded)
		return COLUMN_NULL;
	return half == HIGH ? flow->task >> 32 : flow->task & UINT32_MAX;
}

static int64_t get_tasks(const struct flow *flow, int arg)
{
	(void)arg;
	return clamp(flow->task_cnt);
}

static int64_t get_folded(const struct flow *flow, int arg)
{
	(void)arg;
	return flow->folded;
}

static int64_t get_flag(const struct flow *flow, int flag)
{
	return !!(flow->object->flags & flag);
}

static int64_t get_time(const struct flow *flow, int arg)
{
	(void)arg;
	return flow->timed && !flow__waits(flow->object) ? clamp(flow->time_ns) : COLUMN_NULL;
}

static int64_t get_bytes(const struct flow *flow, int arg)
{
	(void)arg;
	return clamp(flow->bytes);
}

static int64_t get_calls(const struct flow *flow, int arg)
{
	(void)arg;
	return clamp(flow->calls.cnt);
}

static int64_t get_errors(const struct flow *flow, int arg)
{
	(void)arg;
	return clamp(flow__errors(flow));
}

static int64_t get_mean(const struct flow *flow, int arg)
{
	(void)arg;
	return flow__mean(&flow->calls.latency);
}

static int64_t get_hist(const struct flow *flow, int part)
{
	return hist_part(&flow->calls.latency, part);
}

enum link_part {
	LINK_ACTIVE,
	LINK_MET,
	LINK_OPENED,
	LINK_FAILED,
	LINK_CLOSED,
};

static int64_t get_link(const struct flow *flow, int part)
{
	const struct link *link = &flow->link;

	if (!flow->has_link)
		return COLUMN_NULL;
	switch (part) {
	case LINK_ACTIVE:
		return link->active;
	case LINK_MET:
		return clamp(link->met);
	case LINK_OPENED:
		return clamp(link->opened);
	case LINK_FAILED:
		return clamp(link->failed);
	}
	return clamp(link->closed);
}

enum rtt_part {
	RTT_MEAN,
	RTT_MIN,
	RTT_MAX,
};

static int64_t get_rtt(const struct flow *flow, int part)
{
	const struct link *link = &flow->link;

	if (part == RTT_MEAN || !link->rtt_cnt)
		return flow__rtt(flow);
	return (part == RTT_MIN ? link->rtt_min_us : link->rtt_max_us) * 1000LL;
}

enum tcp_part {
	TCP_SEGS_OUT,
	TCP_SEGS_IN,
	TCP_RETRANSMITS,
};

static int64_t get_tcp(const struct flow *flow, int part)
{
	const struct link *link = &flow->link;

	if (!link->tcp_cnt)
		return COLUMN_NULL;
	return clamp(part == TCP_SEGS_OUT  ? link->segs_out
		     : part == TCP_SEGS_IN ? link->segs_in
					   : link->retransmits);
}

static const struct flow_column columns[] = {
	{"task_tid", get_task, HIGH},
	{"task_seq", get_task, LOW},
	{"tasks", get_tasks, 0},
	{"folded", get_folded, 0},
	{"deleted", get_flag, FILE_DELETED},
	{"cut", get_flag, FILE_CUT},
	{"detached", get_flag, FILE_DETACHED},
	{"time", get_time, 0},
	{"bytes", get_bytes, 0},
	{"calls", get_calls, 0},
	{"errors", get_errors, 0},
	{"mean", get_mean, 0},
	{"p50", get_hist, HIST_P50},
	{"p99", get_hist, HIST_P99},
	{"max", get_hist, HIST_MAX},
};

static const struct flow_column link_columns[] = {
	{"active", get_link, LINK_ACTIVE},
	{"met", get_link, LINK_MET},
	{"opened", get_link, LINK_OPENED},
	{"failed", get_link, LINK_FAILED},
	{"closed", get_link, LINK_CLOSED},
	{"rtt", get_rtt, RTT_MEAN},
	{"rtt_min", get_rtt, RTT_MIN},
	{"rtt_max", get_rtt, RTT_MAX},
	{"segs_out", get_tcp, TCP_SEGS_OUT},
	{"segs_in", get_tcp, TCP_SEGS_IN},
	{"retransmits", get_tcp, TCP_RETRANSMITS},
};

/* The operations of a group; each has all of op_parts. */
static const uint8_t file_ops[] = {IO_READ, IO_WRITE, IO_SYNC, IO_OPEN, IO_FAULT};
static const uint8_t socket_ops[] = {IO_READ,    IO_WRITE,    IO_CONNECT, IO_ACCEPT,
				     IO_REQUEST, IO_RESPONSE, IO_QUEUED};
static const uint8_t disk_ops[] = {IO_DISK_READ, IO_DISK_WRITE};

static const struct {
	const char *id;
	const uint8_t *ops;
	size_t op_cnt;
} groups[] = {
	[GROUP_FILE] = {"as-files", file_ops, sizeof(file_ops)},
	[GROUP_SOCKET] = {"as-peers", socket_ops, sizeof(socket_ops)},
	[GROUP_DISK] = {"as-disks", disk_ops, sizeof(disk_ops)},
};

enum op_part {
	OP_CNT,
	OP_BYTES,
	OP_ERRORS,
	OP_AGAIN,
	OP_MEAN,
	OP_P50,
	OP_P99,
	OP_MAX,
	OP_PART_CNT,
};

static const char *const op_parts[] = {
	[OP_CNT] = "cnt",   [OP_BYTES] = "bytes", [OP_ERRORS] = "errors", [OP_AGAIN] = "again",
	[OP_MEAN] = "mean", [OP_P50] = "p50",     [OP_P99] = "p99",       [OP_MAX] = "max",
};

static int64_t get_op(const struct flow_op *op, enum op_part part)
{
	switch (part) {
	case OP_CNT:
		return clamp(op->cnt);
	case OP_BYTES:
		return clamp(op->bytes);
	case OP_ERRORS:
		return clamp(op->errors);
	case OP_AGAIN:
		return clamp(op->again);
	case OP_MEAN:
		return flow__mean(&op->latency);
	case OP_P50:
		return hist_part(&op->latency, HIST_P50);
	case OP_P99:
		return hist_part(&op->latency, HIST_P99);
	default:
		return hist_part(&op->latency, HIST_MAX);
	}
}

static void add_ops(struct columns *out, const struct flows *flows, int64_t *vals)
{
	for (size_t at = 0; at < groups[flows->group].op_cnt; at++) {
		unsigned int op = groups[flows->group].ops[at];

		for (int part = 0; part < OP_PART_CNT; part++) {
			struct buf name = {0};

			for (size_t i = 0; i < flows->cnt; i++)
				vals[i] = flow__saw(&flows->rows[i], op)
						  ? get_op(&flows->rows[i].ops[op], part)
						  : COLUMN_NULL;
			buf__printf(&name, "%s_%s", io_op_name(op), op_parts[part]);
			columns__add(out, buf__str(&name), vals);
			buf__free(&name);
		}
	}
}

static void add_numbers(struct columns *out, const struct flows *flows,
			const struct flow_column *table, size_t cnt, int64_t *vals)
{
	for (size_t at = 0; at < cnt; at++) {
		for (size_t i = 0; i < flows->cnt; i++)
			vals[i] = table[at].get(&flows->rows[i], table[at].arg);
		columns__add(out, table[at].name, vals);
	}
}

static const char *get_model_str(const void *ctx, uint64_t id)
{
	return model__str(ctx, id);
}

static const char *get_kind(const void *ctx, uint64_t kind)
{
	(void)ctx;
	return object_kind_name(kind);
}

static const char *get_role(const void *ctx, uint64_t role)
{
	(void)ctx;
	return conn_role_name(role);
}

struct whos {
	const struct model *model;
	const struct flows *flows;
	char text[256];
};

static const char *get_who(const void *ctx, uint64_t row)
{
	struct whos *whos = (struct whos *)ctx;

	return flow__who(whos->model, &whos->flows->rows[row], whos->text, sizeof(whos->text));
}

static void add_strings(struct columns *out, const struct model *model, const struct flows *flows,
			int64_t *vals)
{
	struct whos whos = {.model = model, .flows = flows};

#define STRINGS(name, val, get, ctx)                                                               \
	do {                                                                                       \
		for (size_t i = 0; i < flows->cnt; i++)                                            \
			vals[i] = (val);                                                           \
		columns__add_strings(out, name, vals, get, ctx);                                   \
	} while (0)
	STRINGS("name", flows->rows[i].object->name, get_model_str, model);
	STRINGS("kind", flows->rows[i].object->kind, get_kind, NULL);
	STRINGS("who", (int64_t)i, get_who, &whos);
	STRINGS("class",
		flows->rows[i].class_idx == NO_IDX
			? COLUMN_NULL
			: (int64_t)model->classes[flows->rows[i].class_idx].name,
		get_model_str, model);
	if (flows->group == GROUP_SOCKET) {
		STRINGS("local", flows->rows[i].object->local, get_model_str, model);
		STRINGS("role", flows->rows[i].object->role, get_role, NULL);
	}
#undef STRINGS
}

int section_flows(const struct model *model, enum object_group group, FILE *file)
{
	const char *why = group_why(model, group);
	struct flows flows = {.group = group};
	int err = why ? 0 : flows__gather(&flows, model, group);
	int64_t *vals = malloc((flows.cnt ? flows.cnt : 1) * sizeof(*vals));
	struct columns out;

	columns__start(&out, flows.cnt);
	if (err || !vals) {
		out.err = -ENOMEM;
		goto cleanup;
	}
	if (why)
		json__kv_str(&out.head, "why", why);
	json__kv_u64(&out.head, "left_rows", flows.left_cnt);
	json__kv_u64(&out.head, "left_ns", flows.left_ns);
	json__kv_u64(&out.head, "left_bytes", flows.left_bytes);
	add_strings(&out, model, &flows, vals);
	add_numbers(&out, &flows, columns, sizeof(columns) / sizeof(*columns), vals);
	if (group == GROUP_SOCKET)
		add_numbers(&out, &flows, link_columns,
			    sizeof(link_columns) / sizeof(*link_columns), vals);
	add_ops(&out, &flows, vals);

cleanup:
	err = columns__finish(&out, groups[group].id, file);
	flows__free(&flows);
	free(vals);
	return err;
}
