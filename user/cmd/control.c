/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the budget, which decides, and live, which switches; see control.h. */
#include "cmd/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/session.h"

/* How memory is looked at in each state. Windows tell where it is allocated, too: of that, as of all
 * else that is counted in them, they see a part that stands for the whole. */
static enum wire_heap_mode mode_of(const struct session *session, unsigned int state)
{
	static const enum wire_heap_mode modes[] = {
		[BUDGET_HEAP_EXACT] = HEAP_MODE_EXACT,
		[BUDGET_HEAP_SAMPLED] = HEAP_MODE_SAMPLED,
		[BUDGET_HEAP_COUNTING] = HEAP_MODE_COUNTING,
		[BUDGET_HEAP_WINDOWS] = HEAP_MODE_SAMPLED,
		[BUDGET_HEAP_OFF] = HEAP_MODE_COUNTING,
	};
	enum wire_heap_mode most = session->options->heap;

	return modes[state] > most ? modes[state] : most;
}

/* Attaches or drops a group of probes in all processes. */
static void switch_group(struct session *session, enum probe_group group, bool on)
{
	for (size_t i = 0; i < session->process_cnt; i++) {
		const struct process *process = &session->processes[i];
		pid_t pid = process->target->pid;

		if (process->ended || !process->plan)
			continue;
		live__drop_group(session->live, pid, group);
		if (on && live__attach_group(session->live, process->plan, NULL, group) &&
		    target__alive(process->target))
			session->heap_unattached = true;
	}
}

static int apply_heap(struct session *session, unsigned int state, bool armed)
{
	struct control *control = &session->control;
	enum wire_heap_mode mode = armed ? mode_of(session, state) : HEAP_MODE_OFF;
	bool returns = mode <= HEAP_MODE_SAMPLED;
	bool less = mode > live__heap_mode(session->live);

	if (less)
		live__heap_set(session->live, mode);
	if (returns != control->heap_returns)
		switch_group(session, PROBES_HEAP_RETURN, returns);
	if (armed != control->heap_armed)
		switch_group(session, PROBES_HEAP, armed);
	control->heap_stepped |= !returns;
	control->heap_sampled |= mode == HEAP_MODE_SAMPLED;
	control->heap_armed = armed;
	control->heap_returns = returns;
	if (!less)
		live__heap_set(session->live, mode);
	return 0;
}

static int apply(void *ctx, enum budget_what what, unsigned int state, bool armed)
{
	struct session *session = ctx;

	if (what == BUDGET_HEAP)
		return apply_heap(session, state, armed);
	session->control.io_off = !armed;
	return live__switch_calls(session->live, armed);
}

static uint64_t clock_ns(void *ctx)
{
	(void)ctx;
	return mono_ns();
}

static void tell(void *ctx, const struct budget_step *step)
{
	struct session *session = ctx;

	log_info("%s: %s -> %s: %s", step->what, step->from, step->to, step->reason);
	model__backoff_add(session->model, step->at_ns - session->armed_ns, step->what, step->from,
			   step->to, step->reason);
}

/* The price of a group of the heap's probes. If any of them is on an instruction that the kernel
 * single-steps, all are taken for such: which is hit most is not known. */
static int64_t heap_price(const struct session *session, enum probe_group group, int64_t price)
{
	for (size_t i = 0; i < session->process_cnt; i++) {
		const struct plan *plan = session->processes[i].plan;

		for (size_t j = 0; plan && j < plan->probe_cnt; j++)
			if (plan->probes[j].group == group && !plan->probes[j].at_return &&
			    plan->probes[j].place.probe == PROBE_STEPPED)
				return session->prices.slow_ns;
	}
	return price;
}

void control__arm(struct session *session)
{
	struct control *control = &session->control;

	control->heap_armed = session->options->heap < HEAP_MODE_OFF;
	control->heap_returns = session->options->heap <= HEAP_MODE_SAMPLED;
	switch_group(session, PROBES_HEAP_RETURN, control->heap_returns);
	switch_group(session, PROBES_HEAP, control->heap_armed);
	live__heap_set(session->live, session->options->heap);
}

static void price_traps(const struct session *session, int64_t trap_ns[BUDGET_KIND_CNT])
{
	const struct prices *prices = &session->prices;

	trap_ns[BUDGET_HEAP_ENTRY] = heap_price(session, PROBES_HEAP, prices->entry_ns);
	trap_ns[BUDGET_HEAP_RETURN] = heap_price(session, PROBES_HEAP_RETURN, prices->return_ns);
	trap_ns[BUDGET_PROBE] = prices->entry_ns;
	trap_ns[BUDGET_SYSCALL] = prices->syscall_ns;
	trap_ns[BUDGET_HOOK] = 0;
}

int control__start(struct session *session)
{
	static const unsigned int heap[] = {
		[HEAP_MODE_EXACT] = BUDGET_HEAP_EXACT,
		[HEAP_MODE_SAMPLED] = BUDGET_HEAP_SAMPLED,
		[HEAP_MODE_COUNTING] = BUDGET_HEAP_COUNTING,
		[HEAP_MODE_OFF] = BUDGET_HEAP_OFF,
	};
	enum wire_io_source source = live__io_source(session->live);
	bool syscalls = source == IO_SOURCE_SYSCALL || source == IO_SOURCE_SYSCALL_CLASSIC;
	struct budget_options options = {
		.percent = session->options->max_overhead,
		.start =
			{
				[BUDGET_HEAP] = heap[session->options->heap],
				[BUDGET_IO] = syscalls ? BUDGET_IO_EXACT : BUDGET_IO_OFF,
			},
		.apply = apply,
		.now_ns = clock_ns,
		.tell = tell,
		.ctx = session,
	};

	price_traps(session, options.trap_ns);
	session->model->meta.budget_ppm = options.percent * 10000;
	session->control.budget = budget__new(&options);
	if (!session->control.budget)
		return -ENOMEM;
	control__tick(session, mono_ns());
	return 0;
}

void control__free(struct control *control)
{
	budget__free(control->budget);
	control->budget = NULL;
}

static int64_t targets_cpu(const struct session *session)
{
	int64_t sum = 0;

	for (size_t i = 0; i < session->process_cnt; i++) {
		const struct process *process = &session->processes[i];
		int64_t cpu = process->ended ? -1 : target_cpu_ns(process->target->pid);

		sum += (cpu < 0 ? process->cpu_last_ns : cpu) - process->cpu_start_ns;
	}
	return sum;
}

/* Each call is hit at its beginning, and what gives memory at its return, where there are probes. */
static void count_heap(struct session *session, uint64_t now_ns, struct budget_count *counts)
{
	struct control *control = &session->control;
	uint64_t calls_all = 0, gives = 0;
	struct wire_heap_calls calls;

	for (unsigned int i = 0; i < HEAP_FUNCTION_CNT; i++) {
		live__heap_calls(session->live, i, &calls);
		calls_all += calls.calls;
		if (i != HEAP_FREE && i != HEAP_DELETE)
			gives += calls.calls;
	}
	if (control->heap_returns)
		control->returns += gives - control->heap_gives;
	control->heap_gives = gives;
	counts[BUDGET_HEAP_ENTRY].hits = calls_all;
	counts[BUDGET_HEAP_RETURN].hits = control->returns;
	counts[BUDGET_HEAP_ENTRY].span_ns = counts[BUDGET_HEAP_RETURN].span_ns = now_ns;
}

static const enum budget_kind kinds[LIVE_HOOK_CNT] = {
	[LIVE_HEAP_ENTRY] = BUDGET_HEAP_ENTRY,
	[LIVE_HEAP_RETURN] = BUDGET_HEAP_RETURN,
	[LIVE_PROBE] = BUDGET_PROBE,
	[LIVE_SYSCALL] = BUDGET_SYSCALL,
	[LIVE_HOOK] = BUDGET_HOOK,
};

void control__tick(struct session *session, uint64_t now_ns)
{
	struct control *control = &session->control;
	struct live_runs runs[LIVE_HOOK_CNT];
	struct budget_input input = {.now_ns = now_ns, .target_cpu_ns = targets_cpu(session)};
	struct rusage usage;
	uint64_t span;

	live__measure(session->live, now_ns, budget__wants_runs(control->budget));
	span = live__runs(session->live, runs);
	for (int i = 0; i < LIVE_HOOK_CNT; i++)
		input.counts[kinds[i]] = (struct budget_count){
			.hits = runs[i].cnt,
			.span_ns = span,
			.run_ns = runs[i].ns,
			.runs = runs[i].cnt,
		};
	count_heap(session, now_ns, input.counts);
	if (!getrusage(RUSAGE_SELF, &usage))
		input.tracer_cpu_ns = rusage_ns(&usage);
	budget__tick(control->budget, &input);
}

int64_t control__probe_price(struct session *session)
{
	int64_t trap_ns[BUDGET_KIND_CNT];
	struct live_runs runs[LIVE_HOOK_CNT];
	uint64_t sum = 0, cnt = 0;

	price_traps(session, trap_ns);
	live__runs(session->live, runs);
	for (int i = LIVE_HEAP_ENTRY; i <= LIVE_PROBE; i++) {
		if (runs[i].cnt && trap_ns[kinds[i]] < 0)
			return -1;
		sum += runs[i].ns + runs[i].cnt * trap_ns[kinds[i]];
		cnt += runs[i].cnt;
	}
	return cnt ? (int64_t)(sum / cnt) : session->prices.entry_ns;
}

int control__attach(struct session *session, const struct plan *plan, const struct plan *present)
{
	const struct control *control = &session->control;
	int failed = 0;

	for (int group = 0; group < PROBE_GROUP_CNT; group++) {
		bool is_heap = group == PROBES_HEAP || group == PROBES_HEAP_RETURN;
		int err;

		if ((group == PROBES_HEAP && !control->heap_armed) ||
		    (group == PROBES_HEAP_RETURN && !control->heap_returns))
			continue;
		err = live__attach_group(session->live, plan, present, group);
		failed = is_heap && err ? err : failed;
	}
	return failed;
}

#define STEPPED_WHY "looked at less closely for a while, to keep --max-overhead"

static bool is_measured(const struct model *model, enum model_cap cap)
{
	return model->caps[cap].measured;
}

#define BURDEN_MAX 0.5

/* Where the target gets little done while it is looked at, what is seen of that stands for the whole
 * badly: the trap's price is not known as exactly as it would have to be. */
static void say_burden(struct session *session)
{
	double burden = budget__burden(session->control.budget, BUDGET_HEAP);
	const struct cap_state *cap = &session->model->caps[CAP_HEAP];
	char source[512];

	if (!cap->measured || burden < BURDEN_MAX ||
	    budget__share(session->control.budget, BUDGET_HEAP) >= 1)
		return;
	snprintf(
		source, sizeof(source),
		"%s; seen in windows in which probes took %.0f%% of the target's CPU time: a rough "
		"estimate, most often too low",
		model__str(session->model, cap->source), burden * 100);
	model__cap_set(session->model, CAP_HEAP, source);
}

static void set_share(struct session *session, enum model_cap cap, double share)
{
	if (share > 0 && share < 1 && is_measured(session->model, cap))
		model__cap_share(session->model, cap, share);
}

void control__caps(struct session *session)
{
	const struct control *control = &session->control;
	double sites = 0;

	if (!control->budget)
		return;
	/* of the network, too */
	set_share(session, CAP_IO, budget__share(control->budget, BUDGET_IO));
	say_burden(session);
	set_share(session, CAP_HEAP, budget__share(control->budget, BUDGET_HEAP));
	if (!control->heap_stepped)
		return;
	/* a block that was freed unseen is not told from one that is held */
	if (is_measured(session->model, CAP_HEAP_LIVE))
		model__cap_miss(session->model, CAP_HEAP_LIVE, STEPPED_WHY);
	for (unsigned int state = BUDGET_HEAP_EXACT; state <= BUDGET_HEAP_OFF; state++)
		if (mode_of(session, state) <= HEAP_MODE_SAMPLED)
			sites += budget__state_share(control->budget, BUDGET_HEAP, state);
	set_share(session, CAP_HEAP_SITES, sites);
}
