/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a recording; see session.h. Live and offline meet here. */
#include "cmd/session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/command.h"
#include "cmd/memory.h"
#include "live/caps.h"
#include "live/tracefs.h"
#include "runtime/runtime.h"
#include "target/symbols.h"

int64_t rusage_ns(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000LL +
	       (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000LL;
}

const struct process *session__process(const struct session *session, uint32_t pid)
{
	for (size_t i = session->process_cnt; i--;)
		if ((uint32_t)session->processes[i].target->pid == pid)
			return &session->processes[i];
	return NULL;
}

static struct process *find_process(struct session *session, pid_t pid)
{
	for (size_t i = 0; i < session->process_cnt; i++)
		if (session->processes[i].target->pid == pid && !session->processes[i].ended)
			return &session->processes[i];
	return NULL;
}

/* The plan's files that stay probed: those of before an exec, because they may be mapped again, and
 * those that are not mapped any more, whose probes stay as well. */
static void keep_before(struct plan *plan, struct plan *old, bool has_execed)
{
	struct plan *older = old->before;

	if (has_execed || !plan__covers(plan, old)) {
		plan->before = old;
		return;
	}
	old->before = NULL;
	plan->before = older;
	plan__free(old);
}

/* Probes of what is in there, as far as they are not there yet. Not to find any is no failure: there
 * are threads. */
static void attach_probes(struct session *session, struct process *process, bool has_execed)
{
	struct plan_options options;
	struct plan *plan;

	memory__plan_options(session, process->target, &options);
	/* what was safe before an exec need not be so afterwards */
	if (has_execed && process->plan && !options.return_probes) {
		live__drop_plan(session->live, process->target->pid);
		plan__free(process->plan);
		process->plan = NULL;
	}
	plan = plan__new(process->target, &options);
	if (!plan) {
		log_warn("cannot look for runtimes in process %d: %s", process->target->pid,
			 strerror(errno));
		return;
	}
	memory__planned(session, process->target, plan);
	if (control__attach(session, plan, process->plan) && target__alive(process->target))
		session->heap_unattached = true;
	if (process->plan)
		keep_before(plan, process->plan, has_execed);
	process->plan = plan;
	process->files = target__files_hash(process->target);
}

/* Files may have been mapped: what is new is probed, too. */
static void look_for_files(struct session *session, struct process *process)
{
	if (session->stop_ns || target__refresh(process->target) ||
	    target__files_hash(process->target) == process->files)
		return;
	attach_probes(session, process, false);
	meta__runtimes(session, process->target);
}

static int add_process(struct session *session, pid_t pid, enum target_error *error)
{
	struct process process = {.target = target__open(pid, error)};
	int err;

	if (!process.target)
		return -ESRCH;
	err = array__reserve((void **)&session->processes, &session->process_cap,
			     session->process_cnt + 1, sizeof(process));
	if (err) {
		target__free(process.target);
		return err;
	}
	process.cpu_start_ns = target_cpu_ns(pid);
	process.cpu_last_ns = process.cpu_start_ns;
	session->processes[session->process_cnt++] = process;
	return 0;
}

/* What it says of a pid that cannot be a target. */
static int refuse_pid(pid_t pid, enum target_error error)
{
	if (error == TARGET_IS_THREAD) {
		log_err("%d is a thread of process %d: record that", (int)pid, target_pid_of(pid));
		return EXIT_NO_TARGET;
	}
	if (error == TARGET_DENIED) {
		log_err("process %d: permission denied (%s)", (int)pid, CAPS_REMEDY);
		return EXIT_ENVIRONMENT;
	}
	log_err("process %d: %s", (int)pid, target_error_text(error));
	return error == TARGET_NO_MEMORY ? EXIT_FAILED : EXIT_NO_TARGET;
}

/* Process ids are the tracer's namespace's, BPF's are the host's: they must be the same. */
#define INIT_PID_NS "pid:[4026531836]"
static int check_pid_namespace(void)
{
	char name[64] = "";

	if (readlink("/proc/self/ns/pid", name, sizeof(name) - 1) < 0 || !strcmp(name, INIT_PID_NS))
		return 0;
	log_err("the recorder needs the host's pid namespace (run it on the host, or in a container "
		"with --pid=host)");
	return EXIT_ENVIRONMENT;
}

static int find_targets(struct session *session)
{
	enum target_error error = TARGET_OK;
	char path[PATH_MAX];
	pid_t *pids;
	int cnt, ret = 0;

	if (session->options->command) {
		if (!command__find(session->options->command[0], path, sizeof(path))) {
			log_err("cannot start %s: %s", session->options->command[0],
				strerror(errno));
			return EXIT_FAILED;
		}
		ret = command__start(session);
		if (!ret && add_process(session, session->child, &error))
			ret = refuse_pid(session->child, error);
		if (!ret)
			target__expect_exec(session->processes[0].target, path);
		return ret;
	}
	cnt = session__find(session->options, &pids);
	if (cnt < 0)
		return -cnt;
	for (int i = 0; i < cnt && !ret; i++) {
		if (!find_process(session, pids[i]) && add_process(session, pids[i], &error))
			ret = refuse_pid(pids[i], error);
		/* of many, one may well have ended */
		if (ret == EXIT_NO_TARGET && cnt > 1 && !session->options->pid_cnt)
			ret = 0;
	}
	free(pids);
	if (!ret && !session->process_cnt) {
		log_err("the processes have ended already");
		ret = EXIT_NO_TARGET;
	}
	return ret;
}

static uint32_t thread_cnt(const struct session *session)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < session->process_cnt; i++) {
		pid_t *tids = NULL;
		int cnt = target__threads(session->processes[i].target, &tids);

		free(tids);
		sum += cnt > 0 ? cnt : 0;
	}
	return sum;
}

static bool is_single(const struct session *session)
{
	const struct record_options *options = session->options;

	return session->process_cnt == 1 && !options->follow_forks && !options->cgroup;
}

/* How uprobes are attached: the best way there is, or what was asked for. */
static enum uprobe_rung rung_of(const struct session *session)
{
	enum uprobe_rung best = features__uprobe_rung(&session->features);

	return session->options->rung > best ? session->options->rung : best;
}

int session__open(struct session *session, const struct record_options *options)
{
	char why[256];
	int ret;

	session->options = options;
	session->child_gate = -1;
	session->begin_ns = mono_ns();
	ret = check_pid_namespace();
	if (!ret)
		ret = find_targets(session);
	if (ret)
		return ret;
	features__probe(&session->features);
	if (!features__usable(&session->features, why, sizeof(why))) {
		log_err("%s", why);
		return EXIT_ENVIRONMENT;
	}
	/* before there is much memory that a child would share */
	prices__measure(&session->prices, rung_of(session));
	return 0;
}

int session__load(struct session *session)
{
	const struct record_options *options = session->options;
	struct live_options live = {
		.single_pid = is_single(session) ? session->processes[0].target->pid : 0,
		.follow_forks = options->follow_forks || options->cgroup,
		.ring_sz = options->ring_sz,
		.thread_hint = thread_cnt(session),
		.hw = options->hw,
		.rung = options->rung,
		.io_source = options->io_source,
		.heap_mode = options->heap,
		.heap_entries = options->heap_entries,
	};
	enum wire_io_source source = features__io_source(&session->features, options->io_source);

	if (options->io_source != IO_SOURCE_AUTO && options->io_source != IO_SOURCE_OFF &&
	    source == IO_SOURCE_OFF) {
		log_err("--io-source %s: this kernel does not have it (asyncscope-bpf check says "
			"why; --io-source auto takes the best there is)",
			io_source_name(options->io_source));
		return EXIT_ENVIRONMENT;
	}

	tracefs__remove_stale();
	session->model = model__new();
	if (!session->model) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	session->live = live__new(&session->features, &live);
	return session->live ? 0 : EXIT_ENVIRONMENT;
}

static int start_feed(struct session *session)
{
	struct feed_options options = {
		.start_mono_ns = session->armed_ns,
		.max_memory = session->options->max_memory,
		.ctx = session,
		.class_of = names__class_of,
		.disk_name = names__disk,
		.site_name = memory__site_name,
	};

	return feed__start(session->model, &options);
}

static int add_targets(struct session *session)
{
	for (size_t i = 0; i < session->process_cnt; i++) {
		struct process *process = &session->processes[i];

		if (!is_single(session) && live__add_target(session->live, process->target->pid))
			return EXIT_FAILED;
		attach_probes(session, process, false);
		meta__runtimes(session, process->target);
	}
	return 0;
}

static void say_attached(const struct session *session)
{
	const struct target *first = session->processes[0].target;
	const char *name = session->options->command ? session->options->command[0] : first->comm;
	uint32_t threads = thread_cnt(session);

	if (session->process_cnt == 1)
		log_info("attached to process %d (%s), %u thread%s, after %.2f s", (int)first->pid,
			 name, threads, threads == 1 ? "" : "s",
			 (session->armed_ns - session->begin_ns) / 1e9);
	else
		log_info("attached to %zu processes, %u threads, after %.2f s",
			 session->process_cnt, thread_cnt(session),
			 (session->armed_ns - session->begin_ns) / 1e9);
}

int session__start(struct session *session)
{
	struct rusage usage;
	int ret;

	if (live__attach(session->live))
		return EXIT_ENVIRONMENT;
	ret = add_targets(session);
	if (ret)
		return ret;
	getrusage(RUSAGE_SELF, &usage);
	session->own_cpu_start_ns = rusage_ns(&usage);
	for (size_t i = 0; i < session->process_cnt; i++) {
		struct process *process = &session->processes[i];

		process->cpu_start_ns = target_cpu_ns(process->target->pid);
	}
	if (live__arm(session->live, &session->armed_ns))
		return EXIT_ENVIRONMENT;
	control__arm(session);
	if (start_feed(session) || control__start(session)) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	meta__checkpoint(session);
	say_attached(session);
	return command__go(session);
}

/* Until its probes are attached, a process runs with its threads recorded only. */
static void attach_late(struct session *session, struct process *process, uint64_t since_ns,
			bool has_execed)
{
	uint64_t now;

	if (session->stop_ns)
		return; /* drained at the end: nothing to attach for */
	attach_probes(session, process, has_execed);
	now = mono_ns();
	session->probe_gap_ns += now > since_ns ? now - since_ns : 0;
}

#define LOOK_NS 1000000000ULL

/* A process of the target exec'ed: other files, other runtimes. */
static void on_exec(struct session *session, const struct event *event)
{
	struct process *process = find_process(session, event->tgid);

	if (!process || target__refresh(process->target))
		return;
	live__forget_tasks(session->live, event->tgid, event->ns);
	live__heap_forget(session->live, event->tgid, event->ns);
	attach_late(session, process, event->ns, true);
	meta__runtimes(session, process->target);
	/* the dynamic linker maps the libraries from now on; should it be faster than its probe */
	process->look_until_ns = mono_ns() + LOOK_NS;
}

static void on_fork(struct session *session, const struct event *event)
{
	const struct wire_fork *fork = &event->fork;
	enum target_error error;

	if (!fork->followed || find_process(session, fork->child_tgid))
		return;
	if (add_process(session, fork->child_tgid, &error)) {
		/* most often it has ended already; its threads are in the recording */
		if (error == TARGET_NOT_FOUND || error == TARGET_ZOMBIE)
			live__drop_target(session->live, fork->child_tgid);
		else
			session->unseen_cnt++;
		return;
	}
	/* its account begins with it */
	session->processes[session->process_cnt - 1].cpu_start_ns = 0;
	attach_late(session, &session->processes[session->process_cnt - 1], event->ns, false);
}

int session__on_record(void *ctx, const void *data, size_t sz)
{
	struct session *session = ctx;
	struct process *process;
	struct event event;

	if (event__decode(&event, data, sz)) {
		session->undecodable_cnt++;
		return 0;
	}
	/* the command's first thread was there before, but had not begun to run the command */
	if (event.kind == WIRE_SPAWN && session->options->command &&
	    event.spawn.native == (uint64_t)session->processes[0].target->pid) {
		event.spawn.flags &= ~SPAWN_EXISTED;
		event.spawn.start_ns = event.ns;
	}
	if (event.kind == WIRE_EXEC)
		on_exec(session, &event);
	else if (event.kind == WIRE_FORK)
		on_fork(session, &event);
	if (event.kind != WIRE_MAPS)
		return feed__event(session->model, &event);
	process = find_process(session, event.tgid);
	if (process)
		look_for_files(session, process);
	return 0;
}

int session__drain(struct session *session, int max)
{
	return live__drain(session->live, max, session__on_record, session);
}

/* How often the tables of uses are emptied: sooner when they fill. */
#define USES_NS   500000000ULL
#define USES_MANY 2000

#define SAMPLE_MAX_NS  5000000ULL
#define SAMPLE_LATE_NS 1000000000ULL /* better a doubtful one than none */

static int take_uses(struct session *session)
{
	uint64_t now = mono_ns();
	int cnt = live__uses(session->live, session__on_record, session);

	if (cnt < 0)
		return cnt;
	feed__uses_taken(session->model, now);
	session->uses_next_ns = cnt < USES_MANY ? now + USES_NS : now;
	return 0;
}

static int take_due_uses(struct session *session, uint64_t now)
{
	return now < session->uses_next_ns ? 0 : take_uses(session);
}

int session__sample(struct session *session)
{
	static const struct {
		enum wire_gauge gauge;
		enum model_series series;
	} gauges[] = {
		{GAUGE_CONNECTIONS, SERIES_CONNECTIONS},
		{GAUGE_DISK_IN_FLIGHT, SERIES_DISK_IN_FLIGHT},
	};
	int64_t vals[sizeof(gauges) / sizeof(gauges[0])], io_time;
	uint64_t since = mono_ns(), now;
	int err = memory__sample(session);

	if (err || live__io_source(session->live) == IO_SOURCE_OFF)
		return err ? err : take_due_uses(session, since);
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		vals[i] = live__gauge(session->live, gauges[i].gauge);
	io_time = live__gauge(session->live, GAUGE_IO_TIME);
	now = mono_ns();
	/* kept off the CPU meanwhile: when this was so is not known well enough */
	if (now - since > SAMPLE_MAX_NS && now - session->sampled_ns < SAMPLE_LATE_NS)
		return 0;
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]) && !err; i++)
		err = feed__sample(session->model, gauges[i].series, now, vals[i]);
	/* operations in flight on average: the time they took by the time that passed */
	if (!err && session->sampled_ns && now > session->sampled_ns && !session->control.io_off)
		err = feed__sample(session->model, SERIES_IO_QUEUE, now,
				   (io_time - session->io_time_ns) * 1000 /
					   (int64_t)(now - session->sampled_ns));
	session->io_time_ns = io_time;
	session->sampled_ns = now;
	return err ? err : take_due_uses(session, now);
}

static void measure_process(struct process *process)
{
	int64_t cpu = target_cpu_ns(process->target->pid);

	if (cpu >= 0)
		process->cpu_last_ns = cpu;
	if (target__alive(process->target))
		return;
	process->ended = true;
	process->ended_ns = mono_ns();
	target__ended(process->target);
	/* a zombie still tells its account; one that is gone told it some time before */
	process->cpu_exact = cpu >= 0;
}

static void measure_child(struct session *session, struct process *process)
{
	struct rusage usage;

	if (!process->ended || process->target->pid != session->child)
		return;
	if (wait4(session->child, NULL, WNOHANG, &usage) != session->child)
		return;
	process->cpu_last_ns = rusage_ns(&usage);
	process->cpu_exact = true;
	session->child = 0;
}

#define LATE_NS 2000000000ULL /* by then all its records have come */

/* What an ended process holds: its place among the targets, because pids are reused, and files. */
static void release_process(struct session *session, struct process *process)
{
	if (process->released || mono_ns() - process->ended_ns < LATE_NS)
		return;
	process->released = true;
	live__drop_target(session->live, process->target->pid);
	if (process->plan && process->plan->probe_cnt) {
		live__forget_tasks(session->live, process->target->pid, UINT64_MAX);
		/* its memory went with it */
		live__heap_forget(session->live, process->target->pid, process->ended_ns);
	}
	plan__free(process->plan);
	process->plan = NULL;
}

static void rescan_cgroup(struct session *session)
{
	enum target_error error;
	bool added = false;
	pid_t *pids;
	int cnt = target_find_by_cgroup(session->options->cgroup, &pids);

	if (cnt < 0)
		return;
	for (int i = 0; i < cnt; i++) {
		if (find_process(session, pids[i]) || add_process(session, pids[i], &error) ||
		    live__add_target(session->live, pids[i]))
			continue;
		attach_probes(session, &session->processes[session->process_cnt - 1], false);
		added = true;
	}
	free(pids);
	if (added)
		live__seed(session->live);
}

void session__care(struct session *session, bool rescan)
{
	for (size_t i = 0; i < session->process_cnt; i++) {
		struct process *process = &session->processes[i];

		if (process->ended) {
			release_process(session, process);
			continue;
		}
		measure_process(process);
		measure_child(session, process);
		if (process->ended)
			live__drop_plan(session->live, process->target->pid);
		else if (mono_ns() < process->look_until_ns)
			look_for_files(session, process);
	}
	if (rescan && session->options->cgroup)
		rescan_cgroup(session);
}

bool session__ended(const struct session *session)
{
	for (size_t i = 0; i < session->process_cnt; i++)
		if (!session->processes[i].ended)
			return false;
	return true;
}

static int on_edge(void *ctx, const struct wire_edge_key *key, const struct wire_edge *edge)
{
	struct session *session = ctx;

	return feed__edge(session->model, key, edge);
}

#define LAST_DRAIN 1000000

int session__stop(struct session *session, const char *reason)
{
	int err, cnt;

	live__disarm(session->live, &session->stop_ns);
	session__care(session, false); /* the processes' accounts, while they are of that moment */
	err = live__flush(session->live);
	/* producers are off: what is in the ring is all there is */
	do {
		cnt = session__drain(session, LAST_DRAIN);
	} while (cnt > 0);
	if (cnt < 0)
		err = cnt;
	if (!err)
		feed__sockets_told(session->model);
	if (!err)
		err = session__sample(session);
	if (!err)
		err = take_uses(session);
	if (!err)
		err = live__edges(session->live, on_edge, session);
	if (!err)
		err = memory__end(session);
	meta__caps(session);
	if (!err)
		err = feed__finish(session->model, session->stop_ns - session->armed_ns);
	meta__end(session, reason);
	return err;
}

void session__close(struct session *session)
{
	command__close(session);
	live__free(session->live);
	for (size_t i = 0; i < session->process_cnt; i++) {
		plan__free(session->processes[i].plan);
		target__free(session->processes[i].target);
	}
	free(session->processes);
	names__free(session);
	symbols__free(session->symbols);
	control__free(&session->control);
	model__free(session->model);
}
