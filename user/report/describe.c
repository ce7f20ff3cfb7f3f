/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tasks.c and classes.c say about their columns: meanings from the schema, reasons from the
 * recording's capabilities, and percentiles only where there are enough entries.
 */
#include "model/schema.h"
#include "report/sections.h"

bool column__describe(struct json *json, const struct model *model, const struct column_doc *doc)
{
	const struct schema_field *field = doc->path ? schema__find("task", doc->path) : NULL;
	enum model_cap cap = field ? field->cap : doc->cap;
	bool measured = cap == CAP_ALWAYS || model->caps[cap].measured;

	json__obj_begin(json);
	json__kv_str(json, "name", doc->name);
	json__kv_str(json, "doc", field ? field->doc : doc->doc);
	if (field)
		json__kv_str(json, "field", field->path);
	if (!measured)
		json__kv_str(json, "why", model__str(model, model->caps[cap].reason));
	if (field && field->audience == FOR_ASYNC)
		json__kv_bool(json, "async", true);
	json__obj_end(json);
	return measured;
}

int64_t known_percentile(const struct hist *hist, double share)
{
	double beyond = (1 - share) * hist->cnt;
	uint64_t val;

	if (hist->cnt < CLASSES_FROM_TASKS || beyond < 0.999)
		return COLUMN_NULL;
	val = hist__percentile(hist, share);
	return val > INT64_MAX ? INT64_MAX : (int64_t)val;
}

static int64_t clamp(uint64_t val)
{
	return val > INT64_MAX ? INT64_MAX : (int64_t)val;
}

int64_t hist_part(const struct hist *hist, enum hist_part part)
{
	switch (part) {
	case HIST_CNT:
		return clamp(hist->cnt);
	case HIST_TOTAL:
		return hist->cnt ? clamp(hist->total) : COLUMN_NULL;
	case HIST_P50:
		return known_percentile(hist, 0.5);
	case HIST_P90:
		return known_percentile(hist, 0.9);
	case HIST_P99:
		return known_percentile(hist, 0.99);
	case HIST_MAX:
		return hist->cnt ? clamp(hist->max) : COLUMN_NULL;
	}
	return COLUMN_NULL;
}
