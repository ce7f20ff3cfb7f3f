/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON writer: structure, numbers, hostile strings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tap.h"

static struct buf buf;
static struct json json;

static void start(void)
{
	buf__reset(&buf);
	json__init(&json, &buf);
}

static void is(const char *want, const char *what)
{
	if (!ok(!buf.err && !strcmp(buf__str(&buf), want), "%s", what))
		note("got  %s\n# want %s", buf__str(&buf), want);
}

static void test_structure(void)
{
	start();
	json__obj_begin(&json);
	json__kv_u64(&json, "a", UINT64_MAX);
	json__kv_i64(&json, "b", INT64_MIN);
	json__key(&json, "c");
	json__arr_begin(&json);
	json__bool(&json, true);
	json__null(&json);
	json__obj_begin(&json);
	json__obj_end(&json);
	json__arr_begin(&json);
	json__arr_end(&json);
	json__str(&json, NULL);
	json__arr_end(&json);
	json__kv_str(&json, "d", "x");
	json__kv_bool(&json, "e", false);
	json__kv_null(&json, "f");
	json__obj_end(&json);
	is("{\"a\":18446744073709551615,\"b\":-9223372036854775808,"
	   "\"c\":[true,null,{},[],null],\"d\":\"x\",\"e\":false,\"f\":null}",
	   "nesting and commas");

	start();
	for (int i = 0; i < JSON_DEPTH; i++)
		json__arr_begin(&json);
	ok(!buf.err, "%d levels are allowed", JSON_DEPTH);
	json__arr_begin(&json);
	ok(buf.err, "one more is an error, not an overflow");
	start();
	json__arr_end(&json);
	ok(buf.err, "an end without a beginning is an error");
}

static void test_numbers(void)
{
	const double hard[] = {0.1,
			       1.0 / 3,
			       1e300,
			       -2.5e-308,
			       123456789.123456789,
			       1 << 30,
			       5e-324,
			       0.30000000000000004};
	bool same = true;

	start();
	json__arr_begin(&json);
	json__f64(&json, 0.1);
	json__f64(&json, 3);
	json__f64(&json, NAN);
	json__f64(&json, INFINITY);
	json__f64(&json, -INFINITY);
	json__arr_end(&json);
	is("[0.1,3,null,null,null]", "doubles are short, not finite ones null");
	for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
		start();
		json__f64(&json, hard[i]);
		same &= strtod(buf__str(&buf), NULL) == hard[i];
	}
	ok(same, "doubles read back as the same number");
}

static void test_strings(void)
{
	static const struct {
		const char *in, *want, *what;
	} rows[] = {
		{"a\"b\\c", "\"a\\\"b\\\\c\"", "quotes and backslashes"},
		{"\n\t\r\x01\x1b\x7f", "\"\\n\\t\\r\\u0001\\u001b\\u007f\"", "control characters"},
		{"</script>&", "\"\\u003c/script\\u003e\\u0026\"", "HTML"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
		 "UTF-8 of two, three and four bytes"},
		{"a\xff"
		 "b",
		 "\"a\xef\xbf\xbd"
		 "b\"",
		 "a byte that is never UTF-8"},
		{"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "a sequence cut off by the end"},
		{"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "an overlong slash"},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "a surrogate"},
		{"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		 "beyond U+10FFFF"},
		{"\xe2(x", "\"\xef\xbf\xbd(x\"", "a broken sequence does not swallow what follows"},
		{"\xc2\x9b", "\"\\u009b\"", "C1 controls, which drive terminals"},
		{"", "\"\"", "the empty string"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start();
		json__str(&json, rows[i].in);
		is(rows[i].want, rows[i].what);
	}
	start();
	json__obj_begin(&json);
	json__kv_null(&json, "<k\">");
	json__obj_end(&json);
	is("{\"\\u003ck\\\"\\u003e\":null}", "keys are escaped too");
}

/* Any bytes: what comes out has no raw control character, no quote inside, no HTML. */
static void test_any_bytes(void)
{
	unsigned int seed = 1;
	bool good = true;

	for (int i = 0; i < 20000; i++) {
		char text[24];
		size_t len = (size_t)rand_r(&seed) % sizeof(text);

		for (size_t j = 0; j < len; j++)
			text[j] = (char)(rand_r(&seed) % 255 + 1);
		text[len < sizeof(text) ? len : len - 1] = '\0';
		start();
		json__str(&json, text);
		good &= buf.sz >= 2 && buf.data[0] == '"' && buf.data[buf.sz - 1] == '"';
		for (size_t j = 1; j + 1 < buf.sz; j++) {
			if (buf.data[j] == '\\')
				j++;
			else
				good &= (unsigned char)buf.data[j] >= ' ' &&
					!strchr("\"<>&\x7f", buf.data[j]);
		}
	}
	ok(good, "20000 random strings come out safe");
}

int main(void)
{
	test_structure();
	test_numbers();
	test_strings();
	test_any_bytes();
	buf__free(&buf);
	return tap_done();
}
