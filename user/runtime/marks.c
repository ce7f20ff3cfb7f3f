/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The adapter of `marks`: a program that tells about its tasks by five empty functions of its own,
 *	asyncscope_spawn(uint64_t id, const char *kind)    asyncscope_enter(uint64_t id)
 *	asyncscope_leave(uint64_t id)                      asyncscope_wake(uint64_t id)
 *	asyncscope_end(uint64_t id, int state)
 * each with a BPF program of bpf/marks.bpf.c. Without enter and leave there is nothing to measure;
 * the others may be missing. A row in registry.c.
 */
#include "runtime/adapters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"

#define MARK_PREFIX "asyncscope_"
#define KIND_SZ     80

enum mark { MARK_ENTER, MARK_LEAVE, MARK_SPAWN, MARK_WAKE, MARK_END, MARK_CNT };

static const struct {
	const char *function;
	const char *prog;
	unsigned int args; /* that the program reads: registers alone, never the stack */
} marks[MARK_CNT] = {
	[MARK_ENTER] = {MARK_PREFIX "enter", "marks_enter", PLACE_ARG(0) | PLACE_ARG(1)},
	[MARK_LEAVE] = {MARK_PREFIX "leave", "marks_leave", PLACE_ARG(0)},
	[MARK_SPAWN] = {MARK_PREFIX "spawn", "marks_spawn", PLACE_ARG(0) | PLACE_ARG(1)},
	[MARK_WAKE] = {MARK_PREFIX "wake", "marks_wake", PLACE_ARG(0)},
	[MARK_END] = {MARK_PREFIX "end", "marks_end", PLACE_ARG(0) | PLACE_ARG(1)},
};

/* What one file has. */
struct marks_file {
	struct elf_file *file;
	struct elf_sym *syms;
	int cnt; /* of syms, or -errno */
	unsigned int present; /* bit per mark */
	bool folded; /* two marks are one function: the linker merged equal bodies */
};

static int mark_of(const char *name)
{
	for (int i = 0; i < MARK_CNT; i++)
		if (!strcmp(name, marks[i].function))
			return i;
	return -1;
}

static bool is_mark(const char *name, void *ctx)
{
	(void)ctx;
	return name[0] == 'a' && !strncmp(name, MARK_PREFIX, sizeof(MARK_PREFIX) - 1) &&
	       mark_of(name) >= 0;
}

static void marks_file__free(struct marks_file *marked)
{
	elf_syms__free(marked->syms, marked->cnt > 0 ? (size_t)marked->cnt : 0);
	elf_file__free(marked->file);
}

/* 0 or -errno; then there is nothing to free. */
static int marks_file__open(struct marks_file *marked, const struct target *target,
			    const struct target_map *map)
{
	int err;

	memset(marked, 0, sizeof(*marked));
	marked->file = elf_file__open(target, map);
	if (!marked->file)
		return -errno;
	marked->cnt = elf_file__functions(marked->file, is_mark, NULL, &marked->syms);
	if (marked->cnt < 0) {
		err = marked->cnt;
		marks_file__free(marked);
		return err;
	}
	for (int i = 0; i < marked->cnt; i++) {
		marked->present |= 1u << mark_of(marked->syms[i].name);
		marked->folded |= i && marked->syms[i].vaddr == marked->syms[i - 1].vaddr;
	}
	return 0;
}

static bool is_complete(const struct marks_file *marked)
{
	return (marked->present & 1u << MARK_ENTER) && (marked->present & 1u << MARK_LEAVE) &&
	       !marked->folded;
}

/* Text that a path may be too long for keeps its beginning. */
static void set_reason(struct runtime_found *found, const struct buf *text)
{
	snprintf(found->reason, sizeof(found->reason), "%s", buf__str(text));
	target_clean(found->reason);
}

static void say_found(struct buf *reason, const struct marks_file *marked)
{
	int others = __builtin_popcount(marked->present) - 1;

	buf__printf(reason, "%s%s", reason->sz ? ", " : "", marks[MARK_ENTER].function);
	if (others)
		buf__printf(reason, " and %d more", others);
	buf__printf(reason, " in %s", marked->file->path);
}

static void say_incomplete(struct buf *reason, const struct marks_file *marked)
{
	int missing = marked->present & 1u << MARK_ENTER ? MARK_LEAVE : MARK_ENTER;

	buf__printf(reason, "%s%s", reason->sz ? ", " : "", marked->file->path);
	if (marked->folded)
		buf__puts(reason, " has marks that the linker merged into one function");
	else
		buf__printf(reason, " has %s, but no %s", marked->syms[0].name,
			    marks[missing].function);
}

static void detect(const struct target *target, struct runtime_found *found)
{
	struct buf good = {0}, bad = {0};
	size_t pos = 0, cnt = 0, unread = 0;
	const struct target_map *map;
	struct marks_file marked;
	int err = 0, last_err = 0;

	while ((map = target__next_file(target, &pos))) {
		err = marks_file__open(&marked, target, map);
		cnt++;
		if (err) {
			unread += err != -ENOEXEC;
			last_err = err != -ENOEXEC ? err : last_err;
			continue;
		}
		if (is_complete(&marked))
			say_found(&good, &marked);
		else if (marked.present)
			say_incomplete(&bad, &marked);
		marks_file__free(&marked);
	}
	if (!good.sz && !bad.sz)
		buf__printf(&bad, "no function %s in %zu mapped file%s", marks[MARK_ENTER].function,
			    cnt, cnt == 1 ? "" : "s");
	if (!good.sz && unread)
		buf__printf(&bad, ", %zu of which could not be read (%s)", unread,
			    strerror(-last_err));
	found->binding = "exact symbol";
	if (good.sz)
		found->confidence = CONFIDENCE_HIGH;
	set_reason(found, good.sz ? &good : &bad);
	buf__free(&good);
	buf__free(&bad);
}

/* Hands the file over to the plan, with a probe on each of its marks. */
static int plan_file(const struct target *target, struct plan *plan, struct marks_file *marked)
{
	struct elf_file *file = marked->file;
	int err = plan__add_file(plan, file);

	if (err)
		return err;
	marked->file = NULL;
	for (int i = 0; i < marked->cnt && !err; i++) {
		const struct elf_sym *sym = &marked->syms[i];
		int mark = mark_of(sym->name);
		struct place_want want = {.args = marks[mark].args};
		struct probe probe = {.prog = marks[mark].prog};

		probe__place(&probe, &want, target, file, sym);
		snprintf(probe.what, sizeof(probe.what), "%s in %s", sym->name, file->path);
		target_clean(probe.what);
		err = plan__add(plan, &probe);
		if (err == -EOPNOTSUPP) {
			log_warn("no probe on %s: %s", probe.what, probe.place.reason);
			err = 0;
		}
	}
	return err;
}

static int plan(const struct target *target, struct plan *plan)
{
	const struct target_map *map;
	struct marks_file marked;
	size_t pos = 0;
	int err = 0;

	while (!err && (map = target__next_file(target, &pos))) {
		/* Why a file could not be read is detect()'s to say. */
		err = marks_file__open(&marked, target, map);
		if (err) {
			err = err == -ENOMEM ? err : 0;
			continue;
		}
		if (is_complete(&marked))
			err = plan_file(target, plan, &marked);
		marks_file__free(&marked);
	}
	return err;
}

/* The kind that asyncscope_spawn was called with. */
static void type_name(const struct target *target, const struct plan *plan, uint64_t type_key,
		      char *buf, size_t sz)
{
	plan__read_str(plan, target, type_key, buf, sz < KIND_SZ ? sz : KIND_SZ);
	if (sz && !buf[0])
		snprintf(buf, sz, "unnamed");
}

static void native_name(uint64_t native, char *buf, size_t sz)
{
	snprintf(buf, sz, "%" PRIu64, native);
}

const struct runtime_adapter marks_adapter = {
	.id = RUNTIME_MARKS,
	.name = "marks",
	.doc = "programs that mark their tasks with functions asyncscope_enter and asyncscope_leave",
	.detect = detect,
	.plan = plan,
	.type_name = type_name,
	.native_name = native_name,
};
