/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens a snapshot, chooses the group to read and says what was lost. Called by commands. */
#include "snapshot/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/decode.h"

/* A chunk as a member of its group. */
struct member {
	uint32_t group;
	uint32_t seq;
	bool is_intact;
	size_t ref;
};

struct members {
	struct member *items; /* newest group first, by seq, intact ones first, in file order */
	size_t cnt;
};

static int cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int cmp_member(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->group != y->group)
		return cmp_u64(y->group, x->group);
	if (x->seq != y->seq)
		return cmp_u64(x->seq, y->seq);
	if (x->is_intact != y->is_intact)
		return y->is_intact - x->is_intact;
	return cmp_u64(x->ref, y->ref);
}

static int members__init(struct members *members, const struct image *image)
{
	members->items = calloc(image->ref_cnt + 1, sizeof(*members->items));
	if (!members->items)
		return -ENOMEM;
	for (size_t i = 0; i < image->ref_cnt; i++) {
		const struct chunk_ref *ref = &image->refs[i];

		if (ref->hdr.fourcc == CHUNK_TOC)
			continue;
		members->items[members->cnt++] = (struct member){
			.group = ref->hdr.group,
			.seq = ref->hdr.seq,
			.is_intact = chunk_ref__intact(ref),
			.ref = i,
		};
	}
	qsort(members->items, members->cnt, sizeof(*members->items), cmp_member);
	return 0;
}

/* One group: members[first .. first + cnt). */
struct group {
	size_t first;
	size_t cnt;
	uint32_t seq_cnt; /* chunks that are there, copies counted once */
	uint32_t intact_cnt;
	uint64_t expected_cnt; /* from the highest seq; one more when that is not the end */
	bool is_complete;
};

static struct group group_at(const struct members *members, const struct image *image, size_t first)
{
	struct group group = {.first = first};
	const struct member *last = &members->items[first];
	bool has_end = false;

	for (size_t i = first; i < members->cnt; i++) {
		const struct member *member = &members->items[i];

		if (member->group != members->items[first].group)
			break;
		group.cnt++;
		if (group.cnt > 1 && member->seq == last->seq)
			continue; /* a copy: of the final group there may be two */
		last = member;
		group.seq_cnt++;
		group.intact_cnt += member->is_intact;
	}
	has_end = image->refs[last->ref].hdr.fourcc == CHUNK_END;
	group.expected_cnt = (uint64_t)last->seq + 1 + !has_end;
	group.is_complete = has_end && group.intact_cnt == group.expected_cnt;
	return group;
}

/* The newest complete group, else the fullest. cnt is 0 when there is none. */
static struct group choose(const struct members *members, const struct image *image)
{
	struct group best = {};

	for (size_t at = 0; at < members->cnt;) {
		struct group group = group_at(members, image, at);

		if (group.is_complete)
			return group;
		if (group.intact_cnt > best.intact_cnt)
			best = group;
		at += group.cnt;
	}
	return best;
}

/* Feeds one chunk to the decoder. 0, -EINVAL when it is not usable, -ENOTSUP, -ENOMEM. */
static int read_chunk(struct decoder *decoder, const struct image *image, struct chunk_ref *ref)
{
	int err;

	ref->is_used = true;
	if (!chunk_ref__intact(ref))
		return -EINVAL;
	err = decoder__chunk(decoder, &ref->hdr, image->data + ref->off + sizeof(ref->hdr));
	if (err == -EINVAL)
		ref->verdict = CHUNK_CONTENT;
	if (err != -ENOTSUP)
		return err;
	ref->verdict = CHUNK_UNKNOWN;
	return ref->hdr.flags & CHUNK_CRITICAL ? -ENOTSUP : 0;
}

static enum snapshot_error read_group(struct decoder *decoder, struct image *image,
				      const struct members *members, const struct group *group,
				      uint64_t *bad)
{
	const struct member *last = NULL;

	/* What has no intact chunk is missing; what is intact may still be impossible. */
	*bad = group->expected_cnt - group->intact_cnt;
	for (size_t i = group->first; i < group->first + group->cnt; i++) {
		const struct member *member = &members->items[i];
		int err;

		if (last && member->seq == last->seq)
			continue;
		last = member;
		err = read_chunk(decoder, image, &image->refs[member->ref]);
		if (err == -ENOMEM)
			return SNAPSHOT_NO_MEMORY;
		if (err == -ENOTSUP)
			return SNAPSHOT_TOO_NEW;
		if (err && member->is_intact)
			(*bad)++;
	}
	return SNAPSHOT_OK;
}

static struct model *load_group(struct image *image, const struct members *members,
				const struct group *group, struct snapshot_status *status)
{
	struct decoder *decoder = decoder__new(image->sz, !group->is_complete);
	struct group_facts facts = {};
	struct model *model = NULL;
	uint64_t bad = 0;

	status->error = SNAPSHOT_NO_MEMORY;
	if (!decoder)
		return NULL;
	status->error = read_group(decoder, image, members, group, &bad);
	if (status->error == SNAPSHOT_OK) {
		model = decoder__finish(decoder, &facts);
		status->error = model ? SNAPSHOT_OK : SNAPSHOT_NO_MEMORY;
	}
	decoder__free(decoder);

	bad += facts.strings_lost;
	status->chunk_cnt = group->seq_cnt;
	status->chunk_bad = bad < UINT32_MAX ? (uint32_t)bad : UINT32_MAX;
	status->salvaged = !status->complete || bad || !image->toc_ok || !facts.is_final;
	status->salvaged_ns = facts.elapsed_ns;
	if (model && bad)
		model__counter_add(
			model, "snapshot_damaged",
			"parts of the snapshot that could not be read: what they held is missing",
			true, bad);
	if (model && !facts.table_cnt) {
		status->error = SNAPSHOT_DAMAGED;
		model__free(model);
		model = NULL;
	}
	return model;
}

static enum snapshot_error check_start(const void *data, size_t sz)
{
	if (sz < 8 || memcmp(data, ASNAP_MAGIC, 8))
		return SNAPSHOT_NOT_ONE;
	return sz < sizeof(struct asnap_hdr) ? SNAPSHOT_DAMAGED : SNAPSHOT_OK;
}

struct model *snapshot_load(const void *data, size_t sz, struct image *image,
			    struct snapshot_status *status)
{
	struct members members = {};
	struct model *model = NULL;
	struct group group;

	*image = (struct image){};
	*status = (struct snapshot_status){.error = check_start(data, sz), .salvaged_ns = NO_TIME};
	if (status->error != SNAPSHOT_OK)
		return NULL;
	if (image__find(image, data, sz) || members__init(&members, image)) {
		status->error = SNAPSHOT_NO_MEMORY;
		goto cleanup;
	}
	status->bytes_bad = image->bytes_bad;
	if (image->hdr_ok && image->hdr.major != ASNAP_MAJOR) {
		status->error = SNAPSHOT_TOO_NEW;
		goto cleanup;
	}
	status->complete = image->hdr_ok && image->toc_ok && !(image->hdr.flags & HDR_INCOMPLETE);
	group = choose(&members, image);
	if (!group.intact_cnt) {
		status->error = SNAPSHOT_DAMAGED;
		goto cleanup;
	}
	model = load_group(image, &members, &group, status);

cleanup:
	free(members.items);
	return model;
}

int snapshot_slurp(const char *path, uint8_t **data, size_t *sz)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err = 0;

	*data = NULL;
	*sz = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if ((uint64_t)st.st_size > SNAPSHOT_MAX)
		err = -EFBIG;
	else if (!(*data = malloc((size_t)st.st_size + 1)))
		err = -ENOMEM;
	/* Read, not mapped: a file that somebody cuts meanwhile would be a SIGBUS. */
	while (!err && *sz < (size_t)st.st_size) {
		ssize_t got = read(fd, *data + *sz, (size_t)st.st_size - *sz);

		if (got == 0)
			break;
		if (got > 0)
			*sz += (size_t)got;
		else if (errno != EINTR)
			err = -errno;
	}
	close(fd);
	if (err) {
		free(*data);
		*data = NULL;
	}
	return err;
}

struct model *snapshot__read_mem(const void *data, size_t sz, struct snapshot_status *status)
{
	struct image image;
	struct model *model = snapshot_load(data, sz, &image, status);

	image__free(&image);
	return model;
}

struct model *snapshot__read(const char *path, struct snapshot_status *status)
{
	struct model *model;
	uint8_t *data;
	size_t sz;
	int err = snapshot_slurp(path, &data, &sz);

	if (err) {
		*status = (struct snapshot_status){
			.error = err == -ENOMEM ? SNAPSHOT_NO_MEMORY : SNAPSHOT_UNREADABLE,
			.err = -err,
			.salvaged_ns = NO_TIME,
		};
		return NULL;
	}
	model = snapshot__read_mem(data, sz, status);
	free(data);
	return model;
}

const char *snapshot_error_text(enum snapshot_error error)
{
	static const char *const texts[] = {
		[SNAPSHOT_OK] = "no error",
		[SNAPSHOT_NOT_ONE] = "not a snapshot",
		[SNAPSHOT_TOO_NEW] = "written by a newer version of asyncscope-bpf",
		[SNAPSHOT_DAMAGED] = "damaged: nothing in it proves itself",
		[SNAPSHOT_UNREADABLE] = "cannot be read",
		[SNAPSHOT_NO_MEMORY] = "not enough memory",
	};

	return (size_t)error < sizeof(texts) / sizeof(*texts) ? texts[error] : "unknown error";
}
