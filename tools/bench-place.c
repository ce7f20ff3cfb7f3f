/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a uprobe on malloc and free costs at the function's entry and at the place that user/target
 * chooses, in turn in one run. The probe is a perf event that counts: no BPF program, the trap alone.
 * Prints one JSON line for each; called by tools/bench, as root.
 *
 *   bench-place [ROUNDS]
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/unit/own_function.h"
#include "target/place.h"

#define ROUND_CNT 9
#define ROUND_MAX 100
#define PAIR_CNT  5000
#define RDI       PLACE_ARG(0)

enum variant { BARE, AT_ENTRY, AT_PLACE, VARIANT_CNT };

struct subject {
	const char *name;
	const void *function;
	struct place_want want;
	struct elf_file *file;
	struct elf_sym sym;
	struct place place;
	double ns[VARIANT_CNT][ROUND_MAX]; /* for each pair of malloc and free */
	uint64_t hits[VARIANT_CNT];
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double measure(void)
{
	double began = now_ns();

	for (int i = 0; i < PAIR_CNT; i++) {
		void *block = malloc(64);

		__asm__ volatile("" : "+r"(block)::"memory");
		free(block);
	}
	return (now_ns() - began) / PAIR_CNT;
}

/* One round of one variant; false after a message. */
static bool run(struct subject *subject, enum variant variant, double *ns)
{
	struct perf_event_attr attr = {0};
	uint64_t off = subject->sym.file_off;
	uint64_t hits = 0;
	int fd = -1;

	if (variant == AT_PLACE)
		off += subject->place.off;
	if (variant != BARE)
		fd = open_own_uprobe(&attr, subject->file->open_path, off);
	if (variant != BARE && fd < 0) {
		fprintf(stderr, "bench-place: cannot probe %s: %s\n", subject->name, strerror(-fd));
		return false;
	}
	*ns = measure();
	if (variant != BARE && read(fd, &hits, sizeof(hits)) == sizeof(hits))
		subject->hits[variant] += hits;
	if (fd >= 0)
		close(fd);
	return true;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, int cnt)
{
	qsort(values, (size_t)cnt, sizeof(*values), compare);
	return values[cnt / 2];
}

static bool bench(struct subject *subject, int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (int variant = 0; variant < VARIANT_CNT; variant++)
			if (!run(subject, variant, &subject->ns[variant][round]))
				return false;
	printf("{\"function\": \"%s\", \"offset\": %" PRIu32 ", \"reason\": \"%s\", ",
	       subject->name, subject->place.off, subject->place.reason);
	printf("\"pairs\": %d, \"hits_entry\": %" PRIu64 ", \"hits_place\": %" PRIu64 ", ",
	       rounds * PAIR_CNT, subject->hits[AT_ENTRY], subject->hits[AT_PLACE]);
	printf("\"bare_ns\": %.1f, \"entry_ns\": %.1f, \"place_ns\": %.1f}\n",
	       median(subject->ns[BARE], rounds), median(subject->ns[AT_ENTRY], rounds),
	       median(subject->ns[AT_PLACE], rounds));
	return true;
}

int main(int argc, char **argv)
{
	static struct subject subjects[] = {
		{.name = "malloc", .function = malloc, .want = {RDI, 0}},
		{.name = "free", .function = free, .want = {RDI, RDI}},
	};
	int rounds = argc > 1 ? atoi(argv[1]) : ROUND_CNT;
	enum target_error error;
	struct target *target = target__open(getpid(), &error);
	bool good = target != NULL;

	if (rounds < 1 || rounds > ROUND_MAX)
		rounds = ROUND_CNT;
	for (size_t i = 0; good && i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct subject *subject = &subjects[i];

		subject->file =
			find_own_function(target, subject->name, subject->function, &subject->sym);
		if (!subject->file) {
			fprintf(stderr, "bench-place: no function %s\n", subject->name);
			good = false;
			break;
		}
		place__in_file(&subject->place, &subject->want, subject->file, &subject->sym);
		good = bench(subject, rounds);
		elf_file__free(subject->file);
	}
	target__free(target);
	return !good;
}
