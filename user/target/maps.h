/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory map of a process, for target/ and its tests. */
#ifndef TARGET_MAPS_H
#define TARGET_MAPS_H

#include <stdio.h>

#include "target/target.h"

/* Parses the text of /proc/PID/maps: 0 or -errno; lines that are none are skipped. */
int target_maps__parse(FILE *in, struct target_map **maps, size_t *cnt, size_t *cap);
/* Reads the map of `pid`: 0 or -errno. */
int target_maps__read(pid_t pid, struct target_map **maps, size_t *cnt, size_t *cap);
void target_maps__free(struct target_map *maps, size_t cnt);

#endif
