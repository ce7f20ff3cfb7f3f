/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The charts of how long blocks live. Used by memory.c. */
#ifndef REPORT_LIFETIMES_H
#define REPORT_LIFETIMES_H

#include "analyze/analyze.h"
#include "base/buf.h"

void part_lifetimes(struct buf *buf, const struct analysis *analysis);

#endif
