/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes user/target/heap_walk.c: a sound heap (tests/unit/heap_image.h) in which words were
 * overwritten and pages are gone. Run by tools/fuzz, which gets the seeds by FUZZ_WRITE_SEEDS=DIR. */
#include <stdbool.h>
#include <stdio.h>

#include "../unit/heap_image.h"

/* The addresses that matter, by number, so that edits find them. */
static const uint64_t places[] = {
	IMAGE_MAIN + 8,     IMAGE_MAIN + 0x298,      IMAGE_MAIN + 0x5290, IMAGE_MAIN + 0x5298,
	IMAGE_STATE + 96,   IMAGE_STATE + 112,       IMAGE_STATE + 2160,  IMAGE_STATE + 2184,
	IMAGE_ARENA + 96,   IMAGE_ARENA + 2160,      IMAGE_ARENA + 2184,  IMAGE_FIRST,
	IMAGE_FIRST + 8,    IMAGE_FIRST + 16,        IMAGE_FIRST + 24,    IMAGE_SECOND,
	IMAGE_SECOND + 8,   IMAGE_SECOND + 16,       IMAGE_SECOND + 24,   IMAGE_CHUNK1 + 8,
	IMAGE_CHUNK1 + 264, IMAGE_CHUNK2 + 8,        IMAGE_CHUNK2 + 104,  IMAGE_FIRST + 16384 - 24,
	IMAGE_DATA,         IMAGE_FIRST + 16384 - 8,
};
#define PLACE_CNT (sizeof(places) / sizeof(places[0]))

/* One edit. Without a place the address is a word of a part. */
struct edit {
	uint8_t place, kind;
	uint16_t off;
	uint8_t word[8];
};

enum edit_kind { SET, ADD, FLIP, GONE, BREAK_READ, KIND_CNT };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);

static void check(bool cond)
{
	if (!cond)
		abort();
}

static void apply(struct image *image, const struct edit *edit)
{
	int part = edit->place % PART_CNT;
	uint64_t addr = image_parts[part].addr + edit->off / 8 * 8, old, word;

	if (edit->place < PLACE_CNT)
		addr = places[edit->place];
	part = image__part(addr);
	if (part < 0)
		return;
	memcpy(&word, edit->word, sizeof(word));
	memcpy(&old, image->mem[part] + (addr - image_parts[part].addr), sizeof(old));
	if (edit->kind % KIND_CNT == GONE)
		image->resident[part][(addr - image_parts[part].addr) / IMAGE_PAGE] = 0;
	else if (edit->kind % KIND_CNT == BREAK_READ)
		image->broken_read = edit->off;
	else if (edit->kind % KIND_CNT == ADD)
		image__put(image, addr, old + word);
	else
		image__put(image, addr, edit->kind % KIND_CNT == FLIP ? old ^ word : word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	static const struct heap_walk none;
	struct image *image = image__new();
	struct heap_walk walk;
	struct edit edit;
	uint64_t sum;

	for (; sz >= sizeof(edit); data += sizeof(edit), sz -= sizeof(edit)) {
		memcpy(&edit, data, sizeof(edit));
		apply(image, &edit);
	}
	if (heap_walk__memory(&walk, &image->memory)) {
		check(walk.why[0] && memchr(walk.why, '\0', sizeof(walk.why)));
		memset(walk.why, 0, sizeof(walk.why));
		check(!memcmp(&walk, &none, sizeof(walk)));
	} else {
		sum = walk.used_bytes + walk.free_bytes + walk.top_bytes;
		check(!walk.why[0] && sum <= HEAP_WALK_MAX_BYTES && walk.arena_cnt);
		check(walk.free_resident_bytes <= walk.free_bytes + walk.top_bytes);
		check(walk.free_resident_bytes <= walk.resident_bytes);
		check(walk.resident_bytes <= image->expected.resident_bytes);
	}
	image__free(image);
	return 0;
}

static void write_seed(const char *dir, unsigned int nr, const struct edit *edit)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/edit-%u", dir, nr);
	out = fopen(path, "w");
	if (!out || fwrite(edit, sizeof(*edit), 1, out) != 1 || fclose(out)) {
		perror(path);
		exit(1);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("FUZZ_WRITE_SEEDS");

	(void)argc;
	(void)argv;
	if (!dir)
		return 0;
	for (unsigned int i = 0; i < PLACE_CNT; i++) {
		const struct edit add = {(uint8_t)i, ADD, 0, {16}};
		const struct edit gone = {(uint8_t)i, GONE, 0, {0}};

		write_seed(dir, 2 * i, &add);
		write_seed(dir, 2 * i + 1, &gone);
	}
	exit(0);
}
