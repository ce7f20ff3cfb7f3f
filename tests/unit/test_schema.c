/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of records and fields: its own order, and that SCHEMA.md's names are all in it. */
#include "model/schema.h"

#include <string.h>

#include "export/record.h"
#include "tap.h"

static size_t common_prefix(const char *a, const char *b)
{
	size_t dot = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++) {
		if (a[i] == '.')
			dot = i + 1;
	}
	return dot;
}

static bool is_name(const char *path)
{
	return *path && path[strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789_.")] == '\0' &&
	       !strstr(path, "..") && path[strlen(path) - 1] != '.' && strlen(path) < 64;
}

static void test_rows(void)
{
	bool names = true, unique = true, known = true, leaves = true;

	for (size_t i = 0; i < schema_field_cnt; i++) {
		const struct schema_field *field = &schema_fields[i];

		names = names && field->record && is_name(field->path);
		known = known && field->doc && field->type <= TYPE_OBJ && field->cap < CAP_CNT &&
			field->audience <= FOR_ASYNC;
		for (size_t j = 0; j < i; j++) {
			const char *other = schema_fields[j].path;
			size_t sz = strlen(other);

			if (strcmp(schema_fields[j].record, field->record))
				continue;
			unique = unique && strcmp(other, field->path);
			leaves = leaves &&
				 (strncmp(field->path, other, sz) || field->path[sz] != '.');
		}
	}
	ok(names, "paths are lower case names");
	ok(known, "every row has a doc, a type, a capability and an audience");
	ok(unique, "no field stands twice in its record");
	ok(leaves, "no field is both a value and an object");
}

/* The writer opens an object once, so its rows must stand together. */
static void test_order(void)
{
	bool records = true, objects = true;

	for (size_t i = 0; i + 2 < schema_field_cnt; i++) {
		const struct schema_field *field = &schema_fields[i];

		for (size_t j = i + 2; j < schema_field_cnt; j++) {
			size_t sz;

			if (strcmp(field->record, schema_fields[j].record))
				continue;
			records = records && !strcmp(schema_fields[j - 1].record, field->record);
			sz = common_prefix(field->path, schema_fields[j].path);
			objects = objects && !strncmp(field->path, schema_fields[j - 1].path, sz);
		}
	}
	ok(records, "the rows of a record stand together");
	ok(objects, "the rows of an object stand together");
}

/* SCHEMA.md's names, record by record. */
static const char *const promised[][2] = {
	{"meta",
	 "version options host.kernel host.arch host.cpus host.hostname target.pid target.exe "
	 "target.comm target.cmdline target.start_time target.uid target.container started_at "
	 "duration_ns attached_ns runtimes sources overhead.tracer_cpu_percent "
	 "overhead.probe_cpu_percent overhead.host_hook_cpu_percent "
	 "overhead.kernel_memory_bytes overhead.probe_hits overhead.budget_percent "
	 "overhead.backoffs losses symbols.frames symbols.symbolised symbols.files"},
	{"task",
	 "task_id native_id runtime task_name class_id task_type state parent_task_id "
	 "spawn_location start_time end_time duration_ms seen_from_start "
	 "source_location.file_path source_location.line_number "
	 "source_location.function_name source_location.module_path "
	 "source_location.crate_name binding state_bytes runs.count runs.total_ns runs.p50_ns "
	 "runs.p90_ns runs.p99_ns runs.max_ns wake_latency.count wake_latency.p99_ns "
	 "wake_latency.max_ns time.wall_ns time.self_ns time.on_cpu_ns time.runqueue_ns "
	 "time.blocked_disk_ns time.blocked_net_ns time.blocked_lock_ns "
	 "time.blocked_timer_ns time.blocked_other_ns time.idle_ns time.waiting_ns "
	 "time.pool_queue_ns time.probe_ns wakes.received wakes.by_self wakes.sent"},
	{"task",
	 "cpu_metrics.usage_percent cpu_metrics.time_user_ms cpu_metrics.time_kernel_ms "
	 "cpu_metrics.context_switches cpu_metrics.cpu_cycles cpu_metrics.instructions "
	 "cpu_metrics.cache_misses cpu_metrics.branch_misses cpu_metrics.core_affinity "
	 "memory_metrics.current_bytes memory_metrics.peak_bytes memory_metrics.total_bytes "
	 "memory_metrics.allocations_count memory_metrics.deallocations_count "
	 "memory_metrics.page_faults memory_metrics.heap_fragmentation "
	 "memory_metrics.memory_bandwidth io_metrics.bytes_read io_metrics.bytes_written "
	 "io_metrics.operations_read io_metrics.operations_written "
	 "io_metrics.average_latency_ms io_metrics.p99_latency_ms io_metrics.bandwidth_mbps "
	 "io_metrics.io_wait_percent io_metrics.queue_depth io_metrics.errors"},
	{"task",
	 "network_metrics.bytes_sent network_metrics.bytes_received "
	 "network_metrics.packets_sent network_metrics.packets_received "
	 "network_metrics.connections_active network_metrics.latency_avg_ms "
	 "network_metrics.throughput_mbps network_metrics.error_count "
	 "network_metrics.retransmissions gpu_metrics.gpu_utilization "
	 "gpu_metrics.memory_used gpu_metrics.memory_total gpu_metrics.compute_units "
	 "gpu_metrics.memory_bandwidth gpu_metrics.temperature gpu_metrics.power_draw "
	 "gpu_metrics.clock_speed efficiency_score resource_balance bottleneck_type "
	 "bottleneck_cause efficiency_explanation.components.cpu "
	 "efficiency_explanation.components.memory efficiency_explanation.components.io "
	 "efficiency_explanation.components.network "
	 "efficiency_explanation.components.scheduling efficiency_explanation.recommendations "
	 "efficiency_explanation.optimization_potential hot_metrics.cpu_hotspots "
	 "hot_metrics.memory_hotspots hot_metrics.io_hotspots hot_metrics.network_hotspots "
	 "hot_metrics.critical_path_analysis baseline_comparison category_ranking"},
	{"class",
	 "class_id name runtime source_location counts.total counts.completed counts.panicked "
	 "time.on_cpu_ns cpu_metrics.usage_percent memory_metrics.total_bytes "
	 "io_metrics.bytes_read network_metrics.bytes_sent leaked.tasks leaked.bytes "
	 "completion_rate_percent throughput_per_sec state_bytes.total state_bytes.mean "
	 "state_bytes.max"},
	{"slice", "task_id tid cpu start_ns duration_ns on_cpu_ns"},
	{"edge", "from_task_id to_task_id kind count total_delay_ns max_delay_ns"},
	{"stack", "stack_id kind class_id task_id frames samples weight bytes ns truncated"},
	{"connection", "task_id class_id operations bytes latency_ns errors"},
	{"file", "path task_id class_id operations bytes latency_ns errors"},
	{"finding", "id severity title evidence recommendation how_to_verify confidence"},
	{"counter", "name value meaning"},
};

static void test_promised(void)
{
	for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
		char names[4096], *save = NULL;
		size_t cnt = 0, found = 0;

		snprintf(names, sizeof(names), "%s", promised[i][1]);
		for (char *name = strtok_r(names, " ", &save); name;
		     name = strtok_r(NULL, " ", &save), cnt++) {
			if (schema__find(promised[i][0], name))
				found++;
			else
				note("%s.%s is missing", promised[i][0], name);
		}
		ok(found == cnt, "%s has the %zu promised fields", promised[i][0], cnt);
	}
}

static void test_lookup(void)
{
	char id[SCHEMA_ID_SZ];
	size_t cnt;

	ok(schema__record("edge", &cnt) && cnt == 6, "a record's rows");
	ok(!schema__record("nothing", &cnt) && !cnt, "a record that is not there");
	ok(!schema__find("edge", "time.on_cpu_ns"), "a field of another record is not found");
	ok(!strcmp(schema_task_id(id, UINT64_MAX), "4294967295:4294967295") &&
		   !strcmp(schema_task_id(id, 1234ULL << 32 | 5678), "1234:5678"),
	   "a task's id is TID:SEQUENCE");
	ok(!strcmp(schema_class_id(id, 0xabc), "0000000000000abc"), "a class's id is 16 digits");
	ok(!strcmp(schema_type_name(TYPE_NS), "nanoseconds") &&
		   !strcmp(schema_type_name(99), "?") && !strcmp(schema_audience_name(99), "?"),
	   "names of types and audiences");
}

/* Getters are searched by halves, and each is for a field that exists. */
static void test_getters(void)
{
	for (size_t i = 0; i < record_kind_cnt; i++) {
		const struct record_kind *kind = record_kinds[i];
		bool sorted = true, known = true;

		for (size_t j = 0; j < kind->getter_cnt; j++) {
			sorted = sorted && (!j || strcmp(kind->getters[j - 1].path,
							 kind->getters[j].path) < 0);
			if (!schema__find(kind->record, kind->getters[j].path)) {
				note("%s is no field", kind->getters[j].path);
				known = false;
			}
		}
		ok(sorted, "%s: getters are sorted", kind->record);
		ok(known, "%s: getters are of fields", kind->record);
	}
}

int main(void)
{
	test_rows();
	test_order();
	test_promised();
	test_lookup();
	test_getters();
	return tap_done();
}
