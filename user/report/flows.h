/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of "Files and peers": what the tasks of one class did with one file, peer or disk, the
 * costliest first. Gathered from the model's uses and links; read by flow_columns.c (the data of the
 * tables) and flow_tables.c (the HTML).
 */
#ifndef REPORT_FLOWS_H
#define REPORT_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"
#include "model/model.h"

/* Rows that the page holds of each kind, and how many of these are for what has bytes, but no time. */
#define FLOWS_MAX     200
#define FLOWS_UNTIMED 20

struct flow_op {
	uint64_t cnt, bytes, errors, again;
	struct hist latency;
};

struct flow {
	const struct object *object;
	uint32_t class_idx; /* NO_IDX: no task could be told */
	uint64_t task; /* the one that used it, when there is just one; else 0 */
	uint64_t task_cnt; /* that are still there one by one */
	bool folded; /* and others, that were folded into the class */
	uint64_t time_ns; /* what it cost: see flow__waits() */
	bool timed; /* some of it was seen from its beginning: 0 is a number */
	uint64_t bytes; /* both directions */
	struct flow_op ops[IO_OP_CNT];
	struct flow_op calls; /* reads, writes and syncs together */
	struct link link; /* summed; `object` is not filled in */
	bool has_link;
};

struct flows {
	enum object_group group;
	struct flow *rows;
	size_t cnt;
	/* Those that are beyond FLOWS_MAX. */
	size_t left_cnt;
	uint64_t left_ns, left_bytes;
};

/* 0 or -ENOMEM. */
int flows__gather(struct flows *flows, const struct model *model, enum object_group group);
void flows__free(struct flows *flows);

/* A read of a pipe, a terminal or an eventfd waits for somebody: that is no cost of the file, so
 * such rows have a latency but no time, and rank by their bytes behind the others. */
bool flow__waits(const struct object *object);
/* Nanoseconds, or COLUMN_NULL when no operation was seen from its beginning. */
int64_t flow__mean(const struct hist *hist);
/* Was it seen at all? The table of uses may have been full: what was not seen is no 0. */
bool flow__saw(const struct flow *flow, unsigned int op);
/* Of every operation that can fail, opens and connects too. */
uint64_t flow__errors(const struct flow *flow);
/* The smoothed round trip in nanoseconds, mean of the connections that told; or COLUMN_NULL. */
int64_t flow__rtt(const struct flow *flow);
/* Who: the task's name, or the class's. Hostile text; "" when nobody knows. Returns buf. */
const char *flow__who(const struct model *model, const struct flow *flow, char *buf, size_t sz);
/* Why nothing of the group was measured, or NULL. */
const char *group_why(const struct model *model, enum object_group group);

#endif
