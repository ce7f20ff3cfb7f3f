/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses the command line of `record`; every refusal names the option and what it wants. */
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "cmd/cmd.h"

#define DEFAULT_RING       (16U << 20)
#define DEFAULT_MAX_MEMORY (256ULL << 20)
#define MIN_RING           (64U << 10)
#define MAX_RING           (1U << 30)
#define MIN_MAX_MEMORY     (4ULL << 20)
#define PID_MAX_COUNT      256
#define DEFAULT_BLOCKS     (1U << 20)
#define MIN_BLOCKS         (1U << 10)
#define MAX_BLOCKS         (64U << 20)
#define DEFAULT_OVERHEAD   5

static const char usage[] =
	"usage: asyncscope-bpf [record] -p PID[,PID] | -n NAME | -c CGROUP | -- CMD [ARG...]\n\n"
	"  -p, --pid PID         the process to record; several with commas\n"
	"  -n, --name NAME       all processes with this name\n"
	"  -c, --cgroup CGROUP   all processes of a cgroup, or of a container by its id\n"
	"  -f, --follow          processes that the target forks, too\n"
	"  -d, --duration TIME   10, 500ms, 2m (default: until Ctrl-C or the target ends)\n"
	"  -o, --output FILE     may be repeated; the suffix is the format: .html .asnap .ndjson\n"
	"                        .txt; - is stdout (NDJSON)\n"
	"      --title TEXT      of the report\n"
	"      --theme NAME      of the report: auto, dark, light\n"
	"      --slices          the timeline in NDJSON, too\n"
	"      --json            NDJSON on stdout instead of the summary\n"
	"      --ring SIZE       of the ring between kernel and tracer (16M)\n"
	"      --max-memory SIZE of the recording; ended tasks beyond fold into their class (256M)\n"
	"      --hw hw|sw|off    hardware counters, software events in their place, or none\n"
	"      --attach RUNG     at most this way of attaching uprobes: multi, tracefs, perf\n"
	"      --io-source NAME  where IO is accounted: auto, syscall, kprobe, fentry or off\n"
	"      --heap MODE       how closely memory is looked at: exact, sampled, counting or off\n"
	"      --heap-entries N  live blocks kept at most (1M)\n"
	"      --max-overhead PCT  of the target's CPU time, kept by looking less closely (5);\n"
	"                        0 measures it and never steps down\n"
	"      --strict          exit 5 if anything was lost\n"
	"  -q, -v, -vv           quieter; more; the BPF verifier's words, too\n"
	"  -h, -V                help; version\n\n"
	"The first Ctrl-C finishes the recording, the second aborts it.\n";

bool parse_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}, {"h", 3600e9}};
	double val;
	char *end;

	errno = 0;
	val = strtod(text, &end);
	if (end == text || errno || !isfinite(val) || val <= 0)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		val *= units[i].ns;
		if (val > 1e17)
			return false;
		*ns = (uint64_t)val;
		return *ns > 0;
	}
	return false;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	unsigned long long val;
	const char *unit;
	char *end;

	errno = 0;
	val = strtoull(text, &end, 10);
	if (end == text || text[0] == '-' || errno || val > 1ULL << 40)
		return false;
	if (*end) {
		unit = strchr(suffixes, *end & ~0x20);
		if (!unit || (end[1] && strcmp(end + 1, "iB") && strcmp(end + 1, "B")))
			return false;
		val <<= 10 * (unit - suffixes + 1);
	}
	*bytes = val;
	return true;
}

static bool parse_percent(const char *text, double *percent)
{
	char *end;

	errno = 0;
	*percent = strtod(text, &end);
	/* "5%" is what people write */
	return end != text && !errno && isfinite(*percent) && *percent >= 0 && *percent <= 100 &&
	       (!*end || !strcmp(end, "%"));
}

static bool parse_pids(struct record_options *options, const char *text)
{
	while (*text) {
		pid_t *pids;
		char *end;
		long pid;

		errno = 0;
		pid = strtol(text, &end, 10);
		if (end == text || errno || pid <= 0 || pid > INT32_MAX || (*end && *end != ',') ||
		    options->pid_cnt == PID_MAX_COUNT)
			return false;
		pids = realloc(options->pids, (options->pid_cnt + 1) * sizeof(*pids));
		if (!pids)
			return false;
		options->pids = pids;
		options->pids[options->pid_cnt++] = pid;
		text = *end ? end + 1 : end;
	}
	return options->pid_cnt > 0;
}

static bool choose(const char *text, const char *const *names, int cnt, int *choice)
{
	for (int i = 0; i < cnt; i++) {
		if (!strcmp(text, names[i])) {
			*choice = i;
			return true;
		}
	}
	return false;
}

enum long_option {
	OPT_TITLE = 256,
	OPT_THEME,
	OPT_SLICES,
	OPT_JSON,
	OPT_RING,
	OPT_MAX_MEMORY,
	OPT_HW,
	OPT_ATTACH,
	OPT_STRICT,
	OPT_IO_SOURCE,
	OPT_HEAP,
	OPT_HEAP_ENTRIES,
	OPT_MAX_OVERHEAD,
};

static const struct option long_options[] = {
	{"pid", required_argument, NULL, 'p'},
	{"name", required_argument, NULL, 'n'},
	{"cgroup", required_argument, NULL, 'c'},
	{"follow", no_argument, NULL, 'f'},
	{"duration", required_argument, NULL, 'd'},
	{"output", required_argument, NULL, 'o'},
	{"title", required_argument, NULL, OPT_TITLE},
	{"theme", required_argument, NULL, OPT_THEME},
	{"slices", no_argument, NULL, OPT_SLICES},
	{"json", no_argument, NULL, OPT_JSON},
	{"ring", required_argument, NULL, OPT_RING},
	{"max-memory", required_argument, NULL, OPT_MAX_MEMORY},
	{"hw", required_argument, NULL, OPT_HW},
	{"attach", required_argument, NULL, OPT_ATTACH},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"io-source", required_argument, NULL, OPT_IO_SOURCE},
	{"heap", required_argument, NULL, OPT_HEAP},
	{"heap-entries", required_argument, NULL, OPT_HEAP_ENTRIES},
	{"max-overhead", required_argument, NULL, OPT_MAX_OVERHEAD},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{},
};

static int refuse(const char *option, const char *arg, const char *wants)
{
	log_err("%s %s: %s", option, arg, wants);
	return EXIT_USAGE;
}

static bool is_power_of_two(uint64_t val)
{
	return val && !(val & (val - 1));
}

static int parse_one(struct record_options *options, int opt, const char *arg)
{
	static const char *const themes[] = {"auto", "dark", "light"};
	static const char *const hw[] = {"hw", "sw", "off"};
	static const char *const rungs[] = {"multi", "tracefs", "perf"};
	static const char *const io_sources[] = {
#define X(id, name, text) name,
		WIRE_IO_SOURCES(X)
#undef X
	};
	static const char *const heap[] = {
#define X(id, name, meaning) name,
		WIRE_HEAP_MODES(X)
#undef X
	};
	uint64_t size;
	int choice;

	switch (opt) {
	case 'p':
		return parse_pids(options, arg)
			       ? -1
			       : refuse("-p", arg, "wants process ids, such as -p 4242");
	case 'n':
		options->name = arg;
		return -1;
	case 'c':
		options->cgroup = arg;
		return -1;
	case 'f':
		options->follow_forks = true;
		return -1;
	case 'd':
		return parse_duration(arg, &options->duration_ns)
			       ? -1
			       : refuse("-d", arg,
					"wants a time, such as -d 10, -d 500ms or -d 2m");
	case 'o':
		if (options->output_cnt == OUTPUT_MAX)
			return refuse("-o", arg, "too many outputs");
		options->outputs[options->output_cnt++] = arg;
		return -1;
	case OPT_TITLE:
		options->title = arg;
		return -1;
	case OPT_THEME:
		if (!choose(arg, themes, 3, &choice))
			return refuse("--theme", arg, "wants auto, dark or light");
		options->theme = themes[choice];
		return -1;
	case OPT_SLICES:
		options->slices = true;
		return -1;
	case OPT_JSON:
		options->json = true;
		return -1;
	case OPT_RING:
		if (!parse_size(arg, &size) || !is_power_of_two(size) || size < MIN_RING ||
		    size > MAX_RING)
			return refuse("--ring", arg, "wants a power of two from 64K to 1G");
		options->ring_sz = size;
		return -1;
	case OPT_MAX_MEMORY:
		if (!parse_size(arg, &size) || size < MIN_MAX_MEMORY)
			return refuse("--max-memory", arg, "wants a size of at least 4M");
		options->max_memory = size;
		return -1;
	case OPT_HW:
		if (!choose(arg, hw, 3, &choice))
			return refuse("--hw", arg, "wants hw, sw or off");
		options->hw = choice;
		return -1;
	case OPT_ATTACH:
		if (!choose(arg, rungs, 3, &choice))
			return refuse("--attach", arg, "wants multi, tracefs or perf");
		options->rung = choice;
		return -1;
	case OPT_IO_SOURCE:
		if (!choose(arg, io_sources, IO_SOURCE_CNT, &choice))
			return refuse("--io-source", arg,
				      "wants auto, syscall, kprobe, fentry or off");
		options->io_source = choice;
		return -1;
	case OPT_HEAP:
		if (!choose(arg, heap, HEAP_MODE_CNT, &choice))
			return refuse("--heap", arg, "wants exact, sampled, counting or off");
		options->heap = choice;
		return -1;
	case OPT_HEAP_ENTRIES:
		if (!parse_size(arg, &size) || size < MIN_BLOCKS || size > MAX_BLOCKS)
			return refuse("--heap-entries", arg, "wants a number from 1K to 64M");
		options->heap_entries = size;
		return -1;
	case OPT_MAX_OVERHEAD:
		if (!parse_percent(arg, &options->max_overhead))
			return refuse("--max-overhead", arg,
				      "wants a percentage from 0 (never steps down) to 100");
		return -1;
	case OPT_STRICT:
		options->strict = true;
		return -1;
	case 'q':
		log_level = LOG_QUIET;
		return -1;
	case 'v':
		log_level++;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return EXIT_OK;
	case 'V':
		printf("asyncscope-bpf %s\n", ASYNCSCOPE_VERSION);
		return EXIT_OK;
	default:
		log_err("see asyncscope-bpf record -h");
		return EXIT_USAGE;
	}
}

int record_options__parse(struct record_options *options, int argc, char **argv)
{
	int opt, ret, ways;

	memset(options, 0, sizeof(*options));
	options->niceness = getpriority(PRIO_PROCESS, 0);
	options->ring_sz = DEFAULT_RING;
	options->max_memory = DEFAULT_MAX_MEMORY;
	options->heap = HEAP_MODE_EXACT;
	options->heap_entries = DEFAULT_BLOCKS;
	options->max_overhead = DEFAULT_OVERHEAD;
	/* "+": what follows -- or the first other word is the command's */
	while ((opt = getopt_long(argc, argv, "+p:n:c:fd:o:qvhV", long_options, NULL)) != -1) {
		ret = parse_one(options, opt, optarg);
		if (ret >= 0)
			return ret;
	}
	if (optind < argc) {
		if (strcmp(argv[optind - 1], "--"))
			return refuse("argument", argv[optind],
				      "is no option (a command to start comes after --)");
		options->command = argv + optind;
	}
	ways = !!options->pid_cnt + !!options->name + !!options->cgroup + !!options->command;
	if (ways == 1)
		return -1;
	log_err(ways ? "one of -p, -n, -c and -- CMD, not several"
		     : "what to record? Give -p PID, -n NAME, -c CGROUP or -- CMD (see -h)");
	return EXIT_USAGE;
}

void record_options__free(struct record_options *options)
{
	free(options->pids);
}
