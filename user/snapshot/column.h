/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Columns inside a chunk's payload (format.h, "A chunk"): written by encode.c, read by decode.c.
 */
#ifndef SNAPSHOT_COLUMN_H
#define SNAPSHOT_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "snapshot/format.h"

/* Appends a column of numbers; `vals` is scratch afterwards. */
void column__put_ints(struct buf *raw, const char *name, uint64_t *vals, uint32_t cnt);
/* Appends a column of bytes. */
void column__put_bytes(struct buf *raw, const char *name, const void *data, uint32_t sz,
		       uint32_t cnt);

struct column_ref {
	const char *name; /* not terminated */
	const uint8_t *data;
	uint32_t sz;
	uint32_t cnt;
	uint8_t name_sz;
	uint8_t encoding;
};

struct column_dir {
	struct column_ref columns[COLUMN_CNT_MAX];
	uint32_t cnt;
};

/* Finds the columns of a payload, which must outlive the directory. 0 or -EINVAL. */
int column_dir__parse(struct column_dir *dir, const uint8_t *raw, size_t sz);
/* NULL when the payload has no such column. */
const struct column_ref *column_dir__find(const struct column_dir *dir, const char *name);
/* The numbers of a column that must have `cnt` of them. 0 or -EINVAL. */
int column__get_ints(const struct column_ref *column, uint64_t *vals, uint32_t cnt);
/* Steps through a column of names: the next one at *off, or NULL at its end or when damaged. */
const char *column__next_name(const struct column_ref *column, uint32_t *off);

#endif
