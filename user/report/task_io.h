/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of a task that come from its uses and links, not from its counters. Columns of
 * tasks.c; the same numbers as in the NDJSON.
 */
#ifndef REPORT_TASK_IO_H
#define REPORT_TASK_IO_H

#include <stdint.h>

#include "model/model.h"

enum task_io {
	TASK_IO_MEAN, /* latency of storage, nanoseconds */
	TASK_IO_P99,
	TASK_IO_CALLS, /* that the two are of */
	TASK_IO_SYNCS,
	TASK_NET_MEAN,
	TASK_REQUEST_CNT,
	TASK_REQUEST_P99,
	TASK_RESPONSE_CNT,
	TASK_RESPONSE_P99,
	TASK_LINKS_ACTIVE,
	TASK_LINKS_OPENED,
	TASK_LINKS_FAILED,
	TASK_RTT,
	TASK_PACKETS_SENT,
	TASK_PACKETS_RECEIVED,
};

/* COLUMN_NULL where there is no such number. */
int64_t task_io(const struct model *model, const struct task *task, enum task_io number);

#endif
