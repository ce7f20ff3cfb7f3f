/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums over allocations; see the header. */
#include "analyze/heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/analyze.h"
#include "base/array.h"

enum { HELD, ALLOCATED };

static void add_use(struct site_total *total, const struct use *use)
{
	switch (use->op) {
	case IO_ALLOC:
		use_sum__add(&total->alloc, use);
		break;
	case IO_FREE:
		use_sum__add(&total->freed, use);
		hist__merge(&total->lifetime, &use->latency);
		break;
	case IO_HOLD:
		use_sum__add(&total->held, use);
		hist__merge(&total->age, &use->latency);
		break;
	}
	total->task_bytes[HELD] = total->held.bytes;
	total->task_bytes[ALLOCATED] = total->alloc.bytes;
}

static uint32_t class_of(const struct model *model, const struct use *use)
{
	const struct task *task = use->task ? model__task(model, use->task) : NULL;
	uint32_t class_idx = task ? task->class_idx : use->class_idx;

	return class_idx < model->class_cnt ? class_idx : NO_IDX;
}

/* The uses of one task stand together by object, so each run of them is one row. */
int site_totals__add(struct site_totals *totals, const struct model *model, const struct use *uses,
		     size_t cnt)
{
	struct site_total *row = NULL;

	for (size_t i = 0; i < cnt; i++) {
		const struct use *use = &uses[i];

		if (!(KINDS_SITE >> use_kind(model, use) & 1))
			continue;
		if (!row || row->object != use->object || row->task != use->task ||
		    (!use->task && row->class_idx != class_of(model, use))) {
			if (array__reserve((void **)&totals->rows, &totals->cap, totals->cnt + 1,
					   sizeof(*totals->rows)))
				return -ENOMEM;
			row = &totals->rows[totals->cnt++];
			*row = (struct site_total){.object = use->object,
						   .class_idx = class_of(model, use),
						   .task = use->task};
		}
		add_use(row, use);
	}
	return 0;
}

static int by_object(const void *a, const void *b)
{
	const struct site_total *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static int by_class(const void *a, const void *b)
{
	const struct site_total *x = a, *y = b;

	if (x->class_idx != y->class_idx)
		return x->class_idx < y->class_idx ? -1 : 1;
	return by_object(a, b);
}

static void add_sum(struct use_sum *to, const struct use_sum *from)
{
	to->cnt = sat_addu(to->cnt, from->cnt);
	to->bytes = sat_addu(to->bytes, from->bytes);
	to->errors = sat_addu(to->errors, from->errors);
	to->timed = sat_addu(to->timed, from->timed);
	to->ns = sat_addu(to->ns, from->ns);
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
}

static bool has_more(const struct site_total *a, const struct site_total *b)
{
	if (a->task_bytes[HELD] != b->task_bytes[HELD])
		return a->task_bytes[HELD] > b->task_bytes[HELD];
	return a->task_bytes[ALLOCATED] > b->task_bytes[ALLOCATED];
}

static void merge(struct site_total *to, struct site_total *from)
{
	if (!to->task || (from->task && has_more(from, to))) {
		to->task = from->task;
		to->class_idx = from->class_idx;
		memcpy(to->task_bytes, from->task_bytes, sizeof(to->task_bytes));
	}
	add_sum(&to->alloc, &from->alloc);
	add_sum(&to->freed, &from->freed);
	add_sum(&to->held, &from->held);
	hist__merge(&to->lifetime, &from->lifetime);
	hist__merge(&to->age, &from->age);
	hist__free(&from->lifetime);
	hist__free(&from->age);
}

static int by_rank(const void *a, const void *b)
{
	const struct site_total *x = a, *y = b;
	const uint64_t keys[][2] = {
		{x->held.bytes, y->held.bytes}, {x->alloc.bytes, y->alloc.bytes},
		{x->alloc.cnt, y->alloc.cnt},   {x->freed.bytes, y->freed.bytes},
		{y->object, x->object},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i][0] != keys[i][1])
			return keys[i][0] > keys[i][1] ? -1 : 1;
	}
	return 0;
}

static void rank(struct site_totals *totals, bool with_class)
{
	size_t cnt = 0;

	if (!totals->cnt)
		return;
	qsort(totals->rows, totals->cnt, sizeof(*totals->rows), with_class ? by_class : by_object);
	for (size_t i = 0; i < totals->cnt; i++) {
		if (cnt && totals->rows[cnt - 1].object == totals->rows[i].object &&
		    (!with_class || totals->rows[cnt - 1].class_idx == totals->rows[i].class_idx))
			merge(&totals->rows[cnt - 1], &totals->rows[i]);
		else
			totals->rows[cnt++] = totals->rows[i];
	}
	totals->cnt = cnt;
	qsort(totals->rows, cnt, sizeof(*totals->rows), by_rank);
}

void site_totals__rank(struct site_totals *totals)
{
	rank(totals, false);
}

void site_totals__rank_by_class(struct site_totals *totals)
{
	rank(totals, true);
}

void site_totals__free(struct site_totals *totals)
{
	for (size_t i = 0; i < totals->cnt; i++) {
		hist__free(&totals->rows[i].lifetime);
		hist__free(&totals->rows[i].age);
	}
	free(totals->rows);
	memset(totals, 0, sizeof(*totals));
}

static uint64_t positive(int64_t val)
{
	return val > 0 ? (uint64_t)val : 0;
}

static void add_sums(struct heap_sums *to, const struct heap_sums *from)
{
	to->current_bytes = sat_addu(to->current_bytes, from->current_bytes);
	to->current_cnt = sat_addu(to->current_cnt, from->current_cnt);
	to->freed_bytes = sat_addu(to->freed_bytes, from->freed_bytes);
	to->freed_cnt = sat_addu(to->freed_cnt, from->freed_cnt);
	to->usable_bytes = sat_addu(to->usable_bytes, from->usable_bytes);
	to->asked_bytes = sat_addu(to->asked_bytes, from->asked_bytes);
	if (from->peak_bytes > to->peak_bytes)
		to->peak_bytes = from->peak_bytes;
}

static void add_counters(struct heap_total *total, const int64_t c[COUNTER_CNT])
{
	total->allocs = sat_addu(total->allocs, positive(c[COUNTER_HEAP_ALLOCS]));
	total->alloc_bytes = sat_addu(total->alloc_bytes, positive(c[COUNTER_HEAP_ALLOC_BYTES]));
	total->frees = sat_addu(total->frees, positive(c[COUNTER_HEAP_FREES]));
}

void heap_total__add_task(struct heap_total *total, const struct task *task)
{
	add_sums(&total->sums, &task->heap);
	add_counters(total, task->c);
	if (task->end_ns == NO_TIME || !task->heap.current_cnt)
		return;
	total->leaking_cnt = sat_addu(total->leaking_cnt, 1);
	total->leaked_bytes = sat_addu(total->leaked_bytes, task->heap.current_bytes);
}

void heap_total__add_folded(struct heap_total *total, const struct task_class *class)
{
	add_sums(&total->sums, &class->folded_heap);
	add_counters(total, class->folded_c);
	total->leaking_cnt = sat_addu(total->leaking_cnt, class->folded_leaking_cnt);
	total->leaked_bytes = sat_addu(total->leaked_bytes, class->folded_leaked_bytes);
}

struct heap_total *heap_totals__new(const struct model *model)
{
	struct heap_total *totals = calloc(model->class_cnt + 1, sizeof(*totals));
	struct heap_total *all = totals ? &totals[model->class_cnt] : NULL;

	if (!totals)
		return NULL;
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		heap_total__add_task(all, task);
		if (task->class_idx < model->class_cnt)
			heap_total__add_task(&totals[task->class_idx], task);
	}
	for (size_t i = 0; i < model->class_cnt; i++) {
		heap_total__add_folded(all, &model->classes[i]);
		heap_total__add_folded(&totals[i], &model->classes[i]);
	}
	return totals;
}

const char *site_function(const struct model *model, uint32_t object, char *buf, size_t sz)
{
	static const struct object nothing = {};
	const struct object *site = object < model->object_cnt ? &model->objects[object] : &nothing;
	const char *name = model__str(model, site->name), *module = model__str(model, site->local);
	const char *plus = strrchr(name, '+'), *slash = strrchr(module, '/');
	size_t len = plus ? (size_t)(plus - name) : 0;

	module = slash ? slash + 1 : module;
	if (!len || (len == strlen(module) && !strncmp(name, module, len)))
		return NULL;
	snprintf(buf, sz, "%.*s", (int)(len < sz ? len : sz - 1), name);
	return buf;
}

void backoff_text(struct buf *buf, const struct model *model, const struct backoff *backoff)
{
	const char *reason = model__str(model, backoff->reason);

	buf__printf(buf, "%s: from %s to %s at ", model__str(model, backoff->what),
		    model__str(model, backoff->from), model__str(model, backoff->to));
	format_ns(buf, backoff->at_ns);
	if (*reason)
		buf__printf(buf, ": %s", reason);
}

void estimate_text(struct buf *buf, const struct model *model, enum model_cap cap)
{
	const struct cap_state *state = &model->caps[cap];

	if (!state->measured)
		return;
	if (state->share < 1)
		buf__printf(buf,
			    "%s was measured for %.2g%% of the time and is scaled to all of it",
			    cap_name(cap), state->share * 100);
	if (state->weight > 1)
		buf__printf(buf, "%s%s was sampled: one stands for %.3g on average",
			    state->share < 1 ? "; " : "", cap_name(cap), state->weight);
}
