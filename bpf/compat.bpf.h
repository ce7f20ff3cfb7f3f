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

/* One of the registers that the current task entered the kernel with. */
#define USER_REG(regs, name)                                                                       \
	({                                                                                         \
		u64 reg = 0;                                                                       \
		if (cfg.has_task_pt_regs)                                                          \
			reg = (regs)->name;                                                        \
		else                                                                               \
			bpf_probe_read_kernel(&reg, sizeof(reg), &(regs)->name);                   \
		reg;                                                                               \
	})

/* How long it has waited for a CPU in its life, without the present wait; 0 in kernels that were
 * built without CONFIG_SCHED_INFO. */
static __always_inline u64 task_run_delay(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->sched_info.run_delay))
		return 0;
	return BPF_CORE_READ(task, sched_info.run_delay);
}

/* An int until 6.18 at least; in 7.2 a byte with other bytes behind it (its BTF), so it is read by the
 * size that this kernel gives it. */
static __always_inline bool task_on_cpu(struct task_struct *task)
{
	return BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu) != 0;
}

/* Came the task into the kernel by a 32-bit system call? Its number means another call then. */
#define TS_COMPAT 2
static __always_inline bool in_32bit_syscall(struct task_struct *task)
{
	if (cfg.has_task_storage)
		return task->thread_info.status & TS_COMPAT;
	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

/* sk_type and sk_protocol were bit fields until 5.6 (commit bf9765145b85); since then plain ones. */
static __always_inline u32 sock_type(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_type);
}

static __always_inline u32 sock_protocol(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_protocol);
}

/* file.f_count became f_ref in 6.13 (commit 90ee6ed776c0), which counts from 0. */
typedef struct {
	struct {
		s64 counter;
	} refcnt;
} file_ref_t___since_6_13;

struct file___since_6_13 {
	file_ref_t___since_6_13 f_ref;
} __attribute__((preserve_access_index));

static __always_inline s64 file_refs(struct file *file)
{
	struct file___since_6_13 *newer = (void *)file;

	if (bpf_core_field_exists(newer->f_ref))
		return BPF_CORE_READ(newer, f_ref.refcnt.counter) + 1;
	return BPF_CORE_READ(file, f_count.counter);
}

/* An io_uring request's result was in `result` before 5.19 (commit cef216fc32d7). */
struct io_kiocb___before_5_19 {
	s32 result;
} __attribute__((preserve_access_index));

static __always_inline s32 ring_result(struct io_kiocb *req)
{
	struct io_kiocb___before_5_19 *old = (void *)req;

	if (bpf_core_field_exists(old->result))
		return BPF_CORE_READ(old, result);
	return BPF_CORE_READ(req, cqe.res);
}

/* The disk of a request: rq_disk until 5.16 (commit f3fa33acca9f), since then its queue's. */
struct request___before_5_17 {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline u32 request_dev(struct request *rq)
{
	struct request___before_5_17 *old = (void *)rq;
	struct gendisk *disk;

	if (bpf_core_field_exists(old->rq_disk))
		disk = BPF_CORE_READ(old, rq_disk);
	else
		disk = BPF_CORE_READ(rq, q, disk);
	return (u32)BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
}

#endif
