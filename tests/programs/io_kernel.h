/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of io_truth.c on what has no path of its own (pipes, eventfds, timers, terminals, devices),
 * on splicing, on calls that fail or are interrupted, and on what the disk itself has to do.
 */
#ifndef IO_KERNEL_H
#define IO_KERNEL_H

#include "io_files.h"

#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <termios.h>

static inline void make_pipe(struct row *row, int fds[2])
{
	must(row, pipe2(fds, O_CLOEXEC) == 0, "pipe2");
}

static inline void run_pipe_rw(struct row *row)
{
	struct object *pipe;
	int fds[2];

	make_pipe(row, fds);
	pipe = inode(row, "pipe", fds[0]);
	for (size_t i = 0; i < 50; i++) {
		must(row, IO(pipe, WRITE, write(fds[1], row->buf, 100 + i * 60)) > 0, "write");
		must(row, IO(pipe, READ, read(fds[0], row->buf, 5000)) > 0, "read");
	}
	set_nonblocking(fds[0], true);
	set_nonblocking(fds[1], true);
	for (int i = 0; i < 7; i++)
		must_fail(row, IO(pipe, READ, read(fds[0], row->buf, 10)), EAGAIN,
			  "read an empty pipe");
	while (IO(pipe, WRITE, write(fds[1], row->buf, 4096)) > 0)
		;
	must(row, errno == EAGAIN, "write to a full pipe");
	while (IO(pipe, READ, read(fds[0], row->buf, 8192)) > 0)
		;
	close(fds[1]);
	must(row, IO(pipe, READ, read(fds[0], row->buf, 10)) == 0, "read the end of a pipe");
	close(fds[0]);
}

static inline void run_eventfd(struct row *row)
{
	struct object *event = object(row, "eventfd", "[eventfd]");
	uint64_t val = 3;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	must(row, fd >= 0, "eventfd");
	for (int i = 0; i < 30; i++) {
		must(row, IO(event, WRITE, write(fd, &val, sizeof(val))) == 8, "write");
		must(row, IO(event, READ, read(fd, &val, sizeof(val))) == 8, "read");
		if (i % 10 == 0)
			must_fail(row, IO(event, READ, read(fd, &val, sizeof(val))), EAGAIN,
				  "read nothing");
	}
	must_fail(row, IO(event, WRITE, write(fd, &val, 4)), EINVAL, "write four bytes");
	close(fd);
}

static inline void run_timerfd(struct row *row)
{
	struct object *timer = object(row, "timerfd", "[timerfd]");
	struct itimerspec every = {{0, 20 * 1000000}, {0, 20 * 1000000}};
	uint64_t expirations;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	must(row, fd >= 0 && timerfd_settime(fd, 0, &every, NULL) == 0, "timerfd");
	for (int i = 0; i < 10; i++)
		must(row, IO(timer, READ, read(fd, &expirations, 8)) == 8, "read");
	close(fd);
}

/*
 * By turns, each made where the one before was: the kernel's memory for its name is the same again,
 * and the names are equally long.
 */
static inline void run_anon_reused(struct row *row)
{
	struct object *event = object(row, "eventfd", "[eventfd]");
	struct object *timer = object(row, "timerfd", "[timerfd]");
	struct itimerspec once = {{0, 0}, {0, 1}};
	uint64_t val;

	for (int i = 0; i < 30; i++) {
		int fd = eventfd(1, EFD_CLOEXEC);

		must(row, fd >= 0 && IO(event, READ, read(fd, &val, 8)) == 8, "eventfd");
		close(fd);
		fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		must(row, fd >= 0 && timerfd_settime(fd, 0, &once, NULL) == 0, "timerfd");
		must(row, IO(timer, READ, read(fd, &val, 8)) == 8, "read a timer");
		close(fd);
	}
}

static inline void run_kinds(struct row *row)
{
	struct object *signals = object(row, "signalfd", "[signalfd]");
	struct object *notify = object(row, "inotify", "inotify");
	struct object *memory = object(row, "memory file", "memfd:rows");
	struct object *version = object(row, "kernel file", "/proc/version");
	struct object *zero = object(row, "character device", "/dev/zero");
	struct object *null = object(row, "character device", "/dev/null");
	sigset_t usr2;
	int fd;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	fd = signalfd(-1, &usr2, SFD_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		pthread_kill(pthread_self(), SIGUSR2);
		must(row, IO(signals, READ, read(fd, row->buf, 4096)) > 0, "read a signal");
	}
	close(fd);

	fd = inotify_init1(IN_CLOEXEC);
	must(row, inotify_add_watch(fd, rows_dir, IN_CREATE) >= 0, "inotify");
	must(row, mkdir(row_file(row, "watched")->name, 0700) == 0, "mkdir");
	must(row, IO(notify, READ, read(fd, row->buf, 4096)) > 0, "read a notification");
	close(fd);
	rmdir(row_file(row, "watched")->name);

	fd = memfd_create("rows", MFD_CLOEXEC);
	for (int i = 0; i < 9; i++)
		must(row, IO(memory, WRITE, write(fd, row->buf, 3333)) == 3333, "write");
	close(fd);

	fd = (int)DO(version, OPEN, open(version->name, O_RDONLY | O_CLOEXEC));
	must(row, IO(version, READ, read(fd, row->buf, 4096)) > 0, "read /proc/version");
	must(row, IO(version, READ, read(fd, row->buf, 4096)) == 0, "read its end");
	close(fd);
	fd = (int)DO(zero, OPEN, open(zero->name, O_RDWR | O_CLOEXEC));
	must(row, IO(zero, READ, read(fd, row->buf, 70000)) == 70000, "read zeroes");
	close(fd);
	fd = (int)DO(null, OPEN, open(null->name, O_RDWR | O_CLOEXEC));
	must(row, IO(null, WRITE, write(fd, row->buf, 60000)) == 60000, "write to nowhere");
	must(row, IO(null, READ, read(fd, row->buf, 100)) == 0, "read nothing");
	close(fd);
}

/* A terminal: fds[0] is the master, fds[1] its slave, in raw mode. */
static char tty_master[64], tty_slave[64];

static inline void setup_tty(struct row *row)
{
	struct termios raw;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char link[64];
	ssize_t sz;

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, tty_slave, sizeof(tty_slave))) {
		row->skipped = "no pseudo terminals";
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", master);
	sz = readlink(link, tty_master, sizeof(tty_master) - 1);
	tty_master[sz > 0 ? sz : 0] = '\0';
	row->fds[0] = master;
	row->fds[1] = open(tty_slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (row->fds[1] < 0 || tcgetattr(row->fds[1], &raw))
		die(tty_slave);
	cfmakeraw(&raw);
	if (tcsetattr(row->fds[1], TCSANOW, &raw))
		die("tcsetattr");
}

static inline void run_tty(struct row *row)
{
	struct object *master = object(row, "terminal", tty_master);
	struct object *slave = object(row, "terminal", tty_slave);

	for (int i = 0; i < 20; i++) {
		must(row, IO(master, WRITE, write(row->fds[0], row->buf, 50)) == 50, "write");
		must(row, IO(slave, READ, read(row->fds[1], row->buf, 100)) > 0, "read");
		must(row, IO(slave, WRITE, write(row->fds[1], row->buf, 70)) == 70, "write");
		must(row, IO(master, READ, read(row->fds[0], row->buf, 100)) > 0, "read");
	}
	close(row->fds[1]);
	close(row->fds[0]);
}

static inline void run_tee(struct row *row)
{
	struct object *a, *b, *file = row_file(row, "out");
	struct iovec iov[2] = {{row->buf, 3000}, {row->buf + 8192, 5000}};
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	int from[2], to[2];

	make_pipe(row, from);
	make_pipe(row, to);
	a = inode(row, "pipe", from[0]);
	b = inode(row, "pipe", to[0]);
	for (int i = 0; i < 12; i++) {
		must(row, IO(a, WRITE, vmsplice(from[1], iov, 2, 0)) == 8000, "vmsplice");
		must(row, COPY(a, b, tee(from[0], to[1], 6000, 0)) == 6000, "tee");
		must(row, COPY(b, file, splice(to[0], NULL, fd, NULL, 6000, 0)) > 0, "splice");
		must(row, IO(a, READ, read(from[0], row->buf + 65536, 8000)) == 8000, "read");
		set_nonblocking(to[0], true);
		while (IO(b, READ, read(to[0], row->buf + 65536, 6000)) > 0)
			;
		set_nonblocking(to[0], false);
	}
	for (int i = 0; i < 2; i++) {
		close(from[i]);
		close(to[i]);
	}
	close(fd);
	unlink(file->name);
}

/*
 * A read that signals interrupt: it fails with EINTR, then with SA_RESTART it is begun anew twice,
 * the second time finding what the handler wrote. Each shot of the timer is set off when the one
 * before was taken, late enough that the thread is in its read again.
 */
static struct {
	timer_t timer;
	int fd;
	atomic_int taken;
} interrupts;

static inline void interrupt_later(void)
{
	struct itimerspec once = {{0, 0}, {0, 80 * 1000000}};

	if (timer_settime(interrupts.timer, 0, &once, NULL))
		_exit(1);
}

static inline void on_interrupt(int sig)
{
	int taken = atomic_fetch_add(&interrupts.taken, 1) + 1;

	(void)sig;
	if (taken == 2)
		interrupt_later();
	else if (taken == 3 && write(interrupts.fd, "x", 1) != 1)
		_exit(1);
}

static inline void run_interrupted(struct row *row)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3};
	struct object *pipe;
	int fds[2];

	make_pipe(row, fds);
	pipe = inode(row, "pipe", fds[0]);
	interrupts.fd = fds[1];
	event._sigev_un._tid = row->tid;
	must(row, timer_create(CLOCK_MONOTONIC, &event, &interrupts.timer) == 0, "timer_create");

	sigaction(event.sigev_signo, &action, NULL);
	interrupt_later();
	must_fail(row, IO(pipe, READ, read(fds[0], row->buf, 10)), EINTR, "an interrupted read");
	action.sa_flags = SA_RESTART;
	sigaction(event.sigev_signo, &action, NULL);
	interrupt_later();
	must(row, read(fds[0], row->buf, 10) == 1, "a restarted read");
	timer_delete(interrupts.timer);
	/* its last beginning finds the byte at once; when that was is not known here */
	pipe->ops[OP_READ].operations++;
	pipe->ops[OP_READ].bytes++;
	pipe->ops[OP_READ].again += 2;
	pipe->ops[OP_WRITE].operations++;
	pipe->ops[OP_WRITE].bytes++;
	close(fds[0]);
	close(fds[1]);
}

static inline void run_errors(struct row *row)
{
	struct object *nothing = object(row, "unknown", "(unknown)");
	struct object *full = object(row, "character device", "/dev/full");
	struct object *file = row_file(row, "a");
	struct object *pipe;
	int fd = open_row_file(row, file, O_WRONLY | O_CREAT | O_EXCL), fds[2];

	must_fail(row, IO(file, READ, read(fd, row->buf, 10)), EBADF, "read what is to be written");
	fill_file(row, file, fd, 5000);
	close(fd);
	fd = open_row_file(row, file, O_RDONLY);
	must_fail(row, IO(file, READ, syscall(SYS_read, fd, 16, 4000)), EFAULT, "read to nowhere");
	must_fail(row, IO(file, READ, pread(fd, row->buf, 10, -5)), EINVAL, "pread before it");
	close(fd);
	unlink(file->name);

	must_fail(row, IO(nothing, READ, read(-1, row->buf, 10)), EBADF, "read from -1");
	must_fail(row, IO(nothing, READ, read(54321, row->buf, 10)), EBADF, "read from 54321");
	must_fail(row, IO(nothing, WRITE, write(54322, row->buf, 10)), EBADF, "write to 54322");
	must_fail(row, DO(nothing, OPEN, open(file->name, O_RDONLY)), ENOENT, "open what is gone");

	fd = (int)DO(full, OPEN, open(full->name, O_WRONLY | O_CLOEXEC));
	for (int i = 0; i < 4; i++)
		must_fail(row, IO(full, WRITE, write(fd, row->buf, 100)), ENOSPC, "write to full");
	close(fd);

	make_pipe(row, fds);
	pipe = inode(row, "pipe", fds[0]);
	must_fail(row, IO(pipe, READ, pread(fds[0], row->buf, 10, 0)), ESPIPE, "pread of a pipe");
	must_fail(row, DO(pipe, SYNC, fsync(fds[1])), EINVAL, "fsync of a pipe");
	close(fds[0]);
	for (int i = 0; i < 3; i++)
		must_fail(row, IO(pipe, WRITE, write(fds[1], row->buf, 10)), EPIPE, "write");
	close(fds[1]);
}

/* Past the page cache. The file is written once before, so that its blocks exist. */
#define DIRECT_SZ    (512 * 1024)
#define DIRECT_ROUND 8

static inline void setup_direct(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = open(file->name, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);

	if (fd < 0 || dir_is_memory()) {
		row->skipped = fd < 0 ? "O_DIRECT is refused there" : "its files are in memory";
		if (fd >= 0)
			close(fd);
		unlink(file->name);
		return;
	}
	for (int i = 0; i < DIRECT_ROUND; i++)
		if (pwrite(fd, row->buf, DIRECT_SZ, i * DIRECT_SZ) != DIRECT_SZ)
			die("pwrite");
	if (fsync(fd))
		die("fsync");
	row->fds[0] = fd;
}

static inline void run_direct(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = row->fds[0];

	for (int i = 0; i < DIRECT_ROUND; i++) {
		must(row,
		     IO(file, WRITE, pwrite(fd, row->buf, DIRECT_SZ, i * DIRECT_SZ)) == DIRECT_SZ,
		     "pwrite");
		must(row, DO(file, SYNC, i & 1 ? fsync(fd) : fdatasync(fd)) == 0, "fsync");
		must(row,
		     IO(file, READ, pread(fd, row->buf, DIRECT_SZ, i * DIRECT_SZ)) == DIRECT_SZ,
		     "pread");
	}
	close(fd);
	unlink(file->name);
}

/* Large enough that the call itself is what its time consists of. */
static inline void run_large(struct row *row)
{
	struct object *file = row_file(row, "a");
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);

	for (int i = 0; i < 30; i++) {
		must(row, IO(file, WRITE, pwrite(fd, row->buf, ROW_BUF_SZ, 0)) == ROW_BUF_SZ,
		     "pwrite");
		must(row, IO(file, READ, pread(fd, row->buf, ROW_BUF_SZ, 0)) == ROW_BUF_SZ,
		     "pread");
	}
	close(fd);
	unlink(file->name);
}

#endif
