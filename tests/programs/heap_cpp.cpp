// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * new and delete in all their forms, containers, and a `new` that throws, by threads that print what
 * they did. Run by tests/live/heap.t and heap_safety.t, compared like heap_truth.
 *
 *   heap_cpp [--wait] [calm]
 *
 * calm: nothing fails. mimalloc ends a C++ program without memory, unless it is compiled as C++ itself.
 *
 * "new" and "delete" are the functions counted here; a libstdc++ without an allocator of its own takes
 * malloc, aligned_alloc and free for them, which is for the test to know: "new_aligned" tells which.
 * "thrown": each exception is a block of its own, that is allocated and freed. "thrown_inside": where
 * `new` that does not throw is made of the one that does.
 */
#include <atomic>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <new>
#include <pthread.h>
#include <signal.h>
#include <string>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace
{

constexpr int rounds = 300;
constexpr int kept = 40;

enum function { fn_new, fn_new_aligned, fn_delete, fn_cnt };
const char *const names[] = {"new", "new_aligned", "delete"};

struct book {
	const char *name;
	void (*run)(book *);
	const char *site;
	int tid;
	uint64_t calls[fn_cnt], bytes[fn_cnt], failed;
	uint64_t allocs, total, frees, freed, peak, thrown, thrown_inside;

	void got(function fn, size_t sz)
	{
		calls[fn]++;
		bytes[fn] += sz;
		allocs++;
		total += sz;
		if (total - freed > peak)
			peak = total - freed;
	}

	void gone(size_t sz)
	{
		calls[fn_delete]++;
		frees++;
		freed += sz;
	}
};

bool calm;

template <typename T> T *hidden(T *block)
{
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

size_t hidden_sz(size_t sz)
{
	__asm__ volatile("" : "+r"(sz));
	return sz;
}

size_t size_of(int i)
{
	return hidden_sz(24 + static_cast<size_t>(i * 37 % 2989));
}

template <int Bytes> struct object {
	char bytes[Bytes];
};

/* Macros, so that the call returns into the function that uses them. */
#define MAKE(book, sz, ...)        ((book)->got(fn_new, sz), hidden(new __VA_ARGS__))
#define DROP(book, sz, how, block) ((book)->gone(sz), how block)

__attribute__((noinline)) void run_single(book *book)
{
	for (int i = 0; i < rounds; i++) {
		auto *small = MAKE(book, 40, object<40>);
		auto *large = MAKE(book, 1000, object<1000>);

		DROP(book, 1000, delete, large);
		if (i >= kept)
			DROP(book, 40, delete, small);
	}
}

__attribute__((noinline)) void run_arrays(book *book)
{
	for (int i = 0; i < rounds; i++) {
		size_t sz = size_of(i);
		char *block = MAKE(book, sz, char[sz]);

		if (i >= kept)
			DROP(book, sz, delete[], block);
	}
}

__attribute__((noinline)) void run_nothrow(book *book)
{
	for (int i = 0; i < rounds; i++) {
		size_t sz = size_of(i);
		char *block = MAKE(book, sz, (std::nothrow) char[sz]);

		if (i >= kept)
			DROP(book, sz, delete[], block);
	}
	for (int i = 0; i < 5 && !calm; i++) {
		if (hidden(new (std::nothrow) char[hidden_sz(size_t{1} << 62)]))
			_exit(4);
		book->calls[fn_new]++;
		book->failed++;
		book->thrown_inside++;
	}
}

struct alignas(64) wide {
	char bytes[192];
};

__attribute__((noinline)) void run_aligned(book *book)
{
	for (int i = 0; i < rounds; i++) {
		book->got(fn_new_aligned, sizeof(wide));
		wide *block = hidden(new wide);

		if (i >= kept)
			DROP(book, sizeof(wide), delete, block);
	}
}

/* What a container asks of operator new is counted by its allocator. */
template <typename T> struct counting {
	using value_type = T;
	book *owner;

	explicit counting(book *owner_) : owner(owner_)
	{
	}
	template <typename U> counting(const counting<U> &other) : owner(other.owner)
	{
	}
	T *allocate(size_t cnt)
	{
		owner->got(fn_new, cnt * sizeof(T));
		return hidden(std::allocator<T>().allocate(cnt));
	}
	void deallocate(T *block, size_t cnt)
	{
		owner->gone(cnt * sizeof(T));
		std::allocator<T>().deallocate(block, cnt);
	}
	template <typename U> bool operator==(const counting<U> &other) const
	{
		return owner == other.owner;
	}
	template <typename U> bool operator!=(const counting<U> &other) const
	{
		return !(*this == other);
	}
};

void run_containers(book *book)
{
	using text = std::basic_string<char, std::char_traits<char>, counting<char>>;
	using pair = std::pair<const int, int>;
	std::vector<int, counting<int>> numbers{counting<int>(book)};
	std::map<int, int, std::less<int>, counting<pair>> tree{counting<pair>(book)};
	std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, counting<pair>> table{
		8, counting<pair>(book)};
	text line{counting<char>(book)};

	for (int i = 0; i < 2000; i++) {
		numbers.push_back(i);
		tree[i * 7919 % 2000] = i;
		table[i] = i;
		line += "and more ";
	}
	for (int i = 0; i < 1500; i++) {
		tree.erase(i);
		table.erase(i);
	}
	numbers.resize(10);
	numbers.shrink_to_fit();
}

/* Goes on after each. */
void run_throwing(book *book)
{
	for (int i = 0; i < 100 && !calm; i++) {
		char *block = MAKE(book, 100, char[100]);

		try {
			hidden(new char[hidden_sz(size_t{1} << 62)]);
			_exit(5);
		} catch (const std::bad_alloc &) {
			book->thrown++;
		}
		book->calls[fn_new]++;
		book->failed++;
		DROP(book, 100, delete[], block);
	}
}

book books[] = {
	{"single", run_single, "run_single", 0, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0},
	{"arrays", run_arrays, "run_arrays", 0, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0},
	{"nothrow", run_nothrow, "run_nothrow", 0, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0},
	{"aligned", run_aligned, "run_aligned", 0, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0},
	{"containers", run_containers, nullptr, 0, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0},
	{"throwing", run_throwing, nullptr, 0, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0},
};
constexpr int book_cnt = sizeof(books) / sizeof(books[0]);

pthread_barrier_t made, go, done;

/* The first exception of a thread makes its bookkeeping. */
void throw_one()
{
	try {
		throw std::bad_alloc();
	} catch (const std::bad_alloc &) {
	}
}

void *book_main(void *arg)
{
	book *mine = static_cast<book *>(arg);

	pthread_setname_np(pthread_self(), mine->name);
	mine->tid = gettid();
	throw_one();
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&go);
	mine->run(mine);
	pthread_barrier_wait(&done);
	for (;;)
		pause();
}

__attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	int sz = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (write(STDOUT_FILENO, line, static_cast<size_t>(sz)) != sz)
		_exit(1);
}

void say_book(const book &book)
{
	say("{\"thread\": \"%s\", \"pid\": %d, \"tid\": %d, \"allocations\": %" PRIu64
	    ", \"total_bytes\": %" PRIu64 ", \"deallocations\": %" PRIu64
	    ", \"freed_bytes\": %" PRIu64 ", \"current_bytes\": %" PRIu64
	    ", \"peak_bytes\": %" PRIu64 ", \"unknown\": 0, "
	    "\"thrown\": %" PRIu64 ", \"thrown_inside\": %" PRIu64
	    ", \"leaves\": false, \"lifetime_ns\": 0, \"start_ns\": 0, "
	    "\"end_ns\": 0, \"site\": %s%s%s, \"functions\": {",
	    book.name, static_cast<int>(getpid()), book.tid, book.allocs, book.total, book.frees,
	    book.freed, book.total - book.freed, book.peak, book.thrown, book.thrown_inside,
	    book.site ? "\"" : "", book.site ? book.site : "null", book.site ? "\"" : "");
	for (int i = 0, first = 1; i < fn_cnt; i++) {
		if (!book.calls[i])
			continue;
		say("%s\"%s\": {\"calls\": %" PRIu64 ", \"failed\": %" PRIu64
		    ", \"bytes\": %" PRIu64 "}",
		    first ? "" : ", ", names[i], book.calls[i], i == fn_new ? book.failed : 0,
		    book.bytes[i]);
		first = 0;
	}
	say("}}\n");
}

void start_threads()
{
	pthread_barrier_init(&made, nullptr, book_cnt + 1);
	pthread_barrier_init(&go, nullptr, book_cnt + 1);
	pthread_barrier_init(&done, nullptr, book_cnt + 1);
	for (book &book : books) {
		pthread_t thread;

		if (pthread_create(&thread, nullptr, book_main, &book))
			_exit(1);
	}
	pthread_barrier_wait(&made);
}

} // namespace

int main(int argc, char **argv)
{
	char line[64];
	sigset_t usr1;

	calm = argc > 1 && strcmp(argv[argc - 1], "calm") == 0;
	alarm(60);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
	start_threads();
	say("ready %d\n", static_cast<int>(getpid()));
	if (read(STDIN_FILENO, line, sizeof(line)) < 0)
		return 1;
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&done);
	for (const book &book : books)
		say_book(book);
	say("quiet\n");
	sigwaitinfo(&usr1, nullptr);
	_exit(0);
}
