/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tasks of the rich model allocate, in ten seconds: a leak of 64 KiB per second beside busy
 * noise, a cache that was warmed at the start, a task that ended and still holds something. Round
 * numbers. Included by the tests of exports, findings and the page.
 */
#ifndef TESTS_UNIT_RICH_HEAP_H
#define TESTS_UNIT_RICH_HEAP_H

#include "rich_model.h"

#define RICH_HEAP_SOURCE "probes on 12 functions of libc.so.6 (exact)"

struct rich_sites {
	uint32_t leak, busy, cache, lib, hostile;
};

__attribute__((unused)) static uint32_t add_site(struct model *model, const char *name,
						 const char *module)
{
	uint32_t site = add_object(model, OBJECT_SITE, name);

	model->objects[site].local = model__intern(model, module);
	return site;
}

/* `cnt` blocks whose ages (or lifetimes) lie evenly in [from, to). */
__attribute__((unused)) static struct use *add_spread(struct model *model, uint64_t task,
						      uint32_t site, uint8_t op, uint64_t cnt,
						      uint64_t bytes, int64_t from, int64_t to)
{
	struct use *use = add_use(model, task, site, op, cnt, bytes, 0);

	for (uint64_t i = 0; i < cnt; i++)
		hist__add(&use->latency,
			  (uint64_t)(from +
				     (to - from) * (int64_t)(2 * i + 1) / (int64_t)(2 * cnt)),
			  1);
	return use;
}

__attribute__((unused)) static void allocates(struct task *task, int64_t cnt, int64_t bytes,
					      int64_t frees)
{
	task->c[COUNTER_HEAP_ALLOCS] += cnt;
	task->c[COUNTER_HEAP_ALLOC_BYTES] += bytes;
	task->c[COUNTER_HEAP_FREES] += frees;
}

/* The thread "main": the leak, 100,000 short-lived blocks, and the cache. */
__attribute__((unused)) static void rich_heap_main(struct model *model,
						   const struct rich_sites *sites)
{
	struct task *task = model__task(model, THREAD(100));

	add_use(model, task->id, sites->leak, IO_ALLOC, 640, 640 << 10, 0);
	add_spread(model, task->id, sites->leak, IO_HOLD, 640, 640 << 10, 0, 10 * SEC);
	add_use(model, task->id, sites->busy, IO_ALLOC, 100000, 6400000, 0);
	add_use(model, task->id, sites->busy, IO_FREE, 100000, 6400000, 50 * US);
	add_use(model, task->id, sites->cache, IO_ALLOC, 1000, 4096000, 0);
	add_spread(model, task->id, sites->cache, IO_HOLD, 1000, 4096000, 9 * SEC, 10 * SEC);
	allocates(task, 101640, (640 << 10) + 6400000 + 4096000, 100009);
	task->heap = (struct heap_sums){.current_bytes = (640 << 10) + 4096000,
					.current_cnt = 1640,
					.peak_bytes = 5000000,
					.freed_bytes = 6400000,
					.freed_cnt = 100000,
					.usable_bytes = 16000,
					.asked_bytes = 14000};
}

__attribute__((unused)) static void rich_heap_others(struct model *model,
						     const struct rich_sites *sites)
{
	struct task *task = model__task(model, THREAD(101));
	struct task_class *class;

	add_use(model, task->id, sites->lib, IO_ALLOC, 10, 10 << 20, 0)->errors = 2;
	add_use(model, task->id, sites->lib, IO_FREE, 9, 9 << 20, 100 * MS);
	add_use(model, task->id, sites->lib, IO_HOLD, 1, 1 << 20, 50 * MS);
	allocates(task, 10, 10 << 20, 0);
	task->heap = (struct heap_sums){1 << 20, 1, 3 << 20, 9 << 20, 9, 0, 0};
	for (uint32_t nr = 1; nr <= 6; nr++) {
		uint32_t held = nr == 6 ? 2 : 0;

		task = model__task(model, TASK(nr));
		add_use(model, task->id, sites->hostile, IO_ALLOC, nr, 1000 * nr, 0);
		if (nr - held)
			add_use(model, task->id, sites->hostile, IO_FREE, nr - held,
				1000 * (nr - held), 2 * MS);
		if (held)
			add_use(model, task->id, sites->hostile, IO_HOLD, held, 1000 * held,
				9 * SEC);
		allocates(task, nr, 1000 * nr, nr - held);
		task->heap =
			(struct heap_sums){1000 * held, held,      1000 * nr, 1000 * (nr - held),
					   nr - held,   1000 * nr, 1000 * nr};
	}
	class = &model->classes[model__class_get(model, 0xf01d, RUNTIME_MARKS, "folded class")];
	class->folded_heap = (struct heap_sums){480, 30, 160, 160, 10, 800, 640};
	class->folded_leaking_cnt = 30;
	class->folded_leaked_bytes = 480;
	class->folded_c[COUNTER_HEAP_ALLOCS] = 40;
	class->folded_c[COUNTER_HEAP_ALLOC_BYTES] = 640;
	add_use(model, 0, sites->hostile, IO_ALLOC, 40, 640, 0)->class_idx =
		(uint32_t)(class - model->classes);
}

__attribute__((unused)) static struct rich_sites rich_heap(struct model *model)
{
	struct rich_sites sites = {
		.leak = add_site(model, "leak_here+0x1d", "/srv/app"),
		.busy = add_site(model, "Server::handle(Request const&)+0x8f", "/srv/app"),
		.cache = add_site(model, "warm_cache+0x40", "/srv/app"),
		.lib = add_site(model, "libssl.so.3+0x1234", "/usr/lib/libssl.so.3"),
		.hostile = add_site(model, HOSTILE_NAME "+0x1", "/srv/<plugin>.so"),
	};

	model__cap_set(model, CAP_HEAP, RICH_HEAP_SOURCE);
	model__cap_set(model, CAP_HEAP_LIVE, RICH_HEAP_SOURCE);
	model__cap_set(model, CAP_HEAP_SITES, RICH_HEAP_SOURCE);
	rich_heap_main(model, &sites);
	rich_heap_others(model, &sites);
	for (int64_t i = 1; i <= 100; i++)
		add_sample(model, SERIES_HEAP_LIVE, i * 100 * MS,
			   4096000 + i * 6554 + (i % 10 ? 0 : 1 << 20));
	model->meta.heap_allocator_free_bytes = 2 << 20;
	model->meta.heap_allocator_resident_bytes = 8 << 20;
	model__sort_io(model);
	return sites;
}

/* What a budget did. */
__attribute__((unused)) static void rich_backoffs(struct model *model)
{
	model->meta.budget_ppm = 50000;
	model__backoff_add(model, 400 * MS, "memory", "exact", "counting",
			   "9.1% of the target's CPU, budget 5%");
	model__backoff_add(model, 5 * SEC, "memory", "counting", "exact",
			   "1.2% of the target's CPU, budget 5%");
}

#endif
