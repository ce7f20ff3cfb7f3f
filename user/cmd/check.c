/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check`: what this machine can do, each capability with the rung in use and the next one's remedy. */
#include <getopt.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "live/features.h"

#define ROW_MAX 32

static void print_text(const struct check_row *rows, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		printf("%-4s %-44s %s\n",
		       !rows[i].rung    ? "no"
		       : rows[i].better ? "ok"
					: "best",
		       rows[i].capability, rows[i].rung ? rows[i].rung : "not available");
		if (rows[i].rung && rows[i].better)
			printf("     %-44s for %s: %s\n", "", rows[i].better, rows[i].remedy);
		else if (rows[i].better)
			printf("     %-44s to have it: %s\n", "", rows[i].remedy);
	}
}

static void print_json(const struct check_row *rows, size_t cnt)
{
	struct buf buf = {};
	struct json json;

	json__init(&json, &buf);
	json__arr_begin(&json);
	for (size_t i = 0; i < cnt; i++) {
		json__obj_begin(&json);
		json__kv_str(&json, "capability", rows[i].capability);
		json__kv_str(&json, "rung", rows[i].rung);
		json__kv_str(&json, "better", rows[i].better);
		json__kv_str(&json, "remedy", rows[i].remedy);
		json__obj_end(&json);
	}
	json__arr_end(&json);
	puts(buf__str(&buf));
	buf__free(&buf);
}

static int help(FILE *out)
{
	fputs("usage: asyncscope-bpf check [--json]\n\n"
	      "Asks the kernel for each capability and prints the rung in use. Exit 0 when a\n"
	      "recording is possible, 3 when it is not.\n",
	      out);
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"verbose", no_argument, NULL, 'v'},
		{},
	};
	struct check_row rows[ROW_MAX];
	struct features features;
	int opt, json = 0;
	size_t cnt;

	while ((opt = getopt_long(argc, argv, "hv", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = 1;
			break;
		case 'v':
			log_level++;
			break;
		case 'h':
			return help(stdout);
		default:
			return help(stderr);
		}
	}
	if (optind < argc)
		return help(stderr);
	features__probe(&features);
	cnt = features__rows(&features, rows, ROW_MAX);
	if (json)
		print_json(rows, cnt);
	else
		print_text(rows, cnt);
	return features__usable(&features, NULL, 0) ? EXIT_OK : EXIT_ENVIRONMENT;
}
