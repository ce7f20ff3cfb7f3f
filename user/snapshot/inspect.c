/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows what a snapshot's bytes are: header, chunks, verdicts. Called by cmd/inspect. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "snapshot/reader.h"

struct inspection {
	struct image image;
	const struct snapshot_status *status;
	const struct model *model; /* or NULL */
};

/* How much of each table was read. */
struct content {
	const char *name;
	uint64_t cnt;
};

#define CONTENT_CNT 12
static void contents(const struct model *model, struct content content[CONTENT_CNT])
{
	content[0] = (struct content){"tasks", model->task_cnt};
	content[1] = (struct content){"classes", model->class_cnt};
	content[2] = (struct content){"edges", model->edge_cnt};
	content[3] = (struct content){"slices", model->slice_cnt};
	content[4] = (struct content){"objects", model->object_cnt};
	content[5] = (struct content){"uses", model->use_cnt};
	content[6] = (struct content){"links", model->link_cnt};
	content[7] = (struct content){"samples", model->sample_cnt};
	content[8] = (struct content){"counters", model->counter_cnt};
	content[9] = (struct content){"runtimes", model->runtime_cnt};
	content[10] = (struct content){"backoffs", model->backoff_cnt};
	content[11] = (struct content){"string_bytes", model->strings.sz};
}

/* A file's text for a terminal: nothing that could be an escape. */
static void clean(char *to, size_t to_sz, const char *text, size_t sz)
{
	size_t i = 0;

	for (; i < sz && i + 1 < to_sz && text[i]; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	to[i] = '\0';
}

static void fourcc_text(char text[5], uint32_t fourcc)
{
	char raw[4];

	memcpy(raw, &fourcc, sizeof(raw));
	clean(text, 5, raw, sizeof(raw));
}

static void uuid_text(char text[37], const uint8_t uuid[16])
{
	char *at = text;

	for (unsigned int i = 0; i < 16; i++)
		at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			      uuid[i]);
}

static void utc_text(char *text, size_t sz, uint64_t real_ns)
{
	time_t secs = (time_t)(real_ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&secs, &tm) || !strftime(text, sz, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, sz, "unknown");
}

static const char *codec_name(uint8_t codec)
{
	return codec == CODEC_NONE ? "none" : codec == CODEC_ZSTD ? "zstd" : "unknown";
}

static const char *verdict(const struct snapshot_status *status)
{
	if (status->error != SNAPSHOT_OK)
		return snapshot_error_text(status->error);
	if (status->chunk_bad)
		return "damaged: read without the chunks that do not prove themselves";
	if (!status->complete)
		return "not finished by its recorder: read from the newest complete part";
	if (status->salvaged)
		return "damaged, but everything could be read";
	return "complete, and every chunk proves itself";
}

static void text_hdr(const struct image *image, FILE *out)
{
	const struct asnap_hdr *hdr = &image->hdr;
	char uuid[37], utc[40];

	uuid_text(uuid, hdr->uuid);
	utc_text(utc, sizeof(utc), hdr->real_ns);
	fprintf(out, "version   %u.%u%s\n", hdr->major, hdr->minor,
		image->hdr_ok ? "" : " (the header is damaged)");
	fprintf(out, "uuid      %s\n", uuid);
	fprintf(out, "begun     %s, monotonic %" PRIu64 " ns, boot %" PRIu64 " ns\n", utc,
		hdr->mono_ns, hdr->boot_ns);
	fprintf(out, "size      %zu bytes, %" PRIu64 " of them not proven\n", image->sz,
		image->bytes_bad);
}

static void text_model(const struct inspection *inspection, FILE *out)
{
	const struct model *model = inspection->model;
	struct content content[CONTENT_CNT];
	const char *exe = model__str(model, model->meta.exe);
	char text[512];

	clean(text, sizeof(text), exe, strlen(exe));
	fprintf(out, "target    %s\n", *text ? text : "unknown");
	contents(model, content);
	fprintf(out, "contents ");
	for (size_t i = 0; i < CONTENT_CNT; i++)
		fprintf(out, "%s%" PRIu64 " %s", i ? ", " : " ", content[i].cnt, content[i].name);
	fprintf(out, "\n");
	if (inspection->status->salvaged_ns != NO_TIME)
		fprintf(out, "reaches   %.3f s into the recording\n",
			(double)inspection->status->salvaged_ns / 1e9);
}

static void text_chunks(const struct image *image, FILE *out)
{
	fprintf(out,
		"\n%12s  kind  codec    group   seq     rows    stored       raw  read  verdict\n",
		"offset");
	for (size_t i = 0; i < image->ref_cnt; i++) {
		const struct chunk_ref *ref = &image->refs[i];
		char fourcc[5];

		fourcc_text(fourcc, ref->hdr.fourcc);
		fprintf(out, "%12" PRIu64 "  %-4s  %-7s %6u %5u %8u %9u %9u  %-4s  %s\n", ref->off,
			fourcc, codec_name(ref->hdr.codec), ref->hdr.group, ref->hdr.seq,
			ref->hdr.rows, ref->hdr.stored_sz, ref->hdr.raw_sz,
			ref->is_used ? "yes" : "no", chunk_verdict_name(ref->verdict));
	}
}

static void as_text(const struct inspection *inspection, FILE *out)
{
	/* Without a magic there is nothing to tell but the verdict. */
	if (inspection->image.data)
		text_hdr(&inspection->image, out);
	if (inspection->model)
		text_model(inspection, out);
	fprintf(out, "verdict   %s\n", verdict(inspection->status));
	if (inspection->image.ref_cnt)
		text_chunks(&inspection->image, out);
}

static void json_hdr(struct json *json, const struct image *image)
{
	const struct asnap_hdr *hdr = &image->hdr;
	char uuid[37], version[16];

	uuid_text(uuid, hdr->uuid);
	snprintf(version, sizeof(version), "%u.%u", hdr->major, hdr->minor);
	json__key(json, "header");
	json__obj_begin(json);
	json__kv_str(json, "version", version);
	json__kv_bool(json, "intact", image->hdr_ok);
	json__kv_bool(json, "incomplete", hdr->flags & HDR_INCOMPLETE);
	json__kv_str(json, "uuid", uuid);
	json__kv_u64(json, "mono_ns", hdr->mono_ns);
	json__kv_u64(json, "boot_ns", hdr->boot_ns);
	json__kv_u64(json, "real_ns", hdr->real_ns);
	json__obj_end(json);
	json__kv_u64(json, "size", image->sz);
	json__kv_bool(json, "toc_intact", image->toc_ok);
}

static void json_status(struct json *json, const struct snapshot_status *status)
{
	if (status->error == SNAPSHOT_OK)
		json__kv_null(json, "error");
	else
		json__kv_str(json, "error", snapshot_error_text(status->error));
	json__kv_str(json, "verdict", verdict(status));
	json__kv_bool(json, "complete", status->complete);
	json__kv_bool(json, "salvaged", status->salvaged);
	json__kv_u64(json, "bytes_not_proven", status->bytes_bad);
	json__kv_u64(json, "chunks_read", status->chunk_cnt);
	json__kv_u64(json, "chunks_bad", status->chunk_bad);
	if (status->salvaged_ns == NO_TIME)
		json__kv_null(json, "reaches_ns");
	else
		json__kv_i64(json, "reaches_ns", status->salvaged_ns);
}

static void json_chunk(struct json *json, const struct chunk_ref *ref)
{
	char fourcc[5];

	fourcc_text(fourcc, ref->hdr.fourcc);
	json__obj_begin(json);
	json__kv_u64(json, "offset", ref->off);
	json__kv_str(json, "kind", fourcc);
	json__kv_u64(json, "version", ref->hdr.version);
	json__kv_str(json, "codec", codec_name(ref->hdr.codec));
	json__kv_bool(json, "critical", ref->hdr.flags & CHUNK_CRITICAL);
	json__kv_u64(json, "group", ref->hdr.group);
	json__kv_u64(json, "seq", ref->hdr.seq);
	json__kv_u64(json, "rows", ref->hdr.rows);
	json__kv_u64(json, "stored_bytes", ref->hdr.stored_sz);
	json__kv_u64(json, "raw_bytes", ref->hdr.raw_sz);
	json__kv_bool(json, "read", ref->is_used);
	json__kv_str(json, "verdict", chunk_verdict_name(ref->verdict));
	json__obj_end(json);
}

static int as_json(const struct inspection *inspection, FILE *out)
{
	struct content content[CONTENT_CNT];
	struct buf buf = {};
	struct json json;
	int err;

	json__init(&json, &buf);
	json__obj_begin(&json);
	if (inspection->image.data)
		json_hdr(&json, &inspection->image);
	json_status(&json, inspection->status);
	if (inspection->model) {
		contents(inspection->model, content);
		json__key(&json, "contents");
		json__obj_begin(&json);
		for (size_t i = 0; i < CONTENT_CNT; i++)
			json__kv_u64(&json, content[i].name, content[i].cnt);
		json__obj_end(&json);
	}
	json__key(&json, "chunks");
	json__arr_begin(&json);
	for (size_t i = 0; i < inspection->image.ref_cnt; i++)
		json_chunk(&json, &inspection->image.refs[i]);
	json__arr_end(&json);
	json__obj_end(&json);
	err = buf.err;
	if (!err)
		fprintf(out, "%s\n", buf__str(&buf));
	buf__free(&buf);
	return err;
}

int snapshot__inspect(const char *path, bool json, FILE *out, struct snapshot_status *status)
{
	struct inspection inspection = {.status = status};
	struct model *model = NULL;
	uint8_t *data;
	size_t sz;
	int err = snapshot_slurp(path, &data, &sz);

	if (err) {
		*status = (struct snapshot_status){.error = SNAPSHOT_UNREADABLE,
						   .err = -err,
						   .salvaged_ns = NO_TIME};
		return err;
	}
	model = snapshot_load(data, sz, &inspection.image, status);
	inspection.model = model;
	if (json)
		err = as_json(&inspection, out);
	else
		as_text(&inspection, out);
	if (!err && fflush(out))
		err = -errno;
	else if (!err && ferror(out))
		err = -EIO;
	model__free(model);
	image__free(&inspection.image);
	free(data);
	return err;
}
