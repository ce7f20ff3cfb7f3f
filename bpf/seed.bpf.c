/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two walks over all threads: at arming it makes the state of those that exist already, a
 * sleeper's cause read from its registers; at the end it flushes what is still open. Run by
 * live/seed.c through an iterator link; sleepable where the kernel has it, because only then the
 * words around another thread's futex can be read.
 */
#include "core.bpf.h"
#include "compat.bpf.h"
#include "wait.bpf.h"

#define TASK_DEAD 0x80 /* on its last switch, or past it */

static __always_inline void seed(struct task_struct *task, enum user_memory memory)
{
	struct thread_state *state;
	u32 cause = CAUSE_OTHER;
	u64 now;
	u32 task_is;

	if (thread_of(task))
		return;
	task_is = task_state(task);
	if (task_is & TASK_DEAD)
		return;
	if (task_is)
		cause = cause_of_wait(task, memory);
	now = bpf_ktime_get_ns();
	state = thread_new(task, now, SCRATCH_SEED);
	if (!state)
		return;
	state->running = task_on_cpu(task);
	state->out_cause = task_is ? cause : CAUSE_RUNQUEUE;
	if (thread_publish(task, state))
		emit_spawn(state, task, 0, BPF_CORE_READ(task, start_time), SPAWN_EXISTED);
}

/* Charges what has been running or waiting since the last switch. The recording is off: nobody else
 * writes to the state any more. */
static __always_inline void charge_until(struct thread_state *thread, u64 now)
{
	u64 since = thread->in_ns > thread->mark_ns ? thread->in_ns : thread->mark_ns;
	u64 wake = thread->queued_ns, out = thread->out_ns;
	struct frame *frame = innermost(thread);
	u32 cause = thread->out_cause;

	if (thread->running) {
		frame->c[COUNTER_ON_CPU] += now > since ? now - since : 0;
		return;
	}
	if (now < out || cause >= COUNTER_KEPT_CNT)
		return;
	if (cause == CAUSE_RUNQUEUE || wake <= out || wake > now)
		wake = now;
	frame->c[cause] += wake - out;
	frame->c[COUNTER_RUNQUEUE] += now - wake;
}

static __always_inline void flush_thread(struct task_struct *task)
{
	struct thread_state *thread = thread_of(task);
	struct flush flush = {.now = stop_ns, .flags = SLICE_PARTIAL | SLICE_AT_STOP};

	if (!thread) {
		if (BPF_CORE_READ(task, start_time) < stop_ns && !(task_state(task) & TASK_DEAD))
			count_loss(LOSS_THREAD_STATE);
		return;
	}
	charge_until(thread, flush.now);
	emit_frames(thread, task, &flush);
	emit_latency(thread, task->tgid, flush.now);
}

SEC("?iter.s/task")
int seed_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && is_target(task->tgid))
		seed(task, READ_REMOTE);
	return 0;
}

SEC("?iter/task")
int seed_threads_reduced(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && is_target(task->tgid))
		seed(task, READ_NONE);
	return 0;
}

SEC("?iter/task")
int flush_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && is_target(task->tgid))
		flush_thread(task);
	return 0;
}
