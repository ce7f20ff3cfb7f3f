/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The values of a task's fields, and the rule by which a field is null: it is not for this kind of
 * task, its capability was not measured, or the getter found nothing. Used by the NDJSON writer
 * and by the page (value__of_task).
 */
#include "export/heap.h"
#include "export/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MIN_SAMPLES 5 /* fewer have no percentiles */

void value__null(struct value *value, const char *why)
{
	value->kind = VALUE_NULL;
	value->why = why;
}

void value__int(struct value *value, int64_t val)
{
	value->kind = VALUE_INT;
	value->i = val;
}

void value__uint(struct value *value, uint64_t val)
{
	value->kind = VALUE_UINT;
	value->u = val;
}

void value__num(struct value *value, double val)
{
	if (!isfinite(val)) {
		value__null(value, "not a finite number");
		return;
	}
	value->kind = VALUE_NUM;
	value->num = val;
}

void value__bool(struct value *value, bool val)
{
	value->kind = VALUE_BOOL;
	value->b = val;
}

void value__str(struct value *value, const char *text)
{
	size_t sz = strlen(text);

	value->kind = VALUE_STR;
	value->text = text;
	if (sz >= sizeof(value->str)) {
		sz = sizeof(value->str) - 1;
		while (sz && ((unsigned char)text[sz] & 0xc0) == 0x80)
			sz--; /* not half a character */
	}
	memmove(value->str, text, sz); /* it may have been made in there */
	value->str[sz] = '\0';
}

void value__task_id(struct value *value, uint64_t task, const char *why)
{
	if (!task) {
		value__null(value, why);
		return;
	}
	value->kind = VALUE_STR;
	value->text = schema_task_id(value->str, task);
}

void value__class_id(struct value *value, const struct model *model, uint32_t class_idx,
		     const char *why)
{
	if (class_idx >= model->class_cnt) {
		value__null(value, why);
		return;
	}
	value->kind = VALUE_STR;
	value->text = schema_class_id(value->str, model->classes[class_idx].id);
}

const char *too_few(uint64_t cnt)
{
	static const char *const texts[MIN_SAMPLES] = {
		"n too small (n=0)", "n too small (n=1)", "n too small (n=2)",
		"n too small (n=3)", "n too small (n=4)",
	};

	return cnt < MIN_SAMPLES ? texts[cnt] : NULL;
}

void value__percentile(struct value *value, const struct hist *hist, double share)
{
	if (hist->cnt < MIN_SAMPLES)
		value__null(value, too_few(hist->cnt));
	else if ((1 - share) * (double)hist->cnt <
		 0.999) /* as on the page: one must be beyond it */
		value__null(value, "n too small for this percentile");
	else
		value__uint(value, hist__percentile(hist, share));
}

void value__hist(struct value *value, const struct hist *hist, int stat)
{
	if (stat == HIST_COUNT)
		value__uint(value, hist->cnt);
	else if (stat == HIST_TOTAL)
		value__uint(value, hist->total);
	else if (stat == HIST_MAX && hist->cnt)
		value__uint(value, hist->max);
	else if (stat == HIST_MAX)
		value__null(value, too_few(0));
	else
		value__percentile(value, hist, stat / 100.0);
}

void get_runs(struct value *value, const struct row *row, const struct getter *getter)
{
	value__hist(value, &row->runs, getter->arg);
}

void get_wake(struct value *value, const struct row *row, const struct getter *getter)
{
	/* The buckets come at a thread's end: a recording that was cut off has the sums only. */
	if (!row->wake.cnt && row->wake.total && getter->arg == HIST_MAX)
		value__uint(value, row->wake.max);
	else if (!row->wake.cnt && row->wake.total && getter->arg != HIST_TOTAL)
		value__null(value, "the recording was not finished");
	else
		value__hist(value, &row->wake, getter->arg);
}

int64_t counter_sum(const int64_t c[COUNTER_CNT], int arg)
{
	int64_t sum = c[arg & 0xff];

	if (arg >> 8 && __builtin_add_overflow(sum, c[(arg >> 8) - 1], &sum))
		return INT64_MAX;
	return sum;
}

static const struct task *task_of(const struct row *row)
{
	return &row->model->tasks[row->idx];
}

/* What the clock saw less what the kernel counted: the noise of both can be more than it. */
void get_counter(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t sum = counter_sum(task_of(row)->c, getter->arg);

	/* Stolen time is what the clock says beyond the kernel's account, and the two differ by a
	 * little: below nothing is nothing. */
	if (getter->arg == COUNTER_STOLEN && sum < 0)
		sum = 0;
	value__int(value, sum);
}

static void get_id(struct value *value, const struct row *row, const struct getter *getter)
{
	value__task_id(value, task_of(row)->id, getter->why);
}

static void get_parent(struct value *value, const struct row *row, const struct getter *getter)
{
	value__task_id(value, task_of(row)->parent, getter->why);
}

static void get_native(struct value *value, const struct row *row, const struct getter *getter)
{
	if (task_of(row)->flags & TASK_NATIVE_UNKNOWN) {
		value__null(value, getter->why);
		return;
	}
	value->kind = VALUE_STR;
	value->text = value->str;
	snprintf(value->str, sizeof(value->str), "%llu", (unsigned long long)task_of(row)->native);
}

enum task_u32 { U32_PID, U32_TID };

static void get_u32(struct value *value, const struct row *row, const struct getter *getter)
{
	uint32_t val = getter->arg == U32_PID ? task_of(row)->tgid : task_of(row)->tid;

	if (val)
		value__uint(value, val);
	else
		value__null(value, getter->why);
}

enum task_text { TEXT_RUNTIME, TEXT_STATE, TEXT_BINDING, TEXT_NAME };

static void get_text(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct task *task = task_of(row);
	const char *text = NULL;

	if (getter->arg == TEXT_RUNTIME)
		text = runtime_name(task->runtime);
	else if (getter->arg == TEXT_STATE)
		text = state_name(task->state);
	else if (getter->arg == TEXT_BINDING)
		text = binding_name(task->binding);
	else
		text = model__task_name(row->model, task, value->str, sizeof(value->str));
	if (text && *text)
		value__str(value, text);
	else
		value__null(value, getter->why);
}

static void get_class_id(struct value *value, const struct row *row, const struct getter *getter)
{
	value__class_id(value, row->model, task_of(row)->class_idx, getter->why);
}

enum task_time { TIME_START, TIME_END };

static void get_time(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t ns = getter->arg == TIME_START ? task_of(row)->start_ns : task_of(row)->end_ns;

	if (ns == NO_TIME)
		value__null(value, getter->why);
	else
		value__int(value, ns);
}

static void get_duration(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct task *task = task_of(row);
	int64_t end = task->end_ns != NO_TIME ? task->end_ns : row->analysis->totals.duration_ns;

	if (task->start_ns == NO_TIME)
		value__null(value, getter->why);
	else
		value__num(value, ((double)end - (double)task->start_ns) / 1e6);
}

static void get_seen(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__bool(value, task_of(row)->flags & TASK_SEEN_FROM_START);
}

int64_t to_int(double val)
{
	if (val >= 0x1p63)
		return INT64_MAX;
	return val > -0x1p63 ? (int64_t)val : INT64_MIN;
}

enum task_wall { WALL_ALL, WALL_SELF, WALL_BETWEEN };

static void get_wall(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct task *task = task_of(row);
	double ns = (double)task->wall_ns;

	if (getter->arg == WALL_SELF)
		ns -= (double)task->c[COUNTER_CHILD_WALL];
	else if (getter->arg == WALL_BETWEEN)
		ns = (double)row->analysis->tasks[row->idx].inside_ns - ns;
	value__int(value, to_int(ns > 0 ? ns : 0));
}

static void get_probe_ns(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t price = row->model->meta.probe_price_ns;

	if (price == NO_TIME)
		value__null(value, getter->why);
	else
		value__int(value,
			   to_int((double)task_of(row)->c[COUNTER_PROBE_HITS] * (double)price));
}

static void get_usage(struct value *value, const struct row *row, const struct getter *getter)
{
	int64_t inside = row->analysis->tasks[row->idx].inside_ns;

	if (inside <= 0)
		value__null(value, getter->why);
	else
		value__num(value, (double)task_of(row)->c[COUNTER_ON_CPU] / (double)inside * 100);
}

/* As the kernel's cputime_adjust() does: the precise time, split by where the ticks fell. */
static void get_cpu_split(struct value *value, const struct row *row, const struct getter *getter)
{
	const int64_t *c = task_of(row)->c;
	double run = (double)c[COUNTER_ON_CPU], kernel;
	double ticks = (double)c[COUNTER_TICKS_USER] + (double)c[COUNTER_TICKS_KERNEL];

	if (run > 0 && ticks < MIN_SAMPLES) {
		value__null(value, ticks > 0 ? too_few((uint64_t)ticks)
					     : "no timer tick fell into its time");
		return;
	}
	kernel = ticks > 0 ? run * ((double)c[COUNTER_TICKS_KERNEL] / ticks) : 0;
	value__num(value, (getter->arg == COUNTER_TICKS_KERNEL ? kernel : run - kernel) / 1e6);
}

static void get_cpus(struct value *value, const struct row *row, const struct getter *getter)
{
	if (row->model->meta.cpus > 64) {
		value__null(value, getter->why);
		return;
	}
	value->kind = VALUE_MASK;
	value->u = (uint64_t)task_of(row)->c[COUNTER_CPUS];
}

static void get_bottleneck(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct task_result *result = &row->analysis->tasks[row->idx];

	if (!getter->arg)
		value__str(value, bottleneck_name(result->bottleneck));
	else if (result->cause)
		value__str(value, result->cause);
	else if (task_of(row)->c[COUNTER_CHILD_WALL] > result->inside_ns / 2)
		value__null(value, "most of its life belongs to the tasks that ran on it");
	else
		value__null(value, getter->why);
}

#define SPLIT_WHY  "the user/kernel split is known for threads only"
#define NOT_WITHIN "it did not live within the recording"
#define NO_STORAGE "no timed operation on a regular file, directory or block device"
#define NO_PACKETS "its sockets are unix streams, which have no packets"
#define GET(path, fn, arg, why)                                                                    \
	{                                                                                          \
		path, fn, arg, why, NULL, false                                                    \
	}
/* What is summed up over the time. */
#define TOTAL(path, fn, arg, why)                                                                  \
	{                                                                                          \
		path, fn, arg, why, NULL, true                                                     \
	}

/* Sorted by path: getter__find() searches by halves. */
static const struct getter getters[] = {
	GET("binding", get_text, TEXT_BINDING, "not known"),
	GET("bottleneck_cause", get_bottleneck, 1,
	    "no cause took 5 ms and a tenth of its life (timers and idling do not count)"),
	GET("bottleneck_type", get_bottleneck, 0, NULL),
	GET("class_id", get_class_id, 0, "its class is not known"),
	TOTAL("cpu_metrics.branch_misses", get_counter, COUNTER_HW_BRANCH_MISSES, NULL),
	TOTAL("cpu_metrics.cache_misses", get_counter, COUNTER_HW_CACHE_MISSES, NULL),
	TOTAL("cpu_metrics.context_switches", get_counter,
	      COUNTERS(SWITCH_VOLUNTARY, SWITCH_INVOLUNTARY), NULL),
	TOTAL("cpu_metrics.context_switches_involuntary", get_counter, COUNTER_SWITCH_INVOLUNTARY,
	      NULL),
	GET("cpu_metrics.core_affinity", get_cpus, 0, "the mask holds 64 CPUs, this host has more"),
	TOTAL("cpu_metrics.cpu_cycles", get_counter, COUNTER_HW_CYCLES, NULL),
	TOTAL("cpu_metrics.instructions", get_counter, COUNTER_HW_INSTRUCTIONS, NULL),
	GET("cpu_metrics.time_kernel_ms", get_cpu_split, COUNTER_TICKS_KERNEL, SPLIT_WHY),
	GET("cpu_metrics.time_user_ms", get_cpu_split, COUNTER_TICKS_USER, SPLIT_WHY),
	GET("cpu_metrics.usage_percent", get_usage, 0, NOT_WITHIN),
	GET("duration_ms", get_duration, 0, "its beginning was not seen"),
	GET("end_time", get_time, TIME_END, "it lived on when the recording ended"),
	IO_LIST("hot_metrics.io_hotspots", write_io_hotspots),
	IO_LIST("hot_metrics.memory_hotspots", write_memory_hotspots),
	IO_LIST("hot_metrics.network_hotspots", write_network_hotspots),
	TOTAL("io_metrics.again", get_io_sum, IO_SUM_AGAIN, NULL),
	GET("io_metrics.average_latency_ms", get_io_latency, LATENCY_STORAGE_MEAN, NO_STORAGE),
	TOTAL("io_metrics.bandwidth_mbps", get_io_rate, RATE_IO_MBYTES, NOT_WITHIN),
	IO_LIST("io_metrics.by_kind", write_by_kind),
	TOTAL("io_metrics.bytes_read", get_counter, COUNTER_IO_READ_BYTES, NULL),
	TOTAL("io_metrics.bytes_written", get_counter, COUNTER_IO_WRITE_BYTES, NULL),
	TOTAL("io_metrics.disk_bytes_read", get_counter, COUNTER_DISK_READ_BYTES, NULL),
	TOTAL("io_metrics.disk_bytes_written", get_counter, COUNTER_DISK_WRITE_BYTES, NULL),
	DIST_GETTERS("io_metrics.disk_latency", DISK),
	TOTAL("io_metrics.errors", get_counter, COUNTER_IO_ERRORS, NULL),
	GET("io_metrics.io_wait_percent", get_io_rate, RATE_WAIT, NOT_WITHIN),
	DIST_GETTERS("io_metrics.latency", STORAGE),
	IO_LIST("io_metrics.latency_histogram", write_histogram),
	TOTAL("io_metrics.operations_read", get_counter, COUNTER_IO_READS, NULL),
	TOTAL("io_metrics.operations_written", get_counter, COUNTER_IO_WRITES, NULL),
	GET("io_metrics.p99_latency_ms", get_io_latency, LATENCY_STORAGE_P99, NO_STORAGE),
	TOTAL("io_metrics.queue_depth", get_io_rate, RATE_QUEUE, NOT_WITHIN),
	TOTAL("io_metrics.syncs", get_io_sum, IO_SUM_SYNCS, NULL),
	DIST_GETTERS("memory_metrics.age", AGE),
	TOTAL("memory_metrics.allocations_count", get_counter, COUNTER_HEAP_ALLOCS, NULL),
	TOTAL("memory_metrics.current_blocks", get_heap, HEAP_CURRENT_CNT, NULL),
	TOTAL("memory_metrics.current_bytes", get_heap, HEAP_CURRENT_BYTES, NULL),
	TOTAL("memory_metrics.deallocations_count", get_heap, HEAP_FREED_CNT, NULL),
	TOTAL("memory_metrics.failed_allocations", get_io_sum, IO_SUM_ALLOC_FAILED, NULL),
	TOTAL("memory_metrics.freed_bytes", get_heap, HEAP_FREED_BYTES, NULL),
	TOTAL("memory_metrics.frees_made", get_counter, COUNTER_HEAP_FREES, NULL),
	GET("memory_metrics.heap_fragmentation", get_unasked, 0,
	    "of none of its blocks the allocator told how large it is"),
	DIST_GETTERS("memory_metrics.lifetime", LIFETIME),
	IO_LIST("memory_metrics.lifetime_histogram", write_lifetimes),
	TOTAL("memory_metrics.mapped_bytes", get_counter, COUNTER_MAPPED_BYTES, NULL),
	TOTAL("memory_metrics.memory_bandwidth", get_io_rate, RATE_HEAP_BYTES, NOT_WITHIN),
	TOTAL("memory_metrics.page_faults", get_counter, COUNTERS(FAULT_MINOR, FAULT_MAJOR), NULL),
	TOTAL("memory_metrics.page_faults_major", get_counter, COUNTER_FAULT_MAJOR, NULL),
	TOTAL("memory_metrics.peak_bytes", get_heap, HEAP_PEAK_BYTES, NULL),
	TOTAL("memory_metrics.rss_growth_bytes", get_counter, COUNTER_RSS_GROWN, NULL),
	TOTAL("memory_metrics.total_bytes", get_counter, COUNTER_HEAP_ALLOC_BYTES, NULL),
	TOTAL("memory_metrics.unmapped_bytes", get_counter, COUNTER_UNMAPPED_BYTES, NULL),
	GET("native_id", get_native, 0, "the runtime's own id was not seen"),
	DIST_GETTERS("network_metrics.accept_latency", ACCEPT),
	TOTAL("network_metrics.again", get_io_sum, IO_SUM_NET_AGAIN, NULL),
	TOTAL("network_metrics.bytes_received", get_counter, COUNTER_NET_RECEIVED_BYTES, NULL),
	TOTAL("network_metrics.bytes_sent", get_counter, COUNTER_NET_SENT_BYTES, NULL),
	DIST_GETTERS("network_metrics.connect_latency", CONNECT),
	GET("network_metrics.connections_active", get_link_sum, LINK_ACTIVE, NULL),
	GET("network_metrics.connections_closed", get_link_sum, LINK_CLOSED, NULL),
	GET("network_metrics.connections_failed", get_link_sum, LINK_FAILED, NULL),
	GET("network_metrics.connections_met", get_link_sum, LINK_MET, NULL),
	GET("network_metrics.connections_opened", get_link_sum, LINK_OPENED, NULL),
	TOTAL("network_metrics.error_count", get_counter, COUNTER_NET_ERRORS, NULL),
	GET("network_metrics.latency_avg_ms", get_io_latency, LATENCY_SOCKET_MEAN,
	    "it neither sent nor received, or was not seen to begin to"),
	TOTAL("network_metrics.operations_received", get_counter, COUNTER_NET_RECEIVES, NULL),
	TOTAL("network_metrics.operations_sent", get_counter, COUNTER_NET_SENDS, NULL),
	GET("network_metrics.packets_received", get_packets, COUNTER_NET_PACKETS_RECEIVED,
	    NO_PACKETS),
	GET("network_metrics.packets_sent", get_packets, COUNTER_NET_PACKETS_SENT, NO_PACKETS),
	NETWORK_DIST_GETTERS,
	TOTAL("network_metrics.retransmissions", get_counter, COUNTER_NET_RETRANSMITS, NULL),
	GET("network_metrics.rtt_avg_ms", get_rtt, 0,
	    "no TCP connection of it that told its round trip time"),
	TOTAL("network_metrics.throughput_mbps", get_io_rate, RATE_NET_MBITS, NOT_WITHIN),
	GET("parent_task_id", get_parent, 0, "created before the recording, or by no known task"),
	GET("pid", get_u32, U32_PID, "not seen"),
	GET("runs.count", get_runs, HIST_COUNT, THREAD_HAS_NO_POLLS),
	GET("runs.max_ns", get_runs, HIST_MAX, THREAD_HAS_NO_POLLS),
	GET("runs.p50_ns", get_runs, 50, THREAD_HAS_NO_POLLS),
	GET("runs.p90_ns", get_runs, 90, THREAD_HAS_NO_POLLS),
	GET("runs.p99_ns", get_runs, 99, THREAD_HAS_NO_POLLS),
	GET("runs.total_ns", get_runs, HIST_TOTAL, THREAD_HAS_NO_POLLS),
	GET("runtime", get_text, TEXT_RUNTIME, "not known"),
	GET("seen_from_start", get_seen, 0, NULL),
	GET("start_time", get_time, TIME_START, "its beginning was not seen"),
	GET("state", get_text, TEXT_STATE, "not known"),
	GET("state_bytes", NULL, 0, "this version does not know the size of a task's state"),
	GET("task_id", get_id, 0, "not known"),
	GET("task_name", get_text, TEXT_NAME, "its name was not seen"),
	GET("tid", get_u32, U32_TID, "it was never seen to run"),
	TOTAL("time.blocked_disk_ns", get_counter, COUNTER_BLOCKED_DISK, NULL),
	TOTAL("time.blocked_lock_ns", get_counter, COUNTER_BLOCKED_LOCK, NULL),
	TOTAL("time.blocked_net_ns", get_counter, COUNTER_BLOCKED_NET, NULL),
	TOTAL("time.blocked_other_ns", get_counter, COUNTER_BLOCKED_OTHER, NULL),
	TOTAL("time.blocked_timer_ns", get_counter, COUNTER_BLOCKED_TIMER, NULL),
	TOTAL("time.idle_ns", get_counter, COUNTER_IDLE, NULL),
	TOTAL("time.on_cpu_ns", get_counter, COUNTER_ON_CPU, NULL),
	GET("time.pool_queue_ns", NULL, 0, "this version does not trace queues of thread pools"),
	GET("time.probe_ns", get_probe_ns, 0, "probes were not calibrated"),
	TOTAL("time.runqueue_ns", get_counter, COUNTER_RUNQUEUE, NULL),
	GET("time.self_ns", get_wall, WALL_SELF, NULL),
	TOTAL("time.stolen_ns", get_counter, COUNTER_STOLEN, NULL),
	GET("time.waiting_ns", get_wall, WALL_BETWEEN, THREAD_HAS_NO_POLLS),
	GET("time.wall_ns", get_wall, WALL_ALL, NULL),
	GET("wake_latency.count", get_wake, HIST_COUNT, NULL),
	GET("wake_latency.max_ns", get_wake, HIST_MAX, NULL),
	GET("wake_latency.p50_ns", get_wake, 50, NULL),
	GET("wake_latency.p90_ns", get_wake, 90, NULL),
	GET("wake_latency.p99_ns", get_wake, 99, NULL),
	GET("wake_latency.total_ns", get_wake, HIST_TOTAL, NULL),
	TOTAL("wakes.by_self", get_counter, COUNTER_WAKE_SELF, NULL),
	TOTAL("wakes.received", get_counter, COUNTER_WAKE_RECEIVED, NULL),
	TOTAL("wakes.sent", get_counter, COUNTER_WAKE_SENT, NULL),
};

const struct record_kind record_task = {
	.record = "task",
	.getters = getters,
	.getter_cnt = sizeof(getters) / sizeof(getters[0]),
};

static const char *const cap_reasons[] = {
#define X(id, name, reason) [CAP_##id] = reason,
	MODEL_CAPS(X)
#undef X
};

/* Why the field cannot be known here, or NULL. */
static const char *unavailable(const struct row *row, const struct schema_field *field,
			       const struct getter *getter)
{
	const struct cap_state *cap = &row->model->caps[field->cap];
	const char *why;

	if (field->audience == FOR_THREADS && !row->is_thread)
		return getter && getter->why ? getter->why : "known for threads only";
	if (field->audience == FOR_ASYNC && row->is_thread)
		return getter && getter->why ? getter->why : THREAD_HAS_NO_POLLS;
	if (field->cap == CAP_ALWAYS || cap->measured)
		return NULL;
	why = model__str(row->model, cap->reason);
	return *why ? why : cap_reasons[field->cap];
}

void row__value(struct value *value, const struct row *row, const struct schema_field *field,
		const struct getter *getter)
{
	const char *why = unavailable(row, field, getter);

	value->str[0] = '\0';
	value->text = value->str;
	value->why = NULL;
	if (why)
		value__null(value, why);
	else if (!getter)
		value__null(value, "this version does not record it");
	else if (getter->get)
		getter->get(value, row, getter);
	else if (getter->write)
		value__bool(value, true);
	else
		value__null(value, getter->why);
}

void row__of_task(struct row *row, const struct model *model, const struct analysis *analysis,
		  size_t task_idx)
{
	const struct task *task = &model->tasks[task_idx];
	uint64_t worst = (uint64_t)task->c[COUNTER_WAKE_LATENCY_MAX];
	uint64_t total = (uint64_t)task->c[COUNTER_WAKE_LATENCY];

	*row = (struct row){
		.model = model,
		.analysis = analysis,
		.idx = task_idx,
		.is_thread = task->runtime == RUNTIME_THREAD,
		.runs = task->runs,
		.wake = task->wake,
	};
	/* The buckets of the wire know neither; the counters do. */
	if (total > row->wake.total)
		row->wake.total = total;
	if (worst > row->wake.max)
		row->wake.max = worst;
}

void value__of_task(struct value *value, const struct model *model, const struct analysis *analysis,
		    size_t task_idx, const struct schema_field *field)
{
	struct row row;

	row__of_task(&row, model, analysis, task_idx);
	row__value(value, &row, field, getter__find(&record_task, field->path));
}
