/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks through the symbols of all mapped files for functions that give and take memory; see
 * allocators.h. Every file that has such counts: libc, an allocator that is preloaded or linked, the
 * program itself. Which of them a call ends up in is the dynamic linker's business: those that nobody
 * calls cost nothing.
 */
#include "runtime/allocators.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "runtime/allocator_names.h"
#include "target/rodata.h"

/* What else tells whose file it is, and what its functions do. */
enum hint {
	HINT_LIBC = 1 << 0,
	HINT_GLIBC = 1 << 1,
	HINT_JEMALLOC = 1 << 2,
	HINT_MIMALLOC = 1 << 3,
	HINT_TCMALLOC = 1 << 4,
	HINT_ASAN = 1 << 5,
	HINT_LINKER = 1 << 6,
	HINT_RUST_DEFAULT = 1 << 7, /* Rust's allocator is malloc */
};

/* So much of the constants of files is searched: some hold a hundred megabytes of data. */
#define TRACES_SZ (48 * 1024 * 1024)

/* An allocator that has malloc()'s own name. */
#define STANDS_IN (HINT_JEMALLOC | HINT_MIMALLOC | HINT_TCMALLOC | HINT_ASAN)

static const struct {
	const char *symbol;
	unsigned int hint;
} hints[] = {
	{"__libc_start_main", HINT_LIBC},
	{"gnu_get_libc_version", HINT_GLIBC},
	{"__libc_setup_tls", HINT_GLIBC}, /* of a static program */
	{"mallctl", HINT_JEMALLOC},
	{"mallocx", HINT_JEMALLOC},
	{"mi_version", HINT_MIMALLOC},
	{"tc_version", HINT_TCMALLOC},
	{"TCMallocInternalMalloc", HINT_TCMALLOC},
	{"__asan_init", HINT_ASAN},
	{"_dl_debug_state", HINT_LINKER},
	{"__rdl_alloc", HINT_RUST_DEFAULT},
};

static const struct {
	unsigned int families, hints;
	const char *name;
} names[] = {
	{1u << FAMILY_RJEM | 1u << FAMILY_JE, HINT_JEMALLOC, "jemalloc"},
	{1u << FAMILY_MI, HINT_MIMALLOC, "mimalloc"},
	{1u << FAMILY_TC, HINT_TCMALLOC, "tcmalloc"},
	{0, HINT_ASAN, "AddressSanitizer"},
};

/* What one file has. */
struct search {
	struct elf_file *file;
	struct elf_sym *syms;
	int cnt; /* of syms, or -errno */
	unsigned int families; /* that give memory: bit per family */
	unsigned int hints;
	const struct elf_sym *linker; /* of syms */
};

static unsigned int hint_of(const char *name)
{
	const char *rust = rust_allocator_name(name);

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (!strcmp(hints[i].symbol, rust ? rust : name))
			return hints[i].hint;
	return 0;
}

static bool is_wanted(const char *name, void *ctx)
{
	struct allocator_name found;

	(void)ctx;
	return allocator_name__find(&found, name) || hint_of(name) || wrapper_name(name);
}

static void search__free(struct search *search)
{
	elf_syms__free(search->syms, search->cnt > 0 ? (size_t)search->cnt : 0);
	elf_file__free(search->file);
}

/* 0 or -errno; then there is nothing to free. */
static int search__open(struct search *search, const struct target *target,
			const struct target_map *map)
{
	struct allocator_name name;
	int err;

	memset(search, 0, sizeof(*search));
	search->file = elf_file__open(target, map);
	if (!search->file)
		return -errno;
	search->cnt = elf_file__functions(search->file, is_wanted, NULL, &search->syms);
	if (search->cnt < 0) {
		err = search->cnt;
		search__free(search);
		return err;
	}
	for (int i = 0; i < search->cnt; i++) {
		unsigned int hint = hint_of(search->syms[i].name);

		search->hints |= hint;
		if (hint == HINT_LINKER)
			search->linker = &search->syms[i];
		/* to take it alone makes no allocator */
		if (allocator_name__find(&name, search->syms[i].name) &&
		    name.function != HEAP_FREE && name.function != HEAP_DELETE)
			search->families |= 1u << name.family;
	}
	return 0;
}

/* Which families of names are an allocator's here, and not a wrapper's around one in another file. */
static unsigned int own_families(const struct search *search)
{
	unsigned int has = search->families;
	unsigned int prefixed =
		1u << FAMILY_RJEM | 1u << FAMILY_JE | 1u << FAMILY_MI | 1u << FAMILY_TC;
	bool stands_in = (has & 1u << FAMILY_C) &&
			 ((search->hints & STANDS_IN) || !(search->hints & HINT_LIBC));

	/* glibc's dynamic linker has a malloc for the time before there is libc; musl's is libc */
	if (search->linker && !(search->hints & HINT_LIBC))
		return 0;
	/* new and delete of a program that libc is linked into call malloc, unless it stands in for it */
	if (!stands_in)
		has &= ~(1u << FAMILY_CXX);
	if ((has & (prefixed | 1u << FAMILY_C)) || (search->hints & HINT_RUST_DEFAULT))
		has &= ~(1u << FAMILY_RUST);
	return has;
}

static void add_name(struct allocator *allocator, const char *name)
{
	size_t sz = strlen(allocator->name);

	snprintf(allocator->name + sz, sizeof(allocator->name) - sz, "%s%s", sz ? " and " : "",
		 name);
}

/* Text that allocators have for their messages and settings. */
static const struct {
	const char *text;
	const char *name;
} traces[] = {
	{"<jemalloc>: ", "jemalloc"},
	{"mimalloc: warning: ", "mimalloc"},
	{"TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", "tcmalloc"},
	{"TCMALLOC_SKIP_MMAP", "tcmalloc"},
};

#define TRACE_CNT (sizeof(traces) / sizeof(traces[0]))

/* Names an allocator by what of it is left where it has lost its symbols. */
static void name_by_traces(struct allocator *allocator, const struct search *search,
			   uint64_t *budget)
{
	const char *texts[TRACE_CNT];
	uint32_t found;

	if (!*budget || elf_file__has_symbols(search->file))
		return;
	for (size_t i = 0; i < TRACE_CNT; i++)
		texts[i] = traces[i].text;
	found = elf_file__find_texts(search->file, texts, TRACE_CNT, budget);
	for (size_t i = 0; i < TRACE_CNT; i++)
		if (found & 1u << i && !strstr(allocator->name, traces[i].name))
			add_name(allocator, traces[i].name);
}

static void set_name(struct allocator *allocator, const struct search *search,
		     unsigned int families, uint64_t *budget)
{
	bool is_libc = (families & 1u << FAMILY_C) && (search->hints & HINT_LIBC) &&
		       !(search->hints & STANDS_IN);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((families & names[i].families) || (search->hints & names[i].hints))
			add_name(allocator, names[i].name);
	allocator->is_glibc = is_libc && (search->hints & HINT_GLIBC) && !allocator->name[0];
	if (is_libc)
		add_name(allocator, search->hints & HINT_GLIBC ? "glibc malloc" : "musl malloc");
	if (!allocator->name[0])
		name_by_traces(allocator, search, budget);
	if (!allocator->name[0])
		add_name(allocator, families & 1u << FAMILY_C ? "malloc" : "Rust allocator");
}

/* The symbols are sorted by address: of those that share one, the first of the table is taken. */
static int take_functions(struct allocator *allocator, struct search *search, unsigned int families)
{
	unsigned int best = 0;

	allocator->functions = calloc((size_t)search->cnt, sizeof(*allocator->functions));
	if (!allocator->functions)
		return -ENOMEM;
	for (int i = 0; i < search->cnt; i++) {
		struct elf_sym *sym = &search->syms[i];
		struct allocator_function *last = allocator->functions + allocator->cnt - 1;
		struct allocator_name name;
		bool is_new;

		if (!allocator_name__find(&name, sym->name) || !(families & 1u << name.family))
			continue;
		is_new = !allocator->cnt || last->sym.vaddr != sym->vaddr;
		if (!is_new && name.row >= best)
			continue;
		best = name.row;
		last += is_new;
		allocator->cnt += is_new;
		free(last->sym.name);
		last->function = name.function;
		last->sym = *sym;
		sym->name = NULL;
	}
	return 0;
}

static void allocator__free(struct allocator *allocator)
{
	for (size_t i = 0; i < allocator->cnt; i++)
		free(allocator->functions[i].sym.name);
	free(allocator->functions);
	free(allocator->unseen);
	elf_file__free(allocator->file);
}

static int add_allocator(struct allocators *allocators, struct search *search,
			 unsigned int families, uint64_t *budget)
{
	struct allocator allocator = {.how = families ? "exact symbol" : "strings"};
	int err = array__reserve((void **)&allocators->found, &allocators->cap, allocators->cnt + 1,
				 sizeof(allocator));

	if (err)
		return err;
	if (families) {
		set_name(&allocator, search, families, budget);
		err = take_functions(&allocator, search, families);
	} else {
		name_by_traces(&allocator, search, budget);
	}
	if (err || !allocator.name[0])
		return err;
	allocator.file = search->file;
	search->file = NULL;
	allocators->found[allocators->cnt++] = allocator;
	return 0;
}

/* The linker's file may be an allocator's too (musl): then it is opened once more. */
static int take_linker(struct allocators *allocators, const struct search *search,
		       const struct target *target, const struct target_map *map)
{
	allocators->linker = elf_file__open(target, map);
	if (!allocators->linker)
		return -errno;
	allocators->linker_sym = *search->linker;
	allocators->linker_sym.name = strdup(search->linker->name);
	return allocators->linker_sym.name ? 0 : -ENOMEM;
}

/* Also those that are probed themselves: of what they call it is their caller that allocates. */
static int add_wrappers(struct allocators *allocators, const struct search *search,
			const struct target *target)
{
	int err = 0;

	for (int i = 0; i < search->cnt && !err; i++) {
		const struct elf_sym *sym = &search->syms[i];

		if (wrapper_name(sym->name))
			err = wrappers__add(&allocators->wrappers, target, search->file, sym);
	}
	return err;
}

static int look_into(struct allocators *allocators, const struct target *target,
		     const struct target_map *map, uint64_t *budget)
{
	struct search search;
	unsigned int families;
	int err = search__open(&search, target, map);

	if (err)
		return err == -ENOMEM ? err : 0;
	if (search.linker && !allocators->linker)
		err = take_linker(allocators, &search, target, map);
	families = own_families(&search);
	if (!err)
		err = add_wrappers(allocators, &search, target);
	if (!err)
		err = add_allocator(allocators, &search, families, budget);
	search__free(&search);
	return err;
}

struct allocators *allocators__new(const struct target *target)
{
	struct allocators *allocators = calloc(1, sizeof(*allocators));
	const struct target_map *map;
	uint64_t budget = TRACES_SZ;
	size_t pos = 0;
	int err = 0;

	if (!allocators)
		return NULL;
	while (!err && (map = target__next_file(target, &pos)))
		err = look_into(allocators, target, map, &budget);
	if (!err)
		return allocators;
	allocators__free(allocators);
	errno = -err;
	return NULL;
}

void allocators__free(struct allocators *allocators)
{
	if (!allocators)
		return;
	for (size_t i = 0; i < allocators->cnt; i++)
		allocator__free(&allocators->found[i]);
	free(allocators->found);
	elf_file__free(allocators->linker);
	free(allocators->linker_sym.name);
	wrappers__free(&allocators->wrappers);
	free(allocators);
}

bool allocators__tell_size(const struct allocators *allocators)
{
	bool any = false;

	for (size_t i = 0; i < allocators->cnt; i++) {
		if (allocators->found[i].cnt && !allocators->found[i].is_glibc)
			return false;
		any |= allocators->found[i].cnt > 0;
	}
	return any;
}

void allocator__describe(const struct allocator *allocator, struct buf *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", allocator->file->path);
	target_clean(path);
	if (allocator->cnt)
		buf__printf(text, "%s (%zu functions in %s)", allocator->name, allocator->cnt,
			    path);
	else
		buf__printf(text, "%s linked into %s without symbols: its calls are not visible",
			    allocator->name, path);
	if (allocator->unseen)
		buf__printf(text, ", of which are not seen: %s", allocator->unseen);
}

void allocators__describe(const struct allocators *allocators, struct buf *text)
{
	for (size_t i = 0; i < allocators->cnt; i++) {
		buf__puts(text, i ? "; " : "");
		allocator__describe(&allocators->found[i], text);
	}
	if (!allocators->cnt)
		buf__puts(text, "no allocator's functions are visible in the mapped files");
}
