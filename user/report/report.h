/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The self-contained HTML page: templates from report-templates/ embedded at build, data as
 * gzip + base64, a CSP with the hashes of the exact bytes, and a part that is useful without
 * JavaScript. Every name in it is hostile input.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "analyze/analyze.h"
#include "model/model.h"

struct report_options {
	const char *title; /* NULL: made from the target */
	const char *theme; /* "auto", "dark", "light" */
};

/* 0 or -errno. */
int report_html(const struct model *model, const struct analysis *analysis,
		const struct report_options *options, FILE *out);

#endif
