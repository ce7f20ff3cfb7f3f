/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's containers: made, filled and looked up by the feed and by the snapshot reader. What
 * a recording means is in feed.c.
 */
#include "model/model.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

/* Class names are the target's: one that invents them without end shall not exhaust memory. */
#define MAX_CLASSES 65536

static const char *const cap_reasons[] = {
#define X(id, name, reason) [CAP_##id] = reason,
	MODEL_CAPS(X)
#undef X
};

struct model *model__new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
#define X(name) model->meta.name = NO_TIME;
	META_NUMBERS(X)
#undef X
	for (unsigned int cap = 0; cap < CAP_CNT; cap++)
		model__cap_miss(model, cap, cap_reasons[cap]);
	model->caps[CAP_ALWAYS].measured = true;
	return model;
}

void model__free(struct model *model)
{
	if (!model)
		return;
	feed__free(model->feed);
	for (size_t i = 0; i < model->task_cnt; i++) {
		hist__free(&model->tasks[i].runs);
		hist__free(&model->tasks[i].wake);
	}
	for (size_t i = 0; i < model->class_cnt; i++) {
		hist__free(&model->classes[i].folded_runs);
		hist__free(&model->classes[i].folded_wake);
	}
	for (size_t i = 0; i < model->use_cnt; i++)
		hist__free(&model->uses[i].latency);
	free(model->tasks);
	free(model->classes);
	free(model->edges);
	free(model->slices);
	free(model->objects);
	free(model->uses);
	free(model->links);
	free(model->samples);
	free(model->counters);
	free(model->runtimes);
	free(model->backoffs);
	map64__free(&model->task_idx);
	map64__free(&model->class_idx);
	map64__free(&model->edge_idx);
	map64__free(&model->counter_idx);
	strtab__free(&model->strings);
	free(model);
}

const char *model__str(const struct model *model, uint32_t id)
{
	return strtab__get(&model->strings, id);
}

const char *model__task_name(const struct model *model, const struct task *task, char *buf,
			     size_t sz)
{
	const char *name = model__str(model, task->name);

	if (!*name || task->runtime == RUNTIME_THREAD || task->flags & TASK_NATIVE_UNKNOWN)
		snprintf(buf, sz, "%s", name);
	else
		snprintf(buf, sz, "%s #%" PRIu64, name, task->native);
	return buf;
}

uint32_t model__intern(struct model *model, const char *str)
{
	return strtab__add(&model->strings, str);
}

struct task *model__task(const struct model *model, uint64_t id)
{
	uint64_t idx;

	return map64__get(&model->task_idx, id, &idx) ? &model->tasks[idx] : NULL;
}

struct task *model__task_get(struct model *model, uint64_t id)
{
	struct task *task = model__task(model, id);

	if (task)
		return task;
	if (array__reserve((void **)&model->tasks, &model->task_cap, model->task_cnt + 1,
			   sizeof(*task)) ||
	    map64__set(&model->task_idx, id, model->task_cnt))
		return NULL;
	task = &model->tasks[model->task_cnt++];
	memset(task, 0, sizeof(*task));
	task->id = id;
	task->start_ns = NO_TIME;
	task->end_ns = NO_TIME;
	task->class_idx = NO_IDX;
	task->flags = TASK_PLACEHOLDER;
	task->binding = BINDING_UNKNOWN;
	return task;
}

uint32_t model__class_get(struct model *model, uint64_t id, uint8_t runtime, const char *name)
{
	struct task_class *class;
	uint64_t idx;

	if (map64__get(&model->class_idx, id, &idx))
		return (uint32_t)idx;
	if (model->class_cnt >= MAX_CLASSES) {
		model__counter_add(model, "classes_full",
				   "tasks whose class was not kept because there were too many",
				   true, 1);
		name = "(too many classes)";
		id = named_id(runtime, name);
		if (map64__get(&model->class_idx, id, &idx))
			return (uint32_t)idx;
	}
	if (array__reserve((void **)&model->classes, &model->class_cap, model->class_cnt + 1,
			   sizeof(*class)) ||
	    map64__set(&model->class_idx, id, model->class_cnt))
		return NO_IDX;
	class = &model->classes[model->class_cnt];
	memset(class, 0, sizeof(*class));
	class->id = id;
	class->runtime = runtime;
	class->name = model__intern(model, name);
	return (uint32_t)model->class_cnt++;
}

uint64_t named_id(uint8_t runtime, const char *name)
{
	return hash64(hash_bytes(runtime, name, strlen(name)));
}

struct edge *model__edge_get(struct model *model, uint64_t from, uint64_t to, enum edge_kind kind)
{
	uint64_t key = hash64(from ^ hash64(to ^ hash64(kind + 1)));
	struct edge *edge;
	uint64_t idx;

	for (; map64__get(&model->edge_idx, key, &idx); key++) {
		edge = &model->edges[idx];
		if (edge->from == from && edge->to == to && edge->kind == kind)
			return edge;
	}
	if (array__reserve((void **)&model->edges, &model->edge_cap, model->edge_cnt + 1,
			   sizeof(*edge)) ||
	    map64__set(&model->edge_idx, key, model->edge_cnt))
		return NULL;
	edge = &model->edges[model->edge_cnt++];
	memset(edge, 0, sizeof(*edge));
	edge->from = from;
	edge->to = to;
	edge->kind = kind;
	return edge;
}

struct slice *model__slice_add(struct model *model)
{
	struct slice *slice;

	if (array__reserve((void **)&model->slices, &model->slice_cap, model->slice_cnt + 1,
			   sizeof(*slice)))
		return NULL;
	slice = &model->slices[model->slice_cnt++];
	memset(slice, 0, sizeof(*slice));
	return slice;
}

void model__counter_add(struct model *model, const char *name, const char *meaning, bool is_loss,
			uint64_t val)
{
	uint32_t id = model__intern(model, name);
	struct counter *counter;
	uint64_t idx;

	if (!map64__get(&model->counter_idx, id, &idx)) {
		idx = model->counter_cnt;
		if (array__reserve((void **)&model->counters, &model->counter_cap,
				   model->counter_cnt + 1, sizeof(*counter)) ||
		    map64__set(&model->counter_idx, id, idx))
			return;
		counter = &model->counters[model->counter_cnt++];
		memset(counter, 0, sizeof(*counter));
		counter->name = id;
		counter->meaning = model__intern(model, meaning);
		counter->is_loss = is_loss;
	}
	model->counters[idx].val += val;
}

void model__cap_set(struct model *model, enum model_cap cap, const char *source)
{
	model->caps[cap].measured = true;
	model->caps[cap].reason = 0;
	model->caps[cap].source = model__intern(model, source);
	model->caps[cap].share = 1;
	model->caps[cap].weight = 1;
}

void model__cap_miss(struct model *model, enum model_cap cap, const char *reason)
{
	model->caps[cap].measured = false;
	model->caps[cap].source = 0;
	model->caps[cap].reason = model__intern(model, reason);
	model->caps[cap].share = 1;
	model->caps[cap].weight = 1;
}

void model__cap_share(struct model *model, enum model_cap cap, double share)
{
	if (!(share > 0 && share <= 1))
		return;
	model->caps[cap].share = share;
	if (cap == CAP_IO)
		model->caps[CAP_NETWORK].share = share;
}

void model__cap_weight(struct model *model, enum model_cap cap, double weight)
{
	if (weight >= 1 && isfinite(weight))
		model->caps[cap].weight = weight;
}

double cap_estimate(const struct cap_state *cap)
{
	return cap->weight / cap->share;
}

int model__backoff_add(struct model *model, int64_t at_ns, const char *what, const char *from,
		       const char *to, const char *reason)
{
	if (array__reserve((void **)&model->backoffs, &model->backoff_cap, model->backoff_cnt + 1,
			   sizeof(*model->backoffs)))
		return -ENOMEM;
	model->backoffs[model->backoff_cnt++] = (struct backoff){
		.at_ns = at_ns,
		.what = model__intern(model, what),
		.from = model__intern(model, from),
		.to = model__intern(model, to),
		.reason = model__intern(model, reason),
	};
	return 0;
}

uint64_t model__losses(const struct model *model)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (model->counters[i].is_loss)
			sum += model->counters[i].val;
	}
	return sum;
}

bool model__losses_known(const struct model *model)
{
	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (model->counters[i].is_loss)
			return true;
	}
	return false;
}
