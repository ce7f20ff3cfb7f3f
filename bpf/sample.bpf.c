/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sampling tick of each CPU. It flushes the frames of threads that never switch, so that a
 * burning thread shows while it burns, and learns the bounds of the stack a thread is on.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

static __always_inline struct thread_state *sampled_thread(struct task_struct *task)
{
	if (!armed || !is_target(bpf_get_current_pid_tgid() >> 32))
		return NULL;
	return thread_of(task);
}

static __always_inline void flush_running(struct thread_state *thread, struct task_struct *task)
{
	u64 now = bpf_ktime_get_ns(), since;
	struct frame *frame = innermost(thread);
	struct flush flush = {.now = now, .flags = SLICE_PARTIAL};

	if (thread->running)
		charge_hw(thread); /* a thread that never switches is charged by the tick */
	if (!thread->running || now - frame->flushed_ns < cfg.flush_ns)
		return;
	since = thread->in_ns > thread->mark_ns ? thread->in_ns : thread->mark_ns;
	if (now > since)
		flush.on_cpu_ns = now - since;
	emit_partial(thread, task, &flush);
}

static long keep_bounds(struct task_struct *task, struct vm_area_struct *vma, void *ctx)
{
	struct thread_state *thread = *(struct thread_state **)ctx;

	thread->stack_lo = BPF_CORE_READ(vma, vm_start);
	thread->stack_hi = BPF_CORE_READ(vma, vm_end);
	return 0;
}

SEC("?perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_state *thread = sampled_thread(task);
	u64 sp = 0;

	if (!thread)
		return 0;
	flush_running(thread, task);
	if (thread->depth) {
		bpf_probe_read_kernel(&sp, sizeof(sp), &task_user_regs(task)->sp);
		if (sp < thread->stack_lo || sp >= thread->stack_hi)
			bpf_find_vma(task, sp, keep_bounds, &thread, 0);
	}
	return 0;
}

/* Without bpf_find_vma() (before 5.17): no bounds, frames are popped by what encloses them. */
SEC("?perf_event")
int sample_reduced(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task();
	struct thread_state *thread = sampled_thread(task);

	if (thread)
		flush_running(thread, task);
	return 0;
}
