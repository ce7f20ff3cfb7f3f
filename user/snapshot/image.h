/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot's bytes and the chunks found in them: by footer and TOC, else by scanning for what
 * proves itself. Knows nothing of what the chunks say. Used by reader.c and inspect.c.
 */
#ifndef SNAPSHOT_IMAGE_H
#define SNAPSHOT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/format.h"

enum chunk_verdict {
	CHUNK_OK,
	CHUNK_CUT, /* reaches beyond the end of the file */
	CHUNK_BAD_CRC, /* the payload is not what was written */
	CHUNK_UNKNOWN, /* intact, of a kind or version that is not known here */
	CHUNK_CONTENT, /* intact, but what it says is impossible */
};

struct chunk_ref {
	uint64_t off;
	struct asnap_chunk hdr;
	enum chunk_verdict verdict;
	bool is_used; /* of the group that was read */
};

struct image {
	const uint8_t *data;
	size_t sz;
	struct asnap_hdr hdr;
	bool hdr_ok;
	bool toc_ok; /* footer, TOC and every chunk in it prove themselves */
	uint32_t tag; /* of this file's chunks, when has_tag */
	bool has_tag;
	struct chunk_ref *refs; /* in file order */
	size_t ref_cnt, ref_cap;
	uint64_t bytes_bad; /* that nothing proves */
	uint64_t crc_left; /* scanning: bytes that may still be summed */
};

/* `data` must outlive the image and begin with a whole header. 0 or -ENOMEM. */
int image__find(struct image *image, const void *data, size_t sz);
void image__free(struct image *image);
static inline bool chunk_ref__intact(const struct chunk_ref *ref)
{
	return ref->verdict != CHUNK_CUT && ref->verdict != CHUNK_BAD_CRC;
}
const char *chunk_verdict_name(enum chunk_verdict verdict);

#endif
