/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chunks -> model: what each kind of chunk means. Called by reader.c; rows.c reads the columns. */
#include "snapshot/decode.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "snapshot/chunk.h"
#include "snapshot/rows.h"

/*
 * What a file may ask for, beyond its own size. An honest one has some 20 bytes per task for 500 in
 * the model; a small one that unpacks to gigabytes is an attack.
 */
#define MODEL_FREE   (256ull << 20)
#define MODEL_FACTOR 512
#define RAW_FACTOR   1024
/* Of an index, about, per entry. */
#define INDEX_SZ 64
/* The string table's index costs more than a short string. */
#define TEXT_FACTOR 16
/* Two edges with one hash happen once in 2^64; a file full of them wants to be slow to read. */
#define EDGE_COLLISIONS 16

struct decoder {
	struct rows_in in;
	struct model *model;
	struct buf text; /* of the string table until it is complete */
	bool has_strings; /* loaded: no more text comes */
	uint64_t raw_left;
	uint64_t row_cnt;
	uint32_t chunk_cnt;
	uint32_t edge_collisions;
	uint32_t lost_object; /* its row, or NO_IDX */
	struct group_facts facts;
};

static uint64_t limit_of(size_t file_sz, uint64_t factor)
{
	uint64_t limit = MODEL_FREE + factor * file_sz;

	return limit < SNAPSHOT_MAX ? limit : SNAPSHOT_MAX;
}

struct decoder *decoder__new(size_t file_sz, bool lossy)
{
	struct decoder *dec = calloc(1, sizeof(*dec));

	if (!dec)
		return NULL;
	dec->model = model__new();
	if (!dec->model) {
		free(dec);
		return NULL;
	}
	dec->in.model = dec->model;
	dec->in.is_lossy = lossy;
	dec->in.bytes_left = limit_of(file_sz, MODEL_FACTOR);
	dec->raw_left = limit_of(file_sz, RAW_FACTOR);
	dec->facts.elapsed_ns = NO_TIME;
	dec->lost_object = NO_IDX;
	rows_in__init_enums(&dec->in);
	return dec;
}

void decoder__free(struct decoder *dec)
{
	if (!dec)
		return;
	model__free(dec->model);
	buf__free(&dec->text);
	free(dec->in.vals);
	free(dec);
}

/* Room for `cnt` more rows, cleared, and their columns in them. *rows is where they are. */
static int append(struct decoder *dec, const struct table *table, void *items, size_t *cap,
		  size_t have, uint32_t cnt, void *rows)
{
	void **array = items, *tail;
	int err = rows_in__take(&dec->in, (uint64_t)cnt * (table->row_sz + INDEX_SZ));

	if (!err)
		err = array__reserve(array, cap, have + cnt, table->row_sz);
	if (err || !cnt)
		return err ? err : -EINVAL;
	tail = (char *)*array + have * table->row_sz;
	memset(tail, 0, (size_t)cnt * table->row_sz);
	err = rows_in__read(&dec->in, table, tail, cnt);
	if (err)
		rows__free(table, tail, cnt);
	*(void **)rows = tail;
	return err;
}

static int read_begin(struct decoder *dec, uint32_t rows)
{
	uint64_t is_final, elapsed;

	(void)rows;
	if (rows_in__number(&dec->in, "final", &is_final) ||
	    rows_in__number(&dec->in, "elapsed_ns", &elapsed))
		return -EINVAL;
	dec->facts.is_final = is_final;
	dec->facts.elapsed_ns = (int64_t)elapsed;
	return 0;
}

static int read_end(struct decoder *dec, uint32_t rows)
{
	uint64_t chunks, all_rows;

	(void)rows;
	if (rows_in__number(&dec->in, "chunks", &chunks) ||
	    rows_in__number(&dec->in, "rows", &all_rows))
		return -EINVAL;
	if (dec->in.is_lossy)
		return 0;
	return chunks == dec->chunk_cnt && all_rows == dec->row_cnt - 1 ? 0 : -EINVAL;
}

static int read_strings(struct decoder *dec, uint32_t rows)
{
	const struct column_ref *text = column_dir__find(&dec->in.dir, "text");
	uint64_t off;
	int err;

	(void)rows;
	if (dec->has_strings || !text || text->encoding != ENC_BYTES ||
	    rows_in__number(&dec->in, "off", &off) || off != dec->text.sz)
		return -EINVAL;
	err = rows_in__take(&dec->in, (uint64_t)text->sz * TEXT_FACTOR);
	if (err)
		return err;
	buf__add(&dec->text, text->data, text->sz);
	return dec->text.err;
}

/* Everything else refers to strings, so they are complete when something else comes. */
static int load_strings(struct decoder *dec)
{
	static const char *const cap_reasons[] = {
#define X(id, name, reason) reason,
		MODEL_CAPS(X)
#undef X
	};
	int err;

	if (dec->has_strings)
		return 0;
	dec->has_strings = true;
	if (dec->in.is_lossy && dec->text.sz && dec->text.data[dec->text.sz - 1])
		buf__add(&dec->text, "", 1); /* its end may be missing */
	if (dec->text.err)
		return dec->text.err;
	err = strtab__load(&dec->model->strings, dec->text.data, dec->text.sz);
	if (err == -EINVAL) {
		dec->in.is_lossy = true; /* as if they were not there */
		dec->facts.strings_lost = true;
		err = strtab__load(&dec->model->strings, NULL, 0);
	}
	buf__free(&dec->text);
	/* What model__new() said is not in this table, and the file may be of fewer capabilities. */
	for (unsigned int cap = 0; !err && cap < CAP_CNT; cap++)
		model__cap_miss(dec->model, cap, cap_reasons[cap]);
	dec->model->caps[CAP_ALWAYS].measured = true;
	return err;
}

static int read_enums(struct decoder *dec, uint32_t rows)
{
	return rows_in__enums(&dec->in, rows);
}

static int read_meta(struct decoder *dec, uint32_t rows)
{
	struct meta meta = {};
	int err = rows == 1 ? rows_in__read(&dec->in, &table_meta, &meta, 1) : -EINVAL;

	if (!err)
		dec->model->meta = meta;
	return err;
}

/* A file may hold any bits. */
static void mend_cap(struct cap_state *state)
{
	if (!(state->share > 0 && state->share <= 1))
		state->share = 1;
	if (!(state->weight >= 1 && isfinite(state->weight)))
		state->weight = 1;
}

static int read_caps(struct decoder *dec, uint32_t rows)
{
	const struct column_ref *names = column_dir__find(&dec->in.dir, "cap");
	struct cap_state *states = NULL;
	uint32_t off = 0;
	int err = names && rows <= 4096 ? 0 : -EINVAL;

	if (!err) {
		states = calloc(rows + 1u, sizeof(*states));
		err = states ? rows_in__read(&dec->in, &table_caps, states, rows) : -ENOMEM;
	}
	for (uint32_t i = 0; !err && i < rows; i++) {
		const char *name = column__next_name(names, &off);

		mend_cap(&states[i]);
		for (unsigned int cap = 0; name && cap < CAP_CNT; cap++)
			if (!strcmp(name, cap_name(cap)))
				dec->model->caps[cap] = states[i];
		err = name ? 0 : -EINVAL;
	}
	free(states);
	return err;
}

static int read_runtimes(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct runtime_info *tail;
	int err = append(dec, &table_runtimes, &model->runtimes, &model->runtime_cap,
			 model->runtime_cnt, rows, &tail);

	if (!err)
		model->runtime_cnt += rows;
	return err;
}

/* Enters the keys of new rows into an index; all of them, or none when one is there already. */
static int index_rows(struct map64 *index, const struct table *table, const char *tail, size_t have,
		      uint32_t cnt, uint64_t (*key_of)(const void *row))
{
	uint32_t done = 0;
	int err = 0;

	for (; done < cnt; done++) {
		uint64_t key = key_of(tail + (size_t)done * table->row_sz);

		err = map64__get(index, key, NULL) ? -EINVAL : map64__set(index, key, have + done);
		if (err)
			break;
	}
	while (err && done--)
		map64__del(index, key_of(tail + (size_t)done * table->row_sz));
	return err;
}

static uint64_t task_key(const void *row)
{
	return ((const struct task *)row)->id;
}

static uint64_t class_key(const void *row)
{
	return ((const struct task_class *)row)->id;
}

static uint64_t counter_key(const void *row)
{
	return ((const struct counter *)row)->name;
}

static int read_counters(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct counter *tail;
	int err = append(dec, &table_counters, &model->counters, &model->counter_cap,
			 model->counter_cnt, rows, &tail);

	if (err)
		return err;
	err = index_rows(&model->counter_idx, &table_counters, (const char *)tail,
			 model->counter_cnt, rows, counter_key);
	if (!err)
		model->counter_cnt += rows;
	return err;
}

static int read_classes(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct task_class *tail;
	uint64_t first;
	int err;

	/* Tasks name a class by its row, so none may be missing before these. */
	if (rows_in__number(&dec->in, "first", &first) || first != model->class_cnt)
		return -EINVAL;
	err = append(dec, &table_classes, &model->classes, &model->class_cap, model->class_cnt,
		     rows, &tail);
	if (err)
		return err;
	err = index_rows(&model->class_idx, &table_classes, (const char *)tail, model->class_cnt,
			 rows, class_key);
	if (err)
		rows__free(&table_classes, tail, rows);
	else
		model->class_cnt += rows;
	return err;
}

static int read_tasks(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct task *tail;
	int err = append(dec, &table_tasks, &model->tasks, &model->task_cap, model->task_cnt, rows,
			 &tail);

	if (err)
		return err;
	err = index_rows(&model->task_idx, &table_tasks, (const char *)tail, model->task_cnt, rows,
			 task_key);
	if (err)
		rows__free(&table_tasks, tail, rows);
	else
		model->task_cnt += rows;
	return err;
}

/* Takes one edge; of a kind that is not known here, leaves it out. */
static int take_edge(struct decoder *dec, const struct edge *row)
{
	/* model__edge_get()'s hash: only to notice a file that is made of collisions. */
	uint64_t key = hash64(row->from ^ hash64(row->to ^ hash64(row->kind + 1u)));
	size_t have = dec->model->edge_cnt;
	struct edge *edge;

	if (row->kind >= EDGE_CNT)
		return 0;
	if (map64__get(&dec->model->edge_idx, key, NULL) &&
	    ++dec->edge_collisions > EDGE_COLLISIONS)
		return -EINVAL;
	edge = model__edge_get(dec->model, row->from, row->to, row->kind);
	if (!edge)
		return -ENOMEM;
	if (dec->model->edge_cnt == have)
		return -EINVAL; /* twice in the file */
	*edge = *row;
	return 0;
}

static int read_edges(struct decoder *dec, uint32_t rows)
{
	struct edge *edges = NULL;
	size_t cap = 0;
	int err;

	/* Apart first, then through the model, which owns the index. */
	err = append(dec, &table_edges, &edges, &cap, 0, rows, &(void *){NULL});
	for (uint32_t i = 0; !err && i < rows; i++)
		err = take_edge(dec, &edges[i]);
	free(edges);
	return err;
}

static int read_slices(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct slice *tail;
	int err = append(dec, &table_slices, &model->slices, &model->slice_cap, model->slice_cnt,
			 rows, &tail);

	if (!err)
		model->slice_cnt += rows;
	return err;
}

static int read_objects(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct object *tail;
	uint64_t first;
	int err;

	/* Uses and links name an object by its row, so none may be missing before these. */
	if (rows_in__number(&dec->in, "first", &first) || first != model->object_cnt)
		return -EINVAL;
	err = append(dec, &table_objects, &model->objects, &model->object_cap, model->object_cnt,
		     rows, &tail);
	if (!err)
		model->object_cnt += rows;
	return err;
}

/* The row of the object that rows get whose own is missing; NO_IDX when memory ran out. */
static uint32_t lost_object(struct decoder *dec)
{
	struct model *model = dec->model;
	struct object *object;

	if (dec->lost_object != NO_IDX)
		return dec->lost_object;
	if (array__reserve((void **)&model->objects, &model->object_cap, model->object_cnt + 1,
			   sizeof(*object)))
		return NO_IDX;
	object = &model->objects[model->object_cnt];
	*object = (struct object){.kind = OBJECT_UNKNOWN, .name = model__intern(model, "(lost)")};
	dec->lost_object = (uint32_t)model->object_cnt++;
	return dec->lost_object;
}

/* What every row of a model may rely on: an object, and a class only without a task. */
static int mend(struct decoder *dec, uint64_t task, uint32_t *class_idx, uint32_t *object)
{
	if (task)
		*class_idx = NO_IDX;
	if (*object >= dec->model->object_cnt)
		*object = lost_object(dec);
	return *object == NO_IDX ? -ENOMEM : 0;
}

static int read_uses(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	size_t to = model->use_cnt;
	struct use *tail;
	int err = append(dec, &table_uses, &model->uses, &model->use_cap, model->use_cnt, rows,
			 &tail);

	for (uint32_t i = 0; !err && i < rows; i++) {
		struct use *use = &tail[i];

		if (use->op >= IO_OP_CNT) {
			hist__free(&use->latency); /* of a later version */
			continue;
		}
		err = mend(dec, use->task, &use->class_idx, &use->object);
		if (err)
			rows__free(&table_uses, use, rows - i);
		else
			model->uses[to++] = *use;
	}
	model->use_cnt = to;
	return err;
}

static int read_links(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct link *tail;
	int err = append(dec, &table_links, &model->links, &model->link_cap, model->link_cnt, rows,
			 &tail);

	for (uint32_t i = 0; !err && i < rows; i++)
		err = mend(dec, tail[i].task, &tail[i].class_idx, &tail[i].object);
	if (!err)
		model->link_cnt += rows;
	return err;
}

static int read_samples(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct sample *tail;
	int err = append(dec, &table_samples, &model->samples, &model->sample_cap,
			 model->sample_cnt, rows, &tail);

	for (uint32_t i = 0; !err && i < rows; i++)
		if (tail[i].series < SERIES_CNT)
			model->samples[model->sample_cnt++] = tail[i];
	return err;
}

static int read_backoffs(struct decoder *dec, uint32_t rows)
{
	struct model *model = dec->model;
	struct backoff *tail;
	int err = append(dec, &table_backoffs, &model->backoffs, &model->backoff_cap,
			 model->backoff_cnt, rows, &tail);

	if (!err)
		model->backoff_cnt += rows;
	return err;
}

static const struct {
	uint32_t fourcc;
	int (*read)(struct decoder *dec, uint32_t rows);
	bool is_table; /* needs the strings, and counts as something saved */
} kinds[] = {
	{CHUNK_BEGIN, read_begin, false},      {CHUNK_ENUMS, read_enums, false},
	{CHUNK_STRINGS, read_strings, false},  {CHUNK_META, read_meta, true},
	{CHUNK_CAPS, read_caps, true},         {CHUNK_RUNTIMES, read_runtimes, true},
	{CHUNK_COUNTERS, read_counters, true}, {CHUNK_CLASSES, read_classes, true},
	{CHUNK_TASKS, read_tasks, true},       {CHUNK_EDGES, read_edges, true},
	{CHUNK_SLICES, read_slices, true},     {CHUNK_OBJECTS, read_objects, true},
	{CHUNK_USES, read_uses, true},         {CHUNK_LINKS, read_links, true},
	{CHUNK_SAMPLES, read_samples, true},   {CHUNK_BACKOFFS, read_backoffs, true},
	{CHUNK_END, read_end, false},
};

static int read_kind(struct decoder *dec, size_t kind, uint32_t rows)
{
	int err = kinds[kind].is_table ? load_strings(dec) : 0;

	if (!err)
		err = kinds[kind].read(dec, rows);
	if (!err)
		dec->facts.table_cnt += kinds[kind].is_table;
	return err;
}

int decoder__chunk(struct decoder *dec, const struct asnap_chunk *hdr, const uint8_t *payload)
{
	size_t kind = 0, kind_cnt = sizeof(kinds) / sizeof(*kinds);
	uint8_t *raw = NULL;
	int err = -EINVAL;

	dec->chunk_cnt++;
	dec->row_cnt += hdr->rows;
	while (kind < kind_cnt && kinds[kind].fourcc != hdr->fourcc)
		kind++;
	if (kind == kind_cnt || hdr->version != CHUNK_VERSION || hdr->codec >= CODEC_CNT)
		return -ENOTSUP;

	if (hdr->raw_sz <= dec->raw_left) {
		dec->raw_left -= hdr->raw_sz;
		err = asnap_chunk__unpack(hdr, payload, &raw);
	}
	if (!err)
		err = column_dir__parse(&dec->in.dir, raw, hdr->raw_sz);
	if (!err)
		err = read_kind(dec, kind, hdr->rows);
	if (err == -EINVAL)
		dec->in.is_lossy = true;
	free(raw);
	return err;
}

struct model *decoder__finish(struct decoder *dec, struct group_facts *facts)
{
	struct model *model = dec->model;

	if (load_strings(dec))
		return NULL;
	model__sort_io(model); /* a checkpoint's rows are not in order */
	*facts = dec->facts;
	dec->model = NULL;
	return model;
}
