/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages: which level prints, and that hostile names cannot drive the terminal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tap.h"

static char text[4096];

/* What the four functions say at a level. */
static const char *said(enum log_level level, const char *msg)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t sz;

	if (!file || saved < 0)
		exit(2);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	log_level = level;
	errno = E2BIG;
	log_err("%s", msg);
	log_warn("%s", msg);
	log_info("%s", msg);
	log_verbose("%s", msg);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	sz = fread(text, 1, sizeof(text) - 1, file);
	text[sz] = '\0';
	fclose(file);
	return text;
}

int main(void)
{
	ok(!strcmp(said(LOG_QUIET, "x"), "asyncscope-bpf: x\n"), "-q leaves errors");
	ok(!strcmp(said(LOG_NORMAL, "x"), "asyncscope-bpf: x\nasyncscope-bpf: warning: x\nx\n"),
	   "normally no details");
	ok(!strcmp(said(LOG_VERBOSE, "x\n"),
		   "asyncscope-bpf: x\nasyncscope-bpf: warning: x\nx\nx\n"),
	   "-v says all, a newline is not doubled");
	ok(!strcmp(said(LOG_QUIET, "a\033[2Jb\x7f\tc"), "asyncscope-bpf: a?[2Jb?\tc\n"),
	   "control characters do not pass");
	ok(errno == E2BIG, "errno survives");
	return tap_done();
}
