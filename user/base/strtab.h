/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned strings: a u32 instead of a pointer, so that models are small and snapshots simple. */
#ifndef BASE_STRTAB_H
#define BASE_STRTAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/map64.h"

struct strtab {
	char *data; /* strings behind each other, each with its NUL; id = offset; 0 = "" */
	size_t sz;
	size_t cap;
	struct map64 index; /* hash -> id, linear on collision */
};

/* The id of a string, added if new; 0 for NULL, "" and when memory ran out. */
uint32_t strtab__add(struct strtab *tab, const char *str);
/* The id of a string that is there already, or 0. */
uint32_t strtab__find(const struct strtab *tab, const char *str);
/* "" for an id outside of the table. */
const char *strtab__get(const struct strtab *tab, uint32_t id);
/* Replaces the content by `data` (a reader's bytes, hostile): 0 or -EINVAL, -ENOMEM. */
int strtab__load(struct strtab *tab, const void *data, size_t sz);
void strtab__free(struct strtab *tab);

#endif
