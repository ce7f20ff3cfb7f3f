/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/target/insn.c against objdump: every instruction of the files of this machine, each at its own
 * address, so that one mistake does not hide behind the next. FULL=1 takes the big ones too. Run by
 * tests/run. */
#include "target/insn.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

/* What is said of the first few. */
#define NOTE_MAX 8

struct image {
	const uint8_t *data;
	size_t sz;
};

struct tally {
	unsigned long cnt, right, unknown, wrong, bad;
};

static bool image__open(struct image *image, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && (size_t)st.st_size > sizeof(ElfW(Ehdr)))
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	image->data = data;
	image->sz = (size_t)st.st_size;
	return data != MAP_FAILED && !memcmp(data, ELFMAG, SELFMAG);
}

/* The bytes of the file at an address, and how many follow in their segment. */
static const uint8_t *image__at(const struct image *image, uint64_t vaddr, size_t *left)
{
	const ElfW(Ehdr) *ehdr = (const void *)image->data;
	const ElfW(Phdr) *phdrs = (const void *)(image->data + ehdr->e_phoff);

	for (int i = 0; i < ehdr->e_phnum; i++) {
		const ElfW(Phdr) *phdr = &phdrs[i];

		if (phdr->p_type != PT_LOAD || vaddr < phdr->p_vaddr ||
		    vaddr - phdr->p_vaddr >= phdr->p_filesz)
			continue;
		*left = phdr->p_filesz - (vaddr - phdr->p_vaddr);
		return image->data + phdr->p_offset + (vaddr - phdr->p_vaddr);
	}
	return NULL;
}

static bool is_prefix_name(const char *word, size_t sz)
{
	static const char names[] =
		" cs ds es fs gs ss lock rep repz repnz data16 addr32 rex bnd xacquire xrelease ";
	char padded[16];

	if (sz + 3 > sizeof(padded))
		return false;
	snprintf(padded, sizeof(padded), " %.*s ", (int)sz, word);
	return strstr(names, padded);
}

/* What objdump takes for data, by its symbol or since it makes no sense ("%?", "(bad)"); prefixes in
 * data, that no instruction follows; fwait, which it joins with the instruction behind it. */
static bool is_no_instruction(const uint8_t *code, const char *text, size_t len)
{
	size_t sz;

	if (len > INSN_MAX || text[0] < 'a' || text[0] > 'z' || strchr(text, '?') ||
	    strstr(text, "(bad)") || (code[0] == 0x9b && len > 1))
		return true;
	for (; *text; text += sz + strspn(text + sz, " ")) {
		sz = strcspn(text, " .");
		if (!is_prefix_name(text, sz))
			return false;
		sz = strcspn(text, " ");
	}
	return true;
}

static void compare(const struct image *image, uint64_t addr, size_t len, const char *text,
		    struct tally *tally)
{
	const uint8_t *code;
	struct insn insn;
	size_t left = 0;
	int err;

	code = image__at(image, addr, &left);
	if (!code)
		return;
	if (is_no_instruction(code, text, len)) {
		tally->bad++;
		return;
	}
	tally->cnt++;
	err = insn__decode(&insn, code, left);
	if (!err && insn.len == len) {
		tally->right++;
		return;
	}
	if (err)
		tally->unknown++;
	else
		tally->wrong++;
	if ((err ? tally->unknown : tally->wrong) <= NOTE_MAX)
		note("%s at %lx, %zu bytes: %s", err ? "unknown" : "wrong", (unsigned long)addr,
		     len, text);
}

/* A line of an instruction: "   26990:\tpush   %rbp". */
static bool parse_line(const char *line, uint64_t *addr, const char **text)
{
	char *end;

	*addr = strtoull(line, &end, 16);
	if (end == line || end[0] != ':' || end[1] != '\t')
		return false;
	*text = end + 2;
	return true;
}

static void test_file(const char *path)
{
	char line[4096], last[4096] = "", command[512];
	uint64_t addr, last_addr = 0;
	struct tally tally = {0};
	struct image image;
	const char *text;
	FILE *dump;

	if (!image__open(&image, path))
		return;
	snprintf(command, sizeof(command), "exec objdump -dzw --no-show-raw-insn '%s'", path);
	dump = popen(command, "r");
	while (dump && fgets(line, sizeof(line), dump)) {
		if (!strncmp(line, "Disassembly", 11))
			last[0] = '\0';
		if (!parse_line(line, &addr, &text))
			continue;
		if (last[0])
			compare(&image, last_addr, addr - last_addr, last, &tally);
		last_addr = addr;
		snprintf(last, sizeof(last), "%.*s", (int)strcspn(text, "\n"), text);
	}
	ok(dump && !pclose(dump) && tally.cnt && !tally.wrong,
	   "%s: %lu instructions, %lu of another length", path, tally.cnt, tally.wrong);
	/* libcrypto has tables among its code, which objdump shows as instructions where it can */
	ok(tally.unknown * 5000 <= tally.cnt, "%s: %lu unknown, %lu left out", path, tally.unknown,
	   tally.bad);
	munmap((void *)image.data, image.sz);
}

int main(int argc, char **argv)
{
	static const char *const files[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib64/ld-linux-x86-64.so.2",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
		"/usr/sbin/nginx",
	};
	static const char *const big[] = {
		"/usr/bin/node",
		"/usr/bin/clang",
		"/usr/bin/gdb",
	};
	const char *full = getenv("FULL");

	if (system("objdump --version >/dev/null 2>&1")) {
		ok(true, "against objdump # SKIP no objdump (binutils)");
		return tap_done();
	}
	if (argc > 1) {
		test_file(argv[1]);
		return tap_done();
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		test_file(files[i]);
	for (size_t i = 0; full && *full && i < sizeof(big) / sizeof(big[0]); i++)
		test_file(big[i]);
	return tap_done();
}
