/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds where the calls in wrappers return to, and how deep the stack is there, by their code; see
 * wrappers.h. Wrappers that end in a jump are not on the stack any more.
 */
#include "runtime/wrappers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "runtime/allocator_names.h"
#include "target/flow.h"

/* Longer ones do more than to allocate. */
#define CODE_MAX 4096

static const char *const names[] = {
	/* libc */
	"strdup",
	"__strdup",
	"strndup",
	"__strndup",
	"reallocarray",
	"__libc_reallocarray",
	/* glib */
	"g_malloc",
	"g_malloc0",
	"g_malloc_n",
	"g_malloc0_n",
	"g_realloc",
	"g_realloc_n",
	"g_try_malloc",
	"g_try_malloc0",
	"g_try_malloc_n",
	"g_try_malloc0_n",
	"g_try_realloc",
	"g_try_realloc_n",
	"g_strdup",
	"g_strndup",
	"g_memdup",
	"g_memdup2",
	"g_slice_alloc",
	"g_slice_alloc0",
	"g_slice_copy",
	"g_aligned_alloc",
	"g_aligned_alloc0",
	/* mimalloc's and tcmalloc's operators new */
	"mi_new",
	"mi_new_nothrow",
	"mi_new_aligned",
	"mi_new_aligned_nothrow",
	"mi_new_n",
	"tc_new",
	"tc_new_nothrow",
	"tc_newarray",
	"tc_newarray_nothrow",
	"tc_new_aligned",
	"tc_newarray_aligned",
	/* in many programs */
	"xmalloc",
	"xcalloc",
	"xzalloc",
	"xrealloc",
	"xmemdup",
	"xstrdup",
	"xstrndup",
	/* Rust's own, each behind the one before */
	"__rust_alloc",
	"__rust_alloc_zeroed",
	"__rust_realloc",
	"__rdl_alloc",
	"__rdl_alloc_zeroed",
	"__rdl_realloc",
	"__rg_alloc",
	"__rg_alloc_zeroed",
	"__rg_realloc",
};

/* Rust's vectors and strings grow in functions of this module. */
static const char rust_vector[] = "5alloc7raw_vec";

static bool is_rust_vector(const char *symbol)
{
	return symbol[0] == '_' && ((symbol[1] == 'Z' && symbol[2] == 'N' &&
				     !strncmp(symbol + 3, rust_vector, sizeof(rust_vector) - 1)) ||
				    (symbol[1] == 'R' && strstr(symbol, rust_vector)));
}

bool wrapper_name(const char *symbol)
{
	const char *rust = rust_allocator_name(symbol);
	struct allocator_name name;

	if (is_rust_vector(symbol))
		return true;
	if (symbol[0] == '_' && symbol[1] == 'Z')
		return symbol[2] == 'n' && allocator_name__find(&name, symbol);
	if (rust)
		symbol = rust;
	else if (!symbol[0] || !strchr("_gmrstx", symbol[0]))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], symbol))
			return true;
	return false;
}

static int add(struct wrappers *wrappers, uint64_t ip, int32_t depth)
{
	int err;

	if (!ip || depth < 0 || wrappers->cnt >= WRAPPER_RETURNS_MAX)
		return 0;
	/* a function may have several names */
	for (size_t i = 0; i < wrappers->cnt; i++)
		if (wrappers->returns[i].ip == ip)
			return 0;
	err = array__reserve((void **)&wrappers->returns, &wrappers->cap, wrappers->cnt + 1,
			     sizeof(*wrappers->returns));
	if (!err)
		wrappers->returns[wrappers->cnt++] =
			(struct wrapper_return){.ip = ip, .depth = (uint32_t)depth};
	return err;
}

int wrappers__add(struct wrappers *wrappers, const struct target *target,
		  const struct elf_file *file, const struct elf_sym *sym)
{
	uint8_t code[CODE_MAX];
	struct flow *flow;
	ssize_t len;
	int err = 0;

	if (!sym->sz || sym->sz > sizeof(code))
		return 0;
	len = elf_file__read_code(file, sym->file_off, code, sym->sz);
	if (len <= 0)
		return 0;
	flow = flow__new(code, (size_t)len);
	if (!flow)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (size_t i = 0; i < flow->cnt && !err; i++) {
		const struct flow_insn *insn = &flow->insns[i];

		if (insn->kind == INSN_CALL || insn->kind == INSN_CALL_BY)
			err = add(wrappers,
				  target__addr_of(target, file,
						  sym->file_off + insn->off + insn->len),
				  insn->depth);
	}
	flow__free(flow);
	return err;
}

void wrappers__free(struct wrappers *wrappers)
{
	free(wrappers->returns);
	memset(wrappers, 0, sizeof(*wrappers));
}
