/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The series records: what was measured at each tick of the recorder. Written by ndjson.c. */
#include "export/io.h"

#include <stdio.h>
#include <string.h>

/* Kept as thousandths, because the model has integers only. */
#define PER_MILLE " x1000"

static const struct sample *samples_of(const struct row *row)
{
	return &row->model->samples[row->idx];
}

/* The meaning without the remark, and what the values are divided by. */
static double divisor(const struct row *row, size_t *meaning_sz)
{
	const char *meaning = series_meaning(samples_of(row)->series);
	size_t sz = strlen(meaning), tail = strlen(PER_MILLE);

	*meaning_sz = sz;
	if (sz <= tail || strcmp(meaning + sz - tail, PER_MILLE))
		return 1;
	*meaning_sz = sz - tail;
	return 1000;
}

enum series_text { TEXT_NAME, TEXT_UNIT, TEXT_MEANING };

static void get_text(struct value *value, const struct row *row, const struct getter *getter)
{
	unsigned int series = samples_of(row)->series;
	size_t sz;

	if (getter->arg == TEXT_NAME) {
		value__str(value, series_name(series));
	} else if (getter->arg == TEXT_UNIT) {
		value__str(value, series_unit(series));
	} else {
		divisor(row, &sz);
		value->kind = VALUE_STR;
		value->text = value->str;
		snprintf(value->str, sizeof(value->str), "%.*s", (int)sz, series_meaning(series));
	}
}

static void get_start(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__int(value, samples_of(row)->at_ns);
}

static void get_interval(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct sample *samples = samples_of(row);
	double span = (double)samples[row->sample_cnt - 1].at_ns - (double)samples[0].at_ns;

	if (row->sample_cnt < 2)
		value__null(value, getter->why);
	else
		value__int(value, to_int(span / (double)(row->sample_cnt - 1)));
}

static void get_cnt(struct value *value, const struct row *row, const struct getter *getter)
{
	(void)getter;
	value__uint(value, row->sample_cnt);
}

static void get_max(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct sample *samples = samples_of(row);
	int64_t max = samples[0].val;
	size_t sz;

	(void)getter;
	for (size_t i = 1; i < row->sample_cnt; i++)
		max = samples[i].val > max ? samples[i].val : max;
	value__num(value, (double)max / divisor(row, &sz));
}

static bool was_thinned(const struct model *model)
{
	for (size_t i = 0; i < model->counter_cnt; i++) {
		if (!strcmp(model__str(model, model->counters[i].name), "samples_merged"))
			return model->counters[i].val > 0;
	}
	return false;
}

/* By time: values that are far from the one before them stand for more of it. Of merged neighbours,
 * a series of means keeps the mean, but one of moments the largest. */
static void get_mean(struct value *value, const struct row *row, const struct getter *getter)
{
	const struct sample *samples = samples_of(row);
	double sum = 0, time = 0, plain = 0, before = 0;
	size_t sz;

	if (samples[0].series != SERIES_IO_QUEUE && was_thinned(row->model)) {
		value__null(value, getter->why);
		return;
	}
	for (size_t i = 0; i < row->sample_cnt; i++) {
		double at = (double)samples[i].at_ns, span = at > before ? at - before : 0;

		sum += (double)samples[i].val * span;
		time += span;
		plain += (double)samples[i].val;
		before = at;
	}
	value__num(value,
		   (time > 0 ? sum / time : plain / (double)row->sample_cnt) / divisor(row, &sz));
}

static void write_values(struct record_writer *writer, const struct row *row,
			 const struct schema_field *field)
{
	const struct sample *samples = samples_of(row);
	struct json *json = &writer->json;
	size_t sz;
	double by = divisor(row, &sz);

	(void)field;
	json__arr_begin(json);
	for (size_t i = 0; i < row->sample_cnt; i++) {
		json__arr_begin(json);
		json__i64(json, samples[i].at_ns);
		if (by == 1)
			json__i64(json, samples[i].val);
		else
			json__f64(json, (double)samples[i].val / by);
		json__arr_end(json);
	}
	json__arr_end(json);
}

static const struct getter getters[] = {
	IO_GET("count", get_cnt, 0, NULL),
	IO_GET("interval_ns", get_interval, 0, "there is one value only"),
	IO_GET("max", get_max, 0, NULL),
	IO_GET("mean", get_mean, 0, "neighbours were merged, of which the largest was kept"),
	IO_GET("meaning", get_text, TEXT_MEANING, NULL),
	IO_GET("name", get_text, TEXT_NAME, NULL),
	IO_GET("start_ns", get_start, 0, NULL),
	IO_GET("unit", get_text, TEXT_UNIT, NULL),
	IO_LIST("values", write_values),
};

const struct record_kind record_series = {
	.record = "series",
	.getters = getters,
	.getter_cnt = sizeof(getters) / sizeof(getters[0]),
};

int write_series(const struct model *model, const struct analysis *analysis, FILE *out)
{
	struct record_writer writer;
	struct row row = {.model = model, .analysis = analysis};
	int err = record_writer__init(&writer, &record_series);

	if (err)
		return err;
	for (; !err && row.idx < model->sample_cnt; row.idx += row.sample_cnt) {
		row.sample_cnt = 1;
		while (row.idx + row.sample_cnt < model->sample_cnt &&
		       model->samples[row.idx + row.sample_cnt].series ==
			       model->samples[row.idx].series)
			row.sample_cnt++;
		err = record_writer__write(&writer, &row, out);
	}
	record_writer__free(&writer);
	return err;
}
