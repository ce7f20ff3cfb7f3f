/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunks and CRCs: packing for encode.c and writer.c, checking and unpacking for image.c, decode.c. */
#ifndef SNAPSHOT_CHUNK_H
#define SNAPSHOT_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zstd.h>

#include "base/buf.h"
#include "snapshot/format.h"

uint32_t snapshot_crc(const void *data, size_t sz);

void asnap_hdr__seal(struct asnap_hdr *hdr);
void asnap_chunk__seal(struct asnap_chunk *chunk);
void asnap_footer__seal(struct asnap_footer *footer);
/* Whether the magic and the CRC are right; for a chunk, also whether its sizes are possible. */
bool asnap_hdr__ok(const struct asnap_hdr *hdr);
bool asnap_chunk__ok(const struct asnap_chunk *chunk);
bool asnap_footer__ok(const struct asnap_footer *footer);

/* Appends header and payload. `chunk` says fourcc, flags, group, seq, rows, tag; the rest is filled
 * in. `zstd` may be NULL: stored as it is. 0 or -errno. */
int asnap_chunk__pack(struct asnap_chunk *chunk, ZSTD_CCtx *zstd, const struct buf *raw,
		      struct buf *out);
/* The payload unpacked, raw_sz bytes for free(). `payload` has stored_sz bytes, CRC checked.
 * 0, -EINVAL or -ENOMEM. */
int asnap_chunk__unpack(const struct asnap_chunk *chunk, const uint8_t *payload, uint8_t **raw);

#endif
