/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, nothing else. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *doc;
};

static const struct command commands[] = {
	{"record", cmd_record, "record a running process (the default)"},
	{"report", cmd_report, "read a snapshot: summary or HTML report"},
	{"export", cmd_export, "read a snapshot: NDJSON and other formats"},
	{"inspect", cmd_inspect, "what is in a snapshot, and is it whole"},
	{"runtimes", cmd_runtimes, "which async runtimes a process has"},
	{"check", cmd_check, "what this machine can do"},
	{"schema", cmd_schema, "the records and fields of a recording"},
};

static int help(FILE *out)
{
	fputs("asyncscope-bpf tells which async task of a running process uses the CPU, waits, or\n"
	      "blocks the others. Nothing is recompiled, nothing is injected.\n\n"
	      "  asyncscope-bpf -p PID [-d SECONDS] [-o report.html] [-o snapshot.asnap]\n\n"
	      "Commands (each has -h):\n",
	      out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].doc);
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return help(stdout);
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("asyncscope-bpf %s\n", ASYNCSCOPE_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (argv[1][0] == '-')
		return cmd_record(argc, argv);
	fprintf(stderr, "asyncscope-bpf: no command '%s' (see asyncscope-bpf --help)\n", argv[1]);
	return EXIT_USAGE;
}
