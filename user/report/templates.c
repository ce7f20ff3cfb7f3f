/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Embeds report-templates/ into the object: .incbin, so that the program is one file. Paths are
 * relative to the top of the tree, where make runs the compiler. html.c writes them.
 *
 * The modules are joined in the order of MODULES into one <script type="module">: one hash in the
 * CSP, no import from a file. So no file of them imports or exports; every top-level name is unique
 * over all files (a duplicate is a SyntaxError, which tests/page finds), and a file calls only what
 * stands in files before it, or what runs after all have been read. A new file is one row here.
 */
#include "report/templates.h"

#define MODULES(X)                                                                                 \
	X(data)                                                                                    \
	X(format)                                                                                  \
	X(dom)                                                                                     \
	X(state)                                                                                   \
	X(theme)                                                                                   \
	X(filter)                                                                                  \
	X(table)                                                                                   \
	X(fields)                                                                                  \
	X(detail)                                                                                  \
	X(tasks)                                                                                   \
	X(classes)                                                                                 \
	X(timeline)                                                                                \
	X(flow_fields)                                                                             \
	X(flows)                                                                                   \
	X(keys)                                                                                    \
	X(main)

#define EMBED(symbol, path)                                                                        \
	__asm__(".pushsection .rodata\n"                                                           \
		".balign 16\n"                                                                     \
		"embedded_" #symbol "_begin:\n"                                                    \
		".incbin \"report-templates/" path "\"\n"                                          \
		"embedded_" #symbol "_end:\n"                                                      \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char embedded_##symbol##_begin[], embedded_##symbol##_end[];

EMBED(page, "page.html")
EMBED(style, "style.css")
#define X(name) EMBED(name, #name ".js")
MODULES(X)
#undef X

const struct template_file template_page = {embedded_page_begin, embedded_page_end};
const struct template_file template_style = {embedded_style_begin, embedded_style_end};

const struct template_file template_modules[] = {
#define X(name) {embedded_##name##_begin, embedded_##name##_end},
	MODULES(X)
#undef X
};
const size_t template_module_cnt = sizeof(template_modules) / sizeof(*template_modules);
