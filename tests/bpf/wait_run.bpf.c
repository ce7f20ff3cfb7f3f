/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that ask bpf/wait.bpf.h why somebody waits: for words in memory, for the threads of a
 * process through an iterator (as bpf/seed.bpf.c asks), and for the same threads at the moment they
 * leave the CPU (as bpf/sched.bpf.c asks). Run by test_wait_*.c.
 */
#include "core.bpf.h"
#include "compat.bpf.h"
#include "wait.bpf.h"

volatile __u32 want_tgid;

/* tid -> enum wire_cause */
struct answers {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
};
struct answers by_walk SEC(".maps");
struct answers by_switch SEC(".maps");

struct futex_args {
	u64 addr;
	u32 op;
	u32 val;
};

SEC("raw_tp")
int BPF_PROG(futex_current, u64 addr, u64 op, u64 val)
{
	return cause_of_futex(addr, op, val, current_task(), READ_CURRENT);
}

SEC("raw_tp")
int BPF_PROG(futex_none, u64 addr, u64 op, u64 val)
{
	return cause_of_futex(addr, op, val, current_task(), READ_NONE);
}

SEC("syscall")
int futex_remote(struct futex_args *args)
{
	return cause_of_futex(args->addr, args->op, args->val, bpf_get_current_task_btf(),
			      READ_REMOTE);
}

static __always_inline void answer(void *map, struct task_struct *task, u32 cause)
{
	u32 tid = task->pid;

	bpf_map_update_elem(map, &tid, &cause, BPF_ANY);
}

SEC("iter.s/task")
int walk(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && (u32)task->tgid == want_tgid)
		answer(&by_walk, task, cause_of_wait(task, READ_REMOTE));
	return 0;
}

SEC("tp_btf/sched_switch")
int leave_cpu(u64 *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx[1];

	if ((u32)prev->tgid == want_tgid && !ctx[0] && task_state(prev))
		answer(&by_switch, prev, cause_of_wait(prev, READ_CURRENT));
	return 0;
}
