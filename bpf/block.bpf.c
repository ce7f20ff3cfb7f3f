/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What reached the device: requests from issue to completion, charged to the task whose thread
 * issued them (direct IO, reads that the page cache had not, fsync). What the kernel's own threads
 * write back later is nobody's here; the bytes that a task dirtied stand in its counters.
 */
#include "io.bpf.h"
#include "compat.bpf.h"

struct disk_request {
	u64 task;
	u64 issue_ns; /* 0: not issued, or put back */
	u32 left; /* bytes that are not completed */
	u32 total;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u64); /* struct request * */
	__type(value, struct disk_request);
} disk_requests SEC(".maps");

#define REQ_OP_MASK         0xff
#define REQ_OP_READ         0
#define REQ_OP_FLUSH        2
#define REQ_OP_WRITE_ZEROES 9

static __always_inline u32 operation_of(struct request *rq)
{
	return BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK;
}

/* Not what only frees blocks (a file was deleted): its size is no data that was written. */
static __always_inline bool is_transfer(struct request *rq)
{
	u32 op = operation_of(rq);

	return op <= REQ_OP_FLUSH || op == REQ_OP_WRITE_ZEROES;
}

static __always_inline void drop(u64 key, struct disk_request *request)
{
	if (request->issue_ns)
		gauge_add(GAUGE_DISK_IN_FLIGHT, -1);
	bpf_map_delete_elem(&disk_requests, &key);
}

/* Here the current thread is the one that wants it: queued in a scheduler, or sent on directly. What
 * stood under this address was another request, of which no end was seen (it was merged). */
static __always_inline void inserted(struct request *rq)
{
	struct disk_request fresh = {}, *old;
	struct thread_state *thread;
	u64 key = (u64)rq;

	old = bpf_map_lookup_elem(&disk_requests, &key);
	if (old)
		drop(key, old);
	if (!is_transfer(rq))
		return;
	thread = io_thread();
	if (!thread)
		return;
	fresh.task = innermost(thread)->task;
	if (bpf_map_update_elem(&disk_requests, &key, &fresh, BPF_ANY))
		count_loss(LOSS_REQUESTS_FULL);
}

static __always_inline void issued(struct request *rq)
{
	struct disk_request *request;
	u64 key = (u64)rq;

	request = bpf_map_lookup_elem(&disk_requests, &key);
	/* with a scheduler whoever is there issues what others have queued */
	if ((!request || request->issue_ns) && !BPF_CORE_READ(rq, q, elevator)) {
		inserted(rq);
		request = bpf_map_lookup_elem(&disk_requests, &key);
	}
	if (!request)
		return;
	if (!request->issue_ns)
		gauge_add(GAUGE_DISK_IN_FLIGHT, 1);
	request->total = BPF_CORE_READ(rq, __data_len);
	request->left = request->total;
	request->issue_ns = bpf_ktime_get_ns();
}

/* The device was busy: it is issued again later, perhaps by a thread of the kernel. */
static __always_inline void put_back(struct request *rq)
{
	struct disk_request *request;
	u64 key = (u64)rq;

	request = bpf_map_lookup_elem(&disk_requests, &key);
	if (!request || !request->issue_ns)
		return;
	request->issue_ns = 0;
	gauge_add(GAUGE_DISK_IN_FLIGHT, -1);
}

static __always_inline void completed(struct request *rq, s64 error, u32 bytes)
{
	struct disk_request *request;
	u64 key = (u64)rq, now;
	u32 op = IO_DISK_WRITE;

	request = bpf_map_lookup_elem(&disk_requests, &key);
	if (!request)
		return;
	if (!request->issue_ns)
		return;
	if (bytes < request->left && !error) {
		request->left -= bytes; /* the rest of it comes later */
		return;
	}
	now = bpf_ktime_get_ns();
	if (operation_of(rq) == REQ_OP_READ)
		op = IO_DISK_READ;
	use_add(request->task, DISK_ID | request_dev(rq), USE(op, error ? USE_FAILED : USE_DONE),
		now > request->issue_ns ? now - request->issue_ns : 1, request->total);
	drop(key, request);
}

/* Until 5.10 the request was the second argument, behind its queue (commit a54895fa057c). */
static __always_inline struct request *request_of(u64 *ctx)
{
	return (struct request *)(cfg.has_request_queue ? ctx[1] : ctx[0]);
}

SEC("?raw_tp/block_rq_insert")
int block_rq_insert(u64 *ctx)
{
	if (armed == ARMED_ALL)
		inserted(request_of(ctx));
	return 0;
}

SEC("?raw_tp/block_rq_issue")
int block_rq_issue(u64 *ctx)
{
	if (armed == ARMED_ALL)
		issued(request_of(ctx));
	return 0;
}

SEC("?raw_tp/block_rq_requeue")
int block_rq_requeue(u64 *ctx)
{
	if (armed == ARMED_ALL)
		put_back(request_of(ctx));
	return 0;
}

SEC("?raw_tp/block_rq_complete")
int block_rq_complete(u64 *ctx)
{
	if (armed == ARMED_ALL)
		completed((struct request *)ctx[0], (s32)ctx[1], ctx[2]);
	return 0;
}
