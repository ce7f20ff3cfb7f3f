/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes heaps with holes, then says what mallinfo2() counts: tests/unit/test_heap_walk.c compares.
 *
 *   heap_frag THREADS BLOCKS [churn]
 *
 * Every thread allocates BLOCKS blocks of many sizes and frees them in a pattern of its own. With
 * "churn" the threads then go on, also while `ready` stands there; without, nothing changes any more.
 *   arena FREE FAST TOTAL: bytes of free chunks with the tops, of these in fast bins, of all heaps
 *   ready
 * It ends with its standard input.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t block_cnt;
static volatile int stop;
static pthread_barrier_t barrier;
static int churn;

static size_t size_of(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	switch (*seed >> 61) {
	case 0:
		return 1000 + (*seed >> 33) % 60000;
	case 1:
	case 2:
		return 200 + (*seed >> 33) % 2000;
	default:
		return 1 + (*seed >> 33) % 200;
	}
}

static void *fill(size_t sz)
{
	void *block = malloc(sz);

	if (!block)
		abort();
	return memset(block, 0x5a, sz);
}

static void *work(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 1, nr = (uintptr_t)arg;
	void **blocks = calloc(block_cnt, sizeof(*blocks));

	if (!blocks)
		abort();
	for (size_t i = 0; i < block_cnt; i++)
		blocks[i] = fill(size_of(&seed));
	for (size_t i = 0; i < block_cnt; i++) {
		if (i % (nr + 2) == 0)
			continue;
		free(blocks[i]);
		blocks[i] = NULL;
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; churn && !stop; i = (i + 7) % block_cnt) {
		free(blocks[i]);
		blocks[i] = fill(size_of(&seed));
	}
	while (!stop)
		usleep(10000);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 3;
	static char line[256];
	struct mallinfo2 info;
	pthread_t thread;
	char byte;

	block_cnt = argc > 2 ? (size_t)atol(argv[2]) : 2000;
	churn = argc > 3;
	setvbuf(stdout, line, _IOLBF, sizeof(line)); /* without a block of its own */
	pthread_barrier_init(&barrier, NULL, (unsigned int)threads + 1);
	for (long i = 0; i + 1 < threads; i++)
		if (pthread_create(&thread, NULL, work, (void *)(i + 1)))
			return 1;
	/* the main arena's */
	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	for (size_t i = 0; i < block_cnt; i++) {
		void *block = fill(64 + i % 3000), *other = fill(32);

		if (!other)
			return 1;
		if (i % 2)
			free(block);
	}
	pthread_barrier_wait(&barrier);
	info = mallinfo2();
	printf("arena %zu %zu %zu\n", info.fordblks, info.fsmblks, info.arena);
	printf("ready\n");
	pthread_barrier_wait(&barrier);
	while (read(0, &byte, 1) > 0)
		;
	stop = 1;
	return 0;
}
