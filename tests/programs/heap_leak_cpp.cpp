/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same in C++: what is lost is an object, and a vector inside of it. Run by tests/live/heap_leak.t.
 */
#define LEAK_BLOCKS 2
#include "heap_leak.h"

#include <vector>

static inline __attribute__((always_inline)) void *take(size_t sz)
{
	return ::operator new(sz);
}

static inline __attribute__((always_inline)) void give(void *block)
{
	::operator delete(block);
}

struct lost {
	std::vector<char> bytes;
};

static NOINLINE void plant_leak(void)
{
	lost *object = new lost;

	object->bytes.reserve(LEAK_SZ - sizeof(lost));
	KEEP(object);
}

int main(int argc, char **argv)
{
	return leak_main(argc, argv, "C++");
}
