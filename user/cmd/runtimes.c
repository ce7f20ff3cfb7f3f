/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `asyncscope-bpf runtimes -p PID`: which runtimes each adapter finds in a process, how sure it is and
 * why, and with -v the probes that a recording would attach, and where. A row in main.c.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd/one.h"

struct runtimes_options {
	pid_t pid;
	bool json;
	bool verbose;
};

/* What was found in one target. */
struct findings {
	const struct target *target;
	const struct plan *plan;
	struct runtime_found *found; /* one per adapter, in their order */
};

static const char usage[] = "Usage: asyncscope-bpf runtimes -p PID [--json] [-v]\n"
			    "\n"
			    "Shows which runtimes are in a process, and how they would be traced.\n"
			    "\n"
			    "  -p, --pid PID  the process\n"
			    "      --json     as one JSON object\n"
			    "  -v, --verbose  each planned probe too, and why it is where it is\n"
			    "  -h, --help     this text\n";

/* 0, 1 when the help was printed, or -EINVAL. */
static int parse_options(int argc, char **argv, struct runtimes_options *options)
{
	static const struct option longs[] = {
		{"pid", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	optind = 0; /* main() has used getopt before */
	while ((opt = getopt_long(argc, argv, "p:vh", longs, NULL)) >= 0) {
		switch (opt) {
		case 'p':
			if (one_pid__parse(optarg, &options->pid))
				return -EINVAL;
			break;
		case 'j':
			options->json = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc) {
		log_err("runtimes takes no argument '%s'", argv[optind]);
		return -EINVAL;
	}
	if (!options->pid) {
		log_err("which process? give -p PID");
		return -EINVAL;
	}
	return 0;
}

static int print_json(const struct findings *findings)
{
	struct buf buf = {0};
	struct json json;
	int err;

	json__init(&json, &buf);
	json__obj_begin(&json);
	json__kv_i64(&json, "pid", findings->target->pid);
	json__kv_str(&json, "comm", findings->target->comm);
	json__kv_str(&json, "exe", findings->target->exe);
	json__kv_str(&json, "cmdline", findings->target->cmdline);
	json__key(&json, "runtimes");
	json__arr_begin(&json);
	for (size_t i = 0; i < runtime_adapter_cnt; i++) {
		const struct runtime_found *found = &findings->found[i];

		json__obj_begin(&json);
		json__kv_str(&json, "name", runtime_adapters[i]->name);
		json__kv_str(&json, "confidence", confidence_name(found->confidence));
		json__kv_str(&json, "version", found->version[0] ? found->version : NULL);
		json__kv_str(&json, "binding", found->binding);
		json__kv_str(&json, "reason", found->reason);
		json__obj_end(&json);
	}
	json__arr_end(&json);
	json__key(&json, "allocators");
	allocators__json(&json, findings->plan);
	json__key(&json, "probes");
	probes__json(&json, findings->plan);
	json__obj_end(&json);
	err = buf.err;
	if (!err && printf("%s\n", buf__str(&buf)) < 0)
		err = -errno;
	buf__free(&buf);
	return err;
}

static int print_text(const struct findings *findings, bool verbose)
{
	const struct target *target = findings->target;
	char *exe = strdup(target->exe ? target->exe : "no executable");

	if (!exe)
		return -ENOMEM;
	target_clean(exe);
	printf("Process %d, %s (%s)\n", target->pid, target->comm, exe);
	free(exe);
	for (size_t i = 0; i < runtime_adapter_cnt; i++) {
		const struct runtime_found *found = &findings->found[i];

		printf("  %-10s", runtime_adapters[i]->name);
		if (found->confidence == CONFIDENCE_NONE)
			printf(" not found");
		else
			printf(" found%s%s, %s, confidence %s",
			       found->version[0] ? ", version " : "", found->version,
			       found->binding, confidence_name(found->confidence));
		printf(": %s\n", found->reason);
	}
	allocators__print(findings->plan);
	if (verbose)
		probes__print(findings->plan);
	return fflush(stdout) ? -errno : 0;
}

int cmd_runtimes(int argc, char **argv)
{
	struct plan_options wanted = {.heap = HEAP_MODE_EXACT};
	struct runtimes_options options = {.verbose = log_level >= LOG_VERBOSE};
	struct findings findings = {0};
	struct target *target = NULL;
	struct plan *plan = NULL;
	int err, code = EXIT_FAILED;

	err = parse_options(argc, argv, &options);
	if (err)
		return err > 0 ? EXIT_OK : EXIT_USAGE;
	target = one_target__open(options.pid, &code);
	if (!target)
		return code;
	wanted.return_probes = !target__has_shadow_stack(target) && !target__has_seccomp(target);
	plan = plan__new(target, &wanted);
	findings.found = calloc(runtime_adapter_cnt, sizeof(*findings.found));
	if (!plan || !findings.found) {
		log_err("cannot plan the probes of process %d: %s", target->pid, strerror(errno));
		goto cleanup;
	}
	findings.target = target;
	findings.plan = plan;
	for (size_t i = 0; i < runtime_adapter_cnt; i++)
		runtime_adapters[i]->detect(target, &findings.found[i]);
	err = options.json ? print_json(&findings) : print_text(&findings, options.verbose);
	if (err)
		log_err("cannot write: %s", strerror(-err));
	else
		code = EXIT_OK;
cleanup:
	free(findings.found);
	plan__free(plan);
	target__free(target);
	return code;
}
