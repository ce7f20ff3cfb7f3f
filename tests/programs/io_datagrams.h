/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of io_truth.c on datagrams and unix sockets: to one peer and to several, connected or not, one
 * by one and in batches.
 */
#ifndef IO_DATAGRAMS_H
#define IO_DATAGRAMS_H

#include "rows.h"

#include <stddef.h>
#include <sys/un.h>

/* A datagram socket and how others see it. */
struct datagram {
	int fd;
	struct sockaddr_storage addr;
	socklen_t len;
	struct object *obj; /* as a peer */
};

static inline struct datagram datagram(struct row *row, int family)
{
	struct datagram end;
	char name[80];

	end.fd = bound_socket(family, SOCK_DGRAM, &end.addr, &end.len);
	address_name(&end.addr, true, name, sizeof(name));
	end.obj = socket_object(row, "udp", "datagram", name, "");
	return end;
}

static inline struct object *own_port(struct row *row, const struct datagram *end)
{
	char name[32], local[80];

	snprintf(name, sizeof(name), "own port %d",
		 ntohs(((const struct sockaddr_in *)&end->addr)->sin_port));
	return socket_object(row, "udp", "datagram", name,
			     address_name(&end->addr, true, local, sizeof(local)));
}

static inline void sent(struct row *row, struct object *to, ssize_t sz, ssize_t want)
{
	must(row, sz == want, "send a datagram");
	to->ops[OP_WRITE].messages++;
	row->datagrams_sent++;
}

static inline void received(struct row *row, struct object *from, ssize_t sz, ssize_t want)
{
	must(row, sz == want, "receive a datagram");
	from->ops[OP_READ].messages++;
	row->datagrams_received++;
}

static inline void udp_connected(struct row *row, int family)
{
	struct datagram a = datagram(row, family), b = datagram(row, family);

	must(row,
	     DO(b.obj, CONNECT, connect(a.fd, (struct sockaddr *)&b.addr, b.len)) == 0 &&
		     DO(a.obj, CONNECT, connect(b.fd, (struct sockaddr *)&a.addr, a.len)) == 0,
	     "connect of datagram sockets");
	for (int i = 0; i < 20; i++) {
		sent(row, b.obj, IO(b.obj, WRITE, send(a.fd, row->buf, 300, 0)), 300);
		received(row, a.obj, IO(a.obj, READ, recv(b.fd, row->buf, 2000, 0)), 300);
		sent(row, a.obj, IO(a.obj, WRITE, write(b.fd, row->buf, 1200)), 1200);
		received(row, b.obj, IO(b.obj, READ, read(a.fd, row->buf, 2000)), 1200);
	}
	sent(row, b.obj, IO(b.obj, WRITE, send(a.fd, row->buf, 0, 0)), 0);
	received(row, a.obj, IO(a.obj, READ, recv(b.fd, row->buf, 2000, 0)), 0);
	for (int i = 0; i < 4; i++)
		must_fail(row, IO(a.obj, READ, recv(b.fd, row->buf, 2000, MSG_DONTWAIT)), EAGAIN,
			  "recv nothing");
	close(a.fd);
	close(b.fd);
}

static inline void run_udp_conn(struct row *row)
{
	udp_connected(row, AF_INET);
}

static inline void run_udp6_conn(struct row *row)
{
	udp_connected(row, AF_INET6);
}

/* One socket and three peers, none of them connected. */
static inline void udp_to(struct row *row, int family)
{
	struct datagram a = datagram(row, family), peers[3];
	struct sockaddr_storage from;

	for (int i = 0; i < 3; i++)
		peers[i] = datagram(row, family);
	for (int i = 0; i < 30; i++) {
		struct datagram *peer = &peers[i % 3];
		ssize_t sz = 100 + 200 * (i % 3);
		socklen_t len = sizeof(from);

		sent(row, peer->obj,
		     IO(peer->obj, WRITE,
			sendto(a.fd, row->buf, (size_t)sz, 0, (struct sockaddr *)&peer->addr,
			       peer->len)),
		     sz);
		received(row, a.obj,
			 IO(a.obj, READ,
			    recvfrom(peer->fd, row->buf, 2000, 0, (struct sockaddr *)&from, &len)),
			 sz);
		sent(row, a.obj,
		     IO(a.obj, WRITE,
			sendto(peer->fd, row->buf, 77, 0, (struct sockaddr *)&from, len)),
		     77);
		len = sizeof(from);
		received(row, peer->obj,
			 IO(peer->obj, READ,
			    recvfrom(a.fd, row->buf, 2000, 0, (struct sockaddr *)&from, &len)),
			 77);
	}
	close(a.fd);
	for (int i = 0; i < 3; i++)
		close(peers[i].fd);
}

static inline void run_udp_to(struct row *row)
{
	udp_to(row, AF_INET);
}

static inline void run_udp6_to(struct row *row)
{
	udp_to(row, AF_INET6);
}

/* sendmsg and recvmsg with an address. */
static inline void run_udp_msg(struct row *row)
{
	struct datagram a = datagram(row, AF_INET), b = datagram(row, AF_INET);
	struct iovec iov[2] = {{row->buf, 400}, {row->buf + 400, 40}};
	struct sockaddr_storage from;

	for (int i = 0; i < 15; i++) {
		struct msghdr to = {.msg_name = &b.addr,
				    .msg_namelen = b.len,
				    .msg_iov = iov,
				    .msg_iovlen = 2};
		struct msghdr got = {.msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = iov,
				     .msg_iovlen = 2};

		sent(row, b.obj, IO(b.obj, WRITE, sendmsg(a.fd, &to, 0)), 440);
		received(row, a.obj, IO(a.obj, READ, recvmsg(b.fd, &got, 0)), 440);
	}
	close(a.fd);
	close(b.fd);
}

#define MMSG_MAX 40

/*
 * Vectors of messages: each message is an operation on its own peer; the time of the whole call is
 * the first one's.
 */
static inline void mmsg_done(struct row *row, struct object **peers, const struct mmsghdr *msgs,
			     int got, int cnt, enum row_op op, const struct stamp *begin)
{
	must(row, got == cnt, op == OP_WRITE ? "sendmmsg" : "recvmmsg");
	tally(peers[0], op, got, msgs[0].msg_len, begin);
	for (int i = 0; i < cnt; i++) {
		peers[i]->ops[op].messages++;
		if (!i)
			continue;
		peers[i]->ops[op].operations++;
		peers[i]->ops[op].bytes += msgs[i].msg_len;
	}
	*(op == OP_WRITE ? &row->datagrams_sent : &row->datagrams_received) += (uint64_t)cnt;
}

/* `cnt` messages to `peer_cnt` peers, each of which answers, so that one call receives all of it. */
static inline void udp_mmsg(struct row *row, int family, int cnt, int peer_cnt, bool connected)
{
	struct datagram a = datagram(row, family), peers[3];
	struct mmsghdr msgs[MMSG_MAX];
	struct iovec iov[MMSG_MAX];
	struct sockaddr_storage from[MMSG_MAX];
	struct object *objs[MMSG_MAX];
	struct stamp begin;
	int got;

	for (int i = 0; i < peer_cnt; i++)
		peers[i] = datagram(row, family);
	if (connected)
		must(row,
		     DO(peers[0].obj, CONNECT,
			connect(a.fd, (struct sockaddr *)&peers[0].addr, peers[0].len)) == 0,
		     "connect of a datagram socket");
	for (int round = 0; round < 10; round++) {
		memset(msgs, 0, sizeof(msgs));
		for (int i = 0; i < cnt; i++) {
			objs[i] = peers[i % peer_cnt].obj;
			iov[i] = (struct iovec){row->buf, (size_t)(50 + 10 * i)};
			msgs[i].msg_hdr.msg_iov = &iov[i];
			msgs[i].msg_hdr.msg_iovlen = 1;
			if (connected)
				continue;
			msgs[i].msg_hdr.msg_name = &peers[i % peer_cnt].addr;
			msgs[i].msg_hdr.msg_namelen = peers[i % peer_cnt].len;
		}
		begin = stamp();
		got = sendmmsg(a.fd, msgs, (unsigned int)cnt, 0);
		mmsg_done(row, objs, msgs, got, cnt, OP_WRITE, &begin);
		for (int i = 0; i < cnt; i++) {
			struct datagram *peer = &peers[i % peer_cnt];
			struct object *own = own_port(row, peer);

			received(row, own, IO(own, READ, recv(peer->fd, row->buf, 2000, 0)),
				 50 + 10 * i);
			sent(row, a.obj,
			     IO(a.obj, WRITE,
				sendto(peer->fd, row->buf, (size_t)(30 + i), 0,
				       (struct sockaddr *)&a.addr, a.len)),
			     30 + i);
			iov[i].iov_len = 2000;
			msgs[i].msg_hdr.msg_name = &from[i];
			msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
		begin = stamp();
		got = recvmmsg(a.fd, msgs, (unsigned int)cnt, 0, NULL);
		mmsg_done(row, objs, msgs, got, cnt, OP_READ, &begin);
	}
	close(a.fd);
	for (int i = 0; i < peer_cnt; i++)
		close(peers[i].fd);
}

static inline void run_udp_mmsg(struct row *row)
{
	udp_mmsg(row, AF_INET, 6, 3, false);
}

static inline void run_udp6_mmsg(struct row *row)
{
	udp_mmsg(row, AF_INET6, 6, 3, false);
}

static inline void run_udp_mmsg_c(struct row *row)
{
	udp_mmsg(row, AF_INET, 6, 1, true);
}

static inline void run_udp_mmsg_40(struct row *row)
{
	udp_mmsg(row, AF_INET, 40, 2, false);
}

static inline socklen_t unix_address(struct row *row, struct sockaddr_un *addr, char *name,
				     size_t sz, bool abstract)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (abstract) {
		snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1, "rows-%d-%s",
			 (int)getpid(), row->name);
		snprintf(name, sz, "unix:@%s", addr->sun_path + 1);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   strlen(addr->sun_path + 1));
	}
	/* short: such a path has 108 bytes */
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/tmp/rows-%d-%s", (int)getpid(),
		 row->name);
	snprintf(name, sz, "unix:%s", addr->sun_path);
	unlink(addr->sun_path);
	return sizeof(*addr);
}

/* A listener with a path or an abstract name, and a client of it. */
static inline void unix_connection(struct row *row, int type, bool abstract)
{
	struct sockaddr_un addr;
	char name[128];
	socklen_t len = unix_address(row, &addr, name, sizeof(name), abstract);
	struct object *client = socket_object(row, "unix", "client", name, "");
	struct object *server = socket_object(row, "unix", "server", name, name);
	int listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int client_fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), server_fd;

	must(row, bind(listener, (struct sockaddr *)&addr, len) == 0 && listen(listener, 1) == 0,
	     "bind of a unix socket");
	must(row, DO(client, CONNECT, connect(client_fd, (struct sockaddr *)&addr, len)) == 0,
	     "connect of a unix socket");
	server_fd = (int)DO(server, ACCEPT, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	must(row, server_fd >= 0, "accept of a unix socket");
	for (int i = 0; i < 20; i++) {
		ssize_t sz = 100 + i;

		must(row, IO(client, WRITE, send(client_fd, row->buf, (size_t)sz, 0)) == sz,
		     "send");
		must(row, IO(server, READ, recv(server_fd, row->buf, 2000, 0)) == sz, "recv");
		must(row, IO(server, WRITE, write(server_fd, row->buf, 33)) == 33, "write");
		must(row, IO(client, READ, read(client_fd, row->buf, 2000)) == 33, "read");
	}
	close(client_fd);
	must(row, IO(server, READ, recv(server_fd, row->buf, 100, 0)) == 0, "recv the end");
	close(server_fd);
	close(listener);
	if (!abstract)
		unlink(addr.sun_path);
}

static inline void run_unix_stream(struct row *row)
{
	unix_connection(row, SOCK_STREAM, false);
}

static inline void run_unix_seq(struct row *row)
{
	unix_connection(row, SOCK_SEQPACKET, true);
}

/* To a path that is given with each datagram, which tells nobody's name, and to one connected to. */
static inline void run_unix_dgram(struct row *row)
{
	struct sockaddr_un addr;
	char name[128];
	socklen_t len = unix_address(row, &addr, name, sizeof(name), false);
	struct object *to = socket_object(row, "unix", "datagram", name, "");
	struct object *unnamed = socket_object(row, "unix", "datagram", "unix:(unnamed)", "");
	int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(row, bind(server, (struct sockaddr *)&addr, len) == 0, "bind of a unix socket");
	for (int i = 0; i < 20; i++) {
		sent(row, unnamed,
		     IO(unnamed, WRITE,
			sendto(client, row->buf, 150, 0, (struct sockaddr *)&addr, len)),
		     150);
		received(row, to, IO(to, READ, recv(server, row->buf, 2000, 0)), 150);
	}
	must(row, connect(client, (struct sockaddr *)&addr, len) == 0, "connect of a unix socket");
	for (int i = 0; i < 15; i++) {
		sent(row, to, IO(to, WRITE, send(client, row->buf, 250, 0)), 250);
		received(row, to, IO(to, READ, recv(server, row->buf, 2000, 0)), 250);
	}
	close(client);
	close(server);
	unlink(addr.sun_path);
}

/* Streams and datagrams without any name. */
static inline void run_socketpair(struct row *row)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	int fds[2];

	for (size_t type = 0; type < ARRAY_CNT(types); type++) {
		bool is_datagram = types[type] == SOCK_DGRAM;
		struct object *peer =
			socket_object(row, "unix", is_datagram ? "datagram" : "client",
				      "unix:(unnamed)", "");

		must(row, socketpair(AF_UNIX, types[type] | SOCK_CLOEXEC, 0, fds) == 0,
		     "socketpair");
		for (int i = 0; i < 10; i++) {
			must(row, IO(peer, WRITE, send(fds[0], row->buf, 500, 0)) == 500, "send");
			must(row, IO(peer, READ, recv(fds[1], row->buf, 600, 0)) == 500, "recv");
		}
		if (types[type] != SOCK_STREAM) {
			row->datagrams_sent += 10;
			row->datagrams_received += 10;
		}
		close(fds[0]);
		close(fds[1]);
	}
}

#endif
