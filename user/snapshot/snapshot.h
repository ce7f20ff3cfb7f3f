/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The .asnap file: a 64-byte header, chunks that each prove themselves by CRC, a table of contents
 * and a footer. Written to NAME.partial (O_EXCL|O_NOFOLLOW, 0600, owner the sudo user), a
 * self-contained checkpoint every few seconds, then finished by rename; a killed recorder leaves a
 * readable NAME.partial. The reader trusts nothing: the file may be hostile.
 */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/model.h"

struct snapshot_writer;

/* Opens PATH.partial; NULL and errno. */
struct snapshot_writer *snapshot_writer__new(const char *path);
/* Appends a self-contained checkpoint of the model as it is now. 0 or -errno. */
int snapshot_writer__checkpoint(struct snapshot_writer *writer, const struct model *model);
/* Writes the final model, the table of contents, fsync, rename to PATH. 0 or -errno. The partial
 * file stays when this fails. */
int snapshot_writer__finish(struct snapshot_writer *writer, const struct model *model);
/* Without finish the partial file is kept as it is. */
void snapshot_writer__free(struct snapshot_writer *writer);

enum snapshot_error {
	SNAPSHOT_OK,
	SNAPSHOT_NOT_ONE, /* no magic */
	SNAPSHOT_TOO_NEW, /* a newer major version */
	SNAPSHOT_DAMAGED, /* nothing in it proves itself */
	SNAPSHOT_UNREADABLE, /* errno in err */
	SNAPSHOT_NO_MEMORY,
};

struct snapshot_status {
	enum snapshot_error error;
	int err;
	bool complete; /* finished by its recorder */
	bool salvaged; /* read from a checkpoint, or by scanning for chunks */
	uint64_t bytes_bad; /* bytes that no CRC proves */
	uint32_t chunk_cnt;
	uint32_t chunk_bad;
	int64_t salvaged_ns; /* how far into the recording the checkpoint reaches */
};

/* The model in the file, or NULL with status->error. */
struct model *snapshot__read(const char *path, struct snapshot_status *status);
/* The same from memory (tests, fuzzing). */
struct model *snapshot__read_mem(const void *data, size_t sz, struct snapshot_status *status);
const char *snapshot_error_text(enum snapshot_error error);

/* `inspect`: header, chunks with sizes and CRC verdicts, as text or JSON. 0 or -errno; the status
 * tells what was found. */
int snapshot__inspect(const char *path, bool json, FILE *out, struct snapshot_status *status);

#endif
