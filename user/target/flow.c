/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decodes a function and follows it from the entry; see flow.h. The stack's depth tells apart what the
 * code alone does not: a tail call, with the stack as it was at the entry, from a jump into another
 * part of the same function; and where a jump by a table can lead. The code is hostile: whatever it
 * is, the work is a few steps for each of its bytes.
 */
#include "target/flow.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"

/* Deeper than any stack frame. */
#define DEPTH_MAX (1 << 26)

/* Where to go on, with what on the stack. */
struct visit {
	size_t idx;
	int32_t depth, frame;
};

struct visits {
	struct visit *items;
	size_t cnt, cap;
};

struct tracer {
	struct flow *flow;
	const uint8_t *code;
	struct visits now;
	struct visits later; /* behind calls, some of which do not return */
};

static int decode(struct flow *flow, const uint8_t *code, size_t sz)
{
	struct insn insn;

	while (flow->end < sz && !insn__decode(&insn, code + flow->end, sz - flow->end)) {
		struct flow_insn *next;
		int err = array__reserve((void **)&flow->insns, &flow->cap, flow->cnt + 1,
					 sizeof(*flow->insns));

		if (err)
			return err;
		next = &flow->insns[flow->cnt++];
		next->off = flow->end;
		next->len = insn.len;
		next->kind = insn.kind;
		next->probe = insn.probe;
		next->target = flow->end + insn.target;
		next->depth = next->frame = FLOW_UNREACHED;
		flow->end += insn.len;
	}
	flow->whole = flow->end == sz;
	return flow->cnt ? 0 : -EILSEQ;
}

const struct flow_insn *flow__at(const struct flow *flow, int64_t off)
{
	size_t low = 0, high = flow->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (flow->insns[mid].off == off)
			return &flow->insns[mid];
		if (flow->insns[mid].off < off)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int add(struct visits *visits, size_t idx, int32_t depth, int32_t frame)
{
	int err = array__reserve((void **)&visits->items, &visits->cap, visits->cnt + 1,
				 sizeof(*visits->items));

	if (!err)
		visits->items[visits->cnt++] =
			(struct visit){.idx = idx, .depth = depth, .frame = frame};
	return err;
}

/* Two ways lead here: what they do not agree in is lost. Only once for each, so that it ends. */
static bool join(int32_t *known, int32_t other)
{
	int32_t joined = *known == FLOW_UNREACHED ? other : *known == other ? other : FLOW_LOST;
	bool changed = joined != *known;

	*known = joined;
	return changed;
}

static int32_t checked(int64_t depth)
{
	return depth > -DEPTH_MAX && depth < DEPTH_MAX ? (int32_t)depth : FLOW_LOST;
}

/* What an instruction makes of the depths. */
static void step(const struct insn *insn, int32_t *depth, int32_t *frame)
{
	struct insn_effect effect;
	int32_t before = *depth;

	insn__effect(insn, &effect);
	if (effect.stack == STACK_MOVED && before != FLOW_LOST)
		*depth = checked((int64_t)before - effect.stack_delta);
	else if (effect.stack == STACK_FROM_RBP && *frame != FLOW_LOST)
		*depth = checked((int64_t)*frame - effect.stack_delta);
	else if (effect.stack != STACK_KEPT)
		*depth = FLOW_LOST;
	if (effect.sets_frame && before != FLOW_LOST)
		*frame = checked((int64_t)before - effect.frame_delta);
	else if (effect.writes & 1u << GPR_RBP)
		*frame = FLOW_LOST;
}

/* Goes on behind one instruction with what it leaves. */
static int follow(struct tracer *tracer, size_t idx)
{
	struct flow *flow = tracer->flow;
	const struct flow_insn *from = &flow->insns[idx], *to;
	int32_t depth = from->depth, frame = from->frame;
	struct insn insn;
	int err = insn__decode(&insn, tracer->code + from->off, from->len);

	if (err)
		return err;
	step(&insn, &depth, &frame);
	if (from->kind == INSN_BRANCH || from->kind == INSN_JUMP) {
		to = flow__at(flow, from->target);
		if (to)
			err = add(&tracer->now, (size_t)(to - flow->insns), depth, frame);
	}
	if (err || idx + 1 == flow->cnt)
		return err;
	switch (from->kind) {
	case INSN_JUMP:
	case INSN_JUMP_BY:
	case INSN_JUMP_SLOT:
	case INSN_RET:
	case INSN_TRAP:
		return 0;
	case INSN_CALL:
	case INSN_CALL_BY:
		return add(&tracer->later, idx + 1, depth, frame);
	default:
		return add(&tracer->now, idx + 1, depth, frame);
	}
}

/* A call that does not return is followed by other code. So behind calls comes last, and where
 * something else leads it has no say. */
static int trace(struct tracer *tracer)
{
	int err = 0;

	while (!err && (tracer->now.cnt || tracer->later.cnt)) {
		struct visits *visits = tracer->now.cnt ? &tracer->now : &tracer->later;
		struct visit visit = visits->items[--visits->cnt];
		struct flow_insn *insn = &tracer->flow->insns[visit.idx];
		bool changed;

		if (visits == &tracer->later && insn->depth != FLOW_UNREACHED)
			continue;
		changed = join(&insn->depth, visit.depth);
		changed |= join(&insn->frame, visit.frame);
		if (changed)
			err = follow(tracer, visit.idx);
	}
	return err;
}

static int enter(struct tracer *tracer, const struct flow_entry *entries, size_t cnt)
{
	int err = 0;

	for (size_t i = 0; i < cnt && !err; i++) {
		const struct flow_insn *insn = flow__at(tracer->flow, entries[i].off);

		if (insn)
			err = add(&tracer->now, (size_t)(insn - tracer->flow->insns),
				  entries[i].depth, entries[i].frame);
	}
	return err;
}

struct flow *flow__new_at(const uint8_t *code, size_t sz, const struct flow_entry *entries,
			  size_t entry_cnt)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	struct tracer tracer = {.flow = flow, .code = code};
	int err;

	if (!flow)
		return NULL;
	err = sz <= UINT32_MAX ? decode(flow, code, sz) : -E2BIG;
	if (!err)
		err = enter(&tracer, entries, entry_cnt);
	if (!err)
		err = trace(&tracer);
	free(tracer.now.items);
	free(tracer.later.items);
	if (!err)
		return flow;
	flow__free(flow);
	errno = -err;
	return NULL;
}

struct flow *flow__new(const uint8_t *code, size_t sz)
{
	static const struct flow_entry first = {.frame = FLOW_LOST};

	return flow__new_at(code, sz, &first, 1);
}

void flow__free(struct flow *flow)
{
	if (flow)
		free(flow->insns);
	free(flow);
}
