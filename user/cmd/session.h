/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording in progress: the processes that are traced, the live side and the model they feed.
 * record.c drives it.
 */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include "cmd/control.h"
#include "cmd/options.h"
#include "live/live.h"
#include "live/price.h"
#include "model/feed.h"
#include "model/model.h"
#include "target/target.h"

/* One traced process. */
struct process {
	struct target *target;
	struct plan
		*plan; /* its files stay open: names are read from them after the target's end */
	uint64_t files; /* hash of what was mapped when it was planned */
	uint64_t look_until_ns; /* files may be mapped until then */
	int64_t cpu_start_ns; /* of the process, when its recording began */
	int64_t cpu_last_ns;
	uint64_t ended_ns;
	bool ended;
	bool released; /* what it held is given back */
	bool cpu_exact; /* cpu_last_ns is its final value */
};

struct session {
	const struct record_options *options;
	struct features features;
	struct live *live;
	struct model *model;
	struct process *processes;
	size_t process_cnt, process_cap;
	pid_t child; /* of -- CMD, or 0 */
	int child_gate; /* closing it lets the child exec; -1 = open no more */
	int child_failure; /* the child's errno when it could not */
	struct strtab names; /* of task types */
	struct map64 name_idx; /* hash(process, type key) -> string */
	uint64_t begin_ns; /* when the tracer was started */
	uint64_t armed_ns, stop_ns;
	struct prices prices; /* of traps */
	struct control control;
	int64_t own_cpu_start_ns; /* the tracer's own CPU time when it was armed */
	uint64_t probe_gap_ns; /* processes that ran without their probes yet */
	/* what is looked at on a clock */
	uint64_t uses_next_ns, sampled_ns;
	int64_t io_time_ns;
	/* memory */
	struct symbols *symbols; /* NULL until the first name is asked for */
	uint64_t owners_next_ns;
	bool tried_seccomp, survives_seccomp; /* a return probe under a filter */
	bool saw_allocator;
	bool heap_unattached; /* probes that were planned could not be attached */
	bool sizes_untold; /* of the blocks of some allocator */
	uint32_t undecodable_cnt;
	uint32_t unseen_cnt; /* processes that could not be opened */
};

/* Finds the targets and sees whether they can be recorded. 0 or an exit code after a message. */
int session__open(struct session *session, const struct record_options *options);
/* Loads what records them. The same returns. */
int session__load(struct session *session);
/* Attaches and arms; prints the `attached` line. 0 or an exit code after a message. */
int session__start(struct session *session);
/* Reads up to max records into the model: the number or -errno. */
int session__drain(struct session *session, int max);
/* A record for the model, of the ring or of a table; ctx is the session. 0 or -errno. */
int session__on_record(void *ctx, const void *data, size_t sz);
/* Takes what lies in the tables of uses, and the gauges; to be called every 100 ms. */
int session__sample(struct session *session);
/* Looks after processes that ended and cgroup members that are new. */
void session__care(struct session *session, bool rescan);
bool session__ended(const struct session *session);
/* Ends the recording: the model is complete after it. 0 or -errno. */
int session__stop(struct session *session, const char *reason);
void session__close(struct session *session);

/* The latest process with this pid, also when it has ended; or NULL. */
const struct process *session__process(const struct session *session, uint32_t pid);
/* The processes of the options, as a malloc'ed array: count, or -(exit code) after a message. */
int session__find(const struct record_options *options, pid_t **pids);

/* User and system time together. */
struct rusage;
int64_t rusage_ns(const struct rusage *usage);

/* names.c: what classes of tasks are called; for the feed. */
uint64_t names__class_of(void *ctx, const struct wire_spawn *spawn, uint32_t tgid, char *name,
			 size_t sz);
void names__disk(void *ctx, uint32_t dev, char *name, size_t sz);
void names__free(struct session *session);

/* meta.c: facts about the machine, the target and the recording. */
void meta__begin(struct session *session, int argc, char **argv);
void meta__runtimes(struct session *session, const struct target *target);
/* What was measured, and how: before the model is finished, which makes use of it. */
void meta__caps(struct session *session);
/* What a checkpoint must hold beside the tasks. */
void meta__checkpoint(struct session *session);
void meta__end(struct session *session, const char *reason);

#endif
