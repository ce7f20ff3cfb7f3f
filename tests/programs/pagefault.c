/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads with a known number of page faults: minor ones by touching fresh memory, major ones by
 * reading a mapped file that was dropped from the page cache. Run by tests/live/threads.t.
 *
 *   pagefault [--wait] [PAGES [FILE_PAGES [DIR]]]
 */
#include "truth.h"

#include <sys/mman.h>

static long pages = 2000, file_pages = 300;
static const char *dir = "/var/tmp";
static long page_sz;

static void print_thread(const char *name, long expected, uint64_t begin_ns, uint64_t wall_ns)
{
	struct rusage usage;
	int fd = schedstat_open();
	struct schedstat stat = schedstat_read(fd);

	getrusage(RUSAGE_THREAD, &usage);
	printf("{\"thread\": \"%s\", \"tid\": %d, \"expected\": %ld, \"minflt\": %ld, "
	       "\"majflt\": %ld, \"cpu_ns\": %" PRIu64 ", \"schedstat_runqueue_ns\": %" PRIu64
	       ", \"fault_wall_ns\": %" PRIu64 ", \"wall_ns\": %" PRIu64 "}\n",
	       name, (int)thread_id(), expected, usage.ru_minflt, usage.ru_majflt, thread_cpu_ns(),
	       stat.runqueue_ns, wall_ns, mono_ns() - begin_ns);
	close(fd);
}

static void *minor_faults(void *arg)
{
	uint64_t begin = mono_ns();
	size_t sz = (size_t)(pages * page_sz);
	char *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	pthread_setname_np(pthread_self(), "minor");
	if (mem == MAP_FAILED)
		die("mmap");
	madvise(mem, sz, MADV_NOHUGEPAGE);
	for (long i = 0; i < pages; i++)
		((volatile char *)mem)[i * page_sz] = 1;
	print_thread("minor", pages, begin, mono_ns() - begin);
	munmap(mem, sz);
	return NULL;
}

/* The file is written and dropped by main before "ready"; MADV_RANDOM: no read-ahead. */
static void *major_faults(void *arg)
{
	uint64_t begin = mono_ns(), first;
	size_t sz = (size_t)(file_pages * page_sz);
	int fd = *(int *)arg;
	char *mem = mmap(NULL, sz, PROT_READ, MAP_SHARED, fd, 0);
	unsigned int sum = 0;

	pthread_setname_np(pthread_self(), "major");
	if (mem == MAP_FAILED)
		die("mmap");
	madvise(mem, sz, MADV_RANDOM);
	first = mono_ns();
	for (long i = 0; i < file_pages; i++)
		sum += ((volatile unsigned char *)mem)[i * page_sz];
	print_thread("major", sum ? file_pages : -1, begin, mono_ns() - first);
	munmap(mem, sz);
	return NULL;
}

static int make_file(void)
{
	char path[4096], *block = malloc((size_t)page_sz);
	int fd;

	snprintf(path, sizeof(path), "%s/truth-fault-%d", dir, (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !block)
		die(path);
	unlink(path);
	memset(block, 1, (size_t)page_sz);
	for (long i = 0; i < file_pages; i++)
		if (write(fd, block, (size_t)page_sz) != page_sz)
			die("write");
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fsync");
	free(block);
	return fd;
}

int main(int argc, char **argv)
{
	bool wait = truth_take_wait(&argc, argv);
	pthread_t minor, major;
	int fd;

	if (argc > 1)
		pages = atol(argv[1]);
	if (argc > 2)
		file_pages = atol(argv[2]);
	if (argc > 3)
		dir = argv[3];
	if (pages < 1 || pages > 1000000 || file_pages < 1 || file_pages > 100000)
		return 2;
	page_sz = sysconf(_SC_PAGESIZE);
	truth_limit(60);
	fd = make_file();
	truth_ready(wait);
	errno = pthread_create(&minor, NULL, minor_faults, NULL);
	if (errno)
		die("pthread_create");
	pthread_join(minor, NULL);
	errno = pthread_create(&major, NULL, major_faults, &fd);
	if (errno)
		die("pthread_create");
	pthread_join(major, NULL);
	return 0;
}
