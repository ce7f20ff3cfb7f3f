/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines without their secrets, for target/ and its tests. */
#ifndef TARGET_MASK_H
#define TARGET_MASK_H

#include <stddef.h>

/* NUL-separated arguments, as /proc/PID/cmdline has them (and a NUL at args[sz]), joined by spaces, with "***" in place of
 * what looks like a secret, cleaned to printable text. malloc'ed, or NULL when memory ran out. */
char *target_mask_cmdline(const char *args, size_t sz);

#endif
