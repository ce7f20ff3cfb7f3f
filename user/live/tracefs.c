/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes of tracefs; see tracefs.h. */
#include "live/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live/features.h"

/* Appends one line. */
int tracefs__write(const char *file, const char *line)
{
	const char *tracefs = tracefs_path();
	char path[96];
	ssize_t sz;
	int fd, err = 0;

	if (!tracefs)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s", tracefs, file);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	sz = write(fd, line, strlen(line));
	if (sz < 0)
		err = -errno;
	close(fd);
	return err;
}

void tracefs__remove(const char *file, const char *event)
{
	char line[160];

	snprintf(line, sizeof(line), "-:%s\n", event);
	tracefs__write(file, line);
}

int tracefs__event_id(const char *event)
{
	char path[192], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/events/%s/id", tracefs_path(), event);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return atoi(text) > 0 ? atoi(text) : -EINVAL;
}

int tracefs__open(int id, pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.sample_period = 1,
		.wakeup_events = 1,
	};
	/* of all processes: its BPF program runs on every CPU whatever the event is opened on */
	int cpu = pid == -1 ? 0 : -1;
	int fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* "p:asyncscope_PID/NAME ..." of a tracer that is no more? */
static bool is_stale(const char *line, char *event, size_t event_sz)
{
	static const char prefix[] = "asyncscope_";
	const char *name = strchr(line, ':');
	int pid;

	if (!name || strncmp(name + 1, prefix, sizeof(prefix) - 1))
		return false;
	name++;
	pid = atoi(name + sizeof(prefix) - 1);
	if (pid <= 0 || !kill(pid, 0) || errno != ESRCH)
		return false;
	snprintf(event, event_sz, "%.*s", (int)strcspn(name, " \t\n"), name);
	return true;
}

#define STALE_MAX 256 /* at one start */

static int remove_stale(const char *name)
{
	char path[96], line[512], event[128], last[128] = "";
	const char *tracefs = tracefs_path();
	char *stale[STALE_MAX];
	int cnt = 0;
	FILE *file;

	if (!tracefs)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", tracefs, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* an event stands there once per place; it is removed whole */
	while (cnt < STALE_MAX && fgets(line, sizeof(line), file)) {
		if (!is_stale(line, event, sizeof(event)) || !strcmp(event, last))
			continue;
		snprintf(last, sizeof(last), "%s", event);
		stale[cnt] = strdup(event);
		if (stale[cnt])
			cnt++;
	}
	fclose(file);
	for (int i = 0; i < cnt; i++) {
		tracefs__remove(name, stale[i]);
		free(stale[i]);
	}
	return cnt;
}

int tracefs__remove_stale(void)
{
	return remove_stale(TRACEFS_UPROBES) + remove_stale(TRACEFS_KPROBES);
}
