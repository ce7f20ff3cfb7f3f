/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that have to do with each other's blocks: one frees what the other allocated, and twenty move
 * what they find. What a thread holds at most is known before it begins: where threads run beside each
 * other, each first takes more than it can ever hold later. Part of heap_truth.
 */
#ifndef HEAP_SHARED_H
#define HEAP_SHARED_H

#include "heap_books.h"

#include <sched.h>
#include <semaphore.h>

/* At the beginning of a block: whose it is. */
struct label {
	struct book *owner;
	size_t sz;
};

static inline void *label(void *block, struct book *owner, size_t sz)
{
	*(struct label *)block = (struct label){owner, sz};
	return block;
}

static inline void free_labelled(struct book *book, struct label *block)
{
	FREE(book, block->owner, block, block->sz);
}

/* In turns: the giver fills the queue, the taker empties all of it but a few. */
#define QUEUE_LEN    64
#define QUEUE_ROUNDS 40
#define QUEUE_LEFT   5 /* stay in the end */

struct queue {
	sem_t filled, emptied;
	void *blocks[QUEUE_LEN];
};

/* Each giver is followed by its taker. 0: one gives; 1: both give, to each other. */
static struct queue queues[3];

static void setup_queues(void)
{
	for (size_t i = 0; i < ARRAY_CNT(queues); i++) {
		sem_init(&queues[i].filled, 0, 0);
		sem_init(&queues[i].emptied, 0, 0);
	}
}

static void await(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static void fill(struct book *book, struct queue *queue, int round)
{
	for (int i = 0; i < QUEUE_LEN; i++) {
		size_t sz = heap_sz(32 + (size_t)((i * 53 + round * 101) % 4000));

		queue->blocks[i] = label(MALLOC(book, sz), book, sz);
	}
}

static void empty(struct book *book, struct queue *queue, int left)
{
	for (int i = 0; i < QUEUE_LEN - left; i++)
		free_labelled(book, queue->blocks[i]);
}

static void run_give(struct book *book)
{
	for (int i = 0; i < QUEUE_ROUNDS; i++) {
		fill(book, &queues[0], i);
		sem_post(&queues[0].filled);
		await(&queues[0].emptied);
	}
}

static void run_take(struct book *book)
{
	for (int i = 0; i < QUEUE_ROUNDS; i++) {
		await(&queues[0].filled);
		empty(book, &queues[0], i == QUEUE_ROUNDS - 1 ? QUEUE_LEFT : 0);
		sem_post(&queues[0].emptied);
	}
}

static void run_swap(struct book *book, struct queue *mine, struct queue *other)
{
	for (int i = 0; i < QUEUE_ROUNDS; i++) {
		fill(book, mine, i);
		sem_post(&mine->filled);
		await(&other->filled);
		empty(book, other, i == QUEUE_ROUNDS - 1 ? QUEUE_LEFT : 0);
		sem_post(&other->emptied);
		await(&mine->emptied);
	}
}

static void run_swap_left(struct book *book)
{
	run_swap(book, &queues[1], &queues[2]);
}

static void run_swap_right(struct book *book)
{
	run_swap(book, &queues[2], &queues[1]);
}

/*
 * Twenty threads take blocks out of the same places, move them, and put them back. Who moved a block
 * last owns it.
 */
#define STORM_THREADS 20
#define STORM_SLOTS   48
#define STORM_MOVES   3000
#define STORM_MAX     2000
static _Atomic(struct label *) slots[STORM_SLOTS];
static pthread_barrier_t storm_begins;

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static struct label *move(struct book *book, struct label *block, size_t sz)
{
	if (!block)
		return label(MALLOC(book, sz), book, sz);
	struct label was = *block;

	return label(REALLOC(book, was.owner, block, was.sz, sz), book, sz);
}

static void setup_storm(void)
{
	pthread_barrier_init(&storm_begins, NULL, STORM_THREADS);
}

static void run_storm(struct book *book)
{
	const size_t most = (STORM_SLOTS + STORM_THREADS) * (STORM_MAX + sizeof(struct label));
	uint64_t state = (uint64_t)book->idx * 7919 + 1;

	FREE(book, book, MALLOC(book, most), most); /* its peak, whatever happens */
	pthread_barrier_wait(&storm_begins);
	for (int i = 0; i < STORM_MOVES; i++) {
		if (i % 16 == 0)
			sched_yield(); /* or one is done before the next begins */
		size_t slot = next_random(&state) % STORM_SLOTS;
		size_t sz = heap_sz(sizeof(struct label) + next_random(&state) % STORM_MAX);
		struct label *block = move(book, atomic_exchange(&slots[slot], NULL), sz);

		block = atomic_exchange(&slots[slot], block);
		if (block)
			free_labelled(book, block);
	}
}

/* Blocks that live for a known time: X(name, ns, how many at once, rounds) */
#define LIVES(X)                                                                                   \
	X(1ms, NS_PER_MS, 4, 200)                                                                  \
	X(30ms, 30 * NS_PER_MS, 10, 20)                                                            \
	X(1s, NS_PER_SEC, 50, 2)

static void live(struct book *book, void **blocks, uint64_t ns, int cnt, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		for (int j = 0; j < cnt; j++)
			blocks[j] = MALLOC(book, heap_sz(100));
		sleep_ns(ns);
		for (int j = 0; j < cnt; j++)
			FREE(book, book, blocks[j], 100);
	}
}

#define X(name, ns, cnt, rounds)                                                                   \
	__attribute__((noinline)) static void run_live_##name(struct book *book)                   \
	{                                                                                          \
		void *blocks[cnt];                                                                 \
                                                                                                   \
		live(book, blocks, ns, cnt, rounds);                                               \
	}
LIVES(X)
#undef X

#endif
