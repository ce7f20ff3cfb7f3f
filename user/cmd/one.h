/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands share that look into one process without recording it: runtimes, check. */
#ifndef CMD_ONE_H
#define CMD_ONE_H

#include "base/json.h"
#include "runtime/runtime.h"

/* 0, or -EINVAL after a message. */
int one_pid__parse(const char *text, pid_t *pid);
/* NULL after a message, with *code. */
struct target *one_target__open(pid_t pid, int *code);

/* A line for each probe of a plan: program, function, address, and why it is there. */
void probes__print(const struct plan *plan);
/* An array of objects. */
void probes__json(struct json *json, const struct plan *plan);
/* A line that says whose functions give and take memory; as an array of objects. */
void allocators__print(const struct plan *plan);
void allocators__json(struct json *json, const struct plan *plan);
/* "5 probes, 4 of them on instructions that the kernel emulates", of runtimes and of memory */
void probes__print_sum(const struct plan *plan);

#endif
