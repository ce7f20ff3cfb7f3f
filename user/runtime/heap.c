/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans the probes on allocators: one where each of their functions begins, and where blocks are
 * followed one by one, a way to see what it returns. A return probe is the cheapest, but changes the
 * return address: never under what may throw (DESIGN rule 1). Then the instructions that it is left by
 * are probed, if all of them are known.
 */
#include "runtime/heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runtime/allocator_names.h"
#include "runtime/allocators.h"
#include "target/flow.h"
#include "target/imports.h"
#include "target/returns.h"

/* What passes a call on to another function is not longer. */
#define FORWARD_MAX 256

static const struct {
	const char *prog;
	unsigned int args; /* that the program reads */
	unsigned int nulls; /* nothing happens when this is NULL */
	bool returns; /* a block */
	bool throws;
} functions[HEAP_FUNCTION_CNT] = {
	[HEAP_MALLOC] = {"heap_malloc", PLACE_ARG(0), 0, true, false},
	[HEAP_CALLOC] = {"heap_calloc", PLACE_ARG(0) | PLACE_ARG(1), 0, true, false},
	[HEAP_REALLOC] = {"heap_realloc", PLACE_ARG(0) | PLACE_ARG(1), 0, true, false},
	[HEAP_FREE] = {"heap_free", PLACE_ARG(0), PLACE_ARG(0), false, false},
	[HEAP_POSIX_MEMALIGN] = {"heap_posix_memalign", PLACE_ARG(0) | PLACE_ARG(1) | PLACE_ARG(2),
				 0, true, false},
	[HEAP_MEMALIGN] = {"heap_memalign", PLACE_ARG(1), 0, true, false},
	[HEAP_VALLOC] = {"heap_valloc", PLACE_ARG(0), 0, true, false},
	[HEAP_PVALLOC] = {"heap_pvalloc", PLACE_ARG(0), 0, true, false},
	[HEAP_NEW] = {"heap_new", PLACE_ARG(0), 0, true, true},
	[HEAP_DELETE] = {"heap_delete", PLACE_ARG(0), PLACE_ARG(0), false, false},
	[HEAP_REALLOCARRAY] = {"heap_reallocarray", PLACE_ARG(0) | PLACE_ARG(1) | PLACE_ARG(2),
			       .returns = true},
	[HEAP_RUST_REALLOC] = {"heap_rust_realloc", PLACE_ARG(0) | PLACE_ARG(3), 0, true, false},
};

/* What one function's probes are made from. */
struct heap_plan {
	const struct target *target;
	struct plan *plan;
	const struct plan_options *options;
	struct allocator *allocator;
	const struct allocator_function *function;
	struct imports imports; /* of the allocator's file */
	struct buf unseen; /* its functions whose calls are not seen */
};

static void set_what(struct probe *probe, const char *function)
{
	snprintf(probe->what, sizeof(probe->what), "%s in %s", function, probe->file->path);
	target_clean(probe->what);
}

/* Two probes of one program at one place would count twice. */
static int add(struct plan *plan, const struct probe *probe)
{
	return plan__contains(plan, probe) ? 0 : plan__add(plan, probe);
}

/* Why calls of a function are not seen. */
static void say_unseen(struct heap_plan *heap, const char *why)
{
	buf__printf(&heap->unseen, "%s%s (%s)", heap->unseen.sz ? ", " : "",
		    heap->function->sym.name, why);
}

static void place_entry(const struct heap_plan *heap, struct probe *probe)
{
	const struct elf_sym *sym = &heap->function->sym;
	struct place_want want = {
		.args = functions[heap->function->function].args,
		.nulls = functions[heap->function->function].nulls,
	};

	probe->prog = functions[heap->function->function].prog;
	probe->group = PROBES_HEAP;
	probe__place(probe, &want, heap->target, heap->allocator->file, sym);
	set_what(probe, sym->name);
}

/* At the same instruction as the probe that begins, which then costs one trap for both: the kernel
 * takes the return address from where rsp points to. */
static int add_return(const struct heap_plan *heap, const struct probe *entry)
{
	struct probe probe = *entry;

	probe.prog = "heap_return";
	probe.group = PROBES_HEAP_RETURN;
	probe.at_return = true;
	snprintf(probe.place.reason, sizeof(probe.place.reason), "at its return");
	return add(heap->plan, &probe);
}

static int add_exit(const struct heap_plan *heap, const struct return_site *site)
{
	static const char *const costs[] = {
		[PROBE_STEPPED] = "stepped",
		[PROBE_EMULATED_NEWER] = "stepped before Linux 6.16",
		[PROBE_EMULATED] = "emulated",
	};
	const struct elf_sym *sym = &heap->function->sym;
	struct probe probe = {
		/* others may return by the same instructions, and have return probes for it */
		.prog = heap->options->return_probes && functions[heap->function->function].throws
				? "heap_exit_new"
				: "heap_exit",
		.group = PROBES_HEAP_RETURN,
		.file = heap->allocator->file,
		.file_off = site->file_off,
		.place = {.probe = site->probe},
	};

	probe.ip = target__addr_of(heap->target, probe.file, probe.file_off);
	set_what(&probe, sym->name);
	if (site->vaddr - sym->vaddr < sym->sz) {
		probe.place.off = (uint32_t)(site->vaddr - sym->vaddr);
		snprintf(probe.place.reason, sizeof(probe.place.reason), "return at +%u, %s",
			 probe.place.off, costs[site->probe]);
	} else {
		snprintf(probe.place.reason, sizeof(probe.place.reason),
			 "return of what it jumps to, %s", costs[site->probe]);
	}
	return add(heap->plan, &probe);
}

/* 0: not to be probed at all, for a reason that was said; 1; -errno. */
static int add_exits(struct heap_plan *heap)
{
	struct returns returns;
	int err = returns__find(&returns, heap->allocator->file, &heap->imports,
				&heap->function->sym);

	if (err)
		return err;
	if (!returns.complete)
		say_unseen(heap, returns.why);
	for (size_t i = 0; i < returns.cnt && returns.complete && !err; i++)
		err = add_exit(heap, &returns.sites[i]);
	if (!err)
		err = returns.complete;
	returns__free(&returns);
	return err;
}

/* The way to see a block that a function returns: 0 when there is none, 1, or -errno. */
static int add_way_back(struct heap_plan *heap, const struct probe *entry)
{
	int err;

	if (heap->options->heap > HEAP_MODE_SAMPLED || !functions[heap->function->function].returns)
		return 1;
	if (heap->options->return_probes && !functions[heap->function->function].throws &&
	    !entry->place.sp_below) {
		err = add_return(heap, entry);
		return err ? err : 1;
	}
	return add_exits(heap);
}

/* What a jump or call leads to gives or takes memory in the same way: then it is seen there. */
static bool leads_to_ours(const struct heap_plan *heap, const struct flow_insn *insn,
			  const uint8_t *code)
{
	const struct elf_sym *sym = &heap->function->sym;
	bool takes = !functions[heap->function->function].returns;
	struct allocator_name name;
	const char *import = NULL;
	struct insn decoded;

	if (flow_insn__branches(insn)) {
		for (size_t i = 0; i < heap->allocator->cnt; i++) {
			const struct allocator_function *other = &heap->allocator->functions[i];

			if (other != heap->function &&
			    other->sym.vaddr == sym->vaddr + (uint64_t)insn->target)
				return functions[other->function].returns != takes;
		}
		import = imports__of_stub(&heap->imports, heap->allocator->file,
					  sym->vaddr + (uint64_t)insn->target,
					  sym->file_off + (uint64_t)insn->target);
	} else if (!insn__decode(&decoded, code + insn->off, insn->len)) {
		import = imports__of_insn(&heap->imports, &decoded, sym->vaddr + insn->off);
	}
	return import && allocator_name__find(&name, import) &&
	       functions[name.function].returns != takes;
}

static bool is_way_out(const struct flow_insn *insn, const struct flow *flow)
{
	switch (insn->kind) {
	case INSN_RET:
	case INSN_JUMP_BY:
	case INSN_JUMP_SLOT:
		return true;
	case INSN_JUMP:
	case INSN_BRANCH:
		return insn->target < 0 || insn->target >= flow->end;
	default:
		return false;
	}
}

/*
 * Does a function no more than pass the call on? Of those that give memory every way out must be a jump
 * to another one: what calls it and looks at the result is counted here, and there as nested. A free is
 * told by no return: one that calls another free would be counted twice.
 */
static bool forwards(const struct heap_plan *heap)
{
	bool takes = !functions[heap->function->function].returns;
	const struct elf_sym *sym = &heap->function->sym;
	uint8_t code[FORWARD_MAX];
	size_t ours = 0, others = 0;
	struct flow *flow;

	if (!sym->sz || sym->sz > sizeof(code) ||
	    elf_file__read_code(heap->allocator->file, sym->file_off, code, sym->sz) !=
		    (ssize_t)sym->sz)
		return false;
	flow = flow__new(code, sym->sz);
	for (size_t i = 0; flow && i < flow->cnt; i++) {
		const struct flow_insn *insn = &flow->insns[i];
		bool is_call = insn->kind == INSN_CALL || insn->kind == INSN_CALL_BY;
		bool is_out = is_way_out(insn, flow);

		if (insn->depth == FLOW_UNREACHED || !(is_out || (takes && is_call)))
			continue;
		if (insn->kind != INSN_RET && leads_to_ours(heap, insn, code))
			ours++;
		else if (is_out)
			others++;
	}
	flow__free(flow);
	return ours && (takes || !others);
}

static int plan_function(struct heap_plan *heap)
{
	struct probe entry = {0};
	int err;

	place_entry(heap, &entry);
	if (entry.place.probe == PROBE_REFUSED) {
		say_unseen(heap, entry.place.reason);
		return 0;
	}
	err = add_way_back(heap, &entry);
	return err > 0 ? add(heap->plan, &entry) : err;
}

static int plan_linker(const struct target *target, struct plan *plan)
{
	struct place_want nothing = {0};
	struct probe probe = {.prog = "heap_linker", .group = PROBES_LINKER};
	int err;

	if (!plan->allocators->linker)
		return 0;
	probe__place(&probe, &nothing, target, plan->allocators->linker,
		     &plan->allocators->linker_sym);
	set_what(&probe, plan->allocators->linker_sym.name);
	err = add(plan, &probe);
	if (err == -EOPNOTSUPP)
		log_warn("files that are mapped later are not looked into: no probe on %s: %s",
			 probe.what, probe.place.reason);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* Says it once, and keeps it for who asks later. */
static int tell_unseen(struct heap_plan *heap)
{
	char path[256];

	if (!heap->unseen.sz)
		return heap->unseen.err;
	target_clean(heap->unseen.data);
	snprintf(path, sizeof(path), "%s", heap->allocator->file->path);
	target_clean(path);
	log_warn("calls of these functions of %s are not seen: %s", path, heap->unseen.data);
	free(heap->allocator->unseen);
	heap->allocator->unseen = strdup(heap->unseen.data);
	return heap->allocator->unseen ? 0 : -ENOMEM;
}

static int plan_allocator(struct heap_plan *heap)
{
	int err = imports__read(&heap->imports, heap->allocator->file);

	for (size_t i = 0; i < heap->allocator->cnt && !err; i++) {
		heap->function = &heap->allocator->functions[i];
		if (!forwards(heap))
			err = plan_function(heap);
	}
	if (!err)
		err = tell_unseen(heap);
	buf__free(&heap->unseen);
	imports__free(&heap->imports);
	return err;
}

int heap__plan(const struct target *target, struct plan *plan, const struct plan_options *options)
{
	struct heap_plan heap = {.target = target, .plan = plan, .options = options};
	int err;

	if (options->heap >= HEAP_MODE_OFF)
		return 0;
	plan->allocators = allocators__new(target);
	if (!plan->allocators)
		return -errno;
	err = plan_linker(target, plan);
	for (size_t i = 0; i < plan->allocators->cnt && !err; i++) {
		heap.allocator = &plan->allocators->found[i];
		err = plan_allocator(&heap);
	}
	return err;
}
