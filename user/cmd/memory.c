/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control side of memory during a recording; see memory.h. Called by session.c and meta.c. */
#include "cmd/memory.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/allocators.h"
#include "target/heap_walk.h"
#include "target/symbols.h"

#define OWNERS_NS 2000000000ULL

/* Never where that might end the target (DESIGN.md, rule 1): a filter of system calls may also come
 * later. */
static bool may_change_returns(struct session *session, const struct target *target)
{
	if (session->options->heap >= HEAP_MODE_COUNTING || target__has_shadow_stack(target))
		return false;
	if (!session->tried_seccomp)
		session->survives_seccomp =
			price__return_survives_seccomp(live__rung(session->live));
	session->tried_seccomp = true;
	return session->survives_seccomp;
}

void memory__plan_options(struct session *session, const struct target *target,
			  struct plan_options *options)
{
	options->heap = session->options->heap;
	options->return_probes = may_change_returns(session, target);
}

void memory__planned(struct session *session, const struct target *target, const struct plan *plan)
{
	const struct wrappers *wrappers;

	if (!plan->allocators)
		return;
	wrappers = &plan->allocators->wrappers;
	for (size_t i = 0; i < plan->allocators->cnt; i++)
		session->saw_allocator |= plan->allocators->found[i].cnt > 0;
	session->sizes_untold |= !allocators__tell_size(plan->allocators);
	live__heap_tells_size(session->live, !session->sizes_untold);
	for (size_t i = 0; i < wrappers->cnt; i++)
		live__heap_wrapper(session->live, target->pid, wrappers->returns[i].ip,
				   wrappers->returns[i].depth);
}

int memory__sample(struct session *session)
{
	uint64_t now = mono_ns();
	int err;

	if (session->options->heap == HEAP_MODE_OFF)
		return 0;
	live__heap_trim(session->live);
	err = feed__sample(session->model, SERIES_HEAP_LIVE, now,
			   live__gauge(session->live, GAUGE_HEAP_LIVE));
	if (err || now < session->owners_next_ns)
		return err;
	session->owners_next_ns = now + OWNERS_NS;
	return live__owners(session->live, false, session__on_record, session);
}

/* Whose free memory cannot be seen from outside, or NULL. */
static const char *untelling(const struct process *process)
{
	const struct plan *plan = process->plan;

	if (!plan || !plan->allocators || !plan->allocators->cnt)
		return "an unknown allocator";
	for (size_t i = 0; i < plan->allocators->cnt; i++)
		if (!plan->allocators->found[i].is_glibc)
			return plan->allocators->found[i].name;
	return NULL;
}

/* Adds the heaps of one process. False: they are not known, and why unless it has just ended. */
static bool add_heaps(const struct process *process, struct heap_walk *all, struct buf *why)
{
	const char *name = untelling(process);
	struct heap_walk walk;

	if (name) {
		buf__printf(why, "%s does not tell its free bytes from outside", name);
		return false;
	}
	if (heap_walk(&walk, process->target)) {
		if (target__alive(process->target))
			buf__puts(why, walk.why);
		return false;
	}
	all->free_resident_bytes += walk.free_resident_bytes;
	all->resident_bytes += walk.resident_bytes;
	return true;
}

/* What the allocators keep unused, of all processes that are still there. */
static void look_at_heaps(struct session *session)
{
	struct meta *meta = &session->model->meta;
	struct heap_walk all = {};
	struct buf why = {};
	size_t cnt = 0;

	for (size_t i = 0; !why.sz && i < session->process_cnt; i++) {
		const struct process *process = &session->processes[i];

		if (process->ended || !target__alive(process->target))
			continue;
		cnt += add_heaps(process, &all, &why);
		if (why.sz && session->process_cnt > 1)
			buf__printf(&why, " (process %d)", process->target->pid);
	}
	if (!why.sz && !cnt)
		buf__puts(&why, "the target had ended when it was looked at");
	if (why.sz) {
		meta->heap_untold = model__intern(session->model, buf__str(&why));
	} else {
		meta->heap_allocator_free_bytes = (int64_t)all.free_resident_bytes;
		meta->heap_allocator_resident_bytes = (int64_t)all.resident_bytes;
	}
	buf__free(&why);
}

int memory__end(struct session *session)
{
	int err;

	if (session->options->heap != HEAP_MODE_OFF)
		look_at_heaps(session);
	err = live__owners(session->live, true, session__on_record, session);
	return err ? err : live__held(session->live, session__on_record, session);
}

static void describe(const struct session *session, struct buf *text)
{
	for (size_t i = 0; i < session->process_cnt; i++) {
		const struct plan *plan = session->processes[i].plan;

		if (plan && plan->allocators && plan->allocators->cnt) {
			allocators__describe(plan->allocators, text);
			return;
		}
	}
	buf__puts(text, "allocators of processes that have ended");
}

/* How many blocks each that is kept stands for: at least by the table's size, and by the mean size of
 * blocks where they are sampled by their bytes. */
static double weight(const struct session *session)
{
	double weight = live__heap_weight(session->live), cnt = 0, bytes = 0;
	struct wire_heap_calls calls;

	if (session->options->heap != HEAP_MODE_SAMPLED && !session->control.heap_sampled)
		return weight;
	for (unsigned int i = 0; i < HEAP_FUNCTION_CNT; i++) {
		live__heap_calls(session->live, i, &calls);
		cnt += calls.bytes ? calls.calls - calls.failed : 0;
		bytes += calls.bytes;
	}
	return cnt * HEAP_SAMPLE_BYTES > bytes && bytes > 0
		       ? weight * cnt * HEAP_SAMPLE_BYTES / bytes
		       : weight;
}

/* Why blocks are not followed, or NULL. */
static const char *unfollowed(enum wire_heap_mode mode)
{
	return mode >= HEAP_MODE_COUNTING ? "allocations were counted only (--heap counting)"
					  : NULL;
}

void memory__caps(struct session *session)
{
	enum wire_heap_mode mode = session->options->heap;
	struct model *model = session->model;
	struct buf text = {};
	const char *missing = NULL;

	if (mode == HEAP_MODE_OFF)
		missing = "switched off (--heap off)";
	else if (!session->saw_allocator)
		missing = "no function of an allocator was found (see asyncscope-bpf runtimes)";
	else if (session->heap_unattached)
		missing = "not all probes on the allocator could be attached";
	if (missing) {
		model__cap_miss(model, CAP_HEAP, missing);
		model__cap_miss(model, CAP_HEAP_LIVE, missing);
		model__cap_miss(model, CAP_HEAP_SITES, missing);
		return;
	}
	describe(session, &text);
	model__cap_set(model, CAP_HEAP, buf__str(&text));
	missing = unfollowed(mode);
	if (missing) {
		model__cap_miss(model, CAP_HEAP_LIVE, missing);
		model__cap_miss(model, CAP_HEAP_SITES, missing);
	} else {
		model__cap_set(model, CAP_HEAP_LIVE, buf__str(&text));
		model__cap_set(model, CAP_HEAP_SITES, "the return address, by symbols");
	}
	model__cap_weight(model, CAP_HEAP_LIVE, weight(session));
	model__cap_weight(model, CAP_HEAP_SITES, weight(session));
	buf__free(&text);
}

void memory__counters(struct session *session)
{
	static const char *const names[] = {
#define X(id, name, args) #name,
		WIRE_HEAP_FUNCTIONS(X)
#undef X
	};
	static const char *const parts[][2] = {
		{"calls", "calls of this function"},
		{"failed", "those of them that returned nothing"},
		{"bytes", "bytes that those asked for that did not fail"},
	};
	struct wire_heap_calls calls;
	char name[64];

	if (session->options->heap == HEAP_MODE_OFF)
		return;
	for (unsigned int i = 0; i < HEAP_FUNCTION_CNT; i++) {
		const uint64_t *vals = (const uint64_t *)&calls;

		live__heap_calls(session->live, i, &calls);
		for (unsigned int j = 0; calls.calls && j < 3; j++) {
			snprintf(name, sizeof(name), "heap_%s_%s", names[i], parts[j][0]);
			model__counter_add(session->model, name, parts[j][1], false, vals[j]);
		}
	}
}

void memory__site_name(void *ctx, uint32_t tgid, uint64_t ip, struct site_text *out)
{
	struct session *session = ctx;
	const struct process *process = session__process(session, tgid);
	struct symbol_at at;

	if (!process)
		return;
	if (!session->symbols)
		session->symbols = symbols__new();
	if (!session->symbols)
		return;
	symbols__find(session->symbols, process->target, ip, &at);
	snprintf(out->function, sizeof(out->function), "%s", at.function);
	snprintf(out->module, sizeof(out->module), "%s", at.module);
	out->offset = at.offset;
}
