/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All instructions by which a function of a file returns to its caller: its own, those of its parts
 * that lie elsewhere, and those of the functions that it jumps to as its last deed. For runtime/heap.c,
 * where a return probe may not be.
 */
#ifndef TARGET_RETURNS_H
#define TARGET_RETURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/elf.h"
#include "target/imports.h"
#include "target/insn.h"

struct return_site {
	uint64_t vaddr, file_off;
	enum insn_probe probe;
};

struct returns {
	struct return_site *sites;
	size_t cnt, cap;
	bool complete; /* else no probe may go to any of them: `why` */
	char why[96];
};

/* 0 or -ENOMEM. `imports` are those of the file. */
int returns__find(struct returns *returns, struct elf_file *file, const struct imports *imports,
		  const struct elf_sym *sym);
void returns__free(struct returns *returns);

#endif
