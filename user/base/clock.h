/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock that events carry. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t mono_ns(void);

#endif
