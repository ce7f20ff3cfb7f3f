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
/* Who holds memory and where it was allocated, if it was looked at; 0 or -ENOMEM. */
int summary__heap(struct summary *summary);
/* Short numbers for a narrow column: "12.3ms", "12.3k", "1.20G". */
void summary__ns(struct buf *buf, int64_t ns);
void summary__count(struct buf *buf, uint64_t cnt);
void summary__bytes(struct buf *buf, uint64_t bytes);

#endif
