/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/maps into target_map records. Called by target__refresh. Paths are the target's choice:
 * they may hold spaces, "(deleted)" and (as \012) newlines.
 */
#include "target/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/map64.h"

/* vm.max_map_count can be raised; this is far above what is used, and bounds memory. */
#define MAPS_MAX (1024 * 1024)
/* So many files are looked into; a hostile target may map any number of large ones. */
#define FILES_MAX 1024

static const char deleted_suffix[] = " (deleted)";

void target_maps__free(struct target_map *maps, size_t cnt)
{
	for (size_t i = 0; maps && i < cnt; i++)
		free(maps[i].path);
	free(maps);
}

static bool has_deleted_suffix(const char *path)
{
	size_t sz = strlen(path), suffix_sz = sizeof(deleted_suffix) - 1;

	return sz > suffix_sz && !strcmp(path + sz - suffix_sz, deleted_suffix);
}

/* 0, -EINVAL for a line that is none, -ENOMEM. */
static int parse_line(struct target_map *map, char *line)
{
	unsigned int major, minor;
	char perms[8] = "";
	int path_off = 0;

	memset(map, 0, sizeof(*map));
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64 " %n",
		   &map->start, &map->end, perms, &map->file_off, &major, &minor, &map->inode,
		   &path_off) < 7)
		return -EINVAL;
	if (strlen(perms) < 4 || map->end <= map->start || !path_off)
		return -EINVAL;
	map->dev = makedev(major, minor);
	map->executable = perms[2] == 'x';
	map->writable = perms[1] == 'w';
	if (!line[path_off])
		return 0;
	map->deleted = map->inode && has_deleted_suffix(line + path_off);
	map->path = strdup(line + path_off);
	return map->path ? 0 : -ENOMEM;
}

int target_maps__parse(FILE *in, struct target_map **maps, size_t *cnt, size_t *cap)
{
	struct target_map map;
	char *line = NULL;
	size_t line_cap = 0;
	int err = 0;

	errno = 0;
	while (*cnt < MAPS_MAX && getline(&line, &line_cap, in) >= 0) {
		err = parse_line(&map, line);
		if (err == -EINVAL) {
			err = 0;
			continue;
		}
		if (err)
			break;
		err = array__reserve((void **)maps, cap, *cnt + 1, sizeof(map));
		if (err) {
			free(map.path);
			break;
		}
		(*maps)[(*cnt)++] = map;
	}
	if (!err && ferror(in))
		err = errno ? -errno : -EIO;
	free(line);
	return err;
}

/* A file may really be called "x (deleted)": then it is there, with the mapping's inode. */
static bool is_named_so(pid_t pid, const struct target_map *map)
{
	struct buf path = {0};
	struct stat st;
	bool same;

	buf__printf(&path, "/proc/%d/root%s", pid, map->path);
	same = !path.err && !lstat(buf__str(&path), &st) && st.st_ino == map->inode;
	buf__free(&path);
	return same;
}

/* Marks one executable mapping of each file. */
static int mark_files(struct target_map *maps, size_t cnt)
{
	struct map64 seen = {0};
	int err = 0;

	for (size_t i = 0; i < cnt && !err && seen.cnt < FILES_MAX; i++) {
		struct target_map *map = &maps[i];
		uint64_t key = hash64(map->dev ^ hash64(map->inode)), before;

		/* No file: anonymous memory, the vdso. */
		if (!map->executable || !map->inode || !map->path || map->path[0] != '/')
			continue;
		map->first = !map64__get(&seen, key, &before);
		if (map->first)
			err = map64__set(&seen, key, i);
	}
	map64__free(&seen);
	return err;
}

int target_maps__read(pid_t pid, struct target_map **maps, size_t *cnt, size_t *cap)
{
	char path[64];
	FILE *in;
	int err;

	*maps = NULL;
	*cnt = *cap = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	in = fopen(path, "re");
	if (!in)
		return -errno;
	err = target_maps__parse(in, maps, cnt, cap);
	fclose(in);
	if (!err)
		err = mark_files(*maps, *cnt);
	if (err) {
		target_maps__free(*maps, *cnt);
		*maps = NULL;
		*cnt = *cap = 0;
		return err;
	}
	for (size_t i = 0; i < *cnt; i++) {
		struct target_map *map = &(*maps)[i];

		if (map->deleted && map->executable && is_named_so(pid, map))
			map->deleted = false;
	}
	return 0;
}
