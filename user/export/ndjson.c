/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NDJSON: one object per line, meta first, then class, task, edge, file, connection, stack, series,
 * slice (on demand), finding and counter. The exporter of `-o out.ndjson` and `export -t ndjson`.
 */
#include "export/io.h"

#include <errno.h>
#include <stdlib.h>

const struct record_kind *const record_kinds[] = {
	&record_meta,  &record_class,      &record_task,    &record_edge,
	&record_file,  &record_connection, &record_stack,   &record_series,
	&record_slice, &record_finding,    &record_counter,
};
const size_t record_kind_cnt = sizeof(record_kinds) / sizeof(record_kinds[0]);

/* Rows 0..cnt-1 of a kind that needs no more than its index. */
static int write_plain(const struct record_kind *kind, const struct model *model,
		       const struct analysis *analysis, size_t cnt, FILE *out)
{
	struct record_writer writer;
	int err = record_writer__init(&writer, kind);

	if (err)
		return err;
	for (size_t i = 0; !err && i < cnt; i++) {
		const struct row row = {.model = model, .analysis = analysis, .idx = i};

		err = record_writer__write(&writer, &row, out);
	}
	record_writer__free(&writer);
	return err;
}

static int write_tasks(const struct model *model, const struct analysis *analysis, FILE *out)
{
	struct record_writer writer;
	int err = record_writer__init(&writer, &record_task);

	if (err)
		return err;
	for (size_t i = 0; !err && i < model->task_cnt; i++) {
		struct row row;

		row__of_task(&row, model, analysis, i);
		err = row__load_io(&row);
		if (!err)
			err = record_writer__write(&writer, &row, out);
		row__free_io(&row);
	}
	record_writer__free(&writer);
	return err;
}

/* Task indices grouped by class, and where each class's group begins. */
struct members {
	uint32_t *tasks;
	size_t *begin; /* class_cnt + 1 */
};

static int group_members(const struct model *model, struct members *members)
{
	size_t *next = calloc(model->class_cnt + 1, sizeof(*next));

	members->tasks = calloc(model->task_cnt + 1, sizeof(*members->tasks));
	members->begin = calloc(model->class_cnt + 1, sizeof(*members->begin));
	if (!next || !members->tasks || !members->begin) {
		free(next);
		return -ENOMEM;
	}
	for (size_t i = 0; i < model->task_cnt; i++) {
		if (model->tasks[i].class_idx < model->class_cnt)
			members->begin[model->tasks[i].class_idx + 1]++;
	}
	for (size_t i = 0; i < model->class_cnt; i++) {
		members->begin[i + 1] += members->begin[i];
		next[i] = members->begin[i];
	}
	for (size_t i = 0; i < model->task_cnt; i++) {
		if (model->tasks[i].class_idx < model->class_cnt)
			members->tasks[next[model->tasks[i].class_idx]++] = (uint32_t)i;
	}
	free(next);
	return 0;
}

static int write_classes(const struct model *model, const struct analysis *analysis, FILE *out)
{
	struct record_writer writer = {};
	struct members members = {};
	int err = group_members(model, &members);

	if (!err)
		err = record_writer__init(&writer, &record_class);
	for (size_t i = 0; !err && i < model->class_cnt; i++) {
		struct row row;

		row__of_class(&row, model, analysis, i, members.tasks + members.begin[i],
			      members.begin[i + 1] - members.begin[i]);
		err = row__load_io(&row);
		if (!err)
			err = record_writer__write(&writer, &row, out);
		row__free_io(&row);
		row__free(&row);
	}
	record_writer__free(&writer);
	free(members.tasks);
	free(members.begin);
	return err;
}

int export_ndjson(const struct model *model, const struct analysis *analysis,
		  const struct export_options *options, FILE *out)
{
	int err = write_plain(&record_meta, model, analysis, 1, out);

	if (!err)
		err = write_classes(model, analysis, out);
	if (!err)
		err = write_tasks(model, analysis, out);
	if (!err)
		err = write_plain(&record_edge, model, analysis, model->edge_cnt, out);
	if (!err)
		err = write_files(model, analysis, out);
	if (!err)
		err = write_connections(model, analysis, out);
	if (!err)
		err = write_stacks(model, analysis, out);
	if (!err)
		err = write_series(model, analysis, out);
	if (!err && options->slices)
		err = write_plain(&record_slice, model, analysis, model->slice_cnt, out);
	if (!err)
		err = write_plain(&record_finding, model, analysis, analysis->finding_cnt, out);
	/* One more: what the analysis found to belong to nobody. */
	if (!err)
		err = write_plain(&record_counter, model, analysis, model->counter_cnt + 1, out);
	return err;
}
