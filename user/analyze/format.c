/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people: three digits and a unit. Called by the passes, the summary and the page. */
#include "analyze/analyze.h"

#include <inttypes.h>
#include <string.h>

#include "analyze/pass.h"

struct unit {
	double from; /* used for values that would round to this or more */
	double size;
	const char *name;
};

static const struct unit time_units[] = {
	{7200e9, 3600e9, "h"}, {600e9, 60e9, "min"}, {999.5e6, 1e9, "s"},
	{999.5e3, 1e6, "ms"},  {999.5, 1e3, "us"},   {0, 1, "ns"},
};

static const struct unit byte_units[] = {
	{1024.0 * 1024 * 1024 * 1024, 1024.0 * 1024 * 1024 * 1024, "TiB"},
	{1024.0 * 1024 * 1024, 1024.0 * 1024 * 1024, "GiB"},
	{1024.0 * 1024, 1024.0 * 1024, "MiB"},
	{1024, 1024, "KiB"},
	{0, 1, "B"},
};

static void format_units(struct buf *buf, const struct unit *unit, double val)
{
	double scaled;

	while (val < unit->from)
		unit++;
	scaled = val / unit->size;
	if (unit->size == 1 || scaled >= 99.95)
		buf__printf(buf, "%.0f %s", scaled, unit->name);
	else if (scaled >= 9.995)
		buf__printf(buf, "%.1f %s", scaled, unit->name);
	else
		buf__printf(buf, "%.2f %s", scaled, unit->name);
}

void format_ns(struct buf *buf, int64_t ns)
{
	if (ns == NO_TIME) {
		buf__puts(buf, "unknown");
		return;
	}
	if (ns < 0)
		buf__puts(buf, "-");
	if (!ns)
		buf__puts(buf, "0 s");
	else
		format_units(buf, time_units, ns < 0 ? -(double)ns : (double)ns);
}

void format_bytes(struct buf *buf, uint64_t bytes)
{
	format_units(buf, byte_units, (double)bytes);
}

const char *ns_text(char buf[NS_TEXT_SZ], int64_t ns)
{
	struct buf text = {};

	format_ns(&text, ns);
	strncpy(buf, buf__str(&text), NS_TEXT_SZ - 1);
	buf[NS_TEXT_SZ - 1] = '\0';
	buf__free(&text);
	return buf;
}

double percent(double part, double whole)
{
	return whole > 0 ? part / whole * 100 : 0;
}
