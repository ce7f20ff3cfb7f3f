/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary's part about memory: the sums, the classes that hold and allocate most, and the places
 * that do. Called by summary.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/heap.h"
#include "export/record.h"
#include "export/summary.h"
#include "export/term.h"

#define MAX_ROWS 5
#define TOP_EACH 3 /* of those that hold most, and of those that allocate most */
#define MIN_NAME 16
#define MAX_NAME 60
#define CELL_MAX 6

struct column {
	const char *title;
	size_t cols;
	unsigned int from; /* left out below so many columns of the terminal */
	bool right;
};

static const struct column class_columns[] = {
	{"HELD", 6, 0, true},   {"PEAK*", 6, 72, true},  {"ALLOCS", 6, 0, true},
	{"BYTES", 6, 88, true}, {"BYTES/S", 7, 0, true}, {"LEFT**", 6, 0, true},
};
static const struct column site_columns[] = {
	{"HELD", 6, 0, true},    {"BLOCKS", 6, 0, true}, {"ALLOCS", 6, 0, true},
	{"BYTES/S", 7, 0, true}, {"LIFE50", 6, 0, true}, {"TASK", 16, 72, false},
};
_Static_assert(sizeof(class_columns) / sizeof(struct column) == CELL_MAX, "cells");
_Static_assert(sizeof(site_columns) / sizeof(struct column) == CELL_MAX, "cells");

static size_t name_cols(const struct column columns[CELL_MAX], unsigned int width)
{
	size_t used = 0;

	for (size_t i = 0; i < CELL_MAX; i++)
		used += width >= columns[i].from ? columns[i].cols + 1 : 0;
	if (width < used + MIN_NAME)
		return MIN_NAME;
	return width - used < MAX_NAME ? width - used : MAX_NAME;
}

/* Without cells: the titles. */
static void write_row(struct summary *summary, const struct column columns[CELL_MAX],
		      const char *name, struct buf *cells)
{
	unsigned int width = summary->options.width;

	term__cell(&summary->buf, name, name_cols(columns, width), false, summary->options.ascii);
	for (size_t i = 0; i < CELL_MAX; i++) {
		if (width < columns[i].from)
			continue;
		buf__add(&summary->buf, " ", 1);
		term__cell(&summary->buf, cells ? buf__str(&cells[i]) : columns[i].title,
			   columns[i].cols, columns[i].right, summary->options.ascii);
	}
	while (summary->buf.sz && summary->buf.data[summary->buf.sz - 1] == ' ')
		summary->buf.sz--; /* the last cell's */
	buf__add(&summary->buf, "\n", 1);
}

static void free_cells(struct summary *summary, struct buf cells[CELL_MAX])
{
	for (size_t i = 0; i < CELL_MAX; i++) {
		if (cells[i].err)
			summary->buf.err = cells[i].err;
		buf__free(&cells[i]);
	}
}

static uint64_t per_second(const struct summary *summary, uint64_t val)
{
	double ns = (double)summary->analysis->totals.duration_ns;

	return ns > 0 ? (uint64_t)to_int((double)val * 1e9 / ns) : 0;
}

static void cell_bytes(struct buf *cell, bool is_known, uint64_t bytes)
{
	if (is_known)
		summary__bytes(cell, bytes);
	else
		buf__puts(cell, "-");
}

static void add_held(struct buf *line, const struct model *model, const struct heap_total *all)
{
	const struct cap_state *live = &model->caps[CAP_HEAP_LIVE];

	if (!live->measured) {
		buf__printf(line, "; what is held: not measured (%s)",
			    model__str(model, live->reason));
		return;
	}
	buf__puts(line, "; ");
	format_bytes(line, all->sums.current_bytes);
	buf__printf(line, " held at the end in %llu block%s",
		    (unsigned long long)all->sums.current_cnt,
		    all->sums.current_cnt == 1 ? "" : "s");
	if (!all->leaking_cnt)
		return;
	buf__puts(line, ", ");
	format_bytes(line, all->leaked_bytes);
	buf__printf(line, " of it by %llu task%s that ended", (unsigned long long)all->leaking_cnt,
		    all->leaking_cnt == 1 ? "" : "s");
}

static void add_allocator(struct buf *line, const struct meta *meta)
{
	int64_t unused = meta->heap_allocator_free_bytes;
	int64_t resident = meta->heap_allocator_resident_bytes;

	if (unused == NO_TIME || resident == NO_TIME || unused < 0 || resident <= 0)
		return;
	buf__puts(line, "; the allocator keeps ");
	format_bytes(line, (uint64_t)unused);
	buf__printf(line, " unused (%.0f%% of ", (double)unused / (double)resident * 100);
	format_bytes(line, (uint64_t)resident);
	buf__puts(line, " resident)");
}

static void write_sums(struct summary *summary, const struct heap_total *all)
{
	const struct model *model = summary->model;
	struct buf line = {};

	if (!model->caps[CAP_HEAP].measured) {
		buf__printf(&line, "Memory: not measured (%s)",
			    model__str(model, model->caps[CAP_HEAP].reason));
	} else {
		buf__puts(&line, "Memory: ");
		format_bytes(&line, all->alloc_bytes);
		buf__printf(&line, " in %llu allocation%s (", (unsigned long long)all->allocs,
			    all->allocs == 1 ? "" : "s");
		format_bytes(&line, per_second(summary, all->alloc_bytes));
		buf__printf(&line, "/s), %llu frees", (unsigned long long)all->frees);
		add_held(&line, model, all);
		add_allocator(&line, &model->meta);
		if (model->caps[CAP_HEAP_LIVE].measured &&
		    summary->analysis->totals.duration_ns < LEAK_MIN_NS)
			buf__puts(&line, "; too short to tell leaks");
	}
	buf__add(&summary->buf, "\n", 1);
	term__wrap(&summary->buf, buf__str(&line), summary->options.width, 2, 0,
		   summary->options.ascii);
	buf__free(&line);
}

struct owner {
	const struct heap_total *total;
	uint32_t class_idx;
};

static int by_held(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->total->sums.current_bytes != y->total->sums.current_bytes)
		return x->total->sums.current_bytes > y->total->sums.current_bytes ? -1 : 1;
	if (x->total->alloc_bytes != y->total->alloc_bytes)
		return x->total->alloc_bytes > y->total->alloc_bytes ? -1 : 1;
	return x->class_idx < y->class_idx ? -1 : 1;
}

static int by_allocated(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->total->alloc_bytes != y->total->alloc_bytes)
		return x->total->alloc_bytes > y->total->alloc_bytes ? -1 : 1;
	return by_held(a, b);
}

/* Those at the front of either order, by what they hold: to the front of `owners`. */
static size_t pick_owners(struct owner *owners, size_t cnt)
{
	size_t top = cnt < TOP_EACH ? cnt : TOP_EACH;

	qsort(owners, cnt, sizeof(*owners), by_held);
	qsort(owners + top, cnt - top, sizeof(*owners), by_allocated);
	top = cnt < 2 * TOP_EACH ? cnt : 2 * TOP_EACH;
	qsort(owners, top, sizeof(*owners), by_held);
	return top;
}

static void write_owner(struct summary *summary, const struct owner *owner)
{
	const struct model *model = summary->model;
	const struct heap_total *total = owner->total;
	bool is_live = model->caps[CAP_HEAP_LIVE].measured;
	struct buf cells[CELL_MAX] = {};

	cell_bytes(&cells[0], is_live, total->sums.current_bytes);
	cell_bytes(&cells[1], is_live, total->sums.peak_bytes);
	summary__count(&cells[2], total->allocs);
	summary__bytes(&cells[3], total->alloc_bytes);
	summary__bytes(&cells[4], per_second(summary, total->alloc_bytes));
	cell_bytes(&cells[5], is_live, total->leaked_bytes);
	write_row(summary, class_columns, model__str(model, model->classes[owner->class_idx].name),
		  cells);
	free_cells(summary, cells);
}

static int write_owners(struct summary *summary, const struct heap_total *totals)
{
	const struct model *model = summary->model;
	struct owner *owners = calloc(model->class_cnt + 1, sizeof(*owners));
	size_t cnt = 0, shown;

	if (!owners)
		return -ENOMEM;
	for (uint32_t i = 0; i < model->class_cnt; i++)
		if (totals[i].allocs || totals[i].sums.current_cnt || totals[i].sums.freed_cnt)
			owners[cnt++] = (struct owner){&totals[i], i};
	shown = pick_owners(owners, cnt);
	if (shown) {
		buf__add(&summary->buf, "\n", 1);
		write_row(summary, class_columns, "MEMORY OF CLASS", NULL);
	}
	for (size_t i = 0; i < shown; i++)
		write_owner(summary, &owners[i]);
	if (cnt > shown)
		buf__printf(&summary->buf, "%zu more class%s\n", cnt - shown,
			    cnt == shown + 1 ? "" : "es");
	if (shown)
		term__wrap(&summary->buf,
			   "* the most that one of its tasks held at once  ** by tasks that ended",
			   summary->options.width, 2, 0, summary->options.ascii);
	free(owners);
	return 0;
}

static void write_site(struct summary *summary, const struct site_total *site)
{
	const struct model *model = summary->model;
	const struct task *task = site->task ? model__task(model, site->task) : NULL;
	bool is_live = model->caps[CAP_HEAP_LIVE].measured;
	char label[OBJECT_LABEL_SZ], name[128];
	struct buf cells[CELL_MAX] = {};
	struct value value;

	cell_bytes(&cells[0], is_live, site->held.bytes);
	if (is_live)
		summary__count(&cells[1], site->held.cnt);
	else
		buf__puts(&cells[1], "-");
	summary__count(&cells[2], site->alloc.cnt);
	summary__bytes(&cells[3], per_second(summary, site->alloc.bytes));
	value__percentile(&value, &site->lifetime, 0.5);
	if (value.kind == VALUE_UINT)
		summary__ns(&cells[4], sat_i64(value.u));
	else
		buf__puts(&cells[4], "-");
	buf__puts(&cells[5], task ? model__task_name(model, task, name, sizeof(name)) : "-");
	if (task && task->runtime == RUNTIME_THREAD)
		buf__printf(&cells[5], "[%u]", task->tid);
	write_row(summary, site_columns, object_label(model, site->object, OBJECT_LABEL_SZ, label),
		  cells);
	free_cells(summary, cells);
}

static int write_sites(struct summary *summary)
{
	const struct model *model = summary->model;
	struct site_totals totals = {};
	int err = site_totals__add(&totals, model, model->uses, model->use_cnt);

	site_totals__rank(&totals);
	if (!err && totals.cnt) {
		buf__add(&summary->buf, "\n", 1);
		write_row(summary, site_columns, "ALLOCATED AT", NULL);
	}
	for (size_t i = 0; !err && i < totals.cnt && i < MAX_ROWS; i++)
		write_site(summary, &totals.rows[i]);
	if (!err && totals.cnt > MAX_ROWS)
		buf__printf(&summary->buf, "%zu more place%s\n", totals.cnt - MAX_ROWS,
			    totals.cnt == MAX_ROWS + 1 ? "" : "s");
	site_totals__free(&totals);
	return err;
}

int summary__heap(struct summary *summary)
{
	const struct cap_state *caps = summary->model->caps;
	struct heap_total *totals = heap_totals__new(summary->model);
	int err = 0;

	if (!totals)
		return -ENOMEM;
	write_sums(summary, &totals[summary->model->class_cnt]);
	if (caps[CAP_HEAP].measured)
		err = write_owners(summary, totals);
	if (!err && caps[CAP_HEAP_SITES].measured)
		err = write_sites(summary);
	free(totals);
	return err;
}
