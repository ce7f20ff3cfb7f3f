/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about CPUs: tasks that queue for one, a thread that fills one, preemption, and slow
 * wake-ups. Run by analyze.c.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdio.h>

#define QUEUE_MIN_NS        (20 * NS_PER_MS)
#define QUEUE_MIN_SHARE     0.05 /* of the time that tasks ran or waited to run */
#define QUEUE_CRITICAL      0.30
#define QUEUE_CRITICAL_LOAD 0.10 /* tasks that waited, on average over the recording */
#define SATURATED_SHARE     0.90 /* of the thread's life */
#define SATURATED_MIN_NS    (500 * NS_PER_MS)
#define PREEMPT_PER_SEC     200.0 /* per second on a CPU */
#define PREEMPT_MIN_CNT     500
#define STOLEN_SHARE        0.05 /* of the time that tasks had a CPU */
#define STOLEN_MIN_NS       (100 * NS_PER_MS)
#define WAKE_P99_NS         (5 * NS_PER_MS)
#define WAKE_P99_CRITICAL   (50 * NS_PER_MS)
#define WAKE_MIN_CNT        100

static int find_queue(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const struct task *top = top_task(model, COUNTER_RUNQUEUE);
	int64_t queue = analysis->totals.c[COUNTER_RUNQUEUE];
	int64_t run = analysis->totals.c[COUNTER_ON_CPU];
	double share = percent((double)queue, (double)queue + (double)run) / 100;
	char name[128], text[NS_TEXT_SZ], run_text[NS_TEXT_SZ], top_text[NS_TEXT_SZ];
	bool is_critical = share >= QUEUE_CRITICAL &&
			   (double)queue >= QUEUE_CRITICAL_LOAD * (double)recording_ns(model);
	struct finding *finding;

	if (!top || queue < QUEUE_MIN_NS || share < QUEUE_MIN_SHARE)
		return 0;
	finding = finding__new(
		analysis, "run-queue", is_critical ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		"Tasks waited %s for a free CPU, %.*f%s the %s that they ran, most of all %s (%s)",
		ns_text(text, queue), queue > run && queue < 10 * run ? 1 : 0,
		queue > run ? (double)queue / (double)run : percent((double)queue, (double)run),
		queue > run ? " times" : "% of", ns_text(run_text, run),
		task_label(model, top, name, sizeof(name)),
		ns_text(top_text, top->c[COUNTER_RUNQUEUE]));
	if (!finding)
		return -ENOMEM;
	finding->cost_ns = (double)queue;
	finding->task = top->id;
	finding__evidence(finding, "time.runqueue_ns", (double)queue, "ns", 0);
	finding__evidence(finding, "time.on_cpu_ns", (double)run, "ns", 0);
	finding__evidence(finding, "time.runqueue_ns", (double)top->c[COUNTER_RUNQUEUE], "ns",
			  top->id);
	return finding__advice(
		finding,
		"Run fewer busy threads than there are CPUs, move other work off this host, or raise "
		"the CPU limit (cpu.max) or the pinning (affinity) that holds the process back.",
		"nr_throttled in the cgroup's cpu.stat tells whether a limit is the cause; the run "
		"queue's share falls in a new recording.");
}

/* A thread's own counters leave out what its tasks used on it, so its use is what the timeline
 * says, or its own part where that is more: never more than it was. */
static int cpu_by_thread(const struct model *model, struct map64 *by_tid)
{
	for (size_t i = 0; i < model->slice_cnt; i++) {
		const struct slice *slice = &model->slices[i];
		uint64_t sum = 0;

		map64__get(by_tid, slice->tid, &sum);
		sum = (uint64_t)sat_add((int64_t)sum, slice->c[COUNTER_ON_CPU]);
		if (map64__set(by_tid, slice->tid, sum))
			return -ENOMEM;
	}
	return 0;
}

struct saturated {
	const struct task *top;
	int64_t top_ns, top_life_ns, total_ns;
	size_t cnt;
};

static void collect_saturated(const struct analysis *analysis, const struct map64 *by_tid,
			      struct saturated *saturated)
{
	const struct model *model = analysis->model;

	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];
		int64_t life = analysis->tasks[i].inside_ns;
		int64_t ns = task->c[COUNTER_ON_CPU];
		uint64_t seen;

		if (!is_thread(task))
			continue;
		if (map64__get(by_tid, task->tid, &seen) && (int64_t)seen > ns)
			ns = (int64_t)seen < life ? (int64_t)seen : life;
		if (ns < SATURATED_MIN_NS || (double)ns < SATURATED_SHARE * (double)life)
			continue;
		saturated->cnt++;
		saturated->total_ns = sat_add(saturated->total_ns, ns);
		if (ns > saturated->top_ns) {
			saturated->top = task;
			saturated->top_ns = ns;
			saturated->top_life_ns = life;
		}
	}
}

static int report_saturated(struct analysis *analysis, const struct saturated *saturated)
{
	char name[128], text[NS_TEXT_SZ], life[NS_TEXT_SZ], more[64] = "";
	double share = percent((double)saturated->top_ns, (double)saturated->top_life_ns);
	struct finding *finding;

	if (saturated->cnt > 1)
		snprintf(more, sizeof(more), "; %zu threads do so", saturated->cnt);
	finding = finding__new(analysis, "cpu-saturated", SEVERITY_CRITICAL,
			       "A thread fills a whole CPU: %s ran %.0f%% of the time (%s of %s)%s",
			       task_label(analysis->model, saturated->top, name, sizeof(name)),
			       share, ns_text(text, saturated->top_ns),
			       ns_text(life, saturated->top_life_ns), more);
	if (!finding)
		return -ENOMEM;
	finding->cost_ns = (double)saturated->total_ns;
	finding->task = saturated->top->id;
	finding__evidence(finding, "time.on_cpu_ns", (double)saturated->top_ns, "ns",
			  saturated->top->id);
	finding__evidence(finding, "cpu_metrics.usage_percent", share, "%", saturated->top->id);
	finding__evidence(finding, "threads", (double)saturated->cnt, "count", 0);
	return finding__advice(
		finding,
		"One thread cannot go faster than one CPU: make its work cheaper (look at its hot "
		"functions) or spread it over more threads.",
		"`top -H -p PID` shows the thread near 100%; after the change its usage_percent "
		"falls or the throughput rises.");
}

static int find_saturated(struct analysis *analysis)
{
	struct saturated saturated = {};
	struct map64 by_tid = {};
	int err = cpu_by_thread(analysis->model, &by_tid);

	if (!err) {
		collect_saturated(analysis, &by_tid, &saturated);
		if (saturated.cnt)
			err = report_saturated(analysis, &saturated);
	}
	map64__free(&by_tid);
	return err;
}

static int find_preemption(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const struct task *top = top_task(model, COUNTER_SWITCH_INVOLUNTARY);
	int64_t cnt = analysis->totals.c[COUNTER_SWITCH_INVOLUNTARY];
	double run_sec = (double)analysis->totals.c[COUNTER_ON_CPU] / (double)NS_PER_SEC;
	double rate = run_sec > 0 ? (double)cnt / run_sec : 0;
	char name[128];
	struct finding *finding;

	if (!top || cnt < PREEMPT_MIN_CNT || rate < PREEMPT_PER_SEC)
		return 0;
	finding = finding__new(analysis, "preemption", SEVERITY_INFO,
			       "The kernel took the CPU away %lld times, %.0f times per second of "
			       "running, most often from %s (%lld)",
			       (long long)cnt, rate, task_label(model, top, name, sizeof(name)),
			       (long long)top->c[COUNTER_SWITCH_INVOLUNTARY]);
	if (!finding)
		return -ENOMEM;
	finding->task = top->id;
	/* The time itself is the run queue's; this only names the reason. */
	finding->cost_ns = 0;
	finding__evidence(finding, "cpu_metrics.context_switches_involuntary", (double)cnt, "count",
			  0);
	finding__evidence(finding, "involuntary switches per second on a CPU", rate, "count", 0);
	return finding__advice(finding,
			       "More threads want to run than CPUs are free: see the run queue. "
			       "Short time slices also cost cache contents.",
			       "nonvoluntary_ctxt_switches in /proc/PID/task/TID/status.");
}

static int find_stolen(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const struct task *top = top_task(model, COUNTER_STOLEN);
	int64_t stolen = analysis->totals.c[COUNTER_STOLEN];
	int64_t run = analysis->totals.c[COUNTER_ON_CPU];
	double share = percent((double)stolen, (double)stolen + (double)run) / 100;
	char text[NS_TEXT_SZ], run_text[NS_TEXT_SZ];
	struct finding *finding;

	if (!top || stolen < STOLEN_MIN_NS || share < STOLEN_SHARE)
		return 0;
	finding = finding__new(analysis, "stolen-cpu", SEVERITY_WARNING,
			       "%s of CPU time were taken from running tasks by interrupts or the "
			       "hypervisor (%.0f%% of the time on a CPU; the tasks got %s)",
			       ns_text(text, stolen), share * 100, ns_text(run_text, run));
	if (!finding)
		return -ENOMEM;
	finding->cost_ns = (double)stolen;
	finding->confidence = 0.8;
	finding__evidence(finding, "time.stolen_ns", (double)stolen, "ns", 0);
	finding__evidence(finding, "time.on_cpu_ns", (double)run, "ns", 0);
	finding__evidence(finding, "time.stolen_ns", (double)top->c[COUNTER_STOLEN], "ns", top->id);
	return finding__advice(
		finding,
		"The machine, not the program: look for a neighbour on the same host, "
		"or for a CPU that handles a network card's interrupts.",
		"The columns %st, %si and %hi of `top`, or /proc/interrupts.");
}

static void merged_wakes(const struct model *model, struct hist *hist)
{
	for (size_t i = 0; i < model->task_cnt; i++)
		hist__merge(hist, &model->tasks[i].wake);
	for (size_t i = 0; i < model->class_cnt; i++)
		hist__merge(hist, &model->classes[i].folded_wake);
}

static int find_wake_latency(struct analysis *analysis)
{
	const struct task *top = top_task(analysis->model, COUNTER_WAKE_LATENCY_MAX);
	char name[128] = "", text[NS_TEXT_SZ], median[NS_TEXT_SZ], worst[NS_TEXT_SZ];
	int64_t max = analysis->totals.c[COUNTER_WAKE_LATENCY_MAX];
	struct hist hist = {};
	struct finding *finding;
	uint64_t cnt, p50, p99;

	merged_wakes(analysis->model, &hist);
	if ((uint64_t)max > hist.max)
		hist.max = (uint64_t)max;
	cnt = hist.cnt;
	p50 = hist__percentile(&hist, 0.5);
	p99 = hist__percentile(&hist, 0.99);
	hist__free(&hist);
	if (!top || cnt < WAKE_MIN_CNT || p99 < WAKE_P99_NS)
		return 0;
	finding = finding__new(
		analysis, "wake-latency",
		p99 >= WAKE_P99_CRITICAL ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		"1 of 100 wake-ups took %s or more until the task ran (half took under %s, the worst "
		"%s in %s)",
		ns_text(text, (int64_t)p99), ns_text(median, (int64_t)p50), ns_text(worst, max),
		task_label(analysis->model, top, name, sizeof(name)));
	if (!finding)
		return -ENOMEM;
	finding->task = top->id;
	/* Half, so that it ranks behind the run queue where both tell of the same time. */
	finding->cost_ns = (double)analysis->totals.c[COUNTER_WAKE_LATENCY] / 2;
	finding__evidence(finding, "wake_latency.p99_ns", (double)p99, "ns", 0);
	finding__evidence(finding, "wake_latency.p50_ns", (double)p50, "ns", 0);
	finding__evidence(finding, "wake_latency.count", (double)cnt, "count", 0);
	finding__evidence(finding, "wake_latency.max_ns", (double)max, "ns", top->id);
	return finding__advice(finding,
			       "A woken task waits for a CPU, or for its runtime's worker to come "
			       "round: look at the run queue and at long runs first.",
			       "wake_latency.p99_ns falls in a new recording; `perf sched latency` "
			       "shows the kernel's part.");
}

int pass_sched(struct analysis *analysis)
{
	static int (*const finders[])(struct analysis *) = {
		find_queue, find_saturated, find_preemption, find_stolen, find_wake_latency,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(finders) / sizeof(finders[0]); i++)
		err = finders[i](analysis);
	return err;
}
