/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `asyncscope-bpf schema [RECORD]`: every record and field that an output may hold. */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "model/model.h"
#include "model/schema.h"

static const char usage[] =
	"usage: asyncscope-bpf schema [RECORD] [--json]\n\n"
	"Prints the records of a recording, their fields, and what these mean. A field that was\n"
	"not measured is null, and `not_measured` of its record says why. `estimated`, where it is\n"
	"there, names the sums that were measured in part only, and how many each one that was\n"
	"counted stands for; they hold it already.\n\n"
	"      --json  one JSON object per field\n"
	"  -h, --help  this help\n";

static bool is_wanted(const struct schema_field *field, const char *record)
{
	return !record || !strcmp(field->record, record);
}

/* "async tasks only": what a reader must know before missing a field. */
static const char *limit(const struct schema_field *field)
{
	static const char *const texts[] = {
		[FOR_ALL] = "", [FOR_THREADS] = " [threads]", [FOR_ASYNC] = " [async tasks]"};

	return texts[field->audience];
}

static void print_text(const char *record)
{
	const char *last = "";
	size_t widest = 0;

	for (size_t i = 0; i < schema_field_cnt; i++) {
		if (is_wanted(&schema_fields[i], record) && strlen(schema_fields[i].path) > widest)
			widest = strlen(schema_fields[i].path);
	}
	for (size_t i = 0; i < schema_field_cnt; i++) {
		const struct schema_field *field = &schema_fields[i];

		if (!is_wanted(field, record))
			continue;
		if (strcmp(field->record, last))
			printf("%s%s\n", *last ? "\n" : "", field->record);
		last = field->record;
		printf("  %-*s  %-11s  %-15s  %s%s\n", (int)widest, field->path,
		       schema_type_name(field->type), cap_name(field->cap), field->doc,
		       limit(field));
	}
}

static int print_json(const char *record)
{
	struct buf buf = {};
	int err;

	for (size_t i = 0; i < schema_field_cnt; i++) {
		const struct schema_field *field = &schema_fields[i];
		struct json json;

		if (!is_wanted(field, record))
			continue;
		json__init(&json, &buf);
		json__obj_begin(&json);
		json__kv_str(&json, "record", field->record);
		json__kv_str(&json, "path", field->path);
		json__kv_str(&json, "type", schema_type_name(field->type));
		json__kv_str(&json, "capability", cap_name(field->cap));
		json__kv_str(&json, "audience", schema_audience_name(field->audience));
		json__kv_str(&json, "doc", field->doc);
		json__obj_end(&json);
		buf__add(&buf, "\n", 1);
	}
	err = buf.err;
	if (!err)
		fputs(buf__str(&buf), stdout);
	buf__free(&buf);
	return err;
}

static int print(const char *record, bool json)
{
	size_t cnt;
	int err = 0;

	if (record && !schema__record(record, &cnt)) {
		log_err("no record is called '%s' (see asyncscope-bpf schema)", record);
		return EXIT_USAGE;
	}
	if (json)
		err = print_json(record);
	else
		print_text(record);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = -errno;
	if (!err)
		return EXIT_OK;
	log_err("cannot write standard output: %s", strerror(-err));
	return EXIT_FAILED;
}

int cmd_schema(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	int opt;

	optind = 0; /* glibc: begin anew */
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return print(argv[optind], json);
}
