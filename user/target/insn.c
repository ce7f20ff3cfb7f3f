/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lengths, kinds and uprobe behaviour of x86-64 instructions; see insn.h. Called by flow.c, place.c. */
#include "target/insn.h"

#include <errno.h>
#include <string.h>

/*
 * What follows each opcode, one letter for each:
 *	.  nothing		m  ModRM		b  imm8		w  imm16	z  imm16 or imm32
 *	M  ModRM, imm8		Z  ModRM, imm16/32	v  imm16, 32 or 64	a  64-bit address
 *	j  rel8			J  rel32		e  imm16, imm8
 *	g  ModRM, imm8 for /0 and /1		G  ModRM, imm16/32 for /0 and /1
 *	p  a prefix or another map		x  not in 64-bit mode, or not known here
 */
static const char one_byte[] =
	/* 0123456789abcdef */
	"mmmmbzxxmmmmbzxp" /* 0 */
	"mmmmbzxxmmmmbzxx" /* 1 */
	"mmmmbzpxmmmmbzpx" /* 2 */
	"mmmmbzpxmmmmbzpx" /* 3 */
	"pppppppppppppppp" /* 4 */
	"................" /* 5 */
	"xxpmppppzZbM...." /* 6 */
	"jjjjjjjjjjjjjjjj" /* 7 */
	"MZxMmmmmmmmmmmmm" /* 8 */
	"..........x....." /* 9 */
	"aaaa....bz......" /* a */
	"bbbbbbbbvvvvvvvv" /* b */
	"MMw.ppMZe.w..bx." /* c */
	"mmmmxxx.mmmmmmmm" /* d */
	"jjjjbbbbJJxj...." /* e */
	"p.pp..gG......mm"; /* f */

static const char two_byte[] =
	/* 0123456789abcdef */
	"mmmmx.....x.xmxx" /* 0: 3DNow is not known */
	"mmmmmmmmmmmmmmmm" /* 1 */
	"mmmmxxxxmmmmmmmm" /* 2 */
	"......x.pxpxxxxx" /* 3 */
	"mmmmmmmmmmmmmmmm" /* 4 */
	"mmmmmmmmmmmmmmmm" /* 5 */
	"mmmmmmmmmmmmmmmm" /* 6 */
	"MMMMmmm.mmxxmmmm" /* 7 */
	"JJJJJJJJJJJJJJJJ" /* 8 */
	"mmmmmmmmmmmmmmmm" /* 9 */
	"...mMmxx...mMmmm" /* a */
	"mmmmmmmmmmMmmmmm" /* b */
	"mmMmMMMm........" /* c */
	"mmmmmmmmmmmmmmmm" /* d */
	"mmmmmmmmmmmmmmmm" /* e */
	"mmmmmmmmmmmmmmmx"; /* f */

_Static_assert(sizeof(one_byte) == 257 && sizeof(two_byte) == 257, "a letter for each opcode");

struct decoder {
	const uint8_t *code;
	size_t pos, sz; /* at most INSN_MAX */
	int end_err; /* when the bytes end */
	struct insn *insn;
};

static unsigned int mod_of(const struct insn *insn)
{
	return insn->modrm >> 6;
}

/* The middle field of ModRM, without its extension: what tells the members of a group apart. */
static unsigned int digit_of(const struct insn *insn)
{
	return insn->modrm >> 3 & 7;
}

static int take(struct decoder *dec, uint8_t *byte)
{
	if (dec->pos == dec->sz)
		return dec->end_err;
	*byte = dec->code[dec->pos++];
	return 0;
}

/* A signed little-endian number of 1, 2, 4 or 8 bytes. */
static int take_number(struct decoder *dec, size_t sz, int64_t *number)
{
	uint64_t val = 0;

	if (dec->sz - dec->pos < sz)
		return dec->end_err;
	for (size_t i = 0; i < sz; i++)
		val |= (uint64_t)dec->code[dec->pos++] << (8 * i);
	if (sz < 8 && val >> (8 * sz - 1))
		val |= UINT64_MAX << (8 * sz);
	*number = (int64_t)val;
	return 0;
}

static unsigned int prefix_of(uint8_t byte)
{
	switch (byte) {
	case 0x66:
		return PREFIX_66;
	case 0x67:
		return PREFIX_67;
	case 0xf0:
		return PREFIX_LOCK;
	case 0xf2:
		return PREFIX_F2;
	case 0xf3:
		return PREFIX_F3;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		return PREFIX_SEGMENT;
	case 0x64:
	case 0x65:
		return PREFIX_FS_GS;
	default:
		return 0;
	}
}

/* Legacy prefixes, then REX. A REX that something else follows than an opcode has no effect for the
 * processor; it is a 'p' in the tables here, and so not known. */
static void take_prefixes(struct decoder *dec)
{
	struct insn *insn = dec->insn;
	unsigned int prefix;

	while (dec->pos < dec->sz && (prefix = prefix_of(dec->code[dec->pos]))) {
		/* of these two the last one counts */
		if (prefix & (PREFIX_F2 | PREFIX_F3))
			insn->prefixes &= (uint8_t) ~(PREFIX_F2 | PREFIX_F3);
		insn->prefixes |= (uint8_t)prefix;
		dec->pos++;
	}
	if (dec->pos < dec->sz && (dec->code[dec->pos] & 0xf0) == 0x40)
		insn->rex = dec->code[dec->pos++];
}

/* How AMD's XOP goes on behind 8f; it is pop where the map's number is below 8. */
static char xop_form(const struct insn *insn)
{
	switch (insn->map) {
	case 8:
		return 'M';
	case 9:
		return 'm';
	case 10:
		return 'Z';
	default:
		return 'x';
	}
}

/* Of the first map under VEX and EVEX only what is assigned; of the others the form is one for all. */
static char vex_form(const struct insn *insn, bool is_evex)
{
	uint8_t op = insn->opcode;

	switch (insn->map) {
	case 1:
		if (op == 0x77)
			return is_evex ? 'x' : '.';
		if ((op >= 0x70 && op <= 0x73) || op == 0xc2 || (op >= 0xc4 && op <= 0xc6))
			return 'M';
		if ((op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) ||
		    (op >= 0x41 && op <= 0x4b) || (op >= 0x50 && op <= 0x7f) ||
		    (op >= 0x90 && op <= 0x99) || op == 0xae || (op >= 0xd0 && op <= 0xfe))
			return 'm';
		return 'x';
	case 2:
		return 'm';
	case 3:
		return 'M';
	case 5: /* half precision */
	case 6:
		return is_evex ? 'm' : 'x';
	default:
		return 'x';
	}
}

/* The payload of VEX (c4, c5), XOP (8f) or EVEX (62), and the opcode behind it. The bits that APX gives
 * a meaning to are not known. */
static int take_vex(struct decoder *dec, uint8_t first, char *form)
{
	size_t cnt = first == 0xc5 ? 1 : first == 0x62 ? 3 : 2;
	struct insn *insn = dec->insn;
	uint8_t payload[3] = {0};
	int err;

	if (insn->rex || insn->prefixes & (PREFIX_66 | PREFIX_F2 | PREFIX_F3 | PREFIX_LOCK))
		return -EILSEQ;
	for (size_t i = 0; i < cnt; i++) {
		err = take(dec, &payload[i]);
		if (err)
			return err;
	}
	if (first == 0x62 && (payload[0] & 0x08 || !(payload[1] & 0x04)))
		return -EILSEQ;
	insn->is_vex = true;
	insn->map = first == 0xc5 ? 1 : payload[0] & (first == 0x62 ? 0x07 : 0x1f);
	err = take(dec, &insn->opcode);
	if (!err)
		*form = first == 0x8f ? xop_form(insn) : vex_form(insn, first == 0x62);
	return err;
}

static bool is_vex(const struct decoder *dec)
{
	switch (dec->insn->opcode) {
	case 0x62:
	case 0xc4:
	case 0xc5:
		return true;
	case 0x8f:
		return dec->pos < dec->sz && dec->code[dec->pos] & 0x18;
	default:
		return false;
	}
}

static int take_opcode(struct decoder *dec, char *form)
{
	struct insn *insn = dec->insn;
	int err = take(dec, &insn->opcode);

	if (err)
		return err;
	if (is_vex(dec))
		return take_vex(dec, insn->opcode, form);
	*form = one_byte[insn->opcode];
	if (insn->opcode != 0x0f)
		return 0;
	insn->map = 1;
	err = take(dec, &insn->opcode);
	if (err)
		return err;
	*form = two_byte[insn->opcode];
	if (insn->opcode != 0x38 && insn->opcode != 0x3a)
		return 0;
	insn->map = insn->opcode == 0x38 ? 2 : 3;
	*form = insn->map == 2 ? 'm' : 'M';
	return take(dec, &insn->opcode);
}

static int take_modrm(struct decoder *dec)
{
	struct insn *insn = dec->insn;
	int64_t disp = 0;
	size_t disp_sz;
	int err = take(dec, &insn->modrm);

	if (err)
		return err;
	insn->has_modrm = true;
	if (mod_of(insn) == 3)
		return 0;
	disp_sz = mod_of(insn) == 1 ? 1 : mod_of(insn) == 2 ? 4 : 0;
	if ((insn->modrm & 7) == 4) {
		err = take(dec, &insn->sib);
		if (err)
			return err;
		if (!mod_of(insn) && (insn->sib & 7) == 5)
			disp_sz = 4;
	} else if (!mod_of(insn) && (insn->modrm & 7) == 5) {
		disp_sz = 4; /* from rip */
	}
	err = disp_sz ? take_number(dec, disp_sz, &disp) : 0;
	insn->disp = (int32_t)disp;
	return err;
}

static size_t imm_sz(const struct insn *insn, char form)
{
	size_t by_operand = insn->prefixes & PREFIX_66 && !(insn->rex & 8) ? 2 : 4;

	switch (form) {
	case 'b':
	case 'M':
	case 'j':
		return 1;
	case 'w':
		return 2;
	case 'e':
		return 3;
	case 'J':
		return 4;
	case 'z':
	case 'Z':
		return by_operand;
	case 'v':
		return insn->rex & 8 ? 8 : by_operand;
	case 'a':
		return insn->prefixes & PREFIX_67 ? 4 : 8;
	case 'g':
		return digit_of(insn) < 2 ? 1 : 0;
	case 'G':
		return digit_of(insn) < 2 ? by_operand : 0;
	default:
		return 0;
	}
}

static int take_imm(struct decoder *dec, char form)
{
	size_t sz = imm_sz(dec->insn, form);
	int64_t high;
	int err;

	if (!sz)
		return 0;
	if (sz != 3)
		return take_number(dec, sz, &dec->insn->imm);
	err = take_number(dec, 2, &dec->insn->imm);
	return err ? err : take_number(dec, 1, &high);
}

/* Members of groups that do not exist, or whose length is not that of the others: AMD's extrq behind
 * 0f 78, moves of control registers that ignore `mod`. */
static bool is_unknown_one_byte(const struct insn *insn)
{
	bool is_memory = mod_of(insn) != 3;
	unsigned int digit = digit_of(insn);

	switch (insn->opcode) {
	case 0x8c:
	case 0x8e:
		return digit > 5 || (insn->opcode == 0x8e && digit == 1);
	case 0x8d:
		return !is_memory;
	case 0x8f:
		return digit != 0;
	case 0xc6:
		return digit != 0 && insn->modrm != 0xf8; /* xabort */
	case 0xc7:
		return digit != 0 &&
		       (insn->modrm != 0xf8 || insn->prefixes & PREFIX_66); /* xbegin */
	case 0xfe:
		return digit > 1;
	case 0xff:
		return digit == 7 || ((digit == 3 || digit == 5) && !is_memory);
	default:
		return false;
	}
}

static bool is_unknown_two_byte(const struct insn *insn)
{
	switch (insn->opcode) {
	case 0x20:
	case 0x21:
	case 0x22:
	case 0x23:
	case 0x71:
	case 0x72:
	case 0x73:
		return mod_of(insn) != 3;
	case 0x78:
	case 0x79:
		return insn->prefixes & (PREFIX_66 | PREFIX_F2);
	case 0xb8:
		return !(insn->prefixes & PREFIX_F3);
	default:
		return false;
	}
}

/* With the prefix 66 a direct branch is one of 16 bits for AMD, of 32 bits for Intel. */
static bool is_ambiguous_branch(const struct insn *insn, char form)
{
	return (form == 'j' || form == 'J') && insn->prefixes & PREFIX_66 && !(insn->rex & 8);
}

static enum insn_kind kind_of_group5(const struct insn *insn)
{
	bool is_slot = !mod_of(insn) && (insn->modrm & 7) == 5; /* from rip */

	switch (digit_of(insn)) {
	case 2:
	case 3:
		return INSN_CALL_BY;
	case 4:
		return is_slot ? INSN_JUMP_SLOT : INSN_JUMP_BY;
	case 5:
		return INSN_JUMP_BY;
	default:
		return INSN_OTHER;
	}
}

static enum insn_kind kind_of_one_byte(const struct insn *insn)
{
	switch (insn->opcode) {
	case 0x50 ... 0x57:
		return INSN_PUSH;
	case 0x70 ... 0x7f:
	case 0xe0 ... 0xe3:
		return INSN_BRANCH;
	case 0x90:
		/* with REX.B it exchanges r8, with f3 it is pause */
		return insn->rex & 1 || insn->prefixes & PREFIX_F3 ? INSN_OTHER : INSN_NOP;
	case 0xc2:
	case 0xc3:
	case 0xca:
	case 0xcb:
	case 0xcf:
		return INSN_RET;
	case 0xc7:
		return insn->modrm == 0xf8 ? INSN_BRANCH : INSN_OTHER; /* xbegin */
	case 0xcc:
	case 0xf4:
		return INSN_TRAP;
	case 0xe8:
		return INSN_CALL;
	case 0xe9:
	case 0xeb:
		return INSN_JUMP;
	case 0xff:
		return kind_of_group5(insn);
	default:
		return INSN_OTHER;
	}
}

static enum insn_kind kind_of(const struct insn *insn)
{
	if (insn->is_vex)
		return INSN_OTHER;
	if (insn->map == 0)
		return kind_of_one_byte(insn);
	if (insn->map != 1)
		return INSN_OTHER;
	switch (insn->opcode) {
	case 0x0b:
	case 0xb9:
		return INSN_TRAP;
	case 0x1e:
		return insn->prefixes & PREFIX_F3 && (insn->modrm & 0xfe) == 0xfa ? INSN_ENDBR
										  : INSN_OTHER;
	case 0x1f:
		return digit_of(insn) ? INSN_OTHER : INSN_NOP;
	case 0x80 ... 0x8f:
		return INSN_BRANCH;
	default:
		return INSN_OTHER;
	}
}

/* Repeated string instructions trap after each round, and each time the probe is hit again: of a
 * `rep stosb` of 4 bytes 4 hits were counted, on 5.10 and on 6.18. */
static bool is_repeated(const struct insn *insn)
{
	return insn->map == 0 && insn->prefixes & (PREFIX_F2 | PREFIX_F3) &&
	       ((insn->opcode >= 0xa4 && insn->opcode <= 0xa7) ||
		(insn->opcode >= 0xaa && insn->opcode <= 0xaf));
}

/* Opcodes that arch/x86/kernel/uprobes.c does not take (good_insns_64, good_2byte_insns), and what
 * no single-step should go over. */
static bool is_refused_opcode(const struct insn *insn)
{
	if (insn->map > 1)
		return false;
	if (insn->map == 1) {
		switch (insn->opcode) {
		case 0x00:
		case 0x01:
		case 0x05 ... 0x09:
		case 0x0b:
		case 0x30:
		case 0x34:
		case 0x35:
		case 0x37:
		case 0x78:
		case 0x79:
		case 0xae:
		case 0xb9:
			return true;
		default:
			return false;
		}
	}
	switch (insn->opcode) {
	case 0xc7:
		return insn->modrm == 0xf8; /* xbegin */
	case 0x8e: /* it may hold back the trap that ends the step */
	case 0x6c ... 0x6f:
	case 0xcc ... 0xcf:
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef:
	case 0xf1:
	case 0xf4:
	case 0xfa:
	case 0xfb:
		return true;
	default:
		return false;
	}
}

/*
 * By arch/x86/kernel/uprobes.c from 5.10 to 7.x (branch_setup_xol_ops, push_setup_xol_ops,
 * is_prefix_bad):
 * - emulated: push of a register with no prefix or REX 41 alone; jmp, call and jcc to a relative
 *   target; the one-byte nop;
 * - es, cs, ss, ds and lock are refused, and so is 66 before a branch; 66 90 was until cefa72129e45
 *   (6.2 and stable). So `notrack jmp` and `cs nopw` can have no probe.
 * - 90 with REX.B, xchg of r8, is skipped as if it were a nop: so on 5.10, 6.12 and 6.18, no longer on
 *   7.2, where one function tells what is a nop.
 * - multi-byte nops are emulated since 6.16; before, stepped.
 * - VEX and EVEX are taken for the one-byte opcodes of the same number: vpcmpeqb (74) for je, vpor (eb)
 *   for jmp. They are skipped, and the target goes on with wrong data: so on 5.10, 6.1, 6.18 and 7.2.
 */
static enum insn_probe probe_of(const struct insn *insn)
{
	bool has_operand_prefix = insn->prefixes & PREFIX_66;

	if (insn->is_vex || insn->prefixes & (PREFIX_SEGMENT | PREFIX_LOCK) ||
	    is_refused_opcode(insn) || is_repeated(insn))
		return PROBE_REFUSED;
	switch (insn->kind) {
	case INSN_PUSH:
		return insn->len == 1 || (insn->len == 2 && insn->rex == 0x41) ? PROBE_EMULATED
									       : PROBE_STEPPED;
	case INSN_NOP:
		if (insn->map == 1)
			return PROBE_EMULATED_NEWER;
		return insn->len == 1 ? PROBE_EMULATED : PROBE_REFUSED;
	case INSN_CALL:
	case INSN_JUMP:
		return has_operand_prefix ? PROBE_REFUSED : PROBE_EMULATED;
	case INSN_BRANCH:
		if (has_operand_prefix)
			return PROBE_REFUSED;
		/* loop and jrcxz are stepped */
		return insn->map == 1 || insn->opcode < 0x80 ? PROBE_EMULATED : PROBE_STEPPED;
	default:
		return insn->map == 0 && insn->opcode == 0x90 ? PROBE_REFUSED : PROBE_STEPPED;
	}
}

int insn__decode(struct insn *insn, const uint8_t *code, size_t sz)
{
	struct decoder dec = {
		.code = code,
		.sz = sz < INSN_MAX ? sz : INSN_MAX,
		.end_err = sz < INSN_MAX ? -ENODATA : -EILSEQ,
		.insn = insn,
	};
	char form = 'x';
	int err;

	memset(insn, 0, sizeof(*insn));
	take_prefixes(&dec);
	err = take_opcode(&dec, &form);
	if (err)
		return err;
	if (form == 'x' || form == 'p' || is_ambiguous_branch(insn, form))
		return -EILSEQ;
	err = strchr("mMZgG", form) ? take_modrm(&dec) : 0;
	if (!err)
		err = take_imm(&dec, form);
	if (err)
		return err;
	if (!insn->is_vex && ((insn->map == 0 && is_unknown_one_byte(insn)) ||
			      (insn->map == 1 && is_unknown_two_byte(insn))))
		return -EILSEQ;
	insn->len = (uint8_t)dec.pos;
	insn->kind = kind_of(insn);
	insn->probe = probe_of(insn);
	if (insn->kind == INSN_BRANCH || insn->kind == INSN_JUMP || insn->kind == INSN_CALL)
		insn->target = insn->len + insn->imm;
	return 0;
}
