/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One process, and the probes that a recording of it would attach; see one.h. */
#include "cmd/one.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "runtime/allocators.h"

int one_pid__parse(const char *text, pid_t *pid)
{
	char *end;
	long val;

	errno = 0;
	val = strtol(text, &end, 10);
	if (errno || end == text || *end || val <= 0 || val > INT_MAX) {
		log_err("-p needs the number of a process, not '%s'", text);
		return -EINVAL;
	}
	*pid = (pid_t)val;
	return 0;
}

struct target *one_target__open(pid_t pid, int *code)
{
	enum target_error error;
	struct target *target = target__open(pid, &error);

	if (target)
		return target;
	if (error == TARGET_IS_THREAD)
		log_err("%d is a thread of process %d: use -p %d", pid, target_pid_of(pid),
			target_pid_of(pid));
	else
		log_err("cannot look into process %d: %s", pid, target_error_text(error));
	if (error == TARGET_DENIED)
		*code = EXIT_ENVIRONMENT;
	else
		*code = error == TARGET_NO_MEMORY ? EXIT_FAILED : EXIT_NO_TARGET;
	return NULL;
}

void probes__print(const struct plan *plan)
{
	for (size_t i = 0; i < plan->probe_cnt; i++) {
		const struct probe *probe = &plan->probes[i];

		printf("  probe %-19s %s +0x%" PRIx64 " (0x%" PRIx64 "), %s\n", probe->prog,
		       probe->what, probe->file_off, probe->ip, probe->place.reason);
	}
}

static void add_probe(struct json *json, const struct probe *probe)
{
	static const char *const runs[] = {
		[PROBE_STEPPED] = "stepped",
		[PROBE_EMULATED_NEWER] = "emulated since 6.16",
		[PROBE_EMULATED] = "emulated",
	};

	json__obj_begin(json);
	json__kv_str(json, "program", probe->prog);
	json__kv_str(json, "what", probe->what);
	json__kv_str(json, "file", probe->file->path);
	json__kv_u64(json, "file_off", probe->file_off);
	json__kv_u64(json, "address", probe->ip);
	json__kv_u64(json, "offset", probe->place.off);
	json__kv_u64(json, "sp_below", probe->place.sp_below);
	json__kv_bool(json, "at_return", probe->at_return);
	json__kv_str(json, "instruction", runs[probe->place.probe]);
	json__kv_str(json, "reason", probe->place.reason);
	json__obj_end(json);
}

void probes__json(struct json *json, const struct plan *plan)
{
	json__arr_begin(json);
	for (size_t i = 0; i < plan->probe_cnt; i++)
		add_probe(json, &plan->probes[i]);
	json__arr_end(json);
}

static bool is_of_memory(const struct probe *probe)
{
	return probe->group != PROBES_RUNTIME && probe->group != PROBES_LINKER;
}

static void print_group(const struct plan *plan, bool of_memory)
{
	size_t cnt = 0, emulated = 0;

	for (size_t i = 0; i < plan->probe_cnt; i++) {
		const struct probe *probe = &plan->probes[i];
		bool counts = of_memory ? is_of_memory(probe) : probe->group == PROBES_RUNTIME;

		cnt += counts;
		emulated += counts && probe->place.probe == PROBE_EMULATED;
	}
	printf("%zu probe%s, %zu on instructions that the kernel emulates\n", cnt,
	       cnt == 1 ? "" : "s", emulated);
}

void allocators__print(const struct plan *plan)
{
	struct buf text = {0};

	if (!plan->allocators)
		return;
	allocators__describe(plan->allocators, &text);
	printf("  %-10s %s\n", "memory", buf__str(&text));
	buf__free(&text);
}

void probes__print_sum(const struct plan *plan)
{
	print_group(plan, false);
	if (!plan->allocators)
		return;
	allocators__print(plan);
	printf("  %-10s ", "");
	print_group(plan, true);
}

void allocators__json(struct json *json, const struct plan *plan)
{
	json__arr_begin(json);
	for (size_t i = 0; plan->allocators && i < plan->allocators->cnt; i++) {
		const struct allocator *allocator = &plan->allocators->found[i];

		json__obj_begin(json);
		json__kv_str(json, "name", allocator->name);
		json__kv_str(json, "file", allocator->file->path);
		json__kv_str(json, "binding", allocator->how);
		json__kv_u64(json, "functions", allocator->cnt);
		json__obj_end(json);
	}
	json__arr_end(json);
}
