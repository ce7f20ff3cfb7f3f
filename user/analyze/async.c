/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about tasks of a runtime above threads: runs (polls, callbacks) so long that everything
 * else on the same worker had to wait.
 */
#include "analyze/pass.h"

#include <errno.h>

#define LONG_RUN_NS          (100 * NS_PER_MS)
#define LONG_RUN_CRITICAL_NS NS_PER_SEC

struct long_runs {
	const struct task *worst;
	uint64_t max_ns;
	uint64_t cnt;
	double total_ns;
	size_t tasks;
};

/* By bucket, so the count of a run of just the limit is right to 6%. */
static void count_long(const struct hist *hist, struct long_runs *runs)
{
	for (size_t i = 0; i < hist->bucket_cnt; i++) {
		uint64_t low = hist__idx_low(hist->buckets[i].idx);

		if (hist->buckets[i].idx < hist__idx(LONG_RUN_NS))
			continue;
		runs->cnt += hist->buckets[i].cnt;
		runs->total_ns += (double)low * (double)hist->buckets[i].cnt;
	}
}

static void collect(const struct model *model, struct long_runs *runs)
{
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		if (is_thread(task) || task->runs.max < LONG_RUN_NS)
			continue;
		runs->tasks++;
		count_long(&task->runs, runs);
		if (task->runs.max > runs->max_ns) {
			runs->max_ns = task->runs.max;
			runs->worst = task;
		}
	}
}

int pass_async(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct long_runs runs = {};
	char name[128], text[NS_TEXT_SZ];
	struct finding *finding;
	int64_t cpu;

	if (!model->caps[CAP_RUNS].measured)
		return 0;
	collect(model, &runs);
	if (!runs.worst)
		return 0;
	finding = finding__new(
		analysis, "long-run",
		runs.max_ns >= LONG_RUN_CRITICAL_NS ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		"%s kept its worker for %s in one run; others on it waited (%llu runs over 100 ms in "
		"%zu tasks)",
		task_label(model, runs.worst, name, sizeof(name)),
		ns_text(text, (int64_t)runs.max_ns), (unsigned long long)runs.cnt, runs.tasks);
	if (!finding)
		return -ENOMEM;
	cpu = runs.worst->c[COUNTER_ON_CPU];
	finding->cost_ns = runs.total_ns;
	finding->task = runs.worst->id;
	finding->class_idx =
		runs.worst->class_idx < model->class_cnt ? runs.worst->class_idx : NO_IDX;
	finding__evidence(finding, "runs.max_ns", (double)runs.max_ns, "ns", runs.worst->id);
	finding__evidence(finding, "runs over 100 ms", (double)runs.cnt, "count", 0);
	finding__evidence(finding, "tasks", (double)runs.tasks, "count", 0);
	finding__evidence(finding, "time.on_cpu_ns", (double)cpu, "ns", runs.worst->id);
	finding__evidence(finding, "time.wall_ns", (double)runs.worst->wall_ns, "ns",
			  runs.worst->id);
	return finding__advice(
		finding,
		(double)cpu >= 0.5 * (double)runs.worst->wall_ns
			? "Most of its runs is computing: give way in between (yield), or move the "
			  "computing to the runtime's pool for blocking work."
			: "Most of its runs is not computing: it makes a blocking call inside a run; use "
			  "the asynchronous one, or the runtime's pool for blocking work.",
		"runs.max_ns of the task falls below 100 ms in a new recording.");
}
