/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the code at an address of a target is called: function, offset in it, and file. Files are read
 * once, when the first address of theirs is asked for, and kept open, so that names can be told after
 * the target's end. Used by cmd/ for the places that allocate.
 */
#ifndef TARGET_SYMBOLS_H
#define TARGET_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "target/target.h"

struct symbols;

struct symbol_at {
	const char *function; /* demangled; "" where the file has no name for it */
	const char *module; /* path of the file; "" for memory without one */
	uint64_t offset; /* in the function; without one in the file */
};

struct symbols *symbols__new(void);
void symbols__free(struct symbols *symbols);
/* The strings hold until symbols__free(). An address that no mapping covers gives empty ones. */
void symbols__find(struct symbols *symbols, const struct target *target, uint64_t addr,
		   struct symbol_at *at);

#endif
