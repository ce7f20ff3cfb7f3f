/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .asnap: what goes in comes back, a damaged file never lies, and the writer leaves the right files
 * behind. Run by prove.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "snapshot/chunk.h"
#include "snapshot/encode.h"
#include "snapshot_model.h"
#include "tap.h"

static char dir[] = "/tmp/asnap-test.XXXXXX";
static char path[64], partial[80];

static int write_model(const struct model *model)
{
	struct snapshot_writer *writer = snapshot_writer__new(path);
	int err = writer ? snapshot_writer__finish(writer, model) : -errno;

	snapshot_writer__free(writer);
	return err;
}

/* Reads a file and compares. The status is left for more questions. */
static bool reads_as(const char *file, const struct model *model, struct snapshot_status *status)
{
	struct model *read = snapshot__read(file, status);
	const char *diff = read ? difference(model, read) : snapshot_error_text(status->error);

	if (diff)
		note("%s: %s", file, diff);
	model__free(read);
	return !diff;
}

static struct buf slurp(const char *file)
{
	struct buf buf = {};
	char block[65536];
	FILE *in = fopen(file, "r");
	size_t got;

	while (in && (got = fread(block, 1, sizeof(block), in)) > 0)
		buf__add(&buf, block, got);
	if (in)
		fclose(in);
	return buf;
}

static void test_round_trip(void)
{
	static const unsigned int sizes[] = {0, 1, 300, 70000};
	struct snapshot_status status;
	struct stat st = {};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct model *model = sizes[i] ? make_model(sizes[i]) : model__new();

		ok(!write_model(model), "%u tasks: written", sizes[i]);
		ok(reads_as(path, model, &status), "%u tasks: what comes back is equal", sizes[i]);
		ok(is_whole(&status), "%u tasks: complete and proven", sizes[i]);
		model__free(model);
	}
	stat(path, &st);
	ok((st.st_mode & 07777) == 0600, "the file's mode is 0600");
	ok(access(partial, F_OK) && errno == ENOENT, "no partial file is left");
}

static void test_truncation(const struct model *model, const struct buf *file)
{
	unsigned int lies = 0, equal = 0, salvaged = 0, refused = 0;

	for (size_t sz = 0; sz < file->sz; sz++) {
		/* A copy of just that size, so that the sanitizer sees each read beyond it. */
		void *cut = memcpy(malloc(sz + !sz), file->data, sz);
		struct snapshot_status status;
		struct model *read = snapshot__read_mem(cut, sz, &status);

		if (!read)
			refused++;
		else if (!difference(model, read))
			equal++;
		else
			salvaged++;
		lies += !!read != (status.error == SNAPSHOT_OK);
		lies += read && (!status.salvaged || status.complete);
		lies += read && difference(model, read) && !status.chunk_bad;
		model__free(read);
		free(cut);
	}
	note("%zu truncations: %u equal, %u salvaged, %u refused", file->sz, equal, salvaged,
	     refused);
	ok(!lies, "cut at any byte it is never called complete");
	ok(equal && salvaged && refused, "and there is every kind of outcome");
}

static void test_flips(const struct model *model, const struct buf *file)
{
	unsigned int lies = 0, equal = 0, salvaged = 0, refused = 0;
	char *copy = memcpy(malloc(file->sz), file->data, file->sz);

	for (size_t i = 0; i < 2 * file->sz; i++) {
		char flip = i % 2 ? 0x01 : (char)0xff;
		struct snapshot_status status;
		struct model *read;

		copy[i / 2] ^= flip;
		read = snapshot__read_mem(copy, file->sz, &status);
		copy[i / 2] ^= flip;
		if (!read)
			refused++;
		else if (!difference(model, read))
			equal++;
		else
			salvaged++;
		lies += !!read != (status.error == SNAPSHOT_OK) || is_whole(&status);
		lies += read && difference(model, read) && (!status.salvaged || !status.chunk_bad);
		model__free(read);
	}
	note("%zu flips: %u equal, %u salvaged, %u refused", 2 * file->sz, equal, salvaged,
	     refused);
	ok(!lies, "a changed byte is always noticed, and never changes what is said to be good");
	ok(equal && salvaged && refused, "and there is every kind of outcome");
	free(copy);
}

/* Killed while finishing: the final group is there twice, with a part of something between. */
static void test_twice(const struct model *model, const struct buf *file)
{
	struct snapshot_status status;
	struct buf twice = {};
	struct model *read;

	buf__add(&twice, file->data, file->sz);
	buf__add(&twice, file->data + 64, file->sz / 3);
	buf__add(&twice, file->data + 64, file->sz - 64);
	read = snapshot__read_mem(twice.data, twice.sz, &status);
	ok(read && !difference(model, read) && status.salvaged && !status.chunk_bad,
	   "killed while finishing: read as it is, and not called whole");
	model__free(read);
	buf__free(&twice);
}

static void test_damage(void)
{
	struct model *model = make_model(2);
	struct buf file;

	write_model(model);
	file = slurp(path);
	test_truncation(model, &file);
	test_flips(model, &file);
	test_twice(model, &file);
	buf__free(&file);
	model__free(model);
}

/* Breaks the tasks of group `group` in the partial file: whether `older`, before it, is read. */
static bool older_survives(uint32_t group, const struct model *older)
{
	struct buf file = slurp(partial);
	struct snapshot_status status;
	struct asnap_chunk chunk;
	struct model *read;
	size_t off = 0;
	bool is_good;

	for (size_t at = 64; at + sizeof(chunk) < file.sz; at++) {
		memcpy(&chunk, file.data + at, sizeof(chunk));
		if (asnap_chunk__ok(&chunk) && chunk.group == group && chunk.fourcc == CHUNK_TASKS)
			off = at + sizeof(chunk);
	}
	file.data[off] ^= 1;
	read = snapshot__read_mem(file.data, file.sz, &status);
	is_good = off && read && !difference(older, read) && status.salvaged;
	model__free(read);
	buf__free(&file);
	return is_good;
}

static off_t group_sz(const struct model *model)
{
	struct group_info info = {.level = 1};
	struct buf group = {};
	off_t sz;

	snapshot_encode(model, &info, &group);
	sz = (off_t)group.sz;
	buf__free(&group);
	return sz;
}

#define CHECKPOINTS 24
static void test_checkpoints(void)
{
	struct snapshot_writer *writer = snapshot_writer__new(path);
	struct model *models[CHECKPOINTS], *final = make_model(90);
	unsigned int good = 0, bounded = 0, older = 0;
	struct snapshot_status status;
	struct stat st = {};
	off_t max = 0;

	for (unsigned int i = 0; i < CHECKPOINTS; i++) {
		/* Grows, shrinks, grows. */
		models[i] = make_model(10 + 5 * (i > 12 && i < 18 ? 24 - i : i));
		models[i]->meta.duration_ns = 5000000000ll * (i + 1);
		max = group_sz(models[i]) > max ? group_sz(models[i]) : max;
		if (snapshot_writer__checkpoint(writer, models[i]))
			note("checkpoint %u failed", i);
		good += reads_as(partial, models[i], &status) && status.salvaged &&
			!status.complete && !status.chunk_bad &&
			status.salvaged_ns == models[i]->meta.duration_ns;
		bounded += !stat(partial, &st) && st.st_size <= 64 + 3 * max;
		older += i && older_survives(i + 1, models[i - 1]);
	}
	ok(good == CHECKPOINTS, "each checkpoint can be read from the partial file (%u)", good);
	ok(older == CHECKPOINTS - 1, "the one before it stays readable (%u)", older);
	ok(bounded == CHECKPOINTS, "they do not pile up: %zu bytes for %zu at most (%u)",
	   (size_t)st.st_size, (size_t)max, bounded);
	ok(!snapshot_writer__finish(writer, final), "finished after checkpoints");
	ok(reads_as(path, final, &status) && is_whole(&status), "without a trace of them");
	snapshot_writer__free(writer);
	for (unsigned int i = 0; i < CHECKPOINTS; i++)
		model__free(models[i]);
	model__free(final);
}

static void test_files(void)
{
	struct model *model = make_model(5);
	struct snapshot_writer *writer, *second;
	struct snapshot_status status;
	struct stat st = {};
	char old[96];

	unlink(path);
	ok(!symlink("/etc/hostname", partial), "a symlink at NAME.partial");
	writer = snapshot_writer__new(path);
	ok(!writer && errno == ELOOP, "is refused");
	unlink(partial);
	ok(!mkfifo(partial, 0600) && !snapshot_writer__new(path) && errno == EEXIST &&
		   !unlink(partial),
	   "so is a pipe");

	writer = snapshot_writer__new(path);
	second = snapshot_writer__new(path);
	ok(writer && !second && errno == EBUSY, "a living recorder's partial file is refused");
	ok(!snapshot_writer__checkpoint(writer, model), "a checkpoint");
	snapshot_writer__free(writer);
	ok(access(path, F_OK) && !access(partial, F_OK), "without finish the partial file is kept");
	ok(!write_model(model), "a dead recorder's partial file is in nobody's way");
	snprintf(old, sizeof(old), "%s.1", partial);
	ok(reads_as(old, model, &status) && status.salvaged, "and is kept aside");

	setenv("SUDO_UID", "12345", 1);
	setenv("SUDO_GID", "23456", 1);
	ok(!write_model(model) && !stat(path, &st), "written under sudo");
	ok(geteuid() || (st.st_uid == 12345 && st.st_gid == 23456), "belongs to the caller");
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");

	ok(!snapshot_writer__new("/no/such/dir/x.asnap") && errno == ENOENT, "no directory");
	ok(!snapshot__read("/no/such.asnap", &status) && status.error == SNAPSHOT_UNREADABLE &&
		   status.err == ENOENT,
	   "a file that is not there");
	ok(!snapshot__read(dir, &status) && status.err == EISDIR, "a directory");
	ok(!snapshot__read("/dev/zero", &status) && status.err == EINVAL, "a device");
	ok(!snapshot__read("/etc/passwd", &status) && status.error == SNAPSHOT_NOT_ONE, "a text");
	model__free(model);
}

/* In a child: the file may have 64 KiB by `limit`; a small checkpoint fits, a big one does not. */
static int fill_up(int want_err)
{
	struct model *small = make_model(5), *big = make_model(2000);
	struct snapshot_writer *writer = snapshot_writer__new(path);
	struct snapshot_status status;
	struct stat before, after;

	if (!writer || snapshot_writer__checkpoint(writer, small) || stat(partial, &before))
		return 1;
	if (snapshot_writer__checkpoint(writer, big) != want_err)
		return 2;
	if (snapshot_writer__finish(writer, big) != want_err)
		return 3;
	if (stat(partial, &after) || after.st_size != before.st_size)
		return 6;
	if (!reads_as(partial, small, &status) || !status.salvaged)
		return 4;
	if (!access(path, F_OK))
		return 5;
	return snapshot_writer__finish(writer, small) || !reads_as(path, small, &status) ||
	       !is_whole(&status);
}

static int in_child(int (*limit)(void), int want_err)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(limit() ? 77 : fill_up(want_err)); /* _exit: leaks of the fork are no news */
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int limit_size(void)
{
	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, 65536});
}

static int limit_disk(void)
{
	return unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("none", dir, "tmpfs", 0, "size=64k");
}

static void test_no_room(void)
{
	int result;

	unlink(path);
	result = in_child(limit_size, -EFBIG);
	ok(!result, "a size limit is reported, the partial file kept, a smaller end fits (%d)",
	   result);
	unlink(path);
	result = in_child(limit_disk, -ENOSPC);
	if (result == 77)
		ok(true, "a full disk # SKIP needs CAP_SYS_ADMIN for a tmpfs");
	else
		ok(!result, "a full disk: the same (%d)", result);
}

static void test_inspect(void)
{
	struct model *model = make_model(30);
	struct snapshot_status status;
	char *text = NULL;
	size_t sz = 0;
	FILE *out = open_memstream(&text, &sz);

	model->meta.exe = model__intern(model, "/srv/\x1b[31mapp");
	write_model(model);
	ok(!snapshot__inspect(path, false, out, &status) && is_whole(&status), "inspect");
	fflush(out);
	ok(strstr(text, "complete, and every chunk") && strstr(text, "TASK") &&
		   !strchr(text, '\x1b'),
	   "as text, without the target's escapes");
	rewind(out);
	ok(!snapshot__inspect(path, true, out, &status), "inspect --json");
	fclose(out);
	ok(*text == '{' && strstr(text, "\"kind\":\"TASK\"") && strstr(text, "\"tasks\":30"),
	   "as JSON");
	free(text);
	model__free(model);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/x.asnap", dir);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	test_round_trip();
	test_damage();
	test_checkpoints();
	test_files();
	test_no_room();
	test_inspect();
	unlink(path);
	strcat(partial, ".1");
	unlink(partial);
	rmdir(dir);
	return tap_done();
}
