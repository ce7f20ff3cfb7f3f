/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a record's bytes to a struct event. Called by live/ for each record of the ring. Nothing of
 * a record is believed: lengths, enum values and strings are checked here, once.
 */
#include "event/event.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The payloads of fixed size, all but the slice. */
static const struct {
	size_t sz;
} kinds[WIRE_KIND_CNT] = {
	[WIRE_SPAWN] = {sizeof(struct wire_spawn)},
	[WIRE_END] = {sizeof(struct wire_end)},
	[WIRE_RENAME] = {sizeof(struct wire_rename)},
	[WIRE_LATENCY] = {sizeof(struct wire_latency)},
	[WIRE_FORK] = {sizeof(struct wire_fork)},
	[WIRE_EXEC] = {sizeof(struct wire_exec)},
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
	default:
		return 0;
	}
}
