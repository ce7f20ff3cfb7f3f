/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -o asks for, and the summary on stdout. Called by record, report and export. */
#include "cmd/output.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/output_file.h"

/* Reports are for sharing; a snapshot holds command lines and names of everything. */
#define REPORT_MODE 0644

static int complain(const char *path, int err)
{
	const char *name = !strcmp(path, "-") ? "standard output" : path;

	/* Whoever reads our stdout has seen enough: nothing to tell. */
	if (err != -EPIPE)
		log_err("cannot write %s: %s (%s)", name, strerror(-err), output_remedy(-err));
	return EXIT_FAILED;
}

/* Formats that are no exporters. */
static const struct {
	const char *suffix;
	enum output_kind kind;
} formats[] = {
	{".html", OUTPUT_HTML},
	{".asnap", OUTPUT_SNAPSHOT},
};

static bool has_suffix(const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t sz = strlen(name), suffix_sz = strlen(suffix);

	return sz > suffix_sz && !strcmp(name + sz - suffix_sz, suffix);
}

static bool choose_format(struct output *output)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (has_suffix(output->path, formats[i].suffix)) {
			output->kind = formats[i].kind;
			return true;
		}
	}
	output->kind = OUTPUT_EXPORT;
	output->exporter = exporter__by_suffix(output->path);
	return output->exporter;
}

static int refuse_suffix(const char *path)
{
	struct buf known = {};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		buf__printf(&known, " %s", formats[i].suffix);
	for (size_t i = 0; i < exporter_cnt; i++)
		buf__printf(&known, " %s", exporters[i].suffix);
	log_err("-o %s: no format has this suffix (there are:%s)", path, buf__str(&known));
	buf__free(&known);
	return EXIT_USAGE;
}

static bool is_listed(const struct outputs *outputs, const char *path)
{
	for (int i = 0; i < outputs->cnt; i++) {
		if (!strcmp(outputs->items[i].path, path))
			return true;
	}
	return false;
}

int outputs__add_as(struct outputs *outputs, const char *path, const struct exporter *exporter)
{
	struct output output = {.path = path, .exporter = exporter};
	int err;

	if (outputs->cnt == OUTPUT_MAX) {
		log_err("-o %s: at most %d outputs", path, OUTPUT_MAX);
		return EXIT_USAGE;
	}
	if (is_listed(outputs, path)) {
		log_err("-o %s: given twice", path);
		return EXIT_USAGE;
	}
	if (!exporter && !strcmp(path, "-"))
		output.exporter = exporter__by_name("ndjson");
	else if (!exporter && !choose_format(&output))
		return refuse_suffix(path);
	err = output_file_check(path);
	if (err)
		return complain(path, err);
	if (!strcmp(path, "-"))
		outputs->quiet_summary = true;
	outputs->items[outputs->cnt++] = output;
	return 0;
}

int outputs__add(struct outputs *outputs, const char *path)
{
	return outputs__add_as(outputs, path, NULL);
}

int outputs__check(struct outputs *outputs, const struct record_options *options)
{
	int ret = 0;

	outputs->export_options.slices = options->slices;
	outputs->report_options.title = options->title;
	outputs->report_options.theme = options->theme;
	outputs->json = options->json;
	for (int i = 0; !ret && i < options->output_cnt; i++)
		ret = outputs__add(outputs, options->outputs[i]);
	/* With -q who asked for files wants nothing but them. */
	if (log_level < LOG_NORMAL && outputs->cnt)
		outputs->quiet_summary = true;
	return ret;
}

int outputs__open(struct outputs *outputs)
{
	for (int i = 0; i < outputs->cnt; i++) {
		struct output *output = &outputs->items[i];

		if (output->kind != OUTPUT_SNAPSHOT)
			continue;
		output->writer = snapshot_writer__new(output->path);
		if (!output->writer)
			return complain(output->path, -errno);
	}
	return 0;
}

void outputs__checkpoint(struct outputs *outputs, const struct model *model)
{
	for (int i = 0; i < outputs->cnt; i++) {
		struct output *output = &outputs->items[i];
		int err = 0;

		if (output->writer && !output->checkpoint_failed)
			err = snapshot_writer__checkpoint(output->writer, model);
		if (!err)
			continue;
		output->checkpoint_failed = true;
		log_warn("no more checkpoints in %s: %s (%s)", output->path, strerror(-err),
			 output_remedy(-err));
	}
}

static int write_snapshot(struct output *output, const struct model *model)
{
	int err;

	if (!output->writer)
		output->writer = snapshot_writer__new(output->path);
	if (!output->writer)
		return -errno;
	err = snapshot_writer__finish(output->writer, model);
	snapshot_writer__free(output->writer);
	output->writer = NULL;
	return err;
}

/* Whether the locale's characters are UTF-8, by the variables that decide it. */
static bool is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *val = getenv(names[i]);

		if (val && *val)
			return strcasestr(val, "utf-8") || strcasestr(val, "utf8");
	}
	return false;
}

/* What a stream can show. A file gets the plain form in UTF-8. */
static void fit_terminal(struct export_options *options, FILE *out)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	if (!isatty(fileno(out)))
		return;
	options->colour = !(no_colour && *no_colour) && term && strcmp(term, "dumb");
	options->ascii = !is_utf8();
	if (!ioctl(fileno(out), TIOCGWINSZ, &size) && size.ws_col)
		options->width = size.ws_col;
}

static int write_stream(const struct outputs *outputs, const struct output *output,
			const struct model *model, const struct analysis *analysis, FILE *out)
{
	struct export_options options = outputs->export_options;

	if (output->kind == OUTPUT_HTML)
		return report_html(model, analysis, &outputs->report_options, out);
	fit_terminal(&options, out);
	if (outputs->width)
		options.width = outputs->width;
	return output->exporter->write(model, analysis, &options, out);
}

static int write_one(const struct outputs *outputs, struct output *output,
		     const struct model *model, const struct analysis *analysis)
{
	struct output_file file;
	int err;

	if (output->kind == OUTPUT_SNAPSHOT)
		return write_snapshot(output, model);
	err = output_file__open(&file, output->path, REPORT_MODE);
	if (err)
		return err;
	err = write_stream(outputs, output, model, analysis, file.stream);
	return output_file__close(&file, err);
}

static void tell(const struct output *output)
{
	struct buf size = {};
	struct stat st;

	if (!strcmp(output->path, "-") || log_level < LOG_NORMAL)
		return;
	if (!stat(output->path, &st) && S_ISREG(st.st_mode))
		format_bytes(&size, (uint64_t)st.st_size);
	log_info("wrote %s%s%s%s", output->path, size.sz ? " (" : "", buf__str(&size),
		 size.sz ? ")" : "");
	buf__free(&size);
}

static int write_summary(const struct outputs *outputs, const struct model *model,
			 const struct analysis *analysis)
{
	struct output output = {.path = "-", .kind = OUTPUT_EXPORT};
	int err;

	if (outputs->quiet_summary && !(outputs->json && !is_listed(outputs, "-")))
		return 0;
	output.exporter = exporter__by_name(outputs->json ? "ndjson" : "summary");
	err = write_one(outputs, &output, model, analysis);
	return err ? complain(output.path, err) : 0;
}

int outputs__write(struct outputs *outputs, const struct model *model,
		   const struct analysis *analysis)
{
	int ret = 0, summary_ret;

	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is told as EFBIG */
	for (int i = 0; i < outputs->cnt; i++) {
		int err = write_one(outputs, &outputs->items[i], model, analysis);

		if (err)
			err = complain(outputs->items[i].path, err);
		else
			tell(&outputs->items[i]);
		if (err && !ret)
			ret = err;
	}
	summary_ret = write_summary(outputs, model, analysis);
	return ret ? ret : summary_ret;
}

void outputs__close(struct outputs *outputs)
{
	for (int i = 0; i < outputs->cnt; i++) {
		snapshot_writer__free(outputs->items[i].writer);
		outputs->items[i].writer = NULL;
	}
}

/* A checkpoint is written before the walls of threads are settled (model/finish.c). */
static void settle_walls(struct model *model)
{
	int64_t end = model->meta.duration_ns;

	for (size_t i = 0; end > 0 && i < model->task_cnt; i++) {
		struct task *task = &model->tasks[i];
		int64_t from = task->start_ns > 0 ? task->start_ns : 0;
		int64_t to = task->end_ns != NO_TIME && task->end_ns < end ? task->end_ns : end;

		if (task->runtime == RUNTIME_THREAD && !task->wall_ns && to > from)
			task->wall_ns = to - from;
	}
}

struct model *load_snapshot(const char *path, int *ret)
{
	struct snapshot_status status = {};
	struct model *model = snapshot__read(path, &status);

	*ret = 0;
	if (!model) {
		bool ours =
			status.error == SNAPSHOT_UNREADABLE || status.error == SNAPSHOT_NO_MEMORY;

		*ret = ours ? EXIT_FAILED : EXIT_BAD_SNAPSHOT;
		if (status.error == SNAPSHOT_UNREADABLE)
			log_err("cannot read %s: %s (name a snapshot that `-o FILE.asnap` wrote)",
				path, strerror(status.err));
		else
			log_err("cannot read %s: %s", path, snapshot_error_text(status.error));
		return NULL;
	}
	if (!status.complete)
		settle_walls(model);
	if (status.salvaged)
		log_warn("%s is not whole: this is what could be saved of it (see `inspect`)",
			 path);
	else if (status.bytes_bad)
		log_warn("%s: %llu bytes are damaged and were left out (see `inspect`)", path,
			 (unsigned long long)status.bytes_bad);
	return model;
}
