/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding of ring records: every kind, and every way in which a record may lie. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "tap.h"

static struct event event;

/* Decodes from a heap block of exactly that size, so that ASan sees each byte too much. */
static int decode(const void *data, size_t sz)
{
	void *copy = malloc(sz ? sz : 1);
	int err;

	if (!copy)
		exit(2);
	if (sz)
		memcpy(copy, data, sz);
	memset(&event, 0xa5, sizeof(event));
	err = event__decode(&event, copy, sz);
	free(copy);
	return err;
}

static struct wire_hdr hdr(enum wire_kind kind, size_t sz)
{
	return (struct wire_hdr){.kind = kind, .sz = (uint16_t)sz, .tgid = 77, .ns = 123456};
}

static void test_slice(void)
{
	struct {
		struct wire_slice slice;
		uint64_t vals[COUNTER_CNT];
		uint64_t pad[4];
	} rec = {.slice = {.task = 5,
			   .enter_ns = 1000,
			   .tid = 9,
			   .cpu = 3,
			   .flush = 70000,
			   .flags = SLICE_PARTIAL,
			   .depth = 2,
			   .running = 1}};
	size_t sz = sizeof(rec.slice) + 3 * 8;

	rec.slice.hdr = hdr(WIRE_SLICE, sz);
	rec.slice.present =
		1ULL << COUNTER_ON_CPU | 1ULL << COUNTER_IDLE | 1ULL << (COUNTER_CNT - 1);
	rec.vals[0] = 11;
	rec.vals[1] = 22;
	rec.vals[2] = 33;
	rec.vals[3] = 44; /* behind the content: must not be read */
	ok(!decode(&rec, sz) && event.kind == WIRE_SLICE && event.tgid == 77 && event.ns == 123456,
	   "a slice's header");
	ok(event.slice.task == 5 && event.slice.enter_ns == 1000 && event.slice.tid == 9 &&
		   event.slice.cpu == 3 && event.slice.flush == 70000 &&
		   event.slice.flags == SLICE_PARTIAL && event.slice.depth == 2 &&
		   event.slice.running == 1,
	   "its fields");
	ok(event.slice.c[COUNTER_ON_CPU] == 11 && event.slice.c[COUNTER_IDLE] == 22 &&
		   event.slice.c[COUNTER_CNT - 1] == 33,
	   "its counters are in their places");
	ok(event.slice.c[COUNTER_RUNQUEUE] == 0 && event.slice.c[COUNTER_CPUS] == 0,
	   "absent counters are 0");
	ok(!decode(&rec, sz + 32) && event.slice.c[COUNTER_CNT - 1] == 33, "padding is allowed");
	ok(decode(&rec, sz - 1) == -EINVAL, "cut off by a byte");
	rec.slice.hdr.sz = (uint16_t)(sz - 8);
	ok(decode(&rec, sizeof(rec)) == -EINVAL, "more counters than its size says");
	rec.slice.hdr.sz = (uint16_t)sz;
	rec.slice.present |= 1ULL << COUNTER_CNT;
	ok(decode(&rec, sizeof(rec)) == -EINVAL, "a counter that does not exist");
	rec.slice.present = 1ULL << 63;
	ok(decode(&rec, sizeof(rec)) == -EINVAL, "the highest bit");
	rec.slice.present = 0;
	rec.slice.hdr.sz = sizeof(rec.slice);
	ok(!decode(&rec, sizeof(rec.slice)), "no counters at all");
	ok(decode(&rec, sizeof(rec.slice) - 1) == -EINVAL, "half a slice");
	rec.slice.present = (1ULL << COUNTER_CNT) - 1;
	rec.slice.hdr.sz = sizeof(rec.slice) + sizeof(rec.vals);
	for (unsigned int i = 0; i < COUNTER_CNT; i++)
		rec.vals[i] = i + 1;
	ok(!decode(&rec, rec.slice.hdr.sz) && event.slice.c[0] == 1 &&
		   event.slice.c[COUNTER_CNT - 1] == COUNTER_CNT,
	   "all counters");
}

/* A record of each fixed size: right, too short, too long, and a size that is not its own. */
static void test_sizes(void)
{
	static const struct {
		enum wire_kind kind;
		size_t sz;
		const char *name;
	} rows[] = {
		{WIRE_SPAWN, sizeof(struct wire_spawn), "spawn"},
		{WIRE_END, sizeof(struct wire_end), "end"},
		{WIRE_RENAME, sizeof(struct wire_rename), "rename"},
		{WIRE_LATENCY, sizeof(struct wire_latency), "latency"},
		{WIRE_FORK, sizeof(struct wire_fork), "fork"},
		{WIRE_EXEC, sizeof(struct wire_exec), "exec"},
	};
	char rec[1024] = {};
	bool short_ok;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_hdr head = hdr(rows[i].kind, rows[i].sz);

		memcpy(rec, &head, sizeof(head));
		ok(!decode(rec, rows[i].sz) && event.kind == rows[i].kind, "%s", rows[i].name);
		short_ok = true;
		for (size_t sz = 0; sz < rows[i].sz; sz++)
			short_ok &= decode(rec, sz) == -EINVAL;
		ok(short_ok, "%s: all shorter records are refused", rows[i].name);
		head.sz = (uint16_t)(rows[i].sz + 8);
		memcpy(rec, &head, sizeof(head));
		ok(decode(rec, sizeof(rec)) == -EINVAL, "%s: too long", rows[i].name);
		head.sz = (uint16_t)(rows[i].sz - 8);
		memcpy(rec, &head, sizeof(head));
		ok(decode(rec, sizeof(rec)) == -EINVAL, "%s: says that it is shorter",
		   rows[i].name);
	}
}

static void test_content(void)
{
	struct wire_spawn spawn = {.hdr = hdr(WIRE_SPAWN, sizeof(spawn)), .task = 8};
	struct wire_rename rename = {.hdr = hdr(WIRE_RENAME, sizeof(rename))};
	struct wire_exec exec = {.hdr = hdr(WIRE_EXEC, sizeof(exec))};
	struct wire_end end = {.hdr = hdr(WIRE_END, sizeof(end)), .state = STATE_CNT - 1};
	struct wire_hdr unknown = hdr(WIRE_KIND_CNT, sizeof(unknown));

	memset(spawn.comm, 'x', COMM_SZ);
	memset(rename.comm, 'x', COMM_SZ);
	memset(exec.comm, 'x', COMM_SZ);
	ok(!decode(&spawn, sizeof(spawn)) && strlen(event.spawn.comm) == COMM_SZ - 1 &&
		   event.spawn.task == 8,
	   "a spawn's comm is terminated");
	ok(!decode(&rename, sizeof(rename)) && strlen(event.rename.comm) == COMM_SZ - 1,
	   "a rename's too");
	ok(!decode(&exec, sizeof(exec)) && strlen(event.exec.comm) == COMM_SZ - 1, "an exec's too");
	spawn.runtime = RUNTIME_CNT;
	ok(decode(&spawn, sizeof(spawn)) == -EINVAL, "an unknown runtime");
	ok(!decode(&end, sizeof(end)), "the last state");
	end.state = STATE_CNT;
	ok(decode(&end, sizeof(end)) == -EINVAL, "an unknown state");
	ok(decode(&unknown, sizeof(unknown)) == -EINVAL, "an unknown kind");
	unknown.kind = WIRE_NONE;
	ok(decode(&unknown, sizeof(unknown)) == -EINVAL, "kind 0");
	unknown.kind = 0xffff;
	ok(decode(&unknown, sizeof(unknown)) == -EINVAL, "the highest kind");
	ok(decode(&unknown, 0) == -EINVAL, "nothing");
}

int main(void)
{
	test_slice();
	test_sizes();
	test_content();
	return tap_done();
}
