/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Columns of min-width integers, as columns.h describes them, and the way they get into the page:
 * gzip, then base64. Called by the sections.
 */
#include "report/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* zlib's number for the largest window with a gzip header */
#define GZIP_LEVEL  6
/* Lines, because tools (mail, grep, editors) choke on one of six million characters. A multiple of
 * 3 bytes: no padding inside of the text. */
#define LINE_BYTES 90

void columns__start(struct columns *columns, size_t rows)
{
	memset(columns, 0, sizeof(*columns));
	columns->rows = rows;
	columns->codes = calloc(rows ? rows : 1, sizeof(*columns->codes));
	if (!columns->codes)
		columns->err = -ENOMEM;
	json__init(&columns->head, &columns->head_buf);
	json__obj_begin(&columns->head);
}

static unsigned int bytes_for(uint64_t max)
{
	unsigned int width = 0;

	for (; max; max >>= 8)
		width++;
	return width;
}

static uint64_t zigzag(uint64_t from, uint64_t to)
{
	uint64_t diff = to - from;

	return diff << 1 ^ (diff >> 63 ? UINT64_MAX : 0);
}

/* Values to codes: the smallest value becomes 0, or 1 where null needs the 0. */
static void make_codes(struct columns *columns, const int64_t *vals, int64_t *min, bool *nullable)
{
	int64_t low = INT64_MAX;

	*nullable = false;
	for (size_t i = 0; i < columns->rows; i++) {
		if (vals[i] == COLUMN_NULL)
			*nullable = true;
		else if (vals[i] < low)
			low = vals[i];
	}
	*min = low == INT64_MAX ? 0 : low;
	for (size_t i = 0; i < columns->rows; i++)
		columns->codes[i] =
			vals[i] == COLUMN_NULL ? 0 : (uint64_t)vals[i] - (uint64_t)*min + *nullable;
}

/* Deltas where they are narrower, as in ids and start times, which rise. */
static bool make_deltas(struct columns *columns, unsigned int *width)
{
	uint64_t all = 0, all_delta = 0, before = 0;

	for (size_t i = 0; i < columns->rows; i++) {
		all |= columns->codes[i];
		all_delta |= zigzag(before, columns->codes[i]);
		before = columns->codes[i];
	}
	*width = bytes_for(all);
	if (bytes_for(all_delta) >= *width)
		return false;
	*width = bytes_for(all_delta);
	before = 0;
	for (size_t i = 0; i < columns->rows; i++) {
		uint64_t code = columns->codes[i];

		columns->codes[i] = zigzag(before, code);
		before = code;
	}
	return true;
}

static void add_planes(struct columns *columns, unsigned int width)
{
	char *plane = malloc(columns->rows ? columns->rows : 1);

	if (!plane) {
		columns->err = -ENOMEM;
		return;
	}
	for (unsigned int byte = 0; byte < width; byte++) {
		for (size_t i = 0; i < columns->rows; i++)
			plane[i] = columns->codes[i] >> (8 * byte);
		buf__add(&columns->data, plane, columns->rows);
	}
	free(plane);
}

static void open_column(struct columns *columns, const char *name)
{
	if (!columns->in_columns) {
		json__kv_u64(&columns->head, "rows", columns->rows);
		json__key(&columns->head, "columns");
		json__arr_begin(&columns->head);
		columns->in_columns = true;
	}
	json__obj_begin(&columns->head);
	json__kv_str(&columns->head, "name", name);
}

/* The keys that every column has; the caller closes the object. */
static void fill_column(struct columns *columns, const int64_t *vals)
{
	unsigned int width;
	bool nullable, delta;
	int64_t min;

	make_codes(columns, vals, &min, &nullable);
	delta = make_deltas(columns, &width);
	add_planes(columns, width);
	json__kv_u64(&columns->head, "width", width);
	json__kv_i64(&columns->head, "min", min);
	if (nullable)
		json__kv_bool(&columns->head, "nullable", true);
	if (delta)
		json__kv_bool(&columns->head, "delta", true);
}

void columns__add(struct columns *columns, const char *name, const int64_t *vals)
{
	if (columns->err)
		return;
	open_column(columns, name);
	fill_column(columns, vals);
	json__obj_end(&columns->head);
}

void columns__add_strings(struct columns *columns, const char *name, const int64_t *ids,
			  const char *(*get)(const void *ctx, uint64_t id), const void *ctx)
{
	int64_t *dense = malloc((columns->rows ? columns->rows : 1) * sizeof(*dense));
	struct map64 seen = {0};
	uint64_t at;

	if (!dense)
		columns->err = -ENOMEM;
	if (columns->err)
		goto cleanup;
	open_column(columns, name);
	json__key(&columns->head, "strings");
	json__arr_begin(&columns->head);
	for (size_t i = 0; i < columns->rows; i++) {
		dense[i] = COLUMN_NULL;
		if (ids[i] == COLUMN_NULL)
			continue;
		if (!map64__get(&seen, ids[i], &at)) {
			at = seen.cnt;
			if (map64__set(&seen, ids[i], at))
				columns->err = -ENOMEM;
			json__str(&columns->head, get(ctx, ids[i]));
		}
		dense[i] = at;
	}
	json__arr_end(&columns->head);
	fill_column(columns, dense);
	json__obj_end(&columns->head);

cleanup:
	map64__free(&seen);
	free(dense);
}

int columns__finish(struct columns *columns, const char *id, FILE *out)
{
	struct buf all = {0};
	uint8_t sz[4];
	int err;

	if (!columns->in_columns) {
		json__kv_u64(&columns->head, "rows", columns->rows);
		json__key(&columns->head, "columns");
		json__arr_begin(&columns->head);
	}
	json__arr_end(&columns->head);
	json__obj_end(&columns->head);
	for (int i = 0; i < 4; i++)
		sz[i] = columns->head_buf.sz >> (8 * i);
	buf__add(&all, sz, sizeof(sz));
	buf__add(&all, buf__str(&columns->head_buf), columns->head_buf.sz);
	buf__add(&all, buf__str(&columns->data), columns->data.sz);

	err = columns->err;
	if (!err && (columns->head_buf.err || columns->data.err || all.err))
		err = -ENOMEM;
	if (!err && fprintf(out, "<script type=\"application/x-asyncscope\" id=\"%s\">\n", id) < 0)
		err = -EIO;
	if (!err)
		err = write_packed(all.data, all.sz, out);
	if (!err && fputs("</script>\n", out) < 0)
		err = -EIO;
	buf__free(&all);
	buf__free(&columns->head_buf);
	buf__free(&columns->data);
	free(columns->codes);
	columns->codes = NULL;
	return err;
}

static int write_base64(const uint8_t *at, size_t sz, FILE *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char line[LINE_BYTES / 3 * 4 + 1];

	while (sz) {
		size_t cnt = sz < LINE_BYTES ? sz : LINE_BYTES, to = 0;

		for (size_t i = 0; i < cnt; i += 3) {
			uint32_t a = at[i], b = i + 1 < cnt ? at[i + 1] : 0;
			uint32_t c = i + 2 < cnt ? at[i + 2] : 0, all = a << 16 | b << 8 | c;

			line[to++] = digits[all >> 18];
			line[to++] = digits[all >> 12 & 63];
			line[to++] = i + 1 < cnt ? digits[all >> 6 & 63] : '=';
			line[to++] = i + 2 < cnt ? digits[all & 63] : '=';
		}
		line[to++] = '\n';
		if (fwrite(line, 1, to, out) != to)
			return -EIO;
		at += cnt;
		sz -= cnt;
	}
	return 0;
}

int write_packed(const void *data, size_t sz, FILE *out)
{
	z_stream stream = {0};
	uint8_t *packed = NULL;
	size_t bound;
	int err = -ENOMEM;

	if (sz > UINT32_MAX / 2) /* zlib counts in 32 bits */
		return -EFBIG;
	if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -ENOMEM;
	bound = deflateBound(&stream, sz);
	packed = malloc(bound);
	if (!packed)
		goto cleanup;
	stream.next_in = (uint8_t *)data;
	stream.avail_in = sz;
	stream.next_out = packed;
	stream.avail_out = bound;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		goto cleanup;
	err = write_base64(packed, stream.total_out, out);

cleanup:
	deflateEnd(&stream);
	free(packed);
	return err;
}
