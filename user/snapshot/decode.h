/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chunks of one group become a model. Trusts nothing: the CRCs only say that nobody changed
 * the bytes by accident. Called by reader.c, chunk by chunk in the order of `seq`.
 */
#ifndef SNAPSHOT_DECODE_H
#define SNAPSHOT_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "snapshot/format.h"

struct decoder;

/* `file_sz` bounds what the model may take. `lossy`: chunks are missing, so that references may
 * lead nowhere. NULL when memory ran out. */
struct decoder *decoder__new(size_t file_sz, bool lossy);
void decoder__free(struct decoder *decoder);

/*
 * The payload's CRC has been checked. 0; -ENOTSUP: not known here, skip it; -EINVAL: impossible
 * content, at most some first edges of it were taken, and the group is lossy from here on; -ENOMEM.
 */
int decoder__chunk(struct decoder *decoder, const struct asnap_chunk *hdr, const uint8_t *payload);

struct group_facts {
	bool is_final;
	int64_t elapsed_ns;
	bool strings_lost;
	uint32_t table_cnt; /* chunks that told something of the recording itself */
};

/* Hands over the model; NULL when memory ran out. */
struct model *decoder__finish(struct decoder *decoder, struct group_facts *facts);

#endif
