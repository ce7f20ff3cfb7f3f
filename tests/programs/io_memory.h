/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of io_truth.c on memory by the kernel: what is mapped and unmapped, what becomes resident,
 * and files that are read by touching them.
 */
#ifndef IO_MEMORY_H
#define IO_MEMORY_H

#include "io_files.h"

#include <sys/mman.h>

#define PAGE UINT64_C(4096)

static inline char *map_anonymous(struct row *row, size_t sz)
{
	char *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(row, mem != MAP_FAILED, "mmap");
	row->mapped += sz;
	return mem;
}

static inline void unmap(struct row *row, char *mem, size_t sz)
{
	must(row, munmap(mem, sz) == 0, "munmap");
	row->unmapped += sz;
}

/* By the system calls: the C library must not know that the heap's end moves to and fro. */
static inline void run_mem_map(struct row *row)
{
	char *mem, *end, *moved;

	for (uint64_t i = 1; i <= 20; i++) {
		mem = map_anonymous(row, i * 16 * PAGE);
		unmap(row, mem, i * 4 * PAGE);
		unmap(row, mem + i * 4 * PAGE, i * 12 * PAGE);
	}
	/* what is no multiple of a page takes whole ones */
	mem = map_anonymous(row, 2 * PAGE + 1);
	row->mapped += PAGE - 1;
	unmap(row, mem, 2 * PAGE + 1);
	row->unmapped += PAGE - 1;
	mem = map_anonymous(row, 100 * PAGE);
	moved = mremap(mem, 100 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	must(row, moved != MAP_FAILED, "mremap to grow");
	row->mapped += 200 * PAGE;
	must(row, mremap(moved, 300 * PAGE, 50 * PAGE, 0) == moved, "mremap to shrink");
	row->unmapped += 250 * PAGE;
	unmap(row, moved, 50 * PAGE);

	end = (char *)syscall(SYS_brk, 0);
	for (uint64_t i = 1; i <= 5; i++) {
		must(row, (char *)syscall(SYS_brk, end + i * 64 * PAGE) == end + i * 64 * PAGE,
		     "brk up");
		row->mapped += i * 64 * PAGE;
		must(row, (char *)syscall(SYS_brk, end) == end, "brk down");
		row->unmapped += i * 64 * PAGE;
	}
	must(row, mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	     "mmap of nothing fails");
}

#define TOUCHED_PAGES 3000
#define DROPPED_PAGES 1000

/* Stays mapped, so that what is resident in the end is its doing. */
static inline void run_mem_touch(struct row *row)
{
	char *mem = map_anonymous(row, TOUCHED_PAGES * PAGE);

	madvise(mem, TOUCHED_PAGES * PAGE, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < TOUCHED_PAGES; i++)
		((volatile char *)mem)[i * PAGE] = 1;
	must(row, madvise(mem, DROPPED_PAGES * PAGE, MADV_DONTNEED) == 0, "madvise");
	row->resident += (TOUCHED_PAGES - DROPPED_PAGES) * PAGE;
}

#define MAPPED_PAGES 200

static inline void setup_mem_fault(struct row *row)
{
	struct object *file = row_file(row, "a");
	size_t sz = MAPPED_PAGES * PAGE;
	int fd;

	if (dir_is_memory()) {
		row->skipped = "its files are in memory";
		return;
	}
	fd = open(file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, row->buf, sz) != (ssize_t)sz || fsync(fd) ||
	    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die(file->name);
	row->fds[0] = fd;
}

/* Each page has to come from the disk on its own: MADV_RANDOM asks for no more than it. */
static inline void run_mem_fault(struct row *row)
{
	struct object *file = row_file(row, "a");
	size_t sz = MAPPED_PAGES * PAGE;
	char *mem = mmap(NULL, sz, PROT_READ, MAP_SHARED, row->fds[0], 0);
	struct tally *faults = &file->ops[OP_FAULT];
	struct rusage usage;
	long major;

	must(row, mem != MAP_FAILED, "mmap of a file");
	row->mapped += sz;
	madvise(mem, sz, MADV_RANDOM);
	getrusage(RUSAGE_THREAD, &usage);
	major = usage.ru_majflt;
	for (uint64_t i = 0; i < MAPPED_PAGES; i++) {
		struct stamp begin = stamp();

		(void)*(volatile char *)(mem + i * PAGE);
		tally_time(faults, &begin, mono_ns());
	}
	getrusage(RUSAGE_THREAD, &usage);
	faults->operations = (uint64_t)(usage.ru_majflt - major);
	faults->bytes = faults->operations * PAGE;
	unmap(row, mem, sz);
	close(row->fds[0]);
	unlink(file->name);
}

#endif
