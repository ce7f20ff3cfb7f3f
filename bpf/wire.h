/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire: what the BPF side and user space say to each other. The only file that both include.
 * Fixed-width types, no pointers, no implicit padding, enum values are never reused, and a
 * _Static_assert holds every size. The object and the program are one build, so nothing here is
 * versioned; .asnap is (user/snapshot).
 */
#ifndef WIRE_H
#define WIRE_H

#include <linux/types.h>

/* The runtimes whose verbs travel on the wire. A new runtime is one row here, one .bpf.c, one
 * adapter and one line in the registry. */
#define WIRE_RUNTIMES(X)                                                                           \
	X(THREAD, thread)                                                                          \
	X(MARKS, marks)

enum wire_runtime {
#define X(id, name) RUNTIME_##id,
	WIRE_RUNTIMES(X)
#undef X
		RUNTIME_CNT
};

/*
 * The counters of a slice, in the order of its presence bitmap. They are cumulative since the
 * frame was entered: a lost PARTIAL slice costs detail on the timeline, never a sum.
 * X(id, name, how two values of one task are merged)
 */
#define WIRE_COUNTERS(X)                                                                           \
	X(ON_CPU, on_cpu_ns, SUM)                                                                  \
	X(RUNQUEUE, runqueue_ns, SUM)                                                              \
	X(BLOCKED_DISK, blocked_disk_ns, SUM)                                                      \
	X(BLOCKED_NET, blocked_net_ns, SUM)                                                        \
	X(BLOCKED_LOCK, blocked_lock_ns, SUM)                                                      \
	X(BLOCKED_TIMER, blocked_timer_ns, SUM)                                                    \
	X(BLOCKED_OTHER, blocked_other_ns, SUM)                                                    \
	X(IDLE, idle_ns, SUM)                                                                      \
	X(STOLEN, stolen_ns, SUM)                                                                  \
	X(CHILD_WALL, child_wall_ns, SUM)                                                          \
	X(SWITCH_VOLUNTARY, switches_voluntary, SUM)                                               \
	X(SWITCH_INVOLUNTARY, switches_involuntary, SUM)                                           \
	X(FAULT_MINOR, faults_minor, SUM)                                                          \
	X(FAULT_MAJOR, faults_major, SUM)                                                          \
	X(WAKE_RECEIVED, wakes_received, SUM)                                                      \
	X(WAKE_SELF, wakes_self, SUM)                                                              \
	X(WAKE_SENT, wakes_sent, SUM)                                                              \
	X(WAKE_LATENCY, wake_latency_ns, SUM)                                                      \
	X(WAKE_LATENCY_MAX, wake_latency_max_ns, MAX)                                              \
	X(PROBE_HITS, probe_hits, SUM)                                                             \
	X(CPUS, cpus_mask, OR)                                                                     \
	X(TICKS_USER, ticks_user_ns, SUM)                                                          \
	X(TICKS_KERNEL, ticks_kernel_ns, SUM)                                                      \
	X(HW_CYCLES, hw_cycles, SUM)                                                               \
	X(HW_INSTRUCTIONS, hw_instructions, SUM)                                                   \
	X(HW_CACHE_MISSES, hw_cache_misses, SUM)                                                   \
	X(HW_BRANCH_MISSES, hw_branch_misses, SUM)

enum wire_counter {
#define X(id, name, merge) COUNTER_##id,
	WIRE_COUNTERS(X)
#undef X
		COUNTER_CNT
};

#define HW_CNT 4 /* the last four counters, in this order */

/* Where a thread's time off the CPU goes; each cause is also the counter that it is charged to. */
enum wire_cause {
	CAUSE_RUNQUEUE = COUNTER_RUNQUEUE,
	CAUSE_DISK = COUNTER_BLOCKED_DISK,
	CAUSE_NET = COUNTER_BLOCKED_NET,
	CAUSE_LOCK = COUNTER_BLOCKED_LOCK,
	CAUSE_TIMER = COUNTER_BLOCKED_TIMER,
	CAUSE_OTHER = COUNTER_BLOCKED_OTHER,
	CAUSE_IDLE = COUNTER_IDLE,
};

/* The first part of every record. `sz` is the whole record's size. */
struct wire_hdr {
	__u16 kind; /* enum wire_kind */
	__u16 sz;
	__u32 tgid;
	__u64 ns; /* CLOCK_MONOTONIC */
};

enum wire_kind {
	WIRE_NONE,
	WIRE_SPAWN,
	WIRE_END,
	WIRE_SLICE,
	WIRE_RENAME,
	WIRE_LATENCY,
	WIRE_FORK,
	WIRE_EXEC,
	WIRE_KIND_CNT
};

#define COMM_SZ 16

/* A task begins to exist, or is met for the first time. */
struct wire_spawn {
	struct wire_hdr hdr;
	__u64 task; /* instance id: tid << 32 | per-thread sequence */
	__u64 parent; /* instance id or 0 */
	__u64 native; /* the runtime's own id: tid, address, number */
	__u64 type_key; /* what the adapter turns into a name: an address in the target, or 0 */
	__u64 start_ns; /* when it began, CLOCK_MONOTONIC (an estimate for what was there before) */
	__u32 site; /* the probe's site, or 0 */
	__u32 tid;
	__u8 runtime; /* enum wire_runtime */
	__u8 flags; /* SPAWN_* */
	__u8 pad[6];
	char comm[COMM_SZ]; /* threads only */
};

enum wire_spawn_flags {
	SPAWN_EXISTED = 1, /* it was there before the recording was armed */
};

/* The states a task may end in; the names of SCHEMA.md. */
#define WIRE_STATES(X)                                                                             \
	X(UNFINISHED, unfinished)                                                                  \
	X(RUNNING, running)                                                                        \
	X(WAITING, waiting)                                                                        \
	X(COMPLETED, completed)                                                                    \
	X(CANCELLED, cancelled)                                                                    \
	X(PANICKED, panicked)                                                                      \
	X(DROPPED, dropped)

enum wire_state {
#define X(id, name) STATE_##id,
	WIRE_STATES(X)
#undef X
		STATE_CNT
};

struct wire_end {
	struct wire_hdr hdr;
	__u64 task;
	__u32 wakes_received; /* since it last ran */
	__u32 wakes_self;
	__u8 state; /* enum wire_state */
	__u8 pad[7];
};

/*
 * The time from entering a frame to leaving it. PARTIAL: the frame is still open. The frame is
 * named by (task, enter_ns); `flush` counts its slices, so that late ones are told apart.
 * Behind it follow the counters, one u64 for each bit of `present`, lowest bit first; the others
 * are 0.
 */
struct wire_slice {
	struct wire_hdr hdr; /* ns = the end of the slice */
	__u64 task;
	__u64 enter_ns;
	__u64 present;
	__u32 tid;
	__u32 flush;
	__u16 cpu;
	__u8 flags; /* SLICE_* */
	__u8 depth; /* 0 = the thread itself */
	__u8 running;
	__u8 pad[3];
};

enum wire_slice_flags {
	SLICE_PARTIAL = 1,
	SLICE_FORCED =
		2, /* no LEAVE was seen: popped by an outer LEAVE, the stack or the thread's end */
	SLICE_AT_STOP = 4, /* flushed because the recording ends */
};

struct wire_rename {
	struct wire_hdr hdr;
	__u64 task;
	char comm[COMM_SZ];
};

/* A task's wake -> run latencies, cumulative; two buckets per power of two from 2^LATENCY_MIN_LOG2
 * nanoseconds on: 2^k..1.5*2^k, 1.5*2^k..2^(k+1). */
#define LATENCY_BUCKETS  64
#define LATENCY_MIN_LOG2 8
struct wire_latency {
	struct wire_hdr hdr;
	__u64 task;
	__u32 buckets[LATENCY_BUCKETS];
};

struct wire_fork {
	struct wire_hdr hdr; /* tgid = the parent's */
	__u32 child_tgid;
	__u32 followed;
};

struct wire_exec {
	struct wire_hdr hdr;
	__u32 tid;
	__u32 old_tid;
	char comm[COMM_SZ];
};

/* Who made whom runnable: kept in a BPF map, read when the recording ends. */
struct wire_edge_key {
	__u64 from; /* 0: an interrupt, or a task outside of the target */
	__u64 to;
};

struct wire_edge {
	__u64 cnt;
	__u64 delay_ns; /* woken -> running, summed */
	__u64 max_ns;
};

/* A task of a runtime above threads, by what the runtime calls it. */
struct wire_native_key {
	__u64 native;
	__u32 tgid;
	__u32 runtime;
};

/*
 * Everything that can be lost, not be seen or only be inferred, each with its own counter.
 * X(id, name, is data missing?, meaning)
 */
#define WIRE_LOSSES(X)                                                                             \
	X(RING_FULL, ring_full, 1, "records dropped because the ring was full (see --ring)")       \
	X(RING_BUSY, ring_busy, 1,                                                                 \
	  "records dropped because the ring was locked by another context")                        \
	X(THREAD_STATE, thread_state, 1,                                                           \
	  "events of a thread whose state could not be made or found (storage contention)")        \
	X(TASKS_FULL, tasks_full, 1, "tasks not tracked because the task table was full")          \
	X(EDGES_FULL, edges_full, 1, "wake edges not kept because the edge table was full")        \
	X(FRAMES_DEEP, frames_deep, 1, "frames nested deeper than 15: counted, not profiled")      \
	X(LEAVE_UNMATCHED, leave_unmatched, 1, "a task was left that had not been entered")        \
	X(FRAME_FORCED, frame_forced, 0, "frames whose end was not seen and was inferred")         \
	X(TARGETS_FULL, targets_full, 1,                                                           \
	  "processes not followed because the process table was full")                             \
	X(WAKE_UNSEEN, wake_unseen, 0,                                                             \
	  "threads that ran again although nothing was seen to wake them")                         \
	X(TASK_UNKNOWN, task_unknown, 0, "wakes and ends of tasks that had not been seen before")  \
	X(STACK_BOUNDS, stack_bounds, 0, "frames entered while the stack's bounds were not known")

enum wire_loss {
#define X(id, name, missing, meaning) LOSS_##id,
	WIRE_LOSSES(X)
#undef X
		LOSS_CNT
};

/* How far the recording is switched on; tested first by every program. */
enum wire_armed {
	ARMED_OFF,
	ARMED_THREADS, /* threads are accounted; the seeding iterator runs */
	ARMED_ALL,
};

/* What the object is told before it is loaded (rodata): dead branches vanish in the verifier. */
struct wire_config {
	__u64 flush_ns; /* an open frame is flushed as PARTIAL after this time */
	__u32 single_tgid; /* the only target, or 0: ask the table of targets */
	__u32 wakeup_bytes; /* the consumer is woken when the ring holds so much */
	__u32 ring_sz;
	__u8 follow_forks;
	__u8 has_task_storage;
	__u8 has_switch_state; /* sched_switch tells prev_state as its fourth argument */
	__u8 has_task_pt_regs; /* bpf_task_pt_regs() */
	__u8 hw_mask; /* bit i: hardware counter i is read */
	__u8 pad[7];
};

_Static_assert(COUNTER_CNT <= 64, "a slice's presence bitmap is 64 bits");
_Static_assert(sizeof(struct wire_hdr) == 16, "wire_hdr");
_Static_assert(sizeof(struct wire_spawn) == 88, "wire_spawn");
_Static_assert(sizeof(struct wire_end) == 40, "wire_end");
_Static_assert(sizeof(struct wire_slice) == 56, "wire_slice");
_Static_assert(sizeof(struct wire_rename) == 40, "wire_rename");
_Static_assert(sizeof(struct wire_latency) == 24 + 4 * LATENCY_BUCKETS, "wire_latency");
_Static_assert(sizeof(struct wire_fork) == 24, "wire_fork");
_Static_assert(sizeof(struct wire_exec) == 40, "wire_exec");
_Static_assert(sizeof(struct wire_edge_key) == 16, "wire_edge_key");
_Static_assert(sizeof(struct wire_edge) == 24, "wire_edge");
_Static_assert(sizeof(struct wire_native_key) == 16, "wire_native_key");
_Static_assert(sizeof(struct wire_config) == 32, "wire_config");

#endif
