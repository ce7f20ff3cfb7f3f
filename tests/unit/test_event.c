/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding of ring records: every kind, and every way in which a record may lie. */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "event/event.h"
#include "tap.h"

static struct event event;

/* Decodes from a heap block of exactly that size, so that ASan sees each byte too much. */
static int decode(const void *data, size_t sz)
{
	void *copy = malloc(sz ? sz : 1);
	int err;

	if (!copy)
		exit(2);
	if (sz)
		memcpy(copy, data, sz);
	memset(&event, 0xa5, sizeof(event));
	err = event__decode(&event, copy, sz);
	free(copy);
	return err;
}

static struct wire_hdr hdr(enum wire_kind kind, size_t sz)
{
	return (struct wire_hdr){.kind = kind, .sz = (uint16_t)sz, .tgid = 77, .ns = 123456};
}

static void test_slice(void)
{
	struct {
		struct wire_slice slice;
		uint64_t vals[COUNTER_CNT];
		uint64_t pad[4];
	} rec = {.slice = {.task = 5,
			   .enter_ns = 1000,
			   .tid = 9,
			   .cpu = 3,
			   .flush = 70000,
			   .flags = SLICE_PARTIAL,
			   .depth = 2,
			   .running = 1}};
	size_t sz = sizeof(rec.slice) + 3 * 8;

	rec.slice.hdr = hdr(WIRE_SLICE, sz);
	rec.slice.present =
		1ULL << COUNTER_ON_CPU | 1ULL << COUNTER_IDLE | 1ULL << (COUNTER_CNT - 1);
	rec.vals[0] = 11;
	rec.vals[1] = 22;
	rec.vals[2] = 33;
	rec.vals[3] = 44; /* behind the content: must not be read */
	ok(!decode(&rec, sz) && event.kind == WIRE_SLICE && event.tgid == 77 && event.ns == 123456,
	   "a slice's header");
	ok(event.slice.task == 5 && event.slice.enter_ns == 1000 && event.slice.tid == 9 &&
		   event.slice.cpu == 3 && event.slice.flush == 70000 &&
		   event.slice.flags == SLICE_PARTIAL && event.slice.depth == 2 &&
		   event.slice.running == 1,
	   "its fields");
	ok(event.slice.c[COUNTER_ON_CPU] == 11 && event.slice.c[COUNTER_IDLE] == 22 &&
		   event.slice.c[COUNTER_CNT - 1] == 33,
	   "its counters are in their places");
	ok(event.slice.c[COUNTER_RUNQUEUE] == 0 && event.slice.c[COUNTER_CPUS] == 0,
	   "absent counters are 0");
	ok(!decode(&rec, sz + 32) && event.slice.c[COUNTER_CNT - 1] == 33, "padding is allowed");
	ok(decode(&rec, sz - 1) == -EINVAL, "cut off by a byte");
	rec.slice.hdr.sz = (uint16_t)(sz - 8);
	ok(decode(&rec, sizeof(rec)) == -EINVAL, "more counters than its size says");
	rec.slice.hdr.sz = (uint16_t)sz;
	rec.slice.present |= 1ULL << COUNTER_CNT;
	ok(decode(&rec, sizeof(rec)) == -EINVAL, "a counter that does not exist");
	rec.slice.present = 1ULL << 63;
	ok(decode(&rec, sizeof(rec)) == -EINVAL, "the highest bit");
	rec.slice.present = 0;
	rec.slice.hdr.sz = sizeof(rec.slice);
	ok(!decode(&rec, sizeof(rec.slice)), "no counters at all");
	ok(decode(&rec, sizeof(rec.slice) - 1) == -EINVAL, "half a slice");
	rec.slice.present = (1ULL << COUNTER_CNT) - 1;
	rec.slice.hdr.sz = sizeof(rec.slice) + sizeof(rec.vals);
	for (unsigned int i = 0; i < COUNTER_CNT; i++)
		rec.vals[i] = i + 1;
	ok(!decode(&rec, rec.slice.hdr.sz) && event.slice.c[0] == 1 &&
		   event.slice.c[COUNTER_CNT - 1] == COUNTER_CNT,
	   "all counters");
}

/* A record of each fixed size: right, too short, too long, and a size that is not its own. */
static void test_sizes(void)
{
	static const struct {
		enum wire_kind kind;
		size_t sz;
		const char *name;
	} rows[] = {
		{WIRE_SPAWN, sizeof(struct wire_spawn), "spawn"},
		{WIRE_END, sizeof(struct wire_end), "end"},
		{WIRE_RENAME, sizeof(struct wire_rename), "rename"},
		{WIRE_LATENCY, sizeof(struct wire_latency), "latency"},
		{WIRE_FORK, sizeof(struct wire_fork), "fork"},
		{WIRE_EXEC, sizeof(struct wire_exec), "exec"},
		{WIRE_CONN, sizeof(struct wire_conn), "conn"},
		{WIRE_USE, sizeof(struct wire_use), "use"},
	};
	char rec[1024] = {};
	bool short_ok;

	rec[sizeof(struct wire_hdr)] = 1; /* an id, in all that have one */

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_hdr head = hdr(rows[i].kind, rows[i].sz);

		memcpy(rec, &head, sizeof(head));
		ok(!decode(rec, rows[i].sz) && event.kind == rows[i].kind, "%s", rows[i].name);
		short_ok = true;
		for (size_t sz = 0; sz < rows[i].sz; sz++)
			short_ok &= decode(rec, sz) == -EINVAL;
		ok(short_ok, "%s: all shorter records are refused", rows[i].name);
		head.sz = (uint16_t)(rows[i].sz + 8);
		memcpy(rec, &head, sizeof(head));
		ok(decode(rec, sizeof(rec)) == -EINVAL, "%s: too long", rows[i].name);
		head.sz = (uint16_t)(rows[i].sz - 8);
		memcpy(rec, &head, sizeof(head));
		ok(decode(rec, sizeof(rec)) == -EINVAL, "%s: says that it is shorter",
		   rows[i].name);
	}
}

static void test_content(void)
{
	struct wire_spawn spawn = {.hdr = hdr(WIRE_SPAWN, sizeof(spawn)), .task = 8};
	struct wire_rename rename = {.hdr = hdr(WIRE_RENAME, sizeof(rename))};
	struct wire_exec exec = {.hdr = hdr(WIRE_EXEC, sizeof(exec))};
	struct wire_end end = {.hdr = hdr(WIRE_END, sizeof(end)), .state = STATE_CNT - 1};
	struct wire_hdr unknown = hdr(WIRE_KIND_CNT, sizeof(unknown));

	memset(spawn.comm, 'x', COMM_SZ);
	memset(rename.comm, 'x', COMM_SZ);
	memset(exec.comm, 'x', COMM_SZ);
	ok(!decode(&spawn, sizeof(spawn)) && strlen(event.spawn.comm) == COMM_SZ - 1 &&
		   event.spawn.task == 8,
	   "a spawn's comm is terminated");
	ok(!decode(&rename, sizeof(rename)) && strlen(event.rename.comm) == COMM_SZ - 1,
	   "a rename's too");
	ok(!decode(&exec, sizeof(exec)) && strlen(event.exec.comm) == COMM_SZ - 1, "an exec's too");
	spawn.runtime = RUNTIME_CNT;
	ok(decode(&spawn, sizeof(spawn)) == -EINVAL, "an unknown runtime");
	ok(!decode(&end, sizeof(end)), "the last state");
	end.state = STATE_CNT;
	ok(decode(&end, sizeof(end)) == -EINVAL, "an unknown state");
	ok(decode(&unknown, sizeof(unknown)) == -EINVAL, "an unknown kind");
	unknown.kind = WIRE_NONE;
	ok(decode(&unknown, sizeof(unknown)) == -EINVAL, "kind 0");
	unknown.kind = 0xffff;
	ok(decode(&unknown, sizeof(unknown)) == -EINVAL, "the highest kind");
	ok(decode(&unknown, 0) == -EINVAL, "nothing");
}

/* The file that the next record tells of, and its components, the last one first. */
static struct wire_file wire_file;
static struct {
	struct wire_file file;
	char text[60000];
} file_rec;

static int decode_parts(const char *parts, size_t sz)
{
	file_rec.file = wire_file;
	file_rec.file.path_sz = (uint16_t)sz;
	file_rec.file.hdr = hdr(WIRE_FILE, sizeof(wire_file) + sz);
	if (sz)
		memcpy(file_rec.text, parts, sz);
	return decode(&file_rec, sizeof(wire_file) + sz);
}

/* Is that the path, ended within its field? */
static bool is_path(const char *want)
{
	size_t len = strnlen(event.file.path, FILE_PATH_MAX);
	bool good = len < FILE_PATH_MAX && !strcmp(event.file.path, want);

	if (!good)
		note("it is %.80s (%zu)", event.file.path, len);
	return good;
}

static void file_of(uint16_t mode, uint32_t magic, uint8_t flags)
{
	wire_file = (struct wire_file){.id = 9,
				       .ino = 77,
				       .dev = 8 << 20 | 1,
				       .rdev = 5,
				       .mode = mode,
				       .magic = magic,
				       .flags = flags};
}

#define PARTS(text) text, sizeof(text)

static void test_file_paths(void)
{
	static const struct {
		uint8_t flags;
		const char *path;
	} rows[] = {
		{0, "/var/log/x"},
		{FILE_DELETED, "/var/log/x (deleted)"},
		{FILE_CUT, ".../var/log/x"},
		{FILE_CUT | FILE_DELETED, ".../var/log/x (deleted)"},
		{FILE_DETACHED, "(unreachable)/var/log/x"},
		{FILE_DETACHED | FILE_CUT | FILE_DELETED, "(unreachable).../var/log/x (deleted)"},
		{0xf0, "/var/log/x"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		file_of(S_IFREG | 0644, EXT4_SUPER_MAGIC, rows[i].flags);
		ok(!decode_parts(PARTS("x\0log\0var")) && is_path(rows[i].path) &&
			   event.file.flags == (rows[i].flags & 15),
		   "%s", rows[i].path);
	}
	file_of(S_IFREG | 0644, EXT4_SUPER_MAGIC, 0);
	decode_parts(PARTS("x"));
	ok(event.kind == WIRE_FILE && event.tgid == 77 && event.file.id == 9 &&
		   event.file.ino == 77 && event.file.dev == (8 << 20 | 1) &&
		   event.file.rdev == 5 && event.file.mode == (S_IFREG | 0644) &&
		   event.file.magic == EXT4_SUPER_MAGIC,
	   "a file's fields");
	ok(!decode_parts(NULL, 0) && is_path("/"), "no components: the root");
	ok(!decode_parts(PARTS("/")) && is_path("/"), "a root that says its name");
	ok(!decode_parts(PARTS("b\0\0/\0a\0/")) && is_path("/a/b"),
	   "empty components and inner roots leave nothing");
	ok(!decode_parts(PARTS("\xff\033[31m\n\0..")) && is_path("/../\xff\033[31m\n"),
	   "any byte may be in a name");
	wire_file.flags = FILE_CUT;
	ok(!decode_parts(NULL, 0) && is_path("..."), "cut before the first component");
}

static void test_file_pseudo(void)
{
	file_of(0600, ANON_INODE_FS_MAGIC, FILE_PSEUDO);
	ok(!decode_parts(PARTS("[eventfd]")) && is_path("[eventfd]"), "[eventfd]");
	file_of(S_IFIFO | 0600, PIPEFS_MAGIC, FILE_PSEUDO);
	ok(!decode_parts(PARTS("pipe")) && is_path("pipe:[77]"), "a pipe");
	ok(!decode_parts(NULL, 0) && is_path("pipe:[77]"), "a pipe without a word");
	file_of(0600, 0x444d4142, FILE_PSEUDO | FILE_DELETED);
	ok(!decode_parts(PARTS("")) && is_path("unnamed:[77]"), "what has no name at all");
	file_of(S_IFREG | 0777, TMPFS_MAGIC, FILE_DELETED);
	ok(!decode_parts(PARTS("memfd:a/b")) && is_path("memfd:a/b") &&
		   event.file.flags == FILE_PSEUDO,
	   "a memfd is neither a path nor deleted");
	ok(!decode_parts(PARTS("SYSV0000002a")) && is_path("SYSV0000002a"), "System V memory");
	ok(!decode_parts(PARTS("memfd:x\0tmp")) && is_path("/tmp/memfd:x (deleted)"),
	   "a file that is called like one");
	file_of(S_IFREG | 0777, TMPFS_MAGIC, 0);
	ok(!decode_parts(PARTS("memfd:x")) && is_path("/memfd:x"), "also in the root");
}

/* Paths around the limit, by components of `part` bytes; the true one is put together here. */
static void test_file_lengths(void)
{
	static char parts[60000], path[70000];
	unsigned int wrong = 0, cut = 0, whole = 0;

	file_of(S_IFREG, EXT4_SUPER_MAGIC, 0);
	for (unsigned int part = 1; part < 5000; part += part < 300 ? 7 : 191) {
		for (unsigned int sum = 3500; sum<5000; sum += sum> 4040 && sum < 4110 ? 1 : 83) {
			unsigned int cnt = sum / (part + 1) + 1;
			size_t sz = 0, len = 0;
			const char *got = event.file.path;

			/* the last name is made of 'a', the one before of 'b' ...*/
			for (unsigned int i = 0; i < cnt && sz < sizeof(parts) - 5001; i++) {
				memset(parts + sz, 'a' + (int)(i % 26), part);
				parts[sz + part] = '\0';
				sz += part + 1;
			}
			cnt = (unsigned int)(sz / (part + 1));
			for (unsigned int i = cnt; i--;)
				len += (size_t)sprintf(path + len, "/%s", parts + i * (part + 1));
			wire_file.flags = sum % 2 ? FILE_DELETED : 0;
			if (wire_file.flags)
				len += (size_t)sprintf(path + len, " (deleted)");
			wrong += decode_parts(parts, sz) != 0 ||
				 strnlen(got, FILE_PATH_MAX) == FILE_PATH_MAX;
			if (!strcmp(got, path)) {
				whole++;
				wrong += (event.file.flags & FILE_CUT) != 0;
				continue;
			}
			cut++;
			wrong += !(event.file.flags & FILE_CUT) || len < FILE_PATH_MAX - 20 ||
				 strncmp(got, "...", 3) || strlen(got) > len ||
				 strcmp(got + 3, path + len - strlen(got) + 3) ||
				 (part < 4000 && got[3] != '/') ||
				 strlen(got) + part + 30 < FILE_PATH_MAX * (part < 4000);
		}
	}
	ok(!wrong && cut > 100 && whole > 100,
	   "paths around the limit: %u whole, %u cut in front, at a component", whole, cut);
	wire_file.flags = FILE_DETACHED;
	memset(parts, 'x', 50000);
	parts[49999] = '\0';
	decode_parts(parts, 50000);
	ok(strlen(event.file.path) == FILE_PATH_MAX - 1 &&
		   !strncmp(event.file.path, "(unreachable)...x", 17) &&
		   event.file.flags == (FILE_DETACHED | FILE_CUT),
	   "of a name that is too long the end");
	wire_file.flags = FILE_PSEUDO;
	decode_parts(parts, 50000);
	ok(strlen(event.file.path) == FILE_PATH_MAX - 1, "of one that is no path the beginning");
}

static void test_file_refused(void)
{
	bool refused = true;

	file_of(S_IFREG, EXT4_SUPER_MAGIC, 0);
	ok(decode_parts("x", 1) == -EINVAL, "a component without its end");
	decode_parts(PARTS("x\0y"));
	for (size_t sz = 0; sz < sizeof(wire_file) + 4; sz++) {
		file_rec.file.hdr.sz = (uint16_t)sz;
		refused &= decode(&file_rec, sizeof(file_rec)) == -EINVAL;
		file_rec.file.hdr.sz = sizeof(wire_file) + 4;
		refused &= decode(&file_rec, sz) == -EINVAL;
	}
	ok(refused, "all shorter records are refused");
	file_rec.file.hdr.sz = sizeof(wire_file) + 5;
	ok(decode(&file_rec, sizeof(file_rec)) == -EINVAL, "and a longer one");
	file_rec.file.hdr.sz = sizeof(wire_file) + 4;
	ok(!decode(&file_rec, sizeof(file_rec)) && is_path("/y/x"), "padding behind is allowed");
	wire_file.id = 0;
	ok(decode_parts(PARTS("x")) == -EINVAL, "id 0 is nobody's");
	wire_file.id = DISK_ID | 5;
	ok(decode_parts(PARTS("x")) == -EINVAL, "a disk's id");
}

static void test_conn(void)
{
	struct wire_conn conn = {.hdr = hdr(WIRE_CONN, sizeof(conn)),
				 .id = 5,
				 .task = 6,
				 .event = CONN_EVENT_CNT - 1,
				 .role = ROLE_CNT - 1,
				 .family = 999};

	memset(conn.path, 'x', sizeof(conn.path));
	ok(!decode(&conn, sizeof(conn)) && strlen(event.conn.path) == UNIX_PATH_SZ - 1 &&
		   event.conn.id == 5 && event.conn.task == 6 && event.conn.family == 999,
	   "a connection, its path terminated");
	conn.event = CONN_EVENT_CNT;
	ok(decode(&conn, sizeof(conn)) == -EINVAL, "an unknown event");
	conn.event = CONN_SEEN;
	conn.role = ROLE_CNT;
	ok(decode(&conn, sizeof(conn)) == -EINVAL, "an unknown role");
	conn.role = ROLE_CLIENT;
	conn.id = 0;
	ok(decode(&conn, sizeof(conn)) == -EINVAL, "no id");
	conn.id = DISK_ID;
	ok(decode(&conn, sizeof(conn)) == -EINVAL, "a disk's");
}

static void test_use(void)
{
	struct wire_use use = {.hdr = hdr(WIRE_USE, sizeof(use)),
			       .key = {.task = 1, .object = DISK_ID | 3, .op = IO_OP_CNT - 1},
			       .val = {.cnt = 4, .max_ns = 7}};

	use.val.latency[IO_BUCKETS - 1] = 8;
	ok(!decode(&use, sizeof(use)) && event.use.key.object == (DISK_ID | 3) &&
		   event.use.val.cnt == 4 && event.use.val.latency[IO_BUCKETS - 1] == 8,
	   "a use, of a disk");
	use.key.op = IO_OP_CNT;
	ok(decode(&use, sizeof(use)) == -EINVAL, "an unknown operation");
}

int main(void)
{
	test_slice();
	test_sizes();
	test_content();
	test_file_paths();
	test_file_pseudo();
	test_file_lengths();
	test_file_refused();
	test_conn();
	test_use();
	return tap_done();
}
