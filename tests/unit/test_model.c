/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model's containers and names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "tap.h"

static void test_new(void)
{
	struct model *model = model__new();
	bool numbers = true, reasons = true;

#define X(name) numbers &= model->meta.name == NO_TIME;
	META_NUMBERS(X)
#undef X
	ok(numbers, "no number of meta is known at first");
	ok(model->caps[CAP_ALWAYS].measured, "the recording itself is measured");
	for (unsigned int cap = CAP_ALWAYS + 1; cap < CAP_CNT; cap++)
		reasons &=
			!model->caps[cap].measured && model__str(model, model->caps[cap].reason)[0];
	ok(reasons, "everything else is not, and says why");
	model__cap_set(model, CAP_CPU, "sched_switch");
	ok(model->caps[CAP_CPU].measured &&
		   !strcmp(model__str(model, model->caps[CAP_CPU].source), "sched_switch") &&
		   !model->caps[CAP_CPU].reason,
	   "a capability with its source");
	model__cap_miss(model, CAP_CPU, "because");
	ok(!model->caps[CAP_CPU].measured && !model->caps[CAP_CPU].source &&
		   !strcmp(model__str(model, model->caps[CAP_CPU].reason), "because"),
	   "and withdrawn, with the reason");
	model__free(model);
	model__free(NULL);
}

static void test_tasks(void)
{
	struct model *model = model__new();
	bool good = true;

	ok(!model__task(model, 1), "no task at first");
	for (uint64_t id = 1; id <= 5000; id++) {
		struct task *task = model__task_get(model, id << 32 | 7);

		good &= task && task->end_ns == NO_TIME && task->flags == TASK_PLACEHOLDER &&
			task->binding == BINDING_UNKNOWN;
		task->native = id;
	}
	for (uint64_t id = 1; id <= 5000; id++)
		good &= model__task_get(model, id << 32 | 7)->native == id &&
			model__task(model, id << 32 | 7)->native == id;
	ok(good && model->task_cnt == 5000, "5000 tasks, made once and found again");
	model__free(model);
}

static void test_edges(void)
{
	struct model *model = model__new();
	struct edge *edge;
	bool good = true;

	for (uint64_t i = 0; i < 3000; i++)
		model__edge_get(model, i % 50, i / 50, i % EDGE_CNT)->cnt = i;
	for (uint64_t i = 0; i < 3000; i++) {
		edge = model__edge_get(model, i % 50, i / 50, i % EDGE_CNT);
		good &= edge->cnt == i && edge->from == i % 50 && edge->to == i / 50;
	}
	ok(good && model->edge_cnt == 3000, "edges are told apart by both ends and kind");
	model__edge_get(model, 1, 2, EDGE_SPAWN);
	edge = model__edge_get(model, 2, 1, EDGE_SPAWN);
	ok(edge != model__edge_get(model, 1, 2, EDGE_SPAWN), "and by direction");
	model__free(model);
}

static void test_classes(void)
{
	struct model *model = model__new();
	uint32_t a = model__class_get(model, 11, RUNTIME_MARKS, "a");
	uint32_t idx = NO_IDX;
	char name[32];

	ok(a == 0 && model__class_get(model, 11, RUNTIME_MARKS, "other") == a &&
		   !strcmp(model__str(model, model->classes[a].name), "a"),
	   "a class keeps its first name");
	for (uint64_t i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "class %d", (int)i);
		idx = model__class_get(model, hash64(i + 100), i % 2, name);
	}
	ok(model->class_cnt <= 65536 + RUNTIME_CNT && idx < model->class_cnt &&
		   !strcmp(model__str(model, model->classes[idx].name), "(too many classes)") &&
		   model->classes[idx].runtime == 1,
	   "the 65537th class goes to a class for all that are too many");
	ok(model__class_get(model, 11, RUNTIME_MARKS, "a") == a, "old ones are still found");
	ok(model__losses(model) == 70000 - 65535, "and it is counted: %llu",
	   (unsigned long long)model__losses(model));
	model__free(model);
}

static void test_counters(void)
{
	struct model *model = model__new();

	model__counter_add(model, "ring_full", "lost", true, 3);
	model__counter_add(model, "ring_full", "lost", true, 4);
	model__counter_add(model, "execs", "not a loss", false, 100);
	ok(model->counter_cnt == 2 && model->counters[0].val == 7 &&
		   !strcmp(model__str(model, model->counters[0].meaning), "lost"),
	   "counters add up by name");
	ok(model__losses(model) == 7, "losses are only those that are");
	model__free(model);
}

static void test_names(void)
{
	ok(!strcmp(runtime_name(RUNTIME_THREAD), "thread") && !strcmp(runtime_name(999), "unknown"),
	   "runtimes");
	ok(!strcmp(state_name(STATE_PANICKED), "panicked") &&
		   !strcmp(state_name(STATE_CNT), "unknown"),
	   "states");
	ok(!strcmp(binding_name(BINDING_SYMBOL), "exact symbol") &&
		   !strcmp(binding_name(BINDING_CNT), "unknown"),
	   "bindings");
	ok(!strcmp(edge_name(EDGE_WAKE), "wake") && !strcmp(edge_name(EDGE_CNT), "unknown"),
	   "edges");
	ok(!strcmp(cap_name(CAP_HEAP), "memory") && !strcmp(cap_name(CAP_CNT), "unknown"), "caps");
	ok(!strcmp(counter_name(COUNTER_BLOCKED_LOCK), "blocked_lock_ns") &&
		   !strcmp(counter_name(COUNTER_CNT), "unknown"),
	   "counters");
	ok(!strcmp(object_kind_name(OBJECT_REGULAR), "file") &&
		   !strcmp(object_kind_name(OBJECT_KIND_CNT), "unknown") &&
		   object_group(OBJECT_UNIX) == GROUP_SOCKET &&
		   object_group(OBJECT_DISK) == GROUP_DISK &&
		   object_group(OBJECT_PIPE) == GROUP_FILE &&
		   object_group(OBJECT_KIND_CNT) == GROUP_FILE,
	   "kinds of objects and their groups");
	ok(!strcmp(io_op_name(IO_DISK_WRITE), "disk_write") &&
		   !strcmp(io_op_name(IO_OP_CNT), "unknown"),
	   "operations");
	ok(!strcmp(conn_role_name(ROLE_LISTENER), "listener") &&
		   !strcmp(conn_role_name(ROLE_CNT), "unknown"),
	   "roles of a connection");
	ok(!strcmp(series_name(SERIES_IO_QUEUE), "io_queue_depth") &&
		   !strcmp(series_unit(SERIES_DISK_IN_FLIGHT), "requests") &&
		   *series_meaning(SERIES_CONNECTIONS) &&
		   !strcmp(series_name(SERIES_CNT), "unknown") && !*series_unit(SERIES_CNT) &&
		   !*series_meaning(SERIES_CNT),
	   "series");
}

#define OWNERS 9

/* Owners in their order: tasks by id, then classes, then nobody. */
static const struct {
	uint64_t task;
	uint32_t class_idx;
} owners[OWNERS] = {
	{1, NO_IDX}, {5, NO_IDX}, {6, NO_IDX}, {1ULL << 40, NO_IDX}, {UINT64_MAX, NO_IDX},
	{0, 0},      {0, 1},      {0, 70000},  {0, NO_IDX},
};

/* Every owner `which` has which + 1 objects with two operations each. */
static void fill_uses(struct model *model)
{
	model->uses = calloc(OWNERS * OWNERS * 2, sizeof(*model->uses));
	model->links = calloc(OWNERS * OWNERS, sizeof(*model->links));
	for (uint32_t object = 0; object < OWNERS; object++) {
		for (uint32_t who = OWNERS; who-- > object;) {
			struct link *link = &model->links[model->link_cnt++];

			link->task = owners[who].task;
			link->class_idx = owners[who].class_idx;
			link->object = object * 7 % OWNERS;
			for (uint8_t op = 0; op < 2; op++) {
				struct use *use = &model->uses[model->use_cnt++];

				use->task = owners[who].task;
				use->class_idx = owners[who].class_idx;
				use->object = object * 7 % OWNERS;
				use->op = op ? IO_READ : IO_DISK_WRITE;
				hist__add(&use->latency, who, 1);
			}
		}
	}
}

static void test_uses(void)
{
	struct model *model = model__new();
	bool sizes = true, own = true, order = true;
	const struct use *uses;
	const struct link *links;
	size_t cnt;

	ok(!model__uses(model, 1, NO_IDX, &cnt) && !cnt && !model__links(model, 0, 0, &cnt) && !cnt,
	   "no uses, no links");
	fill_uses(model);
	model__sort_io(model);
	for (uint32_t who = 0; who < OWNERS; who++) {
		uint64_t task = owners[who].task;
		uint32_t class_idx = owners[who].class_idx;

		/* of a task the caller may or may not say the class */
		uses = model__uses(model, task, task ? who % 2 ? 7 : NO_IDX : class_idx, &cnt);
		sizes &= uses && cnt == 2 * (who + 1);
		for (size_t i = 0; uses && i < cnt; i++) {
			own &= uses[i].task == task && uses[i].class_idx == class_idx &&
			       uses[i].latency.max == who;
			order &= !i || uses[i - 1].object < uses[i].object ||
				 (uses[i - 1].object == uses[i].object &&
				  uses[i - 1].op < uses[i].op);
		}
		links = model__links(model, task, class_idx, &cnt);
		sizes &= links && cnt == who + 1;
		for (size_t i = 0; links && i < cnt; i++) {
			own &= links[i].task == task && links[i].class_idx == class_idx;
			order &= !i || links[i - 1].object < links[i].object;
		}
	}
	ok(sizes, "each owner finds as many as it has");
	ok(own, "and its own ones");
	ok(order, "by object, then operation");
	ok(!model__uses(model, 2, NO_IDX, &cnt) && !model__uses(model, UINT64_MAX - 1, 0, &cnt) &&
		   !model__uses(model, 0, 2, &cnt) && !model__links(model, 0, NO_IDX - 1, &cnt),
	   "others find none");
	model__free(model);
}

static void test_samples(void)
{
	struct model *model = model__new();
	bool good = true;

	model->samples = calloc(300, sizeof(*model->samples));
	for (; model->sample_cnt < 300; model->sample_cnt++)
		model->samples[model->sample_cnt] = (struct sample){
			.series = model->sample_cnt % SERIES_CNT,
			.at_ns = (int64_t)(model->sample_cnt * 131 % 300) - 100,
		};
	model__sort_io(model);
	for (size_t i = 1; i < 300; i++) {
		const struct sample *a = &model->samples[i - 1], *b = &model->samples[i];

		good &= a->series < b->series || (a->series == b->series && a->at_ns < b->at_ns);
	}
	ok(good, "samples by series, then time");
	model__free(model);
}

int main(void)
{
	test_new();
	test_tasks();
	test_edges();
	test_classes();
	test_counters();
	test_names();
	test_uses();
	test_samples();
	return tap_done();
}
