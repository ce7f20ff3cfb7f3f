/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/target/elf.c: symbols against what this program knows of itself, files opened through every
 * path there is, and broken ones. Run by tests/run. */
#include "target/elf.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define MARKER "elf_test_marker"

/* Told apart from everything else by name; its address is known. */
__attribute__((noinline, used)) int elf_test_marker(int val)
{
	__asm__ volatile("" : "+r"(val));
	return val + 1;
}

static bool is_named(const char *name, void *ctx)
{
	return !strcmp(name, ctx);
}

static bool any_name(const char *name, void *ctx)
{
	(void)name;
	(void)ctx;
	return true;
}

/* The process of this test, read anew. */
static struct target *own_target(void)
{
	enum target_error error;
	struct target *target = target__open(getpid(), &error);

	if (!target)
		abort();
	return target;
}

static const struct target_map *map_at(const struct target *target, const void *addr)
{
	for (size_t i = 0; i < target->map_cnt; i++)
		if (target->maps[i].start <= (uintptr_t)addr &&
		    (uintptr_t)addr < target->maps[i].end)
			return &target->maps[i];
	abort();
}

/* The only function of a name in the file mapped at `addr`: its address here, or 0. */
static uint64_t address_by_name(const struct target *target, const void *addr, char *name)
{
	struct elf_file *file = elf_file__open(target, map_at(target, addr));
	struct elf_sym *syms = NULL;
	uint64_t found = 0;
	int cnt;

	if (!file)
		return 0;
	cnt = elf_file__functions(file, is_named, name, &syms);
	if (cnt == 1 && !strcmp(syms[0].name, name) && syms[0].sz)
		found = target__addr_of(target, file, syms[0].file_off);
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	elf_file__free(file);
	return found;
}

static void test_own_symbols(void)
{
	struct target *target = own_target();
	struct elf_file *file = elf_file__open(target, map_at(target, test_own_symbols));
	struct elf_sym *syms = NULL;
	bool sorted = true, in_file = true;
	struct stat st;
	int cnt;

	ok(address_by_name(target, test_own_symbols, MARKER) == (uintptr_t)elf_test_marker,
	   "own: a function's address by its name");
	ok(address_by_name(target, gnu_get_libc_version, "gnu_get_libc_version") ==
		   (uintptr_t)gnu_get_libc_version,
	   "libc: a function of .dynsym alone");
	ok(file && !fstat(file->fd, &st) && file->inode && file->path, "own: opened");
	cnt = elf_file__functions(file, any_name, NULL, &syms);
	for (int i = 0; i < cnt; i++) {
		in_file &= syms[i].file_off < (uint64_t)st.st_size;
		sorted &= !i || syms[i - 1].vaddr < syms[i].vaddr ||
			  (syms[i - 1].vaddr == syms[i].vaddr &&
			   strcmp(syms[i - 1].name, syms[i].name) < 0);
	}
	ok(cnt > 50 && sorted, "own: %d functions, sorted, no duplicates", cnt);
	ok(in_file, "own: every offset is in the file");
	elf_syms__free(syms, (size_t)cnt);
	cnt = elf_file__functions(file, is_named, (char *)"no_such_function", &syms);
	ok(cnt == 0, "own: no function of another name");
	elf_syms__free(syms, (size_t)cnt);
	ok(target__addr_of(target, file, UINT64_MAX) == 0, "an offset that is not mapped");
	elf_file__free(file);
	elf_file__free(NULL);
	elf_syms__free(NULL, 3);
	target__free(target);
}

/* The build-id as this process's own memory has it. */
struct own_id {
	const unsigned char *bytes;
	size_t sz;
};

static int find_own_id(struct dl_phdr_info *info, size_t info_sz, void *ctx)
{
	struct own_id *id = ctx;

	(void)info_sz;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		const char *pos = (const char *)(info->dlpi_addr + phdr->p_vaddr);
		const char *end = pos + phdr->p_memsz;

		while (phdr->p_type == PT_NOTE && pos + sizeof(ElfW(Nhdr)) < end) {
			const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)pos;

			pos += sizeof(*note) + ((note->n_namesz + 3) & ~3u);
			if (note->n_type == NT_GNU_BUILD_ID) {
				id->bytes = (const unsigned char *)pos;
				id->sz = note->n_descsz;
			}
			pos += (note->n_descsz + 3) & ~3u;
		}
	}
	return 1; /* the first is the program itself */
}

static void test_build_id(void)
{
	struct target *target = own_target();
	struct elf_file *file = elf_file__open(target, map_at(target, test_build_id));
	struct own_id own = {0};

	dl_iterate_phdr(find_own_id, &own);
	ok(own.sz == file->build_id_sz && !memcmp(own.bytes, file->build_id, own.sz),
	   "build-id: %zu bytes, as the notes in memory", own.sz);
	elf_file__free(file);
	target__free(target);
}

/* --- files of all kinds --- */

static char *read_self(size_t *sz)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data;

	if (fd < 0 || fstat(fd, &st))
		abort();
	data = malloc((size_t)st.st_size);
	*sz = (size_t)st.st_size;
	if (!data || read(fd, data, *sz) != (ssize_t)*sz)
		abort();
	close(fd);
	return data;
}

static void copy_self(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	size_t sz;
	char *data = read_self(&sz);

	if (fd < 0 || write(fd, data, sz) != (ssize_t)sz)
		abort();
	close(fd);
	free(data);
}

/* Maps a whole file executable, and nothing else about it. */
static void *map_file(const char *path, size_t *sz)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *mem;

	if (fd < 0 || fstat(fd, &st))
		abort();
	*sz = (size_t)st.st_size;
	mem = mmap(NULL, *sz, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	return mem;
}

static void test_hostile_names(const char *dir)
{
	static const char *const names[] = {"plain", "with space", "new\nline", "x (deleted)",
					    "gone"};
	char path[100];
	struct target *target;
	size_t sz;
	void *mem;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool gone = !strcmp(names[i], "gone");
		const struct target_map *map;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		copy_self(path);
		mem = map_file(path, &sz);
		if (gone)
			unlink(path);
		target = own_target();
		map = map_at(target, mem);
		ok(map->deleted == gone, "file %zu: %sdeleted", i, gone ? "" : "not ");
		if (gone && geteuid())
			ok(true, "file %zu: # SKIP needs CAP_CHECKPOINT_RESTORE", i);
		else
			ok(address_by_name(target, mem, MARKER) > (uintptr_t)mem,
			   "file %zu: its functions are found", i);
		target__free(target);
		munmap(mem, sz);
		unlink(path);
	}
}

static void test_no_file(void)
{
	struct target *target = own_target();
	void *anonymous =
		mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct target *again = own_target();
	size_t pos = 0, cnt = 0;
	const struct target_map *map;
	bool vdso = false, twice = false;

	errno = 0;
	ok(!elf_file__open(again, map_at(again, anonymous)) && errno == ENOEXEC,
	   "anonymous memory has no file");
	for (size_t i = 0; i < target->map_cnt; i++)
		if (target->maps[i].path && !strcmp(target->maps[i].path, "[vdso]"))
			vdso = !elf_file__open(target, &target->maps[i]) && errno == ENOEXEC;
	ok(vdso, "the vdso has no file");
	while ((map = target__next_file(target, &pos))) {
		cnt++;
		for (size_t i = 0; i + 1 < pos; i++)
			twice |= target->maps[i].first && target->maps[i].inode == map->inode &&
				 target->maps[i].dev == map->dev;
	}
	ok(cnt >= 3 && !twice, "%zu files with code, each once", cnt);
	munmap(anonymous, 4096);
	target__free(target);
	target__free(again);
}

/* --- without the right to follow map_files --- */

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return (int)syscall(SYS_capset, &header, data);
}

/* In a child: the file, then the same path with another file behind it. */
static int child_by_path(const char *path)
{
	struct target *target = own_target();
	struct elf_file *file;
	size_t sz;
	void *mem = map_file(path, &sz);
	char other[200];
	const struct target_map *map;

	target__free(target);
	target = own_target();
	map = map_at(target, mem);
	if (drop_capabilities())
		return 2;
	file = elf_file__open(target, map);
	if (!file || strncmp(file->open_path, "/proc/self/fd/", 14) != 0)
		return 3;
	elf_file__free(file);
	if (address_by_name(target, mem, (char *)MARKER) <= (uintptr_t)mem)
		return 4;
	snprintf(other, sizeof(other), "%s.other", path);
	copy_self(other);
	(void)!truncate(other, 4096);
	if (rename(other, path))
		return 5;
	/* Another inode, but the same beginning: taken for the same file, as on overlay. */
	file = elf_file__open(target, map);
	if (!file)
		return 6;
	elf_file__free(file);
	if (truncate(path, 10))
		return 7;
	file = elf_file__open(target, map);
	if (file || errno != ESTALE)
		return 8;
	unlink(path);
	if (mkfifo(path, 0600))
		return 9;
	file = elf_file__open(target, map); /* must not wait for a writer */
	if (file || errno != ENOEXEC)
		return 10;
	target__free(target);
	munmap(mem, sz);
	return 0;
}

static void test_by_path(const char *dir)
{
	char path[100];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/by path\nx", dir);
	copy_self(path);
	pid = fork();
	if (!pid)
		_exit(child_by_path(path));
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && !WEXITSTATUS(status),
	   "without capabilities: by the path, and only the file that is mapped (%d)",
	   WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	unlink(path);
}

/* --- broken files --- */

static int memory_file(const char *data, size_t sz)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, sz) != (ssize_t)sz)
		abort();
	return fd;
}

/* Functions in the file, or -errno. */
static int count_functions(int fd)
{
	struct elf_file *file = elf_file__open_fd(dup(fd), "/test");
	struct elf_sym *syms = NULL;
	int cnt;

	if (!file)
		return -errno;
	cnt = elf_file__functions(file, any_name, NULL, &syms);
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	elf_file__free(file);
	return cnt;
}

static void test_truncated(const char *data, size_t sz)
{
	int fd = memory_file(data, sz), whole = count_functions(fd), less = 0, cnt = 0;

	ok(whole > 50, "a copy has %d functions", whole);
	for (size_t cut = 1; cut < sz; cut += cut < 2048 ? 7 : sz / 200) {
		(void)!ftruncate(fd, (off_t)(sz - cut));
		less += count_functions(fd) < whole;
		cnt++;
	}
	for (size_t len = 0; len < 1200 && len < sz; len += 5) {
		(void)!ftruncate(fd, 0);
		(void)!pwrite(fd, data, len, 0);
		less += count_functions(fd) < whole;
		cnt++;
	}
	ok(less == cnt, "cut to %d lengths: less is found, never more", cnt);
	close(fd);
}

/* A small generator, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void test_flipped(const char *data, size_t sz)
{
	const ElfW(Ehdr) *ehdr = (const void *)data;
	const size_t areas[][2] = {
		{0, sizeof(*ehdr)},
		{ehdr->e_phoff, ehdr->e_phnum * sizeof(ElfW(Phdr))},
		{ehdr->e_shoff, ehdr->e_shnum * sizeof(ElfW(Shdr))},
		{0, sz},
	};
	int fd = memory_file(data, sz), failed = 0;
	uint32_t state = 1;

	for (int round = 0; round < 1500; round++) {
		size_t off[4];

		for (int i = 0; i < 4; i++) {
			const size_t *area = areas[(round + i / 3) % 4];
			char byte = (char)next_random(&state);

			off[i] = area[0] + next_random(&state) % area[1];
			if (round & 64)
				byte = round & 128 ? '\xff' : 0;
			(void)!pwrite(fd, &byte, 1, (off_t)off[i]);
		}
		failed += count_functions(fd) < 0;
		for (int i = 0; i < 4; i++)
			(void)!pwrite(fd, data + off[i], 1, (off_t)off[i]);
	}
	ok(failed > 100, "1500 files with wrong bytes: no crash, %d refused", failed);
	ok(count_functions(fd) > 50, "and the right bytes again");
	close(fd);
}

/* What a size field may claim, a hole in the file may really have: 1 TB of symbols. */
static void test_huge(char *data, size_t sz)
{
	ElfW(Ehdr) *ehdr = (void *)data;
	ElfW(Shdr) *sections = (void *)(data + ehdr->e_shoff);
	int fd, cnt;

	for (int i = 0; i < ehdr->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB || sections[i].sh_type == SHT_DYNSYM)
			sections[i].sh_size = 1ull << 40;
	fd = memory_file(data, sz);
	if (ftruncate(fd, 2ll << 40))
		note("no file of 2 TB here");
	cnt = count_functions(fd);
	ok(cnt <= 0, "a symbol table of 1 TB is not read (%d)", cnt);
	close(fd);
}

static void test_not_elf(void)
{
	int fd = memory_file("#!/bin/sh\n", 10);

	ok(count_functions(fd) == -ENOEXEC, "a script is no ELF file");
	close(fd);
	ok(!elf_file__open_fd(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null"),
	   "a device is none");
}

int main(void)
{
	char dir[] = "/tmp/test_elf.XXXXXX";
	size_t sz;
	char *data = read_self(&sz);

	if (!mkdtemp(dir))
		abort();
	test_own_symbols();
	test_build_id();
	test_hostile_names(dir);
	test_no_file();
	test_by_path(dir);
	test_truncated(data, sz);
	test_flipped(data, sz);
	test_huge(data, sz);
	test_not_elf();
	rmdir(dir);
	free(data);
	return tap_done();
}
