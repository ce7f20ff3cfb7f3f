/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of exporters. A new one is one file and one row here. */
#include "export/export.h"

#include <string.h>

const struct exporter exporters[] = {
	{"ndjson", ".ndjson", "every record as one JSON object per line", export_ndjson},
	{"summary", ".txt", "the verdict and the costliest tasks as text", export_summary},
};
const size_t exporter_cnt = sizeof(exporters) / sizeof(exporters[0]);

const struct exporter *exporter__by_suffix(const char *path)
{
	size_t sz = strlen(path);

	for (size_t i = 0; i < exporter_cnt; i++) {
		size_t suffix_sz = strlen(exporters[i].suffix);

		/* A file that is named just like a suffix has none. */
		if (sz > suffix_sz && !strcmp(path + sz - suffix_sz, exporters[i].suffix))
			return &exporters[i];
	}
	return NULL;
}

const struct exporter *exporter__by_name(const char *name)
{
	for (size_t i = 0; i < exporter_cnt; i++) {
		if (!strcmp(exporters[i].name, name))
			return &exporters[i];
	}
	return NULL;
}
