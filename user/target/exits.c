/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds all exits of a function, or says why it cannot; see exits.h. One that is missed is a call that
 * never ends for the books; a probe on what is no instruction (data among the code) breaks the target.
 * So only what is reached from the entry by known branches counts, and one doubt is enough.
 */
#include "target/exits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "target/flow.h"

__attribute__((format(printf, 2, 3))) static void doubt(struct exits *exits, const char *fmt, ...)
{
	va_list ap;

	if (!exits->complete)
		return;
	exits->complete = false;
	va_start(ap, fmt);
	vsnprintf(exits->why, sizeof(exits->why), fmt, ap);
	va_end(ap);
}

static int add_exit(struct exits *exits, const struct flow_insn *insn, enum exit_kind kind)
{
	int err = array__reserve((void **)&exits->sites, &exits->cap, exits->cnt + 1,
				 sizeof(*exits->sites));

	if (err)
		return err;
	if (insn->depth == FLOW_UNREACHED)
		doubt(exits, "nothing is known to lead to the exit at +%u", insn->off);
	/* a function whose stack is not back where it was is left for another part of itself */
	if (kind != EXIT_RETURN && insn->depth != 0)
		doubt(exits, "it goes on elsewhere at +%u", insn->off);
	if (insn->probe == PROBE_REFUSED)
		doubt(exits, "the exit at +%u can have no probe", insn->off);
	exits->sites[exits->cnt++] = (struct exit_site){
		.off = insn->off,
		.kind = kind,
		.probe = insn->probe,
		.target = kind == EXIT_JUMP ? insn->target : 0,
	};
	return 0;
}

static bool is_outside(const struct flow *flow, int64_t target)
{
	return target < 0 || target >= flow->end;
}

static int look_at(struct exits *exits, const struct flow *flow, const struct flow_insn *insn)
{
	bool leaves = flow_insn__branches(insn) && is_outside(flow, insn->target);

	if ((insn->kind == INSN_BRANCH || insn->kind == INSN_JUMP) && !leaves &&
	    !flow__at(flow, insn->target))
		doubt(exits, "+%u leads into an instruction", insn->off);
	switch (insn->kind) {
	case INSN_RET:
		return add_exit(exits, insn, EXIT_RETURN);
	case INSN_JUMP:
		return leaves ? add_exit(exits, insn, EXIT_JUMP) : 0;
	case INSN_JUMP_SLOT:
		return add_exit(exits, insn, EXIT_SLOT);
	case INSN_JUMP_BY:
		doubt(exits, "where it jumps at +%u is not known", insn->off);
		return 0;
	case INSN_BRANCH:
		/* a call at its end or another part of it, and only for some */
		if (leaves)
			doubt(exits, "it leaves for some at +%u", insn->off);
		return 0;
	default:
		return 0;
	}
}

/* What the last instruction may be: behind it is another function. Calls there do not return. */
static bool ends(const struct flow_insn *last)
{
	return last->kind != INSN_BRANCH && last->kind != INSN_OTHER && last->kind != INSN_PUSH &&
	       last->kind != INSN_ENDBR;
}

int exits__find(struct exits *exits, const uint8_t *code, size_t sz)
{
	struct flow *flow;
	int err = 0;

	memset(exits, 0, sizeof(*exits));
	exits->complete = true;
	flow = flow__new(code, sz);
	if (!flow && errno == ENOMEM)
		return -ENOMEM;
	if (!flow) {
		doubt(exits, sz ? "unknown code at +0" : "no code");
		return 0;
	}
	if (!flow->whole)
		doubt(exits, "unknown code at +%u", flow->end);
	for (size_t i = 0; i < flow->cnt && !err; i++)
		err = look_at(exits, flow, &flow->insns[i]);
	if (!ends(&flow->insns[flow->cnt - 1]))
		doubt(exits, "it runs on behind its end");
	flow__free(flow);
	if (err)
		exits__free(exits);
	return err;
}

void exits__free(struct exits *exits)
{
	free(exits->sites);
	memset(exits, 0, sizeof(*exits));
}
