/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that the `marks` runtime probes, and the same bookkeeping done by the program
 * itself. Included by marks.c, and by spin.c for the functions alone. Who has such functions of his
 * own (marks_pushed.c) defines MARKS_OWN.
 */
#ifndef MARKS_H
#define MARKS_H

#include "truth.h"
#include "../../bpf/wire.h"

#ifndef MARKS_OWN
/*
 * The one-byte nop that patchable_function_entry puts first is an instruction that the kernel
 * emulates, so that a probe on it costs no single-step. The empty asm keeps the call and its
 * arguments.
 */
#define MARK __attribute__((noinline, used, patchable_function_entry(1)))

MARK void asyncscope_spawn(uint64_t id, const char *kind);
MARK void asyncscope_enter(uint64_t id, const void *stack);
MARK void asyncscope_leave(uint64_t id);
MARK void asyncscope_wake(uint64_t id);
MARK void asyncscope_end(uint64_t id, int state);

void asyncscope_spawn(uint64_t id, const char *kind)
{
	__asm__ volatile("" ::"r"(id), "r"(kind) : "memory");
}

void asyncscope_enter(uint64_t id, const void *stack)
{
	__asm__ volatile("" ::"r"(id), "r"(stack) : "memory");
}

void asyncscope_leave(uint64_t id)
{
	__asm__ volatile("" ::"r"(id) : "memory");
}

void asyncscope_wake(uint64_t id)
{
	__asm__ volatile("" ::"r"(id) : "memory");
}

void asyncscope_end(uint64_t id, int state)
{
	__asm__ volatile("" ::"r"(id), "r"(state) : "memory");
}
#endif

/* What really happened to a task. Ids are small, so they index the table. */
#define TASK_CNT 128
struct task {
	const char *kind;
	uint64_t parent; /* a task's id, or the tid when parent_is_thread */
	bool parent_is_thread;
	bool existed; /* spawned before "go" */
	uint64_t enters;
	uint64_t wall_ns, self_ns, cpu_ns; /* wall: inclusive; self and cpu: without inner frames */
	uint64_t wakes_received, wakes_sent, wakes_self;
	uint64_t wakes_run; /* ENTERs that a wake had come before */
	uint64_t woken_ns; /* since when it waits to run */
	uint64_t wake_delay_ns, wake_delay_max_ns;
	int state;
};

struct frame {
	uint64_t id;
	uint64_t enter_ns, enter_cpu_ns;
	uint64_t child_wall_ns, child_cpu_ns;
};

#define FRAME_CNT 32
struct marks_thread {
	struct frame frames[FRAME_CNT];
	int depth;
};

static struct task tasks[TASK_CNT];
static pthread_mutex_t tasks_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread struct marks_thread self;
static bool went; /* "go" has come */

static inline uint64_t current_task(void)
{
	return self.depth ? self.frames[self.depth - 1].id : 0;
}

static inline void spawn(uint64_t id, const char *kind)
{
	struct task *task = &tasks[id];

	pthread_mutex_lock(&tasks_lock);
	task->kind = kind;
	task->existed = !went;
	task->parent = current_task();
	if (!task->parent) {
		task->parent = (uint64_t)thread_id();
		task->parent_is_thread = true;
	}
	pthread_mutex_unlock(&tasks_lock);
	asyncscope_spawn(id, kind);
}

/* `stack`: the frame that the task runs in, or NULL. */
static inline void enter_at(uint64_t id, const void *stack)
{
	struct frame *frame = &self.frames[self.depth++];
	struct task *task = &tasks[id];

	pthread_mutex_lock(&tasks_lock);
	*frame = (struct frame){.id = id};
	if (task->woken_ns) {
		uint64_t delay = mono_ns() - task->woken_ns;

		task->wakes_run++;
		task->wake_delay_ns += delay;
		if (delay > task->wake_delay_max_ns)
			task->wake_delay_max_ns = delay;
		task->woken_ns = 0;
	}
	pthread_mutex_unlock(&tasks_lock);
	frame->enter_cpu_ns = thread_cpu_ns();
	frame->enter_ns = mono_ns();
	asyncscope_enter(id, stack);
}

static inline void enter(uint64_t id)
{
	enter_at(id, NULL);
}

/* Ends the innermost frame in the program's own books only. */
static inline void pop(void)
{
	struct frame *frame = &self.frames[--self.depth];
	struct task *task = &tasks[frame->id];
	uint64_t wall = mono_ns() - frame->enter_ns;
	uint64_t cpu = thread_cpu_ns() - frame->enter_cpu_ns;

	pthread_mutex_lock(&tasks_lock);
	task->enters++;
	task->wall_ns += wall;
	task->self_ns += wall - frame->child_wall_ns;
	task->cpu_ns += cpu - frame->child_cpu_ns;
	pthread_mutex_unlock(&tasks_lock);
	if (self.depth) {
		self.frames[self.depth - 1].child_wall_ns += wall;
		self.frames[self.depth - 1].child_cpu_ns += cpu;
	}
}

static inline void leave(void)
{
	uint64_t id = current_task();

	asyncscope_leave(id);
	pop();
}

static inline void wake(uint64_t id)
{
	uint64_t by = current_task();

	pthread_mutex_lock(&tasks_lock);
	tasks[id].wakes_received++;
	tasks[id].wakes_self += by == id;
	if (by)
		tasks[by].wakes_sent++;
	if (!tasks[id].woken_ns)
		tasks[id].woken_ns = mono_ns();
	pthread_mutex_unlock(&tasks_lock);
	asyncscope_wake(id);
}

static inline void end(uint64_t id, enum wire_state state)
{
	tasks[id].state = (int)state;
	asyncscope_end(id, (int)state);
}

static const char *const state_names[] = {
#define X(id, name) #name,
	WIRE_STATES(X)
#undef X
};

static inline void print_task(uint64_t id)
{
	const struct task *task = &tasks[id];

	printf("{\"task\": %" PRIu64 ", \"kind\": \"%s\", \"existed\": %s, ", id, task->kind,
	       task->existed ? "true" : "false");
	printf("\"enters\": %" PRIu64 ", \"wall_ns\": %" PRIu64 ", \"self_ns\": %" PRIu64
	       ", \"cpu_ns\": %" PRIu64 ", ",
	       task->enters, task->wall_ns, task->self_ns, task->cpu_ns);
	printf("\"wakes_received\": %" PRIu64 ", \"wakes_sent\": %" PRIu64
	       ", \"wakes_self\": %" PRIu64 ", \"wakes_run\": %" PRIu64
	       ", \"wake_delay_ns\": %" PRIu64 ", \"wake_delay_max_ns\": %" PRIu64 ", ",
	       task->wakes_received, task->wakes_sent, task->wakes_self, task->wakes_run,
	       task->wake_delay_ns, task->wake_delay_max_ns);
	printf("\"state\": \"%s\", \"parent\": \"%" PRIu64 "\", \"parent_is_thread\": %s}\n",
	       state_names[task->state], task->parent, task->parent_is_thread ? "true" : "false");
}

#endif
