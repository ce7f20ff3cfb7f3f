/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A model becomes a group of chunks in memory (format.h). Called by writer.c, tests, the fuzzer. */
#ifndef SNAPSHOT_ENCODE_H
#define SNAPSHOT_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/model.h"

struct group_info {
	uint32_t tag; /* CRC32 of the file's uuid */
	uint32_t group; /* counts up within the file */
	bool is_final;
	int level; /* of zstd */
};

/* Appends the model as one group. 0 or -errno. */
int snapshot_encode(const struct model *model, const struct group_info *info, struct buf *out);
/* Appends TOC and footer for a group that begins at file offset `off` and is all that `out` holds. */
int snapshot_encode_toc(const struct group_info *info, uint64_t off, struct buf *out);

#endif
