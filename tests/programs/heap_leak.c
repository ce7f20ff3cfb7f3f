/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A leak of known size at a known place, in C: see heap_leak.h. Run by tests/live/heap_leak.t. */
#define LEAK_BLOCKS 1
#include "heap_leak.h"

static inline __attribute__((always_inline)) void *take(size_t sz)
{
	return malloc(sz);
}

static inline __attribute__((always_inline)) void give(void *block)
{
	free(block);
}

static NOINLINE void plant_leak(void)
{
	void *block = take(LEAK_SZ);

	KEEP(block);
}

int main(int argc, char **argv)
{
	return leak_main(argc, argv, "C");
}
