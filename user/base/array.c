/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing plain arrays; used by whoever keeps items, cnt and cap in a struct. */
#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define MIN_CAP 4

int array__reserve(void **items, size_t *cap, size_t need, size_t elem_sz)
{
	size_t new_cap;
	void *grown;

	if (need <= *cap)
		return 0;
	/* Half as much again: big arrays (the timeline) would waste too much by doubling. */
	new_cap = *cap + *cap / 2;
	if (new_cap < need)
		new_cap = need;
	if (new_cap < MIN_CAP)
		new_cap = MIN_CAP;
	if (elem_sz && new_cap > SIZE_MAX / elem_sz)
		return -ENOMEM;
	grown = realloc(*items, new_cap * elem_sz);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*cap = new_cap;
	return 0;
}
