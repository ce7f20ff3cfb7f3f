/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary's part about IO and network: the sums, and the files and peers that took most of the
 * time. Nothing where the target did nothing of the kind. Called by summary.c.
 */
#include "export/summary.h"

#include "analyze/uses.h"
#include "export/record.h"
#include "export/term.h"

#define MAX_ROWS 5
#define MIN_NAME 16
#define MAX_NAME 60

static void add_count(struct buf *buf, int64_t cnt, const char *one, const char *many)
{
	buf__printf(buf, "%lld %s", (long long)cnt, cnt == 1 ? one : many);
}

static void add_bytes(struct buf *buf, int64_t bytes)
{
	format_bytes(buf, bytes > 0 ? (uint64_t)bytes : 0);
}

/* "; disk 8:0: 2.10 ms a request (1200)": the busiest one. */
static void add_disk(struct buf *line, const struct model *model)
{
	const struct use *top = NULL;
	struct use_sum sum = {};
	char label[OBJECT_LABEL_SZ];

	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		if (use_kind(model, use) == OBJECT_DISK &&
		    use->latency.total > (top ? top->latency.total : 0))
			top = use;
	}
	if (!top)
		return;
	for (size_t i = 0; i < model->use_cnt; i++) {
		if (use_kind(model, &model->uses[i]) == OBJECT_DISK &&
		    model->uses[i].object == top->object)
			use_sum__add(&sum, &model->uses[i]);
	}
	buf__printf(line, "; %s: ", object_label(model, top->object, 40, label));
	format_ns(line, to_int(use_sum__mean_ns(&sum)));
	buf__printf(line, " a request (%llu)", (unsigned long long)sum.timed);
}

/* False when there was nothing. */
static bool add_files(struct buf *line, const struct summary *summary)
{
	static const struct use_filter syncs = {OP_BIT(SYNC), KINDS_FILE};
	const struct model *model = summary->model;
	const int64_t *c = summary->analysis->totals.c;
	uint64_t sync_cnt = use_sum__of(model, model->uses, model->use_cnt, &syncs).cnt;

	if (c[COUNTER_IO_READS] <= 0 && c[COUNTER_IO_WRITES] <= 0 && c[COUNTER_IO_ERRORS] <= 0 &&
	    !sync_cnt)
		return false;
	buf__puts(line, "Files: ");
	add_bytes(line, c[COUNTER_IO_READ_BYTES]);
	buf__puts(line, " in ");
	add_count(line, c[COUNTER_IO_READS], "read, ", "reads, ");
	add_bytes(line, c[COUNTER_IO_WRITE_BYTES]);
	buf__puts(line, " in ");
	add_count(line, c[COUNTER_IO_WRITES], "write", "writes");
	if (sync_cnt) {
		buf__puts(line, ", ");
		add_count(line, sat_i64(sync_cnt), "sync", "syncs");
	}
	buf__puts(line, ", ");
	add_count(line, c[COUNTER_IO_ERRORS], "error", "errors");
	if (model->caps[CAP_DISK_BYTES].measured) {
		buf__puts(line, "; storage: ");
		add_bytes(line, c[COUNTER_DISK_READ_BYTES]);
		buf__puts(line, " fetched, ");
		add_bytes(line, c[COUNTER_DISK_WRITE_BYTES]);
		buf__puts(line, " to write");
	}
	if (model->caps[CAP_DISK].measured)
		add_disk(line, model);
	return true;
}

static void add_connections(struct buf *line, const struct model *model)
{
	struct link_sums sums = {};

	link_sums__add(&sums, model, model->links, model->link_cnt);
	if (!sums.links)
		return;
	buf__puts(line, "; ");
	add_count(line, sums.active, "connection open (", "connections open (");
	buf__printf(line, "%llu opened", (unsigned long long)sums.opened);
	if (sums.failed)
		buf__printf(line, ", %llu failed", (unsigned long long)sums.failed);
	buf__puts(line, ")");
}

static bool add_network(struct buf *line, const struct summary *summary)
{
	const struct model *model = summary->model;
	const int64_t *c = summary->analysis->totals.c;

	if (c[COUNTER_NET_SENDS] <= 0 && c[COUNTER_NET_RECEIVES] <= 0 &&
	    c[COUNTER_NET_ERRORS] <= 0 && !model->link_cnt)
		return false;
	buf__puts(line, "Network: ");
	add_bytes(line, c[COUNTER_NET_SENT_BYTES]);
	buf__puts(line, " in ");
	add_count(line, c[COUNTER_NET_SENDS], "send, ", "sends, ");
	add_bytes(line, c[COUNTER_NET_RECEIVED_BYTES]);
	buf__puts(line, " in ");
	add_count(line, c[COUNTER_NET_RECEIVES], "receive, ", "receives, ");
	add_count(line, c[COUNTER_NET_ERRORS], "error", "errors");
	if (c[COUNTER_NET_RETRANSMITS] > 0) {
		buf__puts(line, ", ");
		add_count(line, c[COUNTER_NET_RETRANSMITS], "retransmission", "retransmissions");
	}
	add_connections(line, model);
	return true;
}

/* The two sums; what was not measured says so. */
static void write_sums(struct summary *summary)
{
	static const struct {
		enum model_cap cap;
		const char *name;
		bool (*add)(struct buf *line, const struct summary *summary);
	} rows[] = {
		{CAP_IO, "Files", add_files},
		{CAP_NETWORK, "Network", add_network},
	};
	bool first = true;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cap_state *cap = &summary->model->caps[rows[i].cap];
		struct buf line = {};

		if (!cap->measured)
			buf__printf(&line, "%s: not measured (%s)", rows[i].name,
				    model__str(summary->model, cap->reason));
		else
			rows[i].add(&line, summary);
		if (line.sz && first)
			buf__add(&summary->buf, "\n", 1);
		if (line.sz) {
			first = false;
			term__wrap(&summary->buf, buf__str(&line), summary->options.width, 2, 0,
				   summary->options.ascii);
		}
		buf__free(&line);
	}
}

/* One row of the table: files first, then peers. */
struct spot {
	struct summary *summary;
	const struct object_total *total; /* NULL: the titles */
	bool is_timed; /* its time is its own, not somebody's who lets it wait */
	struct hist latency;
};

static void cell_ops(struct buf *buf, const struct spot *spot)
{
	summary__count(buf, spot->total->calls.cnt);
}

static void cell_bytes(struct buf *buf, const struct spot *spot)
{
	summary__bytes(buf, spot->total->calls.bytes);
}

static void cell_errors(struct buf *buf, const struct spot *spot)
{
	summary__count(buf, spot->total->errors);
}

static void cell_time(struct buf *buf, const struct spot *spot)
{
	if (spot->total->ns)
		summary__ns(buf, sat_i64(spot->total->ns));
	else
		buf__puts(buf, "-");
}

static void cell_mean(struct buf *buf, const struct spot *spot)
{
	if (spot->is_timed && spot->total->calls.timed)
		summary__ns(buf, to_int(use_sum__mean_ns(&spot->total->calls)));
	else
		buf__puts(buf, "-");
}

static void cell_p99(struct buf *buf, const struct spot *spot)
{
	struct value value;

	value__percentile(&value, &spot->latency, 0.99);
	if (spot->is_timed && value.kind == VALUE_UINT)
		summary__ns(buf, sat_i64(value.u));
	else
		buf__puts(buf, "-");
}

static void cell_task(struct buf *buf, const struct spot *spot)
{
	const struct model *model = spot->summary->model;
	const struct task *task = spot->total->task ? model__task(model, spot->total->task) : NULL;
	char name[128];

	if (!task)
		buf__puts(buf, "-");
	else
		buf__puts(buf, model__task_name(model, task, name, sizeof(name)));
	if (task && task->runtime == RUNTIME_THREAD)
		buf__printf(buf, "[%u]", task->tid);
}

/* Behind the name, which takes what is left; left out below `from` columns of the terminal. */
static const struct {
	const char *title;
	size_t cols;
	unsigned int from;
	bool right;
	void (*cell)(struct buf *buf, const struct spot *spot);
} columns[] = {
	{"OPS", 6, 0, true, cell_ops},        {"BYTES", 6, 0, true, cell_bytes},
	{"ERRORS", 6, 88, true, cell_errors}, {"TIME", 6, 0, true, cell_time},
	{"MEAN", 6, 0, true, cell_mean},      {"P99", 6, 0, true, cell_p99},
	{"TASK", 16, 72, false, cell_task},
};
#define COLUMN_CNT (sizeof(columns) / sizeof(columns[0]))

static size_t name_cols(unsigned int width)
{
	size_t used = 0;

	for (size_t i = 0; i < COLUMN_CNT; i++)
		used += width >= columns[i].from ? columns[i].cols + 1 : 0;
	if (width < used + MIN_NAME)
		return MIN_NAME;
	return width - used < MAX_NAME ? width - used : MAX_NAME;
}

static void write_row(const struct spot *spot, const char *name)
{
	struct summary *summary = spot->summary;
	unsigned int width = summary->options.width;
	struct buf cell = {};

	term__tail_cell(&summary->buf, name, name_cols(width), summary->options.ascii);
	for (size_t i = 0; i < COLUMN_CNT; i++) {
		if (width < columns[i].from)
			continue;
		buf__reset(&cell);
		if (spot->total)
			columns[i].cell(&cell, spot);
		buf__add(&summary->buf, " ", 1);
		term__cell(&summary->buf, spot->total ? buf__str(&cell) : columns[i].title,
			   columns[i].cols, columns[i].right, summary->options.ascii);
	}
	while (summary->buf.sz && summary->buf.data[summary->buf.sz - 1] == ' ')
		summary->buf.sz--; /* the last cell's */
	buf__add(&summary->buf, "\n", 1);
	if (cell.err)
		summary->buf.err = cell.err;
	buf__free(&cell);
}

static void write_spot(struct summary *summary, const struct object_total *total)
{
	const struct model *model = summary->model;
	struct spot spot = {.summary = summary, .total = total};
	char label[OBJECT_LABEL_SZ];

	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		if (use->object != total->object)
			continue;
		if (use_fits(model, use, &storage_calls) || use_fits(model, use, &socket_calls)) {
			spot.is_timed = true;
			hist__merge(&spot.latency, &use->latency);
		}
	}
	write_row(&spot, object_label(model, total->object, OBJECT_LABEL_SZ, label));
	hist__free(&spot.latency);
}

static int write_table(struct summary *summary, uint32_t kinds, const char *title, const char *what)
{
	const struct model *model = summary->model;
	const struct spot titles = {.summary = summary};
	struct object_totals totals = {};
	int err = object_totals__add(&totals, model, model->uses, model->use_cnt, kinds);

	object_totals__rank(&totals);
	if (!err && totals.cnt) {
		buf__add(&summary->buf, "\n", 1);
		write_row(&titles, title);
	}
	for (size_t i = 0; !err && i < totals.cnt && i < MAX_ROWS; i++)
		write_spot(summary, &totals.rows[i]);
	if (!err && totals.cnt > MAX_ROWS)
		buf__printf(&summary->buf, "%zu more %s%s\n", totals.cnt - MAX_ROWS, what,
			    totals.cnt == MAX_ROWS + 1 ? "" : "s");
	object_totals__free(&totals);
	return err;
}

int summary__io(struct summary *summary)
{
	const struct cap_state *caps = summary->model->caps;
	int err = 0;

	write_sums(summary);
	if (caps[CAP_IO].measured)
		err = write_table(summary, KINDS_FILE, "FILE", "file");
	if (!err && caps[CAP_NETWORK].measured)
		err = write_table(summary, KINDS_SOCKET, "PEER", "peer");
	return err;
}
