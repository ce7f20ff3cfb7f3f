/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tasks and classes hold, the places that allocated it, and the stacks of these: of one frame,
 * the caller of the allocator, until stacks are deeper.
 */
#include "export/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "export/io.h"

#define HOTSPOTS 5

int64_t heap_number(const struct heap_sums *sums, enum heap_number number)
{
	const uint64_t vals[] = {
		[HEAP_CURRENT_BYTES] = sums->current_bytes, [HEAP_CURRENT_CNT] = sums->current_cnt,
		[HEAP_PEAK_BYTES] = sums->peak_bytes,       [HEAP_FREED_BYTES] = sums->freed_bytes,
		[HEAP_FREED_CNT] = sums->freed_cnt,
	};

	return sat_i64(vals[number]);
}

void get_heap(struct value *value, const struct row *row, const struct getter *getter)
{
	value__int(value,
		   heap_number(&row->model->tasks[row->idx].heap, (enum heap_number)getter->arg));
}

void get_unasked(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct heap_sums *sums = &row->model->tasks[row->idx].heap;

	/* it may be of a hostile snapshot */
	if (!sums->usable_bytes || sums->asked_bytes > sums->usable_bytes)
		value__null(value, getter->why);
	else
		value__num(value, 1 - (double)sums->asked_bytes / (double)sums->usable_bytes);
}

void get_leaked(struct value *value, const struct row *row, const struct getter *getter)
{
	struct heap_total total = {};

	for (size_t i = 0; i < row->member_cnt; i++)
		heap_total__add_task(&total, &row->model->tasks[row->members[i]]);
	heap_total__add_folded(&total, &row->model->classes[row->idx]);
	value__uint(value, getter->arg == LEAKED_TASKS ? total.leaking_cnt : total.leaked_bytes);
}

void write_lifetimes(struct record_writer *writer, const struct row *row,
		     const struct schema_field *field)
{
	(void)field;
	write_dist(writer, row, DIST_LIFETIME);
}

static int add_sites(void *arg, const struct row *row, const struct use *uses, size_t cnt)
{
	return site_totals__add(arg, row->model, uses, cnt);
}

/* {site, function, module}, what of it is known. */
static void write_place(struct json *json, const struct model *model, uint32_t object)
{
	static const struct object nothing = {};
	const struct object *site = object < model->object_cnt ? &model->objects[object] : &nothing;
	char text[1024];

	if (*model__str(model, site->name))
		json__kv_str(json, "site", model__str(model, site->name));
	if (site_function(model, object, text, sizeof(text)))
		json__kv_str(json, "function", text);
	if (*model__str(model, site->local))
		json__kv_str(json, "module", model__str(model, site->local));
}

static void put_percentile(struct json *json, const char *key, const struct hist *hist,
			   double share)
{
	struct value value;

	value__percentile(&value, hist, share);
	if (value.kind == VALUE_UINT)
		json__kv_u64(json, key, value.u);
}

static void write_spot(struct json *json, const struct model *model, const struct site_total *site)
{
	json__obj_begin(json);
	write_place(json, model, site->object);
	json__kv_u64(json, "allocations", site->alloc.cnt);
	json__kv_u64(json, "bytes", site->alloc.bytes);
	json__kv_u64(json, "failed", site->alloc.errors);
	if (model->caps[CAP_HEAP_LIVE].measured) {
		json__kv_u64(json, "freed", site->freed.cnt);
		json__kv_u64(json, "freed_bytes", site->freed.bytes);
		json__kv_u64(json, "held_blocks", site->held.cnt);
		json__kv_u64(json, "held_bytes", site->held.bytes);
	}
	put_percentile(json, "lifetime_p50_ns", &site->lifetime, 0.5);
	put_percentile(json, "lifetime_p99_ns", &site->lifetime, 0.99);
	json__obj_end(json);
}

void write_memory_hotspots(struct record_writer *writer, const struct row *row,
			   const struct schema_field *field)
{
	struct site_totals totals = {};
	int err = row__each_use(row, add_sites, &totals);

	(void)field;
	site_totals__rank(&totals);
	json__arr_begin(&writer->json);
	for (size_t i = 0; i < totals.cnt && i < HOTSPOTS; i++)
		write_spot(&writer->json, row->model, &totals.rows[i]);
	json__arr_end(&writer->json);
	site_totals__free(&totals);
	if (err)
		writer->line.err = err;
}

/* The stacks: of what the tasks of one class allocated, and hold, at one place. */
struct stack {
	uint32_t class_idx, object;
	uint8_t op;
	uint64_t cnt, bytes;
};

struct stacks {
	struct stack *rows;
	size_t cnt, cap;
};

static const struct stack *stack_of(const struct row *row)
{
	return row->stack;
}

/* Of its names, so that it is the same in every recording. */
static void get_stack_id(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct object *site = &row->model->objects[stack_of(row)->object];
	const char *name = model__str(row->model, site->name);
	const char *module = model__str(row->model, site->local);
	uint64_t id = hash_bytes(hash_bytes(0, module, strlen(module)), name, strlen(name));

	(void)getter;
	value->kind = VALUE_STR;
	value->text = value->str;
	snprintf(value->str, sizeof(value->str), "%016" PRIx64, id);
}

static void get_stack_kind(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__str(value, stack_of(row)->op == IO_ALLOC ? "alloc" : "live");
}

static void get_stack_class(struct value *value, const struct row *row, const struct getter *getter)
{
	value__class_id(value, row->model, stack_of(row)->class_idx, getter->why);
}

static void get_stack_sum(struct value *value, const struct row *row, const struct getter *getter)
{
	value__uint(value, getter->arg ? stack_of(row)->bytes : stack_of(row)->cnt);
}

static void get_weight(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct cap_state *caps = row->model->caps;

	(void)getter;
	value__num(value, stack_of(row)->op == IO_HOLD ? cap_estimate(&caps[CAP_HEAP_LIVE])
						       : cap_estimate(&caps[CAP_HEAP_SITES]));
}

static void get_truncated(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)row;
	(void)getter;
	value__bool(value, true);
}

static void write_frames(struct record_writer *writer, const struct row *row,
			 const struct schema_field *field)
{
	(void)field;
	json__arr_begin(&writer->json);
	json__obj_begin(&writer->json);
	write_place(&writer->json, row->model, stack_of(row)->object);
	json__obj_end(&writer->json);
	json__arr_end(&writer->json);
}

static const struct getter stack_getters[] = {
	IO_GET("bytes", get_stack_sum, 1, NULL),
	IO_GET("class_id", get_stack_class, 0, "its class is not known"),
	{"frames", NULL, 0, NULL, write_frames, false},
	IO_GET("kind", get_stack_kind, 0, NULL),
	IO_GET("ns", NULL, 0, "it is of memory, not of time"),
	IO_GET("samples", get_stack_sum, 0, NULL),
	IO_GET("stack_id", get_stack_id, 0, NULL),
	IO_GET("task_id", NULL, 0, "of all tasks of the class"),
	IO_GET("truncated", get_truncated, 0, NULL),
	IO_GET("weight", get_weight, 0, NULL),
};

const struct record_kind record_stack = {
	.record = "stack",
	.getters = stack_getters,
	.getter_cnt = sizeof(stack_getters) / sizeof(stack_getters[0]),
};

static uint32_t class_of(const struct model *model, const struct use *use)
{
	const struct task *task = use->task ? model__task(model, use->task) : NULL;

	return task ? task->class_idx : use->class_idx;
}

static int collect(struct stacks *stacks, const struct model *model)
{
	static const struct use_filter filter = {OP_BIT(ALLOC) | OP_BIT(HOLD), KINDS_SITE};

	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		if (!use_fits(model, use, &filter))
			continue;
		if (array__reserve((void **)&stacks->rows, &stacks->cap, stacks->cnt + 1,
				   sizeof(*stacks->rows)))
			return -ENOMEM;
		stacks->rows[stacks->cnt++] = (struct stack){class_of(model, use), use->object,
							     use->op, use->cnt, use->bytes};
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	if (x->class_idx != y->class_idx)
		return x->class_idx < y->class_idx ? -1 : 1;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->op - y->op;
}

static void merge(struct stacks *stacks)
{
	size_t cnt = 0;

	if (!stacks->cnt)
		return;
	qsort(stacks->rows, stacks->cnt, sizeof(*stacks->rows), by_place);
	for (size_t i = 0; i < stacks->cnt; i++) {
		struct stack *last = &stacks->rows[cnt - !!cnt];

		if (!cnt || by_place(last, &stacks->rows[i])) {
			stacks->rows[cnt++] = stacks->rows[i];
			continue;
		}
		last->cnt = sat_addu(last->cnt, stacks->rows[i].cnt);
		last->bytes = sat_addu(last->bytes, stacks->rows[i].bytes);
	}
	stacks->cnt = cnt;
}

int write_stacks(const struct model *model, const struct analysis *analysis, FILE *out)
{
	struct record_writer writer = {};
	struct stacks stacks = {};
	int err = model->caps[CAP_HEAP_SITES].measured ? collect(&stacks, model) : 0;

	merge(&stacks);
	if (!err)
		err = record_writer__init(&writer, &record_stack);
	for (size_t i = 0; !err && i < stacks.cnt; i++) {
		const struct row row = {.model = model,
					.analysis = analysis,
					.stack = &stacks.rows[i]};

		err = record_writer__write(&writer, &row, out);
	}
	record_writer__free(&writer);
	free(stacks.rows);
	return err;
}
