/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: which probes to attach for a target, collected from the adapters. Made by cmd/, attached
 * by live/. It owns the files that its probes are in.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "runtime/allocators.h"
#include "runtime/heap.h"

int plan__add_file(struct plan *plan, struct elf_file *file)
{
	int err = array__reserve((void **)&plan->files, &plan->file_cap, plan->file_cnt + 1,
				 sizeof(struct elf_file *));

	if (!err)
		plan->files[plan->file_cnt++] = file;
	return err;
}

int plan__add(struct plan *plan, const struct probe *probe)
{
	int err;

	if (probe->place.probe == PROBE_REFUSED)
		return -EOPNOTSUPP;
	err = array__reserve((void **)&plan->probes, &plan->probe_cap, plan->probe_cnt + 1,
			     sizeof(*probe));
	if (!err)
		plan->probes[plan->probe_cnt++] = *probe;
	return err;
}

void probe__place(struct probe *probe, const struct place_want *want, const struct target *target,
		  struct elf_file *file, const struct elf_sym *sym)
{
	place__in_file(&probe->place, want, file, sym);
	probe->file = file;
	probe->file_off = sym->file_off + probe->place.off;
	probe->ip = target__addr_of(target, file, probe->file_off);
}

struct plan *plan__new(const struct target *target, const struct plan_options *options)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int err = 0;

	if (!plan)
		return NULL;
	plan->pid = target->pid;
	for (size_t i = 0; i < runtime_adapter_cnt && !err; i++) {
		const struct runtime_adapter *adapter = runtime_adapters[i];

		/* An adapter whose runtime is not there adds nothing: asking detect() first would
		 * read every file twice. */
		if (adapter->plan)
			err = adapter->plan(target, plan);
	}
	if (!err)
		err = heap__plan(target, plan, options);
	if (!err)
		return plan;
	plan__free(plan);
	errno = -err;
	return NULL;
}

static const struct elf_file *file_of(const struct plan *plan, const struct target_map *map)
{
	for (size_t i = 0; plan && i < plan->file_cnt; i++)
		if (plan->files[i]->inode == map->inode && plan->files[i]->dev == map->dev)
			return plan->files[i];
	return NULL;
}

void plan__read_str(const struct plan *plan, const struct target *target, uint64_t addr, char *buf,
		    size_t sz)
{
	if (!sz)
		return;
	target__read_str(target, addr, buf, sz);
	for (size_t i = 0; !buf[0] && i < target->map_cnt; i++) {
		const struct target_map *map = &target->maps[i];
		const struct elf_file *file;
		ssize_t len;

		if (addr < map->start || addr >= map->end)
			continue;
		file = file_of(plan, map);
		if (!file)
			return;
		len = pread(file->fd, buf, sz - 1, addr - map->start + map->file_off);
		buf[len > 0 ? len : 0] = '\0';
		target_clean(buf);
	}
}

static bool same_probe(const struct probe *one, const struct probe *other)
{
	return one->file_off == other->file_off && one->at_return == other->at_return &&
	       one->file->inode == other->file->inode && one->file->dev == other->file->dev &&
	       !strcmp(one->prog, other->prog);
}

bool plan__contains(const struct plan *plan, const struct probe *probe)
{
	for (; plan; plan = plan->before)
		for (size_t i = 0; i < plan->probe_cnt; i++)
			if (same_probe(&plan->probes[i], probe))
				return true;
	return false;
}

bool plan__covers(const struct plan *plan, const struct plan *old)
{
	for (size_t i = 0; i < old->probe_cnt; i++)
		if (!plan__contains(plan, &old->probes[i]) &&
		    !plan__contains(old->before, &old->probes[i]))
			return false;
	return true;
}

bool plan__is_new(const struct plan *plan, const struct plan *present, size_t idx)
{
	return !plan__contains(present, &plan->probes[idx]) &&
	       !plan__contains(plan->before, &plan->probes[idx]);
}

bool plan__has(const struct plan *plan, const struct plan *present, enum probe_group group)
{
	for (size_t i = 0; i < plan->probe_cnt; i++)
		if (plan->probes[i].group == group && plan__is_new(plan, present, i))
			return true;
	return false;
}

void plan__free(struct plan *plan)
{
	if (!plan)
		return;
	plan__free(plan->before);
	for (size_t i = 0; i < plan->file_cnt; i++)
		elf_file__free(plan->files[i]);
	allocators__free(plan->allocators);
	free(plan->files);
	free(plan->probes);
	free(plan);
}
