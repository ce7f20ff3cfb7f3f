/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that allocates a block and frees it, again and again: nothing but what the allocator and
 * whoever watches it cost. Run by tools/bench, like bench_rust and bench_node, which keep to the same
 * protocol:
 *
 *   bench_pairs [--wait] UNITS WARM SECONDS
 *
 * Does UNITS of its work, for what is slow at first; prints "ready PID", with --wait waits for a line,
 * works for WARM seconds, prints "begin", works for SECONDS, prints what those did as JSON, and waits for
 * stdin to end.
 */
#include "truth.h"

#define BATCH 1024
#define SIZE  64

static void batch(void)
{
	for (int i = 0; i < BATCH; i++) {
		void *block = malloc(SIZE);

		/* or the pair is optimised away */
		__asm__ volatile("" : "+r"(block)::"memory");
		free(block);
	}
}

static uint64_t pairs_until(uint64_t end)
{
	uint64_t pairs = 0;

	for (; mono_ns() < end; pairs += BATCH)
		batch();
	return pairs;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	uint64_t warm_ns, ns, begin, cpu, pairs;
	char byte;

	if (argc != 4)
		return 2;
	warm_ns = (uint64_t)(strtod(argv[2], NULL) * NS_PER_SEC);
	ns = (uint64_t)(strtod(argv[3], NULL) * NS_PER_SEC);
	truth_limit(120 + (unsigned int)((warm_ns + ns) / NS_PER_SEC));
	for (uint64_t done = 0; done < strtoull(argv[1], NULL, 10); done += BATCH)
		batch();
	truth_ready(wait);
	pairs_until(mono_ns() + warm_ns);
	printf("begin\n");
	fflush(stdout);
	begin = mono_ns();
	cpu = thread_cpu_ns();
	pairs = pairs_until(begin + ns);
	cpu = thread_cpu_ns() - cpu;
	printf("{\"units\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 ", \"wall_ns\": %" PRIu64 "}\n",
	       pairs, cpu, mono_ns() - begin);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
