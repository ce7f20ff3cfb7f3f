/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BPF programs that do nothing, on the entry and the exit of every system call: what the tracepoints
 * alone cost each process of the machine. Run by tools/bench as the floor of what a source costs.
 *
 *   tracepoints raw | classic      until stdin ends
 */
#include "truth.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(enum bpf_prog_type type)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = type,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = ARRAY_CNT(insns),
			       .license = (uintptr_t) "GPL"};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		die("load");
	return fd;
}

static void attach_raw(const char *name)
{
	union bpf_attr attr = {
		.raw_tracepoint = {.name = (uintptr_t)name,
				   .prog_fd = (uint32_t)load(BPF_PROG_TYPE_RAW_TRACEPOINT)}};

	if (bpf(BPF_RAW_TRACEPOINT_OPEN, &attr) < 0)
		die(name);
}

static void attach_classic(const char *name)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT,
				       .size = sizeof(attr),
				       .sample_period = 1};
	char path[128], id[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/raw_syscalls/%s/id", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, id, sizeof(id) - 1) <= 0)
		die(path);
	close(fd);
	attr.config = strtoull(id, NULL, 10);
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, load(BPF_PROG_TYPE_TRACEPOINT)) ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		die(name);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"sys_enter", "sys_exit"};

	if (argc != 2)
		return 2;
	truth_limit(600);
	for (size_t i = 0; i < ARRAY_CNT(names); i++) {
		if (strcmp(argv[1], "raw") == 0)
			attach_raw(names[i]);
		else
			attach_classic(names[i]);
	}
	truth_ready(true);
	return 0;
}
