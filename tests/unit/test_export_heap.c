/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the exporters say about memory: numbers of tasks and classes, places that allocate, leaks,
 * stacks; estimates with their weights; what a budget did. And that IO has none of it.
 */
#include "export/export.h"

#include <stdlib.h>
#include <string.h>

#include "export_lines.h"
#include "golden.h"
#include "rich_heap.h"

#define MARKS_6 "task", "task_id", "100:6"
#define MAIN    "task", "task_id", "100:0"

/* See rich_heap.h. */
static const struct expected expected[] = {
	{MAIN, "memory_metrics.current_bytes", "4751360", NULL},
	{MAIN, "memory_metrics.current_blocks", "1640", NULL},
	{MAIN, "memory_metrics.peak_bytes", "5000000", NULL},
	{MAIN, "memory_metrics.total_bytes", "11151360", NULL},
	{MAIN, "memory_metrics.allocations_count", "101640", NULL},
	{MAIN, "memory_metrics.failed_allocations", "0", NULL},
	{MAIN, "memory_metrics.deallocations_count", "100000", NULL},
	{MAIN, "memory_metrics.freed_bytes", "6400000", NULL},
	{MAIN, "memory_metrics.frees_made", "100009", NULL},
	{MAIN, "memory_metrics.memory_bandwidth", "1115136", NULL},
	{MAIN, "memory_metrics.heap_fragmentation", "0.125", NULL},
	{MARKS_6, "memory_metrics.heap_fragmentation", "0", NULL},
	{"task", "task_id", "101:0", "memory_metrics.heap_fragmentation", NULL,
	 "of none of its blocks the allocator told how large it is"},
	{MAIN, "memory_metrics.lifetime.count", "100000", NULL},
	{MAIN, "memory_metrics.lifetime.max_ns", "50000", NULL},
	{MAIN, "memory_metrics.lifetime_histogram.0.0", "32768", NULL},
	{MAIN, "memory_metrics.lifetime_histogram.0.1", "100000", NULL},
	{MAIN, "memory_metrics.age.count", "1640", NULL},
	{MAIN, "hot_metrics.memory_hotspots.0.site", "warm_cache+0x40", NULL},
	{MAIN, "hot_metrics.memory_hotspots.0.function", "warm_cache", NULL},
	{MAIN, "hot_metrics.memory_hotspots.0.held_bytes", "4096000", NULL},
	{MAIN, "hot_metrics.memory_hotspots.1.site", "leak_here+0x1d", NULL},
	{MAIN, "hot_metrics.memory_hotspots.1.module", "/srv/app", NULL},
	{MAIN, "hot_metrics.memory_hotspots.1.held_blocks", "640", NULL},
	{MAIN, "hot_metrics.memory_hotspots.2.function", "Server::handle(Request const\\u0026)",
	 NULL},
	{MAIN, "hot_metrics.memory_hotspots.2.freed", "100000", NULL},
	{"task", "task_id", "101:0", "memory_metrics.failed_allocations", "2", NULL},
	{"task", "task_id", "101:0", "hot_metrics.memory_hotspots.0.site", "libssl.so.3+0x1234",
	 NULL},
	{MARKS_6, "memory_metrics.current_bytes", "2000", NULL},
	{"task", "task_id", "102:0", "memory_metrics.current_bytes", "0", NULL},
	{"task", "task_id", "102:0", "memory_metrics.lifetime", NULL, "none was seen"},

	{"class", "name", "marks class", "memory_metrics.total_bytes.total", "21000", NULL},
	{"class", "name", "marks class", "memory_metrics.peak_bytes.max", "6000", NULL},
	{"class", "name", "marks class", "memory_metrics.peak_bytes.total", NULL,
	 "tasks had their peaks at different times"},
	{"class", "name", "marks class", "memory_metrics.current_bytes.total", "2000", NULL},
	{"class", "name", "marks class", "memory_metrics.memory_bandwidth.total", NULL,
	 "a sum of rates over different lives says nothing"},
	{"class", "name", "marks class", "memory_metrics.heap_fragmentation.total", NULL,
	 "a sum of shares says nothing"},
	{"class", "name", "marks class", "leaked.tasks", "1", NULL},
	{"class", "name", "marks class", "leaked.bytes", "2000", NULL},
	{"class", "name", "marks class", "memory_metrics.lifetime.count", "19", NULL},
	{"class", "name", "marks class", "hot_metrics.memory_hotspots.0.allocations", "21", NULL},
	{"class", "name", "threads", "leaked.tasks", "0", NULL},
	{"class", "name", "folded class", "leaked.tasks", "30", NULL},
	{"class", "name", "folded class", "leaked.bytes", "480", NULL},
	{"class", "name", "folded class", "memory_metrics.current_bytes.total", "480", NULL},
	{"class", "name", "folded class", "memory_metrics.deallocations_count.total", "10", NULL},
	{"class", "name", "folded class", "memory_metrics.allocations_count.mean", "1", NULL},
	{"class", "name", "folded class", "memory_metrics.peak_bytes.max", "160", NULL},
	{"class", "name", "folded class", "memory_metrics.peak_bytes.mean", NULL, NULL},

	{"meta", NULL, NULL, "heap.live_bytes", "5802416", NULL},
	{"meta", NULL, NULL, "heap.live_blocks", "1673", NULL},
	{"meta", NULL, NULL, "heap.fragmentation", "0.25", NULL},
	{"meta", NULL, NULL, "overhead.budget_percent", "5", NULL},
	{"meta", NULL, NULL, "overhead.backoffs.0.at_ns", "400000000", NULL},
	{"meta", NULL, NULL, "overhead.backoffs.0.to", "counting", NULL},
	{"meta", NULL, NULL, "overhead.backoffs.1.to", "exact", NULL},

	{"stack", "kind", "live", "frames.0.site", "leak_here+0x1d", NULL},
	{"stack", "kind", "live", "samples", "640", NULL},
	{"stack", "kind", "live", "bytes", "655360", NULL},
	{"stack", "kind", "live", "weight", "1", NULL},
	{"stack", "kind", "alloc", "class_id", "00000000000c1a55", NULL},
	{"stack", "kind", "alloc", "task_id", NULL, "of all tasks of the class"},

	{"series", "name", "heap_live_bytes", "unit", "bytes", NULL},
	{"series", "name", "heap_live_bytes", "count", "100", NULL},
	{"series", "name", "heap_live_bytes", "max", "5799976", NULL},
};

static size_t cnt_of(const char *text, const char *part)
{
	size_t cnt = 0;

	while ((text = strstr(text, part))) {
		cnt++;
		text += strlen(part);
	}
	return cnt;
}

static void test_values(void)
{
	struct model *model = rich_model();
	char *text;

	rich_heap(model);
	rich_backoffs(model);
	text = ndjson_of(model);
	check_values(text, expected, sizeof(expected) / sizeof(expected[0]));
	ok(cnt_of(text, "\"record\":\"stack\"") == 10, "a stack for each class, place and kind");
	ok(!cnt_of(text, "\"estimated\""), "nothing of it is an estimate");
	free(text);
	model__free(model);
}

/* Lines of the records that are of IO. */
static char *io_lines(const struct model *model)
{
	static const char *const records[] = {"\"record\":\"file\"", "\"record\":\"connection\""};
	char *text = ndjson_of(model), *kept = calloc(1, strlen(text) + 1);

	for (const char *at = text; at; at = next_line(at)) {
		const char *end = strchr(at, '\n');

		if (!strncmp(at + 1, records[0], strlen(records[0])) ||
		    !strncmp(at + 1, records[1], strlen(records[1])))
			strncat(kept, at, (size_t)(end - at) + 1);
	}
	free(text);
	return kept;
}

/* A task's text of one object, {...}. */
static char *object_text(const char *text, const char *task, const char *name)
{
	char key[64];
	const char *at, *end;

	snprintf(key, sizeof(key), "{\"record\":\"task\",\"task_id\":\"%s\"", task);
	at = strstr(text, key);
	at = at ? strstr(at, name) : NULL;
	end = at ? strpbrk(at + strlen(name), "}") : NULL;
	return strndup(at && end ? at : "?", at && end ? (size_t)(end - at) : 1);
}

static void test_io_is_as_before(void)
{
	struct model *with = rich_model(), *without = rich_model();
	char *a, *b, *c, *d;

	rich_heap(with);
	a = io_lines(with);
	b = io_lines(without);
	ok(*a && !strcmp(a, b), "files and connections are the same with sites and without");
	free(a);
	free(b);
	a = ndjson_of(with);
	b = ndjson_of(without);
	c = object_text(a, "100:0", "\"io_metrics\":{");
	d = object_text(b, "100:0", "\"io_metrics\":{");
	ok(strlen(c) > 100 && !strcmp(c, d), "a task's IO, too");
	free(c);
	free(d);
	c = object_text(a, "100:0", "\"network_metrics\":{");
	d = object_text(b, "100:0", "\"network_metrics\":{");
	ok(strlen(c) > 100 && !strcmp(c, d), "and its network");
	free(c);
	free(d);
	c = object_text(a, "100:0", "\"io_hotspots\":[");
	d = object_text(b, "100:0", "\"io_hotspots\":[");
	ok(strlen(c) > 20 && !strcmp(c, d), "and its hot files");
	free(c);
	free(d);
	free(a);
	free(b);
	model__free(with);
	model__free(without);
}

/* Windows, samples, and what was not measured at all. */
static void test_estimates(void)
{
	static const struct expected windows[] = {
		{MAIN, "estimated.memory_metrics.allocations_count", "4", NULL},
		{MAIN, "estimated.memory_metrics.memory_bandwidth", "4", NULL},
		{MAIN, "memory_metrics.current_bytes", NULL, "probes were taken away"},
		{MAIN, "memory_metrics.allocations_count", "101640", NULL},
		{"class", "name", "threads", "estimated.memory_metrics.total_bytes", "4", NULL},
		{"class", "name", "threads", "leaked", NULL, "probes were taken away"},
		{"meta", NULL, NULL, "heap.live_bytes", NULL, "probes were taken away"},
		{"meta", NULL, NULL, "overhead.estimates.memory", "4", NULL},
	};
	static const struct expected sampled[] = {
		{MAIN, "estimated.memory_metrics.current_bytes", "17.5", NULL},
		{MAIN, "estimated.memory_metrics.peak_bytes", "17.5", NULL},
		{"class", "name", "threads", "estimated.leaked.bytes", "17.5", NULL},
		{"stack", "kind", "live", "weight", "17.5", NULL},
		{"meta", NULL, NULL, "estimated.heap.live_bytes", "17.5", NULL},
	};
	static const struct expected io[] = {
		{MAIN, "estimated.io_metrics.bytes_read", "2", NULL},
		{MAIN, "estimated.network_metrics.bytes_sent", "2", NULL},
		{"file", "path", "/srv/db/wal", "estimated.operations", "2", NULL},
		{"connection", "peer", "10.0.0.7:6379", "estimated.sent.bytes", "2", NULL},
	};
	struct model *model = rich_model();
	char *text;

	rich_heap(model);
	model__cap_share(model, CAP_HEAP, 0.25);
	model__cap_miss(model, CAP_HEAP_LIVE, "probes were taken away");
	text = ndjson_of(model);
	check_values(text, windows, sizeof(windows) / sizeof(windows[0]));
	ok(!strstr(text, "\"memory_metrics.lifetime.max_ns\":4"), "a maximum is no estimate");
	free(text);
	model__cap_set(model, CAP_HEAP, RICH_HEAP_SOURCE);
	model__cap_set(model, CAP_HEAP_LIVE, RICH_HEAP_SOURCE);
	model__cap_weight(model, CAP_HEAP_LIVE, 17.5);
	text = ndjson_of(model);
	check_values(text, sampled, sizeof(sampled) / sizeof(sampled[0]));
	ok(!strstr(text, "\"memory_metrics.allocations_count\":17.5"),
	   "what was counted exactly is no estimate");
	free(text);
	model__cap_share(model, CAP_IO, 0.5);
	text = ndjson_of(model);
	check_values(text, io, sizeof(io) / sizeof(io[0]));
	free(text);
	model__free(model);
}

static void test_not_measured(void)
{
	static const struct expected rows[] = {
		{MAIN, "memory_metrics.total_bytes", NULL, "--heap off"},
		{MAIN, "memory_metrics.peak_bytes", NULL, "--heap off"},
		{MAIN, "memory_metrics.page_faults", "10", NULL},
		{MAIN, "hot_metrics.memory_hotspots", NULL, "--heap off"},
		{"class", "name", "threads", "leaked", NULL, "--heap off"},
		{"meta", NULL, NULL, "overhead.budget_percent", NULL, "there was no budget"},
		{"meta", NULL, NULL, "overhead.backoffs", NULL, "there was no budget"},
	};
	struct model *model = rich_model();
	char *text;

	model__cap_miss(model, CAP_HEAP, "--heap off");
	model__cap_miss(model, CAP_HEAP_LIVE, "--heap off");
	model__cap_miss(model, CAP_HEAP_SITES, "--heap off");
	text = ndjson_of(model);
	check_values(text, rows, sizeof(rows) / sizeof(rows[0]));
	ok(!strstr(text, "\"record\":\"stack\""), "and there are no stacks");
	free(text);
	model__free(model);
}

static void test_summary(void)
{
	static const struct export_options narrow = {.width = 80}, wide = {.width = 1000};
	struct model *model = rich_model();
	char *text;

	rich_heap(model);
	rich_backoffs(model);
	model__cap_share(model, CAP_HEAP, 0.31);
	text = export_with(model, export_summary, &narrow);
	golden("heap.txt", text);
	free(text);
	text = export_with(model, export_summary, &wide);
	ok(strstr(text, "PEAK*") && strstr(text, "leak_here+0x1d"), "a wider one");
	free(text);
	model__cap_miss(model, CAP_HEAP_LIVE, "blocks were only counted");
	text = export_with(model, export_summary, &wide);
	ok(strstr(text, "what is held: not measured (blocks were only counted)"),
	   "what is held is not measured, which is not 0");
	free(text);
	model__cap_set(model, CAP_HEAP_LIVE, RICH_HEAP_SOURCE);
	model->meta.duration_ns = 2 * SEC;
	text = export_with(model, export_summary, &wide);
	ok(strstr(text, "too short to tell leaks"), "a short recording says that it is");
	free(text);
	model__free(model);
}

/* Numbers of a hostile snapshot. */
static void test_extremes(void)
{
	static const uint64_t extremes[] = {0, UINT64_MAX, INT64_MAX, 1ULL << 63};
	const struct export_options options = {};

	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		struct model *model = rich_model();
		struct json_line line = {};
		uint64_t val = extremes[i];
		bool fine = true;
		char *text;

		rich_heap(model);
		rich_backoffs(model);
		model->backoffs[0].at_ns = (int64_t)val;
		model->meta.budget_ppm = model->meta.heap_allocator_free_bytes = (int64_t)val;
		model->meta.heap_allocator_resident_bytes = (int64_t)val;
		for (size_t k = 0; k < model->task_cnt; k++)
			model->tasks[k].heap =
				(struct heap_sums){val, val, val, val, val, val, val};
		for (size_t k = 0; k < model->use_cnt; k++) {
			model->uses[k].cnt = model->uses[k].bytes = val;
			model->uses[k].errors = val;
			model->uses[k].latency.total = model->uses[k].latency.max = val;
		}
		model->classes[0].folded_heap = model->tasks[0].heap;
		text = ndjson_of(model);
		for (const char *at = text; at; at = next_line(at)) {
			json_line__read(&line, at);
			fine = fine && !line.bad && !unreasoned(&line);
		}
		ok(fine, "all numbers %llu: JSON with a reason for every null",
		   (unsigned long long)val);
		free(line.items);
		free(text);
		text = export_with(model, export_summary, &options);
		free(text);
		model__free(model);
	}
}

int main(void)
{
	test_values();
	test_io_is_as_before();
	test_estimates();
	test_not_measured();
	test_summary();
	test_extremes();
	return tap_done();
}
