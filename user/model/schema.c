/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of everything that a recording may say: one row per field, in output order. The rows
 * of a record stand together, and so do those of one sub-object. Walked by export/, printed by
 * `asyncscope-bpf schema`, held against the outputs by tests/unit/test_schema.c.
 */
#include "model/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event/event.h"
#include "model/schema_rows.h"

#define FIELD(record, path, type, cap, audience, doc)                                              \
	{                                                                                          \
		record, path, TYPE_##type, CAP_##cap, FOR_##audience, doc                          \
	}
#define META(path, type, cap, doc)                FIELD("meta", path, type, cap, ALL, doc)
#define TASK(path, type, cap, doc)                FIELD("task", path, type, cap, ALL, doc)
#define TASK_FOR(audience, path, type, cap, doc)  FIELD("task", path, type, cap, audience, doc)
#define CLASS(path, type, cap, doc)               FIELD("class", path, type, cap, ALL, doc)
#define CLASS_FOR(audience, path, type, cap, doc) FIELD("class", path, type, cap, audience, doc)
#define SLICE(path, type, cap, doc)               FIELD("slice", path, type, cap, ALL, doc)
#define EDGE(path, type, cap, doc)                FIELD("edge", path, type, cap, ALL, doc)
#define FILE_ROW(path, type, cap, doc)            FIELD("file", path, type, cap, ALL, doc)
#define STACK(path, type, cap, doc)               FIELD("stack", path, type, cap, ALL, doc)
#define CONN(path, type, cap, doc)                FIELD("connection", path, type, cap, ALL, doc)
#define SERIES(path, type, cap, doc)              FIELD("series", path, type, cap, ALL, doc)
#define FINDING(path, type, cap, doc)             FIELD("finding", path, type, cap, ALL, doc)
#define COUNTER(path, type, cap, doc)             FIELD("counter", path, type, cap, ALL, doc)

#define CLASS_STATS(audience, path, type, cap, doc)                                                \
	FIELD("class", path, OBJ, cap, audience,                                                   \
	      "{total, mean, p50, p99, max} over its tasks: " doc)

const struct schema_field schema_fields[] = {
	META("version", STR, ALWAYS, "of asyncscope-bpf"),
	META("options", STR, ALWAYS, "the recording's command line options"),
	META("host.kernel", STR, ALWAYS, "release of the running kernel"),
	META("host.arch", STR, ALWAYS, "machine architecture"),
	META("host.cpus", INT, ALWAYS, "CPUs online"),
	META("host.hostname", STR, ALWAYS, ""),
	META("target.pid", INT, ALWAYS, "the first target's process id"),
	META("target.exe", STR, ALWAYS, "path of the executable"),
	META("target.comm", STR, ALWAYS, "the kernel's name of the process"),
	META("target.cmdline", STR, ALWAYS, "arguments; what looks like a secret is masked"),
	META("target.start_time", NS, ALWAYS,
	     "when the process began; negative: before the recording"),
	META("target.uid", INT, ALWAYS, "user that it runs as"),
	META("target.container", STR, ALWAYS, "container id from its cgroup"),
	META("target.namespaces", STR, ALWAYS, "namespaces that differ from the recorder's own"),
	META("target.processes", INT, ALWAYS, "processes recorded"),
	META("started_at", STR, ALWAYS, "wall clock, UTC, when the recording was armed"),
	META("duration_ns", NS, ALWAYS, "length of the recording"),
	META("attached_ns", NS, ALWAYS, "time until the first event"),
	META("stop_reason", STR, ALWAYS, "why the recording ended"),
	META("runtimes", LIST, ALWAYS,
	     "[{name, version, binding, confidence, reason}]: what was found in the target"),
	META("sources", OBJ, ALWAYS, "{capability: what it was measured with}"),
	META("overhead.tracer_cpu_percent", NUM, ALWAYS, "the recorder's own CPU use, of one CPU"),
	META("overhead.probe_cpu_percent", NUM, PROBE_PRICE,
	     "probe hits x calibrated price in the target, of one CPU"),
	META("overhead.host_hook_cpu_percent", NUM, ALWAYS,
	     "what the kernel hooks cost all processes of this host, of one CPU"),
	META("overhead.kernel_memory_bytes", INT, ALWAYS, "maps and programs in the kernel"),
	META("overhead.tracer_rss_bytes", INT, ALWAYS, "the recorder's own memory, at most"),
	META("overhead.probe_hits", INT, ALWAYS, "probes hit in the target"),
	META("overhead.probe_price_ns", INT, PROBE_PRICE, "calibrated price of one hit"),
	META("overhead.budget_percent", NUM, ALWAYS,
	     "what the recording may cost, of the target's CPU use (--max-overhead); 0: no limit"),
	META("overhead.backoffs", LIST, ALWAYS,
	     "[{at_ns, what, from, to, reason}]: steps down, and up again, that kept the budget"),
	META("overhead.estimates", OBJ, ALWAYS,
	     "{capability: how many each counted one stands for}; records name the fields in "
	     "`estimated`"),
	META("heap.live_bytes", INT, HEAP_LIVE,
	     "held when the recording ended of what was allocated since it began, by all tasks"),
	META("heap.live_blocks", INT, HEAP_LIVE, "how many blocks these are"),
	META("heap.allocator_free_bytes", INT, HEAP,
	     "of the allocator's resident memory what nobody uses, at the end; a lower bound: what it "
	     "keeps at hand for its threads looks used"),
	META("heap.allocator_resident_bytes", INT, HEAP,
	     "resident memory of the allocator's heaps; large blocks with a mapping of their own aside"),
	META("heap.fragmentation", NUM, HEAP, "the first's share of the second, 0..1"),
	META("losses", OBJ, ALWAYS,
	     "{cause: count}; what each means stands in the counter records"),
	META("tasks_folded", INT, ALWAYS, "ended tasks summed into their class to save memory"),
	META("symbols.frames", INT, STACKS, "stack frames seen"),
	META("symbols.symbolised", INT, STACKS, "of these with a name"),
	META("symbols.files", LIST, STACKS, "files that frames came from"),

	CLASS("class_id", STR, ALWAYS, "the same in every recording of this build"),
	CLASS("name", STR, ALWAYS, "type, callback, or the name that its threads share"),
	CLASS("runtime", STR, ALWAYS, "runtime of its tasks"),
	CLASS("source_location", OBJ, SOURCE, "as in a task"),
	CLASS("counts.total", INT, ALWAYS, "its tasks"),
#define X(id, name) CLASS("counts." #name, INT, ALWAYS, "of these " #name " at the end"),
	WIRE_STATES(X)
#undef X
		CLASS("completion_rate_percent", NUM, ALWAYS, "completed of all its tasks"),
	CLASS("throughput_per_sec", NUM, ALWAYS, "tasks completed per second"),
	CLASS("duration_ms", OBJ, ALWAYS,
	      "{total, mean, p50, p99, max} over its tasks: length of life"),
	DURATIONS(CLASS_FOR, ASYNC, "runs", RUNS, "polls or callbacks of all its tasks"),
	DURATIONS(CLASS_FOR, ALL, "wake_latency", WAKES, "woken until running, all its tasks"),
	TIME_METRICS(CLASS_STATS),
	WAKE_METRICS(CLASS_STATS),
	CPU_METRICS(CLASS_STATS),
	MEMORY_METRICS(CLASS_STATS),
	MEMORY_DURATIONS(CLASS_FOR),
	MEMORY_LISTS(CLASS),
	IO_METRICS(CLASS_STATS),
	IO_DURATIONS(CLASS_FOR),
	IO_LISTS(CLASS),
	NETWORK_METRICS(CLASS_STATS),
	NETWORK_DURATIONS(CLASS_FOR),
	CLASS("gpu_metrics", OBJ, GPU, "as in a task"),
	HOTSPOT_LISTS(CLASS),
	CLASS("leaked.tasks", INT, HEAP_LIVE, "ended tasks that still hold memory"),
	CLASS("leaked.bytes", INT, HEAP_LIVE, "what they hold"),
	CLASS("state_bytes.total", INT, ALWAYS, "size of its futures, handles or requests"),
	CLASS("state_bytes.mean", NUM, ALWAYS, ""),
	CLASS("state_bytes.max", INT, ALWAYS, ""),

	TASK("task_id", STR, ALWAYS, "unique in the recording: thread that made it, and a number"),
	TASK("native_id", STR, ALWAYS, "the runtime's own id; for a thread its tid"),
	TASK("pid", INT, ALWAYS, "its process"),
	TASK("tid", INT, ALWAYS, "the thread; for other tasks the last one that ran it"),
	TASK("runtime", STR, ALWAYS, "what the task is one of: thread, marks, ..."),
	TASK("task_name", STR, ALWAYS, "readable name, written by the target"),
	TASK("class_id", STR, ALWAYS, "its class"),
	TASK("task_type", STR, SCORES,
	     "CpuIntensive, IoIntensive, NetworkIntensive, MemoryIntensive, GpuCompute, Mixed, "
	     "Streaming, Background"),
	TASK("state", STR, ALWAYS, "at the end of the recording, or as it ended"),
	TASK("parent_task_id", STR, ALWAYS, "who created it"),
	TASK("spawn_location", STR, SOURCE, "file and line that created it"),
	TASK("start_time", NS, ALWAYS, "negative: it existed before the recording (an estimate)"),
	TASK("end_time", NS, ALWAYS, "when it ended"),
	TASK("duration_ms", NUM, ALWAYS, "length of life, until the recording's end at most"),
	TASK("seen_from_start", BOOL, ALWAYS, "false: it existed before attaching"),
	TASK("source_location.file_path", STR, SOURCE, "where its code is"),
	TASK("source_location.line_number", INT, SOURCE, ""),
	TASK("source_location.function_name", STR, SOURCE, ""),
	TASK("source_location.module_path", STR, SOURCE, ""),
	TASK("source_location.crate_name", STR, SOURCE, ""),
	TASK("binding", STR, ALWAYS, "how its identity was learned"),
	TASK_FOR(ASYNC, "state_bytes", INT, ALWAYS, "size of its future, handle or request"),
	DURATIONS(TASK_FOR, ASYNC, "runs", RUNS, "polls or callbacks"),
	DURATIONS(TASK_FOR, ALL, "wake_latency", WAKES, "woken until running"),
	TIME_METRICS(TASK_FOR),
	WAKE_METRICS(TASK_FOR),
	CPU_METRICS(TASK_FOR),
	TASK("cpu_metrics.core_affinity", LIST, CPU, "CPUs that it ran on"),
	MEMORY_METRICS(TASK_FOR),
	MEMORY_DURATIONS(TASK_FOR),
	MEMORY_LISTS(TASK),
	IO_METRICS(TASK_FOR),
	IO_DURATIONS(TASK_FOR),
	IO_LISTS(TASK),
	NETWORK_METRICS(TASK_FOR),
	NETWORK_DURATIONS(TASK_FOR),
	TASK("gpu_metrics.gpu_utilization", NUM, GPU, "percent"),
	TASK("gpu_metrics.memory_used", INT, GPU, "bytes"),
	TASK("gpu_metrics.memory_total", INT, GPU, "bytes"),
	TASK("gpu_metrics.compute_units", INT, GPU, ""),
	TASK("gpu_metrics.memory_bandwidth", NUM, GPU, "bytes per second"),
	TASK("gpu_metrics.temperature", NUM, GPU, "degrees Celsius"),
	TASK("gpu_metrics.power_draw", NUM, GPU, "watts"),
	TASK("gpu_metrics.clock_speed", NUM, GPU, "MHz"),
	TASK("efficiency_score", NUM, SCORES, "0..1"),
	TASK("resource_balance", NUM, SCORES, "0..1"),
	TASK("bottleneck_type", STR, WAITS,
	     "what most of its busy or blocked life went to: Cpu, Memory, Io, Network, Gpu; Balanced: "
	     "two about equal; Unknown: a lock, an unclear cause, or mostly idle"),
	TASK("bottleneck_cause", STR, WAITS,
	     "the same in words: on CPU, run queue, disk, lock, ..."),
	TASK("efficiency_explanation.components.cpu", NUM, SCORES, "0..1"),
	TASK("efficiency_explanation.components.memory", NUM, SCORES, "0..1"),
	TASK("efficiency_explanation.components.io", NUM, SCORES, "0..1"),
	TASK("efficiency_explanation.components.network", NUM, SCORES, "0..1"),
	TASK("efficiency_explanation.components.scheduling", NUM, SCORES, "0..1"),
	TASK("efficiency_explanation.inputs", OBJ, SCORES, "the numbers that the formula used"),
	TASK("efficiency_explanation.recommendations", LIST, SCORES,
	     "[{category, description, impact, difficulty, expected_gain, how_to_verify}]"),
	TASK("efficiency_explanation.optimization_potential", NUM, SCORES, "0..1"),
	TASK("hot_metrics.cpu_hotspots", LIST, STACKS, "[{function, ms, percent, calls}]"),
	HOTSPOT_LISTS(TASK),
	TASK("hot_metrics.critical_path_analysis", OBJ, STACKS,
	     "{total_ms, critical_ms, parallelisation_potential, blocking_operations}"),
	TASK("baseline_comparison", OBJ, SCORES, "percent against the average of its type"),
	TASK("category_ranking", OBJ, SCORES, "{rank, total} within its type"),

	EDGE("from_task_id", STR, ALWAYS, "who did it"),
	EDGE("to_task_id", STR, ALWAYS, "to whom"),
	EDGE("kind", STR, ALWAYS, "spawn, wake, submit"),
	EDGE("count", INT, ALWAYS, "how often"),
	EDGE("total_delay_ns", NS, WAKES, "from the wake until the woken one ran, summed"),
	EDGE("max_delay_ns", NS, WAKES, "the longest of these"),

	SLICE("task_id", STR, ALWAYS, ""),
	SLICE("tid", INT, ALWAYS, "thread that it ran on"),
	SLICE("cpu", INT, ALWAYS, "CPU at its end"),
	SLICE("start_ns", NS, ALWAYS, ""),
	SLICE("duration_ns", NS, ALWAYS, ""),
	SLICE("depth", INT, ALWAYS, "frames around it; 0 is the thread itself"),
	SLICE("partial", BOOL, ALWAYS, "true: a piece of a longer one"),
	SLICE("on_cpu_ns", NS, CPU, "as in a task's time; what was charged in this piece"),
	SLICE("runqueue_ns", NS, WAITS, ""),
	SLICE("blocked_disk_ns", NS, WAITS, ""),
	SLICE("blocked_net_ns", NS, WAITS, ""),
	SLICE("blocked_lock_ns", NS, WAITS, ""),
	SLICE("blocked_timer_ns", NS, WAITS, ""),
	SLICE("blocked_other_ns", NS, WAITS, ""),
	SLICE("idle_ns", NS, WAITS, ""),

	STACK("stack_id", STR, ALWAYS, "the same for the same frames"),
	STACK("kind", STR, ALWAYS,
	      "alloc: what was allocated there; live: what of it is held when the recording ends"),
	STACK("class_id", STR, ALWAYS, "of whose tasks"),
	STACK("task_id", STR, ALWAYS, "the task, where it is of one"),
	STACK("frames", LIST, ALWAYS,
	      "[{site, function, module}], innermost first; a key only where it is known"),
	STACK("samples", INT, ALWAYS, "allocations, or blocks"),
	STACK("weight", NUM, ALWAYS,
	      "what one that was seen stands for on average; contained in samples and bytes"),
	STACK("bytes", INT, ALWAYS, ""),
	STACK("ns", NS, ALWAYS, "of kinds that are of time"),
	STACK("truncated", BOOL, ALWAYS, "true: there were more frames"),

	FILE_ROW("path", STR, IO, "as the target names it, a disk's name, or the kind: [pipe]"),
	FILE_ROW("kind", STR, IO,
		 "file, directory, block device, pipe, eventfd, terminal, ..., disk"),
	FILE_ROW("device", STR, IO, "MAJOR:MINOR of its file system, or of the disk"),
	FILE_ROW("inode", INT, IO, ""),
	FILE_ROW("deleted", BOOL, IO, "true: it had no name any more"),
	FILE_ROW("path_whole", BOOL, IO,
		 "false: the path's beginning is missing, or outside of the target's root"),
	FILE_ROW("task_id", STR, IO, "who did it"),
	FILE_ROW("class_id", STR, IO, "its class; without a task: the folded ones of that class"),
	FILE_ROW("operations", INT, IO,
		 "reads, writes and syncs that succeeded; of a disk requests"),
	FILE_ROW("bytes", INT, IO, "read and written"),
	FILE_ROW("errors", INT, IO, "calls that failed"),
	FILE_ROW("again", INT, IO, "calls of no effect: would block, or interrupted"),
	FILE_ROW("time_ns", NS, IO, "what reads, writes and syncs took"),
	FILE_ROW("latency_ns", NS, IO, "mean of these"),
	USE_ROWS(FILE_ROW, "read", IO, "reads"),
	USE_ROWS(FILE_ROW, "write", IO, "writes"),
	USE_ROWS_PLAIN(FILE_ROW, "sync", IO, "fsync and its like"),
	USE_ROWS_PLAIN(FILE_ROW, "open", IO, "times it was opened"),
	USE_ROWS(FILE_ROW, "fault", IO, "pages of the mapped file that had to be fetched"),
	USE_ROWS(FILE_ROW, "disk_read", DISK, "requests to the device, issue to completion"),
	USE_ROWS(FILE_ROW, "disk_write", DISK, "the same for writes and flushes"),

	CONN("peer", STR, NETWORK, "address and port; of accepted connections the address"),
	CONN("local", STR, NETWORK, "the own end of accepted connections and listening sockets"),
	CONN("protocol", STR, NETWORK, "tcp, udp, unix, or socket for any other family"),
	CONN("role", STR, NETWORK, "client, server (accepted), listener, datagram, unknown"),
	CONN("task_id", STR, NETWORK, "who did it"),
	CONN("class_id", STR, NETWORK, "its class; without a task: the folded ones of that class"),
	CONN("operations", INT, NETWORK, "sends and receives that succeeded"),
	CONN("bytes", INT, NETWORK, "sent and received"),
	CONN("errors", INT, NETWORK, "calls that failed"),
	CONN("again", INT, NETWORK, "calls of no effect: would block, or interrupted"),
	CONN("time_ns", NS, NETWORK, "what sends and receives took, with the waiting in them"),
	CONN("latency_ns", NS, NETWORK, "mean of these"),
	USE_ROWS(CONN, "sent", NETWORK, "sends"),
	USE_ROWS(CONN, "received", NETWORK, "receives"),
	USE_ROWS_PLAIN(CONN, "connect", NETWORK, "connects, until established"),
	USE_ROWS_PLAIN(CONN, "accept", NETWORK, "accepts: established until accepted"),
	USE_ROWS_SPAN(CONN, "request", NETWORK,
		      "requests served: first byte received until first byte sent"),
	USE_ROWS_SPAN(CONN, "response", NETWORK,
		      "answers waited for: first byte sent until first byte received"),
	USE_ROWS_SPAN(CONN, "queued", NETWORK, "data in the socket until it was received"),
	CONN("connections.met", INT, NETWORK,
	     "were there before the recording, or came from another process"),
	CONN("connections.opened", INT, NETWORK, "connected or accepted"),
	CONN("connections.failed", INT, NETWORK, "could not be connected"),
	CONN("connections.closed", INT, NETWORK, "ended"),
	CONN("connections.active", INT, NETWORK, "open at the end"),
	CONN("connections.active_max", INT, NETWORK, "open at once, at most"),
	CONN("tcp.connections", INT, NETWORK,
	     "that these numbers are of; they count from its begin"),
	CONN("tcp.rtt_ns", NS, NETWORK, "round trip, the kernel's smoothed one, mean"),
	CONN("tcp.rtt_min_ns", NS, NETWORK, "the smallest of these"),
	CONN("tcp.rtt_max_ns", NS, NETWORK, "the largest"),
	CONN("tcp.rttvar_ns", NS, NETWORK, "its variation, mean"),
	CONN("tcp.path_rtt_ns", NS, NETWORK, "the shortest round trip that the kernel saw"),
	CONN("tcp.cwnd", NUM, NETWORK, "congestion window in segments, mean"),
	CONN("tcp.segments_sent", INT, NETWORK, ""),
	CONN("tcp.segments_received", INT, NETWORK, ""),
	CONN("tcp.retransmissions", INT, NETWORK, "segments sent again"),
	CONN("tcp.bytes_acked", INT, NETWORK, "sent and acknowledged"),
	CONN("tcp.bytes_received", INT, NETWORK, ""),
	CONN("tcp.mss", INT, NETWORK, "segment size of the last one"),

	SERIES("name", STR, ALWAYS, ""),
	SERIES("unit", STR, ALWAYS, ""),
	SERIES("meaning", STR, ALWAYS, ""),
	SERIES("start_ns", NS, ALWAYS, "of the first value"),
	SERIES("interval_ns", NS, ALWAYS, "between two values, mean"),
	SERIES("count", INT, ALWAYS, "values"),
	SERIES("mean", NUM, ALWAYS, "of the values"),
	SERIES("max", NUM, ALWAYS, "the largest value"),
	SERIES("values", LIST, ALWAYS, "[[ns, value]]"),

	FINDING("id", STR, ALWAYS, "one per kind of finding, the same in every version"),
	FINDING("severity", STR, ALWAYS, "info, warning, critical"),
	FINDING("title", STR, ALWAYS, "in plain words, with the number"),
	FINDING("is_quality", BOOL, ALWAYS, "true: about the recording, not about the program"),
	FINDING("evidence", LIST, ALWAYS,
		"[{name, value, unit, task_id}]: the numbers it came from"),
	FINDING("recommendation", STR, ALWAYS, ""),
	FINDING("how_to_verify", STR, ALWAYS, ""),
	FINDING("confidence", NUM, ALWAYS, "0..1"),
	FINDING("cost_ns", NS, ALWAYS, "what it costs, for ranking"),
	FINDING("task_id", STR, ALWAYS, "the task it is about"),
	FINDING("class_id", STR, ALWAYS, "the class it is about"),

	COUNTER("name", STR, ALWAYS, ""),
	COUNTER("value", INT, ALWAYS, ""),
	COUNTER("meaning", STR, ALWAYS, ""),
	COUNTER("is_loss", BOOL, ALWAYS, "true: something was not recorded"),
};
const size_t schema_field_cnt = sizeof(schema_fields) / sizeof(schema_fields[0]);

const char *schema_type_name(enum schema_type type)
{
	static const char *const names[] = {
		[TYPE_STR] = "string", [TYPE_INT] = "integer",  [TYPE_NS] = "nanoseconds",
		[TYPE_NUM] = "number", [TYPE_BOOL] = "boolean", [TYPE_LIST] = "list",
		[TYPE_OBJ] = "object",
	};

	return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

const char *schema_audience_name(enum schema_audience audience)
{
	static const char *const names[] = {
		[FOR_ALL] = "all",
		[FOR_THREADS] = "threads",
		[FOR_ASYNC] = "async tasks",
	};

	return (size_t)audience < sizeof(names) / sizeof(names[0]) ? names[audience] : "?";
}

const struct schema_field *schema__find(const char *record, const char *path)
{
	size_t cnt;
	const struct schema_field *field = schema__record(record, &cnt);

	for (size_t i = 0; field && i < cnt; i++, field++) {
		if (!strcmp(field->path, path))
			return field;
	}
	return NULL;
}

const struct schema_field *schema__record(const char *record, size_t *cnt)
{
	const struct schema_field *first = NULL;

	*cnt = 0;
	for (size_t i = 0; i < schema_field_cnt; i++) {
		if (strcmp(schema_fields[i].record, record)) {
			if (first)
				break;
			continue;
		}
		if (!first)
			first = &schema_fields[i];
		(*cnt)++;
	}
	return first;
}

const char *schema_task_id(char buf[SCHEMA_ID_SZ], uint64_t task)
{
	snprintf(buf, SCHEMA_ID_SZ, "%" PRIu32 ":%" PRIu32, (uint32_t)(task >> 32), (uint32_t)task);
	return buf;
}

const char *schema_class_id(char buf[SCHEMA_ID_SZ], uint64_t class_id)
{
	snprintf(buf, SCHEMA_ID_SZ, "%016" PRIx64, class_id);
	return buf;
}
