/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values about memory: of tasks and classes from what they hold and their sites, and the records of
 * stacks. Private to export/. */
#ifndef EXPORT_HEAP_H
#define EXPORT_HEAP_H

#include "analyze/heap.h"
#include "export/record.h"

enum heap_number {
	HEAP_CURRENT_BYTES,
	HEAP_CURRENT_CNT,
	HEAP_PEAK_BYTES,
	HEAP_FREED_BYTES,
	HEAP_FREED_CNT,
};
int64_t heap_number(const struct heap_sums *sums, enum heap_number number);
/* Of a task; arg: the number. */
void get_heap(struct value *value, const struct row *row, const struct getter *getter);

/* Of a task: the share of its blocks that it did not ask for. */
void get_unasked(struct value *value, const struct row *row, const struct getter *getter);

/* Of a class. */
enum leaked { LEAKED_TASKS, LEAKED_BYTES };
void get_leaked(struct value *value, const struct row *row, const struct getter *getter);

void write_lifetimes(struct record_writer *writer, const struct row *row,
		     const struct schema_field *field);
void write_memory_hotspots(struct record_writer *writer, const struct row *row,
			   const struct schema_field *field);

#endif
