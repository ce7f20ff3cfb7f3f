/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hand-made model with a bit of everything: threads and tasks of a runtime, a class with folded
 * tasks, edges, slices, losses, hostile names, files and peers. Its numbers are round, so that tests can say what
 * must come out. Included by the tests of schema, export and analyze.
 */
#ifndef TESTS_UNIT_RICH_MODEL_H
#define TESTS_UNIT_RICH_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "rich_io.h"

#define MS           1000000LL
#define SEC          1000000000LL
#define THREAD(tid)  ((uint64_t)(tid) << 32)
#define TASK(nr)     (THREAD(100) | (nr))
#define HOSTILE_NAME "</script>\033]0;pwned\007\xe2\x80\xae\xff"

__attribute__((unused)) static void set_str(struct model *model, uint32_t *id, const char *text)
{
	*id = model__intern(model, text);
}

__attribute__((unused)) static struct task *add_thread(struct model *model, uint32_t tid,
						       const char *name)
{
	struct task *task = model__task_get(model, THREAD(tid));

	task->native = tid;
	task->tid = tid;
	task->tgid = 100;
	task->runtime = RUNTIME_THREAD;
	task->state = STATE_RUNNING;
	task->binding = BINDING_KERNEL;
	task->flags = 0;
	task->start_ns = -2 * SEC;
	task->wall_ns = 10 * SEC;
	task->name = model__intern(model, name);
	task->class_idx = model__class_get(model, 0xc1a55, RUNTIME_THREAD, "threads");
	return task;
}

/* Task number `nr` of the marks runtime: nr runs of nr ms each. */
__attribute__((unused)) static struct task *add_marks(struct model *model, uint32_t nr)
{
	struct task *task = model__task_get(model, TASK(nr));

	task->native = 1000 + nr;
	task->parent = THREAD(100);
	task->tid = 101;
	task->tgid = 100;
	task->runtime = RUNTIME_MARKS;
	task->state = STATE_COMPLETED;
	task->binding = BINDING_SYMBOL;
	task->flags = TASK_SEEN_FROM_START;
	task->start_ns = 1 * SEC;
	task->end_ns = 2 * SEC;
	task->wall_ns = (int64_t)nr * nr * MS;
	task->name = model__intern(model, "marks-task");
	task->class_idx = model__class_get(model, 0xb0b, RUNTIME_MARKS, "marks class");
	task->c[COUNTER_ON_CPU] = (int64_t)nr * MS;
	task->c[COUNTER_PROBE_HITS] = nr;
	hist__add(&task->runs, nr * MS, nr);
	return task;
}

__attribute__((unused)) static void rich_threads(struct model *model)
{
	struct task *task = add_thread(model, 100, "main");

	task->c[COUNTER_ON_CPU] = 4 * SEC;
	task->c[COUNTER_RUNQUEUE] = 1 * SEC;
	task->c[COUNTER_BLOCKED_DISK] = 2 * SEC;
	task->c[COUNTER_IDLE] = 3 * SEC;
	task->c[COUNTER_TICKS_USER] = 3 * SEC;
	task->c[COUNTER_TICKS_KERNEL] = 1 * SEC;
	task->c[COUNTER_SWITCH_VOLUNTARY] = 70;
	task->c[COUNTER_SWITCH_INVOLUNTARY] = 30;
	task->c[COUNTER_FAULT_MINOR] = 9;
	task->c[COUNTER_FAULT_MAJOR] = 1;
	task->c[COUNTER_WAKE_RECEIVED] = 8;
	task->c[COUNTER_WAKE_LATENCY] = 8 * MS;
	task->c[COUNTER_WAKE_LATENCY_MAX] = 2 * MS;
	task->c[COUNTER_CPUS] = 0x5;
	task->c[COUNTER_HW_CYCLES] = 12345;
	hist__add_range(&task->wake, 786432, 1048576, 8);

	task = add_thread(model, 101, HOSTILE_NAME);
	task->flags = TASK_SEEN_FROM_START;
	task->start_ns = 0;
	task->state = STATE_WAITING;
	task->c[COUNTER_ON_CPU] = 500 * MS;
	task->c[COUNTER_BLOCKED_LOCK] = 4 * SEC;
	task->c[COUNTER_IDLE] = 5500 * MS;

	/* met in an edge only: nothing but its id is known */
	model__task_get(model, THREAD(102))->tgid = 100;
}

__attribute__((unused)) static void rich_tables(struct model *model)
{
	struct task_class *class;
	struct edge *edge = model__edge_get(model, 0, THREAD(100), EDGE_WAKE);
	struct slice *slice = model__slice_add(model);
	struct runtime_info *info;

	edge->cnt = 5;
	edge->delay_ns = 500;
	edge->max_ns = 300;
	model__edge_get(model, THREAD(100), TASK(1), EDGE_SPAWN)->cnt = 1;
	*slice = (struct slice){.task = TASK(1),
				.start_ns = 7,
				.dur_ns = 11,
				.tid = 101,
				.cpu = 3,
				.depth = 1,
				.flags = SLICE_PARTIAL};
	slice->c[COUNTER_ON_CPU] = 10;
	class = &model->classes[model__class_get(model, 0xf01d, RUNTIME_MARKS, "folded class")];
	class->folded_cnt = 40;
	class->folded_by_state[STATE_COMPLETED] = 30;
	class->folded_by_state[STATE_CANCELLED] = 10;
	class->folded_c[COUNTER_ON_CPU] = 400 * MS;
	class->folded_wall_ns = 800 * MS;
	hist__add(&class->folded_runs, 20 * MS, 40);
	model__counter_add(model, "ring_full", "records dropped", true, 0);
	model__counter_add(model, "probe_hits", "probes hit", false, 21);
	model->runtimes = calloc(1, sizeof(*model->runtimes));
	model->runtime_cnt = model->runtime_cap = 1;
	info = model->runtimes;
	set_str(model, &info->name, "marks");
	set_str(model, &info->binding, "exact symbol");
	set_str(model, &info->confidence, "high");
	set_str(model, &info->reason, "asyncscope_enter is there");
	info->tgid = 100;
}

__attribute__((unused)) static void rich_meta(struct model *model)
{
	struct meta *meta = &model->meta;

	set_str(model, &meta->version, "0.0.0-test");
	set_str(model, &meta->options, "-p 100 -d 10");
	set_str(model, &meta->kernel, "6.1.0");
	set_str(model, &meta->arch, "x86_64");
	set_str(model, &meta->hostname, "testhost");
	set_str(model, &meta->exe, "/srv/<app>");
	set_str(model, &meta->comm, "app");
	set_str(model, &meta->cmdline, "app --password=***");
	set_str(model, &meta->stop_reason, "duration");
	meta->cpus = 4;
	meta->pid = 100;
	meta->uid = 1000;
	meta->target_start_ns = 40 * SEC;
	meta->start_boot_ns = 50 * SEC;
	meta->process_cnt = 1;
	meta->started_at_ns = 1700000000LL * SEC + 5;
	meta->duration_ns = 10 * SEC;
	meta->attached_ns = 20 * MS;
	meta->process_cpu_ns = 5 * SEC;
	meta->tracer_cpu_ns = 100 * MS;
	meta->tracer_rss_bytes = 8 << 20;
	meta->kernel_memory_bytes = 16 << 20;
	meta->probe_hits = 21;
	meta->probe_price_ns = 1000;
	meta->hook_runs = 1000;
	meta->hook_ns = 1 * MS;
	meta->tasks_folded = 40;
	meta->records_seen = 1000;
}

__attribute__((unused)) static void rich_io(struct model *model)
{
	struct task *task = model__task(model, THREAD(101));

	rich_objects(model, "/tmp/" HOSTILE_NAME);
	rich_io_main(model, model__task(model, THREAD(100)));
	task->c[COUNTER_NET_SENDS] = 10;
	task->c[COUNTER_NET_SENT_BYTES] = 1000;
	add_use(model, task->id, RICH_SOCK, IO_WRITE, 10, 1000, 5 * US);
	add_link(model, task->id, RICH_SOCK)->met = 1;
	model->links[model->link_cnt - 1].active = 1;
	model->links[model->link_cnt - 1].active_max = 1;
	for (uint32_t nr = 1; nr <= 6; nr++)
		rich_io_server(model, model__task(model, TASK(nr)), nr);
	rich_io_folded(model, model__class_get(model, 0xf01d, RUNTIME_MARKS, "folded class"));
	/* write-back by the kernel, for nobody in particular */
	add_use(model, 0, RICH_SDA, IO_DISK_WRITE, 50, 819200, 4000 * US);
	rich_samples(model);
	model__sort_io(model);
}

__attribute__((unused)) static struct model *rich_model(void)
{
	static const enum model_cap measured[] = {
		CAP_CPU,         CAP_WAITS, CAP_FAULTS,  CAP_WAKES,      CAP_CYCLES, CAP_RUNS,
		CAP_PROBE_PRICE, CAP_IO,    CAP_NETWORK, CAP_DISK_BYTES, CAP_DISK,
	};
	struct model *model = model__new();

	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++)
		model__cap_set(model, measured[i], "made by hand");
	rich_meta(model);
	rich_threads(model);
	for (uint32_t nr = 1; nr <= 6; nr++)
		add_marks(model, nr);
	rich_tables(model);
	rich_io(model);
	return model;
}

#endif
