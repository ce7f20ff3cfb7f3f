/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists about IO in tasks and classes: kinds of files, a histogram, hot files and peers. */
#include "export/io.h"

#include <errno.h>
#include <stdlib.h>

#define HOTSPOTS 5

static void load(struct record_writer *writer, int err)
{
	if (err)
		writer->line.err = err;
}

/* [[1024, 3], [4096, 7]]: by powers of two, because finer steps are not told apart anyway. */
static void write_buckets(struct json *json, const struct hist *hist)
{
	uint64_t cnts[65] = {}; /* the last one for what is beyond any number */

	for (size_t i = 0; i < hist->bucket_cnt; i++) {
		uint64_t low = hist__idx_low(hist->buckets[i].idx);
		size_t log2 = low ? 63 - (size_t)__builtin_clzll(low) : 0;

		cnts[log2] = sat_addu(cnts[log2], hist->buckets[i].cnt);
	}
	json__arr_begin(json);
	for (size_t log2 = 0; log2 < 64; log2++) {
		if (!cnts[log2])
			continue;
		json__arr_begin(json);
		json__u64(json, log2 ? 1ULL << log2 : 0);
		json__u64(json, cnts[log2]);
		json__arr_end(json);
	}
	json__arr_end(json);
}

void write_dist(struct record_writer *writer, const struct row *row, enum io_dist dist)
{
	struct row loaded = *row;

	if (!row->dists)
		load(writer, row__load_io(&loaded));
	if (loaded.dists)
		write_buckets(&writer->json, &loaded.dists[dist]);
	if (!row->dists)
		row__free_io(&loaded);
}

void write_histogram(struct record_writer *writer, const struct row *row,
		     const struct schema_field *field)
{
	(void)field;
	write_dist(writer, row, DIST_STORAGE);
}

struct kind_sum {
	struct use_sum read, write, sync;
	struct hist latency; /* of the three */
};

static int add_to_kinds(void *arg, const struct row *row, const struct use *uses, size_t cnt)
{
	struct kind_sum *kinds = arg;

	for (size_t i = 0; i < cnt; i++) {
		unsigned int kind = use_kind(row->model, &uses[i]);

		if (!(KINDS_FILE >> kind & 1))
			continue;
		if (uses[i].op == IO_READ)
			use_sum__add(&kinds[kind].read, &uses[i]);
		else if (uses[i].op == IO_WRITE)
			use_sum__add(&kinds[kind].write, &uses[i]);
		else if (uses[i].op == IO_SYNC)
			use_sum__add(&kinds[kind].sync, &uses[i]);
		else
			continue;
		hist__merge(&kinds[kind].latency, &uses[i].latency);
	}
	return 0;
}

static uint64_t sum3(uint64_t a, uint64_t b, uint64_t c)
{
	return sat_addu(sat_addu(a, b), c);
}

static void put_percentile(struct json *json, const char *key, const struct hist *hist,
			   double share)
{
	struct value value;

	value__percentile(&value, hist, share);
	if (value.kind == VALUE_UINT)
		json__kv_u64(json, key, value.u);
}

static void write_kind(struct json *json, unsigned int kind, const struct kind_sum *sum)
{
	uint64_t errors = sum3(sum->read.errors, sum->write.errors, sum->sync.errors);
	uint64_t again = sum3(sum->read.again, sum->write.again, sum->sync.again);
	const struct hist *latency = &sum->latency;

	if (!sum3(sum->read.cnt, sum->write.cnt, sum->sync.cnt) && !errors && !again)
		return;
	json__obj_begin(json);
	json__kv_str(json, "kind", object_kind_name(kind));
	json__kv_u64(json, "operations_read", sum->read.cnt);
	json__kv_u64(json, "operations_written", sum->write.cnt);
	json__kv_u64(json, "syncs", sum->sync.cnt);
	json__kv_u64(json, "bytes_read", sum->read.bytes);
	json__kv_u64(json, "bytes_written", sum->write.bytes);
	json__kv_u64(json, "errors", errors);
	json__kv_u64(json, "again", again);
	if (latency->cnt) {
		json__kv_u64(json, "mean_ns", latency->total / latency->cnt);
		put_percentile(json, "p99_ns", latency, 0.99);
		json__kv_u64(json, "max_ns", latency->max);
	}
	json__obj_end(json);
}

void write_by_kind(struct record_writer *writer, const struct row *row,
		   const struct schema_field *field)
{
	struct kind_sum *kinds = calloc(OBJECT_KIND_CNT, sizeof(*kinds));

	(void)field;
	json__arr_begin(&writer->json);
	if (kinds)
		row__each_use(row, add_to_kinds, kinds);
	else
		load(writer, -ENOMEM);
	for (unsigned int kind = 0; kinds && kind < OBJECT_KIND_CNT; kind++) {
		write_kind(&writer->json, kind, &kinds[kind]);
		hist__free(&kinds[kind].latency);
	}
	json__arr_end(&writer->json);
	free(kinds);
}

struct hotspots {
	struct object_totals totals;
	uint32_t kinds;
};

static int add_to_hotspots(void *arg, const struct row *row, const struct use *uses, size_t cnt)
{
	struct hotspots *spots = arg;

	return object_totals__add(&spots->totals, row->model, uses, cnt, spots->kinds);
}

static void write_spot(struct json *json, const struct model *model,
		       const struct object_totals *totals, const struct object_total *row,
		       bool is_socket)
{
	const struct object *object =
		row->object < model->object_cnt ? &model->objects[row->object] : NULL;
	double calls = (double)row->done + (double)row->errors;

	json__obj_begin(json);
	if (object && *model__str(model, object->name))
		json__kv_str(json, is_socket ? "endpoint" : "path",
			     model__str(model, object->name));
	json__kv_str(json, "kind", object_kind_name(object ? object->kind : OBJECT_UNKNOWN));
	if (!is_socket && object_total__main_op(row) < IO_OP_CNT)
		json__kv_str(json, "operation", io_op_name(object_total__main_op(row)));
	json__kv_u64(json, "operations", row->calls.cnt);
	json__kv_u64(json, "bytes", row->calls.bytes);
	if (!is_socket)
		json__kv_u64(json, "errors", row->errors);
	else if (calls > 0)
		json__kv_f64(json, "error_rate", (double)row->errors / calls);
	if (is_socket && row->requests) {
		json__kv_u64(json, "requests", row->requests);
		json__kv_u64(json, "response_time_ns", row->answer_ns / row->requests);
	}
	if (!is_socket && row->calls.timed)
		json__kv_u64(json, "latency_ns", row->calls.ns / row->calls.timed);
	if (row->ns) {
		json__kv_u64(json, "time_ns", row->ns);
		json__kv_f64(json, "percent", (double)row->ns / (double)totals->ns * 100);
	}
	json__obj_end(json);
}

static void write_hotspots(struct record_writer *writer, const struct row *row, uint32_t kinds)
{
	struct hotspots spots = {.kinds = kinds};

	load(writer, row__each_use(row, add_to_hotspots, &spots));
	object_totals__rank(&spots.totals);
	json__arr_begin(&writer->json);
	for (size_t i = 0; i < spots.totals.cnt && i < HOTSPOTS; i++)
		write_spot(&writer->json, row->model, &spots.totals, &spots.totals.rows[i],
			   kinds == KINDS_SOCKET);
	json__arr_end(&writer->json);
	object_totals__free(&spots.totals);
}

void write_io_hotspots(struct record_writer *writer, const struct row *row,
		       const struct schema_field *field)
{
	(void)field;
	write_hotspots(writer, row, KINDS_FILE);
}

void write_network_hotspots(struct record_writer *writer, const struct row *row,
			    const struct schema_field *field)
{
	(void)field;
	write_hotspots(writer, row, KINDS_SOCKET);
}
