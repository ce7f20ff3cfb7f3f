/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was recorded, where, with what, by which method, within which limits, and every raw counter.
 * HTML at the end of the page, called by html.c.
 */
#include <time.h>

#include "report/markup.h"
#include "report/sections.h"

static void fact_begin(struct buf *buf, const char *label)
{
	buf__printf(buf, "<div><dt>%s</dt><dd>", label);
}

static void fact_end(struct buf *buf)
{
	buf__puts(buf, "</dd></div>\n");
}

static void fact_str(struct buf *buf, const struct model *model, const char *label, uint32_t id)
{
	fact_begin(buf, label);
	buf__puts(buf, "<bdi>");
	markup__id_or_unknown(buf, model, id);
	buf__puts(buf, "</bdi>");
	fact_end(buf);
}

enum fact_kind {
	FACT_COUNT,
	FACT_PLAIN, /* without commas: a pid */
	FACT_NS,
	FACT_BYTES,
};

static void fact_num(struct buf *buf, const char *label, int64_t val, enum fact_kind kind)
{
	fact_begin(buf, label);
	if (val == NO_TIME)
		markup__missing(buf, "the recorder could not read it");
	else if (kind == FACT_NS)
		format_ns(buf, val);
	else if (kind == FACT_BYTES)
		format_bytes(buf, val < 0 ? 0 : val);
	else if (kind == FACT_COUNT && val >= 0)
		markup__count(buf, val);
	else
		buf__printf(buf, "%lld", (long long)val);
	fact_end(buf);
}

static void fact_clock(struct buf *buf, const char *label, int64_t real_ns)
{
	time_t seconds = real_ns / 1000000000;
	struct tm tm;
	char text[64];

	fact_begin(buf, label);
	if (real_ns == NO_TIME || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		markup__missing(buf, "the recorder could not read it");
	else
		buf__puts(buf, text);
	fact_end(buf);
}

static void facts(struct buf *buf, const struct model *model)
{
	const struct meta *meta = &model->meta;

	buf__puts(buf, "<dl class=\"facts\">\n");
	fact_str(buf, model, "Program", meta->exe);
	fact_str(buf, model, "Command line", meta->cmdline);
	fact_num(buf, "Process id", meta->pid, FACT_PLAIN);
	fact_num(buf, "Processes", meta->process_cnt, FACT_COUNT);
	fact_num(buf, "User id", meta->uid, FACT_PLAIN);
	fact_str(buf, model, "Container", meta->container);
	fact_str(buf, model, "Namespaces", meta->namespaces);
	fact_str(buf, model, "Host", meta->hostname);
	fact_str(buf, model, "Kernel", meta->kernel);
	fact_str(buf, model, "Architecture", meta->arch);
	fact_num(buf, "CPUs", meta->cpus, FACT_COUNT);
	fact_clock(buf, "Started", meta->started_at_ns);
	fact_num(buf, "Length", meta->duration_ns, FACT_NS);
	fact_num(buf, "Until the first event", meta->attached_ns, FACT_NS);
	fact_str(buf, model, "Stopped because", meta->stop_reason);
	fact_num(buf, "CPU time of the process", meta->process_cpu_ns, FACT_NS);
	fact_num(buf, "CPU time of the recorder", meta->tracer_cpu_ns, FACT_NS);
	fact_num(buf, "Memory of the recorder", meta->tracer_rss_bytes, FACT_BYTES);
	fact_num(buf, "Kernel memory", meta->kernel_memory_bytes, FACT_BYTES);
	fact_num(buf, "Probe hits", meta->probe_hits, FACT_COUNT);
	fact_num(buf, "Price of a probe", meta->probe_price_ns, FACT_NS);
	fact_num(buf, "Hooks in all processes", meta->hook_ns, FACT_NS);
	fact_str(buf, model, "asyncscope-bpf", meta->version);
	fact_str(buf, model, "Options", meta->options);
	buf__puts(buf, "</dl>\n");
}

static void table_begin(struct buf *buf, const char *caption, const char *const heads[3])
{
	buf__printf(buf,
		    "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"%s\"><table>"
		    "<caption>%s</caption><thead><tr>",
		    caption, caption);
	for (int i = 0; i < 3; i++)
		buf__printf(buf, "<th scope=\"col\">%s</th>", heads[i]);
	buf__puts(buf, "</tr></thead><tbody>\n");
}

static void table_end(struct buf *buf)
{
	buf__puts(buf, "</tbody></table></div>\n");
}

static void runtimes(struct buf *buf, const struct model *model)
{
	if (!model->runtime_cnt)
		return;
	table_begin(buf, "Runtimes found",
		    (const char *const[]){"Runtime", "Identified by", "How sure"});
	for (size_t i = 0; i < model->runtime_cnt; i++) {
		const struct runtime_info *runtime = &model->runtimes[i];

		buf__puts(buf, "<tr><th scope=\"row\">");
		markup__text(buf, model__str(model, runtime->name));
		buf__puts(buf, " ");
		markup__text(buf, model__str(model, runtime->version));
		buf__printf(buf, " <span class=\"dim\">pid %u</span></th><td>", runtime->tgid);
		markup__id_or_unknown(buf, model, runtime->binding);
		buf__puts(buf, "</td><td>");
		markup__id_or_unknown(buf, model, runtime->confidence);
		buf__puts(buf, ": ");
		markup__id_or_unknown(buf, model, runtime->reason);
		buf__puts(buf, "</td></tr>\n");
	}
	table_end(buf);
}

static void capabilities(struct buf *buf, const struct model *model)
{
	table_begin(buf, "What was measured, and with what",
		    (const char *const[]){"Capability", "Measured", "Source or reason"});
	for (int i = CAP_ALWAYS + 1; i < CAP_CNT; i++) {
		const struct cap_state *cap = &model->caps[i];

		buf__puts(buf, "<tr><th scope=\"row\">");
		markup__text(buf, cap_name(i));
		buf__printf(buf, "</th><td class=\"%s\">%s</td><td>",
			    cap->measured ? "yes" : "missing",
			    cap->measured ? "yes" : "not measured");
		markup__id_or_unknown(buf, model, cap->measured ? cap->source : cap->reason);
		buf__puts(buf, "</td></tr>\n");
	}
	table_end(buf);
}

void part_environment(struct buf *buf, const struct analysis *analysis)
{
	facts(buf, analysis->model);
	runtimes(buf, analysis->model);
	capabilities(buf, analysis->model);
}

void part_method(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;

	buf__puts(
		buf,
		"<p>A task is what the program's own runtime calls one; where there is no such"
		" runtime it is a thread. The kernel reports each switch, wakeup and wait; the time"
		" between two of them is charged to the task that was entered innermost. Sums are"
		" exact: nothing here is sampled, unless the table above says so.</p>\n<ul>\n"
		"<li>Idle is waiting for work (epoll, parked workers, condition variables): it is"
		" never counted as a bottleneck.</li>\n"
		"<li>Run queue is time in which a task could run but had no CPU.</li>\n"
		"<li>A percentile is shown only where enough values lie beyond it: p50 from 6 values"
		" on, p90 from 10, p99 from 100. Otherwise the page says &ldquo;n too"
		" small&rdquo;.</li>\n"
		"<li>What was not measured is never shown as 0: the reason stands beside it.</li>\n"
		"<li>The timeline spreads what a slice was charged evenly over the slice.</li>\n");
	if (model->meta.tasks_folded > 0) {
		buf__puts(buf, "<li>");
		markup__count(buf, model->meta.tasks_folded);
		buf__puts(buf,
			  " ended tasks were folded into their classes (--max-memory): all sums"
			  " contain them, the task table cannot list them.</li>\n");
	}
	if (model->meta.slices_seen > 0 && (uint64_t)model->meta.slices_seen > model->slice_cnt) {
		buf__puts(buf, "<li>The timeline keeps ");
		markup__count(buf, model->slice_cnt);
		buf__puts(buf, " of ");
		markup__count(buf, model->meta.slices_seen);
		buf__puts(buf, " slices, the longest ones; sums contain all.</li>\n");
	}
	buf__puts(buf, "</ul>\n");
}

void part_counters(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;

	if (!model->counter_cnt) {
		buf__puts(buf, "<p>The recording holds no counters.</p>\n");
		return;
	}
	table_begin(buf, "Counters of the recording",
		    (const char *const[]){"Name", "Value", "Meaning"});
	for (int losses = 1; losses >= 0; losses--) {
		for (size_t i = 0; i < model->counter_cnt; i++) {
			const struct counter *counter = &model->counters[i];

			if (counter->is_loss != losses)
				continue;
			buf__printf(buf, "<tr%s><th scope=\"row\">",
				    losses && counter->val ? " class=\"warn\"" : "");
			markup__text(buf, model__str(model, counter->name));
			buf__puts(buf,
				  losses ? " <span class=\"dim\">loss</span></th><td class=\"num\">"
					 : "</th><td class=\"num\">");
			markup__count(buf, counter->val);
			buf__puts(buf, "</td><td>");
			markup__text(buf, model__str(model, counter->meaning));
			buf__puts(buf, "</td></tr>\n");
		}
	}
	table_end(buf);
}
