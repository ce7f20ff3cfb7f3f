/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attach, arm, drain, stop; see live.h. */
#include "live/live.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "asyncscope.skel.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "live/caps.h"
#include "live/object.h"

static int on_record(void *ctx, void *data, size_t sz)
{
	struct live *live = ctx;

	live->record_cnt++;
	live->record_err = live->record_fn(live->record_ctx, data, sz);
	if (live->record_err)
		return live->record_err;
	/* libbpf would go on for as long as producers are faster than we are */
	return --live->record_left ? 0 : -ECANCELED;
}

struct live *live__new(const struct features *features, const struct live_options *options)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live) {
		log_err("no memory");
		return NULL;
	}
	live->features = features;
	live->options = *options;
	live->stats_fd = -1;
	if (live->options.rung < features__uprobe_rung(features))
		live->options.rung = features__uprobe_rung(features);
	if (object__load(live))
		goto fail;
	live->ring = ring_buffer__new(bpf_map__fd(live->skel->maps.ring), on_record, live, NULL);
	if (!live->ring) {
		log_err("cannot map the ring: %s", strerror(errno));
		goto fail;
	}
	return live;
fail:
	live__free(live);
	return NULL;
}

static int attach_hw(struct live *live)
{
	struct bpf_map *maps[HW_CNT] = {
		live->skel->maps.hw_events_0,
		live->skel->maps.hw_events_1,
		live->skel->maps.hw_events_2,
		live->skel->maps.hw_events_3,
	};

	for (int i = 0; i < HW_CNT; i++) {
		int err;

		if (!live->hw[i])
			continue;
		err = perf__open_hw(&live->events, bpf_map__fd(maps[i]), i, live->options.hw);
		if (err) {
			log_err("cannot open the counter of %s: %s", hw_name(i), strerror(-err));
			return err;
		}
	}
	return 0;
}

int live__attach(struct live *live)
{
	struct asyncscope *skel = live->skel;
	struct bpf_program *tick = live->features->find_vma && live->features->task_storage
					   ? skel->progs.sample
					   : skel->progs.sample_reduced;
	int err = attach_hw(live);

	if (err)
		return err;
	err = asyncscope__attach(skel);
	if (err) {
		log_err("cannot attach to scheduler events: %s", strerror(-err));
		return err;
	}
	err = io_hooks__attach(live);
	if (err)
		return err;
	err = perf__attach_tick(&live->events, tick, LIVE_TICK_HZ);
	if (err)
		log_err("cannot attach the sampling tick: %s (%s)", strerror(-err), CAPS_REMEDY);
	return err;
}

int live__add_target(struct live *live, pid_t pid)
{
	__u32 key = pid, one = 1;

	if (bpf_map_update_elem(bpf_map__fd(live->skel->maps.targets), &key, &one, BPF_ANY)) {
		int err = -errno;

		log_err("cannot trace process %d: %s", (int)pid, strerror(-err));
		return err;
	}
	return 0;
}

void live__drop_target(struct live *live, pid_t pid)
{
	__u32 key = pid;

	bpf_map_delete_elem(bpf_map__fd(live->skel->maps.targets), &key);
}

void live__forget_tasks(struct live *live, pid_t pid, uint64_t before_ns)
{
	int fd = bpf_map__fd(live->skel->maps.live_tasks);
	struct wire_native_key key, next;
	struct wire_live_task task;
	int end = bpf_map_get_next_key(fd, NULL, &next);

	while (!end) {
		key = next;
		end = bpf_map_get_next_key(fd, &key, &next); /* before it is deleted */
		if (key.tgid == (__u32)pid && !bpf_map_lookup_elem(fd, &key, &task) &&
		    task.born_ns <= before_ns)
			bpf_map_delete_elem(fd, &key);
	}
}

int live__attach_group(struct live *live, const struct plan *plan, const struct plan *present,
		       enum probe_group group)
{
	struct live_probes probes = {.pid = plan->pid, .group = group};
	char why[256] = "";
	int err;

	/* those of before an exec, when all come back */
	if (plan->before && !present)
		live__attach_group(live, plan->before, NULL, group);
	if (!plan__has(plan, present, group))
		return 0;
	err = array__reserve((void **)&live->probes, &live->probe_cap, live->probe_cnt + 1,
			     sizeof(probes));
	if (err)
		return err;
	probes.uprobes = uprobes__attach(live->skel->obj, live->options.rung, plan, present, group,
					 why, sizeof(why));
	if (!probes.uprobes) {
		log_warn("%s", why);
		return -EIO;
	}
	live->probes[live->probe_cnt++] = probes;
	return 0;
}

static void drop(struct live *live, pid_t pid, unsigned int groups)
{
	for (size_t i = 0; i < live->probe_cnt; i++) {
		if (live->probes[i].pid != pid || !(groups >> live->probes[i].group & 1))
			continue;
		uprobes__detach(live->probes[i].uprobes);
		live->probes[i--] = live->probes[--live->probe_cnt];
	}
}

void live__drop_group(struct live *live, pid_t pid, enum probe_group group)
{
	drop(live, pid, 1u << group);
}

void live__drop_plan(struct live *live, pid_t pid)
{
	drop(live, pid, ~0u);
}

int live__seed(struct live *live)
{
	int err = seed__walk(live, false);

	return err ? err : sockets__walk(live, false);
}

int live__arm(struct live *live, uint64_t *armed_ns)
{
	int err;

	*armed_ns = mono_ns();
	__atomic_store_n(&live->skel->bss->armed, ARMED_THREADS, __ATOMIC_SEQ_CST);
	err = live__seed(live);
	if (err)
		return err;
	__atomic_store_n(&live->skel->bss->armed, ARMED_ALL, __ATOMIC_SEQ_CST);
	return 0;
}

void live__disarm(struct live *live, uint64_t *stop_ns)
{
	__atomic_store_n(&live->skel->bss->armed, ARMED_OFF, __ATOMIC_SEQ_CST);
	*stop_ns = mono_ns();
	live->skel->bss->stop_ns = *stop_ns;
}

int live__flush(struct live *live)
{
	int err;

	/* A grace period of RCU: programs that had seen it armed have ended after it. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	err = sockets__walk(live, true);
	return seed__walk(live, true) ?: err;
}

void live__free(struct live *live)
{
	if (!live)
		return;
	if (live->skel && live->skel->bss)
		__atomic_store_n(&live->skel->bss->armed, ARMED_OFF, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < live->probe_cnt; i++)
		uprobes__detach(live->probes[i].uprobes);
	free(live->probes);
	perf__close(&live->events);
	io_hooks__free(live);
	map64__free(&live->owners_idle);
	ring_buffer__free(live->ring);
	asyncscope__destroy(live->skel);
	free(live);
}

enum uprobe_rung live__rung(const struct live *live)
{
	return live->options.rung;
}

bool live__has_probes(const struct live *live)
{
	return live->probe_cnt > 0;
}

bool live__hw(const struct live *live, unsigned int idx)
{
	return live->hw[idx];
}

int live__drain(struct live *live, int max, live_record_fn fn, void *ctx)
{
	int ret;

	live->record_fn = fn;
	live->record_ctx = ctx;
	live->record_left = max;
	live->record_cnt = 0;
	live->record_err = 0;
	ret = ring_buffer__consume(live->ring);
	if (live->record_err)
		return live->record_err;
	return ret < 0 && ret != -ECANCELED ? ret : live->record_cnt;
}

int live__fd(const struct live *live)
{
	return ring_buffer__epoll_fd(live->ring);
}

int live__edges(struct live *live, live_edge_fn fn, void *ctx)
{
	int fd = bpf_map__fd(live->skel->maps.edges), err = 0;
	struct wire_edge_key key, *prev = NULL;
	struct wire_edge edge;

	while (!err && !bpf_map_get_next_key(fd, prev, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, &edge))
			err = fn(ctx, &key, &edge);
		prev = &key;
	}
	return err;
}

uint64_t live__loss(struct live *live, enum wire_loss loss)
{
	return object__cpu_sum(live->skel->maps.losses, loss);
}
