/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tracer left behind: the BPF programs and links that exist, and which of the addresses (hex)
 * hold a breakpoint in a process. For a guest, where nobody else has any. Run by guest_live.sh.
 *
 *   left_behind PID ADDRESS...	prints "N programs, N links, N breakpoints"
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define BREAKPOINT 0xcc

static int count_ids(int (*next)(__u32, __u32 *))
{
	__u32 id = 0;
	int cnt = 0;

	while (!next(id, &id))
		cnt++;
	return cnt;
}

int main(int argc, char **argv)
{
	int fd, breakpoints = 0;
	char path[64];

	if (argc < 3)
		return 2;
	snprintf(path, sizeof(path), "/proc/%d/mem", atoi(argv[1]));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		unsigned char byte;

		if (pread(fd, &byte, 1, strtoll(argv[i], NULL, 16)) != 1) {
			perror(argv[i]);
			return 1;
		}
		breakpoints += byte == BREAKPOINT;
	}
	close(fd);
	printf("%d programs, %d links, %d breakpoints\n", count_ids(bpf_prog_get_next_id),
	       count_ids(bpf_link_get_next_id), breakpoints);
	return 0;
}
