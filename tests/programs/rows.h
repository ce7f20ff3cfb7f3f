/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the truth programs of IO share (io_truth.c, conn_truth.c): a row is a named thread that keeps
 * its own account of what it does with each file and each peer, by its own clock, and prints it.
 *
 * An operation is one system call that succeeded; a failure is an error, unless it had no effect
 * (would block, interrupted, in progress): that is `again`, which is not timed.
 */
#ifndef ROWS_H
#define ROWS_H

#include "truth.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ROW_OPS(X)                                                                                 \
	X(READ, read)                                                                              \
	X(WRITE, write)                                                                            \
	X(SYNC, sync)                                                                              \
	X(OPEN, open)                                                                              \
	X(CONNECT, connect)                                                                        \
	X(ACCEPT, accept)                                                                          \
	X(REQUEST, request)                                                                        \
	X(RESPONSE, response)                                                                      \
	X(QUEUED, queued)                                                                          \
	X(FAULT, fault)

enum row_op {
#define X(id, name) OP_##id,
	ROW_OPS(X)
#undef X
		OP_CNT
};

static const char *const op_names[] = {
#define X(id, name) #name,
	ROW_OPS(X)
#undef X
};

struct tally {
	uint64_t operations, bytes, errors, again;
	uint64_t messages; /* datagrams in them */
	uint64_t timed, ns; /* operations and errors */
	uint64_t unsure_ns; /* of these: in calls that were preempted, inside or beside the clock */
};

/* A file or a peer. */
struct object {
	const char *kind; /* the recording's word: file, pipe, tcp, ... */
	const char *role; /* of a socket: client, server, datagram, ... */
	char name[PATH_MAX]; /* path, or the peer's address */
	char local[128]; /* the own end of a connection that was accepted */
	bool is_deleted;
	struct tally ops[OP_CNT];
	int met, opened, failed, closed; /* connections, where the program counts them */
	char tcp[512]; /* TCP_INFO at its end, as JSON members */
};

#define ROW_OBJECTS 16
#define ROW_BUF_SZ  (1024 * 1024)
struct row {
	const char *name; /* the thread's, so at most 15 characters */
	void (*run)(struct row *row);
	void (*setup)(struct row *row); /* by the main thread, before the recording */
	int phase;
	/* what happens at run time */
	pthread_t thread;
	pid_t tid;
	int fds[4]; /* from setup() to run() */
	char *buf; /* ROW_BUF_SZ, aligned for direct IO */
	const char *skipped; /* why */
	uint64_t born_ns, start_ns, end_ns;
	uint64_t datagrams_sent, datagrams_received;
	uint64_t mapped, unmapped, resident; /* bytes */
	long minflt, majflt;
	char kernel_io[512]; /* its /proc/.../io, as JSON members */
	struct object *objects;
	int object_cnt;
};

/* The object of a row by its name: found or made. */
static inline struct object *object(struct row *row, const char *kind, const char *name)
{
	struct object *obj;

	for (int i = 0; i < row->object_cnt; i++) {
		obj = &row->objects[i];
		if (strcmp(obj->kind, kind) == 0 && strcmp(obj->name, name) == 0 && !obj->role)
			return obj;
	}
	if (row->object_cnt == ROW_OBJECTS)
		die("too many objects in a row");
	obj = &row->objects[row->object_cnt++];
	obj->kind = kind;
	snprintf(obj->name, sizeof(obj->name), "%s", name);
	return obj;
}

/* Of a pipe or another file without a path: pipe:[77]. */
static inline struct object *inode(struct row *row, const char *kind, int fd)
{
	char name[64];
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	snprintf(name, sizeof(name), "%s:[%lu]", kind, (unsigned long)st.st_ino);
	return object(row, kind, name);
}

static inline struct object *socket_object(struct row *row, const char *kind, const char *role,
					   const char *peer, const char *local)
{
	struct object *obj;

	for (int i = 0; i < row->object_cnt; i++) {
		obj = &row->objects[i];
		if (obj->role && strcmp(obj->kind, kind) == 0 && strcmp(obj->role, role) == 0 &&
		    strcmp(obj->name, peer) == 0 && strcmp(obj->local, local) == 0)
			return obj;
	}
	if (row->object_cnt == ROW_OBJECTS)
		die("too many peers in a row");
	obj = &row->objects[row->object_cnt++];
	obj->kind = kind;
	obj->role = role;
	snprintf(obj->name, sizeof(obj->name), "%s", peer);
	snprintf(obj->local, sizeof(obj->local), "%s", local);
	return obj;
}

/* The moment before a call, and how often the thread had been preempted by then. */
struct stamp {
	uint64_t ns;
	long preempted;
};

static inline struct stamp stamp(void)
{
	struct rusage usage;
	struct stamp stamp;

	getrusage(RUSAGE_THREAD, &usage);
	stamp.preempted = usage.ru_nivcsw;
	stamp.ns = mono_ns();
	return stamp;
}

static inline bool is_again(int err)
{
	return err == EAGAIN || err == EINTR || err == EINPROGRESS || err == EALREADY;
}

static inline void tally_ns(struct tally *tally, uint64_t ns)
{
	tally->timed++;
	tally->ns += ns;
}

static inline void tally_time(struct tally *tally, const struct stamp *begin, uint64_t end_ns)
{
	uint64_t ns = end_ns - begin->ns;
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	tally_ns(tally, ns);
	if (usage.ru_nivcsw != begin->preempted)
		tally->unsure_ns += ns;
}

/* Accounts one call that has returned `ret`; `bytes` is what it moved. Keeps errno. */
static inline void tally(struct object *obj, enum row_op op, ssize_t ret, uint64_t bytes,
			 const struct stamp *begin)
{
	uint64_t end_ns = mono_ns();
	struct tally *tally = &obj->ops[op];
	int err = errno;

	if (ret >= 0) {
		tally->operations++;
		tally->bytes += bytes;
	} else if (is_again(err)) {
		tally->again++;
		errno = err;
		return;
	} else {
		tally->errors++;
	}
	tally_time(tally, begin, end_ns);
	errno = err;
}

/* A call that returns the bytes that it moved. */
#define IO(obj, op, call)                                                                          \
	({                                                                                         \
		struct stamp begin_ = stamp();                                                     \
		ssize_t ret_ = (call);                                                             \
		tally(obj, OP_##op, ret_, ret_ > 0 ? (uint64_t)ret_ : 0, &begin_);                 \
		ret_;                                                                              \
	})

/* A call that moves nothing: open, fsync, connect, a look at what lies in a socket. */
#define DO(obj, op, call)                                                                          \
	({                                                                                         \
		struct stamp begin_ = stamp();                                                     \
		ssize_t ret_ = (call);                                                             \
		tally(obj, OP_##op, ret_, 0, &begin_);                                             \
		ret_;                                                                              \
	})

/*
 * A call that reads from one and writes the same to another: an operation on each. Its time, and its
 * failure, are the writer's.
 */
static inline void tally_copy(struct object *in, struct object *out, ssize_t ret,
			      const struct stamp *begin)
{
	uint64_t bytes = ret > 0 ? (uint64_t)ret : 0;

	tally(out, OP_WRITE, ret, bytes, begin);
	if (ret < 0)
		return;
	in->ops[OP_READ].operations++;
	in->ops[OP_READ].bytes += bytes;
}

#define COPY(in, out, call)                                                                        \
	({                                                                                         \
		struct stamp begin_ = stamp();                                                     \
		ssize_t ret_ = (call);                                                             \
		tally_copy(in, out, ret_, &begin_);                                                \
		ret_;                                                                              \
	})

/* What must have come out of the expression before; a truth that is not one ends the program. */
static inline void must(struct row *row, bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s: %s\n", row->name, what, strerror(errno));
	_exit(1);
}

static inline void must_fail(struct row *row, ssize_t ret, int err, const char *what)
{
	if (ret == -1 && errno == err)
		return;
	fprintf(stderr, "%s: %s: got %zd (%s), expected %s\n", row->name, what, ret,
		ret < 0 ? strerror(errno) : "no error", strerror(err));
	_exit(1);
}

/* "127.0.0.1:80" or "[::1]:80"; the address alone without its port. */
static inline const char *address_name(const struct sockaddr_storage *addr, bool with_port,
				       char *buf, size_t sz)
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;

	if (addr->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		if (with_port)
			snprintf(buf, sz, "[%s]:%d", host, ntohs(in6->sin6_port));
		else
			snprintf(buf, sz, "%s", host);
		return buf;
	}
	inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	if (with_port)
		snprintf(buf, sz, "%s:%d", host, ntohs(in->sin_port));
	else
		snprintf(buf, sz, "%s", host);
	return buf;
}

static inline socklen_t loopback(int family, struct sockaddr_storage *addr)
{
	struct sockaddr_in *in = (void *)addr;
	struct sockaddr_in6 *in6 = (void *)addr;

	memset(addr, 0, sizeof(*addr));
	addr->ss_family = (sa_family_t)family;
	if (family == AF_INET6) {
		in6->sin6_addr = in6addr_loopback;
		return sizeof(*in6);
	}
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*in);
}

/* A socket bound to a free port of the loopback; says where. */
static inline int bound_socket(int family, int type, struct sockaddr_storage *addr, socklen_t *len)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	*len = loopback(family, addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, *len) ||
	    getsockname(fd, (struct sockaddr *)addr, len))
		die("bind");
	return fd;
}

static inline int tcp_listen(int family, int backlog, struct sockaddr_storage *addr, socklen_t *len)
{
	int fd = bound_socket(family, SOCK_STREAM, addr, len);

	if (listen(fd, backlog))
		die("listen");
	return fd;
}

static inline struct object *client_object(struct row *row, const struct sockaddr_storage *server)
{
	char peer[80];

	return socket_object(row, "tcp", "client", address_name(server, true, peer, sizeof(peer)),
			     "");
}

/* Connections that were accepted: of one peer's address, to one port. */
static inline struct object *server_object(struct row *row, const struct sockaddr_storage *server)
{
	char peer[80], local[80];

	return socket_object(row, "tcp", "server", address_name(server, false, peer, sizeof(peer)),
			     address_name(server, true, local, sizeof(local)));
}

/* The other end of a socketpair: nobody knows who began it. */
static inline struct object *unnamed_peer(struct row *row)
{
	return socket_object(row, "unix", "unknown", "unix:(unnamed)", "");
}

struct pair {
	int client_fd, server_fd;
	struct object *client, *server;
};

/* A connection to itself, made by this row. */
static inline struct pair tcp_pair(struct row *row, int family)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int listener = tcp_listen(family, 1, &addr, &len);
	struct pair pair = {.client = client_object(row, &addr),
			    .server = server_object(row, &addr)};

	pair.client_fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(row,
	     DO(pair.client, CONNECT, connect(pair.client_fd, (struct sockaddr *)&addr, len)) == 0,
	     "connect");
	pair.server_fd = (int)DO(pair.server, ACCEPT, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	must(row, pair.server_fd >= 0, "accept");
	close(listener);
	return pair;
}

static inline void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/* What the kernel itself accounted to a thread that waits to end. */
static inline void row_kernel_io(struct row *row)
{
	char path[64], text[512];
	size_t used = 0;
	ssize_t sz;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/io", (int)row->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	sz = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (sz <= 0)
		return;
	text[sz] = '\0';
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char name[32];
		unsigned long long val;

		if (sscanf(line, "%31[a-z_]: %llu", name, &val) == 2)
			used += (size_t)snprintf(row->kernel_io + used,
						 sizeof(row->kernel_io) - used, "%s\"%s\": %llu",
						 used ? ", " : "", name, val);
	}
}

static inline void print_tally(const char *name, const struct tally *tally, bool *first)
{
	if (!tally->operations && !tally->errors && !tally->again && !tally->messages)
		return;
	printf("%s\"%s\": {\"operations\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"errors\": %" PRIu64 ", \"again\": %" PRIu64 ", \"messages\": %" PRIu64
	       ", \"timed\": %" PRIu64 ", \"ns\": %" PRIu64 ", \"unsure_ns\": %" PRIu64 "}",
	       *first ? "" : ", ", name, tally->operations, tally->bytes, tally->errors,
	       tally->again, tally->messages, tally->timed, tally->ns, tally->unsure_ns);
	*first = false;
}

static inline void print_object(const struct object *obj)
{
	bool first = true;

	printf("{\"kind\": \"%s\", \"name\": \"%s\"", obj->kind, obj->name);
	if (obj->role)
		printf(", \"role\": \"%s\", \"local\": \"%s\"", obj->role, obj->local);
	if (obj->met || obj->opened || obj->failed || obj->closed)
		printf(", \"connections\": {\"met\": %d, \"opened\": %d, \"failed\": %d, "
		       "\"closed\": %d}",
		       obj->met, obj->opened, obj->failed, obj->closed);
	if (obj->tcp[0])
		printf(", \"tcp\": {%s}", obj->tcp);
	printf(", \"deleted\": %s, \"ops\": {", obj->is_deleted ? "true" : "false");
	for (int op = 0; op < OP_CNT; op++)
		print_tally(op_names[op], &obj->ops[op], &first);
	printf("}}");
}

static inline void print_row(const struct row *row)
{
	printf("{\"row\": \"%s\", \"tid\": %d, \"skipped\": ", row->name, (int)row->tid);
	if (row->skipped)
		printf("\"%s\"", row->skipped);
	else
		printf("null");
	printf(", \"born_ns\": %" PRIu64 ", \"start_ns\": %" PRIu64 ", \"end_ns\": %" PRIu64
	       ", \"datagrams_sent\": %" PRIu64 ", \"datagrams_received\": %" PRIu64
	       ", \"mapped_bytes\": %" PRIu64 ", \"unmapped_bytes\": %" PRIu64
	       ", \"resident_bytes\": %" PRIu64 ", \"minflt\": %ld, \"majflt\": %ld",
	       row->born_ns, row->start_ns, row->end_ns, row->datagrams_sent,
	       row->datagrams_received, row->mapped, row->unmapped, row->resident, row->minflt,
	       row->majflt);
	printf(", \"kernel_io\": {%s}, \"objects\": [", row->kernel_io);
	for (int i = 0; i < row->object_cnt; i++) {
		printf("%s", i ? ", " : "");
		print_object(&row->objects[i]);
	}
	printf("]}\n");
}

/*
 * A row's thread: runs, then waits for leave to end, so that what the kernel accounted to it can
 * still be read. Small stacks, so that none is unmapped in the middle.
 */
struct row_gate {
	pthread_mutex_t mutex;
	pthread_cond_t one_done, may_leave;
	int done;
	bool leave;
};

static struct row_gate row_gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
				   PTHREAD_COND_INITIALIZER, 0, false};

static inline void *row_main(void *arg)
{
	struct row *row = arg;
	struct rusage before, after;

	pthread_setname_np(pthread_self(), row->name);
	row->tid = thread_id();
	getrusage(RUSAGE_THREAD, &before);
	row->start_ns = mono_ns();
	if (!row->skipped)
		row->run(row);
	row->end_ns = mono_ns();
	getrusage(RUSAGE_THREAD, &after);
	row->minflt = after.ru_minflt - before.ru_minflt;
	row->majflt = after.ru_majflt - before.ru_majflt;
	pthread_mutex_lock(&row_gate.mutex);
	row_gate.done++;
	pthread_cond_signal(&row_gate.one_done);
	while (!row_gate.leave)
		pthread_cond_wait(&row_gate.may_leave, &row_gate.mutex);
	pthread_mutex_unlock(&row_gate.mutex);
	return NULL;
}

static inline void row_start(struct row *row)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	row->born_ns = mono_ns();
	errno = pthread_create(&row->thread, &attr, row_main, row);
	if (errno)
		die("pthread_create");
	pthread_attr_destroy(&attr);
}

/* Waits until so many rows are done, in all. */
static inline void rows_done(int cnt)
{
	pthread_mutex_lock(&row_gate.mutex);
	while (row_gate.done < cnt)
		pthread_cond_wait(&row_gate.one_done, &row_gate.mutex);
	pthread_mutex_unlock(&row_gate.mutex);
}

static inline void rows_leave(struct row *rows, int cnt)
{
	for (int i = 0; i < cnt; i++)
		row_kernel_io(&rows[i]);
	pthread_mutex_lock(&row_gate.mutex);
	row_gate.leave = true;
	pthread_cond_broadcast(&row_gate.may_leave);
	pthread_mutex_unlock(&row_gate.mutex);
	for (int i = 0; i < cnt; i++)
		pthread_join(rows[i].thread, NULL);
}

static inline void rows_setup(struct row *rows, int cnt)
{
	for (int i = 0; i < cnt; i++) {
		rows[i].objects = calloc(ROW_OBJECTS, sizeof(*rows[i].objects));
		if (!rows[i].objects || posix_memalign((void **)&rows[i].buf, 4096, ROW_BUF_SZ))
			die("calloc");
		memset(rows[i].buf, 'a' + i % 26, ROW_BUF_SZ);
		for (size_t fd = 0; fd < ARRAY_CNT(rows[i].fds); fd++)
			rows[i].fds[fd] = -1;
		if (rows[i].setup)
			rows[i].setup(&rows[i]);
	}
}

#endif
