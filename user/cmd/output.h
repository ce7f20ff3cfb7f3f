/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -o asks for: each path's format by its suffix, checked before anything is recorded, written
 * to a temporary file beside it and renamed. Shared by record, report and export.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/analyze.h"
#include "cmd/options.h"
#include "export/export.h"
#include "model/model.h"
#include "report/report.h"
#include "snapshot/snapshot.h"

#define CHECKPOINT_NS 5000000000ULL

enum output_kind {
	OUTPUT_EXPORT, /* one of the exporters */
	OUTPUT_HTML,
	OUTPUT_SNAPSHOT,
};

struct output {
	const char *path; /* "-": stdout */
	enum output_kind kind;
	const struct exporter *exporter;
	struct snapshot_writer *writer; /* of a snapshot that is being recorded */
	bool checkpoint_failed;
};

struct outputs {
	struct output items[OUTPUT_MAX];
	int cnt;
	struct export_options export_options;
	struct report_options report_options;
	unsigned int width; /* of the summary; 0: the terminal's */
	bool quiet_summary; /* nothing on stdout but what -o - and --json ask for */
	bool json; /* NDJSON on stdout in place of the summary */
};

/* From record's options: suffixes known, directories writable. 0 or an exit code after one line
 * that names the path and the remedy. */
int outputs__check(struct outputs *outputs, const struct record_options *options);
/* One path, for report and export. The same returns. */
int outputs__add(struct outputs *outputs, const char *path);
/* The same with the exporter given, whatever the suffix; NULL: by the suffix. */
int outputs__add_as(struct outputs *outputs, const char *path, const struct exporter *exporter);
/* Opens the snapshots, so that checkpoints can be written. The same returns. */
int outputs__open(struct outputs *outputs);
/* A checkpoint into each open snapshot; a failure is told once. */
void outputs__checkpoint(struct outputs *outputs, const struct model *model);
/* Writes everything, then prints the summary (or NDJSON) on stdout and the paths on stderr. All
 * that can be written is written, the first failure decides the exit code. */
int outputs__write(struct outputs *outputs, const struct model *model,
		   const struct analysis *analysis);
void outputs__close(struct outputs *outputs);

/* The model in a snapshot, for report and export; NULL with the exit code after one line. */
struct model *load_snapshot(const char *path, int *ret);

#endif
