/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the chunks of a snapshot, hostile or damaged. Called by reader.c. */
#include "snapshot/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "snapshot/chunk.h"
#include "snapshot/column.h"

/*
 * A hostile file may have a valid chunk header every 48 bytes, each claiming 64 MiB of the same
 * bytes. An honest one is summed about once, twice where checkpoints overwrote each other.
 */
#define CRC_FACTOR 8

static struct chunk_ref *add_ref(struct image *image, uint64_t off, const struct asnap_chunk *hdr)
{
	struct chunk_ref *ref;

	if (array__reserve((void **)&image->refs, &image->ref_cap, image->ref_cnt + 1,
			   sizeof(*ref)))
		return NULL;
	ref = &image->refs[image->ref_cnt++];
	*ref = (struct chunk_ref){.off = off, .hdr = *hdr};
	return ref;
}

/* A chunk header at `off` that proves itself and is of this file. */
static bool hdr_at(struct image *image, uint64_t off, struct asnap_chunk *hdr)
{
	if (image->sz < sizeof(*hdr) || off > image->sz - sizeof(*hdr))
		return false;
	memcpy(hdr, image->data + off, sizeof(*hdr));
	return asnap_chunk__ok(hdr) && (!image->has_tag || hdr->tag == image->tag);
}

static enum chunk_verdict verdict_at(struct image *image, uint64_t off,
				     const struct asnap_chunk *hdr)
{
	uint64_t payload = off + sizeof(*hdr);

	if (hdr->stored_sz > image->sz - payload)
		return CHUNK_CUT;
	if (hdr->stored_sz > image->crc_left)
		return CHUNK_BAD_CRC;
	image->crc_left -= hdr->stored_sz;
	if (snapshot_crc(image->data + payload, hdr->stored_sz) != hdr->payload_crc)
		return CHUNK_BAD_CRC;
	return CHUNK_OK;
}

/* The chunks that the TOC lists, in file order and apart from each other, and the TOC itself. */
static int add_listed(struct image *image, const struct column_ref *offs, uint64_t toc_off)
{
	uint64_t *vals = malloc((offs->cnt + 1) * sizeof(*vals));
	uint64_t end = sizeof(struct asnap_hdr);
	int err = vals ? column__get_ints(offs, vals, offs->cnt) : -ENOMEM;

	for (uint32_t i = 0; !err && i <= offs->cnt; i++) {
		uint64_t off = i < offs->cnt ? vals[i] : toc_off;
		struct asnap_chunk hdr;

		if (off < end || !hdr_at(image, off, &hdr) ||
		    verdict_at(image, off, &hdr) != CHUNK_OK)
			err = -EINVAL;
		else if (!add_ref(image, off, &hdr))
			err = -ENOMEM;
		else
			end = off + sizeof(hdr) + hdr.stored_sz;
	}
	free(vals);
	return err;
}

/* -EINVAL when any part of the way footer -> TOC -> chunks does not prove itself. */
static int find_by_toc(struct image *image)
{
	const struct column_ref *offs;
	struct column_dir *dir = NULL;
	struct asnap_footer footer;
	struct asnap_chunk toc;
	uint8_t *raw = NULL;
	int err = -EINVAL;

	if (image->sz < sizeof(struct asnap_hdr) + sizeof(footer))
		return -EINVAL;
	memcpy(&footer, image->data + image->sz - sizeof(footer), sizeof(footer));
	if (!asnap_footer__ok(&footer) || !hdr_at(image, footer.toc_off, &toc) ||
	    toc.fourcc != CHUNK_TOC || toc.version != CHUNK_VERSION ||
	    toc.stored_sz != image->sz - sizeof(footer) - sizeof(toc) - footer.toc_off ||
	    verdict_at(image, footer.toc_off, &toc) != CHUNK_OK)
		return -EINVAL;
	dir = malloc(sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	err = asnap_chunk__unpack(&toc, image->data + footer.toc_off + sizeof(toc), &raw);
	if (err)
		goto cleanup;
	err = column_dir__parse(dir, raw, toc.raw_sz);
	if (err)
		goto cleanup;
	offs = column_dir__find(dir, "off");
	err = offs ? add_listed(image, offs, footer.toc_off) : -EINVAL;

cleanup:
	free(raw);
	free(dir);
	return err;
}

static int find_by_scan(struct image *image)
{
	uint64_t off = sizeof(struct asnap_hdr);

	while (off < image->sz) {
		const uint8_t *at = memmem(image->data + off, image->sz - off, ASNAP_CHUNK, 8);
		struct asnap_chunk hdr;
		struct chunk_ref *ref;

		if (!at)
			return 0;
		off = (uint64_t)(at - image->data);
		if (!hdr_at(image, off, &hdr)) {
			off++;
			continue;
		}
		ref = add_ref(image, off, &hdr);
		if (!ref)
			return -ENOMEM;
		ref->verdict = verdict_at(image, off, &hdr);
		if (!image->has_tag && ref->verdict == CHUNK_OK) {
			image->tag = hdr.tag;
			image->has_tag = true;
		}
		/* Within a chunk that was overwritten there may be newer ones. */
		off += sizeof(hdr) + (ref->verdict == CHUNK_OK ? hdr.stored_sz : 0);
	}
	return 0;
}

static uint64_t bytes_bad(const struct image *image)
{
	uint64_t good = image->hdr_ok ? sizeof(image->hdr) : 0;

	for (size_t i = 0; i < image->ref_cnt; i++)
		if (chunk_ref__intact(&image->refs[i]))
			good += sizeof(struct asnap_chunk) + image->refs[i].hdr.stored_sz;
	if (image->toc_ok)
		good += sizeof(struct asnap_footer);
	return image->sz - good;
}

int image__find(struct image *image, const void *data, size_t sz)
{
	int err;

	*image = (struct image){.data = data, .sz = sz, .crc_left = CRC_FACTOR * (uint64_t)sz};
	memcpy(&image->hdr, data, sizeof(image->hdr));
	image->hdr_ok = asnap_hdr__ok(&image->hdr);
	if (image->hdr_ok) {
		image->tag = snapshot_crc(image->hdr.uuid, sizeof(image->hdr.uuid));
		image->has_tag = true;
	}
	err = find_by_toc(image);
	image->toc_ok = !err;
	if (err == -EINVAL) {
		image->ref_cnt = 0;
		err = find_by_scan(image);
	}
	image->bytes_bad = bytes_bad(image);
	return err;
}

void image__free(struct image *image)
{
	free(image->refs);
	memset(image, 0, sizeof(*image));
}

const char *chunk_verdict_name(enum chunk_verdict verdict)
{
	static const char *const names[] = {
		[CHUNK_OK] = "ok",
		[CHUNK_CUT] = "cut off",
		[CHUNK_BAD_CRC] = "damaged",
		[CHUNK_UNKNOWN] = "not known",
		[CHUNK_CONTENT] = "impossible content",
	};

	return names[verdict];
}
