/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of a chunk become rows of the model's structs, every value checked: fits its field,
 * string and class exist, enums by name. Called by decode.c.
 */
#ifndef SNAPSHOT_ROWS_H
#define SNAPSHOT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "snapshot/column.h"
#include "snapshot/tables.h"

struct rows_in {
	const struct model *model; /* whose strings and classes rows refer to */
	struct column_dir dir; /* of the chunk at hand */
	uint64_t *vals; /* one column */
	size_t val_cap;
	uint64_t bytes_left; /* that the model may yet take */
	bool is_lossy; /* a reference that leads nowhere becomes "none", not an error */
	uint8_t enums[ENUM_CNT][256]; /* the file's value -> ours */
};

/* Until the file names its values they are taken for ours. */
void rows_in__init_enums(struct rows_in *in);
int rows_in__enums(struct rows_in *in, uint32_t rows);
/* Books memory of the model: 0, or -EINVAL when the file asks for too much. */
int rows_in__take(struct rows_in *in, uint64_t sz);
/* A column with one number. */
int rows_in__number(struct rows_in *in, const char *name, uint64_t *val);
/* Fills `cnt` cleared rows. 0, -EINVAL or -ENOMEM; after an error rows__free is due. */
int rows_in__read(struct rows_in *in, const struct table *table, void *rows, uint32_t cnt);
/* What the rows own: their histograms. */
void rows__free(const struct table *table, void *rows, uint32_t cnt);

#endif
