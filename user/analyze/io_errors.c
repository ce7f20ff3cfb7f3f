/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings about calls that fail: on files, on sockets. Programs try what may not work and do it
 * another way then (copy_file_range() across file systems, [::1] before 127.0.0.1): a note. A warning
 * is what has no other way. Run by io.c.
 */
#include "analyze/pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/uses.h"

/* Few are normal: a file that is not there, a peer that went away. */
#define ERRORS_MIN   20
#define ERRORS_SHARE 0.05
/* So often a copy by the kernel is tried on a file that can only be written by write(). */
#define COPY_TRIES 2
#define PORTS      65536

static const struct error_rule {
	const char *id;
	const char *what;
	const char *path;
	struct use_filter filter;
	enum model_cap cap;
	enum wire_counter errors, reads, writes;
	const char *how_to_verify;
} error_rules[] = {
	{
		.id = "io-errors",
		.what = "on files",
		.path = "io_metrics.errors",
		.filter = {OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(SYNC), KINDS_FILE},
		.cap = CAP_IO,
		.errors = COUNTER_IO_ERRORS,
		.reads = COUNTER_IO_READS,
		.writes = COUNTER_IO_WRITES,
		.how_to_verify =
			"`strace -f -Z -e trace=%desc -p PID` on a test system shows them.",
	},
	{
		.id = "network-errors",
		.what = "on sockets",
		.path = "network_metrics.error_count",
		.filter = {OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(CONNECT), KINDS_SOCKET},
		.cap = CAP_NETWORK,
		.errors = COUNTER_NET_ERRORS,
		.reads = COUNTER_NET_RECEIVES,
		.writes = COUNTER_NET_SENDS,
		.how_to_verify =
			"`strace -f -Z -e trace=%net,%desc -p PID` on a test system shows them.",
	},
};

/* Who ever answered: by object, and of this machine by port, because a service may listen on one
 * address of localhost only. */
struct answered {
	bool *objects;
	bool *ports;
};

/* The port of an address of localhost, or PORTS. */
static size_t local_port(const struct model *model, uint32_t object)
{
	static const char *const addresses[] = {"[::1]:", "127.0.0.1:"};
	const char *name = "";

	if (object < model->object_cnt)
		name = model__str(model, model->objects[object].name);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		size_t sz = strlen(addresses[i]);

		if (!strncmp(name, addresses[i], sz)) {
			unsigned long port = strtoul(name + sz, NULL, 10);

			return port < PORTS ? port : PORTS;
		}
	}
	return PORTS;
}

static int find_answered(const struct model *model, struct answered *answered)
{
	static const struct use_filter filter = {
		OP_BIT(READ) | OP_BIT(WRITE) | OP_BIT(CONNECT),
		KINDS_SOCKET,
	};

	answered->objects = calloc(model->object_cnt + 1, sizeof(*answered->objects));
	answered->ports = calloc(PORTS + 1, sizeof(*answered->ports));
	if (!answered->objects || !answered->ports)
		return -ENOMEM;
	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		if (!use->cnt || !use_fits(model, use, &filter))
			continue;
		answered->objects[use->object] = true; /* it is there: its kind is known */
		answered->ports[local_port(model, use->object)] = true;
	}
	answered->ports[PORTS] = false; /* all that are not local */
	return 0;
}

/* The errors that no other way makes good. */
static uint64_t lasting_errors(const struct model *model, const struct use *use,
			       const struct answered *answered)
{
	if (use->op == IO_CONNECT) {
		if (use->object < model->object_cnt && answered->objects[use->object])
			return 0;
		return answered->ports[local_port(model, use->object)] ? 0 : use->errors;
	}
	/* a copy by the kernel that failed is a write that failed */
	if (use->op == IO_WRITE && use->errors <= COPY_TRIES && use->errors <= use->cnt)
		return 0;
	return use->errors;
}

struct errors {
	struct use_sum all;
	uint64_t lasting;
	const struct use *top; /* most errors; most lasting ones where there are any */
	uint64_t top_lasting;
};

static void add_errors(struct errors *errors, const struct use *use, uint64_t lasting)
{
	use_sum__add(&errors->all, use);
	errors->lasting = sat_addu(errors->lasting, lasting);
	if (!use->errors || lasting < errors->top_lasting)
		return;
	if (!errors->top || lasting > errors->top_lasting || use->errors > errors->top->errors) {
		errors->top = use;
		errors->top_lasting = lasting;
	}
}

static int report_errors(struct analysis *analysis, const struct error_rule *rule,
			 const struct errors *errors, bool is_note)
{
	const struct model *model = analysis->model;
	const struct use *top = errors->top;
	const int64_t *c = analysis->totals.c;
	double calls = (double)errors->all.errors + (double)errors->all.cnt;
	double share = percent((double)errors->all.errors, calls);
	const struct task *task = top->task ? model__task(model, top->task) : NULL;
	char label[OBJECT_LABEL_SZ], name[128], by[144] = "";
	struct finding *finding;

	if (task)
		snprintf(by, sizeof(by), " by %s", task_label(model, task, name, sizeof(name)));
	finding = finding__new(analysis, rule->id, is_note ? SEVERITY_INFO : SEVERITY_WARNING,
			       "%.0f%% of the calls %s failed (%llu of %llu), most on %s%s (%llu)",
			       share, rule->what, (unsigned long long)errors->all.errors,
			       (unsigned long long)sat_addu(errors->all.errors, errors->all.cnt),
			       object_label(model, top->object, 60, label), by,
			       (unsigned long long)top->errors);
	if (!finding)
		return -ENOMEM;
	finding->confidence = 0.7;
	finding->task = top->task;
	finding__evidence(finding, rule->path, (double)c[rule->errors], "count", 0);
	finding__evidence(finding, "operations", (double)sat_add(c[rule->reads], c[rule->writes]),
			  "count", 0);
	finding__evidence(finding, "share of calls", share, "%", 0);
	finding__evidence(finding, "errors without another way", (double)errors->lasting, "count",
			  0);
	finding__evidence(finding, "errors", (double)top->errors, "count", top->task);
	return finding__advice(
		finding,
		is_note ? "Probably a first try that is made good another way: a copy by the kernel "
			  "that this file system cannot do, an address that nobody listens on. It "
			  "costs a call each time."
			: "Look at what that task tries, and whether it tries again and again: a loop "
			  "around a failing call costs and hides the cause.",
		rule->how_to_verify);
}

static int find_errors(struct analysis *analysis, const struct error_rule *rule,
		       const struct answered *answered)
{
	const struct model *model = analysis->model;
	struct errors errors = {};
	double calls;

	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		if (use_fits(model, use, &rule->filter))
			add_errors(&errors, use, lasting_errors(model, use, answered));
	}
	calls = (double)errors.all.errors + (double)errors.all.cnt;
	if (errors.all.errors < ERRORS_MIN || (double)errors.all.errors < ERRORS_SHARE * calls)
		return 0;
	return report_errors(analysis, rule, &errors,
			     errors.lasting < ERRORS_MIN ||
				     (double)errors.lasting < ERRORS_SHARE * calls);
}

int find_io_errors(struct analysis *analysis)
{
	struct answered answered = {};
	int err = find_answered(analysis->model, &answered);

	for (size_t i = 0; !err && i < sizeof(error_rules) / sizeof(error_rules[0]); i++) {
		if (analysis->model->caps[error_rules[i].cap].measured)
			err = find_errors(analysis, &error_rules[i], &answered);
	}
	free(answered.objects);
	free(answered.ports);
	return err;
}
