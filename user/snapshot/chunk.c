/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunks and CRCs, for both directions. */
#include "snapshot/chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

uint32_t snapshot_crc(const void *data, size_t sz)
{
	return (uint32_t)crc32_z(0, data, sz);
}

void asnap_hdr__seal(struct asnap_hdr *hdr)
{
	hdr->crc = snapshot_crc(hdr, offsetof(struct asnap_hdr, crc));
}

void asnap_chunk__seal(struct asnap_chunk *chunk)
{
	chunk->crc = snapshot_crc(chunk, offsetof(struct asnap_chunk, crc));
}

void asnap_footer__seal(struct asnap_footer *footer)
{
	footer->crc = snapshot_crc(footer, offsetof(struct asnap_footer, crc));
}

bool asnap_hdr__ok(const struct asnap_hdr *hdr)
{
	return !memcmp(hdr->magic, ASNAP_MAGIC, sizeof(hdr->magic)) &&
	       hdr->crc == snapshot_crc(hdr, offsetof(struct asnap_hdr, crc));
}

bool asnap_chunk__ok(const struct asnap_chunk *chunk)
{
	return !memcmp(chunk->magic, ASNAP_CHUNK, sizeof(chunk->magic)) &&
	       chunk->crc == snapshot_crc(chunk, offsetof(struct asnap_chunk, crc)) &&
	       chunk->raw_sz <= CHUNK_RAW_MAX && chunk->stored_sz <= CHUNK_RAW_MAX &&
	       chunk->rows <= CHUNK_ROWS_MAX;
}

bool asnap_footer__ok(const struct asnap_footer *footer)
{
	return !memcmp(footer->magic, ASNAP_END, sizeof(footer->magic)) &&
	       footer->crc == snapshot_crc(footer, offsetof(struct asnap_footer, crc));
}

int asnap_chunk__pack(struct asnap_chunk *chunk, ZSTD_CCtx *zstd, const struct buf *raw,
		      struct buf *out)
{
	const void *payload = buf__str(raw);
	void *packed = NULL;
	size_t sz = raw->sz;

	if (raw->err || raw->sz > CHUNK_RAW_MAX)
		return raw->err ? raw->err : -E2BIG;
	if (zstd && raw->sz) {
		/* Room for less than the raw size: what does not shrink is stored as it is. */
		packed = malloc(raw->sz);
		if (!packed)
			return -ENOMEM;
		sz = ZSTD_compress2(zstd, packed, raw->sz - 1, raw->data, raw->sz);
		if (ZSTD_isError(sz))
			sz = raw->sz;
		else
			payload = packed;
	}
	memcpy(chunk->magic, ASNAP_CHUNK, sizeof(chunk->magic));
	chunk->version = CHUNK_VERSION;
	chunk->codec = payload == packed ? CODEC_ZSTD : CODEC_NONE;
	chunk->stored_sz = (uint32_t)sz;
	chunk->raw_sz = (uint32_t)raw->sz;
	chunk->payload_crc = snapshot_crc(payload, sz);
	asnap_chunk__seal(chunk);
	buf__add(out, chunk, sizeof(*chunk));
	buf__add(out, payload, sz);
	free(packed);
	return out->err;
}

int asnap_chunk__unpack(const struct asnap_chunk *chunk, const uint8_t *payload, uint8_t **raw)
{
	bool is_good;

	if (chunk->codec == CODEC_NONE && chunk->stored_sz != chunk->raw_sz)
		return -EINVAL;
	*raw = malloc(chunk->raw_sz + 1u);
	if (!*raw)
		return -ENOMEM;
	if (chunk->codec == CODEC_NONE) {
		memcpy(*raw, payload, chunk->raw_sz);
		return 0;
	}
	is_good = chunk->codec == CODEC_ZSTD &&
		  ZSTD_decompress(*raw, chunk->raw_sz, payload, chunk->stored_sz) == chunk->raw_sz;
	if (is_good)
		return 0;
	free(*raw);
	*raw = NULL;
	return -EINVAL;
}
