/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of function symbols by address; see symbols.h. */
#include "target/symbols.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "target/elf.h"

/* One file of a target: its functions sorted by where they are in the file. */
struct module {
	uint64_t dev, inode;
	char *path;
	struct elf_sym *syms; /* names are demangled when they are asked for */
	size_t cnt;
	char **demangled; /* beside syms */
};

struct symbols {
	struct module *modules;
	size_t cnt, cap;
};

struct symbols *symbols__new(void)
{
	return calloc(1, sizeof(struct symbols));
}

void symbols__free(struct symbols *symbols)
{
	for (size_t i = 0; symbols && i < symbols->cnt; i++) {
		struct module *module = &symbols->modules[i];

		for (size_t j = 0; module->demangled && j < module->cnt; j++)
			free(module->demangled[j]);
		free(module->demangled);
		elf_syms__free(module->syms, module->cnt);
		free(module->path);
	}
	if (symbols)
		free(symbols->modules);
	free(symbols);
}

static bool want_all(const char *name, void *ctx)
{
	(void)name;
	(void)ctx;
	return true;
}

static int by_place(const void *a, const void *b)
{
	const struct elf_sym *left = a, *right = b;

	if (left->file_off != right->file_off)
		return left->file_off < right->file_off ? -1 : 1;
	/* of several names of one place the last is taken: the longer one says more */
	return (left->sz > right->sz) - (left->sz < right->sz);
}

/* A file that cannot be read has no functions, and is not tried again. */
static void read_functions(struct module *module, const struct target *target,
			   const struct target_map *map)
{
	struct elf_file *file = elf_file__open(target, map);
	int cnt = file ? elf_file__functions(file, want_all, NULL, &module->syms) : -1;

	elf_file__free(file);
	if (cnt <= 0)
		return;
	module->demangled = calloc(cnt, sizeof(*module->demangled));
	if (!module->demangled) {
		elf_syms__free(module->syms, cnt);
		module->syms = NULL;
		return;
	}
	module->cnt = cnt;
	qsort(module->syms, module->cnt, sizeof(*module->syms), by_place);
}

static struct module *module_of(struct symbols *symbols, const struct target *target,
				const struct target_map *map)
{
	struct module *module;

	for (size_t i = 0; i < symbols->cnt; i++)
		if (symbols->modules[i].inode == map->inode && symbols->modules[i].dev == map->dev)
			return &symbols->modules[i];
	if (array__reserve((void **)&symbols->modules, &symbols->cap, symbols->cnt + 1,
			   sizeof(*symbols->modules)))
		return NULL;
	module = &symbols->modules[symbols->cnt++];
	*module = (struct module){.dev = map->dev, .inode = map->inode, .path = strdup(map->path)};
	read_functions(module, target, map);
	return module;
}

/* The function that covers a file offset, or the number of them. */
static size_t function_at(const struct module *module, uint64_t file_off)
{
	size_t lo = 0, hi = module->cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (module->syms[mid].file_off <= file_off)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* what lies behind the end of a function is not of it: never the nearest symbol */
	if (!lo || file_off - module->syms[lo - 1].file_off >= module->syms[lo - 1].sz)
		return module->cnt;
	return lo - 1;
}

/* A name of a few hundred bytes may stand for gigabytes: it is cut, and what makes it is left. */
#define MANGLED_MAX 4096
#define PLAIN_MAX   1024
struct plain {
	char text[PLAIN_MAX];
	size_t sz;
	jmp_buf enough;
};

static void on_part(const char *part, size_t sz, void *ctx)
{
	struct plain *plain = ctx;
	size_t room = sizeof(plain->text) - 1 - plain->sz;

	memcpy(plain->text + plain->sz, part, sz < room ? sz : room);
	plain->sz += sz < room ? sz : room;
	plain->text[plain->sz] = '\0';
	/* nothing of the demangler's has to be given back: it works on its stack */
	if (sz >= room)
		longjmp(plain->enough, 1);
}

/* NULL: it is not mangled. */
static char *demangle(const char *name)
{
	struct plain plain = {.sz = 0};

	if (strlen(name) > MANGLED_MAX)
		return NULL;
	if (setjmp(plain.enough))
		return strdup(plain.text);
	if (!rust_demangle_callback(name, DMGL_NO_OPTS, on_part, &plain)) {
		plain.sz = 0;
		if (!cplus_demangle_v3_callback(name, DMGL_NO_OPTS, on_part, &plain))
			return NULL;
	}
	return plain.sz ? strdup(plain.text) : NULL;
}

static const char *name_of(struct module *module, size_t idx)
{
	if (!module->demangled[idx]) {
		char *plain = demangle(module->syms[idx].name);

		module->demangled[idx] = plain ? plain : strdup(module->syms[idx].name);
		if (module->demangled[idx])
			target_clean(module->demangled[idx]);
	}
	return module->demangled[idx] ? module->demangled[idx] : "";
}

static const struct target_map *map_at(const struct target *target, uint64_t addr)
{
	for (size_t i = 0; i < target->map_cnt; i++)
		if (addr >= target->maps[i].start && addr < target->maps[i].end)
			return &target->maps[i];
	return NULL;
}

void symbols__find(struct symbols *symbols, const struct target *target, uint64_t addr,
		   struct symbol_at *at)
{
	const struct target_map *map = map_at(target, addr);
	struct module *module;
	uint64_t file_off;
	size_t idx;

	*at = (struct symbol_at){.function = "", .module = ""};
	if (!map || !map->path || !map->inode)
		return;
	module = module_of(symbols, target, map);
	if (!module)
		return;
	file_off = addr - map->start + map->file_off;
	at->module = module->path ? module->path : "";
	at->offset = file_off;
	/* a call may be the last instruction of its function: the address is behind it */
	idx = file_off ? function_at(module, file_off - 1) : module->cnt;
	if (idx >= module->cnt)
		return;
	at->function = name_of(module, idx);
	at->offset = file_off - module->syms[idx].file_off;
}
