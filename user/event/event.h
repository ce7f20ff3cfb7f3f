/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded record of the ring: bounds-checked, with every counter in its place. The model and its
 * tests see only this, never raw bytes.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct event_slice {
	uint64_t task;
	uint64_t enter_ns;
	uint64_t present;
	int64_t c[COUNTER_CNT]; /* cumulative since enter_ns; absent ones are 0 */
	uint32_t tid;
	uint16_t cpu;
	uint32_t flush;
	uint8_t flags;
	uint8_t depth;
	uint8_t running;
};

/*
 * The name, put together: "/var/log/x", "/tmp/y (deleted)", ".../deep/z" (there are more components),
 * "(unreachable)/etc/passwd" (as getcwd(3) has it: not below the target's root), "pipe:[77]",
 * "[eventfd]", "memfd:buffer". Any byte but NUL may be in it.
 */
struct event_file {
	uint64_t id;
	uint64_t ino;
	uint32_t dev, rdev;
	uint32_t magic;
	uint16_t mode;
	uint8_t flags; /* FILE_*; FILE_CUT also when the name was too long for `path` */
	char path[FILE_PATH_MAX];
};

/* Four kilobytes, because of the path: pass it on by its address, and do not clear it. */
struct event {
	enum wire_kind kind;
	uint32_t tgid;
	uint64_t ns; /* CLOCK_MONOTONIC */
	union {
		struct wire_spawn spawn;
		struct wire_end end;
		struct event_slice slice;
		struct wire_rename rename;
		struct wire_latency latency;
		struct wire_fork fork;
		struct wire_exec exec;
		struct event_file file;
		struct wire_conn conn;
		struct wire_use use;
		struct wire_site site;
		struct wire_heap heap;
		struct wire_maps maps;
	};
};

/* 0, or -EINVAL for a record that is too short, too long or of no known kind. */
int event__decode(struct event *event, const void *data, size_t sz);

#endif
