/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that allocate for whoever calls them, such as operator new and strdup: that an allocation
 * returns into one of them says nothing, its caller is the place that allocates. For allocators.c, and
 * for the BPF side, which looks further up.
 */
#ifndef RUNTIME_WRAPPERS_H
#define RUNTIME_WRAPPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/elf.h"
#include "target/target.h"

#define WRAPPER_RETURNS_MAX 1024

/* What a wrapper calls returns to `ip` in the target; there the wrapper's own return address is `depth`
 * bytes above rsp. */
struct wrapper_return {
	uint64_t ip;
	uint32_t depth;
};

struct wrappers {
	struct wrapper_return *returns; /* by ip in each function, each once */
	size_t cnt, cap;
};

bool wrapper_name(const char *symbol);
/* Adds the returns into one function of a file; 0 or -errno. */
int wrappers__add(struct wrappers *wrappers, const struct target *target,
		  const struct elf_file *file, const struct elf_sym *sym);
void wrappers__free(struct wrappers *wrappers);

#endif
