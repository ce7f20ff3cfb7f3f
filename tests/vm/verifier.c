/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads each program of a BPF object alone and prints whether this kernel takes it, how many
 * instructions the verifier walked, and if not, its last words. Built and run in guests by verifier.
 *
 *   verifier OBJECT
 *
 * It sets no constants of .rodata and takes no rungs: a program for another kernel may be refused
 * here although live/ would never load it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_SZ     (8U << 20)
#define LAST_LINES 6
#define PROGRAMS   256

/* Of the verifier's log. A full one takes many times as long, so it is for failures. */
#define LEVEL_FULL  1
#define LEVEL_STATS 4

static char *verifier_log;
static char complaint[512]; /* libbpf's last warning */

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vsnprintf(complaint, sizeof(complaint), format, args) : 0;
}

static struct bpf_object *open_object(const char *path, unsigned int log_level)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = verifier_log,
		    .kernel_log_size = LOG_SZ, .kernel_log_level = log_level);
	struct bpf_object *object = bpf_object__open_file(path, &opts);
	struct bpf_map *map;

	if (libbpf_get_error(object)) {
		fprintf(stderr, "cannot open %s: %s", path, complaint);
		exit(2);
	}
	bpf_object__for_each_map(map, object) if (libbpf_probe_bpf_map_type(bpf_map__type(map),
									    NULL) != 1)
		bpf_map__set_autocreate(map, false);
	return object;
}

static void print_success(const char *name)
{
	const char *line = strstr(verifier_log, "processed ");

	printf("ok    %-28s %.*s\n", name, line ? (int)strcspn(line, "(\n") : 0, line ? line : "");
}

static void print_failure(const char *name, int err)
{
	const char *line = verifier_log + strlen(verifier_log);

	printf("FAIL  %-28s %s\n", name, strerror(-err));
	if (!strstr(verifier_log, "processed ")) {
		printf("      %s", complaint);
		return;
	}
	for (int i = 0; line > verifier_log && i <= LAST_LINES; i++)
		do
			line--;
		while (line > verifier_log && line[-1] != '\n');
	printf("%s\n", line);
}

static int load_alone(const char *path, const char *name, unsigned int log_level)
{
	struct bpf_object *object = open_object(path, log_level);
	struct bpf_program *program;
	int err;

	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	verifier_log[0] = '\0';
	complaint[0] = '\0';
	err = bpf_object__load(object);
	bpf_object__close(object);
	return err;
}

static int try_program(const char *path, const char *name)
{
	int err = load_alone(path, name, LEVEL_STATS);

	if (!err) {
		print_success(name);
	} else {
		err = load_alone(path, name, LEVEL_FULL);
		print_failure(name, err);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	char *names[PROGRAMS];
	int cnt = 0, failed = 0;

	verifier_log = malloc(LOG_SZ);
	if (argc != 2 || !verifier_log)
		return 2;
	libbpf_set_print(keep_warning);
	object = open_object(argv[1], LEVEL_STATS);
	bpf_object__for_each_program(program, object) if (cnt < PROGRAMS) names[cnt++] =
		strdup(bpf_program__name(program));
	bpf_object__close(object);
	for (int i = 0; i < cnt; i++) {
		failed += try_program(argv[1], names[i]) != 0;
		free(names[i]);
	}
	free(verifier_log);
	return failed ? 1 : 0;
}
