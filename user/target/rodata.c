/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches sections .rodata by pread, in pieces that overlap; see rodata.h. */
#include "target/rodata.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTIONS_MAX 65536
#define CHUNK_SZ     (256 * 1024)

/* The next section of a kind from *section on, or behind the last. */
static bool next_section(const struct elf_file *file, Elf_Scn **section, unsigned int type,
			 GElf_Shdr *shdr)
{
	for (size_t i = 0; i < SECTIONS_MAX; i++) {
		*section = elf_nextscn(file->elf, *section);
		if (!*section)
			return false;
		if (gelf_getshdr(*section, shdr) && shdr->sh_type == type)
			return true;
	}
	return false;
}

bool elf_file__has_symbols(const struct elf_file *file)
{
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;

	return next_section(file, &section, SHT_SYMTAB, &shdr);
}

static uint32_t search(const struct elf_file *file, const GElf_Shdr *shdr, char *chunk,
		       const char *const *texts, size_t cnt, uint64_t *budget)
{
	uint64_t pos = 0, sz = shdr->sh_size < *budget ? shdr->sh_size : *budget;
	uint32_t found = 0;

	if (shdr->sh_offset > INT64_MAX - sz)
		return 0;
	*budget -= sz;
	while (pos < sz) {
		size_t want = sz - pos < CHUNK_SZ ? (size_t)(sz - pos) : CHUNK_SZ;
		ssize_t got = pread(file->fd, chunk, want, (off_t)(shdr->sh_offset + pos));

		if (got <= 0)
			break;
		for (size_t i = 0; i < cnt; i++)
			if (memmem(chunk, (size_t)got, texts[i], strlen(texts[i])))
				found |= 1u << i;
		if (got <= RODATA_NEEDLE_MAX)
			break;
		/* what the end of this piece cuts is whole in the next one */
		pos += (uint64_t)got == sz - pos ? (uint64_t)got
						 : (uint64_t)got - RODATA_NEEDLE_MAX;
	}
	return found;
}

uint32_t elf_file__find_texts(const struct elf_file *file, const char *const *texts, size_t cnt,
			      uint64_t *budget)
{
	char *chunk = malloc(CHUNK_SZ);
	Elf_Scn *section = NULL;
	uint32_t found = 0;
	GElf_Shdr shdr;
	size_t names;

	if (!chunk || elf_getshdrstrndx(file->elf, &names)) {
		free(chunk);
		return 0;
	}
	while (*budget && next_section(file, &section, SHT_PROGBITS, &shdr)) {
		const char *name = elf_strptr(file->elf, names, shdr.sh_name);

		if (name && !strncmp(name, ".rodata", 7))
			found |= search(file, &shdr, chunk, texts, cnt, budget);
	}
	free(chunk);
	return found;
}
