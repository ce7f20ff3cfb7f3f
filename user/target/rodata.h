/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text among the constants of a file: what is known of one without symbols. For runtime/allocators.c. */
#ifndef TARGET_RODATA_H
#define TARGET_RODATA_H

#include <stddef.h>
#include <stdint.h>

#include "target/elf.h"

#define RODATA_NEEDLE_MAX 64 /* bytes of one text */

/* Does it have the symbols of all its functions, and not only of those that others may call? */
bool elf_file__has_symbols(const struct elf_file *file);
/* Which of up to 32 texts are among the first *budget bytes of its constants: a bit for each. What was
 * read is taken off the budget. */
uint32_t elf_file__find_texts(const struct elf_file *file, const char *const *texts, size_t cnt,
			      uint64_t *budget);

#endif
