/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the feed needs for IO beside the model: which object a BPF id stands for, connections that
 * are open, indices of the rows. Private to the feed's files; part of struct feed.
 */
#ifndef MODEL_IO_H
#define MODEL_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map64.h"
#include "event/event.h"
#include "model/model.h"

/* Whom a row belongs to: a task that is kept; task 0: a class; and NO_IDX: nobody. */
struct owner {
	uint64_t task;
	uint32_t class_idx;
};

/* Beside model->objects, with the same index. */
struct object_state {
	uint64_t ns; /* of the newest record about it */
	uint32_t alias; /* the object that it turned out to be, or NO_IDX */
	bool pending; /* met in a use, its record has not come */
};

/* What TCP counted on a connection; cumulative. */
struct tcp_numbers {
	uint64_t ns;
	uint64_t bytes_acked, bytes_received;
	uint32_t srtt_us, rttvar_us, min_rtt_us;
	uint32_t cwnd, mss;
	uint32_t segs_out, segs_in, retransmits;
	uint32_t rest_out, rest_in, rest_retransmits;
};

/* A BPF id: of a file, or of one socket. */
struct ref {
	uint64_t id;
	uint64_t named_ns; /* of the record that named it */
	uint64_t used_ns; /* of the newest record or use */
	uint64_t closed_ns, failed_ns;
	struct owner owner; /* of a socket */
	struct tcp_numbers *tcp; /* the newest, while it is open */
	uint32_t object;
	uint8_t rank; /* how much the name says: enum name_rank */
	bool is_begun, is_closed; /* it counts as active from here to there */
	bool is_met, is_last; /* its first and its last look were counted */
	bool is_told; /* its TCP numbers are in the link */
	bool is_quiet; /* its end was told, and not counted: it had not become active */
	bool is_others; /* it is active in the row for what there was no room for */
	bool was_owned; /* it was put aside, and its owner forgotten */
};

enum name_rank { RANK_NONE, RANK_OWN, RANK_PEER };

/* One connection more or less, not yet counted: they arrive out of order. */
struct change {
	uint64_t ns;
	struct owner owner;
	uint32_t object;
	int32_t by;
};

struct series_state {
	size_t cnt;
	size_t last; /* its newest sample, in model->samples */
	int64_t gap_ns; /* what is nearer than this is merged; 0: nothing */
	int64_t group_ns; /* where the last one begins */
	int64_t span_ns; /* how long the last one stands for */
};

struct io_state {
	struct ref *refs;
	size_t ref_cnt, ref_cap;
	struct map64 ref_idx; /* id -> index */
	size_t sweep_at;
	uint64_t taken_ns; /* see feed__uses_taken() */
	uint64_t swept_ns; /* the same at the last sweep */
	/* Idle ids that there was no room for among `refs`: what is left is their object. The second
	 * one holds the older ones. */
	struct map64 idle[2];

	struct object_state *objects;
	size_t object_cap;
	struct map64 object_idx; /* hash -> index */
	uint32_t others[OBJECT_KIND_CNT]; /* index + 1: for what there is no room */
	struct map64 use_idx, link_idx; /* hash -> index */
	size_t bytes; /* histograms and TCP numbers */
	uint64_t fold_at; /* the next attempt, in bytes of rows */

	struct change *changes; /* sorted by time */
	size_t change_first, change_cnt, change_cap;
	int64_t active, active_max; /* over all links */
	bool has_conns;
	bool has_last; /* there was a last look at what is open */

	struct map64 folded_to; /* only while tasks are folded: id -> class */
	struct series_state series[SERIES_CNT];

	uint64_t objects_folded, uses_folded, objects_unknown, samples_merged;
};

/* What a record says of an object (describe.c). It points into itself and into the record. */
struct object_desc {
	const char *name, *local;
	uint64_t ino;
	uint32_t dev;
	uint8_t kind, role, flags, rank;
	char texts[2][192];
};

void object_desc__file(struct object_desc *desc, const struct event_file *file);
void object_desc__conn(struct object_desc *desc, const struct wire_conn *conn);
/* An allocation site; its texts are the caller's. */
void object_desc__site(struct object_desc *desc, const char *name, const char *module);

/* objects.c */
/* The object's index, found or made; of "(others)" when there is no room; NO_IDX: no memory. */
uint32_t object_get(struct model *model, const struct object_desc *desc, uint64_t ns);
uint32_t object_others(struct model *model, unsigned int kind);
/* What uses are of when nobody knows of what, but of which kind. */
uint32_t object_unknown(struct model *model, unsigned int kind);
/* One more that is known by its uses only. */
uint32_t object_pending(struct model *model, unsigned int kind);
/* `pending` turned out to be `object`. */
void object_is(struct model *model, uint32_t pending, uint32_t object);
uint32_t object_resolve(const struct model *model, uint32_t object);

/* io.c */
void io__free(struct io_state *io);
int io__file(struct model *model, const struct event *event);
int io__use(struct model *model, const struct event *event);
/* What an id stands for, found or made; *ref is NULL when there is no room. 0 or -ENOMEM. */
int ref_get(struct model *model, uint64_t id, uint64_t ns, struct ref **ref);
/* Names what an id stands for, unless a better or newer record has done so. */
int ref_name(struct model *model, struct ref *ref, const struct object_desc *desc, uint64_t ns);
int owner_of(struct model *model, uint64_t task, uint32_t tgid, struct owner *owner);

/* links.c */
int io__conn(struct model *model, const struct event *event);
/* Counts the changes until a time. */
int changes__apply(struct model *model, uint64_t until_ns);
int links__end(struct model *model, uint64_t ns);
/* A begun connection is one more in the row of its owner and object, and one less later: in the same
 * row, though by then there may be room for another. */
int active_add(struct model *model, struct ref *ref, uint64_t ns);
int active_drop(struct model *model, const struct ref *ref, const struct owner *owner,
		uint32_t object, uint64_t ns);

/* io_rows.c */
/* The row, found or made, or that of nobody and "(others)" when there is no room. NULL: no memory. */
struct use *use_get(struct model *model, const struct owner *owner, uint32_t object, uint8_t op);
struct link *link_get(struct model *model, const struct owner *owner, uint32_t object);
/* NULL when there is none. */
struct link *link_find(const struct model *model, const struct owner *owner, uint32_t object);
/* So many bytes more are held by a task's rows (0: nobody's). */
void io__charge(struct model *model, uint64_t task, size_t bytes);
/* Rows of tasks that are folded go to their class; io->folded_to is emptied. */
int io__fold(struct model *model);
/* Every row has its final object; what became equal is merged; all is sorted. */
int io__finish(struct model *model);
/* Everything but strings; and what the objects and their rows take. */
uint64_t io__memory(const struct model *model);
uint64_t io__row_bytes(const struct model *model);
/* Rows may take 1/IO_SHARE of max_memory. Beyond that ended tasks fold, and objects that are new are
 * (others); from twice of it on rows that are new are nobody's. */
#define IO_SHARE 8
bool io__is_full(const struct model *model);
bool io__is_tight(const struct model *model);

/* uses.c */
void samples__sort(struct model *model);

#endif
