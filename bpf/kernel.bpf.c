/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IO and network as the kernel's own functions tell it: what went in at their entry, what came out at
 * their return. A source of its own (--io-source=fentry, kprobe), and beside system calls for what
 * those do not show: what io_uring does inside of io_uring_enter() and in its worker threads, pages
 * of mapped files, the arrival of data. One table (WIRE_KERNEL_FUNCTIONS) makes the programs: fentry
 * and fexit, kprobe and kretprobe for each function; user/live/kernel_hooks.c picks what this kernel
 * has.
 *
 * The private-stack guard of uprobe-type programs (UPROBE_GUARD) is not for these. What oopses is a
 * program that is preempted and runs again on the same per-CPU stack. Kprobes and kretprobes run with
 * preemption disabled, and the kernel starts no second one on a CPU that is in one (bpf_prog_active);
 * fentry and fexit may be preempted, but have a counter per program and CPU that refuses the second
 * run. Both leave a miss, which is counted. The guard would even do harm: its array takes programs of
 * one attach type only, and uprobes may be of another than kprobes.
 */
#include "io.bpf.h"
#include "compat.bpf.h"
#include "memory.bpf.h"

#define VM_FAULT_MAJOR 4
#define VM_FAULT_ERROR 0x873 /* OOM, SIGBUS, HWPOISON, HWPOISON_LARGE, SIGSEGV, FALLBACK */
#define PAGE_SZ        4096
#define EIO_           5

static __always_inline u32 level_of(u32 hook)
{
	if (hook == HOOK_FAULT)
		return LEVEL_FAULT;
	return hook >= HOOK_SEND && hook <= HOOK_RING_WRITE ? LEVEL_SOCKET : LEVEL_CALL;
}

enum function {
#define X(function, hook, arguments, instead) FUNCTION_##function,
	WIRE_KERNEL_FUNCTIONS(X)
#undef X
#define X(function, hook) FUNCTION_##function,
		WIRE_KERNEL_MOMENTS(X)
#undef X
};

/* A function that is entered, and the stack that it was given. */
struct entry {
	u32 hook; /* enum wire_hook */
	u32 function;
	u64 sp;
};

/* The system call that the thread is in. Of the kernel's own threads: a constant. */
static __always_inline u32 syscall_nr(void)
{
	u64 nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr), &task_user_regs(current_task())->orig_ax);
	return nr;
}

/*
 * Does what is entered run inside of `outer`? The stack says so, and nothing has to be counted up and
 * down, which would never be right again after a return that the kernel did not tell. The system call
 * is compared, too, because what is left of such a call is higher on the stack than much that comes
 * later. A function that ends in a jump to another one leaves it its own place on the stack.
 */
static __always_inline bool is_inside(struct io_call *outer, struct entry *entry, u32 nr)
{
	if (!outer->enter_ns || outer->nr != nr)
		return false;
	return entry->sp < outer->sp ||
	       (entry->sp == outer->sp && entry->function != outer->function);
}

/* Is it accounted by what it is a part of? */
static __always_inline bool is_part(struct thread_state *thread, u32 level, struct entry *entry,
				    u32 nr)
{
	struct io_call *outer = &thread->calls[LEVEL_CALL];

	if (level != LEVEL_SOCKET)
		return false;
	if (cfg.io_extra)
		return outer->enter_ns; /* a system call that is accounted as such */
	return is_inside(outer, entry, nr); /* sendfile, splice */
}

/* Keeps what the return needs; NULL when this call is not the one to account. */
static __always_inline struct io_call *call_begins(struct thread_state *thread, struct entry *entry)
{
	u32 level = level_of(entry->hook), nr = syscall_nr();
	struct io_call *call = &thread->calls[level];

	if (is_part(thread, level, entry, nr))
		return NULL;
	if (is_inside(call, entry, nr)) {
		count_loss(LOSS_CALLS_NESTED);
		return NULL;
	}
	if (call->enter_ns)
		count_loss(LOSS_RETURNS_UNSEEN);
	call->file = 0;
	call->arg = 0;
	call->sp = entry->sp;
	call->nr = nr;
	call->function = entry->function;
	call->peek = 0;
	call->enter_ns = bpf_ktime_get_ns();
	return call;
}

/* As call_begins(), with its file; reading and writing sockets is left to the socket functions. */
static __always_inline void file_begins(struct thread_state *thread, struct entry *entry,
					struct file *file, struct file *other)
{
	struct io_call *call;

	if ((entry->hook == HOOK_READ || entry->hook == HOOK_WRITE) && is_socket(file))
		return;
	call = call_begins(thread, entry);
	if (!call)
		return;
	call->file = (u64)file;
	call->arg = (u64)other;
}

/* As call_begins(), in a request of io_uring; sockets are left to theirs, as above. */
static __always_inline void ring_begins(struct thread_state *thread, struct entry *entry,
					struct io_kiocb *req)
{
	struct file *file = BPF_CORE_READ(req, file);
	struct io_call *call;

	if (is_socket(file))
		return;
	call = call_begins(thread, entry);
	if (!call)
		return;
	call->file = (u64)file;
	call->arg = (u64)req;
}

/* As call_begins(), in a socket. The kernel's own sockets, as of file systems, have no file. */
static __always_inline void socket_begins(struct thread_state *thread, struct entry *entry,
					  struct socket *socket, u64 arg, u32 flags)
{
	struct file *file = BPF_CORE_READ(socket, file);
	struct io_call *call;

	if (!file)
		return;
	call = call_begins(thread, entry);
	if (!call)
		return;
	call->file = (u64)file;
	call->arg = arg;
	call->peek = !!(flags & MSG_PEEK_);
	if (entry->hook == HOOK_CONNECT)
		socket_connect_begins(thread, file, call->enter_ns);
}

static __always_inline struct file *own_file(u64 fd)
{
	return file_of_fd(current_task(), (u32)fd);
}

static __always_inline struct file *file_of_regs(u64 regs)
{
	u64 fd = -1;

	bpf_probe_read_kernel(&fd, sizeof(fd), &((struct pt_regs *)regs)->di);
	return own_file(fd);
}

/* The four first arguments of a function that is entered; each hook looks at what it has. */
static __always_inline void hook_begins(struct entry *entry, u64 a, u64 b, u64 c, u64 d)
{
	struct thread_state *thread;
	struct io_call *call;

	if (entry->hook == HOOK_READY) {
		/* on whatever thread the network interrupted */
		socket_data_ready((struct sock *)a);
		return;
	}
	thread = io_thread();
	if (!thread)
		return;
	switch (entry->hook) {
	case HOOK_READ:
	case HOOK_WRITE:
	case HOOK_SYNC:
		file_begins(thread, entry, (struct file *)a, NULL);
		break;
	case HOOK_SENDFILE:
		file_begins(thread, entry, own_file(b), own_file(a));
		break;
	case HOOK_COPY:
		file_begins(thread, entry, (struct file *)a, (struct file *)c);
		break;
	case HOOK_TEE:
		file_begins(thread, entry, (struct file *)a, (struct file *)b);
		break;
	case HOOK_VMSPLICE:
	case HOOK_SYNC_REGS:
		file_begins(thread, entry, file_of_regs(a), NULL);
		break;
	case HOOK_OPEN:
	case HOOK_EVENTS:
		call_begins(thread, entry);
		break;
	case HOOK_MEMORY:
		call = call_begins(thread, entry);
		if (call && call->nr == __NR_brk)
			call->arg = BPF_CORE_READ(current_task(), mm, brk);
		break;
	case HOOK_SEND:
	case HOOK_ACCEPT:
		socket_begins(thread, entry, (struct socket *)a, b, 0);
		break;
	case HOOK_RECEIVE:
		socket_begins(thread, entry, (struct socket *)a, b, d);
		break;
	case HOOK_CONNECT:
	case HOOK_LISTEN:
		socket_begins(thread, entry, (struct socket *)a, 0, 0);
		break;
	case HOOK_RING_READ:
	case HOOK_RING_WRITE:
		ring_begins(thread, entry, (struct io_kiocb *)a);
		break;
	case HOOK_CLOSE:
		socket_closes((struct file *)b, bpf_ktime_get_ns());
		break;
	case HOOK_FAULT:
		file_begins(thread, entry, BPF_CORE_READ((struct vm_fault *)a, vma, vm_file), NULL);
		break;
	}
}

/* The address of a datagram's other end, which the kernel has copied from the program. */
static __always_inline u64 name_of(struct msghdr *msg)
{
	return BPF_CORE_READ(msg, msg_namelen) > 0 ? (u64)BPF_CORE_READ(msg, msg_name) : 0;
}

static __always_inline void finish_fault(struct thread_state *thread, struct io_done *done)
{
	u32 result = done->ret;

	if (!(result & VM_FAULT_MAJOR))
		return; /* it was in memory already */
	done->op = IO_FAULT;
	done->ret = result & VM_FAULT_ERROR ? -EIO_ : 0;
	done->bytes = done->ret ? 0 : PAGE_SZ;
	io_finish(thread, done);
}

#define EIOCBQUEUED_ 529

/* A request is done, or io_uring tries it again elsewhere. What the disk does in the background ends in
 * an interrupt, and is not seen. */
static __always_inline void finish_ring(struct thread_state *thread, struct io_done *done,
					struct io_kiocb *req)
{
	if (done->ret == -EAGAIN_ || done->ret == -EIOCBQUEUED_)
		return;
	if (!done->ret)
		done->ret = ring_result(req);
	done->bytes = done->ret > 0 ? done->ret : 0;
	io_finish(thread, done);
}

/* Or an unsigned one; all others return a long, or the length of a file. */
static __always_inline bool returns_int(u32 hook)
{
	return hook >= HOOK_OPEN || hook == HOOK_SYNC || hook == HOOK_SYNC_REGS;
}

static __always_inline void hook_ends(u32 hook, u64 sp, u64 ret)
{
	struct thread_state *thread = io_thread();
	struct socket *accepted;
	struct io_done *done;
	struct io_call *call;
	struct file *file;

	if (!thread)
		return;
	call = &thread->calls[level_of(hook)];
	if (!call->enter_ns || call->sp != sp)
		return; /* inside of another, or begun before all was armed */
	file = (struct file *)call->file;
	done = &thread->done;
	__builtin_memset(done, 0, sizeof(*done));
	done->now = bpf_ktime_get_ns();
	done->ns = done->now > call->enter_ns ? done->now - call->enter_ns : 1;
	call->enter_ns = 0;
	done->file = file;
	done->ret = returns_int(hook) ? (s32)ret : (s64)ret;
	done->bytes = done->ret > 0 ? done->ret : 0;
	switch (hook) {
	case HOOK_READ:
		done->op = IO_READ;
		break;
	case HOOK_WRITE:
		done->op = IO_WRITE;
		break;
	case HOOK_VMSPLICE:
		done->op = vmsplice_op(file);
		break;
	case HOOK_SYNC:
	case HOOK_SYNC_REGS:
		done->op = IO_SYNC;
		break;
	case HOOK_EVENTS:
		account_events(thread, done->ret, USER_REG(task_user_regs(current_task()), r10));
		return;
	case HOOK_MEMORY:
		account_memory(thread, task_user_regs(current_task()), call->nr, call->arg,
			       done->ret);
		return;
	case HOOK_OPEN:
		if (done->ret < 0)
			return; /* most often it looks whether the file is there */
		done->op = IO_OPEN;
		done->bytes = 0;
		done->file = own_file(done->ret);
		break;
	case HOOK_SENDFILE:
	case HOOK_COPY:
	case HOOK_TEE:
		io_finish_copy(thread, done, (struct file *)call->arg);
		return;
	case HOOK_SEND:
	case HOOK_RECEIVE:
		done->op = hook == HOOK_SEND ? IO_WRITE : IO_READ;
		done->peek = call->peek;
		if (call->peek)
			done->bytes = 0;
		if (done->ret >= 0)
			read_peer(&done->peer, name_of((struct msghdr *)call->arg), false);
		socket_finish(thread, done);
		return;
	case HOOK_CONNECT:
		socket_connect_ends(thread, file, done->ret, done->now);
		return;
	case HOOK_ACCEPT:
		accepted = (struct socket *)call->arg;
		io_finish_accept(thread, done, BPF_CORE_READ(accepted, file));
		return;
	case HOOK_LISTEN:
		if (!done->ret)
			socket_listens(file);
		return;
	case HOOK_RING_READ:
	case HOOK_RING_WRITE:
		done->op = hook == HOOK_RING_READ ? IO_READ : IO_WRITE;
		finish_ring(thread, done, (struct io_kiocb *)call->arg);
		return;
	case HOOK_FAULT:
		finish_fault(thread, done);
		return;
	}
	io_finish(thread, done);
}

/*
 * The arguments of a traced function lie in its trampoline's stack frame, which is the same at entry
 * and return and deeper for what is called from there: the context is the stack pointer. Kretprobes
 * see the stack without the return address.
 */
#define ENTRY_PROGRAMS(function_, hook_)                                                           \
	SEC("?fentry/" #function_)                                                                 \
	int fentry_##function_(u64 *ctx)                                                           \
	{                                                                                          \
		struct entry entry = {                                                             \
			.hook = HOOK_##hook_,                                                      \
			.function = FUNCTION_##function_,                                          \
			.sp = (u64)ctx,                                                            \
		};                                                                                 \
		hook_begins(&entry, ctx[0], ctx[1], ctx[2], ctx[3]);                               \
		return 0;                                                                          \
	}                                                                                          \
	SEC("?kprobe/" #function_)                                                                 \
	int kprobe_##function_(struct pt_regs *ctx)                                                \
	{                                                                                          \
		struct entry entry = {                                                             \
			.hook = HOOK_##hook_,                                                      \
			.function = FUNCTION_##function_,                                          \
			.sp = PT_REGS_SP(ctx) + sizeof(u64),                                       \
		};                                                                                 \
		hook_begins(&entry, PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx),    \
			    PT_REGS_PARM4(ctx));                                                   \
		return 0;                                                                          \
	}

#define RETURN_PROGRAMS(function, hook, arguments)                                                 \
	SEC("?fexit/" #function)                                                                   \
	int fexit_##function(u64 *ctx)                                                             \
	{                                                                                          \
		u64 ret = 0;                                                                       \
		if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_func_ret))           \
			bpf_get_func_ret(ctx, &ret);                                               \
		else                                                                               \
			ret = ctx[arguments];                                                      \
		hook_ends(HOOK_##hook, (u64)ctx, ret);                                             \
		return 0;                                                                          \
	}                                                                                          \
	SEC("?kretprobe/" #function)                                                               \
	int kretprobe_##function(struct pt_regs *ctx)                                              \
	{                                                                                          \
		hook_ends(HOOK_##hook, PT_REGS_SP(ctx), PT_REGS_RC(ctx));                          \
		return 0;                                                                          \
	}

#define X(function, hook, arguments, instead)                                                      \
	ENTRY_PROGRAMS(function, hook)                                                             \
	RETURN_PROGRAMS(function, hook, arguments)
WIRE_KERNEL_FUNCTIONS(X)
#undef X
#define X(function, hook) ENTRY_PROGRAMS(function, hook)
WIRE_KERNEL_MOMENTS(X)
#undef X
