/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Field <-> column, for encode.c and decode.c. The names are the file's: renaming one here breaks
 * reading older files, renaming a struct's field does not.
 */
#include "snapshot/tables.h"

#include "model/model.h"
#include "snapshot/format.h"

#define SIZE_OF(type, field) sizeof(((type *)0)->field)
#define COL(type, name, field, kind, arg, missing)                                                 \
	{                                                                                          \
		name, offsetof(type, field), SIZE_OF(type, field), kind, arg, missing              \
	}
#define NUM(type, field)        COL(type, #field, field, COL_NUM, 0, 0)
#define STRING(type, field)     COL(type, #field, field, COL_STRING, 0, 0)
#define BIT(type, name, bit)    COL(type, name, flags, COL_BIT, bit, 0)
#define ROWS(type, id, columns) id, sizeof(type), columns, sizeof(columns) / sizeof(*columns)
#define HISTS(hists)            hists, sizeof(hists) / sizeof(*hists)

const struct enum_names enum_names[ENUM_CNT] = {
	[ENUM_RUNTIME] = {"runtime", RUNTIME_CNT, runtime_name, RUNTIME_CNT},
	[ENUM_STATE] = {"state", STATE_CNT, state_name, STATE_UNFINISHED},
	[ENUM_BINDING] = {"binding", BINDING_CNT, binding_name, BINDING_UNKNOWN},
	[ENUM_EDGE] = {"edge", EDGE_CNT, edge_name, EDGE_CNT},
	[ENUM_OBJECT] = {"object", OBJECT_KIND_CNT, object_kind_name, OBJECT_UNKNOWN},
	[ENUM_ROLE] = {"role", ROLE_CNT, conn_role_name, ROLE_UNKNOWN},
	[ENUM_OP] = {"op", IO_OP_CNT, io_op_name, IO_OP_CNT},
	[ENUM_SERIES] = {"series", SERIES_CNT, series_name, SERIES_CNT},
};

const struct table_column hist_columns[] = {
	COL(struct hist, "cnt", cnt, COL_NUM, 0, 0),
	COL(struct hist, "total", total, COL_NUM, 0, 0),
	COL(struct hist, "max", max, COL_NUM, 0, 0),
	COL(struct hist, "n", bucket_cnt, COL_NUM, 0, 0),
};
const size_t hist_column_cnt = sizeof(hist_columns) / sizeof(*hist_columns);

static const struct table_column meta_columns[] = {
#define X(name) STRING(struct meta, name),
	META_STRINGS(X)
#undef X
#define X(name) COL(struct meta, #name, name, COL_NUM, 0, NO_TIME),
		META_NUMBERS(X)
#undef X
};

/* The bits of 1.0. */
#define ONE 0x3ff0000000000000

static const struct table_column cap_columns[] = {
	COL(struct cap_state, "measured", measured, COL_BOOL, 0, 0),
	STRING(struct cap_state, reason),
	STRING(struct cap_state, source),
	COL(struct cap_state, "share", share, COL_NUM, 0, ONE),
	COL(struct cap_state, "weight", weight, COL_NUM, 0, ONE),
};

static const struct table_column backoff_columns[] = {
	NUM(struct backoff, at_ns), STRING(struct backoff, what),   STRING(struct backoff, from),
	STRING(struct backoff, to), STRING(struct backoff, reason),
};

/* What tasks hold. */
#define HEAP(type, field, column) COL(type, "heap." #column, field.column, COL_NUM, 0, 0)
#define HEAP_COLUMNS(type, field)                                                                  \
	HEAP(type, field, current_bytes), HEAP(type, field, current_cnt),                          \
		HEAP(type, field, peak_bytes), HEAP(type, field, freed_bytes),                     \
		HEAP(type, field, freed_cnt), HEAP(type, field, usable_bytes),                     \
		HEAP(type, field, asked_bytes)

static const struct table_column runtime_columns[] = {
	STRING(struct runtime_info, name),    STRING(struct runtime_info, version),
	STRING(struct runtime_info, binding), STRING(struct runtime_info, confidence),
	STRING(struct runtime_info, reason),  NUM(struct runtime_info, tgid),
};

static const struct table_column counter_columns[] = {
	STRING(struct counter, name),
	STRING(struct counter, meaning),
	NUM(struct counter, val),
	COL(struct counter, "is_loss", is_loss, COL_BOOL, 0, 0),
};

static const struct table_column class_columns[] = {NUM(struct task_class, id),
						    STRING(struct task_class, name),
						    COL(struct task_class, "runtime", runtime,
							COL_ENUM, ENUM_RUNTIME, 0),
						    NUM(struct task_class, folded_cnt),
						    NUM(struct task_class, folded_wall_ns),
						    NUM(struct task_class, folded_leaking_cnt),
						    NUM(struct task_class, folded_leaked_bytes),
						    HEAP_COLUMNS(struct task_class, folded_heap),
#define X(id, name)                                                                                \
	COL(struct task_class, "folded_state." #name, folded_by_state[STATE_##id], COL_NUM, 0, 0),
						    WIRE_STATES(X)
#undef X
#define X(id, name, merge)                                                                         \
	COL(struct task_class, "c." #name, folded_c[COUNTER_##id], COL_NUM, 0, 0),
							    WIRE_COUNTERS(X)
#undef X
};

static const struct table_hist class_hists[] = {
	{"runs", offsetof(struct task_class, folded_runs)},
	{"wake", offsetof(struct task_class, folded_wake)},
};

static const struct table_column task_columns[] = {
	NUM(struct task, id),
	NUM(struct task, parent),
	NUM(struct task, native),
	COL(struct task, "start_ns", start_ns, COL_NUM, 0, NO_TIME),
	COL(struct task, "end_ns", end_ns, COL_NUM, 0, NO_TIME),
	NUM(struct task, wall_ns),
	NUM(struct task, run_self_ns),
	COL(struct task, "class", class_idx, COL_CLASS, 0, NO_IDX),
	STRING(struct task, name),
	NUM(struct task, tgid),
	NUM(struct task, tid),
	NUM(struct task, site),
	COL(struct task, "runtime", runtime, COL_ENUM, ENUM_RUNTIME, 0),
	COL(struct task, "state", state, COL_ENUM, ENUM_STATE, 0),
	COL(struct task, "binding", binding, COL_ENUM, ENUM_BINDING, 0),
	BIT(struct task, "seen_from_start", TASK_SEEN_FROM_START),
	BIT(struct task, "placeholder", TASK_PLACEHOLDER),
	BIT(struct task, "native_unknown", TASK_NATIVE_UNKNOWN),
	NUM(struct task, forced_cnt),
	NUM(struct task, slices_lost),
	HEAP_COLUMNS(struct task, heap),
#define X(id, name, merge) COL(struct task, "c." #name, c[COUNTER_##id], COL_NUM, 0, 0),
	WIRE_COUNTERS(X)
#undef X
};

static const struct table_hist task_hists[] = {
	{"runs", offsetof(struct task, runs)},
	{"wake", offsetof(struct task, wake)},
};

static const struct table_column edge_columns[] = {
	NUM(struct edge, from),
	NUM(struct edge, to),
	COL(struct edge, "kind", kind, COL_ENUM, ENUM_EDGE, 0),
	COL(struct edge, "count", cnt, COL_NUM, 0, 0),
	NUM(struct edge, delay_ns),
	NUM(struct edge, max_ns),
};

static const struct table_column slice_columns[] = {NUM(struct slice, task),
						    NUM(struct slice, start_ns),
						    NUM(struct slice, dur_ns),
						    NUM(struct slice, tid),
						    NUM(struct slice, cpu),
						    NUM(struct slice, depth),
						    BIT(struct slice, "partial", SLICE_PARTIAL),
						    BIT(struct slice, "forced", SLICE_FORCED),
						    BIT(struct slice, "at_stop", SLICE_AT_STOP),
/* The counters that a slice of the timeline does not hold stay out. */
#define X(id, name, merge)                                                                         \
	{"c." #name,                                                                               \
	 offsetof(struct slice, c) + 8 * COUNTER_##id,                                             \
	 COUNTER_##id < SLICE_TIMES ? 8 : 0,                                                       \
	 COL_NUM,                                                                                  \
	 0,                                                                                        \
	 0},
						    WIRE_COUNTERS(X)
#undef X
};

static const struct table_column object_columns[] = {
	NUM(struct object, ino),
	NUM(struct object, dev),
	STRING(struct object, name),
	STRING(struct object, local),
	COL(struct object, "kind", kind, COL_ENUM, ENUM_OBJECT, 0),
	COL(struct object, "role", role, COL_ENUM, ENUM_ROLE, 0),
	BIT(struct object, "deleted", FILE_DELETED),
	BIT(struct object, "cut", FILE_CUT),
	BIT(struct object, "detached", FILE_DETACHED),
};

#define OWNER(type)                                                                                \
	NUM(type, task), COL(type, "class", class_idx, COL_CLASS, 0, NO_IDX),                      \
		COL(type, "object", object, COL_OBJECT, 0, 0)

static const struct table_column use_columns[] = {
	OWNER(struct use),
	COL(struct use, "op", op, COL_ENUM, ENUM_OP, 0),
	COL(struct use, "count", cnt, COL_NUM, 0, 0),
	NUM(struct use, bytes),
	NUM(struct use, errors),
	NUM(struct use, again),
};

static const struct table_hist use_hists[] = {
	{"latency", offsetof(struct use, latency)},
};

static const struct table_column link_columns[] = {
	OWNER(struct link),
	NUM(struct link, met),
	NUM(struct link, opened),
	NUM(struct link, failed),
	NUM(struct link, closed),
	NUM(struct link, active),
	NUM(struct link, active_max),
	NUM(struct link, tcp_cnt),
	NUM(struct link, segs_out),
	NUM(struct link, segs_in),
	NUM(struct link, retransmits),
	NUM(struct link, bytes_acked),
	NUM(struct link, bytes_received),
	NUM(struct link, rtt_sum_us),
	NUM(struct link, rttvar_sum_us),
	NUM(struct link, cwnd_sum),
	NUM(struct link, rtt_cnt),
	NUM(struct link, rtt_min_us),
	NUM(struct link, rtt_max_us),
	NUM(struct link, path_rtt_us),
	NUM(struct link, mss),
};

static const struct table_column sample_columns[] = {
	NUM(struct sample, at_ns),
	NUM(struct sample, val),
	COL(struct sample, "series", series, COL_ENUM, ENUM_SERIES, 0),
};

const struct table table_meta = {ROWS(struct meta, CHUNK_META, meta_columns), NULL, 0};
const struct table table_caps = {ROWS(struct cap_state, CHUNK_CAPS, cap_columns), NULL, 0};
const struct table table_runtimes = {ROWS(struct runtime_info, CHUNK_RUNTIMES, runtime_columns),
				     NULL, 0};
const struct table table_counters = {ROWS(struct counter, CHUNK_COUNTERS, counter_columns), NULL,
				     0};
const struct table table_classes = {ROWS(struct task_class, CHUNK_CLASSES, class_columns),
				    HISTS(class_hists)};
const struct table table_tasks = {ROWS(struct task, CHUNK_TASKS, task_columns), HISTS(task_hists)};
const struct table table_edges = {ROWS(struct edge, CHUNK_EDGES, edge_columns), NULL, 0};
const struct table table_slices = {ROWS(struct slice, CHUNK_SLICES, slice_columns), NULL, 0};
const struct table table_objects = {ROWS(struct object, CHUNK_OBJECTS, object_columns), NULL, 0};
const struct table table_uses = {ROWS(struct use, CHUNK_USES, use_columns), HISTS(use_hists)};
const struct table table_links = {ROWS(struct link, CHUNK_LINKS, link_columns), NULL, 0};
const struct table table_backoffs = {ROWS(struct backoff, CHUNK_BACKOFFS, backoff_columns), NULL,
				     0};
const struct table table_samples = {ROWS(struct sample, CHUNK_SAMPLES, sample_columns), NULL, 0};
