/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads preempted.bpf.c on a function of its own and calls that from more threads than there are
 * CPUs, for some seconds. Prints how often the program ran. Built and run in a guest by harness.t.
 *
 *   preempted OBJECT SECONDS
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define THREADS 8

__attribute__((noinline)) void preempted_target(void)
{
	__asm__ volatile("");
}

static void *call(void *arg)
{
	volatile const int *stop = arg;

	while (!*stop)
		preempted_target();
	return NULL;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = "preempted_target");
	struct bpf_object *object;
	struct bpf_program *program;
	pthread_t threads[THREADS];
	uint64_t hits = 0;
	uint32_t key = 0;
	volatile int stop = 0;

	if (argc != 3)
		return 2;
	object = bpf_object__open_file(argv[1], NULL);
	if (libbpf_get_error(object) || bpf_object__load(object))
		return 3;
	program = bpf_object__next_program(object, NULL);
	if (libbpf_get_error(bpf_program__attach_uprobe_opts(program, -1, argv[0], 0, &opts)))
		return 4;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, call, (void *)&stop))
			return 5;
	sleep((unsigned int)atoi(argv[2]));
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, "hits"), &key, &hits))
		return 6;
	printf("hits %llu\n", (unsigned long long)hits);
	return hits ? 0 : 7;
}
