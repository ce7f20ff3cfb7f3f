/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up recording of any size with hostile names, and its truth as JSON. Included by
 * tests/unit/test_report.c, whose `--page` mode writes pages for tests/page/run-page.t.
 */
#ifndef PAGE_SAMPLE_H
#define PAGE_SAMPLE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyze/analyze.h"
#include "base/array.h"
#include "base/json.h"
#include "model/model.h"

#define SAMPLE_THREADS  24
#define SAMPLE_DURATION 30000000000LL
#define SAMPLE_SLICES   160 /* per thread */

/* What a hostile target may be called. */
static const char *const hostile_names[] = {
	"</script><img src=x onerror=alert(1)>",
	"\"><svg onload=alert(2)>",
	"' onmouseover='alert(3)",
	"<!--<script>",
	"]]>&lt;&#60;&amp;",
	"bad \xff\xfe utf-8 \xc3",
	"ctrl \x01\x1b[31m\x7f",
	"\xe2\x80\xaegnp.exe", /* right-to-left override */
	"{{script}}{{csp}}",
	"a very long name of a Rust type core::pin::Pin<alloc::boxed::Box<dyn Future<Output = ()>>>",
};
#define HOSTILE_CNT (sizeof(hostile_names) / sizeof(*hostile_names))

static const char *const plain_names[] = {"http::accept", "cache::get", "db::query", "log::flush",
					  "timer::tick",  "tls::read",  "gc",        "worker"};
#define PLAIN_CNT (sizeof(plain_names) / sizeof(*plain_names))

/* xorshift64: the same recording each time. */
static uint64_t sample_random(uint64_t *state, uint64_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return below ? *state % below : 0;
}

static void sample_meta(struct model *model)
{
	struct meta *meta = &model->meta;

	meta->version = model__intern(model, "0.1-sample");
	meta->options = model__intern(model, "-p 4242 -d 30");
	meta->kernel = model__intern(model, "6.12.0");
	meta->arch = model__intern(model, "x86_64");
	meta->hostname = model__intern(model, "host<b>name");
	meta->exe = model__intern(model, "/srv/</script><img src=x onerror=alert(4)>/api");
	meta->comm = model__intern(model, "api-server");
	meta->cmdline = model__intern(model, "api-server --token=*** \"'<&>");
	meta->stop_reason = model__intern(model, "the time was over");
	meta->cpus = 8;
	meta->pid = 4242;
	meta->uid = 1000;
	meta->process_cnt = 1;
	meta->started_at_ns = 1795170000000000000LL;
	meta->duration_ns = SAMPLE_DURATION;
	meta->attached_ns = 84000000;
	meta->tracer_cpu_ns = 240000000;
	meta->tracer_rss_bytes = 61 << 20;
	meta->kernel_memory_bytes = 18 << 20;
	meta->probe_hits = 812345;
	meta->probe_price_ns = NO_TIME;
	meta->hook_runs = NO_TIME;
	meta->hook_ns = NO_TIME;
	meta->tasks_folded = 0;
	meta->slices_seen = 0;
	meta->records_seen = 0;
	meta->process_cpu_ns = NO_TIME;
}

static void sample_caps(struct model *model)
{
	static const enum model_cap measured[] = {CAP_CPU,     CAP_WAITS, CAP_FAULTS,
						  CAP_WAKES,   CAP_RUNS,  CAP_IO,
						  CAP_NETWORK, CAP_DISK,  CAP_DISK_BYTES};

	for (size_t i = 0; i < sizeof(measured) / sizeof(*measured); i++)
		model__cap_set(model, measured[i], "tracepoints");
	model__cap_miss(model, CAP_CYCLES, "no hardware counters here: <b>virtual</b> machine");
	model__counter_add(model, "ring_full", "records dropped", true, 1234);
	model__counter_add(model, "wake_unseen", "threads that ran \"unwoken\" <i>", true, 0);
	model__counter_add(model, "probe.sched_switch", "hits", false, 812345);
}

static void sample_times(struct task *task, uint64_t *seed)
{
	int64_t life = task->end_ns == NO_TIME ? SAMPLE_DURATION : task->end_ns;
	int64_t left = life - (task->start_ns > 0 ? task->start_ns : 0);
	static const int shares[] = {22, 9, 6, 14, 11, 8, 5};

	task->wall_ns = left;
	for (int i = 0; i < 7; i++) {
		int64_t ns = left / 100 * (int64_t)sample_random(seed, shares[i] + 1);

		task->c[COUNTER_ON_CPU + i] = ns;
	}
	for (int i = 0; i < 7; i++)
		left -= task->c[COUNTER_ON_CPU + i];
	task->c[COUNTER_IDLE] = left > 0 ? left : 0;
	task->c[COUNTER_SWITCH_VOLUNTARY] = sample_random(seed, 5000);
	task->c[COUNTER_SWITCH_INVOLUNTARY] = sample_random(seed, 500);
	task->c[COUNTER_FAULT_MINOR] = sample_random(seed, 900);
	task->c[COUNTER_WAKE_RECEIVED] = sample_random(seed, 300);
	task->c[COUNTER_CPUS] = sample_random(seed, 256);
	for (int64_t i = 0; i < task->c[COUNTER_WAKE_RECEIVED] && i < 24; i++) {
		uint64_t ns = 2000 + sample_random(seed, 900000);

		hist__add(&task->wake, ns, 8);
		task->c[COUNTER_WAKE_LATENCY] += 8 * ns;
		if ((int64_t)ns > task->c[COUNTER_WAKE_LATENCY_MAX])
			task->c[COUNTER_WAKE_LATENCY_MAX] = ns;
	}
}

static void sample_task(struct model *model, size_t i, uint64_t *seed)
{
	bool thread = i < SAMPLE_THREADS;
	uint64_t tid = 4242 + (thread ? i : sample_random(seed, SAMPLE_THREADS));
	uint64_t id = tid << 32 | (thread ? 0 : i);
	const char *name = i < HOSTILE_CNT ? hostile_names[i] : plain_names[i % PLAIN_CNT];
	struct task *task = model__task_get(model, id);
	char text[256];

	task->native = thread ? tid : 0x7f0000000000 + 64 * i;
	task->parent = thread ? 0 : (uint64_t)4242 << 32;
	task->start_ns = thread ? -5000000000LL : (int64_t)sample_random(seed, SAMPLE_DURATION);
	task->end_ns =
		thread || i % 7 == 0
			? NO_TIME
			: task->start_ns + (int64_t)sample_random(seed, SAMPLE_DURATION -
										task->start_ns + 1);
	task->tgid = 4242;
	task->tid = tid;
	task->runtime = thread ? RUNTIME_THREAD : RUNTIME_MARKS;
	task->state = task->end_ns == NO_TIME ? STATE_WAITING : STATE_COMPLETED;
	task->flags = thread ? 0 : TASK_SEEN_FROM_START;
	task->binding = thread ? BINDING_KERNEL : BINDING_SYMBOL;
	snprintf(text, sizeof(text), thread && i >= HOSTILE_CNT ? "%s #%zu" : "%s", name, i);
	task->name = model__intern(model, text);
	snprintf(text, sizeof(text), "%s%s", thread ? "thread " : "", name);
	task->class_idx =
		model__class_get(model, hash_bytes(0, text, strlen(text)), task->runtime, text);
	sample_times(task, seed);
	for (size_t run = 0; !thread && run < i % 40; run++)
		hist__add(&task->runs, 1000 + sample_random(seed, 4000000), 5);
}

/* Bursts: a thread runs, waits in the run queue, waits for one of the causes, idles. */
static void sample_slices(struct model *model, uint64_t *seed)
{
	size_t threads = model->task_cnt < SAMPLE_THREADS ? model->task_cnt : SAMPLE_THREADS;

	for (size_t t = 0; t < threads; t++) {
		int64_t at = 0, step = SAMPLE_DURATION / SAMPLE_SLICES;

		for (int i = 0; i < SAMPLE_SLICES; i++, at += step) {
			struct slice *slice = model__slice_add(model);
			int64_t run = sample_random(seed, step / (t + 1));

			slice->task = model->tasks[t].id;
			slice->tid = model->tasks[t].tid;
			slice->start_ns = at;
			slice->dur_ns = step;
			slice->c[COUNTER_ON_CPU] = run;
			slice->c[COUNTER_RUNQUEUE] = i % 40 > 30 ? (step - run) / 2 : 0;
			slice->c[COUNTER_BLOCKED_DISK + (i / 12 + t) % 5] = (step - run) / 3;
			slice->c[COUNTER_IDLE] = (step - run) / 9;
		}
	}
	model->meta.slices_seen = model->slice_cnt;
}

static uint32_t sample_object(struct model *model, uint8_t kind, const char *name,
			      const char *local, uint8_t role)
{
	struct object *object;

	if (array__reserve((void **)&model->objects, &model->object_cap, model->object_cnt + 1,
			   sizeof(*object)))
		return NO_IDX;
	object = &model->objects[model->object_cnt];
	memset(object, 0, sizeof(*object));
	object->kind = kind;
	object->name = model__intern(model, name);
	object->local = model__intern(model, local);
	object->role = role;
	return model->object_cnt++;
}

/* A cleared one; NULL when memory ran out. */
static struct use *sample_use_row(struct model *model, uint64_t task, uint32_t class_idx,
				  uint32_t object, enum wire_io_op op)
{
	struct use *use;

	if (array__reserve((void **)&model->uses, &model->use_cap, model->use_cnt + 1,
			   sizeof(*use)))
		return NULL;
	use = &model->uses[model->use_cnt++];
	memset(use, 0, sizeof(*use));
	use->task = task;
	use->class_idx = task ? NO_IDX : class_idx;
	use->object = object;
	use->op = op;
	return use;
}

/* One use, and what its task's counters get from it. Each (task, class, object, op) once. */
static void sample_use(struct model *model, uint64_t task_id, uint32_t class_idx, uint32_t object,
		       enum wire_io_op op, uint64_t cnt, uint64_t bytes, uint64_t errors,
		       uint64_t ns)
{
	struct task *task = model__task(model, task_id);
	int64_t *c = task                  ? task->c
		     : class_idx != NO_IDX ? model->classes[class_idx].folded_c
					   : NULL;
	bool file = object_group(model->objects[object].kind) == GROUP_FILE;
	struct use *use = sample_use_row(model, task_id, class_idx, object, op);

	if (!use)
		return;
	use->cnt = cnt;
	use->bytes = bytes;
	use->errors = errors;
	use->again = cnt / 50;
	hist__add(&use->latency, ns, cnt - cnt / 20);
	hist__add(&use->latency, ns * 9, cnt / 20);
	hist__add(&use->latency, ns / 2, errors);
	if (!c)
		return;
	if (op == IO_READ || op == IO_WRITE) {
		bool in = op == IO_READ;

		c[file ? in ? COUNTER_IO_READ_BYTES : COUNTER_IO_WRITE_BYTES
		  : in ? COUNTER_NET_RECEIVED_BYTES
		       : COUNTER_NET_SENT_BYTES] += bytes;
		c[file ? in ? COUNTER_IO_READS : COUNTER_IO_WRITES
		  : in ? COUNTER_NET_RECEIVES
		       : COUNTER_NET_SENDS] += cnt;
		if (!file)
			c[in ? COUNTER_NET_PACKETS_RECEIVED : COUNTER_NET_PACKETS_SENT] += cnt;
		if (file && in)
			c[COUNTER_DISK_READ_BYTES] += bytes / 8;
	}
	if (object_group(model->objects[object].kind) == GROUP_DISK)
		return;
	c[file ? COUNTER_IO_ERRORS : COUNTER_NET_ERRORS] += errors;
	c[file ? COUNTER_IO_TIME : COUNTER_NET_TIME] += use->latency.total;
}

static void sample_link(struct model *model, uint64_t task, uint32_t object, uint64_t *seed)
{
	struct link *link;
	bool tcp = model->objects[object].kind == OBJECT_TCP;

	if (array__reserve((void **)&model->links, &model->link_cap, model->link_cnt + 1,
			   sizeof(*link)))
		return;
	link = &model->links[model->link_cnt++];
	memset(link, 0, sizeof(*link));
	link->task = task;
	link->class_idx = NO_IDX;
	link->object = object;
	link->met = model->link_cnt <= 6; /* as the series says it */
	link->opened = sample_random(seed, 40);
	link->failed = sample_random(seed, 8) / 6;
	link->closed = link->opened;
	link->active = link->met;
	link->active_max = link->active + 1;
	if (!tcp)
		return;
	link->tcp_cnt = link->met + link->opened;
	link->segs_out = sample_random(seed, 20000);
	link->segs_in = sample_random(seed, 20000);
	link->retransmits = sample_random(seed, 30);
	model__task(model, task)->c[COUNTER_NET_RETRANSMITS] += link->retransmits;
	link->rtt_cnt = link->tcp_cnt;
	for (uint64_t i = 0; i < link->rtt_cnt; i++) {
		uint32_t us = 90 + sample_random(seed, 3000);

		link->rtt_sum_us += us;
		if (!link->rtt_min_us || us < link->rtt_min_us)
			link->rtt_min_us = us;
		if (us > link->rtt_max_us)
			link->rtt_max_us = us;
	}
}

/* Of a file: the pipe and its like wait long and move little. */
static void sample_file(struct model *model, size_t i, uint64_t task, uint64_t *seed)
{
	static const uint8_t kinds[] = {OBJECT_PIPE,   OBJECT_EVENTFD,   OBJECT_TERMINAL,
					OBJECT_KERNEL, OBJECT_DIRECTORY, OBJECT_BLOCK};
	static const char *const names[] = {"pipe:[48151]",    "[eventfd]", "/dev/pts/3",
					    "/proc/self/stat", "/srv/data", "/dev/vdb"};
	uint64_t cnt = 1 + sample_random(seed, 4000);
	char path[1300];
	uint32_t object;

	if (i < HOSTILE_CNT) {
		snprintf(path, sizeof(path), "/srv/%s/%zu", hostile_names[i], i);
		object = sample_object(model, OBJECT_REGULAR, path, "", 0);
		model->objects[object].flags = i % 2 ? FILE_DELETED : 0;
	} else if (i < HOSTILE_CNT + 6) {
		object =
			sample_object(model, kinds[i - HOSTILE_CNT], names[i - HOSTILE_CNT], "", 0);
	} else if (i == HOSTILE_CNT + 6) {
		memset(path, 'x', sizeof(path));
		for (size_t at = 0; at < sizeof(path); at += 40)
			path[at] = '/';
		snprintf(path + sizeof(path) - 20, 20, "/the-very-end.log");
		object = sample_object(model, OBJECT_REGULAR, path, "", 0);
	} else {
		snprintf(path, sizeof(path), "/var/lib/service/shard-%zu/segment-%05zu.db", i % 7,
			 i);
		object = sample_object(model, OBJECT_REGULAR, path, "", 0);
	}
	sample_use(model, task, NO_IDX, object, IO_READ, cnt, cnt * sample_random(seed, 9000),
		   i % 11 == 3 ? 4 : 0, 2000 + sample_random(seed, 400000));
	if (i % 3 == 0)
		sample_use(model, task, NO_IDX, object, IO_WRITE, cnt / 2 + 1, cnt * 512, 0,
			   5000 + sample_random(seed, 100000));
	if (i % 9 == 0)
		sample_use(model, task, NO_IDX, object, IO_SYNC, 1 + i % 7, 0, 0,
			   2000000 + sample_random(seed, 9000000));
}

static void sample_peer(struct model *model, size_t i, uint64_t task, uint64_t *seed)
{
	static const uint8_t kinds[] = {OBJECT_TCP, OBJECT_TCP, OBJECT_UDP, OBJECT_UNIX};
	static const uint8_t roles[] = {ROLE_SERVER, ROLE_CLIENT, ROLE_DATAGRAM, ROLE_CLIENT};
	uint64_t cnt = 1 + sample_random(seed, 9000);
	uint8_t kind = kinds[i % 4], role = roles[i % 4];
	char name[128];
	uint32_t object;

	if (kind == OBJECT_UNIX)
		snprintf(name, sizeof(name), "unix:/run/%s.sock", hostile_names[i % HOSTILE_CNT]);
	else if (role == ROLE_SERVER)
		snprintf(name, sizeof(name), "10.1.%zu.7", i);
	else
		snprintf(name, sizeof(name), i % 8 < 4 ? "10.0.0.%zu:6379" : "[2001:db8::%zx]:443",
			 i);
	object = sample_object(model, kind, name, role == ROLE_SERVER ? "0.0.0.0:8080" : "", role);
	sample_use(model, task, NO_IDX, object, IO_READ, cnt, cnt * 700, i % 5 == 0, 3000 + 50 * i);
	sample_use(model, task, NO_IDX, object, IO_WRITE, cnt, cnt * (100 + 60 * i), 0,
		   9000 + 50 * i);
	if (role == ROLE_SERVER)
		sample_use(model, task, NO_IDX, object, IO_REQUEST, cnt, 0, 0,
			   90000 + sample_random(seed, 9000000));
	if (role == ROLE_CLIENT)
		sample_use(model, task, NO_IDX, object, IO_RESPONSE, cnt, 0, 0,
			   190000 + sample_random(seed, 900000));
	if (i % 3 == 0)
		sample_use(model, task, NO_IDX, object, IO_QUEUED, cnt, 0, 0,
			   4000 + sample_random(seed, 90000));
	sample_link(model, task, object, seed);
}

static void sample_series(struct model *model, uint64_t *seed)
{
	size_t cnt = SAMPLE_DURATION / 100000000;

	if (array__reserve((void **)&model->samples, &model->sample_cap, SERIES_CNT * cnt,
			   sizeof(*model->samples)))
		return;
	for (int series = 0; series < SERIES_CNT; series++) {
		for (size_t i = 0; i < cnt; i++) {
			struct sample *sample = &model->samples[model->sample_cnt++];

			*sample = (struct sample){.at_ns = (int64_t)(i + 1) * 100000000,
						  .series = series};
			if (series == SERIES_CONNECTIONS)
				sample->val = i >= cnt / 3 && i < 2 * cnt / 3 ? 26 : 6;
			else
				sample->val = sample_random(seed, i % 50 > 40 ? 30 : 4) *
					      (series == SERIES_IO_QUEUE    ? 250
					       : series == SERIES_HEAP_LIVE ? 1 << 20
									    : 1);
		}
	}
}

#include "sample_heap.h"

/* Files and peers of the first tasks; with many tasks more files than the page has rows for, files
 * that several of a class use, and what was folded or belongs to nobody. */
static void sample_io(struct model *model, uint64_t *seed)
{
	size_t tasks = model->task_cnt, files = tasks < 6 ? 4 * tasks : 260;
	size_t peers = tasks < 6 ? 2 * tasks : 41;
	uint32_t disk;

	for (size_t i = 0; i < files; i++)
		sample_file(model, i, model->tasks[i % tasks].id, seed);
	for (size_t i = 0; i < peers; i++)
		sample_peer(model, i, model->tasks[i * 7 % tasks].id, seed);
	for (size_t i = 0; tasks > 300 && i < files; i += 5) { /* not those of above */
		sample_use(model, model->tasks[i + 1].id, NO_IDX, i, IO_READ, 700, 70000, 0, 30000);
		sample_use(model, model->tasks[i + 8].id, NO_IDX, i, IO_READ, 300, 60000, 1, 20000);
	}
	if (tasks >= 1000) {
		struct task_class *class = &model->classes[3];

		class->folded_cnt = 12;
		class->folded_by_state[STATE_COMPLETED] = 12;
		model->meta.tasks_folded = 12;
		sample_use(model, 0, 3, 20, IO_READ, 5000, 5 << 20, 2, 60000);
		sample_use(model, 0, NO_IDX, 21, IO_WRITE, 6000, 3 << 20, 0, 50000);
	}
	if (tasks) {
		disk = sample_object(model, OBJECT_DISK, "vdb (254:16)", "", 0);
		sample_use(model, model->tasks[0].id, NO_IDX, disk, IO_DISK_READ, 900, 9 << 20, 1,
			   300000);
		sample_use(model, model->tasks[0].id, NO_IDX, disk, IO_DISK_WRITE, 40, 1 << 20, 0,
			   700000);
	}
	sample_series(model, seed);
	sample_heap(model, seed);
	model__sort_io(model);
}

static struct model *sample_model(size_t tasks)
{
	struct model *model = model__new();
	uint64_t seed = 0x5eed;
	int64_t cpu = 0;

	if (!model)
		return NULL;
	sample_meta(model);
	sample_caps(model);
	for (size_t i = 0; i < tasks; i++)
		sample_task(model, i, &seed);
	sample_slices(model, &seed);
	sample_io(model, &seed);
	for (size_t i = 0; i < model->task_cnt; i++)
		cpu += model->tasks[i].c[COUNTER_ON_CPU];
	model->meta.process_cpu_ns = cpu + cpu / 100;
	return model;
}

/* One object: counts and sums, and the first thousand tasks with all that the test compares. */
static int sample_truth(const struct model *model, FILE *out)
{
	struct buf buf = {0};
	struct json json;
	int64_t run = 0;

	json__init(&json, &buf);
	json__obj_begin(&json);
	json__kv_u64(&json, "tasks", model->task_cnt);
	json__kv_u64(&json, "classes", model->class_cnt);
	json__key(&json, "rows");
	json__arr_begin(&json);
	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *task = &model->tasks[i];
		char id[32], name[256];

		run += task->c[COUNTER_ON_CPU];
		if (i >= 1000 && i % 997)
			continue;
		snprintf(id, sizeof(id), "%u:%u", (unsigned int)(task->id >> 32),
			 (unsigned int)task->id);
		json__obj_begin(&json);
		json__kv_str(&json, "id", id);
		json__kv_str(&json, "name", model__task_name(model, task, name, sizeof(name)));
		json__kv_str(&json, "class",
			     model__str(model, model->classes[task->class_idx].name));
		json__kv_i64(&json, "run", task->c[COUNTER_ON_CPU]);
		json__kv_i64(&json, "runq", task->c[COUNTER_RUNQUEUE]);
		json__kv_i64(&json, "lock", task->c[COUNTER_BLOCKED_LOCK]);
		json__kv_i64(&json, "start", task->start_ns);
		json__kv_i64(&json, "io",
			     task->c[COUNTER_IO_READ_BYTES] + task->c[COUNTER_IO_WRITE_BYTES]);
		json__kv_i64(&json, "net",
			     task->c[COUNTER_NET_SENT_BYTES] + task->c[COUNTER_NET_RECEIVED_BYTES]);
		json__kv_i64(&json, "wakes", task->c[COUNTER_WAKE_RECEIVED]);
		json__kv_u64(&json, "runs", task->runs.cnt);
		json__obj_end(&json);
	}
	json__arr_end(&json);
	json__kv_i64(&json, "run", run);
	json__obj_end(&json);
	fputs(buf__str(&buf), out);
	buf__free(&buf);
	return ferror(out) ? -EIO : 0;
}

#endif
