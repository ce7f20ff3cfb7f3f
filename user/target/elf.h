/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ELF file that the target maps, opened by descriptor: symbols, build-id, address arithmetic. */
#ifndef TARGET_ELF_H
#define TARGET_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target/target.h"

struct elf_sym {
	uint64_t vaddr;
	uint64_t sz;
	uint64_t file_off; /* what a uprobe wants */
	char *name;
};

struct elf_file {
	int fd; /* kept, so that symbols survive the target's exit */
	/* valid in the tracer's namespace: /proc/PID/map_files/...; where those may not be followed,
	 * /proc/PID/exe, or /proc/self/fd/... of `fd` */
	char open_path[64];
	char *path;
	uint64_t dev, inode;
	uint16_t machine; /* EM_... */
	uint8_t build_id[20];
	size_t build_id_sz;
	uint64_t id; /* hash of the build-id, or of dev, inode and size where there is none */
	void *elf; /* Elf * */
};

/* One executable mapping of each file, from *pos = 0 on; NULL behind the last. Not the vdso and other
 * mappings without a file. */
const struct target_map *target__next_file(const struct target *target, size_t *pos);
/* Opens the file behind a mapping; NULL and errno. */
struct elf_file *elf_file__open(const struct target *target, const struct target_map *map);
/* The same of any file; takes the descriptor over, also on failure. For tests and fuzzing. */
struct elf_file *elf_file__open_fd(int fd, const char *path);
void elf_file__free(struct elf_file *file);
/* Function symbols (.symtab and .dynsym) whose name passes `want`, sorted by address, without
 * duplicates by name and address; a malloc'ed array freed with elf_syms__free. Count or -errno.
 * Broken files give an error, never a crash. */
int elf_file__functions(struct elf_file *file, bool (*want)(const char *name, void *ctx), void *ctx,
			struct elf_sym **syms);
void elf_syms__free(struct elf_sym *syms, size_t cnt);
/* Machine code at a file offset: bytes read, fewer than `sz` at the file's end; or -errno, -ENOEXEC for
 * another machine's than x86-64. */
ssize_t elf_file__read_code(const struct elf_file *file, uint64_t file_off, uint8_t *code,
			    size_t sz);
/* The address in the target of a file offset, by the mapping that covers it; 0 when none does. */
uint64_t target__addr_of(const struct target *target, const struct elf_file *file,
			 uint64_t file_off);

#endif
