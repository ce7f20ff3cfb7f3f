/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `record`: attaches, drains until it is told to stop, writes what was asked for. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "analyze/analyze.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/output.h"
#include "cmd/session.h"

#define TRACER_NICE      -10
#define DRAIN_MAX        50000
#define CARE_NS          100000000ULL
#define RESCAN_NS        1000000000ULL
#define PROGRESS_NS      5000000000ULL
#define PROGRESS_TTY_NS  500000000ULL
#define POLL_MS          50
#define CHECKPOINT_SHARE 50 /* at most 1/50 of the time goes into checkpoints */

static volatile sig_atomic_t interrupts; /* the signal flag */

static void on_signal(int sig)
{
	static const char text[] = "\nasyncscope-bpf: aborted\n";

	(void)sig;
	if (++interrupts < 2)
		return;
	/* Everything of ours in the kernel hangs on descriptors, and a partial snapshot stays. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write() */
}

/* Each process that is followed, each CPU's counters and each link is a descriptor. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* What is due at which time. */
struct clocks {
	uint64_t care, rescan, progress, checkpoint, end;
};

static bool due(uint64_t *clock, uint64_t now, uint64_t period)
{
	if (now < *clock)
		return false;
	*clock = now + period;
	return true;
}

/* A large recording's checkpoints come less often. */
static uint64_t pace(uint64_t clock, uint64_t took_ns)
{
	uint64_t extra = took_ns * CHECKPOINT_SHARE;

	return extra > CHECKPOINT_NS ? clock - CHECKPOINT_NS + extra : clock;
}

static void show_progress(const struct session *session, uint64_t now, bool tty)
{
	const struct model *model = session->model;

	if (log_level < LOG_NORMAL)
		return;
	fprintf(stderr, "%srecording %.0f s, %zu tasks, %lld slices, %llu losses%s",
		tty ? "\r" : "", (now - session->armed_ns) / 1e9, model->task_cnt,
		(long long)model->meta.slices_seen,
		(unsigned long long)(live__loss(session->live, LOSS_RING_FULL) +
				     live__loss(session->live, LOSS_RING_BUSY)),
		tty ? "\033[K" : "\n");
}

static const char *stop_reason(const struct session *session, const struct clocks *clocks,
			       uint64_t now)
{
	if (interrupts)
		return "interrupted";
	if (session__ended(session))
		return "the target ended";
	if (now >= clocks->end)
		return "the time was over";
	return NULL;
}

/* Drains and looks after things until there is a reason to stop. */
static int run(struct session *session, struct outputs *outputs, const char **reason)
{
	uint64_t duration = session->options->duration_ns, now = mono_ns();
	bool tty = isatty(STDERR_FILENO);
	struct clocks clocks = {
		.progress = now + PROGRESS_NS,
		.checkpoint = now + CHECKPOINT_NS,
		.end = duration ? session->armed_ns + duration : UINT64_MAX,
	};
	struct pollfd fd = {.fd = live__fd(session->live), .events = POLLIN};
	int cnt = 0;

	while (cnt >= 0) {
		uint64_t left;

		now = mono_ns();
		*reason = stop_reason(session, &clocks, now);
		if (*reason)
			break;
		left = clocks.end > now ? (clocks.end - now) / 1000000 + 1 : 0;
		if (!cnt && poll(&fd, 1, left < POLL_MS ? left : POLL_MS) < 0 && errno != EINTR)
			return -errno;
		cnt = session__drain(session, DRAIN_MAX);
		now = mono_ns();
		if (due(&clocks.care, now, CARE_NS)) {
			int err = session__sample(session);

			if (err)
				return err;
			session__care(session, due(&clocks.rescan, now, RESCAN_NS));
			control__tick(session, mono_ns());
		}
		if (due(&clocks.progress, now, tty ? PROGRESS_TTY_NS : PROGRESS_NS))
			show_progress(session, now, tty);
		if (!budget__in_window(session->control.budget) &&
		    due(&clocks.checkpoint, now, CHECKPOINT_NS)) {
			meta__checkpoint(session);
			outputs__checkpoint(outputs, session->model);
			clocks.checkpoint = pace(clocks.checkpoint, mono_ns() - now);
		}
	}
	if (tty && log_level >= LOG_NORMAL)
		fputs("\r\033[K", stderr);
	return cnt < 0 ? cnt : 0;
}

static int write_all(struct session *session, struct outputs *outputs)
{
	struct analysis *analysis = analysis__new(session->model);
	int ret;

	if (!analysis) {
		log_err("cannot analyse the recording: %s", strerror(errno));
		return EXIT_FAILED;
	}
	ret = outputs__write(outputs, session->model, analysis);
	analysis__free(analysis);
	return ret;
}

static int record(struct session *session, struct outputs *outputs)
{
	const char *reason = NULL;
	int err, ret;

	ret = session__start(session);
	if (ret)
		return ret;
	outputs__checkpoint(outputs,
			    session->model); /* so that a file tells of itself from now on */
	err = run(session, outputs, &reason);
	if (err) {
		log_err("recording ends early: %s", strerror(-err));
		reason = "an error";
	}
	err = session__stop(session, reason);
	if (err)
		log_err("the recording is incomplete: %s", strerror(-err));
	ret = write_all(session, outputs);
	if (!ret && err)
		ret = EXIT_FAILED;
	if (!ret && session->options->strict && model__losses(session->model)) {
		log_err("%llu losses (--strict)",
			(unsigned long long)model__losses(session->model));
		ret = EXIT_LOSSES;
	}
	return ret;
}

int cmd_record(int argc, char **argv)
{
	struct session session = {.child_gate = -1};
	struct record_options options;
	struct outputs outputs = {};
	int ret = record_options__parse(&options, argc, argv);

	if (ret >= 0)
		goto cleanup;
	catch_signals();
	/* On a host that is out of CPU, attaching would take as long as the trouble does. */
	setpriority(PRIO_PROCESS, 0, TRACER_NICE);
	ret = session__open(&session, &options);
	raise_fd_limit(); /* after a command was forked: it keeps its own */
	if (!ret)
		ret = outputs__check(&outputs, &options);
	if (!ret)
		ret = session__load(&session);
	if (!ret)
		ret = outputs__open(&outputs);
	if (!ret) {
		meta__begin(&session, argc, argv);
		ret = record(&session, &outputs);
	}
cleanup:
	outputs__close(&outputs);
	session__close(&session);
	record_options__free(&options);
	return ret;
}
