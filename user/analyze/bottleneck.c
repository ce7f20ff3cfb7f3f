/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each task is bound by: the largest share of its life within the recording that is neither
 * idling nor a sleep by its own wish, if that share is worth a word. SCHEMA.md's bottleneck_type
 * names resources only, so a lock is "Unknown" with the cause "lock"; a full run queue is "Cpu".
 */
#include "analyze/pass.h"

/* Below these a task is called mostly idle. */
#define MIN_SHARE 0.10
#define MIN_NS    (5 * NS_PER_MS)
/* Two shares of different resources closer than this are called balanced. */
#define BALANCED_RATIO 0.8

static const struct {
	enum wire_counter counter;
	enum bottleneck bottleneck;
	const char *cause;
} causes[] = {
	{COUNTER_ON_CPU, BOTTLENECK_CPU, "on CPU"},
	{COUNTER_RUNQUEUE, BOTTLENECK_CPU, "run queue"},
	{COUNTER_BLOCKED_DISK, BOTTLENECK_IO, "disk"},
	{COUNTER_BLOCKED_NET, BOTTLENECK_NETWORK, "network"},
	{COUNTER_BLOCKED_LOCK, BOTTLENECK_UNKNOWN, "lock"},
	{COUNTER_BLOCKED_OTHER, BOTTLENECK_UNKNOWN, "blocked, cause unclear"},
};
#define CAUSE_CNT (sizeof(causes) / sizeof(causes[0]))

static void judge(const struct task *task, struct task_result *result)
{
	/* What ran within its frames under another task's name is not its own life. */
	int64_t own = sat_sub(result->inside_ns, task->c[COUNTER_CHILD_WALL]);
	size_t first = 0, second = CAUSE_CNT;
	int64_t top, next = 0;

	for (size_t i = 1; i < CAUSE_CNT; i++) {
		if (task->c[causes[i].counter] > task->c[causes[first].counter])
			first = i;
	}
	top = task->c[causes[first].counter];
	if (top < MIN_NS || (double)top < MIN_SHARE * (double)own)
		return;
	for (size_t i = 0; i < CAUSE_CNT; i++) {
		if (causes[i].bottleneck != causes[first].bottleneck &&
		    task->c[causes[i].counter] > next) {
			next = task->c[causes[i].counter];
			second = i;
		}
	}
	result->bottleneck = causes[first].bottleneck;
	result->cause = causes[first].cause;
	if (second < CAUSE_CNT && (double)next >= BALANCED_RATIO * (double)top) {
		result->bottleneck = BOTTLENECK_BALANCED;
		result->cause = "several causes, about equal";
	}
}

int pass_bottlenecks(struct analysis *analysis)
{
	const struct model *model = analysis->model;

	if (!model->caps[CAP_WAITS].measured)
		return 0;
	for (size_t i = 0; i < model->task_cnt; i++)
		judge(&model->tasks[i], &analysis->tasks[i]);
	return 0;
}
