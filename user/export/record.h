/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How one record becomes one JSON line: the schema's rows give names, order and nesting, a table of
 * getters gives the values, and what is null gives its reason. Private to export/ (and its tests).
 */
#ifndef EXPORT_RECORD_H
#define EXPORT_RECORD_H

#include "base/buf.h"
#include "base/json.h"
#include "export/export.h"

/* One record to write: what getters see. */
struct row {
	const struct model *model;
	const struct analysis *analysis;
	size_t idx; /* into the model's table of this kind */
	bool is_thread; /* tasks and classes: the audience of their fields */
	struct hist runs, wake; /* tasks: views; classes: merged */
	bool is_class;
	const uint32_t *members; /* classes: their tasks */
	size_t member_cnt;
	struct hist *dists; /* tasks and classes: made by row__load_io(), or NULL */
	/* files and connections: what one owner did with object `idx` */
	uint64_t owner; /* the task, or 0 */
	uint32_t owner_class; /* of folded tasks, or NO_IDX */
	const struct use *uses;
	size_t use_cnt;
	const struct link *link; /* or NULL */
	size_t sample_cnt; /* series: from `idx` on */
	const struct stack *stack; /* of heap.c */
};

struct record_writer;
struct getter;
typedef void (*get_fn)(struct value *value, const struct row *row, const struct getter *getter);
typedef void (*write_fn)(struct record_writer *writer, const struct row *row,
			 const struct schema_field *field);

struct getter {
	const char *path;
	get_fn get; /* NULL without `write`: never known, for the reason in `why` */
	int arg;
	const char *why; /* the reason where the field is null */
	write_fn write; /* lists and objects; `get` then only tells whether there is one */
	bool is_total; /* an estimate where its capability was measured in part only */
};

/* The getters of one record, sorted by path. */
struct record_kind {
	const char *record;
	const struct getter *getters;
	size_t getter_cnt;
	const struct getter *other; /* for fields without a row, or NULL */
};

extern const struct record_kind record_meta, record_class, record_task, record_edge, record_file,
	record_connection, record_stack, record_series, record_slice, record_finding,
	record_counter;
/* Every record but meta, in output order. */
extern const struct record_kind *const record_kinds[];
extern const size_t record_kind_cnt;

const struct getter *getter__find(const struct record_kind *kind, const char *path);

/* A null, and its reason: a dotted path, here in two parts. */
struct null_note {
	const char *path;
	size_t path_sz;
	const char *suffix; /* ".p50" or "" */
	const char *why;
};

struct record_writer {
	const struct record_kind *kind;
	const struct schema_field *fields;
	size_t field_cnt;
	const struct getter **getters; /* beside the fields */
	struct value *values;
	struct null_note *notes;
	size_t note_cnt, note_cap;
	struct buf line;
	struct json json;
};

/* 0 or -ENOMEM */
int record_writer__init(struct record_writer *writer, const struct record_kind *kind);
void record_writer__free(struct record_writer *writer);
/* One line; 0 or -errno. */
int record_writer__write(struct record_writer *writer, const struct row *row, FILE *out);
/* For write_fn: the reason of a null that was just written. */
void record_writer__note(struct record_writer *writer, const struct schema_field *field,
			 const char *suffix, const char *why);

/* Fills one value by the field's audience, its capability and its getter, in this order. */
void row__value(struct value *value, const struct row *row, const struct schema_field *field,
		const struct getter *getter);
/* The row of a task. */
void row__of_task(struct row *row, const struct model *model, const struct analysis *analysis,
		  size_t task_idx);
/* Of a class: its members are task indices; row__free() drops the merged histograms. */
void row__of_class(struct row *row, const struct model *model, const struct analysis *analysis,
		   size_t class_idx, const uint32_t *members, size_t member_cnt);
void row__free(struct row *row);

void value__null(struct value *value, const char *why);
void value__int(struct value *value, int64_t val);
void value__uint(struct value *value, uint64_t val);
void value__num(struct value *value, double val);
void value__bool(struct value *value, bool val);
void value__str(struct value *value, const char *text);
/* Saturating: numbers of a hostile snapshot may be beyond any integer. */
int64_t to_int(double val);
/* An id as a string; 0 is null for the reason. */
void value__task_id(struct value *value, uint64_t task, const char *why);
void value__class_id(struct value *value, const struct model *model, uint32_t class_idx,
		     const char *why);
/* Null when there are fewer than 5. */
void value__percentile(struct value *value, const struct hist *hist, double share);
const char *too_few(uint64_t cnt);

/* Shared by tasks and classes: the members of runs and wake_latency; arg: percent, or these. */
enum hist_stat { HIST_COUNT = -1, HIST_TOTAL = -2, HIST_MAX = -3 };
void value__hist(struct value *value, const struct hist *hist, int stat);
void get_runs(struct value *value, const struct row *row, const struct getter *getter);
void get_wake(struct value *value, const struct row *row, const struct getter *getter);
/* One counter of a task or the sum of two: arg = COUNTERS(a, b). */
#define COUNTERS(a, b) (COUNTER_##a | (COUNTER_##b + 1) << 8)
void get_counter(struct value *value, const struct row *row, const struct getter *getter);
int64_t counter_sum(const int64_t c[COUNTER_CNT], int arg);

#define THREAD_HAS_NO_POLLS "a thread has no polls"

#endif
