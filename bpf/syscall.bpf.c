/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IO, network and memory as the system calls tell it: what went in at sys_enter, what came out at
 * sys_exit. A table says what each call is; x86-64's numbers, another architecture gets a table of
 * its own. Arguments are read from the registers that the thread entered the kernel with, so that a
 * call whose beginning was not seen is counted too, only not timed.
 */
#include <asm/unistd.h>
#include "io.bpf.h"
#include "compat.bpf.h"
#include "memory.bpf.h"

/* When this was attached again, after a time without: ends of calls begun before may be missing. */
volatile __u64 calls_since_ns;

/* What a call does; which arguments matter is said in account(). */
enum call_rule {
	CALL_NONE,
	CALL_READ,
	CALL_WRITE,
	CALL_SYNC,
	CALL_SENDFILE, /* out, in */
	CALL_COPY, /* in, _, out */
	CALL_TEE, /* in, out */
	CALL_VMSPLICE,
	CALL_RECVFROM,
	CALL_RECVMSG,
	CALL_RECVMMSG,
	CALL_SENDTO,
	CALL_SENDMSG,
	CALL_SENDMMSG,
	CALL_CONNECT,
	CALL_ACCEPT,
	CALL_LISTEN,
	CALL_CLOSE,
	CALL_DUP, /* over another one */
	CALL_CLOSE_RANGE,
	CALL_OPEN,
	CALL_GETEVENTS,
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_BRK,
};

#define SYSCALL_CNT 512

static const u8 calls[SYSCALL_CNT] = {
	[__NR_read] = CALL_READ,
	[__NR_pread64] = CALL_READ,
	[__NR_readv] = CALL_READ,
	[__NR_preadv] = CALL_READ,
	[__NR_preadv2] = CALL_READ,
	[__NR_write] = CALL_WRITE,
	[__NR_pwrite64] = CALL_WRITE,
	[__NR_writev] = CALL_WRITE,
	[__NR_pwritev] = CALL_WRITE,
	[__NR_pwritev2] = CALL_WRITE,
	[__NR_fsync] = CALL_SYNC,
	[__NR_fdatasync] = CALL_SYNC,
	[__NR_syncfs] = CALL_SYNC,
	[__NR_sync_file_range] = CALL_SYNC,
	[__NR_sendfile] = CALL_SENDFILE,
	[__NR_splice] = CALL_COPY,
	[__NR_copy_file_range] = CALL_COPY,
	[__NR_tee] = CALL_TEE,
	[__NR_vmsplice] = CALL_VMSPLICE,
	[__NR_recvfrom] = CALL_RECVFROM,
	[__NR_recvmsg] = CALL_RECVMSG,
	[__NR_recvmmsg] = CALL_RECVMMSG,
	[__NR_sendto] = CALL_SENDTO,
	[__NR_sendmsg] = CALL_SENDMSG,
	[__NR_sendmmsg] = CALL_SENDMMSG,
	[__NR_connect] = CALL_CONNECT,
	[__NR_accept] = CALL_ACCEPT,
	[__NR_accept4] = CALL_ACCEPT,
	[__NR_listen] = CALL_LISTEN,
	[__NR_close] = CALL_CLOSE,
	[__NR_dup2] = CALL_DUP,
	[__NR_dup3] = CALL_DUP,
	[436 /* close_range */] = CALL_CLOSE_RANGE,
	[__NR_open] = CALL_OPEN,
	[__NR_openat] = CALL_OPEN,
	[__NR_creat] = CALL_OPEN,
	[437 /* openat2 */] = CALL_OPEN,
	[__NR_io_getevents] = CALL_GETEVENTS,
	[333 /* io_pgetevents */] = CALL_GETEVENTS,
	[__NR_mmap] = CALL_MMAP,
	[__NR_munmap] = CALL_MUNMAP,
	[__NR_mremap] = CALL_MREMAP,
	[__NR_brk] = CALL_BRK,
};

#define MMSG_MAX   1024 /* UIO_MAXIOV: the kernel takes no more at once */
#define MMSGHDR_SZ 64

/* The head of struct msghdr; a struct mmsghdr has a length behind the whole of it. */
struct user_msghdr {
	u64 name;
	u32 name_sz;
	u32 pad;
};
#define MMSGHDR_LEN_OFF 56

/* What is only looked at is received later. */
static __always_inline void peeks(struct io_done *done, u64 flags)
{
	if (!(flags & MSG_PEEK_))
		return;
	done->peek = true;
	done->bytes = 0;
}

static __always_inline u32 rule_of(u64 nr)
{
	return nr < SYSCALL_CNT ? calls[BOUND(nr, SYSCALL_CNT)] : CALL_NONE;
}

static __always_inline u64 argument(struct pt_regs *regs, u32 idx)
{
	switch (idx) {
	case 0:
		return USER_REG(regs, di);
	case 1:
		return USER_REG(regs, si);
	case 2:
		return USER_REG(regs, dx);
	case 3:
		return USER_REG(regs, r10);
	}
	return USER_REG(regs, r8);
}

/* One message of a batch. A function of its own that the verifier looks at once. */
__noinline int account_message(u32 idx)
{
	struct thread_state *thread = io_thread();
	struct user_msghdr hdr = {};
	struct io_done *done;
	u32 sz = 0;
	u64 at;

	if (!thread)
		return 0;
	done = &thread->done;
	at = thread->batch.vec + (u64)idx * MMSGHDR_SZ;
	bpf_probe_read_user(&hdr, sizeof(hdr), (void *)at);
	bpf_probe_read_user(&sz, sizeof(sz), (void *)(at + MMSGHDR_LEN_OFF));
	done->ret = sz;
	done->bytes = sz;
	if (done->op == IO_READ)
		peeks(done, thread->batch.flags);
	if (idx)
		done->ns = 0; /* one call took it all */
	done->peer.family = 0;
	read_peer(&done->peer, hdr.name, true);
	io_finish(thread, done);
	return 0;
}

/* What the kernel's own asynchronous IO (libaio) has completed: of struct io_event and struct iocb what
 * is looked at. */
struct aio_event {
	u64 iocb;
	s64 ret;
};
#define AIO_EVENT_SZ  32
#define AIO_EVENT_OFF 8

struct aio_request {
	u16 opcode; /* IOCB_CMD_* */
	u16 priority;
	u32 fd;
};
#define AIO_REQUEST_OFF 16

#define AIO_OP_CNT 64 /* a small table would go to a section that libbpf does not know */
static const u8 aio_ops[AIO_OP_CNT] = {
	[0 /* PREAD */] = IO_READ,  [1 /* PWRITE */] = IO_WRITE,  [2 /* FSYNC */] = IO_SYNC,
	[3 /* FDSYNC */] = IO_SYNC, [5 /* POLL */] = IO_OP_CNT,   [6 /* NOOP */] = IO_OP_CNT,
	[7 /* PREADV */] = IO_READ, [8 /* PWRITEV */] = IO_WRITE,
};

__noinline int account_aio(u32 idx)
{
	struct thread_state *thread = io_thread();
	struct aio_request request = {};
	struct aio_event event = {};
	struct io_done *done;

	if (!thread)
		return 0;
	done = &thread->done;
	bpf_probe_read_user(&event, sizeof(event),
			    (void *)(thread->batch.vec + (u64)idx * AIO_EVENT_SZ + AIO_EVENT_OFF));
	if (bpf_probe_read_user(&request, sizeof(request), (void *)(event.iocb + AIO_REQUEST_OFF)))
		return 0;
	done->op = aio_ops[BOUND(request.opcode, AIO_OP_CNT)];
	if (done->op == IO_OP_CNT)
		return 0;
	done->file = file_of_fd(current_task(), request.fd);
	done->ret = event.ret;
	done->bytes = event.ret > 0 ? event.ret : 0;
	done->ns = 0; /* it was submitted by another call */
	io_finish(thread, done);
	return 0;
}

__hidden int account_events(struct thread_state *thread, s64 cnt, u64 vec)
{
	thread->batch.vec = vec;
	for (u32 i = 0; i < MMSG_MAX; i++) {
		if (i >= cnt)
			break;
		account_aio(i);
	}
	return 0;
}

static __always_inline void account_batch(struct thread_state *thread, struct io_done *done,
					  u64 vec, u32 flags)
{
	s64 cnt = done->ret;

	thread->batch.vec = vec;
	thread->batch.flags = flags;
	for (u32 i = 0; i < MMSG_MAX; i++) {
		if (i >= cnt)
			break;
		account_message(i);
	}
}

static __always_inline void account_copy(struct thread_state *thread, struct io_done *done,
					 struct task_struct *task, u64 in, u64 out)
{
	done->file = file_of_fd(task, (u32)in);
	io_finish_copy(thread, done, file_of_fd(task, (u32)out));
}

static __noinline void account_msghdr(struct thread_state *thread, struct io_done *done, u64 msg)
{
	struct user_msghdr hdr = {};

	bpf_probe_read_user(&hdr, sizeof(hdr), (void *)msg);
	if (done->ret >= 0)
		read_peer(&done->peer, hdr.name, true);
	io_finish(thread, done);
}

/* Calls on one file or socket: `done` but for what only this call has. */
static __always_inline void account_io(struct thread_state *thread, struct task_struct *task,
				       struct pt_regs *regs, u32 rule, struct io_done *done)
{
	struct file *file = done->file;
	u64 flags;

	switch (rule) {
	case CALL_SYNC:
		done->op = IO_SYNC;
		break;
	case CALL_VMSPLICE:
		done->op = vmsplice_op(file);
		break;
	case CALL_RECVFROM:
		done->on_socket = true;
		peeks(done, argument(regs, 3));
		if (done->ret >= 0)
			read_peer(&done->peer, argument(regs, 4), true);
		break;
	case CALL_SENDTO:
		done->on_socket = true;
		done->op = IO_WRITE;
		if (done->ret >= 0)
			read_peer(&done->peer, argument(regs, 4), true);
		break;
	case CALL_RECVMSG:
		done->on_socket = true;
		peeks(done, argument(regs, 2));
		account_msghdr(thread, done, argument(regs, 1));
		return;
	case CALL_SENDMSG:
		done->on_socket = true;
		done->op = IO_WRITE;
		account_msghdr(thread, done, argument(regs, 1));
		return;
	case CALL_RECVMMSG:
	case CALL_SENDMMSG:
		done->on_socket = true;
		done->op = rule == CALL_RECVMMSG ? IO_READ : IO_WRITE;
		flags = argument(regs, 3);
		if (done->ret > 0) {
			account_batch(thread, done, argument(regs, 1), flags);
			return;
		}
		break;
	case CALL_WRITE:
		done->op = IO_WRITE;
		break;
	case CALL_OPEN:
		if (done->ret < 0)
			return; /* most often it looks whether the file is there */
		done->op = IO_OPEN;
		done->bytes = 0;
		done->file = file_of_fd(task, done->ret);
		break;
	}
	io_finish(thread, done);
}

static __always_inline void call_ends(s64 ret)
{
	struct task_struct *task = current_task();
	struct pt_regs *regs = task_user_regs(task);
	struct thread_state *thread;
	struct io_call *call;
	struct io_done *done;
	u64 nr = USER_REG(regs, orig_ax);
	u32 rule;

	rule = rule_of(nr);
	if (rule == CALL_NONE || in_32bit_syscall(task))
		return;
	thread = io_thread();
	if (!thread)
		return;
	call = &thread->calls[LEVEL_CALL];
	done = &thread->done;
	__builtin_memset(done, 0, sizeof(*done));
	done->now = bpf_ktime_get_ns();
	if (call->enter_ns > calls_since_ns && call->nr == nr) {
		done->ns = done->now > call->enter_ns ? done->now - call->enter_ns : 1;
		done->file = (struct file *)call->file;
	} else {
		/* its beginning was not seen; the call may have closed the descriptor, but most
		 * do not */
		call->arg = 0;
		done->file = file_of_fd(task, (u32)argument(regs, 0));
		call->file = (u64)done->file;
	}
	done->ret = ret;
	done->bytes = ret > 0 ? ret : 0;
	done->op = IO_READ;
	switch (rule) {
	case CALL_CONNECT:
		if (is_socket(done->file))
			socket_connect_ends(thread, done->file, ret, done->now);
		break;
	case CALL_ACCEPT:
		done->on_socket = true;
		io_finish_accept(thread, done, ret < 0 ? NULL : file_of_fd(task, ret));
		break;
	case CALL_LISTEN:
		if (!ret && is_socket(done->file))
			socket_listens(done->file);
		break;
	case CALL_CLOSE:
	case CALL_DUP:
	case CALL_CLOSE_RANGE:
		break; /* accounted when it began */
	case CALL_GETEVENTS:
		account_events(thread, ret, argument(regs, 3));
		break;
	case CALL_SENDFILE:
		account_copy(thread, done, task, argument(regs, 1), argument(regs, 0));
		break;
	case CALL_COPY:
		account_copy(thread, done, task, argument(regs, 0), argument(regs, 2));
		break;
	case CALL_TEE:
		account_copy(thread, done, task, argument(regs, 0), argument(regs, 1));
		break;
	case CALL_MMAP:
	case CALL_MUNMAP:
	case CALL_MREMAP:
	case CALL_BRK:
		account_memory(thread, regs, nr, call->arg, ret);
		break;
	default:
		account_io(thread, task, regs, rule, done);
	}
	call->enter_ns = 0;
}

static __always_inline bool has_file(u32 rule)
{
	return rule < CALL_OPEN;
}

/* A descriptor is about to be closed: by its number, or because another takes its place. */
__noinline int close_descriptor(u32 fd)
{
	struct file *file = file_of_fd(current_task(), fd);

	if (is_socket(file))
		socket_closes(file, bpf_ktime_get_ns());
	return 0;
}

#define CLOSE_RANGE_CLOEXEC 4
#define CLOSE_MAX           1024 /* sockets of larger numbers end when the recording does */

static __always_inline void close_descriptors(struct pt_regs *regs)
{
	u32 first = argument(regs, 0), last = argument(regs, 1);

	if (argument(regs, 2) & CLOSE_RANGE_CLOEXEC || last < first)
		return;
	for (u32 i = 0; i < CLOSE_MAX; i++) {
		if (i > last - first)
			break;
		close_descriptor(first + i);
	}
}

static __always_inline void call_begins(u64 nr)
{
	u32 rule = rule_of(nr);
	struct thread_state *thread;
	struct task_struct *task;
	struct pt_regs *regs;
	struct io_call *call;
	struct file *file = NULL;

	if (rule == CALL_NONE)
		return;
	thread = io_thread();
	if (!thread)
		return;
	task = current_task();
	if (in_32bit_syscall(task))
		return;
	call = &thread->calls[LEVEL_CALL];
	call->nr = nr;
	call->arg = 0;
	call->enter_ns = bpf_ktime_get_ns();
	if (has_file(rule))
		file = file_of_fd(task, (u32)argument(task_user_regs(task), 0));
	call->file = (u64)file;
	if (rule == CALL_CONNECT) {
		if (is_socket(file))
			socket_connect_begins(thread, file, call->enter_ns);
	} else if (rule == CALL_CLOSE) {
		if (is_socket(file))
			socket_closes(file, call->enter_ns);
	} else if (rule == CALL_DUP) {
		regs = task_user_regs(task);
		if (file && argument(regs, 0) != argument(regs, 1))
			close_descriptor(argument(regs, 1));
	} else if (rule == CALL_CLOSE_RANGE) {
		close_descriptors(task_user_regs(task));
	} else if (rule == CALL_BRK) {
		call->arg = BPF_CORE_READ(task, mm, brk);
	}
}

/* Behind all that a program calls; the kernel's own, by which its return probes come back (6.11), are
 * made as often as a target allocates. They leave with no number at all. */
#define NR_URETPROBE 335
#define NR_UPROBE    336

static __always_inline bool is_probes_own(u64 nr)
{
	return nr == NR_URETPROBE || nr == NR_UPROBE || (s64)nr < 0;
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	if (!is_probes_own(nr) && armed == ARMED_ALL && is_target(bpf_get_current_pid_tgid() >> 32))
		call_begins(nr);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	if (!is_probes_own(regs->orig_ax) && armed == ARMED_ALL &&
	    is_target(bpf_get_current_pid_tgid() >> 32))
		call_ends(ret);
	return 0;
}

/* The same by the classic tracepoints, should the others be refused. */
SEC("?tracepoint/raw_syscalls/sys_enter")
int sys_enter_classic(struct trace_event_raw_sys_enter *ctx)
{
	if (armed == ARMED_ALL && is_target(bpf_get_current_pid_tgid() >> 32))
		call_begins(ctx->id);
	return 0;
}

SEC("?tracepoint/raw_syscalls/sys_exit")
int sys_exit_classic(struct trace_event_raw_sys_exit *ctx)
{
	if (armed == ARMED_ALL && is_target(bpf_get_current_pid_tgid() >> 32))
		call_ends(ctx->ret);
	return 0;
}
