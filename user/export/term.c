/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cleaning, measuring, cutting and wrapping of text for terminals. Called by summary.c. */
#include "export/term.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT 0xfffd

/* Decodes one character: its length in bytes; anything malformed is one byte and REPLACEMENT. */
static size_t decode(const char *text, uint32_t *cp)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	*cp = REPLACEMENT;
	if (len == 1)
		*cp = s[0];
	if (len < 2 || s[0] > 0xf4)
		return 1;
	*cp = s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*cp = REPLACEMENT;
			return 1;
		}
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000)) {
		*cp = REPLACEMENT;
		return 1;
	}
	return len;
}

struct range {
	uint32_t from, to;
};

static bool within(const struct range *ranges, size_t cnt, uint32_t cp)
{
	for (size_t i = 0; i < cnt; i++) {
		if (cp >= ranges[i].from && cp <= ranges[i].to)
			return true;
	}
	return false;
}

/* What drives a terminal, is invisible, turns the direction of text or joins its neighbour. */
static bool is_unsafe(uint32_t cp)
{
	static const struct range ranges[] = {
		{0, 0x1f},           {0x7f, 0x9f},     {0xad, 0xad},     {0x300, 0x36f},
		{0x483, 0x489},      {0x591, 0x5bd},   {0x610, 0x61c},   {0x64b, 0x65f},
		{0x115f, 0x1160},    {0x180b, 0x180f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
		{0x200b, 0x200f},    {0x2028, 0x202e}, {0x2060, 0x206f}, {0x20d0, 0x20ff},
		{0x3164, 0x3164},    {0xe000, 0xf8ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
		{0xfeff, 0xfeff},    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a},
		{0xe0000, 0x10ffff},
	};

	return within(ranges, sizeof(ranges) / sizeof(ranges[0]), cp);
}

static size_t char_cols(uint32_t cp)
{
	static const struct range wide[] = {
		{0x1100, 0x115e},   {0x231a, 0x231b},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f680, 0x1faff}, {0x20000, 0x3fffd},
	};

	return within(wide, sizeof(wide) / sizeof(wide[0]), cp) ? 2 : 1;
}

void term__text(struct buf *buf, const char *text, bool ascii)
{
	while (*text) {
		uint32_t cp;
		size_t len = decode(text, &cp);

		if (cp == REPLACEMENT || is_unsafe(cp) || (ascii && cp >= 0x80))
			buf__add(buf, "?", 1);
		else
			buf__add(buf, text, len);
		text += len;
	}
}

size_t term__cols(const char *text)
{
	size_t cols = 0;

	while (*text) {
		uint32_t cp;

		text += decode(text, &cp);
		cols += char_cols(cp);
	}
	return cols;
}

/* The bytes of cleaned text that fit into `cols` columns; *taken: the columns they take. */
static size_t fitting(const char *text, size_t cols, size_t *taken)
{
	const char *at = text;

	*taken = 0;
	while (*at) {
		uint32_t cp;
		size_t len = decode(at, &cp);

		if (*taken + char_cols(cp) > cols)
			break;
		*taken += char_cols(cp);
		at += len;
	}
	return (size_t)(at - text);
}

static void pad(struct buf *buf, size_t cols)
{
	while (cols--)
		buf__add(buf, " ", 1);
}

void term__cell(struct buf *buf, const char *text, size_t cols, bool right, bool ascii)
{
	struct buf clean = {};
	size_t sz, taken;

	term__text(&clean, text, ascii);
	sz = fitting(buf__str(&clean), cols, &taken);
	if (sz < clean.sz && cols > 1) {
		sz = fitting(buf__str(&clean), cols - 1, &taken);
		buf__add(buf, buf__str(&clean), sz);
		buf__puts(buf, ascii ? "~" : "\u2026");
		pad(buf, cols - taken - 1);
	} else {
		if (right)
			pad(buf, cols - taken);
		buf__add(buf, buf__str(&clean), sz);
		if (!right)
			pad(buf, cols - taken);
	}
	buf__free(&clean);
}

void term__tail_cell(struct buf *buf, const char *text, size_t cols, bool ascii)
{
	struct buf clean = {};
	const char *at;
	size_t left;

	term__text(&clean, text, ascii);
	at = buf__str(&clean);
	left = term__cols(at);
	if (left > cols && cols > 1) {
		while (*at && left > cols - 1) {
			uint32_t cp;

			at += decode(at, &cp);
			left -= char_cols(cp);
		}
		buf__puts(buf, ascii ? "~" : "\u2026");
		left++;
	}
	buf__puts(buf, at);
	pad(buf, cols > left ? cols - left : 0);
	buf__free(&clean);
}

/* Whether a line may end at this blank: "1.00 s" stays together. */
static bool breaks_at(const char *text, size_t at)
{
	return text[at] == ' ' && !(at && text[at - 1] >= '0' && text[at - 1] <= '9' &&
				    text[at + 1] >= 'a' && text[at + 1] <= 'z');
}

/* The length of the next line: up to the last blank that fits, else as much as fits. */
static size_t line_sz(const char *text, size_t cols)
{
	size_t taken, sz = fitting(text, cols, &taken), cut = sz;

	if (!text[sz])
		return sz;
	while (cut && !breaks_at(text, cut))
		cut--;
	if (cut)
		return cut;
	return sz ? sz : 1;
}

void term__wrap(struct buf *buf, const char *text, size_t cols, size_t indent, size_t used,
		bool ascii)
{
	struct buf clean = {};
	const char *at;

	term__text(&clean, text, ascii);
	if (cols < indent + 10)
		cols = indent + 10;
	if (used > cols - 10)
		used = cols - 10;
	for (at = buf__str(&clean); *at;) {
		size_t sz = line_sz(at, cols - used);

		buf__add(buf, at, sz);
		for (at += sz; *at == ' '; at++)
			;
		if (!*at)
			break;
		buf__add(buf, "\n", 1);
		pad(buf, indent);
		used = indent;
	}
	buf__add(buf, "\n", 1);
	buf__free(&clean);
}
