/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of names. Not in it, since they cannot be read by one of the programs or call one that is
 * in it: reallocarray of others than mimalloc, and what takes a heap first (mi_heap_malloc).
 */
#include "runtime/allocator_names.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define C    (1u << FAMILY_C)
#define JE   (1u << FAMILY_RJEM | 1u << FAMILY_JE)
#define MI   (1u << FAMILY_MI)
#define TC   (1u << FAMILY_TC)
#define CXX  (1u << FAMILY_CXX)
#define RUST (1u << FAMILY_RUST)
#define ALL  (C | JE | MI | TC)

static const struct {
	const char *text;
	size_t sz;
} prefixes[FAMILY_CNT] = {
	[FAMILY_RJEM] = {"_rjem_", 6},
	[FAMILY_JE] = {"je_", 3},
	[FAMILY_MI] = {"mi_", 3},
	[FAMILY_TC] = {"tc_", 3},
};

/* Behind the prefix, but for those of the compilers. Where names share an address the first row wins:
 * what C calls comes first. The arguments are those of wire.h; what follows them does not matter. */
static const struct {
	const char *name;
	enum wire_heap_function function;
	unsigned int families;
} rows[] = {
	{"malloc", HEAP_MALLOC, ALL},
	{"calloc", HEAP_CALLOC, ALL},
	{"realloc", HEAP_REALLOC, ALL},
	{"free", HEAP_FREE, ALL},
	{"posix_memalign", HEAP_POSIX_MEMALIGN, ALL},
	{"memalign", HEAP_MEMALIGN, ALL},
	{"aligned_alloc", HEAP_MEMALIGN, ALL},
	{"valloc", HEAP_VALLOC, ALL},
	{"pvalloc", HEAP_PVALLOC, ALL},
	{"cfree", HEAP_FREE, ALL},
	{"free_sized", HEAP_FREE, C | JE | TC},
	{"free_aligned_sized", HEAP_FREE, C | JE | TC},

	/* jemalloc's own: flags come last */
	{"mallocx", HEAP_MALLOC, C | JE},
	{"rallocx", HEAP_REALLOC, C | JE},
	{"dallocx", HEAP_FREE, C | JE},
	{"sdallocx", HEAP_FREE, C | JE},

	/* mimalloc's own: alignment and offset come last */
	{"zalloc", HEAP_MALLOC, MI},
	{"malloc_small", HEAP_MALLOC, MI},
	{"zalloc_small", HEAP_MALLOC, MI},
	{"mallocn", HEAP_CALLOC, MI},
	{"reallocarray", HEAP_REALLOCARRAY, MI},
	{"reallocn", HEAP_REALLOCARRAY, MI},
	{"reallocf", HEAP_REALLOC, MI},
	{"rezalloc", HEAP_REALLOC, MI},
	{"malloc_aligned", HEAP_MALLOC, MI},
	{"zalloc_aligned", HEAP_MALLOC, MI},
	{"calloc_aligned", HEAP_CALLOC, MI},
	{"realloc_aligned", HEAP_REALLOC, MI},
	{"rezalloc_aligned", HEAP_REALLOC, MI},
	{"malloc_aligned_at", HEAP_MALLOC, MI},
	{"zalloc_aligned_at", HEAP_MALLOC, MI},
	{"calloc_aligned_at", HEAP_CALLOC, MI},
	{"realloc_aligned_at", HEAP_REALLOC, MI},
	{"rezalloc_aligned_at", HEAP_REALLOC, MI},
	{"free_size", HEAP_FREE, MI},
	{"free_aligned", HEAP_FREE, MI},
	{"free_size_aligned", HEAP_FREE, MI},
	{"new", HEAP_NEW, MI | TC},
	{"new_aligned", HEAP_NEW, MI | TC},
	{"new_nothrow", HEAP_NEW, MI | TC},
	{"new_aligned_nothrow", HEAP_NEW, MI | TC},

	/* tcmalloc's own */
	{"malloc_skip_new_handler", HEAP_MALLOC, TC},
	{"newarray", HEAP_NEW, TC},
	{"newarray_aligned", HEAP_NEW, TC},
	{"newarray_nothrow", HEAP_NEW, TC},
	{"newarray_aligned_nothrow", HEAP_NEW, TC},
	{"delete", HEAP_DELETE, TC},
	{"delete_sized", HEAP_DELETE, TC},
	{"delete_aligned", HEAP_DELETE, TC},
	{"delete_sized_aligned", HEAP_DELETE, TC},
	{"delete_nothrow", HEAP_DELETE, TC},
	{"delete_aligned_nothrow", HEAP_DELETE, TC},
	{"deletearray", HEAP_DELETE, TC},
	{"deletearray_sized", HEAP_DELETE, TC},
	{"deletearray_aligned", HEAP_DELETE, TC},
	{"deletearray_sized_aligned", HEAP_DELETE, TC},
	{"deletearray_nothrow", HEAP_DELETE, TC},
	{"deletearray_aligned_nothrow", HEAP_DELETE, TC},

	/* operator new, new[]; the size comes first in all of them */
	{"_Znwm", HEAP_NEW, CXX},
	{"_Znam", HEAP_NEW, CXX},
	{"_ZnwmRKSt9nothrow_t", HEAP_NEW, CXX},
	{"_ZnamRKSt9nothrow_t", HEAP_NEW, CXX},
	{"_ZnwmSt11align_val_t", HEAP_NEW, CXX},
	{"_ZnamSt11align_val_t", HEAP_NEW, CXX},
	{"_ZnwmSt11align_val_tRKSt9nothrow_t", HEAP_NEW, CXX},
	{"_ZnamSt11align_val_tRKSt9nothrow_t", HEAP_NEW, CXX},
	/* operator delete, delete[]; the block comes first */
	{"_ZdlPv", HEAP_DELETE, CXX},
	{"_ZdaPv", HEAP_DELETE, CXX},
	{"_ZdlPvm", HEAP_DELETE, CXX},
	{"_ZdaPvm", HEAP_DELETE, CXX},
	{"_ZdlPvRKSt9nothrow_t", HEAP_DELETE, CXX},
	{"_ZdaPvRKSt9nothrow_t", HEAP_DELETE, CXX},
	{"_ZdlPvSt11align_val_t", HEAP_DELETE, CXX},
	{"_ZdaPvSt11align_val_t", HEAP_DELETE, CXX},
	{"_ZdlPvmSt11align_val_t", HEAP_DELETE, CXX},
	{"_ZdaPvmSt11align_val_t", HEAP_DELETE, CXX},
	{"_ZdlPvSt11align_val_tRKSt9nothrow_t", HEAP_DELETE, CXX},
	{"_ZdaPvSt11align_val_tRKSt9nothrow_t", HEAP_DELETE, CXX},

	/* size, alignment; block, size, alignment; block, size, alignment, new size */
	{"__rust_alloc", HEAP_MALLOC, RUST},
	{"__rust_alloc_zeroed", HEAP_MALLOC, RUST},
	{"__rust_dealloc", HEAP_FREE, RUST},
	{"__rust_realloc", HEAP_RUST_REALLOC, RUST},
};

#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))
#define NAME_SZ 40 /* longer than any of the table */

const char *rust_allocator_name(const char *symbol)
{
	static const char crate[] = "7___rustc";

	if (symbol[0] != '_')
		return NULL;
	if (symbol[1] == '_' && symbol[2] == 'r')
		return symbol;
	/* Mangled since Rust 1.87: crate __rustc, then the name with its length before it. */
	if (strncmp(symbol, "_RNvC", 5) != 0)
		return NULL;
	symbol = strstr(symbol, crate);
	if (!symbol)
		return NULL;
	symbol += sizeof(crate) - 1;
	while (isdigit((unsigned char)*symbol))
		symbol++;
	/* a separator, since the name itself begins with one */
	if (strncmp(symbol, "___r", 4) != 0)
		return NULL;
	return symbol + 1;
}

static enum allocator_family family_of(const char *symbol)
{
	if (symbol[0] == '_' && symbol[1] == 'Z')
		return FAMILY_CXX;
	for (enum allocator_family family = FAMILY_RJEM; family <= FAMILY_TC; family++)
		if (!strncmp(symbol, prefixes[family].text, prefixes[family].sz))
			return family;
	return FAMILY_C;
}

/* No name begins with anything else: most symbols are told by their first letters. */
static bool may_be(const char *symbol)
{
	if (symbol[0] == '_')
		return symbol[1] == '_' || symbol[1] == 'R' || symbol[1] == 'r' ||
		       (symbol[1] == 'Z' && (symbol[2] == 'n' || symbol[2] == 'd'));
	return symbol[0] && strchr("acdfjmprstv", symbol[0]);
}

bool allocator_name__find(struct allocator_name *found, const char *symbol)
{
	enum allocator_family family;
	const char *name;

	if (!may_be(symbol))
		return false;
	name = rust_allocator_name(symbol);
	family = name ? FAMILY_RUST : family_of(symbol);
	if (family >= FAMILY_RJEM && family <= FAMILY_TC)
		name = symbol + prefixes[family].sz;
	else if (!name)
		name = symbol;
	if (strnlen(name, NAME_SZ) == NAME_SZ)
		return false;
	for (unsigned int i = 0; i < ROW_CNT; i++) {
		if ((rows[i].families & 1u << family) && !strcmp(rows[i].name, name)) {
			*found = (struct allocator_name){
				.function = rows[i].function,
				.family = family,
				.row = i,
			};
			return true;
		}
	}
	return false;
}
