/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/runtime: the registry, the adapters of threads and marks, and their plan. This program has
 * marks itself, and runs altered copies of itself that lack some. Run by tests/run. */
#include "runtime/runtime.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tap.h"

/* Without a prologue of the compiler's: lea, a nop, return. The nop is the place for a probe. */
#define NOP_OFF 4
#define MARK(name, ...)                                                                            \
	__attribute__((naked, noinline, used)) void asyncscope_##name(__VA_ARGS__)                 \
	{                                                                                          \
		__asm__ volatile("lea (%rdi, %rsi), %rax\n\tnop\n\tret\t# " #name);                \
	}
MARK(spawn, uint64_t id __attribute__((unused)), const char *kind __attribute__((unused)))
MARK(enter, uint64_t id __attribute__((unused)))
MARK(leave, uint64_t id __attribute__((unused)))
MARK(wake, uint64_t id __attribute__((unused)))
MARK(end, uint64_t id __attribute__((unused)), int state __attribute__((unused)))

static const struct {
	const char *prog;
	const void *function;
	const char *what;
} marks[] = {
	{"marks_spawn", asyncscope_spawn, "asyncscope_spawn in /"},
	{"marks_enter", asyncscope_enter, "asyncscope_enter in /"},
	{"marks_leave", asyncscope_leave, "asyncscope_leave in /"},
	{"marks_wake", asyncscope_wake, "asyncscope_wake in /"},
	{"marks_end", asyncscope_end, "asyncscope_end in /"},
};

#define MARK_CNT (sizeof(marks) / sizeof(marks[0]))

static const struct plan_options no_heap = {.heap = HEAP_MODE_OFF};

static struct target *open_target(pid_t pid)
{
	enum target_error error;
	struct target *target = target__open(pid, &error);

	if (!target)
		abort();
	return target;
}

static struct runtime_found detect(const struct target *target, enum wire_runtime id)
{
	struct runtime_found found = {0};

	runtime_adapter__find(id)->detect(target, &found);
	return found;
}

static void test_registry(void)
{
	bool complete = true;

	for (size_t i = 0; i < runtime_adapter_cnt; i++) {
		const struct runtime_adapter *adapter = runtime_adapters[i];

		complete &= runtime_adapter__find(adapter->id) == adapter && adapter->name &&
			    adapter->doc && adapter->detect && adapter->native_name &&
			    (adapter->type_name || adapter->id == RUNTIME_THREAD);
	}
	ok(complete && runtime_adapter_cnt == RUNTIME_CNT, "an adapter for each runtime");
	ok(!runtime_adapter__find(RUNTIME_CNT), "none for another");
	ok(!strcmp(confidence_name(CONFIDENCE_NONE), "none") &&
		   !strcmp(confidence_name(CONFIDENCE_LOW), "low") &&
		   !strcmp(confidence_name(CONFIDENCE_MEDIUM), "medium") &&
		   !strcmp(confidence_name(CONFIDENCE_HIGH), "high"),
	   "confidence in words");
}

static void test_thread(const struct target *target)
{
	const struct runtime_adapter *adapter = runtime_adapter__find(RUNTIME_THREAD);
	struct runtime_found found = detect(target, RUNTIME_THREAD);
	char text[32];

	ok(found.confidence == CONFIDENCE_HIGH && !strcmp(found.binding, "kernel") &&
		   !strcmp(found.reason, "1 thread") && !adapter->plan,
	   "thread: always there (%s), without probes", found.reason);
	adapter->native_name(4711, text, sizeof(text));
	ok(!strcmp(text, "4711"), "thread: its id");
}

static void test_marks(const struct target *target)
{
	struct runtime_found found = detect(target, RUNTIME_MARKS);
	char reason[PATH_MAX + 64];

	snprintf(reason, sizeof(reason), "asyncscope_enter and 4 more in %s", target->exe);
	ok(found.confidence == CONFIDENCE_HIGH && !strcmp(found.binding, "exact symbol") &&
		   !strncmp(found.reason, reason, sizeof(found.reason) - 1),
	   "marks: %s", found.reason);
}

static void test_plan(const struct target *target)
{
	struct plan *plan = plan__new(target, &no_heap);
	struct stat st, exe;

	ok(plan && plan->pid == getpid() && plan->probe_cnt == MARK_CNT && plan->file_cnt == 1,
	   "plan: a probe for each mark, in one file");
	if (!plan || plan->probe_cnt != MARK_CNT)
		return;
	for (size_t i = 0; i < MARK_CNT; i++) {
		const struct probe *probe = NULL;

		for (size_t j = 0; j < plan->probe_cnt; j++)
			if (!strcmp(plan->probes[j].prog, marks[i].prog))
				probe = &plan->probes[j];
		ok(probe && probe->ip == (uintptr_t)marks[i].function + probe->place.off &&
			   probe->file_off && probe->file == plan->files[0] &&
			   !strncmp(probe->what, marks[i].what, strlen(marks[i].what)),
		   "plan: %s is at its function", marks[i].prog);
		ok(probe && probe->place.probe == PROBE_EMULATED && probe->place.off == NOP_OFF &&
			   !probe->place.sp_below,
		   "plan: where it costs least: %s", probe ? probe->place.reason : "");
	}
	ok(!fstat(plan->files[0]->fd, &st) && !stat("/proc/self/exe", &exe) &&
		   st.st_ino == exe.st_ino && !stat(plan->files[0]->open_path, &st) &&
		   st.st_ino == exe.st_ino,
	   "plan: its file is open and can be named");
	plan__free(plan);
	plan__free(NULL);
}

static void test_names(const struct target *target)
{
	const struct runtime_adapter *adapter = runtime_adapter__find(RUNTIME_MARKS);
	char text[200], huge[200];

	adapter->type_name(target, NULL, (uintptr_t) "http\nrequest", text, sizeof(text));
	ok(!strcmp(text, "http?request"), "marks: a kind is read and cleaned");
	memset(huge, 'k', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	adapter->type_name(target, NULL, (uintptr_t)huge, text, sizeof(text));
	ok(strlen(text) == 79, "marks: a kind is bounded");
	adapter->type_name(target, NULL, 8, text, sizeof(text));
	ok(!strcmp(text, "unnamed"), "marks: an unreadable kind has a name too");
	adapter->type_name(target, NULL, 0, text, 4);
	ok(!strcmp(text, "unn"), "marks: in little room");
	adapter->native_name(UINT64_MAX, text, sizeof(text));
	ok(!strcmp(text, "18446744073709551615"), "marks: its own id, in decimal");
}

/* --- altered copies --- */

static size_t data_sz; /* of the copy that is made */

/* Renames a function in every string table: "asyncscope_x" becomes "bsyncscope_x". */
static void rename_mark(char *data, const char *name)
{
	size_t name_sz = strlen(name) + 1;
	char *pos = data;

	while ((pos = memmem(pos, (size_t)(data + data_sz - pos), name, name_sz)))
		*pos++ = 'b';
}

static ElfW(Sym) * find_symbol(char *data, const char *name)
{
	ElfW(Ehdr) *ehdr = (void *)data;
	ElfW(Shdr) *sections = (void *)(data + ehdr->e_shoff);

	for (int i = 0; i < ehdr->e_shnum; i++) {
		ElfW(Sym) *syms = (void *)(data + sections[i].sh_offset);
		const char *names;

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		names = data + sections[sections[i].sh_link].sh_offset;
		for (size_t j = 0; j < sections[i].sh_size / sizeof(*syms); j++)
			if (!strcmp(names + syms[j].st_name, name))
				return &syms[j];
	}
	abort();
}

/* Gives a function another one's address, as a linker does that folds equal bodies. */
static void fold_mark(char *data, const char *name)
{
	find_symbol(data, name)->st_value = find_symbol(data, "asyncscope_leave")->st_value;
}

/* Lets a function begin with an instruction that must have no probe. */
static void bar_mark(char *data, const char *name)
{
	static const unsigned char vzeroupper[] = {0xc5, 0xf8, 0x77};
	ElfW(Ehdr) *ehdr = (void *)data;
	ElfW(Shdr) *sections = (void *)(data + ehdr->e_shoff);
	const ElfW(Sym) *sym = find_symbol(data, name);
	const ElfW(Shdr) *text = &sections[sym->st_shndx];

	memcpy(data + sym->st_value - text->sh_addr + text->sh_offset, vzeroupper,
	       sizeof(vzeroupper));
}

/* A copy with one mark altered. */
static void write_copy(const char *path, void (*alter)(char *data, const char *name),
		       const char *name)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	struct stat st;
	char *data;

	if (in < 0 || out < 0 || fstat(in, &st))
		abort();
	data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, in, 0);
	if (data == MAP_FAILED)
		abort();
	data_sz = (size_t)st.st_size;
	if (alter)
		alter(data, name);
	if (write(out, data, (size_t)st.st_size) != st.st_size)
		abort();
	munmap(data, (size_t)st.st_size);
	close(in);
	close(out);
}

/* A program that is told to wait until it is killed, once it runs. */
static pid_t start(const char *path, const char *arg)
{
	char fd[16], byte;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		abort();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		fcntl(fds[0], F_SETFD, FD_CLOEXEC);
		if (strcmp(arg, "wait") != 0)
			fcntl(fds[1], F_SETFD, FD_CLOEXEC);
		snprintf(fd, sizeof(fd), "%d", fds[1]);
		execl(path, path, arg, strcmp(arg, "wait") ? NULL : fd, NULL);
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

/* The copy's finding and the number of its probes. */
static void check_copy(const char *path, enum confidence confidence, size_t probe_cnt,
		       const char *reason)
{
	pid_t pid = start(path, "wait");
	struct target *target = open_target(pid);
	struct runtime_found found = detect(target, RUNTIME_MARKS);
	struct plan *plan = plan__new(target, &no_heap);

	ok(found.confidence == confidence && strstr(found.reason, reason), "copy: %s",
	   found.reason);
	ok(plan && plan->probe_cnt == probe_cnt && plan->file_cnt == (probe_cnt ? 1 : 0),
	   "copy: %zu probes", plan ? plan->probe_cnt : 0);
	plan__free(plan);
	target__free(target);
	stop(pid);
	unlink(path);
}

static void test_copies(const char *dir)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/copy", dir);
	write_copy(path, rename_mark, "asyncscope_wake");
	check_copy(path, CONFIDENCE_HIGH, 4, "asyncscope_enter and 3 more in /tmp/");
	write_copy(path, rename_mark, "asyncscope_leave");
	check_copy(path, CONFIDENCE_NONE, 0, "but no asyncscope_leave");
	write_copy(path, rename_mark, "asyncscope_enter");
	check_copy(path, CONFIDENCE_NONE, 0, "but no asyncscope_enter");
	write_copy(path, fold_mark, "asyncscope_enter");
	check_copy(path, CONFIDENCE_NONE, 0, "merged into one function");
	log_level = LOG_QUIET; /* it is said */
	write_copy(path, bar_mark, "asyncscope_wake");
	check_copy(path, CONFIDENCE_HIGH, 4, "asyncscope_enter and 4 more in /tmp/");
	log_level = LOG_NORMAL;
}

/* The program's file is replaced while it runs, as an upgrade does. */
static void test_deleted(const char *dir)
{
	struct target *target;
	struct plan *plan;
	char path[100];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/upgraded", dir);
	write_copy(path, NULL, NULL);
	pid = start(path, "wait");
	unlink(path);
	target = open_target(pid);
	plan = plan__new(target, &no_heap);
	ok(plan && plan->probe_cnt == MARK_CNT && strstr(plan->probes[0].what, "(deleted)"),
	   "deleted: its marks are found");
	plan__free(plan);
	target__free(target);
	stop(pid);
}

static void test_without(void)
{
	pid_t pid = start("/bin/sleep", "60");
	struct target *target = open_target(pid);
	struct runtime_found found = detect(target, RUNTIME_MARKS);
	struct plan *plan = plan__new(target, &no_heap);

	ok(found.confidence == CONFIDENCE_NONE &&
		   !strncmp(found.reason, "no function asyncscope_enter in ", 32),
	   "without marks: %s", found.reason);
	ok(plan && !plan->probe_cnt && !plan->file_cnt, "without marks: nothing planned");
	plan__free(plan);
	target__free(target);
	stop(pid);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/test_runtime.XXXXXX";
	struct target *target;

	if (argc == 3 && !strcmp(argv[1], "wait")) {
		(void)!write(atoi(argv[2]), "x", 1);
		for (;;)
			pause();
	}
	if (!mkdtemp(dir))
		abort();
	target = open_target(getpid());
	test_registry();
	test_thread(target);
	test_marks(target);
	test_plan(target);
	test_names(target);
	test_copies(dir);
	test_deleted(dir);
	test_without();
	target__free(target);
	rmdir(dir);
	return tap_done();
}
