/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The findings about IO and network on hand-made models: what each needs to be said, that it names
 * the file or peer and the task, and what stays quiet. And the sums over uses themselves.
 */
#include "analyze/analyze.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/uses.h"
#include "rich_model.h"
#include "tap.h"

/* Two threads of 10 s, which did nothing yet, and the rich model's objects. */
static struct model *two_threads(void)
{
	static const enum model_cap measured[] = {CAP_CPU,     CAP_WAITS, CAP_IO,
						  CAP_NETWORK, CAP_DISK,  CAP_DISK_BYTES};
	struct model *model = model__new();

	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++)
		model__cap_set(model, measured[i], "test");
	model->meta.duration_ns = 10 * SEC;
	add_thread(model, 7, "db")->c[COUNTER_IDLE] = 9 * SEC;
	add_thread(model, 8, "web")->c[COUNTER_IDLE] = 9 * SEC;
	rich_objects(model, "/tmp/" HOSTILE_NAME);
	return model;
}

/* Takes the model. `parts`: words of the title, separated by "|"; severity < 0: no such finding. */
static void expect(struct model *model, const char *id, int severity, const char *parts)
{
	const struct finding *finding;
	struct analysis *analysis;
	char words[256], *save = NULL;
	bool fits = true;

	model__sort_io(model);
	analysis = analysis__new(model);
	finding = analysis__finding(analysis, id);
	ok(severity < 0 ? !finding : finding && (int)finding->severity == severity, "%s: %s", id,
	   finding ? finding->title : "no such finding");
	snprintf(words, sizeof(words), "%s", parts ? parts : "");
	for (char *word = strtok_r(words, "|", &save); finding && word;
	     word = strtok_r(NULL, "|", &save)) {
		if (!strstr(finding->title, word)) {
			note("no \"%s\" in it", word);
			fits = false;
		}
	}
	if (finding && severity >= 0)
		ok(fits && finding->recommendation && finding->how_to_verify &&
			   finding->evidence_cnt >= 3 && finding->confidence > 0,
		   "%s: names where, and has evidence, advice and a way to verify", id);
	analysis__free(analysis);
	model__free(model);
}

static void test_sync(void)
{
	struct model *model = two_threads();

	/* 100 x 40 ms = 40% of its life */
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 100, 0, 40 * MS);
	add_use(model, THREAD(8), RICH_DATA, IO_SYNC, 100, 0, 1 * MS);
	expect(model, "slow-sync", SEVERITY_CRITICAL,
	       "40.0 ms on average|1 of 100|100 syncs|/srv/db/wal|db[7], 40% of its life");

	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 20, 0, 40 * MS);
	expect(model, "slow-sync", SEVERITY_WARNING, "20 syncs");

	/* slow, but not worth a word of 10 s; fast, but often; too few */
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 10, 0, 40 * MS);
	expect(model, "slow-sync", -1, NULL);
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 2900, 0, 1 * MS);
	expect(model, "slow-sync", -1, NULL);
	/* quick, but nearly all that the task does */
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 5000, 0, 1 * MS);
	expect(model, "slow-sync", SEVERITY_WARNING, "1.00 ms on average|50% of its life");
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 2, 0, 1 * SEC);
	expect(model, "slow-sync", -1, NULL);

	/* the tail alone: 970 fast ones and 30 slow ones */
	model = two_threads();
	hist__add(&add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 1000, 0, 0)->latency, MS / 2, 970);
	hist__add(&model->uses[0].latency, 60 * MS, 30);
	expect(model, "slow-sync", SEVERITY_WARNING, "/srv/db/wal|1000 syncs");

	/* two files of one task: that with more is named */
	model = two_threads();
	add_use(model, THREAD(7), RICH_DATA, IO_SYNC, 20, 0, 10 * MS);
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 20, 0, 90 * MS);
	expect(model, "slow-sync", SEVERITY_WARNING, "/srv/db/wal, db[7], 18% of its life");

	/* a quick one that takes more time does not hide the slow one */
	model = two_threads();
	add_use(model, THREAD(7), RICH_DATA, IO_SYNC, 2000, 0, 1 * MS);
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 20, 0, 40 * MS);
	expect(model, "slow-sync", SEVERITY_WARNING, "/srv/db/wal, db[7], 8% of its life");
	/* many files, none of which is worth a word */
	model = two_threads();
	for (uint32_t i = 0; i < 5; i++)
		add_use(model, THREAD(7), add_object(model, OBJECT_REGULAR, "/x"), IO_SYNC, 10, 0,
			20 * MS);
	expect(model, "slow-sync", SEVERITY_WARNING, "(50 syncs, db[7], 10% of its life)");

	/* of folded tasks */
	model = two_threads();
	add_use(model, 0, RICH_WAL, IO_SYNC, 100, 0, 20 * MS)->class_idx = 0;
	expect(model, "slow-sync", SEVERITY_WARNING, "/srv/db/wal");
}

static void test_disk(void)
{
	struct model *model = two_threads();

	add_use(model, 0, RICH_SDA, IO_DISK_READ, 200, 0, 80 * MS);
	expect(model, "slow-disk", SEVERITY_INFO, "disk 8:0|200 requests");
	model = two_threads();
	add_use(model, THREAD(7), RICH_SDA, IO_DISK_READ, 200, 0, 80 * MS);
	model->tasks[0].c[COUNTER_BLOCKED_DISK] = 1 * SEC;
	expect(model, "slow-disk", SEVERITY_WARNING, "disk 8:0|db[7]");
	model = two_threads();
	add_use(model, THREAD(7), RICH_SDA, IO_DISK_WRITE, 200, 0, 900 * MS);
	model->tasks[0].c[COUNTER_BLOCKED_DISK] = 1 * SEC;
	expect(model, "slow-disk", SEVERITY_CRITICAL, "disk 8:0");
	model = two_threads();
	add_use(model, THREAD(7), RICH_SDA, IO_DISK_READ, 10000, 0, 9 * MS);
	expect(model, "slow-disk", -1, NULL);
	model = two_threads();
	add_use(model, THREAD(7), RICH_SDA, IO_DISK_READ, 200, 0, 80 * MS);
	model__cap_miss(model, CAP_DISK, "not attached");
	expect(model, "slow-disk", -1, NULL);
}

static void test_queues(void)
{
	struct model *model = two_threads();

	add_use(model, THREAD(8), RICH_CLIENTS, IO_ACCEPT, 100, 0, 60 * MS);
	expect(model, "accept-queue", SEVERITY_WARNING, "web[8]|10.0.0.9 at 10.0.0.1:80");
	model = two_threads();
	add_use(model, THREAD(8), RICH_CLIENTS, IO_ACCEPT, 100, 0, 2 * SEC);
	expect(model, "accept-queue", SEVERITY_CRITICAL, "2.00 s");
	model = two_threads();
	add_use(model, THREAD(8), RICH_CLIENTS, IO_ACCEPT, 1000, 0, 200 * US);
	expect(model, "accept-queue", -1, NULL);

	model = two_threads();
	add_use(model, THREAD(8), RICH_CLIENTS, IO_QUEUED, 1000, 0, 70 * MS);
	model->tasks[1].c[COUNTER_BLOCKED_LOCK] = 6 * SEC;
	expect(model, "receive-queue", SEVERITY_WARNING, "the program comes late|web[8]");
	/* a worker that takes the next message when it is done: most at once, some after a while */
	model = two_threads();
	model->tasks[1].c[COUNTER_ON_CPU] = 1 * SEC;
	hist__add(&add_use(model, THREAD(8), RICH_CLIENTS, IO_QUEUED, 2000, 0, 0)->latency, 1 * MS,
		  1900);
	hist__add(&model->uses[0].latency, 60 * MS, 100);
	expect(model, "receive-queue", SEVERITY_INFO, "the program comes late|web[8]");
	/* the same in a task whose thread has no time for it */
	model = two_threads();
	add_marks(model, 5)->tid = 8;
	model->tasks[1].c[COUNTER_ON_CPU] = 6 * SEC;
	add_use(model, TASK(5), RICH_CLIENTS, IO_QUEUED, 1000, 0, 70 * MS);
	expect(model, "receive-queue", SEVERITY_WARNING, "the program comes late");
	model = two_threads();
	add_use(model, THREAD(8), RICH_CLIENTS, IO_QUEUED, 99, 0, 70 * MS);
	expect(model, "receive-queue", -1, NULL);
}

/* Slow only together, because no peer alone has enough; or one slow peer among fast ones. */
static void test_requests(void)
{
	struct model *model = two_threads();

	for (uint32_t i = 0; i < 30; i++) {
		uint32_t peer = add_object(model, OBJECT_TCP, "10.1.1.1");

		add_use(model, THREAD(8), peer, IO_REQUEST, 10, 0, 300 * MS);
	}
	expect(model, "slow-requests", SEVERITY_INFO, "300 requests, web[8]");

	model = two_threads();
	add_use(model, THREAD(8), RICH_DNS, IO_RESPONSE, 100000, 0, 1 * MS);
	add_use(model, THREAD(8), RICH_REDIS, IO_RESPONSE, 100, 0, 500 * MS);
	expect(model, "slow-answers", SEVERITY_INFO, "100 answers, tcp 10.0.0.7:6379, web[8]");

	model = two_threads();
	add_use(model, THREAD(8), RICH_CLIENTS, IO_REQUEST, 100000, 0, 2 * MS);
	add_use(model, THREAD(8), RICH_REDIS, IO_RESPONSE, 100000, 0, 1 * MS);
	expect(model, "slow-requests", -1, NULL);
}

static void test_errors(void)
{
	struct model *model = two_threads();

	add_use(model, THREAD(7), RICH_WAL, IO_READ, 300, 0, 0)->errors = 60;
	add_use(model, THREAD(8), RICH_DATA, IO_WRITE, 300, 0, 0)->errors = 5;
	expect(model, "io-errors", SEVERITY_WARNING, "10%|65 of 665|/srv/db/wal by db[7] (60)");
	model = two_threads();
	add_use(model, THREAD(8), RICH_REDIS, IO_CONNECT, 0, 0, 0)->errors = 40;
	expect(model, "network-errors", SEVERITY_WARNING, "100%|tcp 10.0.0.7:6379 by web[8] (40)");
	/* one that worked, too, is not one that never does; nor is one end of localhost */
	model = two_threads();
	add_use(model, THREAD(8), RICH_REDIS, IO_CONNECT, 100, 0, 0)->errors = 40;
	expect(model, "network-errors", SEVERITY_INFO, "29%|tcp 10.0.0.7:6379 by web[8] (40)");
	model = two_threads();
	add_use(model, THREAD(8), add_object(model, OBJECT_TCP, "[::1]:5432"), IO_CONNECT, 0, 0, 0)
		->errors = 40;
	add_use(model, THREAD(8), add_object(model, OBJECT_TCP, "127.0.0.1:5432"), IO_CONNECT, 40,
		0, 0);
	expect(model, "network-errors", SEVERITY_INFO, "50%|[::1]:5432 by web[8] (40)");
	model = two_threads();
	add_use(model, THREAD(8), add_object(model, OBJECT_TCP, "[::1]:5432"), IO_CONNECT, 0, 0, 0)
		->errors = 40;
	add_use(model, THREAD(8), add_object(model, OBJECT_TCP, "127.0.0.1:80"), IO_CONNECT, 40, 0,
		0);
	expect(model, "network-errors", SEVERITY_WARNING, "[::1]:5432 by web[8] (40)");
	model = two_threads();
	add_use(model, THREAD(8), RICH_REDIS, IO_READ, 100, 0, 0)->errors = 40;
	expect(model, "network-errors", SEVERITY_WARNING, "tcp 10.0.0.7:6379 by web[8] (40)");
	/* copy_file_range() failed once for each file, write() did it then */
	model = two_threads();
	for (uint32_t i = 0; i < 50; i++)
		add_use(model, THREAD(7), add_object(model, OBJECT_REGULAR, "/x"), IO_WRITE, 4, 0,
			0)
			->errors = 1;
	expect(model, "io-errors", SEVERITY_INFO, "20%|50 of 250");
	/* a full disk */
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_WRITE, 300, 0, 0)->errors = 60;
	expect(model, "io-errors", SEVERITY_WARNING, "/srv/db/wal by db[7] (60)");
	/* files that are not there are not opened; few; a small share */
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_OPEN, 300, 0, 0)->errors = 600;
	expect(model, "io-errors", -1, NULL);
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 3, 0, 0)->errors = 19;
	expect(model, "io-errors", -1, NULL);
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 100000, 0, 0)->errors = 600;
	expect(model, "io-errors", -1, NULL);
}

static void test_small(void)
{
	struct model *model = two_threads();

	/* 20000 x 30 us = 6% of its life */
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 20000, 640000, 30 * US);
	expect(model, "small-io", SEVERITY_WARNING,
	       "small reads|db[7]|20000 of 32 bytes|600 ms|/srv/db/wal");
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_WRITE, 20000, 640000, 1 * US);
	expect(model, "small-io", SEVERITY_INFO, "small writes");
	/* large ones; few; a pipe's are messages; within a day */
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 20000, 20000 * 512, 30 * US);
	expect(model, "small-io", -1, NULL);
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 9999, 9999, 30 * US);
	expect(model, "small-io", -1, NULL);
	model = two_threads();
	add_use(model, THREAD(7), RICH_PIPE, IO_READ, 20000, 20000, 30 * US);
	expect(model, "small-io", -1, NULL);
	model = two_threads();
	model->meta.duration_ns = 86400 * SEC;
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 20000, 20000, 30 * US);
	expect(model, "small-io", -1, NULL);
	/* over many files no file is named, and two tasks are not added up */
	model = two_threads();
	for (uint32_t i = 0; i < 4; i++)
		add_use(model, THREAD(7), add_object(model, OBJECT_REGULAR, "/x"), IO_READ, 5000,
			5000, 1 * US);
	expect(model, "small-io", SEVERITY_INFO, "20000 of 1 bytes on average, which took 20.0 ms");
	model = two_threads();
	add_use(model, THREAD(7), RICH_WAL, IO_READ, 6000, 6000, 1 * US);
	add_use(model, THREAD(8), RICH_WAL, IO_READ, 6000, 6000, 1 * US);
	expect(model, "small-io", -1, NULL);
}

static void test_retransmissions(void)
{
	static const struct {
		int64_t sent, again;
		int severity;
	} cases[] = {
		{10000, 200, SEVERITY_WARNING},
		{10000, 600, SEVERITY_CRITICAL},
		{10000, 50, -1},
		{900, 90, -1},
		{1500, 19, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *model = two_threads();

		model->tasks[1].c[COUNTER_NET_PACKETS_SENT] = cases[i].sent;
		model->tasks[1].c[COUNTER_NET_RETRANSMITS] = cases[i].again;
		add_link(model, THREAD(8), RICH_REDIS)->retransmits = (uint64_t)cases[i].again;
		add_link(model, THREAD(8), RICH_CLIENTS)->retransmits = 1;
		expect(model, "retransmissions", cases[i].severity, "most to tcp 10.0.0.7:6379");
	}
}

/* Waits name what was waited for, by the time that went there. */
static void test_waits(void)
{
	struct model *model = two_threads();

	model->tasks[0].c[COUNTER_BLOCKED_DISK] = 1 * SEC;
	add_use(model, THREAD(7), RICH_PIPE, IO_READ, 1, 0, 9 * SEC);
	add_use(model, THREAD(7), RICH_DATA, IO_READ, 1000, 0, 100 * US);
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 9, 0, 90 * MS);
	add_use(model, THREAD(8), RICH_DATA, IO_READ, 100, 0, 100 * MS);
	expect(model, "disk-wait", SEVERITY_CRITICAL, "db[7]|; it spent 810 ms on /srv/db/wal");

	model = two_threads();
	model->tasks[1].c[COUNTER_BLOCKED_NET] = 9 * SEC;
	add_use(model, THREAD(8), RICH_REDIS, IO_READ, 90, 0, 100 * MS);
	expect(model, "network-wait", SEVERITY_INFO, "; it spent 9.00 s on tcp 10.0.0.7:6379");

	model = two_threads();
	model->tasks[0].c[COUNTER_BLOCKED_DISK] = 1 * SEC;
	expect(model, "disk-wait", SEVERITY_CRITICAL, "most in db[7] (1.00 s)");
}

static void test_labels(void)
{
	struct model *model = two_threads();
	char label[OBJECT_LABEL_SZ];
	char path[5000];

	ok(!strcmp(object_label(model, RICH_WAL, 60, label), "/srv/db/wal"), "%s", label);
	ok(!strcmp(object_label(model, RICH_DATA, 20, label), "...umn/can/hold/data"),
	   "a long one is cut at the left: %s", label);
	ok(strlen(label) == 20, "to the columns");
	ok(!strcmp(object_label(model, RICH_CLIENTS, 60, label), "tcp 10.0.0.9 at 10.0.0.1:80"),
	   "%s", label);
	ok(!strcmp(object_label(model, RICH_SDA, 60, label), "disk 8:0"), "%s", label);
	ok(!strcmp(object_label(model, 4711, 60, label), "[unknown]"), "%s", label);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	ok(strlen(object_label(model, add_object(model, OBJECT_REGULAR, path), 5000, label)) ==
		   OBJECT_LABEL_SZ - 1,
	   "a path beyond all bounds");
	/* cut within a character of two bytes: from its beginning on */
	snprintf(path, sizeof(path), "/%s", "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
	object_label(model, add_object(model, OBJECT_REGULAR, path), 8, label);
	ok(!strcmp(label, "...\xc3\xa4\xc3\xa4"), "no half a character: %s", label);
	model__free(model);
}

static void test_totals(void)
{
	struct model *model = two_threads();
	struct object_totals totals = {};
	const struct object_total *row;

	add_use(model, THREAD(7), RICH_WAL, IO_READ, 10, 100, 1 * MS);
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 1, 0, 5 * MS);
	add_use(model, THREAD(8), RICH_WAL, IO_READ, 10, 300, 3 * MS)->errors = 2;
	add_use(model, THREAD(8), RICH_PIPE, IO_READ, 10, 900, 1 * SEC);
	add_use(model, THREAD(8), RICH_DATA, IO_OPEN, 1, 0, 1 * SEC); /* and not touched */
	add_use(model, THREAD(8), RICH_REDIS, IO_READ, 1, 1, 1 * SEC);
	model__sort_io(model);
	ok(!object_totals__add(&totals, model, model->uses, model->use_cnt, KINDS_FILE),
	   "added up");
	object_totals__rank(&totals);
	row = totals.rows;
	ok(totals.cnt == 2 && row[0].object == RICH_WAL && row[1].object == RICH_PIPE,
	   "by time of storage, then by bytes; without sockets and what was only opened");
	ok(row[0].ns == 45 * MS && row[0].calls.cnt == 21 && row[0].calls.bytes == 400 &&
		   row[0].errors == 2 && totals.ns == 45 * MS,
	   "of all tasks");
	ok(row[0].task == THREAD(8) && object_total__main_op(&row[0]) == IO_READ,
	   "who spent most, and on what");
	ok(row[1].ns == 0 && row[1].calls.ns == 10 * SEC, "a pipe's time is not its own");
	object_totals__free(&totals);
	model__free(model);
}

/* An idle pair of threads, and one that works well: no finding of IO at all. */
static void test_quiet(void)
{
	struct model *model = two_threads();
	struct analysis *analysis;

	add_use(model, THREAD(7), RICH_WAL, IO_READ, 50000, 50000 * 4096LL, 20 * US);
	add_use(model, THREAD(7), RICH_WAL, IO_SYNC, 100, 0, 1 * MS);
	add_use(model, THREAD(7), RICH_SDA, IO_DISK_WRITE, 1000, 0, 2 * MS);
	add_use(model, THREAD(8), RICH_CLIENTS, IO_READ, 50000, 50000 * 100LL, 20 * US)->again =
		40000;
	add_use(model, THREAD(8), RICH_CLIENTS, IO_QUEUED, 50000, 0, 100 * US);
	add_use(model, THREAD(8), RICH_CLIENTS, IO_REQUEST, 50000, 0, 1 * MS);
	add_use(model, THREAD(8), RICH_CLIENTS, IO_ACCEPT, 500, 0, 50 * US);
	model__sort_io(model);
	analysis = analysis__new(model);
	ok(!analysis->finding_cnt, "%zu findings, the first: %s", analysis->finding_cnt,
	   analysis->finding_cnt ? analysis->findings[0].title : "none");
	analysis__free(analysis);
	model__free(model);
}

int main(void)
{
	test_sync();
	test_disk();
	test_queues();
	test_requests();
	test_errors();
	test_small();
	test_retransmissions();
	test_waits();
	test_labels();
	test_totals();
	test_quiet();
	return tap_done();
}
