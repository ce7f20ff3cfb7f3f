/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes user/target/insn.c, effect.c, flow.c, place.c and exits.c: any bytes as a function's code.
 * Run by tools/fuzz, which gets the seeds, functions of the C library, by FUZZ_WRITE_SEEDS=DIR. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/exits.h"
#include "target/flow.h"
#include "target/place.h"

#define CODE_MAX (64 * 1024)
#define SEED_CNT 200
#define SEED_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);

static void check(bool cond)
{
	if (!cond)
		abort();
}

/* The length does not depend on what follows; a part of an instruction is one that is cut off. */
static void check_length(const uint8_t *code, size_t sz)
{
	struct insn insn, again;
	struct insn_effect effect;
	int err = insn__decode(&insn, code, sz);

	check(!err || err == -EILSEQ || err == -ENODATA);
	check(err != -ENODATA || sz < INSN_MAX);
	if (err)
		return;
	check(insn.len && insn.len <= INSN_MAX && insn.len <= sz);
	check(!insn__decode(&again, code, insn.len) && again.len == insn.len &&
	      again.kind == insn.kind);
	check(insn__decode(&again, code, insn.len - 1u) == -ENODATA);
	insn__effect(&insn, &effect);
	check(effect.stack == STACK_KEPT || effect.writes & 1u << GPR_RSP);
	check(insn__tests_zero(&insn) < 16);
}

/* A probe is where an instruction begins that straight code leads to. */
static void check_place(const struct place_want *want, const uint8_t *code, size_t sz, bool whole)
{
	struct place place;
	struct insn insn;
	size_t off = 0;

	place__choose(&place, want, code, sz, whole);
	check(place.reason[0] && memchr(place.reason, '\0', sizeof(place.reason)));
	while (off < place.off) {
		check(!insn__decode(&insn, code + off, sz - off));
		check(insn.kind != INSN_RET && insn.kind != INSN_JUMP && insn.kind != INSN_CALL);
		off += insn.len;
	}
	check(off == place.off && (!off || off < sz));
	check(place.probe == PROBE_REFUSED ||
	      (!insn__decode(&insn, code + off, sz - off) && insn.probe == place.probe));
}

static void check_exits(const uint8_t *code, size_t sz)
{
	struct flow *flow = flow__new(code, sz);
	const struct flow_insn *insn;
	struct exits exits;

	check(!exits__find(&exits, code, sz));
	check(exits.complete == !exits.why[0]);
	for (size_t i = 0; i < exits.cnt; i++) {
		insn = flow__at(flow, exits.sites[i].off);
		check(insn && (!i || exits.sites[i - 1].off < exits.sites[i].off));
		check(!exits.complete || insn->depth != FLOW_UNREACHED);
	}
	exits__free(&exits);
	flow__free(flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	struct place_want want;
	bool whole;

	if (sz < 3 || sz > CODE_MAX)
		return 0;
	want.args = data[0];
	want.nulls = data[1];
	whole = data[2] & 1;
	data += 3;
	sz -= 3;
	for (size_t i = 0; i < sz && i < 256; i++)
		check_length(data + i, sz - i);
	check_place(&want, data, sz, whole);
	check_exits(data, sz);
	return 0;
}

static bool any_name(const char *name, void *ctx)
{
	(void)name;
	(void)ctx;
	return true;
}

static void write_seed(const char *dir, int nr, const uint8_t *code, size_t sz)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/libc-%d", dir, nr);
	out = fopen(path, "w");
	if (!out || fwrite("\3\1\1", 3, 1, out) != 1 || fwrite(code, sz, 1, out) != 1 ||
	    fclose(out)) {
		perror(path);
		exit(1);
	}
}

static void write_seeds(const char *dir)
{
	const char *path = "/lib/x86_64-linux-gnu/libc.so.6";
	struct elf_file *file = elf_file__open_fd(open(path, O_RDONLY | O_CLOEXEC), path);
	struct elf_sym *syms = NULL;
	int cnt = file ? elf_file__functions(file, any_name, NULL, &syms) : 0;

	for (int i = 0, nr = 0; i < cnt && nr < SEED_CNT; i += 1 + cnt / SEED_CNT) {
		uint8_t code[SEED_MAX];

		if (syms[i].sz && syms[i].sz <= sizeof(code) &&
		    elf_file__read_code(file, syms[i].file_off, code, syms[i].sz) > 0)
			write_seed(dir, nr++, code, syms[i].sz);
	}
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	elf_file__free(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("FUZZ_WRITE_SEEDS");

	(void)argc;
	(void)argv;
	if (!dir)
		return 0;
	write_seeds(dir);
	exit(0);
}
