/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP for the C tests: ok() for each fact, note() for a comment, `return tap_done();` from main. */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static unsigned int tap_cnt, tap_failed;

/* Returns the condition, so that a test may stop early. */
__attribute__((format(printf, 4, 5), unused)) static bool tap_ok(bool cond, const char *file,
								 int line, const char *fmt, ...)
{
	va_list args;

	printf("%sok %u - ", cond ? "" : "not ", ++tap_cnt);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	if (!cond) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout); /* what was said before a crash must be seen */
	return cond;
}

#define ok(cond, ...) tap_ok(cond, __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 1, 2), unused)) static void note(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

/* The plan at the end; the exit status for main(). A test without a fact has failed. */
__attribute__((unused)) static int tap_done(void)
{
	printf("1..%u\n", tap_cnt);
	return tap_failed || !tap_cnt;
}

#endif
