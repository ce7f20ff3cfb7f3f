/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What user/target says of instructions and places, against the kernel that runs here: each is probed
 * by a perf event while it runs. The kernel maps [uprobes] into a process when it first steps over an
 * instruction, and not for one that it emulates. Run by tests/run, and in each guest of tests/vm.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/code.h"
#include "../unit/own_function.h"
#include "../unit/tap.h"
#include "target/place.h"

#define RING_SZ    (16 * 4096)
#define CALL_CNT   3
#define RDI        PLACE_ARG(0)
#define RSI        PLACE_ARG(1)
#define SAMPLE_MAX 64

/* PERF_REG_X86_DI, _SP, in this order in a sample. */
#define REGS ((1u << 5) | (1u << 7))

struct sample {
	uint64_t di, sp;
};

/* What a child found. */
struct outcome {
	bool attached, same_result, stepped;
	int err;
	uint64_t entry_sp; /* of the last call */
	int sample_cnt;
	struct sample samples[SAMPLE_MAX];
};

/* Calls a function with three arguments, and notes the stack pointer that it begins with. */
uint64_t call_noting_sp(const void *function, uint64_t a, uint64_t b, uint64_t c, uint64_t *sp);
__asm__(".text\n"
	".globl call_noting_sp\n"
	".type call_noting_sp, @function\n"
	"call_noting_sp:\n"
	"	push %rbx\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	lea -8(%rsp), %rbx\n"
	"	mov %rbx, (%r8)\n"
	"	call *%rax\n"
	"	pop %rbx\n"
	"	ret\n"
	".size call_noting_sp, . - call_noting_sp\n");

/* A perf event of this process at an offset of a file, with its ring in *ring; -errno. */
static int open_uprobe(const char *path, uint64_t off, struct perf_event_mmap_page **ring)
{
	struct perf_event_attr attr = {
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_REGS_USER,
		.sample_regs_user = REGS,
	};
	int fd = open_own_uprobe(&attr, path, off);

	if (fd < 0)
		return fd;
	*ring = mmap(NULL, 4096 + RING_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *ring == MAP_FAILED ? -errno : fd;
}

static void read_samples(const struct perf_event_mmap_page *ring, struct outcome *outcome)
{
	const char *data = (const char *)ring + 4096;
	uint64_t head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE), pos = 0;

	while (pos < head && outcome->sample_cnt < SAMPLE_MAX) {
		const struct perf_event_header *header = (const void *)(data + pos);
		/* the ABI, then the registers */
		const uint64_t *body = (const void *)(header + 1);

		if (header->type == PERF_RECORD_SAMPLE && body[0])
			outcome->samples[outcome->sample_cnt++] =
				(struct sample){.di = body[1], .sp = body[2]};
		pos += header->size;
	}
}

static bool has_stepped(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (maps && fgets(line, sizeof(line), maps))
		found |= strstr(line, "[uprobes]") != NULL;
	if (maps)
		fclose(maps);
	return found;
}

/* Where a function is, and with what it is called. */
struct subject {
	const char *path;
	uint64_t file_off; /* of the probe */
	const void *function;
	uint64_t a, b;
};

static void probe_here(const struct subject *subject, bool compare, struct outcome *outcome)
{
	struct perf_event_mmap_page *ring = NULL;
	uint64_t want = 0;
	int fd;

	if (compare)
		want = call_noting_sp(subject->function, subject->a, subject->b, 8,
				      &outcome->entry_sp);
	fd = open_uprobe(subject->path, subject->file_off, &ring);
	outcome->err = fd < 0 ? fd : 0;
	outcome->attached = fd >= 0;
	outcome->same_result = true;
	if (fd < 0)
		return;
	for (int i = 0; i < CALL_CNT; i++) {
		uint64_t got = call_noting_sp(subject->function, subject->a, subject->b, 8,
					      &outcome->entry_sp);

		outcome->same_result &= !compare || got == want;
	}
	close(fd);
	read_samples(ring, outcome);
	outcome->stepped = has_stepped();
}

/* In a process of its own, which has never stepped before, and which may crash. */
static bool probe(const struct subject *subject, bool compare, struct outcome *outcome)
{
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(30);
		probe_here(subject, compare, shared);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	*outcome = *shared;
	munmap(shared, sizeof(*shared));
	return !status;
}

/* The bytes as a function in a file of their own: *function and the file's path. */
static int map_code(const uint8_t *code, size_t sz, char *path, size_t path_sz, void **function)
{
	int fd = memfd_create("code", 0);

	if (fd < 0 || ftruncate(fd, 4096) || pwrite(fd, code, sz, 0) != (ssize_t)sz)
		return -1;
	snprintf(path, path_sz, "/proc/self/fd/%d", fd);
	*function = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	return *function == MAP_FAILED ? -1 : fd;
}

/* Each kind of instruction: is it run as insn.c says, with the right result? */
static void test_insns(void)
{
	static const struct {
		const char *what, *code;
		uint32_t off; /* of the instruction */
		uint64_t a;
	} rows[] = {
		{"push rbp", "55 48 89 f8 5d c3", 0, 7},
		{"push r12", "41 54 48 89 f8 41 5c c3", 0, 7},
		{"push rsp", "54 58 48 29 e0 c3", 0, 7},
		{"push rdi", "57 58 c3", 0, 7},
		{"push r8 with REX.W", "49 50 58 48 89 f8 c3", 0, 7},
		{"push of a number", "6a 05 58 c3", 0, 7},
		{"nop", "90 48 89 f8 c3", 0, 7},
		{"nop of 3 bytes", "0f 1f 00 48 89 f8 c3", 0, 7},
		{"nop of 5 bytes", "0f 1f 44 00 00 48 89 f8 c3", 0, 7},
		{"nop of 6 bytes", "66 0f 1f 44 00 00 48 89 f8 c3", 0, 7},
		{"jmp", "eb 01 cc 48 89 f8 c3", 0, 7},
		{"jmp back", "eb 04 48 89 f8 c3 eb fa", 6, 7},
		{"jmp, long", "e9 01 00 00 00 cc 48 89 f8 c3", 0, 7},
		{"je, taken", "85 ff 74 04 48 89 f8 c3 6a 09 58 c3", 2, 0},
		{"je, not taken", "85 ff 74 04 48 89 f8 c3 6a 09 58 c3", 2, 7},
		{"jg, long", "85 ff 0f 8f 04 00 00 00 48 89 f8 c3 6a 09 58 c3", 2, 7},
		{"jb", "48 83 ff 08 72 04 48 89 f8 c3 6a 09 58 c3", 4, 7},
		{"call", "e8 01 00 00 00 c3 48 89 f8 c3", 0, 7},
		{"endbr64", "f3 0f 1e fa 48 89 f8 c3", 0, 7},
		{"mov", "48 89 f8 c3", 0, 7},
		{"lea from rip", "48 8d 05 00 00 00 00 48 8d 15 f9 ff ff ff 48 29 d0 c3", 0, 7},
		{"test", "48 85 ff 0f 94 c0 0f b6 c0 c3", 0, 7},
		{"sub rsp", "48 83 ec 08 48 89 f8 48 83 c4 08 c3", 0, 7},
		{"ret", "48 89 f8 c3", 3, 7},
		{"repz ret", "48 89 f8 f3 c3", 3, 7},
		{"leave", "55 48 89 e5 48 89 f8 c9 c3", 7, 7},
		{"jrcxz", "31 c9 e3 01 cc 48 89 f8 c3", 2, 7},
		{"jmp by a register", "48 8d 05 03 00 00 00 ff e0 cc 48 89 f8 c3", 7, 7},
		{"call by a register", "48 8d 05 03 00 00 00 ff d0 c3 48 89 f8 c3", 7, 7},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct subject subject = {.a = rows[i].a, .file_off = rows[i].off};
		struct outcome outcome = {0};
		uint8_t code[64];
		size_t sz = parse_code(rows[i].code, code, sizeof(code));
		struct insn insn = {0};
		void *function;
		char path[64];
		bool ended;
		int fd = map_code(code, sz, path, sizeof(path), &function);

		subject.path = path;
		subject.function = function;
		ended = fd >= 0 && !insn__decode(&insn, code + rows[i].off, sz - rows[i].off) &&
			probe(&subject, true, &outcome);
		ok(ended && outcome.attached && outcome.same_result &&
			   outcome.sample_cnt == CALL_CNT,
		   "%s: is hit, and does what it does without a probe%s%s", rows[i].what,
		   outcome.err ? ": " : "", outcome.err ? strerror(-outcome.err) : "");
		if (insn.probe == PROBE_EMULATED_NEWER)
			note("%s: %s", rows[i].what, outcome.stepped ? "stepped" : "emulated");
		else
			ok(insn.probe >= PROBE_STEPPED &&
				   outcome.stepped == (insn.probe == PROBE_STEPPED),
			   "%s: %s", rows[i].what, outcome.stepped ? "stepped" : "emulated");
		munmap(function, 4096);
		close(fd);
	}
}

/* All hits have the argument and, corrected, the stack pointer of the entry. */
static bool are_as_at_entry(const struct outcome *outcome, const struct place *place, uint64_t a)
{
	for (int i = 0; i < outcome->sample_cnt; i++)
		if (outcome->samples[i].di != a ||
		    outcome->samples[i].sp + place->sp_below != outcome->entry_sp)
			return false;
	return true;
}

static void test_places(void)
{
	static const struct {
		const char *what, *code;
		unsigned int nulls;
		uint64_t a;
		int hits; /* of each call */
		bool stepped;
	} rows[] = {
		{"behind endbr64", "f3 0f 1e fa 55 48 89 f8 5d c3", 0, 7, 1, false},
		{"with a deeper stack", "48 83 ec 18 53 48 89 f8 5b 48 83 c4 18 c3", 0, 7, 1,
		 false},
		{"a branch", "48 85 ff 74 05 53 48 89 f8 5b c3", 0, 0, 1, false},
		{"past null", "48 85 ff 74 05 53 48 89 f8 5b c3", RDI, 7, 1, false},
		{"past null, with null", "48 85 ff 74 05 53 48 89 f8 5b c3", RDI, 0, 0, false},
		{"the entry", "48 89 f8 48 89 c7 55 5d c3", 0, 7, 1, true},
		{"a loop before the push", "48 89 f8 53 5b ff cf 75 fa c3", 0, 3, 1, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place_want want = {.args = RDI, .nulls = rows[i].nulls};
		struct subject subject = {.a = rows[i].a};
		struct outcome outcome = {0};
		struct place place;
		uint8_t code[64];
		size_t sz = parse_code(rows[i].code, code, sizeof(code));
		void *function;
		char path[64];
		bool ended;
		int fd = map_code(code, sz, path, sizeof(path), &function);

		place__choose(&place, &want, code, sz, true);
		subject.path = path;
		subject.function = function;
		subject.file_off = place.off;
		ended = fd >= 0 && probe(&subject, true, &outcome);
		ok(ended && outcome.attached && outcome.same_result &&
			   outcome.sample_cnt == CALL_CNT * rows[i].hits &&
			   are_as_at_entry(&outcome, &place, rows[i].a) &&
			   outcome.stepped == rows[i].stepped,
		   "place: %s: %s, %d hits", rows[i].what, place.reason, outcome.sample_cnt);
		munmap(function, 4096);
		close(fd);
	}
}

/* The C library's own, as it is here: called with an argument that nobody else uses. */
static void test_libc(void)
{
	static const struct {
		const char *name;
		const void *function;
		struct place_want want;
		uint64_t a, b;
	} rows[] = {
		{"malloc", malloc, {RDI, 0}, 4711, 0},
		{"calloc", calloc, {RDI | RSI, 0}, 4711, 1},
		{"realloc", realloc, {RDI | RSI, 0}, 0, 4711},
		{"free", free, {RDI, RDI}, 0, 0},
		{"free", free, {RDI, 0}, 0, 0},
		{"memalign", memalign, {RDI | RSI, 0}, 4096, 4711},
	};
	enum target_error error;
	struct target *target = target__open(getpid(), &error);

	for (size_t i = 0; target && i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct subject subject = {.function = rows[i].function,
					  .a = rows[i].a,
					  .b = rows[i].b};
		struct outcome outcome = {0};
		struct elf_sym sym = {0};
		struct place place;
		struct elf_file *file =
			find_own_function(target, rows[i].name, rows[i].function, &sym);
		int found = 0;
		bool ended;

		if (!ok(file != NULL, "libc: %s is there", rows[i].name))
			continue;
		place__in_file(&place, &rows[i].want, file, &sym);
		subject.path = file->open_path;
		subject.file_off = sym.file_off + place.off;
		ended = probe(&subject, false, &outcome);
		for (int j = 0; j < outcome.sample_cnt; j++)
			found += outcome.samples[j].di == rows[i].a &&
				 outcome.samples[j].sp + place.sp_below == outcome.entry_sp;
		ok(ended && outcome.attached && found == (rows[i].want.nulls ? 0 : CALL_CNT) &&
			   outcome.stepped == (place.probe == PROBE_STEPPED),
		   "libc: %s: %s, %d of %d calls seen", rows[i].name, place.reason, found,
		   CALL_CNT);
		elf_file__free(file);
	}
	target__free(target);
}

int main(void)
{
	if (uprobe_type() < 0) {
		ok(true, "probed # SKIP no perf uprobes");
		return tap_done();
	}
	test_insns();
	test_places();
	test_libc();
	return tap_done();
}
