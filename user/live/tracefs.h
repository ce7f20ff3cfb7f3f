/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes that are defined by a line in tracefs, for kernels that have no better way. Their events are
 * named asyncscope_PID/NAME after the tracer, because they outlive one that is killed.
 */
#ifndef LIVE_TRACEFS_H
#define LIVE_TRACEFS_H

#include <sys/types.h>

#define TRACEFS_UPROBES "uprobe_events"
#define TRACEFS_KPROBES "kprobe_events"

/* Writes one line into such a file. 0 or -errno. */
int tracefs__write(const char *file, const char *line);
void tracefs__remove(const char *file, const char *event);
/* The number that perf_event_open() wants, or -errno. */
int tracefs__event_id(const char *event);
/* A perf event of it: on one process, or (pid -1) on all, through one CPU. A descriptor or -errno. */
int tracefs__open(int id, pid_t pid);

/* Removes events of tracers that died; returns how many. */
int tracefs__remove_stale(void);

#endif
