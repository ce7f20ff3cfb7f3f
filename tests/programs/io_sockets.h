/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of io_truth.c on connections: every system call that sends or receives by TCP, calls that fail,
 * and connections that were there before the recording.
 */
#ifndef IO_SOCKETS_H
#define IO_SOCKETS_H

#include "io_files.h"

#include <sys/sendfile.h>

static inline void close_pair(struct pair *pair)
{
	close(pair->client_fd);
	close(pair->server_fd);
}

/* Receives until so many bytes have come. */
static inline void recv_all(struct row *row, struct object *obj, int fd, size_t sz)
{
	while (sz) {
		ssize_t got = IO(obj, READ, recv(fd, row->buf, sz < 60000 ? sz : 60000, 0));

		must(row, got > 0, "recv");
		sz -= (size_t)got;
	}
}

static inline void tcp_rw(struct row *row, int family)
{
	struct pair pair = tcp_pair(row, family);

	for (size_t i = 0; i < 30; i++) {
		size_t sz = 500 + 111 * i;

		must(row, IO(pair.client, WRITE, write(pair.client_fd, row->buf, sz)) > 0, "write");
		must(row, IO(pair.server, READ, read(pair.server_fd, row->buf, 8000)) > 0, "read");
		must(row, IO(pair.server, WRITE, write(pair.server_fd, row->buf, 64)) == 64,
		     "write");
		must(row, IO(pair.client, READ, read(pair.client_fd, row->buf, 8000)) == 64,
		     "read");
	}
	close(pair.client_fd);
	must(row, IO(pair.server, READ, read(pair.server_fd, row->buf, 100)) == 0, "read the end");
	close(pair.server_fd);
}

static inline void run_tcp_rw(struct row *row)
{
	tcp_rw(row, AF_INET);
}

static inline void run_tcp6_rw(struct row *row)
{
	tcp_rw(row, AF_INET6);
}

static inline void run_tcp_send(struct row *row)
{
	struct pair pair = tcp_pair(row, AF_INET);

	for (int i = 0; i < 25; i++) {
		must(row, IO(pair.client, WRITE, send(pair.client_fd, row->buf, 7000, 0)) == 7000,
		     "send");
		recv_all(row, pair.server, pair.server_fd, 7000);
	}
	close_pair(&pair);
}

static inline void run_tcp_msg(struct row *row)
{
	struct pair pair = tcp_pair(row, AF_INET6);
	struct iovec iov[2] = {{row->buf, 900}, {row->buf + 2000, 100}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	for (int i = 0; i < 25; i++) {
		must(row, IO(pair.client, WRITE, sendmsg(pair.client_fd, &msg, 0)) == 1000,
		     "sendmsg");
		must(row, IO(pair.server, READ, recvmsg(pair.server_fd, &msg, MSG_WAITALL)) == 1000,
		     "recvmsg");
		must(row, IO(pair.server, WRITE, writev(pair.server_fd, iov, 1)) == 900, "writev");
		must(row, IO(pair.client, READ, readv(pair.client_fd, iov, 2)) == 900, "readv");
	}
	close_pair(&pair);
}

static inline void run_tcp_peek(struct row *row)
{
	struct pair pair = tcp_pair(row, AF_INET);
	struct iovec iov = {row->buf, 4000};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	for (int i = 0; i < 20; i++) {
		must(row, IO(pair.client, WRITE, send(pair.client_fd, row->buf, 3000, 0)) == 3000,
		     "send");
		must(row,
		     DO(pair.server, READ, recv(pair.server_fd, row->buf, 4000, MSG_PEEK)) == 3000,
		     "recv to peek");
		must(row, DO(pair.server, READ, recvmsg(pair.server_fd, &msg, MSG_PEEK)) == 3000,
		     "recvmsg to peek");
		must(row, IO(pair.server, READ, recv(pair.server_fd, row->buf, 4000, 0)) == 3000,
		     "recv");
	}
	close_pair(&pair);
}

static inline void run_tcp_again(struct row *row)
{
	struct pair pair = tcp_pair(row, AF_INET);
	uint64_t sent;

	set_nonblocking(pair.server_fd, true);
	for (int i = 0; i < 9; i++)
		must_fail(row, IO(pair.server, READ, recv(pair.server_fd, row->buf, 100, 0)),
			  EAGAIN, "recv nothing");
	must_fail(row, IO(pair.client, READ, recv(pair.client_fd, row->buf, 9, MSG_DONTWAIT)),
		  EAGAIN, "recv nothing at once");
	set_nonblocking(pair.client_fd, true);
	while (IO(pair.client, WRITE, send(pair.client_fd, row->buf, 100000, 0)) > 0)
		;
	must(row, errno == EAGAIN, "send until it is full");
	sent = pair.client->ops[OP_WRITE].bytes;
	while (pair.server->ops[OP_READ].bytes < sent)
		IO(pair.server, READ, recv(pair.server_fd, row->buf, ROW_BUF_SZ, 0));
	close_pair(&pair);
}

static inline void run_sendfile_tcp(struct row *row)
{
	struct object *file = row_file(row, "a");
	struct pair pair = tcp_pair(row, AF_INET);
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	off_t off;

	fill_file(row, file, fd, 100000);
	for (int i = 0; i < 10; i++) {
		off = i * 1000;
		must(row,
		     COPY(file, pair.client, sendfile(pair.client_fd, fd, &off, 20000)) == 20000,
		     "sendfile");
		recv_all(row, pair.server, pair.server_fd, 20000);
	}
	close(fd);
	unlink(file->name);
	close_pair(&pair);
}

/* file -> pipe -> socket, and socket -> pipe -> file */
static inline void run_splice(struct row *row)
{
	struct object *file = row_file(row, "a"), *out = row_file(row, "out"), *pipe;
	struct pair pair = tcp_pair(row, AF_INET);
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	int out_fd = open_row_file(row, out, O_RDWR | O_CREAT | O_EXCL);
	int fds[2];
	loff_t off;

	must(row, pipe2(fds, O_CLOEXEC) == 0, "pipe2");
	pipe = inode(row, "pipe", fds[0]);
	fill_file(row, file, fd, 50000);
	for (int i = 0; i < 10; i++) {
		off = i * 500;
		must(row, COPY(file, pipe, splice(fd, &off, fds[1], NULL, 12000, 0)) == 12000,
		     "splice from a file");
		must(row,
		     COPY(pipe, pair.client,
			  splice(fds[0], NULL, pair.client_fd, NULL, 12000, 0)) == 12000,
		     "splice to a socket");
		if (i % 2) {
			recv_all(row, pair.server, pair.server_fd, 12000);
			continue;
		}
		for (ssize_t left = 12000, got; left; left -= got) {
			got = COPY(pair.server, pipe,
				   splice(pair.server_fd, NULL, fds[1], NULL, (size_t)left, 0));
			must(row, got > 0, "splice from a socket");
			must(row,
			     COPY(pipe, out, splice(fds[0], NULL, out_fd, NULL, (size_t)got, 0)) ==
				     got,
			     "splice to a file");
		}
	}
	close(fds[0]);
	close(fds[1]);
	close(fd);
	close(out_fd);
	unlink(file->name);
	unlink(out->name);
	close_pair(&pair);
}

/* Ports where nobody answers, but held, so that no other row gets one of them meanwhile. */
static inline void run_socket_errors(struct row *row)
{
	struct sockaddr_storage addr;
	struct object *refused, *udp, *unix_peer = unnamed_peer(row);
	socklen_t len;
	int fds[2], fd, held = bound_socket(AF_INET, SOCK_STREAM, &addr, &len);
	char peer[80];

	refused = client_object(row, &addr);
	for (int i = 0; i < 3; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		must_fail(row, DO(refused, CONNECT, connect(fd, (struct sockaddr *)&addr, len)),
			  ECONNREFUSED, "connect");
		close(fd);
	}
	close(held);

	must(row, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
	close(fds[1]);
	for (int i = 0; i < 5; i++)
		must_fail(row, IO(unix_peer, WRITE, send(fds[0], row->buf, 10, MSG_NOSIGNAL)),
			  EPIPE, "send");
	close(fds[0]);

	/* connected to itself, it takes from nobody else */
	held = bound_socket(AF_INET, SOCK_DGRAM, &addr, &len);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	udp = socket_object(row, "udp", "datagram", address_name(&addr, true, peer, sizeof(peer)),
			    "");
	must(row,
	     DO(udp, CONNECT, connect(held, (struct sockaddr *)&addr, len)) == 0 &&
		     DO(udp, CONNECT, connect(fd, (struct sockaddr *)&addr, len)) == 0,
	     "connect of a datagram socket");
	must(row, IO(udp, WRITE, send(fd, row->buf, 50, 0)) == 50, "send");
	udp->ops[OP_WRITE].messages++;
	row->datagrams_sent++;
	/* the refusal may take a moment */
	must_fail(row, IO(udp, READ, recv(fd, row->buf, 50, 0)), ECONNREFUSED, "recv");
	close(fd);
	close(held);
}

/* A connection that was there before the recording, both of its ends in this process. */
static struct sockaddr_storage seeded_addr;

static inline void setup_seeded(struct row *row)
{
	socklen_t len;
	int listener = tcp_listen(AF_INET, 1, &seeded_addr, &len);

	row->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(row->fds[0], (struct sockaddr *)&seeded_addr, len))
		die("connect");
	row->fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	row->fds[2] = listener; /* stays: it tells which end is the server's */
	if (row->fds[1] < 0)
		die("accept");
}

static inline void run_seeded(struct row *row)
{
	struct object *client = client_object(row, &seeded_addr);
	struct object *server = server_object(row, &seeded_addr);

	for (int i = 0; i < 12; i++) {
		must(row, IO(client, WRITE, send(row->fds[0], row->buf, 1500, 0)) == 1500, "send");
		recv_all(row, server, row->fds[1], 1500);
	}
	for (int i = 0; i < 3; i++)
		close(row->fds[i]);
}

#endif
