/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that a file calls in others, or in itself by name: by the places in memory that the
 * dynamic linker puts their addresses to. For returns.c and runtime/. */
#ifndef TARGET_IMPORTS_H
#define TARGET_IMPORTS_H

#include <stddef.h>
#include <stdint.h>

#include "target/elf.h"
#include "target/insn.h"

struct import {
	uint64_t slot; /* vaddr of the place */
	char *name; /* "": one of several functions of this file, chosen when the program starts */
};

struct imports {
	struct import *items; /* by slot */
	size_t cnt, cap;
};

/* 0 or -errno; a file may have none. */
int imports__read(struct imports *imports, const struct elf_file *file);
void imports__free(struct imports *imports);
/* What the jump or call at `vaddr` leads to by a slot, or NULL. */
const char *imports__of_insn(const struct imports *imports, const struct insn *insn,
			     uint64_t vaddr);
/* What the stub of the procedure linkage table there leads to, or NULL: it is none. */
const char *imports__of_stub(const struct imports *imports, const struct elf_file *file,
			     uint64_t vaddr, uint64_t file_off);

#endif
