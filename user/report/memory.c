/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section "Memory" as plain HTML: what leaks, who holds memory, where it is allocated, what the
 * budget did. How long blocks live is in lifetimes.c. Called by html.c; the tiles by overview.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/heap.h"
#include "report/charts.h"
#include "report/markup.h"
#include "report/lifetimes.h"
#include "report/sections.h"
#include "report/tiles.h"

#define TOP_CNT    30
#define NAME_CHARS 64

static double per_second(const struct analysis *analysis, uint64_t val)
{
	int64_t ns = analysis->totals.duration_ns;

	return ns > 0 ? (double)val * 1e9 / ns : 0;
}

static void put_rate(struct buf *buf, const struct analysis *analysis, uint64_t bytes)
{
	double rate = per_second(analysis, bytes);

	format_bytes(buf, rate < 1.8e19 ? rate + 0.5 : 1.8e19);
	buf__puts(buf, "/s");
}

/* A tile's number of what is followed block by block; false where it is not. */
static bool live_or_why(struct buf *buf, const struct model *model)
{
	const struct cap_state *live = &model->caps[CAP_HEAP_LIVE];

	if (!live->measured)
		markup__missing(buf, model__str(model, live->reason));
	return live->measured;
}

static void tile_held(struct buf *buf, const struct analysis *analysis,
		      const struct heap_total *all)
{
	struct series_stats stats = series__stats(analysis->model, SERIES_HEAP_LIVE);

	tile__open(buf, "Memory held",
		   "allocated since the recording began, and not freed when it ended");
	if (live_or_why(buf, analysis->model)) {
		format_bytes(buf, all->sums.current_bytes);
		chart__spark(buf, analysis->model, SERIES_HEAP_LIVE);
		tile__note(buf);
		markup__count(buf, all->sums.current_cnt);
		buf__puts(buf, all->sums.current_cnt == 1 ? " block" : " blocks");
		if (stats.cnt && stats.highest->val >= 0) {
			buf__puts(buf, ", at most ");
			format_bytes(buf, stats.highest->val);
		}
	}
	tile__end(buf);
}

static void tile_allocated(struct buf *buf, const struct analysis *analysis,
			   const struct heap_total *all)
{
	tile__open(buf, "Allocated", "by malloc and all its like");
	format_bytes(buf, all->alloc_bytes);
	tile__note(buf);
	put_rate(buf, analysis, all->alloc_bytes);
	buf__puts(buf, " in ");
	markup__count(buf, all->allocs);
	buf__puts(buf, all->allocs == 1 ? " allocation, " : " allocations, ");
	markup__count(buf, all->frees);
	buf__puts(buf, all->frees == 1 ? " free" : " frees");
	tile__end(buf);
}

static void tile_left(struct buf *buf, const struct analysis *analysis,
		      const struct heap_total *all)
{
	double leak = analysis->leak_rate;

	tile__open(buf, "Leaks", "bytes that stay, and grow at the same pace all the time");
	if (!live_or_why(buf, analysis->model)) {
		tile__end(buf);
		return;
	}
	if (analysis->totals.duration_ns < LEAK_MIN_NS)
		buf__puts(buf, "<span class=\"missing\">too short to tell</span>");
	else if (leak > 0)
		format_bytes(buf, leak < 1.8e19 ? leak : 1.8e19);
	else
		buf__puts(buf, "none found");
	buf__puts(buf, leak > 0 ? "/s" : "");
	tile__note(buf);
	format_bytes(buf, all->leaked_bytes);
	buf__puts(buf, " held by ");
	markup__count(buf, all->leaking_cnt);
	buf__puts(buf, all->leaking_cnt == 1 ? " task that ended" : " tasks that ended");
	tile__end(buf);
}

void tiles_memory(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct heap_total *totals;

	tile__unmeasured(buf, model, CAP_HEAP, "Memory");
	if (!model->caps[CAP_HEAP].measured)
		return;
	totals = heap_totals__new(model);
	if (!totals) {
		buf->err = buf->err ? buf->err : -ENOMEM;
		return;
	}
	tile_held(buf, analysis, &totals[model->class_cnt]);
	tile_allocated(buf, analysis, &totals[model->class_cnt]);
	tile_left(buf, analysis, &totals[model->class_cnt]);
	free(totals);
}

struct place {
	const struct analysis *analysis;
	const struct heap_total *total; /* of a class */
	const struct site_total *site;
	uint32_t class_idx;
};

struct cell {
	const char *label;
	void (*write)(struct buf *buf, const struct place *place, int arg);
	int arg;
	bool num;
};

static void none(struct buf *buf, const char *word, const char *why)
{
	buf__puts(buf, "<span class=\"missing\" title=\"");
	markup__text(buf, why);
	buf__printf(buf, "\">%s<span class=\"sr\">: ", word);
	markup__text(buf, why);
	buf__puts(buf, "</span></span>");
}

enum class_number {
	CLASS_HELD,
	CLASS_BLOCKS,
	CLASS_PEAK,
	CLASS_ALLOCATED,
	CLASS_ALLOCS,
	CLASS_FREED,
	CLASS_LEFT,
	CLASS_LEFT_TASKS,
	CLASS_RATE,
};

static void put_class(struct buf *buf, const struct place *place, int number)
{
	const struct heap_total *total = place->total;
	const uint64_t vals[] = {
		[CLASS_HELD] = total->sums.current_bytes, [CLASS_BLOCKS] = total->sums.current_cnt,
		[CLASS_PEAK] = total->sums.peak_bytes,    [CLASS_ALLOCATED] = total->alloc_bytes,
		[CLASS_ALLOCS] = total->allocs,           [CLASS_FREED] = total->sums.freed_bytes,
		[CLASS_LEFT] = total->leaked_bytes,       [CLASS_LEFT_TASKS] = total->leaking_cnt,
	};
	bool is_counted =
		number == CLASS_ALLOCATED || number == CLASS_ALLOCS || number == CLASS_RATE;

	if (!is_counted && !live_or_why(buf, place->analysis->model))
		return;
	if (number == CLASS_RATE)
		put_rate(buf, place->analysis, total->alloc_bytes);
	else if (number == CLASS_BLOCKS || number == CLASS_ALLOCS || number == CLASS_LEFT_TASKS)
		markup__count(buf, vals[number]);
	else
		format_bytes(buf, vals[number]);
}

enum site_number {
	SITE_HELD,
	SITE_BLOCKS,
	SITE_ALLOCATED,
	SITE_ALLOCS,
	SITE_FAILED,
	SITE_FREED,
};

static void put_site(struct buf *buf, const struct place *place, int number)
{
	const struct site_total *site = place->site;
	const uint64_t vals[] = {
		[SITE_HELD] = site->held.bytes,       [SITE_BLOCKS] = site->held.cnt,
		[SITE_ALLOCATED] = site->alloc.bytes, [SITE_ALLOCS] = site->alloc.cnt,
		[SITE_FAILED] = site->alloc.errors,   [SITE_FREED] = site->freed.bytes,
	};
	bool is_counted =
		number == SITE_ALLOCATED || number == SITE_ALLOCS || number == SITE_FAILED;
	bool is_bad = number == SITE_FAILED && vals[number];

	if (!is_counted && !live_or_why(buf, place->analysis->model))
		return;
	buf__puts(buf, is_bad ? "<b class=\"warn\">" : "");
	if (number == SITE_BLOCKS || number == SITE_ALLOCS || number == SITE_FAILED)
		markup__count(buf, vals[number]);
	else
		format_bytes(buf, vals[number]);
	buf__puts(buf, is_bad ? "</b>" : "");
}

static void put_lifetime(struct buf *buf, const struct place *place, int percent)
{
	const struct hist *hist = &place->site->lifetime;
	int64_t ns = known_percentile(hist, percent / 100.0);

	if (ns != COLUMN_NULL)
		format_ns(buf, ns);
	else if (hist->cnt)
		none(buf, "n too small", "a percentile needs more values");
	else
		none(buf, "none", "none of its blocks was freed");
}

static void put_age(struct buf *buf, const struct place *place, int arg)
{
	(void)arg;
	if (place->site->age.cnt)
		format_ns(buf, hist_part(&place->site->age, HIST_MAX));
	else
		none(buf, "none", "nothing of it is held");
}

static void put_task(struct buf *buf, const struct place *place, int arg)
{
	const struct model *model = place->analysis->model;
	const struct site_total *site = place->site;
	const struct task *task = site->task ? model__task(model, site->task) : NULL;
	char name[192];

	(void)arg;
	buf__puts(buf, "<bdi>");
	if (task)
		markup__or_unknown(buf, model__task_name(model, task, name, sizeof(name)));
	else if (site->class_idx < model->class_cnt)
		markup__id_or_unknown(buf, model, model->classes[site->class_idx].name);
	else
		none(buf, "nobody", "no task could be told");
	buf__puts(buf, "</bdi>");
}

static const struct cell class_cells[] = {
	{"Held", put_class, CLASS_HELD, true},
	{"Blocks", put_class, CLASS_BLOCKS, true},
	{"Largest peak of a task", put_class, CLASS_PEAK, true},
	{"Allocated", put_class, CLASS_ALLOCATED, true},
	{"Rate", put_class, CLASS_RATE, true},
	{"Allocations", put_class, CLASS_ALLOCS, true},
	{"Freed", put_class, CLASS_FREED, true},
	{"Held by ended tasks", put_class, CLASS_LEFT, true},
	{"Ended tasks", put_class, CLASS_LEFT_TASKS, true},
};

static const struct cell site_cells[] = {
	{"Held", put_site, SITE_HELD, true},
	{"Blocks", put_site, SITE_BLOCKS, true},
	{"Oldest held", put_age, 0, true},
	{"Allocated", put_site, SITE_ALLOCATED, true},
	{"Allocations", put_site, SITE_ALLOCS, true},
	{"Failed", put_site, SITE_FAILED, true},
	{"Freed", put_site, SITE_FREED, true},
	{"Lives p50", put_lifetime, 50, true},
	{"Lives p99", put_lifetime, 99, true},
	{"Most by", put_task, 0, false},
};
#define CNT(table) (sizeof(table) / sizeof((table)[0]))

static void table_begin(struct buf *buf, const char *label, size_t shown, size_t cnt,
			const struct cell *cells, size_t cell_cnt)
{
	buf__printf(buf,
		    "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">"
		    "<table class=\"top\"><caption>",
		    label);
	markup__count(buf, shown);
	buf__puts(buf, " of ");
	markup__count(buf, cnt);
	buf__printf(buf,
		    ", those that hold most first</caption><thead><tr>"
		    "<th scope=\"col\">%s</th>",
		    cells == site_cells ? "Place" : "Class");
	for (size_t i = 0; i < cell_cnt; i++)
		buf__printf(buf, "<th scope=\"col\"%s>%s</th>",
			    cells[i].num ? " class=\"num\"" : "", cells[i].label);
	buf__puts(buf, "</tr></thead><tbody>\n");
}

static void table_row(struct buf *buf, const struct place *place, const struct cell *cells,
		      size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		buf__puts(buf, cells[i].num ? "<td class=\"num\">" : "<td>");
		cells[i].write(buf, place, cells[i].arg);
		buf__puts(buf, "</td>");
	}
	buf__puts(buf, "</tr>\n");
}

static void table_end(struct buf *buf)
{
	buf__puts(buf, "</tbody></table></div>\n");
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

static void owners_table(struct buf *buf, const struct analysis *analysis,
			 const struct owner *owners, size_t cnt)
{
	const struct model *model = analysis->model;
	size_t shown = cnt < TOP_CNT ? cnt : TOP_CNT;

	if (!cnt) {
		buf__puts(buf, "<p>Nothing was allocated in this recording.</p>\n");
		return;
	}
	table_begin(buf, "who holds memory", shown, cnt, class_cells, CNT(class_cells));
	for (size_t i = 0; i < shown; i++) {
		struct place place = {.analysis = analysis, .total = owners[i].total};

		buf__puts(buf, "<tr><th scope=\"row\"><bdi>");
		markup__id_or_unknown(buf, model, model->classes[owners[i].class_idx].name);
		buf__puts(buf, "</bdi></th>");
		table_row(buf, &place, class_cells, CNT(class_cells));
	}
	table_end(buf);
}

static void owners(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct heap_total *totals = heap_totals__new(model);
	struct owner *rows = calloc(model->class_cnt + 1, sizeof(*rows));
	size_t cnt = 0;

	if (!totals || !rows) {
		buf->err = buf->err ? buf->err : -ENOMEM;
		goto cleanup;
	}
	for (uint32_t i = 0; i < model->class_cnt; i++)
		if (totals[i].allocs || totals[i].sums.current_cnt || totals[i].sums.freed_cnt)
			rows[cnt++] = (struct owner){&totals[i], i};
	qsort(rows, cnt, sizeof(*rows), by_held);
	owners_table(buf, analysis, rows, cnt);

cleanup:
	free(totals);
	free(rows);
}

static void sites(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct site_totals totals = {0};
	size_t shown;

	if (!model->caps[CAP_HEAP_SITES].measured) {
		buf__puts(buf, "<p>");
		markup__missing(buf, model__str(model, model->caps[CAP_HEAP_SITES].reason));
		buf__puts(buf, "</p>\n");
		return;
	}
	if (site_totals__add(&totals, model, model->uses, model->use_cnt))
		buf->err = buf->err ? buf->err : -ENOMEM;
	site_totals__rank(&totals);
	shown = totals.cnt < TOP_CNT ? totals.cnt : TOP_CNT;
	if (!shown)
		buf__puts(buf, "<p>No allocation was seen.</p>\n");
	else
		table_begin(buf, "places that allocate", shown, totals.cnt, site_cells,
			    CNT(site_cells));
	for (size_t i = 0; i < shown; i++) {
		const struct object *object = &model->objects[totals.rows[i].object];
		struct place place = {.analysis = analysis, .site = &totals.rows[i]};

		buf__puts(buf, "<tr><th scope=\"row\">");
		markup__middle(buf, model__str(model, object->name), NAME_CHARS);
		buf__puts(buf, " <span class=\"dim\">");
		markup__middle(buf, model__str(model, object->local), NAME_CHARS);
		buf__puts(buf, "</span></th>");
		table_row(buf, &place, site_cells, CNT(site_cells));
	}
	if (shown)
		table_end(buf);
	site_totals__free(&totals);
}

/* What the findings say of memory, or that there is nothing to say, and why. */
static void leaks(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	bool any = false;

	for (size_t i = 0; i < analysis->finding_cnt; i++) {
		if (strncmp(analysis->findings[i].id, "memory_", 7))
			continue;
		buf__puts(buf, any ? "" : "<ul class=\"leaks\">\n");
		buf__puts(buf, "<li>");
		markup__text(buf, analysis->findings[i].title);
		buf__puts(buf, "</li>\n");
		any = true;
	}
	if (any) {
		buf__puts(buf, "</ul>\n");
		return;
	}
	buf__puts(buf, "<p>");
	if (!model->caps[CAP_HEAP_LIVE].measured)
		markup__missing(buf, model__str(model, model->caps[CAP_HEAP_LIVE].reason));
	else if (analysis->totals.duration_ns < LEAK_MIN_NS)
		buf__puts(buf,
			  "The recording is too short to tell what leaks from what is used for "
			  "some seconds: 5 s are needed, 10 s are better.");
	else
		buf__puts(buf, "No place was found whose blocks stay and grow in number all the "
			       "time.");
	buf__puts(buf, "</p>\n");
}

/* What the budget did, and which numbers are estimates for it. */
static void steps(struct buf *buf, const struct model *model)
{
	struct buf text = {0};
	bool any = false;

	for (size_t i = 0; i < model->backoff_cnt; i++) {
		buf__reset(&text);
		backoff_text(&text, model, &model->backoffs[i]);
		buf__puts(buf, any ? "<li>" : "<h3>To keep the budget</h3>\n<ul>\n<li>");
		markup__text(buf, buf__str(&text));
		buf__puts(buf, "</li>\n");
		any = true;
	}
	for (unsigned int cap = 0; cap < CAP_CNT; cap++) {
		buf__reset(&text);
		estimate_text(&text, model, cap);
		if (!text.sz)
			continue;
		buf__puts(buf, any ? "<li>" : "<h3>Estimates</h3>\n<ul>\n<li>");
		markup__text(buf, buf__str(&text));
		buf__puts(buf, "</li>\n");
		any = true;
	}
	buf__puts(buf, any ? "</ul>\n" : "");
	buf__free(&text);
}

void part_memory(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	const struct cap_state *cap = &model->caps[CAP_HEAP];

	if (!cap->measured) {
		buf__puts(buf, "<p>");
		markup__missing(buf, model__str(model, cap->reason));
		buf__puts(buf, "</p>\n");
		steps(buf, model);
		return;
	}
	buf__puts(buf, "<h3>Leaks</h3>\n");
	leaks(buf, analysis);
	steps(buf, model);
	buf__puts(buf, "<h3>Who holds it</h3>\n");
	owners(buf, analysis);
	buf__puts(buf, "<h3>Where it is allocated</h3>\n");
	sites(buf, analysis);
	part_lifetimes(buf, analysis);
}
