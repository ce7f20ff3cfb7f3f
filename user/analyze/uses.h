/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums over what tasks did with files, peers and disks: by operation, by kind, by object. For the
 * passes here and for the outputs. All sums saturate: the numbers may come from a hostile snapshot.
 */
#ifndef ANALYZE_USES_H
#define ANALYZE_USES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

#define OP_BIT(id)   (1U << IO_##id)
#define KIND_BIT(id) (1U << OBJECT_##id)

/* Every kind of a group. */
enum {
#define X(id, name, group) | (GROUP_##group == GROUP_FILE ? KIND_BIT(id) : 0)
	KINDS_FILE = 0 MODEL_OBJECTS(X),
#undef X
#define X(id, name, group) | (GROUP_##group == GROUP_SOCKET ? KIND_BIT(id) : 0)
	KINDS_SOCKET = 0 MODEL_OBJECTS(X),
#undef X
	KINDS_DISK = KIND_BIT(DISK),
	KINDS_SITE = KIND_BIT(SITE),
	/* where an operation's time is the storage's; one on a pipe waits for somebody */
	KINDS_STORAGE = KIND_BIT(REGULAR) | KIND_BIT(DIRECTORY) | KIND_BIT(BLOCK),
};

/* What can fail; a request served or data in a queue cannot. */
#define OPS_FALLIBLE                                                                               \
	(OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(SYNC) | OP_BIT(OPEN) | OP_BIT(CONNECT) |            \
	 OP_BIT(ACCEPT) | OP_BIT(DISK_READ) | OP_BIT(DISK_WRITE))

/* What moves data there: what the numbers of a file, peer, disk or site as a whole are of. */
uint32_t main_ops(enum object_group group);

/* Which uses are meant: sets of bits. */
struct use_filter {
	uint32_t ops;
	uint32_t kinds;
};

/* Reads, writes and syncs of files: what io latency is of. */
extern const struct use_filter storage_calls;
extern const struct use_filter socket_calls;

struct use_sum {
	uint64_t cnt, bytes, errors, again;
	uint64_t timed, ns, max_ns;
};

/* The kind of what it went to; unknown when there is no such object. */
unsigned int use_kind(const struct model *model, const struct use *use);
bool use_fits(const struct model *model, const struct use *use, const struct use_filter *filter);
void use_sum__add(struct use_sum *sum, const struct use *use);
/* All that fit. */
struct use_sum use_sum__of(const struct model *model, const struct use *uses, size_t cnt,
			   const struct use_filter *filter);
/* Mean of the timed ones; 0 when there are none. */
double use_sum__mean_ns(const struct use_sum *sum);
/* Unix streams have no packets: a task that has no other sockets sent none, and could not. */
bool has_streams_only(const struct model *model, const struct use *uses, size_t cnt);
/* What a task spent in its own calls. 0 for pipes, terminals and the like, which are ranked by their
 * bytes, and for operations that are no calls (a request served, a disk's own time). */
uint64_t use_time_ns(const struct model *model, const struct use *use);

/* What was done with one object by all whose uses were added. */
struct object_total {
	uint32_t object;
	uint64_t ns; /* as use_time_ns() */
	struct use_sum calls; /* reads, writes, syncs */
	uint64_t errors; /* of these, and of opening and connecting */
	uint64_t done; /* how many of the same did not fail */
	uint64_t requests; /* answers waited for, or requests served */
	uint64_t answer_ns; /* what these took */
	uint64_t op_ns[IO_OP_CNT]; /* of calls, also where they wait for somebody */
	uint64_t task; /* who spent the most on it, or 0 */
	uint64_t task_ns;
};

struct object_totals {
	struct object_total *rows;
	size_t cnt, cap;
	uint64_t ns; /* of all rows */
};

/* Adds what fits the kinds. 0 or -ENOMEM. */
int object_totals__add(struct object_totals *totals, const struct model *model,
		       const struct use *uses, size_t cnt, uint32_t kinds);
/* One row for each object, by time, then bytes, then operations; without those that were only
 * opened. */
void object_totals__rank(struct object_totals *totals);
/* The call that took most of the time, or IO_OP_CNT. */
unsigned int object_total__main_op(const struct object_total *row);
void object_totals__free(struct object_totals *totals);

/* Connections: of links whose sockets have any. Listening and datagram sockets have none. */
struct link_sums {
	size_t links;
	uint64_t met, opened, failed, closed;
	int64_t active;
};

/* Can it have connections at all? Datagrams need none, and a listener makes others'. */
bool link_connects(const struct model *model, const struct link *link);
void link_sums__add(struct link_sums *sums, const struct model *model, const struct link *links,
		    size_t cnt);

/* What a person calls it: a path, "tcp 10.0.0.7:6379", "disk 8:0", "[pipe]". Cut at the left to
 * `cols` bytes. Hostile text. Returns buf. */
#define OBJECT_LABEL_SZ 256
const char *object_label(const struct model *model, uint32_t object, size_t cols,
			 char buf[OBJECT_LABEL_SZ]);

static inline uint64_t sat_addu(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline int64_t sat_i64(uint64_t val)
{
	return val > INT64_MAX ? INT64_MAX : (int64_t)val;
}

#endif
