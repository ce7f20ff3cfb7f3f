/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `asyncscope-bpf report SNAP`: reads a snapshot, prints the summary, or writes the HTML page and
 * any other format that -o names. Needs neither root nor the process.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/output.h"

static const char usage[] =
	"usage: asyncscope-bpf report SNAPSHOT [-o FILE]...\n\n"
	"Without -o it prints the summary.\n\n"
	"  -o, --output FILE  may be repeated; the suffix is the format: .html .ndjson .txt .asnap\n"
	"      --title TEXT   of the page\n"
	"      --theme NAME   of the page: auto, dark, light\n"
	"      --top N        tasks in the summary (15)\n"
	"      --width N      columns of the summary (the terminal's)\n"
	"      --slices       the timeline in NDJSON, too\n"
	"  -q, -v             quieter; more\n"
	"  -h, --help         this help\n";

enum { OPT_TITLE = 256, OPT_THEME, OPT_TOP, OPT_WIDTH, OPT_SLICES };

static bool parse_number(const char *text, unsigned long max, unsigned long *val)
{
	char *end;

	errno = 0;
	*val = strtoul(text, &end, 10);
	return !errno && *text >= '0' && *text <= '9' && !*end && *val && *val <= max;
}

static bool parse_theme(const char *text)
{
	return !strcmp(text, "auto") || !strcmp(text, "dark") || !strcmp(text, "light");
}

static int refuse(const char *option, const char *text, const char *wants)
{
	log_err("%s %s: %s", option, text, wants);
	return EXIT_USAGE;
}

/* One option: 0 or an exit code after a message. */
static int take(struct outputs *outputs, int opt, const char *arg)
{
	unsigned long val;

	switch (opt) {
	case 'o':
		return outputs__add(outputs, arg);
	case OPT_TITLE:
		outputs->report_options.title = arg;
		return 0;
	case OPT_THEME:
		outputs->report_options.theme = arg;
		return parse_theme(arg) ? 0 : refuse("--theme", arg, "auto, dark or light");
	case OPT_TOP:
		if (!parse_number(arg, 1000000, &val))
			return refuse("--top", arg, "a number of tasks");
		outputs->export_options.top = val;
		return 0;
	case OPT_WIDTH:
		if (!parse_number(arg, 1000, &val))
			return refuse("--width", arg, "a number of columns");
		outputs->width = (unsigned int)val;
		return 0;
	case OPT_SLICES:
		outputs->export_options.slices = true;
		return 0;
	case 'q':
		log_level = LOG_QUIET;
		return 0;
	case 'v':
		log_level = LOG_VERBOSE;
		return 0;
	}
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static int report(const char *path, struct outputs *outputs)
{
	struct analysis *analysis = NULL;
	struct model *model;
	int ret;

	model = load_snapshot(path, &ret);
	if (!model)
		return ret;
	analysis = analysis__new(model);
	if (analysis) {
		ret = outputs__write(outputs, model, analysis);
	} else {
		log_err("cannot analyse %s: %s", path, strerror(errno));
		ret = EXIT_FAILED;
	}
	analysis__free(analysis);
	model__free(model);
	return ret;
}

int cmd_report(int argc, char **argv)
{
	static const struct option longs[] = {
		{"output", required_argument, NULL, 'o'},
		{"title", required_argument, NULL, OPT_TITLE},
		{"theme", required_argument, NULL, OPT_THEME},
		{"top", required_argument, NULL, OPT_TOP},
		{"width", required_argument, NULL, OPT_WIDTH},
		{"slices", no_argument, NULL, OPT_SLICES},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct outputs outputs = {.report_options.theme = "auto"};
	int opt, ret = 0;

	optind = 0; /* glibc: begin anew */
	while (!ret && (opt = getopt_long(argc, argv, "o:qvh", longs, NULL)) != -1) {
		if (opt == 'h') {
			fputs(usage, stdout);
			return EXIT_OK;
		}
		ret = take(&outputs, opt, optarg);
	}
	if (ret)
		return ret;
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	/* The summary is what there is when nothing else was asked for. */
	outputs.quiet_summary = outputs.cnt > 0;
	ret = report(argv[optind], &outputs);
	outputs__close(&outputs);
	return ret;
}
