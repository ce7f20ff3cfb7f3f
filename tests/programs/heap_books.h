/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The books that heap_truth and its kin keep: one for each thread, about the blocks that it allocated,
 * whoever frees them, and one for each function of the family. Nothing in here allocates, so that the
 * counts are the program's and no one else's: threads are made before the recording begins and stay
 * until it has ended, and what is printed is put together in a static buffer.
 *
 * Order: ready, "go", the phases one after another, "quiet", then SIGUSR1 lets it print and end.
 */
#ifndef HEAP_BOOKS_H
#define HEAP_BOOKS_H

#include "truth.h"

#include <malloc.h>
#include <stdatomic.h>

/* Nobody but glibc has one that can be linked statically, and it brings the rest of glibc's. */
#if defined(__GLIBC__) && !defined(HEAP_FOREIGN)
#define HEAP_PVALLOC
#endif

/* Names of WIRE_HEAP_FUNCTIONS; aligned_alloc is memalign there. */
#define HEAP_FNS(X)                                                                                \
	X(MALLOC, malloc)                                                                          \
	X(CALLOC, calloc)                                                                          \
	X(REALLOC, realloc)                                                                        \
	X(FREE, free)                                                                              \
	X(POSIX_MEMALIGN, posix_memalign)                                                          \
	X(MEMALIGN, memalign)                                                                      \
	X(VALLOC, valloc)                                                                          \
	X(PVALLOC, pvalloc)

enum heap_fn {
#define X(id, name) FN_##id,
	HEAP_FNS(X)
#undef X
		FN_CNT
};

static const char *const fn_names[] = {
#define X(id, name) #name,
	HEAP_FNS(X)
#undef X
};

struct fn_book {
	uint64_t calls, failed, bytes;
};

#define LIFETIMES 4

/* What a thread allocated. What others may change, since they free it, is atomic. */
struct book {
	const char *name;
	void (*run)(struct book *book);
	int phase;
	const char *site; /* the function all of it is allocated in; NULL: several */
	uint64_t lifetime_ns; /* of each of its blocks; 0: whatever */
	bool leaves; /* ends after its phase */
	int idx;
	pid_t tid;
	pthread_t thread;
	struct fn_book fns[FN_CNT];
	uint64_t allocs, alloc_bytes, peak;
	atomic_ullong frees, freed_bytes;
	uint64_t unknown; /* blocks from before, that it freed or moved */
	uint64_t start_ns, end_ns;
};

static inline void *heap_escape(void *block)
{
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

static inline uint64_t book_current(struct book *book)
{
	return book->alloc_bytes - atomic_load(&book->freed_bytes);
}

/* A call that should return a block. */
static inline bool book_got(struct book *book, enum heap_fn fn, const void *block, uint64_t sz)
{
	struct fn_book *calls = &book->fns[fn];

	calls->calls++;
	if (!block) {
		calls->failed++;
		return false;
	}
	calls->bytes += sz;
	book->allocs++;
	book->alloc_bytes += sz;
	if (book_current(book) > book->peak)
		book->peak = book_current(book);
	return true;
}

static inline void book_gone(struct book *owner, uint64_t sz)
{
	atomic_fetch_add(&owner->frees, 1);
	atomic_fetch_add(&owner->freed_bytes, sz);
}

/*
 * What was asked of realloc and what it returned. Of size 0 some allocators free, others give a block
 * of nothing; either is right. Without an owner the block was there before.
 */
static inline void book_moved(struct book *book, struct book *owner, const void *old,
			      const void *block, uint64_t old_sz, uint64_t sz)
{
	if (!block && sz) {
		book->fns[FN_REALLOC].calls++;
		book->fns[FN_REALLOC].failed++;
		return;
	}
	if (old && owner)
		book_gone(owner, old_sz);
	else if (old)
		book->unknown++;
	if (block)
		book_got(book, FN_REALLOC, block, sz);
	else
		book->fns[FN_REALLOC].calls++;
}

/*
 * Macros, not functions, so that the allocation returns into the function that uses them. Sizes are
 * taken through heap_sz() where a compiler would otherwise know better.
 */
#define TAKE(book, fn, sz, call)                                                                   \
	({                                                                                         \
		void *block_ = heap_escape(call);                                                  \
		book_got(book, fn, block_, sz);                                                    \
		block_;                                                                            \
	})

#define MALLOC(book, sz)          TAKE(book, FN_MALLOC, sz, malloc(sz))
#define CALLOC(book, cnt, sz)     TAKE(book, FN_CALLOC, (cnt) * (sz), calloc(cnt, sz))
#define MEMALIGN(book, align, sz) TAKE(book, FN_MEMALIGN, sz, memalign(align, sz))
#define ALIGNED(book, align, sz)  TAKE(book, FN_MEMALIGN, sz, aligned_alloc(align, sz))
#define VALLOC(book, sz)          TAKE(book, FN_VALLOC, sz, valloc(sz))
#define PVALLOC(book, sz)         TAKE(book, FN_PVALLOC, sz, pvalloc(sz))
#define STRDUP(book, text)        TAKE(book, FN_MALLOC, strlen(text) + 1, strdup(text))
#define POSIX_MEMALIGN(book, align, sz)                                                            \
	TAKE(book, FN_POSIX_MEMALIGN, sz, ({                                                       \
		     void *aligned_ = NULL;                                                        \
		     posix_memalign(&aligned_, align, sz) ? NULL : aligned_;                       \
	     }))

#define MOVE(book, owner, old, old_sz, sz, call)                                                   \
	({                                                                                         \
		const void *old_ = heap_escape(old);                                               \
		void *block_ = heap_escape(call);                                                  \
		book_moved(book, owner, old_, block_, old_sz, sz);                                 \
		block_;                                                                            \
	})

#define REALLOC(book, owner, old, old_sz, sz)                                                      \
	MOVE(book, owner, old, old_sz, sz, realloc(heap_escape(old), sz))
#define REALLOCARRAY(book, owner, old, old_sz, cnt, sz)                                            \
	MOVE(book, owner, old, old_sz, (cnt) * (sz), reallocarray(heap_escape(old), cnt, sz))

/* free(NULL) is nothing at all. */
#define FREE(book, owner, block, sz)                                                               \
	do {                                                                                       \
		void *gone_ = heap_escape(block);                                                  \
		(book)->fns[FN_FREE].calls++;                                                      \
		book_gone(owner, sz);                                                              \
		free(gone_);                                                                       \
	} while (0)

/* A size, or a pointer's worth of it, that no compiler reasons about. */
static inline size_t heap_sz(size_t sz)
{
	__asm__ volatile("" : "+r"(sz));
	return sz;
}

#define ABSURD heap_sz((size_t)1 << 62)

/* Threads that meet: no lock of a library that might allocate. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int phase, done;
	bool end;
};

static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, -1, 0, false};

static inline void *book_main(void *arg)
{
	struct book *book = arg;

	pthread_setname_np(pthread_self(), book->name);
	book->tid = thread_id();
	pthread_mutex_lock(&gate.mutex);
	gate.done++;
	pthread_cond_broadcast(&gate.cond);
	while (gate.phase < book->phase)
		pthread_cond_wait(&gate.cond, &gate.mutex);
	pthread_mutex_unlock(&gate.mutex);
	book->start_ns = mono_ns();
	book->run(book);
	book->end_ns = mono_ns();
	pthread_mutex_lock(&gate.mutex);
	gate.done++;
	pthread_cond_broadcast(&gate.cond);
	while (!gate.end && !book->leaves)
		pthread_cond_wait(&gate.cond, &gate.mutex);
	pthread_mutex_unlock(&gate.mutex);
	return NULL;
}

static inline void gate_await(int cnt)
{
	pthread_mutex_lock(&gate.mutex);
	while (gate.done < cnt)
		pthread_cond_wait(&gate.cond, &gate.mutex);
	gate.done -= cnt;
	pthread_mutex_unlock(&gate.mutex);
}

/* Makes the threads; returns when each waits for its phase. */
static inline void books_start(struct book *books, int cnt)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (int i = 0; i < cnt; i++) {
		books[i].idx = i;
		errno = pthread_create(&books[i].thread, &attr, book_main, &books[i]);
		if (errno)
			die("pthread_create");
	}
	pthread_attr_destroy(&attr);
	gate_await(cnt);
}

/* A thread can be joined before the kernel has done with it. */
static inline void await_gone(struct book *book)
{
	pthread_join(book->thread, NULL);
	while (syscall(SYS_tgkill, getpid(), book->tid, 0) == 0)
		sleep_ns(NS_PER_MS);
}

/* Lets the threads of a phase begin and waits until they are done. */
static inline void books_phase(struct book *books, int cnt, int phase)
{
	int members = 0;

	for (int i = 0; i < cnt; i++)
		members += books[i].phase == phase;
	pthread_mutex_lock(&gate.mutex);
	gate.phase = phase;
	pthread_cond_broadcast(&gate.cond);
	pthread_mutex_unlock(&gate.mutex);
	gate_await(members);
	for (int i = 0; i < cnt; i++)
		if (books[i].phase == phase && books[i].leaves)
			await_gone(&books[i]);
}

/* One line, put together in a static buffer. Only ever called by one thread. */
__attribute__((format(printf, 1, 2))) static inline void heap_say(const char *format, ...)
{
	static char buf[16384];
	static size_t used;
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(buf + used, sizeof(buf) - used, format, args);
	va_end(args);
	if (used >= sizeof(buf))
		_exit(3);
	if (used == 0 || buf[used - 1] != '\n')
		return;
	if (write(STDOUT_FILENO, buf, used) != (ssize_t)used)
		_exit(1);
	used = 0;
}

static inline void say_fns(const struct fn_book *fns)
{
	bool first = true;

	heap_say("{");
	for (int i = 0; i < FN_CNT; i++) {
		if (!fns[i].calls)
			continue;
		heap_say("%s\"%s\": {\"calls\": %" PRIu64 ", \"failed\": %" PRIu64
			 ", \"bytes\": %" PRIu64 "}",
			 first ? "" : ", ", fn_names[i], fns[i].calls, fns[i].failed, fns[i].bytes);
		first = false;
	}
	heap_say("}");
}

static inline void say_book(struct book *book)
{
	heap_say("{\"thread\": \"%s\", \"pid\": %d, \"tid\": %d, \"allocations\": %" PRIu64
		 ", \"total_bytes\": %" PRIu64 ", \"deallocations\": %llu, \"freed_bytes\": %llu"
		 ", \"current_bytes\": %" PRIu64 ", \"peak_bytes\": %" PRIu64
		 ", \"unknown\": %" PRIu64 ", \"leaves\": %s",
		 book->name, (int)getpid(), (int)book->tid, book->allocs, book->alloc_bytes,
		 atomic_load(&book->frees), atomic_load(&book->freed_bytes), book_current(book),
		 book->peak, book->unknown, book->leaves ? "true" : "false");
	heap_say(", \"site\": %s%s%s, \"lifetime_ns\": %" PRIu64 ", \"start_ns\": %" PRIu64
		 ", \"end_ns\": %" PRIu64 ", \"functions\": ",
		 book->site ? "\"" : "", book->site ? book->site : "null", book->site ? "\"" : "",
		 book->lifetime_ns, book->start_ns, book->end_ns);
	say_fns(book->fns);
	heap_say("}\n");
}

static inline void block_end_signal(void)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
}

/* All is done: says so, and waits to be told that the recording has ended. */
static inline void heap_quiet(bool wait)
{
	sigset_t usr1;

	heap_say("quiet\n");
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	while (wait && sigwaitinfo(&usr1, NULL) != SIGUSR1)
		;
}

#endif
