/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire: what the BPF side and user space say to each other. The only file that both include.
 * Fixed-width types, no pointers, no implicit padding, enum values are never reused, and a
 * _Static_assert holds every size. The object and the program are one build, so nothing here is
 * versioned; .asnap is (user/snapshot).
 */
#ifndef WIRE_H
#define WIRE_H

#include <linux/types.h>

/* The runtimes whose verbs travel on the wire. A new runtime is one row here, one .bpf.c, one
 * adapter and one line in the registry. */
#define WIRE_RUNTIMES(X)                                                                           \
	X(THREAD, thread)                                                                          \
	X(MARKS, marks)

enum wire_runtime {
#define X(id, name) RUNTIME_##id,
	WIRE_RUNTIMES(X)
#undef X
		RUNTIME_CNT
};

/*
 * The counters of a slice, in the order of its presence bitmap. They are cumulative since the
 * frame was entered: a lost PARTIAL slice costs detail on the timeline, never a sum.
 * X(id, name, how two values of one task are merged)
 */
#define WIRE_COUNTERS(X)                                                                           \
	X(ON_CPU, on_cpu_ns, SUM)                                                                  \
	X(RUNQUEUE, runqueue_ns, SUM)                                                              \
	X(BLOCKED_DISK, blocked_disk_ns, SUM)                                                      \
	X(BLOCKED_NET, blocked_net_ns, SUM)                                                        \
	X(BLOCKED_LOCK, blocked_lock_ns, SUM)                                                      \
	X(BLOCKED_TIMER, blocked_timer_ns, SUM)                                                    \
	X(BLOCKED_OTHER, blocked_other_ns, SUM)                                                    \
	X(IDLE, idle_ns, SUM)                                                                      \
	X(STOLEN, stolen_ns, SUM)                                                                  \
	X(CHILD_WALL, child_wall_ns, SUM)                                                          \
	X(SWITCH_VOLUNTARY, switches_voluntary, SUM)                                               \
	X(SWITCH_INVOLUNTARY, switches_involuntary, SUM)                                           \
	X(FAULT_MINOR, faults_minor, SUM)                                                          \
	X(FAULT_MAJOR, faults_major, SUM)                                                          \
	X(WAKE_RECEIVED, wakes_received, SUM)                                                      \
	X(WAKE_SELF, wakes_self, SUM)                                                              \
	X(WAKE_SENT, wakes_sent, SUM)                                                              \
	X(WAKE_LATENCY, wake_latency_ns, SUM)                                                      \
	X(WAKE_LATENCY_MAX, wake_latency_max_ns, MAX)                                              \
	X(PROBE_HITS, probe_hits, SUM)                                                             \
	X(CPUS, cpus_mask, OR)                                                                     \
	X(IO_READ_BYTES, io_read_bytes, SUM)                                                       \
	X(IO_WRITE_BYTES, io_write_bytes, SUM)                                                     \
	X(IO_READS, io_reads, SUM)                                                                 \
	X(IO_WRITES, io_writes, SUM)                                                               \
	X(IO_ERRORS, io_errors, SUM)                                                               \
	X(IO_TIME, io_time_ns, SUM)                                                                \
	X(DISK_READ_BYTES, disk_read_bytes, SUM)                                                   \
	X(DISK_WRITE_BYTES, disk_write_bytes, SUM)                                                 \
	X(NET_SENT_BYTES, net_sent_bytes, SUM)                                                     \
	X(NET_RECEIVED_BYTES, net_received_bytes, SUM)                                             \
	X(NET_SENDS, net_sends, SUM)                                                               \
	X(NET_RECEIVES, net_receives, SUM)                                                         \
	X(NET_PACKETS_SENT, net_packets_sent, SUM)                                                 \
	X(NET_PACKETS_RECEIVED, net_packets_received, SUM)                                         \
	X(NET_ERRORS, net_errors, SUM)                                                             \
	X(NET_TIME, net_time_ns, SUM)                                                              \
	X(NET_RETRANSMITS, net_retransmits, SUM)                                                   \
	X(RSS_GROWN, rss_grown_bytes, SUM)                                                         \
	X(MAPPED_BYTES, mapped_bytes, SUM)                                                         \
	X(UNMAPPED_BYTES, unmapped_bytes, SUM)                                                     \
	X(HEAP_ALLOCS, heap_allocs, SUM)                                                           \
	X(HEAP_ALLOC_BYTES, heap_alloc_bytes, SUM)                                                 \
	X(HEAP_FREES, heap_frees, SUM)                                                             \
	X(HW_CYCLES, hw_cycles, SUM)                                                               \
	X(HW_INSTRUCTIONS, hw_instructions, SUM)                                                   \
	X(HW_CACHE_MISSES, hw_cache_misses, SUM)                                                   \
	X(HW_BRANCH_MISSES, hw_branch_misses, SUM)                                                 \
	X(TICKS_USER, ticks_user_ns, SUM)                                                          \
	X(TICKS_KERNEL, ticks_kernel_ns, SUM)

enum wire_counter {
#define X(id, name, merge) COUNTER_##id,
	WIRE_COUNTERS(X)
#undef X
		COUNTER_CNT
};

#define HW_CNT 4 /* from HW_CYCLES on, in this order */
/* Frames keep those before it; what is from it on, the base frame's alone, is read when a slice is
 * emitted. */
#define COUNTER_KEPT_CNT COUNTER_TICKS_USER

/* Where a thread's time off the CPU goes; each cause is also the counter that it is charged to. */
enum wire_cause {
	CAUSE_RUNQUEUE = COUNTER_RUNQUEUE,
	CAUSE_DISK = COUNTER_BLOCKED_DISK,
	CAUSE_NET = COUNTER_BLOCKED_NET,
	CAUSE_LOCK = COUNTER_BLOCKED_LOCK,
	CAUSE_TIMER = COUNTER_BLOCKED_TIMER,
	CAUSE_OTHER = COUNTER_BLOCKED_OTHER,
	CAUSE_IDLE = COUNTER_IDLE,
};

/* The first part of every record. `sz` is the whole record's size. */
struct wire_hdr {
	__u16 kind; /* enum wire_kind */
	__u16 sz;
	__u32 tgid;
	__u64 ns; /* CLOCK_MONOTONIC */
};

enum wire_kind {
	WIRE_NONE,
	WIRE_SPAWN,
	WIRE_END,
	WIRE_SLICE,
	WIRE_RENAME,
	WIRE_LATENCY,
	WIRE_FORK,
	WIRE_EXEC,
	WIRE_FILE,
	WIRE_CONN,
	WIRE_USE,
	WIRE_SITE,
	WIRE_HEAP,
	WIRE_MAPS,
	WIRE_KIND_CNT
};

#define COMM_SZ 16

/* What a thread's state may take in the kernel; the test whether it can be stored stores so much. */
#define THREAD_STATE_MAX 8064

/* A task begins to exist, or is met for the first time. */
struct wire_spawn {
	struct wire_hdr hdr;
	__u64 task; /* instance id: tid << 32 | per-thread sequence */
	__u64 parent; /* instance id or 0 */
	__u64 native; /* the runtime's own id: tid, address, number */
	__u64 type_key; /* what the adapter turns into a name: an address in the target, or 0 */
	__u64 start_ns; /* when it began, CLOCK_MONOTONIC (an estimate for what was there before) */
	__u32 site; /* the probe's site, or 0 */
	__u32 tid;
	__u8 runtime; /* enum wire_runtime */
	__u8 flags; /* SPAWN_* */
	__u8 pad[6];
	char comm[COMM_SZ]; /* threads only */
};

enum wire_spawn_flags {
	SPAWN_EXISTED = 1, /* it was there before the recording was armed */
};

/* The states a task may end in; the names of SCHEMA.md. */
#define WIRE_STATES(X)                                                                             \
	X(UNFINISHED, unfinished)                                                                  \
	X(RUNNING, running)                                                                        \
	X(WAITING, waiting)                                                                        \
	X(COMPLETED, completed)                                                                    \
	X(CANCELLED, cancelled)                                                                    \
	X(PANICKED, panicked)                                                                      \
	X(DROPPED, dropped)

enum wire_state {
#define X(id, name) STATE_##id,
	WIRE_STATES(X)
#undef X
		STATE_CNT
};

struct wire_end {
	struct wire_hdr hdr;
	__u64 task;
	__u32 wakes_received; /* since it last ran */
	__u32 wakes_self;
	__u8 state; /* enum wire_state */
	__u8 pad[7];
};

/*
 * The time from entering a frame to leaving it. PARTIAL: the frame is still open. The frame is
 * named by (task, enter_ns); `flush` counts its slices, so that late ones are told apart.
 * Behind it follow the counters, one u64 for each bit of `present`, lowest bit first; the others
 * are 0.
 */
struct wire_slice {
	struct wire_hdr hdr; /* ns = the end of the slice */
	__u64 task;
	__u64 enter_ns;
	__u64 present;
	__u32 tid;
	__u32 flush;
	__u16 cpu;
	__u8 flags; /* SLICE_* */
	__u8 depth; /* 0 = the thread itself */
	__u8 running;
	__u8 pad[3];
};

enum wire_slice_flags {
	SLICE_PARTIAL = 1,
	SLICE_FORCED =
		2, /* no LEAVE was seen: popped by an outer LEAVE, the stack or the thread's end */
	SLICE_AT_STOP = 4, /* flushed because the recording ends */
};

struct wire_rename {
	struct wire_hdr hdr;
	__u64 task;
	char comm[COMM_SZ];
};

/* A task's wake -> run latencies, cumulative; two buckets per power of two from 2^LATENCY_MIN_LOG2
 * nanoseconds on: 2^k..1.5*2^k, 1.5*2^k..2^(k+1). */
#define LATENCY_BUCKETS  64
#define LATENCY_MIN_LOG2 8
struct wire_latency {
	struct wire_hdr hdr;
	__u64 task;
	__u32 buckets[LATENCY_BUCKETS];
};

struct wire_fork {
	struct wire_hdr hdr; /* tgid = the parent's */
	__u32 child_tgid;
	__u32 followed;
};

struct wire_exec {
	struct wire_hdr hdr;
	__u32 tid;
	__u32 old_tid;
	char comm[COMM_SZ];
};

/*
 * What a task does with one file, peer or disk: one distribution per operation. Kept in a BPF map
 * that user space swaps and empties now and then; the counters of slices hold the sums, so that a
 * full map loses the "which one", never the "how much".
 * X(id, name, meaning)
 */
#define WIRE_IO_OPS(X)                                                                             \
	X(READ, read, "read or received")                                                          \
	X(WRITE, write, "written or sent")                                                         \
	X(SYNC, sync, "fsync and its like")                                                        \
	X(OPEN, open, "opened")                                                                    \
	X(CONNECT, connect, "connected: from the call until it is established")                    \
	X(ACCEPT, accept, "accepted: established until the program took it from the queue")        \
	X(REQUEST, request, "served: from the first byte received until the first byte sent")      \
	X(RESPONSE, response, "waited for: from the first byte sent until the first one received") \
	X(QUEUED, queued, "data lay in the socket until the program received it")                  \
	X(FAULT, fault, "pages of a mapped file that had to be fetched")                           \
	X(DISK_READ, disk_read, "requests to the device, from issue to completion")                \
	X(DISK_WRITE, disk_write, "the same for writes and flushes")                               \
	X(ALLOC, alloc, "allocated at that place")                                                 \
	X(FREE, free, "freed of what was allocated there: from its allocation until then")         \
	X(HOLD, hold, "of that still there when the recording ends: how old it is by then")

enum wire_io_op {
#define X(id, name, meaning) IO_##id,
	WIRE_IO_OPS(X)
#undef X
		IO_OP_CNT
};

struct wire_use_key {
	__u64 task;
	__u64 object; /* the id of a WIRE_FILE, WIRE_CONN or WIRE_SITE; of disks DISK_ID | device; 0: a
			* file that is not known */
	__u32 op; /* enum wire_io_op */
	__u32 pad;
};

/* Set in the ids of sockets and their peers; alone: a socket that is not known. */
#define OBJECT_IS_SOCKET (1ULL << 61)
/* An object's id with this bit is a disk's: the low 32 bits are the kernel's device number. */
#define DISK_ID (1ULL << 63)

/* Set in the ids of places that allocate; alone: a place that is not known. */
#define OBJECT_IS_SITE (1ULL << 60)

/* Four buckets per power of two from 2^IO_MIN_LOG2 nanoseconds on; the first and the last one take
 * what is beyond. */
#define IO_BUCKETS  128
#define IO_MIN_LOG2 8
struct wire_use_val {
	__u64 cnt; /* that succeeded */
	__u64 bytes;
	__u64 errors; /* that failed */
	__u64 again; /* of no effect: would block, or interrupted */
	__u64 ns; /* summed over those in the buckets: cnt and errors, if their beginning was seen */
	__u64 max_ns;
	__u32 latency[IO_BUCKETS];
};

/* Drained from the map: not a record of the ring, but decoded like one. hdr.ns: when. */
struct wire_use {
	struct wire_hdr hdr;
	struct wire_use_key key;
	struct wire_use_val val;
};

/*
 * The functions that give and take memory, each with a program at its beginning; what allocators call
 * them is in runtime/allocators.c. X(id, name, what its arguments are)
 */
#define WIRE_HEAP_FUNCTIONS(X)                                                                     \
	X(MALLOC, malloc, "size")                                                                  \
	X(CALLOC, calloc, "count, size")                                                           \
	X(REALLOC, realloc, "block, size")                                                         \
	X(FREE, free, "block")                                                                     \
	X(POSIX_MEMALIGN, posix_memalign,                                                          \
	  "where to put it, alignment, size; returns 0 or an error")                               \
	X(MEMALIGN, memalign, "alignment, size")                                                   \
	X(VALLOC, valloc, "size")                                                                  \
	X(PVALLOC, pvalloc, "size")                                                                \
	X(NEW, new, "size; may throw")                                                             \
	X(DELETE, delete, "block")                                                                 \
	X(RUST_REALLOC, rust_realloc, "block, old size, alignment, size")                          \
	X(REALLOCARRAY, reallocarray, "block, count, size")

enum wire_heap_function {
#define X(id, name, args) HEAP_##id,
	WIRE_HEAP_FUNCTIONS(X)
#undef X
		HEAP_FUNCTION_CNT
};

/* What each of them was called for, counted apart from tasks; summed over CPUs when it is read. */
struct wire_heap_calls {
	__u64 calls;
	__u64 failed; /* returned nothing, where that is looked at */
	__u64 bytes; /* asked for, by those that did not fail */
};

/* How closely memory is looked at; what is cheaper is further down. */
#define WIRE_HEAP_MODES(X)                                                                         \
	X(EXACT, "exact", "every block, with who allocated it and where")                          \
	X(SAMPLED, "sampled", "every call counted; blocks sampled by their bytes")                 \
	X(COUNTING, "counting", "every call counted, no blocks")                                   \
	X(OFF, "off", "nothing")

enum wire_heap_mode {
#define X(id, name, meaning) HEAP_MODE_##id,
	WIRE_HEAP_MODES(X)
#undef X
		HEAP_MODE_CNT
};

/* A block that was allocated and not freed. */
struct wire_block_key {
	__u64 addr;
	__u32 tgid;
	__u32 pad;
};

struct wire_block {
	__u64 owner; /* task */
	__u64 site; /* object id */
	__u64 sz;
	__u64 ns; /* when it was allocated */
	__u64 weight; /* how many bytes it stands for: sz unless it was sampled */
	__u32 shift; /* weight is of a table that keeps one block in 1 << shift */
	__u32 pad;
};

/* What one task has taken and given back, cumulative; all by weight. It holds the difference. */
struct wire_owner {
	/* written by the task, which runs in one place at a time */
	__u64 taken_bytes, taken_cnt;
	__u64 peak_bytes;
	/* of the blocks of which the allocator told: how much it gave for how much it was asked for */
	__u64 usable_bytes, asked_bytes;
	/* by anybody */
	__u64 freed_bytes, freed_cnt; /* of its blocks, whoever freed them */
	/* what the sweep took out of the table, or weighed anew */
	__u64 swept_bytes, swept_cnt;
};

/* In place of a process: the blocks of all are gone. */
#define HEAP_GONE_ALL (~0U)

/* When blocks are sampled: each is kept with the chance sz / HEAP_SAMPLE_BYTES and stands for
 * HEAP_SAMPLE_BYTES then; larger ones are always kept. */
#define HEAP_SAMPLE_BYTES 65536

/* A place that allocates is met for the first time. */
struct wire_site {
	struct wire_hdr hdr;
	__u64 id;
	__u64 ip; /* where the allocation returns to */
};

/* What one task holds: read from a BPF map. hdr.ns: when. A task may be told several times, each time
 * begun anew, with nothing held in between. */
struct wire_heap {
	struct wire_hdr hdr;
	__u64 task;
	__u64 current_bytes, current_cnt;
	__u64 peak_bytes;
	__u64 freed_bytes, freed_cnt;
	__u64 usable_bytes, asked_bytes;
};

/* What a call of an allocation function within a function of a library tells: whose call it was. */
struct wire_wrapper_key {
	__u64 ip; /* where the allocation returns to */
	__u64 tgid;
};

/* The dynamic linker has mapped or unmapped files. */
struct wire_maps {
	struct wire_hdr hdr;
};

/* A file is met for the first time, or under a new name. */
#define FILE_PATH_MAX 4096
struct wire_file {
	struct wire_hdr hdr;
	__u64 id;
	__u64 ino;
	__u32 dev; /* the kernel's: major << 20 | minor */
	__u32 rdev; /* of a device */
	__u16 mode; /* S_IFMT says what it is */
	__u16 path_sz; /* bytes behind it: components, each with its NUL, the last one first */
	__u32 magic; /* of the file system */
	__u8 flags; /* FILE_* */
	__u8 pad[7];
};

enum wire_file_flags {
	FILE_DELETED = 1,
	FILE_CUT = 2, /* the path has more components than were read */
	FILE_DETACHED = 4, /* outside of the target's root, or of a mount that is gone */
	FILE_PSEUDO = 8, /* no path: the one component is the kind, like [eventfd] */
};

/* A socket's life: when it is met, becomes connected, ends, and as it is at the recording's end. */
#define WIRE_CONN_EVENTS(X)                                                                        \
	X(SEEN, seen, "it was there, or is no connection (datagrams, listening)")                  \
	X(OPENED, opened, "connected or accepted")                                                 \
	X(FAILED, failed, "could not be connected")                                                \
	X(CLOSED, closed, "its end")                                                               \
	X(LAST, last, "as it is when the recording ends")

enum wire_conn_event {
#define X(id, name, meaning) CONN_##id,
	WIRE_CONN_EVENTS(X)
#undef X
		CONN_EVENT_CNT
};

/* Who began it. */
#define WIRE_CONN_ROLES(X)                                                                         \
	X(UNKNOWN, unknown)                                                                        \
	X(CLIENT, client)                                                                          \
	X(SERVER, server)                                                                          \
	X(LISTENER, listener)                                                                      \
	X(DATAGRAM, datagram)

enum wire_conn_role {
#define X(id, name) ROLE_##id,
	WIRE_CONN_ROLES(X)
#undef X
		ROLE_CNT
};

#define UNIX_PATH_SZ 108
struct wire_conn {
	struct wire_hdr hdr;
	__u64 id;
	__u64 task; /* who opened it, or uses it first */
	__u64 since_ns; /* when it was opened or met */
	/* TCP only, as TCP_INFO has them */
	__u64 bytes_acked, bytes_received;
	__u32 srtt_us, rttvar_us, min_rtt_us; /* min_rtt_us: ~0 = none yet */
	__u32 cwnd, mss;
	__u32 segs_out, segs_in, retransmits;
	/* of these, not charged to any slice */
	__u32 rest_out, rest_in, rest_retransmits;
	__u16 family; /* AF_* */
	__u16 type; /* SOCK_* */
	__u16 protocol;
	__u16 local_port, peer_port; /* host byte order */
	__u8 event; /* enum wire_conn_event */
	__u8 role; /* enum wire_conn_role */
	__u8 state; /* TCP_* */
	__u8 flags; /* CONN_HAS_* */
	__u8 pad[6];
	__u8 local[16], peer[16]; /* IPv4 in the first four */
	char path[UNIX_PATH_SZ]; /* of a unix socket; abstract ones begin with @ */
	__u8 pad2[4];
};

enum wire_conn_flags {
	CONN_HAS_TCP = 1, /* TCP's numbers are filled in */
	CONN_IS_ACTIVE = 2, /* counts as an active connection */
};

/* What user space looks at every tick of its clock. */
#define WIRE_GAUGES(X)                                                                             \
	X(CONNECTIONS, connections, "connections open")                                            \
	X(DISK_IN_FLIGHT, disk_in_flight, "requests at the device in flight")                      \
	X(IO_TIME, io_time, "time in operations on stored files, summed since the beginning")      \
	X(HEAP_BLOCKS, heap_blocks, "blocks in the table of those that are not freed")             \
	X(HEAP_LIVE, heap_live, "bytes allocated since the recording began and not freed")

enum wire_gauge {
#define X(id, name, meaning) GAUGE_##id,
	WIRE_GAUGES(X)
#undef X
		GAUGE_CNT
};

/*
 * The walks over the descriptors of all targets. When recording begins: first what listens, then
 * what is connected. When it ends: how the connections are then.
 */
enum wire_socket_walk { WALK_LISTENERS, WALK_CONNECTIONS, WALK_LAST };

/* Where IO and network are accounted, best first. */
#define WIRE_IO_SOURCES(X)                                                                         \
	X(AUTO, "auto", "the best of the others")                                                  \
	X(SYSCALL, "syscall", "system call tracepoints (tp_btf)")                                  \
	X(SYSCALL_CLASSIC, "syscall-classic", "system call tracepoints (classic)")                 \
	X(FENTRY, "fentry", "fentry and fexit on VFS and socket functions")                        \
	X(KPROBE, "kprobe", "kprobes on VFS and socket functions (perf)")                          \
	X(KPROBE_TRACEFS, "kprobe-tracefs", "kprobes on VFS and socket functions (tracefs)")       \
	X(OFF, "off", "none")

enum wire_io_source {
#define X(id, name, meaning) IO_SOURCE_##id,
	WIRE_IO_SOURCES(X)
#undef X
		IO_SOURCE_CNT
};

/*
 * The kernel functions that these hook, each with a program at its entry and one at its return. All
 * are called by all who do such an operation, in the kernels of the matrix (their machine code says
 * so): vfs_fsync_range() for example is not, as compilers put it into its callers.
 * X(function, what it does, its arguments where the kernel does not tell its return value by a helper
 * (before 5.17), 1 = serves where the one above it cannot be hooked)
 */
#define WIRE_KERNEL_FUNCTIONS(X)                                                                   \
	X(vfs_read, READ, 4, 0)                                                                    \
	X(vfs_readv, READ, 5, 0)                                                                   \
	X(do_iter_read, READ, 4, 1)                                                                \
	X(vfs_write, WRITE, 4, 0)                                                                  \
	X(vfs_writev, WRITE, 5, 0)                                                                 \
	X(do_iter_write, WRITE, 4, 1)                                                              \
	X(do_sendfile, SENDFILE, 5, 0)                                                             \
	X(do_splice_direct, COPY, 6, 1)                                                            \
	X(do_splice, COPY, 6, 0)                                                                   \
	X(vfs_copy_file_range, COPY, 6, 0)                                                         \
	X(do_tee, TEE, 4, 0)                                                                       \
	X(__x64_sys_vmsplice, VMSPLICE, 1, 0)                                                      \
	X(__x64_sys_fsync, SYNC_REGS, 1, 0)                                                        \
	X(__x64_sys_fdatasync, SYNC_REGS, 1, 0)                                                    \
	X(__x64_sys_syncfs, SYNC_REGS, 1, 0)                                                       \
	X(sync_file_range, SYNC, 4, 0)                                                             \
	X(__x64_sys_io_getevents, EVENTS, 1, 0)                                                    \
	X(__x64_sys_io_pgetevents, EVENTS, 1, 0)                                                   \
	X(__x64_sys_mmap, MEMORY, 1, 0)                                                            \
	X(__x64_sys_munmap, MEMORY, 1, 0)                                                          \
	X(__x64_sys_mremap, MEMORY, 1, 0)                                                          \
	X(__x64_sys_brk, MEMORY, 1, 0)                                                             \
	X(do_sys_openat2, OPEN, 3, 0)                                                              \
	X(inet_sendmsg, SEND, 3, 0)                                                                \
	X(inet6_sendmsg, SEND, 3, 0)                                                               \
	X(unix_stream_sendmsg, SEND, 3, 0)                                                         \
	X(unix_dgram_sendmsg, SEND, 3, 0)                                                          \
	X(unix_seqpacket_sendmsg, SEND, 3, 0)                                                      \
	X(netlink_sendmsg, SEND, 3, 0)                                                             \
	X(packet_sendmsg, SEND, 3, 0)                                                              \
	X(inet_recvmsg, RECEIVE, 4, 0)                                                             \
	X(inet6_recvmsg, RECEIVE, 4, 0)                                                            \
	X(unix_stream_recvmsg, RECEIVE, 4, 0)                                                      \
	X(unix_dgram_recvmsg, RECEIVE, 4, 0)                                                       \
	X(unix_seqpacket_recvmsg, RECEIVE, 4, 0)                                                   \
	X(netlink_recvmsg, RECEIVE, 4, 0)                                                          \
	X(packet_recvmsg, RECEIVE, 4, 0)                                                           \
	X(inet_stream_connect, CONNECT, 4, 0)                                                      \
	X(inet_dgram_connect, CONNECT, 4, 0)                                                       \
	X(unix_stream_connect, CONNECT, 4, 0)                                                      \
	X(unix_dgram_connect, CONNECT, 4, 0)                                                       \
	X(inet_accept, ACCEPT, 4, 0)                                                               \
	X(unix_accept, ACCEPT, 4, 0)                                                               \
	X(inet_listen, LISTEN, 2, 0)                                                               \
	X(io_read, RING_READ, 2, 0)                                                                \
	X(io_write, RING_WRITE, 2, 0)                                                              \
	X(filemap_fault, FAULT, 1, 0)

/* Those of which only the beginning matters: X(function, what it does) */
#define WIRE_KERNEL_MOMENTS(X)                                                                     \
	X(sock_close, CLOSE)                                                                       \
	X(sock_def_readable, READY)

enum wire_hook {
	HOOK_READ, /* file first */
	HOOK_WRITE,
	HOOK_SENDFILE, /* descriptors: out, in */
	HOOK_COPY, /* files: in, _, out */
	HOOK_TEE, /* files: in, out */
	HOOK_VMSPLICE, /* the registers of a system call, which has a descriptor first */
	HOOK_SYNC, /* file first */
	HOOK_SYNC_REGS, /* as VMSPLICE */
	HOOK_EVENTS, /* io_getevents() */
	HOOK_MEMORY, /* mmap() and the like */
	HOOK_OPEN, /* returns a descriptor */
	HOOK_SEND, /* struct socket *, struct msghdr * */
	HOOK_RECEIVE, /* the same, size, flags */
	HOOK_CONNECT, /* struct socket * */
	HOOK_ACCEPT, /* struct socket * that listens, the new one */
	HOOK_LISTEN,
	HOOK_RING_READ, /* struct io_kiocb * of io_uring */
	HOOK_RING_WRITE,
	HOOK_CLOSE, /* struct inode *, struct file * of a socket */
	HOOK_FAULT, /* struct vm_fault * */
	HOOK_READY, /* struct sock * */
	HOOK_CNT
};

/* Who made whom runnable: kept in a BPF map, read when the recording ends. */
struct wire_edge_key {
	__u64 from; /* 0: an interrupt, or a task outside of the target */
	__u64 to;
};

struct wire_edge {
	__u64 cnt;
	__u64 delay_ns; /* woken -> running, summed */
	__u64 max_ns;
};

/* A task of a runtime above threads, by what the runtime calls it. */
struct wire_native_key {
	__u64 native;
	__u32 tgid;
	__u32 runtime;
};

/* A task that its runtime knows and that has not ended. */
struct wire_live_task {
	__u64 task;
	__u64 born_ns; /* met at that time */
	__u64 wake_ns; /* woken and not entered since; 0 = no */
	__u64 waker;
	__u32 wakes; /* since it was last entered */
	__u32 wakes_self;
};

/*
 * Everything that can be lost, not be seen or only be inferred, each with its own counter.
 * X(id, name, is data missing?, meaning)
 */
#define WIRE_LOSSES(X)                                                                             \
	X(RING_FULL, ring_full, 1, "records dropped because the ring was full (see --ring)")       \
	X(RING_BUSY, ring_busy, 1,                                                                 \
	  "records dropped because the ring was locked by another context")                        \
	X(THREAD_STATE, thread_state, 1,                                                           \
	  "events of a thread whose state could not be made or found (storage contention)")        \
	X(TASKS_FULL, tasks_full, 1, "tasks not tracked because the task table was full")          \
	X(EDGES_FULL, edges_full, 1, "wake edges not kept because the edge table was full")        \
	X(FRAMES_DEEP, frames_deep, 1, "frames nested deeper than 15: counted, not profiled")      \
	X(LEAVE_UNMATCHED, leave_unmatched, 1, "a task was left that had not been entered")        \
	X(FRAME_FORCED, frame_forced, 0, "frames whose end was not seen and was inferred")         \
	X(TARGETS_FULL, targets_full, 1,                                                           \
	  "processes not followed because the process table was full")                             \
	X(WAKE_UNSEEN, wake_unseen, 0,                                                             \
	  "threads that ran again although nothing was seen to wake them")                         \
	X(TASK_UNKNOWN, task_unknown, 0, "wakes and ends of tasks that had not been seen before")  \
	X(STACK_BOUNDS, stack_bounds, 0, "frames entered while the stack's bounds were not known") \
	X(USES_FULL, uses_full, 1,                                                                 \
	  "operations counted, but not by file or peer, because that table was full")              \
	X(CONNS_FULL, conns_full, 1,                                                               \
	  "sockets not followed because the table of connections was full")                        \
	X(FILE_UNKNOWN, file_unknown, 0, "operations on descriptors that could not be looked up")  \
	X(CALLS_NESTED, calls_nested, 0, "operations inside of others, counted once")              \
	X(REQUESTS_FULL, requests_full, 1, "disk requests not timed because their table was full") \
	X(RETURNS_UNSEEN, returns_unseen, 1,                                                       \
	  "operations not counted: the kernel did not tell that its function had returned")        \
	X(HEAP_RETURNS, heap_returns_unseen, 1,                                                    \
	  "allocations whose end was not seen: what they returned is not known")                   \
	X(HEAP_NESTED, heap_nested, 0, "allocations and frees inside of others, counted once")     \
	X(HEAP_UNKNOWN, heap_unknown_frees, 0,                                                     \
	  "blocks freed that were there before, or that were allocated unseen")                    \
	X(HEAP_MISSED, heap_missed_frees, 1,                                                       \
	  "blocks that were freed unseen: their address was given out again")                      \
	X(HEAP_FULL, heap_full, 1,                                                                 \
	  "blocks not kept because the table was full or had no memory (see --heap-entries)")      \
	X(OWNERS_FULL, heap_owners_full, 1,                                                        \
	  "blocks not kept because the table of what tasks hold was full")

enum wire_loss {
#define X(id, name, missing, meaning) LOSS_##id,
	WIRE_LOSSES(X)
#undef X
		LOSS_CNT
};

/* How far the recording is switched on; tested first by every program. */
enum wire_armed {
	ARMED_OFF,
	ARMED_THREADS, /* threads are accounted; the seeding iterator runs */
	ARMED_ALL,
};

/* What the object is told before it is loaded (rodata): dead branches vanish in the verifier. */
struct wire_config {
	__u64 flush_ns; /* an open frame is flushed as PARTIAL after this time */
	__u32 single_tgid; /* the only target, or 0: ask the table of targets */
	__u32 wakeup_bytes; /* the consumer is woken when the ring holds so much */
	__u32 ring_sz;
	__u8 follow_forks;
	__u8 has_task_storage;
	__u8 has_switch_state; /* sched_switch tells prev_state as its fourth argument */
	__u8 has_task_pt_regs; /* bpf_task_pt_regs() */
	__u8 hw_mask; /* bit i: hardware counter i is read */
	__u8 io_source; /* enum wire_io_source, never AUTO */
	__u8 io_extra; /* kernel functions are hooked too, for what system calls do not show */
	__u8 has_request_queue; /* block_rq_insert and _issue have the queue as first argument */
	__u8 pad[4];
};

_Static_assert(COUNTER_CNT <= 64, "a slice's presence bitmap is 64 bits");
_Static_assert(sizeof(struct wire_hdr) == 16, "wire_hdr");
_Static_assert(sizeof(struct wire_spawn) == 88, "wire_spawn");
_Static_assert(sizeof(struct wire_end) == 40, "wire_end");
_Static_assert(sizeof(struct wire_slice) == 56, "wire_slice");
_Static_assert(sizeof(struct wire_rename) == 40, "wire_rename");
_Static_assert(sizeof(struct wire_latency) == 24 + 4 * LATENCY_BUCKETS, "wire_latency");
_Static_assert(sizeof(struct wire_fork) == 24, "wire_fork");
_Static_assert(sizeof(struct wire_exec) == 40, "wire_exec");
_Static_assert(sizeof(struct wire_use_key) == 24, "wire_use_key");
_Static_assert(sizeof(struct wire_use_val) == 48 + 4 * IO_BUCKETS, "wire_use_val");
_Static_assert(sizeof(struct wire_use) == 40 + sizeof(struct wire_use_val), "wire_use");
_Static_assert(sizeof(struct wire_file) == 56, "wire_file");
_Static_assert(sizeof(struct wire_conn) == 264, "wire_conn");
_Static_assert(sizeof(struct wire_heap_calls) == 24, "wire_heap_calls");
_Static_assert(sizeof(struct wire_block_key) == 16, "wire_block_key");
_Static_assert(sizeof(struct wire_block) == 48, "wire_block");
_Static_assert(sizeof(struct wire_owner) == 72, "wire_owner");
_Static_assert(sizeof(struct wire_site) == 32, "wire_site");
_Static_assert(sizeof(struct wire_heap) == 80, "wire_heap");
_Static_assert(sizeof(struct wire_maps) == 16, "wire_maps");
_Static_assert(sizeof(struct wire_edge_key) == 16, "wire_edge_key");
_Static_assert(sizeof(struct wire_edge) == 24, "wire_edge");
_Static_assert(sizeof(struct wire_native_key) == 16, "wire_native_key");
_Static_assert(sizeof(struct wire_live_task) == 40, "wire_live_task");
_Static_assert(sizeof(struct wire_config) == 32, "wire_config");

#endif
