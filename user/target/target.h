/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs there: a process seen through /proc, its threads, its mapped ELF files and their
 * symbols. Everything is read by descriptor and through the target's own namespaces (map_files,
 * root), nothing of the target is stopped or written. Its names and files are hostile input.
 */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target_map {
	uint64_t start, end, file_off;
	uint64_t dev, inode;
	bool executable;
	bool writable;
	bool deleted;
	bool first; /* the first executable mapping of its file: see target__next_file */
	char *path; /* as the kernel prints it, or NULL for anonymous memory */
};

struct target {
	pid_t pid;
	pid_t via; /* the thread through which /proc is read: pid, unless its main thread ended */
	uint64_t start_ticks; /* field 22 of stat: tells a reused pid apart */
	uint64_t start_boot_ns;
	uid_t uid;
	char comm[64];
	char *exe; /* readlink of /proc/PID/exe, or NULL */
	char *cmdline; /* arguments joined by spaces, what looks like a secret masked */
	char *container; /* id from its cgroup path, or NULL */
	char *namespaces; /* "pid mnt net user": those unlike the tracer's own, "" for none */
	struct target_map *maps;
	size_t map_cnt, map_cap;
	int pidfd; /* readable when the process has ended; -1 where the kernel has none */
};

enum target_error {
	TARGET_OK,
	TARGET_NOT_FOUND,
	TARGET_KERNEL_THREAD,
	TARGET_ZOMBIE,
	TARGET_IS_THREAD, /* a thread's id: `target_pid_of` tells the process */
	TARGET_DENIED,
	TARGET_NO_MEMORY,
};

/* NULL with *error. */
struct target *target__open(pid_t pid, enum target_error *error);
/* Reads exe, comm, maps again (after an exec or a dlopen). 0 or -errno. */
int target__refresh(struct target *target);
/* Which files are mapped executable, and where, as one number. */
uint64_t target__files_hash(const struct target *target);
/* A child that is about to exec `path`: takes that file for mapped, and of its own files the C library
 * and the dynamic linker, which most likely are the same afterwards, so that probes can be planned
 * before it runs. 0 or -errno. */
int target__expect_exec(struct target *target, const char *path);
bool target__alive(const struct target *target);
/* It has ended, as was seen: gives back what watches it. */
void target__ended(struct target *target);
void target__free(struct target *target);
const char *target_error_text(enum target_error error);

/* The process of a thread id, or -1. */
pid_t target_pid_of(pid_t tid);
/* Processes by comm or by the base name of their executable, and all of a cgroup (a path below
 * the cgroup mount, absolute or relative, or a container id). A malloc'ed array, count or -errno. */
int target_find_by_name(const char *name, pid_t **pids);
int target_find_by_cgroup(const char *cgroup, pid_t **pids);

/* The number of threads, and their ids; count or -errno. */
int target__threads(const struct target *target, pid_t **tids);
/* CPU time of the whole process, ended threads included; nanoseconds or -errno. */
int64_t target_cpu_ns(pid_t pid);

/* Is there a second stack of return addresses that the processor compares with? Then none may be
 * changed. */
bool target__has_shadow_stack(const struct target *target);
/* Is there a filter of system calls that could end it for one that a probe makes in its name? Also when
 * that cannot be read. */
bool target__has_seccomp(const struct target *target);

/* Copies memory of the target: bytes read or -errno. Never writes. */
ssize_t target__read(const struct target *target, uint64_t addr, void *buf, size_t sz);
/* What of a name is no printable UTF-8 becomes '?', in place. Names of the target are cleaned before
 * they reach a terminal. */
void target_clean(char *str);
/* A printable string at addr, bounded and cleaned; "" when unreadable. */
void target__read_str(const struct target *target, uint64_t addr, char *buf, size_t sz);

#endif
