/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exporters: one file and one row each; chosen by the suffix of -o or by export -t. */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "analyze/analyze.h"
#include "model/model.h"
#include "model/schema.h"

struct export_options {
	bool slices; /* the timeline too */
	/* for the terminal; the zero values fit a file */
	bool colour;
	bool ascii; /* no characters beyond ASCII */
	unsigned int width; /* columns; 0: 100 */
	size_t top; /* rows of the task table; 0: 15 */
};

/* Returns 0 or -errno of the write. The stream is the caller's. */
typedef int (*export_fn)(const struct model *model, const struct analysis *analysis,
			 const struct export_options *options, FILE *out);

struct exporter {
	const char *name;
	const char *suffix; /* ".ndjson" */
	const char *doc;
	export_fn write;
};

extern const struct exporter exporters[];
extern const size_t exporter_cnt;

const struct exporter *exporter__by_suffix(const char *path);
const struct exporter *exporter__by_name(const char *name);

int export_ndjson(const struct model *model, const struct analysis *analysis,
		  const struct export_options *options, FILE *out);

int export_summary(const struct model *model, const struct analysis *analysis,
		   const struct export_options *options, FILE *out);

/* The value of one schema field of one record; why is set when it is null. */
enum value_kind {
	VALUE_NULL,
	VALUE_INT,
	VALUE_UINT,
	VALUE_NUM,
	VALUE_BOOL,
	VALUE_STR,
	VALUE_MASK, /* a list of the set bits of `u` */
};

struct value {
	enum value_kind kind;
	union {
		int64_t i;
		uint64_t u;
		double num;
		bool b;
	};
	char str[192]; /* VALUE_STR, copied and cut */
	const char *text; /* VALUE_STR, the whole of it: points into the model or to `str` */
	const char *why; /* VALUE_NULL: the reason, or NULL when there is just nothing (a parent) */
};

/* `field` is a row of the record "task". The reason and the text may point into the value itself,
 * so it is filled in place and not copied. */
void value__of_task(struct value *value, const struct model *model, const struct analysis *analysis,
		    size_t task_idx, const struct schema_field *field);

#endif
