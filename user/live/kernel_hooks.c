/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks on the kernel's own functions; see kernel_hooks.h. */
#include "live/kernel_hooks.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "live/caps.h"
#include "live/tracefs.h"

struct hook_row {
	const char *function;
	enum wire_hook hook;
	bool returns; /* there is a program for its return */
	bool instead; /* serves where the one above it is missing */
};

static const struct hook_row rows[] = {
#define X(function, hook, arguments, instead) {#function, HOOK_##hook, true, instead},
	WIRE_KERNEL_FUNCTIONS(X)
#undef X
#define X(function, hook) {#function, HOOK_##hook, false, false},
		WIRE_KERNEL_MOMENTS(X)
#undef X
};
#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROW_CNT <= 64, "a bit for each function");

struct kernel_hooks {
	enum wire_io_source how;
	struct bpf_link **links;
	size_t link_cnt, link_cap;
	char **events; /* tracefs events of ours, "group/name" */
	size_t event_cnt, event_cap;
	char unhooked[512];
};

static const struct {
	const char *entry, *ret;
} prefixes[] = {
	[IO_SOURCE_FENTRY] = {"fentry_", "fexit_"},
	[IO_SOURCE_KPROBE] = {"kprobe_", "kretprobe_"},
	[IO_SOURCE_KPROBE_TRACEFS] = {"kprobe_", "kretprobe_"},
};

static struct bpf_program *program_of(struct bpf_object *object, const char *prefix, size_t row)
{
	char name[96];

	snprintf(name, sizeof(name), "%s%s", prefix, rows[row].function);
	return bpf_object__find_program_by_name(object, name);
}

/*
 * Of a function that the compiler has made a second version of (NAME.isra.0, NAME.constprop.0) for
 * some of its callers, hooks on the first one would see a part of the calls; of two that share a
 * name, it is open which one is meant. What is hooked only in part counts as missing.
 */
static uint64_t whole_symbols(void)
{
	unsigned int named[ROW_CNT] = {0}, versions[ROW_CNT] = {0};
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512];
	uint64_t whole = 0;

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file)) {
		char *name = strchr(line, ' ');
		size_t len;

		name = name ? strchr(name + 1, ' ') : NULL;
		if (!name)
			continue;
		len = strcspn(++name, ".\t\n");
		for (size_t i = 0; i < ROW_CNT; i++) {
			if (strncmp(name, rows[i].function, len) || rows[i].function[len])
				continue;
			if (name[len] != '.')
				named[i]++;
			else if (!strncmp(name + len, ".isra", 5) ||
				 !strncmp(name + len, ".constprop", 10))
				versions[i]++;
		}
	}
	fclose(file);
	for (size_t i = 0; i < ROW_CNT; i++)
		if (named[i] == 1 && !versions[i])
			whole |= 1ULL << i;
	return whole;
}

uint64_t kernel_hooks__functions(const struct btf *btf)
{
	uint64_t has = 0;

	for (size_t i = 0; i < ROW_CNT; i++)
		if (btf__find_by_name_kind(btf, rows[i].function, BTF_KIND_FUNC) > 0)
			has |= 1ULL << i;
	return has & whole_symbols();
}

static bool in(uint64_t functions, size_t row)
{
	return functions >> row & 1;
}

/* Is this row's purpose served, by itself or by one that stands below it instead? */
static bool is_served(uint64_t functions, size_t row)
{
	if (in(functions, row) || rows[row].instead)
		return true;
	while (++row < ROW_CNT && rows[row].instead)
		if (in(functions, row))
			return true;
	return false;
}

static void append_name(char *names, size_t names_sz, const char *name)
{
	size_t used = strlen(names);

	snprintf(names + used, names_sz - used, "%s%s", used ? ", " : "", name);
}

/* What kernel functions show beside system calls: io_uring, faults of mapped files, arrivals. */
static bool is_extra(enum wire_hook hook)
{
	switch (hook) {
	case HOOK_SEND:
	case HOOK_RECEIVE:
	case HOOK_CONNECT:
	case HOOK_ACCEPT:
	case HOOK_RING_READ:
	case HOOK_RING_WRITE:
	case HOOK_FAULT:
	case HOOK_READY:
		return true;
	default:
		return false;
	}
}

/* The functions of this use that the kernel lacks, and nothing serves in their place. */
static size_t list_missing(uint64_t functions, bool extra, char *names, size_t names_sz)
{
	size_t cnt = 0;

	names[0] = '\0';
	for (size_t i = 0; i < ROW_CNT; i++) {
		if (is_served(functions, i) || (extra && !is_extra(rows[i].hook)))
			continue;
		append_name(names, names_sz, rows[i].function);
		cnt++;
	}
	return cnt;
}

size_t kernel_hooks__missing(uint64_t functions, char *names, size_t names_sz)
{
	return list_missing(functions, false, names, names_sz);
}

/* Is this function hooked here? */
static bool is_wanted(const struct features *features, bool extra, size_t row)
{
	size_t first = row;

	if (!in(features->kernel_functions, row) || (extra && !is_extra(rows[row].hook)))
		return false;
	/* before 5.19 what they return is not how it ended */
	if ((rows[row].hook == HOOK_RING_READ || rows[row].hook == HOOK_RING_WRITE) &&
	    !features->ring_results)
		return false;
	/* the tracepoint tells the same for less */
	if (rows[row].hook == HOOK_READY && features->data_ready)
		return false;
	while (rows[first].instead)
		if (in(features->kernel_functions, --first))
			return false;
	return true;
}

/* Attached by us: the skeleton would take kprobes that it cannot attach for a failure of all. */
static void fit_program(struct bpf_program *prog)
{
	bpf_program__set_autoload(prog, true);
	bpf_program__set_autoattach(prog, false);
}

void kernel_hooks__fit(struct bpf_object *object, const struct features *features,
		       enum wire_io_source how, bool extra)
{
	for (size_t i = 0; i < ROW_CNT && how != IO_SOURCE_OFF; i++) {
		if (!is_wanted(features, extra, i))
			continue;
		fit_program(program_of(object, prefixes[how].entry, i));
		if (rows[i].returns)
			fit_program(program_of(object, prefixes[how].ret, i));
	}
}

static int add_link(struct kernel_hooks *hooks, struct bpf_link *link)
{
	int err = array__reserve((void **)&hooks->links, &hooks->link_cap, hooks->link_cnt + 1,
				 sizeof(link));

	if (err)
		bpf_link__destroy(link);
	else
		hooks->links[hooks->link_cnt++] = link;
	return err;
}

static int add_perf(struct kernel_hooks *hooks, struct bpf_program *prog, int fd)
{
	struct bpf_link *link = bpf_program__attach_perf_event(prog, fd);
	int err;

	if (!link) {
		err = -errno;
		close(fd);
		return err;
	}
	return add_link(hooks, link);
}

static int attach_fentry(struct kernel_hooks *hooks, struct bpf_program *prog, const char *function,
			 bool ret)
{
	struct bpf_link *link = bpf_program__attach_trace(prog);

	(void)function;
	(void)ret;
	return link ? add_link(hooks, link) : -errno;
}

/* A number in a file of the kernel's description of its kprobe events, behind `prefix`. */
static int read_pmu(const char *name, const char *prefix)
{
	char path[96], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/kprobe/%s", name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	if (strncmp(text, prefix, strlen(prefix)))
		return -EINVAL;
	return atoi(text + strlen(prefix));
}

static int attach_perf(struct kernel_hooks *hooks, struct bpf_program *prog, const char *function,
		       bool ret)
{
	int type = read_pmu("type", ""), bit = read_pmu("format/retprobe", "config:"), fd;
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = type,
		.kprobe_func = (__u64)(unsigned long)function,
	};

	if (type < 0 || bit < 0)
		return type < 0 ? type : bit;
	attr.config = ret ? 1ULL << bit : 0;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : add_perf(hooks, prog, fd);
}

/* How many calls of one function may be under way at once: the most that the kernel takes. By
 * perf_event_open() nobody can say, and the kernel keeps room for ten, or two for each CPU. */
#define CALLS_MAX 4096

static int attach_tracefs(struct kernel_hooks *hooks, struct bpf_program *prog,
			  const char *function, bool ret)
{
	int pid = getpid(), err, id, fd;
	char event[96], line[224];

	/* the process once more: the kernel's list of misses names no groups */
	snprintf(event, sizeof(event), "asyncscope_%d/%c%d_%s", pid, ret ? 'r' : 'p', pid,
		 function);
	if (ret)
		snprintf(line, sizeof(line), "r%d:%s %s\n", CALLS_MAX, event, function);
	else
		snprintf(line, sizeof(line), "p:%s %s\n", event, function);
	err = array__reserve((void **)&hooks->events, &hooks->event_cap, hooks->event_cnt + 1,
			     sizeof(char *));
	if (!err)
		err = tracefs__write(TRACEFS_KPROBES, line);
	if (err)
		return err;
	hooks->events[hooks->event_cnt] = strdup(event);
	if (!hooks->events[hooks->event_cnt]) {
		tracefs__remove(TRACEFS_KPROBES, event);
		return -ENOMEM;
	}
	hooks->event_cnt++;
	id = tracefs__event_id(event);
	if (id < 0)
		return id;
	fd = tracefs__open(id, -1);
	return fd < 0 ? fd : add_perf(hooks, prog, fd);
}

static int attach_row(struct kernel_hooks *hooks, struct bpf_object *object, size_t row)
{
	static int (*const attach[])(struct kernel_hooks *, struct bpf_program *, const char *,
				     bool) = {
		[IO_SOURCE_FENTRY] = attach_fentry,
		[IO_SOURCE_KPROBE] = attach_perf,
		[IO_SOURCE_KPROBE_TRACEFS] = attach_tracefs,
	};
	const char *function = rows[row].function;
	int err = 0;

	if (rows[row].returns)
		err = attach[hooks->how](hooks, program_of(object, prefixes[hooks->how].ret, row),
					 function, true);
	if (err)
		return err;
	return attach[hooks->how](hooks, program_of(object, prefixes[hooks->how].entry, row),
				  function, false);
}

static const char *remedy_of(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return " (" CAPS_REMEDY ")";
	case EBUSY:
	case EEXIST:
		return " (another tracer or a live patch holds it)";
	default:
		return "";
	}
}

struct kernel_hooks *kernel_hooks__attach(struct bpf_object *object,
					  const struct features *features, enum wire_io_source how,
					  bool extra, char *why, size_t why_sz)
{
	struct kernel_hooks *hooks = calloc(1, sizeof(*hooks));
	size_t done = 0;
	int first_err = 0;

	if (!hooks) {
		snprintf(why, why_sz, "no memory");
		return NULL;
	}
	hooks->how = how;
	list_missing(features->kernel_functions, extra, hooks->unhooked, sizeof(hooks->unhooked));
	for (size_t i = 0; i < ROW_CNT; i++) {
		int err;

		if (!is_wanted(features, extra, i))
			continue;
		err = attach_row(hooks, object, i);
		if (err) {
			first_err = first_err ? first_err : err;
			append_name(hooks->unhooked, sizeof(hooks->unhooked), rows[i].function);
		} else {
			done++;
		}
	}
	if (done) {
		if (first_err) {
			size_t used = strlen(hooks->unhooked);

			snprintf(hooks->unhooked + used, sizeof(hooks->unhooked) - used, ": %s%s",
				 strerror(-first_err), remedy_of(-first_err));
		}
		return hooks;
	}
	if (first_err)
		snprintf(why, why_sz, "cannot hook the kernel's functions: %s%s",
			 strerror(-first_err), remedy_of(-first_err));
	else
		snprintf(why, why_sz, "this kernel has none of the functions to hook");
	kernel_hooks__detach(hooks);
	return NULL;
}

const char *kernel_hooks__unhooked(const struct kernel_hooks *hooks)
{
	return hooks ? hooks->unhooked : "";
}

/* What the kernel says of a link to a kprobe since 6.7; not in 6.1's headers. */
struct kprobe_link_info {
	__u32 type, id, prog_id, pad;
	__u32 event_type, pad2;
	__u64 func_name;
	__u32 name_len, offset;
	__u64 addr, missed;
};
#define LINK_TYPE_PERF_EVENT 7
#define EVENT_TYPE_KPROBE    3 /* its return: 4 */

static uint64_t misses_of_link(const struct bpf_link *link)
{
	struct kprobe_link_info info = {0};
	__u32 sz = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &sz) ||
	    info.type != LINK_TYPE_PERF_EVENT)
		return 0;
	if (info.event_type != EVENT_TYPE_KPROBE && info.event_type != EVENT_TYPE_KPROBE + 1)
		return 0;
	return info.missed;
}

/* Of our own events in tracefs's list: name, hits, misses. */
static uint64_t misses_of_events(void)
{
	const char *tracefs = tracefs_path();
	char path[96], line[256], name[128], own[32];
	unsigned long long hits, missed;
	uint64_t sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/kprobe_profile", tracefs ? tracefs : "");
	file = tracefs ? fopen(path, "re") : NULL;
	if (!file)
		return 0;
	snprintf(own, sizeof(own), "%d_", (int)getpid());
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%127s %llu %llu", name, &hits, &missed) == 3 &&
		    !strncmp(name + 1, own, strlen(own)))
			sum += missed;
	fclose(file);
	return sum;
}

uint64_t kernel_hooks__misses(const struct kernel_hooks *hooks)
{
	uint64_t sum = 0;

	if (!hooks)
		return 0;
	if (hooks->how == IO_SOURCE_KPROBE_TRACEFS)
		return misses_of_events();
	for (size_t i = 0; i < hooks->link_cnt; i++)
		sum += misses_of_link(hooks->links[i]);
	return sum;
}

void kernel_hooks__detach(struct kernel_hooks *hooks)
{
	if (!hooks)
		return;
	for (size_t i = 0; i < hooks->link_cnt; i++)
		bpf_link__destroy(hooks->links[i]);
	for (size_t i = 0; i < hooks->event_cnt; i++) {
		tracefs__remove(TRACEFS_KPROBES, hooks->events[i]);
		free(hooks->events[i]);
	}
	free(hooks->links);
	free(hooks->events);
	free(hooks);
}
