/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a record's bytes to a struct event. Called by live/ for each record of the ring. Nothing of
 * a record is believed: lengths, enum values and strings are checked here, once.
 */
#include "event/event.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DELETED     " (deleted)"
#define UNREACHABLE "(unreachable)"
#define CUT         "..."

/* The payloads of fixed size, all but the slice and the file. */
static const struct {
	size_t sz;
} kinds[WIRE_KIND_CNT] = {
	[WIRE_SPAWN] = {sizeof(struct wire_spawn)},
	[WIRE_END] = {sizeof(struct wire_end)},
	[WIRE_RENAME] = {sizeof(struct wire_rename)},
	[WIRE_LATENCY] = {sizeof(struct wire_latency)},
	[WIRE_FORK] = {sizeof(struct wire_fork)},
	[WIRE_EXEC] = {sizeof(struct wire_exec)},
	[WIRE_CONN] = {sizeof(struct wire_conn)},
	[WIRE_USE] = {sizeof(struct wire_use)},
	[WIRE_SITE] = {sizeof(struct wire_site)},
	[WIRE_HEAP] = {sizeof(struct wire_heap)},
	[WIRE_MAPS] = {sizeof(struct wire_maps)},
};

static int decode_slice(struct event_slice *slice, const char *data, size_t sz)
{
	struct wire_slice wire;
	uint64_t left;
	size_t off = sizeof(wire);

	if (sz < sizeof(wire) || sz > sizeof(wire) + 64 * sizeof(uint64_t))
		return -EINVAL;
	memcpy(&wire, data, sizeof(wire));
	if (wire.present >> COUNTER_CNT ||
	    sz < sizeof(wire) + (size_t)__builtin_popcountll(wire.present) * sizeof(uint64_t))
		return -EINVAL;
	memset(slice, 0, sizeof(*slice));
	slice->task = wire.task;
	slice->enter_ns = wire.enter_ns;
	slice->present = wire.present;
	slice->tid = wire.tid;
	slice->cpu = wire.cpu;
	slice->flush = wire.flush;
	slice->flags = wire.flags;
	slice->depth = wire.depth;
	slice->running = wire.running;
	for (left = wire.present; left; left &= left - 1) {
		memcpy(&slice->c[__builtin_ctzll(left)], data + off, sizeof(uint64_t));
		off += sizeof(uint64_t);
	}
	return 0;
}

/* A name is written from its end to its beginning, as the components come. */
struct name {
	char *buf; /* FILE_PATH_MAX bytes */
	size_t at; /* where it begins by now */
	size_t path_end;
	bool cut;
};

static void prepend(struct name *name, const char *text, size_t sz)
{
	name->at -= sz;
	memcpy(name->buf + name->at, text, sz);
}

/* A component in front, with its slash. What does not fit is left out, of the last one the beginning. */
static void add_component(struct name *name, const char *text, size_t sz)
{
	/* what a cut name begins with has to fit in any case */
	size_t room = name->at - strlen(UNREACHABLE CUT);

	if (sz < room) {
		prepend(name, text, sz);
		prepend(name, "/", 1);
		return;
	}
	name->cut = true;
	if (name->at == name->path_end)
		prepend(name, text + sz - room, room);
}

/* `text` holds components with a NUL behind each, the last one first. */
static void add_path(struct name *name, const char *text, size_t sz)
{
	size_t part_sz;

	for (size_t off = 0; off < sz && !name->cut; off += part_sz + 1) {
		part_sz = strlen(text + off);
		/* what a root is called says nothing */
		if (part_sz && !(part_sz == 1 && text[off] == '/'))
			add_component(name, text + off, part_sz);
	}
	if (name->at == name->path_end)
		prepend(name, "/", 1);
}

/* Memory with a name: never linked anywhere, so that it always counts as deleted. */
static bool is_memory(const struct wire_file *wire, const char *text)
{
	bool by_name = !strncmp(text, "memfd:", 6) || !strncmp(text, "SYSV", 4);
	bool alone = strlen(text) + 1 == wire->path_sz;

	return by_name && alone && S_ISREG(wire->mode) &&
	       wire->flags & (FILE_DELETED | FILE_PSEUDO) &&
	       (wire->magic == TMPFS_MAGIC || wire->magic == HUGETLBFS_MAGIC);
}

/* A name that is no path. */
static void set_pseudo(struct event_file *file, const char *text)
{
	if (!*text || !strcmp(text, "pipe"))
		snprintf(file->path, sizeof(file->path), "%s:[%" PRIu64 "]",
			 S_ISFIFO(file->mode) ? "pipe" : "unnamed", file->ino);
	else
		snprintf(file->path, sizeof(file->path), "%s", text);
}

static void set_path(struct event_file *file, const char *text, size_t sz)
{
	struct name name = {.buf = file->path, .at = sizeof(file->path) - 1};

	file->path[name.at] = '\0';
	if (file->flags & FILE_DELETED)
		prepend(&name, DELETED, strlen(DELETED));
	name.path_end = name.at;
	if (sz || !(file->flags & FILE_CUT))
		add_path(&name, text, sz);
	if (name.cut)
		file->flags |= FILE_CUT;
	if (file->flags & FILE_CUT)
		prepend(&name, CUT, strlen(CUT));
	if (file->flags & FILE_DETACHED)
		prepend(&name, UNREACHABLE, strlen(UNREACHABLE));
	memmove(file->path, file->path + name.at, sizeof(file->path) - name.at);
}

static int decode_file(struct event_file *file, const char *data, size_t sz)
{
	const char *text = data + sizeof(struct wire_file);
	struct wire_file wire;

	if (sz < sizeof(wire))
		return -EINVAL;
	memcpy(&wire, data, sizeof(wire));
	if (sz != sizeof(wire) + wire.path_sz || !wire.id || wire.id & DISK_ID ||
	    (wire.path_sz && text[wire.path_sz - 1]))
		return -EINVAL;
	file->id = wire.id;
	file->ino = wire.ino;
	file->dev = wire.dev;
	file->rdev = wire.rdev;
	file->magic = wire.magic;
	file->mode = wire.mode;
	file->flags = wire.flags & (FILE_DELETED | FILE_CUT | FILE_DETACHED | FILE_PSEUDO);
	if (wire.path_sz && is_memory(&wire, text))
		file->flags = FILE_PSEUDO;
	if (file->flags & FILE_PSEUDO)
		set_pseudo(file, wire.path_sz ? text : "");
	else
		set_path(file, text, wire.path_sz);
	return 0;
}

static int check_conn(struct wire_conn *conn)
{
	conn->path[UNIX_PATH_SZ - 1] = '\0';
	if (!conn->id || conn->id & DISK_ID || conn->event >= CONN_EVENT_CNT ||
	    conn->role >= ROLE_CNT)
		return -EINVAL;
	return 0;
}

int event__decode(struct event *event, const void *data, size_t sz)
{
	struct wire_hdr hdr;

	if (sz < sizeof(hdr))
		return -EINVAL;
	memcpy(&hdr, data, sizeof(hdr));
	/* Behind hdr.sz there may be padding: slices are reserved in a few sizes. */
	if (hdr.sz > sz || hdr.kind >= WIRE_KIND_CNT)
		return -EINVAL;
	event->kind = hdr.kind;
	event->tgid = hdr.tgid;
	event->ns = hdr.ns;
	if (hdr.kind == WIRE_SLICE)
		return decode_slice(&event->slice, data, hdr.sz);
	if (hdr.kind == WIRE_FILE)
		return decode_file(&event->file, data, hdr.sz);
	if (!kinds[hdr.kind].sz || hdr.sz != kinds[hdr.kind].sz)
		return -EINVAL;
	/* The union's members begin at one address. */
	memcpy(&event->spawn, data, hdr.sz);
	switch (event->kind) {
	case WIRE_SPAWN:
		event->spawn.comm[COMM_SZ - 1] = '\0';
		return event->spawn.runtime < RUNTIME_CNT ? 0 : -EINVAL;
	case WIRE_END:
		return event->end.state < STATE_CNT ? 0 : -EINVAL;
	case WIRE_RENAME:
		event->rename.comm[COMM_SZ - 1] = '\0';
		return 0;
	case WIRE_EXEC:
		event->exec.comm[COMM_SZ - 1] = '\0';
		return 0;
	case WIRE_CONN:
		return check_conn(&event->conn);
	case WIRE_SITE:
		return event->site.id & OBJECT_IS_SITE ? 0 : -EINVAL;
	case WIRE_USE:
		return event->use.key.op < IO_OP_CNT ? 0 : -EINVAL;
	default:
		return 0;
	}
}
