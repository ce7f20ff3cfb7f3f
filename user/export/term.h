/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for a terminal from names that somebody hostile may have chosen: no control character, no
 * escape sequence, nothing that turns or hides text; and columns that stay aligned. Private to
 * export/.
 */
#ifndef EXPORT_TERM_H
#define EXPORT_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Adds the text, cleaned; with `ascii` every other character becomes "?". */
void term__text(struct buf *buf, const char *text, bool ascii);
/* Columns that cleaned text takes. */
size_t term__cols(const char *text);
/* The text in exactly `cols` columns: cut with an ellipsis, or padded left or right. */
void term__cell(struct buf *buf, const char *text, size_t cols, bool right, bool ascii);
/* The same, but what does not fit is cut at the left: of a path the end tells more. */
void term__tail_cell(struct buf *buf, const char *text, size_t cols, bool ascii);
/* The text in lines of at most `cols` columns; lines after the first begin with `indent` blanks,
 * and the first one has `used` columns taken already. Ends with a newline. */
void term__wrap(struct buf *buf, const char *text, size_t cols, size_t indent, size_t used,
		bool ascii);

#endif
