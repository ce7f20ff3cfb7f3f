/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread that reads, writes, sends and receives by io_uring, first at once and then by the threads
 * that the kernel makes for that (IOSQE_ASYNC). What is told of the second half is theirs. Run by
 * tests/vm/guest_live.sh, compared by tests/vm/live.py.
 *
 *   io_workers [--wait] [DIR]
 */
#include "rows.h"

#include "io_files.h"
#include "io_rings.h"

#define ROUNDS   20
#define FILE_SZ  3000
#define PIECE_SZ 1000

static void ring_rounds(struct row *row, const char *name, uint8_t flags)
{
	struct object *file = row_file(row, name);
	int fd = open_row_file(row, file, O_RDWR | O_CREAT | O_EXCL);
	struct pair pair = tcp_pair(row, AF_INET);

	ring.flags = flags;
	for (int i = 0; i < ROUNDS; i++) {
		must(row, IO(file, WRITE, ring_call(row, IORING_OP_WRITE, fd, FILE_SZ)) == FILE_SZ,
		     "write by a ring");
		must(row, IO(file, READ, ring_call(row, IORING_OP_READ, fd, FILE_SZ)) == FILE_SZ,
		     "read by a ring");
		must(row,
		     IO(pair.client, WRITE,
			ring_call(row, IORING_OP_SEND, pair.client_fd, PIECE_SZ)) == PIECE_SZ,
		     "send by a ring");
		must(row,
		     IO(pair.server, READ,
			ring_call(row, IORING_OP_RECV, pair.server_fd, PIECE_SZ)) == PIECE_SZ,
		     "receive by a ring");
	}
	close(pair.client_fd);
	close(pair.server_fd);
	close(fd);
	unlink(file->name);
}

static void run_at_once(struct row *row)
{
	ring_rounds(row, "a", 0);
}

static void run_workers(struct row *row)
{
	ring_rounds(row, "a", IOSQE_ASYNC);
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	struct row rows[] = {
		{.name = "at-once", .run = run_at_once, .setup = setup_uring},
		{.name = "workers", .run = run_workers},
	};

	if (argc > 1)
		rows_dir = argv[1];
	truth_limit(60);
	rows_setup(rows, ARRAY_CNT(rows));
	truth_ready(wait);
	for (size_t i = 0; i < ARRAY_CNT(rows); i++) {
		row_start(&rows[i]);
		rows_done((int)i + 1);
	}
	rows_leave(rows, ARRAY_CNT(rows));
	for (size_t i = 0; i < ARRAY_CNT(rows); i++)
		print_row(&rows[i]);
	return 0;
}
