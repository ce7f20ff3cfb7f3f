/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracer's own cost in the kernel. The kernel times BPF programs when asked to, which costs
 * some itself, so it is asked in short windows. What traps cost is measured in live/price.c.
 */
#include "live/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "asyncscope.skel.h"
#include "base/clock.h"

#define WINDOW_NS 100000000ULL
#define PERIOD_NS 1000000000ULL

static bool prog_info(const struct bpf_program *prog, struct bpf_prog_info *info)
{
	__u32 sz = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_program__fd(prog) >= 0 &&
	       !bpf_obj_get_info_by_fd(bpf_program__fd(prog), info, &sz);
}

/* What a program's runs are counted as. Of a system call only one of its two programs is a hit. */
static enum live_hook hook_of(const struct bpf_program *prog, bool *is_hit)
{
	const char *name = bpf_program__name(prog);

	*is_hit = strncmp(name, "sys_exit", 8);
	if (!strcmp(name, "heap_return") || !strncmp(name, "heap_exit", 9))
		return LIVE_HEAP_RETURN;
	if (!strncmp(name, "heap_", 5) && strcmp(name, "heap_linker"))
		return LIVE_HEAP_ENTRY;
	if (!strncmp(name, "sys_enter", 9) || !*is_hit)
		return LIVE_SYSCALL;
	return strstr(bpf_program__section_name(prog), "uprobe") ? LIVE_PROBE : LIVE_HOOK;
}

/* What the programs have used so far, as far as the kernel was asked to count. */
static void read_programs(struct live *live, struct live_runs sums[LIVE_HOOK_CNT])
{
	struct bpf_program *prog;
	struct bpf_prog_info info;

	memset(sums, 0, LIVE_HOOK_CNT * sizeof(*sums));
	bpf_object__for_each_program(prog, live->skel->obj)
	{
		struct live_runs *sum;
		bool is_hit;

		if (strstr(bpf_program__section_name(prog), "iter") || !prog_info(prog, &info))
			continue;
		sum = &sums[hook_of(prog, &is_hit)];
		sum->ns += info.run_time_ns;
		sum->cnt += is_hit ? info.run_cnt : 0;
	}
}

/* Takes what was used since the window was opened, or since the last time. */
static void read_window(struct live *live, uint64_t now_ns)
{
	struct live_runs now[LIVE_HOOK_CNT];

	if (live->stats_fd < 0 || now_ns <= live->window_read_ns)
		return;
	read_programs(live, now);
	for (int i = 0; i < LIVE_HOOK_CNT; i++) {
		live->used[i].ns += now[i].ns - live->window[i].ns;
		live->used[i].cnt += now[i].cnt - live->window[i].cnt;
		live->window[i] = now[i];
	}
	live->used_ns += now_ns - live->window_read_ns;
	live->window_read_ns = now_ns;
}

static void close_window(struct live *live, uint64_t now_ns)
{
	if (live->stats_fd < 0)
		return;
	read_window(live, now_ns);
	close(live->stats_fd);
	live->stats_fd = -1;
}

void live__measure(struct live *live, uint64_t now_ns, bool wanted)
{
	if (live->stats_fd >= 0) {
		if (!wanted && now_ns - live->window_began_ns >= WINDOW_NS)
			close_window(live, now_ns);
	} else if (wanted || now_ns >= live->window_next_ns) {
		live->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		live->window_began_ns = now_ns;
		live->window_read_ns = now_ns;
		live->window_next_ns = now_ns + PERIOD_NS;
		read_programs(live, live->window);
	}
}

uint64_t live__runs(struct live *live, struct live_runs runs[LIVE_HOOK_CNT])
{
	read_window(live, mono_ns());
	memcpy(runs, live->used, sizeof(live->used));
	return live->used_ns;
}

void live__cost(struct live *live, uint64_t duration_ns, struct live_cost *cost)
{
	const struct live_runs *used = live->used;
	double scale;

	memset(cost, 0, sizeof(*cost));
	close_window(live, mono_ns());
	cost->window_ns = live->used_ns;
	if (!cost->window_ns)
		return;
	scale = (double)duration_ns / cost->window_ns;
	cost->hook_ns = (used[LIVE_HOOK].ns + used[LIVE_SYSCALL].ns) * scale;
	cost->hook_runs = (used[LIVE_HOOK].cnt + used[LIVE_SYSCALL].cnt) * scale;
	for (int i = LIVE_HEAP_ENTRY; i <= LIVE_PROBE; i++) {
		cost->probe_ns += used[i].ns;
		cost->probe_runs += used[i].cnt;
	}
}

uint64_t live__recursion_misses(struct live *live)
{
	struct bpf_program *prog;
	struct bpf_prog_info info;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, live->skel->obj)
	{
		if (prog_info(prog, &info))
			sum += info.recursion_misses;
	}
	return sum;
}

/* The kernel tells for each map what it costs, in the descriptor's fdinfo. */
uint64_t live__kernel_memory(struct live *live)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, live->skel->obj)
	{
		unsigned long long sz;
		char path[64], line[128];
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
		file = bpf_map__fd(map) < 0 ? NULL : fopen(path, "re");
		if (!file)
			continue;
		while (fgets(line, sizeof(line), file))
			if (sscanf(line, "memlock: %llu", &sz) == 1)
				sum += sz;
		fclose(file);
	}
	return sum;
}
