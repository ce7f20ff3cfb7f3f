/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A streaming JSON writer into a buffer. Commas and nesting are its own business; strings may be
 * hostile: invalid UTF-8 becomes U+FFFD, control characters and <, >, & are escaped, so that the
 * text may stand in HTML as it is.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_DEPTH 32

struct json {
	struct buf *buf;
	unsigned int depth;
	bool has_items[JSON_DEPTH];
	bool after_key;
};

void json__init(struct json *json, struct buf *buf);
void json__obj_begin(struct json *json);
void json__obj_end(struct json *json);
void json__arr_begin(struct json *json);
void json__arr_end(struct json *json);
void json__key(struct json *json, const char *key);
/* Values. A NULL string is null; a double that is not finite is null. */
void json__str(struct json *json, const char *str);
void json__u64(struct json *json, uint64_t val);
void json__i64(struct json *json, int64_t val);
void json__f64(struct json *json, double val);
void json__bool(struct json *json, bool val);
void json__null(struct json *json);
/* key + value in one */
void json__kv_str(struct json *json, const char *key, const char *str);
void json__kv_u64(struct json *json, const char *key, uint64_t val);
void json__kv_i64(struct json *json, const char *key, int64_t val);
void json__kv_f64(struct json *json, const char *key, double val);
void json__kv_bool(struct json *json, const char *key, bool val);
void json__kv_null(struct json *json, const char *key);

#endif
