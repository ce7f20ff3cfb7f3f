/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the page. Sections are data for the scripts (columns.h); parts are HTML that is
 * useful without them. html.c has one row for each.
 */
#ifndef REPORT_SECTIONS_H
#define REPORT_SECTIONS_H

#include <stdio.h>

#include "analyze/analyze.h"
#include "base/buf.h"
#include "base/json.h"
#include "model/model.h"
#include "report/columns.h"

/* Fewer tasks than this are shown without classes. */
#define CLASSES_FROM_TASKS 6
/* Lanes of the timeline; the busiest threads. */
#define LANES_MAX 200

/* Data: 0 or -errno. */
int section_tasks(const struct model *model, const struct analysis *analysis, FILE *out);
int section_classes(const struct model *model, FILE *out);
int section_timeline(const struct model *model, FILE *out);
int section_flows(const struct model *model, enum object_group group, FILE *out);

/* HTML. */
void part_quality(struct buf *buf, const struct analysis *analysis);
void part_verdict(struct buf *buf, const struct analysis *analysis);
void part_tiles(struct buf *buf, const struct analysis *analysis);
void part_sums(struct buf *buf, const struct analysis *analysis);
void part_top(struct buf *buf, const struct analysis *analysis);
void part_memory(struct buf *buf, const struct analysis *analysis);
void part_flows(struct buf *buf, const struct analysis *analysis);
void part_environment(struct buf *buf, const struct analysis *analysis);
void part_method(struct buf *buf, const struct analysis *analysis);
void part_counters(struct buf *buf, const struct analysis *analysis);

/*
 * What the page must know of a column beside its values: where its meaning stands in the schema,
 * or why it is not there. Adds { "name", "doc", "why" } to an open array.
 */
struct column_doc {
	const char *name;
	const char *path; /* of the schema's record "task"; NULL: `doc` says it */
	const char *doc;
	enum model_cap cap; /* where there is no path */
};
/* Adds the description; false when the recording has no values for the column. */
bool column__describe(struct json *json, const struct model *model, const struct column_doc *doc);

/*
 * A percentile needs entries beyond it, or it is the maximum under another name: p50 from 6 entries
 * on, p90 from 10, p99 from 100. COLUMN_NULL otherwise: the page says "n too small".
 */
int64_t known_percentile(const struct hist *hist, double share);

/* The parts of a duration histogram, as the columns of tasks and classes have them. */
enum hist_part {
	HIST_CNT,
	HIST_TOTAL,
	HIST_P50,
	HIST_P90,
	HIST_P99,
	HIST_MAX,
};
int64_t hist_part(const struct hist *hist, enum hist_part part);

#endif
