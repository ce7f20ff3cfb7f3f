/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What surrounds a planted leak and is none, in C and C++ (heap_leak.c, heap_leak_cpp.cpp): blocks that
 * are there from the beginning on, a cache, a pool that fills up once, a queue between two threads, and a
 * list that grows and is freed again. Those together are larger than the leak.
 *
 *   heap_leak [--wait] [--rate BYTES] [--seconds S]    BYTES per second, 0: no leak at all
 *
 * LEAK_BLOCKS: so many are lost at once, LEAK_SZ together.
 * Each kind allocates in a function of its own, whose name begins with "noise_".
 */
#ifndef HEAP_LEAK_H
#define HEAP_LEAK_H

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS     2000000
#define STARTUP_CNT 3000
#define STARTUP_SZ  700
#define CACHE_CNT   512
#define POOL_CNT    400
#define POOL_SZ     2048
#define QUEUE_CNT   32
#define LIST_MAX    600
#define LEAK_SZ     200
#define KEEP(block) __asm__ volatile("" : : "r"(block) : "memory")
#define NOINLINE    __attribute__((noinline))

struct leak {
	uint64_t rate, cnt;
	double seconds;
	int tid;
};

static struct leak leak = {100000, 0, 6, 0};
static void *startup[STARTUP_CNT], *cache[CACHE_CNT], *pool[POOL_CNT];
static void *queue[QUEUE_CNT];
static unsigned int queue_in, queue_out;
static sem_t queue_free, queue_used;
static pthread_barrier_t begins;
static int stop; /* by __atomic */

static uint64_t leak_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void tick(void)
{
	struct timespec ts = {0, TICK_NS};

	nanosleep(&ts, NULL);
}

static bool over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* What a thread holds that has ended would be another finding. */
static __attribute__((noreturn)) void *stay(void)
{
	for (;;)
		pause();
}

static uint32_t noise_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* What the program is about: given by each language's own file. */
static void *take(size_t sz);
static void give(void *block);
static void plant_leak(void);

/* All at once, then never again. */
static NOINLINE void noise_startup(void)
{
	for (int i = 0; i < STARTUP_CNT; i++)
		startup[i] = take(STARTUP_SZ);
}

static NOINLINE void noise_cache(uint32_t *state)
{
	unsigned int slot = noise_random(state) % CACHE_CNT;

	give(cache[slot]);
	cache[slot] = take(64 + noise_random(state) % 512);
}

static NOINLINE void noise_pool(int *used)
{
	if (*used < POOL_CNT)
		pool[(*used)++] = take(POOL_SZ);
}

/* A list that grows for a second and a bit, again and again. */
static NOINLINE void noise_list(void **list, int *len)
{
	if (*len == LIST_MAX) {
		while (*len)
			give(list[--*len]);
		return;
	}
	list[(*len)++] = take(300);
}

static NOINLINE void noise_queue(uint32_t *state)
{
	while (sem_wait(&queue_free))
		;
	queue[queue_in++ % QUEUE_CNT] = take(100 + noise_random(state) % 100);
	sem_post(&queue_used);
}

static NOINLINE void noise_temporary(uint32_t *state)
{
	void *block = take(1 + noise_random(state) % 5000);

	KEEP(block);
	give(block);
}

static void *worker(void *arg)
{
	static void *list[LIST_MAX];
	uint32_t state = 7;
	int used = 0, len = 0;

	(void)arg;
	pthread_setname_np(pthread_self(), "worker");
	pthread_barrier_wait(&begins);
	noise_startup();
	while (!over()) {
		tick();
		noise_pool(&used);
		noise_list(list, &len);
		for (int i = 0; i < 5; i++) {
			noise_cache(&state);
			noise_temporary(&state);
		}
		noise_queue(&state);
	}
	return stay();
}

static void *consumer(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "consumer");
	pthread_barrier_wait(&begins);
	for (;;) {
		while (sem_wait(&queue_used))
			;
		if (over())
			return stay();
		give(queue[queue_out++ % QUEUE_CNT]);
		sem_post(&queue_free);
	}
}

/* Among the noise: so many bytes per second, by time, whatever the machine does. */
static void *leaker(void *arg)
{
	uint64_t begin, blocks;

	(void)arg;
	pthread_setname_np(pthread_self(), "leaker");
	leak.tid = gettid();
	pthread_barrier_wait(&begins);
	begin = leak_now();
	while (!over()) {
		tick();
		blocks = (leak_now() - begin) / 1000 * leak.rate / 1000000 / LEAK_SZ;
		while (leak.cnt < blocks) {
			plant_leak();
			leak.cnt++;
		}
	}
	return stay();
}

static void leak_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *val = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--wait") == 0)
			continue;
		if (val && strcmp(argv[i], "--rate") == 0)
			leak.rate = strtoull(val, NULL, 10);
		else if (val && strcmp(argv[i], "--seconds") == 0)
			leak.seconds = strtod(val, NULL);
		else
			exit(2);
		i++;
	}
}

/* "ready", a line of input, the given time, what was done, "quiet", SIGUSR1. */
static void leak_say(const char *language)
{
	char line[512];
	int sz = snprintf(line, sizeof(line),
			  "{\"language\": \"%s\", \"function\": \"plant_leak\", \"tid\": %d, "
			  "\"blocks\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"rate\": %" PRIu64
			  ", \"noise_bytes\": %d}\nquiet\n",
			  language, leak.tid, leak.cnt * LEAK_BLOCKS, leak.cnt * LEAK_SZ, leak.rate,
			  STARTUP_CNT * STARTUP_SZ + POOL_CNT * POOL_SZ);

	if (write(STDOUT_FILENO, line, (size_t)sz) != sz)
		_exit(1);
}

static int leak_main(int argc, char **argv, const char *language)
{
	void *(*const mains[])(void *) = {worker, consumer, leaker};
	pthread_t threads[3];
	char line[64];
	sigset_t usr1;
	int sz = snprintf(line, sizeof(line), "ready %d\n", (int)getpid());

	leak_options(argc, argv);
	alarm((unsigned int)leak.seconds + 60);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	sem_init(&queue_free, 0, QUEUE_CNT);
	sem_init(&queue_used, 0, 0);
	pthread_barrier_init(&begins, NULL, 4);
	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, mains[i], NULL))
			return 1;
	if (write(STDOUT_FILENO, line, (size_t)sz) != sz || read(STDIN_FILENO, line, 64) < 0)
		return 1;
	pthread_barrier_wait(&begins);
	usleep((useconds_t)(leak.seconds * 1000000));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	usleep(50000); /* until the last blocks are counted */
	leak_say(language);
	sigwaitinfo(&usr1, NULL);
	_exit(0);
}

#endif
