/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities: what this recording could measure, from which source, and if not, why not. Every
 * field of the schema belongs to one; a field without its capability is null with this reason.
 * X(id, name, reason when nothing better is known)
 */
#ifndef MODEL_CAPS_H
#define MODEL_CAPS_H

#define MODEL_CAPS(X)                                                                              \
	X(ALWAYS, "recording", "")                                                                 \
	X(CPU, "cpu", "thread accounting was not attached")                                        \
	X(WAITS, "waits", "thread accounting was not attached")                                    \
	X(FAULTS, "page_faults", "thread accounting was not attached")                             \
	X(WAKES, "wakes", "wakeups were not attached")                                             \
	X(CYCLES, "cpu_cycles", "hardware counters were not opened")                               \
	X(INSTRUCTIONS, "instructions", "hardware counters were not opened")                       \
	X(CACHE_MISSES, "cache_misses", "hardware counters were not opened")                       \
	X(BRANCH_MISSES, "branch_misses", "hardware counters were not opened")                     \
	X(RUNS, "runs", "no runtime above threads was traced")                                     \
	X(HEAP, "memory", "allocations were not traced")                                           \
	X(HEAP_LIVE, "memory_live", "blocks were not followed until they are freed")               \
	X(HEAP_SITES, "memory_sites", "places that allocate were not told apart")                  \
	X(IO, "io", "this version does not count IO per task")                                     \
	X(NETWORK, "network", "this version does not count network traffic per task")              \
	X(DISK_BYTES, "disk_bytes", "the kernel's IO accounting was not read")                     \
	X(DISK, "disk", "block requests were not attached")                                        \
	X(RSS, "rss", "the kernel's RSS accounting was not attached")                              \
	X(GPU, "gpu", "no GPU source on this machine")                                             \
	X(STACKS, "stacks", "this version does not record stacks")                                 \
	X(SOURCE, "source_location", "this version does not resolve source locations")             \
	X(SCORES, "scores", "this version does not score tasks")                                   \
	X(PROBE_PRICE, "probe_price", "probes were not calibrated")

enum model_cap {
#define X(id, name, reason) CAP_##id,
	MODEL_CAPS(X)
#undef X
		CAP_CNT
};

#endif
