/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a traced thread and the verbs that every runtime's programs speak. Implemented in
 * core.bpf.c; included by every .bpf.c.
 *
 * Who may write what (DESIGN.md, "Who may write"): each field of the thread state names its one
 * writing context. Reading from anywhere is fine; nobody resets a counter, because slices carry
 * cumulative values.
 */
#ifndef CORE_BPF_H
#define CORE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "wire.h"

/* Frames of a thread: its own and 15 nested ones; a power of two, so that a mask is a bound. */
#define FRAME_CNT 16

struct frame {
	u64 task;
	u64 enter_ns;
	u64 sp; /* of the probe that entered it */
	u64 native; /* the runtime's own id */
	u64 flushed_ns; /* the last PARTIAL; writer: sched_switch, sampler (never at once) */
	u32 flush_cnt;
	u32 runtime;
	/*
	 * Written by sched_switch: ON_CPU and HW (what the thread's own probes did not charge at the
	 * borders between frames), RUNQUEUE, BLOCKED, IDLE, STOLEN, CPUS and, in the base frame,
	 * WAKE_RECEIVED, WAKE_LATENCY. Written by the thread's own context: all others, and ON_CPU and
	 * HW atomically, because sched_switch may come in between.
	 */
	u64 c[COUNTER_KEPT_CNT];
};

/* Kernel counters of the thread that are exact at any time: a frame owns the difference. */
struct kernel_counts {
	u64 nvcsw, nivcsw, min_flt, maj_flt;
	u64 read_bytes, write_bytes; /* that it made storage read, or have to write */
};

/* A system call or a kernel function that does IO and has not ended. */
struct io_call {
	u64 enter_ns; /* 0: its beginning was not seen */
	u64 file; /* struct file *, struct socket * or struct sock *: only a key and a place to look */
	u64 arg;
	u64 sp; /* of a kernel function: where its stack began */
	u32 nr; /* the system call that it is, or is made by */
	u16 function; /* a kernel function: which one */
	u16 peek; /* MSG_PEEK */
};

/* The other end of a datagram; family 0: not told. */
struct io_peer {
	u8 addr[16];
	u16 family;
	u16 port; /* host byte order */
	u32 pad;
};

/* One operation that has ended. Filled in by the source, in the thread's own context. */
struct io_done {
	struct file *file;
	s64 ret; /* what the kernel returned: < 0 is an error */
	u64 bytes;
	u64 now;
	u64 ns; /* how long it took; 0: its beginning was not seen */
	u32 op; /* enum wire_io_op */
	u16 on_socket; /* the call is one for sockets, should the file not be found */
	u16 peek; /* it leaves what it receives where it is */
	struct io_peer peer; /* of a datagram */
};

/* The places that a thread allocated at last, by where the allocation returned to. */
#define SITE_CACHE 4
struct site_cache {
	u64 ip[SITE_CACHE];
	u64 site[SITE_CACHE];
	u32 epoch; /* heap_sites_epoch when it was filled */
	u32 pad;
};

/* An allocation that has not returned. */
struct heap_call {
	u64 sp; /* of the probe at its beginning; 0: there is none */
	u64 sz;
	u64 at; /* the block of realloc(), where posix_memalign() puts it */
	u32 function; /* enum wire_heap_function */
	u16 has_old;
	u16 epoch; /* heap_epoch at its beginning */
	u64 freed; /* the block that was given back last: one that frees may call another with it */
	u64 freed_sp;
	u32 freed_function;
	u32 pad;
	struct wire_block
		old; /* what realloc() gives back, taken out of the table at its beginning */
};

/* The last file that a thread used: most often the next one is the same. */
struct file_cache {
	u64 file;
	u64 dentry;
	u64 mount;
	u64 check;
	u64 id;
};

/* sendmmsg() and recvmmsg(): their messages are accounted one by one. */
struct io_batch {
	u64 vec; /* struct mmsghdr * of the caller */
	u64 flags;
};

enum io_level {
	LEVEL_CALL, /* system calls, or the VFS functions */
	LEVEL_SOCKET, /* the functions of sockets and io_uring, which may run inside of these */
	LEVEL_FAULT, /* a page of a mapped file is fetched, inside of anything */
	LEVEL_CNT
};

struct thread_state {
	/* own context */
	u32 depth; /* index of the innermost frame; 0 = the thread itself */
	u32 deeper; /* ENTERs beyond FRAME_CNT, only counted */
	u32 seq; /* next task sequence */
	u32 tid;
	u32 found; /* find_frame()'s answer */
	u32 tgid;
	u64 mark_ns; /* the last border between frames */
	u64 split_ns; /* charged to frames at borders, by the clock */
	u64 split_hw[HW_CNT];
	u64 mark_hw[HW_CNT];
	struct kernel_counts mark;
	struct io_call calls[LEVEL_CNT];
	struct io_done done; /* of the system call that ends: too much for the stack */
	struct io_batch batch;
	struct io_peer peer; /* an argument of peer_object() */
	struct file_cache file;
	struct heap_call heap;
	struct site_cache sites;
	/* sched_switch */
	u64 in_ns; /* came on the CPU */
	u64 in_exec_ns;
	u64 in_hw[HW_CNT]; /* as charged up to; sched_switch, sampler */
	u64 split_ns_seen;
	u64 split_hw_seen[HW_CNT];
	u64 out_ns; /* left the CPU */
	u32 out_cause; /* enum wire_cause */
	u32 off_cause; /* of the last time off the CPU, and how it was split */
	u64 off_blocked_ns, off_runqueue_ns;
	u64 run_delay_ns; /* the kernel's own sum of waits for a CPU, when last looked at */
	u8 running;
	u8 in_is_guess; /* met while running: in_exec_ns is up to a tick old */
	u8 in_hw_known; /* in_hw is of this run */
	u8 pad[5];
	/* remote: whoever wakes it */
	u64 wake_ns;
	u64 waker;
	u64 queued_ns; /* put on a run queue; later than wake_ns where another CPU had to be told */
	/* sampler: the bounds of the stack that it last saw the thread on; 0 = not known yet */
	u64 stack_lo, stack_hi;
	/* set once, by the maker */
	u64 base_utime, base_stime;
	u32 latency[LATENCY_BUCKETS]; /* sched_switch */
	struct frame frames[FRAME_CNT];
};

/* Newer kernels make task storage of no more than 8 KiB with what they add. */
_Static_assert(sizeof(struct thread_state) <= THREAD_STATE_MAX, "thread_state");

/* When and why frames are flushed. */
struct flush {
	u64 now;
	u64 on_cpu_ns; /* PARTIAL: since the last switch or border */
	u64 ticks[COUNTER_CNT - COUNTER_KEPT_CNT]; /* the counters that frames do not keep */
	u32 flags; /* SLICE_* */
	u32 pad;
};

/* A task of a runtime above threads that begins. */
struct birth {
	u64 task;
	u64 parent;
	u64 type_key;
	u32 site;
	u32 flags; /* SPAWN_* */
};

extern const volatile struct wire_config cfg;
extern volatile __u32 armed;
extern volatile __u64 stop_ns;

/* The ring, for who fills a large record in place. Anything that is read of the target's memory is
 * read before it reserves. */
struct ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* --ring */
};
extern struct ring_map ring SEC(".maps");

/* core.bpf.c */
/* For a submit: wakes the consumer only when there is much to read. */
__hidden u64 ring_flags(void);
/* The ring had no room for so many bytes, or was locked. */
__hidden void count_refused(u64 sz);
__hidden bool is_target(u32 tgid);
__hidden bool target_add(u32 tgid);
__hidden void count_loss(u32 loss);
__hidden struct thread_state *thread_of(struct task_struct *task);
__hidden struct thread_state *thread_expect(struct task_struct *task);
/* Fills in a state in a scratch slot; the caller corrects it, then publishes it. */
__hidden struct thread_state *thread_new(struct task_struct *task, u64 now, u32 scratch_slot);
__hidden bool thread_publish(struct task_struct *task, struct thread_state *state);
__hidden void thread_forget(struct task_struct *task);
__hidden void thread_move(u32 from_tid, u32 to_tid);
/* Writes the last SLICE of frame `idx`; nobody else writes to the frame any more. */
__hidden void emit_final(struct thread_state *thread, struct task_struct *task, u32 idx,
			 struct flush *flush);
/* Writes a PARTIAL slice of the innermost frame, which goes on. */
__hidden void emit_partial(struct thread_state *thread, struct task_struct *task,
			   struct flush *flush);
__hidden void emit_spawn(struct thread_state *thread, struct task_struct *task, u64 parent,
			 u64 start_ns, u32 flags);
__hidden void emit_task(struct wire_native_key *key, struct birth *birth);
__hidden void emit_end(u32 tgid, u64 now, u64 task, u32 state, u64 wakes);
__hidden void emit_rename(u32 tgid, u64 task, const char *comm);
__hidden void emit_fork(u32 tgid, u32 child, u32 followed);
__hidden void emit_exec(struct task_struct *task, u32 tid, u32 old_tid);
__hidden bool emit_file(struct wire_file *file); /* false: it was lost */
__hidden bool emit_site(u32 tgid, u64 site, u64 ip);
__hidden void emit_maps(u32 tgid);
__hidden void emit_latency(struct thread_state *thread, u32 tgid, u64 now);
/* Finishes all frames of a thread, innermost first; at the end of the thread or the recording. */
__hidden void emit_frames(struct thread_state *thread, struct task_struct *task,
			  struct flush *flush);
__hidden void edge_add(u64 from, u64 to, u64 delay_ns);
__hidden void read_hw(u64 *hw);
__hidden void charge_hw(struct thread_state *thread);

/* verbs.bpf.c: what the programs of all runtimes above threads say. `native` is the runtime's own
 * id, `type_key` what its adapter turns into a class name. */
__hidden void verb_spawn(u32 runtime, u64 native, u64 type_key, u32 site);
__hidden void verb_enter(u32 runtime, u64 native, u32 site, u64 sp);
__hidden void verb_leave(u32 runtime, u64 native);
__hidden void verb_wake(u32 runtime, u64 native);
__hidden void verb_end(u32 runtime, u64 native, u32 state);

/* Scratch slots for making a thread's state: one per context that makes one. */
enum scratch_slot { SCRATCH_FORK, SCRATCH_WORKER, SCRATCH_SEED, SCRATCH_CNT };

static __always_inline struct task_struct *current_task(void)
{
	/* what is newer than the typed pointer needs it */
	if (cfg.has_task_storage || cfg.has_task_pt_regs)
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline void kernel_counts_read(struct kernel_counts *counts,
					       struct task_struct *task)
{
	counts->nvcsw = BPF_CORE_READ(task, nvcsw);
	counts->nivcsw = BPF_CORE_READ(task, nivcsw);
	counts->min_flt = BPF_CORE_READ(task, min_flt);
	counts->maj_flt = BPF_CORE_READ(task, maj_flt);
	/* absent in kernels built without CONFIG_TASK_IO_ACCOUNTING */
	counts->read_bytes = 0;
	counts->write_bytes = 0;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		counts->read_bytes = BPF_CORE_READ(task, ioac.read_bytes);
		counts->write_bytes = BPF_CORE_READ(task, ioac.write_bytes);
	}
}

/* An index below `cnt`, a power of two, in a way that the compiler cannot leave out and that
 * verifiers before 6.2 follow. */
#define BOUND(idx, cnt)                                                                            \
	({                                                                                         \
		u64 bounded = (idx);                                                               \
		asm volatile("%0 &= %1" : "+r"(bounded) : "i"((cnt)-1));                           \
		bounded;                                                                           \
	})

static __always_inline u32 log2_u64(u64 val)
{
	u32 log = 0;

#pragma unroll
	for (int shift = 32; shift; shift >>= 1) {
		if (val >> shift) {
			val >>= shift;
			log += shift;
		}
	}
	return log;
}

static __always_inline struct frame *frame_at(struct thread_state *thread, u32 idx)
{
	return &thread->frames[BOUND(idx, FRAME_CNT)];
}

static __always_inline struct frame *innermost(struct thread_state *thread)
{
	return frame_at(thread, thread->depth);
}

/*
 * The private-stack guard (facts/stacks.md, finding A). Preemptible kernels since 6.13 give
 * kprobe-type programs a per-CPU stack, but uprobes can be preempted: the kernel oopses. A program
 * that may tail-call gets no such stack, so every uprobe-type program begins with a tail call that
 * is never taken. One array serves, because all uprobe-type programs of a load share one attach
 * type (live/object.c).
 */
#define UPROBE_GUARD(ctx)                                                                          \
	do {                                                                                       \
		if (guard_never)                                                                   \
			bpf_tail_call(ctx, &guard_programs, 0);                                    \
	} while (0)

extern const volatile bool guard_never;
struct guard_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};
extern struct guard_map guard_programs SEC(".maps");

#endif
