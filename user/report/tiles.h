/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tile of the overview: a label, a large value, a small note. Open, write the value, note, write
 * the note, end. Used by overview.c and traffic.c.
 */
#ifndef REPORT_TILES_H
#define REPORT_TILES_H

#include "analyze/analyze.h"
#include "base/buf.h"
#include "model/model.h"

/* Label and doc are this program's own text. */
void tile__open(struct buf *buf, const char *label, const char *doc);
void tile__note(struct buf *buf);
void tile__end(struct buf *buf);
/* The reason in place of a value; nothing for what was measured. */
void tile__unmeasured(struct buf *buf, const struct model *model, enum model_cap cap,
		      const char *label);

/* memory.c */
void tiles_memory(struct buf *buf, const struct analysis *analysis);
/* traffic.c */
void tiles_io(struct buf *buf, const struct analysis *analysis);
void tiles_network(struct buf *buf, const struct analysis *analysis);

#endif
