/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A task's numbers from its uses and links; see the header. */
#include "report/task_io.h"

#include "analyze/uses.h"
#include "report/flows.h"
#include "report/sections.h"

static const struct use_filter syncs = {OP_BIT(SYNC), KINDS_FILE};
static const struct use_filter requests = {OP_BIT(REQUEST), KINDS_SOCKET};
static const struct use_filter responses = {OP_BIT(RESPONSE), KINDS_SOCKET};

/* What the latencies and counts are of. */
static const struct {
	const struct use_filter *filter;
	enum hist_part part;
} rows[] = {
	[TASK_IO_P99] = {&storage_calls, HIST_P99},   [TASK_IO_CALLS] = {&storage_calls, HIST_CNT},
	[TASK_REQUEST_CNT] = {&requests, HIST_CNT},   [TASK_REQUEST_P99] = {&requests, HIST_P99},
	[TASK_RESPONSE_CNT] = {&responses, HIST_CNT}, [TASK_RESPONSE_P99] = {&responses, HIST_P99},
};

static int64_t from_hist(const struct model *model, const struct use *uses, size_t cnt,
			 enum task_io number)
{
	struct hist hist = {0};
	int64_t val;

	for (size_t i = 0; i < cnt; i++)
		if (use_fits(model, &uses[i], rows[number].filter))
			hist__merge(&hist, &uses[i].latency);
	val = hist.cnt ? hist_part(&hist, rows[number].part) : COLUMN_NULL;
	hist__free(&hist);
	return val;
}

static int64_t mean_of(const struct use_sum *sum)
{
	return sum->timed ? sat_i64(sum->ns / sum->timed) : COLUMN_NULL;
}

static int64_t rtt_of(const struct link *links, size_t cnt)
{
	double rtt_us = 0, told = 0;

	for (size_t i = 0; i < cnt; i++) {
		rtt_us += links[i].rtt_sum_us;
		told += links[i].rtt_cnt;
	}
	return told > 0 && rtt_us / told < UINT32_MAX ? rtt_us / told * 1000 : COLUMN_NULL;
}

static int64_t from_links(const struct model *model, const struct task *task, enum task_io number)
{
	struct link_sums sums = {0};
	size_t cnt;
	const struct link *links = model__links(model, task->id, NO_IDX, &cnt);

	if (number == TASK_RTT)
		return rtt_of(links, cnt);
	link_sums__add(&sums, model, links, cnt);
	return number == TASK_LINKS_ACTIVE   ? sums.active
	       : number == TASK_LINKS_OPENED ? sat_i64(sums.opened)
					     : sat_i64(sums.failed);
}

int64_t task_io(const struct model *model, const struct task *task, enum task_io number)
{
	size_t cnt;
	const struct use *uses = model__uses(model, task->id, NO_IDX, &cnt);
	struct use_sum sum;

	switch (number) {
	case TASK_IO_MEAN:
	case TASK_NET_MEAN:
		sum = use_sum__of(model, uses, cnt,
				  number == TASK_IO_MEAN ? &storage_calls : &socket_calls);
		return mean_of(&sum);
	case TASK_IO_SYNCS:
		sum = use_sum__of(model, uses, cnt, &syncs);
		return sat_i64(sum.cnt);
	case TASK_LINKS_ACTIVE:
	case TASK_LINKS_OPENED:
	case TASK_LINKS_FAILED:
	case TASK_RTT:
		return from_links(model, task, number);
	case TASK_PACKETS_SENT:
	case TASK_PACKETS_RECEIVED:
		if (!task->c[COUNTER_NET_PACKETS_SENT] && !task->c[COUNTER_NET_PACKETS_RECEIVED] &&
		    has_streams_only(model, uses, cnt))
			return COLUMN_NULL;
		return task->c[number == TASK_PACKETS_SENT ? COUNTER_NET_PACKETS_SENT
							   : COUNTER_NET_PACKETS_RECEIVED];
	default:
		return from_hist(model, uses, cnt, number);
	}
}
