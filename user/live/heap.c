/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory, the part in user space: which programs see it, how closely, the tables of blocks and of
 * what tasks hold. See bpf/heap.bpf.c.
 */
#include "live/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "asyncscope.skel.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"

#define BATCH 1024
/* Where tables take their memory when they are made. */
#define BLOCKS_SMALL 131072
#define OWNERS_SMALL 16384
#define SHIFT_MAX    20
#define HELD_MAX     65536 /* rows of (task, site) that are told apart at the end */

bool heap__is_on(const struct live *live)
{
	return live->options.heap_mode < HEAP_MODE_OFF;
}

/* A table that has its memory from the beginning is only as large as somebody asked for. */
static void fit_tables(struct live *live)
{
	struct asyncscope *skel = live->skel;
	uint32_t entries = live->options.heap_entries;

	if (!heap__is_on(live)) {
		bpf_map__set_max_entries(skel->maps.blocks, 1);
		bpf_map__set_max_entries(skel->maps.owners, 1);
		return;
	}
	if (!live->features->task_storage || !live->features->hash_alloc) {
		if (entries == LIVE_HEAP_ENTRIES)
			entries = BLOCKS_SMALL;
		bpf_map__set_map_flags(skel->maps.blocks, 0);
		bpf_map__set_map_flags(skel->maps.owners, 0);
		bpf_map__set_max_entries(skel->maps.owners, OWNERS_SMALL);
	}
	bpf_map__set_max_entries(skel->maps.blocks, entries);
}

void heap__fit(struct live *live)
{
	struct bpf_program *prog;

	/* until all of its probes are there: of what one of them sees the others would miss the rest */
	live->skel->bss->heap_mode = HEAP_MODE_OFF;
	fit_tables(live);
	bpf_program__set_autoattach(live->skel->progs.heap_sweep, false); /* it wants a map */
	bpf_object__for_each_program(prog, live->skel->obj)
	{
		if (!strncmp(bpf_program__name(prog), "heap_", 5))
			bpf_program__set_autoload(prog, heap__is_on(live));
	}
}

enum wire_heap_mode live__heap_mode(const struct live *live)
{
	return live->skel->bss->heap_mode;
}

void live__heap_tells_size(struct live *live, bool tells)
{
	live->skel->bss->heap_tells_size = tells;
}

void live__heap_calls(struct live *live, enum wire_heap_function function,
		      struct wire_heap_calls *calls)
{
	object__cpu_sums(live->skel->maps.heap_calls, function, (uint64_t *)calls,
			 sizeof(*calls) / sizeof(uint64_t));
}

int live__heap_wrapper(struct live *live, pid_t pid, uint64_t ip, uint32_t depth)
{
	struct wire_wrapper_key key = {.ip = ip, .tgid = pid};

	if (bpf_map_update_elem(bpf_map__fd(live->skel->maps.heap_wrappers), &key, &depth, BPF_ANY))
		return -errno;
	live->skel->bss->heap_wrapper_cnt++;
	live->skel->bss->heap_sites_epoch++;
	return 0;
}

typedef int (*row_fn)(void *ctx, const void *key, const void *val);

/* Walks a hash table in batches; while it changes an entry may be seen twice, or not at all. */
static int walk_table(const struct bpf_map *map, row_fn fn, void *ctx)
{
	size_t key_sz = bpf_map__key_size(map), val_sz = bpf_map__value_size(map);
	char *keys = malloc(BATCH * key_sz), *vals = malloc(BATCH * val_sz);
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	__u32 next, *at = NULL;
	int err = keys && vals ? 0 : -ENOMEM, end = 0;

	while (!end && !err) {
		__u32 cnt = BATCH;

		end = bpf_map_lookup_batch(bpf_map__fd(map), at, &next, keys, vals, &cnt, &opts);
		if (end && end != -ENOENT) {
			err = end;
			break;
		}
		for (__u32 i = 0; i < cnt && !err; i++)
			err = fn(ctx, keys + i * key_sz, vals + i * val_sz);
		at = &next;
	}
	free(keys);
	free(vals);
	return err;
}

/* Telling what tasks hold. */
struct telling {
	struct live *live;
	live_record_fn fn;
	void *ctx;
	uint64_t now;
	bool at_end;
	uint64_t *
		idle; /* tasks that held nothing and whose row did not change since the last look */
	size_t idle_cnt, idle_cap;
	struct map64 seen; /* of this look: task -> blocks it gave back */
};

/* Never less than nothing, should it have begun anew in the middle of a free. */
static uint64_t held(uint64_t taken, uint64_t swept, uint64_t freed)
{
	int64_t sum = (int64_t)(taken + swept - freed);

	return sum > 0 ? (uint64_t)sum : 0;
}

static uint64_t held_cnt(const struct wire_owner *owner)
{
	return held(owner->taken_cnt, owner->swept_cnt, owner->freed_cnt);
}

static int tell_owner(struct telling *telling, uint64_t task, const struct wire_owner *owner)
{
	struct wire_heap heap = {
		.hdr = {.kind = WIRE_HEAP, .sz = sizeof(heap), .ns = telling->now},
		.task = task,
		.current_bytes = held(owner->taken_bytes, owner->swept_bytes, owner->freed_bytes),
		.current_cnt = held_cnt(owner),
		.peak_bytes = owner->peak_bytes,
		.freed_bytes = owner->freed_bytes,
		.freed_cnt = owner->freed_cnt,
		.usable_bytes = owner->usable_bytes,
		.asked_bytes = owner->asked_bytes,
	};

	return telling->fn(telling->ctx, &heap, sizeof(heap));
}

static int on_owner(void *ctx, const void *key, const void *val)
{
	struct telling *telling = ctx;
	const struct wire_owner *owner = val;
	uint64_t task = *(const uint64_t *)key, before;
	int err;

	if (telling->at_end)
		return tell_owner(telling, task, owner);
	if (held_cnt(owner))
		return 0;
	if (!map64__get(&telling->live->owners_idle, task, &before) || before != owner->freed_cnt)
		return map64__set(&telling->seen, task, owner->freed_cnt);
	err = array__reserve((void **)&telling->idle, &telling->idle_cap, telling->idle_cnt + 1,
			     sizeof(*telling->idle));
	if (!err)
		telling->idle[telling->idle_cnt++] = task;
	return err;
}

/* Tells of a task for good: should it allocate again, its row begins anew. */
static int tell_idle(struct telling *telling, uint64_t task)
{
	int fd = bpf_map__fd(telling->live->skel->maps.owners);
	struct wire_owner owner;

	/* at once, or what it takes in between is lost; before 5.14 that cannot be, and it stays */
	if (bpf_map_lookup_and_delete_elem(fd, &task, &owner))
		return 0;
	return tell_owner(telling, task, &owner);
}

int live__owners(struct live *live, bool at_end, live_record_fn fn, void *ctx)
{
	struct telling telling = {
		.live = live,
		.fn = fn,
		.ctx = ctx,
		.now = mono_ns(),
		.at_end = at_end,
	};
	int err;

	if (!heap__is_on(live))
		return 0;
	err = walk_table(live->skel->maps.owners, on_owner, &telling);
	for (size_t i = 0; i < telling.idle_cnt && !err; i++)
		err = tell_idle(&telling, telling.idle[i]);
	free(telling.idle);
	map64__free(&live->owners_idle);
	live->owners_idle = telling.seen;
	return err;
}

int heap__tell_alloc(const struct wire_use *use, live_record_fn fn, void *ctx)
{
	struct wire_use alloc = {
		.hdr = use->hdr,
		.key = {.task = use->key.task, .object = use->key.object, .op = IO_ALLOC},
		.val = {.cnt = use->val.cnt, .bytes = use->val.bytes},
	};

	return fn(ctx, &alloc, sizeof(alloc));
}

/* What is held at the end, by task and site. */
struct holding {
	uint64_t now;
	struct map64 idx; /* hash of task and site -> row + 1 */
	struct wire_use *rows;
	size_t cnt, cap;
};

/* The row, or -1 and in *key where to put it. */
static int64_t find_row(const struct holding *holding, uint64_t task, uint64_t site, uint64_t *key)
{
	uint64_t idx;

	for (*key = hash64(task ^ hash64(site)); map64__get(&holding->idx, *key, &idx); (*key)++)
		if (holding->rows[idx].key.task == task && holding->rows[idx].key.object == site)
			return (int64_t)idx;
	return -1;
}

static struct wire_use *row_of(struct holding *holding, uint64_t task, uint64_t site)
{
	uint64_t key;
	int64_t idx = find_row(holding, task, site, &key);

	if (idx < 0 && holding->cnt >= HELD_MAX) {
		/* nobody's, of a site that is not known */
		task = 0;
		site = OBJECT_IS_SITE;
		idx = find_row(holding, task, site, &key);
	}
	if (idx >= 0)
		return &holding->rows[idx];
	if (array__reserve((void **)&holding->rows, &holding->cap, holding->cnt + 1,
			   sizeof(*holding->rows)) ||
	    map64__set(&holding->idx, key, holding->cnt))
		return NULL;
	holding->rows[holding->cnt] = (struct wire_use){
		.hdr = {.kind = WIRE_USE, .sz = sizeof(struct wire_use), .ns = holding->now},
		.key = {.task = task, .object = site, .op = IO_HOLD},
	};
	return &holding->rows[holding->cnt++];
}

/* As bpf/io.bpf.c has it. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int log = 63 - __builtin_clzll(ns | 1), idx;

	if (log < IO_MIN_LOG2)
		return 0;
	idx = (log - IO_MIN_LOG2) * 4 + (ns >> (log - 2) & 3);
	return idx < IO_BUCKETS ? idx : IO_BUCKETS - 1;
}

static int on_block(void *ctx, const void *key, const void *val)
{
	struct holding *holding = ctx;
	const struct wire_block *block = val;
	struct wire_use *row = row_of(holding, block->owner, block->site);
	uint64_t age = holding->now > block->ns ? holding->now - block->ns : 1, cnt = 1;

	(void)key;
	if (!row)
		return -ENOMEM;
	if (block->sz && block->weight > block->sz)
		cnt = (block->weight + block->sz / 2) / block->sz;
	row->val.cnt += cnt;
	row->val.bytes += block->weight;
	row->val.ns += age * cnt;
	if (age > row->val.max_ns)
		row->val.max_ns = age;
	row->val.latency[bucket_of(age)] += cnt;
	return 0;
}

int live__held(struct live *live, live_record_fn fn, void *ctx)
{
	struct holding holding = {.now = live->skel->bss->stop_ns};
	int err;

	if (!heap__is_on(live))
		return 0;
	err = walk_table(live->skel->maps.blocks, on_block, &holding);
	for (size_t i = 0; i < holding.cnt && !err; i++) {
		err = fn(ctx, &holding.rows[i], sizeof(holding.rows[i]));
		if (!err)
			err = heap__tell_alloc(&holding.rows[i], fn, ctx);
	}
	free(holding.rows);
	map64__free(&holding.idx);
	return err;
}

static void sweep(struct live *live)
{
	struct asyncscope *skel = live->skel;
	int err = iter__run_map(skel->progs.heap_sweep, bpf_map__fd(skel->maps.blocks));

	if (err)
		log_warn("cannot go over the table of blocks: %s", strerror(-err));
}

static void forget(struct live *live, uint32_t tgid, uint64_t before_ns)
{
	live->skel->bss->heap_gone_ns = before_ns;
	__atomic_store_n(&live->skel->bss->heap_gone_tgid, tgid, __ATOMIC_SEQ_CST);
	sweep(live);
	__atomic_store_n(&live->skel->bss->heap_gone_tgid, 0, __ATOMIC_SEQ_CST);
	live->skel->bss->heap_sites_epoch++;
}

void live__heap_forget(struct live *live, pid_t pid, uint64_t before_ns)
{
	if (heap__is_on(live))
		forget(live, pid, before_ns);
}

void live__heap_set(struct live *live, enum wire_heap_mode mode)
{
	bool was_blind = live->skel->bss->heap_mode >= HEAP_MODE_COUNTING;

	/* what was freed meanwhile was not seen */
	if (was_blind && mode < HEAP_MODE_COUNTING && heap__is_on(live))
		forget(live, HEAP_GONE_ALL, UINT64_MAX);
	/* nor perhaps the ends of calls that have begun */
	__atomic_fetch_add(&live->skel->bss->heap_epoch, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&live->skel->bss->heap_mode, mode, __ATOMIC_SEQ_CST);
}

bool live__heap_trim(struct live *live)
{
	struct asyncscope *skel = live->skel;
	uint32_t entries;

	if (!heap__is_on(live))
		return false;
	entries = bpf_map__max_entries(skel->maps.blocks);
	if (live__gauge(live, GAUGE_HEAP_BLOCKS) < (int64_t)entries - entries / 8 ||
	    skel->bss->heap_shift >= SHIFT_MAX)
		return false;
	__atomic_fetch_add(&skel->bss->heap_shift, 1, __ATOMIC_SEQ_CST);
	sweep(live);
	return true;
}

uint32_t live__heap_weight(const struct live *live)
{
	return 1u << live->skel->bss->heap_shift;
}
