/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every operation on files and sockets, each kind in a thread of its own, a row, that prints what it
 * really did: bytes, operations, errors, and how long they took by its own clock. Run by
 * tests/live/io.t, and in the guests of tests/vm.
 *
 *   io_truth [--wait] [--dir DIR] [--only ROW] [--alone CPU]
 *
 * --alone: on this CPU only, and there before all others, so that none of its threads is preempted,
 * not in the kernel either. It says nothing about times then.
 *
 * Phase 0: what is blocked before the recording begins. Phase 1: rows that only count, all at once.
 * Then those that compare times or address spaces, one phase after another.
 */
#include "rows.h"

#include "io_datagrams.h"
#include "io_files.h"
#include "io_kernel.h"
#include "io_memory.h"
#include "io_rings.h"
#include "io_slow.h"
#include "io_sockets.h"

#include <sched.h>

#define ROW(name_, run_, setup_, phase_)                                                           \
	{                                                                                          \
		.name = name_, .run = run_, .setup = setup_, .phase = phase_                       \
	}

static struct row rows[] = {
	ROW("early-pipe", run_early_pipe, setup_early_pipe, 0),
	ROW("early-unix", run_early_unix, setup_early_unix, 0),
	ROW("file-rw", run_file_rw, NULL, 1),
	ROW("file-prw", run_file_prw, NULL, 1),
	ROW("file-vec", run_file_vec, NULL, 1),
	ROW("open-ways", run_open_ways, NULL, 1),
	ROW("sendfile-file", run_sendfile_file, NULL, 1),
	ROW("copy-range", run_copy_range, NULL, 1),
	ROW("aio", run_aio, NULL, 1),
	ROW("dup", run_dup, NULL, 1),
	ROW("deleted", run_deleted, setup_deleted, 1),
	ROW("long-path", run_long_path, NULL, 1),
	ROW("directory", run_directory, NULL, 1),
	ROW("shared-write", run_shared_write, setup_shared, 1),
	ROW("shared-read", run_shared_read, NULL, 1),
	ROW("passed", run_passed, setup_passed, 1),
	ROW("pipe-rw", run_pipe_rw, NULL, 1),
	ROW("eventfd", run_eventfd, NULL, 1),
	ROW("kinds", run_kinds, NULL, 1),
	ROW("tty", run_tty, setup_tty, 1),
	ROW("tee", run_tee, NULL, 1),
	ROW("interrupted", run_interrupted, NULL, 1),
	ROW("errors", run_errors, NULL, 1),
	ROW("tcp-rw", run_tcp_rw, NULL, 1),
	ROW("tcp6-rw", run_tcp6_rw, NULL, 1),
	ROW("tcp-send", run_tcp_send, NULL, 1),
	ROW("tcp-msg", run_tcp_msg, NULL, 1),
	ROW("tcp-peek", run_tcp_peek, NULL, 1),
	ROW("tcp-again", run_tcp_again, NULL, 1),
	ROW("tcp-seeded", run_seeded, setup_seeded, 1),
	ROW("sendfile-tcp", run_sendfile_tcp, NULL, 1),
	ROW("splice", run_splice, NULL, 1),
	ROW("socket-errors", run_socket_errors, NULL, 1),
	ROW("udp-conn", run_udp_conn, NULL, 1),
	ROW("udp6-conn", run_udp6_conn, NULL, 1),
	ROW("udp-to", run_udp_to, NULL, 1),
	ROW("udp6-to", run_udp6_to, NULL, 1),
	ROW("udp-msg", run_udp_msg, NULL, 1),
	ROW("udp-mmsg", run_udp_mmsg, NULL, 1),
	ROW("udp6-mmsg", run_udp6_mmsg, NULL, 1),
	ROW("udp-mmsg-40", run_udp_mmsg_40, NULL, 1),
	ROW("udp-mmsg-conn", run_udp_mmsg_c, NULL, 1),
	ROW("unix-stream", run_unix_stream, NULL, 1),
	ROW("unix-seqpacket", run_unix_seq, NULL, 1),
	ROW("unix-dgram", run_unix_dgram, NULL, 1),
	ROW("socketpair", run_socketpair, NULL, 1),
	ROW("uring", run_uring, setup_uring, 1),
	ROW("slow-pipe", run_slow_pipe, setup_slow_pipe, 2),
	ROW("slow-pipe-peer", run_slow_pipe_peer, NULL, 2),
	ROW("slow-tcp", run_slow_tcp, setup_slow_tcp, 2),
	ROW("slow-tcp-peer", run_slow_tcp_peer, NULL, 2),
	ROW("slow-udp", run_slow_udp, setup_slow_udp, 2),
	ROW("slow-udp-peer", run_slow_udp_peer, NULL, 2),
	ROW("slow-unix", run_slow_unix, setup_slow_unix, 2),
	ROW("slow-unix-peer", run_slow_unix_peer, NULL, 2),
	ROW("timerfd", run_timerfd, NULL, 2),
	ROW("direct", run_direct, setup_direct, 3),
	ROW("large", run_large, NULL, 4),
	ROW("mem-fault", run_mem_fault, setup_mem_fault, 5),
	ROW("mem-touch", run_mem_touch, NULL, 6),
	ROW("mem-map", run_mem_map, NULL, 7),
	ROW("anon-reused", run_anon_reused, NULL, 8),
};
#define PHASES 9

static int row_cnt = ARRAY_CNT(rows);

static void be_alone(int cpu)
{
	struct sched_param first = {.sched_priority = 1};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) || sched_setscheduler(0, SCHED_FIFO, &first))
		die("--alone");
}

static void options(int argc, char **argv)
{
	static char dir[PATH_MAX];
	const char *only = NULL;

	for (int i = 1; i < argc; i += 2) {
		const char *val = i + 1 < argc ? argv[i + 1] : NULL;

		if (val && strcmp(argv[i], "--dir") == 0)
			rows_dir = val;
		else if (val && strcmp(argv[i], "--only") == 0)
			only = val;
		else if (val && strcmp(argv[i], "--alone") == 0)
			be_alone(atoi(val));
		else
			val = NULL;
		if (!val) {
			fprintf(stderr, "usage: io_truth [--wait] [--dir DIR] [--only ROW] "
					"[--alone CPU]\n");
			exit(2);
		}
	}
	if (!realpath(rows_dir, dir))
		die(rows_dir);
	rows_dir = dir;
	/* a row and what stands beside it: its peer */
	for (int i = 0; only && i < row_cnt; i++) {
		if (strncmp(rows[i].name, only, strlen(only)))
			rows[i].run = NULL;
	}
	int kept = 0;

	for (int i = 0; i < row_cnt; i++)
		if (rows[i].run)
			rows[kept++] = rows[i];
	row_cnt = kept;
}

/* Starts the rows of a phase; returns how many rows have been started until then. */
static int start_phase(int phase)
{
	static int started;

	for (int i = 0; i < row_cnt; i++)
		if (rows[i].phase == phase) {
			row_start(&rows[i]);
			started++;
		}
	return started;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);

	options(argc, argv);
	truth_limit(120);
	signal(SIGPIPE, SIG_IGN);
	rows_setup(rows, row_cnt);
	start_phase(0);
	sleep_ns(50 * NS_PER_MS); /* until they block */
	truth_ready(wait);

	for (int i = 0; i < row_cnt; i++)
		if (rows[i].phase == 0)
			release_early(&rows[i]);
	for (int phase = 1; phase < PHASES; phase++)
		rows_done(start_phase(phase));
	rows_leave(rows, row_cnt);
	end_passed();
	for (int i = 0; i < row_cnt; i++)
		print_row(&rows[i]);
	return 0;
}
