/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capability tests: each asks the kernel for the thing itself. Used by cmd/check and live/. */
#include "live/features.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "live/caps.h"
#include "live/kernel_hooks.h"
#include "live/perf.h"
#include "live/tracefs.h"
#include "live/uprobe.h"

/* libbpf's own words, for -vv only: whoever knows the remedy prints. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[4096];

	(void)level;
	if (log_level < LOG_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	log_verbose("%s", line);
	return 0;
}

static bool has_helper(enum bpf_prog_type type, enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(type, helper, NULL) == 1;
}

/* How many arguments a tracepoint has, the hidden first one included; 0: there is no such one. */
static unsigned int tracepoint_args(const struct btf *btf, const char *name)
{
	const struct btf_type *type;
	char proto[64];
	int id;

	snprintf(proto, sizeof(proto), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, proto, BTF_KIND_TYPEDEF);
	if (id < 0)
		return 0;
	type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (!type || !btf_is_ptr(type))
		return 0;
	type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? btf_vlen(type) : 0;
}

static bool has_member(const struct btf *btf, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (unsigned int i = 0; type && i < btf_vlen(type); i++) {
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member))
			return true;
	}
	return false;
}

/* A program that only returns, of any type; btf_id is what it attaches to, or 0. */
static int load_return(enum bpf_prog_type type, enum bpf_attach_type attach_type, int btf_id)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);

	opts.attach_btf_id = btf_id;
	return bpf_prog_load(type, "probe", "GPL", insns, sizeof(insns) / sizeof(insns[0]), &opts);
}

static bool probe_fentry(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "vfs_read", BTF_KIND_FUNC), fd, link;

	if (id < 0)
		return false;
	fd = load_return(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, id);
	if (fd < 0)
		return false;
	link = bpf_raw_tracepoint_open(NULL, fd);
	if (link >= 0)
		close(link);
	close(fd);
	return link >= 0;
}

static bool probe_tp_btf(const struct btf *btf, const char *typedef_name)
{
	int id = btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF), fd;

	if (id < 0)
		return false;
	fd = load_return(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

#define STATE_SZ 10240 /* about a thread's state */

/* Types for a map from int to STATE_SZ bytes: task storage wants them. */
static struct btf *storage_types(int *key, int *val)
{
	struct btf *btf = btf__new_empty();

	if (libbpf_get_error(btf))
		return NULL;
	*key = btf__add_int(btf, "int", sizeof(int), BTF_INT_SIGNED);
	*val = btf__add_array(btf, *key, *key, STATE_SZ / sizeof(int));
	if (*key > 0 && *val > 0 && !btf__load_into_kernel(btf))
		return btf;
	btf__free(btf);
	return NULL;
}

/* Kernels since 6.19 have the map but cannot fill it on a CPU without cmpxchg16b (some virtual ones):
 * so store something. */
static bool storage_works(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int key = 0, val = 0, map = -1, pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	struct btf *btf = storage_types(&key, &val);
	static char state[STATE_SZ];
	bool works = false;

	if (btf) {
		opts.btf_fd = btf__fd(btf);
		opts.btf_key_type_id = key;
		opts.btf_value_type_id = val;
		map = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "probe", sizeof(int), STATE_SZ, 0,
				     &opts);
	}
	if (map >= 0 && pidfd >= 0)
		works = !bpf_map_update_elem(map, &pidfd, state, BPF_ANY);
	if (map >= 0)
		close(map);
	if (pidfd >= 0)
		close(pidfd);
	btf__free(btf);
	return works;
}

static bool readable(const char *path)
{
	return eaccess(path, R_OK) == 0; /* by capabilities, not by who started us */
}

const char *tracefs_path(void)
{
	static const char *const paths[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

	for (size_t i = 0; i < 2; i++) {
		char file[64];

		snprintf(file, sizeof(file), "%s/uprobe_events", paths[i]);
		if (readable(file))
			return paths[i];
	}
	if (!mount("tracefs", paths[0], "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) &&
	    readable("/sys/kernel/tracing/uprobe_events"))
		return paths[0];
	return NULL;
}

/* A classic tracepoint, which is attached to by the number that tracefs tells. */
static bool has_event(const char *name)
{
	const char *tracefs = tracefs_path();
	char file[128];

	if (!tracefs)
		return false;
	snprintf(file, sizeof(file), "%s/events/%s/id", tracefs, name);
	return readable(file);
}

static bool has_kprobe_events(void)
{
	const char *tracefs = tracefs_path();
	char file[64];

	snprintf(file, sizeof(file), "%s/" TRACEFS_KPROBES, tracefs ? tracefs : "");
	return tracefs && readable(file);
}

static void probe_root(struct features *features)
{
	int fd = load_return(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);

	features->root = fd >= 0;
	features->root_err = fd < 0 ? -fd : 0;
	if (fd >= 0)
		close(fd);
}

void features__probe(struct features *features)
{
	struct btf *btf;

	libbpf_set_print(print_libbpf);
	memset(features, 0, sizeof(*features));
	for (unsigned int i = 0; i < HW_CNT; i++)
		features->hw_err[i] = perf__hw_error(i);
	probe_root(features);
	features->btf = readable("/sys/kernel/btf/vmlinux");
	if (!features->root)
		return;
	features->ring = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
	features->task_storage = storage_works() &&
				 has_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_task_storage_get) &&
				 has_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_current_task_btf);
	features->task_pt_regs = has_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs);
	features->find_vma = has_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_find_vma);
	features->attach_cookie = has_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie);
	features->cpu_clock = perf__can_sample();
	features->kprobe = readable("/sys/bus/event_source/devices/kprobe/type");
	features->kprobe_tracefs = has_kprobe_events();
	features->perf_uprobe = readable("/sys/bus/event_source/devices/uprobe/type");
	features->tracefs = tracefs_path() != NULL;
	features->uprobe_multi = uprobe__multi_works();
	features->classic_syscalls = has_event("raw_syscalls/sys_enter");
	features->rss_stat = has_event("kmem/rss_stat");
	btf = btf__load_vmlinux_btf();
	if (libbpf_get_error(btf))
		return;
	/* data, preempt, prev, next, and since 5.18 prev_state */
	features->switch_state = tracepoint_args(btf, "sched_switch") >= 5;
	features->fentry = probe_fentry(btf);
	features->tp_btf = probe_tp_btf(btf, "btf_trace_sched_switch");
	features->tp_btf_syscalls =
		probe_tp_btf(btf, "btf_trace_sys_enter") && probe_tp_btf(btf, "btf_trace_sys_exit");
	/*
	 * Tracepoints disabled preemption until this lock guards them (7.2, not yet 6.18): since then
	 * a program on one may be preempted, and the kernel does not run it for others on this CPU
	 * until it goes on. The classic ones still disable it.
	 */
	features->tp_btf_preempted =
		btf__find_by_name_kind(btf, "class_srcu_fast_notrace_t", BTF_KIND_TYPEDEF) > 0;
	/* 6.1; before that the kernel warns, or refuses */
	features->hash_alloc = btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;
	features->ring_results = has_member(btf, "io_kiocb", "cqe"); /* 5.19 */
	features->block_requests = tracepoint_args(btf, "block_rq_issue") > 0;
	features->request_queue = tracepoint_args(btf, "block_rq_issue") > 2;
	features->io_accounting = has_member(btf, "task_io_accounting", "read_bytes");
	/* percpu counters came with it (commit f1a7941243c1) */
	features->rss_exact = tracepoint_args(btf, "rss_stat") == 3;
	features->data_ready = tracepoint_args(btf, "sk_data_ready") > 0;
	features->connect_states = tracepoint_args(btf, "inet_sock_set_state") > 0;
	if (features->fentry || features->kprobe || features->kprobe_tracefs)
		features->kernel_functions = kernel_hooks__functions(btf);
	kernel_hooks__missing(features->kernel_functions, features->functions_missing,
			      sizeof(features->functions_missing));
	/* sleepable iterators and bpf_copy_from_user_task() came together */
	features->seed_sleepable =
		btf__find_by_name_kind(btf, "bpf_copy_from_user_task", BTF_KIND_FUNC) > 0;
	btf__free(btf);
}

bool features__usable(const struct features *f, char *why, size_t why_sz)
{
	const char *text = NULL;

	if (!f->btf)
		text = "this kernel has no type information in /sys/kernel/btf/vmlinux (boot one with "
		       "CONFIG_DEBUG_INFO_BTF=y; Debian's, Ubuntu's and Fedora's have it)";
	else if (!f->root)
		text = "not allowed to load BPF programs (" CAPS_REMEDY ")";
	else if (!f->ring || !f->tp_btf)
		text = "this kernel is too old: it needs the BPF ring buffer and tp_btf (5.8 or later)";
	else if (!f->cpu_clock)
		text = "not allowed to sample by perf_event_open (" CAPS_REMEDY ")";
	if (why_sz)
		snprintf(why, why_sz, "%s", text ? text : "");
	return !text;
}

enum uprobe_rung features__uprobe_rung(const struct features *features)
{
	if (features->uprobe_multi)
		return UPROBE_MULTI;
	if (features->tracefs)
		return UPROBE_TRACEFS;
	return features->perf_uprobe ? UPROBE_PERF : UPROBE_NONE;
}

const char *uprobe_rung_name(enum uprobe_rung rung)
{
	static const char *const names[] = {
#define X(id, name) name,
		LIVE_UPROBE_RUNGS(X)
#undef X
	};

	return rung < UPROBE_RUNG_CNT ? names[rung] : "?";
}

/* Which system calls' and kernel functions' rungs this kernel has, best first. */
enum wire_io_source features__io_source(const struct features *f, enum wire_io_source wanted)
{
	const bool has[IO_SOURCE_CNT] = {
		[IO_SOURCE_SYSCALL] = f->tp_btf_syscalls,
		[IO_SOURCE_SYSCALL_CLASSIC] = f->classic_syscalls,
		[IO_SOURCE_FENTRY] = f->fentry && f->kernel_functions,
		[IO_SOURCE_KPROBE] = f->kprobe && f->kernel_functions,
		[IO_SOURCE_KPROBE_TRACEFS] = f->kprobe_tracefs && f->kernel_functions,
		[IO_SOURCE_OFF] = true,
	};
	/* "syscall" and "kprobe" mean the better way of their kind */
	static const enum wire_io_source next[IO_SOURCE_CNT] = {
		[IO_SOURCE_SYSCALL] = IO_SOURCE_SYSCALL_CLASSIC,
		[IO_SOURCE_SYSCALL_CLASSIC] = IO_SOURCE_OFF,
		[IO_SOURCE_FENTRY] = IO_SOURCE_OFF,
		[IO_SOURCE_KPROBE] = IO_SOURCE_KPROBE_TRACEFS,
		[IO_SOURCE_KPROBE_TRACEFS] = IO_SOURCE_OFF,
	};

	if ((wanted == IO_SOURCE_AUTO || wanted == IO_SOURCE_SYSCALL) && f->tp_btf_preempted &&
	    f->classic_syscalls)
		return IO_SOURCE_SYSCALL_CLASSIC;
	if (wanted == IO_SOURCE_AUTO)
		while (!has[++wanted])
			;
	while (!has[wanted])
		wanted = next[wanted];
	return wanted;
}

enum wire_io_source features__io_extra(const struct features *f)
{
	enum wire_io_source how = features__io_source(f, IO_SOURCE_FENTRY);

	/* by tracefs there is room for more calls at once */
	if (how == IO_SOURCE_OFF)
		how = features__io_source(f, IO_SOURCE_KPROBE_TRACEFS);
	return how == IO_SOURCE_OFF ? features__io_source(f, IO_SOURCE_KPROBE) : how;
}

static const struct {
	const char *name, *text;
} io_sources[] = {
#define X(id, name, text) {name, text},
	WIRE_IO_SOURCES(X)
#undef X
};

const char *io_source_name(enum wire_io_source source)
{
	return source < IO_SOURCE_CNT ? io_sources[source].name : "?";
}

const char *io_source_text(enum wire_io_source source)
{
	return source < IO_SOURCE_CNT ? io_sources[source].text : "?";
}

/* A choice between a first and a second rung. */
static struct check_row row(const char *capability, bool best, const char *best_name,
			    const char *next_name, const char *remedy)
{
	return (struct check_row){
		.capability = capability,
		.rung = best ? best_name : next_name,
		.better = best ? NULL : best_name,
		.remedy = best ? NULL : remedy,
	};
}

size_t features__rows(const struct features *f, struct check_row *rows, size_t row_max)
{
	enum uprobe_rung rung = features__uprobe_rung(f);
	static char some[sizeof(f->functions_missing) + 16]; /* the rows point to it */
	const struct check_row all[] = {
		row("permission to load BPF", f->root, "yes", NULL, CAPS_REMEDY),
		row("kernel type information", f->btf, "BTF", NULL,
		    "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"),
		row("event transport", f->ring, "BPF ring buffer", NULL, "kernel 5.8 or later"),
		row("scheduler events", f->tp_btf, "tp_btf", NULL, "kernel 5.5 or later with BTF"),
		row("thread state", f->task_storage, "task storage",
		    f->root ? "table by tid" : NULL,
		    "kernel 5.11 or later; since 6.19 also a CPU with cmpxchg16b"),
		row("state of a thread that leaves the CPU", f->switch_state,
		    "argument of sched_switch", f->btf ? "read from the task" : NULL,
		    "kernel 5.18 or later"),
		row("futex words of threads asleep at attach", f->seed_sleepable,
		    "sleepable iterator", f->root ? "not read: such waits are \"other\"" : NULL,
		    "kernel 5.18 or later"),
		row("stack bounds", f->find_vma, "bpf_find_vma",
		    f->root ? "none: frames end with what encloses them" : NULL,
		    "kernel 5.17 or later"),
		row("uprobes", rung == UPROBE_MULTI, "uprobe.multi",
		    rung == UPROBE_NONE ? NULL : uprobe_rung_name(rung),
		    rung == UPROBE_PERF ? "mount tracefs on /sys/kernel/tracing"
					: "kernel 6.10 or later"),
		row("attach cookies", f->attach_cookie, "yes", f->root ? "no" : NULL,
		    "kernel 5.15 or later"),
		row("sampling", f->cpu_clock, "cpu-clock", NULL,
		    "lower /proc/sys/kernel/perf_event_paranoid or run as root"),
		row("cpu cycles", !f->hw_err[0], "hardware counter", NULL, HW_REMEDY),
		row("instructions", !f->hw_err[1], "hardware counter", NULL, HW_REMEDY),
		row("cache misses", !f->hw_err[2], "hardware counter", NULL, HW_REMEDY),
		row("branch misses", !f->hw_err[3], "hardware counter", NULL, HW_REMEDY),
		row("IO and network by system calls",
		    f->tp_btf_preempted ? f->classic_syscalls : f->tp_btf_syscalls,
		    f->tp_btf_preempted ? "classic tracepoints" : "tp_btf",
		    f->tp_btf_syscalls    ? "tp_btf"
		    : f->classic_syscalls ? "classic tracepoints"
					  : NULL,
		    f->tp_btf_preempted ? "mount tracefs on /sys/kernel/tracing"
					: "a kernel with BTF and raw_syscalls tracepoints"),
		row("beginning and end of TCP connections", f->connect_states,
		    "inet_sock_set_state", NULL, "kernel 4.16 or later"),
		row("time of data in receive queues", f->data_ready, "sk_data_ready",
		    f->kernel_functions ? "sock_def_readable, as a kernel function" : NULL,
		    "kernel 6.3 or later"),
		row("disk requests", f->block_requests, "block_rq_issue, block_rq_complete", NULL,
		    "a kernel with CONFIG_BLOCK"),
		row("growth of resident memory", f->rss_stat && f->rss_exact, "rss_stat",
		    f->rss_stat ? "rss_stat, in batches of 64 pages" : NULL,
		    "kernel 6.2 or later, and tracefs"),
		row("bytes read from and for storage", f->io_accounting, "task IO accounting", NULL,
		    "a kernel with CONFIG_TASK_IO_ACCOUNTING"),
		row("IO and network by fentry", f->fentry, "fentry and fexit", NULL,
		    "a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y"),
		row("IO and network by kprobes", f->kprobe, "perf_event_open",
		    f->kprobe_tracefs ? "tracefs" : NULL,
		    f->kprobe_tracefs ? "kernel 4.17 or later" : "a kernel with CONFIG_KPROBES=y"),
		row("kernel functions for these", f->kernel_functions && !f->functions_missing[0],
		    "all", f->kernel_functions ? some : NULL,
		    f->kernel_functions ? "a kernel whose compiler left them whole"
					: "as of the two above"),
	};
	size_t cnt = sizeof(all) / sizeof(all[0]);

	snprintf(some, sizeof(some), "all but %s", f->functions_missing);
	if (cnt > row_max)
		cnt = row_max;
	memcpy(rows, all, cnt * sizeof(*rows));
	return cnt;
}
