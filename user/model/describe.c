/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a record of a file or of a socket says about the object that it belongs to: its kind, its
 * name, and how much that name says. Called by io.c and links.c.
 */
#include <arpa/inet.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "model/io.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Linux' own range begins here; others' (49152) is inside. */
#define FIRST_EPHEMERAL_PORT 32768

static bool is_kernel_fs(uint32_t magic)
{
	static const uint32_t magics[] = {
		PROC_SUPER_MAGIC,   SYSFS_MAGIC,
		DEBUGFS_MAGIC,      TRACEFS_MAGIC,
		CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		SECURITYFS_MAGIC,   SELINUX_MAGIC,
		SMACK_MAGIC,        BPF_FS_MAGIC,
		PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
		BINFMTFS_MAGIC,     0x7655821 /* resctrl */,
		NSFS_MAGIC,         0x62656570, /* configfs */
		0x65735543, /* fusectl */
	};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (magic == magics[i])
			return true;
	return false;
}

/* Files without a path. */
static enum object_kind pseudo_kind(const struct event_file *file)
{
	static const struct {
		const char *name;
		enum object_kind kind;
	} names[] = {
		{"[eventfd]", OBJECT_EVENTFD},   {"[timerfd]", OBJECT_TIMERFD},
		{"[signalfd]", OBJECT_SIGNALFD}, {"[inotify]", OBJECT_INOTIFY},
		{"inotify", OBJECT_INOTIFY},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(file->path, names[i].name))
			return names[i].kind;
	if (file->magic == TMPFS_MAGIC || file->magic == HUGETLBFS_MAGIC)
		return OBJECT_MEMORY;
	return S_ISFIFO(file->mode) ? OBJECT_PIPE : OBJECT_ANONYMOUS;
}

/* Majors of Documentation/admin-guide/devices.txt: consoles and serial lines, the own terminal,
 * the slaves of pseudo terminals. */
static bool is_terminal(uint32_t rdev)
{
	uint32_t major = rdev >> 20;

	return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

static enum object_kind file_kind(const struct event_file *file)
{
	if (is_kernel_fs(file->magic))
		return OBJECT_KERNEL;
	if (file->flags & FILE_PSEUDO)
		return pseudo_kind(file);
	switch (file->mode & S_IFMT) {
	case S_IFREG:
	case S_IFLNK:
		return OBJECT_REGULAR;
	case S_IFDIR:
		return OBJECT_DIRECTORY;
	case S_IFBLK:
		return OBJECT_BLOCK;
	case S_IFCHR:
		return is_terminal(file->rdev) ? OBJECT_TERMINAL : OBJECT_CHARACTER;
	case S_IFIFO:
		return OBJECT_PIPE;
	case S_IFSOCK:
		return OBJECT_SOCKET;
	default:
		return OBJECT_ANONYMOUS;
	}
}

void object_desc__file(struct object_desc *desc, const struct event_file *file)
{
	desc->name = file->path;
	desc->local = "";
	desc->ino = file->ino;
	desc->dev = file->dev;
	desc->kind = file_kind(file);
	desc->role = ROLE_UNKNOWN;
	desc->flags = file->flags & (FILE_DELETED | FILE_CUT | FILE_DETACHED);
	desc->rank = RANK_PEER;
}

static bool is_zero(const uint8_t *bytes, size_t sz)
{
	for (size_t i = 0; i < sz; i++)
		if (bytes[i])
			return false;
	return true;
}

/* An address, of IPv6 that is IPv4 the latter; with a port unless it is negative. */
static void put_addr(char *text, size_t sz, const struct wire_conn *conn, const uint8_t *addr,
		     int port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_v6 = conn->family == AF_INET6 && memcmp(addr, mapped, sizeof(mapped)) != 0;
	char ip[INET6_ADDRSTRLEN];

	if (conn->family == AF_INET6 && !is_v6)
		addr += sizeof(mapped);
	inet_ntop(is_v6 ? AF_INET6 : AF_INET, addr, ip, sizeof(ip));
	if (port < 0)
		snprintf(text, sz, "%s", ip);
	else
		snprintf(text, sz, is_v6 ? "[%s]:%d" : "%s:%d", ip, port);
}

static bool has_peer(const struct wire_conn *conn)
{
	return conn->peer_port || !is_zero(conn->peer, conn->family == AF_INET ? 4 : 16);
}

/* Who accepted is the server. Of a connection that was there before nobody may know who did: then the
 * side whose port was not chosen by its kernel. */
static bool is_server(const struct wire_conn *conn)
{
	if (conn->role != ROLE_UNKNOWN)
		return conn->role == ROLE_SERVER;
	return conn->local_port && conn->local_port < FIRST_EPHEMERAL_PORT &&
	       conn->peer_port >= FIRST_EPHEMERAL_PORT;
}

/* IPv4 and IPv6. `prefix` goes in front of all names. */
static void describe_inet(struct object_desc *desc, const struct wire_conn *conn,
			  const char *prefix)
{
	char addr[INET6_ADDRSTRLEN + 8], local[INET6_ADDRSTRLEN + 8];
	char *name = desc->texts[0];
	const size_t sz = sizeof(desc->texts[0]);

	put_addr(local, sizeof(local), conn, conn->local, conn->local_port);
	snprintf(desc->texts[1], sizeof(desc->texts[1]), "%s", local);
	if (conn->role == ROLE_LISTENER) {
		snprintf(name, sz, "%slistening on %s", prefix, local);
		desc->local = desc->texts[1];
	} else if (!has_peer(conn) && conn->role == ROLE_DATAGRAM && conn->local_port) {
		snprintf(name, sz, "%sown port %u", prefix, conn->local_port);
		desc->local = desc->texts[1];
		desc->rank = RANK_OWN;
	} else if (!has_peer(conn)) {
		snprintf(name, sz, "%s(not connected)", prefix);
		desc->rank = RANK_OWN;
	} else if (is_server(conn)) {
		put_addr(addr, sizeof(addr), conn, conn->peer, -1);
		snprintf(name, sz, "%s%s", prefix, addr);
		desc->local = desc->texts[1];
	} else {
		put_addr(addr, sizeof(addr), conn, conn->peer, conn->peer_port);
		snprintf(name, sz, "%s%s", prefix, addr);
	}
}

static void describe_unix(struct object_desc *desc, const struct wire_conn *conn)
{
	const char *path = *conn->path ? conn->path : "(unnamed)";

	snprintf(desc->texts[0], sizeof(desc->texts[0]), "%sunix:%s",
		 conn->role == ROLE_LISTENER ? "listening on " : "", path);
	snprintf(desc->texts[1], sizeof(desc->texts[1]), "unix:%s", path);
	if (conn->role == ROLE_LISTENER || conn->role == ROLE_SERVER)
		desc->local = desc->texts[1];
	desc->rank = *conn->path ? RANK_PEER : RANK_OWN;
}

static void describe_other(struct object_desc *desc, const struct wire_conn *conn)
{
	static const struct {
		uint16_t family;
		const char *name;
	} families[] = {
		{AF_NETLINK, "netlink"},
		{AF_PACKET, "packet"},
		{AF_VSOCK, "vsock"},
		{AF_ALG, "kernel crypto"},
		{AF_KEY, "ipsec key"},
		{AF_CAN, "can"},
		{AF_BLUETOOTH, "bluetooth"},
		{AF_TIPC, "tipc"},
		{AF_XDP, "xdp"},
		{AF_RDS, "rds"},
		{AF_KCM, "kcm"},
		{AF_SMC, "smc"},
	};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (conn->family == families[i].family) {
			desc->name = families[i].name;
			return;
		}
	}
	snprintf(desc->texts[0], sizeof(desc->texts[0]), "family %u", conn->family);
}

static enum object_kind conn_kind(const struct wire_conn *conn)
{
	if (conn->family == AF_UNIX)
		return OBJECT_UNIX;
	if (conn->family != AF_INET && conn->family != AF_INET6)
		return OBJECT_SOCKET;
	switch (conn->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_MPTCP:
		return OBJECT_TCP;
	case IPPROTO_UDP:
		return OBJECT_UDP;
	case 0:
		return conn->type == SOCK_STREAM  ? OBJECT_TCP
		       : conn->type == SOCK_DGRAM ? OBJECT_UDP
						  : OBJECT_SOCKET;
	default:
		return OBJECT_SOCKET;
	}
}

static void protocol_text(char *text, size_t sz, uint16_t protocol)
{
	static const struct {
		uint16_t protocol;
		const char *name;
	} names[] = {
		{IPPROTO_ICMP, "icmp"},       {IPPROTO_ICMPV6, "icmp"}, {IPPROTO_SCTP, "sctp"},
		{IPPROTO_UDPLITE, "udplite"}, {IPPROTO_DCCP, "dccp"},   {IPPROTO_RAW, "raw"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (protocol == names[i].protocol) {
			snprintf(text, sz, "%s ", names[i].name);
			return;
		}
	}
	snprintf(text, sz, "ip protocol %u ", protocol);
}

void object_desc__site(struct object_desc *desc, const char *name, const char *module)
{
	desc->name = name;
	desc->local = module;
	desc->ino = 0;
	desc->dev = 0;
	desc->kind = OBJECT_SITE;
	desc->role = ROLE_UNKNOWN;
	desc->flags = 0;
	desc->rank = RANK_PEER;
}

void object_desc__conn(struct object_desc *desc, const struct wire_conn *conn)
{
	char prefix[32] = "";

	desc->name = desc->texts[0];
	desc->local = "";
	desc->ino = 0;
	desc->dev = 0;
	desc->kind = conn_kind(conn);
	desc->role = conn->role;
	desc->flags = 0;
	desc->rank = RANK_PEER;
	if (conn->family == AF_UNIX) {
		describe_unix(desc, conn);
	} else if (conn->family == AF_INET || conn->family == AF_INET6) {
		if (desc->kind == OBJECT_SOCKET)
			protocol_text(prefix, sizeof(prefix), conn->protocol);
		describe_inet(desc, conn, prefix);
	} else {
		describe_other(desc, conn);
	}
}
