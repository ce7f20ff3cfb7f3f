/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns inside a chunk's payload. Called by encode.c and decode.c. */
#include "snapshot/column.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define INTS_HDR_SZ 17 /* width, base, first */

/* The narrowest frame for the values: their signed minimum and the bytes that the rest needs. */
struct frame {
	uint64_t base;
	uint8_t width;
};

static struct frame frame_of(int64_t min, int64_t max)
{
	uint64_t range = (uint64_t)max - (uint64_t)min;
	struct frame frame = {.base = (uint64_t)min};

	while (range) {
		frame.width++;
		range >>= 8;
	}
	return frame;
}

static struct frame frame_plain(const uint64_t *vals, uint32_t cnt)
{
	int64_t min = INT64_MAX, max = INT64_MIN;

	if (!cnt)
		return (struct frame){0};
	for (uint32_t i = 0; i < cnt; i++) {
		int64_t val = (int64_t)vals[i];

		min = val < min ? val : min;
		max = val > max ? val : max;
	}
	return frame_of(min, max);
}

static struct frame frame_delta(const uint64_t *vals, uint32_t cnt)
{
	int64_t min = INT64_MAX, max = INT64_MIN;

	if (cnt < 2)
		return (struct frame){0};
	for (uint32_t i = 1; i < cnt; i++) {
		int64_t val = (int64_t)(vals[i] - vals[i - 1]);

		min = val < min ? val : min;
		max = val > max ? val : max;
	}
	return frame_of(min, max);
}

static void put_hdr(struct buf *raw, const char *name, uint8_t encoding, uint32_t cnt, uint32_t sz)
{
	uint8_t name_sz = (uint8_t)strlen(name);

	buf__add(raw, &name_sz, 1);
	buf__add(raw, name, name_sz);
	buf__add(raw, &encoding, 1);
	buf__add(raw, &cnt, sizeof(cnt));
	buf__add(raw, &sz, sizeof(sz));
}

static void put_planes(struct buf *raw, const uint64_t *vals, uint32_t cnt, struct frame frame)
{
	uint8_t block[4096];

	for (unsigned int shift = 0; shift < 8u * frame.width; shift += 8) {
		for (uint32_t at = 0; at < cnt; at += sizeof(block)) {
			uint32_t part = cnt - at < sizeof(block) ? cnt - at : sizeof(block);

			for (uint32_t i = 0; i < part; i++)
				block[i] = (uint8_t)((vals[at + i] - frame.base) >> shift);
			buf__add(raw, block, part);
		}
	}
}

void column__put_ints(struct buf *raw, const char *name, uint64_t *vals, uint32_t cnt)
{
	struct frame plain = frame_plain(vals, cnt), delta = frame_delta(vals, cnt);
	bool is_delta = delta.width < plain.width;
	struct frame frame = is_delta ? delta : plain;
	uint64_t first = is_delta ? vals[0] : 0;

	put_hdr(raw, name, is_delta ? ENC_DELTA : ENC_PLAIN, cnt, INTS_HDR_SZ + cnt * frame.width);
	buf__add(raw, &frame.width, 1);
	buf__add(raw, &frame.base, sizeof(frame.base));
	buf__add(raw, &first, sizeof(first));
	if (is_delta) {
		for (uint32_t i = cnt - 1; i > 0; i--)
			vals[i] -= vals[i - 1];
		vals[0] = frame.base; /* a zero in the planes; the value itself is `first` */
	}
	put_planes(raw, vals, cnt, frame);
}

void column__put_bytes(struct buf *raw, const char *name, const void *data, uint32_t sz,
		       uint32_t cnt)
{
	put_hdr(raw, name, ENC_BYTES, cnt, sz);
	if (sz)
		buf__add(raw, data, sz);
}

int column_dir__parse(struct column_dir *dir, const uint8_t *raw, size_t sz)
{
	size_t off = 0;

	dir->cnt = 0;
	while (off < sz) {
		struct column_ref *column = &dir->columns[dir->cnt];
		uint8_t name_sz = raw[off++];

		if (dir->cnt == COLUMN_CNT_MAX || sz - off < name_sz + 9u)
			return -EINVAL;
		column->name = (const char *)raw + off;
		column->name_sz = name_sz;
		off += name_sz;
		column->encoding = raw[off];
		memcpy(&column->cnt, raw + off + 1, 4);
		memcpy(&column->sz, raw + off + 5, 4);
		off += 9;
		if (sz - off < column->sz || column->cnt > COLUMN_VALS_MAX)
			return -EINVAL;
		column->data = raw + off;
		off += column->sz;
		dir->cnt++;
	}
	return 0;
}

const struct column_ref *column_dir__find(const struct column_dir *dir, const char *name)
{
	size_t name_sz = strlen(name);

	for (uint32_t i = 0; i < dir->cnt; i++) {
		const struct column_ref *column = &dir->columns[i];

		if (column->name_sz == name_sz && !memcmp(column->name, name, name_sz))
			return column;
	}
	return NULL;
}

int column__get_ints(const struct column_ref *column, uint64_t *vals, uint32_t cnt)
{
	uint64_t base, first;
	uint8_t width;

	if (column->encoding != ENC_PLAIN && column->encoding != ENC_DELTA)
		return -EINVAL;
	if (column->cnt != cnt || column->sz < INTS_HDR_SZ)
		return -EINVAL;
	width = column->data[0];
	memcpy(&base, column->data + 1, sizeof(base));
	memcpy(&first, column->data + 9, sizeof(first));
	if (width > 8 || column->sz - INTS_HDR_SZ != (uint64_t)width * cnt)
		return -EINVAL;

	for (uint32_t i = 0; i < cnt; i++)
		vals[i] = base;
	for (unsigned int k = 0; k < width; k++) {
		const uint8_t *plane = column->data + INTS_HDR_SZ + (size_t)k * cnt;

		for (uint32_t i = 0; i < cnt; i++)
			vals[i] += (uint64_t)plane[i] << (8 * k);
	}
	if (column->encoding == ENC_DELTA && cnt) {
		vals[0] = first;
		for (uint32_t i = 1; i < cnt; i++)
			vals[i] += vals[i - 1];
	}
	return 0;
}

const char *column__next_name(const struct column_ref *column, uint32_t *off)
{
	const uint8_t *name = column->data + *off;
	const uint8_t *end = NULL;

	if (column->encoding == ENC_BYTES && *off < column->sz)
		end = memchr(name, '\0', column->sz - *off);
	if (!end)
		return NULL;
	*off += (uint32_t)(end - name) + 1;
	return (const char *)name;
}
