/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One accessor per kernel change that the BPF side meets; each names the change. */
#ifndef COMPAT_BPF_H
#define COMPAT_BPF_H

#include "core.bpf.h"

/* task_struct.state became __state in 5.14 (commit 2f064a59a11f). */
struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline u32 task_state(struct task_struct *task)
{
	struct task_struct___before_5_14 *old = (void *)task;

	if (bpf_core_field_exists(old->state))
		return BPF_CORE_READ(old, state);
	return BPF_CORE_READ(task, __state);
}

/* bpf_task_pt_regs() came in 5.15; before that the saved registers are found at the top of the
 * kernel stack (16 KiB on x86-64; no padding above them before FRED, 6.9). */
#define THREAD_SIZE 16384
static __always_inline struct pt_regs *task_user_regs(struct task_struct *task)
{
	if (cfg.has_task_pt_regs)
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return (struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + THREAD_SIZE) - 1;
}

/*
 * Is this program running on top of an interrupt? Then `current` has nothing to do with it. The
 * per-CPU preemption count tells: a variable of its own before 6.2 and since 6.15, a member of
 * pcpu_hot in between (commits 64701838bf05, 46e8fff6d45f). A kernel without the symbol refuses
 * even dead code that names it, so each way gets a program of its own.
 */
struct pcpu_hot {
	int preempt_count;
} __attribute__((preserve_access_index));
extern const int __preempt_count __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;

#define IN_SERVING_SOFTIRQ 0x100
#define IN_HARDIRQ_OR_NMI  0xff0000

static __always_inline bool in_interrupt(struct task_struct *current, enum wire_preempt_var var)
{
	int count = 0;
	u64 nr = 0;

	if (var == PREEMPT_OWN_VAR)
		count = *(const int *)bpf_this_cpu_ptr(&__preempt_count);
	else if (var == PREEMPT_PCPU_HOT)
		count = ((const struct pcpu_hot *)bpf_this_cpu_ptr(&pcpu_hot))->preempt_count;
	/* by the saved registers: is current in a system call at all? An interrupt of one stays
	 * unnoticed. */
	else if (!bpf_probe_read_kernel(&nr, sizeof(nr), &task_user_regs(current)->orig_ax))
		return nr == (u64)-1;
	return count & (IN_SERVING_SOFTIRQ | IN_HARDIRQ_OR_NMI);
}

#endif
