/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the page: the skeleton report-templates/page.html with each {{NAME}} replaced by what the
 * row NAME of `slots` writes. Called by cmd/ for `-o FILE.html` and `report`.
 *
 * The page may run one script and one style, those whose SHA-256 the CSP names, and load nothing
 * from anywhere. The hashes are over the exact bytes between the tags, so script and style are put
 * together first and written as they were hashed.
 */
#include "report/report.h"

#include <errno.h>
#include <string.h>

#include "report/markup.h"
#include "report/sections.h"
#include "report/sha256.h"
#include "report/templates.h"

struct page {
	const struct model *model;
	const struct analysis *analysis;
	const struct report_options *options;
	FILE *out;
	struct buf title;
	struct buf style;
	struct buf script;
};

static void csp_hash(struct buf *buf, const struct buf *bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t digest[SHA256_SZ + 1] = {0};

	sha256(bytes->data, bytes->sz, digest);
	buf__puts(buf, "'sha256-");
	for (int i = 0; i < SHA256_SZ; i += 3) {
		uint32_t all = digest[i] << 16 | digest[i + 1] << 8 | digest[i + 2];
		char text[5] = {digits[all >> 18], digits[all >> 12 & 63], digits[all >> 6 & 63],
				i + 2 < SHA256_SZ ? digits[all & 63] : '='};

		buf__puts(buf, text);
	}
	buf__puts(buf, "'");
}

static void slot_csp(struct page *page, struct buf *buf)
{
	buf__puts(buf, "default-src 'none'; script-src ");
	csp_hash(buf, &page->script);
	buf__puts(buf, "; style-src ");
	csp_hash(buf, &page->style);
	buf__puts(buf, "; img-src data: blob:; worker-src blob:; connect-src data:; "
		       "base-uri 'none'; form-action 'none'");
}

static void slot_theme(struct page *page, struct buf *buf)
{
	const char *theme = page->options->theme;

	if (theme && (!strcmp(theme, "dark") || !strcmp(theme, "light")))
		buf__puts(buf, theme);
	else
		buf__puts(buf, "auto");
}

static void slot_title(struct page *page, struct buf *buf)
{
	markup__text(buf, buf__str(&page->title));
}

static void slot_style(struct page *page, struct buf *buf)
{
	buf__add(buf, page->style.data, page->style.sz);
}

static void slot_script(struct page *page, struct buf *buf)
{
	buf__add(buf, page->script.data, page->script.sz);
}

static void slot_length(struct page *page, struct buf *buf)
{
	if (page->model->meta.duration_ns == NO_TIME)
		buf__puts(buf, "length unknown");
	else
		format_ns(buf, page->model->meta.duration_ns);
}

#define PART(name)                                                                                 \
	static void slot_##name(struct page *page, struct buf *buf)                                \
	{                                                                                          \
		part_##name(buf, page->analysis);                                                  \
	}
PART(quality)
PART(verdict)
PART(tiles)
PART(sums)
PART(top)
PART(memory)
PART(flows)
PART(environment)
PART(method)
PART(counters)
#undef PART

static int write_data(struct page *page)
{
	int err = section_tasks(page->model, page->analysis, page->out);

	if (!err)
		err = section_classes(page->model, page->out);
	if (!err)
		err = section_timeline(page->model, page->out);
	for (int group = GROUP_FILE; !err && group <= GROUP_DISK; group++)
		err = section_flows(page->model, group, page->out);
	return err;
}

struct slot {
	const char *name;
	void (*write)(struct page *page, struct buf *buf);
};

static const struct slot slots[] = {
	{"csp", slot_csp},
	{"theme", slot_theme},
	{"title", slot_title},
	{"length", slot_length},
	{"style", slot_style},
	{"quality", slot_quality},
	{"verdict", slot_verdict},
	{"tiles", slot_tiles},
	{"sums", slot_sums},
	{"top", slot_top},
	{"memory", slot_memory},
	{"flows", slot_flows},
	{"environment", slot_environment},
	{"method", slot_method},
	{"counters", slot_counters},
	{"data", NULL}, /* too large for a buffer: write_data() */
	{"script", slot_script},
};

static int write_bytes(FILE *out, const void *data, size_t sz)
{
	if (sz && fwrite(data, 1, sz, out) != sz)
		return errno ? -errno : -EIO;
	return 0;
}

static int write_slot(struct page *page, const char *name, size_t name_sz)
{
	for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++) {
		struct buf buf = {0};
		int err;

		if (strlen(slots[i].name) != name_sz || memcmp(slots[i].name, name, name_sz))
			continue;
		if (!slots[i].write)
			return write_data(page);
		slots[i].write(page, &buf);
		err = buf.err ? -ENOMEM : write_bytes(page->out, buf.data, buf.sz);
		buf__free(&buf);
		return err;
	}
	return -EINVAL; /* the skeleton names a slot that there is not */
}

static int write_skeleton(struct page *page)
{
	const char *at = template_page.begin, *end = template_page.end;
	int err = 0;

	while (!err && at < end) {
		const char *open = memmem(at, end - at, "{{", 2);
		const char *close = open ? memmem(open, end - open, "}}", 2) : NULL;

		err = write_bytes(page->out, at, (close ? open : end) - at);
		if (!close)
			break;
		if (!err)
			err = write_slot(page, open + 2, close - open - 2);
		at = close + 2;
	}
	return err;
}

static void make_title(struct page *page)
{
	const struct model *model = page->model;
	const char *comm = model__str(model, model->meta.comm);

	if (page->options->title)
		buf__puts(&page->title, page->options->title);
	else if (*model__str(model, model->meta.title))
		buf__puts(&page->title, model__str(model, model->meta.title));
	else
		buf__puts(&page->title, *comm ? comm : "unknown program");
	if (!page->options->title && model->meta.pid != NO_TIME)
		buf__printf(&page->title, ", pid %lld", (long long)model->meta.pid);
}

static void join_templates(struct page *page)
{
	buf__add(&page->style, template_style.begin, template_style.end - template_style.begin);
	for (size_t i = 0; i < template_module_cnt; i++) {
		const struct template_file *file = &template_modules[i];

		buf__add(&page->script, file->begin, file->end - file->begin);
	}
}

int report_html(const struct model *model, const struct analysis *analysis,
		const struct report_options *options, FILE *out)
{
	static const struct report_options defaults = {0};
	struct page page = {.model = model,
			    .analysis = analysis,
			    .options = options ? options : &defaults,
			    .out = out};
	int err = -ENOMEM;

	make_title(&page);
	join_templates(&page);
	if (page.title.err || page.style.err || page.script.err)
		goto cleanup;
	err = write_skeleton(&page);
	if (!err && fflush(out))
		err = errno ? -errno : -EIO;

cleanup:
	buf__free(&page.title);
	buf__free(&page.style);
	buf__free(&page.script);
	return err;
}
