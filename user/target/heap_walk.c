/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glibc's arenas and their chunks; see heap_walk.h.
 *
 * The main arena is a variable of libc without a symbol. It is found by what it must be: it points to
 * the last chunk of the program break's memory, which reaches up to its end, its empty bins point to
 * themselves, and the ring of arenas that begins there comes back to it. The ring tells all others, so
 * none is overlooked; each has its heaps, each of them in HEAP_MAX bytes of its own.
 */
#include "target/heap_walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"

#define PAGE     4096ULL
#define HEAP_MAX (64ULL << 20)
#define ALIGN    16ULL
#define MIN_SIZE 32ULL

/* malloc/malloc.c: the low bits of a chunk's size */
#define PREV_INUSE 1ULL
#define IS_MMAPPED 2ULL
#define NON_MAIN   4ULL
#define FLAGS      7ULL

/* struct malloc_state, from `top` on: the same in all versions since 2.23 (attached_threads). */
#define BINS_OFF       16
#define BIN_CNT        127
#define NEXT_OFF       2064
#define SYSTEM_MEM_OFF 2088
#define STATE_SZ       2104

/* Where `top` is in it: since 2.26; before have_fastchunks; and if the fast bins went. */
static const uint64_t top_offs[] = {96, 88, 16, 8};

#define ARENAS_MAX 1024
#define WINDOW     65536
#define DATA_MAX   (4ULL << 20)
#define MARKS      64
#define BACKS      200 /* so often it is gone back without getting further */
#define TRIES      4 /* for an arena */

struct arena {
	uint64_t addr; /* 0: the main one */
	uint64_t top;
	uint64_t system_mem;
};

/* A stretch of chunks. */
struct region {
	struct heap_range all; /* its memory, by pages */
	uint64_t first; /* chunk */
	bool main;
	bool has_top;
};

/* What was counted before a chunk. */
struct mark {
	uint64_t addr;
	struct heap_walk sums;
};

struct walker {
	const struct heap_memory *memory;
	struct heap_walk *walk;
	uint64_t top_off, main_addr;
	struct arena *arenas;
	size_t arena_cnt, arena_cap;
	uint64_t to_walk, deadline_ns;
	struct mark marks[MARKS];
	size_t mark_cnt;
	uint8_t *resident; /* a byte for each page of the region */
	uint64_t window_addr;
	size_t window_sz;
	uint8_t window[WINDOW];
};

struct chunk {
	uint64_t addr, prev_size, size, flags;
};

static uint64_t align_up(uint64_t val, uint64_t to)
{
	return (val + to - 1) & ~(to - 1);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

__attribute__((format(printf, 3, 4))) static int fail(struct walker *w, int err, const char *fmt,
						      ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->walk->why, sizeof(w->walk->why), fmt, args);
	va_end(args);
	return err;
}

/* It may be in order the next time: the target goes on meanwhile. */
static int changed(struct walker *w, uint64_t addr)
{
	return fail(w, -EAGAIN, "its heap made no sense at %#llx: changed meanwhile, or damaged",
		    (unsigned long long)addr);
}

static bool read_all(struct walker *w, uint64_t addr, void *buf, size_t sz)
{
	return addr + sz >= addr && w->memory->read(w->memory->ctx, addr, buf, sz) == (ssize_t)sz;
}

static uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* --- arenas --- */

/* Empty bins point to themselves, forth and back. */
static bool has_bins(const uint8_t *state, uint64_t addr)
{
	for (unsigned int i = 0; i < BIN_CNT; i++) {
		const uint8_t *bin = state + BINS_OFF + 16 * (size_t)i;
		uint64_t self = addr + 16 * (uint64_t)i, fd = word_at(bin), bk = word_at(bin + 8);

		if (!fd || !bk || (fd == self) != (bk == self) || (fd | bk) % 8)
			return false;
	}
	return true;
}

static int add_arena(struct walker *w, uint64_t addr, const uint8_t *state)
{
	if (array__reserve((void **)&w->arenas, &w->arena_cap, w->arena_cnt + 1,
			   sizeof(*w->arenas)))
		return -ENOMEM;
	w->arenas[w->arena_cnt++] =
		(struct arena){addr, word_at(state), word_at(state + SYSTEM_MEM_OFF)};
	return 0;
}

/* Follows the ring from the main arena on. 0, -EINVAL when it does not come back, -ENOMEM. */
static int follow_ring(struct walker *w, uint64_t main_top, const uint8_t *main_state,
		       uint64_t top_off)
{
	uint64_t addr = word_at(main_state + NEXT_OFF), main_addr = main_top - top_off;
	uint8_t state[STATE_SZ];
	int err;

	w->arena_cnt = 0;
	err = add_arena(w, 0, main_state);
	while (!err && addr != main_addr) {
		uint64_t off = addr % HEAP_MAX;

		/* behind struct heap_info: pagesize came to it with 2.35 */
		if ((off != 32 && off != 48) || w->arena_cnt >= ARENAS_MAX ||
		    !read_all(w, addr + top_off, state, sizeof(state)))
			return -EINVAL;
		err = add_arena(w, addr, state);
		addr = word_at(state + NEXT_OFF);
	}
	w->top_off = top_off;
	w->main_addr = main_addr;
	return err;
}

/* Is the main arena's `top` there? 0, -EINVAL when not, -ENOMEM. */
static int look_at(struct walker *w, uint64_t addr, const uint8_t *state)
{
	const struct heap_range *heap = &w->memory->heap;
	uint64_t top = word_at(state), size, system_mem;
	int err = -EINVAL;

	if (top < heap->start || top >= heap->end || top % ALIGN)
		return -EINVAL;
	system_mem = word_at(state + SYSTEM_MEM_OFF);
	if (!system_mem || !has_bins(state, addr) || !read_all(w, top + 8, &size, sizeof(size)))
		return -EINVAL;
	/* a hostile one may make them by the thousand */
	if (cpu_ns() > w->deadline_ns)
		return -ETIME;
	if ((size & ~FLAGS) != heap->end - top)
		return -EINVAL;
	for (size_t i = 0; err == -EINVAL && i < sizeof(top_offs) / sizeof(top_offs[0]); i++)
		err = follow_ring(w, addr, state, top_offs[i]);
	return err;
}

static int search(struct walker *w, const struct heap_range *data)
{
	uint64_t end = data->end - data->start > DATA_MAX ? data->start + DATA_MAX : data->end;
	ssize_t got;
	int err;

	for (uint64_t at = data->start; at < end; at += WINDOW - align_up(STATE_SZ, PAGE)) {
		got = w->memory->read(w->memory->ctx, at, w->window,
				      end - at < WINDOW ? end - at : WINDOW);
		for (ssize_t i = 0; i + STATE_SZ <= got; i += 8) {
			err = look_at(w, at + (uint64_t)i, w->window + i);
			if (err != -EINVAL)
				return err;
		}
	}
	return -EINVAL;
}

static int find_arenas(struct walker *w)
{
	int err = -EINVAL;

	if (w->memory->heap.start >= w->memory->heap.end)
		return fail(w, -ENOENT, "its allocator has no heap at the program break");
	for (size_t i = 0; err == -EINVAL && i < w->memory->data_cnt; i++)
		err = search(w, &w->memory->data[i]);
	if (err == -EINVAL)
		return fail(w, -EAGAIN,
			    "the state of its malloc was not recognised (another allocator, "
			    "or the program break is not malloc's alone)");
	return err ? fail(w, err, "its arenas cannot be listed: %s", strerror(-err)) : 0;
}

/* --- chunks --- */

static bool is_resident(struct walker *w, const struct region *region, uint64_t addr)
{
	uint64_t page = addr / PAGE - region->all.start / PAGE;

	/* it may have come since it was looked at */
	if (!w->resident[page])
		w->memory->resident(w->memory->ctx, addr & ~(PAGE - 1), &w->resident[page], 1);
	return w->resident[page];
}

static uint64_t walked(const struct heap_walk *walk)
{
	return walk->used_bytes + walk->free_bytes + walk->top_bytes;
}

/* Up to a page that is not resident: reading it would bring it in. */
static int fill_window(struct walker *w, const struct region *region, uint64_t addr)
{
	uint64_t end = addr,
		 max = region->all.end - addr < WINDOW ? region->all.end : addr + WINDOW;
	ssize_t got;

	if (cpu_ns() > w->deadline_ns)
		return fail(w, -ETIME,
			    "its heaps are too large to be walked: %llu of %llu KiB in %llu ms",
			    (unsigned long long)walked(w->walk) / 1024,
			    (unsigned long long)w->to_walk / 1024, HEAP_WALK_MAX_NS / 1000000);
	while (end < max && (end == addr ? is_resident(w, region, end)
					 : w->resident[end / PAGE - region->all.start / PAGE]))
		end = (end & ~(PAGE - 1)) + PAGE;
	if (end == addr)
		return fail(w, -EAGAIN, "its heap is not resident at %#llx: swapped out",
			    (unsigned long long)addr);
	got = w->memory->read(w->memory->ctx, addr, w->window, (end < max ? end : max) - addr);
	if (got < 16)
		return changed(w, addr);
	w->window_addr = addr;
	w->window_sz = (size_t)got;
	return 0;
}

/* The header at addr, 16 bytes that lie in the region. */
static int read_chunk(struct walker *w, const struct region *region, uint64_t addr,
		      struct chunk *chunk)
{
	const uint8_t *at;
	int err;

	if (addr < w->window_addr || addr - w->window_addr + 16 > w->window_sz) {
		err = fill_window(w, region, addr);
		if (err)
			return err;
	}
	at = w->window + (addr - w->window_addr);
	chunk->addr = addr;
	chunk->prev_size = word_at(at);
	chunk->size = word_at(at + 8) & ~FLAGS;
	chunk->flags = word_at(at + 8) & FLAGS;
	return 0;
}

static void add_free(struct walker *w, const struct region *region, const struct chunk *chunk)
{
	uint64_t end = chunk->addr + chunk->size;

	for (uint64_t at = chunk->addr, next; at < end; at = next) {
		next = (at & ~(PAGE - 1)) + PAGE;
		next = next < end ? next : end;
		if (w->resident[at / PAGE - region->all.start / PAGE])
			w->walk->free_resident_bytes += next - at;
	}
}

/* The two headers that close a heap when its arena went on in another one: of 16 bytes, and of none.
 * They are the allocator's own. */
static int closes(struct walker *w, const struct region *region, const struct chunk *chunk)
{
	struct chunk last;
	int err;

	if (region->has_top || chunk->addr != region->all.end - 2 * ALIGN)
		return 0;
	err = read_chunk(w, region, chunk->addr + ALIGN, &last);
	if (err)
		return err;
	if (chunk->size != ALIGN || last.size)
		return changed(w, chunk->addr);
	w->walk->used_bytes += 2 * ALIGN;
	return 1;
}

static bool is_sound(const struct region *region, const struct chunk *chunk)
{
	uint64_t left = region->all.end - chunk->addr;

	if (chunk->size % ALIGN || chunk->size < MIN_SIZE || chunk->size > left)
		return false;
	if ((chunk->flags & IS_MMAPPED) || (region->main && (chunk->flags & NON_MAIN)))
		return false;
	/* the last one is the top; before it, or before the end, there is room for a header */
	return chunk->size == left ? region->has_top : left - chunk->size >= ALIGN;
}

/* Whether a chunk is used stands in the next one, which knows its size when it is free. Two free ones
 * are never neighbours. */
static int add_chunk(struct walker *w, const struct region *region, const struct chunk *chunk,
		     const struct chunk *next)
{
	if (next->flags & PREV_INUSE) {
		w->walk->used_bytes += chunk->size;
		return 0;
	}
	if (next->prev_size != chunk->size || !(chunk->flags & PREV_INUSE))
		return changed(w, chunk->addr);
	w->walk->free_bytes += chunk->size;
	add_free(w, region, chunk);
	return 0;
}

/* From a chunk to the next one. 0, 1 at the end, -errno. */
static int step(struct walker *w, const struct region *region, struct chunk *chunk)
{
	uint64_t left = region->all.end - chunk->addr;
	struct chunk next;
	int err = closes(w, region, chunk);

	if (err)
		return err;
	if (!is_sound(region, chunk))
		return changed(w, chunk->addr);
	if (chunk->size == left) {
		/* memory before the top is never free: it would be part of it */
		if (!(chunk->flags & PREV_INUSE))
			return changed(w, chunk->addr);
		w->walk->top_bytes += chunk->size;
		add_free(w, region, chunk);
		return 1;
	}
	err = read_chunk(w, region, chunk->addr + chunk->size, &next);
	if (!err)
		err = add_chunk(w, region, chunk, &next);
	if (!err)
		*chunk = next;
	return err;
}

/* Remembers where a window began. The region's beginning stays. */
static void push_mark(struct walker *w, uint64_t addr)
{
	if (w->mark_cnt == MARKS) {
		memmove(&w->marks[1], &w->marks[2], (MARKS - 2) * sizeof(*w->marks));
		w->mark_cnt--;
	}
	w->marks[w->mark_cnt++] = (struct mark){addr, *w->walk};
}

/* Back to where the chain made sense, to read anew from there; each time further. */
static int go_back(struct walker *w, const struct region *region, struct chunk *chunk)
{
	const struct mark *mark;

	if (w->mark_cnt > 1)
		w->mark_cnt--;
	mark = &w->marks[w->mark_cnt - 1];
	*w->walk = mark->sums;
	w->window_sz = 0;
	return read_chunk(w, region, mark->addr, chunk);
}

/* A chunk may be gone when its header is read, merged with the one before it, because a window is read
 * later than the one before. So it is tried again from before there, as long as that leads further. */
static int walk_chunks(struct walker *w, const struct region *region)
{
	struct chunk chunk = {.addr = region->first};
	uint64_t furthest = 0;
	unsigned int backs = 0;
	int err;

	w->mark_cnt = 0;
	push_mark(w, region->first);
	err = read_chunk(w, region, region->first, &chunk);
	while (!err || (err == -EAGAIN && backs < BACKS)) {
		if (err) {
			backs = chunk.addr > furthest ? 0 : backs + 1;
			furthest = chunk.addr > furthest ? chunk.addr : furthest;
			err = go_back(w, region, &chunk);
			continue;
		}
		if (chunk.addr == w->window_addr && chunk.addr != w->marks[w->mark_cnt - 1].addr)
			push_mark(w, chunk.addr);
		err = step(w, region, &chunk);
	}
	return err == 1 ? 0 : err;
}

/* --- heaps --- */

/* `resident_end`: memory behind the heap's end that was given to it before. */
static int walk_region(struct walker *w, const struct region *region, uint64_t resident_end)
{
	size_t cnt = (size_t)((resident_end - region->all.start) / PAGE);
	int err;

	if (resident_end - region->all.start > HEAP_WALK_MAX_BYTES)
		return changed(w, region->all.start);
	w->resident = malloc(cnt);
	if (!w->resident)
		return fail(w, -ENOMEM, "out of memory");
	w->window_sz = 0;
	err = w->memory->resident(w->memory->ctx, region->all.start, w->resident, cnt);
	if (err)
		fail(w, err, "its resident pages cannot be read: %s", strerror(-err));
	for (size_t i = 0; !err && i < cnt; i++)
		w->walk->resident_bytes += w->resident[i] ? PAGE : 0;
	if (!err)
		err = walk_chunks(w, region);
	free(w->resident);
	w->resident = NULL;
	return err;
}

static int walk_main(struct walker *w, const struct arena *arena)
{
	struct region region = {.all = w->memory->heap, .main = true, .has_top = true};

	if (arena->system_mem > region.all.end - region.all.start)
		return fail(w, -ENOTSUP, "its main heap is not in one piece");
	/* before it: what else was taken from the program break at the start */
	region.first = align_up(region.all.end - arena->system_mem, ALIGN);
	if (region.first >= region.all.end - MIN_SIZE)
		return changed(w, region.first);
	region.all.start = region.first & ~(PAGE - 1);
	return walk_region(w, &region, region.all.end);
}

/* One heap of an arena; *at: its address, then the one's before it, 0 at the first one. */
static int walk_heap(struct walker *w, const struct arena *arena, uint64_t *at, uint64_t *left)
{
	/* ar_ptr, prev, size, mprotect_size */
	uint64_t info[4], heap = *at, first = arena->addr - arena->addr % HEAP_MAX;
	struct region region = {.has_top = heap == arena->top - arena->top % HEAP_MAX};

	if (!read_all(w, heap, info, sizeof(info)))
		return changed(w, heap);
	if (info[0] != arena->addr || info[2] % PAGE || !info[2] || info[2] > *left ||
	    info[2] > HEAP_MAX || info[3] < info[2] || info[3] > HEAP_MAX || info[3] % PAGE ||
	    (heap == first) != !info[1] || info[1] % HEAP_MAX)
		return changed(w, heap);
	region.all = (struct heap_range){heap, heap + info[2]};
	region.first = heap + arena->addr % HEAP_MAX;
	if (heap == first)
		region.first = align_up(region.first + w->top_off + STATE_SZ, ALIGN);
	*left -= info[2];
	*at = info[1];
	return walk_region(w, &region, heap + info[3]);
}

static int walk_arena(struct walker *w, const struct arena *arena)
{
	uint64_t at = arena->top - arena->top % HEAP_MAX, left = arena->system_mem;
	int err = 0;

	/* each takes some of what is left, so it ends */
	while (!err && at)
		err = walk_heap(w, arena, &at, &left);
	if (!err && left)
		return changed(w, arena->addr);
	return err;
}

/* It may have grown, or shrunk, since it was listed. */
static int try_arena(struct walker *w, struct arena *arena)
{
	const struct heap_walk before = *w->walk;
	uint8_t state[STATE_SZ];
	int err = -EAGAIN;

	if (!arena->addr)
		return walk_main(w, arena);
	for (unsigned int i = 0; i < TRIES && err == -EAGAIN; i++) {
		*w->walk = before;
		if (!read_all(w, arena->addr + w->top_off, state, sizeof(state)))
			return changed(w, arena->addr);
		arena->top = word_at(state);
		arena->system_mem = word_at(state + SYSTEM_MEM_OFF);
		err = walk_arena(w, arena);
	}
	return err;
}

static int walk_all(struct walker *w)
{
	int err = find_arenas(w);

	w->to_walk = 0;
	for (size_t i = 0; !err && i < w->arena_cnt; i++) {
		uint64_t sz = w->arenas[i].system_mem;

		if (sz > HEAP_WALK_MAX_BYTES || w->to_walk + sz > HEAP_WALK_MAX_BYTES)
			return fail(w, -EFBIG,
				    "its heaps are too large to be walked: above %llu MiB",
				    HEAP_WALK_MAX_BYTES >> 20);
		w->to_walk += sz;
	}
	for (size_t i = 0; !err && i < w->arena_cnt; i++)
		err = try_arena(w, &w->arenas[i]);
	w->walk->arena_cnt = (unsigned int)w->arena_cnt;
	return err;
}

int heap_walk__memory(struct heap_walk *walk, const struct heap_memory *memory)
{
	struct walker *w = calloc(1, sizeof(*w));
	struct heap_walk none = {};
	int err;

	*walk = none;
	if (!w) {
		snprintf(walk->why, sizeof(walk->why), "out of memory");
		return -ENOMEM;
	}
	w->memory = memory;
	w->walk = walk;
	w->deadline_ns = cpu_ns() + HEAP_WALK_MAX_NS;
	err = walk_all(w);
	if (err) {
		memcpy(none.why, walk->why, sizeof(none.why));
		*walk = none;
	}
	free(w->arenas);
	free(w);
	return err;
}
