/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of what a recording of memory costs: the very probes that it would place on a process's
 * allocators, with BPF programs that do nothing. Run by tools/bench, as root.
 *
 *   bench-probes PID counting | exact       until stdin ends; prints "ready CNT"
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "live/uprobe.h"
#include "runtime/heap.h"

#define LIMIT_S 300

static int fail(const char *what, int err)
{
	fprintf(stderr, "bench-probes: %s: %s\n", what, strerror(err));
	return 1;
}

static int empty_program(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)UPROBE_MULTI_ATTACH_TYPE);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "floor", "GPL", insns, 2, &opts);
}

/* How many, or -errno. The links end with this process. */
static int attach(const struct plan *plan, pid_t pid)
{
	int prog = empty_program(), cnt = 0;

	if (prog < 0)
		return prog;
	for (size_t i = 0; i < plan->probe_cnt; i++) {
		const struct probe *probe = &plan->probes[i];
		__u64 off = probe->file_off;
		int fd;

		if (probe->group != PROBES_HEAP && probe->group != PROBES_HEAP_RETURN)
			continue;
		fd = uprobe__multi_link(prog, probe->file->open_path, &off, 1, pid,
					probe->at_return);
		if (fd < 0)
			return fd;
		cnt++;
	}
	return cnt;
}

static void wait_for_end(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct plan_options options = {.return_probes = true};
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0;
	struct target *target;
	enum target_error error;
	struct plan *plan;
	int cnt;

	if (pid <= 0 || (strcmp(argv[2], "counting") != 0 && strcmp(argv[2], "exact") != 0)) {
		fprintf(stderr, "usage: bench-probes PID counting|exact\n");
		return 2;
	}
	options.heap = strcmp(argv[2], "exact") == 0 ? HEAP_MODE_EXACT : HEAP_MODE_COUNTING;
	alarm(LIMIT_S);
	if (!uprobe__multi_works()) {
		fprintf(stderr, "bench-probes: this kernel has no uprobe.multi\n");
		return 1;
	}
	target = target__open(pid, &error);
	plan = target ? plan__new(target, &options) : NULL;
	if (!plan)
		return fail("no plan", errno);
	cnt = attach(plan, pid);
	if (cnt <= 0)
		return fail("cannot attach", cnt ? -cnt : ENOENT);
	printf("ready %d\n", cnt);
	fflush(stdout);
	wait_for_end();
	plan__free(plan);
	target__free(target);
	return 0;
}
