/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on stderr. A message may quote what the target calls itself, so control characters
 * never reach the terminal.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

enum log_level log_level = LOG_NORMAL;

static void print(const char *prefix, const char *fmt, va_list args)
{
	int saved = errno;
	struct buf buf = {};

	buf__puts(&buf, prefix);
	buf__vprintf(&buf, fmt, args);
	for (size_t i = 0; i < buf.sz; i++) {
		unsigned char c = (unsigned char)buf.data[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			buf.data[i] = '?';
	}
	if (!buf.sz || buf.data[buf.sz - 1] != '\n')
		buf__puts(&buf, "\n");
	/* One call, so that lines of several threads do not mix. */
	fwrite(buf__str(&buf), 1, buf.sz, stderr);
	buf__free(&buf);
	errno = saved;
}

void log_err(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print("asyncscope-bpf: ", fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	if (log_level < LOG_NORMAL)
		return;
	va_start(args, fmt);
	print("asyncscope-bpf: warning: ", fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	if (log_level < LOG_NORMAL)
		return;
	va_start(args, fmt);
	print("", fmt, args);
	va_end(args);
}

void log_verbose(const char *fmt, ...)
{
	va_list args;

	if (log_level < LOG_VERBOSE)
		return;
	va_start(args, fmt);
	print("", fmt, args);
	va_end(args);
}
