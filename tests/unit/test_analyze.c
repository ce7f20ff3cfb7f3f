/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The passes on hand-made models: what they add up, what they call a bottleneck and what not. */
#include "analyze/analyze.h"

#include <stdlib.h>
#include <string.h>

#include "rich_model.h"
#include "tap.h"

static bool formats_as(int64_t ns, const char *want)
{
	struct buf buf = {};
	bool same;

	format_ns(&buf, ns);
	same = !strcmp(buf__str(&buf), want);
	if (!same)
		note("%lld: %s, not %s", (long long)ns, buf__str(&buf), want);
	buf__free(&buf);
	return same;
}

static void test_format(void)
{
	struct buf buf = {};

	ok(formats_as(0, "0 s") && formats_as(1, "1 ns") && formats_as(999, "999 ns") &&
		   formats_as(1000, "1.00 us") && formats_as(640 * 1000, "640 us") &&
		   formats_as(12345678, "12.3 ms") && formats_as(999499999, "999 ms") &&
		   formats_as(999999999, "1.00 s") && formats_as(1240 * MS, "1.24 s") &&
		   formats_as(59 * SEC, "59.0 s") && formats_as(599 * SEC, "599 s") &&
		   formats_as(3600 * SEC, "60.0 min") && formats_as(8 * 3600 * SEC, "8.00 h"),
	   "times have three digits and a unit, without a jump where the unit changes");
	ok(formats_as(-1240 * MS, "-1.24 s") && formats_as(NO_TIME, "unknown") &&
		   formats_as(INT64_MAX, "2562048 h"),
	   "negative, unknown and huge times");
	format_bytes(&buf, 0);
	buf__puts(&buf, " ");
	format_bytes(&buf, 1536);
	buf__puts(&buf, " ");
	format_bytes(&buf, UINT64_MAX);
	ok(!strcmp(buf__str(&buf), "0 B 1.50 KiB 16777216 TiB"), "bytes: %s", buf__str(&buf));
	buf__free(&buf);
}

static void test_totals(void)
{
	struct model *model = rich_model();
	struct analysis *analysis = analysis__new(model);
	const struct totals *totals = &analysis->totals;

	/* 4 s + 0.5 s + (1+..+6) ms + folded 400 ms */
	ok(totals->c[COUNTER_ON_CPU] == 4921 * MS, "the folded tasks' CPU time is in the sum: %lld",
	   (long long)totals->c[COUNTER_ON_CPU]);
	ok(totals->tasks == 49 && totals->by_state[STATE_COMPLETED] == 36 &&
		   totals->by_state[STATE_CANCELLED] == 10,
	   "tasks by state, folded ones too");
	ok(totals->c[COUNTER_WAKE_LATENCY_MAX] == 2 * MS && totals->c[COUNTER_CPUS] == 5,
	   "maxima and masks are not added up");
	ok(totals->unattributed_cpu_ns == 79 * MS, "unattributed = the process's own - the sum");
	ok(analysis->tasks[0].inside_ns == 10 * SEC && analysis->tasks[3].inside_ns == 1 * SEC,
	   "a life is counted within the recording only");
	analysis__free(analysis);

	model->meta.process_cpu_ns = NO_TIME;
	analysis = analysis__new(model);
	ok(analysis->totals.unattributed_cpu_ns == NO_TIME && analysis->totals.unattributed_why,
	   "unattributed time is unknown, with a reason, when the process's own was not read");
	analysis__free(analysis);
	model__free(model);
}

/* One thread of 10 s with one counter. */
static struct model *one_thread(enum wire_counter counter, int64_t ns)
{
	struct model *model = model__new();

	model__cap_set(model, CAP_CPU, "test");
	model__cap_set(model, CAP_WAITS, "test");
	model__cap_set(model, CAP_WAKES, "test");
	model__cap_set(model, CAP_RUNS, "test");
	model->meta.duration_ns = 10 * SEC;
	add_thread(model, 7, "only")->c[counter] = ns;
	return model;
}

static void test_bottlenecks(void)
{
	static const struct {
		enum wire_counter counter;
		int64_t ns;
		enum bottleneck want;
		const char *cause;
	} cases[] = {
		{COUNTER_ON_CPU, 9 * SEC, BOTTLENECK_CPU, "on CPU"},
		{COUNTER_RUNQUEUE, 2 * SEC, BOTTLENECK_CPU, "run queue"},
		{COUNTER_BLOCKED_DISK, 2 * SEC, BOTTLENECK_IO, "disk"},
		{COUNTER_BLOCKED_NET, 2 * SEC, BOTTLENECK_NETWORK, "network"},
		{COUNTER_BLOCKED_LOCK, 2 * SEC, BOTTLENECK_UNKNOWN, "lock"},
		{COUNTER_BLOCKED_TIMER, 10 * SEC, BOTTLENECK_UNKNOWN, NULL},
		{COUNTER_IDLE, 10 * SEC, BOTTLENECK_UNKNOWN, NULL},
		{COUNTER_ON_CPU, 900 * MS, BOTTLENECK_UNKNOWN, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *model = one_thread(cases[i].counter, cases[i].ns);
		struct analysis *analysis = analysis__new(model);
		const struct task_result *result = &analysis->tasks[0];

		ok(result->bottleneck == cases[i].want && !result->cause == !cases[i].cause &&
			   (!result->cause || !strcmp(result->cause, cases[i].cause)),
		   "%lld ms of %s: %s, %s", (long long)(cases[i].ns / MS),
		   counter_name(cases[i].counter), bottleneck_name(result->bottleneck),
		   result->cause ? result->cause : "none");
		analysis__free(analysis);
		model__free(model);
	}
}

static void test_balanced(void)
{
	struct model *model = one_thread(COUNTER_ON_CPU, 4 * SEC);
	struct analysis *analysis;

	model->tasks[0].c[COUNTER_BLOCKED_DISK] = 3900 * MS;
	analysis = analysis__new(model);
	ok(analysis->tasks[0].bottleneck == BOTTLENECK_BALANCED, "two equal shares are balanced");
	analysis__free(analysis);
	model__free(model);

	model = one_thread(COUNTER_ON_CPU, 100 * MS);
	model->tasks[0].c[COUNTER_CHILD_WALL] = 9500 * MS;
	analysis = analysis__new(model);
	ok(analysis->tasks[0].bottleneck == BOTTLENECK_CPU,
	   "a share is one of the task's own life, without other tasks' frames");
	analysis__free(analysis);
	model__free(model);
}

static void expect_finding(struct model *model, const char *id, int severity, const char *in_title)
{
	struct analysis *analysis = analysis__new(model);
	const struct finding *finding = analysis__finding(analysis, id);

	if (!ok(severity < 0 ? !finding : finding && (int)finding->severity == severity, "%s: %s",
		id, finding ? finding->title : "no such finding"))
		note("verdict: %s", analysis->verdict);
	if (finding && severity >= 0) {
		ok(strstr(finding->title, in_title) && finding->recommendation &&
			   finding->how_to_verify && finding->evidence_cnt &&
			   finding->confidence > 0 && finding->confidence <= 1,
		   "%s: has its number, evidence, advice and a way to verify", id);
		ok(severity == SEVERITY_INFO || finding->is_quality ||
			   !strcmp(analysis->verdict, finding->title),
		   "%s: is the verdict", id);
	}
	analysis__free(analysis);
	model__free(model);
}

static void test_findings(void)
{
	struct model *model = one_thread(COUNTER_RUNQUEUE, 1 * SEC);

	model->tasks[0].c[COUNTER_ON_CPU] = 8 * SEC;
	expect_finding(model, "run-queue", SEVERITY_WARNING, "1.00 s");

	expect_finding(one_thread(COUNTER_ON_CPU, 9500 * MS), "cpu-saturated", SEVERITY_CRITICAL,
		       "95%");
	expect_finding(one_thread(COUNTER_BLOCKED_LOCK, 1 * SEC), "lock-wait", SEVERITY_CRITICAL,
		       "only[7]");
	expect_finding(one_thread(COUNTER_BLOCKED_DISK, 1 * SEC), "disk-wait", SEVERITY_CRITICAL,
		       "1.00 s");
	expect_finding(one_thread(COUNTER_BLOCKED_NET, 9 * SEC), "network-wait", SEVERITY_INFO,
		       "9.00 s");

	model = one_thread(COUNTER_ON_CPU, 1 * SEC);
	model->tasks[0].c[COUNTER_SWITCH_INVOLUNTARY] = 900;
	expect_finding(model, "preemption", SEVERITY_INFO, "900");

	model = one_thread(COUNTER_STOLEN, 200 * MS);
	model->tasks[0].c[COUNTER_ON_CPU] = 2 * SEC;
	expect_finding(model, "stolen-cpu", SEVERITY_WARNING, "200 ms");

	model = one_thread(COUNTER_RUNQUEUE, 3 * SEC);
	model->tasks[0].c[COUNTER_ON_CPU] = 2 * SEC;
	expect_finding(model, "run-queue", SEVERITY_CRITICAL, "1.5 times the 2.00 s");

	model = one_thread(COUNTER_WAKE_LATENCY_MAX, 80 * MS);
	hist__add_range(&model->tasks[0].wake, 60 * MS, 60 * MS, 200);
	expect_finding(model, "wake-latency", SEVERITY_CRITICAL, "80.0 ms");

	model = one_thread(COUNTER_IDLE, 9 * SEC);
	hist__add(&add_marks(model, 1)->runs, 412 * MS, 3);
	expect_finding(model, "long-run", SEVERITY_WARNING, "412 ms");
}

static void test_stretch(void)
{
	struct model *model = one_thread(COUNTER_IDLE, 9 * SEC);
	struct slice *slice = model__slice_add(model);

	add_marks(model, 1);
	*slice = (struct slice){.task = TASK(1), .dur_ns = 200 * MS, .tid = 7, .depth = 1};
	slice->c[COUNTER_BLOCKED_TIMER] = 150 * MS;
	expect_finding(model, "long-block", SEVERITY_WARNING, "150 ms");

	model = one_thread(COUNTER_IDLE, 9 * SEC);
	slice = model__slice_add(model);
	*slice = (struct slice){.task = THREAD(7), .dur_ns = 900 * MS, .tid = 7};
	slice->c[COUNTER_BLOCKED_TIMER] = 900 * MS;
	slice->c[COUNTER_BLOCKED_OTHER] = 900 * MS;
	expect_finding(model, "long-block", -1, NULL);
}

/* The CPU that a thread's tasks used on it counts for the thread. */
static void test_saturated_by_tasks(void)
{
	struct model *model = one_thread(COUNTER_ON_CPU, 1 * SEC);
	struct slice *slice = model__slice_add(model);

	*slice = (struct slice){.task = TASK(1), .dur_ns = 9 * SEC, .tid = 7, .depth = 1};
	slice->c[COUNTER_ON_CPU] = 8500 * MS;
	slice = model__slice_add(model);
	*slice = (struct slice){.task = THREAD(7), .dur_ns = 1 * SEC, .tid = 7};
	slice->c[COUNTER_ON_CPU] = 1 * SEC;
	expect_finding(model, "cpu-saturated", SEVERITY_CRITICAL, "95%");
}

static void test_quality(void)
{
	struct model *model = one_thread(COUNTER_IDLE, 9 * SEC);

	model__counter_add(model, "ring_full", "records dropped", true, 100);
	model__counter_add(model, "hits", "not a loss", false, 5);
	model->meta.records_seen = 900;
	expect_finding(model, "losses", SEVERITY_CRITICAL, "100");

	model = one_thread(COUNTER_ON_CPU, 1 * SEC);
	model->meta.process_cpu_ns = 1100 * MS;
	expect_finding(model, "unattributed", SEVERITY_WARNING, "100 ms");
	model = one_thread(COUNTER_ON_CPU, 1 * SEC);
	model->meta.process_cpu_ns = 1040 * MS;
	expect_finding(model, "unattributed", -1, NULL);
}

static void expect_verdict(struct model *model, const char *part)
{
	struct analysis *analysis = analysis__new(model);

	ok(strstr(analysis->verdict, part) && !analysis->finding_cnt, "verdict: %s",
	   analysis->verdict);
	analysis__free(analysis);
	model__free(model);
}

static void test_quiet(void)
{
	struct model *model = one_thread(COUNTER_IDLE, 10 * SEC);

	/* an idle pool with some noise is not a finding, whatever the shares among the noise */
	model->tasks[0].c[COUNTER_BLOCKED_LOCK] = 2 * MS;
	model->tasks[0].c[COUNTER_RUNQUEUE] = 2 * MS;
	model->tasks[0].c[COUNTER_ON_CPU] = 3 * MS;
	expect_verdict(model, "No bottleneck found: 3.00 ms on CPUs in 10.0 s");
	expect_verdict(one_thread(COUNTER_BLOCKED_TIMER, 10 * SEC), "No bottleneck found");
	expect_verdict(model__new(), "No verdict: no task was seen");
	model = model__new();
	add_thread(model, 1, "a");
	expect_verdict(model, "waits were not measured (thread accounting was not attached)");
}

static void test_rank(void)
{
	struct model *model = rich_model();
	struct analysis *analysis;

	model__counter_add(model, "ring_full", "records dropped", true, 100000);
	analysis = analysis__new(model);
	for (size_t i = 0; i < analysis->finding_cnt; i++)
		note("%s: %s", severity_name(analysis->findings[i].severity),
		     analysis->findings[i].title);
	for (size_t i = 1; i < analysis->finding_cnt; i++)
		ok(analysis->findings[i].severity <= analysis->findings[i - 1].severity,
		   "finding %zu is not more severe than the one before", i);
	ok(!strncmp(analysis->verdict, "Lock wait is the bottleneck", 27),
	   "a loss is never the verdict: %s", analysis->verdict);
	analysis__free(analysis);
	model__free(model);
}

/* Numbers of a hostile snapshot: the sanitizers must stay quiet. */
static void test_extremes(void)
{
	static const int64_t extremes[] = {INT64_MIN, INT64_MAX, -1};
	struct analysis *analysis;

	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		struct model *model = rich_model();
		struct slice *slice = model__slice_add(model);

		slice->start_ns = slice->dur_ns = extremes[i];
		for (size_t j = 0; j < model->task_cnt; j++) {
			model->tasks[j].start_ns = model->tasks[j].wall_ns = extremes[i];
			model->tasks[j].class_idx = 12345;
			model->tasks[j].state = 200;
			for (unsigned int k = 0; k < COUNTER_CNT; k++)
				model->tasks[j].c[k] = extremes[i];
		}
		for (unsigned int k = 0; k < SLICE_TIMES; k++)
			slice->c[k] = extremes[i];
		model->meta.process_cpu_ns = extremes[i];
		model->meta.records_seen = extremes[i];
		model->meta.duration_ns = extremes[i];
		analysis = analysis__new(model);
		ok(analysis && analysis->verdict, "all numbers are %lld", (long long)extremes[i]);
		analysis__free(analysis);
		model__free(model);
	}
}

int main(void)
{
	test_format();
	test_totals();
	test_bottlenecks();
	test_balanced();
	test_findings();
	test_stretch();
	test_saturated_by_tasks();
	test_quality();
	test_quiet();
	test_rank();
	test_extremes();
	return tap_done();
}
