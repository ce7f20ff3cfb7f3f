/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A uprobe program that is preempted in the middle and has a frame of 64 bytes and more: without
 * the guard it oopses kernels with PREEMPT_LAZY (facts/stacks.md, finding A). Built in both
 * variants by harness.t, loaded by preempted.c, only ever in a guest.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ROUNDS 700

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

const volatile _Bool never = 0;

static __always_inline void take_time(void)
{
	char buf[64];

	for (int i = 0; i < ROUNDS; i++)
		bpf_get_current_comm(buf, sizeof(buf));
}

/*
 * One place of the frame holds first a pointer, then a number that is no address. On a private
 * stack all programs of a CPU share that place, so whoever is preempted while it holds the pointer
 * may find the number.
 */
SEC("uprobe")
int preempted(void *ctx)
{
	union {
		__u64 *volatile pointer;
		volatile __u64 number;
	} place;
	__u32 key = 0;
	__u64 *value;

#ifdef GUARD
	if (never)
		bpf_tail_call(ctx, &programs, 0);
#endif
	value = bpf_map_lookup_elem(&hits, &key);
	if (!value)
		return 0;
	place.pointer = value;
	take_time();
	__sync_fetch_and_add(place.pointer, 1);
	place.number = 0xdead000000000000ULL;
	take_time();
	return 0;
}
