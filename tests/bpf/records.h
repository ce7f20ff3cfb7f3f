/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records that a test finds in the ring, in their order, kept apart by kind. */
#ifndef TESTS_BPF_RECORDS_H
#define TESTS_BPF_RECORDS_H

#include "run.h"

#define RECORD_MAX 4096

struct slice {
	struct wire_slice wire;
	uint64_t c[COUNTER_CNT];
};

struct records {
	struct ring_buffer *ring;
	struct slice slices[RECORD_MAX];
	struct wire_spawn spawns[RECORD_MAX];
	struct wire_end ends[RECORD_MAX];
	struct wire_latency latencies[64];
	unsigned int slice_cnt, spawn_cnt, end_cnt, latency_cnt, bad_cnt;
};

static int keep_slice(struct records *records, const void *data, size_t sz)
{
	struct slice *slice = &records->slices[records->slice_cnt];
	const uint64_t *vals = (const void *)((const char *)data + sizeof(slice->wire));

	memset(slice, 0, sizeof(*slice));
	memcpy(&slice->wire, data, sizeof(slice->wire));
	for (unsigned int i = 0; i < 64; i++) {
		if (!(slice->wire.present >> i & 1))
			continue;
		if (i >= COUNTER_CNT || (const char *)(vals + 1) > (const char *)data + sz)
			return -1;
		slice->c[i] = *vals++;
	}
	records->slice_cnt++;
	return (const char *)vals == (const char *)data + sz ? 0 : -1;
}

#define KEEP(list, cnt, data, sz)                                                                  \
	((sz) == sizeof((list)[0]) ? (memcpy(&(list)[(cnt)++], data, sz), 0) : -1)

static int keep(void *ctx, void *data, size_t sz)
{
	struct records *records = ctx;
	const struct wire_hdr *hdr = data;
	int err = -1;

	if (sz < sizeof(*hdr) || records->slice_cnt == RECORD_MAX ||
	    records->spawn_cnt == RECORD_MAX || records->end_cnt == RECORD_MAX ||
	    records->latency_cnt == 64 || hdr->sz != sz)
		err = -1;
	else if (hdr->kind == WIRE_SLICE)
		err = keep_slice(records, data, sz);
	else if (hdr->kind == WIRE_SPAWN)
		err = KEEP(records->spawns, records->spawn_cnt, data, sz);
	else if (hdr->kind == WIRE_END)
		err = KEEP(records->ends, records->end_cnt, data, sz);
	else if (hdr->kind == WIRE_LATENCY)
		err = KEEP(records->latencies, records->latency_cnt, data, sz);
	records->bad_cnt += err ? 1 : 0;
	return 0;
}

__attribute__((unused)) static int records_open(struct records *records, struct bpf_object *obj)
{
	int fd = bpf_object__find_map_fd_by_name(obj, "ring");

	records->ring = ring_buffer__new(fd, keep, records, NULL);
	return records->ring ? 0 : -errno;
}

/* Reads what is there now; what was read before is forgotten. */
__attribute__((unused)) static void records_read(struct records *records)
{
	records->slice_cnt = records->spawn_cnt = records->end_cnt = 0;
	records->latency_cnt = records->bad_cnt = 0;
	ring_buffer__consume(records->ring);
	if (records->bad_cnt)
		ok(false, "%u malformed records", records->bad_cnt);
}

#endif
