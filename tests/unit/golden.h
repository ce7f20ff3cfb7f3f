/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Golden files: what an exporter wrote before (UPDATE_GOLDEN=1 writes them anew). */
#ifndef TESTS_UNIT_GOLDEN_H
#define TESTS_UNIT_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* Held against tests/golden/NAME, or written there. */
static void golden(const char *name, const char *text)
{
	char path[128], *want = NULL;
	size_t sz = 0, line = 1;
	FILE *file;

	snprintf(path, sizeof(path), "tests/golden/%s", name);
	file = fopen(path, getenv("UPDATE_GOLDEN") ? "w" : "r");
	if (!ok(file, "%s can be opened (run from the repository's root)", path))
		return;
	if (getenv("UPDATE_GOLDEN")) {
		fputs(text, file);
		fclose(file);
		return;
	}
	if (getdelim(&want, &sz, '\0', file) < 0)
		want = strdup("");
	fclose(file);
	for (sz = 0; text[sz] && text[sz] == want[sz]; sz++)
		line += text[sz] == '\n';
	if (!ok(text[sz] == want[sz], "%s is as before", path))
		note("line %zu: ...%.100s, was ...%.100s", line, text + sz, want + sz);
	free(want);
}

#endif
