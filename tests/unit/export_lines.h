/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exports of a model and what is expected in their records. Included by the exporters' tests. */
#ifndef TESTS_UNIT_EXPORT_LINES_H
#define TESTS_UNIT_EXPORT_LINES_H

#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "json_lines.h"
#include "tap.h"

static char *export_with(const struct model *model, export_fn write,
			 const struct export_options *options)
{
	struct analysis *analysis = analysis__new(model);
	char *text = NULL;
	size_t sz;
	FILE *out = open_memstream(&text, &sz);
	int err = write(model, analysis, options, out);

	fclose(out);
	ok(!err && strlen(text) == sz, "exported %zu bytes", sz);
	analysis__free(analysis);
	return text;
}

static char *ndjson_of(const struct model *model)
{
	const struct export_options options = {.slices = true};

	return export_with(model, export_ndjson, &options);
}

static const char *next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end && end[1] ? end + 1 : NULL;
}

static bool has_reason(const struct json_line *line, const char *path)
{
	char entry[200];
	const struct json_item *item;

	snprintf(entry, sizeof(entry), "not_measured.%s", path);
	item = json_line__find(line, entry);
	return item && item->type == JSON_STR && *item->text;
}

/* A null without a reason, or a reason without its null. */
static const char *unreasoned(const struct json_line *line)
{
	for (size_t i = 0; i < line->cnt; i++) {
		const struct json_item *item = &line->items[i];
		const struct json_item *null;

		if (item->type == JSON_NULL && !has_reason(line, item->path))
			return item->path;
		if (strncmp(item->path, "not_measured.", 13))
			continue;
		null = json_line__find(line, item->path + 13);
		if (!null || null->type != JSON_NULL)
			return item->path;
	}
	return NULL;
}

/* The line of the record whose `key` has this value. */
static bool find_record(struct json_line *line, const char *text, const char *record,
			const char *key, const char *val)
{
	for (const char *at = text; at; at = next_line(at)) {
		const struct json_item *item;

		json_line__read(line, at);
		item = json_line__find(line, "record");
		if (!item || strcmp(item->text, record))
			continue;
		item = key ? json_line__find(line, key) : NULL;
		if (!key || (item && !strcmp(item->text, val)))
			return true;
	}
	return false;
}

struct expected {
	const char *record, *key, *val; /* which record */
	const char *path;
	const char *want; /* its text; NULL: null */
	const char *why;
};

/* Each row is a test of its own. */
static void check_values(const char *text, const struct expected *expected, size_t cnt)
{
	struct json_line line = {};

	for (size_t i = 0; i < cnt; i++) {
		const struct expected *e = &expected[i];
		const struct json_item *item = NULL;
		char entry[200];
		bool fits;

		if (find_record(&line, text, e->record, e->key, e->val))
			item = json_line__find(&line, e->path);
		fits = item && (e->want ? !strcmp(item->text, e->want) : item->type == JSON_NULL);
		if (fits && e->why) {
			snprintf(entry, sizeof(entry), "not_measured.%s", e->path);
			item = json_line__find(&line, entry);
			fits = item && !strcmp(item->text, e->why);
		}
		ok(fits, "%s %s: %s is %s (%s)", e->record, e->val ? e->val : "", e->path,
		   e->want ? e->want : e->why, item ? item->text : "not there");
	}
	free(line.items);
}

#endif
