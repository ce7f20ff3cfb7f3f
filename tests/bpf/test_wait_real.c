/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real threads of this process that block on real things of this machine's glibc and kernel. Why
 * each waits is asked twice: by a walk over the threads, as the recording's start does, and where
 * the thread left the CPU, as the scheduler's program does. The threads stay blocked until the
 * test's end takes them along.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "run.h"
#include "tests/wait_run.skel.h"

#define BLOCKED_WITHIN_MS 10000
#define FAR_S             1000

static struct wait_run *skel;

/* What the threads block on; held or made by main() before they start. */
static pthread_mutex_t mutexes[8];
static pthread_rwlock_t rwlock_written, rwlock_read, rwlock_shared, rwlock_queue;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, cond_shared;
static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER, cond_shared_mutex;
static sem_t sem;
static pthread_barrier_t barrier, barrier_later;
static pthread_t never_ends;
/* a bare word, and what lies near must not look like anything */
static struct {
	uint32_t before[16];
	pthread_once_t word;
	uint32_t after[16];
} once = {.word = PTHREAD_ONCE_INIT};
static FILE *locked_file;
static int event_fd, timer_fd, pipe_fds[2], sock_fds[2], listen_fd, epoll_fd, flock_fd, lock_fd;
static char *fault_page;

static const struct timespec far = {.tv_sec = FAR_S};

static struct timespec later(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += FAR_S;
	return ts;
}

/* The bodies: each is one blocking call. */
#define BLOCKER(name, ...)                                                                         \
	static void block_##name(void)                                                             \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

BLOCKER(mutex, pthread_mutex_lock(&mutexes[0]))
BLOCKER(mutex_recursive, pthread_mutex_lock(&mutexes[1]))
BLOCKER(mutex_errorcheck, pthread_mutex_lock(&mutexes[2]))
BLOCKER(mutex_adaptive, pthread_mutex_lock(&mutexes[3]))
BLOCKER(mutex_shared, pthread_mutex_lock(&mutexes[4]))
BLOCKER(mutex_robust, pthread_mutex_lock(&mutexes[5]))
BLOCKER(mutex_pi, pthread_mutex_lock(&mutexes[6]))
BLOCKER(mutex_timed, struct timespec ts = later(); pthread_mutex_timedlock(&mutexes[7], &ts))
BLOCKER(rwlock_reader, pthread_rwlock_rdlock(&rwlock_written))
BLOCKER(rwlock_writer, pthread_rwlock_wrlock(&rwlock_read))
BLOCKER(rwlock_writers, pthread_rwlock_wrlock(&rwlock_written))
BLOCKER(rwlock_shared, pthread_rwlock_rdlock(&rwlock_shared))
BLOCKER(rwlock_queue_writer, pthread_rwlock_wrlock(&rwlock_queue))
BLOCKER(rwlock_queue_reader, pthread_rwlock_rdlock(&rwlock_queue))
BLOCKER(cond, pthread_mutex_lock(&cond_mutex); pthread_cond_wait(&cond, &cond_mutex))
BLOCKER(cond_timed, struct timespec ts = later(); pthread_mutex_lock(&cond_mutex);
	pthread_cond_timedwait(&cond, &cond_mutex, &ts))
BLOCKER(cond_shared, pthread_mutex_lock(&cond_shared_mutex);
	pthread_cond_wait(&cond_shared, &cond_shared_mutex))
BLOCKER(sem, sem_wait(&sem))
BLOCKER(join, pthread_join(never_ends, NULL))
BLOCKER(barrier, pthread_barrier_wait(&barrier))
BLOCKER(barrier_later, pthread_barrier_wait(&barrier_later))
BLOCKER(once_first, pthread_once(&once.word, (void (*)(void))pause))
BLOCKER(once, pthread_once(&once.word, (void (*)(void))pause))
BLOCKER(stdio, flockfile(locked_file))
BLOCKER(eventfd, uint64_t val; (void)!read(event_fd, &val, sizeof(val)))
BLOCKER(timerfd, uint64_t val; (void)!read(timer_fd, &val, sizeof(val)))
BLOCKER(pipe, char c; (void)!read(pipe_fds[0], &c, 1))
BLOCKER(sock, char c; (void)!read(sock_fds[0], &c, 1))
BLOCKER(recv, char c; recv(sock_fds[0], &c, 1, 0))
BLOCKER(accept, accept(listen_fd, NULL, NULL))
BLOCKER(file, (void)!read(lock_fd, fault_page, 1))
BLOCKER(fault, *(volatile char *)fault_page)
BLOCKER(epoll, struct epoll_event event; epoll_wait(epoll_fd, &event, 1, -1))
BLOCKER(poll, struct pollfd fd = {.fd = pipe_fds[0], .events = POLLIN}; poll(&fd, 1, -1))
BLOCKER(poll_none, poll(NULL, 0, FAR_S * 1000))
BLOCKER(ppoll_none, ppoll(NULL, 0, &far, NULL))
BLOCKER(select, fd_set set; FD_ZERO(&set); FD_SET(pipe_fds[0], &set);
	select(pipe_fds[0] + 1, &set, NULL, NULL, NULL))
BLOCKER(select_none, struct timeval tv = {.tv_sec = FAR_S}; select(0, NULL, NULL, NULL, &tv))
BLOCKER(nanosleep, nanosleep(&far, NULL))
BLOCKER(sleep_raw, syscall(SYS_nanosleep, &far, NULL))
BLOCKER(flock, int fd = open("/proc/self/exe", O_RDONLY); flock(fd, LOCK_EX))
BLOCKER(fcntl, struct flock lock = {.l_type = F_WRLCK}; fcntl(lock_fd, F_SETLKW, &lock))
BLOCKER(fcntl_ofd, struct flock lock = {.l_type = F_WRLCK}; fcntl(lock_fd, F_OFD_SETLKW, &lock))
BLOCKER(pause, pause())
BLOCKER(sigwait, sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigwaitinfo(&set, NULL))
BLOCKER(sigsuspend, sigset_t set; sigfillset(&set); sigsuspend(&set))
BLOCKER(waitpid, waitpid(-1, NULL, 0))

/* In the order of starting: some block only because an earlier one does. */
static const struct blocker {
	const char *what;
	void (*block)(void);
	long nr; /* the system call in which it blocks */
	uint32_t cause;
} blockers[] = {
	{"a mutex", block_mutex, SYS_futex, CAUSE_LOCK},
	{"a recursive mutex", block_mutex_recursive, SYS_futex, CAUSE_LOCK},
	{"an error-checking mutex", block_mutex_errorcheck, SYS_futex, CAUSE_LOCK},
	{"an adaptive mutex", block_mutex_adaptive, SYS_futex, CAUSE_LOCK},
	{"a process-shared mutex", block_mutex_shared, SYS_futex, CAUSE_LOCK},
	{"a robust mutex", block_mutex_robust, SYS_futex, CAUSE_LOCK},
	{"a priority-inheriting mutex", block_mutex_pi, SYS_futex, CAUSE_LOCK},
	{"a mutex with a timeout", block_mutex_timed, SYS_futex, CAUSE_LOCK},
	{"a rwlock, reader behind writer", block_rwlock_reader, SYS_futex, CAUSE_LOCK},
	{"a rwlock, writer behind reader", block_rwlock_writer, SYS_futex, CAUSE_LOCK},
	{"a rwlock, writer behind writer", block_rwlock_writers, SYS_futex, CAUSE_LOCK},
	{"a process-shared rwlock", block_rwlock_shared, SYS_futex, CAUSE_LOCK},
	{"a rwlock that prefers writers, writer", block_rwlock_queue_writer, SYS_futex, CAUSE_LOCK},
	{"a rwlock that prefers writers, reader behind it", block_rwlock_queue_reader, SYS_futex,
	 CAUSE_LOCK},
	{"a condition variable", block_cond, SYS_futex, CAUSE_IDLE},
	{"a condition variable with a timeout", block_cond_timed, SYS_futex, CAUSE_IDLE},
	{"a process-shared condition variable", block_cond_shared, SYS_futex, CAUSE_IDLE},
	{"a semaphore", block_sem, SYS_futex, CAUSE_OTHER},
	{"a thread's end", block_join, SYS_futex, CAUSE_IDLE},
	{"a barrier", block_barrier, SYS_futex, CAUSE_OTHER},
	{"a barrier in its second round", block_barrier_later, SYS_futex, CAUSE_OTHER},
	{"signals, inside of pthread_once", block_once_first, SYS_pause, CAUSE_IDLE},
	{"another's pthread_once", block_once, SYS_futex, CAUSE_OTHER},
	{"a stdio lock", block_stdio, SYS_futex, CAUSE_LOCK},
	{"an eventfd", block_eventfd, SYS_read, CAUSE_IDLE},
	{"a timerfd", block_timerfd, SYS_read, CAUSE_TIMER},
	{"a pipe", block_pipe, SYS_read, CAUSE_OTHER},
	{"a socket, by read", block_sock, SYS_read, CAUSE_NET},
	{"a socket, by recv", block_recv, SYS_recvfrom, CAUSE_NET},
	{"a connection", block_accept, SYS_accept, CAUSE_NET},
	{"the page of a regular file", block_file, SYS_read, CAUSE_DISK},
	{"a page fault", block_fault, -1, CAUSE_OTHER},
	{"epoll", block_epoll, SYS_epoll_wait, CAUSE_IDLE},
	{"poll", block_poll, SYS_poll, CAUSE_IDLE},
	{"poll without descriptors", block_poll_none, SYS_poll, CAUSE_TIMER},
	{"ppoll without descriptors", block_ppoll_none, SYS_ppoll, CAUSE_TIMER},
	{"select (the call pselect6)", block_select, SYS_pselect6, CAUSE_IDLE},
	{"select without descriptors", block_select_none, SYS_pselect6, CAUSE_TIMER},
	{"nanosleep", block_nanosleep, SYS_clock_nanosleep, CAUSE_TIMER},
	{"the system call nanosleep", block_sleep_raw, SYS_nanosleep, CAUSE_TIMER},
	{"flock", block_flock, SYS_flock, CAUSE_LOCK},
	{"a process's file lock", block_fcntl, SYS_fcntl, CAUSE_LOCK},
	{"a descriptor's file lock", block_fcntl_ofd, SYS_fcntl, CAUSE_LOCK},
	{"signals, by pause", block_pause, SYS_pause, CAUSE_IDLE},
	{"signals, by sigwaitinfo", block_sigwait, SYS_rt_sigtimedwait, CAUSE_IDLE},
	{"signals, by sigsuspend", block_sigsuspend, SYS_rt_sigsuspend, CAUSE_IDLE},
	{"a child's end", block_waitpid, SYS_wait4, CAUSE_OTHER},
};

#define BLOCKER_CNT (sizeof(blockers) / sizeof(blockers[0]))

static volatile uint32_t tids[BLOCKER_CNT];

static void *body(void *arg)
{
	const struct blocker *blocker = arg;

	tids[blocker - blockers] = (uint32_t)gettid();
	blocker->block();
	printf("# %s did not block\n", blocker->what);
	pause();
	return NULL;
}

/* The system call that a thread sleeps in; -2 = it runs. */
static long sleeps_in(uint32_t tid)
{
	char path[64], line[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%u/syscall", tid);
	file = fopen(path, "r");
	if (!file)
		return -2;
	if (!fgets(line, sizeof(line), file) || line[0] == 'r')
		line[0] = '\0';
	fclose(file);
	return line[0] ? atol(line) : -2;
}

static bool start(const struct blocker *blocker)
{
	volatile uint32_t *tid = &tids[blocker - blockers];
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, (void *)blocker))
		return false;
	for (int ms = 0; ms < BLOCKED_WITHIN_MS; ms++) {
		if (*tid && sleeps_in(*tid) == blocker->nr)
			return true;
		usleep(1000);
	}
	note("%s: sleeps in %ld", blocker->what, sleeps_in(*tid));
	return false;
}

static void init_mutex(pthread_mutex_t *mutex, int kind, int shared, int robust, int protocol)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, kind);
	pthread_mutexattr_setpshared(&attr, shared);
	pthread_mutexattr_setrobust(&attr, robust);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutex_init(mutex, &attr);
	pthread_mutex_lock(mutex);
}

static void init_mutexes(void)
{
	init_mutex(&mutexes[0], PTHREAD_MUTEX_NORMAL, 0, 0, 0);
	init_mutex(&mutexes[1], PTHREAD_MUTEX_RECURSIVE, 0, 0, 0);
	init_mutex(&mutexes[2], PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0);
	init_mutex(&mutexes[3], PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0, 0);
	init_mutex(&mutexes[4], PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_SHARED, 0, 0);
	init_mutex(&mutexes[5], PTHREAD_MUTEX_NORMAL, 0, PTHREAD_MUTEX_ROBUST, 0);
	init_mutex(&mutexes[6], PTHREAD_MUTEX_NORMAL, 0, 0, PTHREAD_PRIO_INHERIT);
	init_mutex(&mutexes[7], PTHREAD_MUTEX_NORMAL, 0, 0, 0);
	init_mutex(&cond_shared_mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_SHARED, 0, 0);
	pthread_mutex_unlock(&cond_shared_mutex);
}

static void init_locks(void)
{
	pthread_rwlockattr_t attr;
	pthread_condattr_t cond_attr;

	init_mutexes();
	pthread_rwlock_init(&rwlock_written, NULL);
	pthread_rwlock_wrlock(&rwlock_written);
	pthread_rwlock_init(&rwlock_read, NULL);
	pthread_rwlock_rdlock(&rwlock_read);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&rwlock_queue, &attr);
	pthread_rwlock_rdlock(&rwlock_queue);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&rwlock_shared, &attr);
	pthread_rwlock_wrlock(&rwlock_shared);
	pthread_condattr_init(&cond_attr);
	pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&cond_shared, &cond_attr);
	sem_init(&sem, 0, 0);
}

static void *until_the_end(void *arg)
{
	pause();
	return arg;
}

/* Leaves the barrier after its first round. */
static void *one_round(void *arg)
{
	pthread_barrier_wait(&barrier_later);
	return arg;
}

static void init_threads(void)
{
	pthread_t other;

	pthread_create(&never_ends, NULL, until_the_end, NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_barrier_init(&barrier_later, NULL, 2);
	pthread_create(&other, NULL, one_round, NULL);
	pthread_barrier_wait(&barrier_later);
	pthread_join(other, NULL);
}

static int init_fds(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	event_fd = eventfd(0, 0);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(timer_fd, 0, &(struct itimerspec){.it_value = far}, NULL);
	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	epoll_fd = epoll_create1(0);
	flock_fd = open("/proc/self/exe", O_RDONLY);
	locked_file = fopen("/dev/null", "w");
	if (event_fd < 0 || timer_fd < 0 || flock_fd < 0 || !locked_file || pipe(pipe_fds) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sock_fds) || listen(listen_fd, 1) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) || flock(flock_fd, LOCK_EX))
		return -1;
	flockfile(locked_file);
	return 0;
}

/* A child holds a lock of its process and one of a descriptor on the file, and lives until this
 * process ends. */
static int init_file_locks(void)
{
	char path[] = "/tmp/asyncscope-test-XXXXXX", c = 0;
	struct flock first = {.l_type = F_WRLCK};
	int ready[2];

	lock_fd = mkstemp(path);
	if (lock_fd < 0 || pipe(ready) || ftruncate(lock_fd, 1))
		return -1;
	if (!fork()) {
		int own = open(path, O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		c = own < 0 || fcntl(own, F_SETLK, &first) ? 'n' : 'y';
		(void)!write(ready[1], &c, 1);
		for (;;)
			pause();
	}
	if (read(ready[0], &c, 1) != 1)
		c = 'n';
	unlink(path);
	return c == 'y' ? 0 : -1;
}

/* Whoever touches the page, in the kernel or not, waits for a handler that never comes. */
static int init_fault_page(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return -1;
	fault_page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (uintptr_t)fault_page;
	reg.range.len = page;
	return ioctl(fd, UFFDIO_REGISTER, &reg);
}

static bool needs_fault_page(const struct blocker *blocker)
{
	return blocker->block == block_file || blocker->block == block_fault;
}

static void check(const struct blocker *blocker, struct bpf_map *map, const char *how)
{
	uint32_t tid = tids[blocker - blockers], cause = 0;

	bpf_map_lookup_elem(bpf_map__fd(map), &tid, &cause);
	ok(cause == blocker->cause, "waiting for %s, %s: %s", blocker->what, how,
	   cause_name(blocker->cause));
	if (cause != blocker->cause)
		note("was: %s", cause_name(cause));
}

static void test_all(bool has_fault_page)
{
	for (size_t i = 0; i < BLOCKER_CNT; i++) {
		if (needs_fault_page(&blockers[i]) && !has_fault_page)
			continue;
		ok(start(&blockers[i]), "a thread waits for %s", blockers[i].what);
	}
	ok(!walk_tasks(skel->progs.walk), "a walk over the threads");
	for (size_t i = 0; i < BLOCKER_CNT; i++) {
		if (needs_fault_page(&blockers[i]) && !has_fault_page) {
			ok(true, "%s # SKIP no userfaultfd", blockers[i].what);
			continue;
		}
		check(&blockers[i], skel->maps.by_walk, "by its registers");
		check(&blockers[i], skel->maps.by_switch, "where it left the CPU");
	}
}

int main(void)
{
	sigset_t set;

	alarm(120);
	libbpf_set_print(print_warnings);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	skel = wait_run__open();
	if (!ok(skel != NULL, "the object opens"))
		return tap_done();
	configure(&skel->rodata->cfg, 0, 4096);
	if (!ok(!wait_run__load(skel), "the object loads"))
		return tap_done();
	skel->bss->want_tgid = (uint32_t)getpid();
	skel->links.leave_cpu = bpf_program__attach(skel->progs.leave_cpu);
	ok(skel->links.leave_cpu != NULL, "the scheduler's program is attached");
	init_locks();
	init_threads();
	if (ok(!init_fds() && !init_file_locks(), "descriptors and file locks"))
		test_all(!init_fault_page());
	wait_run__destroy(skel);
	tap_done();
	fflush(stdout);
	_exit(tap_failed != 0);
}
