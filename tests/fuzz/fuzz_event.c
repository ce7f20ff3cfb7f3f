/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes what the ring's records go through: event__decode(), then the feed. The input is a
 * sequence of (u16 size, record); a quarter of the inputs run with little memory, so that folding
 * and the limits are reached too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "model/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t sz)
{
	struct feed_options options = {.start_mono_ns = 1000000000};
	struct model *model;
	struct event event;
	uint16_t len;

	if (!sz)
		return 0;
	if (data[0] % 4 == 1)
		options.max_memory = 1 << 14;
	if (data[0] % 4 == 2)
		options.max_slices = 2;
	data++;
	sz--;
	model = model__new();
	if (!model || feed__start(model, &options))
		abort();
	while (sz > sizeof(len)) {
		memcpy(&len, data, sizeof(len));
		data += sizeof(len);
		sz -= sizeof(len);
		len %= 512;
		if (len > sz)
			len = (uint16_t)sz;
		if (!event__decode(&event, data, len)) {
			if (feed__event(model, &event))
				abort(); /* what decodes can be fed */
			if (event.kind == WIRE_END) {
				struct wire_edge_key key = {event.end.task, event.ns};
				struct wire_edge edge = {1, event.ns, event.ns};

				feed__edge(model, &key, &edge);
			}
		}
		data += len;
		sz -= len;
	}
	if (feed__finish(model, 1000000000))
		abort();
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];

		if (task->class_idx >= model->class_cnt || task->start_ns == NO_TIME ||
		    model__task(model, task->id) != task)
			abort();
	}
	model__free(model);
	return 0;
}
