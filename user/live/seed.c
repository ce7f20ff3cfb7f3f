/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the iterator programs of bpf/seed.bpf.c over all threads of the machine. */
#include "live/object.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "asyncscope.skel.h"
#include "base/log.h"

static struct bpf_link *attach(struct bpf_program *prog, union bpf_iter_link_info *info)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = info, .link_info_len = sizeof(*info));

	return bpf_program__attach_iter(prog, info ? &opts : NULL);
}

static int run(struct bpf_link *link)
{
	char buf[64];
	ssize_t sz;
	int fd, err = 0;

	if (!link) {
		err = -errno;
		goto cleanup;
	}
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0) {
		err = fd;
		goto cleanup;
	}
	/* the program writes nothing; reading drives the walk */
	do {
		sz = read(fd, buf, sizeof(buf));
	} while (sz > 0 || (sz < 0 && errno == EAGAIN));
	if (sz < 0)
		err = -errno;
	close(fd);
cleanup:
	bpf_link__destroy(link);
	return err;
}

int iter__run(struct bpf_program *prog, pid_t pid)
{
	union bpf_iter_link_info info = {.task.pid = pid};
	struct bpf_link *link = pid ? attach(prog, &info) : NULL;

	/* before 6.1 an iterator cannot be told which tasks to visit */
	return run(link ? link : attach(prog, NULL));
}

int iter__run_map(struct bpf_program *prog, int map_fd)
{
	union bpf_iter_link_info info = {.map.map_fd = map_fd};

	return run(attach(prog, &info));
}

int seed__walk(struct live *live, bool at_stop)
{
	struct asyncscope *skel = live->skel;
	struct bpf_program *prog = at_stop ? skel->progs.flush_threads
				   : live->features->seed_sleepable
					   ? skel->progs.seed_threads
					   : skel->progs.seed_threads_reduced;
	int err = iter__run(prog, 0);

	if (err)
		log_err("cannot walk the threads: %s", strerror(-err));
	return err;
}
