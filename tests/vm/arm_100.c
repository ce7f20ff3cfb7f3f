/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long 100 probes take to arm and to disarm by each rung of the product's own ladder. Linked
 * with its objects by matrix.t, run in the guests by guest_live.sh.
 *
 *   arm_100 multi|tracefs|perf|best...
 *
 * Its target is a child of its own that calls 100 functions. One line per rung, tabs between: the
 * rung; ms to arm; ms to disarm; functions that held a breakpoint while armed; and afterwards.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live/object.h"

#include "asyncscope.skel.h" /* wants wire.h before */

#define PROBES     100
#define BREAKPOINT 0xcc

/* A probe that must be single-stepped costs more; a nop is emulated. */
#define FUNCTION(n)                                                                                \
	static __attribute__((noinline, noclone, no_icf)) void function_##n(void)                  \
	{                                                                                          \
		__asm__ volatile("nop\n\tnop # " #n ::: "memory");                                 \
	}
#define NAME(n)   function_##n,
#define TEN(M, t) M(t##0) M(t##1) M(t##2) M(t##3) M(t##4) M(t##5) M(t##6) M(t##7) M(t##8) M(t##9)
#define HUNDRED(M)                                                                                 \
	TEN(M, 0)                                                                                  \
	TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5) TEN(M, 6) TEN(M, 7) TEN(M, 8) TEN(M, 9)

HUNDRED(FUNCTION)

static void (*const functions[PROBES])(void) = {HUNDRED(NAME)};

static const char *const rung_args[] = {"multi", "tracefs", "perf"};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static pid_t start_target(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (int i = 0; i < PROBES; i++)
			functions[i]();
		usleep(1000);
	}
}

/* Where in this program's file an address of it lies; 0 when it does not. */
static uint64_t file_offset(uint64_t addr)
{
	uint64_t start, end, offset, found = 0;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	while (maps && !found && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) ==
			    3 &&
		    addr >= start && addr < end)
			found = addr - start + offset;
	if (maps)
		fclose(maps);
	return found;
}

static int make_plan(struct plan *plan, pid_t pid)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_file *file = fd < 0 ? NULL : elf_file__open_fd(fd, "/proc/self/exe");
	int err = file ? plan__add_file(plan, file) : -1;

	plan->pid = pid;
	for (int i = 0; !err && i < PROBES; i++) {
		struct probe probe = {.prog = "marks_wake", .file = file};

		probe.ip = (uint64_t)(uintptr_t)functions[i];
		probe.file_off = file_offset(probe.ip);
		snprintf(probe.what, sizeof(probe.what), "function %d", i);
		err = probe.file_off ? plan__add(plan, &probe) : -1;
	}
	return err;
}

/* A fork has the addresses of its parent. */
static int breakpoints(const struct plan *plan)
{
	unsigned char byte;
	char path[64];
	int fd, cnt = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)plan->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < plan->probe_cnt; i++)
		cnt += pread(fd, &byte, 1, (off_t)plan->probes[i].ip) == 1 && byte == BREAKPOINT;
	close(fd);
	return cnt;
}

static int measure(const struct features *features, const struct plan *plan, enum uprobe_rung rung)
{
	struct live_options options = {
		.single_pid = plan->pid,
		.ring_sz = 1 << 20,
		.thread_hint = 4,
		.hw = HW_SOURCE_OFF,
		.rung = rung,
		.heap_mode = HEAP_MODE_OFF,
	};
	struct live *live = live__new(features, &options);
	struct uprobes *uprobes;
	double start, armed, stop, disarmed;
	char why[256];
	int held;

	if (!live)
		return -1;
	start = now_ms();
	uprobes = uprobes__attach(live->skel->obj, live__rung(live), plan, NULL, PROBES_RUNTIME,
				  why, sizeof(why));
	armed = now_ms();
	if (!uprobes) {
		fprintf(stderr, "%s\n", why);
		live__free(live);
		return -1;
	}
	usleep(50000); /* it runs into them */
	held = breakpoints(plan);
	stop = now_ms();
	uprobes__detach(uprobes);
	disarmed = now_ms();
	printf("%s\t%.1f\t%.1f\t%d\t%d\n", uprobe_rung_name(live__rung(live)), armed - start,
	       disarmed - stop, held, breakpoints(plan));
	live__free(live);
	return 0;
}

static enum uprobe_rung rung_of(const struct features *features, const char *arg)
{
	for (size_t i = 0; i < sizeof(rung_args) / sizeof(rung_args[0]); i++)
		if (!strcmp(arg, rung_args[i]))
			return (enum uprobe_rung)i;
	return features__uprobe_rung(features);
}

int main(int argc, char **argv)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	pid_t pid = start_target();
	struct features features;
	int err;

	features__probe(&features);
	err = plan && pid > 0 ? make_plan(plan, pid) : -1;
	if (err)
		fprintf(stderr, "no plan of %d probes\n", PROBES);
	for (int i = 1; !err && i < argc; i++)
		err = measure(&features, plan, rung_of(&features, argv[i]));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	plan__free(plan);
	return err ? 1 : 0;
}
