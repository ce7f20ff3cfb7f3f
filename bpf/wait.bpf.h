/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why does a thread sleep? Answered at the moment it leaves the CPU, from the registers that it
 * entered the kernel with: a table says what each system call waits for, descriptors are looked at
 * for read and write, and a futex by the words around it (facts: DESIGN.md, "Waits"). x86-64's
 * system call numbers; another architecture gets a table of its own.
 */
#ifndef WAIT_BPF_H
#define WAIT_BPF_H

#include <asm/unistd.h>
#include "core.bpf.h"
#include "compat.bpf.h"
#include "io.bpf.h"

/* Rules beyond a fixed cause. */
enum wait_rule {
	WAIT_BY_FD = 64, /* what the descriptor in the first argument is */
	WAIT_BY_FUTEX,
	WAIT_BY_FCNTL,
	WAIT_BY_TIMEOUT, /* poll and select without descriptors are sleeps */
};

#define SYSCALL_MAX 512

/* Missing: CAUSE_OTHER, unless the kernel says itself that it waits for IO: open, stat and the like
 * wait for locks in memory as often. */
static const u8 wait_table[SYSCALL_MAX] = {
	[__NR_read] = WAIT_BY_FD,
	[__NR_write] = WAIT_BY_FD,
	[__NR_pread64] = WAIT_BY_FD,
	[__NR_pwrite64] = WAIT_BY_FD,
	[__NR_readv] = WAIT_BY_FD,
	[__NR_writev] = WAIT_BY_FD,
	[__NR_preadv] = WAIT_BY_FD,
	[__NR_pwritev] = WAIT_BY_FD,
	[__NR_preadv2] = WAIT_BY_FD,
	[__NR_pwritev2] = WAIT_BY_FD,
	[__NR_sendfile] = WAIT_BY_FD,
	[__NR_splice] = WAIT_BY_FD,
	[__NR_tee] = WAIT_BY_FD,
	[__NR_vmsplice] = WAIT_BY_FD,
	[__NR_ioctl] = WAIT_BY_FD,
	[__NR_close] = WAIT_BY_FD,
	[__NR_recvfrom] = CAUSE_NET,
	[__NR_recvmsg] = CAUSE_NET,
	[__NR_recvmmsg] = CAUSE_NET,
	[__NR_sendto] = CAUSE_NET,
	[__NR_sendmsg] = CAUSE_NET,
	[__NR_sendmmsg] = CAUSE_NET,
	[__NR_connect] = CAUSE_NET,
	[__NR_accept] = CAUSE_NET,
	[__NR_accept4] = CAUSE_NET,
	[__NR_shutdown] = CAUSE_NET,
	[__NR_fsync] = CAUSE_DISK,
	[__NR_fdatasync] = CAUSE_DISK,
	[__NR_sync] = CAUSE_DISK,
	[__NR_syncfs] = CAUSE_DISK,
	[__NR_sync_file_range] = CAUSE_DISK,
	[__NR_msync] = CAUSE_DISK,
	[__NR_fallocate] = CAUSE_DISK,
	[__NR_ftruncate] = CAUSE_DISK,
	[__NR_truncate] = CAUSE_DISK,
	[__NR_copy_file_range] = CAUSE_DISK,
	[__NR_readahead] = CAUSE_DISK,
	[__NR_rename] = CAUSE_DISK,
	[__NR_renameat] = CAUSE_DISK,
	[__NR_renameat2] = CAUSE_DISK,
	[__NR_unlink] = CAUSE_DISK,
	[__NR_unlinkat] = CAUSE_DISK,
	[__NR_mkdir] = CAUSE_DISK,
	[__NR_mkdirat] = CAUSE_DISK,
	[__NR_rmdir] = CAUSE_DISK,
	[__NR_link] = CAUSE_DISK,
	[__NR_linkat] = CAUSE_DISK,
	[__NR_symlink] = CAUSE_DISK,
	[__NR_symlinkat] = CAUSE_DISK,
	[__NR_io_getevents] = CAUSE_DISK,
	[__NR_io_pgetevents] = CAUSE_DISK,
	[__NR_flock] = CAUSE_LOCK,
	[__NR_fcntl] = WAIT_BY_FCNTL,
	[__NR_futex] = WAIT_BY_FUTEX,
	[__NR_nanosleep] = CAUSE_TIMER,
	[__NR_clock_nanosleep] = CAUSE_TIMER,
	[__NR_poll] = WAIT_BY_TIMEOUT,
	[__NR_ppoll] = WAIT_BY_TIMEOUT,
	[__NR_select] = WAIT_BY_TIMEOUT,
	[__NR_pselect6] = WAIT_BY_TIMEOUT,
	[__NR_epoll_wait] = CAUSE_IDLE,
	[__NR_epoll_pwait] = CAUSE_IDLE,
	[441 /* epoll_pwait2 */] = CAUSE_IDLE,
	[426 /* io_uring_enter */] = CAUSE_IDLE,
	[__NR_pause] = CAUSE_IDLE,
	[__NR_rt_sigtimedwait] = CAUSE_IDLE,
	[__NR_rt_sigsuspend] = CAUSE_IDLE,
};

/* Whose memory can be read: the current task's, another one's by sleeping (seeding), or none's. */
enum user_memory {
	READ_CURRENT,
	READ_REMOTE,
	READ_NONE,
};

static __always_inline long read_user(void *dst, u32 sz, u64 addr, struct task_struct *task,
				      enum user_memory memory)
{
	if (memory == READ_NONE)
		return -1;
	if (memory == READ_REMOTE)
		return bpf_copy_from_user_task(dst, sz, (const void *)addr, task, 0);
	return bpf_probe_read_user(dst, sz, (const void *)addr);
}

static __always_inline u32 cause_of_fd(struct task_struct *task, u64 fd)
{
	struct file *file = file_of_fd(task, fd);
	char name[8] = {};

	if (!file)
		return CAUSE_OTHER;
	switch (file_type(file)) {
	case S_IFSOCK:
		return CAUSE_NET;
	case S_IFREG:
	case S_IFBLK:
	case S_IFDIR:
		return CAUSE_DISK;
	}
	/* anonymous inodes have their kind as the name: "[timerfd]" */
	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (name[0] == '[' && name[1] == 't' && name[2] == 'i' && name[3] == 'm')
		return CAUSE_TIMER;
	if (name[0] == '[' && name[1] == 'e' && name[2] == 'v')
		return CAUSE_IDLE; /* [eventfd], [eventpoll] */
	return CAUSE_OTHER; /* a pipe, a terminal: somebody else's turn */
}

/* The longest of glibc's structures, and how far before a futex word one may begin. */
#define FUTEX_BACK       48
#define FUTEX_AHEAD      48
#define WORD(words, off) ((words)[(FUTEX_BACK + (off)) / 4])

#define FUTEX_WAIT            0
#define FUTEX_LOCK_PI         6
#define FUTEX_WAIT_BITSET     9
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_LOCK_PI2        13
#define FUTEX_CMD             0x7f
#define FUTEX_PRIVATE         0x80
#define TID_MAX               4194304

/* glibc's pthread_mutex_t: word 2 = locked with waiters, owner at +8, users at +12, kind at +16. */
static __always_inline bool is_mutex(const u32 *words)
{
	u32 owner = WORD(words, 8), users = WORD(words, 12), kind = WORD(words, 16);

	return owner && owner <= TID_MAX && users && users <= TID_MAX && !(kind & ~0x3ff);
}

/* glibc's pthread_rwlock_t: readers +0 (count << 3, bits 0 and 1: held by or handed to a writer),
 * writers +4, wrphase_futex +8, writers_futex +12, cur_writer +24. `off` is where in it the waiter
 * waits. */
static __always_inline bool is_rwlock(const u32 *words, int off)
{
	u32 readers = WORD(words, 0 - off), writer = WORD(words, 24 - off);

	if (writer)
		return writer <= TID_MAX && readers;
	return readers && readers >> 3 <= TID_MAX;
}

/* glibc's pthread_rwlock_t that prefers writers: a reader behind a waiting writer waits on the word of
 * the readers itself. Its low bits: write phase (not yet), a writer has locked, readers wait. */
static __always_inline bool is_rwlock_queue(const u32 *words, u32 val)
{
	u32 phase = WORD(words, 8), writers = WORD(words, 12);

	return (val & 7) == 6 && val >> 3 && val >> 3 <= TID_MAX && val == WORD(words, 0) &&
	       phase <= 3 && writers && writers <= 3 && !WORD(words, 24);
}

/* glibc's pthread_barrier_t, around the round that is waited for: arrived -4, threads +4, shared +8. */
static __always_inline bool is_barrier(const u32 *words)
{
	u32 arrived = WORD(words, -4) - WORD(words, 0), cnt = WORD(words, 4);

	return arrived && arrived <= cnt && cnt <= TID_MAX && !(WORD(words, 8) & ~FUTEX_PRIVATE);
}

/* glibc's pthread_cond_t: signals at +40 and +44, references to the groups at +16 and +20, waiter
 * count << 3 at +36. */
static __always_inline bool is_condition(const u32 *words, int off)
{
	u32 refs = WORD(words, 36 - off) >> 3,
	    group_refs = WORD(words, (off == 40 ? 16 : 20) - off);

	return refs && refs <= TID_MAX && group_refs >> 1 && group_refs >> 1 <= TID_MAX;
}

#define RUST_LOCK_WAITERS 0xc0000000 /* std's RwLock: readers or writers wait */
#define RUST_LOCK_COUNT   0x3fffffff

/*
 * Lock only when it surely is one; a condition variable, a parked worker and a join are idle;
 * unclear is other.
 */
static __always_inline u32 cause_of_futex(u64 addr, u32 op, u32 val, struct task_struct *task,
					  enum user_memory memory)
{
	u32 words[(FUTEX_BACK + FUTEX_AHEAD) / 4];
	u32 cmd = op & FUTEX_CMD;

	if (cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2)
		return CAUSE_LOCK;
	if (cmd == FUTEX_WAIT_REQUEUE_PI)
		return CAUSE_IDLE;
	if (cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET)
		return CAUSE_OTHER;
	if (cmd == FUTEX_WAIT_BITSET && val == (u32)-1)
		return CAUSE_IDLE; /* Rust's thread::park */
	if (read_user(words, sizeof(words), addr - FUTEX_BACK, task, memory)) {
		/* a neighbour page may be missing; the words from the futex on are enough for most */
		__builtin_memset(words, 0, sizeof(words));
		read_user(&words[FUTEX_BACK / 4], FUTEX_AHEAD / 2, addr, task, memory);
	}
	if (cmd == FUTEX_WAIT && is_barrier(words))
		return CAUSE_OTHER;
	if (val == 2 && is_mutex(words))
		return CAUSE_LOCK;
	if ((val == 2 || val == 3) && (is_rwlock(words, 8) || is_rwlock(words, 12)))
		return CAUSE_LOCK;
	if (is_rwlock_queue(words, val))
		return CAUSE_LOCK;
	/* glibc's internal locks (malloc arenas, stdio) are a bare word: 2 = locked, with waiters */
	if (cmd == FUTEX_WAIT && val == 2 && op & FUTEX_PRIVATE)
		return CAUSE_LOCK;
	if (val & RUST_LOCK_WAITERS && val & RUST_LOCK_COUNT && val == WORD(words, 0))
		return CAUSE_LOCK;
	/* a wait for a thread's end is on its tid, which the kernel clears: never private */
	if (!(op & FUTEX_PRIVATE) && val > 2 && val <= TID_MAX)
		return CAUSE_IDLE;
	if (!val && (is_condition(words, 40) || is_condition(words, 44)))
		return CAUSE_IDLE;
	return CAUSE_OTHER;
}

#define F_SETLKW     7
#define F_OFD_SETLKW 38

/* A function of its own: its stack must not add to that of what emits slices. */
static __noinline u32 cause_of_wait(struct task_struct *task, enum user_memory memory)
{
	struct pt_regs *saved = task_user_regs(task);
	u64 nr = 0, arg0 = 0, arg1 = 0, arg2 = 0;
	bool iowait = BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait);
	u32 rule;

	bpf_probe_read_kernel(&nr, sizeof(nr), &saved->orig_ax);
	if (in_32bit_syscall(task))
		nr = SYSCALL_MAX;
	/* -1: not a system call but a fault, of a page that is being read or of a busy mm */
	rule = nr < SYSCALL_MAX ? wait_table[BOUND(nr, SYSCALL_MAX)] : 0;
	/* io_uring_enter counts as iowait although it is a loop that waits for work */
	if (rule == CAUSE_IDLE)
		return CAUSE_IDLE;
	if (iowait)
		return CAUSE_DISK;
	if (rule && rule < WAIT_BY_FD)
		return rule;
	bpf_probe_read_kernel(&arg0, sizeof(arg0), &saved->di);
	bpf_probe_read_kernel(&arg1, sizeof(arg1), &saved->si);
	switch (rule) {
	case WAIT_BY_FD:
		return cause_of_fd(task, (u32)arg0); /* an int: the upper half is anything */
	case WAIT_BY_FUTEX:
		bpf_probe_read_kernel(&arg2, sizeof(arg2), &saved->dx);
		return cause_of_futex(arg0, arg1, arg2, task, memory);
	case WAIT_BY_FCNTL:
		return arg1 == F_SETLKW || arg1 == F_OFD_SETLKW ? CAUSE_LOCK : CAUSE_OTHER;
	case WAIT_BY_TIMEOUT:
		/* poll(fds, nfds), select(nfds, ...): nothing to wait for means a sleep */
		return (nr == __NR_poll || nr == __NR_ppoll ? arg1 : arg0) ? CAUSE_IDLE
									   : CAUSE_TIMER;
	}
	return CAUSE_OTHER;
}

#endif
