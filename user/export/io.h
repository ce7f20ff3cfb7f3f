/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values about files, disks and peers: of tasks and classes from their counters, uses and links,
 * and the records of single files, peers and series. Private to export/.
 */
#ifndef EXPORT_IO_H
#define EXPORT_IO_H

#include "analyze/uses.h"
#include "export/record.h"

/* Distributions that tasks and classes have. X(id, operations, kinds) */
#define IO_DISTS(X)                                                                                \
	X(STORAGE, OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(SYNC), KINDS_STORAGE)                     \
	X(DISK, OP_BIT(DISK_READ) | OP_BIT(DISK_WRITE), KINDS_DISK)                                \
	X(CONNECT, OP_BIT(CONNECT), KINDS_SOCKET)                                                  \
	X(ACCEPT, OP_BIT(ACCEPT), KINDS_SOCKET)                                                    \
	X(REQUEST, OP_BIT(REQUEST), KINDS_SOCKET)                                                  \
	X(RESPONSE, OP_BIT(RESPONSE), KINDS_SOCKET)                                                \
	X(QUEUED, OP_BIT(QUEUED), KINDS_SOCKET)                                                    \
	X(LIFETIME, OP_BIT(FREE), KINDS_SITE)                                                      \
	X(AGE, OP_BIT(HOLD), KINDS_SITE)

enum io_dist {
#define X(id, ops, kinds) DIST_##id,
	IO_DISTS(X)
#undef X
		DIST_CNT
};

#define IO_GET(path, fn, arg, why)                                                                 \
	{                                                                                          \
		path, fn, arg, why, NULL, false                                                    \
	}
/* A sum over the time. */
#define IO_TOTAL(path, fn, arg, why)                                                               \
	{                                                                                          \
		path, fn, arg, why, NULL, true                                                     \
	}
#define IO_LIST(path, write)                                                                       \
	{                                                                                          \
		path, NULL, 0, NULL, write, true                                                   \
	}
/* One row of a distribution; a stat is a percentage or an enum hist_stat. */
#define DIST_ARG(dist, stat) (DIST_##dist << 8 | ((stat)&0xff))
#define DIST_GET(path, dist, stat)                                                                 \
	{                                                                                          \
		path, get_dist, DIST_ARG(dist, stat), "none was seen", NULL, false                 \
	}
/* All rows of one, in the order of their names. */
#define DIST_GETTERS(path, dist)                                                                   \
	DIST_GET(path ".count", dist, HIST_COUNT), DIST_GET(path ".max_ns", dist, HIST_MAX),       \
		DIST_GET(path ".p50_ns", dist, 50), DIST_GET(path ".p90_ns", dist, 90),            \
		DIST_GET(path ".p99_ns", dist, 99), DIST_GET(path ".total_ns", dist, HIST_TOTAL)

/* The rows that tasks and classes share, in the order of their names. */
#define NETWORK_DIST_GETTERS                                                                       \
	DIST_GETTERS("network_metrics.receive_queue", QUEUED),                                     \
		DIST_GETTERS("network_metrics.request_latency", REQUEST),                          \
		DIST_GETTERS("network_metrics.response_latency", RESPONSE)

/* All distributions at once, so that not every field walks over all uses. Without it they are made
 * one by one. 0 or -ENOMEM; row__free_io() after it. */
int row__load_io(struct row *row);
void row__free_io(struct row *row);

/* Calls `fn` with the uses of the task, or of each task of the class and of its folded ones. */
typedef int (*uses_fn)(void *arg, const struct row *row, const struct use *uses, size_t cnt);
int row__each_use(const struct row *row, uses_fn fn, void *arg);

void get_dist(struct value *value, const struct row *row, const struct getter *getter);

/* Of tasks: numbers that their class sums up. */
enum io_sum { IO_SUM_AGAIN, IO_SUM_SYNCS, IO_SUM_NET_AGAIN, IO_SUM_ALLOC_FAILED };
enum link_sum { LINK_ACTIVE, LINK_MET, LINK_OPENED, LINK_FAILED, LINK_CLOSED };
void get_io_sum(struct value *value, const struct row *row, const struct getter *getter);
void get_link_sum(struct value *value, const struct row *row, const struct getter *getter);
/* What a class kept of its folded tasks for these and for packets; false for any other getter. */
bool io_folded_sum(const struct row *row, const struct getter *getter, int64_t *sum);

enum io_latency { LATENCY_STORAGE_MEAN, LATENCY_STORAGE_P99, LATENCY_SOCKET_MEAN };
void get_io_latency(struct value *value, const struct row *row, const struct getter *getter);
enum io_rate { RATE_IO_MBYTES, RATE_NET_MBITS, RATE_QUEUE, RATE_WAIT, RATE_HEAP_BYTES };
void get_io_rate(struct value *value, const struct row *row, const struct getter *getter);
void get_rtt(struct value *value, const struct row *row, const struct getter *getter);
/* arg: the counter */
void get_packets(struct value *value, const struct row *row, const struct getter *getter);

/* [[1024, 3], [4096, 7]] of a distribution. */
void write_dist(struct record_writer *writer, const struct row *row, enum io_dist dist);
void write_histogram(struct record_writer *writer, const struct row *row,
		     const struct schema_field *field);
void write_by_kind(struct record_writer *writer, const struct row *row,
		   const struct schema_field *field);
void write_io_hotspots(struct record_writer *writer, const struct row *row,
		       const struct schema_field *field);
void write_network_hotspots(struct record_writer *writer, const struct row *row,
			    const struct schema_field *field);

/* The lines of one kind of record each; 0 or -errno. */
int write_files(const struct model *model, const struct analysis *analysis, FILE *out);
int write_connections(const struct model *model, const struct analysis *analysis, FILE *out);
int write_stacks(const struct model *model, const struct analysis *analysis, FILE *out);
int write_series(const struct model *model, const struct analysis *analysis, FILE *out);

#endif
