/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up recording of any size with hostile names, and its truth as JSON. Included by
 * tests/unit/test_report.c, whose `--page` mode writes pages for tests/page/run-page.t.
 */
#ifndef PAGE_SAMPLE_H
#define PAGE_SAMPLE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyze/analyze.h"
#include "base/json.h"
#include "model/model.h"

#define SAMPLE_THREADS  24
#define SAMPLE_DURATION 30000000000LL
#define SAMPLE_SLICES   160 /* per thread */

/* What a hostile target may be called. */
static const char *const hostile_names[] = {
	"</script><img src=x onerror=alert(1)>",
	"\"><svg onload=alert(2)>",
	"' onmouseover='alert(3)",
	"<!--<script>",
	"]]>&lt;&#60;&amp;",
	"bad \xff\xfe utf-8 \xc3",
	"ctrl \x01\x1b[31m\x7f",
	"\xe2\x80\xaegnp.exe", /* right-to-left override */
	"{{script}}{{csp}}",
	"a very long name of a Rust type core::pin::Pin<alloc::boxed::Box<dyn Future<Output = ()>>>",
};
#define HOSTILE_CNT (sizeof(hostile_names) / sizeof(*hostile_names))

static const char *const plain_names[] = {"http::accept", "cache::get", "db::query", "log::flush",
					  "timer::tick",  "tls::read",  "gc",        "worker"};
#define PLAIN_CNT (sizeof(plain_names) / sizeof(*plain_names))

/* xorshift64: the same recording each time. */
static uint64_t sample_random(uint64_t *state, uint64_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return below ? *state % below : 0;
}

static void sample_meta(struct model *model)
{
	struct meta *meta = &model->meta;

	meta->version = model__intern(model, "0.1-sample");
	meta->options = model__intern(model, "-p 4242 -d 30");
	meta->kernel = model__intern(model, "6.12.0");
	meta->arch = model__intern(model, "x86_64");
	meta->hostname = model__intern(model, "host<b>name");
	meta->exe = model__intern(model, "/srv/</script><img src=x onerror=alert(4)>/api");
	meta->comm = model__intern(model, "api-server");
	meta->cmdline = model__intern(model, "api-server --token=*** \"'<&>");
	meta->stop_reason = model__intern(model, "the time was over");
	meta->cpus = 8;
	meta->pid = 4242;
	meta->uid = 1000;
	meta->process_cnt = 1;
	meta->started_at_ns = 1795170000000000000LL;
	meta->duration_ns = SAMPLE_DURATION;
	meta->attached_ns = 84000000;
	meta->tracer_cpu_ns = 240000000;
	meta->tracer_rss_bytes = 61 << 20;
	meta->kernel_memory_bytes = 18 << 20;
	meta->probe_hits = 812345;
	meta->probe_price_ns = NO_TIME;
	meta->hook_runs = NO_TIME;
	meta->hook_ns = NO_TIME;
	meta->tasks_folded = 0;
	meta->slices_seen = 0;
	meta->records_seen = 0;
	meta->process_cpu_ns = NO_TIME;
}

static void sample_caps(struct model *model)
{
	static const enum model_cap measured[] = {CAP_CPU, CAP_WAITS, CAP_FAULTS, CAP_WAKES,
						  CAP_RUNS};

	for (size_t i = 0; i < sizeof(measured) / sizeof(*measured); i++)
		model__cap_set(model, measured[i], "tracepoints");
	model__cap_miss(model, CAP_CYCLES, "no hardware counters here: <b>virtual</b> machine");
	model__counter_add(model, "ring_full", "records dropped", true, 1234);
	model__counter_add(model, "wake_unseen", "threads that ran \"unwoken\" <i>", true, 0);
	model__counter_add(model, "probe.sched_switch", "hits", false, 812345);
}

static void sample_times(struct task *task, uint64_t *seed)
{
	int64_t life = task->end_ns == NO_TIME ? SAMPLE_DURATION : task->end_ns;
	int64_t left = life - (task->start_ns > 0 ? task->start_ns : 0);
	static const int shares[] = {22, 9, 6, 14, 11, 8, 5};

	task->wall_ns = left;
	for (int i = 0; i < 7; i++) {
		int64_t ns = left / 100 * (int64_t)sample_random(seed, shares[i] + 1);

		task->c[COUNTER_ON_CPU + i] = ns;
	}
	for (int i = 0; i < 7; i++)
		left -= task->c[COUNTER_ON_CPU + i];
	task->c[COUNTER_IDLE] = left > 0 ? left : 0;
	task->c[COUNTER_SWITCH_VOLUNTARY] = sample_random(seed, 5000);
	task->c[COUNTER_SWITCH_INVOLUNTARY] = sample_random(seed, 500);
	task->c[COUNTER_FAULT_MINOR] = sample_random(seed, 900);
	task->c[COUNTER_WAKE_RECEIVED] = sample_random(seed, 300);
	task->c[COUNTER_CPUS] = sample_random(seed, 256);
	for (int64_t i = 0; i < task->c[COUNTER_WAKE_RECEIVED] && i < 24; i++) {
		uint64_t ns = 2000 + sample_random(seed, 900000);

		hist__add(&task->wake, ns, 8);
		task->c[COUNTER_WAKE_LATENCY] += 8 * ns;
		if ((int64_t)ns > task->c[COUNTER_WAKE_LATENCY_MAX])
			task->c[COUNTER_WAKE_LATENCY_MAX] = ns;
	}
}

static void sample_task(struct model *model, size_t i, uint64_t *seed)
{
	bool thread = i < SAMPLE_THREADS;
	uint64_t tid = 4242 + (thread ? i : sample_random(seed, SAMPLE_THREADS));
	uint64_t id = tid << 32 | (thread ? 0 : i);
	const char *name = i < HOSTILE_CNT ? hostile_names[i] : plain_names[i % PLAIN_CNT];
	struct task *task = model__task_get(model, id);
	char text[256];

	task->native = thread ? tid : 0x7f0000000000 + 64 * i;
	task->parent = thread ? 0 : (uint64_t)4242 << 32;
	task->start_ns = thread ? -5000000000LL : (int64_t)sample_random(seed, SAMPLE_DURATION);
	task->end_ns =
		thread || i % 7 == 0
			? NO_TIME
			: task->start_ns + (int64_t)sample_random(seed, SAMPLE_DURATION -
										task->start_ns + 1);
	task->tgid = 4242;
	task->tid = tid;
	task->runtime = thread ? RUNTIME_THREAD : RUNTIME_MARKS;
	task->state = task->end_ns == NO_TIME ? STATE_WAITING : STATE_COMPLETED;
	task->flags = thread ? 0 : TASK_SEEN_FROM_START;
	task->binding = thread ? BINDING_KERNEL : BINDING_SYMBOL;
	snprintf(text, sizeof(text), thread && i >= HOSTILE_CNT ? "%s #%zu" : "%s", name, i);
	task->name = model__intern(model, text);
	snprintf(text, sizeof(text), "%s%s", thread ? "thread " : "", name);
	task->class_idx =
		model__class_get(model, hash_bytes(0, text, strlen(text)), task->runtime, text);
	sample_times(task, seed);
	for (size_t run = 0; !thread && run < i % 40; run++)
		hist__add(&task->runs, 1000 + sample_random(seed, 4000000), 5);
}

/* Bursts: a thread runs, waits in the run queue, waits for one of the causes, idles. */
static void sample_slices(struct model *model, uint64_t *seed)
{
	size_t threads = model->task_cnt < SAMPLE_THREADS ? model->task_cnt : SAMPLE_THREADS;

	for (size_t t = 0; t < threads; t++) {
		int64_t at = 0, step = SAMPLE_DURATION / SAMPLE_SLICES;

		for (int i = 0; i < SAMPLE_SLICES; i++, at += step) {
			struct slice *slice = model__slice_add(model);
			int64_t run = sample_random(seed, step / (t + 1));

			slice->task = model->tasks[t].id;
			slice->tid = model->tasks[t].tid;
			slice->start_ns = at;
			slice->dur_ns = step;
			slice->c[COUNTER_ON_CPU] = run;
			slice->c[COUNTER_RUNQUEUE] = i % 40 > 30 ? (step - run) / 2 : 0;
			slice->c[COUNTER_BLOCKED_DISK + (i / 12 + t) % 5] = (step - run) / 3;
			slice->c[COUNTER_IDLE] = (step - run) / 9;
		}
	}
	model->meta.slices_seen = model->slice_cnt;
}

static struct model *sample_model(size_t tasks)
{
	struct model *model = model__new();
	uint64_t seed = 0x5eed;
	int64_t cpu = 0;

	if (!model)
		return NULL;
	sample_meta(model);
	sample_caps(model);
	for (size_t i = 0; i < tasks; i++)
		sample_task(model, i, &seed);
	sample_slices(model, &seed);
	for (size_t i = 0; i < model->task_cnt; i++)
		cpu += model->tasks[i].c[COUNTER_ON_CPU];
	model->meta.process_cpu_ns = cpu + cpu / 100;
	return model;
}

/* One object: counts and sums, and the first thousand tasks with all that the test compares. */
static int sample_truth(const struct model *model, FILE *out)
{
	struct buf buf = {0};
	struct json json;
	int64_t run = 0;

	json__init(&json, &buf);
	json__obj_begin(&json);
	json__kv_u64(&json, "tasks", model->task_cnt);
	json__kv_u64(&json, "classes", model->class_cnt);
	json__key(&json, "rows");
	json__arr_begin(&json);
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];
		char id[32], name[256];

		run += task->c[COUNTER_ON_CPU];
		if (i >= 1000 && i % 997)
			continue;
		snprintf(id, sizeof(id), "%u:%u", (unsigned int)(task->id >> 32),
			 (unsigned int)task->id);
		json__obj_begin(&json);
		json__kv_str(&json, "id", id);
		json__kv_str(&json, "name", model__task_name(model, task, name, sizeof(name)));
		json__kv_str(&json, "class",
			     model__str(model, model->classes[task->class_idx].name));
		json__kv_i64(&json, "run", task->c[COUNTER_ON_CPU]);
		json__kv_i64(&json, "runq", task->c[COUNTER_RUNQUEUE]);
		json__kv_i64(&json, "lock", task->c[COUNTER_BLOCKED_LOCK]);
		json__kv_i64(&json, "start", task->start_ns);
		json__kv_i64(&json, "wakes", task->c[COUNTER_WAKE_RECEIVED]);
		json__kv_u64(&json, "runs", task->runs.cnt);
		json__obj_end(&json);
	}
	json__arr_end(&json);
	json__kv_i64(&json, "run", run);
	json__obj_end(&json);
	fputs(buf__str(&buf), out);
	buf__free(&buf);
	return ferror(out) ? -EIO : 0;
}

#endif
