/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict little JSON reader for tests: one line becomes a flat list of paths and values. Keys are
 * joined by dots, items of a list by their number.
 */
#ifndef TESTS_UNIT_JSON_LINES_H
#define TESTS_UNIT_JSON_LINES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum json_type { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUM, JSON_STR, JSON_LIST, JSON_OBJ };

struct json_item {
	char path[160];
	enum json_type type;
	char text[512]; /* of numbers and strings; escapes stay as they are */
};

struct json_line {
	struct json_item *items;
	size_t cnt, cap;
	const char *at;
	bool bad;
};

static void json_line__value(struct json_line *line, const char *path, unsigned int depth);

static struct json_item *json_line__add(struct json_line *line, const char *path,
					enum json_type type)
{
	struct json_item *item;

	if (line->cnt == line->cap) {
		line->cap = line->cap ? 2 * line->cap : 64;
		line->items = realloc(line->items, line->cap * sizeof(*line->items));
	}
	item = &line->items[line->cnt++];
	item->type = type;
	item->text[0] = '\0';
	snprintf(item->path, sizeof(item->path), "%s", path);
	return item;
}

/* A string at line->at, without its quotes. */
static void json_line__string(struct json_line *line, char *text, size_t sz)
{
	size_t used = 0;

	if (*line->at != '"') {
		line->bad = true;
		return;
	}
	for (line->at++; *line->at && *line->at != '"'; line->at++) {
		line->bad |= (unsigned char)*line->at < ' ';
		if (used + 2 < sz)
			text[used++] = *line->at;
		if (*line->at == '\\' && line->at[1]) {
			line->bad |= !strchr("\"\\/bfnrtu", line->at[1]);
			line->at++;
			if (used + 2 < sz)
				text[used++] = *line->at;
		}
	}
	text[used] = '\0';
	line->bad |= *line->at != '"';
	line->at += *line->at == '"';
}

/* The inside of a list or an object up to its end. */
static void json_line__inside(struct json_line *line, const char *path, bool is_obj,
			      unsigned int depth)
{
	char key[128], inner[160];
	char end = is_obj ? '}' : ']';

	line->at++;
	for (size_t nr = 0; !line->bad && *line->at != end; nr++) {
		if (nr && *line->at++ != ',')
			line->bad = true;
		if (is_obj) {
			json_line__string(line, key, sizeof(key));
			line->bad |= *line->at != ':';
			line->at += *line->at == ':';
		} else {
			snprintf(key, sizeof(key), "%zu", nr);
		}
		snprintf(inner, sizeof(inner), "%s%s%s", path, *path ? "." : "", key);
		if (!line->bad)
			json_line__value(line, inner, depth + 1);
	}
	line->at += !line->bad;
}

static void json_line__value(struct json_line *line, const char *path, unsigned int depth)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};
	struct json_item *item;
	char *end;

	if (depth > 16) {
		line->bad = true;
	} else if (*line->at == '{' || *line->at == '[') {
		bool is_obj = *line->at == '{';

		json_line__add(line, path, is_obj ? JSON_OBJ : JSON_LIST);
		json_line__inside(line, path, is_obj, depth);
	} else if (*line->at == '"') {
		item = json_line__add(line, path, JSON_STR);
		json_line__string(line, item->text, sizeof(item->text));
	} else if (strchr("-0123456789", *line->at) && *line->at) {
		item = json_line__add(line, path, JSON_NUM);
		strtod(line->at, &end);
		snprintf(item->text, sizeof(item->text), "%.*s", (int)(end - line->at), line->at);
		line->at = end;
	} else {
		for (size_t i = 0; i < 3; i++) {
			if (!strncmp(line->at, words[i].word, strlen(words[i].word))) {
				json_line__add(line, path, words[i].type);
				line->at += strlen(words[i].word);
				return;
			}
		}
		line->bad = true;
	}
}

/* Reads one line up to its newline or NUL; `bad` tells whether it was JSON. */
static void json_line__read(struct json_line *line, const char *text)
{
	line->cnt = 0;
	line->bad = false;
	line->at = text;
	json_line__value(line, "", 0);
	line->bad |= *line->at != '\n' && *line->at != '\0';
}

static const struct json_item *json_line__find(const struct json_line *line, const char *path)
{
	for (size_t i = 0; i < line->cnt; i++) {
		if (!strcmp(line->items[i].path, path))
			return &line->items[i];
	}
	return NULL;
}

#endif
