/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The series of the recording (connections open, operations in flight) as small SVG charts with
 * their numbers in words. Used by the overview.
 */
#ifndef REPORT_CHARTS_H
#define REPORT_CHARTS_H

#include <stdint.h>

#include "base/buf.h"
#include "model/model.h"

struct series_stats {
	const struct sample *first; /* of cnt, by time */
	const struct sample *highest;
	size_t cnt; /* 0: no sample was taken, and nothing else holds */
	int64_t min, last;
};

struct series_stats series__stats(const struct model *model, enum model_series series);
/* The line alone, for a tile: everything in it must stand beside it in words. */
void chart__spark(struct buf *buf, const struct model *model, enum model_series series);
/* All series: a figure each, or the reason why there is none. */
void chart__all(struct buf *buf, const struct model *model);

#endif
