/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts the command that is to be recorded; see command.h. */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"

/* In the child: waits at the gate, execs, and tells by the pipe when that fails. */
static void run_command(char *const *command, int niceness, int gate, int failure)
{
	char byte;
	int err;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	setpriority(PRIO_PROCESS, 0, niceness);
	/* only a byte opens it: its end is the recorder's */
	if (read(gate, &byte, 1) != 1)
		_exit(126);
	execvp(command[0], command);
	err = errno;
	if (write(failure, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int command__start(struct session *session)
{
	char *const *command = session->options->command;
	int gate[2], failure[2];

	if (pipe2(gate, O_CLOEXEC) || pipe2(failure, O_CLOEXEC)) {
		log_err("cannot start %s: %s", command[0], strerror(errno));
		return EXIT_FAILED;
	}
	session->child = fork();
	if (session->child < 0) {
		log_err("cannot start %s: %s", command[0], strerror(errno));
		return EXIT_FAILED;
	}
	if (!session->child) {
		close(gate[1]);
		run_command(command, session->options->niceness, gate[0], failure[1]);
	}
	close(gate[0]);
	close(failure[1]);
	session->child_gate = gate[1];
	session->child_failure = failure[0];
	return 0;
}

bool command__find(const char *name, char *path, size_t sz)
{
	const char *dirs = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(path, sz, "%s", name);
		return !access(path, X_OK);
	}
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");

		snprintf(path, sz, "%.*s/%s", (int)len, dirs, name);
		if (!access(path, X_OK))
			return true;
		dirs += len + (dirs[len] == ':');
	}
	errno = ENOENT;
	return false;
}

int command__go(struct session *session)
{
	int err;
	ssize_t sz;

	if (session->child_gate < 0)
		return 0;
	if (write(session->child_gate, "", 1) != 1)
		log_warn("the command ended before it began");
	close(session->child_gate);
	session->child_gate = -1;
	sz = read(session->child_failure, &err, sizeof(err));
	close(session->child_failure);
	if (sz != sizeof(err))
		return 0; /* the exec closed it */
	log_err("cannot start %s: %s", session->options->command[0], strerror(err));
	return EXIT_FAILED;
}

void command__close(struct session *session)
{
	if (session->child_gate < 0)
		return;
	/* the gate is shut for good: the child must not run unrecorded */
	kill(session->child, SIGKILL);
	close(session->child_gate);
	waitpid(session->child, NULL, 0);
}
