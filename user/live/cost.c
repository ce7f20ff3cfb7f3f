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
#define PERIOD_NS 2000000000ULL

static bool prog_info(const struct bpf_program *prog, struct bpf_prog_info *info)
{
	__u32 sz = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_program__fd(prog) >= 0 &&
	       !bpf_obj_get_info_by_fd(bpf_program__fd(prog), info, &sz);
}

/* What the programs have used so far, as far as the kernel was asked to count. */
static void read_programs(struct live *live, struct live_cost *sum)
{
	struct bpf_program *prog;
	struct bpf_prog_info info;

	memset(sum, 0, sizeof(*sum));
	bpf_object__for_each_program(prog, live->skel->obj)
	{
		const char *section = bpf_program__section_name(prog);

		if (strstr(section, "iter") || !prog_info(prog, &info))
			continue;
		if (strstr(section, "uprobe")) {
			sum->probe_ns += info.run_time_ns;
			sum->probe_runs += info.run_cnt;
		} else {
			sum->hook_ns += info.run_time_ns;
			sum->hook_runs += info.run_cnt;
		}
	}
}

static void close_window(struct live *live, uint64_t now_ns)
{
	struct live_cost now;

	if (live->stats_fd < 0)
		return;
	read_programs(live, &now);
	close(live->stats_fd);
	live->stats_fd = -1;
	live->used.hook_ns += now.hook_ns - live->window.hook_ns;
	live->used.hook_runs += now.hook_runs - live->window.hook_runs;
	live->used.probe_ns += now.probe_ns - live->window.probe_ns;
	live->used.probe_runs += now.probe_runs - live->window.probe_runs;
	live->used.window_ns += now_ns - live->window_began_ns;
}

void live__measure(struct live *live, uint64_t now_ns)
{
	if (live->stats_fd >= 0) {
		if (now_ns - live->window_began_ns >= WINDOW_NS)
			close_window(live, now_ns);
	} else if (now_ns >= live->window_next_ns) {
		live->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		live->window_began_ns = now_ns;
		live->window_next_ns = now_ns + PERIOD_NS;
		read_programs(live, &live->window);
	}
}

void live__cost(struct live *live, uint64_t duration_ns, struct live_cost *cost)
{
	close_window(live, mono_ns());
	*cost = live->used;
	if (!cost->window_ns)
		return;
	cost->hook_ns = (double)cost->hook_ns * duration_ns / cost->window_ns;
	cost->hook_runs = (double)cost->hook_runs * duration_ns / cost->window_ns;
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
