/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of what a recording says: every record and field that any output may hold, with
 * type and meaning. `asyncscope-bpf schema` prints it, exporters walk it, tests hold outputs
 * against it. Rows are in output order; a dot in a path is nesting.
 */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "model/caps.h"

enum schema_type {
	TYPE_STR,
	TYPE_INT, /* counts, ids that fit, bytes */
	TYPE_NS, /* nanoseconds */
	TYPE_NUM, /* a double */
	TYPE_BOOL,
	TYPE_LIST,
	TYPE_OBJ, /* written by hand, its members are documented in `doc` */
};

/* Which tasks can have a field at all. */
enum schema_audience {
	FOR_ALL,
	FOR_THREADS,
	FOR_ASYNC, /* tasks of a runtime above threads */
};

struct schema_field {
	const char *record; /* "meta", "task", ... */
	const char *path; /* "time.on_cpu_ns" */
	enum schema_type type;
	enum model_cap cap;
	enum schema_audience audience;
	const char *doc;
};

extern const struct schema_field schema_fields[];
extern const size_t schema_field_cnt;

const char *schema_type_name(enum schema_type type);
const char *schema_audience_name(enum schema_audience audience);
const struct schema_field *schema__find(const char *record, const char *path);
/* The rows of one record stand together: the first one, and how many; NULL for no such record. */
const struct schema_field *schema__record(const char *record, size_t *cnt);

/* Ids in every output: a task's is "TID:SEQUENCE", a class's 16 hex digits. Both are strings in
 * JSON, because JavaScript keeps integers up to 2^53 only. Returns `buf`. */
#define SCHEMA_ID_SZ 24
const char *schema_task_id(char buf[SCHEMA_ID_SZ], uint64_t task);
const char *schema_class_id(char buf[SCHEMA_ID_SZ], uint64_t class_id);

#endif
