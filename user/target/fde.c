/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the piece of code around an address in .eh_frame_hdr, a table of all pieces sorted by address
 * that linkers write for the unwinder. Only its usual form is read: offsets of four bytes from the
 * table, and pieces that begin at offsets of four bytes from where that is told. Every file is hostile:
 * each step is one bounded pread.
 */
#include "target/fde.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define PHDRS_MAX 512
#define PIECE_MAX (16 * 1024 * 1024)

/* DW_EH_PE_... of the LSB: sdata4 from the data, udata4 */
#define ENC_DATAREL_SDATA4 0x3b
#define ENC_UDATA4         0x03

struct hdr {
	uint8_t version, eh_frame_enc, cnt_enc, table_enc;
	int32_t eh_frame;
	uint32_t cnt;
};

struct entry {
	int32_t vaddr, fde; /* from the table */
};

static bool to_file_off(const struct elf_file *file, uint64_t vaddr, uint64_t *off)
{
	GElf_Phdr phdr;
	size_t cnt;

	if (elf_getphdrnum(file->elf, &cnt))
		return false;
	for (size_t i = 0; i < cnt && i < PHDRS_MAX; i++) {
		if (gelf_getphdr(file->elf, (int)i, &phdr) && phdr.p_type == PT_LOAD &&
		    vaddr >= phdr.p_vaddr && vaddr - phdr.p_vaddr < phdr.p_filesz) {
			*off = vaddr - phdr.p_vaddr + phdr.p_offset;
			return true;
		}
	}
	return false;
}

static bool find_hdr(const struct elf_file *file, GElf_Phdr *phdr)
{
	size_t cnt;

	if (elf_getphdrnum(file->elf, &cnt))
		return false;
	for (size_t i = 0; i < cnt && i < PHDRS_MAX; i++)
		if (gelf_getphdr(file->elf, (int)i, phdr) && phdr->p_type == PT_GNU_EH_FRAME)
			return true;
	return false;
}

static int read_at(const struct elf_file *file, uint64_t off, void *data, size_t sz)
{
	if (off > INT64_MAX - sz)
		return -EINVAL;
	return pread(file->fd, data, sz, (off_t)off) == (ssize_t)sz ? 0 : -ENODATA;
}

/* The last entry at or before the address. */
static int find_entry(const struct elf_file *file, const GElf_Phdr *phdr, uint64_t vaddr,
		      struct entry *found)
{
	uint64_t low = 0, high;
	struct hdr hdr;
	int err = read_at(file, phdr->p_offset, &hdr, sizeof(hdr));

	if (err)
		return err;
	if (hdr.version != 1 || hdr.cnt_enc != ENC_UDATA4 || hdr.table_enc != ENC_DATAREL_SDATA4)
		return -ENOTSUP;
	high = hdr.cnt;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		struct entry entry;

		err = read_at(file, phdr->p_offset + sizeof(hdr) + mid * sizeof(entry), &entry,
			      sizeof(entry));
		if (err)
			return err;
		if (phdr->p_vaddr + (uint64_t)(int64_t)entry.vaddr <= vaddr) {
			*found = entry;
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low ? 0 : -ENOENT;
}

int elf_file__piece_at(const struct elf_file *file, uint64_t vaddr, struct elf_sym *piece)
{
	/* length, the offset of what it has in common with others, begin, size */
	uint32_t fde[4];
	struct entry entry;
	uint64_t off, at;
	GElf_Phdr phdr;
	int err;

	memset(piece, 0, sizeof(*piece));
	if (!find_hdr(file, &phdr))
		return -ENOENT;
	err = find_entry(file, &phdr, vaddr, &entry);
	if (err)
		return err;
	at = phdr.p_vaddr + (uint64_t)(int64_t)entry.fde;
	if (!to_file_off(file, at, &off) || read_at(file, off, fde, sizeof(fde)))
		return -EINVAL;
	piece->vaddr = phdr.p_vaddr + (uint64_t)(int64_t)entry.vaddr;
	piece->sz = fde[3];
	/* told in another form */
	if (at + 8 + (uint64_t)(int64_t)(int32_t)fde[2] != piece->vaddr)
		return -ENOTSUP;
	if (vaddr - piece->vaddr >= piece->sz || piece->sz > PIECE_MAX)
		return -ENOENT;
	return to_file_off(file, piece->vaddr, &piece->file_off) ? 0 : -EINVAL;
}
