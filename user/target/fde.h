/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which piece of code an address is in, where no symbol tells: by the table that exceptions are
 * unwound with. For returns.c. */
#ifndef TARGET_FDE_H
#define TARGET_FDE_H

#include <stdint.h>

#include "target/elf.h"

/* The piece with this address: its vaddr, sz and file_off, no name. 0 or -errno. */
int elf_file__piece_at(const struct elf_file *file, uint64_t vaddr, struct elf_sym *piece);

#endif
