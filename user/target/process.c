/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process: what it is, whether it lives, its threads and its CPU time. Called by cmd/ to open a
 * target and by live/ while recording. A pidfd taken first proves that all was read of one process.
 */
#include "target/target.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map64.h"
#include "target/elf.h"
#include "target/maps.h"
#include "target/mask.h"
#include "target/proc.h"

#define CMDLINE_SZ     (32 * 1024)
#define CONTAINER_HEX  64
#define CPUCLOCK_SCHED 2 /* include/linux/posix-timers.h: low bits of a process's clock id */

const char *target_error_text(enum target_error error)
{
	switch (error) {
	case TARGET_OK:
		return "no error";
	case TARGET_NOT_FOUND:
		return "no such process";
	case TARGET_KERNEL_THREAD:
		return "it is a kernel thread";
	case TARGET_ZOMBIE:
		return "it has ended and waits for its parent (a zombie)";
	case TARGET_IS_THREAD:
		return "it is a thread of another process";
	case TARGET_DENIED:
		return "permission denied (run as root, or give CAP_SYS_PTRACE)";
	case TARGET_NO_MEMORY:
		return "out of memory";
	}
	return "unknown error";
}

pid_t target_pid_of(pid_t tid)
{
	uint64_t tgid;

	if (tid <= 0 || proc_status_number(tid, "Tgid", 0, &tgid))
		return -1;
	return (pid_t)tgid;
}

/* A thread that still runs after the main thread has ended, or -1. */
static pid_t live_thread(pid_t pid)
{
	struct proc_stat stat;
	char dir[64];
	pid_t *tids, found = -1;
	int cnt;

	snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	cnt = proc_list_numbers(dir, &tids);
	for (int i = 0; i < cnt && found < 0; i++)
		if (!proc_stat__read(&stat, tids[i]) && !proc_stat__ended(&stat))
			found = tids[i];
	if (cnt >= 0)
		free(tids);
	return found;
}

static enum target_error error_of(int err)
{
	switch (err) {
	case 0:
		return TARGET_OK;
	case -ENOMEM:
		return TARGET_NO_MEMORY;
	case -ENOENT:
	case -ESRCH:
		return TARGET_NOT_FOUND;
	default:
		return TARGET_DENIED;
	}
}

/* What kind of pid this is: the fields that everybody may read. */
static enum target_error identify(struct target *target)
{
	struct proc_stat stat;
	uint64_t uid;
	pid_t tgid;
	int err;

	if (target->pid <= 0)
		return TARGET_NOT_FOUND;
	err = proc_stat__read(&stat, target->pid);
	if (err)
		return error_of(err);
	tgid = target_pid_of(target->pid);
	if (tgid < 0)
		return TARGET_NOT_FOUND;
	if (tgid != target->pid)
		return TARGET_IS_THREAD;
	if (stat.flags & PROC_PF_KTHREAD)
		return TARGET_KERNEL_THREAD;
	if (proc_stat__ended(&stat) && live_thread(target->pid) < 0)
		return TARGET_ZOMBIE;
	target->start_ticks = stat.start_ticks;
	target->start_boot_ns = stat.start_ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
	/* The effective one: what it may do, and what ps shows. */
	if (!proc_status_number(target->pid, "Uid", 1, &uid))
		target->uid = (uid_t)uid;
	return TARGET_OK;
}

/* The id in a path such as ".../docker-<64 hex>.scope": the innermost, for nested containers. */
static char *container_of(const char *cgroups)
{
	const char *pos = cgroups, *found = NULL;
	size_t sz;

	while (*pos) {
		sz = strspn(pos, "0123456789abcdef");
		if (sz == CONTAINER_HEX)
			found = pos;
		pos += sz ? sz : 1;
	}
	return found ? strndup(found, CONTAINER_HEX) : NULL;
}

static int read_container(struct target *target)
{
	char *text = malloc(CMDLINE_SZ);

	free(target->container);
	target->container = NULL;
	if (!text)
		return -ENOMEM;
	if (proc_read(target->pid, "cgroup", text, CMDLINE_SZ) > 0)
		target->container = container_of(text);
	free(text);
	return 0;
}

static int read_namespaces(struct target *target)
{
	static const char *const names[] = {"pid", "mnt", "net", "user"};
	struct buf differ = {0};
	char file[16], *own, *its;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		own = its = NULL;
		snprintf(file, sizeof(file), "ns/%s", names[i]);
		if (!proc_readlink(0, file, &own) && !proc_readlink(target->via, file, &its) &&
		    strcmp(own, its))
			buf__printf(&differ, "%s%s", differ.sz ? " " : "", names[i]);
		free(own);
		free(its);
	}
	free(target->namespaces);
	target->namespaces = differ.err ? NULL : strdup(buf__str(&differ));
	buf__free(&differ);
	return target->namespaces ? 0 : -ENOMEM;
}

static int read_cmdline(struct target *target)
{
	char *text = malloc(CMDLINE_SZ), *masked;
	ssize_t sz;

	if (!text)
		return -ENOMEM;
	sz = proc_read(target->via, "cmdline", text, CMDLINE_SZ);
	masked = target_mask_cmdline(text, sz > 0 ? (size_t)sz : 0);
	free(text);
	if (!masked)
		return -ENOMEM;
	free(target->cmdline);
	target->cmdline = masked;
	return 0;
}

static int read_names(struct target *target)
{
	struct proc_stat stat;
	char *exe;
	int err;

	err = proc_stat__read(&stat, target->pid);
	if (err)
		return err;
	target->via = proc_stat__ended(&stat) ? live_thread(target->pid) : target->pid;
	if (target->via < 0)
		return -ESRCH;
	snprintf(target->comm, sizeof(target->comm), "%s", stat.comm);
	target_clean(target->comm);
	err = proc_readlink(target->via, "exe", &exe);
	if (err && err != -ENOENT)
		return err;
	free(target->exe);
	target->exe = exe;
	return 0;
}

int target__refresh(struct target *target)
{
	struct target_map *maps;
	size_t cnt, cap;
	int err;

	err = read_names(target);
	if (!err)
		err = target_maps__read(target->via, &maps, &cnt, &cap);
	if (err)
		return err;
	target_maps__free(target->maps, target->map_cnt);
	target->maps = maps;
	target->map_cnt = cnt;
	target->map_cap = cap;
	err = read_cmdline(target);
	if (!err)
		err = read_container(target);
	if (!err)
		err = read_namespaces(target);
	return err;
}

struct target *target__open(pid_t pid, enum target_error *error)
{
	struct target *target = calloc(1, sizeof(*target));

	*error = TARGET_NO_MEMORY;
	if (!target)
		return NULL;
	target->pid = target->via = pid;
	/* EINVAL for a thread, ENOSYS before 5.3: `identify` tells. */
	target->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*error = identify(target);
	if (!*error)
		*error = error_of(target__refresh(target));
	/* Neither a program nor memory: an io worker of the kernel, or one that is just ending. */
	if (!*error && !target->exe && !target->map_cnt)
		*error = target__alive(target) ? TARGET_KERNEL_THREAD : TARGET_ZOMBIE;
	if (!*error && !target__alive(target))
		*error = TARGET_NOT_FOUND;
	if (*error) {
		target__free(target);
		return NULL;
	}
	return target;
}

static bool is_system_library(const struct target_map *map)
{
	const char *slash = map->path ? strrchr(map->path, '/') : NULL;

	return slash && map->executable && map->first &&
	       (!strncmp(slash, "/libc.", 6) || !strncmp(slash, "/ld-", 4));
}

int target__expect_exec(struct target *target, const char *path)
{
	struct target_map program = {.executable = true, .first = true};
	struct stat st;
	size_t kept = 1;

	if (stat(path, &st))
		return -errno;
	if (!target->map_cnt)
		return -ENOENT;
	program.path = realpath(path, NULL);
	program.end = (uint64_t)st.st_size;
	program.dev = st.st_dev;
	program.inode = st.st_ino;
	for (size_t i = 0; i < target->map_cnt; i++) {
		if (i && is_system_library(&target->maps[i]))
			target->maps[kept++] = target->maps[i];
		else
			free(target->maps[i].path);
	}
	target->maps[0] = program;
	target->map_cnt = kept;
	return program.path ? 0 : -ENOMEM;
}

uint64_t target__files_hash(const struct target *target)
{
	const struct target_map *map;
	uint64_t hash = 0;
	size_t pos = 0;

	while ((map = target__next_file(target, &pos)))
		hash = hash64(hash ^ hash64(map->inode ^ hash64(map->dev ^ hash64(map->start))));
	return hash;
}

bool target__alive(const struct target *target)
{
	struct pollfd ready = {.fd = target->pidfd, .events = POLLIN};
	struct proc_stat stat;

	if (target->pidfd >= 0)
		return poll(&ready, 1, 0) == 0;
	if (proc_stat__read(&stat, target->pid) || stat.start_ticks != target->start_ticks)
		return false;
	return !proc_stat__ended(&stat) || live_thread(target->pid) >= 0;
}

void target__ended(struct target *target)
{
	if (target->pidfd >= 0)
		close(target->pidfd);
	target->pidfd = -1;
}

void target__free(struct target *target)
{
	if (!target)
		return;
	target_maps__free(target->maps, target->map_cnt);
	free(target->exe);
	free(target->cmdline);
	free(target->container);
	free(target->namespaces);
	if (target->pidfd >= 0)
		close(target->pidfd);
	free(target);
}

int target__threads(const struct target *target, pid_t **tids)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d/task", target->pid);
	return proc_list_numbers(dir, tids);
}

/* Threads may differ in both: a filter is put on one, and its children inherit it. */
static bool any_thread(const struct target *target, bool (*has)(pid_t tid))
{
	pid_t *tids = NULL;
	int cnt = target__threads(target, &tids);
	bool found = cnt < 0 || has(target->via);

	for (int i = 0; i < cnt && !found; i++)
		found = has(tids[i]);
	free(tids);
	return found;
}

static bool thread_has_shadow_stack(pid_t tid)
{
	char words[128];

	return !proc_status_text(tid, "x86_Thread_features", words, sizeof(words)) &&
	       strstr(words, "shstk");
}

bool target__has_shadow_stack(const struct target *target)
{
	return any_thread(target, thread_has_shadow_stack);
}

static bool thread_has_seccomp(pid_t tid)
{
	uint64_t mode;
	int err = proc_status_number(tid, "Seccomp", 0, &mode);

	/* no such line: a kernel without; a thread that ended has no say */
	return err ? err != -ENOENT && err != -ESRCH : mode != 0;
}

bool target__has_seccomp(const struct target *target)
{
	return any_thread(target, thread_has_seccomp);
}

int64_t target_cpu_ns(pid_t pid)
{
	clockid_t clock = (clockid_t)((~(unsigned int)pid << 3) | CPUCLOCK_SCHED);
	struct timespec ts;

	/* Beyond it the shift makes another clock of it. */
	if (pid <= 0 || pid >= 1 << 28)
		return -ESRCH;
	if (clock_gettime(clock, &ts))
		return errno == EINVAL ? -ESRCH : -errno;
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
