/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives the `marks` runtime: tasks whose nesting, times, wakes and ends are known. Run by
 * tests/live/marks.t, tools/bench and tools/soak.
 *
 *   marks [--wait] SCENARIO, or rate R SECONDS [THREADS], or many N [PER_SECOND]
 *
 * Prints one JSON line per task with what really happened to it.
 */
#include "marks.h"

#include <setjmp.h>
#include <stdatomic.h>

static atomic_int stage; /* hands a task from thread to thread */

static void work(uint64_t burn, uint64_t sleep)
{
	if (burn)
		burn_ns(burn * NS_PER_MS);
	if (sleep)
		sleep_ns(sleep * NS_PER_MS);
}

/* outer > middle > inner, twice, with burn and sleep in each; then siblings of one parent. */
static void run_nest(void)
{
	spawn(1, "outer");
	for (int round = 0; round < 2; round++) {
		enter(1);
		work(20, 10);
		if (!round) {
			spawn(2, "middle");
			spawn(4, "sibling");
		}
		enter(2);
		work(30, 15);
		if (!round)
			spawn(3, "inner");
		enter(3);
		work(40, 20);
		leave();
		work(10, 5);
		leave();
		enter(4);
		work(15, 0);
		leave();
		work(5, 5);
		leave();
	}
	end(3, STATE_COMPLETED);
	end(2, STATE_COMPLETED);
	end(4, STATE_COMPLETED);
	end(1, STATE_COMPLETED);
}

/* Deeper than the stack of frames: the inner ones are only counted, and LEAVEs stay balanced. */
static void run_deep(void)
{
	for (uint64_t id = 1; id <= 20; id++)
		spawn(id, "level");
	for (int round = 0; round < 3; round++) {
		for (uint64_t id = 1; id <= 20; id++) {
			enter(id);
			work(2, 0);
		}
		for (uint64_t id = 20; id >= 1; id--)
			leave();
	}
	spawn(21, "after");
	enter(21);
	work(30, 0);
	leave();
	end(21, STATE_COMPLETED);
}

/* Each in a frame of its own on the stack, so that the longjmp really leaves them. */
static jmp_buf jump;

static __attribute__((noinline)) void jump_inner(void)
{
	enter_at(6, __builtin_frame_address(0));
	work(10, 0);
	longjmp(jump, 1);
}

static __attribute__((noinline)) void jump_middle(void)
{
	enter_at(5, __builtin_frame_address(0));
	work(10, 0);
	jump_inner();
}

static __attribute__((noinline)) void jump_outer(void)
{
	enter_at(4, __builtin_frame_address(0));
	work(10, 0);
	jump_middle();
}

/* noinline: the inner ENTER is called from deeper in the stack than the outer LEAVE. */
static __attribute__((noinline)) void forget_to_leave(uint64_t id)
{
	enter_at(id, __builtin_frame_address(0));
	work(20, 0);
}

static void run_missing_leave(void)
{
	spawn(1, "outer");
	spawn(2, "forgotten");
	enter_at(1, __builtin_frame_address(0));
	work(10, 0);
	forget_to_leave(2);
	asyncscope_leave(1); /* without the LEAVE of 2 */
	pop();
	pop();

	spawn(3, "jumper");
	for (uint64_t id = 4; id <= 6; id++)
		spawn(id, "jumped");
	spawn(7, "after");
	enter_at(3, __builtin_frame_address(0));
	if (!setjmp(jump))
		jump_outer();
	while (self.depth > 1)
		pop();
	enter_at(7, __builtin_frame_address(0)); /* 4 to 6 are gone with their stack */
	work(15, 0);
	leave();
	work(5, 0);
	leave();
	end(7, STATE_COMPLETED);
	end(3, STATE_COMPLETED);
	end(1, STATE_COMPLETED);
}

static void *exit_inside(void *arg)
{
	(void)arg;
	spawn(1, "cut-outer");
	spawn(2, "cut-inner");
	enter(1);
	work(20, 10);
	enter(2);
	work(20, 10);
	while (self.depth)
		pop();
	return NULL; /* no LEAVE */
}

static void join_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, arg);
	if (errno)
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void run_thread_exit(void)
{
	join_thread(exit_inside, NULL);
	spawn(3, "after");
	enter(3);
	work(10, 0);
	leave();
	end(3, STATE_COMPLETED);
}

static void wait_stage(int wanted)
{
	while (stage < wanted)
		sleep_ns(50 * NS_PER_US);
}

/* Runs task 2 whenever task 1 of the other thread woke it, a known time later. */
static void *woken_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		wait_stage(2 * i + 1);
		sleep_ns(10 * NS_PER_MS);
		enter(2);
		work(2, 0);
		leave();
		stage = 2 * i + 2;
	}
	return NULL;
}

static void run_wakes(void)
{
	pthread_t thread;

	spawn(1, "waker");
	spawn(2, "woken");
	spawn(3, "self-waker");
	errno = pthread_create(&thread, NULL, woken_thread, NULL);
	if (errno)
		die("pthread_create");
	for (int i = 0; i < 10; i++) {
		enter(1);
		wake(2);
		work(1, 0);
		leave();
		stage = 2 * i + 1;
		wait_stage(2 * i + 2);
	}
	pthread_join(thread, NULL);
	for (int i = 0; i < 5; i++) {
		enter(3);
		wake(3);
		work(1, 0);
		leave();
		sleep_ns(4 * NS_PER_MS);
	}
	wake(1); /* from outside of any task: the thread is the waker */
	enter(1);
	leave();
	for (uint64_t id = 1; id <= 3; id++)
		end(id, STATE_COMPLETED);
}

/* Every way to end, one by an END inside its own frame, one task without an END. */
static void run_cancel(void)
{
	static const enum wire_state states[] = {STATE_COMPLETED, STATE_CANCELLED, STATE_PANICKED,
						 STATE_DROPPED};

	for (uint64_t i = 0; i < ARRAY_CNT(states); i++) {
		spawn(i + 1, state_names[states[i]]);
		enter(i + 1);
		work(5, 0);
		leave();
		end(i + 1, states[i]);
	}
	spawn(5, "never-entered");
	end(5, STATE_CANCELLED);
	spawn(6, "ends-inside");
	enter(6);
	work(5, 0);
	end(6, STATE_PANICKED);
	leave();
	spawn(7, "left-open");
	enter(7);
	work(5, 0);
	leave();
}

/* Tasks 1 and 2 were spawned and entered before "go"; prepared by before_existing(). */
static uint64_t existing_base_ns, existing_base_cpu_ns;

static void before_existing(void)
{
	spawn(1, "old-outer");
	spawn(2, "old-inner");
	spawn(3, "old-idle");
	enter(1);
	enter(2);
}

static void run_existing(void)
{
	/* what was before "go" is not in the recording */
	existing_base_ns = mono_ns();
	existing_base_cpu_ns = thread_cpu_ns();
	for (int i = 0; i < self.depth; i++) {
		self.frames[i].enter_ns = existing_base_ns;
		self.frames[i].enter_cpu_ns = existing_base_cpu_ns;
	}
	work(20, 10);
	leave();
	work(10, 0);
	leave();
	/* their first frames could not be seen: only what follows counts */
	for (uint64_t id = 1; id <= 2; id++)
		tasks[id].enters = tasks[id].wall_ns = tasks[id].self_ns = tasks[id].cpu_ns = 0;
	for (uint64_t id = 1; id <= 3; id++) {
		enter(id);
		work(10, 5);
		leave();
	}
	spawn(4, "new");
	enter(4);
	work(10, 0);
	leave();
	for (uint64_t id = 1; id <= 4; id++)
		end(id, STATE_COMPLETED);
}

/* One task that two threads run in turn, and one that is spawned here and ended there. */
static void *other_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		wait_stage(2 * i + 1);
		enter(1);
		work(2, 1);
		leave();
		stage = 2 * i + 2;
	}
	enter(2);
	work(5, 0);
	leave();
	end(2, STATE_COMPLETED);
	return NULL;
}

static void run_ordering(void)
{
	pthread_t thread;

	spawn(1, "handed");
	spawn(2, "moved");
	errno = pthread_create(&thread, NULL, other_thread, NULL);
	if (errno)
		die("pthread_create");
	for (int i = 0; i < 20; i++) {
		enter(1);
		work(1, 0);
		leave();
		stage = 2 * i + 1;
		wait_stage(2 * i + 2);
	}
	pthread_join(thread, NULL);
	end(1, STATE_COMPLETED);
}

struct rate {
	uint64_t per_sec;
	double seconds;
	int threads;
	uint64_t done, cpu_ns;
};

#define RATE_TASKS 64 /* of each thread */

struct rate_thread {
	const struct rate *rate;
	pthread_t thread;
	uint64_t base; /* of its task ids */
	uint64_t done, cpu_ns;
};

/* Paced by the millisecond; what the machine cannot do is not made up for afterwards. */
static void *rate_thread(void *arg)
{
	struct rate_thread *thread = arg;
	const struct rate *rate = thread->rate;
	double per_ns = (double)rate->per_sec / rate->threads / 1e9;
	uint64_t start = mono_ns(), stop = start + (uint64_t)(rate->seconds * 1e9);
	uint64_t cpu = thread_cpu_ns(), tick = start;

	for (uint64_t i = 0; i < RATE_TASKS; i++)
		asyncscope_spawn(thread->base + i, "rate");
	for (uint64_t now = start; now < stop; now = mono_ns()) {
		uint64_t due = (uint64_t)((double)(now - start) * per_ns);
		uint64_t batch = thread->done + 4096;

		for (; thread->done < due && thread->done < batch; thread->done++) {
			uint64_t id = thread->base + thread->done % RATE_TASKS;

			asyncscope_enter(id, NULL);
			asyncscope_leave(id);
		}
		if (thread->done < due)
			continue;
		while (tick <= now)
			tick += NS_PER_MS;
		sleep_until(tick);
	}
	for (uint64_t i = 0; i < RATE_TASKS; i++)
		asyncscope_end(thread->base + i, STATE_COMPLETED);
	thread->cpu_ns = thread_cpu_ns() - cpu;
	return NULL;
}

static int run_rate(int argc, char **argv)
{
	struct rate rate = {.threads = 1};
	struct rate_thread *threads;
	uint64_t start = mono_ns();

	rate.per_sec = strtoull(argv[0], NULL, 10);
	rate.seconds = atof(argv[1]);
	if (argc > 2)
		rate.threads = atoi(argv[2]);
	if (!rate.per_sec || rate.seconds <= 0 || rate.threads < 1 || rate.threads > 64)
		return 2;
	threads = calloc((size_t)rate.threads, sizeof(*threads));
	if (!threads)
		die("calloc");
	truth_limit((unsigned int)rate.seconds + 60);
	for (int i = 0; i < rate.threads; i++) {
		threads[i].rate = &rate;
		threads[i].base = UINT64_C(1000) * (uint64_t)(i + 1);
		errno = pthread_create(&threads[i].thread, NULL, rate_thread, &threads[i]);
		if (errno)
			die("pthread_create");
	}
	for (int i = 0; i < rate.threads; i++) {
		pthread_join(threads[i].thread, NULL);
		rate.done += threads[i].done;
		rate.cpu_ns += threads[i].cpu_ns;
	}
	printf("{\"asked_per_sec\": %" PRIu64
	       ", \"threads\": %d, \"tasks\": %d, \"pairs\": %" PRIu64 ", \"cpu_ns\": %" PRIu64
	       ", \"elapsed_ns\": %" PRIu64 "}\n",
	       rate.per_sec, rate.threads, rate.threads * RATE_TASKS, rate.done, rate.cpu_ns,
	       mono_ns() - start);
	free(threads);
	return 0;
}

/* Tasks that come and go, for what the recorder does with the ended ones. */
static int run_many(uint64_t cnt, uint64_t per_sec)
{
	uint64_t batch = per_sec / 1000 ? per_sec / 1000 : 1;
	uint64_t start = mono_ns(), cpu = thread_cpu_ns();

	for (uint64_t id = 1; id <= cnt; id++) {
		asyncscope_spawn(id, id % 2 ? "odd" : "even");
		asyncscope_enter(id, NULL);
		asyncscope_leave(id);
		asyncscope_end(id, STATE_COMPLETED);
		if (id % batch == 0)
			sleep_until(start + id * NS_PER_SEC / per_sec);
	}
	printf("{\"tasks\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 ", \"elapsed_ns\": %" PRIu64 "}\n",
	       cnt, thread_cpu_ns() - cpu, mono_ns() - start);
	return 0;
}

static const struct scenario {
	const char *name;
	void (*run)(void);
	void (*before)(void);
} scenarios[] = {
	{"nest", run_nest, NULL},
	{"deep", run_deep, NULL},
	{"missing-leave", run_missing_leave, NULL},
	{"thread-exit", run_thread_exit, NULL},
	{"wakes", run_wakes, NULL},
	{"cancel", run_cancel, NULL},
	{"existing", run_existing, before_existing},
	{"ordering", run_ordering, NULL},
};

static int usage(void)
{
	fprintf(stderr, "usage: marks [--wait] rate R SECONDS [THREADS] | many N [PER_SECOND]");
	for (size_t i = 0; i < ARRAY_CNT(scenarios); i++)
		fprintf(stderr, " | %s", scenarios[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static int run_scenario(const struct scenario *scenario, bool wait)
{
	if (scenario->before)
		scenario->before();
	truth_ready(wait);
	went = true;
	scenario->run();
	for (uint64_t id = 1; id < TASK_CNT; id++)
		if (tasks[id].kind)
			print_task(id);
	return 0;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);

	if (argc < 2)
		return usage();
	truth_limit(60);
	for (size_t i = 0; i < ARRAY_CNT(scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0)
			return run_scenario(&scenarios[i], wait);
	if (strcmp(argv[1], "rate") == 0 && argc >= 4) {
		truth_ready(wait);
		return run_rate(argc - 2, argv + 2);
	}
	if (strcmp(argv[1], "many") == 0 && argc >= 3) {
		uint64_t per_sec = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000;

		truth_ready(wait);
		return run_many(strtoull(argv[2], NULL, 10), per_sec ? per_sec : 1);
	}
	return usage();
}
