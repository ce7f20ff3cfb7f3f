/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocates all the time under a filter of system calls such as containers run with, and says how often
 * it did: it must be alive after it was recorded. Run by tests/live/heap_safety.t.
 *
 *   heap_seccomp [--wait] deny|allow|kill
 *
 *   deny    a list of calls is refused, all others pass
 *   allow   all but a list are refused (EPERM): what container runtimes do by default
 *   kill    all but a list end the process: so does a call that a uretprobe's trampoline makes
 */
#include "heap_books.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static const int denied[] = {
	SYS_acct,
	SYS_add_key,
	SYS_bpf,
	SYS_delete_module,
	SYS_finit_module,
	SYS_init_module,
	SYS_kexec_load,
	SYS_keyctl,
	SYS_mount,
	SYS_open_by_handle_at,
	SYS_perf_event_open,
	SYS_pivot_root,
	SYS_ptrace,
	SYS_reboot,
	SYS_request_key,
	SYS_setns,
	SYS_swapoff,
	SYS_swapon,
	SYS_umount2,
	SYS_unshare,
	SYS_userfaultfd,
};

static const int allowed[] = {
	SYS_read,
	SYS_write,
	SYS_close,
	SYS_fstat,
	SYS_mmap,
	SYS_mprotect,
	SYS_munmap,
	SYS_brk,
	SYS_madvise,
	SYS_mremap,
	SYS_futex,
	SYS_ppoll,
	SYS_clock_nanosleep,
	SYS_exit,
	SYS_exit_group,
	SYS_clock_gettime,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigtimedwait,
	SYS_gettid,
	SYS_getpid,
	SYS_sched_yield,
	SYS_restart_syscall,
	SYS_tgkill,
	SYS_sched_getaffinity,
	SYS_openat,
	SYS_set_robust_list,
	SYS_newfstatat,
};

/* What a process may be asked for that is confined so; 335 is uretprobe(2), 336 uprobe(2). */
static const struct filter {
	const char *name;
	const int *calls;
	size_t cnt;
	uint32_t listed, others;
} filters[] = {
	{"deny", denied, ARRAY_CNT(denied), SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW},
	{"allow", allowed, ARRAY_CNT(allowed), SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM},
	{"kill", allowed, ARRAY_CNT(allowed), SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS},
};

#define MAX_CALLS 64

static void confine(const struct filter *filter)
{
	struct sock_filter code[MAX_CALLS + 8];
	struct sock_fprog prog = {.filter = code};
	size_t cnt = 0;

	code[cnt++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, arch));
	code[cnt++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[cnt++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[cnt++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < filter->cnt; i++)
		code[cnt++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   (uint32_t)filter->calls[i],
							   (uint8_t)(filter->cnt - i), 0);
	code[cnt++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, filter->others);
	code[cnt++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, filter->listed);
	prog.len = (unsigned short)cnt;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog))
		die("seccomp");
}

/* For a second, at a rate that is no burden. */
static void run_confined(struct book *book)
{
	uint64_t end = mono_ns() + NS_PER_SEC;

	for (int i = 0; mono_ns() < end; i++) {
		size_t sz = heap_sz(50 + (size_t)(i % 500));
		void *block = i % 2 ? MALLOC(book, sz) : CALLOC(book, heap_sz(1), sz);
		void *aligned = POSIX_MEMALIGN(book, heap_sz(64), sz);

		block = REALLOC(book, book, block, sz, 2 * sz);
		FREE(book, book, block, 2 * sz);
		FREE(book, book, aligned, sz);
		if (i % 64 == 63)
			sleep_ns(NS_PER_MS);
	}
}

static struct book books[] = {
	{.name = "confined", .run = run_confined, .site = "run_confined"},
	{.name = "confined", .run = run_confined, .site = "run_confined"},
};

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	size_t i = 0;

	while (i < ARRAY_CNT(filters) && (argc != 2 || strcmp(argv[1], filters[i].name)))
		i++;
	if (i == ARRAY_CNT(filters)) {
		fprintf(stderr, "usage: heap_seccomp [--wait] deny|allow|kill\n");
		return 2;
	}
	truth_limit(60);
	block_end_signal();
	books_start(books, ARRAY_CNT(books));
	confine(&filters[i]);
	truth_ready(wait);
	books_phase(books, ARRAY_CNT(books), 0);
	for (size_t j = 0; j < ARRAY_CNT(books); j++)
		say_book(&books[j]);
	heap_quiet(wait);
	_exit(0);
}
