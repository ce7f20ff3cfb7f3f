/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped ELF files: opening what the target really maps, build-id, functions. Called by the adapters
 * in runtime/. The target may have written these files to attack whoever reads them as root: read by
 * pread and never mapped (a file cut short under a mapping is a SIGBUS), only regular files, every
 * size bounded before libelf allocates it.
 */
#include "target/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/map64.h"

#define ELF_SECTIONS_MAX 65536
#define ELF_PHDRS_MAX    512
#define ELF_LOADS_MAX    64
#define ELF_NOTES_MAX    (64 * 1024)
#define ELF_TABLE_MAX    (512ull * 1024 * 1024)
#define ELF_HEAD_SZ      1024
/* Symbols may share the tails of names; more than this many times the string table is an attack. */
#define ELF_NAME_REUSE 16

/* Reopens what an O_PATH descriptor names, if it is a regular file: opening a device may act. */
static int reopen_regular(int path_fd)
{
	char path[64];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int open_map_files(struct elf_file *file, const struct target *target,
			  const struct target_map *map)
{
	int path_fd, fd;

	snprintf(file->open_path, sizeof(file->open_path), "/proc/%d/map_files/%llx-%llx",
		 target->via, (unsigned long long)map->start, (unsigned long long)map->end);
	path_fd = open(file->open_path, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	fd = reopen_regular(path_fd);
	close(path_fd);
	return fd;
}

/* The kernel writes a newline of a path as \012. */
static char *unescape_path(const char *text)
{
	char *path = strdup(text), *in, *out;

	if (!path)
		return NULL;
	for (in = out = path; *in; out++) {
		if (!strncmp(in, "\\012", 4)) {
			*out = '\n';
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
	return path;
}

/* Is this the file of the mapping? On overlay and btrfs the inode of a path is not the mapping's:
 * then the beginning of the file, with its build-id, is compared with the target's memory. */
static bool is_mapped_file(int fd, const struct target *target, const struct target_map *map)
{
	char in_file[ELF_HEAD_SZ], in_memory[ELF_HEAD_SZ];
	struct stat st;
	ssize_t sz;

	if (fstat(fd, &st))
		return false;
	if (st.st_ino == map->inode)
		return true;
	sz = pread(fd, in_file, sizeof(in_file), 0);
	if (sz < (ssize_t)sizeof(Elf64_Ehdr))
		return false;
	for (size_t i = 0; i < target->map_cnt; i++) {
		const struct target_map *head = &target->maps[i];

		if (head->dev == map->dev && head->inode == map->inode && !head->file_off)
			return target__read(target, head->start, in_memory, (size_t)sz) == sz &&
			       !memcmp(in_file, in_memory, (size_t)sz);
	}
	return false;
}

/* The program itself, for tracers that may not follow map_files: also when it was replaced. */
static int open_exe(struct elf_file *file, const struct target *target,
		    const struct target_map *map)
{
	int path_fd, fd;

	if (!target->exe || strcmp(map->path, target->exe) != 0)
		return -ENOENT;
	snprintf(file->open_path, sizeof(file->open_path), "/proc/%d/exe", target->via);
	path_fd = open(file->open_path, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	fd = reopen_regular(path_fd);
	close(path_fd);
	if (fd >= 0 && !is_mapped_file(fd, target, map)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

/* By the path, for tracers that may not follow map_files. Links in the target's root stay in it. */
static int open_by_path(struct elf_file *file, const struct target *target,
			const struct target_map *map)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int root_fd, path_fd = -1, fd = -1, err = 0;
	char root[64], *path;

	if (map->deleted)
		return -ENOENT;
	snprintf(root, sizeof(root), "/proc/%d/root", target->via);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	path = unescape_path(map->path);
	if (root_fd < 0 || !path) {
		err = root_fd < 0 ? -errno : -ENOMEM;
		goto cleanup;
	}
	path_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	/* Before 5.6: the last component at least may be no link. */
	if (path_fd < 0 && (errno == ENOSYS || errno == EPERM))
		path_fd =
			openat(root_fd, path + strspn(path, "/"), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0) {
		err = -errno;
		goto cleanup;
	}
	fd = reopen_regular(path_fd);
	if (fd < 0)
		err = fd;
	else if (!is_mapped_file(fd, target, map))
		err = -ESTALE;
	else
		snprintf(file->open_path, sizeof(file->open_path), "/proc/self/fd/%d", fd);
cleanup:
	free(path);
	if (root_fd >= 0)
		close(root_fd);
	if (path_fd >= 0)
		close(path_fd);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/* The build-id among the notes of one segment; true when found. */
static bool find_build_id(struct elf_file *file, Elf_Data *notes)
{
	size_t off = 0, next, name_off, desc_off;
	const char *data = notes->d_buf;
	GElf_Nhdr note;

	while ((next = gelf_getnote(notes, off, &note, &name_off, &desc_off)) > off) {
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    !memcmp(data + name_off, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) && note.n_descsz) {
			file->build_id_sz = note.n_descsz < sizeof(file->build_id)
						    ? note.n_descsz
						    : sizeof(file->build_id);
			memcpy(file->build_id, data + desc_off, file->build_id_sz);
			return true;
		}
		off = next;
	}
	return false;
}

static void read_build_id(struct elf_file *file)
{
	size_t cnt;
	GElf_Phdr phdr;
	Elf_Data *notes;

	if (elf_getphdrnum(file->elf, &cnt))
		return;
	for (size_t i = 0; i < cnt && i < ELF_PHDRS_MAX; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &phdr) || phdr.p_type != PT_NOTE ||
		    !phdr.p_filesz || phdr.p_filesz > ELF_NOTES_MAX || phdr.p_offset > INT64_MAX)
			continue;
		notes = elf_getdata_rawchunk(file->elf, (int64_t)phdr.p_offset, phdr.p_filesz,
					     phdr.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (notes && notes->d_buf && find_build_id(file, notes))
			return;
	}
}

static int read_header(struct elf_file *file)
{
	struct stat st;
	GElf_Ehdr ehdr;
	uint64_t key[3];

	if (fstat(file->fd, &st))
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOSYS;
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF || !gelf_getehdr(file->elf, &ehdr))
		return -ENOEXEC;
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return -ENOEXEC;
	file->machine = ehdr.e_machine;
	if (!file->inode) {
		file->dev = st.st_dev;
		file->inode = st.st_ino;
	}
	read_build_id(file);
	key[0] = file->dev;
	key[1] = file->inode;
	key[2] = (uint64_t)st.st_size;
	file->id = file->build_id_sz ? hash_bytes(0, file->build_id, file->build_id_sz)
				     : hash_bytes(0, key, sizeof(key));
	return 0;
}

static bool is_refused(int fd)
{
	return fd == -EPERM || fd == -EACCES || fd == -ENOENT;
}

struct elf_file *elf_file__open(const struct target *target, const struct target_map *map)
{
	struct elf_file *file;
	int err = -ENOEXEC;

	/* The vdso, anonymous memory. */
	if (!map->path || map->path[0] != '/' || !map->inode) {
		errno = ENOEXEC;
		return NULL;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	/* As the mapping tells them: stat's may differ (overlay, btrfs). */
	file->dev = map->dev;
	file->inode = map->inode;
	file->fd = open_map_files(file, target, map);
	if (is_refused(file->fd))
		file->fd = open_exe(file, target, map);
	if (is_refused(file->fd) || file->fd == -ESTALE)
		file->fd = open_by_path(file, target, map);
	file->path = strdup(map->path);
	if (file->fd < 0)
		err = file->fd;
	else if (!file->path)
		err = -ENOMEM;
	else
		err = read_header(file);
	if (!err)
		return file;
	elf_file__free(file);
	errno = -err;
	return NULL;
}

struct elf_file *elf_file__open_fd(int fd, const char *path)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	file->fd = fd;
	snprintf(file->open_path, sizeof(file->open_path), "/proc/self/fd/%d", fd);
	file->path = strdup(path);
	err = file->path ? read_header(file) : -ENOMEM;
	if (!err)
		return file;
	elf_file__free(file);
	errno = -err;
	return NULL;
}

void elf_file__free(struct elf_file *file)
{
	if (!file)
		return;
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}

/* The executable segments: the only places where a function can be. */
struct loads {
	GElf_Phdr phdr[ELF_LOADS_MAX];
	size_t cnt;
};

static void read_loads(Elf *elf, struct loads *loads)
{
	GElf_Phdr phdr;
	size_t cnt;

	loads->cnt = 0;
	if (elf_getphdrnum(elf, &cnt))
		return;
	for (size_t i = 0; i < cnt && i < ELF_PHDRS_MAX && loads->cnt < ELF_LOADS_MAX; i++)
		if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_LOAD &&
		    (phdr.p_flags & PF_X))
			loads->phdr[loads->cnt++] = phdr;
}

static bool to_file_off(const struct loads *loads, uint64_t vaddr, uint64_t *off)
{
	for (size_t i = 0; i < loads->cnt; i++) {
		const GElf_Phdr *phdr = &loads->phdr[i];

		if (vaddr >= phdr->p_vaddr && vaddr - phdr->p_vaddr < phdr->p_filesz) {
			*off = vaddr - phdr->p_vaddr + phdr->p_offset;
			return true;
		}
	}
	return false;
}

/* One symbol table while it is searched. */
struct sym_search {
	Elf_Data *symbols;
	const char *names;
	size_t names_sz;
	uint64_t name_budget;
	struct loads loads;
	bool (*want)(const char *name, void *ctx);
	void *ctx;
	struct elf_sym *found;
	size_t cnt, cap;
};

/* Names of .symtab may carry their version ("read@GLIBC_2.2.5"): it is not part of the name. Returns
 * the name to offer, or NULL; `cut` is room for one without its version. */
static const char *plain_name(const char *name, size_t sz, char *cut, size_t cut_sz)
{
	const char *version = memchr(name, '@', sz);

	if (!version || version == name)
		return name;
	sz = (size_t)(version - name);
	if (sz >= cut_sz)
		return NULL;
	memcpy(cut, name, sz);
	cut[sz] = '\0';
	return cut;
}

static int add_symbol(struct sym_search *search, const GElf_Sym *sym)
{
	char cut[512];
	struct elf_sym found = {.vaddr = sym->st_value, .sz = sym->st_size};
	const char *name;
	size_t sz;
	int err;

	if (GELF_ST_TYPE(sym->st_info) != STT_FUNC || sym->st_shndx == SHN_UNDEF || !sym->st_name ||
	    sym->st_name >= search->names_sz)
		return 0;
	name = search->names + sym->st_name; /* the table ends with a NUL */
	sz = strlen(name);
	if (sz + 1 > search->name_budget)
		return -EMSGSIZE;
	search->name_budget -= sz + 1;
	name = plain_name(name, sz, cut, sizeof(cut));
	if (!name || !search->want(name, search->ctx) ||
	    !to_file_off(&search->loads, sym->st_value, &found.file_off))
		return 0;
	err = array__reserve((void **)&search->found, &search->cap, search->cnt + 1, sizeof(found));
	if (err)
		return err;
	found.name = strdup(name);
	if (!found.name)
		return -ENOMEM;
	search->found[search->cnt++] = found;
	return 0;
}

/* The bytes of a section that is worth reading, or NULL. */
static Elf_Data *section_data(Elf_Scn *section, const GElf_Shdr *shdr)
{
	if (!shdr->sh_size || shdr->sh_size > ELF_TABLE_MAX || (shdr->sh_flags & SHF_COMPRESSED))
		return NULL;
	return elf_getdata(section, NULL);
}

/* 0 or -errno; a table that is broken has no symbols. */
static int search_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr,
			struct sym_search *search)
{
	Elf_Scn *name_section = elf_getscn(elf, shdr->sh_link);
	GElf_Shdr name_shdr;
	Elf_Data *names;
	GElf_Sym sym;
	size_t cnt, entry_sz;
	int err = 0;

	if (!name_section || !gelf_getshdr(name_section, &name_shdr) ||
	    name_shdr.sh_type != SHT_STRTAB)
		return -EINVAL;
	names = section_data(name_section, &name_shdr);
	search->symbols = section_data(section, shdr);
	entry_sz = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
	if (!names || !names->d_buf || !names->d_size || !search->symbols ||
	    !search->symbols->d_buf || !entry_sz)
		return -EINVAL;
	search->names = names->d_buf;
	search->names_sz = names->d_size;
	if (search->names[search->names_sz - 1])
		return -EINVAL;
	search->name_budget = (uint64_t)search->names_sz * ELF_NAME_REUSE;
	cnt = search->symbols->d_size / entry_sz;
	for (size_t i = 1; i < cnt && i < INT_MAX && !err; i++)
		if (gelf_getsym(search->symbols, (int)i, &sym))
			err = add_symbol(search, &sym);
	return err;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct elf_sym *left = a, *right = b;

	if (left->vaddr != right->vaddr)
		return left->vaddr < right->vaddr ? -1 : 1;
	return strcmp(left->name, right->name);
}

static size_t drop_duplicates(struct elf_sym *syms, size_t cnt)
{
	size_t kept = 0;

	for (size_t i = 0; i < cnt; i++) {
		if (kept && !compare_symbols(&syms[kept - 1], &syms[i]))
			free(syms[i].name);
		else
			syms[kept++] = syms[i];
	}
	return kept;
}

/* The first table of each kind: there is one of each, more are a way to make us work. */
static int search_tables(Elf *elf, struct sym_search *search)
{
	bool seen[2] = {false, false};
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;
	int err = 0;

	for (size_t i = 0; i < ELF_SECTIONS_MAX && !err && !(seen[0] && seen[1]); i++) {
		bool is_dynamic;

		section = elf_nextscn(elf, section);
		if (!section)
			break;
		if (!gelf_getshdr(section, &shdr) ||
		    (shdr.sh_type != SHT_SYMTAB && shdr.sh_type != SHT_DYNSYM))
			continue;
		is_dynamic = shdr.sh_type == SHT_DYNSYM;
		if (!seen[is_dynamic])
			err = search_table(elf, section, &shdr, search);
		seen[is_dynamic] = true;
	}
	return err;
}

int elf_file__functions(struct elf_file *file, bool (*want)(const char *name, void *ctx), void *ctx,
			struct elf_sym **syms)
{
	struct sym_search search = {.want = want, .ctx = ctx};
	Elf *elf;
	int err;

	*syms = NULL;
	/* A handle of its own: libelf keeps the tables (17 MB for node) as long as the handle. */
	elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!elf)
		return -ENOEXEC;
	read_loads(elf, &search.loads);
	err = search_tables(elf, &search);
	elf_end(elf);
	if (!err && search.cnt > INT_MAX)
		err = -EOVERFLOW;
	if (err) {
		elf_syms__free(search.found, search.cnt);
		return err;
	}
	if (search.cnt) {
		qsort(search.found, search.cnt, sizeof(*search.found), compare_symbols);
		search.cnt = drop_duplicates(search.found, search.cnt);
	}
	*syms = search.found;
	return (int)search.cnt;
}

void elf_syms__free(struct elf_sym *syms, size_t cnt)
{
	for (size_t i = 0; syms && i < cnt; i++)
		free(syms[i].name);
	free(syms);
}

ssize_t elf_file__read_code(const struct elf_file *file, uint64_t file_off, uint8_t *code,
			    size_t sz)
{
	ssize_t len;
	size_t cnt = 0;

	if (file->machine != EM_X86_64)
		return -ENOEXEC;
	if (file_off > INT64_MAX - sz)
		return -EINVAL;
	while (cnt < sz) {
		len = pread(file->fd, code + cnt, sz - cnt, (off_t)(file_off + cnt));
		if (len < 0)
			return -errno;
		if (!len)
			break;
		cnt += (size_t)len;
	}
	return (ssize_t)cnt;
}

uint64_t target__addr_of(const struct target *target, const struct elf_file *file,
			 uint64_t file_off)
{
	for (size_t i = 0; i < target->map_cnt; i++) {
		const struct target_map *map = &target->maps[i];

		if (map->executable && map->dev == file->dev && map->inode == file->inode &&
		    file_off >= map->file_off && file_off - map->file_off < map->end - map->start)
			return map->start + (file_off - map->file_off);
	}
	return 0;
}

const struct target_map *target__next_file(const struct target *target, size_t *pos)
{
	while (*pos < target->map_cnt) {
		const struct target_map *map = &target->maps[(*pos)++];

		if (map->first)
			return map;
	}
	return NULL;
}
