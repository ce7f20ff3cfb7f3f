/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of passes, and what they share: findings, their ranking, the verdict. Called by
 * cmd/record, report and export once a model is complete.
 */
#include "analyze/analyze.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/pass.h"
#include "base/array.h"
#include "model/schema.h"

/* In order: later ones use what earlier ones found. */
static const pass_fn passes[] = {
	pass_totals, pass_bottlenecks, pass_sched, pass_waits,   pass_io,
	pass_leaks,  pass_memory,      pass_async, pass_quality,
};

const char *bottleneck_name(unsigned int bottleneck)
{
	static const char *const names[] = {
#define X(id, name) name,
		ANALYZE_BOTTLENECKS(X)
#undef X
	};

	return bottleneck < BOTTLENECK_CNT ? names[bottleneck] : "?";
}

const char *severity_name(unsigned int severity)
{
	static const char *const names[] = {
#define X(id, name) name,
		ANALYZE_SEVERITIES(X)
#undef X
	};

	return severity < SEVERITY_CNT ? names[severity] : "?";
}

bool is_thread(const struct task *task)
{
	return task->runtime == RUNTIME_THREAD;
}

int64_t task_cost_ns(const struct task *task)
{
	return active_ns(task->c);
}

const char *task_label(const struct model *model, const struct task *task, char *buf, size_t sz)
{
	char id[SCHEMA_ID_SZ], name[128];

	model__task_name(model, task, name, sizeof(name));

	if (*name && is_thread(task))
		snprintf(buf, sz, "%s[%u]", name, task->tid);
	else if (*name)
		snprintf(buf, sz, "%s", name);
	else
		snprintf(buf, sz, "task %s", schema_task_id(id, task->id));
	return buf;
}

int64_t recording_ns(const struct model *model)
{
	int64_t end = model->meta.duration_ns;

	if (end != NO_TIME)
		return end > 0 ? end : 0;
	end = 0;
	for (size_t i = 0; i < model->task_cnt; i++) {
		if (model->tasks[i].end_ns > end)
			end = model->tasks[i].end_ns;
	}
	for (size_t i = 0; i < model->slice_cnt; i++) {
		int64_t to = sat_add(model->slices[i].start_ns, model->slices[i].dur_ns);

		if (to > end)
			end = to;
	}
	return end;
}

struct finding *finding__new(struct analysis *analysis, const char *id, enum severity severity,
			     const char *title, ...)
{
	struct finding *finding;
	va_list args;
	int len;

	if (array__reserve((void **)&analysis->findings, &analysis->finding_cap,
			   analysis->finding_cnt + 1, sizeof(*finding)))
		return NULL;
	finding = &analysis->findings[analysis->finding_cnt];
	*finding = (struct finding){.id = id,
				    .severity = severity,
				    .confidence = 0.9,
				    .class_idx = NO_IDX};
	va_start(args, title);
	len = vasprintf(&finding->title, title, args);
	va_end(args);
	if (len < 0)
		return NULL;
	analysis->finding_cnt++;
	return finding;
}

void finding__evidence(struct finding *finding, const char *name, double val, const char *unit,
		       uint64_t task)
{
	if (finding->evidence_cnt < FINDING_EVIDENCE)
		finding->evidence[finding->evidence_cnt++] =
			(struct evidence){.name = name, .val = val, .unit = unit, .task = task};
}

int finding__advice(struct finding *finding, const char *recommendation, const char *how_to_verify)
{
	finding->recommendation = strdup(recommendation);
	finding->how_to_verify = strdup(how_to_verify);
	return finding->recommendation && finding->how_to_verify ? 0 : -ENOMEM;
}

int finding__advice_fmt(struct finding *finding, const char *how_to_verify, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&finding->recommendation, fmt, args);
	va_end(args);
	if (len < 0) {
		finding->recommendation = NULL;
		return -ENOMEM;
	}
	finding->how_to_verify = strdup(how_to_verify);
	return finding->how_to_verify ? 0 : -ENOMEM;
}

const struct finding *analysis__finding(const struct analysis *analysis, const char *id)
{
	for (size_t i = 0; i < analysis->finding_cnt; i++) {
		if (!strcmp(analysis->findings[i].id, id))
			return &analysis->findings[i];
	}
	return NULL;
}

/* Severity first: a cost in nanoseconds says nothing across kinds of findings, shares do. */
static int by_rank(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->is_quality != y->is_quality)
		return x->is_quality ? 1 : -1;
	if (x->cost_ns != y->cost_ns)
		return x->cost_ns > y->cost_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* The line for a program that nothing holds up, with the numbers that say so. */
static int verdict_none(struct analysis *analysis)
{
	const int64_t *c = analysis->totals.c;
	int64_t duration = recording_ns(analysis->model);
	char run[NS_TEXT_SZ], queue[NS_TEXT_SZ], disk[NS_TEXT_SZ], lock[NS_TEXT_SZ],
		len[NS_TEXT_SZ], net[NS_TEXT_SZ], timer[NS_TEXT_SZ], other[NS_TEXT_SZ],
		idle[NS_TEXT_SZ];
	double cpus = duration ? (double)c[COUNTER_ON_CPU] / (double)duration : 0;

	return asprintf(&analysis->verdict,
			"No bottleneck found: %s on CPUs in %s (%.2f CPUs in use), "
			"%s waiting for a CPU, %s for disks, %s for locks; else %s on sockets, "
			"%s asleep by timer, %s blocked for unclear reasons, %s idle",
			ns_text(run, c[COUNTER_ON_CPU]), ns_text(len, duration), cpus,
			ns_text(queue, c[COUNTER_RUNQUEUE]), ns_text(disk, c[COUNTER_BLOCKED_DISK]),
			ns_text(lock, c[COUNTER_BLOCKED_LOCK]),
			ns_text(net, c[COUNTER_BLOCKED_NET]),
			ns_text(timer, c[COUNTER_BLOCKED_TIMER]),
			ns_text(other, c[COUNTER_BLOCKED_OTHER]), ns_text(idle, c[COUNTER_IDLE]));
}

static int set_verdict(struct analysis *analysis)
{
	const struct cap_state *waits = &analysis->model->caps[CAP_WAITS];
	int len = -1;

	for (size_t i = 0; i < analysis->finding_cnt; i++) {
		const struct finding *finding = &analysis->findings[i];

		if (finding->is_quality || finding->severity == SEVERITY_INFO)
			continue;
		analysis->verdict = strdup(finding->title);
		return analysis->verdict ? 0 : -ENOMEM;
	}
	if (!analysis->totals.tasks)
		len = asprintf(&analysis->verdict, "No verdict: no task was seen");
	else if (!waits->measured)
		len = asprintf(&analysis->verdict, "No verdict: waits were not measured (%s)",
			       model__str(analysis->model, waits->reason));
	else
		len = verdict_none(analysis);
	if (len < 0) {
		analysis->verdict = NULL;
		return -ENOMEM;
	}
	return 0;
}

struct analysis *analysis__new(const struct model *model)
{
	struct analysis *analysis = calloc(1, sizeof(*analysis));
	int err = 0;

	if (!analysis)
		return NULL;
	analysis->model = model;
	analysis->tasks = calloc(model->task_cnt + 1, sizeof(*analysis->tasks));
	if (!analysis->tasks)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < sizeof(passes) / sizeof(passes[0]); i++)
		err = passes[i](analysis);
	if (!err) {
		if (analysis->finding_cnt)
			qsort(analysis->findings, analysis->finding_cnt,
			      sizeof(*analysis->findings), by_rank);
		err = set_verdict(analysis);
	}
	if (err) {
		analysis__free(analysis);
		errno = -err;
		return NULL;
	}
	return analysis;
}

void analysis__free(struct analysis *analysis)
{
	if (!analysis)
		return;
	for (size_t i = 0; i < analysis->finding_cnt; i++) {
		free(analysis->findings[i].title);
		free(analysis->findings[i].recommendation);
		free(analysis->findings[i].how_to_verify);
	}
	free(analysis->findings);
	free(analysis->tasks);
	free(analysis->verdict);
	free(analysis);
}
