/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting one finished operation on a file or a socket: to the innermost frame's counters, and to
 * the table of uses by (task, object, operation). Implemented in io.bpf.c (files) and net.bpf.c
 * (sockets); spoken by the sources: syscall.bpf.c and kernel.bpf.c.
 */
#ifndef IO_BPF_H
#define IO_BPF_H

#include "core.bpf.h"

#define AF_INET_  2
#define AF_INET6_ 10

#define MSG_PEEK_   2
#define FMODE_WRITE 2

/* As the kernel does: what can be written to is written to. */
static __always_inline u32 vmsplice_op(struct file *file)
{
	return BPF_CORE_READ(file, f_mode) & FMODE_WRITE ? IO_WRITE : IO_READ;
}

/* Values that a system call or a kernel function ends with. */
#define EINTR_        4
#define EEXIST_       17
#define EAGAIN_       11
#define EALREADY_     114
#define EINPROGRESS_  115
#define ERESTARTSYS_  512 /* up to 516: begun anew, or turned into EINTR */
#define ERESTART_LAST 516

/* Of no effect, and no failure. */
static __always_inline bool is_again(s64 ret)
{
	return ret == -EAGAIN_ || ret == -EINTR_ || ret == -EINPROGRESS_ || ret == -EALREADY_ ||
	       (ret <= -ERESTARTSYS_ && ret >= -ERESTART_LAST);
}

/* A pointer that the verifier knows the type of is no number to it; one that was read is. */
static __always_inline u64 as_number(const void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

enum use_outcome { USE_DONE, USE_FAILED, USE_AGAIN };

static __always_inline u32 outcome_of(s64 ret)
{
	if (ret >= 0)
		return USE_DONE;
	return is_again(ret) ? USE_AGAIN : USE_FAILED;
}

#define S_IFMT   0170000
#define S_IFSOCK 0140000
#define S_IFREG  0100000
#define S_IFBLK  0060000
#define S_IFDIR  0040000
#define S_IFCHR  0020000
#define S_IFIFO  0010000

static __always_inline u32 file_type(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;
}

static __always_inline bool is_socket(struct file *file)
{
	return file && file_type(file) == S_IFSOCK;
}

/* The open file of a descriptor of `task`, or NULL. */
static __always_inline struct file *file_of_fd(struct task_struct *task, u64 fd)
{
	struct file *file = NULL, **slot;
	struct fdtable *table;
	u32 cnt;

	/* a load where the pointer's type is known, a call where it is not */
	if (cfg.has_task_storage) {
		table = task->files->fdt;
		cnt = table->max_fds;
		slot = table->fd;
	} else {
		table = BPF_CORE_READ(task, files, fdt);
		cnt = BPF_CORE_READ(table, max_fds);
		slot = BPF_CORE_READ(table, fd);
	}
	if (fd >= cnt)
		return NULL;
	slot += fd;
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file;
}

/* The state of the current thread when its IO is to be accounted now, or NULL. */
static __always_inline struct thread_state *io_thread(void)
{
	if (armed != ARMED_ALL || !is_target(bpf_get_current_pid_tgid() >> 32))
		return NULL;
	return thread_expect(current_task());
}

static __always_inline bool is_storage(u32 type)
{
	return type == S_IFREG || type == S_IFBLK || type == S_IFDIR;
}

/*
 * io.bpf.c. Accounts one operation on whatever done->file is: a file, or a socket of any family. An
 * int, or what is left in its register may be refused: a pointer into the stack.
 */
__hidden int io_finish(struct thread_state *thread, struct io_done *done);
/* Bytes that went from done->file to another one: read there, written here. */
__hidden int io_finish_copy(struct thread_state *thread, struct io_done *done, struct file *out);
/* The end of accept() on done->file. */
__hidden int io_finish_accept(struct thread_state *thread, struct io_done *done,
			      struct file *accepted);
/*
 * One more entry of the distribution (task, object, operation). These functions take numbers only
 * and are not hidden, so that the verifier looks at each of them once instead of at every place that
 * it is called from; 5.10 takes no pointers there.
 */
int use_add(u64 task, u64 object, u64 what, u64 ns, u64 bytes); /* 1: the first one of its kind */
#define USE(op, outcome)           USE_MANY(op, outcome, 1)
#define USE_MANY(op, outcome, cnt) ((u64)(op) | (u64)(outcome) << 8 | (u64)(cnt) << 16)
__hidden void gauge_add(u32 gauge, s64 val);

/* syscall.bpf.c: results of the kernel's own asynchronous IO that a program has fetched. */
__hidden int account_events(struct thread_state *thread, s64 cnt, u64 vec);

/* net.bpf.c */
__hidden int socket_finish(struct thread_state *thread, struct io_done *done);
/* The address of a datagram's other end: struct sockaddr_in and sockaddr_in6. */
__hidden int read_peer(struct io_peer *peer, u64 name, bool from_user);
/* connect() begins: the connection may be established, or refused, before it returns. */
__hidden void socket_connect_begins(struct thread_state *thread, struct file *file, u64 now);
__hidden void socket_connect_ends(struct thread_state *thread, struct file *file, s64 ret, u64 now);
__hidden void socket_accepted(struct thread_state *thread, struct file *file, u64 now);
__hidden void socket_listens(struct file *file);
__hidden void socket_closes(struct file *file, u64 now);
/* Data lies ready in its receive queue. */
__hidden void socket_data_ready(struct sock *sk);

/* A new id for an object; by the thread's own context, like those of tasks. */
static __always_inline u64 object_id(struct thread_state *thread)
{
	return (u64)thread->tid << 32 | thread->seq++;
}

#endif
