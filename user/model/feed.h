/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From events to the model. Records arrive out of order, ends before starts, inner slices before
 * outer ones: any order gives the same model. Called by cmd/record for each decoded event.
 */
#ifndef MODEL_FEED_H
#define MODEL_FEED_H

#include "event/event.h"
#include "model/model.h"

/* Where memory is allocated, as symbols tell it; what is not known is empty. */
struct site_text {
	char function[512]; /* demangled */
	uint64_t offset; /* in the function, or in the module where that is not known */
	char module[256]; /* path of the file */
};

struct feed_options {
	uint64_t start_mono_ns; /* time zero */
	uint64_t max_memory; /* bytes, 0: no limit; ended tasks beyond it fold into their class */
	size_t max_slices; /* of the timeline; 0: 2,000,000. Never more than half of max_memory */
	/* Names come from the live target, so the caller resolves them while it is alive. */
	void *ctx;
	/* class name and identity of a task met in a SPAWN; returns the class's id (hash), or 0 to
	 * leave it to the feed. Both may be NULL, and may leave `name` empty. */
	uint64_t (*class_of)(void *ctx, const struct wire_spawn *spawn, uint32_t tgid, char *name,
			     size_t sz);
	/* What a disk is called ("nvme0n1"), by the kernel's number of it. May be NULL, and may
	 * leave `name` empty. */
	void (*disk_name)(void *ctx, uint32_t dev, char *name, size_t sz);
	/* Of which function and module an allocation's return address is. `out` comes cleared. May be
	 * NULL: then all sites are one that is not known. */
	void (*site_name)(void *ctx, uint32_t tgid, uint64_t ip, struct site_text *out);
};

/* All return 0, -ENOMEM, or -EINVAL when no recording is fed (not started, or finished). */
int feed__start(struct model *model, const struct feed_options *options);
int feed__event(struct model *model, const struct event *event);
/* A wake edge read from the BPF map when the recording ends, before feed__finish(). */
int feed__edge(struct model *model, const struct wire_edge_key *key, const struct wire_edge *edge);
/* All uses until then have been fed: sockets that ended before may be forgotten, and idle files be put
 * aside. Without this call each takes some 100 bytes until the end (and a sixteenth of max_memory at
 * most). */
void feed__uses_taken(struct model *model, uint64_t mono_ns);
/* Every socket that the targets have when the recording ends has been told of: others have ended. */
void feed__sockets_told(struct model *model);
/* One value of a series; in any order. Of each series 36,000 values are kept at most: then those that
 * are nearer to each other than twice the mean distance are merged, a mean by its time, of the others
 * the larger value stays, at its own time. */
int feed__sample(struct model *model, enum model_series series, uint64_t mono_ns, int64_t val);
/* Closes what is open: states, walls, timeline order. `end_ns` is a model time: the recording's
 * duration. After it the model is as a reader would get it. */
int feed__finish(struct model *model, int64_t end_ns);
/* Bytes that the model holds now, about. */
uint64_t feed__memory(const struct model *model);

#endif
