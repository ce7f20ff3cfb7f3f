/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a function a uprobe goes that shall see its arguments: the first instruction that the
 * kernel emulates (facts: a sixteenth of the price of one that it must step over) before anything that
 * the probe reads has changed, and that each call passes exactly once. Called by the adapters in
 * runtime/ for each of their probes.
 */
#ifndef TARGET_PLACE_H
#define TARGET_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/elf.h"
#include "target/insn.h"

/* Arguments by their registers: rdi, rsi, rdx, rcx, r8, r9. Those on the stack are not looked after. */
#define PLACE_ARG(nr) (1u << (nr))
#define PLACE_ARG_CNT 6

struct place_want {
	unsigned int args; /* PLACE_ARG()s that the probe reads */
	unsigned int nulls; /* a call in which one of these is 0 may be missed, as free(NULL) */
};

struct place {
	uint32_t off; /* of the instruction, from the function's first byte */
	uint32_t
		sp_below; /* how far rsp is below its value at the entry: there is the return address */
	enum insn_probe
		probe; /* what the kernel makes of it; PROBE_REFUSED: no probe may be there */
	bool repeats; /* a branch leads back to the entry: more hits than calls */
	char reason[112];
};

/* `sz` bytes of the function's code; `whole`: these are all, else only the entry is trusted. */
void place__choose(struct place *place, const struct place_want *want, const uint8_t *code,
		   size_t sz, bool whole);
/* The same of a function of a file. */
void place__in_file(struct place *place, const struct place_want *want, const struct elf_file *file,
		    const struct elf_sym *sym);

#endif
