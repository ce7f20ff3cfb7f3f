/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of io_truth.c that wait for another one, which answers after a known time: so the latency of
 * an operation is mostly a time that everybody agrees on. And calls that had begun before the
 * recording did.
 */
#ifndef IO_SLOW_H
#define IO_SLOW_H

#include "io_files.h"

#define SLOW_ROUNDS 15
#define SLOW_NS     (20 * NS_PER_MS)

/* One end of a channel: how it sends and receives. */
struct channel {
	int in, out;
	bool is_socket;
	struct object *from, *to;
};

static inline ssize_t channel_read(struct row *row, const struct channel *end)
{
	if (end->is_socket)
		return IO(end->from, READ, recv(end->in, row->buf, 2000, 0));
	return IO(end->from, READ, read(end->in, row->buf, 2000));
}

static inline ssize_t channel_write(struct row *row, const struct channel *end, size_t sz)
{
	if (end->is_socket)
		return IO(end->to, WRITE, send(end->out, row->buf, sz, 0));
	return IO(end->to, WRITE, write(end->out, row->buf, sz));
}

static inline void ask(struct row *row, const struct channel *end)
{
	for (int i = 0; i < SLOW_ROUNDS; i++) {
		must(row, channel_write(row, end, 200) == 200, "ask");
		must(row, channel_read(row, end) == 700, "wait for the answer");
	}
}

static inline void answer(struct row *row, const struct channel *end)
{
	for (int i = 0; i < SLOW_ROUNDS; i++) {
		must(row, channel_read(row, end) == 200, "wait for a question");
		sleep_ns(SLOW_NS);
		must(row, channel_write(row, end, 700) == 700, "answer");
	}
}

static int slow_pipes[2][2];

static inline void setup_slow_pipe(struct row *row)
{
	(void)row;
	if (pipe2(slow_pipes[0], O_CLOEXEC) || pipe2(slow_pipes[1], O_CLOEXEC))
		die("pipe2");
}

static inline struct channel pipe_channel(struct row *row, int side)
{
	struct channel end = {.in = slow_pipes[!side][0], .out = slow_pipes[side][1]};

	end.from = inode(row, "pipe", end.in);
	end.to = inode(row, "pipe", end.out);
	return end;
}

static inline void run_slow_pipe(struct row *row)
{
	struct channel end = pipe_channel(row, 0);

	ask(row, &end);
}

static inline void run_slow_pipe_peer(struct row *row)
{
	struct channel end = pipe_channel(row, 1);

	answer(row, &end);
}

static struct sockaddr_storage slow_addr;
static socklen_t slow_len;
static int slow_listener;

static inline void setup_slow_tcp(struct row *row)
{
	(void)row;
	slow_listener = tcp_listen(AF_INET, 1, &slow_addr, &slow_len);
}

static inline void run_slow_tcp(struct row *row)
{
	struct object *peer = client_object(row, &slow_addr);
	struct channel end = {.is_socket = true, .from = peer, .to = peer};

	end.in = end.out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(row, DO(peer, CONNECT, connect(end.in, (struct sockaddr *)&slow_addr, slow_len)) == 0,
	     "connect");
	ask(row, &end);
	close(end.in);
}

static inline void run_slow_tcp_peer(struct row *row)
{
	struct object *peer = server_object(row, &slow_addr);
	struct channel end = {.is_socket = true, .from = peer, .to = peer};

	end.in = end.out = accept4(slow_listener, NULL, NULL, SOCK_CLOEXEC);
	must(row, end.in >= 0, "accept");
	peer->ops[OP_ACCEPT].operations++; /* how long it lay in the queue is not known here */
	answer(row, &end);
	close(end.in);
}

static int slow_udp[2];
static struct sockaddr_storage slow_udp_addr[2];

static inline void setup_slow_udp(struct row *row)
{
	socklen_t len = 0;

	(void)row;
	for (int i = 0; i < 2; i++)
		slow_udp[i] = bound_socket(AF_INET, SOCK_DGRAM, &slow_udp_addr[i], &len);
	for (int i = 0; i < 2; i++)
		if (connect(slow_udp[i], (struct sockaddr *)&slow_udp_addr[!i], len))
			die("connect");
}

static inline struct channel udp_channel(struct row *row, int side)
{
	char name[80];
	struct object *peer =
		socket_object(row, "udp", "datagram",
			      address_name(&slow_udp_addr[!side], true, name, sizeof(name)), "");

	row->datagrams_sent = row->datagrams_received = SLOW_ROUNDS;
	return (struct channel){slow_udp[side], slow_udp[side], true, peer, peer};
}

static inline void run_slow_udp(struct row *row)
{
	struct channel end = udp_channel(row, 0);

	ask(row, &end);
}

static inline void run_slow_udp_peer(struct row *row)
{
	struct channel end = udp_channel(row, 1);

	answer(row, &end);
}

static int slow_unix[2];

static inline void setup_slow_unix(struct row *row)
{
	(void)row;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, slow_unix))
		die("socketpair");
}

static inline struct channel unix_channel(struct row *row, int side)
{
	struct object *peer = unnamed_peer(row);

	return (struct channel){slow_unix[side], slow_unix[side], true, peer, peer};
}

static inline void run_slow_unix(struct row *row)
{
	struct channel end = unix_channel(row, 0);

	ask(row, &end);
}

static inline void run_slow_unix_peer(struct row *row)
{
	struct channel end = unix_channel(row, 1);

	answer(row, &end);
}

/* Blocked when the recording begins: the operation counts, its time does not. */
static inline void count_early(struct row *row, struct object *obj, ssize_t sz)
{
	must(row, sz == 5, "a read that began early");
	obj->ops[OP_READ].operations++;
	obj->ops[OP_READ].bytes += (uint64_t)sz;
}

static inline void setup_early_pipe(struct row *row)
{
	if (pipe2(row->fds, O_CLOEXEC))
		die("pipe2");
}

static inline void run_early_pipe(struct row *row)
{
	count_early(row, inode(row, "pipe", row->fds[0]), read(row->fds[0], row->buf, 100));
}

static inline void setup_early_unix(struct row *row)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, row->fds))
		die("socketpair");
}

static inline void run_early_unix(struct row *row)
{
	count_early(row, unnamed_peer(row), recv(row->fds[0], row->buf, 100, 0));
}

/* By the main thread. */
static inline void release_early(struct row *row)
{
	if (write(row->fds[1], "early", 5) != 5)
		die("write");
}

#endif
