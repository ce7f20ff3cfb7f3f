/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The adapter of threads: always there, told by the kernel, no probes. A row in registry.c. */
#include "runtime/adapters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void detect(const struct target *target, struct runtime_found *found)
{
	pid_t *tids = NULL;
	int cnt = target__threads(target, &tids);

	free(tids);
	found->confidence = CONFIDENCE_HIGH;
	found->binding = "kernel";
	if (cnt < 0)
		snprintf(found->reason, sizeof(found->reason), "the kernel's own threads");
	else
		snprintf(found->reason, sizeof(found->reason), "%d thread%s", cnt,
			 cnt == 1 ? "" : "s");
}

static void native_name(uint64_t native, char *buf, size_t sz)
{
	snprintf(buf, sz, "%" PRIu64, native);
}

const struct runtime_adapter thread_adapter = {
	.id = RUNTIME_THREAD,
	.name = "thread",
	.doc = "the threads of the process",
	.detect = detect,
	.native_name = native_name,
};
