/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calibration; see price.h. Everything is attached by the child to itself and ends with it. The
 * programs do nothing: what ours do is measured while they run (live/cost.c).
 */
#include "live/price.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "live/uprobe.h"

#define ROUNDS     5 /* the best counts: what disturbs only makes it longer */
#define CALLS      400
#define CALLS_SLOW 100
#define LIMIT_MS   500
#define PMU        "/sys/bus/event_source/devices/uprobe/"

/* Each begins as a function that a probe is well placed on does: with an instruction that the
 * kernel emulates. They differ, so that they are not made one. */
#define POINT __attribute__((noinline, patchable_function_entry(1)))

POINT static void point_entry(void)
{
	__asm__ volatile("");
}

POINT static void point_return(void)
{
	__asm__ volatile(" ");
}

/* And this one with one that it single-steps. */
__attribute__((noinline)) static void point_slow(void)
{
	long val = 0;

	__asm__ volatile("" : "+r"(val));
}

static void call_syscall(void)
{
	syscall(SYS_getppid);
}

static double time_calls(void (*fn)(void), int calls)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ns, began = mono_ns();

		for (int i = 0; i < calls; i++)
			fn();
		ns = mono_ns() - began;
		best = ns < best ? ns : best;
	}
	return (double)best / calls;
}

/* The offset of our own code in the file that it was mapped from. */
static bool own_offset(void (*fn)(void), uint64_t *off)
{
	unsigned long long start = 0, end, map_off = 0, addr = (uintptr_t)fn;
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx %*s %llx", &start, &end, &map_off) != 3)
			continue;
		found = addr >= start && addr < end;
	}
	fclose(file);
	*off = addr - start + map_off;
	return found;
}

/* A program that does nothing. It has no stack, so the guard of facts/stacks.md, finding A, is not for
 * it. */
static int empty_program(enum bpf_prog_type type, int attach_type)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)attach_type);

	return bpf_prog_load(type, "price", "GPL", insns, 2, &opts);
}

static int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int val = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%*[^0-9]%d", &val) != 1) {
		rewind(file);
		if (fscanf(file, "%d", &val) != 1)
			val = -1;
	}
	fclose(file);
	return val;
}

/* What the rungs below uprobe.multi hang on, too. */
static int attach_perf(int prog, uint64_t off, bool at_return)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = read_number(PMU "type"),
		.config = at_return ? 1ULL << read_number(PMU "format/retprobe") : 0,
		.config1 = (uintptr_t) "/proc/self/exe",
		.config2 = off,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) && !ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		return fd;
	close(fd);
	return -EIO;
}

static int probe_prog(enum uprobe_rung rung)
{
	return empty_program(BPF_PROG_TYPE_KPROBE,
			     rung == UPROBE_MULTI ? UPROBE_MULTI_ATTACH_TYPE : 0);
}

/* A probe on ourselves, for as long as we live. */
static bool probe_self(enum uprobe_rung rung, int prog, void (*fn)(void), bool at_return)
{
	uint64_t own;
	__u64 off;
	int fd;

	if (prog < 0 || !own_offset(fn, &own))
		return false;
	off = own;
	fd = rung == UPROBE_MULTI
		     ? uprobe__multi_link(prog, "/proc/self/exe", &off, 1, getpid(), at_return)
		     : attach_perf(prog, off, at_return);
	return fd >= 0;
}

static int64_t difference(double probed, double bare)
{
	return probed > bare ? (int64_t)(probed - bare + 0.5) : 0;
}

static void measure_probes(struct prices *prices, enum uprobe_rung rung)
{
	int prog = probe_prog(rung);
	double bare = time_calls(point_entry, CALLS), entry;

	if (!probe_self(rung, prog, point_entry, false))
		return;
	entry = time_calls(point_entry, CALLS);
	prices->entry_ns = difference(entry, bare);
	if (probe_self(rung, prog, point_slow, false))
		prices->slow_ns = difference(time_calls(point_slow, CALLS_SLOW), bare);
	if (probe_self(rung, prog, point_return, false) &&
	    probe_self(rung, prog, point_return, true))
		prices->return_ns = difference(time_calls(point_return, CALLS), entry);
}

/* Every process of the host pays for these few milliseconds. */
static void measure_syscall(struct prices *prices)
{
	double bare = time_calls(call_syscall, CALLS);
	int prog = empty_program(BPF_PROG_TYPE_RAW_TRACEPOINT, 0);
	int enter, leave;

	if (prog < 0)
		return;
	enter = bpf_raw_tracepoint_open("sys_enter", prog);
	leave = bpf_raw_tracepoint_open("sys_exit", prog);
	if (enter >= 0 && leave >= 0)
		prices->syscall_ns = difference(time_calls(call_syscall, CALLS), bare);
	if (enter >= 0)
		close(enter);
	if (leave >= 0)
		close(leave);
}

/* Lives for LIMIT_MS at most, whatever becomes of the recorder; no Ctrl-C of a terminal ends it early,
 * and it leaves no core (1: nor does one that is piped somewhere). */
static void limit_helper(void)
{
	static const struct itimerval limit = {.it_value = {.tv_usec = LIMIT_MS * 1000}};
	static const struct rlimit no_core = {1, 1};

	signal(SIGALRM, SIG_DFL);
	setitimer(ITIMER_REAL, &limit, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setrlimit(RLIMIT_CORE, &no_core);
}

/*
 * Runs `fn` in a process of its own, and reads what that writes: did it come? Its end is not waited
 * for, because detaching takes the kernel longer than measuring does: it is a grandchild, and so
 * nobody's zombie.
 */
static bool in_helper(void (*fn)(int arg, int out), int arg, void *result, ssize_t sz)
{
	struct pollfd fd;
	int fds[2];
	bool came;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return false;
	pid = fork();
	if (!pid) {
		if (fork())
			_exit(0);
		limit_helper();
		fn(arg, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	fd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	came = poll(&fd, 1, LIMIT_MS) == 1 && read(fds[0], result, sz) == sz;
	close(fds[0]);
	return came;
}

static const struct prices no_prices = {-1, -1, -1, -1};

static void run_measure(int rung, int out)
{
	struct prices prices = no_prices;

	measure_syscall(&prices);
	if (rung < UPROBE_NONE)
		measure_probes(&prices, rung);
	if (write(out, &prices, sizeof(prices)) < 0)
		_exit(1);
}

void prices__measure(struct prices *prices, enum uprobe_rung rung)
{
	uint64_t began = mono_ns();

	if (!in_helper(run_measure, rung, prices, sizeof(*prices)))
		*prices = no_prices;
	log_verbose(
		"prices per hit in ns (-1: not measured): probe %lld, on an instruction that is "
		"single-stepped %lld, at the return %lld more, system call %lld; took %.0f ms",
		(long long)prices->entry_ns, (long long)prices->slow_ns,
		(long long)prices->return_ns, (long long)prices->syscall_ns,
		(mono_ns() - began) / 1e6);
}

/* Lists what is needed to tell and to end, as a container's profile lists what its programs need; all
 * else is answered with `otherwise`. */
static int confine(uint32_t otherwise)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, otherwise),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

static void try_return(enum uprobe_rung rung, uint32_t otherwise, int out)
{
	if (!probe_self(rung, probe_prog(rung), point_return, true) || confine(otherwise))
		return;
	point_return();
	if (write(out, "", 1) < 0)
		_exit(1);
}

static void try_refused(int rung, int out)
{
	try_return(rung, SECCOMP_RET_ERRNO | EPERM, out);
}

static void try_killed(int rung, int out)
{
	try_return(rung, SECCOMP_RET_KILL_PROCESS, out);
}

bool price__return_survives_seccomp(enum uprobe_rung rung)
{
	char lived;

	return rung < UPROBE_NONE && in_helper(try_refused, rung, &lived, 1) &&
	       in_helper(try_killed, rung, &lived, 1);
}
