/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about the machine, the target and the recording, into the model; see session.h. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "cmd/memory.h"
#include "cmd/session.h"
#include "live/perf.h"
#include "runtime/runtime.h"

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	return clock_gettime(id, &ts) ? NO_TIME : ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void set_options(struct model *model, int argc, char **argv)
{
	struct buf buf = {};

	for (int i = 1; i < argc; i++) {
		/* what comes after -- is the target's command line, which is masked elsewhere */
		if (!strcmp(argv[i], "--"))
			break;
		buf__printf(&buf, "%s%s", i > 1 ? " " : "", argv[i]);
	}
	model->meta.options = model__intern(model, buf__str(&buf));
	buf__free(&buf);
}

static void set_host(struct model *model)
{
	struct utsname uts;

	if (uname(&uts))
		return;
	model->meta.kernel = model__intern(model, uts.release);
	model->meta.arch = model__intern(model, uts.machine);
	model->meta.hostname = model__intern(model, uts.nodename);
	model->meta.cpus = sysconf(_SC_NPROCESSORS_ONLN);
}

static void set_target(struct model *model, const struct target *target)
{
	struct meta *meta = &model->meta;

	meta->pid = target->pid;
	meta->uid = target->uid;
	meta->target_start_ns = target->start_boot_ns;
	meta->exe = model__intern(model, target->exe);
	meta->comm = model__intern(model, target->comm);
	meta->cmdline = model__intern(model, target->cmdline);
	meta->container = model__intern(model, target->container);
	meta->namespaces = model__intern(model, target->namespaces);
}

void meta__begin(struct session *session, int argc, char **argv)
{
	struct model *model = session->model;

	model->meta.version = model__intern(model, ASYNCSCOPE_VERSION);
	model->meta.title = model__intern(model, session->options->title);
	set_options(model, argc, argv);
	set_host(model);
	set_target(model, session->processes[0].target);
}

/* After an exec a runtime is found again: its newest state takes the old one's place. */
static struct runtime_info *runtime_info_get(struct model *model, const char *name, uint32_t tgid)
{
	for (size_t i = 0; i < model->runtime_cnt; i++) {
		struct runtime_info *info = &model->runtimes[i];

		if (info->tgid == tgid && !strcmp(model__str(model, info->name), name))
			return info;
	}
	if (array__reserve((void **)&model->runtimes, &model->runtime_cap, model->runtime_cnt + 1,
			   sizeof(*model->runtimes)))
		return NULL;
	return &model->runtimes[model->runtime_cnt++];
}

void meta__runtimes(struct session *session, const struct target *target)
{
	struct model *model = session->model;

	for (size_t i = 0; i < runtime_adapter_cnt; i++) {
		struct runtime_found found = {};
		struct runtime_info *info;

		runtime_adapters[i]->detect(target, &found);
		if (found.confidence == CONFIDENCE_NONE)
			continue;
		info = runtime_info_get(model, runtime_adapters[i]->name, target->pid);
		if (!info)
			continue;
		info->name = model__intern(model, runtime_adapters[i]->name);
		info->version = model__intern(model, found.version);
		info->binding = model__intern(model, found.binding);
		info->confidence = model__intern(model, confidence_name(found.confidence));
		info->reason = model__intern(model, found.reason);
		info->tgid = target->pid;
	}
}

static bool has_async(const struct model *model)
{
	for (size_t i = 0; i < model->runtime_cnt; i++)
		if (strcmp(model__str(model, model->runtimes[i].name),
			   runtime_name(RUNTIME_THREAD)))
			return true;
	return false;
}

/* Whether a capability of IO is there; `off`: nobody wanted it. */
static void set_io_cap(struct model *model, enum model_cap cap, bool off, bool has,
		       const char *source, const char *missing)
{
	if (off)
		model__cap_miss(model, cap, "switched off (--io-source off)");
	else if (has)
		model__cap_set(model, cap, source);
	else
		model__cap_miss(model, cap, missing);
}

static void set_io_caps(struct session *session)
{
	const struct features *features = &session->features;
	enum wire_io_source source = live__io_source(session->live);
	bool off = session->options->io_source == IO_SOURCE_OFF, has = source != IO_SOURCE_OFF;
	struct model *model = session->model;
	char text[768];

	live__io_text(session->live, text, sizeof(text));
	set_io_cap(model, CAP_IO, off, has, text, "no source of IO on this kernel");
	set_io_cap(model, CAP_NETWORK, off, has, text, "no source of IO on this kernel");
	set_io_cap(model, CAP_DISK, off, has && features->block_requests,
		   "block_rq_issue and block_rq_complete, requests issued by the target's threads",
		   "this kernel has no tracepoints of block requests");
	set_io_cap(model, CAP_RSS, off, has && features->rss_stat,
		   features->rss_exact ? "rss_stat" : "rss_stat, told in batches of 64 pages",
		   "this kernel has no tracepoint of resident memory, or tracefs is missing");
	if (features->io_accounting)
		model__cap_set(model, CAP_DISK_BYTES, "the kernel's IO accounting per thread");
	else
		model__cap_miss(model, CAP_DISK_BYTES,
				"this kernel was built without task IO accounting");
}

void meta__caps(struct session *session)
{
	static const enum model_cap hw_caps[HW_CNT] = {
		CAP_CYCLES,
		CAP_INSTRUCTIONS,
		CAP_CACHE_MISSES,
		CAP_BRANCH_MISSES,
	};
	const struct features *features = &session->features;
	struct model *model = session->model;

	model__cap_set(model, CAP_CPU, "sched_switch, the kernel's own account per thread");
	model__cap_set(
		model, CAP_WAITS,
		features->seed_sleepable
			? "sched_switch, cause from the system call"
			: "sched_switch, cause from the system call; locks of threads that slept "
			  "at attach are not told");
	model__cap_set(model, CAP_FAULTS, "the kernel's own counters per thread");
	model__cap_set(model, CAP_WAKES,
		       "sched_waking; wakes by interrupts told by the saved registers");
	for (int i = 0; i < HW_CNT; i++) {
		if (live__hw(session->live, i))
			model__cap_set(model, hw_caps[i],
				       session->options->hw == HW_SOURCE_SOFTWARE
					       ? "a software event in its place (--hw sw)"
					       : "hardware counter");
		else
			model__cap_miss(model, hw_caps[i],
					session->options->hw == HW_SOURCE_OFF
						? "switched off (--hw off)"
						: perf__hw_text(features->hw_err[i]));
	}
	set_io_caps(session);
	memory__caps(session);
	control__caps(session);
	if (has_async(model))
		model__cap_set(model, CAP_RUNS, uprobe_rung_name(live__rung(session->live)));
	if (session->prices.entry_ns >= 0)
		model__cap_set(model, CAP_PROBE_PRICE,
			       "traps: measured in a child at the start; programs: by the kernel");
}

static void set_process_cpu(struct session *session)
{
	struct meta *meta = &session->model->meta;
	int64_t sum = 0;

	meta->process_cnt = session->process_cnt;
	for (size_t i = 0; i < session->process_cnt; i++) {
		const struct process *process = &session->processes[i];

		if (process->cpu_start_ns < 0 || (process->ended && !process->cpu_exact))
			return;
		sum += process->cpu_last_ns - process->cpu_start_ns;
	}
	meta->process_cpu_ns = sum;
}

static void set_own_cost(struct session *session)
{
	struct meta *meta = &session->model->meta;
	struct live_cost cost;
	struct rusage usage;
	int64_t price;
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages;

	if (file) {
		if (fscanf(file, "%*u %lu", &pages) == 1)
			meta->tracer_rss_bytes = pages * sysconf(_SC_PAGESIZE);
		fclose(file);
	}
	if (!getrusage(RUSAGE_SELF, &usage))
		meta->tracer_cpu_ns = rusage_ns(&usage) - session->own_cpu_start_ns;
	meta->kernel_memory_bytes = live__kernel_memory(session->live);
	live__cost(session->live, session->stop_ns - session->armed_ns, &cost);
	if (cost.window_ns) {
		meta->hook_ns = cost.hook_ns;
		meta->hook_runs = cost.hook_runs;
	}
	price = control__probe_price(session);
	if (price >= 0)
		meta->probe_price_ns = price;
}

static void set_probe_hits(struct model *model)
{
	int64_t sum = 0;

	for (size_t i = 0; i < model->task_cnt; i++)
		sum += model->tasks[i].c[COUNTER_PROBE_HITS];
	for (size_t i = 0; i < model->class_cnt; i++)
		sum += model->classes[i].folded_c[COUNTER_PROBE_HITS];
	model->meta.probe_hits = sum;
}

static void set_losses(struct session *session)
{
	static const struct {
		const char *name;
		bool missing;
		const char *meaning;
	} losses[] = {
#define X(id, name, missing, meaning) {#name, missing, meaning},
		WIRE_LOSSES(X)
#undef X
	};
	struct model *model = session->model;

	for (int i = 0; i < LOSS_CNT; i++)
		model__counter_add(model, losses[i].name, losses[i].meaning, losses[i].missing,
				   live__loss(session->live, i));
	model__counter_add(model, "recursion_misses",
			   "program runs that the kernel skipped because it ran already", true,
			   live__recursion_misses(session->live));
	model__counter_add(model, "probe_misses",
			   "hits of kprobes that the kernel did not handle, as far as it tells",
			   true, live__probe_misses(session->live));
	model__counter_add(model, "undecodable", "records of the ring that made no sense", true,
			   session->undecodable_cnt);
	model__counter_add(model, "processes_unseen",
			   "followed processes that could not be opened: threads only", true,
			   session->unseen_cnt);
	model__counter_add(
		model, "probe_gap_ns",
		"time that processes ran after an exec or a fork before their probes were "
		"attached",
		false, session->probe_gap_ns);
}

static void set_clocks(struct session *session)
{
	struct meta *meta = &session->model->meta;

	meta->end_mono_ns = clock_ns(CLOCK_MONOTONIC);
	meta->end_boot_ns = clock_ns(CLOCK_BOOTTIME);
	meta->end_real_ns = clock_ns(CLOCK_REALTIME);
	/* the wall clock at time zero, from now: it may have been set in between */
	meta->started_at_ns = meta->end_real_ns - (meta->end_mono_ns - (int64_t)session->armed_ns);
	meta->start_boot_ns = meta->end_boot_ns - (meta->end_mono_ns - (int64_t)session->armed_ns);
	meta->attached_ns = session->armed_ns - session->begin_ns;
}

void meta__checkpoint(struct session *session)
{
	struct meta *meta = &session->model->meta;

	set_clocks(session);
	meta->duration_ns = meta->end_mono_ns - (int64_t)session->armed_ns;
	meta->stop_reason = model__intern(session->model, "not finished");
	meta__caps(session);
}

void meta__end(struct session *session, const char *reason)
{
	struct model *model = session->model;

	model->meta.stop_reason = model__intern(model, reason);
	set_clocks(session);
	set_target(model, session->processes[0].target); /* it may have exec'ed */
	set_process_cpu(session);
	set_probe_hits(model);
	set_own_cost(session);
	set_losses(session);
	memory__counters(session);
}
