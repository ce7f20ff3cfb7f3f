/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each function of the family in a thread of its own, in known numbers, with what is nested in one
 * another, what fails, and what was there before. Part of heap_truth.
 */
#ifndef HEAP_FAMILY_H
#define HEAP_FAMILY_H

#include "heap_books.h"

#include <dlfcn.h>

#define ROUNDS 300
#define KEPT   40 /* of each thread's blocks so many stay */

static __attribute__((unused)) bool whole_pages; /* pvalloc is asked for nothing else */

/* A function that another library gives than the allocator in use must be left alone: what it returns
 * cannot be freed. */
static bool is_of_allocator(void *fn)
{
#ifdef HEAP_STATIC
	return fn;
#else
	Dl_info mine, other;

	return dladdr((void *)malloc, &mine) && dladdr(fn, &other) &&
	       mine.dli_fbase == other.dli_fbase;
#endif
}

/* Sizes from 24 to about 3,000. */
static inline size_t size_of_round(int i)
{
	return heap_sz(24 + (size_t)(i * 37 % 2989));
}

static void run_malloc(struct book *book)
{
	void *kept[KEPT];

	for (int i = 0; i < ROUNDS; i++)
		FREE(book, book, MALLOC(book, size_of_round(i)), size_of_round(i));
	for (int i = 0; i < KEPT; i++)
		kept[i] = MALLOC(book, size_of_round(i));
	for (int i = 0; i < KEPT; i += 2) /* the peak is behind */
		FREE(book, book, kept[i], size_of_round(i));
	FREE(book, book, MALLOC(book, heap_sz(0)), 0);
	FREE(book, book, MALLOC(book, heap_sz(8 << 20)), 8 << 20); /* mapped apart */
}

static void run_calloc(struct book *book)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *block = CALLOC(book, heap_sz(3), size_of_round(i));

		if (i >= KEPT)
			FREE(book, book, block, 3 * size_of_round(i));
	}
	CALLOC(book, heap_sz((size_t)1 << 33), heap_sz((size_t)1 << 33)); /* overflows */
}

/* Grows, shrinks, begins with nothing, ends with nothing. */
static void run_realloc(struct book *book)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t sz = size_of_round(i), next;
		void *block = REALLOC(book, book, NULL, 0, sz);

		for (int j = 1; j < 5; j++, sz = next) {
			next = size_of_round(i * 5 + j * 71);
			block = REALLOC(book, book, block, sz, next);
		}
		if (i < KEPT)
			continue;
		if (i % 2)
			FREE(book, book, block, sz);
		else if ((block = REALLOC(book, book, block, sz, heap_sz(0))))
			FREE(book, book, block, 0);
	}
}

static void run_reallocarray(struct book *book)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t sz = size_of_round(i);
		void *block = REALLOCARRAY(book, book, NULL, 0, heap_sz(2), sz);

		block = REALLOCARRAY(book, book, block, 2 * sz, heap_sz(5), sz);
		FREE(book, book, block, 5 * sz);
	}
	/* too much, and no overflow, at which it is an allocator's own whether that is a call */
	REALLOCARRAY(book, book, NULL, 0, ABSURD / 16, heap_sz(32));
}

static void run_strdup(struct book *book)
{
	static const char *const text[] = {"", "a", "twelve bytes", "somewhat longer than that"};

	for (int i = 0; i < ROUNDS; i++) {
		char *copy = STRDUP(book, text[i % 4]);

		if (i >= KEPT)
			FREE(book, book, copy, strlen(copy) + 1);
	}
}

static void run_posix_memalign(struct book *book)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *block = POSIX_MEMALIGN(book, heap_sz((size_t)16 << i % 8), size_of_round(i));

		if (i >= KEPT)
			FREE(book, book, block, size_of_round(i));
	}
	POSIX_MEMALIGN(book, heap_sz(3), heap_sz(100)); /* no alignment */
	POSIX_MEMALIGN(book, heap_sz(64), ABSURD);
}

static void run_memalign(struct book *book)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *block = MEMALIGN(book, heap_sz((size_t)32 << i % 6), size_of_round(i));

		if (i >= KEPT)
			FREE(book, book, block, size_of_round(i));
	}
	MEMALIGN(book, heap_sz(64), ABSURD);
}

static void run_aligned_alloc(struct book *book)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t sz = heap_sz(64 * (size_t)(1 + i % 50));
		void *block = ALIGNED(book, heap_sz(64), sz);

		if (i >= KEPT)
			FREE(book, book, block, sz);
	}
}

static void run_valloc(struct book *book)
{
	if (!is_of_allocator((void *)valloc))
		return;
	for (int i = 0; i < ROUNDS; i++) {
		void *block = VALLOC(book, size_of_round(i));

		if (i >= KEPT)
			FREE(book, book, block, size_of_round(i));
	}
}

#ifdef HEAP_PVALLOC
static void run_pvalloc(struct book *book)
{
	if (!is_of_allocator((void *)pvalloc))
		return;
	for (int i = 0; i < ROUNDS; i++) {
		size_t sz = whole_pages ? heap_sz(4096 * (size_t)(1 + i % 3)) : size_of_round(i);
		void *block = PVALLOC(book, sz);

		if (i >= KEPT)
			FREE(book, book, block, sz);
	}
}
#endif

/* What returns nothing, and what frees nothing; beside blocks that stay what they were. */
static void run_nothing(struct book *book)
{
	void *block = MALLOC(book, heap_sz(500));

	for (int i = 0; i < ROUNDS; i++)
		free(heap_escape(NULL));
	for (int i = 0; i < 5; i++) {
		MALLOC(book, ABSURD);
		CALLOC(book, heap_sz(1), ABSURD);
		REALLOC(book, book, NULL, 0, ABSURD);
		REALLOC(book, book, block, 500, ABSURD); /* the block stays */
	}
	block = REALLOC(book, book, block, 500, heap_sz(700));
	FREE(book, book, block, 700);
	REALLOC(book, book, NULL, 0, heap_sz(900));
}

/* Blocks of the time before. */
#define BEFORE_CNT 120
static void *before[BEFORE_CNT];

static void setup_before(void)
{
	for (int i = 0; i < BEFORE_CNT; i++)
		before[i] = malloc(size_of_round(i));
}

static void run_before(struct book *book)
{
	for (int i = 0; i < BEFORE_CNT; i++) {
		if (i % 3) {
			book->fns[FN_FREE].calls++;
			book->unknown++;
			free(heap_escape(before[i]));
		} else {
			REALLOC(book, NULL, before[i], 0, heap_sz(1000));
		}
	}
}

#endif
