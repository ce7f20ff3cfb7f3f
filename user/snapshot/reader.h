/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reading and inspecting share: a file's bytes, its chunks and their verdicts, its model. */
#ifndef SNAPSHOT_READER_H
#define SNAPSHOT_READER_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/image.h"
#include "snapshot/snapshot.h"

/* The whole of a regular file, for free(). 0 or -errno. */
int snapshot_slurp(const char *path, uint8_t **data, size_t *sz);
/* Fills image (valid, perhaps empty, also after an error; `data` must outlive it) and status. */
struct model *snapshot_load(const void *data, size_t sz, struct image *image,
			    struct snapshot_status *status);

#endif
