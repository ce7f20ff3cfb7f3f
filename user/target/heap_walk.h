/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of the memory that glibc's malloc holds is free: from the headers of its chunks, read out of
 * the target's memory. Nothing is written, nothing stopped; the target goes on meanwhile, and what is
 * read may be anything. What does not fit together is no number, but a reason. Called by cmd/memory.c
 * when a recording ends.
 *
 * Chunks that wait in a thread's cache (tcache) or in a fast bin look like used ones: what is free is
 * told without them, so it is a lower bound. (The key word of cached chunks stays behind in blocks that
 * were given out again, so it does not tell them apart exactly.)
 */
#ifndef TARGET_HEAP_WALK_H
#define TARGET_HEAP_WALK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target/target.h"

/* Beyond these it gives up: heaps of so many bytes, so much of the tracer's own CPU time for a try. */
#define HEAP_WALK_MAX_BYTES (256ULL << 20)
#define HEAP_WALK_MAX_NS    100000000ULL

struct heap_range {
	uint64_t start, end;
};

/* The memory that is looked at. */
struct heap_memory {
	/* bytes read or -errno */
	ssize_t (*read)(void *ctx, uint64_t addr, void *buf, size_t sz);
	/* of each page from that address on, whether it is resident: 0 or -errno */
	int (*resident)(void *ctx, uint64_t addr, uint8_t *is, size_t cnt);
	void *ctx;
	struct heap_range heap; /* the program break's */
	const struct heap_range *data; /* where libc's variables may be */
	size_t data_cnt;
};

/* Bytes are those of chunks, with their headers, of all arenas. What has a mapping of its own (large
 * blocks) is not in it. */
struct heap_walk {
	uint64_t used_bytes;
	uint64_t free_bytes; /* between used ones */
	uint64_t top_bytes; /* at the ends, not given out yet */
	uint64_t resident_bytes; /* of the heaps */
	uint64_t free_resident_bytes; /* of free and top, what is on resident pages */
	unsigned int arena_cnt;
	char why[128]; /* why there is nothing */
};

/* 0, or -errno and why: then all numbers are 0. -EAGAIN: it did not fit together, as happens while the
 * target goes on; heap_walk() has tried it several times then. */
int heap_walk(struct heap_walk *walk, const struct target *target);
int heap_walk__memory(struct heap_walk *walk, const struct heap_memory *memory);

#endif
