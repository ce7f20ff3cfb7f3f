/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buffers and growing arrays. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "tap.h"

static void test_text(void)
{
	struct buf buf = {};
	char long_text[1000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	ok(!strcmp(buf__str(&buf), ""), "an empty buffer is the empty string");
	buf__puts(&buf, "a");
	buf__printf(&buf, "%d-%s", 42, "b");
	ok(!strcmp(buf__str(&buf), "a42-b") && buf.sz == 5, "puts and printf append");
	buf__printf(&buf, "%s", long_text);
	ok(buf.sz == 5 + 999 && !strcmp(buf.data + 5, long_text), "a long printf is whole");
	buf__reset(&buf);
	ok(buf.sz == 0 && !strcmp(buf__str(&buf), ""), "reset empties");
	buf__add(&buf, "\0b", 2);
	ok(buf.sz == 2 && !memcmp(buf.data, "\0b", 3), "binary data, and a NUL behind it");
	buf__free(&buf);
	buf__free(NULL);
}

/* Every length around the first allocation's border. */
static void test_borders(void)
{
	bool good = true;

	for (size_t first = 0; first < 300; first++) {
		struct buf buf = {};
		char text[301];

		memset(text, 'y', first);
		text[first] = '\0';
		buf__printf(&buf, "%s", text);
		buf__printf(&buf, "%s!", text);
		good &= buf.sz == 2 * first + 1 && strlen(buf.data) == buf.sz && !buf.err;
		buf__free(&buf);
	}
	ok(good, "printf of all lengths up to 300");
}

static void test_error(void)
{
	struct buf buf = {};

	buf__puts(&buf, "before");
	buf__add(&buf, "x", SIZE_MAX - 2);
	ok(buf.err == -ENOMEM, "a size that wraps is an error");
	buf__puts(&buf, "after");
	buf__printf(&buf, "after");
	ok(!strcmp(buf__str(&buf), "before"), "the error sticks and nothing is added");
	buf__free(&buf);
}

static void test_array(void)
{
	void *items = NULL;
	size_t cap = 0, grown = 0, last = 0;

	for (size_t i = 1; i <= 100000; i++) {
		if (array__reserve(&items, &cap, i, sizeof(int)))
			break;
		((int *)items)[i - 1] = (int)i;
		grown += cap != last;
		last = cap;
	}
	ok(cap >= 100000 && cap <= 160000 && ((int *)items)[99999] == 100000 &&
		   ((int *)items)[0] == 1,
	   "an array grows and keeps its content");
	ok(grown < 40, "it grows geometrically (%zu times)", grown);
	ok(array__reserve(&items, &cap, SIZE_MAX / 2, 16) == -ENOMEM && cap == last,
	   "a size that wraps is refused, the array is unchanged");
	free(items);
}

int main(void)
{
	test_text();
	test_borders();
	test_error();
	test_array();
	return tap_done();
}
