/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about files, disks and peers: what was slow (io_slow.c), what failed (io_errors.c),
 * what was done in too small pieces, what had to be sent again. Each names where: the file or peer, and the task.
 * Run by analyze.c.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdio.h>

#include "analyze/uses.h"

double life_share(const struct analysis *analysis, const struct task *task, uint64_t ns)
{
	int64_t life = task ? analysis->tasks[task - analysis->model->tasks].inside_ns : 0;

	return life > 0 ? (double)ns / (double)life : 0;
}

/* Data in pieces much smaller than a page, often enough to cost: a buffer is missing. */
#define SMALL_MIN_CNT   10000
#define SMALL_MIN_RATE  100 /* per second of the recording */
#define SMALL_BYTES     512 /* on average */
#define SMALL_LIFE      0.05 /* of the task's life spent so: a warning, else a note */
#define SMALL_TOP_SHARE 0.5 /* of the calls: the file is worth its name */

struct small {
	uint64_t task;
	unsigned int op;
	struct use_sum sum;
	const struct use *top;
};

/* The uses [from, to) are of one owner. */
static void try_small(const struct analysis *analysis, size_t from, size_t to, unsigned int op,
		      struct small *worst)
{
	static const uint32_t kinds = KIND_BIT(REGULAR);
	const struct model *model = analysis->model;
	const struct use_filter filter = {1U << op, kinds};
	struct small small = {.task = model->uses[from].task, .op = op};
	double rate = (double)SMALL_MIN_RATE * (double)recording_ns(model) / NS_PER_SEC;

	for (size_t i = from; i < to; i++) {
		const struct use *use = &model->uses[i];

		if (!use_fits(model, use, &filter))
			continue;
		use_sum__add(&small.sum, use);
		if (use->cnt > (small.top ? small.top->cnt : 0))
			small.top = use;
	}
	if (small.sum.cnt < SMALL_MIN_CNT || (double)small.sum.cnt < rate ||
	    small.sum.bytes / SMALL_BYTES >= small.sum.cnt)
		return;
	if (!worst->top || small.sum.ns > worst->sum.ns)
		*worst = small;
}

static int report_small(struct analysis *analysis, const struct small *small)
{
	const struct model *model = analysis->model;
	const struct task *task = small->task ? model__task(model, small->task) : NULL;
	double mean = (double)small->sum.bytes / (double)small->sum.cnt;
	double life = life_share(analysis, task, small->sum.ns);
	char name[128] = "Ended tasks", label[OBJECT_LABEL_SZ] = "",
	     where[OBJECT_LABEL_SZ + 8] = "";
	char text[NS_TEXT_SZ];
	struct finding *finding;

	if (task)
		task_label(model, task, name, sizeof(name));
	if ((double)small->top->cnt >= SMALL_TOP_SHARE * (double)small->sum.cnt)
		snprintf(where, sizeof(where), ", most of %s",
			 object_label(model, small->top->object, 60, label));
	finding = finding__new(
		analysis, "small-io", life >= SMALL_LIFE ? SEVERITY_WARNING : SEVERITY_INFO,
		"Many small %s: %s made %llu of %.0f bytes on average, which took %s%s",
		small->op == IO_READ ? "reads" : "writes", name, (unsigned long long)small->sum.cnt,
		mean, ns_text(text, sat_i64(small->sum.ns)), where);
	if (!finding)
		return -ENOMEM;
	finding->cost_ns = (double)small->sum.ns;
	finding->confidence = 0.8;
	finding->task = small->task;
	finding__evidence(finding,
			  small->op == IO_READ ? "io_metrics.operations_read"
					       : "io_metrics.operations_written",
			  (double)small->sum.cnt, "count", small->task);
	finding__evidence(finding, "bytes per operation", mean, "bytes", small->task);
	finding__evidence(finding, "time", (double)small->sum.ns, "ns", small->task);
	finding__evidence(finding, "share of its life", life * 100, "%", small->task);
	return finding__advice(
		finding,
		"Put a buffer between the program and the file (BufReader, BufWriter, "
		"stdio, a stream's own), or map the file: each call costs about the same "
		"whether it moves 1 byte or 4096.",
		"`strace -f -c -p PID` on a test system counts the calls; the operations "
		"fall in a new recording while the bytes stay.");
}

static int find_small(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct small worst = {};
	size_t to;

	for (size_t from = 0; from < model->use_cnt; from = to) {
		for (to = from;
		     to < model->use_cnt && model->uses[to].task == model->uses[from].task &&
		     (model->uses[from].task ||
		      model->uses[to].class_idx == model->uses[from].class_idx);
		     to++)
			;
		try_small(analysis, from, to, IO_READ, &worst);
		try_small(analysis, from, to, IO_WRITE, &worst);
	}
	return worst.top ? report_small(analysis, &worst) : 0;
}

/* A good network loses far below 1 of 1000; at 1% a TCP connection already slows down. */
#define AGAIN_MIN_CNT      20
#define AGAIN_MIN_SEGMENTS 1000
#define AGAIN_SHARE        0.01
#define AGAIN_CRITICAL     0.05

static int find_retransmissions(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	double cnt = (double)analysis->totals.c[COUNTER_NET_RETRANSMITS];
	double sent = (double)analysis->totals.c[COUNTER_NET_PACKETS_SENT];
	double share = percent(cnt, sent) / 100;
	const struct link *top = NULL;
	char label[OBJECT_LABEL_SZ], where[OBJECT_LABEL_SZ + 64] = "";
	struct finding *finding;

	if (cnt < AGAIN_MIN_CNT || sent < AGAIN_MIN_SEGMENTS || share < AGAIN_SHARE)
		return 0;
	for (size_t i = 0; i < model->link_cnt; i++) {
		if (model->links[i].retransmits > (top ? top->retransmits : 0))
			top = &model->links[i];
	}
	if (top)
		snprintf(where, sizeof(where), ", most to %s",
			 object_label(model, top->object, 60, label));
	finding = finding__new(analysis, "retransmissions",
			       share >= AGAIN_CRITICAL ? SEVERITY_CRITICAL : SEVERITY_WARNING,
			       "%.1f%% of the packets sent had to be sent again (%.0f of %.0f)%s",
			       share * 100, cnt, sent, where);
	if (!finding)
		return -ENOMEM;
	/* each costs its connection a round trip at least, 200 ms where a timer had to notice */
	finding->cost_ns = cnt * 10 * NS_PER_MS;
	finding->confidence = 0.8;
	finding->task = top ? top->task : 0;
	finding__evidence(finding, "network_metrics.retransmissions", cnt, "count", 0);
	finding__evidence(finding, "network_metrics.packets_sent", sent, "count", 0);
	finding__evidence(finding, "share of packets", share * 100, "%", 0);
	if (top && top->rtt_cnt)
		finding__evidence(finding, "tcp.rtt_ns",
				  (double)top->rtt_sum_us / (double)top->rtt_cnt * 1000, "ns",
				  top->task);
	return finding__advice(
		finding,
		"The way to that peer loses packets: an overfull link or queue, a duplex "
		"or MTU mismatch, a rate limit of the cloud, or a peer that is too slow to "
		"read. The program can only send less at once.",
		"`nstat -az TcpRetransSegs` and `ss -ti dst PEER` (retrans, cwnd, rtt) "
		"during the same load.");
}

int pass_io(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	int err = find_slow_io(analysis);

	if (!err)
		err = find_io_errors(analysis);
	if (!err && model->caps[CAP_IO].measured)
		err = find_small(analysis);
	if (!err && model->caps[CAP_NETWORK].measured)
		err = find_retransmissions(analysis);
	return err;
}
