/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about blocking: locks, disks, sockets, and single long stretches. Idling (epoll,
 * condition variables, parked workers) and sleeping by its own wish are never among them, and
 * shares are of the time that tasks ran or were held up, so an idle pool stays quiet.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdio.h>

#include "analyze/uses.h"

#define STRETCH_NS          (100 * NS_PER_MS)
#define STRETCH_CRITICAL_NS NS_PER_SEC

/* One kind of wait: when it is worth a word, and the words. */
struct wait_kind {
	const char *id;
	const char *path; /* of the schema */
	const char *what; /* "Lock wait" */
	enum wire_counter counter;
	int64_t min_ns;
	double warning, critical; /* share of active time; above 1: never */
	double confidence;
	double cost; /* factor on the time */
	bool apart; /* not part of the time that tasks were held up */
	uint32_t kinds; /* of objects that it may have waited for; 0: no IO */
	const char *recommendation;
	const char *how_to_verify;
};

static const struct wait_kind kinds[] = {
	{
		.id = "lock-wait",
		.path = "time.blocked_lock_ns",
		.what = "Lock wait",
		.counter = COUNTER_BLOCKED_LOCK,
		.min_ns = 20 * NS_PER_MS,
		.warning = 0.05,
		.critical = 0.30,
		.confidence = 0.9,
		.cost = 1,
		.recommendation =
			"Find the lock that these tasks share: hold it for less time, split it, or "
			"keep slow work (IO, allocation, logging) out of it. The wake edges tell who "
			"let them go on.",
		.how_to_verify =
			"`perf lock contention -p PID` or `strace -f -c -e futex -p PID` on "
			"a test system; blocked_lock_ns falls in a new recording.",
	},
	{
		.id = "disk-wait",
		.path = "time.blocked_disk_ns",
		.what = "Disk wait",
		.counter = COUNTER_BLOCKED_DISK,
		.min_ns = 20 * NS_PER_MS,
		.warning = 0.05,
		.critical = 0.30,
		.confidence = 0.9,
		.cost = 1,
		.kinds = KINDS_STORAGE,
		.recommendation =
			"Read and write less or in larger pieces, keep hot data in memory, sync less "
			"often, or do the IO on threads that nobody waits for.",
		.how_to_verify =
			"`iostat -x 1` and the io.stat and io.pressure of the cgroup during "
			"the same load; blocked_disk_ns falls in a new recording.",
	},
	{
		/* Most threads in recv() wait for their next request: said, but never as the verdict. */
		.id = "network-wait",
		.path = "time.blocked_net_ns",
		.what = "Waiting on sockets",
		.counter = COUNTER_BLOCKED_NET,
		.min_ns = 100 * NS_PER_MS,
		.warning = 2,
		.critical = 2,
		.confidence = 0.4,
		.cost = 0.1,
		.apart = true,
		.kinds = KINDS_SOCKET,
		.recommendation =
			"If these tasks wait for an answer (a database, another service), that peer or "
			"the way to it is slow; if they wait for their next request, this is idle time.",
		.how_to_verify = "`ss -tipn` shows round trip times and queues of the process's "
				 "connections.",
	},
};

#define INFO_SHARE 0.20 /* of active time: for kinds that are never a warning */

/* "; it spent 1.20 s on PATH": what the task spent most of its IO's time on, or "". */
#define WHERE_SZ (OBJECT_LABEL_SZ + 64)
static int name_object(const struct model *model, const struct task *task, uint32_t kinds,
		       char where[WHERE_SZ])
{
	struct object_totals totals = {};
	const struct object_total *top;
	char label[OBJECT_LABEL_SZ], text[NS_TEXT_SZ];
	const struct use *uses;
	size_t cnt;
	int err;

	where[0] = '\0';
	uses = model__uses(model, task->id, NO_IDX, &cnt);
	err = object_totals__add(&totals, model, uses, cnt, kinds);
	object_totals__rank(&totals);
	top = totals.rows;
	if (!err && totals.cnt && top->ns)
		snprintf(where, WHERE_SZ, "; it spent %s on %s", ns_text(text, sat_i64(top->ns)),
			 object_label(model, top->object, 60, label));
	object_totals__free(&totals);
	return err;
}

static int find_kind(struct analysis *analysis, const struct wait_kind *kind)
{
	const struct model *model = analysis->model;
	const struct task *top = top_task(model, kind->counter);
	int64_t total = analysis->totals.c[kind->counter];
	int64_t apart = kind->apart ? total : 0;
	double active = (double)active_ns(analysis->totals.c) + (double)apart;
	double held_up = (double)held_up_ns(analysis->totals.c) + (double)apart;
	double share = active > 0 ? (double)total / active : 0;
	double of_waits = percent((double)total, held_up);
	enum severity severity = SEVERITY_INFO;
	char name[128], text[NS_TEXT_SZ], top_text[NS_TEXT_SZ], where[WHERE_SZ];
	struct finding *finding;

	if (share >= kind->critical)
		severity = SEVERITY_CRITICAL;
	else if (share >= kind->warning)
		severity = SEVERITY_WARNING;
	else if (kind->warning <= 1 || share < INFO_SHARE)
		return 0;
	if (!top || total < kind->min_ns)
		return 0;
	ns_text(text, total);
	ns_text(top_text, top->c[kind->counter]);
	task_label(model, top, name, sizeof(name));
	if (name_object(model, top, kind->kinds, where))
		return -ENOMEM;
	if (kind->apart) /* not of the same whole as the others' shares: they would add up to more */
		finding = finding__new(analysis, kind->id, severity,
				       "%s: %s in all, most in %s (%s)%s", kind->what, text, name,
				       top_text, where);
	else
		finding = finding__new(
			analysis, kind->id, severity,
			"%s%s: %.0f%% of the time that tasks were held up (%s), most in %s (%s)%s",
			kind->what, severity == SEVERITY_CRITICAL ? " is the bottleneck" : "",
			of_waits, text, name, top_text, where);
	if (!finding)
		return -ENOMEM;
	finding->confidence = kind->confidence;
	finding->cost_ns = kind->cost * (double)total;
	finding->task = top->id;
	finding__evidence(finding, kind->path, (double)total, "ns", 0);
	finding__evidence(finding,
			  kind->apart ? "share of active and socket time" : "share of active time",
			  share * 100, "%", 0);
	if (!kind->apart)
		finding__evidence(finding, "share of held-up time", of_waits, "%", 0);
	finding__evidence(finding, kind->path, (double)top->c[kind->counter], "ns", top->id);
	return finding__advice(finding, kind->recommendation, kind->how_to_verify);
}

/* What counts as a stretch that holds somebody up. Unclear waits of plain threads (a pipe, a
 * child) are mostly waits for work, and so are sockets. */
static const struct {
	enum wire_counter counter;
	const char *what;
	bool async_only;
} stretch_causes[] = {
	{COUNTER_BLOCKED_DISK, "the disk", false},
	{COUNTER_BLOCKED_LOCK, "a lock", false},
	{COUNTER_BLOCKED_NET, "a socket", true},
	{COUNTER_BLOCKED_TIMER, "a blocking sleep", true},
	{COUNTER_BLOCKED_OTHER, "an unclear cause", true},
};

struct stretch {
	const struct slice *slice;
	size_t cause;
	int64_t ns;
	int64_t total_ns;
	size_t cnt;
};

static void collect_stretches(const struct model *model, struct stretch *worst)
{
	for (size_t i = 0; i < model->slice_cnt; i++) {
		const struct slice *slice = &model->slices[i];

		for (size_t j = 0; j < sizeof(stretch_causes) / sizeof(stretch_causes[0]); j++) {
			int64_t ns = slice->c[stretch_causes[j].counter];

			if (ns < STRETCH_NS || (stretch_causes[j].async_only && !slice->depth))
				continue;
			worst->cnt++;
			worst->total_ns = sat_add(worst->total_ns, ns);
			if (ns > worst->ns) {
				worst->ns = ns;
				worst->slice = slice;
				worst->cause = j;
			}
		}
	}
}

/* A slice of a thread may hold several waits, so its sum is an upper bound of the stretch. */
static int find_stretch(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct stretch worst = {};
	char name[128] = "?", text[NS_TEXT_SZ], at[NS_TEXT_SZ], within[NS_TEXT_SZ];
	const struct task *task;
	struct finding *finding;
	enum severity severity;

	collect_stretches(model, &worst);
	if (!worst.cnt)
		return 0;
	task = model__task(model, worst.slice->task);
	if (task)
		task_label(model, task, name, sizeof(name));
	severity = worst.slice->depth ? SEVERITY_WARNING : SEVERITY_INFO;
	if (worst.slice->depth && worst.ns >= STRETCH_CRITICAL_NS)
		severity = SEVERITY_CRITICAL;
	finding =
		finding__new(analysis, "long-block", severity,
			     "%s spent %s blocked by %s, in one wait or several, of a slice of %s "
			     "that began %s into the recording (%zu such slices)",
			     name, ns_text(text, worst.ns), stretch_causes[worst.cause].what,
			     ns_text(within, worst.slice->dur_ns),
			     ns_text(at, worst.slice->start_ns), worst.cnt);
	if (!finding)
		return -ENOMEM;
	finding->confidence = worst.slice->depth ? 0.9 : 0.6;
	finding->cost_ns = (double)worst.total_ns / 2; /* the wait kinds tell of the same time */
	finding->task = worst.slice->task;
	finding__evidence(finding, "blocked_ns", (double)worst.ns, "ns", worst.slice->task);
	finding__evidence(finding, "start_ns", (double)worst.slice->start_ns, "ns",
			  worst.slice->task);
	finding__evidence(finding, "tid", (double)worst.slice->tid, "count", worst.slice->task);
	finding__evidence(finding, "slices", (double)worst.cnt, "count", 0);
	return finding__advice(
		finding,
		worst.slice->depth
			? "A task that blocks stops its worker and every task that queues behind it: use "
			  "the runtime's own asynchronous call, or its pool for blocking work."
			: "Look at what this thread did then; if somebody waited for it, move the blocking "
			  "call elsewhere.",
		"The slice in the timeline at that time; `strace -f -T -p PID` on a test system names "
		"the call.");
}

int pass_waits(struct analysis *analysis)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		err = find_kind(analysis, &kinds[i]);
	return err ? err : find_stretch(analysis);
}
