/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that functions of allocators have. For allocators.c, wrappers.c and heap.c. */
#ifndef RUNTIME_ALLOCATOR_NAMES_H
#define RUNTIME_ALLOCATOR_NAMES_H

#include <stdbool.h>

#include "event/event.h"

/* What kind of name it is. */
enum allocator_family {
	FAMILY_C, /* malloc and its like, without a prefix: any allocator that stands in for libc's */
	FAMILY_RJEM, /* jemalloc as Rust's packages have it */
	FAMILY_JE,
	FAMILY_MI,
	FAMILY_TC,
	FAMILY_CXX, /* operators: an allocator's own, or a wrapper around malloc */
	FAMILY_RUST, /* what the compiler calls: an allocator's own, or a wrapper */
	FAMILY_CNT
};

struct allocator_name {
	enum wire_heap_function function;
	enum allocator_family family;
	unsigned int row; /* where several names have one address, the lowest wins */
};

/* Does a function of this name give or take memory, and how? */
bool allocator_name__find(struct allocator_name *found, const char *symbol);
/* The part of a name of Rust's compiler behind its crate: "__rust_alloc" of
 * "_RNvCs1a2b_7___rustc12___rust_alloc" and of itself; NULL: it is none. */
const char *rust_allocator_name(const char *symbol);

#endif
