/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes user/target/elf.c: any bytes as a mapped file. Built and run by `make fuzz`. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/elf.h"

#define FILE_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);

static bool any_name(const char *name, void *ctx)
{
	size_t *sum = ctx;

	/* Every byte up to the NUL is read. */
	while (*name)
		*sum += (unsigned char)*name++;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	static int fd = -1;
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
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	elf_file__free(file);
	return 0;
}
