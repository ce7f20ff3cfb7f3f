/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer of one JSON line: walks the schema's rows, nests by their dots, and folds a sub-object
 * of which nothing is known for one reason into one null. Called by ndjson.c.
 */
#include "export/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define KEY_SZ 64

static int by_path(const void *path, const void *getter)
{
	return strcmp(path, ((const struct getter *)getter)->path);
}

const struct getter *getter__find(const struct record_kind *kind, const char *path)
{
	const struct getter *getter =
		bsearch(path, kind->getters, kind->getter_cnt, sizeof(kind->getters[0]), by_path);

	return getter ? getter : kind->other;
}

int record_writer__init(struct record_writer *writer, const struct record_kind *kind)
{
	memset(writer, 0, sizeof(*writer));
	writer->kind = kind;
	writer->fields = schema__record(kind->record, &writer->field_cnt);
	writer->getters = calloc(writer->field_cnt + 1, sizeof(*writer->getters));
	writer->values = calloc(writer->field_cnt + 1, sizeof(*writer->values));
	if (!writer->getters || !writer->values) {
		record_writer__free(writer);
		return -ENOMEM;
	}
	for (size_t i = 0; i < writer->field_cnt; i++)
		writer->getters[i] = getter__find(kind, writer->fields[i].path);
	return 0;
}

void record_writer__free(struct record_writer *writer)
{
	free(writer->getters);
	free(writer->values);
	free(writer->notes);
	buf__free(&writer->line);
	memset(writer, 0, sizeof(*writer));
}

static void note(struct record_writer *writer, const char *path, size_t path_sz, const char *suffix,
		 const char *why)
{
	if (array__reserve((void **)&writer->notes, &writer->note_cap, writer->note_cnt + 1,
			   sizeof(*writer->notes))) {
		writer->line.err = -ENOMEM;
		return;
	}
	writer->notes[writer->note_cnt++] = (struct null_note){
		.path = path,
		.path_sz = path_sz,
		.suffix = suffix,
		.why = why ? why : "not recorded",
	};
}

void record_writer__note(struct record_writer *writer, const struct schema_field *field,
			 const char *suffix, const char *why)
{
	note(writer, field->path, strlen(field->path), suffix, why);
}

static void write_mask(struct json *json, uint64_t mask)
{
	json__arr_begin(json);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (mask >> bit & 1)
			json__u64(json, bit);
	}
	json__arr_end(json);
}

static void write_value(struct json *json, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL:
		json__null(json);
		break;
	case VALUE_INT:
		json__i64(json, value->i);
		break;
	case VALUE_UINT:
		json__u64(json, value->u);
		break;
	case VALUE_NUM:
		json__f64(json, value->num);
		break;
	case VALUE_BOOL:
		json__bool(json, value->b);
		break;
	case VALUE_STR:
		json__str(json, value->text);
		break;
	case VALUE_MASK:
		write_mask(json, value->u);
		break;
	}
}

static void write_leaf(struct record_writer *writer, const struct row *row, size_t i)
{
	const struct schema_field *field = &writer->fields[i];
	const struct getter *getter = writer->getters[i];

	if (writer->values[i].kind == VALUE_NULL)
		note(writer, field->path, strlen(field->path), "", writer->values[i].why);
	if (writer->values[i].kind != VALUE_NULL && getter && getter->write)
		getter->write(writer, row, field);
	else
		write_value(&writer->json, &writer->values[i]);
}

/* The end of the rows that share the first `sz` bytes of row `first`. */
static size_t group_end(const struct record_writer *writer, size_t first, size_t end, size_t sz)
{
	size_t i = first + 1;

	while (i < end && !strncmp(writer->fields[i].path, writer->fields[first].path, sz))
		i++;
	return i;
}

/* The reason that all rows of a group are null for, or NULL when there is no such reason. */
static const char *common_reason(const struct record_writer *writer, size_t first, size_t end)
{
	const char *why = writer->values[first].why;

	for (size_t i = first; i < end; i++) {
		if (writer->values[i].kind != VALUE_NULL || !why || !writer->values[i].why ||
		    strcmp(writer->values[i].why, why))
			return NULL;
	}
	return why;
}

/* Writes the rows [first, end), of whose paths `skip` bytes are already opened. */
static void write_rows(struct record_writer *writer, const struct row *row, size_t first,
		       size_t end, size_t skip)
{
	while (first < end) {
		const char *path = writer->fields[first].path;
		const char *name = path + skip, *dot = strchr(name, '.');
		char key[KEY_SZ] = "";
		const char *why;
		size_t next, sz;

		if (!dot) {
			json__key(&writer->json, name);
			write_leaf(writer, row, first++);
			continue;
		}
		sz = (size_t)(dot - name) < KEY_SZ ? (size_t)(dot - name) : KEY_SZ - 1;
		memcpy(key, name, sz);
		json__key(&writer->json, key);
		next = group_end(writer, first, end, (size_t)(dot - path) + 1);
		why = common_reason(writer, first, next);
		if (why) {
			json__null(&writer->json);
			note(writer, path, (size_t)(dot - path), "", why);
		} else {
			json__obj_begin(&writer->json);
			write_rows(writer, row, first, next, (size_t)(dot - path) + 1);
			json__obj_end(&writer->json);
		}
		first = next;
	}
}

/* The task's getter, where a class sums up a number of its tasks. */
static const struct getter *number_of(const struct record_writer *writer, size_t i)
{
	const struct getter *getter = writer->getters[i];

	if (!getter || getter != writer->kind->other)
		return getter;
	return getter__find(&record_task, writer->fields[i].path);
}

/* {"memory_metrics.total_bytes": 3.2}: which of the numbers are estimates, and how many each one that
 * was counted stands for. Nothing where all are exact. */
static void write_estimates(struct record_writer *writer, const struct row *row)
{
	bool any = false;

	for (size_t i = 0; i < writer->field_cnt; i++) {
		const struct cap_state *cap = &row->model->caps[writer->fields[i].cap];
		const struct getter *getter;

		if (cap_estimate(cap) <= 1 || writer->values[i].kind == VALUE_NULL)
			continue;
		getter = number_of(writer, i);
		if (!getter || !getter->is_total)
			continue;
		if (!any) {
			json__key(&writer->json, "estimated");
			json__obj_begin(&writer->json);
		}
		any = true;
		json__kv_f64(&writer->json, writer->fields[i].path, cap_estimate(cap));
	}
	if (any)
		json__obj_end(&writer->json);
}

static void write_notes(struct record_writer *writer)
{
	struct buf path = {};

	json__key(&writer->json, "not_measured");
	json__obj_begin(&writer->json);
	for (size_t i = 0; i < writer->note_cnt; i++) {
		buf__reset(&path);
		buf__add(&path, writer->notes[i].path, writer->notes[i].path_sz);
		buf__puts(&path, writer->notes[i].suffix);
		json__kv_str(&writer->json, buf__str(&path), writer->notes[i].why);
	}
	json__obj_end(&writer->json);
	if (path.err)
		writer->line.err = path.err;
	buf__free(&path);
}

int record_writer__write(struct record_writer *writer, const struct row *row, FILE *out)
{
	buf__reset(&writer->line);
	json__init(&writer->json, &writer->line);
	writer->note_cnt = 0;
	for (size_t i = 0; i < writer->field_cnt; i++)
		row__value(&writer->values[i], row, &writer->fields[i], writer->getters[i]);
	json__obj_begin(&writer->json);
	json__kv_str(&writer->json, "record", writer->kind->record);
	write_rows(writer, row, 0, writer->field_cnt, 0);
	write_estimates(writer, row);
	if (writer->note_cnt)
		write_notes(writer);
	json__obj_end(&writer->json);
	buf__add(&writer->line, "\n", 1);
	if (writer->line.err)
		return writer->line.err;
	errno = 0;
	if (fwrite(writer->line.data, 1, writer->line.sz, out) != writer->line.sz)
		return errno ? -errno : -EIO;
	return 0;
}
