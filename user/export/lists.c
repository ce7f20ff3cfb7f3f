/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plain records: edges, slices of the timeline, findings, counters. Written by ndjson.c. */
#include "export/record.h"

#include <string.h>

#define GET(path, fn, arg, why)                                                                    \
	{                                                                                          \
		path, fn, arg, why, NULL, false                                                    \
	}
#define KIND(name, table)                                                                          \
	const struct record_kind record_##name = {                                                 \
		.record = #name,                                                                   \
		.getters = table,                                                                  \
		.getter_cnt = sizeof(table) / sizeof(table[0]),                                    \
	}

static const struct edge *edge_of(const struct row *row)
{
	return &row->model->edges[row->idx];
}

enum edge_end { EDGE_FROM, EDGE_TO };

static void get_edge_end(struct value *value, const struct row *row, const struct getter *getter)
{
	value__task_id(value, getter->arg == EDGE_FROM ? edge_of(row)->from : edge_of(row)->to,
		       getter->why);
}

static void get_edge_kind(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__str(value, edge_name(edge_of(row)->kind));
}

static void get_edge_cnt(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__uint(value, edge_of(row)->cnt);
}

enum edge_delay { DELAY_TOTAL, DELAY_MAX };

static void get_edge_delay(struct value *value, const struct row *row, const struct getter *getter)
{
	if (edge_of(row)->kind == EDGE_SPAWN)
		value__null(value, getter->why);
	else
		value__uint(value, getter->arg == DELAY_TOTAL ? edge_of(row)->delay_ns
							      : edge_of(row)->max_ns);
}

static const struct getter edge_getters[] = {
	GET("count", get_edge_cnt, 0, NULL),
	GET("from_task_id", get_edge_end, EDGE_FROM,
	    "an interrupt, or a task outside of the target"),
	GET("kind", get_edge_kind, 0, NULL),
	GET("max_delay_ns", get_edge_delay, DELAY_MAX, "a spawn has no delay"),
	GET("to_task_id", get_edge_end, EDGE_TO, "not known"),
	GET("total_delay_ns", get_edge_delay, DELAY_TOTAL, "a spawn has no delay"),
};
KIND(edge, edge_getters);

static const struct slice *slice_of(const struct row *row)
{
	return &row->model->slices[row->idx];
}

static void get_slice_task(struct value *value, const struct row *row, const struct getter *getter)
{
	value__task_id(value, slice_of(row)->task, getter->why);
}

static void get_slice_time(struct value *value, const struct row *row, const struct getter *getter)
{
	value__int(value, slice_of(row)->c[getter->arg]);
}

enum slice_number { SLICE_TID, SLICE_CPU, SLICE_START, SLICE_DURATION, SLICE_DEPTH };

static void get_slice(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct slice *slice = slice_of(row);
	const int64_t numbers[] = {
		[SLICE_TID] = slice->tid,        [SLICE_CPU] = slice->cpu,
		[SLICE_START] = slice->start_ns, [SLICE_DURATION] = slice->dur_ns,
		[SLICE_DEPTH] = slice->depth,
	};

	value__int(value, numbers[getter->arg]);
}

static void get_partial(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__bool(value, slice_of(row)->flags & SLICE_PARTIAL);
}

static const struct getter slice_getters[] = {
	GET("blocked_disk_ns", get_slice_time, COUNTER_BLOCKED_DISK, NULL),
	GET("blocked_lock_ns", get_slice_time, COUNTER_BLOCKED_LOCK, NULL),
	GET("blocked_net_ns", get_slice_time, COUNTER_BLOCKED_NET, NULL),
	GET("blocked_other_ns", get_slice_time, COUNTER_BLOCKED_OTHER, NULL),
	GET("blocked_timer_ns", get_slice_time, COUNTER_BLOCKED_TIMER, NULL),
	GET("cpu", get_slice, SLICE_CPU, NULL),
	GET("depth", get_slice, SLICE_DEPTH, NULL),
	GET("duration_ns", get_slice, SLICE_DURATION, NULL),
	GET("idle_ns", get_slice_time, COUNTER_IDLE, NULL),
	GET("on_cpu_ns", get_slice_time, COUNTER_ON_CPU, NULL),
	GET("partial", get_partial, 0, NULL),
	GET("runqueue_ns", get_slice_time, COUNTER_RUNQUEUE, NULL),
	GET("start_ns", get_slice, SLICE_START, NULL),
	GET("task_id", get_slice_task, 0, "not known"),
	GET("tid", get_slice, SLICE_TID, NULL),
};
KIND(slice, slice_getters);

static const struct finding *finding_of(const struct row *row)
{
	return &row->analysis->findings[row->idx];
}

enum finding_text { FINDING_ID, FINDING_SEVERITY, FINDING_TITLE, FINDING_ADVICE, FINDING_VERIFY };

static void get_finding(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct finding *finding = finding_of(row);
	const char *const texts[] = {
		[FINDING_ID] = finding->id,
		[FINDING_SEVERITY] = severity_name(finding->severity),
		[FINDING_TITLE] = finding->title,
		[FINDING_ADVICE] = finding->recommendation,
		[FINDING_VERIFY] = finding->how_to_verify,
	};

	if (texts[getter->arg])
		value__str(value, texts[getter->arg]);
	else
		value__null(value, getter->why);
}

static void get_quality(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__bool(value, finding_of(row)->is_quality);
}

static void get_confidence(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__num(value, finding_of(row)->confidence);
}

static void get_cost(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__num(value, finding_of(row)->cost_ns);
}

static void get_finding_task(struct value *value, const struct row *row,
			     const struct getter *getter)
{
	value__task_id(value, finding_of(row)->task, getter->why);
}

static void get_finding_class(struct value *value, const struct row *row,
			      const struct getter *getter)
{
	value__class_id(value, row->model, finding_of(row)->class_idx, getter->why);
}

static void write_evidence(struct record_writer *writer, const struct row *row,
			   const struct schema_field *field)
{
	const struct finding *finding = finding_of(row);
	struct json *json = &writer->json;
	char id[SCHEMA_ID_SZ];

	(void)field;
	json__arr_begin(json);
	for (size_t i = 0; i < finding->evidence_cnt; i++) {
		const struct evidence *evidence = &finding->evidence[i];

		json__obj_begin(json);
		json__kv_str(json, "name", evidence->name);
		json__kv_f64(json, "value", evidence->val);
		json__kv_str(json, "unit", evidence->unit);
		/* Only where one task is meant; all others are of the whole process. */
		if (evidence->task)
			json__kv_str(json, "task_id", schema_task_id(id, evidence->task));
		json__obj_end(json);
	}
	json__arr_end(json);
}

static const struct getter finding_getters[] = {
	GET("class_id", get_finding_class, 0, "it is not about one class"),
	GET("confidence", get_confidence, 0, NULL),
	GET("cost_ns", get_cost, 0, NULL),
	{"evidence", NULL, 0, NULL, write_evidence, false},
	GET("how_to_verify", get_finding, FINDING_VERIFY, "nothing to verify"),
	GET("id", get_finding, FINDING_ID, NULL),
	GET("is_quality", get_quality, 0, NULL),
	GET("recommendation", get_finding, FINDING_ADVICE, "nothing to recommend"),
	GET("severity", get_finding, FINDING_SEVERITY, NULL),
	GET("task_id", get_finding_task, 0, "it is not about one task"),
	GET("title", get_finding, FINDING_TITLE, NULL),
};
KIND(finding, finding_getters);

/* Behind the model's own counters stands one that only the analysis knows. */
static bool is_unattributed(const struct row *row)
{
	return row->idx >= row->model->counter_cnt;
}

enum counter_text { COUNTER_TEXT_NAME, COUNTER_TEXT_MEANING };

static void get_counter_text(struct value *value, const struct row *row,
			     const struct getter *getter)
{
	const struct counter *counter;

	if (is_unattributed(row)) {
		value__str(value, getter->arg == COUNTER_TEXT_NAME
					  ? "unattributed_cpu_ns"
					  : "CPU time of the process that belongs to no task");
		return;
	}
	counter = &row->model->counters[row->idx];
	value__str(value,
		   model__str(row->model,
			      getter->arg == COUNTER_TEXT_NAME ? counter->name : counter->meaning));
}

static void get_counter_value(struct value *value, const struct row *row,
			      const struct getter *getter)
{
	const struct totals *totals = &row->analysis->totals;

	(void)getter;
	if (!is_unattributed(row))
		value__uint(value, row->model->counters[row->idx].val);
	else if (totals->unattributed_cpu_ns != NO_TIME)
		value__int(value, totals->unattributed_cpu_ns);
	else
		value__null(value, totals->unattributed_why);
}

static void get_is_loss(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__bool(value, !is_unattributed(row) && row->model->counters[row->idx].is_loss);
}

static const struct getter counter_getters[] = {
	GET("is_loss", get_is_loss, 0, NULL),
	GET("meaning", get_counter_text, COUNTER_TEXT_MEANING, NULL),
	GET("name", get_counter_text, COUNTER_TEXT_NAME, NULL),
	GET("value", get_counter_value, 0, NULL),
};
KIND(counter, counter_getters);
