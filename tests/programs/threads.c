/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of known patterns, 200 by default, that print what each really did: CPU, run queue, and
 * the time blocked by cause. Run by tests/live/threads.t.
 *
 *   threads [--wait] [--threads N] [--seconds S] [--dir DIR]
 *
 * wait_ns is what a perfect tracer would say: the wall time around the blocking calls less the
 * thread's CPU time and run-queue time inside them. wait_wall_ns is the wall time alone.
 *
 * Phase A (S seconds, 2.5 by default): everything that waits. Phase B: 40,000 pipe switches.
 * Phase C: more burners than CPUs. The idle pools live through all three.
 */
#include "threads.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

#define PIPE_ROUND_TRIPS 20000
#define DISK_BLOCK       (512 * 1024)
#define DISK_FILE_SZ     (4 * DISK_BLOCK)
#define GROUP            4 /* threads that share one lock */

static struct {
	int thread_cnt;
	double seconds;
	const char *dir;
	bool disk_direct;
	uint64_t phase_end;
	atomic_bool stop; /* the idle pools */
	atomic_bool sem_stop;
	sem_t sem;
} g = {.thread_cnt = 200, .seconds = 2.5, .dir = "/var/tmp"};

static struct worker *workers;
static int worker_cnt;

struct lock_group {
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
};
static struct lock_group *lock_groups;

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	atomic_int threads;
};
static struct pool pools[4];

static bool phase_over(void)
{
	return mono_ns() >= g.phase_end;
}

static void run_sleep(struct worker *worker)
{
	while (!phase_over())
		timer(worker, (3 + (uint64_t)worker->idx % 37) * NS_PER_MS);
}

/* The holder sleeps with the lock, so that the others really wait; the pause outside lets them in. */
static void run_lock(struct worker *worker)
{
	struct lock_group *group = &lock_groups[worker->idx / GROUP];

	while (!phase_over()) {
		struct moment begin = now(worker);

		pthread_mutex_lock(&group->mutex);
		waited(worker, &begin, WAIT_LOCK);
		timer(worker, 2 * NS_PER_MS);
		pthread_mutex_unlock(&group->mutex);
		timer(worker, NS_PER_MS);
	}
}

static void run_rwlock(struct worker *worker)
{
	struct lock_group *group = &lock_groups[worker->idx / GROUP];
	bool writes = worker->idx % GROUP < 2;

	while (!phase_over()) {
		struct moment begin = now(worker);

		if (writes)
			pthread_rwlock_wrlock(&group->rwlock);
		else
			pthread_rwlock_rdlock(&group->rwlock);
		waited(worker, &begin, WAIT_LOCK);
		timer(worker, 2 * NS_PER_MS);
		pthread_rwlock_unlock(&group->rwlock);
		timer(worker, NS_PER_MS);
	}
}

static void run_disk(struct worker *worker)
{
	struct moment begin = now(worker);
	void *block;
	off_t off = 0;

	if (posix_memalign(&block, 4096, DISK_BLOCK))
		die("posix_memalign");
	memset(block, worker->idx, DISK_BLOCK);
	while (!phase_over()) {
		if (pwrite(worker->fd, block, DISK_BLOCK, off) != DISK_BLOCK)
			die("pwrite");
		if (worker->idx & 1 ? fdatasync(worker->fd) : fsync(worker->fd))
			die("fsync");
		off = (off + DISK_BLOCK) % DISK_FILE_SZ;
		if (pread(worker->fd, block, DISK_BLOCK, off) != DISK_BLOCK)
			die("pread");
	}
	free(block);
	waited(worker, &begin, WAIT_DISK);
}

/* Waits by every way to receive; one byte is a message, the stream's end or an empty one the end. */
static void run_net(struct worker *worker)
{
	struct iovec iov;
	struct msghdr msg;
	ssize_t sz;
	char byte;

	do {
		struct moment begin = now(worker);

		switch (worker->idx % 4) {
		case 0:
		case 1:
			sz = recv(worker->fd, &byte, 1, 0);
			break;
		case 2:
			sz = read(worker->fd, &byte, 1);
			break;
		default:
			iov = (struct iovec){.iov_base = &byte, .iov_len = 1};
			msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
			sz = recvmsg(worker->fd, &msg, 0);
		}
		waited(worker, &begin, WAIT_NET);
	} while (sz > 0);
}

/* Feeds the receivers in turn, late enough that each really waits. */
static void run_feed(struct worker *worker)
{
	while (!phase_over())
		for (int i = 0; i < worker_cnt; i++) {
			struct worker *to = &workers[i];

			if (to->pattern->run != run_net || to->idx % 2 != worker->idx)
				continue;
			timer(worker, 3 * NS_PER_MS);
			if (send(to->peer_fd, "x", 1, 0) != 1)
				die("send");
		}
	for (int i = 0; i < worker_cnt; i++) {
		struct worker *to = &workers[i];

		if (to->pattern->run != run_net || to->idx % 2 != worker->idx)
			continue;
		if (to->idx % 4 == 3)
			send(to->peer_fd, "", 0, 0);
		else
			shutdown(to->peer_fd, SHUT_WR);
	}
}

static void run_pipe(struct worker *worker)
{
	struct moment begin = now(worker);
	char byte = 'x';

	for (int i = 0; i < PIPE_ROUND_TRIPS; i++) {
		if (worker->idx % 2 == 0 && write(worker->peer_fd, &byte, 1) != 1)
			die("write to a pipe");
		if (read(worker->fd, &byte, 1) != 1)
			die("read from a pipe");
		if (worker->idx % 2 == 1 && write(worker->peer_fd, &byte, 1) != 1)
			die("write to a pipe");
	}
	waited(worker, &begin, WAIT_PIPE);
}

/* A pool of workers that has next to nothing to do: half of the pools wait with a timeout. */
static void run_condvar(struct worker *worker)
{
	struct pool *pool = &pools[worker->idx % (int)ARRAY_CNT(pools)];
	struct timespec until;

	pthread_mutex_lock(&pool->mutex);
	while (!g.stop) {
		struct moment begin = now(worker);

		if (pool - pools < 2) {
			pthread_cond_wait(&pool->cond, &pool->mutex);
		} else {
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_sec += 1;
			pthread_cond_timedwait(&pool->cond, &pool->mutex, &until);
		}
		waited(worker, &begin, WAIT_IDLE);
	}
	pthread_mutex_unlock(&pool->mutex);
	atomic_fetch_sub(&pool->threads, 1);
}

static void idle_wait(struct worker *worker, int epoll_fd)
{
	struct pollfd poll_fd = {.fd = worker->fd, .events = POLLIN};
	struct epoll_event event;
	fd_set fds;

	switch (worker->idx % 3) {
	case 0:
		epoll_wait(epoll_fd, &event, 1, worker->idx & 1 ? 1500 : -1);
		break;
	case 1:
		poll(&poll_fd, 1, -1);
		break;
	default:
		FD_ZERO(&fds);
		FD_SET(worker->fd, &fds);
		select(worker->fd + 1, &fds, NULL, NULL, NULL);
	}
}

static void run_epoll(struct worker *worker)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t val;

	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, worker->fd, &event))
		die("epoll");
	while (!g.stop) {
		struct moment begin = now(worker);

		idle_wait(worker, epoll_fd);
		waited(worker, &begin, WAIT_IDLE);
		if (read(worker->fd, &val, sizeof(val)) < 0 && errno != EAGAIN)
			die("eventfd");
	}
	close(epoll_fd);
}

static void run_sem(struct worker *worker)
{
	while (!g.sem_stop) {
		struct moment begin = now(worker);

		while (sem_wait(&g.sem))
			;
		waited(worker, &begin, WAIT_SEM);
	}
}

static void run_join(struct worker *worker)
{
	struct moment begin = now(worker);

	pthread_join(worker->join->thread, NULL);
	waited(worker, &begin, WAIT_JOIN);
}

/* Every second one spends its time in the kernel: getppid() is never answered by the vDSO. */
static void burn(const struct worker *worker, uint64_t ns)
{
	uint64_t end = thread_cpu_ns() + ns;

	if (worker->idx % 2 == 0) {
		burn_ns(ns);
		return;
	}
	while (thread_cpu_ns() < end)
		for (int i = 0; i < 200; i++)
			syscall(SYS_getppid);
}

static void run_burn(struct worker *worker)
{
	burn(worker, 250 * NS_PER_MS);
}

/* Short pieces with pauses between them, so that both kinds of run-queue entry are there. */
static void run_oversub(struct worker *worker)
{
	for (int i = 0; i < 15; i++) {
		burn(worker, 10 * NS_PER_MS);
		timer(worker, NS_PER_MS);
	}
}

static const struct pattern patterns[] = {
	{"sleep", run_sleep, 0, 1, 'A'},
	{"lock", run_lock, 20, GROUP, 'A'},
	{"rwlock", run_rwlock, 12, GROUP, 'A'},
	{"disk", run_disk, 4, 1, 'A'},
	{"net", run_net, 16, 4, 'A'},
	{"feed", run_feed, 2, 2, 'A'},
	{"sem", run_sem, 8, 1, 'A'},
	{"join", run_join, 4, 1, 'A'},
	{"condvar", run_condvar, 40, 4, 'A'},
	{"epoll", run_epoll, 24, 3, 'A'},
	{"pipe", run_pipe, 2, 2, 'B'},
	{"burn", run_burn, 4, 1, 'C'},
	{"oversub", run_oversub, 8, 1, 'C'},
};

static bool is_pool(const struct worker *worker)
{
	return worker->pattern->run == run_condvar || worker->pattern->run == run_epoll;
}

/* A thread that begins after "go" is recorded from its birth, so its base is zero. */
static void *thread_main(void *arg)
{
	struct worker *worker = arg;

	pthread_setname_np(pthread_self(), worker->name);
	life_begin(worker);
	worker->birth = worker->start;
	worker->start.cpu_ns = 0;
	worker->start.runqueue_ns = 0;
	memset(&worker->usage, 0, sizeof(worker->usage));
	memset(&worker->schedstat, 0, sizeof(worker->schedstat));
	worker->pattern->run(worker);
	life_end(worker);
	return NULL;
}

static void thread_start(struct worker *worker)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	worker->born_ns = mono_ns();
	errno = pthread_create(&worker->thread, &attr, thread_main, worker);
	if (errno)
		die("pthread_create");
	worker->created_ns = mono_ns();
	pthread_attr_destroy(&attr);
}

/* Creating a thread waits for the lock of the address space, which faults hold too. */
static void phase_start(struct worker *self, char phase)
{
	struct moment begin = now(self);

	for (int i = 0; i < worker_cnt; i++)
		if (workers[i].pattern->phase == phase)
			thread_start(&workers[i]);
	waited(self, &begin, WAIT_CREATE);
}

static void phase_join(struct worker *self, char phase, bool with_pools)
{
	struct moment begin = now(self);

	for (int i = 0; i < worker_cnt; i++)
		if (workers[i].pattern->phase == phase && !workers[i].joined &&
		    is_pool(&workers[i]) == with_pools)
			pthread_join(workers[i].thread, NULL);
	waited(self, &begin, WAIT_JOIN);
}

/* The main thread's part: it posts the semaphore and pokes the idle pools now and then. */
static void drive_phase_a(struct worker *self)
{
	uint64_t one = 1;
	int poke = 0;

	for (int tick = 0; !phase_over(); tick++) {
		timer(self, 5 * NS_PER_MS);
		sem_post(&g.sem);
		if (tick % 20)
			continue;
		pthread_cond_signal(&pools[poke % (int)ARRAY_CNT(pools)].cond);
		for (int i = 0; i < worker_cnt; i++)
			if (workers[i].pattern->run == run_epoll && workers[i].idx == poke % 24 &&
			    write(workers[i].fd, &one, sizeof(one)) < 0)
				die("eventfd");
		poke++;
	}
	g.sem_stop = true;
	for (int i = 0; i < worker_cnt; i++)
		sem_post(&g.sem);
}

/*
 * One after another: woken all at once they would really wait for the pool's mutex. A thread that is
 * slow to go is not hurried for 50 ms.
 */
static void stop_pool(struct worker *self, struct pool *pool)
{
	while (atomic_load(&pool->threads)) {
		int before = atomic_load(&pool->threads);

		pthread_cond_signal(&pool->cond);
		for (int i = 0; i < 500 && atomic_load(&pool->threads) == before; i++)
			timer(self, 100 * NS_PER_US);
	}
}

static void stop_pools(struct worker *self)
{
	uint64_t one = 1;

	atomic_store(&g.stop, true);
	for (size_t i = 0; i < ARRAY_CNT(pools); i++)
		stop_pool(self, &pools[i]);
	for (int i = 0; i < worker_cnt; i++)
		if (workers[i].pattern->run == run_epoll &&
		    write(workers[i].fd, &one, sizeof(one)) < 0)
			die("eventfd");
}

static void disk_open(struct worker *worker)
{
	static char block[DISK_BLOCK] __attribute__((aligned(4096)));
	char path[4096];

	snprintf(path, sizeof(path), "%s/truth-%d-%d", g.dir, (int)getpid(), worker->idx);
	worker->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
	g.disk_direct = worker->fd >= 0;
	if (worker->fd < 0)
		worker->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (worker->fd < 0)
		die(path);
	unlink(path);
	for (off_t off = 0; off < DISK_FILE_SZ; off += DISK_BLOCK)
		if (pwrite(worker->fd, block, DISK_BLOCK, off) != DISK_BLOCK)
			die("pwrite");
	if (fsync(worker->fd))
		die("fsync");
}

/* A connected pair over loopback; `type` SOCK_STREAM or SOCK_DGRAM. */
static void inet_pair(int type, int fds[2])
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, len) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len))
		die("bind");
	if (type == SOCK_STREAM && listen(listener, 1))
		die("listen");
	fds[1] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fds[1] < 0 || connect(fds[1], (struct sockaddr *)&addr, len))
		die("connect");
	fds[0] = listener;
	if (type == SOCK_STREAM) {
		fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fds[0] < 0)
			die("accept");
		close(listener);
	}
}

static void net_open(struct worker *worker)
{
	int fds[2];

	if (worker->idx % 4 == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		die("socketpair");
	if (worker->idx % 4)
		inet_pair(worker->idx % 4 == 3 ? SOCK_DGRAM : SOCK_STREAM, fds);
	worker->fd = fds[0];
	worker->peer_fd = fds[1];
}

static void pipe_open(struct worker *first, struct worker *second)
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		die("pipe");
	first->peer_fd = there[1];
	first->fd = back[0];
	second->fd = there[0];
	second->peer_fd = back[1];
}

/* Normal, recursive, error checking, adaptive and priority-inheriting mutexes in turn. */
static void lock_init(struct lock_group *group, int idx)
{
	static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				    PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP,
				    PTHREAD_MUTEX_NORMAL};
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, types[idx % (int)ARRAY_CNT(types)]);
	if (idx % (int)ARRAY_CNT(types) == 4)
		pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&group->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_rwlock_init(&group->rwlock, NULL);
}

static void worker_prepare(struct worker *worker)
{
	if (worker->pattern->run == run_disk)
		disk_open(worker);
	else if (worker->pattern->run == run_net)
		net_open(worker);
	else if (worker->pattern->run == run_epoll)
		worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	else if (worker->pattern->run == run_pipe && worker->idx % 2)
		pipe_open(worker - 1, worker);
	if (worker->pattern->run == run_join) {
		worker->join = &workers[worker->idx]; /* the sleepers are first */
		worker->join->joined = true;
	}
}

static int pattern_cnt(const struct pattern *pattern)
{
	int cnt = pattern->share * g.thread_cnt / 200 / pattern->unit * pattern->unit;

	if (pattern->run == run_pipe || pattern->run == run_feed)
		return 2;
	return cnt ? cnt : pattern->unit;
}

static void prepare(void)
{
	int left = g.thread_cnt;

	for (size_t i = 1; i < ARRAY_CNT(patterns); i++)
		left -= pattern_cnt(&patterns[i]);
	if (left < 8)
		left = 8;
	workers = calloc((size_t)(g.thread_cnt + 200), sizeof(*workers));
	lock_groups = calloc((size_t)(g.thread_cnt + 200), sizeof(*lock_groups));
	if (!workers || !lock_groups)
		die("calloc");
	for (size_t i = 0; i < ARRAY_CNT(patterns); i++) {
		int cnt = i ? pattern_cnt(&patterns[i]) : left;

		for (int idx = 0; idx < cnt; idx++) {
			struct worker *worker = &workers[worker_cnt++];

			worker->pattern = &patterns[i];
			worker->idx = idx;
			if (worker->pattern->run == run_condvar)
				atomic_fetch_add(&pools[idx % (int)ARRAY_CNT(pools)].threads, 1);
			snprintf(worker->name, sizeof(worker->name), "%s-%02d", patterns[i].name,
				 idx % 10000);
			worker_prepare(worker);
		}
	}
	for (int i = 0; i <= worker_cnt / GROUP; i++)
		lock_init(&lock_groups[i], i);
	for (size_t i = 0; i < ARRAY_CNT(pools); i++) {
		pthread_mutex_init(&pools[i].mutex, NULL);
		pthread_cond_init(&pools[i].cond, NULL);
	}
	sem_init(&g.sem, 0, 0);
}

static void print_process(const struct rusage *a, uint64_t cpu_ns)
{
	struct rusage b;

	getrusage(RUSAGE_SELF, &b);
	printf("{\"process\": %d, \"threads\": %d, \"disk_direct\": %s, \"cpu_ns\": %" PRIu64
	       ", \"cpu_user_ns\": %" PRIu64 ", \"cpu_system_ns\": %" PRIu64
	       ", \"nvcsw\": %ld, \"nivcsw\": %ld, \"minflt\": %ld, \"majflt\": %ld}\n",
	       (int)getpid(), worker_cnt + 1, g.disk_direct ? "true" : "false",
	       process_cpu_ns() - cpu_ns, timeval_ns(&b.ru_utime) - timeval_ns(&a->ru_utime),
	       timeval_ns(&b.ru_stime) - timeval_ns(&a->ru_stime), b.ru_nvcsw - a->ru_nvcsw,
	       b.ru_nivcsw - a->ru_nivcsw, b.ru_minflt - a->ru_minflt, b.ru_majflt - a->ru_majflt);
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		const char *val = i + 1 < argc ? argv[i + 1] : NULL;

		if (val && strcmp(argv[i], "--threads") == 0)
			g.thread_cnt = atoi(val);
		else if (val && strcmp(argv[i], "--seconds") == 0)
			g.seconds = atof(val);
		else if (val && strcmp(argv[i], "--dir") == 0)
			g.dir = val;
		else
			val = NULL;
		if (!val) {
			fprintf(stderr, "usage: threads [--wait] [--threads N] [--seconds S] "
					"[--dir DIR]\n");
			exit(2);
		}
	}
	if (g.thread_cnt < 1 || g.thread_cnt > 10000 || g.seconds <= 0 || g.seconds > 60)
		exit(2);
}

int main(int argc, char **argv)
{
	static const struct pattern main_pattern = {.name = "main"};
	struct worker self = {.pattern = &main_pattern, .name = "threads"};
	bool wait = truth_take_wait(&argc, argv);
	struct rusage usage;
	uint64_t cpu_ns;

	options(argc, argv);
	truth_limit(120);
	prepare();
	truth_ready(wait);

	cpu_ns = process_cpu_ns();
	getrusage(RUSAGE_SELF, &usage);
	life_begin(&self);
	g.phase_end = mono_ns() + (uint64_t)(g.seconds * 1e9);
	phase_start(&self, 'A');
	drive_phase_a(&self);
	phase_join(&self, 'A', false);
	phase_start(&self, 'B');
	phase_join(&self, 'B', false);
	phase_start(&self, 'C');
	phase_join(&self, 'C', false);
	stop_pools(&self);
	phase_join(&self, 'A', true);
	life_end(&self);

	for (int i = 0; i < worker_cnt; i++)
		print_worker(&workers[i]);
	print_worker(&self);
	print_process(&usage, cpu_ns);
	return 0;
}
