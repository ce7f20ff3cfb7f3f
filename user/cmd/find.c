/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes -p, -n and -c mean; for session.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/session.h"

static int find_pids(const struct record_options *options, pid_t **pids)
{
	*pids = malloc(options->pid_cnt * sizeof(**pids));
	if (!*pids)
		return -EXIT_FAILED;
	memcpy(*pids, options->pids, options->pid_cnt * sizeof(**pids));
	return options->pid_cnt;
}

static int find_name(const struct record_options *options, pid_t **pids)
{
	int cnt = target_find_by_name(options->name, pids);

	if (cnt > 0)
		return cnt;
	if (cnt < 0)
		log_err("cannot look through the processes: %s", strerror(-cnt));
	else
		log_err("no process is named '%s' (names are as in ps -e)", options->name);
	return -EXIT_NO_TARGET;
}

static int find_cgroup(const struct record_options *options, pid_t **pids)
{
	int cnt = target_find_by_cgroup(options->cgroup, pids);

	if (cnt > 0)
		return cnt;
	if (cnt == -ENOTUNIQ)
		log_err("more than one cgroup matches '%s': give its path", options->cgroup);
	else if (cnt == 0)
		log_err("cgroup '%s' has no process in it", options->cgroup);
	else
		log_err("no cgroup '%s': %s (give a path below /sys/fs/cgroup or a container's id)",
			options->cgroup, strerror(-cnt));
	return -EXIT_NO_TARGET;
}

int session__find(const struct record_options *options, pid_t **pids)
{
	*pids = NULL;
	if (options->name)
		return find_name(options, pids);
	if (options->cgroup)
		return find_cgroup(options, pids);
	return find_pids(options, pids);
}
