/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of adapters: a new runtime is one line here. Read by plan.c, cmd/ and the naming of tasks. */
#include "runtime/runtime.h"

#include "runtime/adapters.h"

const struct runtime_adapter *const runtime_adapters[] = {
	&thread_adapter,
	&marks_adapter,
};

const size_t runtime_adapter_cnt = sizeof(runtime_adapters) / sizeof(runtime_adapters[0]);

const struct runtime_adapter *runtime_adapter__find(enum wire_runtime id)
{
	for (size_t i = 0; i < runtime_adapter_cnt; i++)
		if (runtime_adapters[i]->id == id)
			return runtime_adapters[i];
	return NULL;
}

const char *confidence_name(enum confidence confidence)
{
	static const char *const names[] = {
		[CONFIDENCE_NONE] = "none",
		[CONFIDENCE_LOW] = "low",
		[CONFIDENCE_MEDIUM] = "medium",
		[CONFIDENCE_HIGH] = "high",
	};

	return confidence <= CONFIDENCE_HIGH ? names[confidence] : "unknown";
}
