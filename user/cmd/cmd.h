/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands; main.c has the table of them. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

/* What the program exits with; the man page says the same. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_ENVIRONMENT = 3, /* or permission */
	EXIT_NO_TARGET = 4, /* gone or not found */
	EXIT_LOSSES = 5, /* --strict */
	EXIT_BAD_SNAPSHOT = 6,
};

/* argv[0] is the command's name. Returns an exit code. */
int cmd_record(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_runtimes(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_inspect(int argc, char **argv);

#endif
