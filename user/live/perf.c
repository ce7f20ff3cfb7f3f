/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens per-CPU perf events for live/object.c; see perf.h. */
#include "live/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

struct hw_event {
	const char *name;
	__u64 hardware;
	__u64 software; /* stands in for it in tests */
};

static const struct hw_event hw_events[HW_CNT] = {
	{"cpu cycles", PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_SW_CPU_CLOCK},
	{"instructions", PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_SW_CPU_CLOCK},
	{"cache misses", PERF_COUNT_HW_CACHE_MISSES, PERF_COUNT_SW_PAGE_FAULTS},
	{"branch misses", PERF_COUNT_HW_BRANCH_MISSES, PERF_COUNT_SW_CONTEXT_SWITCHES},
};

const char *hw_name(unsigned int idx)
{
	return idx < HW_CNT ? hw_events[idx].name : "?";
}

static int open_event(struct perf_event_attr *attr, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void hw_attr(struct perf_event_attr *attr, unsigned int idx, enum hw_source source)
{
	memset(attr, 0, sizeof(*attr));
	attr->type = source == HW_SOURCE_SOFTWARE ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE;
	attr->config =
		source == HW_SOURCE_SOFTWARE ? hw_events[idx].software : hw_events[idx].hardware;
}

int perf__hw_error(unsigned int idx)
{
	struct perf_event_attr attr;
	int fd;

	hw_attr(&attr, idx, HW_SOURCE_HARDWARE);
	fd = open_event(&attr, 0);
	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

const char *perf__hw_text(int err)
{
	switch (err) {
	case 0:
		return "available";
	case ENOENT:
	case EOPNOTSUPP:
	case ENODEV:
		return "this machine has no such hardware counter (virtual machines often have none)";
	case EACCES:
	case EPERM:
		return "no permission to open hardware counters";
	default:
		return strerror(err);
	}
}

bool perf__can_sample(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = 49,
	};
	int fd = open_event(&attr, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int add(struct perf_events *events, int fd, struct bpf_link *link)
{
	size_t cnt = events->cnt + 1;
	int *fds = realloc(events->fds, cnt * sizeof(*fds));
	struct bpf_link **links;

	if (fds)
		events->fds = fds;
	links = realloc(events->links, cnt * sizeof(*links));
	if (links)
		events->links = links;
	if (!fds || !links)
		return -ENOMEM;
	events->fds[events->cnt] = fd;
	events->links[events->cnt] = link;
	events->cnt = cnt;
	return 0;
}

int perf__attach_tick(struct perf_events *events, struct bpf_program *prog, int hz)
{
	int cpus = libbpf_num_possible_cpus(), attached = 0, err;

	for (int cpu = 0; cpu < cpus; cpu++) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_SOFTWARE,
			.config = PERF_COUNT_SW_CPU_CLOCK,
			.freq = 1,
			.sample_freq = hz,
		};
		struct bpf_link *link;
		int fd = open_event(&attr, cpu);

		if (fd == -ENODEV)
			continue; /* offline */
		if (fd < 0)
			return fd;
		link = bpf_program__attach_perf_event(prog, fd);
		if (!link) {
			err = -errno;
			close(fd);
			return err;
		}
		/* the link owns the descriptor now */
		err = add(events, -1, link);
		if (err) {
			bpf_link__destroy(link);
			return err;
		}
		attached++;
	}
	return attached ? 0 : -ENODEV;
}

int perf__open_hw(struct perf_events *events, int map_fd, unsigned int idx, enum hw_source source)
{
	int cpus = libbpf_num_possible_cpus(), opened = 0;

	for (int cpu = 0; cpu < cpus; cpu++) {
		struct perf_event_attr attr;
		int fd, err;

		hw_attr(&attr, idx, source);
		fd = open_event(&attr, cpu);
		if (fd == -ENODEV)
			continue;
		if (fd < 0)
			return fd;
		err = bpf_map_update_elem(map_fd, &cpu, &fd, BPF_ANY) ? -errno : 0;
		if (!err)
			err = add(events, fd, NULL);
		if (err) {
			close(fd);
			return err;
		}
		opened++;
	}
	return opened ? 0 : -ENODEV;
}

void perf__close(struct perf_events *events)
{
	for (size_t i = 0; i < events->cnt; i++) {
		bpf_link__destroy(events->links[i]);
		if (events->fds[i] >= 0)
			close(events->fds[i]);
	}
	free(events->fds);
	free(events->links);
	memset(events, 0, sizeof(*events));
}
