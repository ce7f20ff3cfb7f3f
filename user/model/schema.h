/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of what a recording says: every record and field that any output may hold, with
 * type and meaning. `asyncscope-bpf schema` prints it, exporters walk it, tests hold outputs
 * against it. Rows are in output order; a dot in a path is nesting.
 */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include <stddef.h>

#include "model/caps.h"

enum schema_type {
	TYPE_STR,
	TYPE_INT, /* counts, ids that fit, bytes */
	TYPE_NS,  /* nanoseconds */
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
	const char *path;   /* "time.on_cpu_ns" */
	enum schema_type type;
	enum model_cap cap;
	enum schema_audience audience;
	const char *doc;
};

extern const struct schema_field schema_fields[];
extern const size_t schema_field_cnt;

const char *schema_type_name(enum schema_type type);
const struct schema_field *schema__find(const char *record, const char *path);

#endif
