/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One output file: written beside its place under a temporary name and renamed when it is whole, so
 * that nobody ever reads half a report and an older one survives a full disk. Called by output.c.
 */
#ifndef CMD_OUTPUT_FILE_H
#define CMD_OUTPUT_FILE_H

#include <stdio.h>
#include <sys/types.h>

struct output_file {
	FILE *stream;
	const char *path;
	char *tmp; /* NULL: written in place (stdout, a pipe, a device) */
};

/* Whether the path can be written, as far as that can be known before. 0 or -errno. */
int output_file_check(const char *path);
/* 0 or -errno. "-" is stdout. */
int output_file__open(struct output_file *file, const char *path, mode_t mode);
/* Renames when err is 0 and all was written, else removes. Returns the first error. */
int output_file__close(struct output_file *file, int err);
/* What to do about an errno, in words. */
const char *output_remedy(int err);

#endif
