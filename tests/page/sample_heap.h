/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the made-up recording's tasks allocate: places with hostile names, a leak, folded tasks, and a
 * budget that stepped down. Included by sample.h. */
#ifndef PAGE_SAMPLE_HEAP_H
#define PAGE_SAMPLE_HEAP_H

#define SAMPLE_SITES 45

/* `cnt` blocks of `sz` bytes, of which one in `keep` is held (0: none); those of task 0 are a leak. */
static void sample_blocks(struct model *model, uint64_t id, uint32_t site, uint64_t cnt,
			  uint64_t sz, uint64_t keep, int64_t life_ns)
{
	struct task *task = model__task(model, id);
	uint64_t held = keep ? cnt / keep : 0;
	struct use *use = sample_use_row(model, id, NO_IDX, site, IO_ALLOC);

	if (!use || !task)
		return;
	use->cnt = cnt;
	use->bytes = cnt * sz;
	use->errors = cnt % 2;
	task->c[COUNTER_HEAP_ALLOCS] += (int64_t)cnt;
	task->c[COUNTER_HEAP_ALLOC_BYTES] += (int64_t)(cnt * sz);
	task->c[COUNTER_HEAP_FREES] += (int64_t)(cnt - held);
	task->heap.current_cnt += held;
	task->heap.current_bytes += held * sz;
	task->heap.freed_cnt += cnt - held;
	task->heap.freed_bytes += (cnt - held) * sz;
	task->heap.peak_bytes += held * sz + sz;
	use = cnt > held ? sample_use_row(model, id, NO_IDX, site, IO_FREE) : NULL;
	if (use) {
		use->cnt = cnt - held;
		use->bytes = use->cnt * sz;
		hist__add(&use->latency, (uint64_t)life_ns, use->cnt - use->cnt / 10);
		hist__add(&use->latency, (uint64_t)life_ns * 30, use->cnt / 10);
	}
	use = held ? sample_use_row(model, id, NO_IDX, site, IO_HOLD) : NULL;
	if (!use)
		return;
	use->cnt = held;
	use->bytes = held * sz;
	for (uint64_t i = 0; i < held; i++)
		hist__add(&use->latency,
			  keep == 1 ? (uint64_t)SAMPLE_DURATION * (2 * i + 1) / (2 * held)
				    : (uint64_t)life_ns,
			  1);
}

static void sample_budget(struct model *model)
{
	model->meta.budget_ppm = 50000;
	model__backoff_add(model, 400000000, "memory", "exact", "sampled",
			   "9.1% of the <target>'s CPU, budget 5%");
	model__backoff_add(model, 900000000, "io", "every call", "in windows",
			   "5.4% of the target's CPU, budget 5%");
	for (int i = 0; i < 3; i++)
		model__backoff_add(model, (2 + i) * 1000000000LL, "memory",
				   i % 2 ? "exact" : "sampled", i % 2 ? "sampled" : "exact",
				   "the load changes");
	model__cap_weight(model, CAP_HEAP_LIVE, 1.5);
}

/* Of the first tasks. With none there is nothing to allocate. */
static void sample_heap(struct model *model, uint64_t *seed)
{
	size_t tasks = model->task_cnt, cnt = tasks < 6 ? tasks : SAMPLE_SITES;
	static const enum model_cap caps[] = {CAP_HEAP, CAP_HEAP_LIVE, CAP_HEAP_SITES};
	char name[256];

	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++)
		model__cap_set(model, caps[i], "probes on libc.so.6 <b>");
	for (size_t i = 0; i < cnt; i++) {
		uint32_t site;

		snprintf(name, sizeof(name), "%s+0x%zx",
			 i ? i % 3 ? plain_names[i % PLAIN_CNT] : hostile_names[i % HOSTILE_CNT]
			   : "leak_here",
			 0x1d + i);
		site = sample_object(model, OBJECT_SITE, name,
				     i % 4 ? "/usr/lib/x86_64-linux-gnu/libsomething.so.3"
					   : "/srv/</script><img src=x onerror=alert(5)>/api",
				     0);
		sample_blocks(model, model->tasks[i * 7 % tasks].id, site,
			      i ? 50 + sample_random(seed, 4000) : 1920,
			      i ? 64 + 16 * (i % 9) : 1024, i ? i % 5 ? 0 : 7 : 1, 2000 << i % 12);
		if (tasks > 300) /* another one of its class, and one of any */
			sample_blocks(model, model->tasks[i * 7 % tasks + 8].id, site, 40, 100, 4,
				      5000000);
	}
	if (tasks >= 1000) {
		model->classes[3].folded_heap = (struct heap_sums){12000, 12, 5000, 700, 7, 0, 0};
		model->classes[3].folded_leaking_cnt = 12;
		model->classes[3].folded_leaked_bytes = 12000;
		model->classes[3].folded_c[COUNTER_HEAP_ALLOCS] = 19;
		model->classes[3].folded_c[COUNTER_HEAP_ALLOC_BYTES] = 12700;
		sample_budget(model);
	}
}

#endif
