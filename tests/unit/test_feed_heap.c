/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's memory side: what tasks hold, sites and their names, shares of the time. Run by prove. */
#include <errno.h>
#include <stdio.h>

#include "io_feed.h"
#include "tap.h"

#define TASK(nr) ((uint64_t)(100 + (nr)) << 32 | 1)
#define SITE(nr) (OBJECT_IS_SITE | (uint64_t)(nr))

static unsigned int named_cnt;

static void site_name(void *ctx, uint32_t tgid, uint64_t ip, struct site_text *out)
{
	(void)ctx;
	named_cnt++;
	if (tgid != 42 || ip == 3)
		return;
	out->offset = 0x1d;
	strcpy(out->module, "/usr/lib/libleak.so");
	if (ip == 2)
		return;
	snprintf(out->function, sizeof(out->function), "leak<%d>::here", (int)(ip / 10));
	if (ip == 99)
		memset(out->function, 'x', sizeof(out->function) - 1);
}

static struct model *start(uint64_t max_memory)
{
	struct feed_options options = {.start_mono_ns = START_NS,
				       .max_memory = max_memory,
				       .site_name = site_name};
	struct model *model = model__new();

	if (!model || feed__start(model, &options))
		exit(2);
	return model;
}

static void feed_site(struct model *model, uint64_t ns, uint64_t id, uint64_t ip)
{
	struct wire_site *site = IO_EVENT(WIRE_SITE, site, ns);

	site->id = id;
	site->ip = ip;
	feed_now(model);
}

static void feed_heap(struct model *model, uint64_t ns, uint64_t task, uint64_t current,
		      uint64_t cnt, uint64_t peak, uint64_t freed)
{
	struct wire_heap *heap = IO_EVENT(WIRE_HEAP, heap, ns);

	heap->task = task;
	heap->current_bytes = current;
	heap->current_cnt = cnt;
	heap->peak_bytes = peak;
	heap->freed_bytes = freed;
	heap->freed_cnt = freed / 10;
	heap->usable_bytes = freed * 2;
	heap->asked_bytes = freed;
	feed_now(model);
}

static bool holds(const struct heap_sums *heap, uint64_t current, uint64_t cnt, uint64_t peak,
		  uint64_t freed)
{
	return heap->current_bytes == current && heap->current_cnt == cnt &&
	       heap->peak_bytes == peak && heap->freed_bytes == freed &&
	       heap->freed_cnt == freed / 10 && heap->usable_bytes == freed * 2 &&
	       heap->asked_bytes == freed;
}

/* Three times, each begun anew: in any order what is held is in the newest. */
static void test_order(void)
{
	static const uint64_t rows[3][4] = {{0, 0, 500, 700}, {0, 0, 900, 1000}, {300, 3, 400, 50}};
	static const unsigned int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
						  {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	unsigned int good = 0;

	for (unsigned int i = 0; i < 6; i++) {
		struct model *model = start(0);

		for (unsigned int k = 0; k < 3; k++) {
			unsigned int row = orders[i][k];

			feed_heap(model, START_NS + row * MS, TASK(1), rows[row][0], rows[row][1],
				  rows[row][2], rows[row][3]);
		}
		feed_spawn(model, START_NS, TASK(1));
		if (!feed__finish(model, 1000 * MS))
			good += holds(&model__task(model, TASK(1))->heap, 300, 3, 900, 1750);
		model__free(model);
	}
	ok(good == 6, "what was freed adds up, the peak is the largest, the newest is held");
}

static void test_sites(void)
{
	struct model *model = start(0);
	const struct object *object;
	const struct use *use;
	size_t cnt;

	named_cnt = 0;
	feed_spawn(model, START_NS, TASK(1));
	feed_use(model, START_NS + MS, TASK(1), SITE(1), IO_ALLOC, 100);
	feed_site(model, START_NS + MS, SITE(1), 10);
	feed_site(model, START_NS + 2 * MS, SITE(1), 10);
	feed_use(model, START_NS + 3 * MS, TASK(1), SITE(1), IO_ALLOC, 50);
	feed_use(model, START_NS + 3 * MS, TASK(1), SITE(1), IO_HOLD, 50);
	feed_site(model, START_NS + 4 * MS, SITE(2), 2);
	feed_use(model, START_NS + 4 * MS, TASK(1), SITE(2), IO_FREE, 7);
	feed_site(model, START_NS + 4 * MS, SITE(3), 3);
	feed_use(model, START_NS + 4 * MS, TASK(1), SITE(3), IO_ALLOC, 1);
	feed_use(model, START_NS + 4 * MS, TASK(1), SITE(4), IO_ALLOC, 2);
	feed_use(model, START_NS + 4 * MS, TASK(1), OBJECT_IS_SITE, IO_ALLOC, 4);
	feed_site(model, START_NS + 5 * MS, SITE(5), 99);
	feed_use(model, START_NS + 5 * MS, TASK(1), SITE(5), IO_ALLOC, 1);
	feed_site(model, START_NS + 5 * MS, SITE(6), 10); /* inlined twice, or loaded twice */
	feed_use(model, START_NS + 5 * MS, TASK(1), SITE(6), IO_ALLOC, 8);
	ok(!feed__finish(model, 1000 * MS), "finished");
	ok(named_cnt == 5, "a site is named once (%u)", named_cnt);

	object = object_named(model, "leak<1>::here+0x1d", &cnt);
	ok(cnt == 1 && object->kind == OBJECT_SITE && object_group(object->kind) == GROUP_HEAP &&
		   !strcmp(model__str(model, object->local), "/usr/lib/libleak.so"),
	   "a site has its function and its module, also when its use came first");
	use = use_of(model, TASK(1), "leak<1>::here+0x1d", IO_ALLOC);
	ok(use && use->cnt == 3 && use->bytes == 158, "two sites of one name are one");
	use = use_of(model, TASK(1), "leak<1>::here+0x1d", IO_HOLD);
	ok(use && use->cnt == 1 && use->latency.cnt == 1, "what it holds, by age");
	ok(use_of(model, TASK(1), "libleak.so+0x1d", IO_FREE) != NULL,
	   "without a function the module is the name");
	use = use_of(model, TASK(1), "(unknown)", IO_ALLOC);
	ok(use && use->bytes == 7 && model->objects[use->object].kind == OBJECT_SITE,
	   "what has no name, or no record, is unknown: a site");
	model__free(model);
}

/* A thread for each job: they fold, and what they hold is told at the end. */
static void test_fold(void)
{
	struct model *model = start(1 << 20);
	const struct task_class *class = NULL;
	const int cnt = 4000;
	uint64_t sum = 0, bytes = 0, leaking = 0, held = 0, freed = 0;

	for (int i = 0; i < cnt; i++) {
		uint64_t ns = START_NS + (uint64_t)i * 10 * MS;

		feed_spawn(model, ns, TASK(i));
		feed_end(model, ns + MS, TASK(i));
		feed__uses_taken(model, ns + MS);
	}
	for (int i = 0; i < cnt; i++) {
		uint64_t ns = START_NS + (uint64_t)cnt * 10 * MS;

		feed_heap(model, ns, TASK(i), i % 2 ? 64 : 0, i % 2, 128, 640);
		feed_use(model, ns, TASK(i), SITE(1), IO_HOLD, 64);
	}
	ok(!feed__finish(model, (int64_t)cnt * 10 * (int64_t)MS) &&
		   model->meta.tasks_folded > cnt / 2,
	   "%d of %d tasks were folded", (int)model->meta.tasks_folded, cnt);
	ok(model->class_cnt == 1, "all are of one class");
	class = &model->classes[0];
	for (size_t i = 0; i < model->task_cnt; i++) {
		bytes += model->tasks[i].heap.current_bytes;
		freed += model->tasks[i].heap.freed_bytes;
	}
	leaking = class->folded_leaking_cnt;
	sum = bytes + class->folded_heap.current_bytes;
	freed += class->folded_heap.freed_bytes;
	for (size_t i = 0; i < model->use_cnt; i++)
		held += model->uses[i].bytes;
	ok(sum == (uint64_t)cnt / 2 * 64 && freed == (uint64_t)cnt * 640,
	   "nothing of what they held and freed is lost (%llu bytes)", (unsigned long long)sum);
	ok(class->folded_heap.usable_bytes == 2 * class->folded_heap.freed_bytes &&
		   class->folded_heap.asked_bytes == class->folded_heap.freed_bytes,
	   "what the allocator told is folded, too");
	ok(leaking * 64 == class->folded_leaked_bytes && leaking > 0 &&
		   class->folded_leaked_bytes == class->folded_heap.current_bytes,
	   "the class knows how many ended with something (%llu)", (unsigned long long)leaking);
	ok(held == (uint64_t)cnt * 64 && class->folded_heap.peak_bytes == 128,
	   "the sites' bytes are its own, too; the peak is the largest one's");
	model__free(model);
}

static void test_share(void)
{
	struct model *model = start(0);
	struct wire_use *use;
	const struct use *alloc, *hold, *read;
	const struct task *task;

	feed_spawn(model, START_NS, TASK(1));
	task = model__task(model, TASK(1));
	((struct task *)task)->c[COUNTER_HEAP_ALLOCS] = 30;
	((struct task *)task)->c[COUNTER_IO_READS] = 7;
	((struct task *)task)->c[COUNTER_NET_SENDS] = 7;
	use = make_use(START_NS, TASK(1), SITE(1), IO_ALLOC);
	use->val.cnt = 30;
	use->val.bytes = 300;
	feed_now(model);
	feed_use(model, START_NS, TASK(1), SITE(1), IO_HOLD, 64);
	feed_file(model, START_NS, 5, 0100644, "/data");
	feed_use(model, START_NS, TASK(1), 5, IO_READ, 100);
	model__cap_set(model, CAP_HEAP, "probes in windows");
	model__cap_share(model, CAP_HEAP, 0.3);
	model__cap_set(model, CAP_IO, "system calls");
	model__cap_set(model, CAP_NETWORK, "system calls");
	ok(!feed__finish(model, 1000 * MS), "finished");
	task = model__task(model, TASK(1));
	alloc = use_of(model, TASK(1), "(unknown)", IO_ALLOC);
	hold = use_of(model, TASK(1), "(unknown)", IO_HOLD);
	read = use_of(model, TASK(1), "/data", IO_READ);
	ok(task->c[COUNTER_HEAP_ALLOCS] == 100 && alloc && alloc->cnt == 100 &&
		   alloc->bytes == 1000,
	   "what was counted for 30%% of the time stands for all of it");
	ok(hold && hold->bytes == 64, "but not what is held, which was looked at once");
	ok(task->c[COUNTER_IO_READS] == 7 && read && read->cnt == 1 &&
		   task->c[COUNTER_NET_SENDS] == 7,
	   "nor what was counted all the time");
	ok(cap_estimate(&model->caps[CAP_HEAP]) > 3.33 &&
		   cap_estimate(&model->caps[CAP_HEAP]) < 3.34 &&
		   cap_estimate(&model->caps[CAP_IO]) == 1,
	   "and says how many each stands for");
	model__cap_share(model, CAP_IO, 0.5);
	ok(model->caps[CAP_NETWORK].share == 0.5, "files and sockets share their probes");
	model__cap_share(model, CAP_IO, 0);
	model__cap_share(model, CAP_IO, 1.5);
	model__cap_weight(model, CAP_IO, 0.5);
	ok(model->caps[CAP_IO].share == 0.5 && model->caps[CAP_IO].weight == 1,
	   "what is no share and no weight is ignored");
	model__free(model);
}

static void test_backoffs(void)
{
	struct model *model = model__new();

	ok(!model__backoff_add(model, 400, "memory", "exact", "counting", "9.1%") &&
		   !model__backoff_add(model, 900, "memory", "counting", "exact", "calm"),
	   "steps are added");
	ok(model->backoff_cnt == 2 && model->backoffs[0].at_ns == 400 &&
		   !strcmp(model__str(model, model->backoffs[0].to), "counting") &&
		   !strcmp(model__str(model, model->backoffs[1].reason), "calm"),
	   "and kept in their order");
	model__free(model);
}

int main(void)
{
	test_order();
	test_sites();
	test_fold();
	test_share();
	test_backoffs();
	return tap_done();
}
