/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory as glibc's malloc leaves it, made up: a main heap, and an arena of two heaps. For the tests
 * and the fuzzer of the walk over it.
 *
 *   main    used 0x290, free 0x5000, used blocks of 0x40, free 0x100, used 0x40, top
 *   first   used 0x100, free up to the headers that close it (the arena went on in `second`)
 *   second  used 0x60, top
 */
#ifndef TESTS_UNIT_HEAP_IMAGE_H
#define TESTS_UNIT_HEAP_IMAGE_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "target/heap_walk.h"

#define IMAGE_PAGE   0x1000ULL
#define IMAGE_MAIN   0x5550000000ULL
#define IMAGE_DATA   0x7f1000000000ULL
#define IMAGE_FIRST  0x7f2000000000ULL
#define IMAGE_SECOND 0x7f2008000000ULL
#define IMAGE_STATE  (IMAGE_DATA + 0x1c80) /* struct malloc_state of the main arena */
#define IMAGE_ARENA  (IMAGE_FIRST + 48)
#define IMAGE_CHUNK1 (IMAGE_FIRST + 2256) /* the first ones behind what describes the heaps */
#define IMAGE_CHUNK2 (IMAGE_SECOND + 48)
#define IMAGE_SMALL  4000

enum image_part { PART_MAIN, PART_DATA, PART_FIRST, PART_SECOND, PART_CNT };

static const struct {
	uint64_t addr, pages;
} image_parts[PART_CNT] = {
	[PART_MAIN] = {IMAGE_MAIN, 80},
	[PART_DATA] = {IMAGE_DATA, 4},
	[PART_FIRST] = {IMAGE_FIRST, 4},
	[PART_SECOND] = {IMAGE_SECOND, 4},
};

struct image {
	uint8_t *mem[PART_CNT];
	uint8_t *resident[PART_CNT]; /* by page */
	struct heap_range data;
	struct heap_memory memory;
	unsigned int reads, broken_read; /* that one, counted from 1, brings nonsense */
	struct heap_walk expected;
};

static inline int image__part(uint64_t addr)
{
	for (int i = 0; i < PART_CNT; i++)
		if (addr >= image_parts[i].addr &&
		    addr < image_parts[i].addr + image_parts[i].pages * IMAGE_PAGE)
			return i;
	return -1;
}

static inline ssize_t image__read(void *ctx, uint64_t addr, void *buf, size_t sz)
{
	struct image *image = ctx;
	int part = image__part(addr);
	uint64_t left;

	if (part < 0)
		return -EFAULT;
	left = image_parts[part].addr + image_parts[part].pages * IMAGE_PAGE - addr;
	sz = sz < left ? sz : left;
	memcpy(buf, image->mem[part] + (addr - image_parts[part].addr), sz);
	if (++image->reads == image->broken_read)
		memset(buf, 0x41, sz);
	return (ssize_t)sz;
}

static inline int image__resident(void *ctx, uint64_t addr, uint8_t *is, size_t cnt)
{
	struct image *image = ctx;

	for (size_t i = 0; i < cnt; i++) {
		uint64_t at = addr + i * IMAGE_PAGE;
		int part = image__part(at);

		is[i] = part < 0
				? 0
				: image->resident[part][(at - image_parts[part].addr) / IMAGE_PAGE];
	}
	return 0;
}

static inline void image__put(struct image *image, uint64_t addr, uint64_t word)
{
	int part = image__part(addr);

	if (part < 0 || image__part(addr + 7) != part)
		abort();
	memcpy(image->mem[part] + (addr - image_parts[part].addr), &word, sizeof(word));
}

/* A chunk: where the next one begins. `used` by itself, `before` of the one in front of it. */
static inline uint64_t image__chunk(struct image *image, uint64_t addr, uint64_t size, bool used,
				    bool before)
{
	uint64_t word;

	image__put(image, addr + 8, size | before);
	if (used) {
		image->expected.used_bytes += size;
		return addr + size;
	}
	word = size;
	image__put(image, addr + size, word);
	image->expected.free_bytes += size;
	return addr + size;
}

static inline void image__top(struct image *image, uint64_t state, uint64_t addr, uint64_t end)
{
	image__put(image, addr + 8, (end - addr) | 1);
	image__put(image, state + 96, addr);
	image->expected.top_bytes += end - addr;
}

/* What of struct malloc_state is looked at, beside `top`. */
static inline void image__state(struct image *image, uint64_t state, uint64_t next,
				uint64_t system_mem)
{
	for (uint64_t i = 0; i < 254; i++)
		image__put(image, state + 112 + 8 * i, state + 96 + 16 * (i / 2));
	image__put(image, state + 2160, next);
	image__put(image, state + 2184, system_mem);
}

static inline void image__main(struct image *image)
{
	uint64_t end = IMAGE_MAIN + image_parts[PART_MAIN].pages * IMAGE_PAGE;
	uint64_t at = image__chunk(image, IMAGE_MAIN, 0x290, true, true);

	image__state(image, IMAGE_STATE, IMAGE_ARENA, end - IMAGE_MAIN);
	at = image__chunk(image, at, 0x5000, false, true);
	for (unsigned int i = 0; i < IMAGE_SMALL; i++)
		at = image__chunk(image, at, 0x40, true, i);
	at = image__chunk(image, at, 0x100, false, true);
	at = image__chunk(image, at, 0x40, true, false);
	image__top(image, IMAGE_STATE, at, end);
}

static inline void image__info(struct image *image, uint64_t heap, uint64_t prev, uint64_t size)
{
	image__put(image, heap, IMAGE_ARENA);
	image__put(image, heap + 8, prev);
	image__put(image, heap + 16, size);
	image__put(image, heap + 24, size);
}

static inline void image__arena(struct image *image)
{
	uint64_t first = image_parts[PART_FIRST].pages * IMAGE_PAGE;
	uint64_t second = image_parts[PART_SECOND].pages * IMAGE_PAGE, at;

	image__info(image, IMAGE_FIRST, 0, first);
	image__info(image, IMAGE_SECOND, IMAGE_FIRST, second);
	image__state(image, IMAGE_ARENA, IMAGE_STATE, first + second);
	at = image__chunk(image, IMAGE_CHUNK1, 0x100, true, true);
	at = image__chunk(image, at, IMAGE_FIRST + first - 32 - at, false, true);
	image__put(image, at + 8, 16);
	image__put(image, at + 24, 1);
	image->expected.used_bytes += 32;
	at = image__chunk(image, IMAGE_CHUNK2, 0x60, true, true);
	image__top(image, IMAGE_ARENA, at, IMAGE_SECOND + second);
}

/* All of it is resident. */
static inline struct image *image__new(void)
{
	struct image *image = calloc(1, sizeof(*image));

	for (int i = 0; image && i < PART_CNT; i++) {
		image->mem[i] = calloc(image_parts[i].pages, IMAGE_PAGE);
		image->resident[i] = malloc(image_parts[i].pages);
		if (!image->mem[i] || !image->resident[i])
			abort();
		memset(image->resident[i], 1, image_parts[i].pages);
		if (i != PART_DATA)
			image->expected.resident_bytes += image_parts[i].pages * IMAGE_PAGE;
	}
	if (!image)
		abort();
	image__main(image);
	image__arena(image);
	image->expected.free_resident_bytes =
		image->expected.free_bytes + image->expected.top_bytes;
	image->expected.arena_cnt = 2;
	image->data = (struct heap_range){IMAGE_DATA,
					  IMAGE_DATA + image_parts[PART_DATA].pages * IMAGE_PAGE};
	image->memory = (struct heap_memory){
		.read = image__read,
		.resident = image__resident,
		.ctx = image,
		.heap = {IMAGE_MAIN, IMAGE_MAIN + image_parts[PART_MAIN].pages * IMAGE_PAGE},
		.data = &image->data,
		.data_cnt = 1,
	};
	return image;
}

static inline void image__free(struct image *image)
{
	for (int i = 0; i < PART_CNT; i++) {
		free(image->mem[i]);
		free(image->resident[i]);
	}
	free(image);
}

#endif
