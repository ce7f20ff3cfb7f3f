/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Safe writing as root into directories that may belong to somebody else. */
#include "cmd/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_stdout(const char *path)
{
	return !strcmp(path, "-");
}

static int check_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int err = 0;

	if (!dir)
		return -ENOMEM;
	if (access(dir, W_OK | X_OK))
		err = -errno;
	free(dir);
	return err;
}

int output_file_check(const char *path)
{
	size_t sz = strlen(path);
	struct stat st;

	if (is_stdout(path))
		return 0;
	if (!sz)
		return -ENOENT;
	if (path[sz - 1] == '/' || (!stat(path, &st) && S_ISDIR(st.st_mode)))
		return -EISDIR;
	return check_dir(path);
}

/* Pipes and devices are written to; renaming over them would replace them. */
static bool in_place(const char *path)
{
	struct stat st;

	return is_stdout(path) || (!stat(path, &st) && !S_ISREG(st.st_mode));
}

/* A number that sudo put into the environment, or -1. */
static int64_t sudo_id(const char *name)
{
	const char *text = getenv(name);
	unsigned long id;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	id = strtoul(text, &end, 10);
	return errno || *end || id >= UINT32_MAX ? -1 : (int64_t)id;
}

/* What is recorded under sudo belongs to who called it. A file system that has no owners (NFS with
 * squashed root, FAT) refuses: then it stays root's, which is no reason to lose the report. */
static void give_to_sudo_user(int fd)
{
	int64_t uid = sudo_id("SUDO_UID"), gid = sudo_id("SUDO_GID");

	if (!geteuid() && uid >= 0 && gid >= 0 && fchown(fd, (uid_t)uid, (gid_t)gid))
		return;
}

static int open_in_place(struct output_file *file)
{
	file->stream = is_stdout(file->path) ? stdout : fopen(file->path, "we");
	return file->stream ? 0 : -errno;
}

int output_file__open(struct output_file *file, const char *path, mode_t mode)
{
	/* O_EXCL and O_NOFOLLOW: in /tmp somebody may have put a link there. */
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd, err;

	*file = (struct output_file){.path = path};
	if (in_place(path))
		return open_in_place(file);
	if (asprintf(&file->tmp, "%s.tmp-%d", path, (int)getpid()) < 0) {
		file->tmp = NULL;
		return -ENOMEM;
	}
	fd = open(file->tmp, flags, mode);
	if (fd >= 0) {
		give_to_sudo_user(fd);
		file->stream = fdopen(fd, "w");
		if (file->stream)
			return 0;
	}
	err = -errno;
	if (fd >= 0) {
		close(fd);
		unlink(file->tmp);
	}
	free(file->tmp);
	file->tmp = NULL;
	return err;
}

int output_file__close(struct output_file *file, int err)
{
	if (fflush(file->stream) && !err)
		err = -errno;
	if (file->stream != stdout && fclose(file->stream) && !err)
		err = -errno;
	file->stream = NULL;
	if (!file->tmp)
		return err;
	if (!err && rename(file->tmp, file->path))
		err = -errno;
	if (err)
		unlink(file->tmp);
	free(file->tmp);
	file->tmp = NULL;
	return err;
}

const char *output_remedy(int err)
{
	static const struct {
		int err;
		const char *remedy;
	} remedies[] = {
		{ENOENT, "make the directory first"},
		{ENOTDIR, "a part of the path is a file"},
		{EISDIR, "name a file in it"},
		{EACCES, "choose a directory that you may write to"},
		{EPERM, "choose a directory that you may write to"},
		{EROFS, "choose a directory on another file system"},
		{ENOSPC, "free some space, or write to another file system"},
		{EDQUOT, "free some space, or write to another file system"},
		{EFBIG, "raise the limit on file sizes, or write to another file system"},
		{EEXIST, "remove the file that is in the way"},
		{ENAMETOOLONG, "choose a shorter name"},
		{EBUSY, "another recorder writes there: choose another name"},
		{EWOULDBLOCK, "another recorder writes there: choose another name"},
		{ENOMEM, "free some memory"},
	};

	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		if (remedies[i].err == err)
			return remedies[i].remedy;
	}
	return "choose another place with -o";
}
