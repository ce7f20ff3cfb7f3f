/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose doing it is that a process takes more memory: each change of its resident pages is charged
 * to the task on the thread that made it.
 */
#include "io.bpf.h"

/* The kinds of pages that the kernel counts; swapped ones are not resident. */
#define MM_FILEPAGES  0
#define MM_ANONPAGES  1
#define MM_SWAPENTS   2
#define MM_SHMEMPAGES 3

/* The last sum that was told, by address space and kind: the kernel tells sums, not changes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, s64);
} rss_sums SEC(".maps");

SEC("?tracepoint/kmem/rss_stat")
int rss_stat(struct trace_event_raw_rss_stat *ctx)
{
	struct thread_state *thread = NULL;
	s64 sum, *last;
	u64 key;

	if (armed != ARMED_ALL)
		return 0;
	/* whoever takes another one's pages away is charged with nothing, but the sum changes */
	if (BPF_CORE_READ(ctx, curr)) {
		thread = io_thread();
		if (!thread)
			return 0;
	}
	if (BPF_CORE_READ(ctx, member) == MM_SWAPENTS)
		return 0; /* these are not resident */
	sum = BPF_CORE_READ(ctx, size);
	key = (u64)BPF_CORE_READ(ctx, mm_id) << 2 | (BPF_CORE_READ(ctx, member) & 3);
	last = bpf_map_lookup_elem(&rss_sums, &key);
	if (last) {
		if (thread)
			innermost(thread)->c[COUNTER_RSS_GROWN] += sum - *last;
		*last = sum;
	} else if (thread) {
		bpf_map_update_elem(&rss_sums, &key, &sum, BPF_ANY); /* from here on */
	}
	return 0;
}
