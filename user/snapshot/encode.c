/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model -> chunks. Called by writer.c. */
#include "snapshot/encode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "snapshot/chunk.h"
#include "snapshot/column.h"
#include "snapshot/tables.h"

/* Rows and histogram items per chunk: some 30 MiB at worst before packing, far below the limit. */
#define ROWS_PER_CHUNK  65536u
#define ITEMS_PER_CHUNK 262144u
#define TEXT_PER_CHUNK  (16u << 20)

struct encoder {
	struct asnap_chunk chunk; /* the next one's header */
	ZSTD_CCtx *zstd;
	struct buf raw;
	struct buf *out;
	uint64_t *vals; /* one column */
	size_t val_cap;
	uint64_t row_cnt; /* of all chunks, for ENDG */
	int err;
};

static void chunk_end(struct encoder *enc, uint32_t fourcc, uint8_t flags, uint32_t rows)
{
	enc->chunk.fourcc = fourcc;
	enc->chunk.flags = flags;
	enc->chunk.rows = rows;
	if (!enc->err)
		enc->err = asnap_chunk__pack(&enc->chunk, enc->zstd, &enc->raw, enc->out);
	enc->chunk.seq++;
	enc->row_cnt += rows;
	buf__reset(&enc->raw);
}

static uint64_t *room(struct encoder *enc, size_t cnt)
{
	if (!enc->err)
		enc->err =
			array__reserve((void **)&enc->vals, &enc->val_cap, cnt, sizeof(*enc->vals));
	return enc->err ? NULL : enc->vals;
}

static void put_one(struct encoder *enc, const char *name, uint64_t val)
{
	column__put_ints(&enc->raw, name, &val, 1);
}

/* One field of all rows. The loops are apart because this is where an encoder's time goes. */
static void gather(const struct table_column *column, const char *rows, size_t row_sz, uint32_t cnt,
		   uint64_t *vals)
{
	const char *field = rows + column->off;

	switch (column->sz) {
	case 1:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			vals[i] = *(const uint8_t *)field;
		break;
	case 2:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			vals[i] = *(const uint16_t *)field;
		break;
	case 4:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			vals[i] = *(const uint32_t *)field;
		break;
	default:
		for (uint32_t i = 0; i < cnt; i++, field += row_sz)
			vals[i] = *(const uint64_t *)field;
	}
	if (column->kind == COL_BIT)
		for (uint32_t i = 0; i < cnt; i++)
			vals[i] = !!(vals[i] & column->arg);
}

static bool all_missing(const struct table_column *column, const uint64_t *vals, uint32_t cnt)
{
	/* An enum's number means nothing to another version, so it always goes by its name. */
	if (column->kind == COL_ENUM)
		return false;
	for (uint32_t i = 0; i < cnt; i++)
		if (vals[i] != (uint64_t)column->missing)
			return false;
	return true;
}

static const struct hist *hist_at(const struct table_hist *column, const char *rows, size_t row_sz,
				  uint32_t i)
{
	return (const void *)(rows + i * row_sz + column->off);
}

static void put_named(struct encoder *enc, const char *table, const char *name, uint32_t cnt)
{
	char full[64];

	snprintf(full, sizeof(full), "%s.%s", table, name);
	column__put_ints(&enc->raw, full, enc->vals, cnt);
}

static void gather_buckets(const struct table_hist *column, const char *rows, size_t row_sz,
			   uint32_t cnt, bool want_idx, uint64_t *vals)
{
	for (uint32_t i = 0; i < cnt; i++) {
		const struct hist *hist = hist_at(column, rows, row_sz, i);

		for (size_t k = 0; k < hist->bucket_cnt; k++)
			*vals++ = want_idx ? hist->buckets[k].idx : hist->buckets[k].cnt;
	}
}

/* The histogram of all rows: its numbers, and the buckets as lists. */
static void put_hist(struct encoder *enc, const struct table_hist *column, const char *rows,
		     size_t row_sz, uint32_t cnt)
{
	uint64_t any = 0;
	size_t items = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hist *hist = hist_at(column, rows, row_sz, i);

		items += hist->bucket_cnt;
		any |= hist->bucket_cnt | hist->cnt | hist->total | hist->max;
	}
	if (!any || !room(enc, items > cnt ? items : cnt))
		return;
	for (size_t i = 0; i < hist_column_cnt; i++) {
		struct table_column field = hist_columns[i];

		field.off += column->off;
		gather(&field, rows, row_sz, cnt, enc->vals);
		put_named(enc, column->name, field.name, cnt);
	}
	gather_buckets(column, rows, row_sz, cnt, true, enc->vals);
	put_named(enc, column->name, "idx", (uint32_t)items);
	gather_buckets(column, rows, row_sz, cnt, false, enc->vals);
	put_named(enc, column->name, "buckets", (uint32_t)items);
}

static void put_columns(struct encoder *enc, const struct table *table, const char *rows,
			uint32_t cnt)
{
	uint64_t *vals = room(enc, cnt);

	if (!vals)
		return;
	for (size_t i = 0; i < table->column_cnt; i++) {
		const struct table_column *column = &table->columns[i];

		if (!column->sz)
			continue;
		gather(column, rows, table->row_sz, cnt, vals);
		if (!all_missing(column, vals, cnt))
			column__put_ints(&enc->raw, column->name, vals, cnt);
	}
	for (size_t i = 0; i < table->hist_cnt; i++)
		put_hist(enc, &table->hists[i], rows, table->row_sz, cnt);
}

/* As many rows as a chunk takes: histograms may make a row big. */
static uint32_t rows_that_fit(const struct table *table, const char *rows, size_t cnt)
{
	uint32_t max = cnt < ROWS_PER_CHUNK ? (uint32_t)cnt : ROWS_PER_CHUNK;
	size_t items = 0;

	for (uint32_t i = 0; i < max && table->hist_cnt; i++) {
		for (size_t k = 0; k < table->hist_cnt; k++)
			items += hist_at(&table->hists[k], rows, table->row_sz, i)->bucket_cnt;
		if (items > ITEMS_PER_CHUNK && i)
			return i;
	}
	return max;
}

static void put_table(struct encoder *enc, const struct table *table, const void *rows, size_t cnt)
{
	const char *at = rows;
	size_t first = 0;

	while (cnt && !enc->err) {
		uint32_t part = rows_that_fit(table, at, cnt);

		put_one(enc, "first", first); /* the row number, which others may refer to */
		put_columns(enc, table, at, part);
		chunk_end(enc, table->fourcc, 0, part);
		at += (size_t)part * table->row_sz;
		first += part;
		cnt -= part;
	}
}

/* How far into the recording the model reaches. */
static int64_t elapsed_ns(const struct model *model)
{
	struct timespec now;

	if (model->meta.duration_ns > 0)
		return model->meta.duration_ns;
	if (model->meta.start_mono_ns <= 0 || clock_gettime(CLOCK_MONOTONIC, &now))
		return NO_TIME;
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - model->meta.start_mono_ns;
}

static void put_begin(struct encoder *enc, const struct model *model, const struct group_info *info)
{
	put_one(enc, "final", info->is_final);
	put_one(enc, "elapsed_ns", (uint64_t)elapsed_ns(model));
	chunk_end(enc, CHUNK_BEGIN, CHUNK_CRITICAL, 1);
}

static void put_end(struct encoder *enc)
{
	put_one(enc, "chunks", enc->chunk.seq + 1u);
	put_one(enc, "rows", enc->row_cnt);
	chunk_end(enc, CHUNK_END, CHUNK_CRITICAL, 1);
}

static void put_enums(struct encoder *enc)
{
	struct buf tables = {}, names = {};
	uint32_t rows = 0;

	for (unsigned int i = 0; i < ENUM_CNT; i++) {
		const struct enum_names *names_of = &enum_names[i];

		if (!room(enc, rows + names_of->cnt))
			goto cleanup;
		for (unsigned int val = 0; val < names_of->cnt; val++) {
			const char *name = names_of->name_of(val);

			buf__add(&tables, names_of->name, strlen(names_of->name) + 1);
			buf__add(&names, name, strlen(name) + 1);
			enc->vals[rows++] = val;
		}
	}
	column__put_bytes(&enc->raw, "table", tables.data, (uint32_t)tables.sz, rows);
	column__put_bytes(&enc->raw, "name", names.data, (uint32_t)names.sz, rows);
	column__put_ints(&enc->raw, "value", enc->vals, rows);
	chunk_end(enc, CHUNK_ENUMS, CHUNK_CRITICAL, rows);

cleanup:
	if (!enc->err)
		enc->err = tables.err ? tables.err : names.err;
	buf__free(&tables);
	buf__free(&names);
}

static void put_strings(struct encoder *enc, const struct strtab *tab)
{
	for (size_t at = 0; at < tab->sz && !enc->err; at += TEXT_PER_CHUNK) {
		size_t part = tab->sz - at < TEXT_PER_CHUNK ? tab->sz - at : TEXT_PER_CHUNK;

		put_one(enc, "off", at);
		column__put_bytes(&enc->raw, "text", tab->data + at, (uint32_t)part, 1);
		chunk_end(enc, CHUNK_STRINGS, CHUNK_CRITICAL, 1);
	}
}

static void put_caps(struct encoder *enc, const struct model *model)
{
	struct buf names = {};

	for (unsigned int i = 0; i < CAP_CNT; i++)
		buf__add(&names, cap_name(i), strlen(cap_name(i)) + 1);
	if (names.err) {
		enc->err = names.err;
	} else {
		column__put_bytes(&enc->raw, "cap", names.data, (uint32_t)names.sz, CAP_CNT);
		put_columns(enc, &table_caps, (const char *)model->caps, CAP_CNT);
		chunk_end(enc, CHUNK_CAPS, 0, CAP_CNT);
	}
	buf__free(&names);
}

int snapshot_encode(const struct model *model, const struct group_info *info, struct buf *out)
{
	struct encoder enc = {
		.chunk = {.group = info->group, .tag = info->tag},
		.zstd = ZSTD_createCCtx(),
		.out = out,
	};

	if (!enc.zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(enc.zstd, ZSTD_c_compressionLevel, info->level);

	/* What others refer to comes first: decode.c relies on it. */
	put_begin(&enc, model, info);
	put_enums(&enc);
	put_strings(&enc, &model->strings);
	put_table(&enc, &table_meta, &model->meta, 1);
	put_caps(&enc, model);
	put_table(&enc, &table_runtimes, model->runtimes, model->runtime_cnt);
	put_table(&enc, &table_counters, model->counters, model->counter_cnt);
	put_table(&enc, &table_classes, model->classes, model->class_cnt);
	put_table(&enc, &table_tasks, model->tasks, model->task_cnt);
	put_table(&enc, &table_edges, model->edges, model->edge_cnt);
	put_table(&enc, &table_slices, model->slices, model->slice_cnt);
	put_table(&enc, &table_objects, model->objects, model->object_cnt);
	put_table(&enc, &table_uses, model->uses, model->use_cnt);
	put_table(&enc, &table_links, model->links, model->link_cnt);
	put_table(&enc, &table_samples, model->samples, model->sample_cnt);
	put_table(&enc, &table_backoffs, model->backoffs, model->backoff_cnt);
	put_end(&enc);

	ZSTD_freeCCtx(enc.zstd);
	buf__free(&enc.raw);
	free(enc.vals);
	return enc.err;
}

int snapshot_encode_toc(const struct group_info *info, uint64_t off, struct buf *out)
{
	struct asnap_footer footer = {.toc_off = off + out->sz, .tag = info->tag};
	struct asnap_chunk chunk = {.fourcc = CHUNK_TOC, .group = info->group, .tag = info->tag};
	struct encoder enc = {.out = out};
	size_t group_sz = out->sz, at = 0;

	while (at < group_sz && room(&enc, chunk.rows + 1u)) {
		memcpy(&enc.chunk, out->data + at, sizeof(enc.chunk));
		enc.vals[chunk.rows++] = off + at;
		at += sizeof(enc.chunk) + enc.chunk.stored_sz;
	}
	if (!enc.err) {
		column__put_ints(&enc.raw, "off", enc.vals, chunk.rows);
		chunk.seq = chunk.rows;
		enc.err = asnap_chunk__pack(&chunk, NULL, &enc.raw, out);
	}
	memcpy(footer.magic, ASNAP_END, sizeof(footer.magic));
	footer.toc_sz = (uint32_t)(out->sz - group_sz);
	asnap_footer__seal(&footer);
	buf__add(out, &footer, sizeof(footer));
	buf__free(&enc.raw);
	free(enc.vals);
	return enc.err ? enc.err : out->err;
}
