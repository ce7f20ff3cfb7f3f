/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every function that gives or takes memory, in known numbers, by threads that print what they really
 * did, see heap_books.h. Run by tests/live/heap.t and heap_allocators.t.
 *
 *   heap_truth [--wait] [SCENARIO [ARG]]
 *
 *   core [pages]        the functions, blocks handed from thread to thread, a realloc storm, lifetimes
 *                       (default); pages: pvalloc is asked for whole pages, since some allocators
 *                       round up before they allocate
 *   ended               threads that end, and some still hold memory
 *   fork                processes that are forked and allocate
 *   dlopen [ALLOCATOR]  a library is loaded that allocates, and an allocator that is used
 */
#include "heap_books.h"

#include "heap_family.h"
#include "heap_shared.h"

#include <sys/wait.h>

#define BOOK(name_, run_, phase_, site_)                                                           \
	{                                                                                          \
		.name = name_, .run = run_, .phase = phase_, .site = site_                         \
	}
#define ONE(name_, phase_) BOOK(#name_, run_##name_, phase_, "run_" #name_)

static struct book core[48] = {ONE(malloc, 0),
			       ONE(calloc, 0),
			       ONE(realloc, 0),
			       ONE(reallocarray, 0),
			       BOOK("strdup", run_strdup, 0, NULL),
			       ONE(posix_memalign, 0),
			       ONE(memalign, 0),
			       ONE(aligned_alloc, 0),
			       ONE(valloc, 0),
#ifdef HEAP_PVALLOC
			       ONE(pvalloc, 0),
#endif
			       ONE(nothing, 0),
			       ONE(before, 0),
			       BOOK("give", run_give, 1, NULL),
			       BOOK("take", run_take, 1, NULL),
			       BOOK("swap-left", run_swap_left, 1, NULL),
			       BOOK("swap-right", run_swap_right, 1, NULL),
#define X(name_, ns, cnt, rounds)                                                                  \
	{.name = "live-" #name_, .run = run_live_##name_, .phase = 1, .lifetime_ns = ns},
			       LIVES(X)
#undef X
};

static void say_books(struct book *books, int cnt)
{
	for (int i = 0; i < cnt; i++)
		say_book(&books[i]);
}

static int run_core(bool wait, const char *arg)
{
	int cnt = 0;

	whole_pages = arg && strcmp(arg, "pages") == 0;
	while (core[cnt].name)
		cnt++;
	for (int i = 0; i < STORM_THREADS; i++)
		core[cnt++] = (struct book)BOOK("storm", run_storm, 2, NULL);
	setup_before();
	setup_queues();
	setup_storm();
	books_start(core, cnt);
	truth_ready(wait);
	for (int phase = 0; phase < 3; phase++)
		books_phase(core, cnt, phase);
	say_books(core, cnt);
	heap_quiet(wait);
	return 0;
}

/* Threads that end: what an allocator does with its caches then is its own affair. */
static void run_holder(struct book *book)
{
	for (int i = 0; i < 50; i++) {
		void *block = MALLOC(book, heap_sz(1000 + (size_t)i));

		if (i % 2)
			FREE(book, book, block, 1000 + (size_t)i);
	}
}

static void run_cleaner(struct book *book)
{
	for (int i = 0; i < 50; i++)
		FREE(book, book, MALLOC(book, size_of_round(i)), size_of_round(i));
}

static struct book ended[] = {
	{.name = "holder", .run = run_holder, .site = "run_holder", .leaves = true},
	{.name = "holder", .run = run_holder, .site = "run_holder", .leaves = true},
	{.name = "cleaner", .run = run_cleaner, .site = "run_cleaner", .leaves = true},
	{.name = "stays", .run = run_holder, .site = "run_holder"},
};

static int run_ended(bool wait, const char *arg)
{
	(void)arg;
	books_start(ended, ARRAY_CNT(ended));
	truth_ready(wait);
	books_phase(ended, ARRAY_CNT(ended), 0);
	/* that nobody frees what they left takes a while to be seen */
	sleep_ns(NS_PER_SEC);
	say_books(ended, ARRAY_CNT(ended));
	heap_quiet(wait);
	return 0;
}

/* How long after the fork, or after a library was loaded, until the tracer must have come along. */
#define CATCH_UP_NS (2 * NS_PER_SEC)
#define CHILDREN    3

static void *inherited[CHILDREN];

static void run_child(struct book *book, int idx)
{
	book->tid = thread_id();
	book->name = "child";
	sleep_ns(CATCH_UP_NS);
	book->start_ns = mono_ns();
	run_holder(book);
	book->fns[FN_FREE].calls++; /* its copy of a block of the parent's */
	book->unknown++;
	free(heap_escape(inherited[idx]));
	book->end_ns = mono_ns();
	say_book(book);
	sleep_ns(CATCH_UP_NS / 4);
	_exit(0);
}

/* The children end before it is quiet. They have nothing in common but the pipe. */
static int run_fork(bool wait, const char *arg)
{
	static struct book parent = {.name = "parent", .site = "run_fork"}, child;

	(void)arg;
	truth_ready(wait);
	parent.tid = thread_id();
	parent.start_ns = mono_ns();
	for (int i = 0; i < CHILDREN; i++)
		inherited[i] = MALLOC(&parent, heap_sz(2000));
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0)
			run_child(&child, i);
	}
	FREE(&parent, &parent, inherited[0], 2000); /* the children's copies are their own */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	parent.end_ns = mono_ns();
	say_book(&parent);
	heap_quiet(wait);
	return 0;
}

#ifndef HEAP_STATIC
/* What a library gives that is loaded late: tests/programs/lib/heap_lib.c, or an allocator. */
struct loaded {
	void *(*alloc)(size_t sz);
	void (*free)(void *block);
};
static struct loaded own_lib, allocator;

static __attribute__((noinline)) void use_loaded(struct book *book, const struct loaded *loaded)
{
	for (int i = 0; loaded->alloc && i < ROUNDS; i++) {
		void *block =
			TAKE(book, FN_MALLOC, size_of_round(i), loaded->alloc(size_of_round(i)));

		if (i < KEPT)
			continue;
		book->fns[FN_FREE].calls++;
		book_gone(book, size_of_round(i));
		loaded->free(heap_escape(block));
	}
}

static void run_lib(struct book *book)
{
	use_loaded(book, &own_lib);
}

static void run_allocator(struct book *book)
{
	use_loaded(book, &allocator);
}

static void load(struct loaded *loaded, const char *path, const char *alloc, const char *release)
{
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(5);
	}
	*(void **)&loaded->alloc = dlsym(lib, alloc);
	*(void **)&loaded->free = dlsym(lib, release);
	if (!loaded->alloc || !loaded->free)
		_exit(6);
}

/* ARG may be PATH or PATH:ALLOC:FREE. The main thread loads, and that allocates, too; the others
 * do nothing but use it. */
static int run_dlopen(bool wait, const char *arg)
{
	static struct book books[] = {ONE(lib, 0), ONE(allocator, 0)};
	static char path[512], own[512], *save;

	ssize_t sz = readlink("/proc/self/exe", own, sizeof(own) - 16);

	if (sz < 0)
		die("readlink");
	strcpy(memrchr(own, '/', (size_t)sz), "/heap_lib.so");
	books[0].site = "heap_lib_alloc";
	books[1].site = "use_loaded";
	books_start(books, ARRAY_CNT(books));
	truth_ready(wait);
	load(&own_lib, own, "heap_lib_alloc", "heap_lib_free");
	if (arg) {
		snprintf(path, sizeof(path), "%s:malloc:free", arg);
		const char *file = strtok_r(path, ":", &save);
		const char *alloc = strtok_r(NULL, ":", &save);

		load(&allocator, file, alloc, strtok_r(NULL, ":", &save));
	}
	sleep_ns(CATCH_UP_NS);
	books_phase(books, ARRAY_CNT(books), 0);
	say_books(books, ARRAY_CNT(books));
	heap_quiet(wait);
	return 0;
}
#endif

static const struct {
	const char *name;
	int (*run)(bool wait, const char *arg);
} scenarios[] = {
	{"core", run_core},
	{"ended", run_ended},
	{"fork", run_fork},
#ifndef HEAP_STATIC
	{"dlopen", run_dlopen},
#endif
};

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	const char *name = argc > 1 ? argv[1] : "core";

	truth_limit(120);
	block_end_signal();
	for (size_t i = 0; i < ARRAY_CNT(scenarios); i++)
		if (strcmp(scenarios[i].name, name) == 0)
			_exit(scenarios[i].run(wait, argc > 2 ? argv[2] : NULL));
	fprintf(stderr, "usage: heap_truth [--wait] core [pages]|ended|fork|dlopen [ALLOCATOR]\n");
	return 2;
}
