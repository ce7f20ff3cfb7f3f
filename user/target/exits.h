/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a function is left: the instructions that stand in for a return probe where none may be, since
 * one changes the return address under what may throw. For the adapters in runtime/.
 */
#ifndef TARGET_EXITS_H
#define TARGET_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/insn.h"

enum exit_kind {
	EXIT_RETURN, /* the result is in rax, the return address at rsp */
	EXIT_JUMP, /* to another function, at `target`: the result is that one's */
	EXIT_SLOT, /* the same, to an import */
};

struct exit_site {
	uint32_t off; /* from the function's first byte */
	enum exit_kind kind;
	enum insn_probe probe;
	int64_t target;
};

struct exits {
	struct exit_site *sites;
	size_t cnt, cap;
	bool complete; /* else no probe may go to any of them: `why` */
	char why[96];
};

/* All exits of a function of `sz` bytes; 0 or -ENOMEM. Without exits it does not return. */
int exits__find(struct exits *exits, const uint8_t *code, size_t sz);
void exits__free(struct exits *exits);

#endif
