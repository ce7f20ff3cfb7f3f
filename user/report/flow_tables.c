/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The costliest files, peers and disks as plain HTML tables: what a reader without JavaScript and a
 * printed page have in place of the tables that the scripts draw. Called by html.c.
 */
#include <errno.h>

#include "analyze/analyze.h"
#include "report/flows.h"
#include "report/markup.h"
#include "report/sections.h"

#define TOP_CNT    20
#define NAME_CHARS 56

struct place {
	const struct model *model;
	const struct flow *flow;
};

/* Writes what stands in a cell. */
typedef void (*cell_fn)(struct buf *buf, const struct place *place, int arg);

struct cell {
	const char *label;
	cell_fn write;
	int arg;
	bool num;
};

static void none(struct buf *buf, const char *word, const char *why)
{
	buf__puts(buf, "<span class=\"missing\" title=\"");
	markup__text(buf, why);
	buf__printf(buf, "\">%s<span class=\"sr\">: ", word);
	markup__text(buf, why);
	buf__puts(buf, "</span></span>");
}

static void put_kind(struct buf *buf, const struct place *place, int arg)
{
	(void)arg;
	buf__puts(buf, object_kind_name(place->flow->object->kind));
	if (place->flow->object->flags & FILE_DELETED)
		buf__puts(buf, ", deleted");
}

static void put_who(struct buf *buf, const struct place *place, int arg)
{
	const struct flow *flow = place->flow;
	char text[256];

	(void)arg;
	if (!flow->task_cnt && !flow->folded) {
		none(buf, "nobody", "no task could be told");
		return;
	}
	buf__puts(buf, "<bdi>");
	markup__or_unknown(buf, flow__who(place->model, flow, text, sizeof(text)));
	buf__puts(buf, "</bdi>");
	if (flow->task_cnt > 1 || flow->folded) {
		buf__puts(buf, " <span class=\"dim\">");
		markup__count(buf, flow->task_cnt);
		buf__puts(buf, flow->folded ? " tasks and folded ones</span>" : " tasks</span>");
	}
}

static void put_time(struct buf *buf, const struct place *place, int arg)
{
	uint64_t ns = place->flow->time_ns;

	(void)arg;
	if (flow__waits(place->flow->object))
		none(buf, "not storage", "reads of pipes and the like wait for somebody");
	else if (!place->flow->timed)
		none(buf, "none", "no such operation was seen from its beginning");
	else
		format_ns(buf, ns > INT64_MAX ? INT64_MAX : (int64_t)ns);
}

static void put_cnt(struct buf *buf, const struct place *place, int op)
{
	if (flow__saw(place->flow, op))
		markup__count(buf, place->flow->ops[op].cnt);
	else
		none(buf, "none", "no such operation was seen");
}

static void put_bytes(struct buf *buf, const struct place *place, int op)
{
	if (flow__saw(place->flow, op))
		format_bytes(buf, place->flow->ops[op].bytes);
	else
		none(buf, "none", "no such operation was seen");
}

static void put_errors(struct buf *buf, const struct place *place, int arg)
{
	uint64_t errors = flow__errors(place->flow);

	(void)arg;
	buf__puts(buf, errors ? "<b class=\"warn\">" : "");
	markup__count(buf, errors);
	buf__puts(buf, errors ? "</b>" : "");
}

static void put_ns(struct buf *buf, int64_t ns, uint64_t cnt)
{
	if (ns != COLUMN_NULL)
		format_ns(buf, ns);
	else if (cnt)
		none(buf, "n too small", "a percentile needs more values");
	else
		none(buf, "none", "no such operation was seen from its beginning");
}

static void put_mean(struct buf *buf, const struct place *place, int arg)
{
	(void)arg;
	put_ns(buf, flow__mean(&place->flow->calls.latency), 0);
}

static void put_p99(struct buf *buf, const struct place *place, int arg)
{
	const struct hist *hist = &place->flow->calls.latency;

	(void)arg;
	put_ns(buf, hist_part(hist, HIST_P99), hist->cnt);
}

static void put_op_p99(struct buf *buf, const struct place *place, int op)
{
	const struct hist *hist = &place->flow->ops[op].latency;

	put_ns(buf, hist_part(hist, HIST_P99), hist->cnt);
}

static void put_op_mean(struct buf *buf, const struct place *place, int op)
{
	put_ns(buf, flow__mean(&place->flow->ops[op].latency), 0);
}

static void put_conns(struct buf *buf, const struct place *place, int arg)
{
	const struct link *link = &place->flow->link;

	(void)arg;
	if (!place->flow->has_link) {
		none(buf, "none", "no connection to it was seen");
		return;
	}
	markup__count(buf, link->active < 0 ? 0 : link->active);
	buf__puts(buf, " / ");
	markup__count(buf, link->opened);
	buf__puts(buf, " / ");
	markup__count(buf, link->failed);
}

static void no_tcp(struct buf *buf, const struct flow *flow)
{
	if (flow->object->kind == OBJECT_TCP)
		none(buf, "not measured", "none of its connections told");
	else
		none(buf, "none", "only TCP has it");
}

static void put_rtt(struct buf *buf, const struct place *place, int arg)
{
	int64_t ns = flow__rtt(place->flow);

	(void)arg;
	if (ns == COLUMN_NULL)
		no_tcp(buf, place->flow);
	else
		format_ns(buf, ns);
}

static void put_retransmits(struct buf *buf, const struct place *place, int arg)
{
	(void)arg;
	if (!place->flow->link.tcp_cnt)
		no_tcp(buf, place->flow);
	else
		markup__count(buf, place->flow->link.retransmits);
}

static const struct cell file_cells[] = {
	{"Time", put_time, 0, true},
	{"Read", put_bytes, IO_READ, true},
	{"Written", put_bytes, IO_WRITE, true},
	{"Kind", put_kind, 0, false},
	{"Used by", put_who, 0, false},
	{"Reads", put_cnt, IO_READ, true},
	{"Writes", put_cnt, IO_WRITE, true},
	{"Syncs", put_cnt, IO_SYNC, true},
	{"Failed", put_errors, 0, true},
	{"Mean", put_mean, 0, true},
	{"p99", put_p99, 0, true},
};

static const struct cell peer_cells[] = {
	{"Time", put_time, 0, true},
	{"Received", put_bytes, IO_READ, true},
	{"Sent", put_bytes, IO_WRITE, true},
	{"Used by", put_who, 0, false},
	{"Open / opened / failed", put_conns, 0, true},
	{"Receives", put_cnt, IO_READ, true},
	{"Sends", put_cnt, IO_WRITE, true},
	{"Failed", put_errors, 0, true},
	{"Mean", put_mean, 0, true},
	{"RTT", put_rtt, 0, true},
	{"Sent again", put_retransmits, 0, true},
	{"Served", put_cnt, IO_REQUEST, true},
	{"Served p99", put_op_p99, IO_REQUEST, true},
	{"In the queue", put_op_mean, IO_QUEUED, true},
};

static const struct cell disk_cells[] = {
	{"Time", put_time, 0, true},
	{"Read", put_bytes, IO_DISK_READ, true},
	{"Written", put_bytes, IO_DISK_WRITE, true},
	{"Used by", put_who, 0, false},
	{"Reads", put_cnt, IO_DISK_READ, true},
	{"Writes", put_cnt, IO_DISK_WRITE, true},
	{"Failed", put_errors, 0, true},
	{"Mean", put_mean, 0, true},
	{"p99", put_p99, 0, true},
};

static const struct {
	const char *head, *first; /* heading and first column */
	const char *none;
	const struct cell *cells;
	size_t cnt;
} tables[] = {
	[GROUP_FILE] = {"Files", "Path", "No file was used in this recording.", file_cells,
			sizeof(file_cells) / sizeof(*file_cells)},
	[GROUP_SOCKET] = {"Peers", "Peer", "No socket was used in this recording.", peer_cells,
			  sizeof(peer_cells) / sizeof(*peer_cells)},
	[GROUP_DISK] = {"Disks", "Disk", "Nothing reached a disk in this recording.", disk_cells,
			sizeof(disk_cells) / sizeof(*disk_cells)},
};

/* "tcp server at 0.0.0.0:8080" */
static void put_ends(struct buf *buf, const struct place *place)
{
	const struct object *object = place->flow->object;
	const char *local = model__str(place->model, object->local);

	buf__printf(buf, " <span class=\"dim\">%s", object_kind_name(object->kind));
	if (object->role != ROLE_UNKNOWN)
		buf__printf(buf, " %s", conn_role_name(object->role));
	if (*local) {
		buf__puts(buf, " at ");
		markup__middle(buf, local, NAME_CHARS);
	}
	buf__puts(buf, "</span>");
}

static void table_row(struct buf *buf, const struct place *place, enum object_group group)
{
	const struct object *object = place->flow->object;

	buf__puts(buf, "<tr><th scope=\"row\">");
	if (*model__str(place->model, object->name))
		markup__middle(buf, model__str(place->model, object->name), NAME_CHARS);
	else
		buf__printf(buf, "[%s]", object_kind_name(object->kind));
	if (group == GROUP_SOCKET)
		put_ends(buf, place);
	buf__puts(buf, "</th>");
	for (size_t i = 0; i < tables[group].cnt; i++) {
		const struct cell *cell = &tables[group].cells[i];

		buf__puts(buf, cell->num ? "<td class=\"num\">" : "<td>");
		cell->write(buf, place, cell->arg);
		buf__puts(buf, "</td>");
	}
	buf__puts(buf, "</tr>\n");
}

static void table(struct buf *buf, const struct model *model, const struct flows *flows)
{
	size_t cnt = flows->cnt < TOP_CNT ? flows->cnt : TOP_CNT;
	enum object_group group = flows->group;

	buf__printf(
		buf,
		"<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"costliest %s\">"
		"<table class=\"top\"><caption>The ",
		group == GROUP_FILE     ? "files"
		: group == GROUP_SOCKET ? "peers"
					: "disks");
	markup__count(buf, cnt);
	buf__puts(buf, " costliest of ");
	markup__count(buf, flows->cnt + flows->left_cnt);
	buf__printf(buf, " %s</caption><thead><tr><th scope=\"col\">%s</th>",
		    flows->cnt == 1 ? "row" : "rows", tables[group].first);
	for (size_t i = 0; i < tables[group].cnt; i++)
		buf__printf(buf, "<th scope=\"col\"%s>%s</th>",
			    tables[group].cells[i].num ? " class=\"num\"" : "",
			    tables[group].cells[i].label);
	buf__puts(buf, "</tr></thead><tbody>\n");
	for (size_t i = 0; i < cnt; i++) {
		struct place place = {model, &flows->rows[i]};

		table_row(buf, &place, group);
	}
	buf__puts(buf, "</tbody></table></div>\n");
}

static void part(struct buf *buf, const struct model *model, enum object_group group)
{
	const char *why = group_why(model, group);
	struct flows flows;

	buf__printf(buf, "<h3>%s</h3>\n", tables[group].head);
	if (why) {
		buf__puts(buf, "<p>");
		markup__missing(buf, why);
		buf__puts(buf, "</p>\n");
		return;
	}
	if (flows__gather(&flows, model, group)) {
		buf->err = buf->err ? buf->err : -ENOMEM;
		return;
	}
	if (flows.cnt)
		table(buf, model, &flows);
	else
		buf__printf(buf, "<p>%s</p>\n", tables[group].none);
	flows__free(&flows);
}

void part_flows(struct buf *buf, const struct analysis *analysis)
{
	part(buf, analysis->model, GROUP_FILE);
	part(buf, analysis->model, GROUP_SOCKET);
	part(buf, analysis->model, GROUP_DISK);
}
