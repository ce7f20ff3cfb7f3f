/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the relocations that name functions; see imports.h. Sizes are bounded as in elf.c: the file
 * may be written to attack its reader.
 */
#include "target/imports.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define SECTIONS_MAX 65536
#define TABLE_MAX    (256ull * 1024 * 1024)
#define IMPORTS_MAX  (256 * 1024)
#define STUB_SZ      32

struct tables {
	Elf_Data *relas, *syms, *names;
};

static Elf_Data *section_data(Elf_Scn *section, const GElf_Shdr *shdr)
{
	if (!shdr->sh_size || shdr->sh_size > TABLE_MAX || shdr->sh_type == SHT_NOBITS ||
	    (shdr->sh_flags & SHF_COMPRESSED))
		return NULL;
	return elf_getdata(section, NULL);
}

/* The section that another one names, and its bytes. */
static Elf_Data *linked(Elf *elf, uint32_t idx, unsigned int type, GElf_Shdr *shdr)
{
	Elf_Scn *section = elf_getscn(elf, idx);
	Elf_Data *data;

	if (!section || !gelf_getshdr(section, shdr) || shdr->sh_type != type)
		return NULL;
	data = section_data(section, shdr);
	return data && data->d_buf && data->d_size ? data : NULL;
}

static int add_import(struct imports *imports, const struct tables *tables, const GElf_Rela *rela)
{
	unsigned int type = GELF_R_TYPE(rela->r_info);
	struct import import = {.slot = rela->r_offset};
	GElf_Sym sym;
	const char *name = "";
	int err;

	if (imports->cnt >= IMPORTS_MAX)
		return 0;
	if (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) {
		if (!tables->names || GELF_R_SYM(rela->r_info) > INT_MAX ||
		    !gelf_getsym(tables->syms, (int)GELF_R_SYM(rela->r_info), &sym) ||
		    !sym.st_name || sym.st_name >= tables->names->d_size)
			return 0;
		name = (const char *)tables->names->d_buf +
		       sym.st_name; /* the table ends with a NUL */
	} else if (type != R_X86_64_IRELATIVE) {
		return 0;
	}
	err = array__reserve((void **)&imports->items, &imports->cap, imports->cnt + 1,
			     sizeof(import));
	if (err)
		return err;
	import.name = strdup(name);
	if (!import.name)
		return -ENOMEM;
	imports->items[imports->cnt++] = import;
	return 0;
}

static int read_relas(struct imports *imports, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr)
{
	struct tables tables = {.relas = section_data(section, shdr)};
	size_t entry_sz = gelf_fsize(elf, ELF_T_RELA, 1, EV_CURRENT);
	GElf_Shdr syms_shdr, names_shdr;
	GElf_Rela rela;
	int err = 0;

	if (!tables.relas || !tables.relas->d_buf || !entry_sz)
		return 0;
	tables.syms = linked(elf, shdr->sh_link, SHT_DYNSYM, &syms_shdr);
	tables.names = tables.syms ? linked(elf, syms_shdr.sh_link, SHT_STRTAB, &names_shdr) : NULL;
	if (tables.names && ((const char *)tables.names->d_buf)[tables.names->d_size - 1])
		tables.names = NULL;
	for (size_t i = 0; i < tables.relas->d_size / entry_sz && i < INT_MAX && !err; i++)
		if (gelf_getrela(tables.relas, (int)i, &rela))
			err = add_import(imports, &tables, &rela);
	return err;
}

static int compare_slots(const void *a, const void *b)
{
	const struct import *left = a, *right = b;

	return (left->slot > right->slot) - (left->slot < right->slot);
}

int imports__read(struct imports *imports, const struct elf_file *file)
{
	Elf *elf = elf_begin(file->fd, ELF_C_READ, NULL);
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;
	int err = 0;

	memset(imports, 0, sizeof(*imports));
	if (!elf)
		return -ENOEXEC;
	for (size_t i = 0; i < SECTIONS_MAX && !err; i++) {
		section = elf_nextscn(elf, section);
		if (!section)
			break;
		if (gelf_getshdr(section, &shdr) && shdr.sh_type == SHT_RELA &&
		    (shdr.sh_flags & SHF_ALLOC))
			err = read_relas(imports, elf, section, &shdr);
	}
	elf_end(elf);
	if (err)
		imports__free(imports);
	else if (imports->cnt)
		qsort(imports->items, imports->cnt, sizeof(*imports->items), compare_slots);
	return err;
}

void imports__free(struct imports *imports)
{
	for (size_t i = 0; i < imports->cnt; i++)
		free(imports->items[i].name);
	free(imports->items);
	memset(imports, 0, sizeof(*imports));
}

const char *imports__of_insn(const struct imports *imports, const struct insn *insn, uint64_t vaddr)
{
	struct import key = {0}, *found;

	/* ff /2 and ff /4 with the address counted from rip */
	if (insn->map || insn->opcode != 0xff)
		return NULL;
	if (insn->modrm != 0x15 && insn->modrm != 0x25)
		return NULL;
	key.slot = vaddr + insn->len + (uint64_t)(int64_t)insn->disp;
	found = imports->cnt
			? bsearch(&key, imports->items, imports->cnt, sizeof(key), compare_slots)
			: NULL;
	return found ? found->name : NULL;
}

const char *imports__of_stub(const struct imports *imports, const struct elf_file *file,
			     uint64_t vaddr, uint64_t file_off)
{
	uint8_t code[STUB_SZ];
	ssize_t sz = elf_file__read_code(file, file_off, code, sizeof(code));
	struct insn insn;
	size_t off = 0;

	while (sz > 0 && off < (size_t)sz && !insn__decode(&insn, code + off, (size_t)sz - off)) {
		if (insn.kind == INSN_JUMP_SLOT)
			return imports__of_insn(imports, &insn, vaddr + off);
		if (insn.kind != INSN_ENDBR)
			return NULL;
		off += insn.len;
	}
	return NULL;
}
