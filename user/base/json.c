/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON writer behind every exporter and the page's data. */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json__init(struct json *json, struct buf *buf)
{
	memset(json, 0, sizeof(*json));
	json->buf = buf;
}

/* The comma before an item, unless it is the value of a key or the first one. */
static void item(struct json *json)
{
	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (!json->depth || json->depth > JSON_DEPTH)
		return;
	if (json->has_items[json->depth - 1])
		buf__add(json->buf, ",", 1);
	json->has_items[json->depth - 1] = true;
}

static void begin(struct json *json, const char *bracket)
{
	item(json);
	buf__add(json->buf, bracket, 1);
	json->depth++;
	if (json->depth <= JSON_DEPTH)
		json->has_items[json->depth - 1] = false;
	else if (!json->buf->err)
		json->buf->err = -EOVERFLOW; /* commas are no longer known: not JSON */
}

static void end(struct json *json, const char *bracket)
{
	if (!json->depth) {
		if (!json->buf->err)
			json->buf->err = -EINVAL;
		return;
	}
	json->depth--;
	buf__add(json->buf, bracket, 1);
}

void json__obj_begin(struct json *json)
{
	begin(json, "{");
}

void json__obj_end(struct json *json)
{
	end(json, "}");
}

void json__arr_begin(struct json *json)
{
	begin(json, "[");
}

void json__arr_end(struct json *json)
{
	end(json, "]");
}

/* The length of the valid UTF-8 sequence at `s`, or 0; never reads beyond the NUL. */
static size_t utf8_len(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4 || (s[1] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xe0)
		return 2;
	if ((s[2] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xf0) {
		if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
			return 0; /* overlong; surrogates */
		return 3;
	}
	if ((s[3] & 0xc0) != 0x80)
		return 0;
	if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0; /* overlong; beyond U+10FFFF */
	return 4;
}

static void escape(struct buf *buf, unsigned int c)
{
	switch (c) {
	case '"':
		buf__add(buf, "\\\"", 2);
		break;
	case '\\':
		buf__add(buf, "\\\\", 2);
		break;
	case '\n':
		buf__add(buf, "\\n", 2);
		break;
	case '\t':
		buf__add(buf, "\\t", 2);
		break;
	case '\r':
		buf__add(buf, "\\r", 2);
		break;
	default:
		buf__printf(buf, "\\u%04x", c);
	}
}

static bool needs_escape(unsigned char c)
{
	return c < ' ' || c == 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

static void quoted(struct buf *buf, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	buf__add(buf, "\"", 1);
	while (*s) {
		const unsigned char *plain = s;
		size_t len;

		/* C1 controls (U+0080..U+009F) drive terminals too, so they break the run. */
		while (*s && !needs_escape(*s) && (len = utf8_len(s)) &&
		       !(len == 2 && s[0] == 0xc2 && s[1] < 0xa0))
			s += len;
		buf__add(buf, plain, (size_t)(s - plain));
		if (!*s)
			break;
		if (needs_escape(*s)) {
			escape(buf, *s++);
		} else if (utf8_len(s)) {
			escape(buf, s[1]);
			s += 2;
		} else {
			buf__puts(buf, "\xef\xbf\xbd");
			s++;
		}
	}
	buf__add(buf, "\"", 1);
}

void json__key(struct json *json, const char *key)
{
	item(json);
	quoted(json->buf, key);
	buf__add(json->buf, ":", 1);
	json->after_key = true;
}

void json__str(struct json *json, const char *str)
{
	if (!str) {
		json__null(json);
		return;
	}
	item(json);
	quoted(json->buf, str);
}

void json__u64(struct json *json, uint64_t val)
{
	item(json);
	buf__printf(json->buf, "%" PRIu64, val);
}

void json__i64(struct json *json, int64_t val)
{
	item(json);
	buf__printf(json->buf, "%" PRId64, val);
}

void json__f64(struct json *json, double val)
{
	char text[40];

	if (!isfinite(val)) {
		json__null(json);
		return;
	}
	item(json);
	/* 15 digits read back as the same number for nearly all that people wrote; else all 17. */
	snprintf(text, sizeof(text), "%.15g", val);
	if (strtod(text, NULL) != val)
		snprintf(text, sizeof(text), "%.17g", val);
	buf__puts(json->buf, text);
}

void json__bool(struct json *json, bool val)
{
	item(json);
	buf__puts(json->buf, val ? "true" : "false");
}

void json__null(struct json *json)
{
	item(json);
	buf__add(json->buf, "null", 4);
}

void json__kv_str(struct json *json, const char *key, const char *str)
{
	json__key(json, key);
	json__str(json, str);
}

void json__kv_u64(struct json *json, const char *key, uint64_t val)
{
	json__key(json, key);
	json__u64(json, val);
}

void json__kv_i64(struct json *json, const char *key, int64_t val)
{
	json__key(json, key);
	json__i64(json, val);
}

void json__kv_f64(struct json *json, const char *key, double val)
{
	json__key(json, key);
	json__f64(json, val);
}

void json__kv_bool(struct json *json, const char *key, bool val)
{
	json__key(json, key);
	json__bool(json, val);
}

void json__kv_null(struct json *json, const char *key)
{
	json__key(json, key);
	json__null(json);
}
