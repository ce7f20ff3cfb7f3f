/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chooses the place of a uprobe; see place.h. First straight on from the entry, noting what could take
 * a probe, until something changes what the probe reads or leads elsewhere. Then, the best first, each
 * of these is held against all branches of the function.
 *
 * Other functions are taken not to jump behind our entry. Parts of the same function that lie
 * elsewhere (GCC's .cold) do, but to code that follows the prologue.
 */
#include "target/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/flow.h"

/* A prologue ends long before. */
#define WALK_MAX 48
/* Longer functions are not looked through. */
#define CODE_MAX (64 * 1024)
/* What is read of a function whose size nobody tells. */
#define CODE_MIN 64

static const struct {
	uint8_t reg;
	const char *name;
} args[PLACE_ARG_CNT] = {
	{GPR_RDI, "rdi"}, {GPR_RSI, "rsi"}, {GPR_RDX, "rdx"},
	{GPR_RCX, "rcx"}, {GPR_R8, "r8"},   {GPR_R9, "r9"},
};

/* An instruction that a probe could be on. */
struct site {
	uint32_t off;
	uint32_t sp_below;
	enum insn_kind kind;
	enum insn_probe probe;
	bool past_null; /* a branch that null arguments take is before it */
};

/* The way straight on from the entry. */
struct walk {
	const struct place_want *want;
	struct site sites[WALK_MAX];
	size_t cnt;
	uint32_t start; /* behind the nops that it begins with: to jump to one is to enter anew */
	int64_t depth;
	uint16_t changed; /* bit per register */
	int null_reg; /* the flags tell whether this one is 0; -1: none */
	bool past_null;
	char end[64]; /* why it goes no further */
};

static uint16_t regs_of(unsigned int mask)
{
	uint16_t regs = 0;

	for (unsigned int i = 0; i < PLACE_ARG_CNT; i++)
		if (mask & PLACE_ARG(i))
			regs |= (uint16_t)(1u << args[i].reg);
	return regs;
}

static const char *kind_name(const struct site *site)
{
	switch (site->kind) {
	case INSN_PUSH:
		return "push";
	case INSN_NOP:
		return "nop";
	case INSN_BRANCH:
		return "conditional jump";
	case INSN_JUMP:
		return "jump";
	case INSN_CALL:
		return "call";
	default:
		return "instruction";
	}
}

/* Is this the branch that calls with a null argument take, and only those? */
static bool is_null_branch(const struct walk *walk, const struct insn *insn)
{
	bool is_je = (insn->map == 0 && insn->opcode == 0x74) ||
		     (insn->map == 1 && insn->opcode == 0x84);

	return is_je && walk->null_reg >= 0 &&
	       regs_of(walk->want->nulls) & ~walk->changed & 1u << walk->null_reg;
}

/* Why the walk ends behind an instruction, or NULL. */
static const char *end_of(struct walk *walk, const struct insn *insn,
			  const struct insn_effect *effect)
{
	switch (insn->kind) {
	case INSN_BRANCH:
		if (is_null_branch(walk, insn)) {
			walk->past_null = true;
			return NULL;
		}
		return "it branches";
	case INSN_JUMP:
	case INSN_JUMP_BY:
	case INSN_JUMP_SLOT:
		return "it jumps";
	case INSN_CALL:
	case INSN_CALL_BY:
		return "it calls";
	case INSN_RET:
	case INSN_TRAP:
		return "it ends";
	default:
		break;
	}
	if (!effect->known)
		return "something unknown happens";
	for (size_t i = 0; i < PLACE_ARG_CNT; i++)
		if (walk->want->args & PLACE_ARG(i) && effect->writes & 1u << args[i].reg)
			return args[i].name;
	if (effect->stores)
		return "memory is written";
	if (effect->stack != STACK_KEPT && effect->stack != STACK_MOVED)
		return "the stack is moved";
	return NULL;
}

static void note_end(struct walk *walk, const char *why, uint32_t off)
{
	snprintf(walk->end, sizeof(walk->end), "%s%s at +%u", why, why[0] == 'r' ? " changes" : "",
		 off);
}

/* Goes over one instruction; false at the end of the way. */
static bool walk_on(struct walk *walk, const struct insn *insn, uint32_t off)
{
	struct insn_effect effect;
	const char *why;
	int tested = insn__tests_zero(insn);

	walk->sites[walk->cnt++] = (struct site){
		.off = off,
		.sp_below = (uint32_t)walk->depth,
		.kind = insn->kind,
		.probe = insn->probe,
		.past_null = walk->past_null,
	};
	insn__effect(insn, &effect);
	why = end_of(walk, insn, &effect);
	if (!why && walk->cnt == WALK_MAX)
		why = "it goes on";
	if (!why && effect.stack == STACK_MOVED) {
		walk->depth -= effect.stack_delta;
		if (walk->depth < 0 || walk->depth > INT32_MAX)
			why = "the stack is moved";
	}
	if (why) {
		note_end(walk, why, off);
		return false;
	}
	walk->changed |= effect.writes;
	if (walk->start == off && (insn->kind == INSN_NOP || insn->kind == INSN_ENDBR))
		walk->start = off + insn->len;
	if (tested >= 0)
		walk->null_reg = tested;
	else if (effect.sets_flags || (walk->null_reg >= 0 && effect.writes & 1u << walk->null_reg))
		walk->null_reg = -1;
	return true;
}

static void walk_from_entry(struct walk *walk, const uint8_t *code, size_t sz)
{
	uint32_t off = 0;
	struct insn insn;

	while (off < sz) {
		if (insn__decode(&insn, code + off, sz - off)) {
			note_end(walk, "unknown code", off);
			return;
		}
		if (!walk_on(walk, &insn, off))
			return;
		off += insn.len;
	}
	note_end(walk, "its code ends", off);
}

/* Does a target lie behind what is as good as the entry, and not behind the site? Then who comes by
 * that branch hits the probe again, or with other arguments. */
static bool is_between(const struct walk *walk, const struct site *site, int64_t target)
{
	return target > walk->start && target <= site->off;
}

/* A jump whose targets are in a table or a register: it can only lead to where the stack is as deep. */
static bool may_lead_between(const struct walk *walk, const struct site *site,
			     const struct flow_insn *jump)
{
	if (jump->depth == FLOW_UNREACHED || jump->depth == FLOW_LOST)
		return true;
	for (size_t i = 0; i < walk->cnt; i++)
		if (is_between(walk, site, walk->sites[i].off) &&
		    walk->sites[i].sp_below == (uint32_t)jump->depth)
			return true;
	return false;
}

/* Why a site is no place for the probe, in `why`; true when it is one. */
static bool is_passed_once(const struct walk *walk, const struct site *site,
			   const struct flow *flow, bool whole, char *why, size_t why_sz)
{
	if (site->off <= walk->start)
		return true;
	if (!flow || !whole) {
		snprintf(why, why_sz, "its end is not known");
		return false;
	}
	if (!flow->whole) {
		snprintf(why, why_sz, "unknown code at +%u", flow->end);
		return false;
	}
	for (size_t i = 0; i < flow->cnt; i++) {
		const struct flow_insn *insn = &flow->insns[i];

		if (flow_insn__branches(insn)
			    ? is_between(walk, site, insn->target)
			    : insn->kind == INSN_JUMP_BY && may_lead_between(walk, site, insn)) {
			snprintf(why, why_sz, "+%u may lead back before +%u", insn->off, site->off);
			return false;
		}
	}
	return true;
}

static bool leads_back(const struct walk *walk, const struct flow *flow)
{
	for (size_t i = 0; flow && i < flow->cnt; i++) {
		const struct flow_insn *insn = &flow->insns[i];

		if ((insn->kind == INSN_BRANCH || insn->kind == INSN_JUMP) && insn->target >= 0 &&
		    insn->target <= walk->start)
			return true;
	}
	return false;
}

/* Of sites that cost the same: the first; but one that null arguments do not reach costs less. */
static const struct site *best_site(const struct walk *walk, enum insn_probe probe, bool past_null,
				    const struct flow *flow, bool whole, char *why, size_t why_sz)
{
	for (size_t i = 0; i < walk->cnt; i++) {
		const struct site *site = &walk->sites[i];

		if (site->probe == probe && site->past_null == past_null)
			return is_passed_once(walk, site, flow, whole, why, why_sz) ? site : NULL;
	}
	return NULL;
}

static void take_site(struct place *place, const struct walk *walk, const struct site *site,
		      const char *why)
{
	char where[32] = "the entry";
	int len;

	place->off = site->off;
	place->sp_below = site->sp_below;
	place->probe = site->probe;
	if (site->off)
		snprintf(where, sizeof(where), "+%u", site->off);
	if (site->probe == PROBE_EMULATED)
		len = snprintf(place->reason, sizeof(place->reason), "%s at %s, emulated%s",
			       kind_name(site), where, site->past_null ? ", past null" : "");
	else
		len = snprintf(place->reason, sizeof(place->reason), "%s, stepped%s: %s", where,
			       site->probe == PROBE_EMULATED_NEWER ? " before Linux 6.16" : "",
			       why[0] ? why : walk->end);
	if (place->repeats && len > 0 && (size_t)len < sizeof(place->reason))
		snprintf(place->reason + len, sizeof(place->reason) - (size_t)len,
			 "; again by a branch");
}

void place__choose(struct place *place, const struct place_want *want, const uint8_t *code,
		   size_t sz, bool whole)
{
	struct walk walk = {.want = want, .null_reg = -1};
	const struct site *site = NULL;
	struct flow *flow = whole ? flow__new(code, sz) : NULL;
	char why[64] = "";

	memset(place, 0, sizeof(*place));
	place->probe = PROBE_REFUSED;
	walk_from_entry(&walk, code, sz);
	place->repeats = leads_back(&walk, flow);
	for (int probe = PROBE_EMULATED; probe > PROBE_REFUSED && !site; probe--) {
		site = best_site(&walk, probe, true, flow, whole, why, sizeof(why));
		if (!site)
			site = best_site(&walk, probe, false, flow, whole, why, sizeof(why));
	}
	flow__free(flow);
	if (site)
		take_site(place, &walk, site, why);
	else
		snprintf(place->reason, sizeof(place->reason), "no place: %s",
			 why[0] ? why : walk.end);
}

void place__in_file(struct place *place, const struct place_want *want, const struct elf_file *file,
		    const struct elf_sym *sym)
{
	size_t sz = !sym->sz ? CODE_MIN : sym->sz < CODE_MAX ? sym->sz : CODE_MAX;
	uint8_t *code = malloc(sz);
	ssize_t len = code ? elf_file__read_code(file, sym->file_off, code, sz) : -ENOMEM;

	if (len > 0) {
		place__choose(place, want, code, (size_t)len, (size_t)len == sym->sz);
	} else {
		memset(place, 0, sizeof(*place));
		place->probe = PROBE_REFUSED;
		snprintf(place->reason, sizeof(place->reason),
			 "no place: its code cannot be read (%s)",
			 len ? strerror((int)-len) : "behind the end of its file");
	}
	free(code);
}
