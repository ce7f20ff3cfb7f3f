/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section "tasks": one row per task instance, one column per number. A column whose capability
 * the recording did not have is left out and described with its reason instead; html.c calls this.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/schema.h"
#include "report/sections.h"
#include "report/task_io.h"

struct row {
	const struct task *task;
	const struct task_result *result;
	const struct model *model;
};

enum heap_number {
	HEAP_CURRENT_BYTES,
	HEAP_CURRENT_CNT,
	HEAP_PEAK_BYTES,
	HEAP_FREED_BYTES,
	HEAP_FREED_CNT,
};

typedef int64_t (*get_fn)(const struct row *row, int arg);

struct task_column {
	struct column_doc doc;
	get_fn get;
	int arg;
};

static int64_t get_counter(const struct row *row, int counter)
{
	return row->task->c[counter];
}

/* Of two counters. */
#define BOTH(a, b) (COUNTER_##a | COUNTER_##b << 8)

static int64_t get_both(const struct row *row, int counters)
{
	int64_t sum;

	if (__builtin_add_overflow(row->task->c[counters & 0xff], row->task->c[counters >> 8],
				   &sum))
		return COLUMN_NULL;
	return sum;
}

static bool is_thread(const struct task *task)
{
	return task->runtime == RUNTIME_THREAD;
}

static int64_t get_runs(const struct row *row, int part)
{
	return is_thread(row->task) ? COLUMN_NULL : hist_part(&row->task->runs, part);
}

static int64_t get_wake(const struct row *row, int part)
{
	return hist_part(&row->task->wake, part);
}

enum half {
	HIGH,
	LOW,
};

/* 64 bits in two columns: a double holds 53, and the halves compress better. */
static int64_t get_id(const struct row *row, int half)
{
	return half == HIGH ? row->task->id >> 32 : row->task->id & UINT32_MAX;
}

static int64_t get_parent(const struct row *row, int half)
{
	if (!row->task->parent)
		return COLUMN_NULL;
	return half == HIGH ? row->task->parent >> 32 : row->task->parent & UINT32_MAX;
}

static int64_t get_native(const struct row *row, int half)
{
	if (row->task->flags & TASK_NATIVE_UNKNOWN)
		return COLUMN_NULL;
	return half == HIGH ? row->task->native >> 32 : row->task->native & UINT32_MAX;
}

static int64_t get_cpus(const struct row *row, int half)
{
	uint64_t mask = row->task->c[COUNTER_CPUS];

	if (row->model->meta.cpus > 64) /* the mask cannot name them all */
		return COLUMN_NULL;
	return half == HIGH ? mask >> 32 : mask & UINT32_MAX;
}

static int64_t get_class(const struct row *row, int arg)
{
	(void)arg;
	return row->task->class_idx < row->model->class_cnt ? row->task->class_idx : COLUMN_NULL;
}

static int64_t get_start(const struct row *row, int arg)
{
	(void)arg;
	return row->task->start_ns;
}

static int64_t get_end(const struct row *row, int arg)
{
	(void)arg;
	return row->task->end_ns == NO_TIME ? COLUMN_NULL : row->task->end_ns;
}

static int64_t get_wall(const struct row *row, int arg)
{
	(void)arg;
	return row->task->wall_ns;
}

/* Numbers of a hostile snapshot may be beyond any integer; time is never less than none. */
static int64_t difference(int64_t a, int64_t b)
{
	int64_t diff;

	return __builtin_sub_overflow(a, b, &diff) || diff < 0 ? 0 : diff;
}

static int64_t get_self(const struct row *row, int arg)
{
	(void)arg;
	return difference(row->task->wall_ns, row->task->c[COUNTER_CHILD_WALL]);
}

static int64_t get_waiting(const struct row *row, int arg)
{
	(void)arg;
	if (is_thread(row->task))
		return COLUMN_NULL;
	return difference(row->result->inside_ns, row->task->wall_ns);
}

static int64_t get_inside(const struct row *row, int arg)
{
	(void)arg;
	return row->result->inside_ns;
}

/* On-CPU time split by where the timer's ticks fell; the ticks themselves are too coarse to show. */
static int64_t get_mode(const struct row *row, int counter)
{
	const int64_t *c = row->task->c;
	double ticks = (double)c[COUNTER_TICKS_USER] + c[COUNTER_TICKS_KERNEL];

	if (!is_thread(row->task) || (ticks < 5 && c[COUNTER_ON_CPU] > 0))
		return COLUMN_NULL;
	if (ticks <= 0)
		return 0;
	/* a hostile snapshot's numbers: the conversion below must be defined */
	if (c[COUNTER_ON_CPU] < 0 || c[COUNTER_ON_CPU] > INT64_MAX / 2 || c[counter] < 0 ||
	    c[counter] > ticks)
		return COLUMN_NULL;
	return c[COUNTER_ON_CPU] * (c[counter] / ticks);
}

static int64_t get_uses(const struct row *row, int number)
{
	return task_io(row->model, row->task, number);
}

static int64_t get_thread(const struct row *row, int arg)
{
	(void)arg;
	return row->task->tid ? row->task->tid : COLUMN_NULL;
}

static int64_t get_process(const struct row *row, int arg)
{
	(void)arg;
	return row->task->tgid ? row->task->tgid : COLUMN_NULL;
}

static int64_t get_from_start(const struct row *row, int arg)
{
	(void)arg;
	return !!(row->task->flags & TASK_SEEN_FROM_START);
}

static int64_t get_forced(const struct row *row, int arg)
{
	(void)arg;
	return row->task->forced_cnt;
}

static int64_t get_slices_lost(const struct row *row, int arg)
{
	(void)arg;
	return row->task->slices_lost > INT64_MAX ? INT64_MAX : (int64_t)row->task->slices_lost;
}

#define COUNTER(name, path, doc, cap, counter)                                                     \
	{                                                                                          \
		{name, path, doc, CAP_##cap}, get_counter, COUNTER_##counter                       \
	}
#define WAKE(name, part, doc)                                                                      \
	{                                                                                          \
		{"wake_" name, "wake_latency." name, doc, CAP_WAKES}, get_wake, HIST_##part        \
	}
#define RUNS(name, part, doc)                                                                      \
	{                                                                                          \
		{"runs_" name, "runs." name, doc, CAP_RUNS}, get_runs, HIST_##part                 \
	}

static int64_t get_heap(const struct row *row, int number)
{
	const struct heap_sums *heap = &row->task->heap;
	const uint64_t vals[] = {
		[HEAP_CURRENT_BYTES] = heap->current_bytes, [HEAP_CURRENT_CNT] = heap->current_cnt,
		[HEAP_PEAK_BYTES] = heap->peak_bytes,       [HEAP_FREED_BYTES] = heap->freed_bytes,
		[HEAP_FREED_CNT] = heap->freed_cnt,
	};

	return vals[number] > INT64_MAX ? INT64_MAX : (int64_t)vals[number];
}

#define HEAP(name, path, number)                                                                   \
	{                                                                                          \
		{name, "memory_metrics." path, "", CAP_HEAP_LIVE}, get_heap, HEAP_##number         \
	}
#define USES(name, path, cap, number)                                                              \
	{                                                                                          \
		{name, path, "", CAP_##cap}, get_uses, TASK_##number                               \
	}

/* The path leads to the schema's text; the text here is for what the schema does not have. */
static const struct task_column columns[] = {
	{{"tid", NULL, "thread part of the task's id", CAP_ALWAYS}, get_id, HIGH},
	{{"seq", NULL, "sequence part of the task's id", CAP_ALWAYS}, get_id, LOW},
	{{"parent_tid", NULL, "the task that created it", CAP_ALWAYS}, get_parent, HIGH},
	{{"parent_seq", NULL, "the task that created it", CAP_ALWAYS}, get_parent, LOW},
	{{"native_hi", NULL, "the runtime's own id", CAP_ALWAYS}, get_native, HIGH},
	{{"native_lo", NULL, "the runtime's own id", CAP_ALWAYS}, get_native, LOW},
	{{"class", NULL, "tasks of one kind", CAP_ALWAYS}, get_class, 0},
	{{"process", NULL, "the process that it runs in", CAP_ALWAYS}, get_process, 0},
	{{"thread", NULL, "the thread that ran it last", CAP_ALWAYS}, get_thread, 0},
	{{"start", "start_time", "when it began", CAP_ALWAYS}, get_start, 0},
	{{"end", "end_time", "when it ended", CAP_ALWAYS}, get_end, 0},
	{{"from_start", "seen_from_start", "its beginning was seen", CAP_ALWAYS},
	 get_from_start,
	 0},
	{{"wall", "time.wall_ns", "time in its frames", CAP_ALWAYS}, get_wall, 0},
	{{"self", "time.self_ns", "wall time without inner frames", CAP_ALWAYS}, get_self, 0},
	{{"inside", NULL, "wall time within the recording", CAP_ALWAYS}, get_inside, 0},
	{{"waiting", "time.waiting_ns", "between its runs", CAP_RUNS}, get_waiting, 0},
	COUNTER("run", "time.on_cpu_ns", "on a CPU", CPU, ON_CPU),
	COUNTER("runq", "time.runqueue_ns", "ready, waiting for a CPU", WAITS, RUNQUEUE),
	COUNTER("disk", "time.blocked_disk_ns", "blocked by the disk", WAITS, BLOCKED_DISK),
	COUNTER("net", "time.blocked_net_ns", "blocked by the network", WAITS, BLOCKED_NET),
	COUNTER("lock", "time.blocked_lock_ns", "blocked by a lock", WAITS, BLOCKED_LOCK),
	COUNTER("timer", "time.blocked_timer_ns", "sleeping", WAITS, BLOCKED_TIMER),
	COUNTER("other", "time.blocked_other_ns", "blocked by what is unclear", WAITS,
		BLOCKED_OTHER),
	COUNTER("idle", "time.idle_ns", "waiting for work", WAITS, IDLE),
	COUNTER("wakes", "wakes.received", "times it was woken", WAKES, WAKE_RECEIVED),
	COUNTER("wakes_self", "wakes.by_self", "times it woke itself", WAKES, WAKE_SELF),
	COUNTER("wakes_sent", "wakes.sent", "times it woke others", WAKES, WAKE_SENT),
	WAKE("count", CNT, "wakes with a known latency"),
	WAKE("total_ns", TOTAL, "woken until running, summed"),
	WAKE("p50_ns", P50, "woken until running"),
	WAKE("p90_ns", P90, "woken until running"),
	WAKE("p99_ns", P99, "woken until running"),
	WAKE("max_ns", MAX, "woken until running, longest"),
	RUNS("count", CNT, "polls or callbacks"),
	RUNS("total_ns", TOTAL, "polls or callbacks, summed"),
	RUNS("p50_ns", P50, "a poll or callback"),
	RUNS("p90_ns", P90, "a poll or callback"),
	RUNS("p99_ns", P99, "a poll or callback"),
	RUNS("max_ns", MAX, "the longest poll or callback"),
	{{"user", "cpu_metrics.time_user_ms", "in user mode", CAP_CPU},
	 get_mode,
	 COUNTER_TICKS_USER},
	{{"kernel", "cpu_metrics.time_kernel_ms", "in the kernel", CAP_CPU},
	 get_mode,
	 COUNTER_TICKS_KERNEL},
	{{"switches", "cpu_metrics.context_switches", "switches", CAP_WAITS},
	 get_both,
	 BOTH(SWITCH_VOLUNTARY, SWITCH_INVOLUNTARY)},
	COUNTER("preempted", "cpu_metrics.context_switches_involuntary", "preempted", WAITS,
		SWITCH_INVOLUNTARY),
	COUNTER("cycles", "cpu_metrics.cpu_cycles", "CPU cycles", CYCLES, HW_CYCLES),
	COUNTER("instructions", "cpu_metrics.instructions", "instructions", INSTRUCTIONS,
		HW_INSTRUCTIONS),
	COUNTER("cache_misses", "cpu_metrics.cache_misses", "cache misses", CACHE_MISSES,
		HW_CACHE_MISSES),
	COUNTER("branch_misses", "cpu_metrics.branch_misses", "branch misses", BRANCH_MISSES,
		HW_BRANCH_MISSES),
	{{"cpus_hi", "cpu_metrics.core_affinity", "CPUs 32..63", CAP_CPU}, get_cpus, HIGH},
	{{"cpus_lo", "cpu_metrics.core_affinity", "CPUs 0..31", CAP_CPU}, get_cpus, LOW},
	{{"faults", "memory_metrics.page_faults", "page faults", CAP_FAULTS},
	 get_both,
	 BOTH(FAULT_MINOR, FAULT_MAJOR)},
	COUNTER("faults_major", NULL, "page faults that waited for the disk", FAULTS, FAULT_MAJOR),
	HEAP("heap_held", "current_bytes", CURRENT_BYTES),
	HEAP("heap_blocks", "current_blocks", CURRENT_CNT),
	HEAP("heap_peak", "peak_bytes", PEAK_BYTES),
	COUNTER("heap_bytes", "memory_metrics.total_bytes", "", HEAP, HEAP_ALLOC_BYTES),
	COUNTER("heap_allocs", "memory_metrics.allocations_count", "", HEAP, HEAP_ALLOCS),
	HEAP("heap_freed", "freed_bytes", FREED_BYTES),
	HEAP("heap_freed_cnt", "deallocations_count", FREED_CNT),
	COUNTER("heap_frees", "memory_metrics.frees_made", "", HEAP, HEAP_FREES),
	COUNTER("rss_grown", "memory_metrics.rss_growth_bytes", "", RSS, RSS_GROWN),
	COUNTER("mapped", "memory_metrics.mapped_bytes", "", IO, MAPPED_BYTES),
	COUNTER("unmapped", "memory_metrics.unmapped_bytes", "", IO, UNMAPPED_BYTES),
	{{"io_bytes", NULL, "read and written: files, pipes and all else that is no socket",
	  CAP_IO},
	 get_both,
	 BOTH(IO_READ_BYTES, IO_WRITE_BYTES)},
	COUNTER("io_read", "io_metrics.bytes_read", "", IO, IO_READ_BYTES),
	COUNTER("io_written", "io_metrics.bytes_written", "", IO, IO_WRITE_BYTES),
	COUNTER("io_reads", "io_metrics.operations_read", "", IO, IO_READS),
	COUNTER("io_writes", "io_metrics.operations_written", "", IO, IO_WRITES),
	USES("io_syncs", "io_metrics.syncs", IO, IO_SYNCS),
	COUNTER("io_errors", "io_metrics.errors", "", IO, IO_ERRORS),
	COUNTER("io_time", NULL, "in operations on files on storage", IO, IO_TIME),
	USES("io_mean", "io_metrics.average_latency_ms", IO, IO_MEAN),
	USES("io_p99", "io_metrics.p99_latency_ms", IO, IO_P99),
	USES("io_calls", "io_metrics.latency.count", IO, IO_CALLS),
	COUNTER("disk_read", "io_metrics.disk_bytes_read", "", DISK_BYTES, DISK_READ_BYTES),
	COUNTER("disk_written", "io_metrics.disk_bytes_written", "", DISK_BYTES, DISK_WRITE_BYTES),
	{{"net_bytes", NULL, "sent and received on sockets", CAP_NETWORK},
	 get_both,
	 BOTH(NET_SENT_BYTES, NET_RECEIVED_BYTES)},
	COUNTER("net_sent", "network_metrics.bytes_sent", "", NETWORK, NET_SENT_BYTES),
	COUNTER("net_received", "network_metrics.bytes_received", "", NETWORK, NET_RECEIVED_BYTES),
	COUNTER("net_sends", "network_metrics.operations_sent", "", NETWORK, NET_SENDS),
	COUNTER("net_receives", "network_metrics.operations_received", "", NETWORK, NET_RECEIVES),
	USES("packets_sent", "network_metrics.packets_sent", NETWORK, PACKETS_SENT),
	USES("packets_received", "network_metrics.packets_received", NETWORK, PACKETS_RECEIVED),
	USES("conns_active", "network_metrics.connections_active", NETWORK, LINKS_ACTIVE),
	USES("conns_opened", "network_metrics.connections_opened", NETWORK, LINKS_OPENED),
	USES("conns_failed", "network_metrics.connections_failed", NETWORK, LINKS_FAILED),
	COUNTER("net_errors", "network_metrics.error_count", "", NETWORK, NET_ERRORS),
	COUNTER("net_retransmits", "network_metrics.retransmissions", "", NETWORK, NET_RETRANSMITS),
	COUNTER("net_time", NULL, "in operations on sockets, waiting included", NETWORK, NET_TIME),
	USES("net_mean", "network_metrics.latency_avg_ms", NETWORK, NET_MEAN),
	USES("rtt", "network_metrics.rtt_avg_ms", NETWORK, RTT),
	USES("request_count", "network_metrics.request_latency.count", NETWORK, REQUEST_CNT),
	USES("request_p99_ns", "network_metrics.request_latency.p99_ns", NETWORK, REQUEST_P99),
	USES("response_count", "network_metrics.response_latency.count", NETWORK, RESPONSE_CNT),
	USES("response_p99_ns", "network_metrics.response_latency.p99_ns", NETWORK, RESPONSE_P99),
	COUNTER("probe_hits", NULL, "probes that fired in it", ALWAYS, PROBE_HITS),
	{{"forced", NULL, "frames whose end was inferred", CAP_ALWAYS}, get_forced, 0},
	{{"slices_lost", NULL, "pieces of it that were lost", CAP_ALWAYS}, get_slices_lost, 0},
};
#define COLUMN_CNT (sizeof(columns) / sizeof(*columns))

/* Fields of the schema that this page has no column for: the reader is told why. */
static const char *const unmeasured_groups[] = {
	"efficiency_score",
	"source_location.file_path",
};

static const char *get_model_str(const void *ctx, uint64_t id)
{
	return model__str(ctx, id);
}

static const char *get_cause(const void *ctx, uint64_t idx)
{
	const struct analysis *analysis = ctx;

	return analysis->tasks[idx].cause;
}

struct enum_column {
	const char *name;
	const char *(*get)(unsigned int val);
	unsigned int cnt;
};

static const struct enum_column enums[] = {
	{"runtime", runtime_name, RUNTIME_CNT},
	{"state", state_name, STATE_CNT},
	{"binding", binding_name, BINDING_CNT},
	{"bottleneck", bottleneck_name, BOTTLENECK_CNT},
};

static unsigned int enum_of(const struct row *row, size_t column)
{
	switch (column) {
	case 0:
		return row->task->runtime;
	case 1:
		return row->task->state;
	case 2:
		return row->task->binding;
	}
	return row->result->bottleneck;
}

static const char *get_enum(const void *ctx, uint64_t val)
{
	const struct enum_column *column = ctx;

	return val < column->cnt ? column->get(val) : "unknown";
}

/* Causes are few texts behind many pointers: each row takes the index of a task with its text. */
static void add_causes(struct columns *out, const struct analysis *analysis, int64_t *vals)
{
	struct map64 first = {0};
	uint64_t at;

	for (size_t i = 0; i < out->rows; i++) {
		const char *cause = analysis->tasks[i].cause;

		vals[i] = COLUMN_NULL;
		if (!cause)
			continue;
		if (!map64__get(&first, (uintptr_t)cause, &at)) {
			at = i;
			if (map64__set(&first, (uintptr_t)cause, at))
				out->err = -ENOMEM;
		}
		vals[i] = at;
	}
	map64__free(&first);
	columns__add_strings(out, "cause", vals, get_cause, analysis);
}

static void add_strings(struct columns *out, const struct analysis *analysis, int64_t *vals)
{
	const struct model *model = analysis->model;

	for (size_t i = 0; i < out->rows; i++)
		vals[i] = model->tasks[i].name;
	columns__add_strings(out, "name", vals, get_model_str, model);
	for (size_t at = 0; at < sizeof(enums) / sizeof(*enums); at++) {
		for (size_t i = 0; i < out->rows; i++) {
			struct row row = {&model->tasks[i], &analysis->tasks[i], model};

			vals[i] = enum_of(&row, at);
		}
		columns__add_strings(out, enums[at].name, vals, get_enum, &enums[at]);
	}
	add_causes(out, analysis, vals);
}

/* The descriptions stand before the columns; which ones have values is remembered in `present`. */
static void describe(struct columns *out, const struct model *model, bool present[COLUMN_CNT])
{
	json__key(&out->head, "fields");
	json__arr_begin(&out->head);
	for (size_t at = 0; at < COLUMN_CNT; at++)
		present[at] = column__describe(&out->head, model, &columns[at].doc);
	for (size_t i = 0; i < sizeof(unmeasured_groups) / sizeof(*unmeasured_groups); i++) {
		struct column_doc doc = {unmeasured_groups[i], unmeasured_groups[i], "",
					 CAP_ALWAYS};

		if (schema__find("task", unmeasured_groups[i]))
			column__describe(&out->head, model, &doc);
	}
	json__arr_end(&out->head);
	json__kv_i64(&out->head, "duration",
		     model->meta.duration_ns == NO_TIME ? 0 : model->meta.duration_ns);
}

int section_tasks(const struct model *model, const struct analysis *analysis, FILE *file)
{
	int64_t *vals = malloc((model->task_cnt ? model->task_cnt : 1) * sizeof(*vals));
	struct columns out;
	bool present[COLUMN_CNT];
	int err;

	columns__start(&out, model->task_cnt);
	if (!vals) {
		out.err = -ENOMEM;
		goto cleanup;
	}
	describe(&out, model, present);
	add_strings(&out, analysis, vals);
	for (size_t at = 0; at < COLUMN_CNT; at++) {
		if (!present[at])
			continue;
		for (size_t i = 0; i < model->task_cnt; i++) {
			struct row row = {&model->tasks[i], &analysis->tasks[i], model};

			vals[i] = columns[at].get(&row, columns[at].arg);
		}
		columns__add(&out, columns[at].doc.name, vals);
	}

cleanup:
	err = columns__finish(&out, "as-tasks", file);
	free(vals);
	return err;
}
