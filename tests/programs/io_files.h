/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of io_truth.c on files with a path: every system call that reads, writes or copies one, and
 * the paths that are hard to tell (deleted, very long, shared, passed on, dup'ed).
 */
#ifndef IO_FILES_H
#define IO_FILES_H

#include "rows.h"

#include <linux/aio_abi.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>

static const char *rows_dir = "/var/tmp"; /* without symbolic links */

#define TMPFS_MAGIC_ 0x01021994
#define RAMFS_MAGIC_ 0x858458f6

static inline bool dir_is_memory(void)
{
	struct statfs fs;

	if (statfs(rows_dir, &fs))
		die(rows_dir);
	return (unsigned int)fs.f_type == TMPFS_MAGIC_ || (unsigned int)fs.f_type == RAMFS_MAGIC_;
}

/* The object of a file of this row; its name is the path. */
static inline struct object *row_file(struct row *row, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/io-%d-%s-%s", rows_dir, (int)getpid(),
			     row->name, name) >= sizeof(path))
		die("the directory's path is too long");
	return object(row, "file", path);
}

static inline int open_row_file(struct row *row, struct object *file, int flags)
{
	int fd = (int)DO(file, OPEN, open(file->name, flags | O_CLOEXEC, 0600));

	must(row, fd >= 0, file->name);
	return fd;
}

static inline void fill_file(struct row *row, struct object *file, int fd, size_t sz)
{
	must(row, IO(file, WRITE, write(fd, row->buf, sz)) == (ssize_t)sz, "write");
	must(row, lseek(fd, 0, SEEK_SET) == 0, "lseek");
}

static inline void run_file_rw(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);

	for (size_t i = 0; i < 40; i++)
		must(row, IO(file, WRITE, write(fd, row->buf, 1000 + 777 * i)) > 0, "write");
	must(row, IO(file, WRITE, write(fd, row->buf, 0)) == 0, "an empty write");
	must(row, DO(file, SYNC, fsync(fd)) == 0, "fsync");
	must(row, lseek(fd, 0, SEEK_SET) == 0, "lseek");
	while (IO(file, READ, read(fd, row->buf, 4096)) > 0)
		;
	close(fd);
	unlink(file->name);
}

static inline void run_file_prw(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);

	for (off_t i = 0; i < 30; i++)
		must(row, IO(file, WRITE, pwrite(fd, row->buf, 5000, i * 6000)) == 5000, "pwrite");
	must(row, DO(file, SYNC, fdatasync(fd)) == 0, "fdatasync");
	for (off_t i = 0; i < 60; i++)
		must(row, IO(file, READ, pread(fd, row->buf, 3000, i * 3000)) >= 0, "pread");
	must(row, IO(file, READ, pread(fd, row->buf, 3000, 1 << 30)) == 0, "pread beyond");
	close(fd);
	unlink(file->name);
}

static inline void run_file_vec(struct row *row)
{
	struct object *file = row_file(row, "a");
	struct iovec iov[3] = {{row->buf, 1000}, {row->buf + 1000, 20000}, {row->buf + 21000, 7}};
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);

	for (off_t i = 0; i < 10; i++) {
		must(row, IO(file, WRITE, writev(fd, iov, 3)) == 21007, "writev");
		must(row, IO(file, WRITE, pwritev(fd, iov, 2, i * 100)) == 21000, "pwritev");
		must(row, IO(file, WRITE, pwritev2(fd, iov, 3, i * 30, RWF_DSYNC)) == 21007,
		     "pwritev2");
		must(row, IO(file, WRITE, pwritev2(fd, iov, 1, -1, 0)) == 1000,
		     "pwritev2 where the file stands");
	}
	must(row, lseek(fd, 0, SEEK_SET) == 0, "lseek");
	for (off_t i = 0; i < 12; i++) {
		must(row, IO(file, READ, readv(fd, iov, 3)) >= 0, "readv");
		must(row, IO(file, READ, preadv(fd, iov, 2, i * 500)) == 21000, "preadv");
		must(row, IO(file, READ, preadv2(fd, iov, 3, i * 700, 0)) == 21007, "preadv2");
		must(row, IO(file, READ, preadv2(fd, iov, 1, -1, 0)) >= 0,
		     "preadv2 where the file stands");
	}
	close(fd);
	unlink(file->name);
}

/* The ways to open, and names that are not the path: of a symbolic link, from a directory. */
static inline void run_open_ways(struct row *row)
{
	struct object *file = row_file(row, "a");
	char link[PATH_MAX], *slash = strrchr(file->name, '/');
	int dir, fd;

	fd = (int)DO(file, OPEN, syscall(SYS_creat, file->name, 0600));
	must(row, fd >= 0, "creat");
	fill_file(row, file, fd, 3000);
	close(fd);
	fd = (int)DO(file, OPEN, syscall(SYS_open, file->name, O_RDONLY));
	must(row, fd >= 0 && IO(file, READ, read(fd, row->buf, 100)) == 100, "open");
	close(fd);

	snprintf(link, sizeof(link), "%s/io-%d-link", rows_dir, (int)getpid());
	must(row, symlink(file->name, link) == 0, "symlink");
	fd = (int)DO(file, OPEN, open(link, O_RDONLY | O_CLOEXEC));
	must(row, fd >= 0 && IO(file, READ, read(fd, row->buf, 200)) == 200, "open a link");
	close(fd);
	unlink(link);

	dir = (int)DO(object(row, "directory", rows_dir), OPEN,
		      open(rows_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	must(row, dir >= 0, "open a directory");
	fd = (int)DO(file, OPEN, openat(dir, slash + 1, O_RDONLY | O_CLOEXEC));
	must(row, fd >= 0 && IO(file, READ, read(fd, row->buf, 300)) == 300, "openat");
	close(fd);
	close(dir);
	unlink(file->name);
}

static inline void run_sendfile_file(struct row *row)
{
	struct object *in = row_file(row, "in"), *out = row_file(row, "out");
	int in_fd = open_row_file(row, in, O_RDWR | O_CREAT | O_EXCL);
	int out_fd = open_row_file(row, out, O_RDWR | O_CREAT | O_EXCL);
	off_t off = 100;

	fill_file(row, in, in_fd, 200000);
	for (int i = 0; i < 5; i++)
		must(row, COPY(in, out, sendfile(out_fd, in_fd, NULL, 30000)) == 30000, "sendfile");
	for (int i = 0; i < 5; i++)
		must(row, COPY(in, out, sendfile(out_fd, in_fd, &off, 10000)) == 10000,
		     "sendfile from an offset");
	off = 1 << 30;
	must(row, COPY(in, out, sendfile(out_fd, in_fd, &off, 10000)) == 0, "sendfile at the end");
	close(in_fd);
	close(out_fd);
	unlink(in->name);
	unlink(out->name);
}

static inline void run_copy_range(struct row *row)
{
	struct object *in = row_file(row, "in"), *out = row_file(row, "out");
	int in_fd = open_row_file(row, in, O_RDWR | O_CREAT | O_EXCL);
	int out_fd = open_row_file(row, out, O_RDWR | O_CREAT | O_EXCL);
	off_t from = 0, to = 50;

	fill_file(row, in, in_fd, 300000);
	for (int i = 0; i < 8; i++)
		must(row,
		     COPY(in, out, copy_file_range(in_fd, &from, out_fd, &to, 20000, 0)) == 20000,
		     "copy_file_range");
	must(row, COPY(in, out, copy_file_range(in_fd, NULL, out_fd, NULL, 40000, 0)) == 40000,
	     "copy_file_range where the files stand");
	close(in_fd);
	close(out_fd);
	unlink(in->name);
	unlink(out->name);
}

/*
 * The kernel's asynchronous IO, by its system calls: what was submitted counts when its result is
 * fetched, and how long it took is not known by then.
 */
#define AIO_REQUESTS 20

static inline void aio_round(struct row *row, struct object *file, int fd, aio_context_t context,
			     bool writes)
{
	struct iocb requests[AIO_REQUESTS], *list[AIO_REQUESTS];
	struct tally *tally = &file->ops[writes ? OP_WRITE : OP_READ];
	struct io_event events[AIO_REQUESTS];
	long got;

	memset(requests, 0, sizeof(requests));
	for (int i = 0; i < AIO_REQUESTS; i++) {
		list[i] = &requests[i];
		requests[i].aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		requests[i].aio_fildes = (unsigned int)fd;
		requests[i].aio_buf = (uintptr_t)row->buf;
		requests[i].aio_nbytes = 3000;
		requests[i].aio_offset = i * 2000;
	}
	must(row, syscall(SYS_io_submit, context, AIO_REQUESTS, list) == AIO_REQUESTS, "io_submit");
	got = syscall(SYS_io_getevents, context, AIO_REQUESTS, AIO_REQUESTS, events, NULL);
	must(row, got == AIO_REQUESTS, "io_getevents");
	for (int i = 0; i < AIO_REQUESTS; i++) {
		must(row, events[i].res >= 0, "an asynchronous request");
		tally->operations++;
		tally->bytes += (uint64_t)events[i].res;
	}
}

static inline void run_aio(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	aio_context_t context = 0;

	must(row, syscall(SYS_io_setup, AIO_REQUESTS, &context) == 0, "io_setup");
	aio_round(row, file, fd, context, true);
	aio_round(row, file, fd, context, false);
	syscall(SYS_io_destroy, context);
	close(fd);
	unlink(file->name);
}

/* The descriptor that was opened is closed; its copies are used. */
static inline void run_dup(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	int copies[3];

	fill_file(row, file, fd, 90000);
	copies[0] = dup(fd);
	copies[1] = fcntl(fd, F_DUPFD_CLOEXEC, 600);
	copies[2] = dup3(fd, copies[1] + 1, O_CLOEXEC);
	close(fd);
	for (int i = 0; i < 30; i++)
		must(row, IO(file, READ, read(copies[i % 3], row->buf, 2500)) == 2500, "read");
	for (int i = 0; i < 3; i++)
		close(copies[i]);
	unlink(file->name);
}

static inline void run_deleted(struct row *row)
{
	struct object *file = row_file(row, "gone");
	int fd = row->fds[0];

	file->is_deleted = true;
	for (int i = 0; i < 10; i++)
		must(row, IO(file, WRITE, pwrite(fd, row->buf, 7000, i * 7000)) == 7000, "pwrite");
	for (int i = 0; i < 5; i++)
		must(row, IO(file, READ, pread(fd, row->buf, 9000, i * 9000)) == 9000, "pread");
	close(fd);
}

static inline void setup_deleted(struct row *row)
{
	struct object *file = row_file(row, "gone");

	row->fds[0] = open(file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (row->fds[0] < 0 || unlink(file->name))
		die(file->name);
}

#define LONG_COMPONENTS 16
#define LONG_NAME_SZ    200

/* More than 3,000 characters, below what a system call takes. */
static inline void run_long_path(struct row *row)
{
	char path[PATH_MAX];
	size_t ends[LONG_COMPONENTS];
	struct object *file;
	size_t used;
	int fd;

	used = (size_t)snprintf(path, sizeof(path), "%s/io-%d-long", rows_dir, (int)getpid());
	for (int i = 0; i < LONG_COMPONENTS; i++) {
		if (i) {
			path[used++] = '/';
			memset(path + used, 'a' + i, LONG_NAME_SZ);
			used += LONG_NAME_SZ;
			path[used] = '\0';
		}
		ends[i] = used;
		must(row, mkdir(path, 0700) == 0, "mkdir");
	}
	snprintf(path + used, sizeof(path) - used, "/file");
	must(row, strlen(path) > 3000, "a path of 3,000 characters");
	file = object(row, "file", path);
	fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	fill_file(row, file, fd, 1234);
	must(row, IO(file, READ, read(fd, row->buf, 2000)) == 1234, "read");
	close(fd);
	unlink(path);
	for (int i = LONG_COMPONENTS - 1; i >= 0; i--) {
		path[ends[i]] = '\0';
		rmdir(path);
	}
}

/* A directory is opened, listed and synced; reading it as a file is an error. */
static inline void run_directory(struct row *row)
{
	struct object *dir = object(row, "directory", rows_dir);
	int fd = (int)DO(dir, OPEN, open(rows_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	must(row, fd >= 0, rows_dir);
	must_fail(row, IO(dir, READ, read(fd, row->buf, 100)), EISDIR, "read a directory");
	must(row, DO(dir, SYNC, fsync(fd)) == 0, "fsync of a directory");
	close(fd);
}

/* One file of two threads: one writes its begin, the other reads it. */
#define SHARED_SZ 8000

static char shared_path[PATH_MAX];

static inline void setup_shared(struct row *row)
{
	int fd;

	snprintf(shared_path, sizeof(shared_path), "%s/io-%d-shared", rows_dir, (int)getpid());
	fd = open(shared_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, row->buf, SHARED_SZ) != SHARED_SZ)
		die(shared_path);
	close(fd);
}

static inline void run_shared_write(struct row *row)
{
	struct object *file = object(row, "file", shared_path);
	int fd = open_row_file(row, file, O_WRONLY);

	for (int i = 0; i < 25; i++)
		must(row, IO(file, WRITE, pwrite(fd, row->buf, 4000, 0)) == 4000, "pwrite");
	close(fd);
}

static inline void run_shared_read(struct row *row)
{
	struct object *file = object(row, "file", shared_path);
	int fd = open_row_file(row, file, O_RDONLY);

	for (int i = 0; i < 35; i++)
		must(row, IO(file, READ, pread(fd, row->buf, 2000, i)) == 2000, "pread");
	close(fd);
}

/*
 * Another process, older than the recording, opens a file and makes a connection, and passes both
 * on: this one reads and sends without ever having opened or connected anything.
 */
static pid_t passing_child;
static struct sockaddr_storage passing_addr;

static inline void pass_fds(int socket_fd, int file_fd, int tcp_fd)
{
	char byte = 'f', control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fds[2] = {file_fd, tcp_fd};

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	if (sendmsg(socket_fd, &msg, 0) != 1)
		die("sendmsg of descriptors");
}

static inline void setup_passed(struct row *row)
{
	struct object *file = row_file(row, "passed");
	socklen_t len;
	int listener = tcp_listen(AF_INET, 1, &passing_addr, &len);
	int fds[2], fd, client, server;
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		die("socketpair");
	fflush(stdout);
	passing_child = fork();
	if (passing_child < 0)
		die("fork");
	if (passing_child) {
		close(fds[1]);
		close(listener);
		row->fds[0] = fds[0];
		return;
	}
	truth_limit(120);
	close(fds[0]);
	fd = open(file->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || write(fd, row->buf, 50000) != 50000 || lseek(fd, 0, SEEK_SET) ||
	    connect(client, (struct sockaddr *)&passing_addr, len))
		die("the passing process");
	server = accept(listener, NULL, NULL);
	pass_fds(fds[1], fd, client);
	close(client);
	close(fd);
	while (read(server, row->buf, ROW_BUF_SZ) > 0)
		;
	while (read(fds[1], &byte, 1) > 0)
		;
	unlink(file->name);
	_exit(0);
}

static inline void run_passed(struct row *row)
{
	char byte, control[CMSG_SPACE(2 * sizeof(int))];
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct object *file = row_file(row, "passed");
	struct object *unix_peer = unnamed_peer(row);
	struct object *tcp = client_object(row, &passing_addr);
	int fds[2];

	tcp->role = "unknown"; /* this process did not see who connected */
	must(row, IO(unix_peer, READ, recvmsg(row->fds[0], &msg, MSG_CMSG_CLOEXEC)) == 1,
	     "recvmsg");
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fds));
	for (int i = 0; i < 20; i++)
		must(row, IO(file, READ, read(fds[0], row->buf, 2222)) == 2222, "read");
	for (int i = 0; i < 7; i++)
		must(row, IO(tcp, WRITE, send(fds[1], row->buf, 900, 0)) == 900, "send");
	close(fds[0]);
	close(fds[1]);
	close(row->fds[0]);
}

static inline void end_passed(void)
{
	if (passing_child > 0)
		waitpid(passing_child, NULL, 0);
	unlink(shared_path);
}

#endif
