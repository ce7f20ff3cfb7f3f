/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `asyncscope-bpf export SNAP -t FORMAT [-o FILE]`: a snapshot in one of the exporters' formats. */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cmd/output.h"

struct export_args {
	const char *snapshot;
	const char *path;
	const struct exporter *exporter;
	bool slices;
};

static void print_usage(FILE *out)
{
	fputs("usage: asyncscope-bpf export SNAPSHOT [-t FORMAT] [-o FILE]\n\n"
	      "  -t, --type FORMAT  one of those below; or the suffix of FILE tells it (ndjson)\n"
	      "  -o, --output FILE  default: standard output\n"
	      "      --slices       the timeline in NDJSON, too\n"
	      "  -q, -v             quieter; more\n"
	      "  -h, --help         this help\n\n",
	      out);
	for (size_t i = 0; i < exporter_cnt; i++)
		fprintf(out, "  %-17s  %s\n", exporters[i].name, exporters[i].doc);
}

static int choose_type(struct export_args *args, const char *name)
{
	struct buf known = {};

	args->exporter = exporter__by_name(name);
	if (args->exporter)
		return 0;
	for (size_t i = 0; i < exporter_cnt; i++)
		buf__printf(&known, "%s%s", i ? ", " : "", exporters[i].name);
	log_err("-t %s: no such format (there are: %s)", name, buf__str(&known));
	buf__free(&known);
	return EXIT_USAGE;
}

static int take(struct export_args *args, int opt, const char *arg)
{
	switch (opt) {
	case 't':
		return choose_type(args, arg);
	case 'o':
		args->path = arg;
		return 0;
	case 's':
		args->slices = true;
		return 0;
	case 'q':
		log_level = LOG_QUIET;
		return 0;
	case 'v':
		log_level = LOG_VERBOSE;
		return 0;
	}
	print_usage(stderr);
	return EXIT_USAGE;
}

static int export(const struct export_args *args)
{
	struct outputs outputs = {
		.export_options.slices = args->slices,
		.report_options.theme = "auto",
		.quiet_summary = true,
	};
	struct analysis *analysis;
	struct model *model;
	int ret = outputs__add_as(&outputs, args->path, args->exporter);

	if (ret)
		return ret;
	model = load_snapshot(args->snapshot, &ret);
	if (!model)
		return ret;
	analysis = analysis__new(model);
	if (analysis) {
		ret = outputs__write(&outputs, model, analysis);
	} else {
		log_err("cannot analyse %s: %s", args->snapshot, strerror(errno));
		ret = EXIT_FAILED;
	}
	analysis__free(analysis);
	model__free(model);
	outputs__close(&outputs);
	return ret;
}

int cmd_export(int argc, char **argv)
{
	static const struct option longs[] = {
		{"type", required_argument, NULL, 't'},
		{"output", required_argument, NULL, 'o'},
		{"slices", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct export_args args = {.path = "-"};
	int opt, ret = 0;

	optind = 0; /* glibc: begin anew */
	while (!ret && (opt = getopt_long(argc, argv, "t:o:qvh", longs, NULL)) != -1) {
		if (opt == 'h') {
			print_usage(stdout);
			return EXIT_OK;
		}
		ret = take(&args, opt, optarg);
	}
	if (ret)
		return ret;
	if (argc - optind != 1) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	args.snapshot = argv[optind];
	return export(&args);
}
