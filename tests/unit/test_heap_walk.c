/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/target/heap_walk.c and heap_target.c: heaps that are made up, sound ones and hostile ones, and
 * those of tests/programs/heap_frag, compared with what mallinfo2() counts there. Run by tests/run. */
#include "target/heap_walk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap_image.h"
#include "tap.h"

#define MAIN_END    (IMAGE_MAIN + 80 * IMAGE_PAGE)
#define FREE_CHUNK  (IMAGE_MAIN + 0x290)
#define SMALL_CHUNK (FREE_CHUNK + 0x5000)
#define SMALL(nr)   (SMALL_CHUNK + 0x40 * (nr))
#define LAST_FREE   SMALL(IMAGE_SMALL)

static bool same(const struct heap_walk *a, const struct heap_walk *b)
{
	return a->used_bytes == b->used_bytes && a->free_bytes == b->free_bytes &&
	       a->top_bytes == b->top_bytes && a->resident_bytes == b->resident_bytes &&
	       a->free_resident_bytes == b->free_resident_bytes && a->arena_cnt == b->arena_cnt;
}

static void test_sound(void)
{
	struct image *image = image__new();
	struct heap_walk walk;

	int err = heap_walk__memory(&walk, &image->memory);

	ok(!err && same(&walk, &image->expected), "two arenas: used %llu, free %llu, top %llu",
	   (unsigned long long)walk.used_bytes, (unsigned long long)walk.free_bytes,
	   (unsigned long long)walk.top_bytes);
	ok(!walk.why[0], "without a reason for anything");

	/* the free chunk has a header in page 0, then pages 1 to 4, and its end in page 5 */
	memset(image->resident[PART_MAIN] + 1, 0, 4);
	image->resident[PART_MAIN][79] = 0;
	image->expected.resident_bytes -= 5 * IMAGE_PAGE;
	image->expected.free_resident_bytes -= 5 * IMAGE_PAGE;
	err = heap_walk__memory(&walk, &image->memory);
	ok(!err && same(&walk, &image->expected),
	   "free pages that are not resident are told apart (%llu)",
	   (unsigned long long)walk.free_resident_bytes);
	image->resident[PART_MAIN][20] = 0;
	err = heap_walk__memory(&walk, &image->memory);
	ok(err && strstr(walk.why, "swapped out"),
	   "a header that is not resident is not fetched: %s", walk.why);
	image__free(image);
}

/* Something else took the beginning of the program break's memory; thread arenas there are none. */
static void test_late_start(void)
{
	struct image *image = image__new();
	struct heap_walk walk;
	uint64_t used = FREE_CHUNK - IMAGE_MAIN;

	image__put(image, IMAGE_STATE + 2184, MAIN_END - FREE_CHUNK);
	image__put(image, IMAGE_STATE + 2160, IMAGE_STATE);
	ok(!heap_walk__memory(&walk, &image->memory) && walk.arena_cnt == 1 &&
		   walk.used_bytes == (IMAGE_SMALL + 1) * 0x40 && walk.free_bytes == 0x5100,
	   "a heap that begins later, without arenas (%llu behind)", (unsigned long long)used);
	image__free(image);
}

/* Each read may bring something that is of no use. */
static void test_changes(void)
{
	unsigned int reads, good = 0, wrong = 0, again = 0;
	struct image *image = image__new();
	struct heap_walk walk;

	heap_walk__memory(&walk, &image->memory);
	reads = image->reads;
	for (unsigned int i = 1; i <= reads; i++) {
		int err;

		image->reads = 0;
		image->broken_read = i;
		err = heap_walk__memory(&walk, &image->memory);
		good += !err && same(&walk, &image->expected);
		again += err == -EAGAIN;
		wrong += !err && !same(&walk, &image->expected);
	}
	ok(!wrong && good >= 6 && good + again == reads,
	   "of %u reads that went wrong %u were made good, %u are to be tried again", reads, good,
	   again);
	image__free(image);
}

static const struct {
	uint64_t addr, word;
	const char *what;
} hostile[] = {
	{FREE_CHUNK + 8, 0x1, "a chunk of size 0"},
	{FREE_CHUNK + 8, 0x11, "a chunk that is too small"},
	{FREE_CHUNK + 8, 0x5009, "a size that is not aligned"},
	{FREE_CHUNK + 8, 0x7ffffffffffffff1, "a huge size"},
	{FREE_CHUNK + 8, -0x290ULL | 1, "a size that leads back"},
	{FREE_CHUNK + 8, (MAIN_END - FREE_CHUNK) | 0x10001, "a size beyond the end"},
	{FREE_CHUNK + 8, (MAIN_END - FREE_CHUNK - 16) | 1, "a size up to a place without header"},
	{FREE_CHUNK + 8, 0x5000 | 3, "a chunk with a mapping of its own"},
	{FREE_CHUNK + 8, 0x5000 | 5, "a chunk of another arena"},
	{FREE_CHUNK + 8, 0x5000, "free behind free"},
	{SMALL_CHUNK, 0x4ff0, "a free chunk whose end says otherwise"},
	{SMALL(100) + 8, 0x40, "a used chunk that is free for the next one"},
	{SMALL(3000) + 8, 0x51, "a chain that goes on in a block's bytes"},
	{LAST_FREE + 0x140 + 8, 0, "no top"},
	{LAST_FREE + 0x140 + 8, 0x1000 | 1, "a top that does not reach the end"},
	{LAST_FREE + 0x140 + 8, (MAIN_END - LAST_FREE - 0x140), "a top behind a free chunk"},
	{IMAGE_STATE + 96, 0, "no top of the main arena"},
	{IMAGE_STATE + 96, LAST_FREE + 0x148, "a top that is not aligned"},
	{IMAGE_STATE + 112, IMAGE_STATE, "bins that point forth and not back"},
	{IMAGE_STATE + 2160, 0, "a ring that ends"},
	{IMAGE_STATE + 2160, IMAGE_STATE + 24, "a ring to nowhere"},
	{IMAGE_STATE + 2160, IMAGE_SECOND + 48, "a ring to what is no arena"},
	{IMAGE_ARENA + 2160, IMAGE_ARENA, "a ring that does not come back"},
	{IMAGE_STATE + 2184, 0, "a main arena without memory"},
	{IMAGE_STATE + 2184, 81 * IMAGE_PAGE, "a main arena with more than there is"},
	{IMAGE_STATE + 2184, 1ULL << 40, "a main arena with a lot"},
	{IMAGE_STATE + 2184, 16, "a main arena with next to nothing"},
	{IMAGE_ARENA + 2184, 4 * IMAGE_PAGE, "an arena with less than its heaps"},
	{IMAGE_ARENA + 2184, 9 * IMAGE_PAGE, "an arena with more than its heaps"},
	{IMAGE_ARENA + 2184, ~0ULL, "an arena with all there is"},
	{IMAGE_ARENA + 96, 0, "an arena's top nowhere"},
	{IMAGE_ARENA + 96, ~0ULL, "an arena's top at the very end"},
	{IMAGE_ARENA + 96, IMAGE_FIRST + 4096, "an arena's top in its first heap"},
	{IMAGE_SECOND, IMAGE_STATE, "a heap of another arena"},
	{IMAGE_SECOND + 8, IMAGE_SECOND, "a heap before itself"},
	{IMAGE_SECOND + 8, 0, "a chain of heaps that ends too early"},
	{IMAGE_SECOND + 8, IMAGE_FIRST + 16, "a heap that is not aligned"},
	{IMAGE_FIRST + 8, IMAGE_SECOND, "a heap before the first one"},
	{IMAGE_SECOND + 16, 0, "a heap without size"},
	{IMAGE_SECOND + 16, 100, "a heap of a part of a page"},
	{IMAGE_SECOND + 16, 1ULL << 62, "a huge heap"},
	{IMAGE_SECOND + 24, 1ULL << 62, "a heap with a huge mapping"},
	{IMAGE_FIRST + 4 * IMAGE_PAGE - 24, 0x21, "closing headers of another size"},
	{IMAGE_FIRST + 4 * IMAGE_PAGE - 8, 0x21, "closing headers that do not close"},
};

static void test_hostile(void)
{
	static const struct heap_walk none;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct image *image = image__new();
		struct heap_walk walk;
		int err;

		image__put(image, hostile[i].addr, hostile[i].word);
		err = heap_walk__memory(&walk, &image->memory);
		ok(err && same(&walk, &none) && walk.why[0], "%s: %s", hostile[i].what, walk.why);
		image__free(image);
	}
}

static void test_nothing(void)
{
	struct image *image = image__new();
	struct heap_walk walk;
	int err;

	image->memory.heap.end = image->memory.heap.start;
	err = heap_walk__memory(&walk, &image->memory);
	ok(err == -ENOENT && walk.why[0], "no heap: %s", walk.why);
	image__free(image);
	image = image__new();
	image->memory.data_cnt = 0;
	err = heap_walk__memory(&walk, &image->memory);
	ok(err && walk.why[0], "no libc: %s", walk.why);
	image__free(image);
}

struct program {
	pid_t pid;
	int in, out;
	unsigned long long free, fast, total;
};

/* Starts heap_frag and waits for its numbers. */
static bool program__start(struct program *program, const char *threads, const char *blocks,
			   const char *churn)
{
	const char *build = getenv("BUILD");
	int in[2], out[2];
	char path[4096];
	FILE *lines;
	int cnt;

	snprintf(path, sizeof(path), "%s/tests/programs/heap_frag", build ? build : "build");
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		abort();
	program->pid = fork();
	if (!program->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, path, threads, blocks, churn, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	program->in = in[1];
	program->out = out[0];
	lines = fdopen(dup(out[0]), "r");
	cnt = fscanf(lines, "arena %llu %llu %llu ready", &program->free, &program->fast,
		     &program->total);
	fclose(lines);
	return cnt == 3;
}

static void program__stop(struct program *program)
{
	kill(program->pid, SIGKILL);
	waitpid(program->pid, NULL, 0);
	close(program->in);
	close(program->out);
}

static void test_program(const char *threads, const char *blocks)
{
	struct program program;
	struct heap_walk walk = {};
	enum target_error error;
	struct target *target;
	unsigned long long sum;
	int err;

	if (!ok(program__start(&program, threads, blocks, NULL), "heap_frag %s %s runs", threads,
		blocks)) {
		program__stop(&program);
		return;
	}
	target = target__open(program.pid, &error);
	err = target ? heap_walk(&walk, target) : -ESRCH;
	if (ok(!err, "it can be walked (%s)", walk.why)) {
		/* what describes the heaps is no chunk */
		sum = walk.used_bytes + walk.free_bytes + walk.top_bytes;
		ok(walk.free_bytes + walk.top_bytes == program.free - program.fast,
		   "free: %llu, as mallinfo2() says: %llu without %llu in fast bins",
		   (unsigned long long)(walk.free_bytes + walk.top_bytes), program.free,
		   program.fast);
		ok(sum <= program.total && program.total - sum <= walk.arena_cnt * 4096ULL,
		   "of %llu; %llu of them are chunks in %u arenas", program.total, sum,
		   walk.arena_cnt);
		ok(walk.free_resident_bytes <= walk.free_bytes + walk.top_bytes &&
			   walk.free_resident_bytes > walk.free_bytes / 2 &&
			   walk.resident_bytes >= walk.used_bytes + walk.free_resident_bytes &&
			   walk.resident_bytes <= program.total,
		   "resident: %llu, of these free: %llu", (unsigned long long)walk.resident_bytes,
		   (unsigned long long)walk.free_resident_bytes);
	}
	kill(program.pid, SIGKILL);
	waitid(P_PID, (id_t)program.pid, NULL, WEXITED | WNOWAIT);
	err = target ? heap_walk(&walk, target) : 0;
	ok(err && walk.why[0] && !walk.used_bytes, "when it has ended: %s", walk.why);
	target__free(target);
	program__stop(&program);
}

/* While its threads allocate without a pause most walks succeed; what they say fits the heaps. */
static void test_churn(void)
{
	struct program program;
	enum target_error error;
	struct target *target;
	unsigned int good = 0, bad = 0;

	if (!ok(program__start(&program, "2", "500", "churn"), "heap_frag churns")) {
		program__stop(&program);
		return;
	}
	target = target__open(program.pid, &error);
	for (unsigned int i = 0; target && i < 40; i++) {
		struct heap_walk walk;

		if (heap_walk(&walk, target)) {
			bad += !walk.why[0] || walk.used_bytes || walk.resident_bytes;
			continue;
		}
		good++;
		bad += walk.free_resident_bytes > walk.free_bytes + walk.top_bytes ||
		       walk.used_bytes > program.total * 4 || !walk.used_bytes;
	}
	ok(good && !bad, "%u of 40 walks succeeded", good);
	ok(!kill(program.pid, 0) && !waitpid(program.pid, NULL, WNOHANG), "it lives on");
	target__free(target);
	program__stop(&program);
}

int main(void)
{
	test_sound();
	test_late_start();
	test_changes();
	test_hostile();
	test_nothing();
	test_program("1", "10");
	test_program("4", "3000");
	test_program("3", "12000");
	test_churn();
	return tap_done();
}
