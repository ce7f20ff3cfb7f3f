/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which field of which struct of the model is which column of which chunk: the one place to add a
 * row to when the model grows. encode.c and decode.c walk it.
 */
#ifndef SNAPSHOT_TABLES_H
#define SNAPSHOT_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* The enums whose values a file names. */
enum enum_table {
	ENUM_RUNTIME,
	ENUM_STATE,
	ENUM_BINDING,
	ENUM_EDGE,
	ENUM_OBJECT,
	ENUM_ROLE,
	ENUM_OP,
	ENUM_SERIES,
	ENUM_CNT
};

struct enum_names {
	const char *name;
	unsigned int cnt;
	const char *(*name_of)(unsigned int val);
	uint8_t unknown; /* what a value reads as whose name this version does not know */
};

extern const struct enum_names enum_names[ENUM_CNT];

enum column_kind {
	COL_NUM,
	COL_BOOL,
	COL_BIT, /* one bit of a field of flags */
	COL_STRING, /* an id in the string table */
	COL_CLASS, /* a row of the class table, or NO_IDX */
	COL_OBJECT, /* a row of the object table */
	COL_ENUM,
};

struct table_column {
	const char *name;
	uint32_t off;
	uint8_t sz; /* 0: this build's struct has no such field */
	uint8_t kind;
	uint8_t arg; /* enum enum_table, or the bit */
	int64_t missing; /* the value in all rows when a file has no such column */
};

struct table_hist {
	const char *name;
	uint32_t off;
};

struct table {
	uint32_t fourcc;
	uint32_t row_sz;
	const struct table_column *columns;
	size_t column_cnt;
	const struct table_hist *hists;
	size_t hist_cnt;
};

/* What each histogram has per row, within struct hist; its buckets follow as lists. */
extern const struct table_column hist_columns[];
extern const size_t hist_column_cnt;

extern const struct table table_meta;
extern const struct table table_caps; /* names apart, in the column "cap" */
extern const struct table table_runtimes;
extern const struct table table_counters;
extern const struct table table_classes;
extern const struct table table_tasks;
extern const struct table table_edges;
extern const struct table table_slices;
extern const struct table table_objects;
extern const struct table table_uses;
extern const struct table table_links;
extern const struct table table_samples;
extern const struct table table_backoffs;

#endif
