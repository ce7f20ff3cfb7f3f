/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uprobe ladder; see uprobe.h. Costs of the rungs: facts/kernel.md. */
#include "live/uprobe.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "live/caps.h"
#include "live/tracefs.h"

#define ENOTSUPP 524 /* the kernel's own, which no header of libc has */

/* What the kernel takes for BPF_LINK_CREATE of a uprobe.multi link (6.6); not in 6.1's headers. */
struct multi_link_attr {
	__u32 prog_fd, target_fd, attach_type, flags;
	__u64 path, offsets, ref_ctr_offsets, cookies;
	__u32 cnt, multi_flags, pid, pad;
};

struct uprobes {
	int *fds; /* links, or perf events */
	size_t fd_cnt, fd_cap;
	struct bpf_link **links;
	size_t link_cnt, link_cap;
	char **events; /* tracefs events of ours, "group/name" */
	size_t event_cnt, event_cap;
};

static int add_fd(struct uprobes *uprobes, int fd)
{
	int err = array__reserve((void **)&uprobes->fds, &uprobes->fd_cap, uprobes->fd_cnt + 1,
				 sizeof(int));

	if (err)
		close(fd);
	else
		uprobes->fds[uprobes->fd_cnt++] = fd;
	return err;
}

static int add_link(struct uprobes *uprobes, struct bpf_link *link)
{
	int err = array__reserve((void **)&uprobes->links, &uprobes->link_cap,
				 uprobes->link_cnt + 1, sizeof(link));

	if (err)
		bpf_link__destroy(link);
	else
		uprobes->links[uprobes->link_cnt++] = link;
	return err;
}

#define MULTI_AT_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

int uprobe__multi_link(int prog_fd, const char *path, const __u64 *offsets, __u32 cnt, pid_t pid,
		       bool at_return)
{
	struct multi_link_attr attr = {
		.prog_fd = prog_fd,
		.attach_type = UPROBE_MULTI_ATTACH_TYPE,
		.path = (__u64)(unsigned long)path,
		.offsets = (__u64)(unsigned long)offsets,
		.cnt = cnt,
		.multi_flags = at_return ? MULTI_AT_RETURN : 0,
		.pid = pid,
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* Tries links that cannot succeed: EBADF says that the kernel knows the kind of link; an unknown attach
 * type is EINVAL already at loading the program, or at linking (6.1). At first its pid was that of a
 * thread, not of a process: kernels that refuse a pid of -1 have that repaired (46ba0e49b642, 6.10). */
bool uprobe__multi_works(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = UPROBE_MULTI_ATTACH_TYPE);
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe", "GPL", insns, 2, &opts);
	__u64 offset = 0;
	bool works;
	int fd;

	if (prog < 0)
		return false;
	/* a directory is no regular file: -EBADF from kernels that have come so far */
	fd = uprobe__multi_link(prog, "/", &offset, 1, 0, false);
	if (fd >= 0)
		close(fd);
	works = fd == -EBADF;
	fd = uprobe__multi_link(prog, "/", &offset, 1, -1, false);
	if (fd >= 0)
		close(fd);
	close(prog);
	return works && fd == -EINVAL;
}

static struct bpf_program *find_prog(struct bpf_object *object, const struct probe *probe,
				     char *why, size_t why_sz)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, probe->prog);

	if (!prog)
		snprintf(why, why_sz, "no BPF program %s for %s", probe->prog, probe->what);
	return prog;
}

static const char *remedy_of(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return " (" CAPS_REMEDY ")";
	case ESRCH:
		return " (the process has ended)";
	case ENOENT:
		return " (the file was replaced; restart the target or give it time)";
	default:
		return "";
	}
}

static void explain(char *why, size_t why_sz, const struct probe *probe, int err)
{
	snprintf(why, why_sz, "cannot attach to %s: %s%s", probe->what,
		 err == -ENOTSUPP ? "the kernel puts no probe on the instruction there"
				  : strerror(-err),
		 remedy_of(-err));
}

/* Do two probes go into one link or event? */
static bool same_group(const struct probe *a, const struct probe *b)
{
	return a->file == b->file && a->at_return == b->at_return && !strcmp(a->prog, b->prog);
}

static bool first_of_group(const struct plan *plan, size_t idx)
{
	for (size_t i = 0; i < idx; i++)
		if (same_group(&plan->probes[i], &plan->probes[idx]))
			return false;
	return true;
}

static int attach_multi(struct uprobes *uprobes, struct bpf_program *prog, const struct plan *plan,
			size_t idx)
{
	const struct probe *first = &plan->probes[idx];
	__u64 *offsets = calloc(plan->probe_cnt, sizeof(*offsets));
	__u32 cnt = 0;
	int fd;

	if (!offsets)
		return -ENOMEM;
	for (size_t i = idx; i < plan->probe_cnt; i++)
		if (same_group(first, &plan->probes[i]))
			offsets[cnt++] = plan->probes[i].file_off;
	fd = uprobe__multi_link(bpf_program__fd(prog), first->file->open_path, offsets, cnt,
				plan->pid, first->at_return);
	free(offsets);
	return fd < 0 ? fd : add_fd(uprobes, fd);
}

/*
 * One event holds all places of a program. A placeholder perf event on the tracer itself keeps the
 * probes registered and carries the BPF program; the event on the target arms them, in
 * milliseconds, however many there are.
 */
static int attach_tracefs(struct uprobes *uprobes, struct bpf_program *prog,
			  const struct plan *plan, size_t idx)
{
	const struct probe *first = &plan->probes[idx];
	char event[96], line[256];
	struct bpf_link *link;
	int id, fd, err;

	snprintf(event, sizeof(event), "asyncscope_%d/%s_%d_%llx", (int)getpid(), first->prog,
		 (int)plan->pid, (unsigned long long)first->file->inode);
	err = array__reserve((void **)&uprobes->events, &uprobes->event_cap, uprobes->event_cnt + 1,
			     sizeof(char *));
	if (err)
		return err;
	uprobes->events[uprobes->event_cnt] = strdup(event);
	if (!uprobes->events[uprobes->event_cnt])
		return -ENOMEM;
	uprobes->event_cnt++;
	for (size_t i = idx; i < plan->probe_cnt; i++) {
		if (!same_group(first, &plan->probes[i]))
			continue;
		snprintf(line, sizeof(line), "%c:%s %s:0x%llx\n", first->at_return ? 'r' : 'p',
			 event, first->file->open_path,
			 (unsigned long long)plan->probes[i].file_off);
		err = tracefs__write(TRACEFS_UPROBES, line);
		if (err)
			return err;
	}
	id = tracefs__event_id(event);
	if (id < 0)
		return id;
	fd = tracefs__open(id, getpid());
	if (fd < 0)
		return fd;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link) {
		err = -errno;
		close(fd);
		return err;
	}
	err = add_link(uprobes, link);
	if (err)
		return err;
	fd = tracefs__open(id, plan->pid);
	return fd < 0 ? fd : add_fd(uprobes, fd);
}

static int attach_perf(struct uprobes *uprobes, struct bpf_program *prog, const struct plan *plan,
		       size_t idx)
{
	const struct probe *first = &plan->probes[idx];

	for (size_t i = idx; i < plan->probe_cnt; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = first->at_return);
		struct bpf_link *link;
		int err;

		if (!same_group(first, &plan->probes[i]))
			continue;
		link = bpf_program__attach_uprobe_opts(prog, plan->pid, first->file->open_path,
						       plan->probes[i].file_off, &opts);
		if (!link)
			return -errno;
		err = add_link(uprobes, link);
		if (err)
			return err;
	}
	return 0;
}

/* A plan of some of another's probes; it owns nothing but the list of them. */
static int choose(struct plan *chosen, const struct plan *plan, const struct plan *present,
		  enum probe_group group)
{
	*chosen = (struct plan){.pid = plan->pid};
	chosen->probes = calloc(plan->probe_cnt, sizeof(*chosen->probes));
	if (!chosen->probes)
		return -ENOMEM;
	for (size_t i = 0; i < plan->probe_cnt; i++)
		if (plan->probes[i].group == group && plan__is_new(plan, present, i))
			chosen->probes[chosen->probe_cnt++] = plan->probes[i];
	return 0;
}

static int attach_chosen(struct uprobes *uprobes, struct bpf_object *object, enum uprobe_rung rung,
			 const struct plan *plan, char *why, size_t why_sz)
{
	static int (*const attach[])(struct uprobes *, struct bpf_program *, const struct plan *,
				     size_t) = {
		[UPROBE_MULTI] = attach_multi,
		[UPROBE_TRACEFS] = attach_tracefs,
		[UPROBE_PERF] = attach_perf,
	};

	for (size_t i = 0; i < plan->probe_cnt; i++) {
		struct bpf_program *prog;
		int err;

		if (!first_of_group(plan, i))
			continue;
		prog = find_prog(object, &plan->probes[i], why, why_sz);
		if (!prog)
			return -ENOENT;
		err = attach[rung](uprobes, prog, plan, i);
		if (err) {
			explain(why, why_sz, &plan->probes[i], err);
			return err;
		}
	}
	return 0;
}

struct uprobes *uprobes__attach(struct bpf_object *object, enum uprobe_rung rung,
				const struct plan *plan, const struct plan *present,
				enum probe_group group, char *why, size_t why_sz)
{
	struct uprobes *uprobes = calloc(1, sizeof(*uprobes));
	struct plan chosen = {};
	int err;

	if (rung >= UPROBE_NONE) {
		snprintf(why, why_sz, "this kernel has no uprobes");
		err = -ENOTSUP;
	} else if (!uprobes || choose(&chosen, plan, present, group)) {
		snprintf(why, why_sz, "no memory");
		err = -ENOMEM;
	} else {
		err = attach_chosen(uprobes, object, rung, &chosen, why, why_sz);
	}
	free(chosen.probes);
	if (!err)
		return uprobes;
	uprobes__detach(uprobes);
	return NULL;
}

static void *close_one(void *fd)
{
	close((int)(intptr_t)fd);
	return NULL;
}

/*
 * The kernel takes a link's probes out at once, and then waits for whoever is in one of them, for some
 * 50 ms. Waiting for all links together, the last one's probes are out as soon as the first one's.
 */
static void close_all(const int *fds, size_t cnt)
{
	pthread_t *threads = calloc(cnt, sizeof(*threads));

	for (size_t i = 0; i < cnt; i++) {
		if (!threads ||
		    pthread_create(&threads[i], NULL, close_one, (void *)(intptr_t)fds[i])) {
			close(fds[i]);
			if (threads)
				threads[i] = 0;
		}
	}
	for (size_t i = 0; threads && i < cnt; i++)
		if (threads[i])
			pthread_join(threads[i], NULL);
	free(threads);
}

void uprobes__detach(struct uprobes *uprobes)
{
	if (!uprobes)
		return;
	close_all(uprobes->fds, uprobes->fd_cnt);
	for (size_t i = 0; i < uprobes->link_cnt; i++)
		bpf_link__destroy(uprobes->links[i]);
	for (size_t i = 0; i < uprobes->event_cnt; i++) {
		tracefs__remove(TRACEFS_UPROBES, uprobes->events[i]);
		free(uprobes->events[i]);
	}
	free(uprobes->fds);
	free(uprobes->links);
	free(uprobes->events);
	free(uprobes);
}
