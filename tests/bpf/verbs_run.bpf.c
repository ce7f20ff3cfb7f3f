/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that say the verbs of a runtime in the context of whoever runs them, and show or set
 * what of a thread's state no record tells. Run by test_verbs.c and test_ids.c.
 */
#include "core.bpf.h"

/* What peek() saw. */
volatile __u32 seen_depth, seen_deeper;
volatile __u64 seen_task, seen_next_task;

SEC("raw_tp")
int BPF_PROG(run_spawn, u64 native, u64 type_key, u64 site)
{
	verb_spawn(RUNTIME_MARKS, native, type_key, site);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_enter, u64 native, u64 site, u64 sp)
{
	verb_enter(RUNTIME_MARKS, native, site, sp);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_leave, u64 native)
{
	verb_leave(RUNTIME_MARKS, native);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_wake, u64 native)
{
	verb_wake(RUNTIME_MARKS, native);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_end, u64 native, u64 state)
{
	verb_end(RUNTIME_MARKS, native, state);
	return 0;
}

static __always_inline struct thread_state *own_thread(void)
{
	return thread_of(current_task());
}

SEC("raw_tp")
int run_partial(void *ctx)
{
	struct flush flush = {.now = bpf_ktime_get_ns(), .flags = SLICE_PARTIAL};
	struct task_struct *task = current_task();
	struct thread_state *thread = thread_of(task);

	if (thread)
		emit_partial(thread, task, &flush);
	return 0;
}

SEC("raw_tp")
int peek(void *ctx)
{
	struct thread_state *thread = own_thread();

	if (!thread)
		return 1;
	seen_depth = thread->depth;
	seen_deeper = thread->deeper;
	seen_task = thread->frames[0].task;
	seen_next_task = (u64)thread->tid << 32 | thread->seq;
	return 0;
}

SEC("raw_tp")
int BPF_PROG(set_bounds, u64 lo, u64 hi)
{
	struct thread_state *thread = own_thread();

	if (!thread)
		return 1;
	thread->stack_lo = lo;
	thread->stack_hi = hi;
	return 0;
}

/* As if the scheduler had put the thread on a CPU at that time. */
SEC("raw_tp")
int BPF_PROG(set_in, u64 in_ns)
{
	struct thread_state *thread = own_thread();

	if (!thread)
		return 1;
	thread->in_ns = in_ns;
	return 0;
}

SEC("raw_tp")
int BPF_PROG(add_counter, u64 idx, u64 val)
{
	struct thread_state *thread = own_thread();

	if (!thread || idx >= COUNTER_KEPT_CNT)
		return 1;
	innermost(thread)->c[idx] += val;
	return 0;
}

/* Makes a state of this task as of `now`, without publishing it. */
SEC("raw_tp")
int BPF_PROG(make_state, u64 now)
{
	struct thread_state *state = thread_new(current_task(), now, SCRATCH_SEED);

	if (!state)
		return 1;
	seen_task = state->frames[0].task;
	seen_next_task = (u64)state->tid << 32 | state->seq;
	return 0;
}
