/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTML text into a buffer. Everything that is not this program's own text goes through here: names,
 * paths and command lines are written by somebody who may want the reader's browser. Used by all
 * the parts that write HTML.
 */
#ifndef REPORT_MARKUP_H
#define REPORT_MARKUP_H

#include <stdint.h>

#include "base/buf.h"
#include "model/model.h"

/* & < > " ' escaped; what is not UTF-8, control characters, and those that turn the
 * direction of text become U+FFFD. */
void markup__text(struct buf *buf, const char *str);
/* The same for a string of the model; "unknown" (dimmed) when it is empty. */
void markup__id_or_unknown(struct buf *buf, const struct model *model, uint32_t id);
void markup__or_unknown(struct buf *buf, const char *str);
/* A path or an address, isolated; one of more than `max` characters is shortened in the middle, with
 * the whole of it in the title. "unknown" when it is empty. */
void markup__middle(struct buf *buf, const char *str, size_t max);
/* A number that nobody measured: the words, with the reason as text for everyone (title and
 * hidden text), so that it can never be read as 0. */
void markup__missing(struct buf *buf, const char *why);
/* "tid:seq" */
void markup__task_id(struct buf *buf, uint64_t id);
/* 1,234,567 */
void markup__count(struct buf *buf, uint64_t cnt);
/* A share of 1 as "41%" or "0.8%". */
void markup__percent(struct buf *buf, double share);

/* The states that a bar or the timeline shows, in their order. */
struct bar_part {
	enum wire_counter counter;
	const char *key; /* the CSS class s-KEY and the page's column */
	const char *label; /* for people */
};
#define BAR_PART_CNT 8
extern const struct bar_part bar_parts[BAR_PART_CNT];

/* A stacked bar as SVG: widths in attributes, as the CSP forbids style="". `of` is the full width;
 * `label` says the same in words. */
void markup__bar(struct buf *buf, const int64_t *counters, int64_t of);
/* What of a task's time is not idle. */
int64_t busy_ns(const int64_t *counters);
int64_t accounted_ns(const int64_t *counters);

#endif
