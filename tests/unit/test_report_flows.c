/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files, peers and disks on the page: how uses and links become rows, which rows the page keeps, and
 * what the tiles, the charts and the tables say of a recording whose numbers are known. TAP.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "report/charts.h"
#include "report/columns.h"
#include "report/flows.h"
#include "report/markup.h"
#include "report/report.h"
#include "report/task_io.h"

static int test_cnt, failed;

static void ok(bool good, const char *name)
{
	failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++test_cnt, name);
}

static void is(uint64_t got, uint64_t wanted, const char *name)
{
	ok(got == wanted, name);
	if (got != wanted)
		printf("# got %llu, wanted %llu\n", (unsigned long long)got,
		       (unsigned long long)wanted);
}

#define TASK(tid) ((uint64_t)(tid) << 32)

static uint32_t object(struct model *model, uint8_t kind, const char *name)
{
	if (array__reserve((void **)&model->objects, &model->object_cap, model->object_cnt + 1,
			   sizeof(struct object)))
		abort();
	model->objects[model->object_cnt] =
		(struct object){.kind = kind, .name = model__intern(model, name)};
	return model->object_cnt++;
}

static struct use *use(struct model *model, uint64_t task, uint32_t class_idx, uint32_t object,
		       uint8_t op, uint64_t cnt, uint64_t bytes, uint64_t ns)
{
	struct use *one;

	if (array__reserve((void **)&model->uses, &model->use_cap, model->use_cnt + 1,
			   sizeof(*one)))
		abort();
	one = &model->uses[model->use_cnt++];
	*one = (struct use){.task = task,
			    .class_idx = class_idx,
			    .object = object,
			    .op = op,
			    .cnt = cnt,
			    .bytes = bytes};
	hist__add(&one->latency, ns, cnt);
	return one;
}

static struct link *link_to(struct model *model, uint64_t task, uint32_t object)
{
	struct link *one;

	if (array__reserve((void **)&model->links, &model->link_cap, model->link_cnt + 1,
			   sizeof(*one)))
		abort();
	one = &model->links[model->link_cnt++];
	*one = (struct link){.task = task, .class_idx = NO_IDX, .object = object};
	return one;
}

static void sample(struct model *model, enum model_series series, int64_t at_ns, int64_t val)
{
	if (array__reserve((void **)&model->samples, &model->sample_cap, model->sample_cnt + 1,
			   sizeof(*model->samples)))
		abort();
	model->samples[model->sample_cnt++] =
		(struct sample){.at_ns = at_ns, .val = val, .series = series};
}

static void task(struct model *model, uint32_t tid, const char *name, const char *class)
{
	struct task *task = model__task_get(model, TASK(tid));

	task->runtime = RUNTIME_THREAD;
	task->tid = tid;
	task->start_ns = 0;
	task->name = model__intern(model, name);
	task->class_idx =
		model__class_get(model, hash_bytes(0, class, strlen(class)), RUNTIME_THREAD, class);
}

enum {
	CLASS_POOL,
	CLASS_LOG,
};

/* Two workers of a pool and a logger. */
static struct model *small_model(void)
{
	struct model *model = model__new();

	model->meta.duration_ns = 10000000000;
	for (int cap = CAP_ALWAYS + 1; cap < CAP_CNT; cap++)
		model__cap_set(model, cap, "the test");
	task(model, 1, "pool-1", "pool");
	task(model, 2, "pool-2", "pool");
	task(model, 3, "logger", "log");
	return model;
}

static const struct flow *row_of(const struct flows *flows, const struct model *model,
				 const char *name, uint32_t class_idx)
{
	for (size_t i = 0; i < flows->cnt; i++)
		if (!strcmp(model__str(model, flows->rows[i].object->name), name) &&
		    flows->rows[i].class_idx == class_idx)
			return &flows->rows[i];
	return NULL;
}

static void test_rows(void)
{
	struct model *model = small_model();
	uint32_t db = object(model, OBJECT_REGULAR, "/db"),
		 log = object(model, OBJECT_REGULAR, "/log");
	uint32_t wake = object(model, OBJECT_PIPE, "pipe:[7]"),
		 bell = object(model, OBJECT_EVENTFD, "e");
	uint32_t disk = object(model, OBJECT_DISK, "vda");
	const struct flow *row;
	struct flows flows;
	char who[64];

	use(model, TASK(1), NO_IDX, db, IO_READ, 100, 4000, 1000);
	use(model, TASK(2), NO_IDX, db, IO_READ, 50, 2000, 3000);
	use(model, TASK(2), NO_IDX, db, IO_SYNC, 2, 0, 500000)->errors = 1;
	use(model, TASK(3), NO_IDX, db, IO_READ, 1, 10, 100)->again = 9;
	use(model, TASK(3), NO_IDX, log, IO_WRITE, 10, 900, 2000000);
	use(model, TASK(1), NO_IDX, wake, IO_READ, 5, 5, 900000000);
	use(model, TASK(1), NO_IDX, bell, IO_WRITE, 5, 40, 100);
	use(model, TASK(1), NO_IDX, disk, IO_DISK_READ, 3, 8192, 70000);
	use(model, 0, CLASS_POOL, log, IO_WRITE, 4, 40, 10);
	use(model, 0, NO_IDX, log, IO_WRITE, 3, 30, 10);
	/* what a hostile snapshot may hold */
	use(model, TASK(1), NO_IDX, 77, IO_READ, 1, 1, 1);
	use(model, TASK(1), NO_IDX, db, 99, 1, 1, 1);
	use(model, TASK(99), 12345, log, IO_SYNC, 1, 0, 1);
	model__sort_io(model);

	ok(!flows__gather(&flows, model, GROUP_FILE), "files are gathered");
	is(flows.cnt, 7, "one row for each file and class");
	ok(flows.rows[0].object == &model->objects[log] && flows.rows[0].class_idx == CLASS_LOG,
	   "the costliest is first");
	ok(flows.rows[5].object == &model->objects[bell] &&
		   flows.rows[6].object == &model->objects[wake],
	   "what waits for somebody is last, by its bytes");
	row = row_of(&flows, model, "/db", CLASS_POOL);
	is(row->ops[IO_READ].cnt, 150, "two tasks of a class are one row");
	is(row->bytes, 6000, "with the bytes of both");
	is(row->ops[IO_READ].bytes, 6000, "by operation, too");
	is(row->time_ns, 100 * 1000 + 50 * 3000 + 2 * 500000, "and their time, that of syncs too");
	is(row->calls.latency.cnt, 152, "the latency is that of reads, writes and syncs");
	is(flow__mean(&row->calls.latency), (100 * 1000 + 50 * 3000 + 2 * 500000) / 152,
	   "its mean is exact");
	is(flow__errors(row), 1, "a sync that failed is an error");
	ok(row->task_cnt == 2 && !row->task, "of two tasks none is the one");
	ok(!strcmp(flow__who(model, row, who, sizeof(who)), "pool"),
	   "they are called by their class");
	row = row_of(&flows, model, "/db", CLASS_LOG);
	ok(row->task == TASK(3) && row->ops[IO_READ].again == 9, "a single one is told");
	ok(!strcmp(flow__who(model, row, who, sizeof(who)), "logger"), "by its own name");
	row = row_of(&flows, model, "/log", CLASS_POOL);
	ok(row->folded && !row->task_cnt && row->ops[IO_WRITE].cnt == 4, "folded tasks have a row");
	row = row_of(&flows, model, "/log", NO_IDX);
	is(row->ops[IO_WRITE].cnt, 3, "what nobody did has one");
	ok(!*flow__who(model, row, who, sizeof(who)), "without a name");
	ok(row->ops[IO_SYNC].cnt == 1, "a task that is not there is nobody");
	row = row_of(&flows, model, "pipe:[7]", CLASS_POOL);
	ok(!row->time_ns && flow__mean(&row->calls.latency) == 900000000,
	   "a read of a pipe costs nothing, but has a latency");
	flows__free(&flows);

	ok(!flows__gather(&flows, model, GROUP_DISK) && flows.cnt == 1 &&
		   flows.rows[0].bytes == 8192 && flows.rows[0].time_ns == 210000,
	   "disks stand apart");
	flows__free(&flows);
	ok(!flows__gather(&flows, model, GROUP_SOCKET) && !flows.cnt, "there are no peers");
	flows__free(&flows);
	model__free(model);
}

static void test_links(void)
{
	struct model *model = small_model();
	uint32_t peer = object(model, OBJECT_TCP, "10.0.0.7:6379");
	uint32_t silent = object(model, OBJECT_TCP, "10.0.0.8:80");
	const struct flow *row;
	struct link *link;
	struct flows flows;

	use(model, TASK(1), NO_IDX, peer, IO_READ, 10, 1000, 100);
	use(model, TASK(1), NO_IDX, peer, IO_REQUEST, 10, 0, 7000000);
	link = link_to(model, TASK(1), peer);
	*link = (struct link){.task = TASK(1),
			      .class_idx = NO_IDX,
			      .object = peer,
			      .met = 1,
			      .opened = 4,
			      .failed = 2,
			      .closed = 3,
			      .active = 2,
			      .tcp_cnt = 2,
			      .retransmits = 5,
			      .segs_out = 70,
			      .rtt_sum_us = 300,
			      .rtt_cnt = 2,
			      .rtt_min_us = 100,
			      .rtt_max_us = 200};
	*link_to(model, TASK(2), peer) = *link;
	model->links[1].task = TASK(2);
	model->links[1].rtt_min_us = 50;
	link_to(model, TASK(3), silent)->failed = 1;
	model__sort_io(model);
	flows__gather(&flows, model, GROUP_SOCKET);
	is(flows.cnt, 2, "a connection without any operation is a row");
	row = row_of(&flows, model, "10.0.0.7:6379", CLASS_POOL);
	ok(row->has_link && row->link.active == 4 && row->link.opened == 8 && row->link.failed == 4,
	   "connections of two tasks are summed");
	is(flow__rtt(row), 150000, "the round trip is their mean");
	ok(row->link.rtt_min_us == 50 && row->link.rtt_max_us == 200, "with its extremes");
	is(row->task_cnt, 2, "both are counted, one of them by its connections only");
	ok(row->timed, "its time was seen");
	is(row->time_ns, 1000, "a request's time is no cost of the socket's operations");
	row = row_of(&flows, model, "10.0.0.8:80", CLASS_LOG);
	ok(row && !row->timed, "nor was any operation seen");
	ok(row && (uint64_t)flow__rtt(row) == (uint64_t)COLUMN_NULL, "no round trip is none");
	flows__free(&flows);
	model__free(model);
}

static void test_bound(void)
{
	struct model *model = small_model();
	struct flows flows;
	bool sorted = true;
	char path[32];

	for (size_t i = 0; i < FLOWS_MAX + 30; i++) {
		snprintf(path, sizeof(path), "/%zu", i);
		use(model, TASK(1), NO_IDX, object(model, OBJECT_REGULAR, path), IO_READ, 1,
		    1000 + i, 1 + i * 7919 % 230 / 2);
	}
	model__sort_io(model);
	flows__gather(&flows, model, GROUP_FILE);
	is(flows.cnt, FLOWS_MAX, "the page has its most rows");
	is(flows.left_cnt, 30, "the others are counted");
	for (size_t i = 1; i < flows.cnt; i++)
		sorted &= flows.rows[i - 1].time_ns > flows.rows[i].time_ns ||
			  (flows.rows[i - 1].time_ns == flows.rows[i].time_ns &&
			   flows.rows[i - 1].bytes > flows.rows[i].bytes);
	ok(sorted, "by time, then by bytes");
	is(flows.left_ns, 2 * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15),
	   "those with the least time are left out, and how much that is is known");
	flows__free(&flows);

	for (size_t i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "pipe:[%zu]", i);
		use(model, TASK(1), NO_IDX, object(model, OBJECT_PIPE, path), IO_READ, 1, 1000 - i,
		    900000);
	}
	model__sort_io(model);
	flows__gather(&flows, model, GROUP_FILE);
	is(flows.cnt, FLOWS_MAX, "with many pipes there are as many rows");
	ok(flows.rows[FLOWS_MAX - FLOWS_UNTIMED - 1].time_ns &&
		   !flows.rows[FLOWS_MAX - FLOWS_UNTIMED].time_ns,
	   "some of them of pipes");
	ok(flows.rows[FLOWS_MAX - FLOWS_UNTIMED].bytes == 1000 &&
		   flows.rows[FLOWS_MAX - 1].bytes == 1000 - FLOWS_UNTIMED + 1,
	   "those with the most bytes");
	is(flows.left_cnt, 80, "the others are counted");
	flows__free(&flows);
	model__free(model);
}

static char *page_of(struct model *model)
{
	struct analysis *analysis = analysis__new(model);
	char *text = NULL;
	size_t sz;
	FILE *file = open_memstream(&text, &sz);
	int err = report_html(model, analysis, NULL, file);

	fclose(file);
	analysis__free(analysis);
	if (!err)
		return text;
	free(text);
	return NULL;
}

/* The tile's value and note, without markup. */
static bool tile_says(const char *page, const char *label, const char *wanted)
{
	struct buf head = {0}, text = {0};
	const char *at, *end;
	bool good;

	buf__printf(&head, "<dt>%s</dt>", label);
	at = strstr(page, buf__str(&head));
	end = at ? strstr(at, "</div>") : NULL;
	for (at = at ? at + head.sz : NULL; end && at < end; at++) {
		if (*at == '<') {
			buf__puts(&text, text.sz && !strncmp(at, "</dd>", 5) ? "|" : "");
			at = strchr(at, '>');
		} else {
			buf__add(&text, at, 1);
		}
	}
	good = !strcmp(buf__str(&text), wanted);
	ok(good, wanted);
	if (!good)
		printf("# %s: %s\n", label, buf__str(&text));
	buf__free(&head);
	buf__free(&text);
	return good;
}

static struct model *tile_model(void)
{
	struct model *model = small_model();
	uint32_t db = object(model, OBJECT_REGULAR, "/db");
	uint32_t pipe = object(model, OBJECT_PIPE, "pipe:[1]");
	uint32_t peer = object(model, OBJECT_TCP, "10.0.0.7:6379");
	uint32_t listener = object(model, OBJECT_TCP, "0.0.0.0:80");
	int64_t *c = model->tasks[0].c;

	c[COUNTER_IO_READ_BYTES] = 50 << 20;
	c[COUNTER_IO_READS] = 4321;
	c[COUNTER_IO_WRITE_BYTES] = 1 << 20;
	c[COUNTER_IO_WRITES] = 1;
	c[COUNTER_IO_ERRORS] = 7;
	c[COUNTER_DISK_READ_BYTES] = 4 << 20;
	c[COUNTER_NET_RECEIVED_BYTES] = 100;
	c[COUNTER_NET_RECEIVES] = 2;
	c[COUNTER_NET_PACKETS_RECEIVED] = 3;
	c[COUNTER_NET_SENT_BYTES] = 2048;
	c[COUNTER_NET_SENDS] = 5;
	c[COUNTER_NET_PACKETS_SENT] = 400;
	c[COUNTER_NET_RETRANSMITS] = 4;
	use(model, TASK(1), NO_IDX, db, IO_READ, 195, 1000, 100000);
	use(model, TASK(1), NO_IDX, db, IO_WRITE, 5, 1000, 2100000);
	use(model, TASK(1), NO_IDX, db, IO_OPEN, 2, 0, 900000000);
	use(model, TASK(1), NO_IDX, pipe, IO_READ, 9, 9, 900000000);
	*link_to(model, TASK(1), peer) = (struct link){.task = TASK(1),
						       .class_idx = NO_IDX,
						       .object = peer,
						       .opened = 20,
						       .failed = 1,
						       .active = 6};
	/* counts no connections, whatever a snapshot says */
	model->objects[listener].role = ROLE_LISTENER;
	*link_to(model, TASK(1), listener) = (struct link){.task = TASK(1),
							   .class_idx = NO_IDX,
							   .object = listener,
							   .opened = 100,
							   .failed = 100,
							   .active = 100};
	sample(model, SERIES_CONNECTIONS, 1000000000, 6);
	sample(model, SERIES_CONNECTIONS, 2000000000, 26);
	sample(model, SERIES_CONNECTIONS, 9000000000, 6);
	sample(model, SERIES_IO_QUEUE, 1000000000, 250);
	sample(model, SERIES_IO_QUEUE, 2000000000, 1750);
	model__sort_io(model);
	return model;
}

static void test_tiles(void)
{
	struct model *model = tile_model();
	char *page = page_of(model);

	tile_says(page, "IO read", "50.0 MiB|5.00 MiB/s, 4,321 reads; 4.00 MiB from storage|");
	tile_says(page, "IO written", "1.00 MiB|102 KiB/s, 1 write; 0 B for storage|");
	tile_says(page, "File latency",
		  "150 us|p99 2.10 ms, longest 2.10 ms, n 200; 7 IO calls failed|");
	tile_says(page, "Received", "100 B|10 B/s, 2 receives, 3 packets|");
	tile_says(page, "Sent", "2.00 KiB|205 B/s, 5 sends, 400 packets|");
	is(task_io(model, &model->tasks[0], TASK_LINKS_ACTIVE), 6, "a task's open connections");
	is(task_io(model, &model->tasks[0], TASK_LINKS_OPENED), 20, "those that it opened");
	is(task_io(model, &model->tasks[0], TASK_LINKS_FAILED), 1, "those that failed");
	tile_says(page, "Connections", "6|at most 26, 20 opened, 1 connect failed|");
	tile_says(page, "Retransmissions", "4|1.0% of 400 packets sent; no socket call failed|");
	ok(strstr(page, "Connections open over time: min 6, max 26 (at 2.00 s), last 6\""),
	   "a chart says its numbers");
	ok(strstr(page, "in flight, mean over time: min 0.25, max 1.75 (at 2.00 s), last 1.75\""),
	   "those of a mean are fractions");
	ok(strstr(page, "Disk requests in flight <span class=\"missing\" title=\"no sample"),
	   "a series without samples says so");
	ok(strstr(page, "<svg class=\"spark\" aria-hidden=\"true\" viewBox"),
	   "the tile has a line");
	free(page);
	model__free(model);
}

/* The line goes where the samples are: 240 bins, the highest value at the top. */
static void test_chart(void)
{
	struct model *model = tile_model();
	struct buf buf = {0};

	chart__spark(&buf, model, SERIES_CONNECTIONS);
	ok(strstr(buf__str(&buf), "d=\"M24 76.9H25"), "it begins with the first sample");
	ok(strstr(buf__str(&buf), "L47 76.9H48L48 0.0H49"),
	   "it keeps its value until the next one");
	ok(strstr(buf__str(&buf), "L215 0.0H216L216 76.9H217"), "and goes down again");
	ok(strstr(buf__str(&buf), "L239 76.9H240"), "it goes on to the end");
	buf__free(&buf);
	chart__spark(&buf, model, SERIES_DISK_IN_FLIGHT);
	ok(!buf.sz, "there is no line of nothing");
	model__free(model);
}

static void test_unmeasured(void)
{
	struct model *model = tile_model();
	char *page;

	model__cap_miss(model, CAP_IO, "no <io> here");
	model__cap_miss(model, CAP_NETWORK, "no net");
	model__cap_miss(model, CAP_DISK, "no disk");
	page = page_of(model);
	ok(strstr(page, "<dt>IO</dt>") && !strstr(page, "<dt>IO read</dt>") &&
		   !strstr(page, "<dt>Sent</dt>"),
	   "tiles give the reason, not a number");
	ok(strstr(page, "<h3>Files</h3>\n<p><span class=\"missing\" title=\"no &lt;io&gt; here\">"),
	   "the table of files, too");
	ok(!strstr(page, "class=\"plot\"") && !strstr(page, "/db") && !strstr(page, "10.0.0.7"),
	   "nothing of it is shown");
	free(page);
	model__free(model);
}

static bool shortens_to(const char *text, size_t max, const char *wanted)
{
	struct buf buf = {0};
	bool same;

	markup__middle(&buf, text, max);
	same = !strcmp(buf__str(&buf), wanted);
	if (!same)
		printf("# got: %s\n", buf__str(&buf));
	buf__free(&buf);
	return same;
}

static void test_middle(void)
{
	ok(shortens_to("/a/b", 4, "<bdi title=\"/a/b\">/a/b</bdi>"), "what fits stays whole");
	ok(shortens_to("/a/bc", 4,
		       "<bdi title=\"/a/bc\">/a\xe2\x80\xa6"
		       "c</bdi>"),
	   "what does not is cut in the middle");
	ok(shortens_to("\xc3\xa4\xc3\xb6\xc3\xbc<\xe2\x82\xac", 4,
		       "<bdi title=\"\xc3\xa4\xc3\xb6\xc3\xbc&lt;\xe2\x82\xac\">\xc3\xa4\xc3\xb6"
		       "\xe2\x80\xa6\xe2\x82\xac</bdi>"),
	   "a character is never cut");
	ok(shortens_to("\xff\xff\xff\xff\"", 4,
		       "<bdi title=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&quot;\">"
		       "\xef\xbf\xbd\xef\xbf\xbd\xe2\x80\xa6&quot;</bdi>"),
	   "nor what is none");
	ok(shortens_to("", 4, "<span class=\"missing\">unknown</span>"), "no name is unknown");
}

static void test_escapes(void)
{
	struct model *model = small_model();
	uint32_t file = object(model, OBJECT_REGULAR, "/</script><img src=x onerror=alert(1)>\"'");
	uint32_t peer = object(model, OBJECT_UNIX, "unix:\"><svg onload=alert(2)>\xe2\x80\xae");
	char *page;

	model->objects[peer].local = model__intern(model, "<b>own</b>");
	model->tasks[0].name = model__intern(model, "<i>thread</i>");
	use(model, TASK(1), NO_IDX, file, IO_READ, 1, 1, 1);
	use(model, TASK(1), NO_IDX, peer, IO_READ, 1, 1, 1);
	page = page_of(model);
	ok(page && strstr(page, "&lt;img src=x onerror") && !strstr(page, "<img") &&
		   !strstr(page, "<svg onload") && !strstr(page, "<b>own") &&
		   !strstr(page, "<i>thread"),
	   "hostile names are text");
	ok(page && !strstr(page, "\xe2\x80\xae"), "none turns the text around it");
	free(page);
	model__free(model);
}

/* A snapshot may say anything: no number may make the page's arithmetic undefined. */
static void test_extremes(void)
{
	static const uint64_t extremes[] = {UINT64_MAX, 0, INT64_MAX, (uint64_t)INT64_MIN, 1};
	struct model *model = tile_model();
	char *page;

	for (size_t i = 0; i < 40; i++) {
		uint64_t val = extremes[i % 5];
		uint32_t one = object(model, i % 2 ? OBJECT_TCP : 200 * (i % 3), "x");
		struct use *big = use(model, TASK(i % 4), i, one, i % (IO_OP_CNT + 2), val, val, 1);
		struct link *link = link_to(model, TASK(i % 4), i % 2 ? one : 0xfffffffe);

		big->errors = big->again = big->latency.cnt = big->latency.total = val;
		big->latency.max = extremes[(i + 1) % 5];
		model->objects[one].role = model->objects[one].flags = 255;
		link->met = link->opened = link->failed = link->closed = link->tcp_cnt = val;
		link->retransmits = link->rtt_sum_us = link->segs_in = link->segs_out = val;
		link->rtt_cnt = extremes[(i + 2) % 5];
		link->active = (int64_t)val;
		sample(model, i % (SERIES_CNT + 1), (int64_t)extremes[(i + 3) % 5], (int64_t)val);
	}
	for (int i = 0; i < COUNTER_CNT; i++)
		model->tasks[i % 3].c[i] = (int64_t)extremes[i % 5];
	page = page_of(model); /* not sorted, on purpose */
	ok(page && strstr(page, "</html>"), "a page of the most extreme numbers is whole");
	free(page);
	model__sort_io(model);
	page = page_of(model);
	ok(page && strstr(page, "</html>"), "sorted, too");
	free(page);
	model->meta.duration_ns = NO_TIME;
	page = page_of(model);
	ok(page && strstr(page, "</html>"), "without a length, too");
	free(page);
	model__free(model);
}

int main(void)
{
	test_rows();
	test_links();
	test_bound();
	test_tiles();
	test_chart();
	test_unmeasured();
	test_middle();
	test_escapes();
	test_extremes();
	printf("1..%d\n", test_cnt);
	return failed ? 1 : 0;
}
