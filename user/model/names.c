/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of what the model counts in enums, as SCHEMA.md spells them; for every output. */
#include "model/model.h"

#define UNKNOWN "unknown"

static const char *const runtimes[] = {
#define X(id, name) [RUNTIME_##id] = #name,
	WIRE_RUNTIMES(X)
#undef X
};

static const char *const states[] = {
#define X(id, name) [STATE_##id] = #name,
	WIRE_STATES(X)
#undef X
};

static const char *const bindings[] = {
#define X(id, name, meaning) [BINDING_##id] = name,
	MODEL_BINDINGS(X)
#undef X
};

static const char *const edges[] = {
#define X(id, name) [EDGE_##id] = name,
	MODEL_EDGES(X)
#undef X
};

static const char *const caps[] = {
#define X(id, name, reason) [CAP_##id] = name,
	MODEL_CAPS(X)
#undef X
};

static const char *const counters[] = {
#define X(id, name, merge) [COUNTER_##id] = #name,
	WIRE_COUNTERS(X)
#undef X
};

static const struct {
	const char *name;
	enum object_group group;
} objects[] = {
#define X(id, name, group) [OBJECT_##id] = {name, GROUP_##group},
	MODEL_OBJECTS(X)
#undef X
};

static const char *const io_ops[] = {
#define X(id, name, meaning) [IO_##id] = #name,
	WIRE_IO_OPS(X)
#undef X
};

static const char *const conn_roles[] = {
#define X(id, name) [ROLE_##id] = #name,
	WIRE_CONN_ROLES(X)
#undef X
};

static const struct {
	const char *name, *unit, *meaning;
} series_rows[] = {
#define X(id, name, unit, meaning) [SERIES_##id] = {name, unit, meaning},
	MODEL_SERIES(X)
#undef X
};

const char *runtime_name(unsigned int runtime)
{
	return runtime < RUNTIME_CNT ? runtimes[runtime] : UNKNOWN;
}

const char *state_name(unsigned int state)
{
	return state < STATE_CNT ? states[state] : UNKNOWN;
}

const char *binding_name(unsigned int binding)
{
	return binding < BINDING_CNT ? bindings[binding] : UNKNOWN;
}

const char *edge_name(unsigned int kind)
{
	return kind < EDGE_CNT ? edges[kind] : UNKNOWN;
}

const char *cap_name(unsigned int cap)
{
	return cap < CAP_CNT ? caps[cap] : UNKNOWN;
}

const char *counter_name(unsigned int counter)
{
	return counter < COUNTER_CNT ? counters[counter] : UNKNOWN;
}

const char *object_kind_name(unsigned int kind)
{
	return kind < OBJECT_KIND_CNT ? objects[kind].name : UNKNOWN;
}

enum object_group object_group(unsigned int kind)
{
	return kind < OBJECT_KIND_CNT ? objects[kind].group : GROUP_FILE;
}

const char *io_op_name(unsigned int op)
{
	return op < IO_OP_CNT ? io_ops[op] : UNKNOWN;
}

const char *conn_role_name(unsigned int role)
{
	return role < ROLE_CNT ? conn_roles[role] : UNKNOWN;
}

const char *series_name(unsigned int series)
{
	return series < SERIES_CNT ? series_rows[series].name : UNKNOWN;
}

const char *series_unit(unsigned int series)
{
	return series < SERIES_CNT ? series_rows[series].unit : "";
}

const char *series_meaning(unsigned int series)
{
	return series < SERIES_CNT ? series_rows[series].meaning : "";
}
