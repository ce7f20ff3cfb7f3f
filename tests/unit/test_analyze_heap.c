/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The findings about memory: populations of blocks are played through, with a leak among them or
 * with everything that looks like one and is none. And the sums by place.
 */
#include "analyze/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/heap.h"
#include "rich_heap.h"
#include "tap.h"

#define RUNS  20
#define NEVER INT64_MAX

static unsigned int seed;

static double noise(void)
{
	return ((double)rand_r(&seed) + 0.5) / ((double)RAND_MAX + 1);
}

/* Lifetimes: each takes its parameter in nanoseconds. */
static int64_t constant(int64_t ns)
{
	return ns;
}

static int64_t spread(int64_t ns)
{
	return (int64_t)(2 * noise() * (double)ns);
}

/* Any age is as likely to be the last one. */
static int64_t random_death(int64_t ns)
{
	return (int64_t)(-log(noise()) * (double)ns);
}

struct population {
	const char *site;
	double rate; /* allocations per second, at random times */
	uint64_t sz;
	int64_t (*life)(int64_t ns);
	int64_t ns;
	int64_t from, to; /* when it allocates; 0, 0: always */
};

/* As coarsely as it comes from BPF: four buckets per power of two. */
static void hist_add(struct hist *hist, int64_t ns)
{
	uint64_t val = ns < 256 ? 256 : (uint64_t)ns;
	unsigned int log2 = 63 - (unsigned int)__builtin_clzll(val);
	uint64_t step = 1ULL << (log2 - 2), low = val / step * step;

	hist__add_range(hist, low, low + step - 1, 1);
	hist->total += val;
	hist->max = val > hist->max ? val : hist->max;
}

/* What a thread does in a recording of `len`. */
static void play(struct model *model, uint64_t task, int64_t len, const struct population *of)
{
	uint32_t site = add_site(model, of->site, "/srv/app");
	struct use alloc = {.op = IO_ALLOC}, freed = {.op = IO_FREE}, held = {.op = IO_HOLD};
	struct use *const uses[] = {&alloc, &freed, &held};
	double t = (double)of->from, to = of->to ? (double)of->to : (double)len;

	for (;;) {
		int64_t life = of->life(of->ns);
		struct use *use;

		t += -log(noise()) / of->rate * 1e9;
		if (t >= to || t >= (double)len)
			break;
		use = (double)life < (double)len - t ? &freed : &held;
		alloc.cnt++;
		alloc.bytes += of->sz;
		use->cnt++;
		use->bytes += of->sz;
		hist_add(&use->latency, use == &held ? len - (int64_t)t : life);
	}
	for (size_t i = 0; i < 3; i++) {
		struct use *to_use =
			add_use(model, task, site, uses[i]->op, uses[i]->cnt, uses[i]->bytes, 0);

		to_use->latency = uses[i]->latency;
	}
	model__task(model, task)->heap.current_bytes += held.bytes;
	model__task(model, task)->heap.current_cnt += held.cnt;
	allocates(model__task(model, task), (int64_t)alloc.cnt, (int64_t)alloc.bytes,
		  (int64_t)freed.cnt);
}

static struct model *a_thread(int64_t len)
{
	static const enum model_cap measured[] = {CAP_CPU,       CAP_WAITS,      CAP_HEAP,
						  CAP_HEAP_LIVE, CAP_HEAP_SITES, CAP_RSS};
	struct model *model = model__new();

	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++)
		model__cap_set(model, measured[i], "test");
	model->meta.duration_ns = len;
	add_thread(model, 7, "worker")->c[COUNTER_IDLE] = len;
	model__task(model, THREAD(7))->c[COUNTER_RSS_GROWN] = 64 << 20;
	return model;
}

static const struct finding *find(const struct analysis *analysis, const char *id)
{
	return analysis__finding(analysis, id);
}

static size_t cnt_of(const struct analysis *analysis, const char *id)
{
	size_t cnt = 0;

	for (size_t i = 0; i < analysis->finding_cnt; i++)
		cnt += !strcmp(analysis->findings[i].id, id);
	return cnt;
}

static struct analysis *analyse(struct model *model)
{
	model__sort_io(model);
	return analysis__new(model);
}

static void done(struct model *model, struct analysis *analysis)
{
	analysis__free(analysis);
	model__free(model);
}

/* Everything that is no leak, as a busy program has it, all at once. */
static const struct population innocent[] = {
	{"short_lived+0x1", 5000, 64, random_death, 100 * US, 0, 0},
	{"warmed_cache+0x1", 20000, 512, constant, NEVER, 1, 200 * MS},
	{"queue+0x1", 500, 1024, constant, 300 * MS, 0, 0},
	{"sessions+0x1", 200, 4096, random_death, 2 * SEC, 0, 0},
	{"requests+0x1", 1000, 200, spread, 20 * MS, 0, 0},
	{"slow_cache+0x1", 300, 1024, spread, 2 * SEC, 0, 0},
	{"pool+0x1", 400, 2048, constant, NEVER, 1, 1 * SEC},
	{"last_moment+0x1", 20000, 64, constant, NEVER, 9900 * MS, 0},
	{"in_the_middle+0x1", 5000, 512, constant, NEVER, 4 * SEC, 5 * SEC},
	{"rarely+0x1", 0.5, 200, constant, NEVER, 0, 0},
	{"tiny+0x1", 10, 16, constant, NEVER, 0, 0},
	{"for_minutes+0x1", 100, 2048, random_death, 60 * SEC, 0, 0},
};
#define INNOCENT_CNT (sizeof(innocent) / sizeof(innocent[0]))

static void test_planted(void)
{
	static const struct population leak = {"leak_here+0x1d", 64, 1024, constant, NEVER, 0, 0};
	size_t first = 0, only = 0, right = 0, site = 0;

	for (unsigned int run = 1; run <= RUNS; run++) {
		struct model *model = a_thread(10 * SEC);
		const struct finding *finding;
		struct analysis *analysis;

		seed = run;
		for (size_t i = 0; i < INNOCENT_CNT; i++)
			play(model, THREAD(7), 10 * SEC, &innocent[i]);
		play(model, THREAD(7), 10 * SEC, &leak);
		analysis = analyse(model);
		finding = find(analysis, "memory_leak");
		first += finding && finding == analysis->findings &&
			 !strcmp(analysis->verdict, finding->title);
		only += analysis->finding_cnt == 1;
		site += finding && strstr(finding->title, "leak_here+0x1d") &&
			strstr(finding->title, "threads") && finding->task == THREAD(7);
		right += finding && fabs(finding->evidence[0].val / 65536 - 1) < 0.2;
		if (run == 1)
			for (size_t i = 0; i < analysis->finding_cnt; i++)
				note("%s: %s", analysis->findings[i].id,
				     analysis->findings[i].title);
		done(model, analysis);
	}
	ok(first == RUNS, "64 KiB/s beside noise: the verdict, in %zu of %d runs", first, RUNS);
	ok(only == RUNS, "and nothing else is reported (%zu)", only);
	ok(site == RUNS, "with its place, class and task (%zu)", site);
	ok(right == RUNS, "and its rate within a fifth (%zu)", right);
}

static void test_innocent(void)
{
	size_t quiet = 0;

	for (size_t i = 0; i < INNOCENT_CNT; i++) {
		size_t found = 0;

		for (unsigned int run = 1; run <= RUNS; run++) {
			struct model *model = a_thread(10 * SEC);
			struct analysis *analysis;

			seed = run;
			play(model, THREAD(7), 10 * SEC, &innocent[i]);
			analysis = analyse(model);
			found += analysis->finding_cnt;
			done(model, analysis);
		}
		ok(!found, "%s is no leak (%zu findings)", innocent[i].site, found);
	}
	for (unsigned int run = 1; run <= RUNS; run++) {
		struct model *model = a_thread(10 * SEC);
		struct analysis *analysis;

		seed = run;
		for (size_t i = 0; i < INNOCENT_CNT; i++)
			play(model, THREAD(7), 10 * SEC, &innocent[i]);
		analysis = analyse(model);
		quiet += !analysis->finding_cnt;
		done(model, analysis);
	}
	ok(quiet == RUNS, "nor are all of them together (%zu of %d runs)", quiet, RUNS);
}

/* Of all blocks are one after the other: the sums of a place are those of all its tasks. */
static void test_wrapper(void)
{
	static const struct population leak = {"xmalloc+0x9", 256, 1024, constant, NEVER, 0, 0},
				       busy = {"xmalloc+0x9", 5000, 1024, spread, 5 * MS, 0, 0},
				       cache = {"xmalloc+0x9", 50000, 1024,   constant,
						NEVER,         1,     50 * MS};
	size_t found = 0, right = 0;

	for (unsigned int run = 1; run <= RUNS; run++) {
		struct model *model = a_thread(10 * SEC);
		const struct finding *finding;
		struct analysis *analysis;

		seed = run;
		play(model, THREAD(7), 10 * SEC, &leak);
		play(model, THREAD(7), 10 * SEC, &busy);
		play(model, THREAD(7), 10 * SEC, &cache);
		for (size_t i = 0; i < model->use_cnt; i++)
			model->uses[i].object = 0; /* one place */
		analysis = analyse(model);
		finding = find(analysis, "memory_leak");
		found += finding && analysis->finding_cnt == 1;
		right += finding && fabs(finding->evidence[0].val / (256 << 10) - 1) < 0.3;
		done(model, analysis);
	}
	ok(found == RUNS, "a leak beside a cache and short-lived blocks of one wrapper (%zu)",
	   found);
	ok(right == RUNS, "of which only the leaking part is told (%zu)", right);
}

static void test_sizes(void)
{
	static const struct {
		const char *name;
		struct population leak;
		int64_t len;
		bool is_found;
		enum severity severity;
	} rows[] = {
		{"one block of 64 KiB each second",
		 {"big+0x1", 3, 64 << 10, constant, NEVER, 0, 0},
		 20 * SEC,
		 true,
		 SEVERITY_WARNING},
		{"4 MiB/s",
		 {"fast+0x1", 4096, 1024, constant, NEVER, 0, 0},
		 10 * SEC,
		 true,
		 SEVERITY_CRITICAL},
		{"64 KiB/s in 6 s",
		 {"short+0x1", 64, 1024, constant, NEVER, 0, 0},
		 6 * SEC,
		 true,
		 SEVERITY_WARNING},
		{"64 KiB/s in 4 s",
		 {"shorter+0x1", 64, 1024, constant, NEVER, 0, 0},
		 4 * SEC,
		 false,
		 SEVERITY_INFO},
		{"100 bytes/s", {"tiny+0x1", 10, 10, constant, NEVER, 0, 0}, 60 * SEC, false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t good = 0;

		for (unsigned int run = 1; run <= RUNS; run++) {
			struct model *model = a_thread(rows[i].len);
			const struct finding *finding;
			struct analysis *analysis;

			seed = run;
			play(model, THREAD(7), rows[i].len, &rows[i].leak);
			analysis = analyse(model);
			finding = find(analysis, "memory_leak");
			good += rows[i].is_found ? finding && finding->severity == rows[i].severity
						 : !finding;
			done(model, analysis);
		}
		ok(good >= RUNS - 1, "%s: %s (%zu of %d runs)", rows[i].name,
		   rows[i].is_found ? "found" : "not told", good, RUNS);
	}
}

/* What lives longer than the recording: others like it, from before, are freed at the same pace. */
static void test_steady(void)
{
	static const struct population sessions = {"session+0x1", 200, 4096, constant,
						   60 * SEC,      0,   0};
	const struct finding *finding;
	struct analysis *analysis;
	struct model *model;

	seed = 1;
	model = a_thread(10 * SEC);
	play(model, THREAD(7), 10 * SEC, &sessions);
	model__counter_add(model, "heap_unknown_frees", "", false, 2000);
	model__task(model, THREAD(7))->c[COUNTER_RSS_GROWN] = 100 << 10;
	analysis = analyse(model);
	finding = find(analysis, "memory_leak");
	ok(finding && finding->severity == SEVERITY_INFO && finding->confidence <= 0.5 &&
		   strstr(finding->recommendation, "nothing grows"),
	   "balanced by frees of what was there before, and the process does not grow: a note");
	done(model, analysis);

	seed = 1;
	model = a_thread(10 * SEC);
	play(model, THREAD(7), 10 * SEC, &sessions);
	model__counter_add(model, "heap_unknown_frees", "", false, 2000);
	analysis = analyse(model);
	finding = find(analysis, "memory_leak");
	ok(finding && finding->severity == SEVERITY_WARNING && finding->confidence < 0.8,
	   "but when the process grows it is told, if less sure");
	done(model, analysis);
}

static void test_not_measured(void)
{
	static const struct population leak = {"leak_here+0x1d", 64, 1024, constant, NEVER, 0, 0};
	struct model *model = a_thread(10 * SEC);
	struct analysis *analysis;

	seed = 1;
	play(model, THREAD(7), 10 * SEC, &leak);
	model__cap_miss(model, CAP_HEAP_LIVE, "the probes were taken away in windows");
	analysis = analyse(model);
	ok(!analysis->finding_cnt, "without blocks that are followed nothing is said");
	done(model, analysis);
}

static void add_live(struct model *model, int64_t from, int64_t to, int64_t first, int64_t last)
{
	for (int64_t at = from; at < to; at += 100 * MS)
		add_sample(model, SERIES_HEAP_LIVE, at,
			   first + (last - first) * (at - from) / (to - from));
}

static void test_growth(void)
{
	struct model *model = a_thread(10 * SEC);
	const struct finding *finding;
	struct analysis *analysis;

	add_live(model, 0, 10 * SEC, 0, 20 << 20);
	analysis = analyse(model);
	finding = find(analysis, "memory_growth");
	ok(finding && finding->severity == SEVERITY_WARNING && strstr(finding->title, "2.0"), "%s",
	   finding ? finding->title : "a heap that grows all the time");
	done(model, analysis);

	model = a_thread(10 * SEC);
	add_live(model, 0, 5 * SEC, 0, 20 << 20);
	add_live(model, 5 * SEC, 10 * SEC, 20 << 20, 20 << 20);
	analysis = analyse(model);
	ok(!analysis->finding_cnt, "what was there before is replaced, then it stays: no growth");
	done(model, analysis);

	model = a_thread(10 * SEC);
	add_live(model, 0, 10 * SEC, 0, 20 << 20);
	model__task(model, THREAD(7))->c[COUNTER_RSS_GROWN] = 0;
	analysis = analyse(model);
	ok(!analysis->finding_cnt, "nor when the process does not");
	done(model, analysis);

	model = a_thread(10 * SEC);
	add_live(model, 0, 10 * SEC, 0, 20 << 20);
	model__cap_miss(model, CAP_RSS, "not attached");
	analysis = analyse(model);
	finding = find(analysis, "memory_growth");
	ok(finding && finding->severity == SEVERITY_INFO, "unless that is not known: a note");
	done(model, analysis);

	/* up and down by 40 MiB, a bit more by chance in the end */
	model = a_thread(10 * SEC);
	for (int64_t i = 0; i < 100; i++)
		add_sample(model, SERIES_HEAP_LIVE, i * 100 * MS,
			   (i % 10 * 4 + (i > 50 && i % 10 == 9 ? 30 : 0)) << 20);
	analysis = analyse(model);
	ok(!analysis->finding_cnt, "what is given back each time is no growth");
	done(model, analysis);
}

static void test_ended(void)
{
	struct model *model = a_thread(10 * SEC);
	const struct finding *finding;
	struct analysis *analysis;
	struct task *task;

	for (uint32_t i = 1; i <= 4; i++) {
		task = add_marks(model, i);
		task->end_ns = i == 4 ? 9800 * MS : 2 * SEC;
		task->heap.current_bytes = i == 4 ? 100 << 20 : 40 << 10;
		task->heap.current_cnt = 2;
	}
	analysis = analyse(model);
	finding = find(analysis, "memory_held_by_ended_task");
	ok(finding && finding->severity == SEVERITY_INFO && cnt_of(analysis, finding->id) == 1 &&
		   !strcmp(finding->title,
			   "3 tasks of marks class finished still holding 120 KiB") &&
		   finding->class_idx == model__task(model, TASK(1))->class_idx,
	   "%s", finding ? finding->title : "ended tasks");
	done(model, analysis);

	model = a_thread(10 * SEC);
	task = add_marks(model, 1);
	model->classes[task->class_idx].folded_leaking_cnt = 1000;
	model->classes[task->class_idx].folded_leaked_bytes = 5 << 20;
	analysis = analyse(model);
	finding = find(analysis, "memory_held_by_ended_task");
	ok(finding && finding->severity == SEVERITY_WARNING && strstr(finding->title, "1000 tasks"),
	   "%s", finding ? finding->title : "folded tasks");
	done(model, analysis);

	model = a_thread(10 * SEC);
	task = add_marks(model, 1);
	task->heap.current_bytes = 10 << 10;
	task->heap.current_cnt = 1;
	analysis = analyse(model);
	ok(!analysis->finding_cnt, "a little is not worth a word");
	done(model, analysis);
}

/* Each job leaks, and ends: told once. */
static void test_ended_leak(void)
{
	static const struct population leak = {"leak_here+0x1d", 64, 1024, constant, NEVER, 0, 0};
	struct model *model = a_thread(10 * SEC);
	struct analysis *analysis;

	seed = 1;
	add_marks(model, 1);
	play(model, TASK(1), 10 * SEC, &leak);
	analysis = analyse(model);
	ok(analysis->finding_cnt == 1 && find(analysis, "memory_leak"),
	   "a leak of tasks that end is told once");
	done(model, analysis);
}

static void test_churn(void)
{
	struct model *model = a_thread(10 * SEC);
	uint32_t site = add_site(model, "parse+0x7", "/srv/app");
	const struct finding *finding;
	struct analysis *analysis;

	add_use(model, THREAD(7), site, IO_ALLOC, 2000000, 64000000, 0);
	add_use(model, THREAD(7), site, IO_FREE, 2000000, 64000000, 10 * US);
	analysis = analyse(model);
	finding = find(analysis, "memory_churn");
	ok(finding && finding->severity == SEVERITY_INFO &&
		   strstr(finding->title, "parse+0x7 allocates 200000 times per second, 32 bytes"),
	   "%s", finding ? finding->title : "churn");
	done(model, analysis);
	model = a_thread(10 * SEC);
	site = add_site(model, "parse+0x7", "/srv/app");
	add_use(model, THREAD(7), site, IO_ALLOC, 2000000, 64000000, 0);
	add_use(model, THREAD(7), site, IO_FREE, 2000000, 64000000, 10 * MS);
	analysis = analyse(model);
	ok(!analysis->finding_cnt, "blocks that last are none");
	done(model, analysis);
}

/* Blocks are lost out of allocations, which make no records. */
static void test_losses(void)
{
	struct model *model = a_thread(10 * SEC);
	const struct finding *finding;
	struct analysis *analysis;

	model->meta.records_seen = 400;
	allocates(model__task(model, THREAD(7)), 100000, 1000, 100000);
	model__counter_add(model, "heap_missed_frees", "freed unseen", true, 130);
	analysis = analyse(model);
	finding = find(analysis, "losses");
	ok(finding && finding->severity == SEVERITY_INFO &&
		   strstr(finding->title, "0.065% of the records and calls of the allocator"),
	   "%s", finding ? finding->title : "losses");
	done(model, analysis);
}

static void test_sums(void)
{
	struct model *model = rich_model();
	struct rich_sites sites = rich_heap(model);
	struct site_totals totals = {};
	struct heap_total *heap = heap_totals__new(model);
	struct buf text = {};
	char name[64];

	ok(!site_totals__add(&totals, model, model->uses, model->use_cnt), "sums by place");
	site_totals__rank(&totals);
	ok(totals.cnt == 5 && totals.rows[0].object == sites.cache &&
		   totals.rows[1].object == sites.lib && totals.rows[2].object == sites.leak,
	   "what holds most comes first");
	ok(totals.rows[0].task == THREAD(100) && totals.rows[1].task == THREAD(101) &&
		   totals.rows[3].object == sites.hostile && totals.rows[3].task == TASK(6) &&
		   totals.rows[3].alloc.cnt == 61,
	   "with the task that holds most of it");
	site_totals__free(&totals);
	site_totals__add(&totals, model, model->uses, model->use_cnt);
	site_totals__rank_by_class(&totals);
	ok(totals.cnt == 6, "the folded class has a row of its own");
	site_totals__free(&totals);
	ok(heap && heap[model->class_cnt].sums.current_bytes == 5802416 &&
		   heap[model->class_cnt].leaking_cnt == 31 &&
		   heap[model->class_cnt].sums.peak_bytes == 5000000,
	   "what all hold, and how many ended with it");
	free(heap);
	ok(!strcmp(site_function(model, sites.busy, name, sizeof(name)),
		   "Server::handle(Request const&)") &&
		   !site_function(model, sites.lib, name, sizeof(name)) &&
		   !site_function(model, UINT32_MAX, name, sizeof(name)),
	   "a site's function, where there is one");
	rich_backoffs(model);
	backoff_text(&text, model, &model->backoffs[0]);
	ok(!strcmp(buf__str(&text),
		   "memory: from exact to counting at 400 ms: 9.1% of the target's "
		   "CPU, budget 5%"),
	   "%s", buf__str(&text));
	buf__reset(&text);
	model__cap_share(model, CAP_HEAP, 0.31);
	estimate_text(&text, model, CAP_HEAP);
	ok(!strcmp(buf__str(&text),
		   "memory was measured for 31% of the time and is scaled to all of it"),
	   "%s", buf__str(&text));
	buf__free(&text);
	model__free(model);
}

int main(void)
{
	test_planted();
	test_innocent();
	test_wrapper();
	test_sizes();
	test_steady();
	test_not_measured();
	test_growth();
	test_ended();
	test_ended_leak();
	test_churn();
	test_losses();
	test_sums();
	return tap_done();
}
