/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task ids never repeat: not on a thread, and not when the kernel gives a thread's id to another
 * one. The latter is made to happen: two children, one after the other, are born with one pid.
 */
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "records.h"
#include "tests/verbs_run.skel.h"

#define RING_SZ   (1 << 20)
#define SPAWN_CNT 200
#define LIFE_CNT  2
#define TASK_CNT  (SPAWN_CNT + 1) /* a life's: the thread and what it spawns */

static struct verbs_run *skel;
static struct records records;

static void spawn_many(void)
{
	for (uint64_t i = 0; i < SPAWN_CNT; i++)
		run_prog(skel->progs.run_spawn, i, 0, 0, 0);
}

static int seed(uint32_t tgid)
{
	uint32_t one = 1;

	return bpf_map_update_elem(bpf_map__fd(skel->maps.targets), &tgid, &one, BPF_ANY) ||
	       walk_tasks(skel->progs.seed_threads);
}

/* A sequence begins at the time, in units of 1024 ns, whatever the time is. */
static void test_beginning(void)
{
	const uint64_t times[] = {1, 1023, 1024, 123456789, 1ULL << 42, UINT64_MAX};
	uint64_t tid = (uint64_t)gettid();

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		uint32_t begin = (uint32_t)(times[i] >> 10);

		run_prog(skel->progs.make_state, times[i], 0, 0, 0);
		ok(skel->bss->seen_task == (tid << 32 | begin) &&
			   skel->bss->seen_next_task == (tid << 32 | (uint32_t)(begin + 1)),
		   "made at %lu ns, the thread is task %u and the next is one more", times[i],
		   begin);
	}
}

static void test_one_thread(void)
{
	unsigned int wrong = 0;
	uint64_t own;

	ok(!seed((uint32_t)getpid()), "this thread is seeded");
	spawn_many();
	records_read(&records);
	if (!ok(records.spawn_cnt == TASK_CNT, "each task tells its id"))
		return;
	own = records.spawns[0].task;
	ok(own >> 32 == (uint64_t)gettid(), "the high half is the thread's id");
	for (unsigned int i = 1; i < TASK_CNT; i++)
		wrong += records.spawns[i].task != own + i;
	ok(!wrong, "the low half counts up from the thread's own");
}

/* A child with a pid of our choice, that spawns when told so. */
static pid_t be_born(pid_t pid, int told)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = pid ? (uintptr_t)&pid : 0,
		.set_tid_size = pid ? 1 : 0,
	};
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	char c;

	if (child)
		return child;
	alarm(30);
	if (read(told, &c, 1) == 1)
		spawn_many();
	_exit(0);
}

/* A whole life; its tasks' ids are written to `ids`. Returns the pid. */
static pid_t live(pid_t pid, uint64_t *ids)
{
	pid_t child = -1;
	int fds[2], status = -1;

	if (pipe(fds))
		return -1;
	child = be_born(pid, fds[0]);
	if (child > 0 && !seed((uint32_t)child) && write(fds[1], "g", 1) == 1)
		waitpid(child, &status, 0);
	close(fds[0]);
	close(fds[1]);
	records_read(&records);
	if (status || records.spawn_cnt != TASK_CNT)
		return -1;
	for (unsigned int i = 0; i < TASK_CNT; i++)
		ids[i] = records.spawns[i].task;
	return child;
}

static void test_reused_tid(void)
{
	static uint64_t ids[LIFE_CNT][TASK_CNT];
	unsigned int twice = 0, foreign = 0;
	pid_t first = live(0, ids[0]), second;

	if (!ok(first > 0, "a life is told"))
		return;
	second = live(first, ids[1]);
	if (second < 0 && (errno == ENOSYS || errno == EPERM)) {
		ok(true, "a pid that is used again # SKIP no clone3() with set_tid");
		return;
	}
	if (!ok(second == first, "a life with the same pid is told"))
		return;
	for (unsigned int i = 0; i < TASK_CNT; i++) {
		foreign += ids[0][i] >> 32 != (uint64_t)first || ids[1][i] >> 32 != (uint64_t)first;
		for (unsigned int j = 0; j < TASK_CNT; j++)
			twice += ids[0][i] == ids[1][j];
	}
	ok(!foreign, "all tasks carry this pid");
	ok(!twice, "no task of the second life has an id of the first");
}

int main(void)
{
	libbpf_set_print(print_warnings);
	skel = verbs_run__open();
	if (!ok(skel != NULL, "the object opens"))
		return tap_done();
	configure(&skel->rodata->cfg, 0, RING_SZ);
	bpf_map__set_max_entries(skel->maps.ring, RING_SZ);
	bpf_map__set_autocreate(skel->maps.thread_table, false);
	bpf_map__set_map_flags(skel->maps.live_tasks, BPF_F_NO_PREALLOC);
	bpf_program__set_autoload(skel->progs.seed_threads, true);
	if (!ok(!verbs_run__load(skel) && !records_open(&records, skel->obj), "the object loads"))
		return tap_done();
	skel->bss->armed = ARMED_ALL;
	test_beginning();
	test_one_thread();
	test_reused_tid();
	ring_buffer__free(records.ring);
	verbs_run__destroy(skel);
	return tap_done();
}
