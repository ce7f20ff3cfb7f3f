/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section "classes": one row per class, summed over its tasks, the folded ones included.
 * With a handful of tasks "shown" is false: their classes say no more than they do. The task table
 * takes its class names from here either way. Called by html.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "report/sections.h"

struct sum {
	int64_t c[COUNTER_CNT];
	int64_t tasks;
	int64_t folded;
	int64_t live;
	struct hist runs;
	struct hist wake;
};

static int64_t clamp(uint64_t val)
{
	return val > INT64_MAX ? INT64_MAX : (int64_t)val;
}

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void add_task(struct sum *sum, const struct task *task)
{
	for (int i = 0; i < COUNTER_CNT; i++)
		sum->c[i] = add(sum->c[i], task->c[i]);
	sum->tasks++;
	sum->live += task->end_ns == NO_TIME;
	hist__merge(&sum->runs, &task->runs);
	hist__merge(&sum->wake, &task->wake);
}

static void add_folded(struct sum *sum, const struct task_class *class)
{
	for (int i = 0; i < COUNTER_CNT; i++)
		sum->c[i] = add(sum->c[i], class->folded_c[i]);
	sum->folded = clamp(class->folded_cnt);
	sum->tasks = add(sum->tasks, sum->folded);
	hist__merge(&sum->runs, &class->folded_runs);
	hist__merge(&sum->wake, &class->folded_wake);
}

static struct sum *sums_new(const struct model *model)
{
	struct sum *sums = calloc(model->class_cnt ? model->class_cnt : 1, sizeof(*sums));

	if (!sums)
		return NULL;
	for (size_t i = 0; i < model->task_cnt; i++)
		if (model->tasks[i].class_idx < model->class_cnt)
			add_task(&sums[model->tasks[i].class_idx], &model->tasks[i]);
	for (size_t i = 0; i < model->class_cnt; i++)
		add_folded(&sums[i], &model->classes[i]);
	return sums;
}

static void sums_free(struct sum *sums, size_t cnt)
{
	for (size_t i = 0; sums && i < cnt; i++) {
		hist__free(&sums[i].runs);
		hist__free(&sums[i].wake);
	}
	free(sums);
}

typedef int64_t (*get_fn)(const struct sum *sum, int arg);

static int64_t get_tasks(const struct sum *sum, int arg)
{
	(void)arg;
	return sum->tasks;
}

static int64_t get_folded(const struct sum *sum, int arg)
{
	(void)arg;
	return sum->folded;
}

static int64_t get_live(const struct sum *sum, int arg)
{
	(void)arg;
	return sum->live;
}

static int64_t get_counter(const struct sum *sum, int counter)
{
	return sum->c[counter];
}

/* Of two counters. */
#define BOTH(a, b) (COUNTER_##a | COUNTER_##b << 8)

static int64_t get_both(const struct sum *sum, int counters)
{
	return add(sum->c[counters & 0xff], sum->c[counters >> 8]);
}

static int64_t get_runs(const struct sum *sum, int part)
{
	return hist_part(&sum->runs, part);
}

static int64_t get_wake(const struct sum *sum, int part)
{
	return hist_part(&sum->wake, part);
}

struct class_column {
	struct column_doc doc;
	get_fn get;
	int arg;
};

#define COUNTER(name, doc, cap, counter)                                                           \
	{                                                                                          \
		{name, NULL, doc ", all tasks of the class", CAP_##cap}, get_counter,              \
			COUNTER_##counter                                                          \
	}

static const struct class_column columns[] = {
	{{"tasks", NULL, "tasks of the class, folded ones included", CAP_ALWAYS}, get_tasks, 0},
	{{"folded", NULL, "ended tasks folded into the class to save memory (--max-memory)",
	  CAP_ALWAYS},
	 get_folded,
	 0},
	{{"live", NULL, "tasks that had not ended when the recording stopped", CAP_ALWAYS},
	 get_live,
	 0},
	COUNTER("run", "time on a CPU", CPU, ON_CPU),
	COUNTER("runq", "ready, waiting for a CPU", WAITS, RUNQUEUE),
	COUNTER("disk", "blocked by the disk", WAITS, BLOCKED_DISK),
	COUNTER("net", "blocked by the network", WAITS, BLOCKED_NET),
	COUNTER("lock", "blocked by a lock", WAITS, BLOCKED_LOCK),
	COUNTER("timer", "sleeping", WAITS, BLOCKED_TIMER),
	COUNTER("other", "blocked by something that is unclear", WAITS, BLOCKED_OTHER),
	COUNTER("idle", "waiting for work", WAITS, IDLE),
	COUNTER("wakes", "times woken", WAKES, WAKE_RECEIVED),
	{{"io_bytes", NULL, "read and written, files and all else that is no socket, all tasks",
	  CAP_IO},
	 get_both,
	 BOTH(IO_READ_BYTES, IO_WRITE_BYTES)},
	{{"net_bytes", NULL, "sent and received on sockets, all tasks of the class", CAP_NETWORK},
	 get_both,
	 BOTH(NET_SENT_BYTES, NET_RECEIVED_BYTES)},
	{{"wake_count", NULL, "wakes with a known latency", CAP_WAKES}, get_wake, HIST_CNT},
	{{"wake_p50_ns", NULL, "woken until running, median", CAP_WAKES}, get_wake, HIST_P50},
	{{"wake_p99_ns", NULL, "woken until running, 99 of 100 are faster", CAP_WAKES},
	 get_wake,
	 HIST_P99},
	{{"wake_max_ns", NULL, "woken until running, longest", CAP_WAKES}, get_wake, HIST_MAX},
	{{"runs_count", NULL, "polls or callbacks", CAP_RUNS}, get_runs, HIST_CNT},
	{{"runs_p50_ns", NULL, "a poll or callback, median", CAP_RUNS}, get_runs, HIST_P50},
	{{"runs_p99_ns", NULL, "a poll or callback, 99 of 100 are shorter", CAP_RUNS},
	 get_runs,
	 HIST_P99},
	{{"runs_max_ns", NULL, "the longest poll or callback", CAP_RUNS}, get_runs, HIST_MAX},
};
#define COLUMN_CNT (sizeof(columns) / sizeof(*columns))

static const char *get_name(const void *ctx, uint64_t idx)
{
	const struct model *model = ctx;

	return model__str(model, model->classes[idx].name);
}

static const char *get_runtime(const void *ctx, uint64_t runtime)
{
	(void)ctx;
	return runtime < RUNTIME_CNT ? runtime_name(runtime) : "unknown";
}

static void add_strings(struct columns *out, const struct model *model, int64_t *vals)
{
	/* a row per class even where names are equal: the task table refers to rows */
	for (size_t i = 0; i < out->rows; i++)
		vals[i] = i;
	columns__add_strings(out, "name", vals, get_name, model);
	for (size_t i = 0; i < out->rows; i++)
		vals[i] = model->classes[i].runtime;
	columns__add_strings(out, "runtime", vals, get_runtime, NULL);
}

int section_classes(const struct model *model, FILE *file)
{
	int64_t *vals = malloc((model->class_cnt ? model->class_cnt : 1) * sizeof(*vals));
	struct sum *sums = sums_new(model);
	bool present[COLUMN_CNT];
	struct columns out;
	int err;

	columns__start(&out, model->class_cnt);
	if (!vals || !sums) {
		out.err = -ENOMEM;
		goto cleanup;
	}
	json__key(&out.head, "fields");
	json__arr_begin(&out.head);
	for (size_t at = 0; at < COLUMN_CNT; at++)
		present[at] = column__describe(&out.head, model, &columns[at].doc);
	json__arr_end(&out.head);
	json__kv_bool(&out.head, "shown",
		      model->task_cnt >= CLASSES_FROM_TASKS || model->meta.tasks_folded > 0);
	add_strings(&out, model, vals);
	for (size_t at = 0; at < COLUMN_CNT; at++) {
		if (!present[at])
			continue;
		for (size_t i = 0; i < model->class_cnt; i++)
			vals[i] = columns[at].get(&sums[i], columns[at].arg);
		columns__add(&out, columns[at].doc.name, vals);
	}

cleanup:
	err = columns__finish(&out, "as-classes", file);
	sums_free(sums, model->class_cnt);
	free(vals);
	return err;
}
