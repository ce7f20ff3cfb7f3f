/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where runtime/heap.c says that functions of allocators return, against what they do: each of these
 * instructions has a perf event while the functions run, and each call must pass one of them, with its
 * result in rax and the stack as it was at its entry. The same of the returns into wrappers, and how far
 * below the entry's the stack is there. In processes of their own, with an allocator that is preloaded.
 * Run by tests/run.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/own_function.h"
#include "../unit/tap.h"
#include "runtime/allocators.h"
#include "runtime/runtime.h"

#define LIBS     "/usr/lib/x86_64-linux-gnu/"
#define RING_SZ  (16 * 4096)
#define SITE_MAX 64
#define CALL_MAX 64
/* PERF_REG_X86_AX, _SP, in this order in a sample. */
#define REGS ((1u << 0) | (1u << 7))

static const struct {
	const char *path,
		*file; /* to preload, and a part of the path of the file that is looked at */
	bool return_probes; /* then only operators new have exits */
	bool wrappers; /* the functions are such */
	const char *functions;
} libs[] = {
	{"", "/libc.so", false, true, "strdup strndup"},
	{LIBS "libstdc++.so.6", "/libstdc++", false, true,
	 "_Znwm _ZnwmRKSt9nothrow_t _ZnwmSt11align_val_t"},
	{"", "/libc.so", false, false, "malloc calloc realloc memalign valloc pvalloc"},
	{LIBS "libjemalloc.so.2", "/libjemalloc", true, false,
	 "_Znwm _Znam _ZnwmRKSt9nothrow_t _ZnwmSt11align_val_t"},
	{LIBS "libtcmalloc_minimal.so.4", "/libtcmalloc", true, false,
	 "_Znwm _Znam _ZnwmRKSt9nothrow_t _ZnwmSt11align_val_t"},
	{LIBS "libmimalloc.so.2", "/libmimalloc", true, false,
	 "_Znwm _Znam _ZnwmRKSt9nothrow_t _ZnwmSt11align_val_t"},
};

#define LIB_CNT (sizeof(libs) / sizeof(libs[0]))

static const uint64_t sizes[] = {0, 1, 24, 100, 1000, 1024, 5000, 40000, 1 << 18, 1 << 20, 1 << 26};
#define SIZE_CNT (sizeof(sizes) / sizeof(sizes[0]))

/* Calls a function with two arguments, and notes the stack pointer that it begins with. */
uint64_t call_noting(const void *function, uint64_t a, uint64_t b, uint64_t *sp);
__asm__(".text\n"
	".globl call_noting\n"
	".type call_noting, @function\n"
	"call_noting:\n"
	"	push %rbx\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	lea -8(%rsp), %rbx\n"
	"	mov %rbx, (%rcx)\n"
	"	call *%rax\n"
	"	pop %rbx\n"
	"	ret\n"
	".size call_noting, . - call_noting\n");

static struct perf_event_mmap_page *rings[SITE_MAX];
static uint32_t depths[SITE_MAX]; /* of a wrapper's stack there */
static size_t ring_cnt;

static bool add_site(const char *path, uint64_t off, uint32_t depth)
{
	struct perf_event_attr attr = {
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_REGS_USER,
		.sample_regs_user = REGS,
	};
	int fd = open_own_uprobe(&attr, path, off);

	if (fd < 0 || ring_cnt == SITE_MAX)
		return false;
	depths[ring_cnt] = depth;
	rings[ring_cnt] = mmap(NULL, 4096 + RING_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return rings[ring_cnt] != MAP_FAILED && ++ring_cnt;
}

/* How many hits since last time had the result and the stack of a call. */
static int count_hits(uint64_t result, uint64_t sp)
{
	int cnt = 0;

	for (size_t i = 0; i < ring_cnt; i++) {
		const char *data = (const char *)rings[i] + 4096;
		uint64_t head = __atomic_load_n(&rings[i]->data_head, __ATOMIC_ACQUIRE);
		uint64_t pos = rings[i]->data_tail;

		while (pos < head) {
			const struct perf_event_header *header =
				(const void *)(data + pos % RING_SZ);
			/* the ABI, then the registers */
			const uint64_t *body = (const void *)(header + 1);

			cnt += header->type == PERF_RECORD_SAMPLE && body[0] &&
			       (depths[i] || body[1] == result) && body[2] + depths[i] == sp;
			pos += header->size;
		}
		__atomic_store_n(&rings[i]->data_tail, head, __ATOMIC_RELEASE);
	}
	return cnt;
}

/* What it is called with, so that it allocates so many bytes. */
static void set_args(const char *name, uint64_t sz, uint64_t *a, uint64_t *b)
{
	static char text[1 << 20];
	bool is_second = !strcmp(name, "memalign");

	*a = is_second ? 64 : !strcmp(name, "realloc") ? 0 : sz;
	*b = is_second || !strcmp(name, "realloc") ? sz : !strcmp(name, "calloc") ? 1 : 64;
	if (!strncmp(name, "str", 3)) {
		memset(text, 'x', sizeof(text) - 1);
		*a = (uintptr_t)text;
		*b = sz;
	}
}

/* The calls of one function: how many were seen, each once; -1: there is none. */
static int try_function(const char *name, bool is_wrapper)
{
	const void *function = dlsym(RTLD_DEFAULT, name);
	uint64_t results[CALL_MAX], sps[CALL_MAX];
	int seen = 0;

	if (!function)
		return -1;
	count_hits(0, 0);
	for (size_t i = 0; i < SIZE_CNT * 4; i++) {
		uint64_t a, b;
		int hits;

		set_args(name, sizes[i % SIZE_CNT], &a, &b);
		results[i] = call_noting(function, a, b, &sps[i]);
		hits = count_hits(results[i], sps[i]);
		seen += is_wrapper ? hits >= 1 : hits == 1;
	}
	for (size_t i = 0; i < SIZE_CNT * 4; i++)
		free((void *)results[i]); /* the allocator's own: it is preloaded */
	return seen;
}

static void add_exits(const struct plan *plan, const char *file)
{
	for (size_t i = 0; i < plan->probe_cnt; i++) {
		const struct probe *probe = &plan->probes[i];

		if (!strncmp(probe->prog, "heap_exit", 9) && strstr(probe->file->path, file) &&
		    !add_site(probe->file->open_path, probe->file_off, 0))
			printf("no event at %s: %m\n", probe->what);
	}
}

static void add_wrapper_returns(const struct plan *plan, const struct target *target,
				const char *file)
{
	const struct wrappers *wrappers = &plan->allocators->wrappers;

	for (size_t i = 0; i < wrappers->cnt; i++) {
		const struct wrapper_return *ret = &wrappers->returns[i];

		for (size_t j = 0; j < target->map_cnt; j++) {
			const struct target_map *map = &target->maps[j];

			if (ret->ip >= map->start && ret->ip < map->end &&
			    strstr(map->path, file) &&
			    !add_site(map->path, ret->ip - map->start + map->file_off, ret->depth))
				printf("no event at 0x%lx: %m\n", ret->ip);
		}
	}
}

/* In a process with the allocator: a line for each function. */
static int child(const char *idx_text)
{
	size_t idx = (size_t)atoi(idx_text);
	struct plan_options options = {.heap = HEAP_MODE_EXACT,
				       .return_probes = libs[idx].return_probes};
	char names[256], *save = NULL;
	enum target_error error;
	struct target *target = target__open(getpid(), &error);
	struct plan *plan = target ? plan__new(target, &options) : NULL;

	alarm(60);
	if (plan && libs[idx].wrappers)
		add_wrapper_returns(plan, target, libs[idx].file);
	else if (plan)
		add_exits(plan, libs[idx].file);
	printf("sites %zu\n", ring_cnt);
	snprintf(names, sizeof(names), "%s", libs[idx].functions);
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save))
		printf("%s %d\n", name, try_function(name, libs[idx].wrappers));
	fflush(stdout);
	_exit(0);
}

static void test_lib(size_t idx)
{
	char command[300], line[200], name[100];
	FILE *out;
	int cnt, status;

	snprintf(command, sizeof(command), "LD_PRELOAD=%s /proc/%d/exe child %zu", libs[idx].path,
		 getpid(), idx);
	out = popen(command, "r");
	while (out && fgets(line, sizeof(line), out)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "sites %d", &cnt) == 1)
			ok(cnt > 0, "%s: %d %s", libs[idx].file, cnt,
			   libs[idx].wrappers ? "returns into wrappers" : "exits");
		else if (sscanf(line, "%99s %d", name, &cnt) == 2)
			ok(cnt == SIZE_CNT * 4, "%s of %s: %d of %zu calls pass one", name,
			   libs[idx].file, cnt, SIZE_CNT * 4);
		else
			note("%s", line);
	}
	status = out ? pclose(out) : -1;
	ok(!status, "%s: it lives", libs[idx].file);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "child"))
		return child(argv[2]);
	if (uprobe_type() < 0) {
		printf("1..0 # SKIP no uprobes by perf events\n");
		return 0;
	}
	for (size_t i = 0; i < LIB_CNT; i++) {
		if (*libs[i].path && access(libs[i].path, R_OK))
			ok(true, "%s # SKIP not installed (tools/deps test)", libs[i].path);
		else
			test_lib(i);
	}
	return tap_done();
}
