/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of report-templates/, embedded. Used by html.c. */
#ifndef REPORT_TEMPLATES_H
#define REPORT_TEMPLATES_H

#include <stddef.h>

struct template_file {
	const char *begin;
	const char *end; /* not NUL-terminated */
};

extern const struct template_file template_page;
extern const struct template_file template_style;
/* The modules in the order in which they stand in the page's one script. */
extern const struct template_file template_modules[];
extern const size_t template_module_cnt;

#endif
