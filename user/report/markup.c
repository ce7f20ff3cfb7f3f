/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Escaped text, numbers for people and the stacked bar. See markup.h. */
#include "report/markup.h"

#include <stdio.h>

#include "analyze/analyze.h"

const struct bar_part bar_parts[BAR_PART_CNT] = {
	{COUNTER_ON_CPU, "run", "running"},
	{COUNTER_RUNQUEUE, "runq", "waiting for a CPU"},
	{COUNTER_BLOCKED_DISK, "disk", "disk"},
	{COUNTER_BLOCKED_NET, "net", "network"},
	{COUNTER_BLOCKED_LOCK, "lock", "lock"},
	{COUNTER_BLOCKED_TIMER, "timer", "timer"},
	{COUNTER_BLOCKED_OTHER, "other", "other wait"},
	{COUNTER_IDLE, "idle", "idle"},
};

#define REPLACEMENT "\xef\xbf\xbd"

/* The length of the UTF-8 sequence at `at`, 0 when it is none (RFC 3629: no surrogates, nothing
 * overlong, nothing above U+10FFFF). The NUL at the end stops every sequence that is cut. */
static size_t sequence_len(const unsigned char *at)
{
	size_t len = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : 4;
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;

	if (len == 1)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	code = at[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < lowest[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}

static const char *escape_of(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f ? REPLACEMENT : NULL;
}

/* Characters that turn the direction of the text around them (U+202A..E, U+2066..9): a name could
 * make the line that it stands in read differently. */
static bool turns_text(const unsigned char *at, size_t len)
{
	return len == 3 && at[0] == 0xe2 &&
	       ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
		(at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

void markup__text(struct buf *buf, const char *str)
{
	const unsigned char *at = (const unsigned char *)(str ? str : "");

	while (*at) {
		size_t len = sequence_len(at);
		const char *escape = NULL;

		if (len == 1)
			escape = escape_of(*at);
		else if (!len || turns_text(at, len))
			escape = REPLACEMENT;
		if (escape)
			buf__puts(buf, escape);
		else
			buf__add(buf, at, len);
		at += len ? len : 1;
	}
}

/* What stands between two places is left out; a sequence is never cut. */
static void piece(struct buf *buf, const char *from, const char *to)
{
	struct buf copy = {0};

	buf__add(&copy, from, to - from);
	markup__text(buf, buf__str(&copy));
	if (copy.err)
		buf->err = copy.err;
	buf__free(&copy);
}

static const char *skip_chars(const char *at, size_t cnt)
{
	for (; cnt && *at; cnt--) {
		size_t len = sequence_len((const unsigned char *)at);

		at += len ? len : 1;
	}
	return at;
}

void markup__middle(struct buf *buf, const char *str, size_t max)
{
	const char *at = str;
	size_t cnt = 0, head = max / 2;

	if (!*str) {
		markup__or_unknown(buf, str);
		return;
	}
	for (; *at; at = skip_chars(at, 1))
		cnt++;
	buf__puts(buf, "<bdi title=\"");
	markup__text(buf, str);
	buf__puts(buf, "\">");
	if (cnt <= max) {
		markup__text(buf, str);
	} else {
		piece(buf, str, skip_chars(str, head));
		buf__puts(buf, "\xe2\x80\xa6");
		markup__text(buf, skip_chars(str, cnt - (max - head - 1)));
	}
	buf__puts(buf, "</bdi>");
}

void markup__id_or_unknown(struct buf *buf, const struct model *model, uint32_t id)
{
	markup__or_unknown(buf, model__str(model, id));
}

void markup__or_unknown(struct buf *buf, const char *str)
{
	if (*str)
		markup__text(buf, str);
	else
		buf__puts(buf, "<span class=\"missing\">unknown</span>");
}

void markup__missing(struct buf *buf, const char *why)
{
	buf__puts(buf, "<span class=\"missing\" title=\"");
	markup__text(buf, why);
	buf__puts(buf, "\">not measured<span class=\"sr\">: ");
	markup__text(buf, why);
	buf__puts(buf, "</span></span>");
}

void markup__task_id(struct buf *buf, uint64_t id)
{
	buf__printf(buf, "%u:%u", (unsigned int)(id >> 32), (unsigned int)id);
}

void markup__count(struct buf *buf, uint64_t cnt)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)cnt);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf__puts(buf, ",");
		buf__add(buf, digits + i, 1);
	}
}

void markup__percent(struct buf *buf, double share)
{
	double percent = share * 100;

	buf__printf(buf, percent > 0 && percent < 9.95 ? "%.1f%%" : "%.0f%%", percent);
}

/* A snapshot may hold any number: sums stop at the end of the range instead of wrapping. */
static int64_t sum_of(const int64_t *counters, int cnt)
{
	int64_t sum = 0;

	for (int i = 0; i < cnt; i++)
		if (__builtin_add_overflow(sum, counters[bar_parts[i].counter], &sum))
			return INT64_MAX;
	return sum;
}

int64_t busy_ns(const int64_t *counters)
{
	return sum_of(counters, BAR_PART_CNT - 1); /* idle is the last one */
}

int64_t accounted_ns(const int64_t *counters)
{
	return sum_of(counters, BAR_PART_CNT);
}

/* What a screen reader says instead of the bar: the two or three largest parts. */
static void bar_label(struct buf *buf, const int64_t *counters, double of)
{
	bool any = false;

	for (int i = 0; i < BAR_PART_CNT; i++) {
		int64_t ns = counters[bar_parts[i].counter];

		if (ns <= 0 || ns / of < 0.01)
			continue;
		buf__printf(buf, "%s%s ", any ? ", " : "", bar_parts[i].label);
		markup__percent(buf, ns / of);
		any = true;
	}
	if (!any)
		buf__puts(buf, "nothing was charged");
}

void markup__bar(struct buf *buf, const int64_t *counters, int64_t of)
{
	int64_t sum = accounted_ns(counters);
	double x = 0, full = of > sum ? of : sum > 0 ? sum : 1;

	buf__puts(buf, "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\""
		       " role=\"img\" aria-label=\"");
	bar_label(buf, counters, full);
	buf__puts(buf, "\">");
	for (int i = 0; i < BAR_PART_CNT; i++) {
		double width = counters[bar_parts[i].counter] * 1000.0 / full;

		if (width < 0.5)
			continue;
		buf__printf(buf, "<rect class=\"s-%s\" x=\"%.1f\" width=\"%.1f\" height=\"10\"/>",
			    bar_parts[i].key, x, width);
		x += width;
	}
	buf__puts(buf, "</svg>");
}
