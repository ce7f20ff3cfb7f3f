/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See clock.h; used by live/ and cmd/. */
#include "base/clock.h"

#include <time.h>

uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}
