/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the .asnap reader. The first byte of an input says what the rest is: a file as it is, a
 * file whose CRCs are made right first, or the payloads of chunks to build a file from; else the
 * CRCs would keep nearly everything out. What was read must be whole in itself: written and read
 * again it must come back equal. Run by tools/fuzz, which gets the seeds by FUZZ_WRITE_SEEDS=DIR.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/snapshot_model.h"
#include "base/buf.h"
#include "snapshot/chunk.h"
#include "snapshot/encode.h"

enum mode { MODE_AS_IS, MODE_REPAIRED, MODE_CHUNKS, MODE_CNT };

/* MODE_CHUNKS: in front of each payload. */
struct part {
	uint8_t kind;
	uint8_t bits; /* 1: critical, 2: with `seq` as its number, 4: with very many rows */
	uint8_t seq;
	uint8_t rows[3];
	uint8_t sz[2];
};

static const uint32_t kinds[] = {
	CHUNK_BEGIN,    CHUNK_ENUMS,
	CHUNK_STRINGS,  CHUNK_META,
	CHUNK_CAPS,     CHUNK_RUNTIMES,
	CHUNK_COUNTERS, CHUNK_CLASSES,
	CHUNK_TASKS,    CHUNK_EDGES,
	CHUNK_SLICES,   CHUNK_END,
	CHUNK_TOC,      FOURCC('?', '?', '?', '?'),
	CHUNK_OBJECTS,  CHUNK_USES,
	CHUNK_LINKS,    CHUNK_SAMPLES,
	CHUNK_BACKOFFS,
};
#define KIND_CNT (sizeof(kinds) / sizeof(*kinds))

static struct asnap_hdr make_hdr(void)
{
	struct asnap_hdr hdr = {.major = ASNAP_MAJOR, .minor = ASNAP_MINOR, .uuid = "fuzz"};

	memcpy(hdr.magic, ASNAP_MAGIC, sizeof(hdr.magic));
	asnap_hdr__seal(&hdr);
	return hdr;
}

static uint32_t tag_of(const struct asnap_hdr *hdr)
{
	return snapshot_crc(hdr->uuid, sizeof(hdr->uuid));
}

/* Makes every magic and CRC right, as far as there is one. */
static void repair(struct buf *file)
{
	struct asnap_hdr hdr;
	struct asnap_chunk chunk;
	struct asnap_footer footer;
	char *at = file->data;
	size_t left;

	if (file->sz < sizeof(hdr))
		return;
	memcpy(&hdr, file->data, sizeof(hdr));
	memcpy(hdr.magic, ASNAP_MAGIC, sizeof(hdr.magic));
	asnap_hdr__seal(&hdr);
	memcpy(file->data, &hdr, sizeof(hdr));
	while ((at = memmem(at, file->sz - (size_t)(at - file->data), ASNAP_CHUNK, 8))) {
		left = file->sz - (size_t)(at - file->data);
		if (left < sizeof(chunk))
			break;
		memcpy(&chunk, at, sizeof(chunk));
		chunk.tag = tag_of(&hdr);
		if (chunk.stored_sz <= left - sizeof(chunk))
			chunk.payload_crc = snapshot_crc(at + sizeof(chunk), chunk.stored_sz);
		asnap_chunk__seal(&chunk);
		memcpy(at, &chunk, sizeof(chunk));
		at += 8;
	}
	if (file->sz < sizeof(hdr) + sizeof(footer))
		return;
	memcpy(&footer, file->data + file->sz - sizeof(footer), sizeof(footer));
	asnap_footer__seal(&footer);
	memcpy(file->data + file->sz - sizeof(footer), &footer, sizeof(footer));
}

static void build(struct buf *file, const uint8_t *data, size_t sz)
{
	struct asnap_hdr hdr = make_hdr();
	uint32_t seq = 0;

	buf__add(file, &hdr, sizeof(hdr));
	while (sz >= sizeof(struct part)) {
		struct asnap_chunk chunk = {.tag = tag_of(&hdr), .seq = seq++};
		struct buf raw = {};
		struct part part;
		size_t part_sz;

		memcpy(&part, data, sizeof(part));
		data += sizeof(part);
		sz -= sizeof(part);
		part_sz = part.sz[0] | (size_t)part.sz[1] << 8;
		part_sz = part_sz < sz ? part_sz : sz;
		buf__add(&raw, data, part_sz);
		data += part_sz;
		sz -= part_sz;
		chunk.fourcc = kinds[part.kind % KIND_CNT];
		chunk.flags = part.bits & CHUNK_CRITICAL;
		chunk.seq = part.bits & 2 ? part.seq : chunk.seq;
		chunk.rows = part.rows[0] | (part.rows[1] & 15) << 8;
		if (part.bits & 4) /* rarely: such a run is slow */
			chunk.rows |= part.rows[1] << 8 | (part.rows[2] & 15) << 16;
		asnap_chunk__pack(&chunk, NULL, &raw, file);
		buf__free(&raw);
	}
}

static void write_again(const struct model *model)
{
	struct asnap_hdr hdr = make_hdr();
	struct group_info info = {.tag = tag_of(&hdr), .is_final = true, .level = 1};
	struct snapshot_status status;
	struct buf group = {}, file = {};
	struct model *read;

	if (snapshot_encode(model, &info, &group) ||
	    snapshot_encode_toc(&info, sizeof(hdr), &group))
		abort();
	buf__add(&file, &hdr, sizeof(hdr));
	buf__add(&file, group.data, group.sz);
	read = snapshot__read_mem(file.data, file.sz, &status);
	if (!read || !is_whole(&status)) {
		fprintf(stderr, "what was read cannot be written and read again\n");
		abort();
	}
	if (difference(model, read)) {
		fprintf(stderr, "different when written and read again: %s\n",
			difference(model, read));
		abort();
	}
	model__free(read);
	buf__free(&group);
	buf__free(&file);
}

static bool is_owned(const struct model *model, uint64_t task, uint32_t class_idx, uint32_t object)
{
	return object < model->object_cnt &&
	       (class_idx == NO_IDX || (!task && class_idx < model->class_cnt));
}

/* What any reader of a model does with it. */
static void use(const struct model *model)
{
	size_t sum = 0;

	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		if (task->class_idx != NO_IDX && task->class_idx >= model->class_cnt)
			abort();
		if (task->state >= STATE_CNT || task->binding >= BINDING_CNT ||
		    task->runtime > RUNTIME_CNT || model__task(model, task->id) != task)
			abort();
		sum += strlen(model__str(model, task->name));
		sum += hist__percentile(&task->runs, 0.5) + hist__percentile(&task->wake, 0.99);
	}
	for (size_t i = 0; i < model->edge_cnt; i++)
		if (model->edges[i].kind >= EDGE_CNT)
			abort();
	for (size_t i = 0; i < model->object_cnt; i++) {
		if (model->objects[i].kind >= OBJECT_KIND_CNT || model->objects[i].role >= ROLE_CNT)
			abort();
		sum += strlen(model__str(model, model->objects[i].name));
	}
	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		if (use->op >= IO_OP_CNT ||
		    !is_owned(model, use->task, use->class_idx, use->object))
			abort();
		sum += hist__percentile(&use->latency, 0.5);
	}
	for (size_t i = 0; i < model->link_cnt; i++)
		if (!is_owned(model, model->links[i].task, model->links[i].class_idx,
			      model->links[i].object))
			abort();
	for (size_t i = 0; i < model->sample_cnt; i++)
		if (model->samples[i].series >= SERIES_CNT)
			abort();
	for (size_t i = 0; i < model->counter_cnt; i++)
		sum += strlen(model__str(model, model->counters[i].meaning));
	__asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	struct snapshot_status status;
	struct buf file = {};
	struct model *model;
	void *exact;

	if (!sz)
		return 0;
	if (*data % MODE_CNT == MODE_CHUNKS)
		build(&file, data + 1, sz - 1);
	else
		buf__add(&file, data + 1, sz - 1);
	if (*data % MODE_CNT == MODE_REPAIRED)
		repair(&file);
	/* Exactly so much memory, for the sanitizer. */
	exact = malloc(file.sz);
	if (exact && file.sz)
		memcpy(exact, file.data, file.sz);
	model = snapshot__read_mem(exact, file.sz, &status);
	if (!!model != (status.error == SNAPSHOT_OK))
		abort();
	if (model) {
		use(model);
		write_again(model);
	}
	model__free(model);
	free(exact);
	buf__free(&file);
	return 0;
}

static void write_seed(const char *dir, const char *name, enum mode mode, const struct buf *data)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	if (!out || fputc(mode, out) == EOF || fwrite(data->data, 1, data->sz, out) != data->sz ||
	    fclose(out)) {
		perror(path);
		exit(1);
	}
}

/* The chunks of a group once more, unpacked: as they are in a file, and as parts. */
static void unpack(const struct buf *group, struct buf *plain, struct buf *parts)
{
	for (size_t at = 0; at < group->sz;) {
		struct asnap_chunk chunk;
		struct part part = {};
		struct buf raw = {};
		uint8_t *payload;

		memcpy(&chunk, group->data + at, sizeof(chunk));
		at += sizeof(chunk);
		if (asnap_chunk__unpack(&chunk, (uint8_t *)group->data + at, &payload))
			abort();
		at += chunk.stored_sz;
		buf__add(&raw, payload, chunk.raw_sz);
		asnap_chunk__pack(&chunk, NULL, &raw, plain);
		while (kinds[part.kind] != chunk.fourcc)
			part.kind++;
		memcpy(part.rows, &chunk.rows, sizeof(part.rows));
		memcpy(part.sz, &chunk.raw_sz, sizeof(part.sz));
		buf__add(parts, &part, sizeof(part));
		buf__add(parts, raw.data, raw.sz);
		buf__free(&raw);
		free(payload);
	}
}

static void write_seeds(const char *dir, unsigned int tasks)
{
	struct asnap_hdr hdr = make_hdr();
	struct group_info info = {.tag = tag_of(&hdr), .is_final = true, .level = 3};
	struct buf group = {}, plain = {}, parts = {}, file = {};
	struct model *model = tasks ? make_model(tasks) : model__new();
	char name[64];

	if (snapshot_encode(model, &info, &group))
		abort();
	unpack(&group, &plain, &parts);
	snprintf(name, sizeof(name), "parts-%u", tasks);
	write_seed(dir, name, MODE_CHUNKS, &parts);

	buf__add(&file, &hdr, sizeof(hdr));
	buf__add(&file, plain.data, plain.sz); /* as after a kill: no TOC */
	snprintf(name, sizeof(name), "partial-%u", tasks);
	write_seed(dir, name, MODE_REPAIRED, &file);
	buf__reset(&file);
	snapshot_encode_toc(&info, sizeof(hdr), &group);
	buf__add(&file, &hdr, sizeof(hdr));
	buf__add(&file, group.data, group.sz);
	snprintf(name, sizeof(name), "file-%u", tasks);
	write_seed(dir, name, MODE_AS_IS, &file);
	snprintf(name, sizeof(name), "repaired-%u", tasks);
	write_seed(dir, name, MODE_REPAIRED, &file);

	buf__free(&group);
	buf__free(&plain);
	buf__free(&parts);
	buf__free(&file);
	model__free(model);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("FUZZ_WRITE_SEEDS");

	(void)argc;
	(void)argv;
	if (!dir)
		return 0;
	for (unsigned int tasks = 0; tasks < 3; tasks++)
		write_seeds(dir, tasks);
	exit(0);
}
