/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `record`, parsed. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "live/features.h"

#define OUTPUT_MAX 16

struct record_options {
	pid_t *pids; /* -p */
	int pid_cnt;
	const char *name; /* -n */
	const char *cgroup; /* -c */
	char **command; /* -- CMD */
	uint64_t duration_ns; /* 0: until Ctrl-C or the target's end */
	const char *outputs[OUTPUT_MAX];
	int output_cnt;
	const char *title;
	const char *theme;
	uint64_t max_memory;
	uint32_t ring_sz;
	enum hw_source hw;
	enum uprobe_rung rung;
	enum wire_io_source io_source;
	enum wire_heap_mode heap; /* as closely as this */
	uint32_t heap_entries; /* live blocks kept at most */
	double max_overhead; /* percent of the target's CPU time; 0 = measure and never step down */
	int niceness; /* what the recorder was started with, for the command */
	bool follow_forks;
	bool json;
	bool slices;
	bool strict;
};

/* 0; or an exit code after a message (EXIT_OK for -h); -1 to go on. */
int record_options__parse(struct record_options *options, int argc, char **argv);
void record_options__free(struct record_options *options);

/* "10", "10s", "500ms", "2m" and "64", "64K", "256M", "1G". */
bool parse_duration(const char *text, uint64_t *ns);
bool parse_size(const char *text, uint64_t *bytes);

#endif
