/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exporters on the rich model: NDJSON holds what the schema says and nothing else, every null
 * has its reason, numbers are right, names cannot break out; and golden files (UPDATE_GOLDEN=1
 * writes them anew).
 */
#include "export/export.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export_lines.h"
#include "golden.h"
#include "rich_model.h"
#include "snapshot/snapshot.h"

/* The nearest schema row at or above the path, or NULL. */
static const struct schema_field *row_above(const char *record, const char *path)
{
	char up[160];
	char *dot;

	snprintf(up, sizeof(up), "%s", path);
	for (;;) {
		const struct schema_field *field = schema__find(record, up);

		if (field)
			return field;
		dot = strrchr(up, '.');
		if (!dot)
			return NULL;
		*dot = '\0';
	}
}

static bool is_object_of_schema(const char *record, const char *path)
{
	size_t cnt, sz = strlen(path);
	const struct schema_field *field = schema__record(record, &cnt);

	for (size_t i = 0; field && i < cnt; i++) {
		if (!strncmp(field[i].path, path, sz) && field[i].path[sz] == '.')
			return true;
	}
	return false;
}

static bool type_fits(const struct json_item *item, const struct schema_field *field)
{
	static const enum json_type types[] = {
		[TYPE_STR] = JSON_STR, [TYPE_INT] = JSON_NUM,   [TYPE_NS] = JSON_NUM,
		[TYPE_NUM] = JSON_NUM, [TYPE_BOOL] = JSON_TRUE, [TYPE_LIST] = JSON_LIST,
		[TYPE_OBJ] = JSON_OBJ,
	};

	if (strcmp(item->path, field->path) || item->type == JSON_NULL)
		return true; /* a member of a list or an object */
	if (field->type == TYPE_BOOL)
		return item->type == JSON_TRUE || item->type == JSON_FALSE;
	if (field->type == TYPE_INT && strpbrk(item->text, ".eE"))
		return false;
	return item->type == types[field->type];
}

/* Every key is the schema's. */
static const char *unknown_key(const struct json_line *line, const char *record)
{
	for (size_t i = 1; i < line->cnt; i++) {
		const struct json_item *item = &line->items[i];
		const struct schema_field *field = row_above(record, item->path);

		if (!strcmp(item->path, "record") || !strncmp(item->path, "not_measured", 12) ||
		    !strncmp(item->path, "estimated", 9))
			continue;
		if (field ? !type_fits(item, field) : !is_object_of_schema(record, item->path))
			return item->path;
	}
	return NULL;
}

/* Every field of the schema is there, or null with one of the objects around it. */
static const char *missing_field(const struct json_line *line, const char *record)
{
	size_t cnt;
	const struct schema_field *field = schema__record(record, &cnt);

	for (size_t i = 0; i < cnt; i++) {
		char path[160];
		char *dot;

		snprintf(path, sizeof(path), "%s", field[i].path);
		for (;;) {
			const struct json_item *item = json_line__find(line, path);

			if (item && (!strcmp(path, field[i].path) || item->type == JSON_NULL))
				break;
			dot = strrchr(path, '.');
			if (!dot)
				return field[i].path;
			*dot = '\0';
		}
	}
	return NULL;
}

static void test_shape(const char *text)
{
	static const char *const order[] = {"meta",       "class",  "task",  "edge",    "file",
					    "connection", "series", "slice", "finding", "counter"};
	enum { ORDER_CNT = sizeof(order) / sizeof(order[0]) };
	struct json_line line = {};
	size_t stage = 0, seen[ORDER_CNT] = {};

	for (const char *at = text; at; at = next_line(at)) {
		const struct json_item *record;
		const char *wrong;

		json_line__read(&line, at);
		record = json_line__find(&line, "record");
		if (!ok(!line.bad && record && line.cnt > 1 && record == &line.items[1],
			"a JSON object, \"record\" first"))
			continue;
		while (stage < ORDER_CNT && strcmp(order[stage], record->text))
			stage++;
		if (!ok(stage < ORDER_CNT, "%s stands in its place", record->text))
			break;
		seen[stage]++;
		wrong = unknown_key(&line, record->text);
		ok(!wrong, "%s: only keys and types of the schema (%s)", record->text,
		   wrong ? wrong : "");
		wrong = missing_field(&line, record->text);
		ok(!wrong, "%s: every field of the schema (%s)", record->text, wrong ? wrong : "");
		wrong = unreasoned(&line);
		ok(!wrong, "%s: every null has its reason (%s)", record->text, wrong ? wrong : "");
	}
	for (size_t i = 0; i < ORDER_CNT; i++)
		ok(seen[i] > 0, "%s: %zu records", order[i], seen[i]);
	free(line.items);
}

static const struct expected expected[] = {
	{"meta", NULL, NULL, "started_at", "2023-11-14T22:13:20.000000005Z", NULL},
	{"meta", NULL, NULL, "target.start_time", "-10000000000", NULL},
	{"meta", NULL, NULL, "overhead.tracer_cpu_percent", "1", NULL},
	{"meta", NULL, NULL, "overhead.host_hook_cpu_percent", "0.01", NULL},
	{"meta", NULL, NULL, "overhead.probe_cpu_percent", "0.00021", NULL},
	{"meta", NULL, NULL, "sources.cpu", "made by hand", NULL},
	{"meta", NULL, NULL, "losses.ring_full", "0", NULL},
	{"meta", NULL, NULL, "runtimes.0.name", "marks", NULL},
	{"meta", NULL, NULL, "target.container", NULL, "not in a container"},
	{"meta", NULL, NULL, "symbols", NULL, "this version does not record stacks"},

	{"task", "task_id", "100:0", "native_id", "100", NULL},
	{"task", "task_id", "100:0", "class_id", "00000000000c1a55", NULL},
	{"task", "task_id", "100:0", "start_time", "-2000000000", NULL},
	{"task", "task_id", "100:0", "duration_ms", "12000", NULL},
	{"task", "task_id", "100:0", "time.on_cpu_ns", "4000000000", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.usage_percent", "40", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.time_user_ms", "3000", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.time_kernel_ms", "1000", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.context_switches", "100", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.core_affinity.1", "2", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.cpu_cycles", "12345", NULL},
	{"task", "task_id", "100:0", "cpu_metrics.instructions", NULL,
	 "hardware counters were not opened"},
	{"task", "task_id", "100:0", "memory_metrics.page_faults", "10", NULL},
	{"task", "task_id", "100:0", "memory_metrics.peak_bytes", NULL,
	 "blocks were not followed until they are freed"},
	{"task", "task_id", "100:0", "wake_latency.count", "8", NULL},
	{"task", "task_id", "100:0", "wake_latency.total_ns", "8000000", NULL},
	{"task", "task_id", "100:0", "wake_latency.max_ns", "2000000", NULL},
	{"task", "task_id", "100:0", "runs", NULL, "a thread has no polls"},
	{"task", "task_id", "100:0", "time.waiting_ns", NULL, "a thread has no polls"},
	{"task", "task_id", "100:0", "gpu_metrics", NULL, "no GPU source on this machine"},
	{"task", "task_id", "100:0", "end_time", NULL, "it lived on when the recording ended"},
	{"task", "task_id", "100:0", "bottleneck_type", "Cpu", NULL},
	{"task", "task_id", "101:0", "bottleneck_cause", "lock", NULL},
	{"task", "task_id", "101:0", "cpu_metrics.time_user_ms", NULL,
	 "no timer tick fell into its time"},
	{"task", "task_id", "101:0", "wake_latency.p99_ns", NULL, "n too small (n=0)"},
	{"task", "task_id", "102:0", "start_time", NULL, "its beginning was not seen"},
	{"task", "task_id", "102:0", "class_id", NULL, "its class is not known"},
	{"task", "task_id", "102:0", "task_name", NULL, "its name was not seen"},

	{"task", "task_id", "100:5", "parent_task_id", "100:0", NULL},
	{"task", "task_id", "100:5", "binding", "exact symbol", NULL},
	{"task", "task_id", "100:5", "runs.count", "5", NULL},
	{"task", "task_id", "100:5", "runs.total_ns", "25000000", NULL},
	{"task", "task_id", "100:5", "runs.max_ns", "5000000", NULL},
	{"task", "task_id", "100:4", "runs.p50_ns", NULL, "n too small (n=4)"},
	{"task", "task_id", "100:4", "runs.max_ns", "4000000", NULL},
	{"task", "task_id", "100:5", "time.waiting_ns", "975000000", NULL},
	{"task", "task_id", "100:5", "time.probe_ns", "5000", NULL},
	{"task", "task_id", "100:5", "cpu_metrics.time_user_ms", NULL,
	 "the user/kernel split is known for threads only"},
	{"task", "task_id", "100:5", "task_type", NULL, "this version does not score tasks"},

	{"class", "name", "marks class", "counts.total", "6", NULL},
	{"class", "name", "marks class", "counts.completed", "6", NULL},
	{"class", "name", "marks class", "completion_rate_percent", "100", NULL},
	{"class", "name", "marks class", "throughput_per_sec", "0.6", NULL},
	{"class", "name", "marks class", "runs.count", "21", NULL},
	{"class", "name", "marks class", "runs.total_ns", "91000000", NULL},
	{"class", "name", "marks class", "time.on_cpu_ns.total", "21000000", NULL},
	{"class", "name", "marks class", "time.on_cpu_ns.mean", "3500000", NULL},
	{"class", "name", "marks class", "time.on_cpu_ns.p50", "3000000", NULL},
	{"class", "name", "marks class", "time.on_cpu_ns.p99", "6000000", NULL},
	{"class", "name", "marks class", "time.on_cpu_ns.max", "6000000", NULL},
	{"class", "name", "marks class", "cpu_metrics.usage_percent.total", NULL,
	 "a sum of percentages says nothing"},
	{"class", "name", "threads", "time.on_cpu_ns.p50", NULL, "n too small (n=2)"},
	{"class", "name", "folded class", "counts.total", "40", NULL},
	{"class", "name", "folded class", "counts.cancelled", "10", NULL},
	{"class", "name", "folded class", "completion_rate_percent", "75", NULL},
	{"class", "name", "folded class", "runs.count", "40", NULL},
	{"class", "name", "folded class", "time.on_cpu_ns.total", "400000000", NULL},
	{"class", "name", "folded class", "time.on_cpu_ns.mean", "10000000", NULL},
	{"class", "name", "folded class", "time.wall_ns.total", "800000000", NULL},
	{"class", "name", "folded class", "duration_ms", NULL,
	 "none of its tasks is left in memory"},

	{"edge", "kind", "wake", "from_task_id", NULL,
	 "an interrupt, or a task outside of the target"},
	{"edge", "kind", "wake", "total_delay_ns", "500", NULL},
	{"edge", "kind", "spawn", "to_task_id", "100:1", NULL},
	{"edge", "kind", "spawn", "max_delay_ns", NULL, "a spawn has no delay"},
	{"slice", "task_id", "100:1", "on_cpu_ns", "10", NULL},
	{"slice", "task_id", "100:1", "cpu", "3", NULL},
	{"finding", "id", "lock-wait", "severity", "critical", NULL},
	{"finding", "id", "lock-wait", "task_id", "101:0", NULL},
	{"finding", "id", "lock-wait", "evidence.0.value", "4000000000", NULL},
	{"finding", "id", "lock-wait", "evidence.3.task_id", "101:0", NULL},
	{"counter", "name", "unattributed_cpu_ns", "value", "79000000", NULL},
	{"counter", "name", "probe_hits", "value", "21", NULL},
};

/* No byte that a terminal or a page would act on. */
static bool is_harmless(const char *text, bool colour)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < ' ' && c != '\n' && !(colour && c == '\033')) || c == 0x7f || c == 0xff ||
		    !strncmp(text, "\xe2\x80\xae", 3) || !strncmp(text, "\xc2\x9b", 2))
			return false;
	}
	return true;
}

static void test_hostile(const char *ndjson)
{
	struct json_line line = {};

	ok(find_record(&line, ndjson, "task", "task_id", "101:0"),
	   "the task with the hostile name");
	ok(!strstr(ndjson, "</script") && !strchr(ndjson, '\033') && !strchr(ndjson, '\007') &&
		   !strchr(ndjson, '\xff'),
	   "a name cannot close a script, drive a terminal or break UTF-8 in NDJSON");
	free(line.items);
}

static size_t cols_of(const char *line, const char *end)
{
	size_t cols = 0;

	for (; line < end; line++)
		cols += ((unsigned char)*line & 0xc0) != 0x80;
	return cols;
}

static void check_summary(const struct model *model, const struct export_options *options)
{
	char *text = export_with(model, export_summary, options);
	size_t widest = 0;
	bool ascii = true;

	for (const char *at = text; at; at = next_line(at)) {
		const char *end = strchr(at, '\n');
		size_t cols = cols_of(at, end);

		widest = cols > widest ? cols : widest;
	}
	for (const char *at = text; *at; at++)
		ascii = ascii && (unsigned char)*at < 0x80;
	ok(options->colour || widest <= (options->width < 60 ? 60 : options->width),
	   "%u columns: the widest line has %zu", options->width, widest);
	ok(is_harmless(text, options->colour), "%u columns: no control character of a name",
	   options->width);
	ok(ascii || !options->ascii, "%u columns: ASCII when asked for", options->width);
	ok(!options->colour == !strchr(text, '\033'), "%u columns: colours only when asked for",
	   options->width);
	ok(strstr(text, "Lock wait is the bottleneck") && strstr(text, "nothing lost") &&
		   strstr(text, "main"),
	   "%u columns: verdict, quality and a task", options->width);
	if (options->width == 80 && !options->colour)
		for (const char *at = text; at; at = next_line(at))
			note("%.*s", (int)strcspn(at, "\n"), at);
	free(text);
}

static void test_summary(const struct model *model)
{
	static const struct export_options cases[] = {
		{.width = 80},
		{.width = 100},
		{.width = 80, .ascii = true},
		{.width = 60},
		{.width = 200, .top = 3},
		{.width = 1},
		{.width = 120, .colour = true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_summary(model, &cases[i]);
}

static void test_write_errors(const struct model *model)
{
	const struct export_options options = {};
	struct analysis *analysis = analysis__new(model);

	for (size_t i = 0; i < exporter_cnt; i++) {
		FILE *full = fopen("/dev/full", "w");
		int err;

		setvbuf(full, NULL, _IONBF, 0);
		err = exporters[i].write(model, analysis, &options, full);
		ok(err == -ENOSPC, "%s: a full disk is told (%d)", exporters[i].name, err);
		fclose(full);
	}
	analysis__free(analysis);
}

static void test_table(void)
{
	ok(exporter__by_suffix("a.ndjson") == exporter__by_name("ndjson") &&
		   exporter__by_suffix("dir/x.txt") == exporter__by_name("summary"),
	   "exporters by suffix and by name");
	ok(!exporter__by_suffix("ndjson") && !exporter__by_suffix(".ndjson") &&
		   !exporter__by_suffix("") && !exporter__by_suffix("a.ndjson.gz") &&
		   !exporter__by_name("html"),
	   "what no exporter is for");
}

static void test_empty(void)
{
	struct model *model = model__new();
	const struct export_options options = {};
	char *text = ndjson_of(model), *summary;
	struct json_line line = {};
	bool fine = true;

	for (const char *at = text; at; at = next_line(at)) {
		json_line__read(&line, at);
		fine = fine && !line.bad && !unreasoned(&line);
	}
	ok(fine, "an empty model: JSON with a reason for every null");
	summary = export_with(model, export_summary, &options);
	ok(strstr(summary, "No verdict"), "an empty model: a summary");
	free(line.items);
	free(summary);
	free(text);
	model__free(model);
}

static void test_extremes(void)
{
	static const int64_t extremes[] = {INT64_MIN, INT64_MAX, -1};

	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		const struct export_options options = {};
		struct model *model = rich_model();
		char *text;

		for (size_t j = 0; j < model->task_cnt; j++) {
			model->tasks[j].start_ns = model->tasks[j].wall_ns = extremes[i];
			model->tasks[j].state = model->tasks[j].binding = 250;
			for (unsigned int k = 0; k < COUNTER_CNT; k++)
				model->tasks[j].c[k] = extremes[i];
		}
		for (unsigned int k = 0; k < COUNTER_CNT; k++)
			model->classes[2].folded_c[k] = extremes[i];
		for (unsigned int k = 0; k < COUNTER_CNT; k++)
			model->classes[1].folded_c[k] = extremes[i];
		model->classes[1].folded_cnt = 1;
#define X(name) model->meta.name = extremes[i];
		META_NUMBERS(X)
#undef X
		text = ndjson_of(model);
		free(text);
		text = export_with(model, export_summary, &options);
		free(text);
		model__free(model);
	}
}

/* For tests/offline.t: the same model as a file. */
static int write_snapshot(const char *path)
{
	struct model *model = rich_model();
	struct snapshot_writer *writer = snapshot_writer__new(path);
	int err = writer ? snapshot_writer__finish(writer, model) : -errno;

	snapshot_writer__free(writer);
	model__free(model);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct export_options plain = {.width = 80};
	struct model *model = rich_model();
	char *ndjson, *summary;

	if (argc == 3 && !strcmp(argv[1], "--snapshot")) {
		model__free(model);
		return write_snapshot(argv[2]);
	}
	ndjson = ndjson_of(model);
	summary = export_with(model, export_summary, &plain);
	test_shape(ndjson);
	check_values(ndjson, expected, sizeof(expected) / sizeof(expected[0]));
	test_hostile(ndjson);
	test_summary(model);
	test_write_errors(model);
	test_table();
	test_empty();
	test_extremes();
	golden("spine.ndjson", ndjson);
	golden("spine.txt", summary);
	free(ndjson);
	free(summary);
	model__free(model);
	return tap_done();
}
