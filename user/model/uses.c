/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of uses, links and samples, and the way to those of one task or class by it. Sorted by
 * the feed and by the snapshot reader; looked up by analyze/ and the outputs.
 */
#include <stdlib.h>

#include "model/io.h"
#include "model/model.h"

static int cmp(uint64_t left, uint64_t right)
{
	return (left > right) - (left < right);
}

/* Task 0 is the last of all: the folded ones by class, then nobody's (NO_IDX is the largest). */
static int cmp_owner(uint64_t left, uint32_t left_class, uint64_t right, uint32_t right_class)
{
	if (left != right)
		return cmp(left - 1, right - 1);
	/* of a task that is kept the class is in the task */
	return left ? 0 : cmp(left_class, right_class);
}

static int cmp_use(const void *a, const void *b)
{
	const struct use *left = a, *right = b;
	int order = cmp_owner(left->task, left->class_idx, right->task, right->class_idx);

	if (!order)
		order = cmp(left->object, right->object);
	return order ? order : cmp(left->op, right->op);
}

static int cmp_link(const void *a, const void *b)
{
	const struct link *left = a, *right = b;
	int order = cmp_owner(left->task, left->class_idx, right->task, right->class_idx);

	return order ? order : cmp(left->object, right->object);
}

static int cmp_sample(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;

	if (left->series != right->series)
		return cmp(left->series, right->series);
	if (left->at_ns != right->at_ns)
		return left->at_ns < right->at_ns ? -1 : 1;
	return left->val < right->val ? -1 : left->val > right->val;
}

/* What is in order stays as it is, also where a (hostile) file has rows that are equal. */
static void sort(void *rows, size_t cnt, size_t row_sz, int (*compare)(const void *, const void *))
{
	const char *at = rows;

	for (size_t i = 1; i < cnt; i++) {
		if (compare(at + (i - 1) * row_sz, at + i * row_sz) > 0) {
			qsort(rows, cnt, row_sz, compare);
			return;
		}
	}
}

void samples__sort(struct model *model)
{
	sort(model->samples, model->sample_cnt, sizeof(*model->samples), cmp_sample);
}

void model__sort_io(struct model *model)
{
	sort(model->uses, model->use_cnt, sizeof(*model->uses), cmp_use);
	sort(model->links, model->link_cnt, sizeof(*model->links), cmp_link);
	samples__sort(model);
}

static int use_owner(const void *row, uint64_t task, uint32_t class_idx)
{
	const struct use *use = row;

	return cmp_owner(use->task, use->class_idx, task, class_idx);
}

static int link_owner(const void *row, uint64_t task, uint32_t class_idx)
{
	const struct link *link = row;

	return cmp_owner(link->task, link->class_idx, task, class_idx);
}

/* The first of `cnt` sorted rows that is not before the owner (or, with `behind`, is behind it). */
static size_t bound(const char *rows, size_t row_sz, size_t cnt,
		    int (*owner)(const void *row, uint64_t task, uint32_t class_idx), uint64_t task,
		    uint32_t class_idx, int behind)
{
	size_t lo = 0, hi = cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (owner(rows + mid * row_sz, task, class_idx) < behind)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct use *model__uses(const struct model *model, uint64_t task, uint32_t class_idx,
			      size_t *cnt)
{
	const char *rows = (const char *)model->uses;
	size_t first =
		bound(rows, sizeof(struct use), model->use_cnt, use_owner, task, class_idx, 0);
	size_t end = bound(rows, sizeof(struct use), model->use_cnt, use_owner, task, class_idx, 1);

	*cnt = end - first;
	return *cnt ? model->uses + first : NULL;
}

const struct link *model__links(const struct model *model, uint64_t task, uint32_t class_idx,
				size_t *cnt)
{
	const char *rows = (const char *)model->links;
	size_t first =
		bound(rows, sizeof(struct link), model->link_cnt, link_owner, task, class_idx, 0);
	size_t end =
		bound(rows, sizeof(struct link), model->link_cnt, link_owner, task, class_idx, 1);

	*cnt = end - first;
	return *cnt ? model->links + first : NULL;
}
