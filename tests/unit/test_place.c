/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/target/place.c, exits.c and flow.c: functions assembled by hand, and those of this machine's
 * libraries. Run by tests/run. */
#include "target/place.h"

#include <fcntl.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "code.h"
#include "tap.h"
#include "target/exits.h"
#include "target/flow.h"

#define RDI PLACE_ARG(0)
#define RSI PLACE_ARG(1)
#define RDX PLACE_ARG(2)

static void test_sites(void)
{
	static const struct {
		const char *what, *code;
		struct place_want want;
		uint32_t off, sp_below;
		enum insn_probe probe;
		const char *reason; /* it holds this */
	} rows[] = {
		{"push at the entry",
		 "55 48 89 e5 5d c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_EMULATED,
		 "push at the entry, emulated"},
		{"push of r12", "41 54 48 89 fb 41 5c c3", {RDI, 0}, 0, 0, PROBE_EMULATED, "push"},
		{"nop at the entry",
		 "90 48 89 f8 c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_EMULATED,
		 "nop at the entry"},
		{"behind endbr64",
		 "f3 0f 1e fa 55 5d c3",
		 {RDI, 0},
		 4,
		 0,
		 PROBE_EMULATED,
		 "push at +4, emulated"},
		{"behind 66 90, which some kernels refuse",
		 "66 90 55 5d c3",
		 {RDI, 0},
		 2,
		 0,
		 PROBE_EMULATED,
		 "push at +2"},
		{"behind what changes nothing that is read",
		 "48 89 f0 53 5b c3",
		 {RDI | RSI, 0},
		 3,
		 0,
		 PROBE_EMULATED,
		 "push at +3"},
		{"behind a comparison",
		 "80 3d 00 00 00 00 00 41 54 41 5c c3",
		 {RDI, 0},
		 7,
		 0,
		 PROBE_EMULATED,
		 "push at +7"},
		{"a register that is not read may change",
		 "31 ff 53 5b c3",
		 {RSI, 0},
		 2,
		 0,
		 PROBE_EMULATED,
		 "push at +2"},
		{"one that is read may not",
		 "31 ff 53 5b c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "the entry, stepped: rdi changes at +0"},
		{"rdx by a multiplication",
		 "f3 0f 1e fa 48 f7 e6 53 5b c3",
		 {RDX, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "rdx changes at +4"},
		{"half of a register",
		 "40 b7 01 53 5b c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "rdi changes"},
		{"what the arguments point to may not change either",
		 "c6 07 01 53 5b c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "memory is written at +0"},
		{"the own stack may",
		 "48 83 ec 18 48 89 3c 24 53 5b 48 83 c4 18 c3",
		 {RDI, 0},
		 8,
		 24,
		 PROBE_EMULATED,
		 "push at +8"},
		{"the stack is deeper",
		 "48 8d 64 24 f8 55 5d 48 83 c4 08 c3",
		 {RDI, 0},
		 5,
		 8,
		 PROBE_EMULATED,
		 "push at +5"},
		{"not behind a stack that is aligned",
		 "48 83 e4 f0 55 c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "the stack is moved at +0"},
		{"nor behind what pops",
		 "58 55 c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "the stack is moved at +0"},
		{"nor behind what is not known",
		 "0f a2 55 c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "something unknown happens at +0"},
		{"nor behind what does not decode",
		 "31 c0 06 55 c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "unknown code at +2"},
		{"a function that returns at once",
		 "c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "it ends at +0"},
		{"a call", "31 c0 e8 00 00 00 00 c3", {RDI, 0}, 2, 0, PROBE_EMULATED, "call at +2"},
		{"not behind a call",
		 "31 c0 ff d6 55 5d c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "it calls at +2"},
		{"a jump", "31 c0 e9 00 01 00 00", {RDI, 0}, 2, 0, PROBE_EMULATED, "jump at +2"},
		{"a conditional jump",
		 "85 f6 74 02 53 5b c3",
		 {RDI, 0},
		 2,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +2"},
		{"not behind jrcxz, which is stepped",
		 "e3 02 53 5b c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "it branches at +0"},
		{"a long nop is better than nothing",
		 "f3 0f 1e fa 0f 1f 44 00 00 48 89 f7 c3",
		 {RDI, 0},
		 4,
		 0,
		 PROBE_EMULATED_NEWER,
		 "+4, stepped before Linux 6.16: rdi changes at +9"},
		{"a push is better",
		 "f3 0f 1e fa 0f 1f 44 00 00 55 5d c3",
		 {RDI, 0},
		 9,
		 0,
		 PROBE_EMULATED,
		 "push at +9"},
		{"the entry is refused, the next is not",
		 "66 90 48 89 f7 c3",
		 {RDI, 0},
		 2,
		 0,
		 PROBE_STEPPED,
		 "+2, stepped: rdi changes at +2"},
		{"nothing will do",
		 "c5 f8 77 48 89 f7 c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_REFUSED,
		 "no place: something unknown happens at +0"},
		/* free(NULL) */
		{"a branch for null, that must not be missed",
		 "48 85 ff 74 02 53 5b c3",
		 {RDI, 0},
		 3,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +3"},
		{"that may",
		 "48 85 ff 74 02 53 5b c3",
		 {RDI, RDI},
		 5,
		 0,
		 PROBE_EMULATED,
		 "push at +5, emulated, past null"},
		{"with something between",
		 "48 85 ff 48 89 f0 0f 84 02 00 00 00 53 5b c3",
		 {RDI, RDI},
		 12,
		 0,
		 PROBE_EMULATED,
		 "push at +12, emulated, past null"},
		{"of another argument",
		 "48 85 f6 74 02 53 5b c3",
		 {RDI, RDI},
		 3,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +3"},
		{"of half of it",
		 "85 ff 74 02 53 5b c3",
		 {RDI, RDI},
		 2,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +2"},
		{"when it is not null",
		 "48 85 ff 75 02 53 5b c3",
		 {RDI, RDI},
		 3,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +3"},
		{"after other flags",
		 "48 85 ff 31 c0 74 02 53 5b c3",
		 {RDI, RDI},
		 5,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +5"},
		{"of what is no longer the argument",
		 "48 8b 3e 48 85 ff 74 02 53 5b c3",
		 {RSI, RDI},
		 6,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +6"},
		{"which comes back before the site",
		 "48 85 ff 74 03 48 89 f0 53 5b c3",
		 {RDI, RDI},
		 3,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +3"},
		{"nothing to emulate behind it",
		 "48 85 ff 74 03 48 8b 3f c3",
		 {RDI, RDI},
		 3,
		 0,
		 PROBE_EMULATED,
		 "conditional jump at +3"},
		/* 3: push rbx, 4: pop, dec, jne 3 */
		{"a loop before the site",
		 "48 89 f0 53 5b ff ce 75 fa c3",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "+7 may lead back before +3"},
		{"a loop behind the site",
		 "48 89 f0 53 ff ce 75 fc 5b c3",
		 {RDI, 0},
		 3,
		 0,
		 PROBE_EMULATED,
		 "push at +3, emulated"},
		{"a jump by a table, as deep as the site",
		 "48 89 f0 53 5b ff e0",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "+5 may lead back before +3"},
		{"one that is deeper",
		 "48 89 f0 53 ff e0 5b c3",
		 {RDI, 0},
		 3,
		 0,
		 PROBE_EMULATED,
		 "push at +3"},
		{"one that nothing is known to lead to",
		 "48 89 f0 53 5b c3 ff e0",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "+6 may lead back before +3"},
		{"one of an import",
		 "48 89 f0 53 5b ff 25 00 00 00 00",
		 {RDI, 0},
		 3,
		 0,
		 PROBE_EMULATED,
		 "push at +3"},
		{"one at the entry",
		 "53 5b ff e0",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_EMULATED,
		 "push at the entry"},
		{"unknown code behind the site",
		 "48 89 f0 53 5b c3 06",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_STEPPED,
		 "unknown code at +6"},
		{"unknown code behind the entry",
		 "55 5d c3 06",
		 {RDI, 0},
		 0,
		 0,
		 PROBE_EMULATED,
		 "push at the entry"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place place;
		uint8_t code[64];
		size_t sz = parse_code(rows[i].code, code, sizeof(code));

		place__choose(&place, &rows[i].want, code, sz, true);
		ok(place.off == rows[i].off && place.sp_below == rows[i].sp_below &&
			   place.probe == rows[i].probe && strstr(place.reason, rows[i].reason),
		   "site: %s: %s", rows[i].what, place.reason);
	}
}

static void choose(struct place *place, const char *hex, bool whole)
{
	struct place_want want = {.args = RDI};
	uint8_t code[128];

	place__choose(place, &want, code, parse_code(hex, code, sizeof(code)), whole);
}

static void test_doubts(void)
{
	struct place place;
	char nops[128 * 3 + 1];

	choose(&place, "48 89 f0 53 5b c3", false);
	ok(!place.off && place.probe == PROBE_STEPPED &&
		   strstr(place.reason, "its end is not known"),
	   "without its end only the entry: %s", place.reason);
	choose(&place, "f3 0f 1e fa 53 5b c3", false);
	ok(place.off == 4 && place.probe == PROBE_EMULATED, "or what is as good");
	choose(&place, "", true);
	ok(!place.off && place.probe == PROBE_REFUSED && place.reason[0], "no code: %s",
	   place.reason);
	choose(&place, "06", true);
	ok(!place.off && place.probe == PROBE_REFUSED, "unknown code: %s", place.reason);
	choose(&place, "53 5b ff cf 75 fa c3", true);
	ok(!place.off && place.repeats && strstr(place.reason, "again"), "a loop to the entry: %s",
	   place.reason);
	choose(&place, "f3 0f 1e fa 53 5b ff cf 75 fa c3", true);
	ok(place.off == 4 && place.repeats, "a loop to behind endbr64");
	choose(&place, "53 ff cf 75 fc 5b c3", true);
	ok(!place.repeats, "a loop elsewhere");
	for (size_t i = 0; i < 128; i++)
		memcpy(nops + 3 * i, "f8 ", 4);
	choose(&place, nops, true);
	ok(!place.off && place.probe == PROBE_STEPPED && strstr(place.reason, "it goes on at +47"),
	   "a long way: %s", place.reason);
}

static void test_exits(void)
{
	static const struct {
		const char *what, *code, *exits; /* "+3 return", ... */
		const char *why;
	} rows[] = {
		{"one", "55 5d c3", "+2 return", NULL},
		{"two", "53 85 ff 74 02 5b c3 5b c3", "+6 return +8 return", NULL},
		{"repz ret", "f3 c3", "+0 return", NULL},
		{"by the frame pointer", "55 48 89 e5 48 83 ec 20 c9 c3", "+9 return", NULL},
		{"a call at its end", "53 5b e9 00 01 00 00", "+2 jump", NULL},
		{"of a function before it", "53 5b e9 00 ff ff ff", "+2 jump", NULL},
		{"of an import", "53 5b ff 25 00 00 00 00", "+2 slot", NULL},
		{"jumps inside are none", "eb 01 90 c3", "+3 return", NULL},
		{"after a frame of any size", "55 48 89 e5 48 83 e4 f0 48 29 c4 48 8d 65 00 5d c3",
		 "+16 return", NULL},
		{"it does not return", "50 e8 00 01 00 00", "", NULL},
		{"or traps", "85 ff 74 02 0f 0b c3", "+6 return", NULL},
		{"padding behind it", "c3 66 90 90", "+0 return", NULL},
		{"behind a call that does not return, with another depth",
		 "53 85 ff 74 06 5b e8 00 01 00 00 5b e9 00 01 00 00", "+12 jump", NULL},
		{"another part of it", "53 e9 00 01 00 00", "+1 jump",
		 "it goes on elsewhere at +1"},
		{"with an unknown depth", "48 29 c4 e9 00 01 00 00", "+3 jump",
		 "it goes on elsewhere at +3"},
		{"a conditional one", "85 ff 0f 84 00 01 00 00 c3", "+8 return",
		 "leaves for some at +2"},
		{"a jump by a table", "53 5b ff e0", "", "where it jumps at +2"},
		{"a method", "53 5b ff 60 18", "", "where it jumps at +2"},
		{"nothing leads there", "c3 c3", "+0 return +1 return",
		 "known to lead to the exit at +1"},
		{"into an instruction", "eb 01 b8 c3 00 00 00 c3", "+7 return",
		 "+0 leads into an instruction"},
		{"unknown code", "85 ff c3 06", "+2 return", "unknown code at +3"},
		{"nothing but that", "06", "", "unknown code at +0"},
		{"it runs on", "85 ff", "", "runs on behind its end"},
		{"it branches on", "c3 74 fd", "+0 return", "runs on behind its end"},
		{"no code", "", "", "no code"},
		{"notrack, which has no probe", "2e f3 c3", "+0 return", "can have no probe"},
	};
	static const char *const kinds[] = {"return", "jump", "slot"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exits exits;
		char text[128] = "";
		uint8_t code[64];
		int err = exits__find(&exits, code, parse_code(rows[i].code, code, sizeof(code)));

		for (size_t j = 0; j < exits.cnt; j++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s+%u %s",
				 j ? " " : "", exits.sites[j].off, kinds[exits.sites[j].kind]);
		ok(!err && !strcmp(text, rows[i].exits) && exits.complete == !rows[i].why &&
			   strstr(exits.why, rows[i].why ? rows[i].why : ""),
		   "exits: %s: %s%s%s", rows[i].what, text, exits.why[0] ? ", " : "", exits.why);
		exits__free(&exits);
	}
}

static void test_exit_sites(void)
{
	struct exits exits;
	uint8_t code[64];

	exits__find(&exits, code, parse_code("53 85 ff 74 02 5b c3 5b e9 00 01 00 00", code, 64));
	ok(exits.cnt == 2 && exits.sites[0].probe == PROBE_STEPPED &&
		   exits.sites[1].probe == PROBE_EMULATED && exits.sites[1].target == 13 + 0x100,
	   "exits: what they cost, where they lead");
	exits__free(&exits);
	exits__free(&exits);
	ok(!exits.cnt && !exits.sites, "exits: given back");
}

static void test_depths(void)
{
	/* push rbx; sub $16; test; je +11; add $16; pop; ret; +14: add $16; pop; ret */
	static const char *const hex =
		"53 48 83 ec 10 85 ff 74 06 48 83 c4 10 5b c3 48 83 c4 10 5b c3";
	static const int32_t depths[] = {0, 8, 24, 24, 24, 8, 0, 24, 8, 0};
	uint8_t code[64];
	struct flow *flow = flow__new(code, parse_code(hex, code, sizeof(code)));
	bool same = flow && flow->whole && flow->cnt == sizeof(depths) / sizeof(depths[0]);

	for (size_t i = 0; same && i < flow->cnt; i++)
		same &= flow->insns[i].depth == depths[i] &&
			flow__at(flow, flow->insns[i].off) == &flow->insns[i];
	ok(same, "flow: how deep the stack is");
	ok(flow && !flow__at(flow, 2) && !flow__at(flow, -1) && !flow__at(flow, 1000),
	   "flow: nothing begins elsewhere");
	flow__free(flow);
	flow__free(NULL);
	/* jumps to itself with ever more on the stack */
	flow = flow__new(code, parse_code("50 eb fd", code, sizeof(code)));
	ok(flow && flow->insns[0].depth == FLOW_LOST && flow->insns[1].depth == FLOW_LOST,
	   "flow: two depths are none");
	flow__free(flow);
}

/* --- of this machine --- */

static struct elf_file *open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : elf_file__open_fd(fd, path);
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

/* What tests/../facts measured on Debian's glibc 2.36. */
static void test_libc(void)
{
	static const struct {
		const char *name;
		struct place_want want;
		uint32_t off;
	} rows[] = {
		{"malloc", {RDI, 0}, 0},         {"calloc", {RDI | RSI, 0}, 0},
		{"realloc", {RDI | RSI, 0}, 0},  {"free", {RDI, RDI}, 9},
		{"free", {RDI, 0}, 3},           {"posix_memalign", {RDI | RSI | RDX, 0}, 7},
		{"memalign", {RDI | RSI, 0}, 7}, {"aligned_alloc", {RDI | RSI, 0}, 7},
		{"valloc", {RDI, 0}, 7},         {"pvalloc", {RDI, 0}, 7},
	};
	struct elf_file *file = open_file("/lib/x86_64-linux-gnu/libc.so.6");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct elf_sym *syms = NULL;
		struct place place;
		int cnt;

		if (!file || strcmp(gnu_get_libc_version(), "2.36") != 0) {
			ok(true, "glibc: %s # SKIP not Debian's glibc 2.36", rows[i].name);
			continue;
		}
		cnt = elf_file__functions(file, is_named, (char *)rows[i].name, &syms);
		if (ok(cnt == 1, "glibc: %s is there", rows[i].name)) {
			place__in_file(&place, &rows[i].want, file, &syms[0]);
			ok(place.off == rows[i].off && place.probe == PROBE_EMULATED &&
				   !place.sp_below,
			   "glibc: %s: %s", rows[i].name, place.reason);
		}
		elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	}
	elf_file__free(file);
}

struct tally {
	size_t cnt, whole, emulated, stepped, refused, returning, complete;
	bool sane;
};

/* A site is where an instruction begins, and the stack is as deep there as the flow has it. */
static void look_at(const struct elf_file *file, const struct elf_sym *sym, struct tally *tally)
{
	static uint8_t code[64 * 1024];
	struct place_want want = {.args = RDI | RSI, .nulls = RDI};
	ssize_t sz = elf_file__read_code(file, sym->file_off, code,
					 sym->sz < sizeof(code) ? sym->sz : sizeof(code));
	const struct flow_insn *insn;
	struct exits exits;
	struct place place;
	struct flow *flow;

	if (sz <= 0)
		return;
	flow = flow__new(code, (size_t)sz);
	place__in_file(&place, &want, file, sym);
	insn = flow ? flow__at(flow, place.off) : NULL;
	tally->cnt++;
	tally->whole += flow && flow->whole;
	tally->emulated += place.probe == PROBE_EMULATED;
	tally->stepped += place.probe == PROBE_STEPPED;
	tally->refused += place.probe == PROBE_REFUSED;
	if (!flow || !insn || insn->probe != place.probe || !place.reason[0] ||
	    (insn->depth != FLOW_LOST && insn->depth != (int32_t)place.sp_below)) {
		note("%s +%u: %s", sym->name, place.off, place.reason);
		tally->sane = false;
	}
	if (!exits__find(&exits, code, (size_t)sz)) {
		tally->complete += exits.complete;
		tally->returning += exits.complete && exits.cnt;
		exits__free(&exits);
	}
	flow__free(flow);
}

static void test_file(const char *path)
{
	struct elf_file *file = open_file(path);
	struct tally tally = {.sane = true};
	struct elf_sym *syms = NULL;
	int cnt;

	if (!file)
		return;
	cnt = elf_file__functions(file, any_name, NULL, &syms);
	for (int i = 0; i < cnt; i++)
		if (!i || syms[i].vaddr != syms[i - 1].vaddr)
			look_at(file, &syms[i], &tally);
	ok(tally.cnt && tally.sane,
	   "%s: of %zu functions %zu have an emulated site, %zu stepped, %zu refused", path,
	   tally.cnt, tally.emulated, tally.stepped, tally.refused);
	ok(tally.whole * 10000 >= tally.cnt * 9990,
	   "%s: %zu decoded to their end, exits of %zu known, %zu return", path, tally.whole,
	   tally.complete, tally.returning);
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	elf_file__free(file);
}

static void test_unreadable(void)
{
	struct place_want want = {.args = RDI};
	struct elf_sym sym = {.file_off = 1ull << 40, .sz = 10, .name = (char *)"gone"};
	struct elf_file *file = open_file("/lib/x86_64-linux-gnu/libc.so.6");
	struct place place;

	if (!file)
		return;
	place__in_file(&place, &want, file, &sym);
	ok(!place.off && place.probe == PROBE_REFUSED && strstr(place.reason, "cannot be read"),
	   "behind the file's end: %s", place.reason);
	sym.file_off = UINT64_MAX;
	place__in_file(&place, &want, file, &sym);
	ok(place.probe == PROBE_REFUSED && strstr(place.reason, "cannot be read"),
	   "behind all ends: %s", place.reason);
	file->machine = 183; /* aarch64 */
	sym.file_off = 0;
	place__in_file(&place, &want, file, &sym);
	ok(place.probe == PROBE_REFUSED && strstr(place.reason, "cannot be read"),
	   "another machine's: %s", place.reason);
	elf_file__free(file);
}

int main(void)
{
	test_sites();
	test_doubts();
	test_exits();
	test_exit_sites();
	test_depths();
	test_libc();
	test_file("/lib/x86_64-linux-gnu/libc.so.6");
	test_file("/lib64/ld-linux-x86-64.so.2");
	test_file("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
	test_file("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
	test_file("/usr/sbin/nginx");
	test_file("/proc/self/exe");
	test_unreadable();
	return tap_done();
}
