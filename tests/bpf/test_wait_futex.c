/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a futex is, by the words around it: glibc's own structures (through the field names of this
 * machine's headers) and Rust's, in the memory of this test. Each case is asked three times: read
 * as the current task's memory, read by sleeping as another task's, and not read at all.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "run.h"
#include "tests/wait_run.skel.h"

#define TID            1234
#define WAIT           (FUTEX_WAIT | FUTEX_PRIVATE_FLAG)
#define WAIT_SHARED    FUTEX_WAIT
#define WAIT_TIMED     (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG)
#define WAIT_TIMED_ABS (FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME)

/* One object with zeroes around it: what else is near must not decide. */
struct box {
	uint32_t before[16];
	union {
		pthread_mutex_t mutex;
		pthread_rwlock_t rwlock;
		pthread_cond_t cond;
		sem_t sem;
		/* glibc's struct pthread_barrier, which no header shows */
		struct {
			uint32_t in, current_round, count;
			int shared;
			uint32_t out;
		} barrier;
		uint32_t words[16];
	};
	uint32_t after[16];
};

static struct wait_run *skel;
static struct box box;

static uint32_t ask_remote(const void *addr, uint32_t op, uint32_t val)
{
	struct {
		uint64_t addr;
		uint32_t op, val;
	} args = {(uintptr_t)addr, op, val};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.futex_remote), &opts))
		return 0;
	return opts.retval;
}

static void check(uint32_t is, uint32_t should, const char *how, const char *what)
{
	ok(is == should, "%s, %s: %s", what, how, cause_name(should));
	if (is != should)
		note("was: %s", cause_name(is));
}

/* `blind`: the answer when no memory can be read. */
static void ask3(const void *addr, uint32_t op, uint32_t val, uint32_t cause, uint32_t blind,
		 const char *what)
{
	uint64_t word = (uintptr_t)addr;

	check(run_prog(skel->progs.futex_current, word, op, val, 0), cause, "own memory", what);
	check(ask_remote(addr, op, val), cause, "another's memory", what);
	check(run_prog(skel->progs.futex_none, word, op, val, 0), blind, "no memory", what);
}

static struct box *clean(void)
{
	memset(&box, 0, sizeof(box));
	return &box;
}

static void fill_mutex(pthread_mutex_t *mutex, int kind)
{
	mutex->__data.__lock = 2;
	mutex->__data.__owner = TID;
	mutex->__data.__nusers = 1;
	mutex->__data.__kind = kind;
}

static void test_mutex(void)
{
	pthread_mutex_t *mutex = &clean()->mutex;
	int *word = &mutex->__data.__lock;

	fill_mutex(mutex, PTHREAD_MUTEX_TIMED_NP);
	ask3(word, WAIT, 2, CAUSE_LOCK, CAUSE_LOCK, "a mutex");
	ask3(word, WAIT_TIMED, 2, CAUSE_LOCK, CAUSE_OTHER, "a mutex with a timeout");
	ask3(word, WAIT_SHARED, 2, CAUSE_LOCK, CAUSE_OTHER, "a mutex in shared memory");
	for (int kind = PTHREAD_MUTEX_RECURSIVE_NP; kind <= PTHREAD_MUTEX_ADAPTIVE_NP; kind++) {
		fill_mutex(mutex, kind | 128 /* shared */);
		ask3(word, WAIT_SHARED, 2, CAUSE_LOCK, CAUSE_OTHER, "a mutex of another kind");
	}
	mutex->__data.__kind = 0x400;
	ask3(word, WAIT_SHARED, 2, CAUSE_OTHER, CAUSE_OTHER, "a mutex of no known kind");
	fill_mutex(mutex, 0);
	mutex->__data.__owner = 0;
	ask3(word, WAIT_SHARED, 2, CAUSE_OTHER, CAUSE_OTHER, "a mutex without an owner");
	fill_mutex(mutex, 0);
	mutex->__data.__owner = 4194305;
	ask3(word, WAIT_SHARED, 2, CAUSE_OTHER, CAUSE_OTHER, "a mutex of an impossible owner");
	fill_mutex(mutex, 0);
	mutex->__data.__nusers = 0;
	ask3(word, WAIT_SHARED, 2, CAUSE_OTHER, CAUSE_OTHER, "a mutex that nobody uses");
	fill_mutex(mutex, 0);
	ask3(word, WAIT_SHARED, 1, CAUSE_OTHER, CAUSE_OTHER, "a mutex, by another value");
	clean();
	ask3(word, WAIT, 2, CAUSE_LOCK, CAUSE_LOCK, "a bare lock inside of glibc");
	ask3(word, WAIT_SHARED, 2, CAUSE_OTHER, CAUSE_OTHER, "a bare word in shared memory");
	ask3(word, WAIT_SHARED, 0x80000000u | TID, CAUSE_OTHER, CAUSE_OTHER,
	     "a stale robust mutex");
	*word = (int)(0x80000000u | TID);
	ask3(word, WAIT_SHARED, 0x80000000u | TID, CAUSE_LOCK, CAUSE_OTHER, "a robust mutex");
}

/* The waits of pthread_rwlock_common.c; 1 = write phase, 2 = the lock or the futex is in use. */
static void test_rwlock(void)
{
	struct __pthread_rwlock_arch_t *lock = &clean()->rwlock.__data;

	lock->__readers = 1 | 2;
	lock->__cur_writer = TID;
	lock->__wrphase_futex = 1 | 2;
	ask3(&lock->__wrphase_futex, WAIT_TIMED, 3, CAUSE_LOCK, CAUSE_OTHER,
	     "a reader behind a writer");
	ask3(&lock->__wrphase_futex, WAIT_TIMED_ABS, 3, CAUSE_LOCK, CAUSE_IDLE,
	     "a reader behind a writer, in shared memory");
	lock->__writers_futex = 1 | 2;
	ask3(&lock->__writers_futex, WAIT_TIMED, 3, CAUSE_LOCK, CAUSE_OTHER,
	     "a writer behind a writer");
	lock = &clean()->rwlock.__data;
	lock->__readers = 2 << 3 | 2;
	lock->__wrphase_futex = 2;
	ask3(&lock->__wrphase_futex, WAIT_TIMED, 2, CAUSE_LOCK, CAUSE_OTHER,
	     "a writer behind two readers");
	lock->__writers_futex = 1 | 2;
	ask3(&lock->__writers_futex, WAIT_TIMED, 3, CAUSE_LOCK, CAUSE_OTHER,
	     "a writer behind a writer behind readers");
	lock->__readers = 1 << 3 | 2 | 4;
	ask3(&lock->__readers, WAIT_TIMED, 1 << 3 | 2 | 4, CAUSE_LOCK, CAUSE_OTHER,
	     "a reader behind a writer behind a reader");
	lock = &clean()->rwlock.__data;
	ask3(&lock->__wrphase_futex, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "no rwlock at all");
}

static void test_condition(void)
{
	struct __pthread_cond_s *cond = &clean()->cond.__data;

	for (unsigned int group = 0; group < 2; group++) {
		cond = &clean()->cond.__data;
		cond->__wrefs = 3 << 3;
		cond->__g_refs[group] = 3 << 1;
		ask3(&cond->__g_signals[group], WAIT_TIMED, 0, CAUSE_IDLE, CAUSE_OTHER,
		     "a condition variable");
		ask3(&cond->__g_signals[group], FUTEX_WAIT_BITSET, 0, CAUSE_IDLE, CAUSE_OTHER,
		     "a condition variable in shared memory");
		cond->__g_refs[group] = 0;
		ask3(&cond->__g_signals[group], WAIT_TIMED, 0, CAUSE_OTHER, CAUSE_OTHER,
		     "a condition variable nobody of whose group waits");
	}
}

static void test_semaphore(void)
{
	struct box *sem = clean();

	ask3(&sem->sem, WAIT_TIMED, 0, CAUSE_OTHER, CAUSE_OTHER, "a semaphore");
	sem->words[1] = 5; /* waiters */
	ask3(&sem->sem, WAIT_TIMED, 0, CAUSE_OTHER, CAUSE_OTHER, "a semaphore with five waiters");
	ask3(&sem->sem, FUTEX_WAIT_BITSET, 0, CAUSE_OTHER, CAUSE_OTHER, "a shared semaphore");
}

/* A barrier waits for its round, a number that goes up by the count of threads: 2 is not a lock's,
 * and what looks like a thread's id is none. */
static void test_barrier(void)
{
	for (uint32_t round = 0; round <= 12; round++) {
		struct box *barrier = clean();
		uint32_t *word = &barrier->barrier.current_round;
		uint32_t blind = round == 2 ? CAUSE_LOCK : CAUSE_OTHER;

		barrier->barrier.in = round + 1;
		barrier->barrier.current_round = round;
		barrier->barrier.count = 2;
		ask3(word, WAIT, round, CAUSE_OTHER, blind, "a barrier in one of its rounds");
		barrier->barrier.shared = FUTEX_PRIVATE_FLAG; /* glibc keeps it inverted */
		blind = round > 2 ? CAUSE_IDLE : CAUSE_OTHER;
		ask3(word, WAIT_SHARED, round, CAUSE_OTHER, blind, "a barrier in shared memory");
	}
}

#define RUST_READERS_WAIT 0x40000000u
#define RUST_WRITERS_WAIT 0x80000000u
#define RUST_WRITTEN      0x3fffffffu

static void test_rust(void)
{
	uint32_t *word = clean()->words;
	const uint32_t states[] = {
		RUST_WRITTEN | RUST_READERS_WAIT,
		1 | RUST_READERS_WAIT | RUST_WRITERS_WAIT,
		2 | RUST_READERS_WAIT | RUST_WRITERS_WAIT,
	};

	for (size_t i = 0; i < 3; i++) {
		*word = states[i];
		ask3(word, WAIT_TIMED, states[i], CAUSE_LOCK, CAUSE_OTHER, "a reader of an RwLock");
	}
	*word = 2;
	ask3(word, WAIT_TIMED, states[0], CAUSE_OTHER, CAUSE_OTHER, "an RwLock that has changed");
	*word = RUST_READERS_WAIT;
	ask3(word, WAIT_TIMED, RUST_READERS_WAIT, CAUSE_OTHER, CAUSE_OTHER, "an unlocked RwLock");
	/* also the word of an RwLock with a writer inside and both kinds waiting: not told apart */
	*word = UINT32_MAX;
	ask3(word, WAIT_TIMED, UINT32_MAX, CAUSE_IDLE, CAUSE_IDLE, "a parked thread");
	*word = 5;
	ask3(word, WAIT_TIMED, 5, CAUSE_OTHER, CAUSE_OTHER, "a Condvar");
	*word = 2;
	ask3(word, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "a Mutex, by its word alone");
}

static void test_operations(void)
{
	const void *word = clean()->words;

	ask3(word, WAIT_TIMED_ABS, TID, CAUSE_IDLE, CAUSE_IDLE, "a join");
	ask3(word, WAIT_SHARED, TID, CAUSE_IDLE, CAUSE_IDLE, "a join of old");
	ask3(word, WAIT_SHARED, 4194304, CAUSE_IDLE, CAUSE_IDLE, "a join of the last thread id");
	ask3(word, WAIT_SHARED, 4194305, CAUSE_OTHER, CAUSE_OTHER, "a join of no thread id");
	ask3(word, WAIT_TIMED, TID, CAUSE_OTHER, CAUSE_OTHER, "a thread id, but private");
	ask3(word, FUTEX_LOCK_PI, 0, CAUSE_LOCK, CAUSE_LOCK, "LOCK_PI");
	ask3(word, FUTEX_LOCK_PI_PRIVATE, 0, CAUSE_LOCK, CAUSE_LOCK, "LOCK_PI, private");
	ask3(word, 13 | FUTEX_PRIVATE_FLAG, 0, CAUSE_LOCK, CAUSE_LOCK, "LOCK_PI2");
	ask3(word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, CAUSE_IDLE, CAUSE_IDLE, "WAIT_REQUEUE_PI");
	ask3(word, FUTEX_WAKE, 2, CAUSE_OTHER, CAUSE_OTHER, "WAKE");
	ask3(word, FUTEX_CMP_REQUEUE, 2, CAUSE_OTHER, CAUSE_OTHER, "CMP_REQUEUE");
	ask3(word, FUTEX_TRYLOCK_PI, 2, CAUSE_OTHER, CAUSE_OTHER, "TRYLOCK_PI");
}

/* One page with nothing before and behind it. */
static void test_borders(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = mem + page, *end = mem + 2 * page;
	pthread_mutex_t *mutex = (void *)start;

	if (!ok(mem != MAP_FAILED && !mprotect(start, page, PROT_READ | PROT_WRITE), "a page"))
		return;
	fill_mutex(mutex, 0);
	ask3(mutex, WAIT_TIMED, 2, CAUSE_LOCK, CAUSE_OTHER, "a mutex at the start of a page");
	ask3(mutex, WAIT_TIMED, 0, CAUSE_OTHER, CAUSE_OTHER, "a word at the start of a page");
	mutex = (void *)(end - sizeof(*mutex));
	fill_mutex(mutex, 0);
	ask3(mutex, WAIT_TIMED, 2, CAUSE_LOCK, CAUSE_OTHER, "a mutex at the end of a page");
	ask3(end - 4, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "a word at the end of a page");
	ask3(mem, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "a word that cannot be read");
	ask3(NULL, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "the null pointer");
	ask3((void *)16, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "a small address");
	ask3((void *)~0xfffUL, WAIT_TIMED, 2, CAUSE_OTHER, CAUSE_OTHER, "an address of the kernel");
	munmap(mem, 3 * page);
}

int main(void)
{
	libbpf_set_print(print_warnings);
	skel = wait_run__open();
	if (!ok(skel != NULL, "the object opens"))
		return tap_done();
	configure(&skel->rodata->cfg, 0, 4096);
	if (!ok(!wait_run__load(skel), "the object loads"))
		return tap_done();
	test_mutex();
	test_rwlock();
	test_condition();
	test_semaphore();
	test_barrier();
	test_rust();
	test_operations();
	test_borders();
	wait_run__destroy(skel);
	return tap_done();
}
