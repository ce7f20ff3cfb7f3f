/* SPDX-License-Identifier: GPL-2.0-or-later */
/* columns -> rows, for decode.c. */
#include "snapshot/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* What a short list costs beside its items. */
#define LIST_SZ 64

void rows_in__init_enums(struct rows_in *in)
{
	for (unsigned int table = 0; table < ENUM_CNT; table++) {
		const struct enum_names *names = &enum_names[table];

		for (unsigned int val = 0; val < 256; val++)
			in->enums[table][val] = val < names->cnt ? (uint8_t)val : names->unknown;
	}
}

static uint8_t our_value(const struct enum_names *names, const char *name)
{
	for (unsigned int val = 0; val < names->cnt; val++)
		if (!strcmp(name, names->name_of(val)))
			return (uint8_t)val;
	return names->unknown;
}

static uint64_t *room(struct rows_in *in, size_t cnt)
{
	if (array__reserve((void **)&in->vals, &in->val_cap, cnt + 1, sizeof(*in->vals)))
		return NULL;
	return in->vals;
}

int rows_in__enums(struct rows_in *in, uint32_t rows)
{
	const struct column_ref *tables = column_dir__find(&in->dir, "table");
	const struct column_ref *names = column_dir__find(&in->dir, "name");
	const struct column_ref *values = column_dir__find(&in->dir, "value");
	uint32_t table_off = 0, name_off = 0;

	if (!tables || !names || !values)
		return -EINVAL;
	if (!room(in, rows))
		return -ENOMEM;
	if (column__get_ints(values, in->vals, rows))
		return -EINVAL;
	for (unsigned int i = 0; i < ENUM_CNT; i++)
		memset(in->enums[i], enum_names[i].unknown, sizeof(in->enums[i]));
	for (uint32_t i = 0; i < rows; i++) {
		const char *table = column__next_name(tables, &table_off);
		const char *name = column__next_name(names, &name_off);

		if (!table || !name || in->vals[i] > 255) {
			rows_in__init_enums(in);
			return -EINVAL;
		}
		for (unsigned int k = 0; k < ENUM_CNT; k++)
			if (!strcmp(table, enum_names[k].name))
				in->enums[k][in->vals[i]] = our_value(&enum_names[k], name);
	}
	return 0;
}

int rows_in__take(struct rows_in *in, uint64_t sz)
{
	/* Not given back when the chunk turns out bad, so that trying is bounded too. */
	if (sz > in->bytes_left)
		return -EINVAL;
	in->bytes_left -= sz;
	return 0;
}

int rows_in__number(struct rows_in *in, const char *name, uint64_t *val)
{
	const struct column_ref *column = column_dir__find(&in->dir, name);

	return column ? column__get_ints(column, val, 1) : -EINVAL;
}

/* Ids stand at a string's beginning: its tail is never one of the writer's. */
static bool is_string(const struct model *model, uint64_t id)
{
	return !id || (id < model->strings.sz && !model->strings.data[id - 1]);
}

/* Checks a column's values and turns them into what the field holds. */
static int check(const struct rows_in *in, const struct table_column *column, uint64_t *vals,
		 uint32_t cnt)
{
	uint64_t max = column->sz < 8 ? (1ull << (8 * column->sz)) - 1 : UINT64_MAX;
	uint64_t bad = 0;

	switch (column->kind) {
	case COL_BOOL:
	case COL_BIT:
		max = 1;
		break;
	case COL_STRING:
		for (uint32_t i = 0; i < cnt; i++) {
			bool is_good = is_string(in->model, vals[i]);

			bad |= !is_good && !in->is_lossy;
			vals[i] = is_good ? vals[i] : 0;
		}
		break;
	case COL_CLASS:
		for (uint32_t i = 0; i < cnt; i++) {
			bool is_good = vals[i] == NO_IDX || vals[i] < in->model->class_cnt;

			bad |= !is_good && !in->is_lossy;
			vals[i] = is_good ? vals[i] : NO_IDX;
		}
		break;
	case COL_OBJECT:
		/* in a model there is no row without one: decode.c finds another */
		for (uint32_t i = 0; i < cnt; i++) {
			bool is_good = vals[i] < in->model->object_cnt;

			bad |= !is_good && !in->is_lossy;
			vals[i] = is_good ? vals[i] : NO_IDX;
		}
		break;
	case COL_ENUM:
		for (uint32_t i = 0; i < cnt; i++) {
			bad |= vals[i] > 255;
			vals[i] = in->enums[column->arg][vals[i] & 255];
		}
		break;
	}
	for (uint32_t i = 0; i < cnt; i++)
		bad |= vals[i] > max;
	return bad ? -EINVAL : 0;
}

/* The counterpart of encode.c's gather(). */
static void scatter(const struct table_column *column, char *rows, size_t row_sz, uint32_t cnt,
		    const uint64_t *vals)
{
	char *field = rows + column->off;

	if (column->kind == COL_BIT) {
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			*(uint8_t *)field |= vals[i] ? column->arg : 0;
		return;
	}
	switch (column->sz) {
	case 1:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			*(uint8_t *)field = (uint8_t)vals[i];
		break;
	case 2:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			*(uint16_t *)field = (uint16_t)vals[i];
		break;
	case 4:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			*(uint32_t *)field = (uint32_t)vals[i];
		break;
	default:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			*(uint64_t *)field = vals[i];
	}
}

static int read_column(struct rows_in *in, const struct table_column *column, const char *name,
		       char *rows, size_t row_sz, uint32_t cnt)
{
	const struct column_ref *ref = column_dir__find(&in->dir, name);
	uint64_t missing = (uint64_t)column->missing;
	int err = 0;

	if (!column->sz)
		return 0;
	if (ref)
		err = column__get_ints(ref, in->vals, cnt);
	if (ref && !err)
		err = check(in, column, in->vals, cnt);
	if (err)
		return err;
	if (!ref) {
		if (column->kind == COL_ENUM)
			missing = enum_names[column->arg].unknown;
		if (!missing)
			return 0;
		for (uint32_t i = 0; i < cnt; i++)
			in->vals[i] = missing;
	}
	scatter(column, rows, row_sz, cnt, in->vals);
	return 0;
}

static struct hist *hist_at(const struct table_hist *column, char *rows, size_t row_sz, uint32_t i)
{
	return (void *)(rows + i * row_sz + column->off);
}

/* Gives each row the room that its bucket_cnt, which is the file's, asks for. */
static int make_buckets(struct rows_in *in, const struct table_hist *column, char *rows,
			size_t row_sz, uint32_t cnt, uint32_t *items)
{
	uint64_t sum = 0, lists = 0;
	int err;

	for (uint32_t i = 0; i < cnt; i++) {
		size_t n = hist_at(column, rows, row_sz, i)->bucket_cnt;

		if (n > COLUMN_VALS_MAX - sum)
			return -EINVAL;
		sum += n;
		lists += n > 0;
	}
	err = rows_in__take(in, sum * sizeof(struct hist_bucket) + lists * LIST_SZ);
	for (uint32_t i = 0; !err && i < cnt; i++) {
		struct hist *hist = hist_at(column, rows, row_sz, i);

		if (hist->bucket_cnt)
			err = array__reserve((void **)&hist->buckets, &hist->bucket_cap,
					     hist->bucket_cnt, sizeof(*hist->buckets));
	}
	*items = (uint32_t)sum;
	return err;
}

static int fill_idx(const struct table_hist *column, char *rows, size_t row_sz, uint32_t cnt,
		    const uint64_t *vals)
{
	uint16_t last = hist__idx(UINT64_MAX);

	for (uint32_t i = 0; i < cnt; i++) {
		struct hist *hist = hist_at(column, rows, row_sz, i);

		for (size_t k = 0; k < hist->bucket_cnt; k++, vals++) {
			if (*vals > last || (k && *vals <= hist->buckets[k - 1].idx))
				return -EINVAL;
			hist->buckets[k] = (struct hist_bucket){.idx = (uint16_t)*vals};
		}
	}
	return 0;
}

static void fill_cnt(const struct table_hist *column, char *rows, size_t row_sz, uint32_t cnt,
		     const uint64_t *vals)
{
	for (uint32_t i = 0; i < cnt; i++) {
		struct hist *hist = hist_at(column, rows, row_sz, i);

		for (size_t k = 0; k < hist->bucket_cnt; k++)
			hist->buckets[k].cnt = *vals++;
	}
}

static int read_list(struct rows_in *in, const char *table, const char *name, uint32_t items)
{
	const struct column_ref *ref;
	char full[64];

	snprintf(full, sizeof(full), "%s.%s", table, name);
	ref = column_dir__find(&in->dir, full);
	if (!room(in, items))
		return -ENOMEM;
	if (!ref)
		return items ? -EINVAL : 0;
	return column__get_ints(ref, in->vals, items);
}

static int read_hist(struct rows_in *in, const struct table_hist *column, char *rows, size_t row_sz,
		     uint32_t cnt)
{
	uint32_t items = 0;
	int err = 0;

	for (size_t i = 0; !err && i < hist_column_cnt; i++) {
		struct table_column field = hist_columns[i];
		char full[64];

		field.off += column->off;
		snprintf(full, sizeof(full), "%s.%s", column->name, field.name);
		err = read_column(in, &field, full, rows, row_sz, cnt);
	}
	if (!err)
		err = make_buckets(in, column, rows, row_sz, cnt, &items);
	if (!err)
		err = read_list(in, column->name, "idx", items);
	if (!err)
		err = fill_idx(column, rows, row_sz, cnt, in->vals);
	if (!err)
		err = read_list(in, column->name, "buckets", items);
	if (!err)
		fill_cnt(column, rows, row_sz, cnt, in->vals);
	return err;
}

int rows_in__read(struct rows_in *in, const struct table *table, void *rows, uint32_t cnt)
{
	int err = room(in, cnt) ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < table->column_cnt; i++)
		err = read_column(in, &table->columns[i], table->columns[i].name, rows,
				  table->row_sz, cnt);
	for (size_t i = 0; !err && i < table->hist_cnt; i++)
		err = read_hist(in, &table->hists[i], rows, table->row_sz, cnt);
	return err;
}

void rows__free(const struct table *table, void *rows, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		for (size_t k = 0; k < table->hist_cnt; k++)
			hist__free(hist_at(&table->hists[k], rows, table->row_sz, i));
}
