/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A random model with something in every field, and the comparison of two. For the snapshot tests
 * and the fuzzer's seeds. */
#ifndef TESTS_UNIT_SNAPSHOT_MODEL_H
#define TESTS_UNIT_SNAPSHOT_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/model.h"
#include "snapshot/snapshot.h"

/* Repeatable noise. */
static inline uint64_t noise(void)
{
	static uint64_t state = 1;

	return hash64(state++);
}

/* Any magnitude, also negative when read as signed. */
static inline uint64_t any(void)
{
	return noise() >> (noise() % 64);
}

static inline uint32_t any_string(struct model *model)
{
	char text[64];

	snprintf(text, sizeof(text), "name-%u-%.*s", (unsigned int)(noise() % 500),
		 (int)(noise() % 20), "\xff\x1b[31m<script>\xc3\xa4");
	return model__intern(model, text);
}

static inline void fill_hist(struct hist *hist)
{
	for (uint64_t i = noise() % 12; i; i--)
		hist__add(hist, any(), 1 + any() % 1000);
	if (noise() % 2)
		hist__add_range(hist, 100, 200, 3);
}

static inline void fill_meta(struct model *model)
{
#define X(name) model->meta.name = any_string(model);
	META_STRINGS(X)
#undef X
#define X(name) model->meta.name = noise() % 3 ? (int64_t)any() : NO_TIME;
	META_NUMBERS(X)
#undef X
	for (unsigned int cap = 0; cap < CAP_CNT; cap++) {
		if (noise() % 2)
			model__cap_set(model, cap, "a source");
		else
			model__cap_miss(model, cap, "a reason");
	}
	for (int i = 0; i < 3; i++) {
		struct runtime_info *info;

		if (array__reserve((void **)&model->runtimes, &model->runtime_cap,
				   model->runtime_cnt + 1, sizeof(*info)))
			abort();
		info = &model->runtimes[model->runtime_cnt++];
		*info = (struct runtime_info){any_string(model), any_string(model),
					      any_string(model), any_string(model),
					      any_string(model), (uint32_t)noise()};
	}
	for (int i = 0; i < 4; i++)
		model__backoff_add(model, (int64_t)any(), "memory", "exact", "counting",
				   i % 2 ? "9.1% of the target's CPU" : "");
	model__cap_share(model, CAP_HEAP, 0.25);
	model__cap_weight(model, CAP_HEAP_LIVE, 17.5);
	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "counter_%d", i);
		model__counter_add(model, name, "what it means", i % 2, any());
	}
}

static inline void fill_heap(struct heap_sums *heap)
{
	*heap = (struct heap_sums){any(), any(), any(), any(), any(), any(), any()};
}

static inline void fill_class(struct model *model, unsigned int i)
{
	uint32_t idx = model__class_get(model, noise(), noise() % RUNTIME_CNT, "a class");
	struct task_class *class = &model->classes[idx];

	class->name = any_string(model);
	class->folded_cnt = i % 3 ? 0 : any();
	for (unsigned int state = 0; state < STATE_CNT; state++)
		class->folded_by_state[state] = any();
	class->folded_wall_ns = (int64_t)any();
	for (unsigned int k = 0; k < COUNTER_CNT; k++)
		class->folded_c[k] = (int64_t)any();
	fill_hist(&class->folded_runs);
	fill_hist(&class->folded_wake);
	fill_heap(&class->folded_heap);
	class->folded_leaking_cnt = any();
	class->folded_leaked_bytes = any();
}

static inline void fill_task(struct model *model, unsigned int i)
{
	struct task *task = model__task_get(model, (uint64_t)(i % 7 + 1000) << 32 | i);

	task->parent = any();
	task->native = noise();
	task->start_ns = -(int64_t)(any() >> 1);
	task->end_ns = i % 4 ? (int64_t)(any() >> 1) : NO_TIME;
	task->wall_ns = (int64_t)any();
	for (unsigned int k = 0; k < COUNTER_CNT; k++)
		task->c[k] = k % 5 ? (int64_t)any() : 0;
	fill_hist(&task->runs);
	fill_hist(&task->wake);
	task->run_self_ns = any();
	task->class_idx = i % 9 ? (uint32_t)(noise() % model->class_cnt) : NO_IDX;
	task->name = any_string(model);
	task->tgid = (uint32_t)noise();
	task->tid = (uint32_t)any();
	task->site = (uint32_t)any();
	task->runtime = noise() % RUNTIME_CNT;
	task->state = noise() % STATE_CNT;
	task->flags = noise() % 8;
	task->binding = noise() % BINDING_CNT;
	task->forced_cnt = (uint32_t)any();
	task->slices_lost = any();
	fill_heap(&task->heap);
}

static inline void fill_slice(struct model *model, unsigned int i)
{
	struct slice *slice = model__slice_add(model);

	*slice = (struct slice){.task = noise() % 100,
				.start_ns = 1000000 * (int64_t)i,
				.dur_ns = (int64_t)any(),
				.tid = 4000 + i % 8,
				.cpu = (uint16_t)noise(),
				.depth = (uint8_t)noise(),
				.flags = noise() % 8};
	for (unsigned int k = 0; k < SLICE_TIMES; k++)
		slice->c[k] = (int64_t)any();
}

static inline void fill_object(struct model *model)
{
	if (array__reserve((void **)&model->objects, &model->object_cap, model->object_cnt + 1,
			   sizeof(*model->objects)))
		abort();
	model->objects[model->object_cnt++] = (struct object){.ino = any(),
							      .dev = (uint32_t)any(),
							      .name = any_string(model),
							      .local = any_string(model),
							      .kind = noise() % OBJECT_KIND_CNT,
							      .role = noise() % ROLE_CNT,
							      .flags = noise() % 8};
}

/* Row `i` of a task, a class or nobody; not in order, but no two are equal. */
static inline void fill_use(struct model *model, unsigned int i)
{
	struct use *use;

	if (array__reserve((void **)&model->uses, &model->use_cap, model->use_cnt + 1,
			   sizeof(*use)))
		abort();
	use = &model->uses[model->use_cnt++];
	*use = (struct use){.task = i % 5 ? noise() << 20 | i : 0,
			    .class_idx = i % 10 == 5 ? i / 10 % (uint32_t)model->class_cnt : NO_IDX,
			    .object = (uint32_t)(i / IO_OP_CNT % model->object_cnt),
			    .op = (uint8_t)(i % IO_OP_CNT),
			    .cnt = any(),
			    .bytes = any(),
			    .errors = any(),
			    .again = any()};
	fill_hist(&use->latency);
}

static inline void fill_link(struct model *model, unsigned int i)
{
	struct link *link;

	if (array__reserve((void **)&model->links, &model->link_cap, model->link_cnt + 1,
			   sizeof(*link)))
		abort();
	link = &model->links[model->link_cnt++];
	*link = (struct link){.task = i % 7 ? noise() << 20 | i : 0,
			      .class_idx =
				      i % 14 == 7 ? i / 14 % (uint32_t)model->class_cnt : NO_IDX,
			      .object = (uint32_t)(i % model->object_cnt)};
	/* all numbers are of eight or four bytes */
	for (uint64_t *field = &link->met; field <= &link->rtt_cnt; field++)
		*field = any();
	for (uint32_t *field = &link->rtt_min_us; field <= &link->mss; field++)
		*field = (uint32_t)any();
}

static inline void fill_sample(struct model *model, unsigned int i)
{
	if (array__reserve((void **)&model->samples, &model->sample_cap, model->sample_cnt + 1,
			   sizeof(*model->samples)))
		abort();
	model->samples[model->sample_cnt++] = (struct sample){.at_ns = (int64_t)(noise() << 20 | i),
							      .val = (int64_t)any(),
							      .series = noise() % SERIES_CNT};
}

static inline struct model *make_model(unsigned int tasks)
{
	struct model *model = model__new();

	fill_meta(model);
	for (unsigned int i = 0; i < 10; i++)
		fill_class(model, i);
	for (unsigned int i = 0; i < tasks; i++)
		fill_task(model, i);
	for (unsigned int i = 0; i < tasks; i++) {
		struct edge *edge = model__edge_get(model, noise() % 64, i, i % EDGE_CNT);

		edge->cnt = any();
		edge->delay_ns = any();
		edge->max_ns = any();
	}
	for (unsigned int i = 0; i < 2 * tasks; i++)
		fill_slice(model, i);
	for (unsigned int i = 0; i < tasks; i++)
		fill_object(model);
	for (unsigned int i = 0; i < 2 * tasks; i++)
		fill_use(model, i);
	for (unsigned int i = 0; i < tasks; i++)
		fill_link(model, i);
	for (unsigned int i = 0; i < tasks; i++)
		fill_sample(model, i);
	model__sort_io(model); /* as the reader leaves them */
	return model;
}

static inline bool same_hist(const struct hist *a, const struct hist *b)
{
	bool is_same = a->cnt == b->cnt && a->total == b->total && a->max == b->max &&
		       a->bucket_cnt == b->bucket_cnt;

	for (size_t i = 0; is_same && i < a->bucket_cnt; i++)
		is_same = a->buckets[i].idx == b->buckets[i].idx &&
			  a->buckets[i].cnt == b->buckets[i].cnt;
	return is_same;
}

static inline bool same_task(const struct task *a, const struct task *b)
{
	return a->id == b->id && a->parent == b->parent && a->native == b->native &&
	       a->start_ns == b->start_ns && a->end_ns == b->end_ns && a->wall_ns == b->wall_ns &&
	       !memcmp(a->c, b->c, sizeof(a->c)) && same_hist(&a->runs, &b->runs) &&
	       same_hist(&a->wake, &b->wake) && a->run_self_ns == b->run_self_ns &&
	       a->class_idx == b->class_idx && a->name == b->name && a->tgid == b->tgid &&
	       a->tid == b->tid && a->site == b->site && a->runtime == b->runtime &&
	       a->state == b->state && a->flags == b->flags && a->binding == b->binding &&
	       a->forced_cnt == b->forced_cnt && a->slices_lost == b->slices_lost &&
	       !memcmp(&a->heap, &b->heap, sizeof(a->heap));
}

static inline bool same_class(const struct task_class *a, const struct task_class *b)
{
	return a->id == b->id && a->name == b->name && a->runtime == b->runtime &&
	       a->folded_cnt == b->folded_cnt &&
	       !memcmp(a->folded_by_state, b->folded_by_state, sizeof(a->folded_by_state)) &&
	       a->folded_wall_ns == b->folded_wall_ns &&
	       !memcmp(a->folded_c, b->folded_c, sizeof(a->folded_c)) &&
	       same_hist(&a->folded_runs, &b->folded_runs) &&
	       same_hist(&a->folded_wake, &b->folded_wake) &&
	       !memcmp(&a->folded_heap, &b->folded_heap, sizeof(a->folded_heap)) &&
	       a->folded_leaking_cnt == b->folded_leaking_cnt &&
	       a->folded_leaked_bytes == b->folded_leaked_bytes;
}

static inline bool same_object(const struct object *a, const struct object *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->name == b->name && a->local == b->local &&
	       a->kind == b->kind && a->role == b->role && a->flags == b->flags;
}

static inline bool same_use(const struct use *a, const struct use *b)
{
	return a->task == b->task && a->class_idx == b->class_idx && a->object == b->object &&
	       a->op == b->op && a->cnt == b->cnt && a->bytes == b->bytes &&
	       a->errors == b->errors && a->again == b->again &&
	       same_hist(&a->latency, &b->latency);
}

static inline bool same_sample(const struct sample *a, const struct sample *b)
{
	return a->at_ns == b->at_ns && a->val == b->val && a->series == b->series;
}

/* What of the IO side differs first, or NULL. */
static inline const char *difference_io(const struct model *a, const struct model *b)
{
	_Static_assert(sizeof(struct link) == 8 + 8 + 6 * 8 + 10 * 8 + 4 * 4, "no padding");

	if (a->object_cnt != b->object_cnt || a->use_cnt != b->use_cnt ||
	    a->link_cnt != b->link_cnt || a->sample_cnt != b->sample_cnt)
		return "a count of IO";
	for (size_t i = 0; i < a->object_cnt; i++)
		if (!same_object(&a->objects[i], &b->objects[i]))
			return "objects";
	for (size_t i = 0; i < a->use_cnt; i++)
		if (!same_use(&a->uses[i], &b->uses[i]))
			return "uses";
	if (a->link_cnt && memcmp(a->links, b->links, a->link_cnt * sizeof(*a->links)))
		return "links";
	for (size_t i = 0; i < a->sample_cnt; i++)
		if (!same_sample(&a->samples[i], &b->samples[i]))
			return "samples";
	return NULL;
}

static inline bool same_backoff(const struct backoff *a, const struct backoff *b)
{
	return a->at_ns == b->at_ns && a->what == b->what && a->from == b->from && a->to == b->to &&
	       a->reason == b->reason;
}

/* What differs first, or NULL. */
static inline const char *difference(const struct model *a, const struct model *b)
{
	uint64_t idx;

	if (a->strings.sz != b->strings.sz ||
	    (a->strings.sz && memcmp(a->strings.data, b->strings.data, a->strings.sz)))
		return "strings";
	if (memcmp(&a->meta, &b->meta, sizeof(a->meta)))
		return "meta";
	for (unsigned int i = 0; i < CAP_CNT; i++)
		if (a->caps[i].measured != b->caps[i].measured ||
		    a->caps[i].reason != b->caps[i].reason ||
		    a->caps[i].source != b->caps[i].source ||
		    memcmp(&a->caps[i].share, &b->caps[i].share, 2 * sizeof(double)))
			return "caps";
	if (a->backoff_cnt != b->backoff_cnt)
		return "backoffs";
	for (size_t i = 0; i < a->backoff_cnt; i++)
		if (!same_backoff(&a->backoffs[i], &b->backoffs[i]))
			return "backoffs";
	if (a->runtime_cnt != b->runtime_cnt || a->counter_cnt != b->counter_cnt ||
	    a->class_cnt != b->class_cnt || a->task_cnt != b->task_cnt ||
	    a->edge_cnt != b->edge_cnt || a->slice_cnt != b->slice_cnt)
		return "a count";
	if (a->runtime_cnt &&
	    memcmp(a->runtimes, b->runtimes, a->runtime_cnt * sizeof(*a->runtimes)))
		return "runtimes";
	for (size_t i = 0; i < a->counter_cnt; i++)
		if (a->counters[i].name != b->counters[i].name ||
		    a->counters[i].meaning != b->counters[i].meaning ||
		    a->counters[i].val != b->counters[i].val ||
		    a->counters[i].is_loss != b->counters[i].is_loss ||
		    !map64__get(&b->counter_idx, b->counters[i].name, &idx) || idx != i)
			return "counters";
	for (size_t i = 0; i < a->class_cnt; i++)
		if (!same_class(&a->classes[i], &b->classes[i]) ||
		    !map64__get(&b->class_idx, b->classes[i].id, &idx) || idx != i)
			return "classes";
	for (size_t i = 0; i < a->task_cnt; i++)
		if (!same_task(&a->tasks[i], &b->tasks[i]) ||
		    model__task(b, a->tasks[i].id) != &b->tasks[i])
			return "tasks";
	for (size_t i = 0; i < a->edge_cnt; i++)
		if (a->edges[i].from != b->edges[i].from || a->edges[i].to != b->edges[i].to ||
		    a->edges[i].kind != b->edges[i].kind || a->edges[i].cnt != b->edges[i].cnt ||
		    a->edges[i].delay_ns != b->edges[i].delay_ns ||
		    a->edges[i].max_ns != b->edges[i].max_ns)
			return "edges";
	if (a->slice_cnt && memcmp(a->slices, b->slices, a->slice_cnt * sizeof(*a->slices)))
		return "slices";
	return difference_io(a, b);
}

static inline bool is_whole(const struct snapshot_status *status)
{
	return status->error == SNAPSHOT_OK && status->complete && !status->salvaged &&
	       !status->bytes_bad && !status->chunk_bad;
}

#endif
