/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row of io_truth.c that sends and receives by io_uring, without a library: no system call tells of
 * these operations, only the kernel's functions do.
 */
#ifndef IO_RINGS_H
#define IO_RINGS_H

#include "rows.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint8_t flags; /* of each operation: IOSQE_* */
};

static inline void *map_ring(int fd, size_t sz, off_t off)
{
	void *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, off);

	if (mem == MAP_FAILED)
		die("mmap of a ring");
	return mem;
}

/* By the main thread, so that what it maps is no thread's doing. */
static struct ring ring = {.fd = -1};

static inline void setup_uring(struct row *row)
{
	struct io_uring_params params = {0};
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (ring.fd < 0) {
		row->skipped = "no io_uring";
		return;
	}
	sq = map_ring(ring.fd, params.sq_off.array + params.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = map_ring(ring.fd, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes =
		map_ring(ring.fd, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned int *)(sq + params.sq_off.tail);
	ring.sq_mask = (unsigned int *)(sq + params.sq_off.ring_mask);
	ring.sq_array = (unsigned int *)(sq + params.sq_off.array);
	ring.cq_head = (unsigned int *)(cq + params.cq_off.head);
	ring.cq_tail = (unsigned int *)(cq + params.cq_off.tail);
	ring.cq_mask = (unsigned int *)(cq + params.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
}

/* One operation, from its submission to its result; like a system call it returns that. */
static inline ssize_t ring_call(struct row *row, int opcode, int fd, size_t sz)
{
	unsigned int tail = *ring.sq_tail, idx = tail & *ring.sq_mask, head = *ring.cq_head;
	struct io_uring_sqe *sqe = &ring.sqes[idx];
	int res;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)opcode;
	sqe->flags = ring.flags;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)row->buf;
	sqe->len = (uint32_t)sz;
	ring.sq_array[idx] = idx;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	must(row, syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1,
	     "io_uring_enter");
	must(row, __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head + 1, "a completion");
	res = ring.cqes[head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	if (res >= 0)
		return res;
	errno = -res;
	return -1;
}

static inline void run_uring(struct row *row)
{
	struct pair pair = tcp_pair(row, AF_INET);

	for (size_t i = 0; i < 20; i++) {
		ssize_t sz = (ssize_t)(400 + 30 * i);

		must(row,
		     IO(pair.client, WRITE,
			ring_call(row, IORING_OP_SEND, pair.client_fd, (size_t)sz)) == sz,
		     "send by a ring");
		must(row,
		     IO(pair.server, READ, ring_call(row, IORING_OP_RECV, pair.server_fd, 5000)) ==
			     sz,
		     "receive by a ring");
	}
	close(pair.client_fd);
	close(pair.server_fd);
	close(ring.fd);
}

#endif
