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
#include "runtime/allocators.h"
#include "target/exits.h"

/* Longer functions are not looked through. */
#define CODE_MAX (64 * 1024)

static const struct {
	const char *prog;
	unsigned int args; /* that the program reads */
	unsigned int nulls; /* nothing happens when this is NULL */
	bool returns; /* a block */
	bool throws;
} functions[HEAP_FUNCTION_CNT] = {
	[HEAP_MALLOC] = {"heap_malloc", PLACE_ARG(0), .returns = true},
	[HEAP_CALLOC] = {"heap_calloc", PLACE_ARG(0) | PLACE_ARG(1), .returns = true},
	[HEAP_REALLOC] = {"heap_realloc", PLACE_ARG(0) | PLACE_ARG(1), .returns = true},
	[HEAP_FREE] = {"heap_free", PLACE_ARG(0), PLACE_ARG(0)},
	[HEAP_POSIX_MEMALIGN] = {"heap_posix_memalign", PLACE_ARG(0) | PLACE_ARG(2),
				 .returns = true},
	[HEAP_MEMALIGN] = {"heap_memalign", PLACE_ARG(1), .returns = true},
	[HEAP_VALLOC] = {"heap_valloc", PLACE_ARG(0), .returns = true},
	[HEAP_PVALLOC] = {"heap_pvalloc", PLACE_ARG(0), .returns = true},
	[HEAP_NEW] = {"heap_new", PLACE_ARG(0), .returns = true, .throws = true},
	[HEAP_DELETE] = {"heap_delete", PLACE_ARG(0), PLACE_ARG(0)},
	[HEAP_RUST_REALLOC] = {"heap_rust_realloc", PLACE_ARG(0) | PLACE_ARG(3), .returns = true},
};

/* What one function's probes are made from. */
struct heap_plan {
	const struct target *target;
	struct plan *plan;
	const struct plan_options *options;
	const struct allocator *allocator;
	const struct allocator_function *function;
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
static void say_unseen(const struct heap_plan *heap, const char *why)
{
	struct probe probe = {.file = heap->allocator->file};

	set_what(&probe, heap->function->sym.name);
	log_warn("calls of %s are not seen: %s", probe.what, why);
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

static int add_exit(const struct heap_plan *heap, const struct exit_site *site)
{
	static const char *const costs[] = {
		[PROBE_STEPPED] = "stepped",
		[PROBE_EMULATED_NEWER] = "stepped before Linux 6.16",
		[PROBE_EMULATED] = "emulated",
	};
	const struct elf_sym *sym = &heap->function->sym;
	struct probe probe = {
		.prog = "heap_exit",
		.group = PROBES_HEAP_RETURN,
		.file = heap->allocator->file,
		.file_off = sym->file_off + site->off,
		.place = {.off = site->off, .probe = site->probe},
	};

	probe.ip = target__addr_of(heap->target, probe.file, probe.file_off);
	set_what(&probe, sym->name);
	snprintf(probe.place.reason, sizeof(probe.place.reason), "return at +%u, %s", site->off,
		 costs[site->probe]);
	return add(heap->plan, &probe);
}

static int find_exits(const struct heap_plan *heap, struct exits *exits)
{
	const struct elf_sym *sym = &heap->function->sym;
	size_t sz = sym->sz < CODE_MAX ? sym->sz : CODE_MAX;
	uint8_t *code = malloc(sz ? sz : 1);
	ssize_t len = code ? elf_file__read_code(heap->allocator->file, sym->file_off, code, sz)
			   : -ENOMEM;
	int err = len < 0 ? (int)len : exits__find(exits, code, (size_t)len);

	free(code);
	return err;
}

/* 0: not to be probed at all, for a reason that was said; 1; -errno. */
static int add_exits(const struct heap_plan *heap, struct exits *exits)
{
	int err = find_exits(heap, exits);

	if (err)
		return err;
	for (size_t i = 0; i < exits->cnt && exits->complete; i++) {
		if (exits->sites[i].kind != EXIT_RETURN) {
			exits->complete = false;
			snprintf(exits->why, sizeof(exits->why), "it is left for elsewhere");
		}
	}
	if (!exits->complete) {
		say_unseen(heap, exits->why);
		return 0;
	}
	for (size_t i = 0; i < exits->cnt && !err; i++)
		err = add_exit(heap, &exits->sites[i]);
	return err ? err : 1;
}

/* The way to see a block that a function returns: 0 when there is none, 1, or -errno. */
static int add_way_back(const struct heap_plan *heap, const struct probe *entry)
{
	struct exits exits = {0};
	int err;

	if (heap->options->heap > HEAP_MODE_SAMPLED || !functions[heap->function->function].returns)
		return 1;
	if (heap->options->return_probes && !functions[heap->function->function].throws &&
	    !entry->place.sp_below) {
		err = add_return(heap, entry);
		return err ? err : 1;
	}
	err = add_exits(heap, &exits);
	exits__free(&exits);
	return err;
}

static int plan_function(const struct heap_plan *heap)
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
		for (size_t j = 0; j < heap.allocator->cnt && !err; j++) {
			heap.function = &heap.allocator->functions[j];
			err = plan_function(&heap);
		}
	}
	return err;
}
