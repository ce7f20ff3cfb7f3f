/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding processes by name and by cgroup. Called by cmd/ for -n and --cgroup. */
#include "target/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "target/proc.h"

#define CGROUP_MOUNTS_MAX 64
#define CGROUP_DEPTH_MAX  64
#define CGROUP_DIRS_MAX   100000

static bool has_name(pid_t pid, const struct proc_stat *stat, const char *name)
{
	static const char suffix[] = " (deleted)";
	char *exe, *base;
	size_t sz;
	bool same;

	if (!strcmp(stat->comm, name))
		return true;
	if (proc_readlink(pid, "exe", &exe))
		return false;
	base = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe;
	same = !strcmp(base, name);
	sz = strlen(base);
	if (!same && sz > sizeof(suffix) - 1 && !strcmp(base + sz - sizeof(suffix) + 1, suffix)) {
		base[sz - sizeof(suffix) + 1] = '\0';
		same = !strcmp(base, name);
	}
	free(exe);
	return same;
}

/* Not the tracer itself, no kernel thread, nothing that has ended. */
static bool may_be_target(pid_t pid, struct proc_stat *stat)
{
	return pid > 0 && pid != getpid() && !proc_stat__read(stat, pid) &&
	       !(stat->flags & PROC_PF_KTHREAD) && !proc_stat__ended(stat);
}

int target_find_by_name(const char *name, pid_t **pids)
{
	struct proc_stat stat;
	int cnt, kept = 0;

	cnt = proc_list_numbers("/proc", pids);
	for (int i = 0; i < cnt; i++)
		if (may_be_target((*pids)[i], &stat) && has_name((*pids)[i], &stat, name))
			(*pids)[kept++] = (*pids)[i];
	if (!kept) {
		free(*pids);
		*pids = NULL;
	}
	return cnt < 0 ? cnt : kept;
}

/* What a search in the cgroup hierarchies needs: v2 has one, v1 one per controller. */
struct cgroup_search {
	char *mounts[CGROUP_MOUNTS_MAX];
	size_t mount_cnt;
	pid_t *pids;
	size_t pid_cnt, pid_cap;
	size_t dir_cnt; /* visited, bounded */
	const char *part; /* of a name that is looked for */
	char *match; /* below its mount: the first one found */
	size_t mount_sz; /* length of the path of the mount that is walked */
};

static int read_mounts(struct cgroup_search *search)
{
	struct mntent *mount;
	FILE *in = setmntent("/proc/self/mounts", "re");

	if (!in)
		return -errno;
	while (search->mount_cnt < CGROUP_MOUNTS_MAX && (mount = getmntent(in))) {
		if (strcmp(mount->mnt_type, "cgroup2") && strcmp(mount->mnt_type, "cgroup"))
			continue;
		search->mounts[search->mount_cnt] = strdup(mount->mnt_dir);
		if (!search->mounts[search->mount_cnt]) {
			endmntent(in);
			return -ENOMEM;
		}
		search->mount_cnt++;
	}
	endmntent(in);
	return search->mount_cnt ? 0 : -ENOENT;
}

static int add_pid(struct cgroup_search *search, pid_t pid)
{
	int err = array__reserve((void **)&search->pids, &search->pid_cap, search->pid_cnt + 1,
				 sizeof(pid));

	if (!err)
		search->pids[search->pid_cnt++] = pid;
	return err;
}

/* The processes in one of a cgroup's lists. A threaded cgroup of v2 refuses cgroup.procs, so the
 * processes are then found by their threads. */
static int add_listed(struct cgroup_search *search, const char *dir, const char *list)
{
	bool threads = !strcmp(list, "cgroup.threads");
	char path[PATH_MAX];
	struct proc_stat stat;
	int err = 0, pid;
	FILE *in;

	if (snprintf(path, sizeof(path), "%s/%s", dir, list) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	in = fopen(path, "re");
	if (!in)
		return -errno;
	errno = 0;
	while (!err && fscanf(in, "%d", &pid) == 1) {
		if (threads)
			pid = target_pid_of(pid);
		if (may_be_target(pid, &stat))
			err = add_pid(search, pid);
	}
	if (!err && ferror(in))
		err = -errno;
	fclose(in);
	if (err == -EOPNOTSUPP && !threads)
		return add_listed(search, dir, "cgroup.threads");
	/* The cgroup has just been removed. */
	return err == -ENODEV ? 0 : err;
}

typedef int (*cgroup_fn)(struct cgroup_search *search, const char *dir, const char *name);

/* Calls `fn` for a cgroup and all below it; a positive result means: not what is below this one. */
static int walk_cgroups(struct cgroup_search *search, char *path, size_t depth, cgroup_fn fn)
{
	size_t sz = strlen(path);
	struct dirent *entry;
	DIR *stream;
	int err;

	if (depth > CGROUP_DEPTH_MAX || ++search->dir_cnt > CGROUP_DIRS_MAX)
		return -E2BIG;
	err = fn(search, path, strrchr(path, '/') + 1);
	if (err)
		return err < 0 ? err : 0;
	stream = opendir(path);
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(stream))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    sz + 1 + strlen(entry->d_name) >= PATH_MAX)
			continue;
		path[sz] = '/';
		strcpy(path + sz + 1, entry->d_name);
		err = walk_cgroups(search, path, depth + 1, fn);
		path[sz] = '\0';
	}
	closedir(stream);
	return err;
}

static int add_procs(struct cgroup_search *search, const char *dir, const char *name)
{
	int err = add_listed(search, dir, "cgroup.procs");

	(void)name;
	return err == -ENOENT ? 0 : err;
}

/* The same cgroup in several hierarchies is one; the monitor of a container (libpod-conmon-ID,
 * crio-conmon-ID) has its id in the name, but is not the container. */
static int match_name(struct cgroup_search *search, const char *dir, const char *name)
{
	const char *below = dir + search->mount_sz;

	if (!*below || !strstr(name, search->part) || strstr(name, "conmon"))
		return 0;
	if (search->match)
		return strcmp(search->match, below) ? -ENOTUNIQ : 1;
	search->match = strdup(below);
	return search->match ? 1 : -ENOMEM;
}

/* All processes in and below one cgroup, in each hierarchy that has it: 0, -ENOENT or -errno. */
static int add_cgroup(struct cgroup_search *search, const char *below)
{
	char path[PATH_MAX];
	struct stat st;
	bool found = false;
	int err;

	for (size_t i = 0; i < search->mount_cnt; i++) {
		if (snprintf(path, sizeof(path), "%s%s%s", search->mounts[i],
			     *below && *below != '/' ? "/" : "", below) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		if (stat(path, &st) || !S_ISDIR(st.st_mode))
			continue;
		found = true;
		err = walk_cgroups(search, path, 0, add_procs);
		if (err)
			return err;
	}
	return found ? 0 : -ENOENT;
}

/* The part of an absolute path below the cgroup mount that it begins with; else the path itself. */
static const char *below_mount(const struct cgroup_search *search, const char *cgroup)
{
	const char *below = cgroup;
	size_t sz, longest = 0;

	for (size_t i = 0; i < search->mount_cnt; i++) {
		sz = strlen(search->mounts[i]);
		if (sz > longest && !strncmp(cgroup, search->mounts[i], sz) &&
		    (cgroup[sz] == '/' || !cgroup[sz])) {
			longest = sz;
			below = cgroup + sz;
		}
	}
	return below;
}

static int find_part(struct cgroup_search *search, const char *part)
{
	char path[PATH_MAX];
	int err = 0;

	search->part = part;
	for (size_t i = 0; i < search->mount_cnt && !err; i++) {
		search->mount_sz = strlen(search->mounts[i]);
		if (search->mount_sz >= sizeof(path))
			continue;
		strcpy(path, search->mounts[i]);
		err = walk_cgroups(search, path, 0, match_name);
	}
	if (err)
		return err;
	return search->match ? 0 : -ENOENT;
}

static bool leaves_mount(const char *cgroup)
{
	size_t sz = strlen(cgroup);

	return !strcmp(cgroup, "..") || !strncmp(cgroup, "../", 3) || strstr(cgroup, "/../") ||
	       (sz >= 3 && !strcmp(cgroup + sz - 3, "/.."));
}

static void search__free(struct cgroup_search *search)
{
	for (size_t i = 0; i < search->mount_cnt; i++)
		free(search->mounts[i]);
	free(search->match);
	free(search->pids);
}

static size_t sort_unique(pid_t *pids, size_t cnt)
{
	size_t kept = 0;

	if (cnt)
		qsort(pids, cnt, sizeof(*pids), proc_pid_compare);
	for (size_t i = 0; i < cnt; i++)
		if (!kept || pids[kept - 1] != pids[i])
			pids[kept++] = pids[i];
	return kept;
}

int target_find_by_cgroup(const char *cgroup, pid_t **pids)
{
	struct cgroup_search search = {0};
	int err;

	*pids = NULL;
	if (!*cgroup || leaves_mount(cgroup))
		return -EINVAL;
	err = read_mounts(&search);
	if (!err)
		err = add_cgroup(&search, below_mount(&search, cgroup));
	if (err == -ENOENT && !strchr(cgroup, '/')) {
		err = find_part(&search, cgroup);
		if (!err)
			err = add_cgroup(&search, search.match);
	}
	if (!err) {
		*pids = search.pids;
		search.pids = NULL;
		err = (int)sort_unique(*pids, search.pid_cnt);
	}
	search__free(&search);
	return err;
}
