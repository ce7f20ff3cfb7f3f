/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `check`: what this machine can do, each capability with the rung in use and the next one's remedy;
 * and where the probes of one process would be. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/one.h"
#include "live/features.h"

#define ROW_MAX 32

struct check_options {
	pid_t pid; /* 0: no process */
	bool json;
	bool verbose;
};

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

/* An exit code. */
static int print_probes(const struct target *target, bool verbose)
{
	struct plan_options options = {
		.heap = HEAP_MODE_EXACT,
		.return_probes = !target__has_shadow_stack(target) && !target__has_seccomp(target),
	};
	struct plan *plan = plan__new(target, &options);

	if (!plan) {
		log_err("cannot plan the probes of process %d: %s", target->pid, strerror(errno));
		return EXIT_FAILED;
	}
	printf("Process %d, %s: ", target->pid, target->comm);
	probes__print_sum(plan);
	if (verbose)
		probes__print(plan);
	plan__free(plan);
	return EXIT_OK;
}

static int help(FILE *out)
{
	fputs("usage: asyncscope-bpf check [-p PID [-v] | --json]\n\n"
	      "Asks the kernel for each capability and prints the rung in use. Exit 0 when a\n"
	      "recording is possible, 3 when it is not.\n\n"
	      "  -p, --pid PID  the probes of a process too: how many, and at what cost\n"
	      "  -v, --verbose  each of them: at what offset, and why there\n"
	      "      --json     as one JSON array; the probes are in runtimes --json\n"
	      "  -h, --help     this text\n",
	      out);
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

/* -1 to go on, or an exit code. */
static int parse_options(int argc, char **argv, struct check_options *options)
{
	static const struct option longs[] = {
		{"pid", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"verbose", no_argument, NULL, 'v'},
		{},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "hvp:", longs, NULL)) != -1) {
		switch (opt) {
		case 'p':
			if (one_pid__parse(optarg, &options->pid))
				return EXIT_USAGE;
			break;
		case 'j':
			options->json = true;
			break;
		case 'v':
			options->verbose = true;
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
	if (options->json && options->pid) {
		log_err("check --json takes no -p: the probes are in runtimes -p %d --json",
			options->pid);
		return EXIT_USAGE;
	}
	return -1;
}

int cmd_check(int argc, char **argv)
{
	struct check_options options = {0};
	struct check_row rows[ROW_MAX];
	struct target *target = NULL;
	struct features features;
	int code = parse_options(argc, argv, &options);
	size_t cnt;

	if (code >= 0)
		return code;
	if (options.pid) {
		target = one_target__open(options.pid, &code);
		if (!target)
			return code;
	}
	features__probe(&features);
	cnt = features__rows(&features, rows, ROW_MAX);
	if (options.json)
		print_json(rows, cnt);
	else
		print_text(rows, cnt);
	code = features__usable(&features, NULL, 0) ? EXIT_OK : EXIT_ENVIRONMENT;
	if (target && print_probes(target, options.verbose))
		code = EXIT_FAILED;
	target__free(target);
	return code;
}
