/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/target/insn.c and effect.c: instructions of each class, assembled by hand. Run by tests/run. */
#include "target/insn.h"

#include <errno.h>
#include <string.h>

#include "code.h"
#include "tap.h"

#define BIT(reg) (1u << (reg))

static int decode(struct insn *insn, const char *hex)
{
	uint8_t code[INSN_MAX + 1];

	return insn__decode(insn, code, parse_code(hex, code, sizeof(code)));
}

/* Whole and known, and with each byte less cut off, with others behind it the same. */
static void test_lengths(void)
{
	static const char *const whole[] = {
		"55",
		"41 54",
		"6a 01",
		"68 01 02 03 04",
		"66 68 01 02",
		"c3",
		"f3 c3",
		"f2 c3",
		"c2 08 00",
		"c8 10 00 00",
		"90",
		"66 90",
		"f3 90",
		"0f 1f 00",
		"0f 1f 44 00 00",
		"66 2e 0f 1f 84 00 00 00 00 00",
		"f3 0f 1e fa",
		"f3 0f 1e fb",
		/* ModRM, SIB, displacements */
		"8b 00",
		"8b 45 f8",
		"8b 85 00 01 00 00",
		"8b 05 00 01 00 00",
		"8b 04 24",
		"8b 44 24 08",
		"8b 84 24 00 01 00 00",
		"8b 04 25 00 01 00 00",
		"42 8b 04 25 00 01 00 00",
		"8b 44 85 00",
		"49 8b 45 00",
		"49 8b 04 24",
		"67 8b 04 24",
		"64 48 8b 04 25 28 00 00 00",
		/* immediates by operand size */
		"05 01 02 03 04",
		"66 05 01 02",
		"48 05 01 02 03 04",
		"66 48 05 01 02 03 04",
		"b8 01 02 03 04",
		"66 b8 01 02",
		"48 b8 01 02 03 04 05 06 07 08",
		"b0 01",
		"81 ec 00 01 00 00",
		"48 81 ec 00 01 00 00",
		"66 81 ec 00 01",
		"83 ec 10",
		"80 3f 00",
		"c6 00 01",
		"c7 00 01 02 03 04",
		"66 c7 00 01 02",
		"69 c0 01 02 03 04",
		"6b c0 01",
		"f6 07 01",
		"f6 d0",
		"f7 07 01 02 03 04",
		"66 f7 07 01 02",
		"f7 d8",
		"f7 e6",
		"a0 01 02 03 04 05 06 07 08",
		"67 a1 01 02 03 04",
		"c0 e0 01",
		"d1 e0",
		"0f ba e0 05",
		"0f a4 c2 05",
		"0f 70 c1 1b",
		"66 0f 3a 0f c1 08",
		"66 0f 38 00 c1",
		"66 0f c4 c0 01",
		"0f c7 0f",
		"0f ae e8",
		"0f b9 40 02",
		"f3 48 0f b8 c7",
		"0f c8",
		"d9 45 08",
		"9b",
		/* branches */
		"eb 05",
		"e9 01 02 03 04",
		"74 05",
		"0f 84 01 02 03 04",
		"e3 05",
		"e8 01 02 03 04",
		"f2 e8 01 02 03 04",
		"66 66 48 e8 01 02 03 04",
		"ff e0",
		"ff 25 01 02 03 04",
		"3e ff e0",
		"ff 24 c5 01 02 03 04",
		"41 ff d4",
		"0f 05",
		"0f 0b",
		"cc",
		"f4",
		"cd 80",
		"c7 f8 01 02 03 04",
		"c6 f8 01",
		/* VEX, XOP, EVEX */
		"c5 f8 77",
		"c5 fa 6f 07",
		"c5 f9 70 c1 1b",
		"c4 e2 7d 18 07",
		"c4 e3 7d 39 c1 01",
		"c4 e1 f9 6e c7",
		"c4 e2 f3 f7 c7",
		"62 f1 fe 48 6f 47 01",
		"62 f3 7d 48 3a c1 01",
		"62 f1 7c 48 10 87 00 01 00 00",
		"62 f5 7e 08 58 c1",
		"8f e8 78 c0 c1 05",
		"8f 00",
		"f0 48 0f b1 15 00 01 02 03",
		"2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 90",
	};

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		uint8_t code[INSN_MAX + 4];
		size_t sz = parse_code(whole[i], code, sizeof(code));
		struct insn insn;
		bool cut = true;

		memset(code + sz, 0x5a, sizeof(code) - sz);
		for (size_t less = 0; less < sz; less++)
			cut &= insn__decode(&insn, code, less) == -ENODATA;
		ok(!insn__decode(&insn, code, sizeof(code)) && insn.len == sz && cut,
		   "length of %s is %zu (%d)", whole[i], sz, insn.len);
	}
}

static void test_unknown(void)
{
	static const char *const unknown[] = {
		"06",
		"0e",
		"16",
		"1f",
		"27",
		"37",
		"60",
		"82 c0 01",
		"9a 01 02 03 04 05 06",
		"ce",
		"d4 0a",
		"d5 0a",
		"d6",
		"ea 01 02 03 04 05 06",
		"0f 04",
		"0f 0a",
		"0f 0f c1 9e",
		"0f 24 c0",
		"0f 36",
		"0f 39",
		"0f a6 c0",
		"0f ff c0",
		"0f 78 c0 01 02 03",
		"0f b8 c0",
		"66 0f 78 c0 01 02",
		"8d c0",
		"8e c8",
		"fe d0",
		"ff ff",
		"ff d8",
		"c6 48 01 01",
		"c7 c8 01 02 03 04",
		/* 16 bits for AMD, 32 for Intel */
		"66 e8 01 02 03 04",
		"66 e9 01 02 03 04",
		"66 0f 84 01 02 03 04",
		"66 eb 05",
		"66 74 05",
		/* REX where it has no effect */
		"48 66 90",
		"48 48 90",
		"48 c5 f8 77",
		"66 c5 f8 77",
		/* unassigned, APX */
		"c5 f8 00 c0",
		"c4 e0 7d 18 07",
		"c4 e4 7d 18 07",
		"62 f4 7c 08 00 c0",
		"62 f9 fe 48 6f 07",
		"62 f1 fa 48 6f 07",
		"8f eb 78 c0 c1 05",
		"2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 90",
	};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct insn insn;
		int err = decode(&insn, unknown[i]);

		/* one without a prefix is a virtualisation instruction */
		if (!strcmp(unknown[i], "0f 78 c0 01 02 03"))
			ok(!err && insn.len == 3, "vmread is known");
		else
			ok(err == -EILSEQ, "%s is not known", unknown[i]);
	}
	ok(insn__decode(&(struct insn){0}, NULL, 0) == -ENODATA, "nothing is cut off");
}

static void test_kinds(void)
{
	static const struct {
		const char *hex;
		enum insn_kind kind;
		enum insn_probe probe;
		int64_t target;
	} rows[] = {
		{"55", INSN_PUSH, PROBE_EMULATED, 0},
		{"54", INSN_PUSH, PROBE_EMULATED, 0},
		{"41 57", INSN_PUSH, PROBE_EMULATED, 0},
		{"48 55", INSN_PUSH, PROBE_STEPPED, 0},
		{"40 55", INSN_PUSH, PROBE_STEPPED, 0},
		{"66 55", INSN_PUSH, PROBE_STEPPED, 0},
		{"66 41 55", INSN_PUSH, PROBE_STEPPED, 0},
		{"90", INSN_NOP, PROBE_EMULATED, 0},
		{"66 90", INSN_NOP, PROBE_REFUSED, 0},
		{"48 90", INSN_NOP, PROBE_REFUSED, 0},
		{"41 90", INSN_OTHER, PROBE_REFUSED, 0},
		{"49 90", INSN_OTHER, PROBE_REFUSED, 0},
		{"f3 90", INSN_OTHER, PROBE_REFUSED, 0},
		{"91", INSN_OTHER, PROBE_STEPPED, 0},
		{"0f 1f 00", INSN_NOP, PROBE_EMULATED_NEWER, 0},
		{"0f 1f 44 00 00", INSN_NOP, PROBE_EMULATED_NEWER, 0},
		{"66 0f 1f 44 00 00", INSN_NOP, PROBE_EMULATED_NEWER, 0},
		{"66 2e 0f 1f 84 00 00 00 00 00", INSN_NOP, PROBE_REFUSED, 0},
		{"f3 0f 1e fa", INSN_ENDBR, PROBE_STEPPED, 0},
		{"f3 48 0f 1e c8", INSN_OTHER, PROBE_STEPPED, 0},
		{"eb 05", INSN_JUMP, PROBE_EMULATED, 7},
		{"eb fe", INSN_JUMP, PROBE_EMULATED, 0},
		{"e9 fb ff ff ff", INSN_JUMP, PROBE_EMULATED, 0},
		{"e9 00 00 00 80", INSN_JUMP, PROBE_EMULATED, 5 - 0x80000000ll},
		{"74 f0", INSN_BRANCH, PROBE_EMULATED, -14},
		{"0f 84 bf 00 00 00", INSN_BRANCH, PROBE_EMULATED, 6 + 0xbf},
		{"2e 74 05", INSN_BRANCH, PROBE_REFUSED, 8},
		{"e2 05", INSN_BRANCH, PROBE_STEPPED, 7},
		{"e3 05", INSN_BRANCH, PROBE_STEPPED, 7},
		{"c7 f8 01 00 00 00", INSN_BRANCH, PROBE_REFUSED, 7},
		{"e8 01 00 00 00", INSN_CALL, PROBE_EMULATED, 6},
		{"66 66 48 e8 01 00 00 00", INSN_CALL, PROBE_REFUSED, 9},
		{"ff d0", INSN_CALL_BY, PROBE_STEPPED, 0},
		{"ff 15 01 00 00 00", INSN_CALL_BY, PROBE_STEPPED, 0},
		{"ff e0", INSN_JUMP_BY, PROBE_STEPPED, 0},
		{"3e ff e0", INSN_JUMP_BY, PROBE_REFUSED, 0},
		{"ff 60 18", INSN_JUMP_BY, PROBE_STEPPED, 0},
		{"ff 24 c5 00 00 00 00", INSN_JUMP_BY, PROBE_STEPPED, 0},
		{"ff 25 01 00 00 00", INSN_JUMP_SLOT, PROBE_STEPPED, 0},
		{"c3", INSN_RET, PROBE_STEPPED, 0},
		{"f3 c3", INSN_RET, PROBE_STEPPED, 0},
		{"c2 08 00", INSN_RET, PROBE_STEPPED, 0},
		{"0f 0b", INSN_TRAP, PROBE_REFUSED, 0},
		{"cc", INSN_TRAP, PROBE_REFUSED, 0},
		{"f4", INSN_TRAP, PROBE_REFUSED, 0},
		{"0f 05", INSN_OTHER, PROBE_REFUSED, 0},
		{"f0 ff 07", INSN_OTHER, PROBE_REFUSED, 0},
		{"f3 aa", INSN_OTHER, PROBE_REFUSED, 0},
		{"f3 48 a5", INSN_OTHER, PROBE_REFUSED, 0},
		{"f2 ae", INSN_OTHER, PROBE_REFUSED, 0},
		{"aa", INSN_OTHER, PROBE_STEPPED, 0},
		{"f3 a8 01", INSN_OTHER, PROBE_STEPPED, 0},
		{"8e d0", INSN_OTHER, PROBE_REFUSED, 0},
		{"c5 f8 77", INSN_OTHER, PROBE_REFUSED, 0},
		{"62 f1 fe 48 6f 47 01", INSN_OTHER, PROBE_REFUSED, 0},
		{"48 89 e5", INSN_OTHER, PROBE_STEPPED, 0},
		{"64 48 8b 04 25 28 00 00 00", INSN_OTHER, PROBE_STEPPED, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn insn;
		int err = decode(&insn, rows[i].hex);

		ok(!err && insn.kind == rows[i].kind && insn.probe == rows[i].probe &&
			   insn.target == rows[i].target,
		   "kind of %s", rows[i].hex);
	}
}

static void test_writes(void)
{
	static const struct {
		const char *hex;
		unsigned int writes;
		bool stores, sets_flags;
	} rows[] = {
		{"55", BIT(GPR_RSP), false, false},
		{"5f", BIT(GPR_RSP) | BIT(GPR_RDI), false, false},
		{"41 58", BIT(GPR_RSP) | BIT(GPR_R8), false, false},
		{"48 89 fb", BIT(GPR_RBX), false, false},
		{"48 8b fb", BIT(GPR_RDI), false, false},
		{"49 89 f8", BIT(GPR_R8), false, false},
		{"4c 8b 07", BIT(GPR_R8), false, false},
		{"40 88 c7", BIT(GPR_RDI), false, false},
		{"88 c7", BIT(GPR_RBX), false, false}, /* bh */
		{"b7 01", BIT(GPR_RBX), false, false},
		{"40 b7 01", BIT(GPR_RDI), false, false},
		{"bf 01 00 00 00", BIT(GPR_RDI), false, false},
		{"89 07", 0, true, false},
		{"48 89 7c 24 08", 0, false, false},
		{"4a 89 7c 24 08", 0, true, false}, /* with the index r12 */
		{"48 89 7d e8", 0, true, false},
		{"64 48 89 04 24", 0, true, false},
		{"49 89 04 24", 0, true, false}, /* r12 */
		{"48 85 ff", 0, false, true},
		{"80 3d 46 1b 14 00 00", 0, false, true},
		{"48 39 fe", 0, false, true},
		{"48 83 ef 01", BIT(GPR_RDI), false, true},
		{"48 83 ff 01", 0, false, true},
		{"31 c0", BIT(GPR_RAX), false, true},
		{"83 07 01", 0, true, true},
		{"3d 01 00 00 00", 0, false, true},
		{"05 01 00 00 00", BIT(GPR_RAX), false, true},
		{"48 8d 3c 37", BIT(GPR_RDI), false, false},
		{"48 63 fe", BIT(GPR_RDI), false, false},
		{"48 f7 e6", BIT(GPR_RAX) | BIT(GPR_RDX), false, true},
		{"48 f7 df", BIT(GPR_RDI), false, true},
		{"ff c7", BIT(GPR_RDI), false, true},
		{"ff 07", 0, true, true},
		{"48 c1 ee 03", BIT(GPR_RSI), false, true},
		{"87 f7", BIT(GPR_RSI) | BIT(GPR_RDI), false, true},
		{"97", BIT(GPR_RAX) | BIT(GPR_RDI), false, false},
		{"41 90", BIT(GPR_RAX) | BIT(GPR_R8), false, false},
		{"90", 0, false, false},
		{"0f 1f 07", 0, false, false},
		{"f3 0f 1e fa", 0, false, false},
		{"48 0f 44 fe", BIT(GPR_RDI), false, false},
		{"40 0f b6 ff", BIT(GPR_RDI), false, false},
		{"0f be 7f 01", BIT(GPR_RDI), false, false},
		{"40 0f 94 c7", BIT(GPR_RDI), false, false},
		{"0f 94 c3", BIT(GPR_RBX), false, false},
		{"48 0f af fe", BIT(GPR_RDI), false, true},
		{"0f cf", BIT(GPR_RDI), false, false},
		{"0f 11 07", 0, true, false},
		{"0f 11 04 24", 0, false, false},
		{"0f 10 07", 0, false, false},
		{"66 48 0f 6e c7", 0, false, false},
		{"66 48 0f 7e c7", BIT(GPR_RDI), false, false},
		{"f3 0f 7e 07", 0, false, false},
		{"f2 48 0f 2c f8", BIT(GPR_RDI), false, false},
		{"0f ba e7 05", 0, false, true},
		{"0f ba ef 05", BIT(GPR_RDI), false, true},
		{"74 05", 0, false, false},
		{"e2 05", BIT(GPR_RCX), false, false},
		{"c9", BIT(GPR_RSP) | BIT(GPR_RBP), false, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn_effect effect;
		struct insn insn;
		int err = decode(&insn, rows[i].hex);

		insn__effect(&insn, &effect);
		ok(!err && effect.known && effect.writes == rows[i].writes &&
			   effect.stores == rows[i].stores &&
			   effect.sets_flags == rows[i].sets_flags,
		   "effect of %s", rows[i].hex);
	}
}

static void test_unknown_effects(void)
{
	static const char *const rows[] = {
		"0f a2",       "0f 05",          "a4",       "f3 48 a5",
		"c5 f8 77",    "f3 48 0f 1e c8", "0f d7 c0", "0f 50 c0",
		"48 0f c7 0f", "e8 00 00 00 00", "ff d0",    "66 0f 3a 16 c7 01",
		"0f 01 d0",    "c8 10 00 00",    "d7",       "9b",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn_effect effect;
		struct insn insn;
		int err = decode(&insn, rows[i]);

		insn__effect(&insn, &effect);
		ok(!err && !effect.known, "what %s does is not known", rows[i]);
	}
}

static void test_stack(void)
{
	static const struct {
		const char *hex;
		enum insn_stack stack;
		int32_t delta;
	} rows[] = {
		{"55", STACK_MOVED, -8},
		{"6a 01", STACK_MOVED, -8},
		{"66 6a 01", STACK_MOVED, -2},
		{"ff 37", STACK_MOVED, -8},
		{"9c", STACK_MOVED, -8},
		{"9d", STACK_MOVED, 8},
		{"5d", STACK_MOVED, 8},
		{"5c", STACK_LOST, 0},
		{"8f 00", STACK_MOVED, 8},
		{"48 83 ec 10", STACK_MOVED, -16},
		{"48 81 ec 00 01 00 00", STACK_MOVED, -256},
		{"48 83 c4 10", STACK_MOVED, 16},
		{"48 83 ec 80", STACK_MOVED, 128},
		{"83 ec 10", STACK_LOST, 0},
		{"48 83 e4 f0", STACK_LOST, 0},
		{"48 29 c4", STACK_LOST, 0},
		{"48 8d 64 24 f8", STACK_MOVED, -8},
		{"48 8d 65 d8", STACK_FROM_RBP, -40},
		{"49 8d 62 f8", STACK_LOST, 0},
		{"48 89 ec", STACK_FROM_RBP, 0},
		{"48 8b e5", STACK_FROM_RBP, 0},
		{"48 89 c4", STACK_LOST, 0},
		{"c9", STACK_FROM_RBP, 8},
		{"c8 10 00 00", STACK_LOST, 0},
		{"48 89 e5", STACK_KEPT, 0},
		{"e8 00 00 00 00", STACK_KEPT, 0},
		{"c5 f8 77", STACK_KEPT, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn_effect effect;
		struct insn insn;
		int err = decode(&insn, rows[i].hex);

		insn__effect(&insn, &effect);
		ok(!err && effect.stack == rows[i].stack &&
			   (effect.stack == STACK_LOST || effect.stack_delta == rows[i].delta),
		   "stack after %s", rows[i].hex);
	}
}

static void test_frame(void)
{
	static const struct {
		const char *hex;
		bool sets_frame;
		int32_t delta;
	} rows[] = {
		{"48 89 e5", true, 0},        {"48 8b ec", true, 0},
		{"48 8d 6c 24 10", true, 16}, {"48 8d ac 24 80 00 00 00", true, 128},
		{"89 e5", false, 0},          {"48 89 e3", false, 0},
		{"49 89 e5", false, 0},       {"48 8d 2d 00 00 00 00", false, 0},
		{"48 8d 6c 04 10", false, 0}, {"48 8b 6c 24 10", false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn_effect effect;
		struct insn insn;
		int err = decode(&insn, rows[i].hex);

		insn__effect(&insn, &effect);
		ok(!err && effect.sets_frame == rows[i].sets_frame &&
			   effect.frame_delta == rows[i].delta,
		   "frame by %s", rows[i].hex);
	}
}

static void test_zero(void)
{
	static const struct {
		const char *hex;
		int reg;
	} rows[] = {
		{"48 85 ff", GPR_RDI}, {"4d 85 c0", GPR_R8}, {"85 ff", -1},    {"48 85 fe", -1},
		{"48 85 3f", -1},      {"49 85 f8", -1},     {"48 84 ff", -1}, {"48 09 ff", -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn insn;
		int err = decode(&insn, rows[i].hex);

		ok(!err && insn__tests_zero(&insn) == rows[i].reg, "what %s tests", rows[i].hex);
	}
}

int main(void)
{
	test_lengths();
	test_unknown();
	test_kinds();
	test_writes();
	test_unknown_effects();
	test_stack();
	test_frame();
	test_zero();
	return tap_done();
}
