/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned strings, and tables loaded from hostile bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strtab.h"
#include "tap.h"

static void test_add(void)
{
	struct strtab tab = {};
	uint32_t a, b;
	bool good = true;

	ok(!strcmp(strtab__get(&tab, 0), "") && !strcmp(strtab__get(&tab, 99), ""),
	   "an empty table answers with empty strings");
	ok(strtab__add(&tab, "") == 0 && strtab__add(&tab, NULL) == 0, "\"\" and NULL are 0");
	a = strtab__add(&tab, "alpha");
	b = strtab__add(&tab, "beta");
	ok(a && b && a != b && strtab__add(&tab, "alpha") == a, "equal strings have one id");
	ok(strtab__find(&tab, "beta") == b && !strtab__find(&tab, "gamma"), "find adds nothing");
	for (int i = 0; i < 50000; i++) {
		char name[20];
		uint32_t id;

		snprintf(name, sizeof(name), "name %d", i);
		id = strtab__add(&tab, name);
		good &= !strcmp(strtab__get(&tab, id), name) && strtab__add(&tab, name) == id;
	}
	ok(good && !strcmp(strtab__get(&tab, a), "alpha"), "50000 strings");
	strtab__free(&tab);
	strtab__free(NULL);
}

/* A string of the table itself, while the table has to move. */
static void test_own(void)
{
	struct strtab tab = {};
	bool good = true;

	for (int i = 0; i < 20000; i++) {
		char text[30];
		uint32_t id;

		snprintf(text, sizeof(text), "x%08d", i);
		id = strtab__add(&tab, text);
		id = strtab__add(&tab, strtab__get(&tab, id + 1));
		good &= !strcmp(strtab__get(&tab, id), text + 1);
	}
	ok(good, "tails of own strings may be added");
	strtab__free(&tab);
}

static void test_load(void)
{
	struct strtab tab = {}, copy = {};
	uint32_t id;

	strtab__add(&tab, "one");
	id = strtab__add(&tab, "two");
	ok(!strtab__load(&copy, tab.data, tab.sz) && !strcmp(strtab__get(&copy, id), "two") &&
		   strtab__find(&copy, "two") == id,
	   "a table survives being written and read");
	ok(strtab__load(&copy, "\0abc", 4) == -EINVAL, "no NUL at the end");
	ok(strtab__load(&copy, "abc", 4) == -EINVAL, "no empty string at the beginning");
	ok(!strcmp(strtab__get(&copy, id), "two"), "a bad table leaves the old one");
	ok(!strtab__load(&copy, "\0a\0a\0\0b", 8) && strtab__find(&copy, "a") == 1 &&
		   strtab__find(&copy, "b") == 6,
	   "the same string twice, and an empty one between");
	ok(strtab__add(&copy, "a") == 1 && strtab__add(&copy, "c") == 8, "a loaded table can grow");
	ok(!strtab__load(&copy, NULL, 0) && copy.sz == 0, "no bytes are an empty table");
	strtab__free(&tab);
	strtab__free(&copy);
}

int main(void)
{
	test_add();
	test_own();
	test_load();
	return tap_done();
}
