/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that is loaded late and allocates: heap_lib.so, by heap_truth's scenario dlopen. It comes
 * with symbols of its own, so that a recording can name the function.
 */
#include <stdlib.h>

__attribute__((noinline)) void *heap_lib_alloc(size_t sz)
{
	void *block = malloc(sz);

	__asm__ volatile("" : "+r"(block)); /* the call returns into this function */
	return block;
}

__attribute__((noinline)) void heap_lib_free(void *block)
{
	free(block);
	__asm__ volatile("");
}
