/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command of `record -- CMD`: a child that waits at a gate before it execs, so that nothing of it is
 * missed. Used by session.c.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/session.h"

/* The file that execvp() will find, if it is one; else errno. */
bool command__find(const char *name, char *path, size_t sz);
/* Makes the child. 0 or an exit code after a message. */
int command__start(struct session *session);
/* Lets it exec. The same returns. */
int command__go(struct session *session);
/* Ends a child that was not let go. */
void command__close(struct session *session);

#endif
