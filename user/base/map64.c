/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash map behind every index: task ids, classes, edges, interned strings. */
#include "base/map64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define MIN_CAP 16
/* At a load of 3/4 a fair table of a billion keys stays far below this run of used slots. */
#define MAX_PROBES 1024

uint64_t hash64(uint64_t key)
{
	key ^= key >> 30;
	key *= 0xbf58476d1ce4e5b9ULL;
	key ^= key >> 27;
	key *= 0x94d049bb133111ebULL;
	return key ^ key >> 31;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t sz)
{
	const unsigned char *bytes = data;
	uint64_t hash = seed ^ 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < sz; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

static size_t home(const struct map64 *map, uint64_t key)
{
	return hash64(key ^ map->seed) & (map->cap - 1);
}

/* The key's slot, or the free one where it belongs. There is always a free one. */
static struct map64_slot *probe(const struct map64 *map, uint64_t key, size_t *probes)
{
	size_t i = home(map, key), cnt = 0;

	while (map->slots[i].used && map->slots[i].key != key) {
		i = (i + 1) & (map->cap - 1);
		cnt++;
	}
	if (probes)
		*probes = cnt;
	return &map->slots[i];
}

static int rebuild(struct map64 *map, size_t cap, uint64_t seed)
{
	struct map64 bigger = {.cap = cap, .cnt = map->cnt, .seed = seed};

	bigger.slots = calloc(cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	map64_for_each (slot, map)
		*probe(&bigger, slot->key, NULL) = *slot;
	free(map->slots);
	*map = bigger;
	return 0;
}

/*
 * A seed that who wrote the keys cannot know. Only taken when a table behaves as no fair one does:
 * keys may come from a hostile snapshot, and normally the order of iteration shall be repeatable.
 */
static uint64_t secret_seed(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t seed = 0x9e3779b97f4a7c15ULL;

	if (random)
		memcpy(&seed, random, sizeof(seed));
	return seed | 1;
}

int map64__set(struct map64 *map, uint64_t key, uint64_t val)
{
	struct map64_slot *slot;
	size_t probes;
	int err;

	if (map->cnt >= map->cap / 4 * 3) {
		err = rebuild(map, map->cap ? map->cap * 2 : MIN_CAP, map->seed);
		if (err)
			return err;
	}
	slot = probe(map, key, &probes);
	if (probes > MAX_PROBES && !slot->used && !map->seed) {
		err = rebuild(map, map->cap, secret_seed());
		if (err)
			return err;
		slot = probe(map, key, NULL);
	}
	if (!slot->used) {
		slot->used = true;
		slot->key = key;
		map->cnt++;
	}
	slot->val = val;
	return 0;
}

bool map64__get(const struct map64 *map, uint64_t key, uint64_t *val)
{
	const struct map64_slot *slot;

	if (!map->cnt)
		return false;
	slot = probe(map, key, NULL);
	if (slot->used && val)
		*val = slot->val;
	return slot->used;
}

bool map64__del(struct map64 *map, uint64_t key)
{
	struct map64_slot *slot;
	size_t hole, i;

	if (!map->cnt)
		return false;
	slot = probe(map, key, NULL);
	if (!slot->used)
		return false;
	/* Later members of the run move up into the hole, unless that is before their home. */
	hole = i = (size_t)(slot - map->slots);
	for (;;) {
		size_t dist_hole, dist_home;

		i = (i + 1) & (map->cap - 1);
		if (!map->slots[i].used)
			break;
		dist_hole = (i - hole) & (map->cap - 1);
		dist_home = (i - home(map, map->slots[i].key)) & (map->cap - 1);
		if (dist_home < dist_hole)
			continue;
		map->slots[hole] = map->slots[i];
		hole = i;
	}
	map->slots[hole].used = false;
	map->cnt--;
	return true;
}

void map64__free(struct map64 *map)
{
	if (!map)
		return;
	free(map->slots);
	memset(map, 0, sizeof(*map));
}
