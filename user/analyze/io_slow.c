/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about what took long: syncs, disks, connections and data that lay in a queue, requests.
 * One rule per kind of duration. Run by io.c.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdlib.h>

#include "analyze/uses.h"

#define NEVER UINT64_MAX

/*
 * A kind of duration, and from where on it is slow. Either the mean or, if there are enough to have
 * one, the 99th percentile must reach its limit; the most critical one decides the severity.
 */
struct slow_rule {
	const char *id;
	const char *path; /* of the schema */
	const char *what; /* the title's first words */
	const char *unit; /* what is counted */
	struct use_filter filter;
	enum model_cap cap;
	uint64_t min_cnt; /* fewer prove nothing */
	uint64_t mean_ns, p99_ns, critical_p99_ns;
	/* share of the life of who spent most on it that is worth a word, and that is so also where each
	 * one is quick; 0: not asked */
	double life, much_life;
	bool is_info; /* never more than a note */
	bool needs_cause; /* a note, unless who spends it is seen to have had no time: has_no_time() */
	double cost; /* factor on the time, for ranking */
	const char *recommendation;
	const char *how_to_verify;
};

static const struct slow_rule slow_rules[] = {
	{
		/* A flash disk with its own power takes 0.1 to 2 ms, a rotating one 10 to 20. What
		 * counts is that somebody spends a part of its life on it. */
		.id = "slow-sync",
		.path = "sync.total_ns",
		.what = "Syncing files takes long",
		.unit = "syncs",
		.filter = {OP_BIT(SYNC), KINDS_FILE},
		.cap = CAP_IO,
		.min_cnt = 10,
		.mean_ns = 5 * NS_PER_MS,
		.p99_ns = 50 * NS_PER_MS,
		.critical_p99_ns = NEVER,
		.life = 0.05,
		.much_life = 0.30,
		.cost = 1,
		.recommendation =
			"Sync once for many changes (group commit), preallocate the file so that a "
			"sync need not write metadata (fdatasync), or let a thread sync that nobody "
			"waits for.",
		.how_to_verify =
			"`strace -f -T -e fsync,fdatasync -p PID` on a test system; the sync numbers of "
			"the file's record fall in a new recording.",
	},
	{
		/* Above what a healthy rotating disk needs for one request with a short queue. */
		.id = "slow-disk",
		.path = "io_metrics.disk_latency.total_ns",
		.what = "The disk answers slowly",
		.unit = "requests",
		.filter = {OP_BIT(DISK_READ) | OP_BIT(DISK_WRITE), KINDS_DISK},
		.cap = CAP_DISK,
		.min_cnt = 100,
		.mean_ns = 20 * NS_PER_MS,
		.p99_ns = 50 * NS_PER_MS,
		.critical_p99_ns = 500 * NS_PER_MS,
		.cost = 0.5, /* waiting for disks tells of the same time */
		.recommendation =
			"Look whether the device is slow or its queue is long: fewer requests in "
			"flight, larger ones, another device, or a higher limit (io.max of the cgroup, "
			"the volume's own).",
		.how_to_verify = "`iostat -x 1`: r_await, w_await and aqu-sz of the device.",
	},
	{
		/* The kernel has accepted it, the program does not come round to it. */
		.id = "accept-queue",
		.path = "network_metrics.accept_latency.total_ns",
		.what = "Connections wait to be accepted",
		.unit = "connections",
		.filter = {OP_BIT(ACCEPT), KINDS_SOCKET},
		.cap = CAP_NETWORK,
		.min_cnt = 20,
		.mean_ns = 10 * NS_PER_MS,
		.p99_ns = 50 * NS_PER_MS,
		.critical_p99_ns = NS_PER_SEC,
		.cost = 1,
		.recommendation =
			"Who accepts is busy or blocked: look at long runs and at the run queue first, "
			"accept more than one connection per wakeup, or let more threads accept.",
		.how_to_verify = "`ss -ltn`: Recv-Q of the listening socket stays near 0.",
	},
	{
		/* Half a loop turn of 100 ms; a program that waits in epoll takes well below 1 ms. */
		.id = "receive-queue",
		.path = "network_metrics.receive_queue.total_ns",
		.what = "Received data lies unread: the program comes late",
		.unit = "receives",
		.filter = {OP_BIT(QUEUED), KINDS_SOCKET},
		.cap = CAP_NETWORK,
		.min_cnt = 100,
		.mean_ns = 20 * NS_PER_MS,
		.p99_ns = 50 * NS_PER_MS,
		.critical_p99_ns = NS_PER_SEC,
		.needs_cause = true,
		.cost = 1,
		.recommendation =
			"Find what keeps the task that reads: a long run or a blocking call on its event "
			"loop, the run queue, or more work per message than one thread can do. It is "
			"normal for a worker that takes one message at a time.",
		.how_to_verify = "`ss -tn`: Recv-Q of the connections; receive_queue.p99_ns falls.",
	},
	{
		/* A note only: what is slow depends on what is served. */
		.id = "slow-requests",
		.path = "network_metrics.request_latency.total_ns",
		.what = "Requests are served slowly",
		.unit = "requests",
		.filter = {OP_BIT(REQUEST), KINDS_SOCKET},
		.cap = CAP_NETWORK,
		.min_cnt = 20,
		.mean_ns = 100 * NS_PER_MS,
		.p99_ns = 250 * NS_PER_MS,
		.critical_p99_ns = NEVER,
		.is_info = true,
		.cost = 0.1,
		.recommendation =
			"From the first byte received until the first byte sent: the other findings of "
			"the same task tell where that time goes.",
		.how_to_verify = "request_latency of the task and of the connection's record.",
	},
	{
		.id = "slow-answers",
		.path = "network_metrics.response_latency.total_ns",
		.what = "Answers of others come slowly",
		.unit = "answers",
		.filter = {OP_BIT(RESPONSE), KINDS_SOCKET},
		.cap = CAP_NETWORK,
		.min_cnt = 20,
		.mean_ns = 100 * NS_PER_MS,
		.p99_ns = 250 * NS_PER_MS,
		.critical_p99_ns = NEVER,
		.is_info = true,
		.cost = 0.1,
		.recommendation =
			"That service, or the way to it, takes the time: ask less often, several things "
			"at once, or keep what it answered. Its round trip time tells the way's part.",
		.how_to_verify = "response.p99_ns and tcp.rtt_ns of the connection's record.",
	},
};

/* The uses of one kind, by object. */
struct pick {
	const struct use **uses;
	size_t cnt;
};

struct slow {
	struct hist hist;
	size_t from, to; /* of the pick */
	size_t objects; /* how many are slow by themselves; 0: only all together */
};

static int by_object(const void *a, const void *b)
{
	const struct use *x = *(const struct use *const *)a, *y = *(const struct use *const *)b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int pick_uses(const struct model *model, const struct use_filter *filter, struct pick *pick)
{
	pick->uses = malloc((model->use_cnt + 1) * sizeof(*pick->uses));
	pick->cnt = 0;
	if (!pick->uses)
		return -ENOMEM;
	for (size_t i = 0; i < model->use_cnt; i++) {
		if (use_fits(model, &model->uses[i], filter))
			pick->uses[pick->cnt++] = &model->uses[i];
	}
	qsort(pick->uses, pick->cnt, sizeof(*pick->uses), by_object);
	return 0;
}

static uint64_t mean_of(const struct hist *hist)
{
	return hist->cnt ? hist->total / hist->cnt : 0;
}

/* 0 where there are too few to have one. */
static uint64_t p99_of(const struct hist *hist)
{
	return hist->cnt >= 100 ? hist__percentile(hist, 0.99) : 0;
}

static bool is_slow(const struct hist *hist, const struct slow_rule *rule)
{
	return hist->cnt >= rule->min_cnt &&
	       (mean_of(hist) >= rule->mean_ns || p99_of(hist) >= rule->p99_ns);
}

/* Who spent most on it: a task that is still there, or NULL. */
static const struct task *main_user(const struct model *model, const struct pick *pick,
				    const struct slow *slow, uint64_t *ns)
{
	struct map64 by_task = {};
	uint64_t best = 0, sum;

	*ns = 0;
	for (size_t i = slow->from; i < slow->to; i++) {
		const struct use *use = pick->uses[i];

		if (!use->task)
			continue;
		sum = 0;
		map64__get(&by_task, use->task, &sum);
		sum = sat_addu(sum, use->latency.total);
		if (sum >= *ns) {
			*ns = sum;
			best = use->task;
		}
		if (map64__set(&by_task, use->task, sum))
			break; /* out of memory: who was found so far */
	}
	map64__free(&by_task);
	return best ? model__task(model, best) : NULL;
}

/* For tasks that are gone: as if one had done it all. */
static double of_recording(const struct analysis *analysis, uint64_t ns)
{
	return percent((double)ns, (double)recording_ns(analysis->model)) / 100;
}

/* Is it a finding? Quick ones too, where they are a large part of somebody's life. */
static bool is_worth(const struct analysis *analysis, const struct slow_rule *rule,
		     const struct pick *pick, const struct slow *slow)
{
	const struct hist *hist = &slow->hist;
	const struct task *task;
	uint64_t ns;
	double life;

	if (hist->cnt < rule->min_cnt || (rule->life <= 0 && !is_slow(hist, rule)))
		return false;
	if (rule->life <= 0)
		return true;
	task = main_user(analysis->model, pick, slow, &ns);
	life = task ? life_share(analysis, task, ns) : of_recording(analysis, hist->total);
	return life >= (is_slow(hist, rule) ? rule->life : rule->much_life);
}

/* The object that most time went to, of those that are worth a word; or all together if only these
 * are. */
static void find_slowest(const struct analysis *analysis, const struct pick *pick,
			 const struct slow_rule *rule, struct slow *slow)
{
	struct slow all = {.to = pick->cnt};
	size_t to;

	for (size_t from = 0; from < pick->cnt; from = to) {
		struct slow one = {.from = from};

		for (to = from;
		     to < pick->cnt && pick->uses[to]->object == pick->uses[from]->object; to++)
			hist__merge(&one.hist, &pick->uses[to]->latency);
		one.to = to;
		one.objects = slow->objects + 1;
		hist__merge(&all.hist, &one.hist);
		if (!is_worth(analysis, rule, pick, &one)) {
			hist__free(&one.hist);
		} else if (!slow->objects || one.hist.total > slow->hist.total) {
			hist__free(&slow->hist);
			*slow = one;
		} else {
			slow->objects++;
			hist__free(&one.hist);
		}
	}
	if (!slow->objects && is_worth(analysis, rule, pick, &all))
		*slow = all;
	else
		hist__free(&all.hist);
}

static void add_ns(struct buf *buf, const char *before, uint64_t ns, const char *behind)
{
	buf__puts(buf, before);
	format_ns(buf, sat_i64(ns));
	buf__puts(buf, behind);
}

/* "...: 12.0 ms on average, 1 of 100 took 80.0 ms or more, the longest 1.00 s (340 syncs ...)" */
static void slow_title(struct buf *title, const struct model *model, const struct slow_rule *rule,
		       const struct slow *slow, const struct pick *pick, const struct task *task,
		       double life)
{
	const struct hist *hist = &slow->hist;
	char label[OBJECT_LABEL_SZ], name[128];

	buf__printf(title, "%s: ", rule->what);
	add_ns(title, "", mean_of(hist), " on average");
	if (p99_of(hist))
		add_ns(title, ", 1 of 100 took ", p99_of(hist), " or more");
	add_ns(title, ", the longest ", hist->max, "");
	buf__printf(title, " (%llu %s", (unsigned long long)hist->cnt, rule->unit);
	if (slow->objects)
		buf__printf(title, ", %s",
			    object_label(model, pick->uses[slow->from]->object, 60, label));
	if (task)
		buf__printf(title, ", %s", task_label(model, task, name, sizeof(name)));
	if (task && rule->life > 0)
		buf__printf(title, ", %.0f%% of its life", life * 100);
	if (slow->objects > 1 && rule->life <= 0)
		buf__printf(title, "; %zu others are slow, too", slow->objects - 1);
	buf__puts(title, ")");
}

/* What the task's thread was busy with or held up by, the task itself and others in it: on the CPU, in
 * the run queue, at locks. */
static int64_t no_time_ns(const struct model *model, const struct task *task)
{
	int64_t sum = 0;

	for (size_t i = 0; i < model->task_cnt; i++) {
		const struct task *other = &model->tasks[i];

		if (other != task && (!task->tid || other->tid != task->tid))
			continue;
		sum = sat_add(sum, other->c[COUNTER_ON_CPU]);
		sum = sat_add(sum, other->c[COUNTER_RUNQUEUE]);
		sum = sat_add(sum, other->c[COUNTER_BLOCKED_LOCK]);
	}
	return sum;
}

/* Is that of the order of `ns`? Many may have waited at once, but not longer than the task lived. */
#define NO_TIME_SHARE 0.25

static bool has_no_time(const struct analysis *analysis, const struct task *task, uint64_t ns)
{
	double life, waited = (double)ns;

	if (!task)
		return false;
	life = (double)analysis->tasks[task - analysis->model->tasks].inside_ns;
	waited = waited < life ? waited : life;
	return waited > 0 && (double)no_time_ns(analysis->model, task) >= NO_TIME_SHARE * waited;
}

static enum severity slow_severity(const struct analysis *analysis, const struct slow_rule *rule,
				   const struct hist *hist, double life, bool has_cause)
{
	if (rule->is_info || (rule->needs_cause && !has_cause))
		return SEVERITY_INFO;
	if (rule->life > 0)
		return is_slow(hist, rule) && life >= rule->much_life ? SEVERITY_CRITICAL
								      : SEVERITY_WARNING;
	/* A slow disk that nobody waits for is worth a note: others write there, or write-back. */
	if (rule->cap == CAP_DISK && analysis->totals.c[COUNTER_BLOCKED_DISK] < 20 * NS_PER_MS)
		return SEVERITY_INFO;
	return p99_of(hist) >= rule->critical_p99_ns ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static int report_slow(struct analysis *analysis, const struct slow_rule *rule,
		       const struct slow *slow, const struct pick *pick)
{
	const struct hist *hist = &slow->hist;
	uint64_t ns, id;
	const struct task *task = main_user(analysis->model, pick, slow, &ns);
	double life = task ? life_share(analysis, task, ns) : of_recording(analysis, hist->total);
	bool has_cause = rule->needs_cause && has_no_time(analysis, task, ns);
	struct finding *finding;
	struct buf title = {};

	slow_title(&title, analysis->model, rule, slow, pick, task, life);
	finding = title.err ? NULL
			    : finding__new(analysis, rule->id,
					   slow_severity(analysis, rule, hist, life, has_cause),
					   "%s", buf__str(&title));
	buf__free(&title);
	if (!finding)
		return -ENOMEM;
	id = task ? task->id : 0;
	finding->cost_ns = rule->cost * (double)hist->total;
	finding->confidence = 0.8;
	finding->task = id;
	finding__evidence(finding, rule->path, (double)hist->total, "ns", 0);
	finding__evidence(finding, "count", (double)hist->cnt, "count", 0);
	finding__evidence(finding, "mean_ns", (double)mean_of(hist), "ns", 0);
	if (p99_of(hist))
		finding__evidence(finding, "p99_ns", (double)p99_of(hist), "ns", 0);
	finding__evidence(finding, "max_ns", (double)hist->max, "ns", 0);
	if (task)
		finding__evidence(finding, rule->path, (double)ns, "ns", id);
	if (task && rule->needs_cause)
		finding__evidence(finding, "on the CPU, in the run queue and at locks",
				  (double)no_time_ns(analysis->model, task), "ns", id);
	if (task && rule->life > 0)
		finding__evidence(finding, "share of its life", life * 100, "%", id);
	return finding__advice(finding, rule->recommendation, rule->how_to_verify);
}

int find_slow_io(struct analysis *analysis)
{
	const struct model *model = analysis->model;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(slow_rules) / sizeof(slow_rules[0]); i++) {
		const struct slow_rule *rule = &slow_rules[i];
		struct slow slow = {};
		struct pick pick;

		if (!model->caps[rule->cap].measured)
			continue;
		err = pick_uses(model, &rule->filter, &pick);
		if (err)
			break;
		find_slowest(analysis, &pick, rule, &slow);
		if (slow.hist.cnt)
			err = report_slow(analysis, rule, &slow, &pick);
		hist__free(&slow.hist);
		free(pick.uses);
	}
	return err;
}
