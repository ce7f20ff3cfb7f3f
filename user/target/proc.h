/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of /proc, for the .c files of target/ only. */
#ifndef TARGET_PROC_H
#define TARGET_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_PF_EXITING 0x4
#define PROC_PF_KTHREAD 0x200000

struct proc_stat {
	char comm[64];
	char state;
	unsigned int flags;
	uint64_t start_ticks;
};

/* The beginning of /proc/PID/NAME, NUL-terminated: bytes or -errno. Pid 0 is the caller itself,
 * whatever its pid in the namespace of this /proc. */
ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t sz);
/* A malloc'ed readlink of /proc/PID/NAME: 0 or -errno. */
int proc_readlink(pid_t pid, const char *name, char **link);
int proc_stat__read(struct proc_stat *stat, pid_t pid);
int proc_stat__parse(struct proc_stat *stat, const char *text);
bool proc_stat__ended(const struct proc_stat *stat);
/* A number of /proc/PID/status, the `idx`-th behind its "Name:": 0 or -errno. */
int proc_status_number(pid_t pid, const char *name, unsigned int idx, uint64_t *val);
/* What is behind "Name:" there, without blanks around it: 0 or -errno. */
int proc_status_text(pid_t pid, const char *name, char *buf, size_t sz);
/* The directory's entries that are numbers, sorted; a malloc'ed array, count or -errno. */
int proc_list_numbers(const char *dir, pid_t **numbers);
/* A number from the beginning of a string that ends there: 0 or -EINVAL. */
int proc_parse_pid(const char *text, pid_t *pid);
int proc_pid_compare(const void *a, const void *b);

#endif
