/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process inside of namespaces of its own (mounts, network, processes) and a root of its own, which
 * reads and writes files and sockets that are hard to name. It prints what it did as JSON lines: what
 * a file is called is what the process itself calls it. Run by tests/live/container_io.t.
 *
 *   container [--wait] DIR     DIR is empty, on a disk
 *
 * The process that is started stays outside: it is the parent, and passes file descriptors in.
 */
#include "truth.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define LONG_NAME   200
#define LONG_DEPTH  16
#define BEYOND      24 /* directories of LONG_NAME: more than PATH_MAX */
#define PORT        7001
#define PORT_V6     7002
#define PORT_DGRAM  7003
#define HIGH_FD     500
#define SOCKET_PATH "/run/container.sock"

/* What is done to a file, under the name that the process knows. X(id, path, kind) */
#define FILES(X)                                                                                   \
	X(PLAIN, "/data/plain", "file")                                                            \
	X(EARLY, "/data/early", "file")                                                            \
	X(DELETED, "/data/deleted", "file")                                                        \
	X(RENAMED, "/data/renamed-from", "file")                                                   \
	X(BIND, "/bind/file", "file")                                                              \
	X(BIND_TWICE, "/bind-twice/file", "file")                                                  \
	X(SINGLE, "/data/single", "file")                                                          \
	X(LOWER, "/merged/lower", "file")                                                          \
	X(COPIED, "/merged/copied-up", "file")                                                     \
	X(UPPER, "/merged/upper", "file")                                                          \
	X(NESTED, "/nested/a/b/file", "file")                                                      \
	X(PASSED, "/data/passed", "file")                                                          \
	X(DUPED, "/data/duped", "file")                                                            \
	X(REUSED, "/data/reused", "file")                                                          \
	X(LINKED, "/data/link-target", "file")                                                     \
	X(STAT, "/proc/1/stat", "kernel file")                                                     \
	X(JAIL_BEFORE, "/data/before-chroot", "file")                                              \
	X(JAIL_LATE, "/data/late-chroot", "file")                                                  \
	X(JAIL_EARLY, "/data/early-chroot", "file")                                                \
	X(JAIL_INNER, "/inner", "file")                                                            \
	X(OUTSIDE, "outside", "file")                                                              \
	X(INHERITED, "inherited", "file")                                                          \
	X(LONG, "long", "file")                                                                    \
	X(BEYOND_MAX, "beyond", "file")                                                            \
	X(MEMFD, "memfd", "memory file")                                                           \
	X(EVENTFD, "eventfd", "eventfd")                                                           \
	X(PIPE, "pipe", "pipe")

enum {
#define X(id, path, kind) F_##id,
	FILES(X)
#undef X
		FILE_CNT
};

static struct file {
	const char *path, *kind;
	unsigned int reads, writes, syncs, errors;
	size_t read_bytes, write_bytes;
} files[] = {
#define X(id, path_, kind_) [F_##id] = {.path = path_, .kind = kind_},
	FILES(X)
#undef X
};

/* One line for each peer: sockets with the same other end and role. */
enum { C_CLIENT, C_SERVER, C_CLIENT6, C_SERVER6, C_DGRAM, C_UNIX, C_UNIX_SERVER, C_CNT };

static struct peer {
	const char *name, *peer, *local, *protocol, *role;
	unsigned int sends, receives, met, opened, active;
	size_t sent, received;
} peers[] = {
	[C_CLIENT] = {.name = "client",
		      .peer = "127.0.0.1:7001",
		      .protocol = "tcp",
		      .role = "client"},
	[C_SERVER] = {.name = "server",
		      .peer = "127.0.0.1",
		      .local = "127.0.0.1:7001",
		      .protocol = "tcp",
		      .role = "server"},
	[C_CLIENT6] = {.name = "client6",
		       .peer = "[::1]:7002",
		       .protocol = "tcp",
		       .role = "client"},
	[C_SERVER6] = {.name = "server6",
		       .peer = "::1",
		       .local = "[::1]:7002",
		       .protocol = "tcp",
		       .role = "server"},
	[C_DGRAM] = {.name = "datagrams",
		     .peer = "127.0.0.1:7003",
		     .protocol = "udp",
		     .role = "datagram"},
	[C_UNIX] = {.name = "unix",
		    .peer = "unix:" SOCKET_PATH,
		    .protocol = "unix",
		    .role = "client"},
	[C_UNIX_SERVER] = {.name = "unix server",
			   .local = "unix:" SOCKET_PATH,
			   .protocol = "unix",
			   .role = "server"},
};

static char buf[65536];
static const char *dir;

static int must(int ret, const char *what)
{
	if (ret < 0)
		die(what);
	return ret;
}

static char *in(const char *base, const char *name)
{
	static char paths[4][4096];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_CNT(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

static int create(const char *path)
{
	return must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), path);
}

static void fill(const char *path, size_t sz)
{
	int fd = create(path);

	if (write(fd, buf, sz) != (ssize_t)sz)
		die(path);
	close(fd);
}

static void make_dir(const char *path)
{
	must(mkdir(path, 0755), path);
}

static void do_write(int file, int fd, size_t sz)
{
	ssize_t ret = write(fd, buf, sz);

	if (ret < 0) {
		files[file].errors++;
		return;
	}
	files[file].writes++;
	files[file].write_bytes += (size_t)ret;
}

static void do_read(int file, int fd, size_t sz)
{
	ssize_t ret = read(fd, buf, sz);

	if (ret < 0) {
		files[file].errors++;
		return;
	}
	files[file].reads++;
	files[file].read_bytes += (size_t)ret;
}

static void do_send(int peer, int fd, size_t sz)
{
	if (send(fd, buf, sz, 0) != (ssize_t)sz)
		die("send");
	peers[peer].sends++;
	peers[peer].sent += sz;
}

/* All of sz bytes, however many they come in. */
static void do_receive(int peer, int fd, size_t sz)
{
	while (sz) {
		ssize_t ret = recv(fd, buf, sz, 0);

		if (ret <= 0)
			die("recv");
		peers[peer].receives++;
		peers[peer].received += (size_t)ret;
		sz -= (size_t)ret;
	}
}

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
} addr;

static socklen_t address(int family, int port)
{
	memset(&addr, 0, sizeof(addr));
	addr.any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		addr.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		addr.v4.sin_port = htons((uint16_t)port);
		return sizeof(addr.v4);
	}
	if (family == AF_INET6) {
		addr.v6.sin6_addr = in6addr_loopback;
		addr.v6.sin6_port = htons((uint16_t)port);
		return sizeof(addr.v6);
	}
	strcpy(addr.un.sun_path, SOCKET_PATH);
	return sizeof(addr.un);
}

static int bound(int family, int type, int port)
{
	socklen_t sz = address(family, port);
	int fd = must(socket(family, type, 0), "socket");

	must(bind(fd, &addr.any, sz), "bind");
	if (type == SOCK_STREAM)
		must(listen(fd, 8), "listen");
	return fd;
}

/* A connection to a listening socket of our own: both ends. */
static void connection(int family, int port, int listener, int ends[2])
{
	socklen_t sz = address(family, port);

	ends[0] = must(socket(family, SOCK_STREAM, 0), "socket");
	must(connect(ends[0], &addr.any, sz), "connect");
	ends[1] = must(accept(listener, NULL, NULL), "accept");
}

/* client: C_CLIENT and its like; its server is the next one */
static void talk(int client, const int ends[2], int rounds)
{
	for (int i = 0; i < rounds; i++) {
		do_send(client, ends[0], 1000);
		do_receive(client + 1, ends[1], 1000);
		do_send(client + 1, ends[1], 10);
		do_receive(client, ends[0], 10);
	}
}

/* SCM_RIGHTS, both ways */
static void pass_fd(int sock, int fd)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.hdr = {.cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {.iov_base = "x", .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	must((int)sendmsg(sock, &msg, 0), "sendmsg");
}

static int take_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		die("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Before the namespaces: what the host has. */
static void prepare_host(void)
{
	make_dir(in(dir, "root"));
	make_dir(in(dir, "shared"));
	make_dir(in(dir, "lower"));
	fill(in(dir, "shared/file"), 4096);
	fill(in(dir, "single"), 512);
	fill(in(dir, "lower/lower"), 2048);
	fill(in(dir, "lower/copied-up"), 2048);
	fill(in(dir, "outside"), 1024);
}

static void mount_root(void)
{
	static const char *const names[] = {"bind", "bind-twice", "data", "merged", "upper", "work",
					    "proc", "run",        "jail", "old",    "nested"};
	char options[8192];
	char root[2048];

	snprintf(root, sizeof(root), "%s/root", dir);
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
	must(mount("root", root, "tmpfs", 0, NULL), "mount a root");
	for (size_t i = 0; i < ARRAY_CNT(names); i++)
		make_dir(in(root, names[i]));
	must(mount(in(dir, "shared"), in(root, "bind"), NULL, MS_BIND, NULL), "bind a directory");
	must(mount(in(dir, "shared"), in(root, "bind-twice"), NULL, MS_BIND, NULL), "bind twice");
	close(create(in(root, "data/single")));
	must(mount(in(dir, "single"), in(root, "data/single"), NULL, MS_BIND, NULL), "bind a file");
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 dir, root, root);
	must(mount("overlay", in(root, "merged"), "overlay", 0, options), "mount an overlay");
	must(mount("nested", in(root, "nested"), "tmpfs", 0, NULL), "mount within");
	must(mount("proc", in(root, "proc"), "proc", 0, NULL), "mount proc");
	must(chdir(root), "chdir");
	must((int)syscall(SYS_pivot_root, ".", "old"), "pivot_root");
	must(chdir("/"), "chdir");
	must(umount2("/old", MNT_DETACH), "umount");
	must(rmdir("/old"), "rmdir");
}

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	must(ioctl(fd, SIOCSIFFLAGS, &request), "raise lo");
	close(fd);
}

static void use_plain_files(int early_fd)
{
	int fd = create("/data/plain");

	for (int i = 0; i < 3; i++)
		do_write(F_PLAIN, fd, 1000);
	must((int)lseek(fd, 0, SEEK_SET), "lseek");
	for (int i = 0; i < 2; i++)
		do_read(F_PLAIN, fd, 500);
	must(fsync(fd), "fsync");
	files[F_PLAIN].syncs++;
	close(fd);
	do_write(F_EARLY, early_fd, 10);
	do_write(F_EARLY, early_fd, 10);

	fd = create("/data/deleted");
	do_write(F_DELETED, fd, 100);
	must(unlink("/data/deleted"), "unlink");
	do_write(F_DELETED, fd, 50);
	close(fd);

	fd = create("/data/renamed-from");
	do_write(F_RENAMED, fd, 100);
	must(rename("/data/renamed-from", "/data/renamed-to"), "rename");
	do_write(F_RENAMED, fd, 200);
	close(fd);

	fd = create("/data/link-target");
	close(fd);
	must(symlink("link-target", "/data/link"), "symlink");
	fd = must(open("/data/link", O_WRONLY), "open a link");
	do_write(F_LINKED, fd, 70);
	do_read(F_LINKED, fd, 70); /* not opened for it: an error */
	close(fd);
}

static void use_mounts(void)
{
	int fd = must(open("/bind/file", O_RDONLY), "/bind/file");

	do_read(F_BIND, fd, 4096);
	close(fd);
	/* the same file by another mount, in the same struct file most likely */
	fd = must(open("/bind-twice/file", O_RDONLY), "/bind-twice/file");
	do_read(F_BIND_TWICE, fd, 4000);
	close(fd);
	fd = must(open("/data/single", O_RDONLY), "/data/single");
	do_read(F_SINGLE, fd, 300);
	close(fd);
	fd = must(open("/merged/lower", O_RDONLY), "/merged/lower");
	do_read(F_LOWER, fd, 2000);
	close(fd);
	fd = must(open("/merged/copied-up", O_RDWR), "/merged/copied-up");
	do_read(F_COPIED, fd, 1000);
	do_write(F_COPIED, fd, 600);
	close(fd);
	fd = create("/merged/upper");
	do_write(F_UPPER, fd, 700);
	close(fd);
	make_dir("/nested/a");
	make_dir("/nested/a/b");
	fd = create("/nested/a/b/file");
	do_write(F_NESTED, fd, 800);
	close(fd);
	fd = must(open("/proc/self/stat", O_RDONLY), "/proc/self/stat");
	do_read(F_STAT, fd, 4096);
	close(fd);
}

static void use_descriptors(int from_outside)
{
	int fd = create("/data/duped"), pair[2];

	/* the parent opens it through /proc/PID/root, and a file that is not in this root at all */
	close(create("/data/passed"));
	if (write(from_outside, "x", 1) != 1)
		die("write to the parent");
	for (int i = 0; i < 2; i++) {
		int passed = take_fd(from_outside);

		do_write(i ? F_OUTSIDE : F_PASSED, passed, i ? 120 : 110);
		close(passed);
	}
	do_write(F_DUPED, fd, 130);
	must(dup2(fd, HIGH_FD), "dup2");
	do_write(F_DUPED, HIGH_FD, 140);
	close(fd);
	do_write(F_DUPED, HIGH_FD, 150);
	must((int)syscall(SYS_close_range, HIGH_FD, HIGH_FD + 10, 0), "close_range");
	fd = create("/data/reused");
	must(dup2(fd, HIGH_FD), "dup2");
	do_write(F_REUSED, HIGH_FD, 160);
	close(fd);
	close(HIGH_FD);

	must(pipe2(pair, O_CLOEXEC), "pipe");
	do_write(F_PIPE, pair[1], 900);
	do_read(F_PIPE, pair[0], 900);
	close(pair[0]);
	close(pair[1]);
	fd = must(eventfd(0, EFD_CLOEXEC), "eventfd");
	memset(buf, 1, 8);
	do_write(F_EVENTFD, fd, 8);
	do_read(F_EVENTFD, fd, 8);
	close(fd);
	fd = must(memfd_create("container", MFD_CLOEXEC), "memfd_create");
	do_write(F_MEMFD, fd, 1100);
	close(fd);
}

/* Directories one within the other, each with a name of LONG_NAME bytes; returns the last one. */
static int descend(const char *top, char letter, int depth, char *path, size_t path_cap)
{
	char name[LONG_NAME + 1];
	int at = must(open(top, O_RDONLY | O_DIRECTORY), top);
	size_t sz = (size_t)snprintf(path, path_cap, "%s", top);

	memset(name, letter, LONG_NAME);
	name[LONG_NAME] = '\0';
	for (int i = 0; i < depth; i++) {
		int next;

		name[0] = (char)('a' + i);
		must(mkdirat(at, name, 0700), "mkdirat");
		next = must(openat(at, name, O_RDONLY | O_DIRECTORY), "openat");
		close(at);
		at = next;
		sz += (size_t)snprintf(path + sz, path_cap - sz, "/%s", name);
	}
	return at;
}

static void use_long_paths(void)
{
	static char paths[2][8192];
	static const struct {
		int file, depth;
		char letter;
		size_t sz;
	} cases[] = {{F_LONG, LONG_DEPTH, 'L', 1200}, {F_BEYOND_MAX, BEYOND, 'B', 1300}};

	for (int i = 0; i < 2; i++) {
		int at = descend("/data", cases[i].letter, cases[i].depth, paths[i], 8000);
		int fd = must(openat(at, "end", O_RDWR | O_CREAT, 0600), "openat");

		strcat(paths[i], "/end");
		files[cases[i].file].path = paths[i];
		do_write(cases[i].file, fd, cases[i].sz);
		close(fd);
		close(at);
	}
}

/* Last, as the whole process changes its root. */
static void use_chroot(int early)
{
	int before = create("/data/before-chroot"), late = create("/data/late-chroot"), fd;

	do_write(F_JAIL_BEFORE, before, 210);
	must(chroot("/jail"), "chroot");
	must(chdir("/"), "chdir");
	do_write(F_JAIL_BEFORE, before, 220);
	do_write(F_JAIL_LATE, late, 230);
	do_write(F_JAIL_EARLY, early, 250);
	fd = create("/inner");
	do_write(F_JAIL_INNER, fd, 240);
	close(fd);
	close(before);
	close(late);
}

static void use_sockets(const int kept[2])
{
	int listener6 = bound(AF_INET6, SOCK_STREAM, PORT_V6);
	int listener = bound(AF_UNIX, SOCK_STREAM, 0);
	int receiver = bound(AF_INET, SOCK_DGRAM, PORT_DGRAM);
	int ends6[2], unix_ends[2], replaced[2], sender;

	talk(C_CLIENT, kept, 50);
	connection(AF_INET6, PORT_V6, listener6, ends6);
	talk(C_CLIENT6, ends6, 30);
	connection(AF_UNIX, 0, listener, unix_ends);
	talk(C_UNIX, unix_ends, 20);
	connection(AF_UNIX, 0, listener, replaced);
	talk(C_UNIX, replaced, 10);

	sender = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	for (int i = 0; i < 5; i++) {
		socklen_t sz = address(AF_INET, PORT_DGRAM);

		if (sendto(sender, buf, 300, 0, &addr.any, sz) != 300 ||
		    recv(receiver, buf, sizeof(buf), 0) != 300)
			die("datagram");
		peers[C_DGRAM].sends++;
		peers[C_DGRAM].sent += 300;
	}
	/* the ways to close a socket; those of TCP stay open */
	close(unix_ends[0]);
	must((int)syscall(SYS_close_range, unix_ends[1], unix_ends[1], 0), "close_range");
	must(dup2(sender, replaced[0]), "dup2");
	must(dup2(sender, replaced[1]), "dup2");
	for (int i = 0; i < 2; i++) {
		peers[C_CLIENT + i].met = peers[C_CLIENT + i].active = 1;
		peers[C_CLIENT6 + i].opened = peers[C_CLIENT6 + i].active = 1;
		peers[C_UNIX + i].opened = 2;
	}
}

static void print_string(const char *name, const char *val)
{
	if (val)
		printf("\"%s\": \"%s\", ", name, val);
	else
		printf("\"%s\": null, ", name);
}

static void print_truth(void)
{
	for (size_t i = 0; i < FILE_CNT; i++) {
		const struct file *file = &files[i];

		printf("{\"type\": \"file\", ");
		print_string("path", file->path);
		print_string("kind", file->kind);
		printf("\"reads\": %u, \"read_bytes\": %zu, \"writes\": %u, \"write_bytes\": %zu, "
		       "\"syncs\": %u, \"errors\": %u}\n",
		       file->reads, file->read_bytes, file->writes, file->write_bytes, file->syncs,
		       file->errors);
	}
	for (size_t i = 0; i < C_CNT; i++) {
		const struct peer *peer = &peers[i];

		printf("{\"type\": \"peer\", ");
		print_string("name", peer->name);
		print_string("peer", peer->peer);
		print_string("local", peer->local);
		print_string("protocol", peer->protocol);
		print_string("role", peer->role);
		printf("\"sends\": %u, \"sent\": %zu, \"receives\": %u, \"received\": %zu, "
		       "\"met\": %u, \"opened\": %u, \"active\": %u}\n",
		       peer->sends, peer->sent, peer->receives, peer->received, peer->met,
		       peer->opened, peer->active);
	}
	printf("done\n");
	fflush(stdout);
}

static int inside(bool wait, int from_outside, int inherited)
{
	int listener, kept[2], early, early_chroot;

	must(unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare");
	mount_root();
	raise_loopback();
	early = create("/data/early");
	if (write(early, buf, 77) != 77)
		die("/data/early");
	early_chroot = create("/data/early-chroot");
	listener = bound(AF_INET, SOCK_STREAM, PORT);
	connection(AF_INET, PORT, listener, kept);

	truth_ready(wait);
	use_plain_files(early);
	use_mounts();
	use_descriptors(from_outside);
	do_write(F_INHERITED, inherited, 90);
	use_long_paths();
	use_sockets(kept);
	use_chroot(early_chroot);
	print_truth();
	/* the recording ends before the connections do */
	if (wait && read(STDIN_FILENO, buf, sizeof(buf)) < 0)
		die("read");
	return 0;
}

/* Passes two descriptors in when it is asked to. */
static void serve(int sock, pid_t child)
{
	char path[64], byte;
	int fd;

	if (read(sock, &byte, 1) != 1)
		return;
	snprintf(path, sizeof(path), "/proc/%d/root/data/passed", (int)child);
	fd = must(open(path, O_RDWR), path);
	pass_fd(sock, fd);
	close(fd);
	fd = must(open(in(dir, "outside"), O_RDWR), "outside");
	pass_fd(sock, fd);
	close(fd);
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	int pair[2], inherited, state;
	pid_t child;

	if (argc != 2 || argv[1][0] != '/' || strlen(argv[1]) > 1024)
		return 2;
	dir = argv[1];
	truth_limit(60);
	prepare_host();
	inherited = create(in(dir, "inherited"));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	must(unshare(CLONE_NEWPID), "unshare");
	child = must(fork(), "fork");
	if (!child) {
		close(pair[0]);
		truth_limit(60);
		return inside(wait, pair[1], inherited);
	}
	close(pair[1]);
	serve(pair[0], child);
	if (waitpid(child, &state, 0) != child || !WIFEXITED(state))
		return 1;
	return WEXITSTATUS(state);
}
