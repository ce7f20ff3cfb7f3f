/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * marks.c with functions that begin as most do: endbr64, push. The kernel steps over the first and
 * emulates the second. Run by tests/live/marks.t.
 */
#include <stdint.h>

#define MARK(name, ...)                                                                            \
	__attribute__((naked, noinline, used)) void asyncscope_##name(__VA_ARGS__)                 \
	{                                                                                          \
		__asm__ volatile("endbr64\n\tpush %rbx\n\tpop %rbx\n\tret\t# " #name);             \
	}

void asyncscope_spawn(uint64_t id, const char *kind);
void asyncscope_enter(uint64_t id, const void *stack);
void asyncscope_leave(uint64_t id);
void asyncscope_wake(uint64_t id);
void asyncscope_end(uint64_t id, int state);

MARK(spawn, uint64_t id __attribute__((unused)), const char *kind __attribute__((unused)))
MARK(enter, uint64_t id __attribute__((unused)), const void *stack __attribute__((unused)))
MARK(leave, uint64_t id __attribute__((unused)))
MARK(wake, uint64_t id __attribute__((unused)))
MARK(end, uint64_t id __attribute__((unused)), int state __attribute__((unused)))

#define MARKS_OWN
#include "marks.c"
