/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums over uses; see the header. */
#include "analyze/uses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* What the task itself calls; a request served or a disk's request is none. */
#define OPS_CALL                                                                                   \
	(OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(SYNC) | OP_BIT(OPEN) | OP_BIT(CONNECT) |            \
	 OP_BIT(FAULT))
#define OPS_DATA    (OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(SYNC))
#define OPS_REQUEST (OP_BIT(REQUEST) | OP_BIT(RESPONSE))

const struct use_filter storage_calls = {.ops = OPS_DATA, .kinds = KINDS_STORAGE};
const struct use_filter socket_calls = {.ops = OP_BIT(READ) | OP_BIT(WRITE), .kinds = KINDS_SOCKET};

uint32_t main_ops(enum object_group group)
{
	static const uint32_t ops[] = {
		[GROUP_FILE] = OPS_DATA,
		[GROUP_SOCKET] = OP_BIT(READ) | OP_BIT(WRITE),
		[GROUP_DISK] = OP_BIT(DISK_READ) | OP_BIT(DISK_WRITE),
		[GROUP_HEAP] = OP_BIT(ALLOC),
	};

	return ops[group];
}

unsigned int use_kind(const struct model *model, const struct use *use)
{
	unsigned int kind = OBJECT_UNKNOWN;

	if (use->object < model->object_cnt)
		kind = model->objects[use->object].kind;
	return kind < OBJECT_KIND_CNT ? kind : OBJECT_UNKNOWN;
}

static bool op_in(const struct use *use, uint32_t ops)
{
	return use->op < IO_OP_CNT && ops >> use->op & 1;
}

bool use_fits(const struct model *model, const struct use *use, const struct use_filter *filter)
{
	return op_in(use, filter->ops) && filter->kinds >> use_kind(model, use) & 1;
}

void use_sum__add(struct use_sum *sum, const struct use *use)
{
	sum->cnt = sat_addu(sum->cnt, use->cnt);
	sum->bytes = sat_addu(sum->bytes, use->bytes);
	sum->errors = sat_addu(sum->errors, use->errors);
	sum->again = sat_addu(sum->again, use->again);
	sum->timed = sat_addu(sum->timed, use->latency.cnt);
	sum->ns = sat_addu(sum->ns, use->latency.total);
	if (use->latency.max > sum->max_ns)
		sum->max_ns = use->latency.max;
}

struct use_sum use_sum__of(const struct model *model, const struct use *uses, size_t cnt,
			   const struct use_filter *filter)
{
	struct use_sum sum = {};

	for (size_t i = 0; i < cnt; i++) {
		if (use_fits(model, &uses[i], filter))
			use_sum__add(&sum, &uses[i]);
	}
	return sum;
}

double use_sum__mean_ns(const struct use_sum *sum)
{
	return sum->timed ? (double)sum->ns / (double)sum->timed : 0;
}

bool has_streams_only(const struct model *model, const struct use *uses, size_t cnt)
{
	bool any = false;

	for (size_t i = 0; i < cnt; i++) {
		unsigned int kind = use_kind(model, &uses[i]);

		if (kind != OBJECT_UNIX && KINDS_SOCKET >> kind & 1)
			return false;
		any |= kind == OBJECT_UNIX;
	}
	return any;
}

uint64_t use_time_ns(const struct model *model, const struct use *use)
{
	static const struct use_filter filter = {OPS_CALL, KINDS_STORAGE | KINDS_SOCKET};

	return use_fits(model, use, &filter) ? use->latency.total : 0;
}

static void add_use(struct object_total *total, const struct model *model, const struct use *use)
{
	total->ns = sat_addu(total->ns, use_time_ns(model, use));
	total->task_ns = total->ns;
	if (op_in(use, OPS_DATA))
		use_sum__add(&total->calls, use);
	if (op_in(use, OPS_CALL)) {
		total->errors = sat_addu(total->errors, use->errors);
		total->done = sat_addu(total->done, use->cnt);
		total->op_ns[use->op] = sat_addu(total->op_ns[use->op], use->latency.total);
	}
	if (op_in(use, OPS_REQUEST)) {
		total->requests = sat_addu(total->requests, use->latency.cnt);
		total->answer_ns = sat_addu(total->answer_ns, use->latency.total);
	}
}

/* The uses of one task stand together by object, so each run of them is one row. */
int object_totals__add(struct object_totals *totals, const struct model *model,
		       const struct use *uses, size_t cnt, uint32_t kinds)
{
	struct object_total *row = NULL;

	for (size_t i = 0; i < cnt; i++) {
		const struct use *use = &uses[i];

		if (!(kinds >> use_kind(model, use) & 1))
			continue;
		if (!row || row->object != use->object || row->task != use->task) {
			if (array__reserve((void **)&totals->rows, &totals->cap, totals->cnt + 1,
					   sizeof(*totals->rows)))
				return -ENOMEM;
			row = &totals->rows[totals->cnt++];
			*row = (struct object_total){.object = use->object, .task = use->task};
		}
		add_use(row, model, use);
	}
	return 0;
}

static int by_object(const void *a, const void *b)
{
	const struct object_total *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static void merge(struct object_total *to, const struct object_total *from)
{
	struct use_sum *sum = &to->calls;

	to->ns = sat_addu(to->ns, from->ns);
	to->errors = sat_addu(to->errors, from->errors);
	to->done = sat_addu(to->done, from->done);
	to->requests = sat_addu(to->requests, from->requests);
	to->answer_ns = sat_addu(to->answer_ns, from->answer_ns);
	sum->cnt = sat_addu(sum->cnt, from->calls.cnt);
	sum->bytes = sat_addu(sum->bytes, from->calls.bytes);
	sum->errors = sat_addu(sum->errors, from->calls.errors);
	sum->again = sat_addu(sum->again, from->calls.again);
	sum->timed = sat_addu(sum->timed, from->calls.timed);
	sum->ns = sat_addu(sum->ns, from->calls.ns);
	if (from->calls.max_ns > sum->max_ns)
		sum->max_ns = from->calls.max_ns;
	for (unsigned int op = 0; op < IO_OP_CNT; op++)
		to->op_ns[op] = sat_addu(to->op_ns[op], from->op_ns[op]);
	if (from->task_ns > to->task_ns || !to->task) {
		to->task = from->task;
		to->task_ns = from->task_ns;
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct object_total *x = a, *y = b;
	const uint64_t keys[][2] = {
		{x->ns, y->ns},
		{x->calls.bytes, y->calls.bytes},
		{x->calls.cnt, y->calls.cnt},
		{x->errors, y->errors},
		{y->object, x->object},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i][0] != keys[i][1])
			return keys[i][0] > keys[i][1] ? -1 : 1;
	}
	return 0;
}

static bool is_idle(const struct object_total *row)
{
	return !row->calls.cnt && !row->errors && !row->requests && !row->op_ns[IO_FAULT];
}

void object_totals__rank(struct object_totals *totals)
{
	size_t cnt = 0;

	if (!totals->cnt)
		return;
	qsort(totals->rows, totals->cnt, sizeof(*totals->rows), by_object);
	for (size_t i = 0; i < totals->cnt; i++) {
		if (cnt && totals->rows[cnt - 1].object == totals->rows[i].object)
			merge(&totals->rows[cnt - 1], &totals->rows[i]);
		else
			totals->rows[cnt++] = totals->rows[i];
	}
	totals->cnt = 0;
	for (size_t i = 0; i < cnt; i++) {
		if (is_idle(&totals->rows[i]))
			continue;
		totals->ns = sat_addu(totals->ns, totals->rows[i].ns);
		totals->rows[totals->cnt++] = totals->rows[i];
	}
	qsort(totals->rows, totals->cnt, sizeof(*totals->rows), by_rank);
}

unsigned int object_total__main_op(const struct object_total *row)
{
	unsigned int top = IO_OP_CNT;

	for (unsigned int op = 0; op < IO_OP_CNT; op++) {
		if (row->op_ns[op] > (top < IO_OP_CNT ? row->op_ns[top] : 0))
			top = op;
	}
	return top;
}

void object_totals__free(struct object_totals *totals)
{
	free(totals->rows);
	memset(totals, 0, sizeof(*totals));
}

bool link_connects(const struct model *model, const struct link *link)
{
	uint8_t role = ROLE_UNKNOWN;

	if (link->object < model->object_cnt)
		role = model->objects[link->object].role;
	return role != ROLE_LISTENER && role != ROLE_DATAGRAM;
}

void link_sums__add(struct link_sums *sums, const struct model *model, const struct link *links,
		    size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		const struct link *link = &links[i];

		if (!link_connects(model, link))
			continue;
		sums->links++;
		sums->met = sat_addu(sums->met, link->met);
		sums->opened = sat_addu(sums->opened, link->opened);
		sums->failed = sat_addu(sums->failed, link->failed);
		sums->closed = sat_addu(sums->closed, link->closed);
		if (__builtin_add_overflow(sums->active, link->active, &sums->active))
			sums->active = link->active < 0 ? -INT64_MAX : INT64_MAX;
	}
}

/* The last `cols` bytes, from the beginning of a character on, behind "...". */
static void cut_left(char *text, size_t cols)
{
	size_t sz = strlen(text), from;

	if (sz <= cols || cols < 4)
		return;
	from = sz - (cols - 3);
	while (from < sz && ((unsigned char)text[from] & 0xc0) == 0x80)
		from++;
	memmove(text + 3, text + from, sz - from + 1);
	memcpy(text, "...", 3);
}

const char *object_label(const struct model *model, uint32_t object, size_t cols,
			 char buf[OBJECT_LABEL_SZ])
{
	static const struct object nothing = {};
	const struct object *at = object < model->object_cnt ? &model->objects[object] : &nothing;
	const char *name = model__str(model, at->name), *local = model__str(model, at->local);
	const char *kind = object_kind_name(at->kind);
	char text[FILE_PATH_MAX + OBJECT_LABEL_SZ];

	if (!*name)
		snprintf(text, sizeof(text), "[%s]", kind);
	else if (object_group(at->kind) != GROUP_SOCKET || at->kind == OBJECT_UNIX)
		snprintf(text, sizeof(text), "%s", name);
	else if (*local && at->role == ROLE_SERVER)
		snprintf(text, sizeof(text), "%s %s at %s", kind, name, local);
	else
		snprintf(text, sizeof(text), "%s %s", kind, name);
	cut_left(text, cols < OBJECT_LABEL_SZ ? cols : OBJECT_LABEL_SZ - 1);
	memcpy(buf, text, strnlen(text, OBJECT_LABEL_SZ - 1) + 1);
	buf[OBJECT_LABEL_SZ - 1] = '\0';
	return buf;
}
