/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The meta record: the machine, the target, and what the recording itself cost and lost. */
#include "export/heap.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define OFFSET(name) ((int)offsetof(struct meta, name))

static int64_t number(const struct row *row, int offset)
{
	return *(const int64_t *)((const char *)&row->model->meta + offset);
}

static void get_number(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t val = number(row, getter->arg);

	if (val == NO_TIME)
		value__null(value, getter->why);
	else
		value__int(value, val);
}

/* An empty text is null where the getter has a reason for it. */
static void get_text(struct value *value, const struct row *row, const struct getter *getter)
{
	uint32_t id = *(const uint32_t *)((const char *)&row->model->meta + getter->arg);
	const char *text = model__str(row->model, id);

	if (*text || !getter->why)
		value__str(value, text);
	else
		value__null(value, getter->why);
}

/* The process's start is a boot time, so that it is the same in every recording of it. */
static void get_start(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t start = row->model->meta.target_start_ns, boot = row->model->meta.start_boot_ns;
	int64_t rel;

	if (start == NO_TIME || boot == NO_TIME || __builtin_sub_overflow(start, boot, &rel))
		value__null(value, getter->why);
	else
		value__int(value, rel);
}

static void get_started_at(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t ns = row->model->meta.started_at_ns;
	time_t sec = ns / 1000000000;
	char text[64];
	struct tm tm;

	if (ns == NO_TIME || ns < 0 || !gmtime_r(&sec, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm)) {
		value__null(value, getter->why);
		return;
	}
	value->kind = VALUE_STR;
	value->text = value->str;
	snprintf(value->str, sizeof(value->str), "%s.%09dZ", text, (int)(ns % 1000000000));
}

static void get_duration(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__int(value, row->analysis->totals.duration_ns);
}

static void percent_of_duration(struct value *value, const struct row *row, double ns)
{
	int64_t duration = row->analysis->totals.duration_ns;

	if (duration > 0)
		value__num(value, ns * 100 / (double)duration);
	else
		value__null(value, "the recording has no length");
}

static void get_percent(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t ns = number(row, getter->arg);

	if (ns == NO_TIME)
		value__null(value, getter->why);
	else
		percent_of_duration(value, row, (double)ns);
}

static void get_probe_percent(struct value *value, const struct row *row,
			      const struct getter *getter)
{
	const struct meta *meta = &row->model->meta;

	if (meta->probe_hits == NO_TIME || meta->probe_price_ns == NO_TIME)
		value__null(value, getter->why);
	else
		percent_of_duration(value, row,
				    (double)meta->probe_hits * (double)meta->probe_price_ns);
}

static void write_runtimes(struct record_writer *writer, const struct row *row,
			   const struct schema_field *field)
{
	const struct model *model = row->model;
	struct json *json = &writer->json;

	(void)field;
	json__arr_begin(json);
	for (size_t i = 0; i < model->runtime_cnt; i++) {
		const struct runtime_info *info = &model->runtimes[i];

		json__obj_begin(json);
		json__kv_str(json, "name", model__str(model, info->name));
		json__kv_str(json, "version", model__str(model, info->version));
		json__kv_str(json, "binding", model__str(model, info->binding));
		json__kv_str(json, "confidence", model__str(model, info->confidence));
		json__kv_str(json, "reason", model__str(model, info->reason));
		json__kv_u64(json, "pid", info->tgid);
		json__obj_end(json);
	}
	json__arr_end(json);
}

static void write_sources(struct record_writer *writer, const struct row *row,
			  const struct schema_field *field)
{
	(void)field;
	json__obj_begin(&writer->json);
	for (unsigned int cap = 0; cap < CAP_CNT; cap++) {
		const struct cap_state *state = &row->model->caps[cap];

		if (cap != CAP_ALWAYS && state->measured)
			json__kv_str(&writer->json, cap_name(cap),
				     model__str(row->model, state->source));
	}
	json__obj_end(&writer->json);
}

static void get_losses(struct value *value, const struct row *row, const struct getter *getter)
{
	if (model__losses_known(row->model))
		value__bool(value, true);
	else
		value__null(value, getter->why);
}

static void write_losses(struct record_writer *writer, const struct row *row,
			 const struct schema_field *field)
{
	(void)field;
	json__obj_begin(&writer->json);
	for (size_t i = 0; i < row->model->counter_cnt; i++) {
		const struct counter *counter = &row->model->counters[i];

		if (counter->is_loss)
			json__kv_u64(&writer->json, model__str(row->model, counter->name),
				     counter->val);
	}
	json__obj_end(&writer->json);
}

static void get_budget(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t ppm = row->model->meta.budget_ppm;

	if (ppm == NO_TIME)
		value__null(value, getter->why);
	else
		value__num(value, (double)ppm / 1e4);
}

/* Without a budget there are no steps, and that says nothing. */
static void get_backoffs(struct value *value, const struct row *row, const struct getter *getter)
{
	if (row->model->meta.budget_ppm == NO_TIME && !row->model->backoff_cnt)
		value__null(value, getter->why);
	else
		value__bool(value, true);
}

static void write_backoffs(struct record_writer *writer, const struct row *row,
			   const struct schema_field *field)
{
	const struct model *model = row->model;
	struct json *json = &writer->json;

	(void)field;
	json__arr_begin(json);
	for (size_t i = 0; i < model->backoff_cnt; i++) {
		const struct backoff *backoff = &model->backoffs[i];

		json__obj_begin(json);
		json__kv_i64(json, "at_ns", backoff->at_ns);
		json__kv_str(json, "what", model__str(model, backoff->what));
		json__kv_str(json, "from", model__str(model, backoff->from));
		json__kv_str(json, "to", model__str(model, backoff->to));
		json__kv_str(json, "reason", model__str(model, backoff->reason));
		json__obj_end(json);
	}
	json__arr_end(json);
}

static void write_estimates(struct record_writer *writer, const struct row *row,
			    const struct schema_field *field)
{
	(void)field;
	json__obj_begin(&writer->json);
	for (unsigned int cap = 0; cap < CAP_CNT; cap++) {
		const struct cap_state *state = &row->model->caps[cap];

		if (state->measured && cap_estimate(state) > 1)
			json__kv_f64(&writer->json, cap_name(cap), cap_estimate(state));
	}
	json__obj_end(&writer->json);
}

static void heap_untold(struct value *value, const struct row *row, const struct getter *getter)
{
	const char *why = model__str(row->model, row->model->meta.heap_untold);

	value__null(value, *why ? why : getter->why);
}

static void get_allocator(struct value *value, const struct row *row, const struct getter *getter)
{
	if (number(row, getter->arg) == NO_TIME)
		heap_untold(value, row, getter);
	else
		value__int(value, number(row, getter->arg));
}

static void get_fragmentation(struct value *value, const struct row *row,
			      const struct getter *getter)
{
	int64_t unused = row->model->meta.heap_allocator_free_bytes;
	int64_t all = row->model->meta.heap_allocator_resident_bytes;

	if (unused == NO_TIME || all == NO_TIME || unused < 0 || all <= 0)
		heap_untold(value, row, getter);
	else
		value__num(value, (double)unused / (double)all);
}

static void get_live(struct value *value, const struct row *row, const struct getter *getter)
{
	struct heap_total all = {};

	for (size_t i = 0; i < row->model->task_cnt; i++)
		heap_total__add_task(&all, &row->model->tasks[i]);
	for (size_t i = 0; i < row->model->class_cnt; i++)
		heap_total__add_folded(&all, &row->model->classes[i]);
	value__int(value, heap_number(&all.sums, (enum heap_number)getter->arg));
}

#define GET(path, fn, arg, why)                                                                    \
	{                                                                                          \
		path, fn, arg, why, NULL, false                                                    \
	}
#define TOTAL(path, fn, arg, why)                                                                  \
	{                                                                                          \
		path, fn, arg, why, NULL, true                                                     \
	}
#define WRITE(path, fn)                                                                            \
	{                                                                                          \
		path, NULL, 0, NULL, fn, false                                                     \
	}
#define BUDGET_WHY "there was no budget"
#define NOT_TOLD   "the allocator was not asked, or does not tell"

/* Sorted by path. */
static const struct getter getters[] = {
	GET("attached_ns", get_number, OFFSET(attached_ns), "no event came"),
	GET("duration_ns", get_duration, 0, NULL),
	GET("heap.allocator_free_bytes", get_allocator, OFFSET(heap_allocator_free_bytes),
	    NOT_TOLD),
	GET("heap.allocator_resident_bytes", get_allocator, OFFSET(heap_allocator_resident_bytes),
	    NOT_TOLD),
	GET("heap.fragmentation", get_fragmentation, 0, NOT_TOLD),
	TOTAL("heap.live_blocks", get_live, HEAP_CURRENT_CNT, NULL),
	TOTAL("heap.live_bytes", get_live, HEAP_CURRENT_BYTES, NULL),
	GET("host.arch", get_text, OFFSET(arch), "not known"),
	GET("host.cpus", get_number, OFFSET(cpus), "not known"),
	GET("host.hostname", get_text, OFFSET(hostname), "not known"),
	GET("host.kernel", get_text, OFFSET(kernel), "not known"),
	{"losses", get_losses, 0, "the recording was not finished", write_losses, false},
	GET("options", get_text, OFFSET(options), NULL),
	{"overhead.backoffs", get_backoffs, 0, BUDGET_WHY, write_backoffs, false},
	GET("overhead.budget_percent", get_budget, 0, BUDGET_WHY),
	WRITE("overhead.estimates", write_estimates),
	GET("overhead.host_hook_cpu_percent", get_percent, OFFSET(hook_ns),
	    "the kernel did not count the time of its hooks (kernel.bpf_stats_enabled)"),
	GET("overhead.kernel_memory_bytes", get_number, OFFSET(kernel_memory_bytes), "not read"),
	GET("overhead.probe_cpu_percent", get_probe_percent, 0, "probe hits were not counted"),
	GET("overhead.probe_hits", get_number, OFFSET(probe_hits), "probe hits were not counted"),
	GET("overhead.probe_price_ns", get_number, OFFSET(probe_price_ns),
	    "probes were not calibrated"),
	GET("overhead.tracer_cpu_percent", get_percent, OFFSET(tracer_cpu_ns), "not read"),
	GET("overhead.tracer_rss_bytes", get_number, OFFSET(tracer_rss_bytes), "not read"),
	WRITE("runtimes", write_runtimes),
	WRITE("sources", write_sources),
	GET("started_at", get_started_at, 0, "not known"),
	GET("stop_reason", get_text, OFFSET(stop_reason), "the recording was not finished"),
	GET("target.cmdline", get_text, OFFSET(cmdline), "not readable"),
	GET("target.comm", get_text, OFFSET(comm), "not readable"),
	GET("target.container", get_text, OFFSET(container), "not in a container"),
	GET("target.exe", get_text, OFFSET(exe), "not readable"),
	GET("target.namespaces", get_text, OFFSET(namespaces), NULL),
	GET("target.pid", get_number, OFFSET(pid), "not known"),
	GET("target.processes", get_number, OFFSET(process_cnt), "not counted"),
	GET("target.start_time", get_start, 0, "not readable"),
	GET("target.uid", get_number, OFFSET(uid), "not readable"),
	GET("tasks_folded", get_number, OFFSET(tasks_folded), "not counted"),
	GET("version", get_text, OFFSET(version), "not known"),
};

const struct record_kind record_meta = {
	.record = "meta",
	.getters = getters,
	.getter_cnt = sizeof(getters) / sizeof(getters[0]),
};
