/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The adapters, for registry.c. */
#ifndef RUNTIME_ADAPTERS_H
#define RUNTIME_ADAPTERS_H

#include "runtime/runtime.h"

extern const struct runtime_adapter thread_adapter;
extern const struct runtime_adapter marks_adapter;

#endif
