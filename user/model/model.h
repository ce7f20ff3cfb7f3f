/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole recording in memory: tasks, classes, edges, the timeline, counters, and what is known
 * of the machine, the target and the recording itself. Fed by decoded events (model/feed.h), or by
 * the snapshot reader; read by analyze/, export/, report/ and snapshot/. It holds no address that
 * needs the live target. Times are nanoseconds since the recording was armed.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"
#include "base/map64.h"
#include "base/strtab.h"
#include "event/event.h"
#include "model/caps.h"

#define NO_TIME INT64_MIN
#define NO_IDX  UINT32_MAX

enum task_flags {
	TASK_SEEN_FROM_START = 1,
	TASK_PLACEHOLDER = 2, /* met in a slice or an edge, its SPAWN has not come */
	TASK_NATIVE_UNKNOWN = 4,
};

/* How a number or a name came to be; travels into every output. The names are SCHEMA.md's. */
#define MODEL_BINDINGS(X)                                                                          \
	X(KERNEL, "kernel", "the kernel's own thread")                                             \
	X(SYMBOL, "exact symbol", "a probe on an exported function, identity from its argument")   \
	X(VTABLE, "vtable", "the runtime's own task table")                                        \
	X(INFERRED, "inferred", "deduced from neighbouring events")                                \
	X(UNKNOWN, "unknown", "met without its beginning")

enum model_binding {
#define X(id, name, meaning) BINDING_##id,
	MODEL_BINDINGS(X)
#undef X
		BINDING_CNT
};

/* Blocks of one task, or of several. */
struct heap_sums {
	uint64_t current_bytes, current_cnt; /* allocated and not freed */
	uint64_t peak_bytes; /* the most that one task held at once */
	uint64_t freed_bytes, freed_cnt; /* whoever freed them */
	/* of those of which the allocator told: what it gave for what it was asked for */
	uint64_t usable_bytes, asked_bytes;
};

struct task {
	uint64_t id;
	uint64_t parent; /* 0: unknown or outside */
	uint64_t native;
	int64_t start_ns; /* negative: before the recording was armed */
	int64_t end_ns; /* NO_TIME while it lives */
	int64_t wall_ns; /* time in its frames; for a thread, its life within the recording */
	int64_t c[COUNTER_CNT];
	struct hist runs; /* one entry per finished frame; empty for threads */
	struct hist wake; /* woken -> running */
	uint64_t run_self_ns; /* wall without the frames inside: wall_ns - CHILD_WALL */
	uint32_t class_idx;
	uint32_t name; /* string; see model__task_name() */
	uint32_t tgid;
	uint32_t tid; /* of a thread; else of the last thread that ran it */
	uint32_t site;
	uint8_t runtime;
	uint8_t state;
	uint8_t flags;
	uint8_t binding;
	uint32_t forced_cnt; /* frames whose end was inferred */
	uint64_t slices_lost; /* gaps in its numbered slices */
	struct heap_sums heap;
};

struct task_class {
	uint64_t id; /* hash(runtime, build-id, type, spawn site) */
	uint32_t name;
	uint8_t runtime;
	/* of tasks folded into the class (--max-memory); live ones are summed when asked */
	uint64_t folded_cnt;
	uint64_t folded_by_state[STATE_CNT];
	int64_t folded_wall_ns;
	int64_t folded_c[COUNTER_CNT];
	struct hist folded_runs;
	struct hist folded_wake;
	struct heap_sums folded_heap; /* its peak is the largest one's */
	uint64_t folded_leaking_cnt, folded_leaked_bytes; /* ended and still held memory */
};

struct edge {
	uint64_t from; /* 0: an interrupt or a task outside of the target */
	uint64_t to;
	uint8_t kind; /* enum edge_kind */
	uint64_t cnt;
	uint64_t delay_ns;
	uint64_t max_ns;
};

#define MODEL_EDGES(X)                                                                             \
	X(SPAWN, "spawn")                                                                          \
	X(WAKE, "wake")                                                                            \
	X(SUBMIT, "submit")

enum edge_kind {
#define X(id, name) EDGE_##id,
	MODEL_EDGES(X)
#undef X
		EDGE_CNT
};

/* One piece of the timeline. `c` holds what was charged in it, only the time counters. */
#define SLICE_TIMES (COUNTER_IDLE + 1)
struct slice {
	uint64_t task;
	int64_t start_ns;
	int64_t dur_ns;
	uint32_t tid;
	uint16_t cpu;
	uint8_t depth;
	uint8_t flags;
	int64_t c[SLICE_TIMES]; /* on_cpu .. idle, in wire order */
};

/*
 * What IO goes to: a file by its path, a peer by its address, a disk. Sockets of one peer are one
 * object: those that the target accepted by the peer's address and the own port, those that it
 * connected by the peer's address and port. And where memory is allocated: the function and the
 * place in it, with its module as `local`.
 * X(id, name, group)
 */
enum object_group { GROUP_FILE, GROUP_SOCKET, GROUP_DISK, GROUP_HEAP };

#define MODEL_OBJECTS(X)                                                                           \
	X(UNKNOWN, "unknown", FILE)                                                                \
	X(REGULAR, "file", FILE)                                                                   \
	X(DIRECTORY, "directory", FILE)                                                            \
	X(BLOCK, "block device", FILE)                                                             \
	X(CHARACTER, "character device", FILE)                                                     \
	X(TERMINAL, "terminal", FILE)                                                              \
	X(PIPE, "pipe", FILE)                                                                      \
	X(EVENTFD, "eventfd", FILE)                                                                \
	X(TIMERFD, "timerfd", FILE)                                                                \
	X(SIGNALFD, "signalfd", FILE)                                                              \
	X(INOTIFY, "inotify", FILE)                                                                \
	X(MEMORY, "memory file", FILE)                                                             \
	X(KERNEL, "kernel file", FILE) /* /proc, /sys and their like */                            \
	X(ANONYMOUS, "anonymous file", FILE)                                                       \
	X(TCP, "tcp", SOCKET)                                                                      \
	X(UDP, "udp", SOCKET)                                                                      \
	X(UNIX, "unix", SOCKET)                                                                    \
	X(SOCKET, "socket", SOCKET) /* of another family */                                        \
	X(DISK, "disk", DISK)                                                                      \
	X(SITE, "allocation site", HEAP)

enum object_kind {
#define X(id, name, group) OBJECT_##id,
	MODEL_OBJECTS(X)
#undef X
		OBJECT_KIND_CNT
};

struct object {
	uint64_t ino;
	uint32_t dev; /* major << 20 | minor; of a file: the file system's */
	uint32_t name; /* string: path or peer ("10.0.0.7:6379", "10.0.0.7", "unix:/run/x.sock"); of
			* a site the function and the place in it ("read_row+0x1d") */
	uint32_t local; /* string: the own end of sockets that were accepted or listen, a site's
			 * module; or "" */
	uint8_t kind; /* enum object_kind */
	uint8_t role; /* enum wire_conn_role */
	uint8_t flags; /* FILE_DELETED, FILE_CUT, FILE_DETACHED */
};

/* What one task (or the folded ones of a class) did with one object, one operation. */
struct use {
	uint64_t task; /* 0: of the class, or of nobody when that is NO_IDX */
	uint32_t class_idx; /* NO_IDX unless folded */
	uint32_t object;
	uint8_t op; /* enum wire_io_op */
	uint64_t cnt, bytes, errors, again;
	struct hist latency; /* of those whose beginning was seen */
};

/* The connections of one task (or of a class's folded ones) with one peer. */
struct link {
	uint64_t task;
	uint32_t class_idx;
	uint32_t object;
	uint64_t met; /* were there before the recording, or came from another process */
	uint64_t opened, failed, closed;
	int64_t active, active_max;
	/* TCP, summed over its connections; as TCP_INFO when there is one */
	uint64_t tcp_cnt; /* connections that told */
	uint64_t segs_out, segs_in, retransmits, bytes_acked, bytes_received;
	uint64_t rtt_sum_us, rttvar_sum_us, cwnd_sum, rtt_cnt;
	uint32_t rtt_min_us, rtt_max_us; /* smoothed; 0 while rtt_cnt is 0 */
	uint32_t path_rtt_us; /* the kernel's own minimum; 0 = none yet */
	uint32_t mss; /* of the last one */
};

/* Quantities over time, at each tick of the recorder (100 ms): X(id, name, unit, meaning) */
#define MODEL_SERIES(X)                                                                            \
	X(CONNECTIONS, "connections_active", "connections", "connections open at that time")       \
	X(IO_QUEUE, "io_queue_depth", "operations",                                                \
	  "time of the file operations that ended in the interval, by its length x1000")           \
	X(DISK_IN_FLIGHT, "disk_in_flight", "requests", "disk requests in flight at that time")    \
	X(HEAP_LIVE, "heap_live_bytes", "bytes",                                                   \
	  "held at that time of what was allocated since the recording began")

enum model_series {
#define X(id, name, unit, meaning) SERIES_##id,
	MODEL_SERIES(X)
#undef X
		SERIES_CNT
};

struct sample {
	int64_t at_ns;
	int64_t val;
	uint8_t series;
};

/* A named quantity with its meaning: losses, probe hits, unattributed time. */
struct counter {
	uint32_t name;
	uint32_t meaning;
	uint64_t val;
	bool is_loss;
};

struct runtime_info {
	uint32_t name;
	uint32_t version;
	uint32_t binding;
	uint32_t confidence; /* "high", "medium", "low" */
	uint32_t reason;
	uint32_t tgid;
};

struct cap_state {
	bool measured;
	uint32_t reason; /* string: why not */
	uint32_t source; /* string: what it was measured with */
	/* It was measured for a share of the recording's time only: its totals stand for the whole of
	 * it once feed__finish() has been called. 1: always. */
	double share;
	/* It was sampled, and its numbers are multiplied by weights already: about so many stand for
	 * each one that was seen. 1: not sampled. */
	double weight;
};

/* Something that was done less closely, or more closely again, to keep the budget. */
struct backoff {
	int64_t at_ns;
	uint32_t what, from, to, reason; /* strings: "memory", "exact", "counting", ... */
};

/* Facts about the recording. Strings are ids; a number that was not measured is NO_TIME. */
#define META_STRINGS(X)                                                                            \
	X(version)                                                                                 \
	X(options)                                                                                 \
	X(title)                                                                                   \
	X(kernel)                                                                                  \
	X(arch)                                                                                    \
	X(hostname)                                                                                \
	X(exe)                                                                                     \
	X(comm)                                                                                    \
	X(cmdline)                                                                                 \
	X(container)                                                                               \
	X(namespaces)                                                                              \
	X(stop_reason)                                                                             \
	X(heap_untold) /* why heap_allocator_* are not there */

#define META_NUMBERS(X)                                                                            \
	X(cpus)                                                                                    \
	X(pid)                                                                                     \
	X(uid)                                                                                     \
	X(target_start_ns)                                                                         \
	X(process_cnt)                                                                             \
	X(started_at_ns)                                                                           \
	X(start_mono_ns)                                                                           \
	X(start_boot_ns)                                                                           \
	X(duration_ns)                                                                             \
	X(end_mono_ns)                                                                             \
	X(end_boot_ns)                                                                             \
	X(end_real_ns)                                                                             \
	X(attached_ns)                                                                             \
	X(process_cpu_ns)                                                                          \
	X(tracer_cpu_ns)                                                                           \
	X(tracer_rss_bytes)                                                                        \
	X(kernel_memory_bytes)                                                                     \
	X(probe_hits)                                                                              \
	X(probe_price_ns)                                                                          \
	X(hook_runs)                                                                               \
	X(hook_ns)                                                                                 \
	X(tasks_folded)                                                                            \
	X(slices_seen)                                                                             \
	X(connections_active)                                                                      \
	X(connections_max)                                                                         \
	X(budget_ppm) /* --max-overhead, in millionths of the target's CPU use */                  \
	X(heap_allocator_free_bytes)                                                               \
	X(heap_allocator_resident_bytes)                                                           \
	X(records_seen)

struct meta {
#define X(name) uint32_t name;
	META_STRINGS(X)
#undef X
#define X(name) int64_t name;
	META_NUMBERS(X)
#undef X
};

struct model {
	struct strtab strings;
	struct meta meta;
	struct cap_state caps[CAP_CNT];

	struct task *tasks;
	size_t task_cnt, task_cap;
	struct task_class *classes;
	size_t class_cnt, class_cap;
	struct edge *edges;
	size_t edge_cnt, edge_cap;
	struct slice *slices;
	size_t slice_cnt, slice_cap;
	struct object *objects;
	size_t object_cnt, object_cap;
	struct use *uses; /* sorted by task (0 last), class, object, op once the recording ended */
	size_t use_cnt, use_cap;
	struct link *links; /* sorted alike */
	size_t link_cnt, link_cap;
	struct sample *samples; /* sorted by series, then time, once the recording ended */
	size_t sample_cnt, sample_cap;
	struct counter *counters;
	size_t counter_cnt, counter_cap;
	struct runtime_info *runtimes;
	size_t runtime_cnt, runtime_cap;
	struct backoff *backoffs; /* as they happened */
	size_t backoff_cnt, backoff_cap;

	struct map64 task_idx; /* id -> index */
	struct map64 class_idx; /* id -> index */
	struct map64 edge_idx; /* hash(from, to, kind) -> index */
	struct map64 counter_idx; /* name string id -> index */
	struct feed *feed; /* what only a live recording needs; NULL when read from a snapshot */
};

struct model *model__new(void);
void model__free(struct model *model);

const char *model__str(const struct model *model, uint32_t id);
uint32_t model__intern(struct model *model, const char *str);

/* Returns NULL when there is none. */
struct task *model__task(const struct model *model, uint64_t id);
/* Found or made (a placeholder); NULL when memory ran out. Pointers hold until the next one is made. */
struct task *model__task_get(struct model *model, uint64_t id);
/* Found or made; its index, or NO_IDX. */
uint32_t model__class_get(struct model *model, uint64_t id, uint8_t runtime, const char *name);
struct edge *model__edge_get(struct model *model, uint64_t from, uint64_t to, enum edge_kind kind);
struct slice *model__slice_add(struct model *model);
void model__counter_add(struct model *model, const char *name, const char *meaning, bool is_loss,
			uint64_t val);
void model__cap_set(struct model *model, enum model_cap cap, const char *source);
void model__cap_miss(struct model *model, enum model_cap cap, const char *reason);
/* After model__cap_set(), which resets both. What does not lie in (0, 1] or [1, ..) is ignored; IO
 * and network share their probes, so a share of the one is of both. */
void model__cap_share(struct model *model, enum model_cap cap, double share);
void model__cap_weight(struct model *model, enum model_cap cap, double weight);
/* How many each counted one stands for in all: 1 for what is exact. */
double cap_estimate(const struct cap_state *cap);
/* 0 or -ENOMEM */
int model__backoff_add(struct model *model, int64_t at_ns, const char *what, const char *from,
		       const char *to, const char *reason);

/* What a task is called: a thread by its own name, another by its class and the runtime's id. "" for
 * one without a name. Returns buf. */
const char *model__task_name(const struct model *model, const struct task *task, char *buf,
			     size_t sz);

/* Uses, links and samples in their order (above): by the feed at the end, by the snapshot reader. */
void model__sort_io(struct model *model);
/* The uses of one task (whatever the class), of the folded tasks of a class (task 0), or of nobody
 * (task 0, NO_IDX): the first one and how many; NULL when there are none. */
const struct use *model__uses(const struct model *model, uint64_t task, uint32_t class_idx,
			      size_t *cnt);
const struct link *model__links(const struct model *model, uint64_t task, uint32_t class_idx,
				size_t *cnt);

const char *object_kind_name(unsigned int kind);
enum object_group object_group(unsigned int kind);
const char *io_op_name(unsigned int op);
const char *conn_role_name(unsigned int role);
const char *series_name(unsigned int series);
const char *series_unit(unsigned int series);
const char *series_meaning(unsigned int series);
const char *runtime_name(unsigned int runtime);
const char *state_name(unsigned int state);
const char *binding_name(unsigned int binding);
const char *edge_name(unsigned int kind);
const char *cap_name(unsigned int cap);
const char *counter_name(unsigned int counter); /* the wire counter's */
/* Were losses counted at all? A recording that was not finished holds no counters. */
bool model__losses_known(const struct model *model);
/* Sum of the model's loss counters. */
uint64_t model__losses(const struct model *model);

#endif
