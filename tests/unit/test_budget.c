/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget's decisions, on a simulated target: one that works as fast as it can, or at a rate of its
 * own, and pays for each hit. Everything goes by the simulated clock.
 */
#include "cmd/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define MS       1000000ULL
#define S        1000000000ULL
#define TICK_NS  (100 * MS)
#define STEP_MAX 256

struct world {
	struct budget *budget;
	struct budget_input input;
	/* the target */
	double demand; /* CPUs that its own work needs */
	double capacity; /* CPUs that it has */
	double mallocs; /* and frees, per ns of its own work */
	double syscalls; /* the same */
	double host_syscalls; /* per ns of time, of others */
	double tracer; /* CPUs */
	/* what was asked for */
	unsigned int state[BUDGET_WHAT_CNT];
	bool armed[BUDGET_WHAT_CNT];
	int refuse; /* 1 + (what << 8 | state), or 0 */
	struct budget_step steps[STEP_MAX];
	size_t step_cnt;
	/* what became of it */
	double work_ns, cost_ns, cpu_ns;
};

static const int64_t traps[BUDGET_KIND_CNT] = {
	[BUDGET_HEAP_ENTRY] = 500, [BUDGET_HEAP_RETURN] = 300, [BUDGET_PROBE] = 500,
	[BUDGET_SYSCALL] = 130,    [BUDGET_HOOK] = 0,
};

/* Nanoseconds of the programs, by the heap's state. */
static const double run_ns[BUDGET_STATE_MAX] = {400, 250, 100, 100, 100};

static int apply(void *ctx, enum budget_what what, unsigned int state, bool armed)
{
	struct world *world = ctx;

	if (world->refuse == 1 + (int)(what << 8 | state))
		return -EOPNOTSUPP;
	world->state[what] = state;
	world->armed[what] = armed;
	return 0;
}

static uint64_t now_ns(void *ctx)
{
	return ((struct world *)ctx)->input.now_ns;
}

static void tell(void *ctx, const struct budget_step *step)
{
	struct world *world = ctx;

	if (world->step_cnt < STEP_MAX)
		world->steps[world->step_cnt++] = *step;
}

static struct world *world_of(double percent, unsigned int heap, unsigned int io)
{
	struct world *world = calloc(1, sizeof(*world));
	struct budget_options options = {
		.percent = percent,
		.start = {[BUDGET_HEAP] = heap, [BUDGET_IO] = io},
		.apply = apply,
		.now_ns = now_ns,
		.tell = tell,
		.ctx = world,
	};

	memcpy(options.trap_ns, traps, sizeof(traps));
	world->input.now_ns = 1000 * S;
	world->budget = budget__new(&options);
	world->state[BUDGET_HEAP] = heap;
	world->state[BUDGET_IO] = io;
	world->armed[BUDGET_HEAP] = heap != BUDGET_HEAP_OFF;
	world->armed[BUDGET_IO] = io != BUDGET_IO_OFF;
	world->capacity = world->demand = 1;
	budget__tick(world->budget, &world->input);
	return world;
}

static void world_free(struct world *world)
{
	budget__free(world->budget);
	free(world);
}

static void count(struct world *world, enum budget_kind kind, double hits, double run)
{
	struct budget_count *sum = &world->input.counts[kind];

	sum->hits += hits;
	sum->span_ns += TICK_NS;
	sum->runs += hits;
	sum->run_ns += hits * run;
}

/* One tick: how far the target gets with its work while it pays. */
static void turn(struct world *world)
{
	double run = run_ns[world->state[BUDGET_HEAP]], price = 0, work, cost, hits;

	if (world->armed[BUDGET_HEAP])
		price += world->mallocs * (traps[BUDGET_HEAP_ENTRY] + run);
	if (world->armed[BUDGET_HEAP] && world->state[BUDGET_HEAP] != BUDGET_HEAP_COUNTING &&
	    world->state[BUDGET_HEAP] != BUDGET_HEAP_OFF)
		price += world->mallocs / 2 * (traps[BUDGET_HEAP_RETURN] + run);
	if (world->armed[BUDGET_IO])
		price += world->syscalls * (traps[BUDGET_SYSCALL] + 300);
	work = world->demand * TICK_NS;
	if (work * (1 + price) > world->capacity * TICK_NS)
		work = world->capacity * TICK_NS / (1 + price);
	cost = work * price;
	if (world->armed[BUDGET_HEAP]) {
		count(world, BUDGET_HEAP_ENTRY, work * world->mallocs, run);
		if (world->state[BUDGET_HEAP] != BUDGET_HEAP_COUNTING &&
		    world->state[BUDGET_HEAP] != BUDGET_HEAP_OFF)
			count(world, BUDGET_HEAP_RETURN, work * world->mallocs / 2, run);
	}
	hits = work * world->syscalls + world->host_syscalls * TICK_NS;
	if (world->armed[BUDGET_IO])
		count(world, BUDGET_SYSCALL, hits, 300);
	if (world->armed[BUDGET_IO])
		cost += world->host_syscalls * TICK_NS * (traps[BUDGET_SYSCALL] + 300);
	world->work_ns += work;
	world->cost_ns += cost + world->tracer * TICK_NS;
	world->cpu_ns += work * (1 + price);
	world->input.now_ns += TICK_NS;
	world->input.target_cpu_ns = world->cpu_ns;
	world->input.tracer_cpu_ns += world->tracer * TICK_NS;
	budget__tick(world->budget, &world->input);
}

/* Lets time pass; the part of the target's CPU time that it cost meanwhile, in percent. */
static double pass(struct world *world, double seconds)
{
	double cost = world->cost_ns, cpu = world->cpu_ns;

	for (int i = 0; i < seconds * 10 + 0.5; i++)
		turn(world);
	cpu = world->cpu_ns - cpu;
	return cpu > 0 ? 100 * (world->cost_ns - cost) / cpu : 0;
}

static double seconds_of(const struct world *world, size_t step)
{
	return (world->steps[step].at_ns - 1000 * S) / 1e9;
}

static void show(const struct world *world)
{
	for (size_t i = 0; i < world->step_cnt; i++)
		note("%.1f s %s: %s -> %s: %s", seconds_of(world, i), world->steps[i].what,
		     world->steps[i].from, world->steps[i].to, world->steps[i].reason);
}

static void test_hot(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	double percent, share;

	world->mallocs = 1 / 20.0; /* a malloc and free each 20 ns */
	pass(world, 1);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_WINDOWS, "hot: in windows within a second");
	ok(world->step_cnt == 1 && seconds_of(world, 0) <= 0.35,
	   "hot: in one step, after some tenths of a second");
	ok(world->steps[0].down && !strcmp(world->steps[0].what, "heap") &&
		   !strcmp(world->steps[0].from, "exact") && !strcmp(world->steps[0].to, "windows"),
	   "hot: which is told");
	ok(!strcmp(world->steps[0].reason,
		   "probes on malloc and free cost 98% of the target's CPU time, the budget is 5%; "
		   "looked at 2.0% of the time at first"),
	   "hot: with its reason: %s", world->steps[0].reason);
	ok(budget__burden(world->budget, BUDGET_HEAP) > 0.95,
	   "hot: what it takes while it is looked at is known");
	pass(world, 1);
	percent = pass(world, 60);
	ok(percent < 5.2, "hot: below the budget after 2 s: %.2f%%", percent);
	ok(percent > 2, "hot: which is made use of: %.2f%%", percent);
	share = world->input.counts[BUDGET_HEAP_ENTRY].hits /
		budget__share(world->budget, BUDGET_HEAP) / (world->work_ns * world->mallocs);
	ok(share > 0.8 && share < 1.2, "hot: what was counted, by the share, is all: %.3f of it",
	   share);
	ok(budget__share(world->budget, BUDGET_IO) == 1, "hot: IO was looked at all the time");
	ok(world->step_cnt == 1, "hot: nothing more is stepped");
	show(world);
	world_free(world);
}

static void test_moderate(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	double percent;

	/* exact would be 5.9%, sampled 4.9%, counting 2.9% */
	world->demand = 0.5;
	world->mallocs = 0.05 / 1000;
	pass(world, 2);
	percent = pass(world, 10);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_COUNTING ||
		   world->state[BUDGET_HEAP] == BUDGET_HEAP_SAMPLED,
	   "moderate: the heap is looked at less closely, but all the time");
	ok(percent <= 5, "moderate: within the budget: %.2f%%", percent);
	ok(budget__share(world->budget, BUDGET_HEAP) == 1, "moderate: and so its share is 1");
	ok(budget__state_share(world->budget, BUDGET_HEAP, BUDGET_HEAP_EXACT) < 0.2,
	   "moderate: for a short time exactly");
	show(world);
	world_free(world);
}

static void test_cheap(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);

	world->demand = 0.9;
	world->mallocs = 0.015 / 1000; /* 2.4% */
	world->tracer = 0.01;
	pass(world, 60);
	ok(!world->step_cnt, "cheap: never stepped");
	ok(budget__cost(world->budget) > 0.02 && budget__cost(world->budget) < 0.05,
	   "cheap: the cost is known: %.3f", budget__cost(world->budget));
	world_free(world);
}

static void test_idle(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);

	world->demand = 0.001;
	world->mallocs = 1 / 600.0; /* most of what it does, which is little */
	world->tracer = 0.02; /* more than the target itself */
	pass(world, 60);
	ok(!world->step_cnt, "idle: never stepped for what is next to nothing");
	show(world);
	world_free(world);

	world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	world->demand = 0;
	pass(world, 30);
	ok(!world->step_cnt, "idle: nor where nothing at all runs");
	world_free(world);
}

static void test_measure_only(void)
{
	struct world *world = world_of(0, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);

	world->mallocs = 1 / 20.0;
	pass(world, 30);
	ok(!world->step_cnt && world->state[BUDGET_HEAP] == BUDGET_HEAP_EXACT,
	   "0: measures, and never steps");
	ok(budget__cost(world->budget) > 0.9, "0: the cost is known: %.2f",
	   budget__cost(world->budget));
	world_free(world);
}

static void test_io(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	double percent;

	world->mallocs = 0.012 / 1000; /* 1.9% */
	world->syscalls = 1 / 1000.0;
	world->demand = 0.6;
	pass(world, 2);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_EXACT &&
		   world->state[BUDGET_IO] == BUDGET_IO_WINDOWS,
	   "io: what alone would suffice is stepped down, not what is first");
	pass(world, 10);
	percent = pass(world, 60);
	ok(percent < 5.2, "io: within the budget: %.2f%%", percent);
	show(world);
	world_free(world);

	world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	world->demand = 0.2;
	world->host_syscalls = 0.0005; /* others: 500,000 per second, which cost 21% of a CPU */
	pass(world, 2);
	percent = pass(world, 30);
	ok(world->state[BUDGET_IO] >= BUDGET_IO_WINDOWS && percent < 5.5,
	   "io: what the rest of the host pays is counted in: %.2f%%", percent);
	show(world);
	world_free(world);
}

static void test_both(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	double percent;

	world->mallocs = 1 / 200.0;
	world->syscalls = 1 / 1000.0;
	pass(world, 3);
	ok(world->step_cnt >= 2 && !strcmp(world->steps[0].what, "heap"), "both: the heap first");
	pass(world, 10);
	percent = pass(world, 100);
	ok(percent < 5.5, "both: within the budget: %.2f%%", percent);
	show(world);
	world_free(world);
}

/* Calm after a storm: back up, one after another. */
static void test_up(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	size_t down;

	world->mallocs = 1 / 20.0;
	pass(world, 10);
	down = world->step_cnt;
	world->mallocs = 0.001 / 1000;
	pass(world, 40);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_EXACT, "up: all is looked at again");
	ok(world->step_cnt > down && !world->steps[down].down &&
		   strstr(world->steps[down].reason, "would cost"),
	   "up: which is told: %s", world->steps[down].reason);
	for (size_t i = down; i < world->step_cnt; i++)
		ok(seconds_of(world, i) - (i > down ? seconds_of(world, i - 1) : 10) >= 2.9,
		   "up: after some seconds at the earliest");
	show(world);
	world_free(world);
}

/* A load that comes and goes must not make it swing. */
static void test_swing(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	double last = -10, least = 100;
	size_t late = 0;

	for (int i = 0; i < 20; i++) {
		world->mallocs = i % 2 ? 0.001 / 1000 : 1 / 50.0;
		pass(world, i % 2 ? 40 : 15);
	}
	for (size_t i = 0; i < world->step_cnt; i++) {
		if (world->steps[i].down)
			continue;
		least = seconds_of(world, i) - last < least ? seconds_of(world, i) - last : least;
		last = seconds_of(world, i);
		late += last > 275;
	}
	ok(least >= 3, "swing: seconds between two steps up: %.1f", least);
	ok(world->step_cnt < 60, "swing: few steps in 550 s: %zu", world->step_cnt);
	ok(late < 10, "swing: fewer and fewer of them: %zu in the second half", late);
	show(world);
	world_free(world);
}

static void test_off(void)
{
	struct world *world = world_of(0.5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	double percent;

	world->mallocs = 1 / 20.0;
	pass(world, 20);
	percent = pass(world, 300);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_OFF, "off: where not even windows have room");
	ok(percent < 0.6, "off: looks at it now and then cost little: %.2f%%", percent);
	world->mallocs = 0.0005 / 1000;
	pass(world, 600);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_EXACT, "off: and find out when it may be on");
	show(world);
	world_free(world);
}

static void test_limits(void)
{
	struct world *world = world_of(5, BUDGET_HEAP_COUNTING, BUDGET_IO_OFF);

	world->mallocs = 0.001 / 1000;
	pass(world, 60);
	ok(!world->step_cnt, "limits: never above where it began");
	world->mallocs = 1 / 20.0;
	pass(world, 5);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_WINDOWS, "limits: below");
	world->mallocs = 0.001 / 1000;
	pass(world, 60);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_COUNTING, "limits: and back");
	ok(!world->armed[BUDGET_IO] && world->state[BUDGET_IO] == BUDGET_IO_OFF,
	   "limits: what was off at the beginning stays so");
	world_free(world);

	world = world_of(5, BUDGET_HEAP_EXACT, BUDGET_IO_EXACT);
	world->refuse = 1 + (BUDGET_HEAP << 8 | BUDGET_HEAP_WINDOWS);
	world->mallocs = 1 / 20.0;
	pass(world, 5);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_OFF,
	   "limits: a state that cannot be had is passed over");
	show(world);
	world_free(world);
}

/* Uncalibrated prices: assumed, so that a target is protected all the same. */
static void test_unknown_price(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct budget_options options = {
		.percent = 5,
		.trap_ns = {-1, -1, -1, -1, -1},
		.apply = apply,
		.now_ns = now_ns,
		.tell = tell,
		.ctx = world,
	};

	world->budget = budget__new(&options);
	world->capacity = world->demand = 1;
	world->armed[BUDGET_HEAP] = world->armed[BUDGET_IO] = true;
	world->mallocs = 1 / 20.0;
	ok(budget__cost(world->budget) < 0, "not calibrated: no cost is known at first");
	world->input.now_ns = 1;
	budget__tick(world->budget, &world->input);
	ok(budget__wants_runs(world->budget), "at the start the programs' time is wanted");
	pass(world, 3);
	ok(world->state[BUDGET_HEAP] == BUDGET_HEAP_WINDOWS,
	   "not calibrated: steps down all the same");
	world_free(world);
}

int main(void)
{
	test_hot();
	test_moderate();
	test_cheap();
	test_idle();
	test_measure_only();
	test_io();
	test_both();
	test_up();
	test_swing();
	test_off();
	test_limits();
	test_unknown_price();
	return tap_done();
}
