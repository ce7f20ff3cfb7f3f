/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing plain arrays: `items`, `cnt` and `cap` beside each other in the owner's struct. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/* Makes room for `need` elements of `elem_sz` bytes; 0 or -ENOMEM. New room is not cleared. */
int array__reserve(void **items, size_t *cap, size_t need, size_t elem_sz);

#endif
