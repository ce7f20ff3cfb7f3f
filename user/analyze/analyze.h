/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read-only passes over a model: totals, what each task is bound by, findings. A pass is one file
 * and one row in analyze.c. Everything here carries the numbers that it came from.
 */
#ifndef ANALYZE_ANALYZE_H
#define ANALYZE_ANALYZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/model.h"

/* SCHEMA.md's bottleneck_type. */
#define ANALYZE_BOTTLENECKS(X)                                                                     \
	X(UNKNOWN, "Unknown")                                                                      \
	X(CPU, "Cpu")                                                                              \
	X(MEMORY, "Memory")                                                                        \
	X(IO, "Io")                                                                                \
	X(NETWORK, "Network")                                                                      \
	X(GPU, "Gpu")                                                                              \
	X(BALANCED, "Balanced")

enum bottleneck {
#define X(id, name) BOTTLENECK_##id,
	ANALYZE_BOTTLENECKS(X)
#undef X
		BOTTLENECK_CNT
};

#define ANALYZE_SEVERITIES(X)                                                                      \
	X(INFO, "info")                                                                            \
	X(WARNING, "warning")                                                                      \
	X(CRITICAL, "critical")

enum severity {
#define X(id, name) SEVERITY_##id,
	ANALYZE_SEVERITIES(X)
#undef X
		SEVERITY_CNT
};

/* One number of a finding's evidence. */
struct evidence {
	const char *name; /* a field name of the schema where there is one */
	double val;
	const char *unit; /* "ns", "%", "count", "bytes" */
	uint64_t task; /* the record it comes from, or 0 */
};

#define FINDING_EVIDENCE 8
struct finding {
	const char *id; /* "run-queue", "lock-wait": stable, one per kind of finding */
	bool is_quality; /* about the recording, not about the program */
	enum severity severity;
	char *title; /* plain words with the number in it */
	struct evidence evidence[FINDING_EVIDENCE];
	size_t evidence_cnt;
	char *recommendation;
	char *how_to_verify;
	double confidence; /* 0..1 */
	double cost_ns; /* what it costs, for ranking */
	uint32_t class_idx; /* or NO_IDX */
	uint64_t task; /* or 0 */
};

/* Beside each task of the model, by index. */
struct task_result {
	enum bottleneck bottleneck;
	const char *cause; /* "run queue", "lock", ... in words, or NULL */
	int64_t inside_ns; /* wall time within the recording that the shares below refer to */
};

struct totals {
	int64_t duration_ns; /* of an unfinished recording as far as its records reach */
	int64_t c[COUNTER_CNT]; /* over all tasks, folded ones too */
	uint64_t tasks;
	uint64_t by_state[STATE_CNT];
	int64_t unattributed_cpu_ns; /* process CPU - sum of tasks; NO_TIME when not measured */
	const char *unattributed_why;
};

struct analysis {
	const struct model *model;
	struct task_result *tasks; /* model->task_cnt of them */
	struct totals totals;
	struct finding *findings; /* ranked: by severity, then costliest first */
	size_t finding_cnt, finding_cap;
	double leak_rate; /* bytes per second of all leaks, those without a finding too */
	char *verdict; /* one line, plain words */
};

/* In less time leaks are not looked for. */
#define LEAK_MIN_NS 5000000000LL

/* Runs all passes; NULL and errno when memory ran out. */
struct analysis *analysis__new(const struct model *model);
void analysis__free(struct analysis *analysis);

const char *bottleneck_name(unsigned int bottleneck);
const char *severity_name(unsigned int severity);
/* The finding of that id, or NULL. */
const struct finding *analysis__finding(const struct analysis *analysis, const char *id);
/* What a task costs, for ranking: on the CPU, queued for one, blocked on disks and locks. Sockets
 * and unclear waits stay out, because most of them wait for work. */
int64_t task_cost_ns(const struct task *task);

/* "1.24 s", "12.3 ms", "640 us": for people. */
void format_ns(struct buf *buf, int64_t ns);
void format_bytes(struct buf *buf, uint64_t bytes);

#endif
