/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections: how many are open and when, how long connecting, accepting and answering takes, and
 * TCP's own numbers. Both ends are this program's. Run by tests/live/io.t, and in the guests of
 * tests/vm.
 *
 *   conn_truth [--wait]
 *
 * Six ends are connected before the recording. When everything is done it prints what happened, then
 * "quiet", and keeps two ends open, untouched, until SIGUSR1: so that what the recording sees last is
 * what was printed.
 */
#include "rows.h"

#include <linux/tcp.h>
#include <sys/eventfd.h>

#define OLD_PAIRS 3
#define NEW_PAIRS 10
/* Ten of the tracer's looks at what is open, each of which may come half a second late. */
#define HOLD_NS NS_PER_SEC

/* A listener and how its connections are named. */
struct service {
	int fd;
	int family;
	struct sockaddr_storage addr;
	socklen_t len;
};

static struct service old_service, web_service;
static struct {
	int client, server;
} old_pairs[OLD_PAIRS];

/* Spans in which so many ends are connected and nobody changes that. */
static struct window {
	uint64_t from_ns, to_ns;
	int active;
} windows[16];
static int window_cnt;
static int active = 2 * OLD_PAIRS;

static void hold(void)
{
	struct window *window = &windows[window_cnt++];

	window->active = active;
	window->from_ns = mono_ns();
	sleep_ns(HOLD_NS);
	window->to_ns = mono_ns();
}

static struct service serve(int family, int backlog)
{
	struct service service = {.family = family};

	service.fd = tcp_listen(family, backlog, &service.addr, &service.len);
	return service;
}

static int stream_socket(struct row *row, const struct service *to)
{
	int on = 1, fd = socket(to->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(row, fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
	     "socket");
	return fd;
}

static int connect_to(struct row *row, const struct service *to)
{
	struct object *peer = client_object(row, &to->addr);
	int fd = stream_socket(row, to);

	must(row, DO(peer, CONNECT, connect(fd, (const struct sockaddr *)&to->addr, to->len)) == 0,
	     "connect");
	peer->opened++;
	return fd;
}

/*
 * Takes the next connection, whose connect() began at `begin`. Since when it has waited: since some
 * moment in there, so what the call took is unsure.
 */
static int accept_from(struct row *row, const struct service *from, const struct stamp *begin,
		       uint64_t connected_ns)
{
	struct object *peer = server_object(row, &from->addr);
	struct tally *tally = &peer->ops[OP_ACCEPT];
	int on = 1, fd = accept4(from->fd, NULL, NULL, SOCK_CLOEXEC);
	uint64_t end_ns = mono_ns();

	must(row, fd >= 0, "accept");
	tally->operations++;
	tally_ns(tally, end_ns - connected_ns);
	tally->unsure_ns += connected_ns - begin->ns;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer->opened++;
	return fd;
}

/* Both ends by one thread. */
static void connect_pair(struct row *row, const struct service *service, int *client_fd,
			 int *server_fd)
{
	struct stamp begin = stamp();

	*client_fd = connect_to(row, service);
	*server_fd = accept_from(row, service, &begin, mono_ns());
}

static void close_end(struct object *peer, int fd)
{
	close(fd);
	peer->closed++;
}

/* What TCP_INFO says of a connection now. */
static void keep_info(struct row *row, struct object *peer, int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	must(row, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0, "TCP_INFO");
	snprintf(peer->tcp, sizeof(peer->tcp),
		 "\"rtt_us\": %u, \"rttvar_us\": %u, \"min_rtt_us\": %u, \"cwnd\": %u, "
		 "\"mss\": %u, \"segments_sent\": %u, \"segments_received\": %u, "
		 "\"retransmissions\": %u, \"bytes_acked\": %llu, \"bytes_received\": %llu",
		 info.tcpi_rtt, info.tcpi_rttvar, info.tcpi_min_rtt, info.tcpi_snd_cwnd,
		 info.tcpi_snd_mss, info.tcpi_segs_out, info.tcpi_segs_in, info.tcpi_total_retrans,
		 (unsigned long long)info.tcpi_bytes_acked,
		 (unsigned long long)info.tcpi_bytes_received);
}

static void exchange(struct row *row, const struct service *service, int client, int server,
		     int rounds)
{
	struct object *to_server = client_object(row, &service->addr);
	struct object *to_client = server_object(row, &service->addr);

	for (int i = 0; i < rounds; i++) {
		size_t there = 200 + (size_t)i * 13, back = 900 + (size_t)i * 29;

		must(row, IO(to_server, WRITE, send(client, row->buf, there, 0)) > 0, "send");
		must(row, IO(to_client, READ, recv(server, row->buf, there, MSG_WAITALL)) > 0,
		     "recv");
		must(row, IO(to_client, WRITE, send(server, row->buf, back, 0)) > 0, "send");
		must(row, IO(to_server, READ, recv(client, row->buf, back, MSG_WAITALL)) > 0,
		     "recv");
	}
	/* each round is a request and its answer; too short to be timed here */
	to_client->ops[OP_REQUEST].operations += (uint64_t)rounds;
	to_server->ops[OP_RESPONSE].operations += (uint64_t)rounds;
}

/* 6 -> 26 -> 6 */
static void run_active(struct row *row)
{
	struct service services[2] = {serve(AF_INET, 16), serve(AF_INET6, 16)};
	struct pair pairs[NEW_PAIRS];

	for (int i = 0; i < OLD_PAIRS; i++) {
		exchange(row, &old_service, old_pairs[i].client, old_pairs[i].server, 2);
		client_object(row, &old_service.addr)->met++;
		server_object(row, &old_service.addr)->met++;
	}
	hold();
	for (int i = 0; i < NEW_PAIRS; i++) {
		struct service *service = &services[i % 2];

		connect_pair(row, service, &pairs[i].client_fd, &pairs[i].server_fd);
		exchange(row, service, pairs[i].client_fd, pairs[i].server_fd, 3);
	}
	active += 2 * NEW_PAIRS;
	hold();
	for (int i = 0; i < NEW_PAIRS; i++) {
		struct service *service = &services[i % 2];

		/* either end may be the first to close */
		if (i % 3 == 0)
			close_end(server_object(row, &service->addr), pairs[i].server_fd);
		close_end(client_object(row, &service->addr), pairs[i].client_fd);
		if (i % 3)
			close_end(server_object(row, &service->addr), pairs[i].server_fd);
	}
	active -= 2 * NEW_PAIRS;
	hold();
	close(services[0].fd);
	close(services[1].fd);
}

/*
 * Requests in two parts, answered in two parts, after a time that the server needs; the client thinks
 * between them, which is neither's latency.
 */
#define REQUESTS   20
#define SERVICE_NS (15 * NS_PER_MS)
#define THINK_NS   (6 * NS_PER_MS)

static atomic_uint_fast64_t client_begins_ns;

static void run_server(struct row *row)
{
	struct object *peer = server_object(row, &web_service.addr);
	int fd = accept4(web_service.fd, NULL, NULL, SOCK_CLOEXEC), on = 1;
	uint64_t end_ns = mono_ns(), begin_ns = atomic_load(&client_begins_ns);

	/* it waited for the client, the client did not for it */
	must(row, fd >= 0, "accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer->opened++;
	peer->ops[OP_ACCEPT].operations++;
	tally_ns(&peer->ops[OP_ACCEPT], end_ns - begin_ns);
	peer->ops[OP_ACCEPT].unsure_ns = end_ns - begin_ns;
	for (int i = 0; i < REQUESTS; i++) {
		uint64_t begin;

		must(row, IO(peer, READ, recv(fd, row->buf, 100, 0)) == 100, "recv");
		begin = mono_ns();
		must(row, IO(peer, READ, recv(fd, row->buf, 50, MSG_WAITALL)) == 50, "recv");
		sleep_ns(SERVICE_NS);
		tally_ns(&peer->ops[OP_REQUEST], mono_ns() - begin);
		peer->ops[OP_REQUEST].operations++;
		must(row, IO(peer, WRITE, send(fd, row->buf, 300, 0)) == 300, "send");
		must(row, IO(peer, WRITE, send(fd, row->buf, 200, 0)) == 200, "send");
	}
	must(row, IO(peer, READ, recv(fd, row->buf, 100, 0)) == 0, "recv the end");
	close_end(peer, fd);
}

static void run_client(struct row *row)
{
	struct object *peer = client_object(row, &web_service.addr);
	int fd;

	sleep_ns(40 * NS_PER_MS); /* the server is blocked in accept() */
	atomic_store(&client_begins_ns, mono_ns());
	fd = connect_to(row, &web_service);
	for (int i = 0; i < REQUESTS; i++) {
		uint64_t begin = mono_ns();

		must(row, IO(peer, WRITE, send(fd, row->buf, 100, 0)) == 100, "send");
		must(row, IO(peer, WRITE, send(fd, row->buf, 50, 0)) == 50, "send");
		must(row, IO(peer, READ, recv(fd, row->buf, 300, MSG_WAITALL)) == 300, "recv");
		tally_ns(&peer->ops[OP_RESPONSE], mono_ns() - begin);
		peer->ops[OP_RESPONSE].operations++;
		must(row, IO(peer, READ, recv(fd, row->buf, 200, MSG_WAITALL)) == 200, "recv");
		sleep_ns(THINK_NS);
	}
	close_end(peer, fd);
}

/* Connections wait in the queue of a listener that is slow to take them. */
static void run_late_accept(struct row *row)
{
	struct service service = serve(AF_INET, 4);

	for (int i = 0; i < 6; i++) {
		struct stamp begin = stamp();
		int client = connect_to(row, &service), server;
		uint64_t connected_ns = mono_ns();

		sleep_ns(50 * NS_PER_MS);
		server = accept_from(row, &service, &begin, connected_ns);
		close_end(client_object(row, &service.addr), client);
		close_end(server_object(row, &service.addr), server);
	}
	close(service.fd);
}

/* Data lies in the socket for a while before it is received. */
static void run_late_recv(struct row *row)
{
	struct service service = serve(AF_INET, 4);
	struct object *client = client_object(row, &service.addr);
	struct object *server = server_object(row, &service.addr);
	int client_fd, server_fd;

	connect_pair(row, &service, &client_fd, &server_fd);

	for (int i = 0; i < 12; i++) {
		uint64_t since = mono_ns();

		must(row, IO(client, WRITE, send(client_fd, row->buf, 400, 0)) == 400, "send");
		sleep_ns(25 * NS_PER_MS);
		tally_ns(&server->ops[OP_QUEUED], mono_ns() - since);
		server->ops[OP_QUEUED].operations++;
		must(row, IO(server, READ, recv(server_fd, row->buf, 1000, 0)) == 400, "recv");
	}
	close_end(client, client_fd);
	close_end(server, server_fd);
	close(service.fd);
}

/*
 * A non-blocking connect, which is in progress even over loopback: the answer comes when the socket
 * is let go. The operation is over when it is known what became of it.
 */
static void connect_nonblocking(struct row *row, const struct sockaddr_storage *addr, socklen_t len,
				int fd, int want)
{
	struct object *peer = client_object(row, addr);
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	struct stamp begin;
	socklen_t err_len = sizeof(int);
	int err = 0;

	set_nonblocking(fd, true);
	begin = stamp();
	must_fail(row, connect(fd, (const struct sockaddr *)addr, len), EINPROGRESS, "connect");
	must(row, poll(&poll_fd, 1, 10000) == 1, "poll");
	tally_time(&peer->ops[OP_CONNECT], &begin, mono_ns());
	must(row, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == 0 && err == want,
	     "what became of the connection");
	/* what counts is what became of it, not that the call did not wait for it */
	if (want) {
		peer->ops[OP_CONNECT].errors++;
		peer->failed++;
	} else {
		peer->ops[OP_CONNECT].operations++;
		peer->opened++;
	}
}

/* Nobody listens at a port that is held. */
static void run_refused(struct row *row)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int held = bound_socket(AF_INET, SOCK_STREAM, &addr, &len);
	struct object *peer = client_object(row, &addr);

	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		must_fail(row, DO(peer, CONNECT, connect(fd, (struct sockaddr *)&addr, len)),
			  ECONNREFUSED, "connect");
		peer->failed++;
		close(fd);
	}
	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		connect_nonblocking(row, &addr, len, fd, ECONNREFUSED);
		close(fd);
	}
	close(held);
}

/* At once, but without blocking. */
static void run_quick(struct row *row)
{
	struct service service = serve(AF_INET6, 4);

	for (int i = 0; i < 5; i++) {
		int client = stream_socket(row, &service), server;
		struct stamp begin = stamp();

		connect_nonblocking(row, &service.addr, service.len, client, 0);
		server = accept_from(row, &service, &begin, mono_ns());
		close_end(client_object(row, &service.addr), client);
		close_end(server_object(row, &service.addr), server);
	}
	close(service.fd);
}

/*
 * A listener without room drops the first segment; it comes again after a second. So connecting
 * takes a second, with one retransmission, and a non-blocking call really is in progress.
 */
struct full_service {
	struct service service;
	int filler;
};

static struct full_service full_service(struct row *row)
{
	struct full_service full = {.service = serve(AF_INET, 0)};

	full.filler = connect_to(row, &full.service);
	return full;
}

/* Makes room while another connection is on its way, and takes both. */
static void *make_room(void *arg)
{
	struct full_service *full = arg;

	sleep_ns(200 * NS_PER_MS);
	for (int i = 0; i < 2; i++) {
		int fd = accept4(full->service.fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			die("accept");
		sleep_ns(10 * NS_PER_MS);
		close(fd);
	}
	return NULL;
}

static void slow_connect(struct row *row, bool nonblocking)
{
	struct full_service full = full_service(row);
	struct object *peer = client_object(row, &full.service.addr);
	int fd = stream_socket(row, &full.service);
	pthread_t helper;

	errno = pthread_create(&helper, NULL, make_room, &full);
	if (errno)
		die("pthread_create");
	if (nonblocking) {
		connect_nonblocking(row, &full.service.addr, full.service.len, fd, 0);
	} else {
		must(row,
		     DO(peer, CONNECT,
			connect(fd, (struct sockaddr *)&full.service.addr, full.service.len)) == 0,
		     "connect");
		peer->opened++;
	}
	pthread_join(helper, NULL);
	close_end(peer, full.filler);
	keep_info(row, peer, fd);
	close_end(peer, fd);
	close(full.service.fd);
}

static void run_slow_connect(struct row *row)
{
	slow_connect(row, false);
}

static void run_nonblocking(struct row *row)
{
	slow_connect(row, true);
}

/* Refused when the first segment comes again: the listener is gone by then. */
static void *go_away(void *arg)
{
	struct full_service *full = arg;

	sleep_ns(200 * NS_PER_MS);
	close(full->service.fd);
	return NULL;
}

static void run_late_refusal(struct row *row)
{
	struct full_service full = full_service(row);
	struct object *peer = client_object(row, &full.service.addr);
	int fd = stream_socket(row, &full.service);
	pthread_t helper;

	errno = pthread_create(&helper, NULL, go_away, &full);
	if (errno)
		die("pthread_create");
	connect_nonblocking(row, &full.service.addr, full.service.len, fd, ECONNREFUSED);
	pthread_join(helper, NULL);
	close_end(peer, full.filler);
	close(fd);
}

/* Connections without TCP, whose ends are closed in all the ways there are. */
static void run_unix_ends(struct row *row)
{
	struct object *peer = unnamed_peer(row);
	int fds[4], copy, other = eventfd(0, EFD_CLOEXEC);

	for (int i = 0; i < 4; i += 2) {
		must(row, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds + i) == 0,
		     "socketpair");
		must(row, IO(peer, WRITE, send(fds[i], row->buf, 10, 0)) == 10, "send");
		must(row, IO(peer, READ, recv(fds[i + 1], row->buf, 10, 0)) == 10, "recv");
	}
	active += 4;
	copy = dup(fds[1]);
	close(copy); /* not its last descriptor */
	hold();
	close(fds[0]);
	must(row, dup2(other, fds[1]) == fds[1], "dup2");
	must(row, fds[3] == fds[2] + 1, "descriptors in a row");
	must(row, syscall(SYS_close_range, fds[2], fds[3], 0) == 0, "close_range");
	active -= 4;
	hold();
	close(fds[1]);
	close(other);
}

/* TCP's numbers just before the end. */
static void run_info_close(struct row *row)
{
	struct service service = serve(AF_INET, 4);
	struct object *client = client_object(row, &service.addr);
	struct object *server = server_object(row, &service.addr);
	int client_fd, server_fd;

	connect_pair(row, &service, &client_fd, &server_fd);
	exchange(row, &service, client_fd, server_fd, 40);
	sleep_ns(300 * NS_PER_MS); /* delayed acknowledgements are out */
	keep_info(row, client, client_fd);
	close_end(client, client_fd);
	keep_info(row, server, server_fd);
	close_end(server, server_fd);
	close(service.fd);
}

/* The two ends stay open until the program ends. */
static void run_info_open(struct row *row)
{
	struct service service = serve(AF_INET, 4);
	struct object *client = client_object(row, &service.addr);
	struct object *server = server_object(row, &service.addr);
	char before[sizeof(client->tcp)];
	int client_fd, server_fd;

	connect_pair(row, &service, &client_fd, &server_fd);
	active += 2;
	exchange(row, &service, client_fd, server_fd, 50);
	hold();
	keep_info(row, client, client_fd);
	keep_info(row, server, server_fd);
	memcpy(before, client->tcp, sizeof(before));
	hold();
	keep_info(row, client, client_fd);
	must(row, strcmp(before, client->tcp) == 0, "the connection is quiet");
}

#define ROW(name_, run_, phase_)                                                                   \
	{                                                                                          \
		.name = name_, .run = run_, .phase = phase_                                        \
	}

static struct row rows[] = {
	ROW("active", run_active, 0),
	ROW("server", run_server, 1),
	ROW("client", run_client, 1),
	ROW("late-accept", run_late_accept, 2),
	ROW("late-recv", run_late_recv, 2),
	ROW("refused", run_refused, 3),
	ROW("quick", run_quick, 3),
	ROW("slow-connect", run_slow_connect, 4),
	ROW("nonblocking", run_nonblocking, 4),
	ROW("late-refusal", run_late_refusal, 4),
	ROW("info-close", run_info_close, 4),
	ROW("unix-ends", run_unix_ends, 5),
	ROW("info-open", run_info_open, 6),
};
#define PHASES 7

static void old_connections(void)
{
	old_service = serve(AF_INET, OLD_PAIRS);
	for (int i = 0; i < OLD_PAIRS; i++) {
		old_pairs[i].client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(old_pairs[i].client, (struct sockaddr *)&old_service.addr,
			    old_service.len))
			die("connect");
		old_pairs[i].server = accept4(old_service.fd, NULL, NULL, SOCK_CLOEXEC);
		if (old_pairs[i].server < 0)
			die("accept");
	}
}

static void print_windows(void)
{
	printf("{\"windows\": [");
	for (int i = 0; i < window_cnt; i++)
		printf("%s{\"from_ns\": %" PRIu64 ", \"to_ns\": %" PRIu64 ", \"active\": %d}",
		       i ? ", " : "", windows[i].from_ns, windows[i].to_ns, windows[i].active);
	printf("]}\n");
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	int started = 0;

	if (argc > 1) {
		fprintf(stderr, "usage: conn_truth [--wait]\n");
		return 2;
	}
	truth_limit(120);
	signal(SIGPIPE, SIG_IGN);
	rows_setup(rows, ARRAY_CNT(rows));
	old_connections();
	web_service = serve(AF_INET, 4);
	truth_ready(wait);

	for (int phase = 0; phase < PHASES; phase++) {
		for (size_t i = 0; i < ARRAY_CNT(rows); i++)
			if (rows[i].phase == phase) {
				row_start(&rows[i]);
				started++;
			}
		rows_done(started);
	}
	for (size_t i = 0; i < ARRAY_CNT(rows); i++)
		print_row(&rows[i]);
	print_windows();
	printf("quiet\n");
	fflush(stdout);
	while (wait && !truth_signalled)
		poll(NULL, 0, 20);
	rows_leave(rows, ARRAY_CNT(rows));
	return 0;
}
