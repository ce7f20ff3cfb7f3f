/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The byte buffer that every writer (JSON, exporters, the page, messages) appends to. */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CAP 256

/* Room for `sz` more bytes and the NUL behind them. */
static int reserve(struct buf *buf, size_t sz)
{
	size_t cap = buf->cap ? buf->cap : MIN_CAP;
	char *data;

	if (buf->err)
		return buf->err;
	if (sz >= SIZE_MAX / 2 - buf->sz)
		return buf->err = -ENOMEM;
	while (cap < buf->sz + sz + 1)
		cap *= 2;
	if (cap == buf->cap)
		return 0;
	data = realloc(buf->data, cap);
	if (!data)
		return buf->err = -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

void buf__add(struct buf *buf, const void *data, size_t sz)
{
	if (reserve(buf, sz))
		return;
	if (sz)
		memcpy(buf->data + buf->sz, data, sz);
	buf->sz += sz;
	buf->data[buf->sz] = '\0';
}

void buf__puts(struct buf *buf, const char *str)
{
	buf__add(buf, str, strlen(str));
}

void buf__vprintf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int len;

	if (reserve(buf, 0))
		return;
	/* Most texts fit into what is there, so the second pass is rare. */
	va_copy(again, args);
	len = vsnprintf(buf->data + buf->sz, buf->cap - buf->sz, fmt, args);
	if (len < 0) {
		buf->data[buf->sz] = '\0';
		buf->err = -EINVAL;
	} else if ((size_t)len < buf->cap - buf->sz) {
		buf->sz += (size_t)len;
	} else if (reserve(buf, (size_t)len)) {
		buf->data[buf->sz] = '\0'; /* not half a text */
	} else {
		vsnprintf(buf->data + buf->sz, buf->cap - buf->sz, fmt, again);
		buf->sz += (size_t)len;
	}
	va_end(again);
}

void buf__printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf__vprintf(buf, fmt, args);
	va_end(args);
}

const char *buf__str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

void buf__reset(struct buf *buf)
{
	buf->sz = 0;
	buf->err = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf__free(struct buf *buf)
{
	if (!buf)
		return;
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}
