/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the feed makes of files, sockets and uses, rule by rule. Orders and limits are in
 * test_feed_io_all.c. */
#include <errno.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>

#include "io_feed.h"
#include "tap.h"

#define TASK   (7ULL << 32)
#define END_NS (20000 * MS)

/* Files */

static void test_file_kinds(void)
{
	static const struct {
		uint16_t mode;
		uint32_t magic, rdev;
		uint8_t flags;
		const char *path, *kind;
	} rows[] = {
		{S_IFREG, EXT4_SUPER_MAGIC, 0, 0, "/a", "file"},
		{S_IFREG, TMPFS_MAGIC, 0, 0, "/dev/shm/a", "file"},
		{S_IFREG, TMPFS_MAGIC, 0, FILE_PSEUDO, "memfd:a", "memory file"},
		{S_IFREG, HUGETLBFS_MAGIC, 0, FILE_PSEUDO, "SYSV00000001", "memory file"},
		{S_IFREG, PROC_SUPER_MAGIC, 0, 0, "/proc/1/stat", "kernel file"},
		{S_IFREG, SYSFS_MAGIC, 0, 0, "/sys/x", "kernel file"},
		{S_IFREG, CGROUP2_SUPER_MAGIC, 0, 0, "/sys/fs/cgroup/x", "kernel file"},
		{S_IFREG, TRACEFS_MAGIC, 0, 0, "/sys/kernel/tracing/x", "kernel file"},
		{S_IFREG, DEBUGFS_MAGIC, 0, 0, "/sys/kernel/debug/x", "kernel file"},
		{S_IFDIR, EXT4_SUPER_MAGIC, 0, 0, "/d", "directory"},
		{S_IFBLK, TMPFS_MAGIC, 8 << 20, 0, "/dev/sda", "block device"},
		{S_IFCHR, TMPFS_MAGIC, 1 << 20 | 3, 0, "/dev/null", "character device"},
		{S_IFCHR, TMPFS_MAGIC, 5 << 20, 0, "/dev/tty", "terminal"},
		{S_IFCHR, TMPFS_MAGIC, 4 << 20 | 64, 0, "/dev/ttyS0", "terminal"},
		{S_IFCHR, 0x1cd1, 136 << 20 | 2, 0, "/dev/pts/2", "terminal"},
		{S_IFCHR, 0x1cd1, 143 << 20 | 2, 0, "/dev/pts/9", "terminal"},
		{S_IFCHR, TMPFS_MAGIC, 144 << 20, 0, "/dev/other", "character device"},
		{S_IFIFO, PIPEFS_MAGIC, 0, FILE_PSEUDO, "pipe:[5]", "pipe"},
		{S_IFIFO, EXT4_SUPER_MAGIC, 0, 0, "/run/fifo", "pipe"},
		{0, ANON_INODE_FS_MAGIC, 0, FILE_PSEUDO, "[eventfd]", "eventfd"},
		{S_IFREG, ANON_INODE_FS_MAGIC, 0, FILE_PSEUDO, "[timerfd]", "timerfd"},
		{0, ANON_INODE_FS_MAGIC, 0, FILE_PSEUDO, "[signalfd]", "signalfd"},
		{0, ANON_INODE_FS_MAGIC, 0, FILE_PSEUDO, "inotify", "inotify"},
		{0, ANON_INODE_FS_MAGIC, 0, FILE_PSEUDO, "[io_uring]", "anonymous file"},
		{0, EXT4_SUPER_MAGIC, 0, 0, "/what", "anonymous file"},
		{S_IFREG, EXT4_SUPER_MAGIC, 0, 0, "/[eventfd]", "file"},
	};
	size_t row_cnt = sizeof(rows) / sizeof(rows[0]), cnt;
	struct model *model = io_start(0);
	const struct object *object;

	for (size_t i = 0; i < row_cnt; i++) {
		io_event.file = (struct event_file){.id = 100 + i,
						    .mode = rows[i].mode,
						    .magic = rows[i].magic,
						    .rdev = rows[i].rdev,
						    .flags = rows[i].flags};
		strcpy(io_event.file.path, rows[i].path);
		io_event.kind = WIRE_FILE;
		io_event.ns = START_NS;
		feed_now(model);
		feed_use(model, START_NS, TASK, 100 + i, IO_READ, 1);
	}
	feed__finish(model, END_NS);
	for (size_t i = 0; i < row_cnt; i++) {
		object = object_named(model, rows[i].path, &cnt);
		ok(cnt == 1 && !strcmp(object_kind_name(object->kind), rows[i].kind), "%s is a %s",
		   rows[i].path, object ? object_kind_name(object->kind) : "-");
	}
	ok(model->object_cnt == row_cnt, "nothing else was made");
	model__free(model);
}

/* Ids of one path are one object; names that are gone, or half of one, go by their inode. */
static void test_file_identity(void)
{
	struct model *model = io_start(0);
	const struct object *object;
	size_t cnt;

	feed_file(model, START_NS + 5, 1, S_IFREG, "/log");
	feed_file(model, START_NS + 9, 2, S_IFREG, "/log"); /* rotated: another inode */
	feed_file(model, START_NS + 7, 3, S_IFREG, "/log");
	feed_file(model, START_NS + 7, 4, S_IFDIR, "/log");
	for (uint64_t id = 10; id < 13; id++) {
		feed_file(model, START_NS, id, S_IFREG, "/tmp/x (deleted)");
		io_event.file.flags = FILE_DELETED;
		io_event.file.id = id + 10;
		feed_now(model);
		io_event.file.id = id + 20; /* the same file by another id */
		feed_now(model);
	}
	for (uint64_t id = 1; id < 40; id++)
		feed_use(model, START_NS, TASK, id, IO_READ, id);
	feed__finish(model, END_NS);
	object_named(model, "/log", &cnt);
	ok(cnt == 2, "one path is one object, but not for a directory");
	/* objects are in the order of their kinds */
	object = model->objects;
	while (strcmp(model__str(model, object->name), "/log"))
		object++;
	ok(object->kind == OBJECT_REGULAR && object->ino == 2 && object->dev == 8 << 20,
	   "its inode is the newest one");
	object_named(model, "/tmp/x (deleted)", &cnt);
	ok(cnt == 4, "one that is called like a deleted one, and three deleted ones by inode");
	object = object_named(model, "(unknown)", &cnt);
	ok(cnt == 1 && object->kind == OBJECT_UNKNOWN,
	   "ids without a record are one unknown object");
	ok(use_of(model, TASK, "(unknown)", IO_READ)->cnt == 26 &&
		   counter_val(model, "objects_unknown") == 26,
	   "which holds all their uses, counted");
	model__free(model);
}

static void test_file_rename(void)
{
	struct model *model = io_start(0);

	feed_use(model, START_NS, TASK, 1, IO_WRITE, 1);
	feed_file(model, START_NS + 50, 1, S_IFREG, "/new");
	feed_file(model, START_NS + 20, 1, S_IFREG, "/old");
	feed_use(model, START_NS, TASK, 1, IO_WRITE, 2);
	feed_file(model, START_NS + 90, 1, S_IFREG, "/newest");
	feed_use(model, START_NS, TASK, 1, IO_WRITE, 4);
	feed__finish(model, END_NS);
	ok(use_of(model, TASK, "/new", IO_WRITE)->bytes == 3 &&
		   use_of(model, TASK, "/newest", IO_WRITE)->bytes == 4 && model->object_cnt == 2,
	   "a use is of the newest name that is known; an older one changes nothing");
	model__free(model);
}

/* Sockets */

struct conn_row {
	uint16_t family, type, protocol;
	uint8_t role;
	const char *local, *peer; /* in hexadecimal */
	uint16_t local_port, peer_port;
	const char *path;
	const char *kind, *name, *own;
};

#define LO6    "00000000000000000000000000000001"
#define ANY6   "00000000000000000000000000000000"
#define MAPPED "00000000000000000000ffff0a000007"

static const struct conn_row conn_rows[] = {
	{AF_INET, SOCK_STREAM, 6, ROLE_CLIENT, "0a000001", "0a000007", 40000, 6379, "", "tcp",
	 "10.0.0.7:6379", ""},
	{AF_INET, SOCK_STREAM, 262, ROLE_CLIENT, "0a000001", "0a000007", 40000, 6380, "", "tcp",
	 "10.0.0.7:6380", ""},
	{AF_INET, SOCK_STREAM, 0, ROLE_CLIENT, "0a000001", "0a000007", 40000, 6381, "", "tcp",
	 "10.0.0.7:6381", ""},
	{AF_INET6, SOCK_STREAM, 6, ROLE_CLIENT, LO6, LO6, 40000, 80, "", "tcp", "[::1]:80", ""},
	{AF_INET6, SOCK_STREAM, 6, ROLE_CLIENT, MAPPED, MAPPED, 40000, 81, "", "tcp", "10.0.0.7:81",
	 ""},
	{AF_INET, SOCK_STREAM, 6, ROLE_SERVER, "0a000001", "0a000008", 80, 50001, "", "tcp",
	 "10.0.0.8", "10.0.0.1:80"},
	{AF_INET6, SOCK_STREAM, 6, ROLE_SERVER, LO6, LO6, 80, 50001, "", "tcp", "::1", "[::1]:80"},
	{AF_INET6, SOCK_STREAM, 6, ROLE_SERVER, MAPPED, MAPPED, 443, 50001, "", "tcp", "10.0.0.7",
	 "10.0.0.7:443"},
	{AF_INET, SOCK_STREAM, 6, ROLE_LISTENER, "00000000", "00000000", 80, 0, "", "tcp",
	 "listening on 0.0.0.0:80", "0.0.0.0:80"},
	{AF_INET6, SOCK_STREAM, 6, ROLE_LISTENER, ANY6, ANY6, 80, 0, "", "tcp",
	 "listening on [::]:80", "[::]:80"},
	{AF_INET, SOCK_STREAM, 6, ROLE_CLIENT, "00000000", "00000000", 0, 0, "", "tcp",
	 "(not connected)", ""},
	/* it was there before: who has the lower port is the server */
	{AF_INET, SOCK_STREAM, 6, ROLE_UNKNOWN, "0a000001", "0a000009", 8080, 50001, "", "tcp",
	 "10.0.0.9", "10.0.0.1:8080"},
	{AF_INET, SOCK_STREAM, 6, ROLE_UNKNOWN, "0a000001", "0a000009", 50001, 8080, "", "tcp",
	 "10.0.0.9:8080", ""},
	{AF_INET, SOCK_STREAM, 6, ROLE_UNKNOWN, "0a000001", "0a000009", 50001, 50002, "", "tcp",
	 "10.0.0.9:50002", ""},
	{AF_INET, SOCK_DGRAM, 17, ROLE_DATAGRAM, "0a000001", "08080808", 40000, 53, "", "udp",
	 "8.8.8.8:53", ""},
	{AF_INET6, SOCK_DGRAM, 0, ROLE_DATAGRAM, LO6, LO6, 40000, 53, "", "udp", "[::1]:53", ""},
	{AF_INET, SOCK_DGRAM, 17, ROLE_DATAGRAM, "00000000", "00000000", 5353, 0, "", "udp",
	 "own port 5353", "0.0.0.0:5353"},
	{AF_INET, SOCK_DGRAM, 17, ROLE_DATAGRAM, "00000000", "00000000", 0, 0, "", "udp",
	 "(not connected)", ""},
	{AF_UNIX, SOCK_STREAM, 0, ROLE_CLIENT, "", "", 0, 0, "/run/x.sock", "unix",
	 "unix:/run/x.sock", ""},
	{AF_UNIX, SOCK_STREAM, 0, ROLE_SERVER, "", "", 0, 0, "/run/y.sock", "unix",
	 "unix:/run/y.sock", "unix:/run/y.sock"},
	{AF_UNIX, SOCK_STREAM, 0, ROLE_LISTENER, "", "", 0, 0, "/run/y.sock", "unix",
	 "listening on unix:/run/y.sock", "unix:/run/y.sock"},
	{AF_UNIX, SOCK_DGRAM, 0, ROLE_DATAGRAM, "", "", 0, 0, "@bus", "unix", "unix:@bus", ""},
	{AF_UNIX, SOCK_STREAM, 0, ROLE_UNKNOWN, "", "", 0, 0, "", "unix", "unix:(unnamed)", ""},
	{AF_INET, SOCK_RAW, 1, ROLE_DATAGRAM, "00000000", "01010101", 0, 0, "", "socket",
	 "icmp 1.1.1.1:0", ""},
	{AF_INET, SOCK_STREAM, 132, ROLE_SERVER, "0a000001", "0a000008", 99, 98, "", "socket",
	 "sctp 10.0.0.8", "10.0.0.1:99"},
	{AF_INET, SOCK_RAW, 89, ROLE_UNKNOWN, "00000000", "00000000", 0, 0, "", "socket",
	 "ip protocol 89 (not connected)", ""},
	{AF_NETLINK, SOCK_RAW, 0, ROLE_DATAGRAM, "", "", 0, 0, "", "socket", "netlink", ""},
	{AF_VSOCK, SOCK_STREAM, 0, ROLE_CLIENT, "", "", 0, 0, "", "socket", "vsock", ""},
	{999, SOCK_STREAM, 0, ROLE_CLIENT, "", "", 0, 0, "", "socket", "family 999", ""},
};
#define CONN_ROWS (sizeof(conn_rows) / sizeof(conn_rows[0]))

static void set_addr(uint8_t *addr, const char *hex)
{
	unsigned int byte;

	for (; *hex; hex += 2) {
		sscanf(hex, "%2x", &byte);
		*addr++ = (uint8_t)byte;
	}
}

static void feed_conn_row(struct model *model, uint64_t id, const struct conn_row *row)
{
	struct wire_conn *conn = make_conn(START_NS, id, TASK, CONN_SEEN);

	conn->family = row->family;
	conn->type = row->type;
	conn->protocol = row->protocol;
	conn->role = row->role;
	set_addr(conn->local, row->local);
	set_addr(conn->peer, row->peer);
	conn->local_port = row->local_port;
	conn->peer_port = row->peer_port;
	strcpy(conn->path, row->path);
	feed_now(model);
}

static void test_conn_names(void)
{
	struct model *model = io_start(0);
	uint32_t object;

	for (size_t i = 0; i < CONN_ROWS; i++) {
		feed_conn_row(model, 100 + i, &conn_rows[i]);
		/* a mark, to find it by */
		feed_use(model, START_NS, i + 1, 100 + i, IO_READ, 1);
	}
	feed__finish(model, END_NS);
	for (size_t i = 0; i < CONN_ROWS; i++) {
		const struct conn_row *row = &conn_rows[i];
		const struct use *use = use_of(model, i + 1, row->name, IO_READ);

		object = use ? use->object : 0;
		ok(use && !strcmp(object_kind_name(model->objects[object].kind), row->kind) &&
			   !strcmp(model__str(model, model->objects[object].local), row->own),
		   "%s: %s%s%s", row->kind, row->name, *row->own ? " at " : "", row->own);
	}
	model__free(model);
}

/* Clients of one host on one port are one peer; the same host elsewhere is another. */
static void test_conn_identity(void)
{
	struct model *model = io_start(0);
	const struct link *link;
	size_t cnt;

	/* there before, and nobody knows who began: the same peer by its port */
	set_ends(make_conn(START_NS, 500, TASK, CONN_SEEN), 1, 80, 8, 51000);
	feed_now(model);
	for (uint64_t i = 0; i < 90; i++) {
		struct wire_conn *conn = make_conn(START_NS + i, 1 + i, TASK, CONN_OPENED);

		conn->role = ROLE_SERVER;
		set_ends(conn, 1, i % 3 ? 80 : 443, 8 + i % 2, (uint16_t)(50000 + i));
		feed_now(model);
	}
	feed__finish(model, END_NS);
	object_named(model, "10.0.0.8", &cnt);
	ok(model->object_cnt == 4 && cnt == 2 && model->link_cnt == 4,
	   "two hosts on two ports are four peers");
	cnt = 0;
	for (size_t i = 0; i < 4; i++) {
		const struct object *object = &model->objects[model->links[i].object];

		link = &model->links[i];
		cnt += link->opened == (strcmp(model__str(model, object->local), "10.0.0.1:80")
						? 15
						: 30) &&
		       object->role == ROLE_SERVER && link->met <= 1;
	}
	ok(cnt == 4, "each with its connections, and the role that somebody knew");
	model__free(model);
}

/* A socket that is met before it is connected. */
static void test_conn_connects(void)
{
	struct model *model = io_start(0);

	make_conn(START_NS, 1, TASK, CONN_SEEN)->flags = CONN_IS_ACTIVE;
	feed_now(model);
	feed_client(model, START_NS + 5, 1, TASK, CONN_OPENED);
	feed_use(model, START_NS + 9, TASK, 1, IO_WRITE, 9);
	make_conn(START_NS + 9, 1, TASK, CONN_CLOSED); /* its peer is not known any more */
	feed_now(model);
	feed__finish(model, END_NS);
	ok(use_of(model, TASK, "10.0.0.7:80", IO_WRITE) != NULL,
	   "uses are of the peer, once it is known");
	ok(link_of(model, TASK, "10.0.0.7:80")->closed == 1 &&
		   link_of(model, TASK, "10.0.0.7:80")->active == 0 &&
		   link_of(model, TASK, "10.0.0.7:80")->active_max == 1 &&
		   link_of(model, TASK, "(not connected)")->active == 0,
	   "and the connection goes there, and ends there");
	model__free(model);
}

static void test_conn_lives(void)
{
	struct model *model = io_start(0);
	const struct link *link;

	/* 1: closed, and only then opened (in arrival) */
	feed_client(model, START_NS + 30, 1, TASK, CONN_CLOSED);
	feed_client(model, START_NS + 10, 1, TASK, CONN_OPENED);
	/* 2: refused twice, then it works, and lasts */
	feed_client(model, START_NS + 10, 2, TASK, CONN_FAILED);
	feed_client(model, START_NS + 11, 2, TASK, CONN_FAILED);
	feed_client(model, START_NS + 12, 2, TASK, CONN_OPENED);
	feed_client(model, START_NS + 90, 2, TASK, CONN_LAST);
	/* 3: twice the same record of its life; one socket, two connections */
	feed_client(model, START_NS + 12, 3, TASK, CONN_OPENED);
	feed_client(model, START_NS + 13, 3, TASK, CONN_CLOSED);
	feed_client(model, START_NS + 14, 3, TASK, CONN_OPENED);
	feed_client(model, START_NS + 15, 3, TASK, CONN_CLOSED);
	/* 4: its beginning was lost */
	feed_client(model, START_NS + 91, 4, TASK, CONN_LAST);
	/* 5: nothing but an end */
	feed_client(model, START_NS + 40, 5, TASK, CONN_CLOSED);
	feed__finish(model, END_NS);
	link = link_of(model, TASK, "10.0.0.7:80");
	ok(link && link->opened == 4 && link->failed == 2 && link->closed == 4 && !link->met,
	   "each record counts");
	ok(model__task(model, TASK)->c[COUNTER_NET_ERRORS] == 2,
	   "a connection that fails is an error of its task");
	ok(link->active == 2 && link->active_max == 3 && model->meta.connections_active == 2 &&
		   model->meta.connections_max == 3,
	   "active: what began and did not end; at most three at a time");
	model__free(model);

	model = io_start(0);
	feed_use(model, START_NS, TASK, 0, IO_READ, 1);
	feed__finish(model, END_NS);
	ok(model->meta.connections_active == NO_TIME && model->meta.connections_max == NO_TIME,
	   "no record of a connection: their number is not known, which is not 0");
	model__free(model);
}

/* What nobody holds when everybody is asked for the last time is over, although nothing said so. */
static void test_conn_end(bool with_last)
{
	struct model *model = io_start(0);
	const struct link *link;

	for (uint64_t id = 1; id <= 5; id++)
		feed_client(model, START_NS + id, id, TASK, CONN_OPENED);
	if (with_last)
		for (uint64_t id = 1; id <= 3; id++)
			feed_client(model, START_NS + 20 * MS, id, TASK, CONN_LAST);
	feed__finish(model, END_NS);
	link = link_of(model, TASK, "10.0.0.7:80");
	ok(link && link->opened == 5 && link->closed == (with_last ? 2 : 0) &&
		   link->active_max == 5 && link->active == (with_last ? 3 : 5),
	   with_last ? "open at the end is what was asked then" : "unless nobody was asked");
	model__free(model);
}

/* Not every end is heard of: a socket that nobody has any more at the end has ended. */
static void test_conn_unheard(void)
{
	struct model *model = io_start(0);
	const struct link *link;

	feed_client(model, START_NS + 10, 1, TASK, CONN_OPENED);
	feed_client(model, START_NS + 20, 2, TASK, CONN_OPENED);
	feed_client(model, START_NS + 30, 2, TASK, CONN_CLOSED);
	feed__sockets_told(model);
	feed__finish(model, END_NS);
	link = link_of(model, TASK, "10.0.0.7:80");
	ok(link && link->opened == 2 && link->closed == 2 && !link->active && link->active_max == 2,
	   "a socket that is not told of at the end is closed");
	model__free(model);
}

/* Who owns a connection may be known later than the connection. */
static void test_conn_owner(void)
{
	struct model *model = io_start(0);
	const struct link *link;

	make_conn(START_NS, 1, 0, CONN_SEEN);
	set_ends(&io_event.conn, 1, 40000, 7, 80);
	io_event.conn.role = ROLE_CLIENT;
	io_event.conn.flags = CONN_IS_ACTIVE;
	feed_now(model);
	feed_client(model, START_NS + 20 * MS, 1, TASK, CONN_LAST);
	feed__finish(model, END_NS);
	ok(!link_of(model, 0, "10.0.0.7:80"), "it is nobody's no more");
	link = link_of(model, TASK, "10.0.0.7:80");
	ok(link && link->met == 1 && link->active == 1 && model->meta.connections_max == 1,
	   "but its user's, and still one connection");
	ok(!model__task(model, 0), "nobody is no task");
	model__free(model);
}

/* The end of what never was a connection is told, too, and is none of a connection. */
static void test_conn_never_active(void)
{
	struct model *model = io_start(0);
	const struct link *link;

	for (uint64_t id = 1; id <= 4; id++) {
		make_conn(START_NS + id, id, TASK, id % 2 ? CONN_SEEN : CONN_CLOSED)->flags = 0;
		set_ends(&io_event.conn, 1, 40000, 7, 80);
		io_event.conn.role = ROLE_CLIENT;
		feed_now(model);
		make_conn(START_NS + id, id, TASK, id % 2 ? CONN_CLOSED : CONN_SEEN)->flags = 0;
		feed_now(model);
	}
	/* the other end was faster, and its end was told first */
	feed_client(model, START_NS + 50, 9, TASK, CONN_CLOSED);
	io_event.conn.flags = 0;
	io_event.conn.id = 10;
	feed_now(model);
	feed_client(model, START_NS + 40, 9, TASK, CONN_OPENED);
	feed_client(model, START_NS + 40, 10, TASK, CONN_OPENED);
	feed__finish(model, END_NS);
	link = link_of(model, TASK, "10.0.0.7:80");
	ok(link && link->opened == 2 && link->closed == 2 && !link->active && link->active_max == 2,
	   "two connections were closed, not six");
	model__free(model);
}

static void feed_tcp(struct model *model, uint64_t ns, uint64_t id, enum wire_conn_event event,
		     uint32_t nr)
{
	struct wire_conn *conn = make_conn(ns, id, TASK, event);

	conn->role = ROLE_CLIENT;
	set_ends(conn, 1, 40000, 7, 80);
	conn->flags = CONN_HAS_TCP;
	conn->segs_out = 10 * nr;
	conn->segs_in = 20 * nr;
	conn->retransmits = nr;
	conn->bytes_acked = 1000 * nr;
	conn->bytes_received = 2000 * nr;
	conn->srtt_us = 100 * nr;
	conn->rttvar_us = 50 * nr;
	conn->min_rtt_us = 90 + nr;
	conn->cwnd = 10;
	conn->mss = 1400 + nr;
	conn->rest_out = nr;
	conn->rest_in = 2 * nr;
	conn->rest_retransmits = 3 * nr;
	feed_now(model);
}

static void test_tcp(void)
{
	struct model *model = io_start(0);
	const struct link *link;
	const struct task *task;

	/* cumulative: of each only the newest counts, once, whatever comes after */
	feed_tcp(model, START_NS + 1, 1, CONN_OPENED, 1);
	feed_tcp(model, START_NS + 9, 1, CONN_CLOSED, 4);
	feed_tcp(model, START_NS + 9, 1, CONN_LAST, 4);
	/* its end does not tell */
	feed_tcp(model, START_NS + 6, 2, CONN_SEEN, 2);
	feed_tcp(model, START_NS + 2, 2, CONN_OPENED, 1);
	feed_client(model, START_NS + 9, 2, TASK, CONN_CLOSED);
	/* no RTT yet */
	make_conn(START_NS + 9, 3, TASK, CONN_LAST)->flags = CONN_HAS_TCP;
	set_ends(&io_event.conn, 1, 40000, 7, 80);
	io_event.conn.segs_out = 100;
	feed_now(model);
	/* still open, and nobody asked it at the end */
	feed_tcp(model, START_NS + 1, 4, CONN_OPENED, 50);
	feed__finish(model, END_NS);
	link = link_of(model, TASK, "10.0.0.7:80");
	task = model__task(model, TASK);
	ok(link && link->tcp_cnt == 3 && link->segs_out == 160 && link->segs_in == 120 &&
		   link->retransmits == 6 && link->bytes_acked == 6000 &&
		   link->bytes_received == 12000,
	   "segments and bytes of each connection, once");
	ok(link->rtt_cnt == 2 && link->rtt_sum_us == 600 && link->rttvar_sum_us == 300 &&
		   link->cwnd_sum == 20 && link->rtt_min_us == 200 && link->rtt_max_us == 400 &&
		   link->path_rtt_us == 92 && link->mss == 1404,
	   "RTT, congestion window and segment size");
	ok(task->c[COUNTER_NET_PACKETS_SENT] == 6 && task->c[COUNTER_NET_PACKETS_RECEIVED] == 12 &&
		   task->c[COUNTER_NET_RETRANSMITS] == 18,
	   "what no slice was charged for goes to the owner");
	ok(task->c[COUNTER_NET_ERRORS] == 0, "and errors stay BPF's business");
	model__free(model);
}

/* Uses */

static void name_disk(void *ctx, uint32_t dev, char *name, size_t sz)
{
	(*(unsigned int *)ctx)++;
	if (dev == (8 << 20 | 16))
		snprintf(name, sz, "sdb");
}

static void test_disks(void)
{
	unsigned int asked = 0;
	struct feed_options options = {.start_mono_ns = START_NS,
				       .ctx = &asked,
				       .disk_name = name_disk};
	struct model *model = model__new();
	const struct object *object;
	size_t cnt;

	feed__start(model, &options);
	for (unsigned int i = 0; i < 6; i++)
		feed_use(model, START_NS, TASK, DISK_ID | 8 << 20 | 16 * (i % 2), IO_DISK_READ, i);
	feed__finish(model, END_NS);
	object = object_named(model, "sdb", &cnt);
	ok(cnt == 1 && object->kind == OBJECT_DISK && object->dev == (8 << 20 | 16) &&
		   use_of(model, TASK, "sdb", IO_DISK_READ)->bytes == 9,
	   "a disk by its name");
	object = object_named(model, "disk 8:0", &cnt);
	ok(cnt == 1 && object->dev == 8 << 20, "or by its number");
	ok(asked == 2, "which is asked for once");
	model__free(model);
}

static void test_latency(void)
{
	struct model *model = io_start(0);
	uint64_t vals[] = {1, 256, 300, 320, 5000, 100000, 70000000, 1ULL << 33, 100ULL << 33};
	struct wire_use *use = make_use(START_NS, TASK, 1, IO_READ);
	const struct hist *hist;
	uint64_t sum = 0;
	bool good = true;

	/* each value alone: what the histogram says must be near it */
	for (size_t i = 0; i < sizeof(vals) / sizeof(vals[0]); i++) {
		use = make_use(START_NS, TASK, 1 + i, IO_READ);
		use_ns(use, vals[i]);
		use->val.cnt = 1;
		feed_now(model);
		feed_file(model, START_NS, 1 + i, S_IFREG, (char[]){'/', (char)('a' + i), '\0'});
	}
	make_use(START_NS, TASK, 50, IO_WRITE);
	for (size_t i = 0; i < 1000; i++) {
		use_ns(&io_event.use, 1000 + 100 * i);
		sum += 1000 + 100 * i;
	}
	io_event.use.val.cnt = 990;
	io_event.use.val.errors = 10;
	io_event.use.val.again = 77;
	feed_now(model);
	feed_now(model);
	feed__finish(model, END_NS);
	for (size_t i = 0; i < sizeof(vals) / sizeof(vals[0]); i++) {
		uint64_t p50;

		hist = &use_of(model, TASK, (char[]){'/', (char)('a' + i), '\0'}, IO_READ)->latency;
		p50 = hist__percentile(hist, 0.5);
		if (p50 > vals[i] || (i && (double)p50 < 0.5 * (double)vals[i]) || hist->cnt != 1 ||
		    hist->total != vals[i] || hist->max != vals[i]) {
			note("%llu: p50 %llu", (unsigned long long)vals[i],
			     (unsigned long long)p50);
			good = false;
		}
	}
	ok(good, "one value: count, sum and maximum exact, percentiles near it and never beyond");
	hist = &use_of(model, TASK, "(unknown)", IO_WRITE)->latency;
	ok(hist->cnt == 2000 && hist->total == 2 * sum && hist->max == 100900,
	   "distributions add up");
	ok(hist__percentile(hist, 0.5) > 45000 && hist__percentile(hist, 0.5) < 57000 &&
		   hist__percentile(hist, 0.99) > 88000 && hist__percentile(hist, 0.99) <= 100900,
	   "their percentiles are right within a quarter of an octave: %llu, %llu",
	   (unsigned long long)hist__percentile(hist, 0.5),
	   (unsigned long long)hist__percentile(hist, 0.99));
	ok(use_of(model, TASK, "(unknown)", IO_WRITE)->cnt == 1980 &&
		   use_of(model, TASK, "(unknown)", IO_WRITE)->errors == 20 &&
		   use_of(model, TASK, "(unknown)", IO_WRITE)->again == 154,
	   "operations, errors and what had no effect");
	model__free(model);
}

/* Any value of any bucket is told to an eighth of it. */
static void test_accuracy(void)
{
	struct hist hist = {};
	double worst = 0;

	for (unsigned int exp = IO_MIN_LOG2 + 1; exp < 33; exp += 4) {
		for (unsigned int i = 0; i < 64; i++) {
			uint64_t vals[] = {((64ULL + i) << exp) / 64,
					   ((65ULL + i) << exp) / 64 - 1};

			for (size_t k = 0; k < 2; k++) {
				struct model *model = io_start(0);
				double p50;

				use_ns(make_use(START_NS, TASK, 0, IO_READ), vals[k]);
				/* a maximum far away, which does not cut it off */
				for (int n = 0; n < 2; n++)
					io_event.use.val.latency[io_bucket(vals[k])]++;
				use_ns(&io_event.use, 1ULL << 34);
				feed_now(model);
				hist = use_of(model, TASK, "(unknown)", IO_READ)->latency;
				p50 = (double)hist__percentile(&hist, 0.5) / (double)vals[k] - 1;
				worst = p50 > worst ? p50 : -p50 > worst ? -p50 : worst;
				model__free(model);
			}
		}
	}
	ok(worst > 0.05 && worst <= 0.126, "a percentile is at most %.1f %% off", 100 * worst);
}

/* A socket that is not known is no file. */
static void test_unknown_sockets(void)
{
	struct model *model = io_start(0);
	size_t cnt, sockets = 0;

	feed_use(model, START_NS, TASK, OBJECT_IS_SOCKET, IO_READ, 1);
	feed_use(model, START_NS, TASK, OBJECT_IS_SOCKET | 5, IO_READ, 2);
	feed_use(model, START_NS, TASK, 0, IO_READ, 4);
	feed__finish(model, END_NS);
	object_named(model, "(unknown)", &cnt);
	for (size_t i = 0; i < model->use_cnt; i++)
		if (model->objects[model->uses[i].object].kind == OBJECT_SOCKET)
			sockets += model->uses[i].bytes;
	ok(cnt == 2 && sockets == 3, "a socket that is not known, and a file that is not");
	model__free(model);

	model = io_start(4096); /* room for nothing */
	for (uint64_t i = 1; i < 1000; i++)
		feed_use(model, START_NS, TASK, OBJECT_IS_SOCKET | i, IO_READ, 1);
	feed__finish(model, END_NS);
	sockets = 0;
	for (size_t i = 0; i < model->use_cnt; i++)
		if (object_group(model->objects[model->uses[i].object].kind) == GROUP_SOCKET)
			sockets += model->uses[i].bytes;
	object_named(model, "(others)", &cnt);
	ok(cnt && sockets == 999, "nor is one that there is no room for");
	model__free(model);
}

static void test_unix_types(void)
{
	struct model *model = io_start(0);
	size_t cnt, good = 0;

	for (uint64_t id = 1; id <= 4; id++) {
		struct wire_conn *conn = make_conn(START_NS, id, TASK, CONN_SEEN);

		conn->family = AF_UNIX;
		conn->protocol = 0;
		conn->type = id % 2 ? SOCK_STREAM : SOCK_DGRAM;
		conn->role = id % 2 ? ROLE_CLIENT : ROLE_DATAGRAM;
		strcpy(conn->path, "/run/log");
		feed_now(model);
		feed_use(model, START_NS, TASK, id, IO_WRITE, id % 2 ? 10 : 1);
	}
	feed__finish(model, END_NS);
	object_named(model, "unix:/run/log", &cnt);
	for (size_t i = 0; i < model->use_cnt; i++)
		good += model->uses[i].bytes ==
			(model->objects[model->uses[i].object].role == ROLE_CLIENT ? 20 : 2);
	ok(cnt == 2 && model->use_cnt == 2 && good == 2,
	   "streams and datagrams of one path are two");
	model__free(model);
}

static void test_unknown(void)
{
	struct model *model = io_start(0);
	size_t cnt;

	feed_use(model, START_NS, TASK, 0, IO_READ, 1);
	feed_use(model, START_NS, TASK, 77, IO_READ, 2);
	feed_use(model, START_NS, 0, 0, IO_READ, 4);
	feed_file(model, START_NS, 5, S_IFREG, "/never used");
	feed__finish(model, END_NS);
	ok(use_of(model, TASK, "(unknown)", IO_READ)->bytes == 3 && model->object_cnt == 1,
	   "no object, and one that nobody told of: unknown");
	ok(counter_val(model, "objects_unknown") == 1 && model__losses(model) == 0,
	   "the latter is counted, not as a loss: that record's is");
	ok(use_of(model, 0, "(unknown)", IO_READ)->bytes == 4 &&
		   use_of(model, 0, "(unknown)", IO_READ)->class_idx == NO_IDX,
	   "nobody's use is nobody's");
	object_named(model, "/never used", &cnt);
	ok(!cnt, "an object that nothing was done with is left out");
	ok(feed__event(model, &io_event) == -EINVAL && feed__sample(model, 0, 1, 1) == -EINVAL,
	   "a finished model takes nothing more");
	feed__uses_taken(model, 5);
	model__free(model);
}

int main(void)
{
	test_file_kinds();
	test_file_identity();
	test_file_rename();
	test_conn_names();
	test_conn_identity();
	test_conn_connects();
	test_conn_lives();
	test_conn_end(false);
	test_conn_end(true);
	test_conn_unheard();
	test_conn_owner();
	test_conn_never_active();
	test_tcp();
	test_disks();
	test_latency();
	test_accuracy();
	test_unknown();
	test_unknown_sockets();
	test_unix_types();
	return tap_done();
}
