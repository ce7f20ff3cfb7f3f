/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The demo's target: a small request server on libuv with its own load and one planted fault, so
 * that a report has something to find. Built by `make demo-service`, run by tools/demo.
 *
 *   demo-service [--seconds S] [--clients N] [--rate PER_SECOND] [--fault lock|none]
 *
 * A request is one line: `get KEY` (memory, on the loop), `put KEY` (memory, in the thread pool),
 * `read` (a file, by uv_fs), `hash KEY` (CPU, in the pool). All but `read` use one cache under one
 * mutex. The fault: four times a second the cache is saved by a pool thread, which holds that mutex
 * during the slow write, so that the loop and all workers wait for the lock. `--fault none` does
 * the slow part without the lock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define LINE_SZ     256
#define READ_SZ     4096
#define CACHE_CNT   256
#define POOL_CNT    4
#define CLIENT_MAX  32
#define SAVE_EVERY  250 /* ms */
#define SAVE_TAKES  60 /* ms: what a slow disk would */
#define HASH_ROUNDS 400
#define LATENCY_MAX 65536

/* X(name, share of the requests in percent) */
#define KINDS(X)                                                                                   \
	X(get, 50)                                                                                 \
	X(put, 20)                                                                                 \
	X(read, 20)                                                                                \
	X(hash, 10)

enum kind {
#define X(name, share) KIND_##name,
	KINDS(X)
#undef X
		KIND_CNT
};

static const struct {
	const char *name;
	int share;
} kinds[] = {
#define X(name, share) {#name, share},
	KINDS(X)
#undef X
};

struct options {
	double seconds;
	int client_cnt;
	int rate; /* requests per second of all clients together */
	bool fault;
};

struct cache {
	pthread_mutex_t lock;
	uint64_t vals[CACHE_CNT];
	int save_fd;
	bool fault;
	bool saving; /* used on the loop's thread only */
	uint64_t saves, held_ns;
};

struct service {
	uv_loop_t *loop;
	uv_tcp_t listener;
	uv_timer_t end_timer, save_timer;
	uv_signal_t sigterm, sigint;
	uv_work_t save_work;
	struct cache cache;
	uv_file data_fd;
	int port;
};

/* A connection has one request at a time, as its client sends one at a time. */
struct connection {
	uv_tcp_t tcp;
	struct service *service;
	char line[LINE_SZ];
	size_t line_sz;
	char reply[64];
	uv_write_t write;
	uv_work_t work;
	uv_fs_t fs;
	char data[READ_SZ];
	bool busy, closing;
	enum kind kind;
	unsigned int key;
	uint64_t val;
};

struct client {
	pthread_t thread;
	int idx, port;
	uint64_t pause_ns;
	uint64_t cnt[KIND_CNT];
	uint32_t *latency_us; /* of the latest LATENCY_MAX requests */
	uint64_t total;
	bool failed;
};

static atomic_bool stopping;

static void die(const char *what)
{
	fprintf(stderr, "demo-service: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void die_uv(const char *what, int err)
{
	fprintf(stderr, "demo-service: %s: %s\n", what, uv_strerror(err));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000),
			      .tv_nsec = (long)(ns % 1000000000)};

	nanosleep(&ts, NULL);
}

/* The cache */
static uint64_t cache_get(struct cache *cache, unsigned int key)
{
	uint64_t val;

	pthread_mutex_lock(&cache->lock);
	val = cache->vals[key % CACHE_CNT];
	pthread_mutex_unlock(&cache->lock);
	return val;
}

static void cache_put(struct cache *cache, unsigned int key, uint64_t val)
{
	pthread_mutex_lock(&cache->lock);
	cache->vals[key % CACHE_CNT] = val;
	pthread_mutex_unlock(&cache->lock);
}

static void write_slowly(struct cache *cache, const uint64_t *vals)
{
	if (pwrite(cache->save_fd, vals, sizeof(cache->vals), 0) != (ssize_t)sizeof(cache->vals) ||
	    fsync(cache->save_fd))
		die("save");
	sleep_ns((uint64_t)SAVE_TAKES * 1000000);
}

/* The planted fault: the write belongs behind the unlock. */
static void cache_save(struct cache *cache)
{
	uint64_t copy[CACHE_CNT], begin;

	pthread_mutex_lock(&cache->lock);
	begin = now_ns();
	memcpy(copy, cache->vals, sizeof(copy));
	if (cache->fault)
		write_slowly(cache, copy);
	cache->held_ns += now_ns() - begin;
	cache->saves++;
	pthread_mutex_unlock(&cache->lock);
	if (!cache->fault)
		write_slowly(cache, copy);
}

static void save_work(uv_work_t *work)
{
	struct service *service = work->data;

	cache_save(&service->cache);
}

static void save_done(uv_work_t *work, int status)
{
	struct service *service = work->data;

	(void)status;
	service->cache.saving = false;
}

static void on_save_timer(uv_timer_t *timer)
{
	struct service *service = timer->data;

	if (service->cache.saving || atomic_load(&stopping))
		return;
	service->cache.saving = true;
	service->save_work.data = service;
	uv_queue_work(service->loop, &service->save_work, save_work, save_done);
}

/* Requests */
static uint64_t hash(uint64_t seed)
{
	for (int i = 0; i < HASH_ROUNDS * 1000; i++) {
		seed ^= seed >> 33;
		seed *= UINT64_C(0xff51afd7ed558ccd);
	}
	return seed;
}

static void close_connection(struct connection *connection);
static void take_line(struct connection *connection);

static void on_written(uv_write_t *write, int status)
{
	struct connection *connection = write->data;

	connection->busy = false;
	if (status)
		close_connection(connection);
	else
		take_line(connection);
}

static void reply(struct connection *connection, uint64_t val)
{
	int sz = snprintf(connection->reply, sizeof(connection->reply), "%" PRIu64 "\n", val);
	uv_buf_t buf = uv_buf_init(connection->reply, (unsigned int)sz);
	int err;

	connection->write.data = connection;
	err = uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buf, 1, on_written);
	if (err) {
		connection->busy = false;
		close_connection(connection);
	}
}

static void pool_work(uv_work_t *work)
{
	struct connection *connection = work->data;
	struct cache *cache = &connection->service->cache;

	connection->val = connection->key;
	if (connection->kind == KIND_hash)
		connection->val = hash(connection->key + 1);
	cache_put(cache, connection->key, connection->val);
}

static void pool_done(uv_work_t *work, int status)
{
	struct connection *connection = work->data;

	(void)status;
	reply(connection, connection->val);
}

static void on_file_read(uv_fs_t *fs)
{
	struct connection *connection = fs->data;
	uint64_t result = fs->result < 0 ? 0 : (uint64_t)fs->result;

	uv_fs_req_cleanup(fs);
	reply(connection, result);
}

static void start_request(struct connection *connection)
{
	struct service *service = connection->service;
	uv_buf_t buf = uv_buf_init(connection->data, READ_SZ);

	connection->busy = true;
	switch (connection->kind) {
	case KIND_get:
		reply(connection, cache_get(&service->cache, connection->key));
		break;
	case KIND_read:
		connection->fs.data = connection;
		uv_fs_read(service->loop, &connection->fs, service->data_fd, &buf, 1,
			   (int64_t)(connection->key % 64) * READ_SZ, on_file_read);
		break;
	default:
		connection->work.data = connection;
		uv_queue_work(service->loop, &connection->work, pool_work, pool_done);
	}
}

static void take_line(struct connection *connection)
{
	char *end = memchr(connection->line, '\n', connection->line_sz);
	size_t sz;

	if (!end || connection->busy || connection->closing)
		return;
	*end = '\0';
	connection->kind = KIND_CNT;
	for (int kind = 0; kind < KIND_CNT; kind++)
		if (strncmp(connection->line, kinds[kind].name, strlen(kinds[kind].name)) == 0)
			connection->kind = (enum kind)kind;
	if (connection->kind == KIND_CNT) {
		close_connection(connection);
		return;
	}
	connection->key =
		(unsigned int)strtoul(connection->line + strcspn(connection->line, " "), NULL, 10);
	sz = (size_t)(end + 1 - connection->line);
	memmove(connection->line, end + 1, connection->line_sz - sz);
	connection->line_sz -= sz;
	start_request(connection);
}

/* Connections. One that is closed while a request is in flight is freed when that is done. */
static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void close_connection(struct connection *connection)
{
	if (!connection->closing)
		uv_read_stop((uv_stream_t *)&connection->tcp);
	connection->closing = true;
	if (!connection->busy && !uv_is_closing((uv_handle_t *)&connection->tcp))
		uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *connection = handle->data;

	(void)suggested;
	*buf = uv_buf_init(connection->line + connection->line_sz,
			   (unsigned int)(sizeof(connection->line) - connection->line_sz));
}

static void on_read(uv_stream_t *stream, ssize_t sz, const uv_buf_t *buf)
{
	struct connection *connection = stream->data;

	(void)buf;
	if (sz < 0) { /* the end, an error, or a line that is too long */
		close_connection(connection);
		return;
	}
	connection->line_sz += (size_t)sz;
	take_line(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct service *service = listener->data;
	struct connection *connection;

	if (status)
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		die("connection");
	connection->service = service;
	uv_tcp_init(service->loop, &connection->tcp);
	connection->tcp.data = connection;
	if (uv_accept(listener, (uv_stream_t *)&connection->tcp) ||
	    uv_tcp_nodelay(&connection->tcp, 1) ||
	    uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read))
		close_connection(connection);
}

static void listen_on_loopback(struct service *service)
{
	struct sockaddr_in addr;
	int err, len = sizeof(addr);

	uv_ip4_addr("127.0.0.1", 0, &addr);
	uv_tcp_init(service->loop, &service->listener);
	service->listener.data = service;
	err = uv_tcp_bind(&service->listener, (struct sockaddr *)&addr, 0);
	if (!err)
		err = uv_listen((uv_stream_t *)&service->listener, 64, on_connection);
	if (!err)
		err = uv_tcp_getsockname(&service->listener, (struct sockaddr *)&addr, &len);
	if (err)
		die_uv("listen", err);
	service->port = ntohs(addr.sin_port);
}

/* The load: each client is a thread with a socket of its own, one request at a time. */
static enum kind pick_kind(uint64_t *random)
{
	unsigned int roll;
	int kind = 0;

	*random = *random * UINT64_C(6364136223846793005) + 1;
	roll = (unsigned int)(*random >> 33) % 100;
	for (; kind < KIND_CNT - 1 && roll >= (unsigned int)kinds[kind].share; kind++)
		roll -= (unsigned int)kinds[kind].share;
	return (enum kind)kind;
}

static bool ask(int fd, enum kind kind, unsigned int key)
{
	char line[64];
	int sz = snprintf(line, sizeof(line), "%s %u\n", kinds[kind].name, key);

	if (send(fd, line, (size_t)sz, MSG_NOSIGNAL) != sz)
		return false;
	do {
		if (recv(fd, line, sizeof(line), 0) <= 0)
			return false;
	} while (!memchr(line, '\n', sizeof(line)));
	return true;
}

static int connect_to(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct timeval limit = {.tv_sec = 5};

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void *client_main(void *arg)
{
	struct client *client = arg;
	uint64_t random = (uint64_t)client->idx * 977 + 1;
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "client-%d", client->idx % 1000);
	pthread_setname_np(pthread_self(), name);
	fd = connect_to(client->port);
	while (!atomic_load(&stopping)) {
		enum kind kind = pick_kind(&random);
		uint64_t begin = now_ns();

		if (!ask(fd, kind, (unsigned int)(random >> 40))) {
			client->failed = !atomic_load(&stopping);
			break;
		}
		client->latency_us[client->total++ % LATENCY_MAX] =
			(uint32_t)((now_ns() - begin) / 1000);
		client->cnt[kind]++;
		sleep_ns(client->pause_ns / 2 + random % client->pause_ns);
	}
	close(fd);
	return NULL;
}

static void start_clients(struct client *clients, const struct options *options, int port)
{
	for (int i = 0; i < options->client_cnt; i++) {
		clients[i].idx = i;
		clients[i].port = port;
		clients[i].pause_ns = UINT64_C(1000000000) * (uint64_t)options->client_cnt /
				      (uint64_t)options->rate;
		clients[i].latency_us = calloc(LATENCY_MAX, sizeof(uint32_t));
		if (!clients[i].latency_us)
			die("clients");
		errno = pthread_create(&clients[i].thread, NULL, client_main, &clients[i]);
		if (errno)
			die("pthread_create");
	}
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Joins the clients and prints what they saw. Returns whether all went well. */
static bool finish_clients(struct client *clients, int cnt)
{
	uint32_t *all = malloc((size_t)cnt * LATENCY_MAX * sizeof(*all));
	uint64_t by_kind[KIND_CNT] = {0};
	size_t all_cnt = 0;
	bool good = true;

	if (!all)
		die("clients");
	for (int i = 0; i < cnt; i++) {
		size_t kept = clients[i].total < LATENCY_MAX ? clients[i].total : LATENCY_MAX;

		pthread_join(clients[i].thread, NULL);
		good = good && !clients[i].failed;
		memcpy(all + all_cnt, clients[i].latency_us, kept * sizeof(*all));
		all_cnt += kept;
		for (int kind = 0; kind < KIND_CNT; kind++)
			by_kind[kind] += clients[i].cnt[kind];
		free(clients[i].latency_us);
	}
	qsort(all, all_cnt, sizeof(*all), compare_u32);
	printf("requests %zu", all_cnt);
	for (int kind = 0; kind < KIND_CNT; kind++)
		printf(" %s %" PRIu64, kinds[kind].name, by_kind[kind]);
	if (all_cnt)
		printf(", latency us p50 %u p99 %u max %u", all[all_cnt / 2],
		       all[all_cnt * 99 / 100], all[all_cnt - 1]);
	printf("%s\n", good ? "" : ", A CLIENT FAILED");
	free(all);
	return good;
}

/* Names for the pool's threads: as many jobs as threads, none ends before all have begun. */
static pthread_barrier_t pool_barrier;

static void name_work(uv_work_t *work)
{
	char name[16];

	snprintf(name, sizeof(name), "pool-%d", (int)(intptr_t)work->data);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&pool_barrier);
}

static void name_done(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
}

static void name_pool(uv_loop_t *loop)
{
	uv_work_t works[POOL_CNT];

	pthread_barrier_init(&pool_barrier, NULL, POOL_CNT);
	for (int i = 0; i < POOL_CNT; i++) {
		works[i].data = (void *)(intptr_t)i;
		uv_queue_work(loop, &works[i], name_work, name_done);
	}
	uv_run(loop, UV_RUN_DEFAULT); /* nothing else is on the loop yet */
	pthread_barrier_destroy(&pool_barrier);
}

static int temporary_file(size_t sz)
{
	char path[] = "/var/tmp/demo-service.XXXXXX", *zeros = calloc(1, sz);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0 || !zeros)
		die(path);
	unlink(path);
	if (write(fd, zeros, sz) != (ssize_t)sz)
		die(path);
	free(zeros);
	return fd;
}

static void on_end_timer(uv_timer_t *timer)
{
	atomic_store(&stopping, true);
	uv_stop(timer->loop);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	atomic_store(&stopping, true);
	uv_stop(handle->loop);
}

static void start_timers(struct service *service, const struct options *options)
{
	uv_timer_init(service->loop, &service->end_timer);
	uv_timer_start(&service->end_timer, on_end_timer, (uint64_t)(options->seconds * 1000), 0);
	uv_timer_init(service->loop, &service->save_timer);
	service->save_timer.data = service;
	uv_timer_start(&service->save_timer, on_save_timer, SAVE_EVERY, SAVE_EVERY);
	uv_signal_init(service->loop, &service->sigterm);
	uv_signal_start(&service->sigterm, on_signal, SIGTERM);
	uv_signal_init(service->loop, &service->sigint);
	uv_signal_start(&service->sigint, on_signal, SIGINT);
}

static int usage(void)
{
	fprintf(stderr, "usage: demo-service [--seconds S] [--clients N] [--rate PER_SECOND] "
			"[--fault lock|none]\n");
	return 2;
}

static bool parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i += 2) {
		const char *val = i + 1 < argc ? argv[i + 1] : NULL;

		if (!val)
			return false;
		if (strcmp(argv[i], "--seconds") == 0)
			options->seconds = atof(val);
		else if (strcmp(argv[i], "--clients") == 0)
			options->client_cnt = atoi(val);
		else if (strcmp(argv[i], "--rate") == 0)
			options->rate = atoi(val);
		else if (strcmp(argv[i], "--fault") == 0 &&
			 (strcmp(val, "lock") == 0 || strcmp(val, "none") == 0))
			options->fault = strcmp(val, "lock") == 0;
		else
			return false;
	}
	return options->seconds > 0 && options->seconds <= 86400 && options->client_cnt >= 1 &&
	       options->client_cnt <= CLIENT_MAX && options->rate >= 1 && options->rate <= 100000;
}

int main(int argc, char **argv)
{
	struct options options = {.seconds = 60, .client_cnt = 8, .rate = 400, .fault = true};
	struct client clients[CLIENT_MAX] = {0};
	struct service service = {.loop = uv_default_loop()};
	bool good;

	if (!parse(argc, argv, &options))
		return usage();
	alarm((unsigned int)options.seconds + 30); /* whatever happens */
	pthread_mutex_init(&service.cache.lock, NULL);
	service.cache.fault = options.fault;
	service.cache.save_fd = temporary_file(sizeof(service.cache.vals));
	service.data_fd = temporary_file((size_t)64 * READ_SZ);
	setenv("UV_THREADPOOL_SIZE", "4", 1); /* POOL_CNT */
	name_pool(service.loop);
	listen_on_loopback(&service);
	start_timers(&service, &options);
	start_clients(clients, &options, service.port);
	printf("pid %d port %d\nready %d\n", (int)getpid(), service.port, (int)getpid());
	fflush(stdout);

	uv_run(service.loop, UV_RUN_DEFAULT);
	/* clients wait for answers: closing the sockets ends that */
	uv_close((uv_handle_t *)&service.listener, NULL);
	for (int i = 0; i < 200; i++) {
		uv_run(service.loop, UV_RUN_NOWAIT);
		sleep_ns(500000);
	}
	good = finish_clients(clients, options.client_cnt);
	printf("saves %" PRIu64 ", lock held %.1f ms in all\n", service.cache.saves,
	       (double)service.cache.held_ns / 1e6);
	return !good;
}
