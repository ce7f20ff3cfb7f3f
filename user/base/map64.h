/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash map from u64 to u64: open addressing, every key allowed, deletion by tombstone-free shift. */
#ifndef BASE_MAP64_H
#define BASE_MAP64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map64_slot {
	uint64_t key;
	uint64_t val;
	bool used;
};

struct map64 {
	struct map64_slot *slots;
	size_t cap; /* 0 or a power of two */
	size_t cnt;
	uint64_t seed; /* 0, unless the keys were made to collide */
};

/* 0 or -ENOMEM; replaces. */
int map64__set(struct map64 *map, uint64_t key, uint64_t val);
bool map64__get(const struct map64 *map, uint64_t key, uint64_t *val);
bool map64__del(struct map64 *map, uint64_t key);
void map64__free(struct map64 *map);
/* A good 64-bit mixer, also for composite keys: hash64(a ^ hash64(b)). */
uint64_t hash64(uint64_t key);
/* FNV-1a over bytes, chained through `seed` (0 to begin). */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t sz);

#define map64_for_each(slot, map)                                                                  \
	for (struct map64_slot *slot = (map)->slots; slot && slot < (map)->slots + (map)->cap;     \
	     slot++)                                                                               \
		if (slot->used)

#endif
