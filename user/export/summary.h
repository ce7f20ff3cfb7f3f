/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the summary share. Private to export/. */
#ifndef EXPORT_SUMMARY_H
#define EXPORT_SUMMARY_H

#include "base/buf.h"
#include "export/export.h"

struct summary {
	const struct model *model;
	const struct analysis *analysis;
	struct export_options options; /* with the defaults filled in */
	struct buf buf;
};

/* "31", "0": an SGR number, when colours are wanted. */
void summary__colour(struct summary *summary, const char *colour);
/* The table of the costliest tasks; 0 or -ENOMEM. */
int summary__tasks(struct summary *summary);
/* Files and peers, if there were any; 0 or -ENOMEM. */
int summary__io(struct summary *summary);
/* A short time for a narrow column: "12.3ms". */
void summary__ns(struct buf *buf, int64_t ns);

#endif
