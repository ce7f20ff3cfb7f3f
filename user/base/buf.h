/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing byte buffer. An allocation failure sticks in `err`, so a caller checks once, at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data; /* always followed by a NUL once anything was added */
	size_t sz;
	size_t cap;
	int err;
};

void buf__add(struct buf *buf, const void *data, size_t sz);
void buf__puts(struct buf *buf, const char *str);
void buf__printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf__vprintf(struct buf *buf, const char *fmt, va_list args);
/* The text so far; "" for an empty buffer. */
const char *buf__str(const struct buf *buf);
void buf__reset(struct buf *buf);
void buf__free(struct buf *buf);

#endif
