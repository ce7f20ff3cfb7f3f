/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `asyncscope-bpf inspect FILE`: what a snapshot's bytes are, whether its recorder finished it, and
 * whether each part proves itself. A row in main.c.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "snapshot/snapshot.h"

struct inspect_options {
	const char *path;
	bool json;
	bool verify;
};

static const char usage[] =
	"Usage: asyncscope-bpf inspect FILE [--json] [--verify]\n"
	"\n"
	"Shows a snapshot's header and chunks, and whether each of them proves itself.\n"
	"\n"
	"      --json    as one JSON object\n"
	"      --verify  fail unless the file is complete and all of it proves itself\n"
	"  -h, --help    this text\n"
	"\n"
	"Exit: 0 it can be read, 1 no such file, 2 usage, 6 it is bad, or --verify\n"
	"found something.\n";

/* 0, 1 when the help was printed, or -EINVAL. */
static int parse_options(int argc, char **argv, struct inspect_options *options)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"verify", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	optind = 0; /* main() has used getopt before */
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		switch (opt) {
		case 'j':
			options->json = true;
			break;
		case 'y':
			options->verify = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (argc - optind != 1) {
		log_err("inspect needs one snapshot file");
		return -EINVAL;
	}
	options->path = argv[optind];
	return 0;
}

int cmd_inspect(int argc, char **argv)
{
	struct inspect_options options = {};
	struct snapshot_status status;
	int err = parse_options(argc, argv, &options);

	if (err > 0)
		return EXIT_OK;
	if (err) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	err = snapshot__inspect(options.path, options.json, stdout, &status);
	if (status.error == SNAPSHOT_UNREADABLE)
		log_err("cannot read %s: %s", options.path, strerror(status.err));
	else if (err)
		log_err("cannot inspect %s: %s", options.path, strerror(-err));
	else if (status.error != SNAPSHOT_OK)
		log_err("%s: %s", options.path, snapshot_error_text(status.error));
	/* What the file system or the memory says is no verdict on the snapshot. */
	if (err || status.error == SNAPSHOT_NO_MEMORY)
		return EXIT_FAILED;
	if (status.error != SNAPSHOT_OK)
		return EXIT_BAD_SNAPSHOT;
	if (options.verify && (status.salvaged || status.bytes_bad)) {
		log_err("%s: not complete and intact", options.path);
		return EXIT_BAD_SNAPSHOT;
	}
	return EXIT_OK;
}
