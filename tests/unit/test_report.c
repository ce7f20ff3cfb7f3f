/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report's own parts: hashes, escaping, columns, percentiles, and that a page of any size is
 * whole and says nothing that it should escape. TAP. `test_report --page N PAGE TRUTH [NDJSON]`
 * writes a page and its truth for tests/page/run-page.t.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../page/sample.h"
#include "export/export.h"
#include "model/schema.h"
#include "report/columns.h"
#include "report/markup.h"
#include "report/report.h"
#include "report/sections.h"
#include "report/sha256.h"

static int test_cnt, failed;

static void ok(bool good, const char *name)
{
	failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++test_cnt, name);
}

static void digest_text(const char *text, char hex[65])
{
	uint8_t digest[SHA256_SZ];

	sha256(text, strlen(text), digest);
	for (int i = 0; i < SHA256_SZ; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static void test_sha256(void)
{
	char hex[65], long_text[1001];

	/* the standard's own examples */
	digest_text("", hex);
	ok(!strcmp(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	   "sha256 of nothing");
	digest_text("abc", hex);
	ok(!strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
	   "sha256 of abc");
	digest_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", hex);
	ok(!strcmp(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
	   "sha256 of two blocks");
	memset(long_text, 'a', 1000);
	long_text[1000] = '\0';
	digest_text(long_text, hex);
	ok(!strcmp(hex, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
	   "sha256 of a thousand bytes");
}

static bool escapes_to(const char *text, const char *wanted)
{
	struct buf buf = {0};
	bool same;

	markup__text(&buf, text);
	same = !strcmp(buf__str(&buf), wanted);
	if (!same)
		printf("# got: %s\n", buf__str(&buf));
	buf__free(&buf);
	return same;
}

static void test_escape(void)
{
	ok(escapes_to("<a href=\"x\">'&", "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"),
	   "escapes all five");
	ok(escapes_to("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		      "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
	   "keeps UTF-8");
	ok(escapes_to("\xff|\xc3|\xc0\xaf|\xed\xa0\x80",
		      "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
		      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
	   "replaces what is cut, overlong, a surrogate");
	ok(escapes_to("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"), "a sequence that the end cuts");
	ok(escapes_to("a\x01\x7f\tb", "a\xef\xbf\xbd\xef\xbf\xbd\tb"),
	   "replaces control characters");
	ok(escapes_to("g\xe2\x80\xaeh\xe2\x81\xa6", "g\xef\xbf\xbdh\xef\xbf\xbd"),
	   "replaces what turns the text's direction");
	ok(escapes_to(NULL, ""), "no text is no text");
}

static void test_percentiles(void)
{
	struct hist hist = {0};

	for (int i = 0; i < 5; i++)
		hist__add(&hist, 1000 * (i + 1), 1);
	ok(known_percentile(&hist, 0.5) == COLUMN_NULL, "five values have no median");
	hist__add(&hist, 6000, 1);
	ok(known_percentile(&hist, 0.5) != COLUMN_NULL, "six have one");
	ok(known_percentile(&hist, 0.99) == COLUMN_NULL, "six have no p99");
	hist__add(&hist, 3000, 94);
	ok(known_percentile(&hist, 0.99) != COLUMN_NULL, "a hundred have one");
	ok(hist_part(&hist, HIST_CNT) == 100, "all were counted");
	hist__free(&hist);
}

/* Reads what columns__finish() wrote: between the tags, base64, gzip. */
static size_t unpack(const char *text, uint8_t *out, size_t cap)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *packed = malloc(strlen(text) + 4);
	z_stream stream = {.next_in = packed, .next_out = out, .avail_out = cap};
	uint32_t bits = 0, bit_cnt = 0;
	size_t sz = 0;

	for (const char *at = strchr(text, '>') + 1; *at && *at != '<'; at++) {
		const char *digit = strchr(digits, *at);

		if (!digit)
			continue; /* line breaks and padding */
		bits = bits << 6 | (digit - digits);
		bit_cnt += 6;
		if (bit_cnt >= 8)
			packed[sz++] = bits >> (bit_cnt -= 8);
	}
	stream.avail_in = sz;
	if (inflateInit2(&stream, 15 + 16) != Z_OK || inflate(&stream, Z_FINISH) != Z_STREAM_END)
		stream.total_out = 0;
	inflateEnd(&stream);
	free(packed);
	return stream.total_out;
}

static void test_columns(void)
{
	static const int64_t vals[] = {-5, COLUMN_NULL, 300, 70000, 0};
	static const int64_t rising[] = {1000000, 1000120, 1000240, 1000300, 1000290};
	static const uint8_t codes[] = {1, 0, 0x32, 0x76, 6, 0, 0, 1, 0x11, 0, 0, 0, 0, 1, 0};
	static const uint8_t deltas[] = {0, 240, 240, 120, 19};
	struct columns columns;
	uint8_t out[4096];
	char *text = NULL;
	size_t text_sz, sz, head_sz;
	FILE *file = open_memstream(&text, &text_sz);

	columns__start(&columns, 5);
	columns__add(&columns, "plain", vals);
	columns__add(&columns, "rising", rising);
	ok(!columns__finish(&columns, "test", file), "columns are written");
	fclose(file);
	sz = unpack(text, out, sizeof(out));
	head_sz = sz > 4 ? out[0] | out[1] << 8 : 0;
	ok(sz == 4 + head_sz + sizeof(codes) + sizeof(deltas), "three planes and one of deltas");
	ok(sz && !memcmp(out + 4 + head_sz, codes, sizeof(codes)), "nulls and planes");
	ok(sz && !memcmp(out + 4 + head_sz + sizeof(codes), deltas, sizeof(deltas)), "deltas");
	ok(sz && memmem(out, 4 + head_sz, "\"min\":-5", 8), "the smallest value is in the head");
	free(text);
}

static char *write_page(size_t tasks, const char *theme, size_t *sz)
{
	struct report_options options = {.theme = theme};
	struct model *model = sample_model(tasks);
	struct analysis *analysis = analysis__new(model);
	char *text = NULL;
	FILE *file = open_memstream(&text, sz);
	int err = report_html(model, analysis, &options, file);

	fclose(file);
	analysis__free(analysis);
	model__free(model);
	if (!err)
		return text;
	free(text);
	return NULL;
}

static int count(const char *text, const char *what)
{
	int cnt = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		cnt++;
	return cnt;
}

static void test_pages(void)
{
	static const size_t sizes[] = {0, 1, 5, 100, 3000};
	char name[80];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t sz;
		char *page = write_page(sizes[i], "dark", &sz);

		snprintf(name, sizeof(name), "%zu tasks: a whole page", sizes[i]);
		ok(page && strlen(page) == sz && strstr(page, "</html>"), name);
		snprintf(name, sizeof(name), "%zu tasks: seven scripts and nothing else runs",
			 sizes[i]);
		ok(page && count(page, "<script") == 7 && !strstr(page, "<img") &&
			   !strstr(page, "<svg onload"),
		   name);
		ok(page && strstr(page, "data-theme=\"dark\"") && !strstr(page, "style=\""),
		   "the theme is set, no style attribute");
		free(page);
	}
}

static void test_paths(void)
{
	size_t sz;
	char *page = write_page(1, NULL, &sz);

	ok(page && strstr(page, "data-theme=\"auto\""), "the theme is automatic");
	ok(page && count(page, "not measured") > 3, "what was not measured says so");
	free(page);
}

/* A snapshot may say anything: no number may make the page's arithmetic undefined. */
static void test_extremes(void)
{
	static const int64_t extremes[] = {INT64_MAX, INT64_MIN, -1, 0, INT64_MAX / 2};
	struct model *model = sample_model(30);
	struct report_options options = {.title = "<t>"};
	struct analysis *analysis = analysis__new(model);
	char *text = NULL;
	size_t sz;
	FILE *file = open_memstream(&text, &sz);

	for (size_t i = 0; i < model->task_cnt; i++) {
		struct task *task = &model->tasks[i];

		for (int c = 0; c < COUNTER_CNT; c++)
			task->c[c] = extremes[(i + c) % 5];
		task->wall_ns = extremes[i % 5];
		task->start_ns = extremes[(i + 1) % 5];
		task->runtime = task->state = task->binding = 200;
		task->class_idx = i % 2 ? NO_IDX : 7777;
		task->native = UINT64_MAX;
		task->slices_lost = UINT64_MAX;
		task->heap = (struct heap_sums){UINT64_MAX, UINT64_MAX, extremes[i % 5], UINT64_MAX,
						UINT64_MAX, UINT64_MAX, UINT64_MAX};
	}
	for (size_t i = 0; i < model->use_cnt; i++) {
		model->uses[i].cnt = model->uses[i].bytes = extremes[i % 5];
		model->uses[i].latency.max = model->uses[i].latency.total = extremes[i / 5 % 5];
	}
	for (size_t i = 0; i < model->sample_cnt; i++)
		model->samples[i].val = extremes[i % 5];
	model__backoff_add(model, INT64_MIN, "<b>", "", "", "");
	for (size_t i = 0; i < model->slice_cnt; i++) {
		model->slices[i].start_ns = extremes[i % 5];
		model->slices[i].dur_ns = extremes[i / 5 % 5];
		for (int c = 0; c < (int)SLICE_TIMES; c++)
			model->slices[i].c[c] = extremes[(i + c) % 5];
	}
	model->meta.probe_hits = model->meta.probe_price_ns = INT64_MAX;
	model->meta.started_at_ns = INT64_MAX;
	ok(!report_html(model, analysis, &options, file), "a page of the most extreme numbers");
	fclose(file);
	ok(text && strstr(text, "<title>&lt;t&gt;") && strstr(text, "</html>"), "is whole");
	free(text);
	analysis__free(analysis);
	model__free(model);
}

/* `size`: how many tasks; with a "u" behind it nothing of them was measured. The NDJSON is optional:
 * of many tasks it is long. */
static int write_files(const char *size, const char *page_path, const char *truth_path,
		       const char *ndjson_path)
{
	char *end;
	struct model *model = sample_model(strtoul(size, &end, 10));
	struct analysis *analysis = analysis__new(model);
	FILE *page = fopen(page_path, "w"), *truth = fopen(truth_path, "w");
	FILE *ndjson = ndjson_path ? fopen(ndjson_path, "w") : NULL;
	int err = page && truth && analysis && (ndjson || !ndjson_path) ? 0 : -EIO;

	for (int cap = CAP_ALWAYS + 1; *end == 'u' && cap < CAP_CNT; cap++)
		model__cap_miss(model, cap, "the test says <so>");
	if (!err)
		err = report_html(model, analysis, NULL, page);
	if (!err)
		err = sample_truth(model, truth);
	if (!err && ndjson)
		err = export_ndjson(model, analysis, &(struct export_options){}, ndjson);
	if (ndjson && fclose(ndjson))
		err = -EIO;
	if (page && fclose(page))
		err = -EIO;
	if (truth && fclose(truth))
		err = -EIO;
	analysis__free(analysis);
	model__free(model);
	if (err)
		fprintf(stderr, "test_report: cannot write %s: %s\n", page_path, strerror(-err));
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "--page"))
		return write_files(argv[2], argv[3], argv[4], argv[5]);
	test_sha256();
	test_escape();
	test_percentiles();
	test_columns();
	test_pages();
	test_paths();
	test_extremes();
	printf("1..%d\n", test_cnt);
	return failed ? 1 : 0;
}
