/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What classes of tasks are called. Called by the feed for each task that begins, while the
 * target most likely lives; what was read once is kept, because most tasks are of few types.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/session.h"
#include "runtime/runtime.h"

#define NAME_SZ   96
#define NAMES_MAX 65536 /* a hostile target invents types without end */

static void read_type(const struct session *session, const struct wire_spawn *spawn, uint32_t tgid,
		      char *name, size_t sz)
{
	const struct runtime_adapter *adapter = runtime_adapter__find(spawn->runtime);
	const struct process *process = session__process(session, tgid);

	name[0] = '\0';
	if (adapter && adapter->type_name && process && spawn->type_key)
		adapter->type_name(process->target, process->plan, spawn->type_key, name, sz);
}

static void type_name(struct session *session, const struct wire_spawn *spawn, uint32_t tgid,
		      char *name, size_t sz)
{
	uint64_t key = hash64(spawn->type_key ^ hash64((uint64_t)spawn->runtime << 32 | tgid)), id;

	if (map64__get(&session->name_idx, key, &id)) {
		snprintf(name, sz, "%s", strtab__get(&session->names, id));
		return;
	}
	read_type(session, spawn, tgid, name, sz);
	if (name[0] && session->name_idx.cnt < NAMES_MAX)
		map64__set(&session->name_idx, key, strtab__add(&session->names, name));
}

/* Threads of a class differ only in the numbers in their names. */
static void thread_class(const char *comm, char *name, size_t sz)
{
	size_t out = 0;

	for (; *comm && out + 1 < sz; comm++) {
		bool digit = *comm >= '0' && *comm <= '9';

		if (digit && out && name[out - 1] == '*')
			continue;
		name[out++] = digit ? '*' : *comm;
	}
	name[out] = '\0';
}

uint64_t names__class_of(void *ctx, const struct wire_spawn *spawn, uint32_t tgid, char *name,
			 size_t sz)
{
	if (spawn->runtime == RUNTIME_THREAD)
		thread_class(spawn->comm, name, sz);
	else
		type_name(ctx, spawn, tgid, name, sz);
	if (!name[0])
		snprintf(name, sz, "%s", runtime_name(spawn->runtime));
	return hash64(hash_bytes(spawn->runtime, name, strlen(name)) ^ spawn->site);
}

void names__disk(void *ctx, uint32_t dev, char *name, size_t sz)
{
	char path[64], link[256], *slash;
	ssize_t len;

	(void)ctx;
	name[0] = '\0';
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", dev >> 20, dev & 0xfffff);
	len = readlink(path, link, sizeof(link) - 1);
	if (len <= 0)
		return;
	link[len] = '\0';
	slash = strrchr(link, '/');
	snprintf(name, sz, "%s", slash ? slash + 1 : link);
}

void names__free(struct session *session)
{
	strtab__free(&session->names);
	map64__free(&session->name_idx);
}
