/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of all runtimes above threads: SPAWN, ENTER, LEAVE, WAKE, END. They run in the context
 * of the thread's own probes. A runtime's programs read its identities and call these.
 */
#include "core.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct wire_native_key);
	__type(value, struct wire_live_task);
} live_tasks SEC(".maps");

/* What each verb needs to know of where it runs. */
struct here {
	struct task_struct *task;
	struct thread_state *thread;
	u64 now;
	u32 tgid;
};

static __always_inline bool find_here(struct here *here)
{
	if (armed != ARMED_ALL)
		return false;
	here->tgid = bpf_get_current_pid_tgid() >> 32;
	if (!is_target(here->tgid))
		return false;
	here->task = current_task();
	here->thread = thread_of(here->task);
	if (!here->thread) {
		count_loss(LOSS_THREAD_STATE);
		return false;
	}
	here->now = bpf_ktime_get_ns();
	return true;
}

static __always_inline u64 next_id(struct thread_state *thread)
{
	return (u64)thread->tid << 32 | thread->seq++;
}

/* Makes a task known; 0 when the table is full. */
static __always_inline u64 task_new(struct here *here, struct wire_native_key *key, u64 type_key,
				    u32 site, u32 flags)
{
	struct wire_live_task fresh = {.task = next_id(here->thread), .born_ns = here->now};
	struct birth birth = {
		.task = fresh.task,
		.parent = flags & SPAWN_EXISTED ? 0 : innermost(here->thread)->task,
		.type_key = type_key,
		.site = site,
		.flags = flags,
	};

	if (bpf_map_update_elem(&live_tasks, key, &fresh, BPF_ANY)) {
		count_loss(LOSS_TASKS_FULL);
		return 0;
	}
	emit_task(key, &birth);
	return fresh.task;
}

/* The time on the CPU since the last border: by the clock; or, where the switch that brought the
 * thread in was not seen, by the kernel's account, which may be a tick old. */
static __noinline u64 ran_since_border(struct thread_state *thread, struct task_struct *task,
				       u64 now)
{
	u64 since = thread->in_ns > thread->mark_ns ? thread->in_ns : thread->mark_ns;
	u64 ran;

	if (thread->running)
		return now > since ? now - since : 0;
	ran = BPF_CORE_READ(task, se.sum_exec_runtime) - thread->in_exec_ns;
	ran -= thread->split_ns - thread->split_ns_seen;
	return (s64)ran > 0 ? ran : 0;
}

/* What ran until now belongs to the innermost frame; a border is drawn behind it. */
static __always_inline void border(struct here *here)
{
	struct thread_state *thread = here->thread;
	struct frame *frame = innermost(thread);
	bool switched = thread->in_ns > thread->mark_ns;
	u64 ran = ran_since_border(thread, here->task, here->now);
	struct kernel_counts counts;

	__sync_fetch_and_add(&frame->c[COUNTER_ON_CPU], ran);
	thread->split_ns += ran;
	thread->mark_ns = here->now;
	kernel_counts_read(&counts, here->task);
	frame->c[COUNTER_SWITCH_VOLUNTARY] += counts.nvcsw - thread->mark.nvcsw;
	frame->c[COUNTER_SWITCH_INVOLUNTARY] += counts.nivcsw - thread->mark.nivcsw;
	frame->c[COUNTER_FAULT_MINOR] += counts.min_flt - thread->mark.min_flt;
	frame->c[COUNTER_FAULT_MAJOR] += counts.maj_flt - thread->mark.maj_flt;
	frame->c[COUNTER_DISK_READ_BYTES] += counts.read_bytes - thread->mark.read_bytes;
	frame->c[COUNTER_DISK_WRITE_BYTES] += counts.write_bytes - thread->mark.write_bytes;
	thread->mark = counts;
	frame->c[COUNTER_PROBE_HITS]++;
	if (cfg.hw_mask) {
		u64 hw[HW_CNT] = {};

		read_hw(hw);
		for (int i = 0; i < HW_CNT; i++) {
			u64 from = thread->in_hw[i];

			if (!switched && thread->mark_hw[i] > from)
				from = thread->mark_hw[i];
			if (thread->in_hw_known && hw[i] > from) {
				__sync_fetch_and_add(&frame->c[COUNTER_HW_CYCLES + i],
						     hw[i] - from);
				thread->split_hw[i] += hw[i] - from;
			}
			thread->mark_hw[i] = hw[i];
		}
	}
}

/* Closes the innermost frame. Depth goes first: from then on nobody else writes to the frame. */
static __always_inline void pop(struct here *here, u32 flags)
{
	struct thread_state *thread = here->thread;
	struct flush flush = {.now = here->now, .flags = flags};
	u32 idx = thread->depth;

	if (!idx)
		return;
	*(volatile u32 *)&thread->depth = idx - 1;
	barrier();
	if (flags & SLICE_FORCED) {
		count_loss(LOSS_FRAME_FORCED);
		thread->deeper = 0; /* what was too deep was further up still */
	}
	emit_final(thread, here->task, idx, &flush);
}

/* Looks for the frame in which a task is open on this thread; 0 when it is not. The answer stays in
 * memory: in a register the verifier would follow each of its values through all that comes after. */
static __always_inline volatile u32 *find_frame(struct thread_state *thread, u32 runtime,
						u64 native)
{
	volatile u32 *found = &thread->found;

	*found = 0;
	for (u32 idx = 1; idx < FRAME_CNT; idx++) {
		if (thread->frames[idx].native == native &&
		    thread->frames[idx].runtime == runtime &&
		    idx <= *(volatile u32 *)&thread->depth)
			*found = idx;
	}
	return found;
}

/* Frames whose code has been left without a LEAVE: a panic, a longjmp. A task is never entered twice
 * at once; and what was entered further down the same stack has been unwound. Other stacks (fibers,
 * signal stacks) tell nothing. */
static __always_inline bool is_stale(struct thread_state *thread, u32 depth, u32 open, u64 sp)
{
	struct frame *frame = innermost(thread);

	if (open && depth >= open)
		return true;
	return sp >= thread->stack_lo && sp < thread->stack_hi && frame->sp < sp &&
	       frame->sp >= thread->stack_lo;
}

static __always_inline void pop_stale(struct here *here, u32 runtime, u64 native, u64 sp)
{
	struct thread_state *thread = here->thread;
	volatile u32 *open = find_frame(thread, runtime, native);

	for (u32 i = 0; i < FRAME_CNT; i++) {
		u32 depth = *(volatile u32 *)&thread->depth;

		if (!depth || !is_stale(thread, depth, *open, sp))
			break;
		pop(here, SLICE_FORCED);
	}
}

static __always_inline void take_wake(struct frame *frame, struct wire_live_task *live, u64 now)
{
	u64 latency;

	frame->c[COUNTER_WAKE_RECEIVED] = live->wakes;
	frame->c[COUNTER_WAKE_SELF] = live->wakes_self;
	live->wakes = 0;
	live->wakes_self = 0;
	if (!live->wake_ns)
		return;
	latency = now > live->wake_ns ? now - live->wake_ns : 0;
	frame->c[COUNTER_WAKE_LATENCY] = latency;
	frame->c[COUNTER_WAKE_LATENCY_MAX] = latency;
	edge_add(live->waker, frame->task, latency);
	live->wake_ns = 0;
}

__hidden void verb_spawn(u32 runtime, u64 native, u64 type_key, u32 site)
{
	struct wire_native_key key = {.native = native, .runtime = runtime};
	struct here here;

	if (!find_here(&here))
		return;
	key.tgid = here.tgid;
	innermost(here.thread)->c[COUNTER_PROBE_HITS]++;
	task_new(&here, &key, type_key, site, 0);
}

__hidden void verb_enter(u32 runtime, u64 native, u32 site, u64 sp)
{
	struct wire_native_key key = {.native = native, .runtime = runtime};
	struct wire_live_task *live;
	struct frame *frame;
	struct here here;
	u32 idx;

	if (!find_here(&here))
		return;
	key.tgid = here.tgid;
	border(&here);
	pop_stale(&here, runtime, native, sp);
	live = bpf_map_lookup_elem(&live_tasks, &key);
	if (!live) {
		if (!task_new(&here, &key, 0, site, SPAWN_EXISTED))
			return;
		live = bpf_map_lookup_elem(&live_tasks, &key);
		if (!live)
			return;
	}
	idx = here.thread->depth + 1;
	if (idx >= FRAME_CNT) {
		here.thread->deeper++;
		count_loss(LOSS_FRAMES_DEEP);
		return;
	}
	if (!here.thread->stack_hi)
		count_loss(LOSS_STACK_BOUNDS);
	frame = frame_at(here.thread, idx);
	__builtin_memset(frame->c, 0, sizeof(frame->c));
	frame->task = live->task;
	frame->enter_ns = here.now;
	frame->sp = sp;
	frame->native = native;
	frame->runtime = runtime;
	frame->flushed_ns = here.now;
	frame->flush_cnt = 0;
	take_wake(frame, live, here.now);
	barrier();
	*(volatile u32 *)&here.thread->depth = idx;
}

__hidden void verb_leave(u32 runtime, u64 native)
{
	volatile u32 *found;
	struct here here;

	if (!find_here(&here))
		return;
	border(&here);
	found = find_frame(here.thread, runtime, native);
	if (!*found) {
		if (here.thread->deeper)
			here.thread->deeper--;
		else
			count_loss(LOSS_LEAVE_UNMATCHED);
		return;
	}
	here.thread->deeper = 0; /* they were further up: a task is never open twice */
	/* what is still open above it was left without a word */
	for (u32 i = 0; i < FRAME_CNT; i++) {
		if (*(volatile u32 *)&here.thread->depth <= *found)
			break;
		pop(&here, SLICE_FORCED);
	}
	pop(&here, 0);
}

__hidden void verb_wake(u32 runtime, u64 native)
{
	struct wire_native_key key = {.native = native, .runtime = runtime};
	struct wire_live_task *live;
	struct frame *frame;
	struct here here;

	if (!find_here(&here))
		return;
	key.tgid = here.tgid;
	frame = innermost(here.thread);
	frame->c[COUNTER_PROBE_HITS]++;
	frame->c[COUNTER_WAKE_SENT]++;
	live = bpf_map_lookup_elem(&live_tasks, &key);
	if (!live) {
		count_loss(LOSS_TASK_UNKNOWN);
		return;
	}
	__sync_fetch_and_add(&live->wakes, 1);
	if (live->task == frame->task)
		__sync_fetch_and_add(&live->wakes_self, 1);
	if (!live->wake_ns) {
		live->waker = frame->task;
		live->wake_ns = here.now;
	}
}

__hidden void verb_end(u32 runtime, u64 native, u32 state)
{
	struct wire_native_key key = {.native = native, .runtime = runtime};
	struct wire_live_task *live;
	struct here here;

	if (!find_here(&here))
		return;
	key.tgid = here.tgid;
	innermost(here.thread)->c[COUNTER_PROBE_HITS]++;
	live = bpf_map_lookup_elem(&live_tasks, &key);
	if (!live) {
		count_loss(LOSS_TASK_UNKNOWN);
		return;
	}
	emit_end(here.tgid, here.now, live->task, state, (u64)live->wakes << 32 | live->wakes_self);
	bpf_map_delete_elem(&live_tasks, &key);
}
