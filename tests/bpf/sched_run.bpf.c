/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that run the scheduler's side by hand, in the context of whoever runs them: the moments
 * of leaving the CPU, of waking and of coming back are given, so that what is charged is known
 * exactly. What is tested are functions that no header shows, so the file itself is included; its
 * own programs are attached only where a test says so. Run by test_sched.c.
 */
#include "sched.bpf.c"

SEC("raw_tp")
int BPF_PROG(run_latency, u64 latency)
{
	struct thread_state *thread = thread_of(current_task());

	if (!thread)
		return 1;
	count_latency(thread, latency);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(tell_latency)
{
	struct thread_state *thread = thread_of(current_task());

	if (!thread)
		return 1;
	emit_latency(thread, thread->tgid, bpf_ktime_get_ns());
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_switch_out, u64 now, u64 preempt, u64 state)
{
	switch_out(current_task(), now, preempt, state);
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_switch_in, u64 now)
{
	switch_in(current_task(), now);
	return 0;
}

/* Replaces what the registers told: whoever runs this waits for nothing. */
SEC("raw_tp")
int BPF_PROG(set_wait, u64 cause, u64 wake_ns, u64 queued_ns, u64 waker)
{
	struct thread_state *thread = thread_of(current_task());

	if (!thread)
		return 1;
	thread->out_cause = cause;
	thread->wake_ns = wake_ns;
	thread->queued_ns = queued_ns;
	thread->waker = waker;
	return 0;
}

/* Ends the thread's own frame, as its end does, and begins it anew. */
SEC("raw_tp")
int BPF_PROG(tell_base, u64 now)
{
	struct flush flush = {.now = now};
	struct task_struct *task = current_task();
	struct thread_state *thread = thread_of(task);

	if (!thread)
		return 1;
	emit_final(thread, task, 0, &flush);
	__builtin_memset(thread->frames[0].c, 0, sizeof(thread->frames[0].c));
	thread->frames[0].enter_ns = now;
	return 0;
}

SEC("raw_tp")
int BPF_PROG(run_enter, u64 native)
{
	verb_enter(RUNTIME_MARKS, native, 0, 0);
	return 0;
}
