/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IO and network, the part in user space: which programs account it on this kernel, the two tables
 * of uses that are swapped and emptied, the walks over sockets, the gauges.
 */
#include "live/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "asyncscope.skel.h"
#include "base/clock.h"
#include "base/log.h"
#include "live/kernel_hooks.h"

#define BATCH 256

/* The kernel's functions: as the source, or beside system calls for what those do not show. */
static void fit_kernel(struct live *live, enum wire_io_source wanted)
{
	enum wire_io_source source = live->options.io_source;

	live->hooks_how = IO_SOURCE_OFF;
	if (source == IO_SOURCE_FENTRY || source == IO_SOURCE_KPROBE ||
	    source == IO_SOURCE_KPROBE_TRACEFS) {
		live->hooks_how = source;
	} else if (source != IO_SOURCE_OFF && wanted == IO_SOURCE_AUTO) {
		live->hooks_how = features__io_extra(live->features);
		live->hooks_extra = true;
	}
	live->skel->rodata->cfg.io_extra = live->hooks_extra;
	kernel_hooks__fit(live->skel->obj, live->features, live->hooks_how, live->hooks_extra);
}

void io_hooks__fit(struct live *live)
{
	const struct features *features = live->features;
	struct asyncscope *skel = live->skel;
	enum wire_io_source wanted = live->options.io_source;
	enum wire_io_source source = features__io_source(features, wanted);
	bool on = source != IO_SOURCE_OFF;

	live->options.io_source = source;
	skel->rodata->cfg.io_source = source;
	bpf_program__set_autoload(skel->progs.sys_enter, source == IO_SOURCE_SYSCALL);
	bpf_program__set_autoload(skel->progs.sys_exit, source == IO_SOURCE_SYSCALL);
	bpf_program__set_autoload(skel->progs.sys_enter_classic,
				  source == IO_SOURCE_SYSCALL_CLASSIC);
	bpf_program__set_autoload(skel->progs.sys_exit_classic,
				  source == IO_SOURCE_SYSCALL_CLASSIC);
	bpf_program__set_autoload(skel->progs.inet_sock_set_state, on && features->connect_states);
	bpf_program__set_autoload(skel->progs.sk_data_ready, on && features->data_ready);
	bpf_program__set_autoload(skel->progs.block_rq_insert, on && features->block_requests);
	bpf_program__set_autoload(skel->progs.block_rq_issue, on && features->block_requests);
	bpf_program__set_autoload(skel->progs.block_rq_requeue, on && features->block_requests);
	bpf_program__set_autoload(skel->progs.block_rq_complete, on && features->block_requests);
	bpf_program__set_autoload(skel->progs.rss_stat, on && features->rss_stat);
	bpf_program__set_autoload(skel->progs.walk_sockets, on);
	fit_kernel(live, wanted);
}

int io_hooks__attach(struct live *live)
{
	char why[256];

	if (live->hooks_how == IO_SOURCE_OFF)
		return 0;
	live->hooks = kernel_hooks__attach(live->skel->obj, live->features, live->hooks_how,
					   live->hooks_extra, why, sizeof(why));
	if (live->hooks && *kernel_hooks__unhooked(live->hooks))
		log_warn("kernel functions that cannot be hooked, so what they do is not seen: %s",
			 kernel_hooks__unhooked(live->hooks));
	if (live->hooks)
		return 0;
	if (live->hooks_extra) {
		log_warn("%s; what io_uring does is not seen", why);
		return 0;
	}
	log_err("%s", why);
	return -EIO;
}

static int attach_call(struct bpf_program *prog, struct bpf_link **link, bool on)
{
	if (!bpf_program__autoload(prog) || on == !!*link)
		return 0;
	if (on) {
		*link = bpf_program__attach(prog);
		return *link ? 0 : -errno;
	}
	bpf_link__destroy(*link);
	*link = NULL;
	return 0;
}

int live__switch_calls(struct live *live, bool on)
{
	struct asyncscope *skel = live->skel;
	int err;

	if (on)
		__atomic_store_n(&skel->bss->calls_since_ns, mono_ns(), __ATOMIC_SEQ_CST);
	err = attach_call(skel->progs.sys_enter, &skel->links.sys_enter, on);
	err = attach_call(skel->progs.sys_exit, &skel->links.sys_exit, on) ?: err;
	err = attach_call(skel->progs.sys_enter_classic, &skel->links.sys_enter_classic, on) ?: err;
	return attach_call(skel->progs.sys_exit_classic, &skel->links.sys_exit_classic, on) ?: err;
}

void live__io_text(const struct live *live, char *text, size_t sz)
{
	const char *unhooked = kernel_hooks__unhooked(live->hooks);
	size_t used;

	snprintf(text, sz, "%s", io_source_text(live->options.io_source));
	used = strlen(text);
	if (live->hooks && live->hooks_extra)
		snprintf(text + used, sz - used, "; io_uring and faults of mapped files: %s",
			 io_source_name(live->hooks_how));
	used = strlen(text);
	if (*unhooked)
		snprintf(text + used, sz - used, "; not hooked: %s", unhooked);
}

uint64_t live__probe_misses(const struct live *live)
{
	return kernel_hooks__misses(live->hooks);
}

enum wire_io_source live__io_source(const struct live *live)
{
	return live->options.io_source;
}

static int walk(struct live *live, enum wire_socket_walk what)
{
	int err;

	live->skel->bss->socket_walk = what;
	err = iter__run(live->skel->progs.walk_sockets, live->options.single_pid);
	if (err)
		log_err("cannot walk the sockets: %s", strerror(-err));
	return err;
}

int sockets__walk(struct live *live, bool at_stop)
{
	int err;

	if (live->options.io_source == IO_SOURCE_OFF)
		return 0;
	if (at_stop)
		return walk(live, WALK_LAST);
	/* who listens tells who was called */
	err = walk(live, WALK_LISTENERS);
	return err ? err : walk(live, WALK_CONNECTIONS);
}

static int tell(const struct wire_use_key *key, const struct wire_use_val *val, uint64_t now,
		live_record_fn fn, void *ctx)
{
	struct wire_use use = {
		.hdr = {.kind = WIRE_USE, .sz = sizeof(use), .ns = now},
		.key = *key,
		.val = *val,
	};

	int err = fn(ctx, &use, sizeof(use));

	return err || key->op != IO_FREE ? err : heap__tell_alloc(&use, fn, ctx);
}

/* How many there were, or -errno. */
static int empty_table(struct live *live, int fd, live_record_fn fn, void *ctx)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint64_t now = mono_ns();
	__u32 next, *at = NULL;
	int err = 0, end = 0, sum = 0;

	while (!end && !err) {
		__u32 cnt = BATCH;

		end = bpf_map_lookup_and_delete_batch(fd, at, &next, live->use_keys, live->use_vals,
						      &cnt, &opts);
		if (end && end != -ENOENT)
			return end;
		for (__u32 i = 0; i < cnt && !err; i++)
			err = tell(&live->use_keys[i], &live->use_vals[i], now, fn, ctx);
		sum += cnt;
		at = &next;
	}
	return err ? err : sum;
}

int live__uses(struct live *live, live_record_fn fn, void *ctx)
{
	struct asyncscope *skel = live->skel;
	struct bpf_map *tables[] = {skel->maps.use_table_0, skel->maps.use_table_1};
	int old = bpf_map__fd(tables[live->uses_idx]), fresh = bpf_map__fd(tables[!live->uses_idx]);
	__u32 zero = 0;

	if (live->options.io_source == IO_SOURCE_OFF && !heap__is_on(live))
		return 0;
	if (!live->use_keys) {
		live->use_keys = calloc(BATCH, sizeof(*live->use_keys));
		live->use_vals = calloc(BATCH, sizeof(*live->use_vals));
	}
	if (!live->use_keys || !live->use_vals)
		return -ENOMEM;
	/* returns when no program uses the old one any more */
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.uses), &zero, &fresh, BPF_ANY))
		return -errno;
	live->uses_idx = !live->uses_idx;
	return empty_table(live, old, fn, ctx);
}

int64_t live__gauge(struct live *live, enum wire_gauge gauge)
{
	return (int64_t)object__cpu_sum(live->skel->maps.gauges, gauge);
}

void io_hooks__free(struct live *live)
{
	kernel_hooks__detach(live->hooks);
	if (live->use_pattern_fd > 0)
		close(live->use_pattern_fd);
	free(live->use_keys);
	free(live->use_vals);
}
