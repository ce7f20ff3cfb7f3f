/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function of this process, as user/target sees it from outside, and perf's uprobes: for what tries
 * places out (tests/bpf/test_placed.c, tools/bench-place.c). */
#ifndef TESTS_UNIT_OWN_FUNCTION_H
#define TESTS_UNIT_OWN_FUNCTION_H

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target/elf.h"

static inline bool is_own_name(const char *name, void *ctx)
{
	return !strcmp(name, ctx);
}

/* The file that has the function, and its symbol but for the name; NULL: none has. */
static inline struct elf_file *find_own_function(const struct target *target, const char *name,
						 const void *function, struct elf_sym *found)
{
	const struct target_map *map;
	size_t pos = 0;

	while ((map = target__next_file(target, &pos))) {
		struct elf_file *file = elf_file__open(target, map);
		struct elf_sym *syms = NULL;
		int cnt = file ? elf_file__functions(file, is_own_name, (char *)name, &syms) : 0;
		bool is_it = false;

		for (int i = 0; i < cnt && !is_it; i++) {
			is_it = target__addr_of(target, file, syms[i].file_off) ==
				(uintptr_t)function;
			if (is_it)
				*found = syms[i];
		}
		elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
		found->name = NULL;
		if (is_it)
			return file;
		elf_file__free(file);
	}
	return NULL;
}

/* The number by which perf_event_open() knows uprobes, or -1. */
static inline int uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	int type = -1;

	if (file && fscanf(file, "%d", &type) != 1)
		type = -1;
	if (file)
		fclose(file);
	return type;
}

/* An event of this thread at an offset of a file, with what else `attr` says; -errno. */
static inline int open_own_uprobe(struct perf_event_attr *attr, const char *path, uint64_t off)
{
	int fd;

	attr->type = (uint32_t)uprobe_type();
	attr->size = sizeof(*attr);
	attr->uprobe_path = (uintptr_t)path;
	attr->probe_offset = off;
	fd = (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

#endif
