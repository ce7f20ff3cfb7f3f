/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the exporters say about IO and network: each number of tasks and classes, the records of
 * files, connections and series, every null with its reason; and the summary's part.
 */
#include "export/export.h"

#include <stdlib.h>
#include <string.h>

#include "export_lines.h"
#include "rich_model.h"

#define NOT_COUNTED "this version does not count IO per task"

/* The rich model, see rich_io.h for what its tasks did. */
static const struct expected expected[] = {
	{"task", "task_id", "100:0", "io_metrics.bytes_read", "4101000", NULL},
	{"task", "task_id", "100:0", "io_metrics.bytes_written", "819000", NULL},
	{"task", "task_id", "100:0", "io_metrics.operations_read", "1050", NULL},
	{"task", "task_id", "100:0", "io_metrics.operations_written", "200", NULL},
	/* (1000 x 100 us + 200 x 200 us + 10 x 3 ms) / 1210; the pipe's reads are none of it */
	{"task", "task_id", "100:0", "io_metrics.average_latency_ms", "0.14049586776859505", NULL},
	{"task", "task_id", "100:0", "io_metrics.p99_latency_ms", "0.200703", NULL},
	{"task", "task_id", "100:0", "io_metrics.bandwidth_mbps", "0.49200000000000005", NULL},
	{"task", "task_id", "100:0", "io_metrics.io_wait_percent", "20", NULL},
	{"task", "task_id", "100:0", "io_metrics.queue_depth", "0.017", NULL},
	{"task", "task_id", "100:0", "io_metrics.errors", "2", NULL},
	{"task", "task_id", "100:0", "io_metrics.again", "8", NULL},
	{"task", "task_id", "100:0", "io_metrics.syncs", "10", NULL},
	{"task", "task_id", "100:0", "io_metrics.disk_bytes_read", "1048576", NULL},
	{"task", "task_id", "100:0", "io_metrics.disk_bytes_written", "819200", NULL},
	{"task", "task_id", "100:0", "io_metrics.latency.count", "1210", NULL},
	{"task", "task_id", "100:0", "io_metrics.latency.total_ns", "170000000", NULL},
	{"task", "task_id", "100:0", "io_metrics.latency.max_ns", "3000000", NULL},
	{"task", "task_id", "100:0", "io_metrics.disk_latency.count", "200", NULL},
	{"task", "task_id", "100:0", "io_metrics.disk_latency.total_ns", "200000000", NULL},
	{"task", "task_id", "100:0", "io_metrics.latency_histogram.0.0", "65536", NULL},
	{"task", "task_id", "100:0", "io_metrics.latency_histogram.0.1", "1000", NULL},
	{"task", "task_id", "100:0", "io_metrics.latency_histogram.2.1", "10", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.0.kind", "file", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.0.operations_read", "1000", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.0.syncs", "10", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.0.errors", "2", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.0.mean_ns", "140495", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.1.kind", "pipe", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.1.bytes_read", "5000", NULL},
	{"task", "task_id", "100:0", "io_metrics.by_kind.1.again", "7", NULL},
	{"task", "task_id", "100:0", "memory_metrics.mapped_bytes", "8192", NULL},
	{"task", "task_id", "100:0", "memory_metrics.unmapped_bytes", "0", NULL},
	{"task", "task_id", "100:0", "memory_metrics.page_faults_major", "1", NULL},
	{"task", "task_id", "100:0", "memory_metrics.rss_growth_bytes", NULL,
	 "the kernel's RSS accounting was not attached"},

	{"task", "task_id", "100:0", "network_metrics.bytes_sent", "50000", NULL},
	{"task", "task_id", "100:0", "network_metrics.bytes_received", "100000", NULL},
	{"task", "task_id", "100:0", "network_metrics.operations_sent", "501", NULL},
	{"task", "task_id", "100:0", "network_metrics.operations_received", "500", NULL},
	{"task", "task_id", "100:0", "network_metrics.packets_sent", "511", NULL},
	{"task", "task_id", "100:0", "network_metrics.packets_received", "505", NULL},
	{"task", "task_id", "100:0", "network_metrics.connections_active", "1", NULL},
	{"task", "task_id", "100:0", "network_metrics.connections_met", "1", NULL},
	{"task", "task_id", "100:0", "network_metrics.connections_opened", "1", NULL},
	{"task", "task_id", "100:0", "network_metrics.connections_failed", "1", NULL},
	{"task", "task_id", "100:0", "network_metrics.connections_closed", "1", NULL},
	/* (500 x 20 us + 500 x 1 ms) / 1000; one send of a datagram was not timed */
	{"task", "task_id", "100:0", "network_metrics.latency_avg_ms", "0.51", NULL},
	{"task", "task_id", "100:0", "network_metrics.rtt_avg_ms", "1.5", NULL},
	{"task", "task_id", "100:0", "network_metrics.throughput_mbps", "0.12000000000000001",
	 NULL},
	{"task", "task_id", "100:0", "network_metrics.error_count", "1", NULL},
	{"task", "task_id", "100:0", "network_metrics.again", "4", NULL},
	{"task", "task_id", "100:0", "network_metrics.retransmissions", "5", NULL},
	{"task", "task_id", "100:0", "network_metrics.connect_latency.max_ns", "2000000", NULL},
	{"task", "task_id", "100:0", "network_metrics.connect_latency.p50_ns", NULL,
	 "n too small (n=1)"},
	{"task", "task_id", "100:0", "network_metrics.response_latency.count", "500", NULL},
	{"task", "task_id", "100:0", "network_metrics.accept_latency", NULL, "none was seen"},
	{"task", "task_id", "100:6", "io_metrics.latency", NULL, "none was seen"},
	{"class", "name", "marks class", "io_metrics.disk_latency", NULL, "none was seen"},
	{"task", "task_id", "100:6", "network_metrics.accept_latency.max_ns", "300000", NULL},
	{"task", "task_id", "100:6", "network_metrics.request_latency.total_ns", "36000000", NULL},
	{"task", "task_id", "100:6", "network_metrics.receive_queue.count", "6", NULL},

	/* what was not done, or cannot be */
	{"task", "task_id", "100:6", "io_metrics.operations_read", "0", NULL},
	{"task", "task_id", "100:6", "io_metrics.average_latency_ms", NULL,
	 "no timed operation on a regular file, directory or block device"},
	{"task", "task_id", "100:6", "io_metrics.p99_latency_ms", NULL,
	 "no timed operation on a regular file, directory or block device"},
	{"task", "task_id", "100:6", "network_metrics.rtt_avg_ms", NULL,
	 "no TCP connection of it that told its round trip time"},
	{"task", "task_id", "101:0", "network_metrics.packets_sent", NULL,
	 "its sockets are unix streams, which have no packets"},
	{"task", "task_id", "101:0", "network_metrics.connections_active", "1", NULL},
	{"task", "task_id", "102:0", "network_metrics.packets_sent", "0", NULL},
	{"task", "task_id", "102:0", "network_metrics.latency_avg_ms", NULL,
	 "it neither sent nor received, or was not seen to begin to"},

	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.0.path", "/srv/db/wal", NULL},
	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.0.operation", "read", NULL},
	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.0.operations", "1210", NULL},
	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.0.time_ns", "170050000", NULL},
	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.1.operation", "fault", NULL},
	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.1.time_ns", "4000000", NULL},
	/* the pipe's 500 ms are somebody else's: it ranks by its bytes */
	{"task", "task_id", "100:0", "hot_metrics.io_hotspots.2.kind", "pipe", NULL},
	{"task", "task_id", "100:0", "hot_metrics.network_hotspots.0.endpoint", "10.0.0.7:6379",
	 NULL},
	{"task", "task_id", "100:0", "hot_metrics.network_hotspots.0.requests", "500", NULL},
	{"task", "task_id", "100:0", "hot_metrics.network_hotspots.0.response_time_ns", "1000000",
	 NULL},
	{"task", "task_id", "100:0", "hot_metrics.network_hotspots.0.percent", "100", NULL},
	/* a connect failed; of all 1002 calls, the connect that did not fail is one, too */
	{"task", "task_id", "100:0", "hot_metrics.network_hotspots.0.error_rate",
	 "0.000998003992015968", NULL},
	{"task", "task_id", "100:0", "hot_metrics.network_hotspots.1.kind", "udp", NULL},

	{"class", "name", "threads", "io_metrics.bytes_read.total", "4101000", NULL},
	{"class", "name", "threads", "io_metrics.latency.count", "1210", NULL},
	{"class", "name", "threads", "io_metrics.average_latency_ms.total", NULL,
	 "a sum of averages says nothing"},
	{"class", "name", "threads", "io_metrics.bandwidth_mbps.total", NULL,
	 "a sum of rates over different lives says nothing"},
	{"class", "name", "threads", "io_metrics.queue_depth.total", NULL,
	 "a sum of averages over different lives says nothing"},
	{"class", "name", "threads", "network_metrics.rtt_avg_ms.total", NULL,
	 "a sum of averages says nothing"},
	{"class", "name", "threads", "network_metrics.rtt_avg_ms.mean", "1.5", NULL},
	{"class", "name", "marks class", "network_metrics.connections_active.total", "6", NULL},
	{"class", "name", "marks class", "network_metrics.connections_opened.total", "21", NULL},
	{"class", "name", "marks class", "network_metrics.request_latency.count", "21", NULL},
	{"class", "name", "marks class", "network_metrics.request_latency.total_ns", "91000000",
	 NULL},
	{"class", "name", "marks class", "network_metrics.receive_queue.max_ns", "500000", NULL},
	{"class", "name", "marks class", "io_metrics.average_latency_ms", NULL,
	 "no timed operation on a regular file, directory or block device"},
	{"class", "name", "marks class", "hot_metrics.network_hotspots.0.operations", "42", NULL},
	{"class", "name", "folded class", "io_metrics.bytes_read.total", "40000", NULL},
	{"class", "name", "folded class", "io_metrics.again.total", "40", NULL},
	{"class", "name", "folded class", "io_metrics.again.mean", "1", NULL},
	{"class", "name", "folded class", "io_metrics.latency.count", "400", NULL},
	{"class", "name", "folded class", "io_metrics.by_kind.0.operations_read", "400", NULL},
	{"class", "name", "folded class", "network_metrics.packets_sent.total", "0", NULL},
	{"class", "name", "folded class", "network_metrics.connections_closed.total", "40", NULL},
	{"class", "name", "folded class", "network_metrics.connections_closed.max", NULL,
	 "some of its tasks were folded (--max-memory): only sums are kept"},
	{"class", "name", "folded class", "hot_metrics.io_hotspots.0.path", "/srv/db/wal", NULL},

	{"file", "path", "/srv/db/wal", "kind", "file", NULL},
	{"file", "path", "/srv/db/wal", "device", "8:1", NULL},
	{"file", "path", "/srv/db/wal", "inode", "42", NULL},
	{"file", "path", "/srv/db/wal", "deleted", "", NULL},
	{"file", "path", "/srv/db/wal", "task_id", "100:0", NULL},
	{"file", "path", "/srv/db/wal", "class_id", "00000000000c1a55", NULL},
	{"file", "path", "/srv/db/wal", "operations", "1210", NULL},
	{"file", "path", "/srv/db/wal", "bytes", "4915000", NULL},
	{"file", "path", "/srv/db/wal", "errors", "2", NULL},
	{"file", "path", "/srv/db/wal", "time_ns", "170000000", NULL},
	{"file", "path", "/srv/db/wal", "latency_ns", "140495", NULL},
	{"file", "path", "/srv/db/wal", "read.operations", "1000", NULL},
	{"file", "path", "/srv/db/wal", "read.bytes", "4096000", NULL},
	{"file", "path", "/srv/db/wal", "read.mean_ns", "100000", NULL},
	{"file", "path", "/srv/db/wal", "read.p99_ns", "100000", NULL},
	{"file", "path", "/srv/db/wal", "write.errors", "2", NULL},
	{"file", "path", "/srv/db/wal", "write.total_ns", "40000000", NULL},
	{"file", "path", "/srv/db/wal", "sync.operations", "10", NULL},
	{"file", "path", "/srv/db/wal", "sync.max_ns", "3000000", NULL},
	{"file", "path", "/srv/db/wal", "sync.p99_ns", NULL, "n too small for this percentile"},
	{"file", "path", "/srv/db/wal", "open.operations", "1", NULL},
	{"file", "path", "/srv/db/wal", "fault", NULL, "no such operation was seen"},
	{"file", "path", "/srv/db/wal", "disk_read", NULL,
	 "requests are known by disk, not by file"},
	{"file", "class_id", "000000000000f01d", "task_id", NULL, "folded tasks of the class"},
	{"file", "class_id", "000000000000f01d", "read.operations", "400", NULL},
	{"file", "inode", "43", "fault.operations", "4", NULL},
	{"file", "inode", "43", "fault.bytes", "16384", NULL},
	{"file", "inode", "43", "latency_ns", NULL, "neither read, written nor synced"},
	{"file", "kind", "pipe", "path", "[pipe]", NULL},
	{"file", "kind", "pipe", "device", NULL,
	 "it lies in no file system of its own, or was not looked at"},
	{"file", "kind", "pipe", "inode", NULL,
	 "it lies in no file system of its own, or was not looked at"},
	{"file", "kind", "pipe", "read.again", "7", NULL},
	{"file", "again", "1", "write.mean_ns", NULL, "all of them were of no effect"},
	{"file", "kind", "disk", "path", "disk 8:0", NULL},
	{"file", "kind", "disk", "device", "8:0", NULL},
	{"file", "kind", "disk", "operations", "200", NULL},
	{"file", "kind", "disk", "disk_read.bytes", "1048576", NULL},
	{"file", "kind", "disk", "read", NULL, "of a disk only its requests are known"},
	{"file", "operations", "50", "path", "[pipe]", NULL},
	{"file", "bytes", "819200", "task_id", NULL, "of none of the recorded tasks"},
	{"file", "bytes", "819200", "class_id", NULL, "its class is not known"},
	{"file", "bytes", "819200", "disk_write.operations", "50", NULL},

	{"connection", "peer", "10.0.0.7:6379", "protocol", "tcp", NULL},
	{"connection", "peer", "10.0.0.7:6379", "role", "client", NULL},
	{"connection", "peer", "10.0.0.7:6379", "local", NULL,
	 "known of accepted and listening sockets only"},
	{"connection", "peer", "10.0.0.7:6379", "task_id", "100:0", NULL},
	{"connection", "peer", "10.0.0.7:6379", "operations", "1000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "bytes", "149900", NULL},
	{"connection", "peer", "10.0.0.7:6379", "errors", "1", NULL},
	{"connection", "peer", "10.0.0.7:6379", "again", "3", NULL},
	{"connection", "peer", "10.0.0.7:6379", "latency_ns", "510000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "sent.bytes", "49900", NULL},
	{"connection", "peer", "10.0.0.7:6379", "received.mean_ns", "1000000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "connect.errors", "1", NULL},
	{"connection", "peer", "10.0.0.7:6379", "accept", NULL, "no such operation was seen"},
	{"connection", "peer", "10.0.0.7:6379", "response.count", "500", NULL},
	{"connection", "peer", "10.0.0.7:6379", "connections.met", "1", NULL},
	{"connection", "peer", "10.0.0.7:6379", "connections.failed", "1", NULL},
	{"connection", "peer", "10.0.0.7:6379", "connections.active_max", "2", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.connections", "2", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.rtt_ns", "1500000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.rtt_min_ns", "1000000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.rtt_max_ns", "2000000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.rttvar_ns", "250000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.path_rtt_ns", "900000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.cwnd", "12.5", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.segments_sent", "510", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.segments_received", "505", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.retransmissions", "5", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.bytes_acked", "49900", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.bytes_received", "100000", NULL},
	{"connection", "peer", "10.0.0.7:6379", "tcp.mss", "1448", NULL},
	{"connection", "peer", "10.0.0.9", "local", "10.0.0.1:80", NULL},
	{"connection", "peer", "10.0.0.9", "tcp", NULL, "no connection was seen to tell"},
	{"connection", "task_id", "100:6", "request.total_ns", "36000000", NULL},
	{"connection", "task_id", "100:6", "queued.count", "6", NULL},
	{"connection", "task_id", "100:6", "accept.operations", "6", NULL},
	{"connection", "task_id", "100:6", "connections.closed", "5", NULL},
	{"connection", "protocol", "unix", "tcp", NULL, "not TCP"},
	{"connection", "protocol", "unix", "connections.active", "1", NULL},
	{"connection", "protocol", "udp", "connections", NULL, "datagrams need no connection"},
	{"connection", "role", "listener", "connections", NULL,
	 "it listens: those that it accepts have records of their own"},
	{"connection", "role", "listener", "accept.again", "1", NULL},
	{"connection", "role", "listener", "tcp", NULL,
	 "it listens: those that it accepts have records of their own"},
	{"connection", "protocol", "udp", "time_ns", NULL, "none of them was seen to begin"},
	{"connection", "class_id", "000000000000f01d", "task_id", NULL,
	 "folded tasks of the class"},
	{"connection", "class_id", "000000000000f01d", "connections.opened", "40", NULL},

	{"series", "name", "connections_active", "unit", "connections", NULL},
	{"series", "name", "connections_active", "start_ns", "100000000", NULL},
	{"series", "name", "connections_active", "interval_ns", "100000000", NULL},
	{"series", "name", "connections_active", "values.1.1", "26", NULL},
	{"series", "name", "connections_active", "max", "26", NULL},
	{"series", "name", "io_queue_depth", "meaning",
	 "time of the file operations that ended in the interval, by its length", NULL},
	{"series", "name", "io_queue_depth", "values.0.1", "1.5", NULL},
	{"series", "name", "io_queue_depth", "mean", "1", NULL},
	{"series", "name", "disk_in_flight", "interval_ns", NULL, "there is one value only"},
};

static void test_values(void)
{
	struct model *model = rich_model();
	char *text = ndjson_of(model);

	check_values(text, expected, sizeof(expected) / sizeof(expected[0]));
	free(text);
	model__free(model);
}

/* Nothing was attached: null for that reason, never 0, and no distribution of nothing. */
static const struct expected not_counted[] = {
	{"task", "task_id", "7:0", "io_metrics.bytes_read", NULL, NOT_COUNTED},
	{"task", "task_id", "7:0", "io_metrics.average_latency_ms", NULL, NOT_COUNTED},
	{"task", "task_id", "7:0", "io_metrics.latency", NULL, NOT_COUNTED},
	{"task", "task_id", "7:0", "io_metrics.by_kind", NULL, NOT_COUNTED},
	{"task", "task_id", "7:0", "io_metrics.disk_bytes_read", NULL,
	 "the kernel's IO accounting was not read"},
	{"task", "task_id", "7:0", "io_metrics.disk_latency", NULL,
	 "block requests were not attached"},
	{"task", "task_id", "7:0", "memory_metrics.mapped_bytes", NULL, NOT_COUNTED},
	{"task", "task_id", "7:0", "hot_metrics.io_hotspots", NULL, NOT_COUNTED},
	{"task", "task_id", "7:0", "network_metrics", NULL,
	 "this version does not count network traffic per task"},
	{"class", "name", "threads", "io_metrics.bytes_read", NULL, NOT_COUNTED},
	{"class", "name", "threads", "io_metrics.latency", NULL, NOT_COUNTED},
};

static void test_not_counted(void)
{
	const struct export_options options = {};
	struct model *model = model__new();
	char *text;

	add_thread(model, 7, "only");
	text = ndjson_of(model);
	check_values(text, not_counted, sizeof(not_counted) / sizeof(not_counted[0]));
	free(text);
	text = export_with(model, export_summary, &options);
	ok(strstr(text, "Files: not measured (" NOT_COUNTED ")") &&
		   strstr(text, "Network: not measured (this version"),
	   "the summary tells that IO was not measured");
	free(text);
	model__free(model);
}

/* 90 connects and 10 that were refused, and nothing else. */
static void test_error_rate(void)
{
	static const struct expected rate[] = {
		{"task", "task_id", "7:0", "hot_metrics.network_hotspots.0.error_rate", "0.1",
		 NULL},
	};
	struct model *model = model__new();
	char *text;

	model__cap_set(model, CAP_NETWORK, "test");
	add_thread(model, 7, "only");
	rich_objects(model, "x");
	add_use(model, THREAD(7), RICH_REDIS, IO_CONNECT, 90, 0, 1)->errors = 10;
	text = ndjson_of(model);
	check_values(text, rate, 1);
	free(text);
	model__free(model);
}

/* A mean is by time, and there is none of values that are the largest of some. */
static void test_series_mean(void)
{
	static const struct expected even[] = {
		{"series", "name", "io_queue_depth", "mean", "0.25", NULL},
		{"series", "name", "connections_active", "mean", "2", NULL},
	};
	static const struct expected thinned[] = {
		{"series", "name", "io_queue_depth", "mean", "0.25", NULL},
		{"series", "name", "connections_active", "mean", NULL,
		 "neighbours were merged, of which the largest was kept"},
		{"series", "name", "connections_active", "max", "4", NULL},
	};
	struct model *model = model__new();
	char *text;

	add_sample(model, SERIES_CONNECTIONS, 100 * MS, 0);
	add_sample(model, SERIES_CONNECTIONS, 200 * MS, 4);
	add_sample(model, SERIES_IO_QUEUE, 300 * MS, 0);
	add_sample(model, SERIES_IO_QUEUE, 400 * MS, 1000);
	text = ndjson_of(model);
	check_values(text, even, sizeof(even) / sizeof(even[0]));
	free(text);
	model__counter_add(model, "samples_merged", "test", false, 9);
	text = ndjson_of(model);
	check_values(text, thinned, sizeof(thinned) / sizeof(thinned[0]));
	free(text);
	model__free(model);
}

/* Links that have no connections to count are in no sum, as in the records. */
static void test_no_connections(void)
{
	const struct export_options options = {.width = 160, .ascii = true};
	struct model *model = model__new();
	struct link *link;
	char *text;

	model__cap_set(model, CAP_NETWORK, "test");
	add_thread(model, 7, "only");
	rich_objects(model, "x");
	link = add_link(model, THREAD(7), RICH_LISTENER);
	link->active = link->met = 7;
	link = add_link(model, THREAD(7), RICH_DNS);
	link->opened = link->failed = 50;
	text = export_with(model, export_summary, &options);
	ok(strstr(text, "Network: ") && !strstr(text, "connection"),
	   "a summary without connections");
	free(text);
	link = add_link(model, THREAD(7), RICH_REDIS);
	link->opened = 3;
	link->failed = 2;
	link->active = 1;
	text = export_with(model, export_summary, &options);
	ok(strstr(text, "1 connection open (3 opened, 2 failed)"), "and with those of one peer");
	free(text);
	model__free(model);
}

static void test_summary(void)
{
	const struct export_options options = {.width = 160, .ascii = true};
	struct model *model = rich_model();
	char *text = export_with(model, export_summary, &options);
	const char *files = strstr(text, "\nFILE ");
	const char *peers = strstr(text, "\nPEER ");

	ok(strstr(text,
		  "Files: 3.95 MiB in 1450 reads, 800 KiB in 200 writes, 10 syncs, 2 errors;"),
	   "the sums of files");
	ok(strstr(text, "disk 8:0: 1.60 ms a request (250)"), "the disk's requests");
	ok(strstr(text, "8 connections open (62 opened, 1 failed)"), "connections");
	ok(files && peers && strstr(files, "/srv/db/wal") < strstr(files, "[pipe]") &&
		   strstr(files, "[pipe]") < peers && strstr(peers, "tcp 10.0.0.7:6379"),
	   "files and peers by time");
	ok(strstr(text, "\n~") && strstr(text, "/can/hold/data "),
	   "of a long path the end is shown");
	ok(!strstr(text, " \n"), "no line ends in blanks");
	note("%s", files ? files : text);
	free(text);
	model__free(model);

	/* measured, but nothing was done */
	model = model__new();
	model__cap_set(model, CAP_IO, "test");
	model__cap_set(model, CAP_NETWORK, "test");
	add_thread(model, 7, "only");
	text = export_with(model, export_summary, &options);
	ok(!strstr(text, "Files") && !strstr(text, "Network") && !strstr(text, "FILE") &&
		   !strstr(text, "PEER"),
	   "nothing about IO where there was none");
	free(text);
	model__free(model);
}

/* Each task or class and object is one record, also where only links or only uses are there, and
 * where a snapshot is not in order. */
static void test_rows(void)
{
	struct model *model = model__new();
	char *text, *at;
	size_t files = 0, connections = 0;

	model__cap_set(model, CAP_IO, "test");
	model__cap_set(model, CAP_NETWORK, "test");
	add_thread(model, 7, "only");
	rich_objects(model, "x");
	add_use(model, THREAD(7), RICH_SOCK, IO_WRITE, 1, 1, 1);
	add_use(model, 0, RICH_WAL, IO_READ, 1, 1, 1);
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 1, 1, 1);
	add_use(model, THREAD(7), RICH_WAL, IO_WRITE, 1, 1, 1);
	add_use(model, THREAD(8), 4711, 200, 1, 1, 1); /* no such object, no such operation */
	add_link(model, THREAD(7), RICH_REDIS);
	add_link(model, 0, RICH_SOCK);
	text = ndjson_of(model);
	for (at = text; (at = strstr(at, "\"record\":\"file\"")); at++)
		files++;
	for (at = text; (at = strstr(at, "\"record\":\"connection\"")); at++)
		connections++;
	ok(files == 3 && connections == 3, "not in order: %zu files, %zu connections", files,
	   connections);
	free(text);
	files = connections = 0;
	model__sort_io(model);
	text = ndjson_of(model);
	for (at = text; (at = strstr(at, "\"record\":\"file\"")); at++)
		files++;
	for (at = text; (at = strstr(at, "\"record\":\"connection\"")); at++)
		connections++;
	ok(files == 3 && connections == 3, "in order: %zu files, %zu connections", files,
	   connections);
	free(text);
	model__free(model);
}

/* A hostile snapshot: every number at its end. The sanitizers must stay quiet, JSON whole. */
static void make_extreme(struct model *model, uint64_t val)
{
	for (size_t i = 0; i < model->use_cnt; i++) {
		struct use *use = &model->uses[i];

		use->cnt = use->bytes = use->errors = use->again = val;
		use->latency.cnt = use->latency.total = use->latency.max = val;
		for (size_t j = 0; j < use->latency.bucket_cnt; j++)
			use->latency.buckets[j].cnt = val;
		if (i % 3 == 0)
			use->op = 255;
		if (i % 4 == 0)
			use->object = UINT32_MAX;
	}
	for (size_t i = 0; i < model->link_cnt; i++) {
		struct link *link = &model->links[i];

		link->met = link->opened = link->failed = link->closed = val;
		link->active = link->active_max = (int64_t)val;
		link->tcp_cnt = link->segs_out = link->segs_in = link->retransmits = val;
		link->rtt_sum_us = link->rttvar_sum_us = link->cwnd_sum = link->rtt_cnt = val;
		link->rtt_min_us = link->rtt_max_us = link->path_rtt_us = (uint32_t)val;
		if (i % 2)
			link->object = UINT32_MAX;
	}
	for (size_t i = 0; i < model->sample_cnt; i++) {
		model->samples[i].val = (int64_t)val;
		model->samples[i].at_ns = (int64_t)val;
		model->samples[i].series = i % 2 ? 255 : SERIES_IO_QUEUE;
	}
	for (size_t i = 0; i < model->object_cnt; i++) {
		model->objects[i].dev = (uint32_t)val;
		model->objects[i].ino = val;
		model->objects[i].name = model->objects[i].local = (uint32_t)val;
		if (i % 3 == 0)
			model->objects[i].kind = model->objects[i].role = 255;
	}
	for (size_t i = 0; i < model->task_cnt; i++) {
		for (unsigned int j = 0; j < COUNTER_CNT; j++)
			model->tasks[i].c[j] = (int64_t)val;
	}
}

static void test_extremes(void)
{
	static const uint64_t extremes[] = {0, UINT64_MAX, INT64_MAX, 1ULL << 63};
	const struct export_options options = {};

	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		struct model *model = rich_model();
		struct json_line line = {};
		bool fine = true;
		char *text;

		make_extreme(model, extremes[i]);
		text = ndjson_of(model);
		for (const char *at = text; at; at = next_line(at)) {
			json_line__read(&line, at);
			fine = fine && !line.bad && !unreasoned(&line);
		}
		ok(fine, "all numbers %llu: JSON with a reason for every null",
		   (unsigned long long)extremes[i]);
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
	test_not_counted();
	test_error_rate();
	test_no_connections();
	test_series_mean();
	test_summary();
	test_rows();
	test_extremes();
	return tap_done();
}
