/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What x86-64 instructions leave behind in registers and on the stack; see insn.h. Only what stands in
 * the prologues of functions is known, everything else says so. Called by flow.c and place.c.
 */
#include "target/insn.h"

#include <string.h>

#define BIT(reg) ((uint16_t)(1u << (reg)))

static bool has_memory(const struct insn *insn)
{
	return insn->modrm >> 6 != 3;
}

static unsigned int digit_of(const struct insn *insn)
{
	return insn->modrm >> 3 & 7;
}

/* Without REX the byte registers 4 to 7 are the second bytes of 0 to 3. */
static uint16_t reg_bit(const struct insn *insn, unsigned int reg, bool is_byte)
{
	if (is_byte && !insn->rex && reg >= 4)
		reg -= 4;
	return BIT(reg);
}

static unsigned int reg_of(const struct insn *insn)
{
	return digit_of(insn) | (insn->rex & 4) << 1;
}

static unsigned int rm_of(const struct insn *insn)
{
	return (insn->modrm & 7) | (insn->rex & 1) << 3;
}

static unsigned int opcode_reg_of(const struct insn *insn)
{
	return (insn->opcode & 7) | (insn->rex & 1) << 3;
}

/* Is the operand in memory at rsp or rbp plus a constant? */
static bool is_at(const struct insn *insn, enum insn_reg base)
{
	bool no_index = (insn->sib >> 3 & 7) == 4 && !(insn->rex & 2);

	if (!has_memory(insn) || insn->rex & 1 || insn->prefixes & (PREFIX_67 | PREFIX_FS_GS))
		return false;
	if ((insn->modrm & 7) == 4)
		return base == GPR_RSP && (insn->sib & 7) == GPR_RSP && no_index;
	return base == GPR_RBP && (insn->modrm & 7) == GPR_RBP && insn->modrm >> 6;
}

static void write_rm(const struct insn *insn, struct insn_effect *effect, bool is_byte)
{
	if (!has_memory(insn))
		effect->writes |= reg_bit(insn, rm_of(insn), is_byte);
	else
		effect->stores |= !is_at(insn, GPR_RSP);
}

static void write_reg(const struct insn *insn, struct insn_effect *effect, bool is_byte)
{
	effect->writes |= reg_bit(insn, reg_of(insn), is_byte);
}

static void move_stack(struct insn_effect *effect, int64_t delta)
{
	effect->writes |= BIT(GPR_RSP);
	effect->stack = delta >= INT32_MIN && delta <= INT32_MAX ? STACK_MOVED : STACK_LOST;
	effect->stack_delta = (int32_t)delta;
}

/* Whether the operand size is the plain one of pushes and pops. */
static void push(const struct insn *insn, struct insn_effect *effect)
{
	move_stack(effect, insn->prefixes & PREFIX_66 ? -2 : -8);
}

static void pop(const struct insn *insn, struct insn_effect *effect, unsigned int reg)
{
	move_stack(effect, insn->prefixes & PREFIX_66 ? 2 : 8);
	effect->writes |= BIT(reg);
	if (reg == GPR_RSP)
		effect->stack = STACK_LOST;
}

/* add, or, adc, sbb, and, sub, xor, cmp: op rm, reg; op reg, rm; op rax, imm */
static void alu(const struct insn *insn, struct insn_effect *effect)
{
	bool is_byte = !(insn->opcode & 1);

	effect->known = true;
	if (insn->opcode >> 3 == 7)
		return;
	if ((insn->opcode & 7) < 2)
		write_rm(insn, effect, is_byte);
	else if ((insn->opcode & 7) < 4)
		write_reg(insn, effect, is_byte);
	else
		effect->writes |= BIT(GPR_RAX);
}

/* The same with an immediate; rsp is moved by add and sub. */
static void alu_imm(const struct insn *insn, struct insn_effect *effect)
{
	unsigned int digit = digit_of(insn);

	effect->known = true;
	if (digit == 7)
		return;
	write_rm(insn, effect, insn->opcode == 0x80);
	if (!(effect->writes & BIT(GPR_RSP)))
		return;
	if (insn->rex & 8 && insn->opcode != 0x80 && (digit == 0 || digit == 5))
		move_stack(effect, digit ? -insn->imm : insn->imm);
	else
		effect->stack = STACK_LOST;
}

static void mov(const struct insn *insn, struct insn_effect *effect)
{
	bool is_byte = !(insn->opcode & 1), is_load = insn->opcode & 2;
	unsigned int to = is_load ? reg_of(insn) : rm_of(insn);
	unsigned int from = is_load ? rm_of(insn) : reg_of(insn);

	effect->known = true;
	effect->sets_flags = false;
	if (is_load)
		write_reg(insn, effect, is_byte);
	else
		write_rm(insn, effect, is_byte);
	if (has_memory(insn) || is_byte || !(insn->rex & 8))
		return;
	if (to == GPR_RBP && from == GPR_RSP)
		effect->sets_frame = true;
	if (to == GPR_RSP && from == GPR_RBP)
		effect->stack = STACK_FROM_RBP;
}

static void lea(const struct insn *insn, struct insn_effect *effect)
{
	unsigned int to = reg_of(insn);
	bool is_whole = insn->rex & 8;

	effect->known = true;
	effect->sets_flags = false;
	write_reg(insn, effect, false);
	if (to == GPR_RBP && is_whole && is_at(insn, GPR_RSP)) {
		effect->sets_frame = true;
		effect->frame_delta = insn->disp;
	} else if (to == GPR_RSP && is_whole && is_at(insn, GPR_RSP)) {
		effect->stack = STACK_MOVED;
		effect->stack_delta = insn->disp;
	} else if (to == GPR_RSP && is_whole && is_at(insn, GPR_RBP)) {
		effect->stack = STACK_FROM_RBP;
		effect->stack_delta = insn->disp;
	}
}

/* test, not, neg, mul, imul, div, idiv */
static void group3(const struct insn *insn, struct insn_effect *effect)
{
	bool is_byte = insn->opcode == 0xf6;
	unsigned int digit = digit_of(insn);

	effect->known = true;
	if (digit == 2 || digit == 3)
		write_rm(insn, effect, is_byte);
	else if (digit > 3)
		effect->writes |= BIT(GPR_RAX) | BIT(GPR_RDX);
}

/* inc, dec, call, jmp, push */
static void group5(const struct insn *insn, struct insn_effect *effect)
{
	unsigned int digit = digit_of(insn);

	effect->known = digit != 2 && digit != 3;
	if (digit < 2)
		write_rm(insn, effect, false);
	else if (digit == 6)
		push(insn, effect);
}

static void one_byte(const struct insn *insn, struct insn_effect *effect)
{
	bool is_byte = !(insn->opcode & 1);

	effect->known = true;
	switch (insn->opcode) {
	case 0x00 ... 0x3f:
		alu(insn, effect);
		break;
	case 0x50 ... 0x57:
	case 0x68:
	case 0x6a:
	case 0x9c:
		effect->sets_flags = false;
		push(insn, effect);
		break;
	case 0x58 ... 0x5f:
		effect->sets_flags = false;
		pop(insn, effect, opcode_reg_of(insn));
		break;
	case 0x9d:
		move_stack(effect, insn->prefixes & PREFIX_66 ? 2 : 8);
		break;
	case 0x63:
		effect->sets_flags = false;
		write_reg(insn, effect, false);
		break;
	case 0x69:
	case 0x6b:
		write_reg(insn, effect, false);
		break;
	case 0x80:
	case 0x81:
	case 0x83:
		alu_imm(insn, effect);
		break;
	case 0x86:
	case 0x87:
		write_reg(insn, effect, is_byte);
		write_rm(insn, effect, is_byte);
		break;
	case 0x88 ... 0x8b:
		mov(insn, effect);
		break;
	case 0x8d:
		lea(insn, effect);
		break;
	case 0x8f:
		move_stack(effect, 8);
		effect->stack = has_memory(insn) ? STACK_MOVED : STACK_LOST;
		write_rm(insn, effect, false);
		break;
	case 0x90 ... 0x97:
		effect->sets_flags = false;
		if (insn->opcode != 0x90 || insn->rex & 1)
			effect->writes |= BIT(GPR_RAX) | BIT(opcode_reg_of(insn));
		break;
	case 0x98:
	case 0x99:
		effect->sets_flags = false;
		effect->writes |= BIT(insn->opcode == 0x98 ? GPR_RAX : GPR_RDX);
		break;
	case 0xb0 ... 0xbf:
		effect->sets_flags = false;
		effect->writes |= reg_bit(insn, opcode_reg_of(insn), insn->opcode < 0xb8);
		break;
	case 0xc6:
	case 0xc7:
		effect->known = insn->modrm != 0xf8;
		effect->sets_flags = false;
		write_rm(insn, effect, is_byte);
		break;
	case 0xc0:
	case 0xc1:
	case 0xd0 ... 0xd3:
	case 0xfe:
		write_rm(insn, effect, is_byte);
		break;
	case 0xc8:
		effect->known = false;
		effect->writes |= BIT(GPR_RSP) | BIT(GPR_RBP);
		break;
	case 0xc9:
		effect->sets_flags = false;
		effect->writes |= BIT(GPR_RSP) | BIT(GPR_RBP);
		effect->stack = STACK_FROM_RBP;
		effect->stack_delta = 8;
		break;
	case 0x70 ... 0x7f:
	case 0xe0 ... 0xe3:
	case 0xe9:
	case 0xeb:
		/* loop counts rcx down */
		if ((insn->opcode & 0xfc) == 0xe0 && insn->opcode != 0xe3)
			effect->writes |= BIT(GPR_RCX);
		effect->sets_flags = false;
		break;
	case 0xf6:
	case 0xf7:
		group3(insn, effect);
		break;
	case 0xff:
		group5(insn, effect);
		break;
	case 0x84:
	case 0x85:
	case 0xa8:
	case 0xa9:
	case 0xf5:
	case 0xf8:
	case 0xf9:
	case 0xfc:
		break;
	default:
		effect->known = false;
	}
}

static void two_byte(const struct insn *insn, struct insn_effect *effect)
{
	bool has_f3 = insn->prefixes & PREFIX_F3;

	effect->known = true;
	effect->sets_flags = false;
	switch (insn->opcode) {
	case 0x11:
	case 0x13:
	case 0x17:
	case 0x29:
	case 0x2b:
	case 0x7f:
	case 0xd6:
	case 0xe7: /* stores of a vector register */
		effect->stores = has_memory(insn) && !is_at(insn, GPR_RSP);
		break;
	case 0x0d:
	case 0x10:
	case 0x12:
	case 0x14 ... 0x16:
	case 0x18 ... 0x1d:
	case 0x1f:
	case 0x28:
	case 0x2a:
	case 0x51 ... 0x6f:
	case 0x80 ... 0x8f:
	case 0xc6:
	case 0xd4:
	case 0xdb:
	case 0xeb:
	case 0xef:
	case 0xfa ... 0xfe:
		break;
	case 0x1e: /* endbr64 and hints; but rdssp reads into a register */
		effect->known = !has_f3 || insn->kind == INSN_ENDBR;
		break;
	case 0x2e:
	case 0x2f:
	case 0xa3:
		effect->sets_flags = true;
		break;
	case 0x2c:
	case 0x2d:
	case 0x40 ... 0x4f:
	case 0xb6:
	case 0xb7:
	case 0xbe:
	case 0xbf:
		write_reg(insn, effect, false);
		break;
	case 0xaf:
	case 0xb8:
	case 0xbc:
	case 0xbd:
		effect->sets_flags = true;
		write_reg(insn, effect, false);
		break;
	case 0x7e:
		if (!has_f3)
			write_rm(insn, effect, false);
		break;
	case 0x90 ... 0x9f:
		write_rm(insn, effect, true);
		break;
	case 0xa4:
	case 0xa5:
	case 0xab:
	case 0xac:
	case 0xad:
	case 0xb3:
	case 0xba:
	case 0xbb:
		effect->sets_flags = true;
		if (insn->opcode != 0xba || digit_of(insn) != 4)
			write_rm(insn, effect, false);
		break;
	case 0xc8 ... 0xcf:
		effect->writes |= BIT(opcode_reg_of(insn));
		break;
	default:
		effect->known = false;
		effect->sets_flags = true;
	}
}

void insn__effect(const struct insn *insn, struct insn_effect *effect)
{
	memset(effect, 0, sizeof(*effect));
	effect->sets_flags = true;
	if (!insn->is_vex && insn->map == 0)
		one_byte(insn, effect);
	else if (!insn->is_vex && insn->map == 1)
		two_byte(insn, effect);
	if (effect->writes & BIT(GPR_RSP) && effect->stack == STACK_KEPT)
		effect->stack = STACK_LOST;
}

int insn__tests_zero(const struct insn *insn)
{
	if (insn->is_vex || insn->map != 0 || insn->opcode != 0x85 || has_memory(insn) ||
	    !(insn->rex & 8) || reg_of(insn) != rm_of(insn))
		return -1;
	return (int)rm_of(insn);
}
