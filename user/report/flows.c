/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers the rows of flows.h in two passes: the cost of every (class, object) first, which is a few
 * bytes each, then all numbers of the costliest ones only.
 */
#include "report/flows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/uses.h"
#include "base/array.h"
#include "base/map64.h"
#include "report/columns.h"

/* Whose time is the caller's; see use_time_ns(). */
#define OPS_COST ((OPS_FALLIBLE & ~OP_BIT(ACCEPT)) | OP_BIT(FAULT))

struct cost {
	uint32_t object, class_idx;
	uint64_t ns, bytes;
	bool timed;
};

struct gather {
	const struct model *model;
	struct flows *flows;
	struct cost *costs;
	size_t cost_cnt, cost_cap;
	struct map64 cost_idx; /* class and object -> index, then -> row */
	struct map64 met; /* (row, task) */
	int err;
};

static uint64_t key_of(uint32_t object, uint32_t class_idx)
{
	return (uint64_t)class_idx << 32 | object;
}

/* The class of a use or link: the task's own, or the one that its task was folded into. */
static uint32_t class_of(const struct model *model, uint64_t task_id, uint32_t class_idx)
{
	const struct task *task = task_id ? model__task(model, task_id) : NULL;

	if (task)
		class_idx = task->class_idx;
	return class_idx < model->class_cnt ? class_idx : NO_IDX;
}

static bool wanted(const struct gather *gather, uint32_t object)
{
	const struct model *model = gather->model;

	return object < model->object_cnt &&
	       object_group(model->objects[object].kind) == gather->flows->group;
}

bool flow__waits(const struct object *object)
{
	return object_group(object->kind) == GROUP_FILE &&
	       !(object->kind < OBJECT_KIND_CNT && KINDS_STORAGE >> object->kind & 1);
}

static bool is_call(const struct gather *gather, unsigned int op)
{
	return main_ops(gather->flows->group) >> op & 1;
}

static struct cost *cost_of(struct gather *gather, uint32_t object, uint32_t class_idx)
{
	uint64_t key = key_of(object, class_idx), idx;
	struct cost *cost;

	if (map64__get(&gather->cost_idx, key, &idx))
		return &gather->costs[idx];
	if (array__reserve((void **)&gather->costs, &gather->cost_cap, gather->cost_cnt + 1,
			   sizeof(*cost)) ||
	    map64__set(&gather->cost_idx, key, gather->cost_cnt)) {
		gather->err = -ENOMEM;
		return NULL;
	}
	cost = &gather->costs[gather->cost_cnt++];
	*cost = (struct cost){.object = object, .class_idx = class_idx};
	return cost;
}

static void add_costs(struct gather *gather)
{
	const struct model *model = gather->model;

	for (size_t i = 0; i < model->use_cnt && !gather->err; i++) {
		const struct use *use = &model->uses[i];
		struct cost *cost;

		if (!wanted(gather, use->object) || use->op >= IO_OP_CNT)
			continue;
		cost = cost_of(gather, use->object, class_of(model, use->task, use->class_idx));
		if (!cost)
			return;
		if (is_call(gather, use->op))
			cost->bytes = sat_addu(cost->bytes, use->bytes);
		cost->ns = sat_addu(cost->ns, gather->flows->group == GROUP_DISK
						      ? use->latency.total
						      : use_time_ns(model, use));
		cost->timed |= use->latency.cnt && OPS_COST >> use->op & 1;
	}
	for (size_t i = 0; i < model->link_cnt && !gather->err; i++) {
		const struct link *link = &model->links[i];

		if (wanted(gather, link->object))
			cost_of(gather, link->object, class_of(model, link->task, link->class_idx));
	}
}

static int by_cost(const void *a, const void *b)
{
	const struct cost *left = a, *right = b;

	if (left->ns != right->ns)
		return left->ns < right->ns ? 1 : -1;
	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	if (left->object != right->object)
		return left->object < right->object ? -1 : 1;
	return left->class_idx < right->class_idx ? -1 : left->class_idx > right->class_idx;
}

/* How many become rows: most of those that cost time, and of the others, which have only bytes
 * (pipes, or files whose operations were not seen to begin), at least some. */
static void choose(const struct gather *gather, size_t *timed, size_t *kept, size_t *kept_untimed)
{
	size_t untimed, room;

	*timed = 0;
	while (*timed < gather->cost_cnt && gather->costs[*timed].ns)
		(*timed)++;
	untimed = gather->cost_cnt - *timed;
	room = *timed < FLOWS_MAX - FLOWS_UNTIMED ? FLOWS_MAX - *timed : FLOWS_UNTIMED;
	*kept_untimed = untimed < room ? untimed : room;
	room = FLOWS_MAX - *kept_untimed;
	*kept = *timed < room ? *timed : room;
}

/* The costliest become rows; the index then leads to these. */
static void make_rows(struct gather *gather)
{
	struct flows *flows = gather->flows;
	size_t timed, kept, kept_untimed;

	if (gather->cost_cnt)
		qsort(gather->costs, gather->cost_cnt, sizeof(*gather->costs), by_cost);
	choose(gather, &timed, &kept, &kept_untimed);
	flows->rows = calloc(kept + kept_untimed + 1, sizeof(*flows->rows));
	map64__free(&gather->cost_idx);
	if (!flows->rows) {
		gather->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < gather->cost_cnt; i++) {
		const struct cost *cost = &gather->costs[i];
		struct flow *row = &flows->rows[flows->cnt];

		if (i >= kept && (i < timed || i >= timed + kept_untimed)) {
			flows->left_cnt++;
			flows->left_ns = sat_addu(flows->left_ns, cost->ns);
			flows->left_bytes = sat_addu(flows->left_bytes, cost->bytes);
			continue;
		}
		row->object = &gather->model->objects[cost->object];
		row->class_idx = cost->class_idx;
		row->time_ns = cost->ns;
		row->timed = cost->timed;
		row->bytes = cost->bytes;
		if (map64__set(&gather->cost_idx, key_of(cost->object, cost->class_idx),
			       flows->cnt++))
			gather->err = -ENOMEM;
	}
}

/* The row, which now has one more user if it was not met there before. */
static struct flow *row_of(struct gather *gather, uint64_t task, uint32_t class_idx,
			   uint32_t object)
{
	uint32_t class = class_of(gather->model, task, class_idx);
	struct flow *row;
	uint64_t idx, seen;

	if (!wanted(gather, object) || !map64__get(&gather->cost_idx, key_of(object, class), &idx))
		return NULL;
	row = &gather->flows->rows[idx];
	if (!task) {
		row->folded |= class != NO_IDX;
		return row;
	}
	idx = hash64(task ^ hash64(idx + 1));
	if (!map64__get(&gather->met, idx, &seen)) {
		if (map64__set(&gather->met, idx, 1))
			gather->err = -ENOMEM;
		row->task = row->task_cnt++ ? 0 : task;
	}
	return row;
}

static void add_op(struct flow_op *op, const struct use *use)
{
	op->cnt = sat_addu(op->cnt, use->cnt);
	op->bytes = sat_addu(op->bytes, use->bytes);
	op->errors = sat_addu(op->errors, use->errors);
	op->again = sat_addu(op->again, use->again);
	hist__merge(&op->latency, &use->latency);
}

static void add_link(struct link *to, const struct link *from)
{
#define ADD(field) to->field = sat_addu(to->field, from->field)
	ADD(met);
	ADD(opened);
	ADD(failed);
	ADD(closed);
	ADD(tcp_cnt);
	ADD(segs_out);
	ADD(segs_in);
	ADD(retransmits);
	ADD(bytes_acked);
	ADD(bytes_received);
	ADD(rtt_sum_us);
	ADD(rttvar_sum_us);
	ADD(cwnd_sum);
	ADD(rtt_cnt);
#undef ADD
	if (__builtin_add_overflow(to->active, from->active, &to->active))
		to->active = INT64_MAX;
	if (from->rtt_cnt) {
		if (!to->rtt_min_us || from->rtt_min_us < to->rtt_min_us)
			to->rtt_min_us = from->rtt_min_us;
		if (from->rtt_max_us > to->rtt_max_us)
			to->rtt_max_us = from->rtt_max_us;
	}
}

static void fill_rows(struct gather *gather)
{
	const struct model *model = gather->model;

	for (size_t i = 0; i < model->use_cnt && !gather->err; i++) {
		const struct use *use = &model->uses[i];
		struct flow *row;

		if (use->op >= IO_OP_CNT)
			continue;
		row = row_of(gather, use->task, use->class_idx, use->object);
		if (!row)
			continue;
		add_op(&row->ops[use->op], use);
		if (is_call(gather, use->op))
			add_op(&row->calls, use);
	}
	for (size_t i = 0; i < model->link_cnt && !gather->err; i++) {
		const struct link *link = &model->links[i];
		struct flow *row = row_of(gather, link->task, link->class_idx, link->object);

		if (!row || !link_connects(model, link))
			continue;
		add_link(&row->link, link);
		row->has_link = true;
	}
}

int flows__gather(struct flows *flows, const struct model *model, enum object_group group)
{
	struct gather gather = {.model = model, .flows = flows};

	memset(flows, 0, sizeof(*flows));
	flows->group = group;
	add_costs(&gather);
	if (!gather.err)
		make_rows(&gather);
	if (!gather.err)
		fill_rows(&gather);
	map64__free(&gather.cost_idx);
	map64__free(&gather.met);
	free(gather.costs);
	if (gather.err)
		flows__free(flows);
	return gather.err;
}

void flows__free(struct flows *flows)
{
	for (size_t i = 0; i < flows->cnt; i++) {
		for (int op = 0; op < IO_OP_CNT; op++)
			hist__free(&flows->rows[i].ops[op].latency);
		hist__free(&flows->rows[i].calls.latency);
	}
	free(flows->rows);
	memset(flows, 0, sizeof(*flows));
}

int64_t flow__mean(const struct hist *hist)
{
	uint64_t mean = hist->cnt ? hist->total / hist->cnt : 0;

	return !hist->cnt ? COLUMN_NULL : mean > INT64_MAX ? INT64_MAX : (int64_t)mean;
}

bool flow__saw(const struct flow *flow, unsigned int op)
{
	const struct flow_op *val = &flow->ops[op];

	return val->cnt || val->errors || val->again;
}

uint64_t flow__errors(const struct flow *flow)
{
	uint64_t sum = 0;

	for (int op = 0; op < IO_OP_CNT; op++)
		if (OPS_FALLIBLE >> op & 1)
			sum = sat_addu(sum, flow->ops[op].errors);
	return sum;
}

int64_t flow__rtt(const struct flow *flow)
{
	const struct link *link = &flow->link;

	if (!link->rtt_cnt)
		return COLUMN_NULL;
	if (link->rtt_sum_us / link->rtt_cnt > UINT32_MAX) /* no kernel says so */
		return UINT32_MAX * 1000LL;
	return link->rtt_sum_us * 1e3 / link->rtt_cnt;
}

const char *flow__who(const struct model *model, const struct flow *flow, char *buf, size_t sz)
{
	const struct task *task =
		flow->task && !flow->folded ? model__task(model, flow->task) : NULL;

	*buf = '\0';
	if (task)
		model__task_name(model, task, buf, sz);
	if (!*buf && flow->class_idx < model->class_cnt)
		snprintf(buf, sz, "%s", model__str(model, model->classes[flow->class_idx].name));
	return buf;
}

const char *group_why(const struct model *model, enum object_group group)
{
	static const enum model_cap caps[] = {
		[GROUP_FILE] = CAP_IO,
		[GROUP_SOCKET] = CAP_NETWORK,
		[GROUP_DISK] = CAP_DISK,
	};
	const struct cap_state *cap = &model->caps[caps[group]];

	return cap->measured ? NULL : model__str(model, cap->reason);
}
