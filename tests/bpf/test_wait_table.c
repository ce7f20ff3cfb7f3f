/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of waits, every row: a child of this test is stopped at a system call, its registers
 * are made to name each call in turn, and the iterator is asked why it waits. What each call waits
 * for is said here anew, by glibc's names of the calls.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "run.h"
#include "tests/wait_run.skel.h"

#define NR_MAX 512

/* By the arguments, tested apart; 0 = other. */
#define BY_ARGS 99

static const uint8_t expected[NR_MAX] = {
	/* for a peer */
	[SYS_recvfrom] = CAUSE_NET,
	[SYS_recvmsg] = CAUSE_NET,
	[SYS_recvmmsg] = CAUSE_NET,
	[SYS_sendto] = CAUSE_NET,
	[SYS_sendmsg] = CAUSE_NET,
	[SYS_sendmmsg] = CAUSE_NET,
	[SYS_connect] = CAUSE_NET,
	[SYS_accept] = CAUSE_NET,
	[SYS_accept4] = CAUSE_NET,
	[SYS_shutdown] = CAUSE_NET,
	/* for a device */
	[SYS_fsync] = CAUSE_DISK,
	[SYS_fdatasync] = CAUSE_DISK,
	[SYS_sync] = CAUSE_DISK,
	[SYS_syncfs] = CAUSE_DISK,
	[SYS_sync_file_range] = CAUSE_DISK,
	[SYS_msync] = CAUSE_DISK,
	[SYS_fallocate] = CAUSE_DISK,
	[SYS_truncate] = CAUSE_DISK,
	[SYS_ftruncate] = CAUSE_DISK,
	[SYS_copy_file_range] = CAUSE_DISK,
	[SYS_readahead] = CAUSE_DISK,
	[SYS_rename] = CAUSE_DISK,
	[SYS_renameat] = CAUSE_DISK,
	[SYS_renameat2] = CAUSE_DISK,
	[SYS_unlink] = CAUSE_DISK,
	[SYS_unlinkat] = CAUSE_DISK,
	[SYS_mkdir] = CAUSE_DISK,
	[SYS_mkdirat] = CAUSE_DISK,
	[SYS_rmdir] = CAUSE_DISK,
	[SYS_link] = CAUSE_DISK,
	[SYS_linkat] = CAUSE_DISK,
	[SYS_symlink] = CAUSE_DISK,
	[SYS_symlinkat] = CAUSE_DISK,
	[SYS_io_getevents] = CAUSE_DISK,
	[SYS_io_pgetevents] = CAUSE_DISK,
	/* for others, for time, for work */
	[SYS_flock] = CAUSE_LOCK,
	[SYS_nanosleep] = CAUSE_TIMER,
	[SYS_clock_nanosleep] = CAUSE_TIMER,
	[SYS_epoll_wait] = CAUSE_IDLE,
	[SYS_epoll_pwait] = CAUSE_IDLE,
	[SYS_epoll_pwait2] = CAUSE_IDLE,
	[SYS_io_uring_enter] = CAUSE_IDLE,
	[SYS_pause] = CAUSE_IDLE,
	[SYS_rt_sigtimedwait] = CAUSE_IDLE,
	[SYS_rt_sigsuspend] = CAUSE_IDLE,
	/* it depends */
	[SYS_read] = BY_ARGS,
	[SYS_write] = BY_ARGS,
	[SYS_pread64] = BY_ARGS,
	[SYS_pwrite64] = BY_ARGS,
	[SYS_readv] = BY_ARGS,
	[SYS_writev] = BY_ARGS,
	[SYS_preadv] = BY_ARGS,
	[SYS_pwritev] = BY_ARGS,
	[SYS_preadv2] = BY_ARGS,
	[SYS_pwritev2] = BY_ARGS,
	[SYS_sendfile] = BY_ARGS,
	[SYS_splice] = BY_ARGS,
	[SYS_tee] = BY_ARGS,
	[SYS_vmsplice] = BY_ARGS,
	[SYS_ioctl] = BY_ARGS,
	[SYS_close] = BY_ARGS,
	[SYS_fcntl] = BY_ARGS,
	[SYS_futex] = BY_ARGS,
	[SYS_poll] = BY_ARGS,
	[SYS_ppoll] = BY_ARGS,
	[SYS_select] = BY_ARGS,
	[SYS_pselect6] = BY_ARGS,
};

static const long calls_by_fd[] = {
	SYS_read,   SYS_write,    SYS_pread64, SYS_pwrite64, SYS_readv,    SYS_writev,
	SYS_preadv, SYS_pwritev,  SYS_preadv2, SYS_pwritev2, SYS_sendfile, SYS_splice,
	SYS_tee,    SYS_vmsplice, SYS_ioctl,   SYS_close,
};

static struct wait_run *skel;
static pid_t child;
static struct user_regs_struct regs;

/* Why does the child wait, if it was stopped in this call? */
static uint32_t ask(uint64_t nr, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	uint32_t tid = (uint32_t)child, cause = 0;

	regs.orig_rax = nr;
	regs.rdi = arg0;
	regs.rsi = arg1;
	regs.rdx = arg2;
	if (ptrace(PTRACE_SETREGS, child, NULL, &regs))
		return 0;
	bpf_map_delete_elem(bpf_map__fd(skel->maps.by_walk), &tid);
	if (walk_tasks(skel->progs.walk))
		return 0;
	bpf_map_lookup_elem(bpf_map__fd(skel->maps.by_walk), &tid, &cause);
	return cause;
}

static void check(uint32_t is, uint32_t should, const char *what)
{
	ok(is == should, "%s: %s", what, cause_name(should));
	if (is != should)
		note("was: %s", cause_name(is));
}

static void test_every_call(void)
{
	for (unsigned int nr = 0; nr < NR_MAX; nr++) {
		uint32_t should = expected[nr] ? expected[nr] : CAUSE_OTHER, is;

		if (expected[nr] == BY_ARGS)
			continue;
		is = ask(nr, 0, 0, 0);
		if (expected[nr] || is != should) {
			ok(is == should, "system call %u waits for: %s", nr, cause_name(should));
			if (is != should)
				note("was: %s", cause_name(is));
		}
	}
	check(ask((uint64_t)-1, 0, 0, 0), CAUSE_OTHER, "no system call");
	check(ask(NR_MAX, 0, 0, 0), CAUSE_OTHER, "a number beyond the table");
	check(ask(UINT64_MAX / 2, 0, 0, 0), CAUSE_OTHER, "a number far beyond it");
}

struct fd_case {
	const char *what;
	int fd;
	uint32_t cause;
};

static void test_fd(const struct fd_case *fd_case)
{
	unsigned int wrong = 0;

	if (!ok(fd_case->fd >= 0, "there is %s", fd_case->what))
		return;
	for (size_t i = 0; i < sizeof(calls_by_fd) / sizeof(calls_by_fd[0]); i++) {
		uint32_t is = ask((uint64_t)calls_by_fd[i], (uint64_t)fd_case->fd, 0, 0);

		if (is == fd_case->cause)
			continue;
		wrong++;
		note("system call %ld: %s", calls_by_fd[i], cause_name(is));
	}
	ok(!wrong, "read, write and the like on %s: %s", fd_case->what, cause_name(fd_case->cause));
}

/* The descriptors of the child are those of this process at the fork. */
static struct fd_case fd_cases[16];

static size_t open_fds(void)
{
	int pipe_fds[2], pair[2];
	sigset_t set;
	size_t cnt = 0;

	sigemptyset(&set);
	if (pipe(pipe_fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
#define ADD(...) fd_cases[cnt++] = (struct fd_case){__VA_ARGS__}
	ADD("a unix socket", pair[0], CAUSE_NET);
	ADD("a tcp socket", socket(AF_INET, SOCK_STREAM, 0), CAUSE_NET);
	ADD("a regular file", open("/proc/self/exe", O_RDONLY), CAUSE_DISK);
	ADD("a memory file", memfd_create("test", 0), CAUSE_DISK);
	ADD("a directory", open("/", O_RDONLY | O_DIRECTORY), CAUSE_DISK);
	ADD("a timerfd", timerfd_create(CLOCK_MONOTONIC, 0), CAUSE_TIMER);
	ADD("an eventfd", eventfd(0, 0), CAUSE_IDLE);
	ADD("an epoll descriptor", epoll_create1(0), CAUSE_IDLE);
	ADD("a pipe", pipe_fds[0], CAUSE_OTHER);
	ADD("a terminal", posix_openpt(O_RDWR | O_NOCTTY), CAUSE_OTHER);
	ADD("a character device", open("/dev/null", O_RDWR), CAUSE_OTHER);
	ADD("an inotify descriptor", inotify_init1(0), CAUSE_OTHER);
	ADD("a signalfd", signalfd(-1, &set, 0), CAUSE_OTHER);
	ADD("a descriptor that is closed", 199, CAUSE_OTHER);
	ADD("a descriptor beyond the table", 1 << 30, CAUSE_OTHER);
#undef ADD
	return cnt;
}

static void test_arguments(void)
{
	struct fd_case *sock = &fd_cases[0];

	check(ask(SYS_read, 1ULL << 32 | (uint64_t)sock->fd, 0, 0), CAUSE_NET,
	      "only the low half of a descriptor's register counts");
	check(ask(SYS_read, (uint64_t)-1, 0, 0), CAUSE_OTHER, "read(-1)");
	check(ask(SYS_fcntl, 0, F_SETLKW, 0), CAUSE_LOCK, "fcntl(F_SETLKW)");
	check(ask(SYS_fcntl, 0, F_OFD_SETLKW, 0), CAUSE_LOCK, "fcntl(F_OFD_SETLKW)");
	check(ask(SYS_fcntl, 0, F_SETLK, 0), CAUSE_OTHER, "fcntl(F_SETLK)");
	check(ask(SYS_fcntl, 0, F_GETFL, 0), CAUSE_OTHER, "fcntl(F_GETFL)");
	check(ask(SYS_poll, 4096, 1, 0), CAUSE_IDLE, "poll() of one descriptor");
	check(ask(SYS_poll, 4096, 0, 0), CAUSE_TIMER, "poll() of none");
	check(ask(SYS_ppoll, 4096, 1, 0), CAUSE_IDLE, "ppoll() of one descriptor");
	check(ask(SYS_ppoll, 4096, 0, 0), CAUSE_TIMER, "ppoll() of none");
	check(ask(SYS_select, 1, 0, 0), CAUSE_IDLE, "select() of one descriptor");
	check(ask(SYS_select, 0, 4096, 0), CAUSE_TIMER, "select() of none");
	check(ask(SYS_pselect6, 1, 0, 0), CAUSE_IDLE, "pselect6() of one descriptor");
	check(ask(SYS_pselect6, 0, 4096, 0), CAUSE_TIMER, "pselect6() of none");
	/* the words are the other tests' matter; here only that the registers get there */
	check(ask(SYS_futex, 4096, 6, 0), CAUSE_LOCK, "futex(FUTEX_LOCK_PI)");
	check(ask(SYS_futex, 4096, 9 | 128, UINT32_MAX), CAUSE_IDLE, "futex: a parked Rust thread");
	check(ask(SYS_futex, 4096, 128, 0), CAUSE_OTHER, "futex: an unmapped word");
}

/* Stops a child at the entry of a harmless system call. */
static int start_child(void)
{
	int status;

	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		syscall(SYS_getppid);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_EXITKILL);
	if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) || waitpid(child, &status, 0) != child)
		return -1;
	return ptrace(PTRACE_GETREGS, child, NULL, &regs) ? -1 : 0;
}

int main(void)
{
	size_t fd_cnt;

	libbpf_set_print(print_warnings);
	skel = wait_run__open();
	if (!ok(skel != NULL, "the object opens"))
		return tap_done();
	configure(&skel->rodata->cfg, 0, 4096);
	if (!ok(!wait_run__load(skel), "the object loads"))
		return tap_done();
	fd_cnt = open_fds();
	if (!ok(fd_cnt && !start_child(), "a child stops at a system call"))
		return tap_done();
	skel->bss->want_tgid = (uint32_t)child;
	test_every_call();
	for (size_t i = 0; i < fd_cnt; i++)
		test_fd(&fd_cases[i]);
	test_arguments();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	wait_run__destroy(skel);
	return tap_done();
}
