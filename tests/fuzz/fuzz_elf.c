/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes user/target/elf.c and what else reads mapped files (fde.c, imports.c, returns.c, rodata.c): any
 * bytes as one. Built and run by `make fuzz`. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/elf.h"
#include "target/fde.h"
#include "target/imports.h"
#include "target/returns.h"
#include "target/rodata.h"

#define FILE_MAX   (1024 * 1024)
#define RETURN_CNT 8 /* functions that are followed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);

static bool any_name(const char *name, void *ctx)
{
	size_t *sum = ctx;

	/* Every byte up to the NUL is read. */
	while (*name)
		*sum += (unsigned char)*name++;
	return true;
}

static void follow(struct elf_file *file, const struct elf_sym *syms, int cnt)
{
	struct imports imports;
	struct returns returns;
	struct elf_sym piece;

	if (imports__read(&imports, file))
		return;
	for (size_t i = 1; i < imports.cnt; i++)
		if (imports.items[i - 1].slot > imports.items[i].slot)
			abort();
	for (int i = 0; i < cnt && i < RETURN_CNT; i++) {
		if (!elf_file__piece_at(file, syms[i].vaddr, &piece) &&
		    syms[i].vaddr - piece.vaddr >= piece.sz)
			abort();
		if (!returns__find(&returns, file, &imports, &syms[i]))
			returns__free(&returns);
	}
	imports__free(&imports);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	static const char *const texts[] = {"malloc", "free"};
	static int fd = -1;
	uint64_t budget = FILE_MAX;
	struct elf_sym *syms;
	struct elf_file *file;
	size_t sum = 0;
	int cnt;

	if (sz > FILE_MAX)
		return 0;
	if (fd < 0)
		fd = memfd_create("fuzz_elf", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, sz, 0) != (ssize_t)sz)
		abort();
	file = elf_file__open_fd(dup(fd), "/fuzz");
	if (!file)
		return 0;
	cnt = elf_file__functions(file, any_name, &sum, &syms);
	if (cnt > 0 && !syms)
		abort();
	for (int i = 1; i < cnt; i++)
		if (syms[i - 1].vaddr > syms[i].vaddr)
			abort();
	follow(file, syms, cnt);
	elf_file__find_texts(file, texts, 2, &budget);
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	elf_file__free(file);
	return 0;
}
