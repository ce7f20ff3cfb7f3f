/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned strings, for the model and the snapshot reader. */
#include "base/strtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/array.h"

/* Strings are the target's or a snapshot's, so the hash is keyed: nobody can make them collide. */
static uint64_t hash_str(const char *str, size_t len)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t seed = 0;

	if (random)
		memcpy(&seed, random, sizeof(seed));
	return hash64(hash_bytes(seed, str, len) ^ seed);
}

/* The string's id, or 0 and in `key` where to put it in the index. */
static uint32_t find(const struct strtab *tab, const char *str, size_t len, uint64_t *key)
{
	uint64_t id;

	*key = hash_str(str, len);
	while (map64__get(&tab->index, *key, &id)) {
		if (!strcmp(tab->data + id, str))
			return (uint32_t)id;
		(*key)++;
	}
	return 0;
}

uint32_t strtab__find(const struct strtab *tab, const char *str)
{
	uint64_t key;

	return str && *str ? find(tab, str, strlen(str), &key) : 0;
}

uint32_t strtab__add(struct strtab *tab, const char *str)
{
	size_t len, off, from;
	uint64_t key;
	uint32_t id;
	bool inside; /* the tail of a string of this table, which may move */

	if (!str || !*str)
		return 0;
	len = strlen(str);
	id = find(tab, str, len, &key);
	if (id)
		return id;
	inside = tab->sz && str > tab->data && str < tab->data + tab->sz;
	from = inside ? (size_t)(str - tab->data) : 0;
	off = tab->sz ? tab->sz : 1; /* the first byte is the empty string */
	if (len >= UINT32_MAX - off ||
	    array__reserve((void **)&tab->data, &tab->cap, off + len + 1, 1) ||
	    map64__set(&tab->index, key, off))
		return 0;
	tab->data[0] = '\0';
	memcpy(tab->data + off, inside ? tab->data + from : str, len + 1);
	tab->sz = off + len + 1;
	return (uint32_t)off;
}

const char *strtab__get(const struct strtab *tab, uint32_t id)
{
	/* An id into the middle of a string is its tail: every string ends within the table. */
	return id < tab->sz ? tab->data + id : "";
}

int strtab__load(struct strtab *tab, const void *data, size_t sz)
{
	const char *bytes = data;
	struct strtab loaded = {};

	if (!sz) {
		strtab__free(tab);
		return 0;
	}
	if (sz >= UINT32_MAX || bytes[0] || bytes[sz - 1])
		return -EINVAL;
	if (array__reserve((void **)&loaded.data, &loaded.cap, sz, 1))
		return -ENOMEM;
	memcpy(loaded.data, bytes, sz);
	loaded.sz = sz;
	for (size_t off = 1; off < sz;) {
		size_t len = strlen(loaded.data + off);
		uint64_t key;

		if (len && !find(&loaded, loaded.data + off, len, &key) &&
		    map64__set(&loaded.index, key, off)) {
			strtab__free(&loaded);
			return -ENOMEM;
		}
		off += len + 1;
	}
	strtab__free(tab);
	*tab = loaded;
	return 0;
}

void strtab__free(struct strtab *tab)
{
	if (!tab)
		return;
	free(tab->data);
	map64__free(&tab->index);
	memset(tab, 0, sizeof(*tab));
}
