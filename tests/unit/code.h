/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine code written as hexadecimal text, for the tests of user/target's decoder and placement. */
#ifndef TESTS_UNIT_CODE_H
#define TESTS_UNIT_CODE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* "48 8d 3c 24" -> bytes; the count. */
static inline size_t parse_code(const char *hex, uint8_t *code, size_t cap)
{
	size_t cnt = 0;
	char *end;

	while (*hex == ' ')
		hex++;
	for (; *hex && cnt < cap; hex = end) {
		code[cnt++] = (uint8_t)strtoul(hex, &end, 16);
		while (*end == ' ')
			end++;
	}
	return cnt;
}

#endif
