/* SPDX-License-Identifier: GPL-2.0-or-later */
/* .asnap files that this version does not write: of later and earlier versions, and hostile ones
 * whose CRCs are right. Run by prove. */
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "base/buf.h"
#include "io_feed.h"
#include "snapshot/chunk.h"
#include "snapshot/column.h"
#include "snapshot/encode.h"
#include "snapshot_model.h"
#include "tap.h"

/* Changes one chunk (its unpacked payload, its header); may add chunks before it to `out`. */
typedef void (*edit_fn)(struct asnap_chunk *chunk, struct buf *raw, struct buf *out);

static void put_number(struct buf *raw, const char *name, uint64_t val)
{
	column__put_ints(raw, name, &val, 1);
}

/* A finished file of the model with each chunk passed through `edit`. */
static struct buf edited(const struct model *model, edit_fn edit)
{
	struct asnap_hdr hdr = {.major = ASNAP_MAJOR, .minor = 9, .uuid = "0123456789abcde"};
	struct group_info info = {.tag = snapshot_crc(hdr.uuid, 16), .is_final = true, .level = 1};
	struct buf group = {}, out = {}, file = {};
	uint64_t rows = 0, seq = 0;

	snapshot_encode(model, &info, &group);
	for (size_t at = 0; at < group.sz;) {
		struct asnap_chunk chunk, copy;
		struct buf raw = {}, more = {};
		uint8_t *payload;

		memcpy(&chunk, group.data + at, sizeof(chunk));
		at += sizeof(chunk);
		if (asnap_chunk__unpack(&chunk, (uint8_t *)group.data + at, &payload))
			abort();
		buf__add(&raw, payload, chunk.raw_sz);
		at += chunk.stored_sz;
		edit(&chunk, &raw, &more);
		if (more.sz) {
			memcpy(&copy, more.data, sizeof(copy));
			copy.seq = (uint32_t)seq++;
			rows += copy.rows;
			asnap_chunk__seal(&copy);
			buf__add(&out, &copy, sizeof(copy));
			buf__add(&out, more.data + sizeof(copy), more.sz - sizeof(copy));
		}
		if (chunk.fourcc == CHUNK_END) {
			buf__reset(&raw);
			put_number(&raw, "chunks", seq + 1);
			put_number(&raw, "rows", rows);
		}
		rows += chunk.rows;
		chunk.seq = (uint32_t)seq++;
		asnap_chunk__pack(&chunk, NULL, &raw, &out);
		buf__free(&raw);
		buf__free(&more);
		free(payload);
	}
	snapshot_encode_toc(&info, sizeof(hdr), &out);
	memcpy(hdr.magic, ASNAP_MAGIC, 8);
	asnap_hdr__seal(&hdr);
	buf__add(&file, &hdr, sizeof(hdr));
	buf__add(&file, out.data, out.sz);
	buf__free(&group);
	buf__free(&out);
	return file;
}

static struct model *read_edited(const struct model *model, edit_fn edit,
				 struct snapshot_status *status)
{
	struct buf file = edited(model, edit);
	struct model *read = snapshot__read_mem(file.data, file.sz, status);

	buf__free(&file);
	return read;
}

static void add_unknown(struct asnap_chunk *chunk, struct buf *out, uint8_t flags)
{
	struct asnap_chunk unknown = {.fourcc = FOURCC('Z', 'Z', 'Z', 'Z'),
				      .flags = flags,
				      .group = chunk->group,
				      .rows = 7,
				      .tag = chunk->tag};
	struct buf raw = {};

	buf__puts(&raw, "who knows");
	asnap_chunk__pack(&unknown, NULL, &raw, out);
	buf__free(&raw);
}

static void edit_future(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	uint64_t vals[64];

	if (chunk->fourcc == CHUNK_TASKS) {
		for (uint32_t i = 0; i < chunk->rows; i++)
			vals[i] = i * i;
		column__put_ints(raw, "c.quantum_flux", vals, chunk->rows);
		column__put_bytes(raw, "poem", "a\0b", 4, 2);
	}
	if (chunk->fourcc == CHUNK_TASKS || chunk->fourcc == CHUNK_END)
		add_unknown(chunk, out, 0);
}

static void edit_critical(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)raw;
	if (chunk->fourcc == CHUNK_TASKS)
		add_unknown(chunk, out, CHUNK_CRITICAL);
}

static void edit_nothing(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)chunk;
	(void)raw;
	(void)out;
}

/* Replaces a name by one of the same length, everywhere in a chunk. */
static void rename_all(struct buf *raw, const char *from, const char *to)
{
	char *at = raw->data;

	while ((at = memmem(at, raw->sz - (size_t)(at - raw->data), from, strlen(from))))
		memcpy(at, to, strlen(to));
}

static void edit_older(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc == CHUNK_TASKS) {
		rename_all(raw, "c.runqueue_ns", "c.somethingxx");
		rename_all(raw, "end_ns", "xxx_ns");
		rename_all(raw, "runs.", "rXns.");
	}
	if (chunk->fourcc == CHUNK_CAPS)
		rename_all(raw, "scores", "sc0res");
}

/* As the version before IO: no tables, counters and capabilities of it; kinds that nobody knows. */
static void edit_before_io(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc == CHUNK_OBJECTS || chunk->fourcc == CHUNK_USES ||
	    chunk->fourcc == CHUNK_LINKS || chunk->fourcc == CHUNK_SAMPLES)
		chunk->fourcc = FOURCC('Z', 'Z', 'Z', 'Z');
	if (chunk->fourcc == CHUNK_ENUMS) {
		rename_all(raw, "object", "oBject");
		rename_all(raw, "series", "sEries");
	}
	if (chunk->fourcc == CHUNK_TASKS || chunk->fourcc == CHUNK_CLASSES)
		rename_all(raw, "c.io_read_bytes", "c.xx_read_bytes");
	if (chunk->fourcc == CHUNK_CAPS) {
		rename_all(raw, "disk_bytes", "disk_Bytes");
		rename_all(raw, "rss", "rSs");
	}
}

/* As the version before memory: nothing of what tasks hold, no shares, no backoffs. */
static void edit_before_heap(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc == CHUNK_BACKOFFS)
		chunk->fourcc = FOURCC('Z', 'Z', 'Z', 'Z');
	if (chunk->fourcc == CHUNK_TASKS || chunk->fourcc == CHUNK_CLASSES)
		rename_all(raw, "heap.", "hXap.");
	if (chunk->fourcc == CHUNK_CAPS) {
		rename_all(raw, "memory_live", "memory_Xive");
		rename_all(raw, "share", "sXare");
		rename_all(raw, "weight", "wXight");
	}
}

/* As a later version: its own kinds of objects, operations and series. */
static void edit_io_enums(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc != CHUNK_ENUMS)
		return;
	rename_all(raw, "eventfd", "eventXX");
	rename_all(raw, "listener", "lXXtener");
	rename_all(raw, "accept", "acXXpt");
	rename_all(raw, "disk_in_flight", "disk_in_XXight");
}

static void set_column(struct buf *raw, const char *name, uint64_t val, uint32_t rows)
{
	uint64_t vals[64];
	char old[32], gone[32];
	struct buf copy = {};

	for (uint32_t i = 0; i < rows; i++)
		vals[i] = val;
	snprintf(old, sizeof(old), "%c%s", (int)strlen(name), name);
	snprintf(gone, sizeof(gone), "%c%.*s", (int)strlen(name), (int)strlen(name),
		 "xxxxxxxxxxxxxxxxx");
	rename_all(raw, old, gone);
	column__put_ints(&copy, name, vals, rows);
	buf__add(raw, copy.data, copy.sz);
	buf__free(&copy);
}

/* Shares and weights that are none, as their bits. */
static void edit_bad_share(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc != CHUNK_CAPS)
		return;
	set_column(raw, "share", 0x7ff8000000000000, chunk->rows);
	set_column(raw, "weight", 0, chunk->rows);
}

static void edit_bad_object(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc == CHUNK_LINKS)
		set_column(raw, "object", 20, chunk->rows);
}

static void edit_bad_object_table(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc == CHUNK_OBJECTS)
		set_column(raw, "name", 1ULL << 40, chunk->rows);
}

/* As a version that numbers states otherwise, and has a runtime and a kind of edge of its own. */
static void edit_enums(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	if (chunk->fourcc != CHUNK_ENUMS)
		return;
	rename_all(raw, "running", "XXXXXXX");
	rename_all(raw, "waiting", "running");
	rename_all(raw, "XXXXXXX", "waiting");
	rename_all(raw, "marks", "tokio");
	rename_all(raw, "submit", "handof");
}

static void edit_duplicate(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	/* All rows get the id that stands as "base": a column of width 0. */
	if (chunk->fourcc == CHUNK_TASKS) {
		uint64_t vals[64] = {};
		struct buf copy = {};

		rename_all(raw, "\2id\1", "\2xx\1");
		rename_all(raw, "\2id\2", "\2xx\2");
		column__put_ints(&copy, "id", vals, chunk->rows);
		buf__add(raw, copy.data, copy.sz);
		buf__free(&copy);
	}
}

static void edit_bomb(struct asnap_chunk *chunk, struct buf *raw, struct buf *out)
{
	(void)out;
	/* A million tasks in some bytes: ids by a constant difference. */
	if (chunk->fourcc == CHUNK_TASKS) {
		static uint64_t vals[CHUNK_ROWS_MAX];

		for (uint32_t i = 0; i < CHUNK_ROWS_MAX; i++)
			vals[i] = i;
		buf__reset(raw);
		column__put_ints(raw, "id", vals, CHUNK_ROWS_MAX);
		chunk->rows = CHUNK_ROWS_MAX;
	}
}

static void test_enums(const struct model *model)
{
	struct snapshot_status status;
	struct model *read = read_edited(model, edit_enums, &status);
	unsigned int good = 0, submits = 0;

	for (size_t i = 0; read && i < model->task_cnt; i++) {
		unsigned int state = model->tasks[i].state;

		state = state == STATE_RUNNING   ? STATE_WAITING
			: state == STATE_WAITING ? STATE_RUNNING
						 : state;
		good += read->tasks[i].state == state &&
			(model->tasks[i].runtime != RUNTIME_MARKS ||
			 !strcmp(runtime_name(read->tasks[i].runtime), "unknown"));
	}
	for (size_t i = 0; i < model->edge_cnt; i++)
		submits += model->edges[i].kind == EDGE_SUBMIT;
	ok(read && good == model->task_cnt, "enums go by name, what is new is \"unknown\"");
	ok(read && submits && read->edge_cnt == model->edge_cnt - submits,
	   "edges of a new kind are left out");
	model__free(read);
}

static void test_later(const struct model *model)
{
	struct snapshot_status status;
	struct model *read = read_edited(model, edit_future, &status);
	struct buf file;

	ok(read && !difference(model, read) && is_whole(&status),
	   "a later minor version: unknown chunks and columns are skipped");
	model__free(read);
	read = read_edited(model, edit_critical, &status);
	ok(!read && status.error == SNAPSHOT_TOO_NEW, "an unknown critical chunk is refused");
	model__free(read);

	file = edited(model, edit_future);
	((struct asnap_hdr *)file.data)->major = ASNAP_MAJOR + 1;
	asnap_hdr__seal((struct asnap_hdr *)file.data);
	read = snapshot__read_mem(file.data, file.sz, &status);
	ok(!read && status.error == SNAPSHOT_TOO_NEW, "a later major version is refused");
	buf__free(&file);
}

static void test_earlier(const struct model *model)
{
	struct snapshot_status status;
	struct model *read = read_edited(model, edit_older, &status);
	unsigned int good = 0;

	for (size_t i = 0; read && i < read->task_cnt; i++) {
		const struct task *task = &read->tasks[i];

		good += !task->c[COUNTER_RUNQUEUE] && task->end_ns == NO_TIME && !task->runs.cnt &&
			task->c[COUNTER_HW_CYCLES] == model->tasks[i].c[COUNTER_HW_CYCLES];
	}
	ok(read && good == model->task_cnt && is_whole(&status),
	   "missing columns read as not there");
	ok(read && !read->caps[CAP_SCORES].measured &&
		   *model__str(read, read->caps[CAP_SCORES].reason),
	   "a capability that the file does not know is not measured, with the usual reason");
	model__free(read);
}

/* What reading IO needs beside columns and enums. */
static void test_io(const struct model *model)
{
	struct snapshot_status status;
	struct model *read = read_edited(model, edit_before_io, &status);
	size_t good = 0, uses = 0, samples = 0;

	for (size_t i = 0; read && i < read->task_cnt; i++)
		good += !read->tasks[i].c[COUNTER_IO_READ_BYTES] &&
			read->tasks[i].c[COUNTER_IO_WRITE_BYTES] ==
				model->tasks[i].c[COUNTER_IO_WRITE_BYTES];
	ok(read && is_whole(&status) && !read->object_cnt && !read->use_cnt && !read->link_cnt &&
		   !read->sample_cnt && good == model->task_cnt,
	   "a file from before IO opens, with empty tables");
	ok(read && !read->caps[CAP_DISK_BYTES].measured && !read->caps[CAP_RSS].measured &&
		   !strcmp(model__str(read, read->caps[CAP_DISK_BYTES].reason),
			   "the kernel's IO accounting was not read"),
	   "and its counters are not measured, which is not 0");
	model__free(read);

	read = read_edited(model, edit_io_enums, &status);
	for (size_t i = 0; i < model->use_cnt; i++)
		uses += model->uses[i].op != IO_ACCEPT;
	for (size_t i = 0; i < model->sample_cnt; i++)
		samples += model->samples[i].series != SERIES_DISK_IN_FLIGHT;
	good = 0;
	for (size_t i = 0; read && i < read->object_cnt; i++) {
		unsigned int kind = model->objects[i].kind, role = model->objects[i].role;

		good += read->objects[i].kind == (kind == OBJECT_EVENTFD ? OBJECT_UNKNOWN : kind) &&
			read->objects[i].role == (role == ROLE_LISTENER ? ROLE_UNKNOWN : role);
	}
	ok(read && good == model->object_cnt,
	   "kinds of objects and roles that are new are unknown");
	ok(read && read->use_cnt == uses && uses < model->use_cnt && read->sample_cnt == samples &&
		   samples < model->sample_cnt && is_whole(&status),
	   "uses and samples of what is new are left out");
	model__free(read);

	read = read_edited(model, edit_bad_object, &status);
	ok(read && !read->link_cnt && read->use_cnt == model->use_cnt && status.chunk_bad == 1,
	   "links to an object that is not there are refused");
	model__free(read);
	read = read_edited(model, edit_bad_object_table, &status);
	good = 0;
	for (size_t i = 0; read && i < read->use_cnt; i++)
		good += read->uses[i].object == 0;
	ok(read && read->object_cnt == 1 && good == model->use_cnt &&
		   read->link_cnt == model->link_cnt && status.chunk_bad == 1 &&
		   !strcmp(model__str(read, read->objects[0].name), "(lost)"),
	   "when the objects are damaged, uses and links are of one that is lost");
	model__free(read);
}

/* A checkpoint is written in the middle of it all. */
static void test_unsorted(void)
{
	struct model *model = make_model(30), *read;
	struct snapshot_status status;
	struct buf file;
	size_t cnt;

	for (size_t i = 0; i < model->use_cnt / 2; i++) {
		struct use use = model->uses[i];

		model->uses[i] = model->uses[model->use_cnt - 1 - i];
		model->uses[model->use_cnt - 1 - i] = use;
	}
	file = edited(model, edit_nothing);
	model__sort_io(model);
	read = snapshot__read_mem(file.data, file.sz, &status);
	ok(read && !difference(model, read), "rows in any order are read in theirs");
	ok(read && model__uses(read, 0, NO_IDX, &cnt) && cnt, "so that they are found");
	model__free(read);
	model__free(model);
	buf__free(&file);
}

/* A recording in the middle: records of objects that have not come, rows that are not merged yet. */
static void test_live(void)
{
	struct model *model = io_start(0), *read;
	struct snapshot_status status;
	struct buf file;
	size_t cnt;

	feed_use(model, START_NS, 7ULL << 32, 1, IO_READ, 5);
	feed_use(model, START_NS, 7ULL << 32, 2, IO_READ, 6);
	feed_use(model, START_NS, 7ULL << 32, 3, IO_READ, 7);
	feed_file(model, START_NS, 1, S_IFREG, "/a");
	feed_file(model, START_NS, 2, S_IFREG, "/a");
	feed_client(model, START_NS, 4, 7ULL << 32, CONN_OPENED);
	file = edited(model, edit_nothing);
	read = snapshot__read_mem(file.data, file.sz, &status);
	ok(read && is_whole(&status) && model__uses(read, 7ULL << 32, NO_IDX, &cnt) && cnt == 3,
	   "a checkpoint of a living model can be read");
	cnt = 0;
	for (size_t i = 0; read && i < read->use_cnt; i++)
		cnt += read->uses[i].bytes *
		       (strcmp(name_of(read, read->uses[i].object), "/a") ? 100 : 1);
	ok(cnt == 711 && read->link_cnt == 1, "and says what is known by then");
	ok(!feed__finish(model, 1) && use_of(model, 7ULL << 32, "/a", IO_READ)->bytes == 11,
	   "which changes nothing for what goes on");
	model__free(read);
	model__free(model);
	buf__free(&file);
}

static void test_hostile(const struct model *model)
{
	struct snapshot_status status;
	struct model *read = read_edited(model, edit_duplicate, &status);

	ok(read && !read->task_cnt && read->slice_cnt && status.salvaged && status.chunk_bad == 1,
	   "task ids that come twice are refused, the rest is read (%u bad)", status.chunk_bad);
	model__free(read);
	read = read_edited(model, edit_bomb, &status);
	ok(read && !read->task_cnt && read->slice_cnt && status.chunk_bad == 1,
	   "a bomb of rows is refused");
	model__free(read);
}

static void test_heap_versions(const struct model *model)
{
	struct snapshot_status status;
	struct model *read = read_edited(model, edit_before_heap, &status);
	size_t good = 0;

	for (size_t i = 0; read && i < read->task_cnt; i++)
		good += !read->tasks[i].heap.current_bytes && !read->tasks[i].heap.freed_cnt &&
			read->tasks[i].slices_lost == model->tasks[i].slices_lost;
	ok(read && is_whole(&status) && good == model->task_cnt && !read->backoff_cnt,
	   "a file from before memory opens: nothing is held, nothing was stepped down");
	ok(read && !read->caps[CAP_HEAP_LIVE].measured && read->caps[CAP_HEAP].share == 1 &&
		   read->caps[CAP_HEAP].weight == 1,
	   "which was not measured, and what was is exact");
	model__free(read);

	read = read_edited(model, edit_bad_share, &status);
	good = 0;
	for (unsigned int cap = 0; read && cap < CAP_CNT; cap++)
		good += read->caps[cap].share == 1 && read->caps[cap].weight == 1;
	ok(good == CAP_CNT, "a share that is no number is 1, and so is a weight below 1");
	model__free(read);
}

int main(void)
{
	struct model *model = make_model(20);

	test_later(model);
	test_earlier(model);
	test_enums(model);
	test_io(model);
	test_heap_versions(model);
	test_unsorted();
	test_live();
	test_hostile(model);
	model__free(model);
	return tap_done();
}
