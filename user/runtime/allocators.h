/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gives and takes memory in a target: the functions of the malloc family in its mapped files, and
 * whose they are. For heap.c, which probes them, and cmd/, which tells.
 */
#ifndef RUNTIME_ALLOCATORS_H
#define RUNTIME_ALLOCATORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "event/event.h"
#include "runtime/wrappers.h"
#include "target/elf.h"
#include "target/target.h"

struct allocator_function {
	enum wire_heap_function function;
	struct elf_sym sym; /* of several names at one address the first of the table */
};

/* The allocator of one file. */
struct allocator {
	char name[64]; /* "glibc malloc"; of a static program maybe more than one */
	const char *how; /* what it is known by: "exact symbol", or "strings" when there are no
			  * functions: linked into a program without symbols */
	struct elf_file *file; /* owned */
	struct allocator_function *functions; /* by address, each address once */
	size_t cnt;
	char *unseen; /* functions whose calls cannot be seen, and why; by heap__plan(); or NULL */
	bool is_glibc; /* its blocks begin behind a header with their size */
};

struct allocators {
	struct allocator *found;
	size_t cnt, cap;
	/* The dynamic linker's function that it calls when files are mapped; its file is owned. */
	struct elf_file *linker;
	struct elf_sym linker_sym;
	struct wrappers wrappers; /* around them */
};

/* NULL and errno. What cannot be read is left out. */
struct allocators *allocators__new(const struct target *target);
void allocators__free(struct allocators *allocators);
/* Adds a line for people: "glibc malloc (10 functions in /usr/lib/libc.so.6)". */
void allocator__describe(const struct allocator *allocator, struct buf *text);
/* All of them, separated by "; ", and what is not visible. */
void allocators__describe(const struct allocators *allocators, struct buf *text);
/* Do all blocks that can be seen have the header of glibc's malloc? */
bool allocators__tell_size(const struct allocators *allocators);

#endif
