/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/runtime: the allocators of real libraries, the probes on them, and wrappers around them. A
 * library is looked into as if a process had only that mapped. Run by tests/run. */
#include "runtime/allocators.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime/allocator_names.h"
#include "runtime/runtime.h"
#include "tap.h"

#define LIBS "/usr/lib/x86_64-linux-gnu/"

static const struct plan_options with_returns = {.heap = HEAP_MODE_EXACT, .return_probes = true};
static const struct plan_options without_returns = {.heap = HEAP_MODE_EXACT};

/* What Debian 12 has; several names for one function count once. */
static const struct {
	const char *path, *name, *functions;
	bool is_glibc;
	size_t new_cnt; /* operators that are probed */
} libs[] = {
	{LIBS "libc.so.6", "glibc malloc",
	 "malloc calloc realloc free posix_memalign memalign valloc pvalloc", true, 0},
	{"/lib/ld-musl-x86_64.so.1", "musl malloc",
	 "malloc calloc realloc free posix_memalign aligned_alloc", false, 0},
	{LIBS "libjemalloc.so.2", "jemalloc",
	 "malloc calloc realloc free posix_memalign memalign aligned_alloc valloc mallocx rallocx "
	 "dallocx sdallocx _Znwm",
	 false, 6},
	{LIBS "libtcmalloc_minimal.so.4", "tcmalloc",
	 "malloc calloc realloc free posix_memalign memalign", false, 4},
	{LIBS "libmimalloc.so.2", "mimalloc",
	 "malloc calloc free mi_zalloc mi_malloc_aligned mi_zalloc_aligned mi_realloc_aligned",
	 false, 4},
};

#define LIB_CNT (sizeof(libs) / sizeof(libs[0]))

static struct target *open_self(void)
{
	enum target_error error;
	struct target *target = target__open(getpid(), &error);

	if (!target)
		abort();
	return target;
}

static struct plan *plan_file(struct target *target, const char *path,
			      const struct plan_options *options)
{
	if (target__expect_exec(target, path))
		return NULL;
	/* that file alone */
	while (target->map_cnt > 1)
		free(target->maps[--target->map_cnt].path);
	return plan__new(target, options);
}

static void test_names(void)
{
	static const struct {
		const char *symbol;
		int function; /* -1: none */
		enum allocator_family family;
	} cases[] = {
		{"malloc", HEAP_MALLOC, FAMILY_C},
		{"cfree", HEAP_FREE, FAMILY_C},
		{"aligned_alloc", HEAP_MEMALIGN, FAMILY_C},
		{"reallocarray", -1, 0},
		{"malloc_trim", -1, 0},
		{"mallo", -1, 0},
		{"", -1, 0},
		{"_rjem_sdallocx", HEAP_FREE, FAMILY_RJEM},
		{"je_calloc", HEAP_CALLOC, FAMILY_JE},
		{"je_malloc_default", -1, 0},
		{"mi_malloc_aligned", HEAP_MALLOC, FAMILY_MI},
		{"mi_heap_malloc", -1, 0},
		{"malloc_aligned", -1, 0},
		{"tc_deletearray_sized", HEAP_DELETE, FAMILY_TC},
		{"tc_mallocx", -1, 0},
		{"_Znwm", HEAP_NEW, FAMILY_CXX},
		{"_ZdaPvmSt11align_val_t", HEAP_DELETE, FAMILY_CXX},
		{"_ZN3fooEv", -1, 0},
		{"__rust_dealloc", HEAP_FREE, FAMILY_RUST},
		{"_RNvCsfLfy6EI15iL_7___rustc14___rust_realloc", HEAP_RUST_REALLOC, FAMILY_RUST},
		{"_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc", HEAP_MALLOC, FAMILY_RUST},
		{"_RNvCsfLfy6EI15iL_7___rustc11___rdl_alloc", -1, 0},
		{"_RNvCsfLfy6EI15iL_7___rustc", -1, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct allocator_name name;
		bool found = allocator_name__find(&name, cases[i].symbol);

		ok(found == (cases[i].function >= 0) &&
			   (!found || ((int)name.function == cases[i].function &&
				       name.family == cases[i].family)),
		   "name: '%s'", cases[i].symbol);
	}
}

static const struct allocator_function *find_function(const struct allocator *allocator,
						      const char *name, size_t sz)
{
	for (size_t i = 0; i < allocator->cnt; i++)
		if (strlen(allocator->functions[i].sym.name) == sz &&
		    !memcmp(allocator->functions[i].sym.name, name, sz))
			return &allocator->functions[i];
	return NULL;
}

/* Probes of a plan that are inside a function, or speak of it. */
struct seen {
	size_t begins, returns, exits;
};

static struct seen look_for(const struct plan *plan, const struct elf_sym *sym)
{
	struct seen seen = {0};
	char what[100];

	snprintf(what, sizeof(what), "%s in ", sym->name);
	for (size_t i = 0; i < plan->probe_cnt; i++) {
		const struct probe *probe = &plan->probes[i];
		bool inside = probe->file_off - sym->file_off < sym->sz;

		if (probe->group == PROBES_RUNTIME || probe->group == PROBES_LINKER)
			continue;
		if (!strncmp(probe->prog, "heap_exit", 9))
			seen.exits += inside || !strncmp(probe->what, what, strlen(what));
		else if (probe->at_return)
			seen.returns += inside && !strcmp(probe->prog, "heap_return");
		else
			seen.begins += inside;
	}
	return seen;
}

/* Every function of a list begins once and is seen to return where it gives memory. */
static void check_functions(const struct plan *plan, const char *functions, bool at_return)
{
	const struct allocator *allocator = &plan->allocators->found[0];

	while (*functions) {
		size_t sz = strcspn(functions, " ");
		const struct allocator_function *function = find_function(allocator, functions, sz);
		struct seen seen = {0};
		bool takes = false;

		if (function) {
			seen = look_for(plan, &function->sym);
			takes = function->function == HEAP_FREE;
		}
		ok(function && seen.begins == 1 &&
			   (takes ? !seen.returns && !seen.exits
			    : at_return && function->function != HEAP_NEW
				    ? seen.returns == 1 && !seen.exits
				    : !seen.returns),
		   "%.*s: %zu begins, %zu returns, %zu exits", (int)sz, functions, seen.begins,
		   seen.returns, seen.exits);
		functions += sz + strspn(functions + sz, " ");
	}
}

static bool has_duplicates(const struct plan *plan)
{
	for (size_t i = 0; i < plan->probe_cnt; i++)
		for (size_t j = 0; j < i; j++)
			if (plan->probes[i].file_off == plan->probes[j].file_off &&
			    !strcmp(plan->probes[i].prog, plan->probes[j].prog))
				return true;
	return false;
}

static size_t count(const struct plan *plan, const char *prog)
{
	size_t cnt = 0;

	for (size_t i = 0; i < plan->probe_cnt; i++)
		cnt += !strcmp(plan->probes[i].prog, prog);
	return cnt;
}

/* A return probe under what may throw ends the target. */
static bool returns_under_new(const struct plan *plan)
{
	for (size_t i = 0; i < plan->probe_cnt; i++)
		for (size_t j = 0; j < plan->probe_cnt; j++)
			if (plan->probes[i].at_return &&
			    !strcmp(plan->probes[j].prog, "heap_new") &&
			    plan->probes[i].file_off == plan->probes[j].file_off)
				return true;
	return false;
}

static void test_lib(struct target *target, size_t idx)
{
	struct plan *plan = plan_file(target, libs[idx].path, &with_returns);
	struct buf text = {0};

	ok(plan && plan->allocators && plan->allocators->cnt == 1 &&
		   !strcmp(plan->allocators->found[0].name, libs[idx].name) &&
		   !strcmp(plan->allocators->found[0].how, "exact symbol") &&
		   allocators__tell_size(plan->allocators) == libs[idx].is_glibc,
	   "%s: %s", libs[idx].path,
	   plan && plan->allocators && plan->allocators->cnt ? plan->allocators->found[0].name
							     : "nothing");
	if (!plan || !plan->allocators || !plan->allocators->cnt) {
		plan__free(plan);
		return;
	}
	allocators__describe(plan->allocators, &text);
	ok(strstr(buf__str(&text), libs[idx].name) && strstr(buf__str(&text), " functions in /"),
	   "%s", buf__str(&text));
	buf__free(&text);
	check_functions(plan, libs[idx].functions, true);
	ok(!has_duplicates(plan), "%s: no place twice", libs[idx].name);
	ok(count(plan, "heap_new") == libs[idx].new_cnt && !returns_under_new(plan),
	   "%s: %zu operators new, none with a return probe", libs[idx].name,
	   count(plan, "heap_new"));
	ok(!libs[idx].new_cnt == !count(plan, "heap_exit_new") && !count(plan, "heap_exit"),
	   "%s: they return by %zu instructions", libs[idx].name, count(plan, "heap_exit_new"));
	plan__free(plan);
}

/* Where no return address may be changed. */
static void test_exits(struct target *target)
{
	struct plan *plan = plan_file(target, LIBS "libc.so.6", &without_returns);

	ok(plan && !count(plan, "heap_return") && count(plan, "heap_exit") >= 8,
	   "glibc without return probes: %zu exits", plan ? count(plan, "heap_exit") : 0);
	if (plan)
		check_functions(plan, libs[0].functions, false);
	plan__free(plan);
	plan = plan_file(target, "/lib/ld-musl-x86_64.so.1", &without_returns);
	ok(plan && !count(plan, "heap_return") && count(plan, "heap_malloc") == 1 &&
		   count(plan, "heap_realloc") == 1 && count(plan, "heap_exit") >= 5,
	   "musl without return probes: %zu exits", plan ? count(plan, "heap_exit") : 0);
	plan__free(plan);
}

static void test_modes(struct target *target)
{
	struct plan_options options = {.heap = HEAP_MODE_COUNTING, .return_probes = true};
	struct plan *plan = plan_file(target, LIBS "libc.so.6", &options);

	ok(plan && plan->probe_cnt == 8 && !count(plan, "heap_return") && !count(plan, "heap_exit"),
	   "counting: the beginnings alone");
	plan__free(plan);
	options.heap = HEAP_MODE_OFF;
	plan = plan_file(target, LIBS "libc.so.6", &options);
	ok(plan && !plan->probe_cnt && !plan->allocators, "off: nothing");
	plan__free(plan);
	options.heap = HEAP_MODE_SAMPLED;
	plan = plan_file(target, "/lib64/ld-linux-x86-64.so.2", &options);
	ok(plan && plan->probe_cnt == 1 && !strcmp(plan->probes[0].prog, "heap_linker") &&
		   plan->probes[0].group == PROBES_LINKER && !plan->allocators->cnt,
	   "the dynamic linker: its own malloc is not probed");
	plan__free(plan);
	plan = plan_file(target, "/lib/ld-musl-x86_64.so.1", &options);
	ok(plan && count(plan, "heap_linker") == 1, "musl's dynamic linker");
	plan__free(plan);
}

/* What passes calls on is not probed: there a free would count twice. */
static void test_forwards(struct target *target)
{
	static const struct {
		const char *path, *function;
	} cases[] = {
		{LIBS "libjemalloc.so.2", "_ZdlPv"},      {LIBS "libjemalloc.so.2", "_Znam"},
		{LIBS "libmimalloc.so.2", "cfree"},       {LIBS "libmimalloc.so.2", "mi_free_size"},
		{"/lib/ld-musl-x86_64.so.1", "memalign"}, {"/lib/ld-musl-x86_64.so.1", "valloc"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan *plan = plan_file(target, cases[i].path, &with_returns);
		const struct allocator_function *function = NULL;
		struct seen seen = {0};

		if (plan && plan->allocators->cnt)
			function = find_function(&plan->allocators->found[0], cases[i].function,
						 strlen(cases[i].function));
		if (function)
			seen = look_for(plan, &function->sym);
		ok(function && !seen.begins && !seen.returns && !seen.exits,
		   "%s of %s only forwards", cases[i].function, cases[i].path);
		plan__free(plan);
	}
}

/* libstdc++'s operators call malloc: it is not an allocator, but a wrapper. A call is made with rsp a
 * multiple of 16, so the return address of the function that calls is 8 more than such a multiple above. */
static void test_wrappers(struct target *target, const char *path, size_t least)
{
	struct plan *plan = plan_file(target, path, &with_returns);
	const struct wrappers *wrappers = plan ? &plan->allocators->wrappers : NULL;
	struct elf_file *file = elf_file__open(target, &target->maps[0]);
	bool calls = true, aligned = true;

	ok(wrappers && wrappers->cnt >= least, "%s: %zu returns into wrappers", path,
	   wrappers ? wrappers->cnt : 0);
	for (size_t i = 0; wrappers && file && i < wrappers->cnt; i++) {
		const struct wrapper_return *ret = &wrappers->returns[i];
		uint8_t code[6];

		/* the file is mapped from address 0: addresses are offsets */
		calls &= elf_file__read_code(file, ret->ip - 6, code, 6) == 6 &&
			 (code[1] == 0xe8 || (code[0] == 0xff && code[1] == 0x15) ||
			  code[4] == 0xff || code[3] == 0xff);
		aligned &= ret->depth % 16 == 8;
	}
	ok(calls, "%s: each is behind a call", path);
	ok(aligned, "%s: and as deep as a call may be", path);
	elf_file__free(file);
	plan__free(plan);
}

/* --- processes --- */

static pid_t start(const char *path)
{
	int fds[2];
	pid_t pid;
	char fd[16], byte;

	if (pipe(fds))
		abort();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		snprintf(fd, sizeof(fd), "%d", fds[1]);
		execl(path, path, "wait", fd, NULL);
		_exit(1);
	}
	close(fds[1]);
	(void)!read(fds[0], &byte, 1);
	close(fds[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* This program has the text of all allocators, being the one that searches for it. Without its symbols
 * it looks as if they were linked in. */
static void test_stripped(void)
{
	char dir[] = "/tmp/test_allocators.XXXXXX", path[64], command[128];
	const struct allocator *found = NULL;
	struct allocators *allocators;
	enum target_error error;
	struct target *target;
	struct buf text = {0};
	pid_t pid;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/stripped", dir);
	snprintf(command, sizeof(command), "strip -o %s /proc/%d/exe", path, getpid());
	if (system(command))
		abort();
	pid = start(path);
	target = target__open(pid, &error);
	allocators = target ? allocators__new(target) : NULL;
	for (size_t i = 0; allocators && i < allocators->cnt; i++)
		if (!strcmp(allocators->found[i].file->path, path))
			found = &allocators->found[i];
	ok(found && !found->cnt && !strcmp(found->how, "strings") &&
		   strstr(found->name, "jemalloc") && strstr(found->name, "mimalloc") &&
		   strstr(found->name, "tcmalloc"),
	   "without symbols: %s", found ? found->name : "not recognised");
	if (found)
		allocator__describe(found, &text);
	ok(strstr(buf__str(&text), "without symbols: its calls are not visible"), "%s",
	   buf__str(&text));
	buf__free(&text);
	allocators__free(allocators);
	target__free(target);
	stop(pid);
	unlink(path);
	rmdir(dir);
}

static pid_t start_filtered(bool filtered)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = {.len = 1, .filter = &allow};
	int fds[2];
	char byte;
	pid_t pid;

	if (pipe(fds))
		abort();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		if (filtered && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
				 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)))
			_exit(1);
		(void)!write(fds[1], "x", 1);
		for (;;)
			pause();
	}
	close(fds[1]);
	(void)!read(fds[0], &byte, 1);
	close(fds[0]);
	return pid;
}

static void test_protection(void)
{
	for (int filtered = 0; filtered < 2; filtered++) {
		pid_t pid = start_filtered(filtered);
		enum target_error error;
		struct target *target = target__open(pid, &error);

		ok(target && target__has_seccomp(target) == filtered, "seccomp: %s",
		   filtered ? "a filter" : "none");
		/* gcc's programs here have none: glibc asks for it since 2.39, and only if told to */
		ok(target && !target__has_shadow_stack(target), "no shadow stack");
		stop(pid);
		ok(target && target__has_seccomp(target), "seccomp: what is gone is not trusted");
		target__free(target);
	}
}

int main(int argc, char **argv)
{
	struct target *target;

	if (argc == 3 && !strcmp(argv[1], "wait")) {
		(void)!write(atoi(argv[2]), "x", 1);
		for (;;)
			pause();
	}
	target = open_self();
	test_names();
	for (size_t i = 0; i < LIB_CNT; i++) {
		if (!access(libs[i].path, R_OK))
			test_lib(target, i);
		else
			ok(false, "%s is not installed (tools/deps test)", libs[i].path);
	}
	test_exits(target);
	test_modes(target);
	test_forwards(target);
	test_wrappers(target, LIBS "libstdc++.so.6", 8);
	test_wrappers(target, LIBS "libc.so.6", 3);
	test_stripped();
	test_protection();
	target__free(target);
	return tap_done();
}
