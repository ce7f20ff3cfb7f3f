/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens the BPF object, fits it to this kernel (which maps and programs exist, what their
 * configuration says), and loads it.
 */
#include "live/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "asyncscope.skel.h"
#include "base/log.h"
#include "live/caps.h"

#define FLUSH_NS         100000000ULL
#define THREAD_TABLE_MIN 4096
#define VERIFIER_STATS   4 /* how much it had to look at */
#define LIVE_TASKS_SMALL 65536 /* where hash tables are preallocated */
#define CONNS_SMALL      16384
#define USES_SMALL       8192
#define USES_LARGE       65536

static void configure(struct live *live)
{
	const struct features *features = live->features;
	struct wire_config *cfg = &live->skel->rodata->cfg;

	cfg->flush_ns = FLUSH_NS;
	cfg->single_tgid = live->options.single_pid;
	cfg->ring_sz = live->options.ring_sz;
	cfg->wakeup_bytes = live->options.ring_sz / 8;
	cfg->follow_forks = live->options.follow_forks;
	cfg->has_task_storage = features->task_storage;
	cfg->has_switch_state = features->switch_state;
	cfg->has_task_pt_regs = features->task_pt_regs;
	cfg->has_request_queue = features->request_queue;
	for (int i = 0; i < HW_CNT; i++)
		cfg->hw_mask |= live->hw[i] ? 1 << i : 0;
}

/* The tables of uses; the map that holds one of them wants a third one as a pattern. */
static int fit_uses(struct live *live, uint32_t cnt, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	struct asyncscope *skel = live->skel;

	bpf_map__set_max_entries(skel->maps.use_table_0, cnt);
	bpf_map__set_max_entries(skel->maps.use_table_1, cnt);
	bpf_map__set_map_flags(skel->maps.use_table_0, flags);
	bpf_map__set_map_flags(skel->maps.use_table_1, flags);
	live->use_pattern_fd =
		bpf_map_create(BPF_MAP_TYPE_HASH, "use_pattern", sizeof(struct wire_use_key),
			       sizeof(struct wire_use_val), 1, &opts);
	if (live->use_pattern_fd < 0)
		return live->use_pattern_fd;
	return bpf_map__set_inner_map_fd(skel->maps.uses, live->use_pattern_fd);
}

static int fit_maps(struct live *live)
{
	struct asyncscope *skel = live->skel;
	uint32_t threads = live->options.thread_hint * 2;

	bpf_map__set_max_entries(skel->maps.ring, live->options.ring_sz);
	if (live->features->task_storage) {
		bpf_map__set_autocreate(skel->maps.thread_table, false);
	} else {
		bpf_map__set_autocreate(skel->maps.thread_storage, false);
		bpf_map__set_max_entries(skel->maps.thread_table,
					 threads > THREAD_TABLE_MIN ? threads : THREAD_TABLE_MIN);
	}
	/* tables that are filled in any context and whose entries come and go */
	if (live->features->task_storage && live->features->hash_alloc) {
		bpf_map__set_map_flags(skel->maps.live_tasks, BPF_F_NO_PREALLOC);
		bpf_map__set_map_flags(skel->maps.conns, BPF_F_NO_PREALLOC);
		return fit_uses(live, USES_LARGE, BPF_F_NO_PREALLOC);
	}
	bpf_map__set_max_entries(skel->maps.live_tasks, LIVE_TASKS_SMALL);
	bpf_map__set_max_entries(skel->maps.conns, CONNS_SMALL);
	return fit_uses(live, USES_SMALL, 0);
}

/* All uprobe programs of a load share one attach type, because they share the guard array. */
static void fit_programs(struct live *live)
{
	const struct features *features = live->features;
	struct asyncscope *skel = live->skel;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj)
	{
		if (log_level >= LOG_DEBUG)
			bpf_program__set_log_level(prog, VERIFIER_STATS);
		if (strcmp(bpf_program__section_name(prog), "uprobe"))
			continue;
		bpf_program__set_autoload(prog, true);
		if (live->options.rung == UPROBE_MULTI)
			bpf_program__set_expected_attach_type(
				prog, (enum bpf_attach_type)UPROBE_MULTI_ATTACH_TYPE);
	}
	bpf_program__set_autoload(skel->progs.sample, features->find_vma && features->task_storage);
	bpf_program__set_autoload(skel->progs.sample_reduced,
				  !(features->find_vma && features->task_storage));
	bpf_program__set_autoload(skel->progs.seed_threads, features->seed_sleepable);
	bpf_program__set_autoload(skel->progs.seed_threads_reduced, !features->seed_sleepable);
	bpf_program__set_autoload(skel->progs.flush_threads, true);
	io_hooks__fit(live);
	heap__fit(live);
}

void object__cpu_sums(const struct bpf_map *map, uint32_t key, uint64_t *sums, size_t cnt)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *vals = calloc(cpus > 0 ? cpus * cnt : 1, sizeof(*vals));

	memset(sums, 0, cnt * sizeof(*sums));
	if (vals && cpus > 0 && !bpf_map_lookup_elem(bpf_map__fd(map), &key, vals))
		for (size_t i = 0; i < cpus * cnt; i++)
			sums[i % cnt] += vals[i];
	free(vals);
}

uint64_t object__cpu_sum(const struct bpf_map *map, uint32_t key)
{
	uint64_t sum;

	object__cpu_sums(map, key, &sum, 1);
	return sum;
}

int object__load(struct live *live)
{
	int err;

	live->skel = asyncscope__open();
	if (!live->skel) {
		log_err("cannot open the BPF object: %s", strerror(errno));
		return -errno;
	}
	for (int i = 0; i < HW_CNT; i++)
		live->hw[i] =
			live->options.hw == HW_SOURCE_SOFTWARE ||
			(live->options.hw == HW_SOURCE_HARDWARE && !live->features->hw_err[i]);
	configure(live);
	err = fit_maps(live);
	fit_programs(live);
	if (!err)
		err = asyncscope__load(live->skel);
	if (!err)
		return 0;
	if (err == -EPERM || err == -EACCES)
		log_err("the kernel refuses to load BPF programs: %s (%s)", strerror(-err),
			CAPS_REMEDY);
	else
		log_err("the kernel does not take the BPF programs: %s (see asyncscope-bpf check, or "
			"run with -vv for the verifier's reason)",
			strerror(-err));
	return err;
}
