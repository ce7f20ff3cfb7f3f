/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the schema that several records share, as lists of X(...). Private to schema.c.
 */
#ifndef MODEL_SCHEMA_ROWS_H
#define MODEL_SCHEMA_ROWS_H

/*
 * The numbers of a task that its class sums up. A task says the number itself, a class
 * {total, mean, p50, p99, max} of it, so they are listed once.
 * X(audience, path, type, cap, doc)
 */
#define TIME_METRICS(X)                                                                            \
	X(ALL, "time.wall_ns", NS, ALWAYS,                                                         \
	  "time in its frames; for a thread its life within the recording"),                       \
		X(ALL, "time.self_ns", NS, ALWAYS,                                                 \
		  "wall_ns without nested frames of other tasks"),                                 \
		X(ALL, "time.on_cpu_ns", NS, CPU, "on a CPU"),                                     \
		X(ALL, "time.runqueue_ns", NS, WAITS, "runnable, waiting for a CPU"),              \
		X(ALL, "time.blocked_disk_ns", NS, WAITS, "blocked on storage"),                   \
		X(ALL, "time.blocked_net_ns", NS, WAITS, "blocked on a socket"),                   \
		X(ALL, "time.blocked_lock_ns", NS, WAITS, "blocked on a lock that somebody held"), \
		X(ALL, "time.blocked_timer_ns", NS, WAITS, "sleeping by its own wish"),            \
		X(ALL, "time.blocked_other_ns", NS, WAITS,                                         \
		  "blocked, the cause is none of these or unclear"),                               \
		X(ALL, "time.idle_ns", NS, WAITS,                                                  \
		  "waiting for work (epoll, parked workers): not a bottleneck"),                   \
		X(ASYNC, "time.waiting_ns", NS, RUNS, "between its runs"),                         \
		X(ASYNC, "time.pool_queue_ns", NS, ALWAYS, "queued for a pool of threads"),        \
		X(ALL, "time.stolen_ns", NS, CPU,                                                  \
		  "on a CPU but not running: interrupts, the hypervisor, the "                     \
		  "switch itself"),                                                                \
		X(ALL, "time.probe_ns", NS, PROBE_PRICE,                                           \
		  "in our own probes: hits x calibrated price, part of on_cpu_ns")

#define WAKE_METRICS(X)                                                                            \
	X(ALL, "wakes.received", INT, WAKES, "times it was made runnable"),                        \
		X(ALL, "wakes.by_self", INT, WAKES, "of these by itself"),                         \
		X(ALL, "wakes.sent", INT, WAKES, "times it made another one runnable")

#define CPU_METRICS(X)                                                                             \
	X(ALL, "cpu_metrics.usage_percent", NUM, CPU,                                              \
	  "on-CPU time per life within the recording; 100 is one CPU"),                            \
		X(THREADS, "cpu_metrics.time_user_ms", NUM, CPU,                                   \
		  "on-CPU time in user mode: on_cpu_ns split by where the timer "                  \
		  "ticks fell"),                                                                   \
		X(THREADS, "cpu_metrics.time_kernel_ms", NUM, CPU, "the same in the kernel"),      \
		X(ALL, "cpu_metrics.context_switches", INT, WAITS,                                 \
		  "voluntary and involuntary ones"),                                               \
		X(ALL, "cpu_metrics.context_switches_involuntary", INT, WAITS,                     \
		  "of these: the kernel took the CPU away"),                                       \
		X(ALL, "cpu_metrics.cpu_cycles", INT, CYCLES, "hardware counter"),                 \
		X(ALL, "cpu_metrics.instructions", INT, INSTRUCTIONS, "hardware counter"),         \
		X(ALL, "cpu_metrics.cache_misses", INT, CACHE_MISSES, "hardware counter"),         \
		X(ALL, "cpu_metrics.branch_misses", INT, BRANCH_MISSES, "hardware counter")

#define MEMORY_METRICS(X)                                                                          \
	X(ALL, "memory_metrics.current_bytes", INT, HEAP_LIVE,                                     \
	  "allocated since the recording began, and not freed by anybody"),                        \
		X(ALL, "memory_metrics.current_blocks", INT, HEAP_LIVE,                            \
		  "how many blocks these are"),                                                    \
		X(ALL, "memory_metrics.peak_bytes", INT, HEAP_LIVE, "the most it held at once"),   \
		X(ALL, "memory_metrics.total_bytes", INT, HEAP, "allocated in all"),               \
		X(ALL, "memory_metrics.allocations_count", INT, HEAP,                              \
		  "allocations; a realloc is one, and a free"),                                    \
		X(ALL, "memory_metrics.failed_allocations", INT, HEAP_SITES,                       \
		  "that returned nothing; none of the others"),                                    \
		X(ALL, "memory_metrics.deallocations_count", INT, HEAP_LIVE,                       \
		  "of its blocks that were freed, whoever freed them"),                            \
		X(ALL, "memory_metrics.freed_bytes", INT, HEAP_LIVE, "what these had"),            \
		X(ALL, "memory_metrics.frees_made", INT, HEAP,                                     \
		  "frees that it made, whose block ever it was"),                                  \
		X(ALL, "memory_metrics.page_faults", INT, FAULTS, "minor and major ones"),         \
		X(ALL, "memory_metrics.page_faults_major", INT, FAULTS,                            \
		  "of these: had to be read from storage"),                                        \
		X(ALL, "memory_metrics.rss_growth_bytes", INT, RSS,                                \
		  "resident memory that it added to the process, less what it "                    \
		  "gave back"),                                                                    \
		X(ALL, "memory_metrics.mapped_bytes", INT, IO,                                     \
		  "address space taken: mmap and brk"),                                            \
		X(ALL, "memory_metrics.unmapped_bytes", INT, IO,                                   \
		  "address space given back: munmap and brk"),                                     \
		X(ALL, "memory_metrics.heap_fragmentation", NUM, HEAP,                             \
		  "share of its blocks, 0..1, that it did not ask for: rounding and headroom, of " \
		  "the blocks whose size the allocator told; of the process: "                     \
		  "meta.heap.fragmentation"),                                                      \
		X(ALL, "memory_metrics.memory_bandwidth", NUM, HEAP,                               \
		  "bytes allocated per second of its life within the recording")

/* How long blocks lasted, of a class merged from its tasks. */
#define MEMORY_DURATIONS(X)                                                                        \
	DURATIONS(X, ALL, "memory_metrics.lifetime", HEAP_SITES,                                   \
		  "blocks that were freed: from their allocation until then"),                     \
		DURATIONS(X, ALL, "memory_metrics.age", HEAP_SITES,                                \
			  "blocks that are held when the recording ends: since their allocation")

#define MEMORY_LISTS(X)                                                                            \
	X("memory_metrics.lifetime_histogram", LIST, HEAP_SITES,                                   \
	  "[[from_ns, count]] of memory_metrics.lifetime: a bucket per "                           \
	  "power of two, without empty ones")

#define IO_METRICS(X)                                                                              \
	X(ALL, "io_metrics.bytes_read", INT, IO,                                                   \
	  "read from whatever is no socket: files, pipes, terminals, ..."),                        \
		X(ALL, "io_metrics.bytes_written", INT, IO, "written there"),                      \
		X(ALL, "io_metrics.operations_read", INT, IO, "reads that succeeded"),             \
		X(ALL, "io_metrics.operations_written", INT, IO, "writes that succeeded"),         \
		X(ALL, "io_metrics.average_latency_ms", NUM, IO,                                   \
		  "of reads, writes and syncs of storage: regular files, "                         \
		  "directories, block devices"),                                                   \
		X(ALL, "io_metrics.p99_latency_ms", NUM, IO, "99% of these took less"),            \
		X(ALL, "io_metrics.bandwidth_mbps", NUM, IO,                                       \
		  "megabytes per second of its life, read and written"),                           \
		X(ALL, "io_metrics.io_wait_percent", NUM, WAITS, "blocked on storage, per life"),  \
		X(ALL, "io_metrics.queue_depth", NUM, IO,                                          \
		  "storage operations in flight, mean over its life"),                             \
		X(ALL, "io_metrics.errors", INT, IO, "operations that failed"),                    \
		X(ALL, "io_metrics.again", INT, IO,                                                \
		  "operations of no effect: would block, or interrupted; neither "                 \
		  "operations nor errors"),                                                        \
		X(ALL, "io_metrics.syncs", INT, IO, "fsync and its like that succeeded"),          \
		X(ALL, "io_metrics.disk_bytes_read", INT, DISK_BYTES,                              \
		  "what storage had to deliver for it (the kernel's own account)"),                \
		X(ALL, "io_metrics.disk_bytes_written", INT, DISK_BYTES,                           \
		  "what it made dirty, to be written to storage")

#define NETWORK_METRICS(X)                                                                         \
	X(ALL, "network_metrics.bytes_sent", INT, NETWORK, "sent on sockets of any kind"),         \
		X(ALL, "network_metrics.bytes_received", INT, NETWORK, "received on sockets"),     \
		X(ALL, "network_metrics.operations_sent", INT, NETWORK, "sends that succeeded"),   \
		X(ALL, "network_metrics.operations_received", INT, NETWORK,                        \
		  "receives that succeeded"),                                                      \
		X(ALL, "network_metrics.packets_sent", INT, NETWORK,                               \
		  "TCP segments and datagrams sent"),                                              \
		X(ALL, "network_metrics.packets_received", INT, NETWORK,                           \
		  "TCP segments and datagrams received"),                                          \
		X(ALL, "network_metrics.connections_active", INT, NETWORK,                         \
		  "its connections that are open at the end"),                                     \
		X(ALL, "network_metrics.connections_met", INT, NETWORK,                            \
		  "were there before the recording, or came from another process"),                \
		X(ALL, "network_metrics.connections_opened", INT, NETWORK,                         \
		  "connected or accepted"),                                                        \
		X(ALL, "network_metrics.connections_failed", INT, NETWORK,                         \
		  "could not be connected"),                                                       \
		X(ALL, "network_metrics.connections_closed", INT, NETWORK, "ended"),               \
		X(ALL, "network_metrics.latency_avg_ms", NUM, NETWORK,                             \
		  "of calls that send or receive, with the waiting in them"),                      \
		X(ALL, "network_metrics.rtt_avg_ms", NUM, NETWORK,                                 \
		  "round trip to its TCP peers: the kernel's smoothed one, mean "                  \
		  "over connections"),                                                             \
		X(ALL, "network_metrics.throughput_mbps", NUM, NETWORK,                            \
		  "megabits per second of its life, sent and received"),                           \
		X(ALL, "network_metrics.error_count", INT, NETWORK, "operations that failed"),     \
		X(ALL, "network_metrics.again", INT, NETWORK,                                      \
		  "operations of no effect: would block, or interrupted; neither "                 \
		  "operations nor errors"),                                                        \
		X(ALL, "network_metrics.retransmissions", INT, NETWORK, "TCP segments sent again")

/* The shape of a distribution of durations. */
#define DURATIONS(X, audience, name, cap, what)                                                    \
	X(audience, name ".count", INT, cap, what ": how many"),                                   \
		X(audience, name ".total_ns", NS, cap, what ": their sum"),                        \
		X(audience, name ".p50_ns", NS, cap,                                               \
		  what ": half of them took less (within 3% for runs, 12% IO, 20% wakeups)"),      \
		X(audience, name ".p90_ns", NS, cap, what ": 90% took less"),                      \
		X(audience, name ".p99_ns", NS, cap, what ": 99% took less"),                      \
		X(audience, name ".max_ns", NS, cap, what ": the longest")

/* The distributions of IO and network: of a class merged from its tasks. */
#define IO_DURATIONS(X)                                                                            \
	DURATIONS(X, ALL, "io_metrics.latency", IO, "reads, writes and syncs of storage"),         \
		DURATIONS(X, ALL, "io_metrics.disk_latency", DISK,                                 \
			  "requests to the device, issue to completion")

#define NETWORK_DURATIONS(X)                                                                       \
	DURATIONS(X, ALL, "network_metrics.connect_latency", NETWORK,                              \
		  "connecting, until established"),                                                \
		DURATIONS(X, ALL, "network_metrics.accept_latency", NETWORK,                       \
			  "established until accepted by the program"),                            \
		DURATIONS(X, ALL, "network_metrics.request_latency", NETWORK,                      \
			  "served: first byte received until first byte sent"),                    \
		DURATIONS(X, ALL, "network_metrics.response_latency", NETWORK,                     \
			  "waited for: first byte sent until first byte received"),                \
		DURATIONS(X, ALL, "network_metrics.receive_queue", NETWORK,                        \
			  "data in the socket until the program received it")

/* Lists that tasks and classes have alike. */
#define IO_LISTS(X)                                                                                \
	X("io_metrics.latency_histogram", LIST, IO,                                                \
	  "[[from_ns, count]] of io_metrics.latency: a bucket per power "                          \
	  "of two, without empty ones"),                                                           \
		X("io_metrics.by_kind", LIST, IO,                                                  \
		  "[{kind, operations_read, operations_written, syncs, "                           \
		  "bytes_read, bytes_written, errors, again, mean_ns, p99_ns, "                    \
		  "max_ns}], a key only where it is known")

#define HOTSPOT_LISTS(X)                                                                           \
	X("hot_metrics.memory_hotspots", LIST, HEAP_SITES,                                         \
	  "[{site, function, module, allocations, bytes, failed, freed, "                          \
	  "freed_bytes, held_blocks, held_bytes, lifetime_p50_ns, "                                \
	  "lifetime_p99_ns}]: 5 places by bytes held, then allocated; a "                          \
	  "key only where it is known"),                                                           \
		X("hot_metrics.io_hotspots", LIST, IO,                                             \
		  "[{path, kind, operation, operations, bytes, errors, time_ns, "                  \
		  "latency_ns, percent}]: 5 files by time, then bytes; percent "                   \
		  "of that time; operation: what most of it went to; a key only "                  \
		  "where it is known"),                                                            \
		X("hot_metrics.network_hotspots", LIST, NETWORK,                                   \
		  "[{endpoint, kind, operations, bytes, requests, "                                \
		  "response_time_ns, error_rate, time_ns, percent}]: 5 peers "                     \
		  "alike; requests: served or waited for, and what these took on "                 \
		  "average")

/* What one owner did with one object by one operation. */
#define USE_TIMES(X, name, cap)                                                                    \
	X(name ".again", INT, cap, "of no effect: would block, or interrupted"),                   \
		X(name ".total_ns", NS, cap, "what they took, failed ones too"),                   \
		X(name ".mean_ns", NS, cap, ""),                                                   \
		X(name ".p50_ns", NS, cap, "half of them took less (within 12%)"),                 \
		X(name ".p99_ns", NS, cap, "99% took less"),                                       \
		X(name ".max_ns", NS, cap, "the longest")
#define USE_ROWS(X, name, cap, what)                                                               \
	X(name ".operations", INT, cap, what), X(name ".bytes", INT, cap, ""),                     \
		X(name ".errors", INT, cap, "that failed"), USE_TIMES(X, name, cap)
/* The same of what moves no data. */
#define USE_ROWS_PLAIN(X, name, cap, what)                                                         \
	X(name ".operations", INT, cap, what), X(name ".errors", INT, cap, "that failed"),         \
		USE_TIMES(X, name, cap)
/* And of what cannot fail. */
#define USE_ROWS_SPAN(X, name, cap, what)                                                          \
	X(name ".count", INT, cap, what), X(name ".total_ns", NS, cap, "what they took"),          \
		X(name ".mean_ns", NS, cap, ""),                                                   \
		X(name ".p50_ns", NS, cap, "half of them took less (within 12%)"),                 \
		X(name ".p99_ns", NS, cap, "99% took less"),                                       \
		X(name ".max_ns", NS, cap, "the longest")

#endif
