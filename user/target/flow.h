/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function's code taken apart: its instructions from the first byte on, where its branches lead, and
 * how deep the stack is at each of them. For place.c, exits.c and returns.c.
 */
#ifndef TARGET_FLOW_H
#define TARGET_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/insn.h"

/* Depths: how far rsp is below its value at the entry, or one of these. */
#define FLOW_UNREACHED INT32_MIN /* not from the entry by the branches that are known */
#define FLOW_LOST      (INT32_MIN + 1)

struct flow_insn {
	uint32_t off; /* from the function's first byte */
	uint8_t len;
	enum insn_kind kind;
	enum insn_probe probe;
	int64_t target; /* of INSN_BRANCH, INSN_JUMP, INSN_CALL: from the function's first byte */
	int32_t depth;
	int32_t frame; /* of rbp, in the same way */
};

struct flow {
	struct flow_insn *insns;
	size_t cnt, cap;
	uint32_t end; /* how far it was decoded */
	bool whole; /* that is all that was given */
};

/* Where else than at its first byte code is entered, and how deep the stack is there. */
struct flow_entry {
	uint32_t off;
	int32_t depth, frame;
};

/* NULL and errno: no memory, or nothing decoded. */
struct flow *flow__new(const uint8_t *code, size_t sz);
/* The same of a part of a function; entries that are no instruction's offset are left out. */
struct flow *flow__new_at(const uint8_t *code, size_t sz, const struct flow_entry *entries,
			  size_t entry_cnt);
/* The instruction that begins at an offset, or NULL. */
const struct flow_insn *flow__at(const struct flow *flow, int64_t off);
void flow__free(struct flow *flow);

/* Does an instruction lead to `target`, whatever else it does? */
static inline bool flow_insn__branches(const struct flow_insn *insn)
{
	return insn->kind == INSN_BRANCH || insn->kind == INSN_JUMP || insn->kind == INSN_CALL;
}

#endif
