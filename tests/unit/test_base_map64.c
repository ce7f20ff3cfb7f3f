/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash map, against a plain array as its truth. */
#include <stdlib.h>
#include <string.h>

#include "base/map64.h"
#include "tap.h"

#define KEYS 512

/* Few keys and many deletions: the runs of colliding slots are cut in every way. */
static void test_random(unsigned int seed, bool wide)
{
	bool there[KEYS] = {}, good = true;
	uint64_t vals[KEYS] = {}, keys[KEYS];
	struct map64 map = {};
	size_t cnt = 0, seen = 0;

	for (unsigned int i = 0; i < KEYS; i++)
		keys[i] = wide ? hash64(i + seed) : i;
	keys[0] = 0;
	keys[1] = UINT64_MAX;
	for (int step = 0; step < 50000; step++) {
		unsigned int i = (unsigned int)rand_r(&seed) % KEYS;
		uint64_t val = 0;

		switch (rand_r(&seed) % 3) {
		case 0:
			vals[i] = (uint64_t)rand_r(&seed);
			good &= !map64__set(&map, keys[i], vals[i]);
			cnt += !there[i];
			there[i] = true;
			break;
		case 1:
			good &= map64__del(&map, keys[i]) == there[i];
			cnt -= there[i];
			there[i] = false;
			break;
		default:
			good &= map64__get(&map, keys[i], &val) == there[i];
			good &= !there[i] || val == vals[i];
		}
		good &= map.cnt == cnt;
	}
	for (unsigned int i = 0; i < KEYS; i++) {
		uint64_t val = 0;

		good &= map64__get(&map, keys[i], &val) == there[i];
		good &= !there[i] || val == vals[i];
	}
	map64_for_each (slot, &map)
		seen++;
	ok(good && seen == cnt, "random operations, %s keys, %zu left", wide ? "wide" : "small",
	   cnt);
	map64__free(&map);
}

static uint64_t unhash64(uint64_t key)
{
	key ^= key >> 31 ^ key >> 62;
	key *= 0x319642b2d24d8ec3ULL;
	key ^= key >> 27 ^ key >> 54;
	key *= 0x96de1b173f119089ULL;
	return key ^ key >> 30 ^ key >> 60;
}

/* Keys of somebody who knows the hash: without a defence this takes minutes. */
static void test_hostile(void)
{
	struct map64 map = {};
	bool good = true;
	uint64_t val;

	ok(hash64(unhash64(12345)) == 12345, "the attacker's inverse of the hash is right");
	for (uint64_t i = 0; i < 200000; i++)
		good &= !map64__set(&map, unhash64(i << 32), i);
	ok(good && map.seed, "colliding keys are noticed");
	for (uint64_t i = 0; i < 200000; i++)
		good &= map64__get(&map, unhash64(i << 32), &val) && val == i;
	ok(good && map.cnt == 200000, "and the map is whole");
	map64__free(&map);
}

static void test_fair(void)
{
	struct map64 map = {};

	for (uint64_t i = 0; i < 1000000; i++)
		map64__set(&map, 1234ULL << 32 | i, i);
	ok(map.cnt == 1000000 && !map.seed, "a million task ids need no defence");
	map64__free(&map);
	ok(!map.slots && !map64__get(&map, 1, NULL) && !map64__del(&map, 1), "an empty map");
	map64__free(NULL);
}

int main(void)
{
	for (unsigned int seed = 1; seed <= 4; seed++)
		test_random(seed, seed % 2);
	test_hostile();
	test_fair();
	ok(hash_bytes(0, "a", 1) == 0xaf63dc4c8601ec8cULL, "FNV-1a's published value for \"a\"");
	ok(hash_bytes(hash_bytes(0, "a", 1), "b", 1) != hash_bytes(hash_bytes(0, "b", 1), "a", 1),
	   "the seed chains");
	return tap_done();
}
