/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of an .asnap, version 1.2. Only user/snapshot includes this; tests and the fuzzer do
 * to build broken files. All numbers are little-endian, offsets count from the file's beginning.
 *
 *   header (64)  group  [group ...]  TOC chunk  footer (32)
 *
 * A *group* is one whole model: the chunks BEGN, ENUM, STRS, META, CAPS, RTIM, CNTR, CLAS, TASK,
 * EDGE, SLIC, OBJT, USES, LINK, SMPL, BACK, ENDG, with `seq` 0, 1, 2 ... and one group number. A
 * table with many rows takes several chunks. A group counts as complete when ENDG and every seq below it prove themselves.
 *
 * While recording, checkpoints are groups that take turns: the next one goes to the front when it
 * fits before the last complete one, else behind that. The last complete checkpoint is never
 * touched, and the file stays below three times the model. Finishing puts the final group to the
 * front (by way of a copy behind, where it would overwrite the last checkpoint), adds TOC and
 * footer, cuts the rest off and clears HDR_INCOMPLETE: a finished file has no gaps.
 *
 * A *chunk* is a 48-byte header and its payload, stored as it is or as one zstd frame. The
 * unpacked payload is a list of columns until its end:
 *
 *   u8 name_sz, name, u8 encoding, u32 cnt, u32 sz, then `sz` bytes
 *
 *   ENC_BYTES  names: each with its NUL, `cnt` of them; or for "text" the string table, cnt 1
 *   ENC_PLAIN  u8 width (0..8), u64 base, u64 0; then `width` planes of cnt bytes: plane k has
 *              byte k of (value - base) of all rows. Width 0: all values are base.
 *   ENC_DELTA  the same over the differences: value[0] = the second u64, value[i] =
 *              value[i-1] + base + plane bytes
 *
 * All arithmetic is modulo 2^64; signed values are two's complement. A column whose rows all have
 * the value for "missing" (0, or NO_TIME for what can be unmeasured) is not written. Lists (the
 * buckets of histograms) are three columns: NAME.n has the length per row, NAME.idx and
 * NAME.buckets have all items behind each other.
 *
 * Compatibility. Columns go by name, so a field that came later reads as missing from an older
 * file and is skipped by an older reader; counters are "c." and their name. Enum values go through
 * ENUM, which names each value of the file; rows of a kind of edge, an operation or a series that the
 * reader does not know are left out. OBJT, USES, LINK and SMPL came with 1.1; BACK, what tasks hold
 * ("heap.") and the shares and weights of capabilities, which are doubles by their bits, with 1.2.
 * Flag bits are one column each. Strings are offsets into STRS. An unknown chunk is skipped unless it is critical; an unknown version of a known
 * chunk counts as unknown. A minor version only adds; a newer major version is refused.
 *
 * Damage. Each header, payload and footer has its zlib CRC32. `tag` ties a chunk to its file, so
 * that a stale block of another snapshot, left by a crash, is not taken. Reading goes footer -> TOC
 * -> chunks; when any of these does not prove itself, the whole file is scanned for chunks and the
 * newest complete group is taken, else the fullest of the incomplete ones.
 */
#ifndef SNAPSHOT_FORMAT_H
#define SNAPSHOT_FORMAT_H

#include <stdint.h>

#define ASNAP_MAGIC                                                                                \
	"\x89"                                                                                     \
	"ASNAP\r\n"
#define ASNAP_CHUNK                                                                                \
	"\x89"                                                                                     \
	"chunk\r\n"
#define ASNAP_END   "ASNAPEND"
#define ASNAP_MAJOR 1
#define ASNAP_MINOR 2

#define FOURCC(a, b, c, d)                                                                         \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

#define CHUNK_BEGIN    FOURCC('B', 'E', 'G', 'N')
#define CHUNK_ENUMS    FOURCC('E', 'N', 'U', 'M')
#define CHUNK_STRINGS  FOURCC('S', 'T', 'R', 'S')
#define CHUNK_META     FOURCC('M', 'E', 'T', 'A')
#define CHUNK_CAPS     FOURCC('C', 'A', 'P', 'S')
#define CHUNK_RUNTIMES FOURCC('R', 'T', 'I', 'M')
#define CHUNK_COUNTERS FOURCC('C', 'N', 'T', 'R')
#define CHUNK_CLASSES  FOURCC('C', 'L', 'A', 'S')
#define CHUNK_TASKS    FOURCC('T', 'A', 'S', 'K')
#define CHUNK_EDGES    FOURCC('E', 'D', 'G', 'E')
#define CHUNK_SLICES   FOURCC('S', 'L', 'I', 'C')
#define CHUNK_OBJECTS  FOURCC('O', 'B', 'J', 'T')
#define CHUNK_USES     FOURCC('U', 'S', 'E', 'S')
#define CHUNK_LINKS    FOURCC('L', 'I', 'N', 'K')
#define CHUNK_SAMPLES  FOURCC('S', 'M', 'P', 'L')
#define CHUNK_BACKOFFS FOURCC('B', 'A', 'C', 'K')
#define CHUNK_END      FOURCC('E', 'N', 'D', 'G')
#define CHUNK_TOC      FOURCC('T', 'O', 'C', ' ')

/* What a writer of this version writes, and a reader accepts, for every chunk. */
#define CHUNK_VERSION 1

enum hdr_flags {
	HDR_INCOMPLETE = 1,
};

enum chunk_codec { CODEC_NONE, CODEC_ZSTD, CODEC_CNT };

enum chunk_flags {
	CHUNK_CRITICAL = 1, /* who does not know it must not read the group */
};

enum column_encoding {
	ENC_BYTES,
	ENC_PLAIN,
	ENC_DELTA,
};

/* Clocks are those of the moment when the file was made. */
struct asnap_hdr {
	char magic[8];
	uint16_t major;
	uint16_t minor;
	uint32_t flags;
	uint8_t uuid[16];
	uint64_t mono_ns;
	uint64_t boot_ns;
	uint64_t real_ns;
	uint32_t reserved;
	uint32_t crc; /* of the bytes before it */
};

struct asnap_chunk {
	char magic[8];
	uint32_t fourcc;
	uint16_t version;
	uint8_t codec;
	uint8_t flags;
	uint32_t group;
	uint32_t seq;
	uint32_t rows;
	uint32_t stored_sz;
	uint32_t raw_sz;
	uint32_t payload_crc; /* of the stored bytes */
	uint32_t tag; /* CRC32 of the header's uuid */
	uint32_t crc; /* of the bytes before it */
};

struct asnap_footer {
	char magic[8];
	uint64_t toc_off;
	uint32_t toc_sz; /* chunk header and payload */
	uint32_t tag;
	uint32_t reserved;
	uint32_t crc; /* of the bytes before it */
};

_Static_assert(sizeof(struct asnap_hdr) == 64, "asnap_hdr");
_Static_assert(sizeof(struct asnap_chunk) == 48, "asnap_chunk");
_Static_assert(sizeof(struct asnap_footer) == 32, "asnap_footer");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structs are copied as they are");

/* A writer stays well below these, a reader believes nothing above them. */
#define CHUNK_RAW_MAX   (64u << 20)
#define CHUNK_ROWS_MAX  (1u << 20)
#define COLUMN_VALS_MAX (1u << 21)
#define COLUMN_CNT_MAX  1024
#define SNAPSHOT_MAX    (4ull << 30) /* the file, all unpacked chunks, and the model, each */

#endif
