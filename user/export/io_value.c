/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers about IO and network of tasks, and distributions of tasks and classes. Sums of bytes,
 * operations and errors come from the counters (value.c), because these are exact also when the
 * table of uses was full; what is here comes from uses and links.
 */
#include "export/io.h"

#include <errno.h>
#include <stdlib.h>

#include "export/heap.h"

static const struct use_filter dists[DIST_CNT] = {
#define X(id, ops, kinds) [DIST_##id] = {ops, kinds},
	IO_DISTS(X)
#undef X
};

int row__each_use(const struct row *row, uses_fn fn, void *arg)
{
	const struct model *model = row->model;
	const struct use *uses;
	size_t cnt;
	int err = 0;

	if (!row->is_class) {
		uses = model__uses(model, model->tasks[row->idx].id, NO_IDX, &cnt);
		return fn(arg, row, uses, cnt);
	}
	for (size_t i = 0; !err && i < row->member_cnt; i++) {
		uses = model__uses(model, model->tasks[row->members[i]].id, NO_IDX, &cnt);
		err = fn(arg, row, uses, cnt);
	}
	if (err)
		return err;
	uses = model__uses(model, 0, (uint32_t)row->idx, &cnt);
	return fn(arg, row, uses, cnt);
}

static int add_to_dists(void *arg, const struct row *row, const struct use *uses, size_t cnt)
{
	struct hist *hists = arg;

	for (size_t i = 0; i < cnt; i++) {
		for (size_t dist = 0; dist < DIST_CNT; dist++) {
			if (use_fits(row->model, &uses[i], &dists[dist]))
				hist__merge(&hists[dist], &uses[i].latency);
		}
	}
	return 0;
}

int row__load_io(struct row *row)
{
	struct hist *hists = calloc(DIST_CNT, sizeof(*hists));

	if (!hists)
		return -ENOMEM;
	row__each_use(row, add_to_dists, hists);
	row->dists = hists;
	return 0;
}

void row__free_io(struct row *row)
{
	for (size_t dist = 0; row->dists && dist < DIST_CNT; dist++)
		hist__free(&row->dists[dist]);
	free(row->dists);
	row->dists = NULL;
}

struct one_dist {
	const struct use_filter *filter;
	struct hist hist;
};

static int add_to_one(void *arg, const struct row *row, const struct use *uses, size_t cnt)
{
	struct one_dist *one = arg;

	for (size_t i = 0; i < cnt; i++) {
		if (use_fits(row->model, &uses[i], one->filter))
			hist__merge(&one->hist, &uses[i].latency);
	}
	return 0;
}

/* An empty one is one null and not six: most tasks do little of all this. */
static void dist_value(struct value *value, const struct hist *hist, int stat, const char *why)
{
	if (hist->cnt)
		value__hist(value, hist, stat);
	else
		value__null(value, why);
}

void get_dist(struct value *value, const struct row *row, const struct getter *getter)
{
	struct one_dist one = {.filter = &dists[getter->arg >> 8]};
	int stat = (int8_t)(getter->arg & 0xff);

	if (row->dists) {
		dist_value(value, &row->dists[getter->arg >> 8], stat, getter->why);
		return;
	}
	row__each_use(row, add_to_one, &one);
	dist_value(value, &one.hist, stat, getter->why);
	hist__free(&one.hist);
}

/* What the sums are of, and which of a use's numbers. */
static const struct {
	struct use_filter filter;
	enum { SUM_DONE, SUM_AGAIN, SUM_ERRORS } number;
} io_sums[] = {
	[IO_SUM_AGAIN] = {{OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(SYNC) | OP_BIT(OPEN), KINDS_FILE},
			  SUM_AGAIN},
	[IO_SUM_SYNCS] = {{OP_BIT(SYNC), KINDS_FILE}, SUM_DONE},
	[IO_SUM_NET_AGAIN] = {{OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(CONNECT) | OP_BIT(ACCEPT),
			       KINDS_SOCKET},
			      SUM_AGAIN},
	[IO_SUM_ALLOC_FAILED] = {{OP_BIT(ALLOC), KINDS_SITE}, SUM_ERRORS},
};

static int64_t io_sum(const struct model *model, uint64_t task, uint32_t class_idx,
		      enum io_sum which)
{
	size_t cnt;
	const struct use *uses = model__uses(model, task, class_idx, &cnt);
	struct use_sum sum = use_sum__of(model, uses, cnt, &io_sums[which].filter);

	const uint64_t numbers[] = {
		[SUM_DONE] = sum.cnt, [SUM_AGAIN] = sum.again, [SUM_ERRORS] = sum.errors};

	return sat_i64(numbers[io_sums[which].number]);
}

void get_io_sum(struct value *value, const struct row *row, const struct getter *getter)
{
	value__int(value, io_sum(row->model, row->model->tasks[row->idx].id, NO_IDX,
				 (enum io_sum)getter->arg));
}

static int64_t link_sum(const struct model *model, uint64_t task, uint32_t class_idx,
			enum link_sum which)
{
	size_t cnt;
	const struct link *links = model__links(model, task, class_idx, &cnt);
	struct link_sums sums = {};

	link_sums__add(&sums, model, links, cnt);
	switch (which) {
	case LINK_ACTIVE:
		return sums.active;
	case LINK_MET:
		return sat_i64(sums.met);
	case LINK_OPENED:
		return sat_i64(sums.opened);
	case LINK_FAILED:
		return sat_i64(sums.failed);
	case LINK_CLOSED:
		break;
	}
	return sat_i64(sums.closed);
}

void get_link_sum(struct value *value, const struct row *row, const struct getter *getter)
{
	value__int(value, link_sum(row->model, row->model->tasks[row->idx].id, NO_IDX,
				   (enum link_sum)getter->arg));
}

bool io_folded_sum(const struct row *row, const struct getter *getter, int64_t *sum)
{
	if (getter->get == get_io_sum)
		*sum = io_sum(row->model, 0, (uint32_t)row->idx, (enum io_sum)getter->arg);
	else if (getter->get == get_link_sum)
		*sum = link_sum(row->model, 0, (uint32_t)row->idx, (enum link_sum)getter->arg);
	else if (getter->get == get_packets)
		*sum = counter_sum(row->model->classes[row->idx].folded_c, getter->arg);
	else if (getter->get == get_heap)
		*sum = heap_number(&row->model->classes[row->idx].folded_heap,
				   (enum heap_number)getter->arg);
	else
		return false;
	return true;
}

static void socket_mean(struct value *value, const struct row *row, const char *why)
{
	size_t cnt;
	const struct use *uses =
		model__uses(row->model, row->model->tasks[row->idx].id, NO_IDX, &cnt);
	struct use_sum sum = use_sum__of(row->model, uses, cnt, &socket_calls);

	if (sum.timed)
		value__num(value, use_sum__mean_ns(&sum) / 1e6);
	else
		value__null(value, why);
}

static void storage_latency(struct value *value, const struct hist *hist, bool mean,
			    const char *why)
{
	if (!hist->cnt)
		value__null(value, why);
	else if (mean)
		value__num(value, (double)hist->total / (double)hist->cnt / 1e6);
	else
		value__percentile(value, hist, 0.99);
	if (value->kind == VALUE_UINT)
		value__num(value, (double)value->u / 1e6);
}

void get_io_latency(struct value *value, const struct row *row, const struct getter *getter)
{
	struct one_dist one = {.filter = &dists[DIST_STORAGE]};
	bool mean = getter->arg == LATENCY_STORAGE_MEAN;

	if (getter->arg == LATENCY_SOCKET_MEAN) {
		socket_mean(value, row, getter->why);
	} else if (row->dists) {
		storage_latency(value, &row->dists[DIST_STORAGE], mean, getter->why);
	} else {
		row__each_use(row, add_to_one, &one);
		storage_latency(value, &one.hist, mean, getter->why);
		hist__free(&one.hist);
	}
}

void get_io_rate(struct value *value, const struct row *row, const struct getter *getter)
{
	static const struct {
		int counters;
		double factor; /* per nanosecond of life */
	} rates[] = {
		[RATE_IO_MBYTES] = {COUNTERS(IO_READ_BYTES, IO_WRITE_BYTES), 1e9 / 1e6},
		[RATE_NET_MBITS] = {COUNTERS(NET_SENT_BYTES, NET_RECEIVED_BYTES), 8 * 1e9 / 1e6},
		[RATE_QUEUE] = {COUNTER_IO_TIME, 1},
		[RATE_WAIT] = {COUNTER_BLOCKED_DISK, 100},
		[RATE_HEAP_BYTES] = {COUNTER_HEAP_ALLOC_BYTES, 1e9},
	};
	const struct task *task = &row->model->tasks[row->idx];
	int64_t life = row->analysis->tasks[row->idx].inside_ns;

	if (life <= 0)
		value__null(value, getter->why);
	else
		value__num(value, (double)counter_sum(task->c, rates[getter->arg].counters) /
					  (double)life * rates[getter->arg].factor);
}

void get_rtt(struct value *value, const struct row *row, const struct getter *getter)
{
	size_t cnt;
	const struct link *links =
		model__links(row->model, row->model->tasks[row->idx].id, NO_IDX, &cnt);
	double sum = 0, told = 0;

	for (size_t i = 0; i < cnt; i++) {
		sum += (double)links[i].rtt_sum_us;
		told += (double)links[i].rtt_cnt;
	}
	if (told > 0)
		value__num(value, sum / told / 1e3);
	else
		value__null(value, getter->why);
}

void get_packets(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct task *task = &row->model->tasks[row->idx];
	size_t cnt;
	const struct use *uses = model__uses(row->model, task->id, NO_IDX, &cnt);

	if (!task->c[COUNTER_NET_PACKETS_SENT] && !task->c[COUNTER_NET_PACKETS_RECEIVED] &&
	    has_streams_only(row->model, uses, cnt))
		value__null(value, getter->why);
	else
		value__int(value, task->c[getter->arg]);
}
