/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a snapshot: NAME.partial while recording, NAME at the end. Called by cmd/, which should
 * ignore SIGXFSZ: then a file size limit is an error like a full disk. Where checkpoints go, and
 * why, is in format.h.
 */
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "snapshot/chunk.h"
#include "snapshot/encode.h"

/* A checkpoint comes every few seconds and is thrown away; a final file is kept and sent around. */
#define LEVEL_CHECKPOINT 1
#define LEVEL_FINAL      3
#define OLD_PARTIALS     99

struct snapshot_writer {
	int dir_fd;
	int fd;
	struct buf name; /* within the directory */
	struct buf partial; /* the same, with .partial */
	struct asnap_hdr hdr;
	uint32_t group;
	uint64_t last_off, last_end; /* the last complete checkpoint */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts = {};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int write_at(int fd, const void *data, size_t sz, uint64_t off)
{
	const char *at = data;

	while (sz) {
		ssize_t done = pwrite(fd, at, sz, (off_t)off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		at += done;
		off += (uint64_t)done;
		sz -= (size_t)done;
	}
	return 0;
}

static int write_hdr(struct snapshot_writer *writer)
{
	asnap_hdr__seal(&writer->hdr);
	return write_at(writer->fd, &writer->hdr, sizeof(writer->hdr), 0);
}

static int init_hdr(struct asnap_hdr *hdr)
{
	*hdr = (struct asnap_hdr){
		.major = ASNAP_MAJOR,
		.minor = ASNAP_MINOR,
		.flags = HDR_INCOMPLETE,
		.mono_ns = clock_ns(CLOCK_MONOTONIC),
		.boot_ns = clock_ns(CLOCK_BOOTTIME),
		.real_ns = clock_ns(CLOCK_REALTIME),
	};
	memcpy(hdr->magic, ASNAP_MAGIC, sizeof(hdr->magic));
	if (getrandom(hdr->uuid, sizeof(hdr->uuid), 0) != (ssize_t)sizeof(hdr->uuid))
		return -EIO;
	hdr->uuid[6] = (uint8_t)((hdr->uuid[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
	hdr->uuid[8] = (uint8_t)((hdr->uuid[8] & 0x3f) | 0x80);
	return 0;
}

/* A number from the environment that sudo sets, or -1. */
static long env_id(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long id;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	id = strtol(text, &end, 10);
	return errno || *end || id >= UINT32_MAX ? -1 : id;
}

/* What sudo records belongs to who called it. Where that cannot be (NFS) it stays root's. */
static void give_to_sudo_user(int fd)
{
	long uid = env_id("SUDO_UID"), gid = env_id("SUDO_GID");

	if (geteuid() == 0 && uid >= 0 && gid >= 0 && fchown(fd, (uid_t)uid, (gid_t)gid))
		return;
}

/* Splits path: the open directory and the name in it. */
static int open_dir(struct snapshot_writer *writer, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct buf dir = {};
	int err = 0;

	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EISDIR;
	if (slash)
		buf__add(&dir, path, (size_t)(slash - path) + 1);
	else
		buf__puts(&dir, ".");
	buf__puts(&writer->name, name);
	buf__printf(&writer->partial, "%s.partial", name);
	if (dir.err || writer->name.err || writer->partial.err)
		err = -ENOMEM;
	if (!err) {
		writer->dir_fd = open(dir.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = writer->dir_fd < 0 ? -errno : 0;
	}
	buf__free(&dir);
	return err;
}

/* Whether NAME.partial is a file that no recorder writes any more: 0, or -errno. */
static int check_stale(const struct snapshot_writer *writer)
{
	struct stat st;
	int fd, err = 0;

	if (fstatat(writer->dir_fd, writer->partial.data, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : -EEXIST;
	fd = openat(writer->dir_fd, writer->partial.data,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* A living recorder holds the lock. */
	if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		err = -EBUSY;
	close(fd);
	return err;
}

static int rename_apart(int dir_fd, const char *from, const char *to)
{
	struct stat st;

	if (!renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* A file system (NFS) that cannot refuse to replace: look first. */
	if (!fstatat(dir_fd, to, &st, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	return renameat(dir_fd, from, dir_fd, to) ? -errno : 0;
}

/* The partial of a dead recorder moves to NAME.partial.1, .2 ...: it may be all that is left. */
static int move_stale(const struct snapshot_writer *writer)
{
	struct buf old = {};
	int err = check_stale(writer);

	for (unsigned int i = 1; !err && i <= OLD_PARTIALS; i++) {
		buf__reset(&old);
		buf__printf(&old, "%s.%u", writer->partial.data, i);
		if (old.err) {
			err = old.err;
			break;
		}
		err = rename_apart(writer->dir_fd, writer->partial.data, old.data);
		if (err != -EEXIST)
			break;
		err = i < OLD_PARTIALS ? 0 : -EEXIST;
	}
	buf__free(&old);
	return err == -ENOENT ? 0 : err;
}

static int create(struct snapshot_writer *writer)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	writer->fd = openat(writer->dir_fd, writer->partial.data, flags, 0600);
	if (writer->fd < 0 && errno == EEXIST) {
		int err = move_stale(writer);

		if (err)
			return err;
		writer->fd = openat(writer->dir_fd, writer->partial.data, flags, 0600);
	}
	if (writer->fd < 0)
		return -errno;
	if (flock(writer->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return -EBUSY;
	give_to_sudo_user(writer->fd);
	return fchmod(writer->fd, 0600) ? -errno : 0; /* whatever the umask says */
}

struct snapshot_writer *snapshot_writer__new(const char *path)
{
	struct snapshot_writer *writer = calloc(1, sizeof(*writer));
	int err;

	if (!writer)
		return NULL;
	writer->fd = -1;
	writer->dir_fd = -1;
	writer->last_off = writer->last_end = sizeof(writer->hdr);
	err = init_hdr(&writer->hdr);
	if (!err)
		err = open_dir(writer, path);
	if (!err)
		err = create(writer);
	if (!err)
		err = write_hdr(writer);
	if (err) {
		snapshot_writer__free(writer);
		errno = -err;
		return NULL;
	}
	return writer;
}

static int encode(struct snapshot_writer *writer, const struct model *model, bool is_final,
		  struct buf *group)
{
	struct group_info info = {
		.tag = snapshot_crc(writer->hdr.uuid, sizeof(writer->hdr.uuid)),
		.group = ++writer->group,
		.is_final = is_final,
		.level = is_final ? LEVEL_FINAL : LEVEL_CHECKPOINT,
	};
	int err = snapshot_encode(model, &info, group);

	if (!err && is_final)
		err = snapshot_encode_toc(&info, sizeof(struct asnap_hdr), group);
	return err;
}

/* Writes a group to where it leaves the last complete one alone, and makes it that. */
static int put_group(struct snapshot_writer *writer, const struct buf *group, uint64_t off)
{
	int err = write_at(writer->fd, group->data, group->sz, off);
	int cut = 0;

	/* A part is of no use, and its room may be all that the next group needs. */
	if (err && off >= writer->last_end)
		cut = ftruncate(writer->fd, (off_t)writer->last_end);
	if (err || cut)
		return err;
	writer->last_off = off;
	writer->last_end = off + group->sz;
	return 0;
}

int snapshot_writer__checkpoint(struct snapshot_writer *writer, const struct model *model)
{
	uint64_t front = sizeof(struct asnap_hdr), off;
	struct buf group = {};
	int err = encode(writer, model, false, &group);

	if (!err) {
		off = front + group.sz <= writer->last_off ? front : writer->last_end;
		err = put_group(writer, &group, off);
		/* Begins to be written out, without waiting: by the time when the next but one
		 * overwrites it, the one between is on the disk too. A hint only. */
		if (!err)
			sync_file_range(writer->fd, (off_t)off, (off_t)group.sz,
					SYNC_FILE_RANGE_WRITE);
	}
	buf__free(&group);
	return err;
}

/* The final group, at the front and nothing behind it, on the disk. */
static int put_final(struct snapshot_writer *writer, const struct buf *group)
{
	uint64_t front = sizeof(struct asnap_hdr), end = front + group->sz;
	int err = 0;

	/* Where it would overwrite the last checkpoint it is first put behind both places. */
	if (writer->last_end > front && end > writer->last_off) {
		err = put_group(writer, group, end > writer->last_end ? end : writer->last_end);
		if (!err && fdatasync(writer->fd))
			err = -errno;
	}
	if (!err)
		err = put_group(writer, group, front);
	if (!err && (ftruncate(writer->fd, (off_t)end) || fdatasync(writer->fd)))
		err = -errno;
	return err;
}

/* NAME.partial becomes NAME, unless somebody put another file there meanwhile. */
static int rename_final(const struct snapshot_writer *writer)
{
	struct stat ours, there;

	if (fstat(writer->fd, &ours) ||
	    fstatat(writer->dir_fd, writer->partial.data, &there, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return -ESTALE;
	if (renameat(writer->dir_fd, writer->partial.data, writer->dir_fd, writer->name.data))
		return -errno;
	/* Some file systems cannot, and have nothing to wait for. */
	return fsync(writer->dir_fd) && errno != EINVAL ? -errno : 0;
}

int snapshot_writer__finish(struct snapshot_writer *writer, const struct model *model)
{
	struct buf group = {};
	int err = encode(writer, model, true, &group);

	if (!err)
		err = put_final(writer, &group);
	if (err)
		goto cleanup;
	writer->hdr.flags &= ~(uint32_t)HDR_INCOMPLETE;
	err = write_hdr(writer);
	if (!err && fsync(writer->fd))
		err = -errno;
	if (!err)
		err = rename_final(writer);

cleanup:
	buf__free(&group);
	return err;
}

void snapshot_writer__free(struct snapshot_writer *writer)
{
	if (!writer)
		return;
	if (writer->fd >= 0)
		close(writer->fd);
	if (writer->dir_fd >= 0)
		close(writer->dir_fd);
	buf__free(&writer->name);
	buf__free(&writer->partial);
	free(writer);
}
