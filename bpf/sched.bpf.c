/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler's view: on the CPU, waiting for one, or blocked and why; who woke whom; threads and
 * processes that begin, rename themselves, exec and end.
 */
#include "core.bpf.h"
#include "compat.bpf.h"
#include "wait.bpf.h"

#define TASK_RUNNING 0
#define TASK_DEAD    0x80

/* The on-CPU time since it came in, less what its probes have charged to frames by the clock. The
 * kernel's own account decides; the rest may be negative, and a slice carries the sum. */
static __always_inline void charge_cpu(struct thread_state *thread, struct task_struct *task,
				       struct frame *frame, u64 now)
{
	u64 exec = BPF_CORE_READ(task, se.sum_exec_runtime);
	u64 ran = exec - thread->in_exec_ns, wall = now - thread->in_ns;

	/* met while running: its account may be a tick old, the clock is the better one */
	if (thread->in_is_guess && ran > wall)
		ran = wall;
	thread->in_is_guess = 0;
	/* on a CPU, but not running: interrupts, the hypervisor */
	frame->c[COUNTER_STOLEN] += wall - ran;
	frame->c[COUNTER_ON_CPU] += ran - (thread->split_ns - thread->split_ns_seen);
	thread->split_ns_seen = thread->split_ns;
	thread->in_exec_ns = exec; /* should the next switch in be missed, nothing counts twice */
}

/* A function that a thread is in for good has returned without our being told. */
static __always_inline void count_unreturned(struct thread_state *thread)
{
	for (int i = 0; i < LEVEL_CNT; i++)
		if (thread->calls[i].sp && thread->calls[i].enter_ns)
			count_loss(LOSS_RETURNS_UNSEEN);
}

static __always_inline void finish_thread(struct thread_state *thread, struct task_struct *task,
					  u64 now)
{
	struct flush flush = {.now = now, .flags = SLICE_FORCED};
	u32 tgid = BPF_CORE_READ(task, tgid);

	count_unreturned(thread);
	emit_frames(thread, task, &flush);
	emit_latency(thread, tgid, now);
	emit_end(tgid, now, thread->frames[0].task, STATE_COMPLETED, 0);
	thread_forget(task);
}

static __always_inline void count_latency(struct thread_state *thread, u64 latency)
{
	struct frame *base = &thread->frames[0];
	u32 log, idx = 0;

	base->c[COUNTER_WAKE_RECEIVED]++;
	base->c[COUNTER_WAKE_LATENCY] += latency;
	if (latency > base->c[COUNTER_WAKE_LATENCY_MAX])
		base->c[COUNTER_WAKE_LATENCY_MAX] = latency;
	log = log2_u64(latency);
	if (log >= LATENCY_MIN_LOG2)
		idx = (log - LATENCY_MIN_LOG2) * 2 + (latency >> (log - 1) & 1);
	if (idx >= LATENCY_BUCKETS)
		idx = LATENCY_BUCKETS - 1;
	thread->latency[BOUND(idx, LATENCY_BUCKETS)]++;
}

/* When it was put on a run queue, woken from a block that ends at `now`. Until it was woken it was
 * blocked. A wake that came before it had left the CPU was one of the moment: it never blocked. */
static __always_inline u64 find_queued(struct thread_state *thread, u64 now)
{
	u64 out = thread->out_ns, wake = thread->wake_ns, queued = thread->queued_ns;

	/* older than its last run: of an earlier sleep, so this one's wake was not seen */
	if (wake <= thread->in_ns) {
		count_loss(LOSS_WAKE_UNSEEN);
		return queued > out && queued <= now ? queued : now;
	}
	if (wake < out)
		wake = out;
	if (wake > now)
		wake = now;
	count_latency(thread, now - wake);
	edge_add(thread->waker, thread->frames[0].task, now - wake);
	return queued >= wake && queued <= now ? queued : wake;
}

#define CAUSE_CNT 8 /* causes are below it; a power of two */
_Static_assert(CAUSE_IDLE < CAUSE_CNT && CAUSE_CNT <= COUNTER_KEPT_CNT,
	       "a cause is a counter of frames");

/* It was off the CPU since out_ns, and is on it again since `now`. */
static __always_inline void charge_off(struct thread_state *thread, struct frame *frame, u64 now)
{
	u64 out = thread->out_ns, queued = out;
	u32 cause = thread->out_cause;

	if (cause != CAUSE_RUNQUEUE)
		queued = find_queued(thread, now);
	frame->c[BOUND(cause, CAUSE_CNT)] += queued - out;
	frame->c[COUNTER_RUNQUEUE] += now - queued;
	thread->off_cause = cause;
	thread->off_blocked_ns = queued - out;
	thread->off_runqueue_ns = now - queued;
}

#define RUN_DELAY_JITTER 50000

/* The kernel's own account of that wait for a CPU, which is complete once it runs, decides where a
 * wake or a switch was not seen. What is queue time instead of blocked time comes from there, or from
 * the time that seemed to be on the CPU. */
static __always_inline void settle_off(struct thread_state *thread, struct task_struct *task,
				       struct frame *frame)
{
	u64 delay = task_run_delay(task);
	s64 more = delay - thread->run_delay_ns - thread->off_runqueue_ns;
	u32 from = thread->off_cause == CAUSE_RUNQUEUE ? CAUSE_OTHER : thread->off_cause;
	s64 blocked = more;

	if (delay && (more > RUN_DELAY_JITTER || more < -RUN_DELAY_JITTER)) {
		if (blocked > (s64)thread->off_blocked_ns)
			blocked = thread->off_blocked_ns;
		frame->c[COUNTER_RUNQUEUE] += more;
		frame->c[BOUND(from, CAUSE_CNT)] -= blocked;
		frame->c[COUNTER_STOLEN] -= more - blocked;
	}
	thread->run_delay_ns = delay;
	thread->off_blocked_ns = 0;
	thread->off_runqueue_ns = 0;
}

/* The switch that brought it onto the CPU was not seen: its own account tells when that was. */
static __always_inline void switch_in_missed(struct thread_state *thread, struct task_struct *task,
					     struct frame *frame, u64 now)
{
	u64 ran = BPF_CORE_READ(task, se.sum_exec_runtime) - thread->in_exec_ns;
	u64 in = ran < now - thread->out_ns ? now - ran : thread->out_ns;

	charge_off(thread, frame, in);
	thread->in_ns = in;
	thread->in_is_guess = 0;
}

static __always_inline void switch_out(struct task_struct *task, u64 now, bool preempt, u64 state)
{
	struct thread_state *thread = thread_expect(task);
	struct frame *frame;

	if (!thread)
		return;
	frame = innermost(thread);
	if (!thread->running)
		switch_in_missed(thread, task, frame, now);
	settle_off(thread, task, frame);
	charge_cpu(thread, task, frame, now);
	charge_hw(thread);
	thread->running = 0;
	thread->in_hw_known = 0;
	thread->out_ns = now;
	if (state & TASK_DEAD) {
		finish_thread(thread, task, now);
		return;
	}
	thread->out_cause = preempt || state == TASK_RUNNING ? CAUSE_RUNQUEUE
							     : cause_of_wait(task, READ_CURRENT);
	if (now - frame->flushed_ns > cfg.flush_ns) {
		struct flush flush = {.now = now, .flags = SLICE_PARTIAL};

		emit_partial(thread, task, &flush);
	}
}

static __always_inline void switch_in(struct task_struct *task, u64 now)
{
	struct thread_state *thread = thread_expect(task);
	struct frame *frame;
	u32 cpu = bpf_get_smp_processor_id();

	if (!thread)
		return;
	frame = innermost(thread);
	if (thread->running) {
		/* seeded while it left, or that switch was not seen */
		u64 ran = BPF_CORE_READ(task, se.sum_exec_runtime) - thread->in_exec_ns;
		u64 out = ran < now - thread->in_ns ? thread->in_ns + ran : now;

		charge_cpu(thread, task, frame, out);
		frame->c[COUNTER_BLOCKED_OTHER] += now - out;
	} else {
		charge_off(thread, frame, now);
	}
	thread->waker = 0;
	thread->running = 1;
	thread->in_is_guess = 0;
	thread->in_ns = now;
	thread->in_exec_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	if (cfg.hw_mask) {
		read_hw(thread->in_hw);
		thread->in_hw_known = 1;
	}
	frame->c[COUNTER_CPUS] |= cpu < 64 ? 1ULL << cpu : 0;
	if (now - frame->flushed_ns > cfg.flush_ns) {
		struct flush flush = {.now = now, .flags = SLICE_PARTIAL};

		emit_partial(thread, task, &flush);
	}
}

SEC("tp_btf/sched_switch")
int sched_switch(u64 *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx[1];
	struct task_struct *next = (struct task_struct *)ctx[2];
	u64 now;

	if (!armed)
		return 0;
	/* One time for both: to the kernel, what we do here is next's already. */
	now = bpf_ktime_get_ns();
	if (is_target(prev->tgid))
		switch_out(prev, now, ctx[0],
			   cfg.has_switch_state ? (u32)ctx[3] : task_state(prev));
	if (is_target(next->tgid))
		switch_in(next, now);
	return 0;
}

/*
 * Is `current` the waker, or did an interrupt on top of it wake? The preemption count would tell, but
 * it is reachable on few kernels, and with more privileges than recording needs otherwise. So: who
 * is in no system call was interrupted; timers and disks wake by interrupts only. What stays is an
 * interrupt of a network card during a system call: then the caller is taken for the waker.
 */
static __always_inline bool is_waker(struct task_struct *current, struct thread_state *woken)
{
	u64 nr = -1;

	if (woken->out_cause == CAUSE_TIMER || woken->out_cause == CAUSE_DISK)
		return false;
	bpf_probe_read_kernel(&nr, sizeof(nr), &task_user_regs(current)->orig_ax);
	return nr != (u64)-1;
}

/* Fires where the waker runs: the place that knows who it was. */
SEC("tp_btf/sched_waking")
int BPF_PROG(sched_waking, struct task_struct *task)
{
	struct task_struct *current;
	struct thread_state *thread;

	if (!armed || !is_target(task->tgid))
		return 0;
	thread = thread_expect(task);
	if (!thread)
		return 0;
	thread->waker = 0;
	current = current_task();
	if (is_target(bpf_get_current_pid_tgid() >> 32) && is_waker(current, thread)) {
		struct thread_state *own = thread_expect(current);

		if (own && own != thread) {
			/* threads wake threads; what tasks wake, their runtime tells */
			struct frame *frame = &own->frames[0];

			thread->waker = frame->task;
			frame->c[COUNTER_WAKE_SENT]++;
		}
	}
	thread->wake_ns = bpf_ktime_get_ns();
	return 0;
}

/* Fires where it is put on a run queue, which may be another CPU, some time later. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(sched_wakeup, struct task_struct *task)
{
	struct thread_state *thread;

	if (!armed || !is_target(task->tgid))
		return 0;
	thread = thread_expect(task);
	if (thread)
		thread->queued_ns = bpf_ktime_get_ns();
	return 0;
}

/* A thread of a target begins to exist. */
static __always_inline void thread_begins(struct task_struct *parent, struct task_struct *child,
					  u32 slot)
{
	struct thread_state *state, *maker;
	u64 now, maker_task;

	now = bpf_ktime_get_ns();
	state = thread_new(child, now, slot);
	if (!state)
		return;
	/* it waits for its first turn from now on */
	state->out_cause = CAUSE_RUNQUEUE;
	state->in_is_guess = 0;
	if (!thread_publish(child, state))
		return;
	maker = thread_expect(parent);
	maker_task = maker ? innermost(maker)->task : 0;
	emit_spawn(state, child, maker_task, now, 0);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = child->tgid;

	if (!armed || !is_target(parent->tgid))
		return 0;
	if (tgid != (u32)parent->tgid) {
		bool followed = cfg.follow_forks && target_add(tgid);

		emit_fork(parent->tgid, tgid, followed);
		if (!followed)
			return 0;
	}
	thread_begins(parent, child, SCRATCH_FORK);
	return 0;
}

/* io_uring's workers are threads of the process that the kernel makes itself: no fork tells of them. */
#define PF_IO_WORKER 0x10

SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask, struct task_struct *task)
{
	if (armed && task->flags & PF_IO_WORKER && is_target(task->tgid))
		thread_begins(current_task(), task, SCRATCH_WORKER);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sched_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	struct thread_state *thread;

	if (!armed || !is_target(task->tgid))
		return 0;
	thread_move(old_pid, task->pid);
	thread = thread_expect(task);
	if (thread) {
		struct flush flush = {.now = bpf_ktime_get_ns(), .flags = SLICE_FORCED};

		/* the stack that held its frames is gone */
		for (u32 i = 0; i < FRAME_CNT; i++) {
			u32 idx = thread->depth;

			if (!idx)
				break;
			*(volatile u32 *)&thread->depth = idx - 1;
			emit_final(thread, task, idx, &flush);
		}
		thread->deeper = 0;
		thread->stack_lo = 0;
		thread->stack_hi = 0;
	}
	emit_exec(task, task->pid, old_pid);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(task_rename, struct task_struct *task, const char *comm)
{
	struct thread_state *thread;

	if (!armed || !is_target(task->tgid))
		return 0;
	thread = thread_expect(task);
	if (thread)
		emit_rename(task->tgid, thread->frames[0].task, comm);
	return 0;
}
