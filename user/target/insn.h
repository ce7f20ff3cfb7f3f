/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x86-64 machine code, as far as the placement of probes needs it: how long an instruction is, where
 * it leads, what it does to registers and stack, and what the kernel does to run it under a uprobe.
 * What is not known for sure is refused: a probe in the middle of an instruction crashes the target.
 */
#ifndef TARGET_INSN_H
#define TARGET_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX 15

/* General registers by their number in the encoding. */
enum insn_reg {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
};

enum insn_kind {
	INSN_OTHER,
	INSN_NOP,
	INSN_ENDBR,
	INSN_PUSH, /* of a register */
	INSN_BRANCH, /* conditional, to `target` */
	INSN_JUMP, /* to `target` */
	INSN_CALL, /* of `target` */
	INSN_JUMP_BY, /* to where a register or a table says */
	INSN_JUMP_SLOT, /* to where one place in memory says: an import */
	INSN_CALL_BY, /* of what a register or memory says */
	INSN_RET,
	INSN_TRAP, /* ud2, hlt, int3: nothing goes on behind it */
};

/* How the kernel runs an instruction that has a uprobe; the better, the greater. */
enum insn_probe {
	PROBE_REFUSED = -1, /* by some kernel since 5.10, or run wrong: never probed */
	PROBE_STEPPED, /* out of line, with a second trap */
	PROBE_EMULATED_NEWER, /* emulated since 6.16, stepped before */
	PROBE_EMULATED, /* by every kernel since 5.10 */
};

struct insn {
	uint8_t len;
	enum insn_kind kind;
	enum insn_probe probe;
	int64_t target; /* of a branch, jump or call, counted from the instruction's first byte */
	/* The encoding, for insn__effect(). */
	uint8_t map; /* 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a; of VEX, XOP, EVEX: theirs */
	uint8_t opcode, modrm, sib, rex;
	uint8_t prefixes; /* PREFIX_... */
	bool has_modrm;
	bool is_vex; /* or XOP, EVEX */
	int32_t disp;
	int64_t imm;
};

#define PREFIX_66   0x01
#define PREFIX_67   0x02
#define PREFIX_F2   0x04
#define PREFIX_F3   0x08
#define PREFIX_LOCK 0x10
#define PREFIX_SEGMENT                                                                             \
	0x20 /* es, cs, ss, ds: no meaning but on branches, and uprobes refuse them */
#define PREFIX_FS_GS 0x40

/* 0; -EILSEQ: not known; -ENODATA: longer than `sz` bytes. */
int insn__decode(struct insn *insn, const uint8_t *code, size_t sz);

enum insn_stack {
	STACK_KEPT,
	STACK_MOVED, /* rsp += stack_delta */
	STACK_FROM_RBP, /* rsp = rbp + stack_delta */
	STACK_LOST,
};

/* What an instruction leaves behind when the next one is reached. Of one that is not known: nothing
 * but its effect on the stack, which compilers leave to few instructions. */
struct insn_effect {
	bool known;
	uint16_t writes; /* bit per general register, rsp and rbp included */
	bool stores; /* to memory other than rsp + constant */
	bool sets_flags;
	enum insn_stack stack;
	int32_t stack_delta;
	bool sets_frame; /* rbp = rsp + frame_delta */
	int32_t frame_delta;
};

void insn__effect(const struct insn *insn, struct insn_effect *effect);
/* `test reg, reg` of all 64 bits: the number of the register, else -1. */
int insn__tests_zero(const struct insn *insn);

#endif
