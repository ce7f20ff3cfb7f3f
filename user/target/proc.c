/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the small files of /proc, for the rest of target/. A process chooses its own name, so
 * nothing here trusts a separator that a name may hold.
 */
#include "target/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"

#define PROC_PATH_SZ 64

static void proc_path(char *path, pid_t pid, const char *name)
{
	if (pid)
		snprintf(path, PROC_PATH_SZ, "/proc/%d/%s", pid, name);
	else
		snprintf(path, PROC_PATH_SZ, "/proc/self/%s", name);
}

ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t sz)
{
	char path[PROC_PATH_SZ];
	size_t done = 0;
	ssize_t got;
	int fd, err = 0;

	proc_path(path, pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done + 1 < sz) {
		got = read(fd, buf + done, sz - 1 - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = -errno;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	close(fd);
	buf[done] = '\0';
	return err ? err : (ssize_t)done;
}

int proc_readlink(pid_t pid, const char *name, char **link)
{
	char path[PROC_PATH_SZ];
	char text[PATH_MAX];
	ssize_t sz;

	*link = NULL;
	proc_path(path, pid, name);
	sz = readlink(path, text, sizeof(text) - 1);
	if (sz < 0)
		return -errno;
	text[sz] = '\0';
	*link = strdup(text);
	return *link ? 0 : -ENOMEM;
}

int proc_stat__parse(struct proc_stat *stat, const char *text)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned long long start;
	size_t sz;

	/* The name may hold parentheses and spaces: the last one ends it. */
	if (!open || !close || close < open)
		return -EINVAL;
	sz = (size_t)(close - open - 1);
	if (sz >= sizeof(stat->comm))
		sz = sizeof(stat->comm) - 1;
	memcpy(stat->comm, open + 1, sz);
	stat->comm[sz] = '\0';
	/* Fields 3 (state), 9 (flags) and 22 (start time). */
	if (sscanf(close + 1,
		   " %c %*s %*s %*s %*s %*s %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%*s %*s %llu",
		   &stat->state, &stat->flags, &start) != 3)
		return -EINVAL;
	stat->start_ticks = start;
	return 0;
}

int proc_stat__read(struct proc_stat *stat, pid_t pid)
{
	char text[1024];
	ssize_t sz = proc_read(pid, "stat", text, sizeof(text));

	if (sz < 0)
		return (int)sz;
	return proc_stat__parse(stat, text);
}

bool proc_stat__ended(const struct proc_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

int proc_status_text(pid_t pid, const char *name, char *buf, size_t buf_sz)
{
	char text[8192], key[40], *pos;
	ssize_t sz = proc_read(pid, "status", text, sizeof(text));
	size_t len;

	if (sz < 0)
		return (int)sz;
	/* The kernel escapes a newline in the process's name, so this line is its own. */
	snprintf(key, sizeof(key), "\n%s:", name);
	pos = strstr(text, key);
	if (!pos)
		return -ENOENT;
	pos += strlen(key);
	pos += strspn(pos, " \t");
	len = strcspn(pos, "\n");
	while (len && (pos[len - 1] == ' ' || pos[len - 1] == '\t'))
		len--;
	snprintf(buf, buf_sz, "%.*s", (int)len, pos);
	return 0;
}

int proc_status_number(pid_t pid, const char *name, unsigned int idx, uint64_t *val)
{
	char text[256], *pos = text, *end;
	int err = proc_status_text(pid, name, text, sizeof(text));

	for (; !err; idx--) {
		errno = 0;
		*val = strtoull(pos, &end, 10);
		if (end == pos || errno)
			return -EINVAL;
		if (!idx)
			return 0;
		pos = end;
	}
	return err;
}

int proc_parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long val;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	val = strtol(text, &end, 10);
	if (errno || *end || val > INT_MAX)
		return -EINVAL;
	*pid = (pid_t)val;
	return 0;
}

int proc_pid_compare(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return (left > right) - (left < right);
}

int proc_list_numbers(const char *dir, pid_t **numbers)
{
	size_t cnt = 0, cap = 0;
	struct dirent *entry;
	DIR *stream;
	pid_t pid;
	int err;

	*numbers = NULL;
	stream = opendir(dir);
	if (!stream)
		return -errno;
	while (errno = 0, (entry = readdir(stream))) {
		if (proc_parse_pid(entry->d_name, &pid))
			continue;
		err = array__reserve((void **)numbers, &cap, cnt + 1, sizeof(pid));
		if (err)
			goto cleanup;
		(*numbers)[cnt++] = pid;
	}
	err = -errno;
cleanup:
	closedir(stream);
	if (err || cnt > INT_MAX) {
		free(*numbers);
		*numbers = NULL;
		return err ? err : -EOVERFLOW;
	}
	if (cnt)
		qsort(*numbers, cnt, sizeof(pid), proc_pid_compare);
	return (int)cnt;
}
