/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page's data: one <script type="application/x-asyncscope" id="..."> per section. This comment
 * is the format's only description; report-templates/data.js is its reader.
 *
 *	text	base64, with line breaks
 *	 of	gzip
 *	 of	u32 (little endian) size of the head, the head (JSON), the columns' bytes
 *
 *	head	{ ...what the section adds..., "rows": n, "columns": [ { "name", "width", "min",
 *		"nullable", "delta", "strings" } ] }
 *
 * A column is `width` planes of `rows` bytes, the plane of the lowest bytes first (shuffled bytes
 * compress better); width 0 has no bytes and every code is 0. From the bytes of a row to its value:
 *
 *	code		the planes' bytes together, an unsigned number
 *	if "delta"	code = the row before's code + (code even ? code / 2 : -(code + 1) / 2)
 *	if "nullable"	code 0 is null, otherwise code = code - 1
 *	value		code + min; with "strings": strings[value]
 *
 * Called by the sections (tasks.c, classes.c, timeline.c), which are called by html.c.
 */
#ifndef REPORT_COLUMNS_H
#define REPORT_COLUMNS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/map64.h"

#define COLUMN_NULL INT64_MIN

struct columns {
	size_t rows;
	struct json head; /* the section's own keys go here, before the first column */
	struct buf head_buf;
	struct buf data;
	uint64_t *codes;
	bool in_columns;
	int err; /* sticks, like a buf's */
};

void columns__start(struct columns *columns, size_t rows);
/* `vals` has `rows` elements; COLUMN_NULL is null. */
void columns__add(struct columns *columns, const char *name, const int64_t *vals);
/* Strings by ids that the caller chose; `get` turns one into text. */
void columns__add_strings(struct columns *columns, const char *name, const int64_t *ids,
			  const char *(*get)(const void *ctx, uint64_t id), const void *ctx);
/* Writes the section as an element and frees everything; 0 or -errno. */
int columns__finish(struct columns *columns, const char *id, FILE *out);

/* gzip + base64 of bytes; 0 or -errno. */
int write_packed(const void *data, size_t sz, FILE *out);

#endif
