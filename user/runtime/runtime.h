/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapters: each looks at a target and says whether its runtime is in there (how sure, and why)
 * and which probes tell about it. A new runtime is one .bpf.c, one adapter here and one row in
 * registry.c.
 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/event.h"
#include "target/elf.h"
#include "target/place.h"
#include "target/target.h"

enum confidence {
	CONFIDENCE_NONE, /* not in this target */
	CONFIDENCE_LOW,
	CONFIDENCE_MEDIUM,
	CONFIDENCE_HIGH,
};

struct runtime_found {
	enum confidence confidence;
	char version[32]; /* "" when it has none */
	const char *binding; /* "exact symbol", ... as in model/model.h */
	char reason[160];
};

/* What is attached and detached together. */
enum probe_group {
	PROBES_RUNTIME, /* what runtimes' tasks do */
	PROBES_HEAP_RETURN, /* what allocations return; not needed to count */
	/* what is allocated and freed: first to go when tracing gets too expensive. Behind its returns:
	 * one without its beginning is ignored, but not the other way round. */
	PROBES_HEAP,
	PROBES_LINKER, /* files that are mapped later */
	PROBE_GROUP_CNT
};

/* One probe to attach. */
struct probe {
	const char *prog; /* BPF program, by its name in the skeleton */
	enum probe_group group;
	/* When the function that file_off is in returns, by changing its return address: rsp points to
	 * that one there. */
	bool at_return;
	struct elf_file *file; /* owned by the plan */
	uint64_t file_off;
	uint64_t ip; /* its address in the target, for people and tests; 0 = not mapped */
	/* Where in its function, and why there. A program that reads the stack must add sp_below to its
	 * pointer; those that read arguments alone need nothing. */
	struct place place;
	char what[80]; /* "asyncscope_enter in /srv/app", for messages */
};

/* What is wanted of a plan, and what may be done for it. */
struct plan_options {
	enum wire_heap_mode heap; /* as closely as this */
	/* Return addresses may be changed: the target has no shadow stack, and no seccomp filter that
	 * would end it for it. Else the instructions that functions are left by are probed. */
	bool return_probes;
};

struct plan {
	pid_t pid;
	struct probe *probes;
	size_t probe_cnt, probe_cap;
	struct elf_file **files;
	size_t file_cnt, file_cap;
	struct allocators *allocators; /* runtime/allocators.h; NULL: memory is not wanted */
	/* What was planned before the process exec'ed: its files' probes stay, and are those of the
	 * same files afterwards. Owned. */
	struct plan *before;
};

struct runtime_adapter {
	enum wire_runtime id;
	const char *name;
	const char *doc;
	void (*detect)(const struct target *target, struct runtime_found *found);
	/* Adds probes; 0 or -errno. NULL: needs none. */
	int (*plan)(const struct target *target, struct plan *plan);
	/* A class name for a task's type_key, read from the live target, or from the plan's files when
	 * it has ended. */
	void (*type_name)(const struct target *target, const struct plan *plan, uint64_t type_key,
			  char *buf, size_t sz);
	/* How the runtime's own id is printed. */
	void (*native_name)(uint64_t native, char *buf, size_t sz);
};

extern const struct runtime_adapter *const runtime_adapters[];
extern const size_t runtime_adapter_cnt;

const struct runtime_adapter *runtime_adapter__find(enum wire_runtime id);
const char *confidence_name(enum confidence confidence);

/* The plans of all adapters that found their runtime; NULL and errno. */
struct plan *plan__new(const struct target *target, const struct plan_options *options);
/* Is each probe of `old` itself in the plan, or in those before `old`? */
bool plan__covers(const struct plan *plan, const struct plan *old);
/* Is probe `idx` neither in `present` (may be NULL) nor in the plan before this one? */
bool plan__is_new(const struct plan *plan, const struct plan *present, size_t idx);
/* Is there a probe of the group in it that is not in `present` (may be NULL)? */
bool plan__has(const struct plan *plan, const struct plan *present, enum probe_group group);
/* Is a probe of the same program at the same place in it, or in those before it? */
bool plan__contains(const struct plan *plan, const struct probe *probe);
void plan__free(struct plan *plan);
/* A printable string at an address of the target: from its memory, or, when that is gone, from the
 * file that the plan keeps open, which has it if it is a constant. "" when neither can be read. */
void plan__read_str(const struct plan *plan, const struct target *target, uint64_t addr, char *buf,
		    size_t sz);
/* For adapters. */
int plan__add_file(struct plan *plan, struct elf_file *file);
/* 0 or -errno; -EOPNOTSUPP where no probe may be. */
int plan__add(struct plan *plan, const struct probe *probe);
/* Sets file, file_off, ip and place: the best place in a function for what the program reads. */
void probe__place(struct probe *probe, const struct place_want *want, const struct target *target,
		  struct elf_file *file, const struct elf_sym *sym);

#endif
