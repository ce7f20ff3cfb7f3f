/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The class record: counts by state, merged distributions, and for each number of a task its
 * {total, mean, p50, p99, max} over the members. Folded tasks are part of every count and of the
 * totals that their class kept; percentiles and extremes are then null, with the reason.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/heap.h"
#include "export/io.h"

#define FOLDED_WHY "some of its tasks were folded (--max-memory): only sums are kept"

static const struct task_class *class_of(const struct row *row)
{
	return &row->model->classes[row->idx];
}

void row__of_class(struct row *row, const struct model *model, const struct analysis *analysis,
		   size_t class_idx, const uint32_t *members, size_t member_cnt)
{
	*row = (struct row){
		.model = model,
		.analysis = analysis,
		.idx = class_idx,
		.is_thread = model->classes[class_idx].runtime == RUNTIME_THREAD,
		.is_class = true,
		.members = members,
		.member_cnt = member_cnt,
	};
	hist__merge(&row->runs, &class_of(row)->folded_runs);
	hist__merge(&row->wake, &class_of(row)->folded_wake);
	for (size_t i = 0; i < member_cnt; i++) {
		struct row task;

		row__of_task(&task, model, analysis, members[i]);
		hist__merge(&row->runs, &task.runs);
		hist__merge(&row->wake, &task.wake);
	}
}

void row__free(struct row *row)
{
	hist__free(&row->runs);
	hist__free(&row->wake);
}

static void get_class_id(struct value *value, const struct row *row, const struct getter *getter)
{
	value__class_id(value, row->model, (uint32_t)row->idx, getter->why);
}

static void get_name(struct value *value, const struct row *row, const struct getter *getter)
{
	const char *name = model__str(row->model, class_of(row)->name);

	if (*name)
		value__str(value, name);
	else
		value__null(value, getter->why);
}

static void get_runtime(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__str(value, runtime_name(class_of(row)->runtime));
}

static uint64_t count_state(const struct row *row, unsigned int state)
{
	uint64_t cnt = class_of(row)->folded_by_state[state];

	for (size_t i = 0; i < row->member_cnt; i++)
		cnt += row->model->tasks[row->members[i]].state == state;
	return cnt;
}

static void get_state_cnt(struct value *value, const struct row *row, const struct getter *getter)
{
	value__uint(value, count_state(row, (unsigned int)getter->arg));
}

static uint64_t count_all(const struct row *row)
{
	return class_of(row)->folded_cnt + row->member_cnt;
}

static void get_total_cnt(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__uint(value, count_all(row));
}

static void get_completion(struct value *value, const struct row *row, const struct getter *getter)
{
	uint64_t all = count_all(row);

	if (all)
		value__num(value, (double)count_state(row, STATE_COMPLETED) / (double)all * 100);
	else
		value__null(value, getter->why);
}

static void get_throughput(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t duration = row->analysis->totals.duration_ns;

	if (duration > 0)
		value__num(value,
			   (double)count_state(row, STATE_COMPLETED) / ((double)duration / 1e9));
	else
		value__null(value, getter->why);
}

/* The schema row and the getter of the task's number of the same path. */
struct metric {
	const struct schema_field *field;
	const struct getter *getter;
};

static struct metric metric_of(const char *path)
{
	return (struct metric){schema__find("task", path), getter__find(&record_task, path)};
}

static void member_value(struct value *value, const struct row *row, const struct metric *metric,
			 size_t i)
{
	struct row task;

	row__of_task(&task, row->model, row->analysis, row->members[i]);
	row__value(value, &task, metric->field, metric->getter);
}

/* What the class kept of its folded tasks for this number; false when it kept nothing. */
static bool folded_sum(const struct row *row, const struct metric *metric, int64_t *sum)
{
	*sum = 0;
	if (!class_of(row)->folded_cnt)
		return true;
	if (metric->getter && metric->getter->get == get_counter)
		*sum = counter_sum(class_of(row)->folded_c, metric->getter->arg);
	else if (!strcmp(metric->field->path, "time.wall_ns"))
		*sum = class_of(row)->folded_wall_ns;
	else
		return metric->getter && io_folded_sum(row, metric->getter, sum);
	return true;
}

/* Of the peak of memory a class keeps the largest one. */
static bool is_peak(const struct metric *metric)
{
	return metric->getter && metric->getter->get == get_heap &&
	       metric->getter->arg == HEAP_PEAK_BYTES;
}

struct stats {
	double *vals; /* sorted */
	const char *why; /* the last one's reason to have none */
	size_t cnt;
	int64_t sum_int;
	double sum;
	bool is_int;
	bool has_folded_max;
	double folded_max; /* of all tasks, the folded ones too */
};

static int by_val(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int collect(struct stats *stats, const struct row *row, const struct metric *metric)
{
	struct value value;

	stats->is_int = metric->field->type != TYPE_NUM;
	stats->vals = malloc((row->member_cnt + 1) * sizeof(*stats->vals));
	if (!stats->vals)
		return -1;
	for (size_t i = 0; i < row->member_cnt; i++) {
		double val;

		member_value(&value, row, metric, i);
		if (value.kind == VALUE_NULL) {
			stats->why = value.why;
			continue;
		}
		val = value.kind == VALUE_NUM    ? value.num
		      : value.kind == VALUE_UINT ? (double)value.u
						 : (double)value.i;
		if (value.kind != VALUE_NUM &&
		    __builtin_add_overflow(stats->sum_int, value.i, &stats->sum_int))
			stats->is_int = false; /* the double carries on */
		stats->sum += val;
		stats->vals[stats->cnt++] = val;
	}
	qsort(stats->vals, stats->cnt, sizeof(*stats->vals), by_val);
	return 0;
}

static void put(struct record_writer *writer, const char *key, bool is_int, double val)
{
	json__key(&writer->json, key);
	if (is_int && fabs(val) < 0x1p53)
		json__i64(&writer->json, (int64_t)val);
	else
		json__f64(&writer->json, val);
}

static void put_null(struct record_writer *writer, const struct schema_field *field,
		     const char *key, const char *suffix, const char *why)
{
	json__kv_null(&writer->json, key);
	record_writer__note(writer, field, suffix, why);
}

/* What adds up to nothing. */
static const char *no_sum(const char *path)
{
#define PERCENT "a sum of percentages says nothing"
#define AVERAGE "a sum of averages says nothing"
	static const struct {
		const char *path, *why;
	} rows[] = {
		{"cpu_metrics.usage_percent", PERCENT},
		{"io_metrics.average_latency_ms", AVERAGE},
		{"io_metrics.bandwidth_mbps", "a sum of rates over different lives says nothing"},
		{"io_metrics.io_wait_percent", PERCENT},
		{"io_metrics.p99_latency_ms", AVERAGE},
		{"io_metrics.queue_depth", "a sum of averages over different lives says nothing"},
		{"memory_metrics.heap_fragmentation", "a sum of shares says nothing"},
		{"memory_metrics.memory_bandwidth",
		 "a sum of rates over different lives says nothing"},
		{"memory_metrics.peak_bytes", "tasks had their peaks at different times"},
		{"network_metrics.latency_avg_ms", AVERAGE},
		{"network_metrics.rtt_avg_ms", AVERAGE},
		{"network_metrics.throughput_mbps",
		 "a sum of rates over different lives says nothing"},
	};
#undef PERCENT
#undef AVERAGE

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(path, rows[i].path))
			return rows[i].why;
	}
	return NULL;
}

/* Without `has_folded` the class kept no sum of its folded tasks. */
static void put_sums(struct record_writer *writer, const struct row *row,
		     const struct schema_field *field, struct stats *stats, bool has_folded,
		     int64_t folded)
{
	uint64_t cnt = stats->cnt + class_of(row)->folded_cnt;

	if (!has_folded) {
		put_null(writer, field, "total", ".total", FOLDED_WHY);
		put_null(writer, field, "mean", ".mean", FOLDED_WHY);
		return;
	}
	stats->sum += (double)folded;
	if (no_sum(field->path))
		put_null(writer, field, "total", ".total", no_sum(field->path));
	else if (stats->is_int && !__builtin_add_overflow(stats->sum_int, folded, &stats->sum_int))
		json__kv_i64(&writer->json, "total", stats->sum_int);
	else
		put(writer, "total", false, stats->sum);
	put(writer, "mean", false, stats->sum / (double)cnt);
}

static void put_percentile(struct record_writer *writer, const struct schema_field *field,
			   const struct stats *stats, const char *key, const char *suffix,
			   double share)
{
	const char *why = too_few(stats->cnt);
	size_t rank = (size_t)ceil(share * (double)stats->cnt);

	if (why)
		put_null(writer, field, key, suffix, why);
	else
		put(writer, key, stats->is_int, stats->vals[rank ? rank - 1 : 0]);
}

static void put_stats(struct record_writer *writer, const struct row *row,
		      const struct schema_field *field, struct stats *stats, bool has_folded,
		      int64_t folded)
{
	json__obj_begin(&writer->json);
	put_sums(writer, row, field, stats, has_folded, folded);
	if (class_of(row)->folded_cnt) {
		put_null(writer, field, "p50", ".p50", FOLDED_WHY);
		put_null(writer, field, "p99", ".p99", FOLDED_WHY);
		if (stats->has_folded_max)
			put(writer, "max", true, stats->folded_max);
		else
			put_null(writer, field, "max", ".max", FOLDED_WHY);
	} else {
		put_percentile(writer, field, stats, "p50", ".p50", 0.5);
		put_percentile(writer, field, stats, "p99", ".p99", 0.99);
		put(writer, "max", stats->is_int, stats->vals[stats->cnt - 1]);
	}
	json__obj_end(&writer->json);
}

/* Every field of a class without a getter of its own: a number of its tasks. */
static void write_stats(struct record_writer *writer, const struct row *row,
			const struct schema_field *field)
{
	struct metric metric = metric_of(field->path);
	struct stats stats = {.why = "none of its tasks is left in memory"};
	bool has_folded;
	int64_t folded = 0;

	if (!metric.field || collect(&stats, row, &metric)) {
		writer->line.err = metric.field ? -ENOMEM : -EINVAL;
		return;
	}
	has_folded = folded_sum(row, &metric, &folded);
	if (is_peak(&metric)) {
		stats.has_folded_max = true;
		stats.folded_max = (double)folded;
		if (stats.cnt && stats.vals[stats.cnt - 1] > stats.folded_max)
			stats.folded_max = stats.vals[stats.cnt - 1];
		has_folded = !class_of(row)->folded_cnt; /* its mean is not known */
	}
	if (!stats.cnt && !((has_folded || stats.has_folded_max) && class_of(row)->folded_cnt)) {
		json__null(&writer->json);
		record_writer__note(writer, field, "", stats.why);
	} else {
		put_stats(writer, row, field, &stats, has_folded, folded);
	}
	free(stats.vals);
}

#define GET(path, fn, arg, why)                                                                    \
	{                                                                                          \
		path, fn, arg, why, NULL, false                                                    \
	}
#define STATE_SIZE_WHY "this version does not know the size of a task's state"

/* Sorted by path. */
static const struct getter getters[] = {
	GET("class_id", get_class_id, 0, NULL),
	GET("completion_rate_percent", get_completion, 0, "it has no tasks"),
	GET("counts.cancelled", get_state_cnt, STATE_CANCELLED, NULL),
	GET("counts.completed", get_state_cnt, STATE_COMPLETED, NULL),
	GET("counts.dropped", get_state_cnt, STATE_DROPPED, NULL),
	GET("counts.panicked", get_state_cnt, STATE_PANICKED, NULL),
	GET("counts.running", get_state_cnt, STATE_RUNNING, NULL),
	GET("counts.total", get_total_cnt, 0, NULL),
	GET("counts.unfinished", get_state_cnt, STATE_UNFINISHED, NULL),
	GET("counts.waiting", get_state_cnt, STATE_WAITING, NULL),
	IO_LIST("hot_metrics.io_hotspots", write_io_hotspots),
	IO_LIST("hot_metrics.memory_hotspots", write_memory_hotspots),
	IO_LIST("hot_metrics.network_hotspots", write_network_hotspots),
	IO_LIST("io_metrics.by_kind", write_by_kind),
	DIST_GETTERS("io_metrics.disk_latency", DISK),
	DIST_GETTERS("io_metrics.latency", STORAGE),
	IO_LIST("io_metrics.latency_histogram", write_histogram),
	IO_TOTAL("leaked.bytes", get_leaked, LEAKED_BYTES, NULL),
	IO_TOTAL("leaked.tasks", get_leaked, LEAKED_TASKS, NULL),
	DIST_GETTERS("memory_metrics.age", AGE),
	DIST_GETTERS("memory_metrics.lifetime", LIFETIME),
	IO_LIST("memory_metrics.lifetime_histogram", write_lifetimes),
	GET("name", get_name, 0, "its name was not seen"),
	DIST_GETTERS("network_metrics.accept_latency", ACCEPT),
	DIST_GETTERS("network_metrics.connect_latency", CONNECT),
	NETWORK_DIST_GETTERS,
	GET("runs.count", get_runs, HIST_COUNT, THREAD_HAS_NO_POLLS),
	GET("runs.max_ns", get_runs, HIST_MAX, THREAD_HAS_NO_POLLS),
	GET("runs.p50_ns", get_runs, 50, THREAD_HAS_NO_POLLS),
	GET("runs.p90_ns", get_runs, 90, THREAD_HAS_NO_POLLS),
	GET("runs.p99_ns", get_runs, 99, THREAD_HAS_NO_POLLS),
	GET("runs.total_ns", get_runs, HIST_TOTAL, THREAD_HAS_NO_POLLS),
	GET("runtime", get_runtime, 0, NULL),
	GET("state_bytes.max", NULL, 0, STATE_SIZE_WHY),
	GET("state_bytes.mean", NULL, 0, STATE_SIZE_WHY),
	GET("state_bytes.total", NULL, 0, STATE_SIZE_WHY),
	GET("throughput_per_sec", get_throughput, 0, "the recording has no length"),
	GET("wake_latency.count", get_wake, HIST_COUNT, NULL),
	GET("wake_latency.max_ns", get_wake, HIST_MAX, NULL),
	GET("wake_latency.p50_ns", get_wake, 50, NULL),
	GET("wake_latency.p90_ns", get_wake, 90, NULL),
	GET("wake_latency.p99_ns", get_wake, 99, NULL),
	GET("wake_latency.total_ns", get_wake, HIST_TOTAL, NULL),
};

static const struct getter other = {.path = "", .write = write_stats};

const struct record_kind record_class = {
	.record = "class",
	.getters = getters,
	.getter_cnt = sizeof(getters) / sizeof(getters[0]),
	.other = &other,
};
