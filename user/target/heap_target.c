/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of a living process, for the walk over its heap: see heap_walk.h. */
#include "target/heap_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "target/maps.h"

#define PAGE        4096
#define DATA_CNT    16
#define TRIES       4
#define IN_MEMORY   (1ULL << 63) /* an entry of pagemap */
#define ENTRY_BATCH 1024

struct source {
	const struct target *target;
	int pagemap;
	struct heap_memory memory;
	struct heap_range data[DATA_CNT];
};

static ssize_t read_memory(void *ctx, uint64_t addr, void *buf, size_t sz)
{
	const struct source *source = ctx;

	return target__read(source->target, addr, buf, sz);
}

static int read_resident(void *ctx, uint64_t addr, uint8_t *is, size_t cnt)
{
	const struct source *source = ctx;
	uint64_t entries[ENTRY_BATCH];
	size_t want;
	ssize_t got;

	for (size_t done = 0; done < cnt; done += want) {
		want = cnt - done < ENTRY_BATCH ? cnt - done : ENTRY_BATCH;
		got = pread(source->pagemap, entries, want * 8, (off_t)((addr / PAGE + done) * 8));
		if (got < 0)
			return -errno;
		if ((size_t)got < want * 8)
			return -ESRCH; /* it has ended */
		for (size_t i = 0; i < want; i++)
			is[done + i] = (entries[i] & IN_MEMORY) != 0;
	}
	return 0;
}

/* libc's file, or the program that it is linked into. */
static bool may_be_libc(const struct target *target, const char *path)
{
	const char *name = strrchr(path, '/');

	if (!name)
		return false;
	return !strncmp(name, "/libc.so", 8) || !strncmp(name, "/libc-2.", 8) ||
	       (target->exe && !strcmp(path, target->exe));
}

static void take_map(struct source *source, const struct target_map *map)
{
	struct heap_range *heap = &source->memory.heap;

	if (!map->path || !map->writable)
		return;
	if (!strcmp(map->path, "[heap]")) {
		/* what was done to pages splits mappings */
		if (heap->end != map->start)
			heap->start = map->start;
		heap->end = map->end;
	} else if (may_be_libc(source->target, map->path) && source->memory.data_cnt < DATA_CNT) {
		source->data[source->memory.data_cnt++] = (struct heap_range){map->start, map->end};
	}
}

static int walk_once(struct source *source, struct heap_walk *walk)
{
	struct target_map *maps;
	size_t cnt, cap;
	int err = target_maps__read(source->target->via, &maps, &cnt, &cap);

	if (err) {
		*walk = (struct heap_walk){};
		snprintf(walk->why, sizeof(walk->why), "its mappings cannot be read: %s",
			 strerror(-err));
		return err;
	}
	source->memory = (struct heap_memory){.read = read_memory,
					      .resident = read_resident,
					      .ctx = source,
					      .data = source->data};
	for (size_t i = 0; i < cnt; i++)
		take_map(source, &maps[i]);
	target_maps__free(maps, cnt);
	return heap_walk__memory(walk, &source->memory);
}

int heap_walk(struct heap_walk *walk, const struct target *target)
{
	struct source source = {.target = target};
	char path[64];
	int err = -EAGAIN;

	*walk = (struct heap_walk){};
	snprintf(path, sizeof(path), "/proc/%d/pagemap", target->via);
	source.pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (source.pagemap < 0) {
		err = -errno;
		snprintf(walk->why, sizeof(walk->why), "its resident pages cannot be read: %s",
			 strerror(errno));
		return err;
	}
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = walk_once(&source, walk);
	close(source.pagemap);
	return err;
}
