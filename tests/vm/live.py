#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the recordings of a guest with the truth, by the scripts of tests/live. Called by matrix.t.

live.py LABEL DIR TRACER : DIR is the guest's /out, TRACER the program that was recording. Prints
TAP result lines without numbers.

Tolerances: the relative ones are those of tests/live. What those add for the moments that a program
needs between its clock and the event is FLOOR times as much here: an emulated CPU takes some ten
times as long for a context switch or a trap. And the emulator itself may be off its CPU between a
program's or the kernel's clock and the probe behind it, for GAP_NS: so one task of a recording, and
the one that got what it lacks, may be off by that, but not the same one in three recordings: an error of ours is in each.
"""
import contextlib
import io
import pathlib
import re
import runpy
import subprocess
import sys

LIVE = pathlib.Path(__file__).resolve().parent.parent / "live"
sys.path.insert(0, str(LIVE))
sys.dont_write_bytecode = True
import truth # pylint: disable=wrong-import-position

FLOOR = 5
truth.CLOCK_FACTOR = 20
# Ten delays in one sum: ten times the chance of a gap.
FLOORS = {"wake latency: woken until running, within 5%": 30}
GAP_NS = 40 * truth.MS
truth.CLOCK_GAP_NS = GAP_NS
# Before 6.2 the kernel refuses task storage to a program that interrupts another one in there
# (commit e8b02296a6b8), which the tracer counts. A tick can, 49 times a second and CPU.
CONTENDED = {"6.1": 49}
REDUCED = ["5.10"]
KPROBES = ["kprobe", "kprobe-tracefs"]
SOURCES = ["auto", "syscall", "syscall-classic", "fentry", *KPROBES]
# Labels, sources, what is lost there. Programs of raw tracepoints and of fentry may be preempted on
# newer kernels, which then skip them for whoever else comes by on that CPU, and a call of which only
# the entry was seen shows at the thread's next one. Before 5.11 or so no more calls of a function than
# there are CPUs can be waiting for their kretprobe. Only so many calls may lack there, and one
# recording of each kernel must be whole: that of a program that nothing preempts, if need be.
SAID = [(["new"], SOURCES, "recursion_misses"), (["new"], ["fentry", *KPROBES], "returns_unseen"),
        (["5.10"], KPROBES, "returns_unseen")]
# The tracepoint of arriving data came with 6.3; without it only a kernel function tells, which is hooked
# beside system calls under auto alone.
NO_ARRIVALS = ["5.10", "6.1"]
ARRIVALS = ("data that lay in the socket",)
# io_uring's requests hold the result of reads and writes of files since 5.19 only.
NO_RING_FILES = ["5.10"]
# What a kernel without bpf_find_vma cannot tell: that a longjmp left frames.
NEEDS_BOUNDS = ["wall time, inner frames included", "self time, inner frames excluded",
                "CPU time goes to the innermost frame"]
HW_COUNTERS = ["cpu_cycles", "instructions", "cache_misses", "branch_misses"]
LEFT_OUT = {
    # The guest has no disk: its files are in memory. Compared on the machine itself only.
    "blocked_disk of the threads that wait so within 5%",
    # The sum of the wake latencies once more, with a floor that is not ours to set.
    "edge 1 -> 2: its delay",
    "edge 3 -> 3: its delay",
}
LACKING = "no more lacks than was missed" # what io_compare.py says only of a recording that lacks calls
TIMES = ("latencies: means", "latencies of calls")
RUNGS = {"multi": "uprobe.multi", "tracefs": "tracefs", "perf": "perf uprobes"}

class Patience:
    """Stands in for what the scripts of tests/live use of truth.py."""

    def __init__(self, label):
        self.label = label
        self.strict_add, self.strict_losses = truth.Worst.add, truth.Recording.losses
        truth.Worst.add = lambda *args: self.add(*args)
        truth.Recording.losses = lambda recording: self.losses(recording)
        self.gap_may_be = False
        self.gap_in = set() # the tasks of this recording that are off by a gap
        self.gaps = [] # scenario and task
        self.whole = [] # of each recording of IO: does it lack nothing?

    def add(self, worst, name, got, want, relative, floor):
        """Only times have such a floor; counts are exact here as everywhere."""
        if floor < truth.MS:
            self.strict_add(worst, name, got, want, relative, floor)
            return
        floor *= FLOORS.get(worst.description, FLOOR)
        allowed = max(relative * abs(want), floor)
        if self.gap_may_be and got is not None and len(self.gap_in | {name}) <= 2 and (
                allowed < abs(got - want) <= allowed + GAP_NS):
            self.gap_in.add(name)
            floor = allowed + GAP_NS
        self.strict_add(worst, name, got, want, relative, floor)

    def losses(self, recording):
        found = self.strict_losses(recording)
        ticks = CONTENDED.get(self.label, 0) * recording.meta["host"]["cpus"] * (
            recording.meta["duration_ns"] / 1e9)
        if found.get("thread_state", 0) < ticks / 2:
            found.pop("thread_state", None)
        return found

    def with_gap(self, scenario, script, *args):
        self.gap_may_be = self.label not in REDUCED or scenario != "missing-leave"
        self.gap_in = set()
        results = run_script(script, *args)
        self.gaps += [(scenario, name) for name in sorted(self.gap_in)]
        self.gap_may_be = False
        return results

    def report(self):
        often = {gap for gap in self.gaps if self.gaps.count(gap) > 2}
        print(f"# off by a gap: {self.gaps or 'none'}")
        report(not often, "no task is off by a gap in three recordings", often)
        if self.whole:
            report(any(self.whole), "a recording of IO lacks nothing", [self.whole])


def run_script(script, *args):
    """What a script of tests/live prints: (good, description, details) of each comparison."""
    out, results, broken = io.StringIO(), [], None
    sys.argv = [script, *map(str, args)]
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(str(LIVE / script))
    except (SystemExit, Exception) as error: # pylint: disable=broad-except
        broken = f"{type(error).__name__}: {error}"
    for line in out.getvalue().splitlines():
        match = re.match(r"(not )?ok - (.*)", line)
        if match:
            results.append((not match[1], match[2], []))
        elif results:
            results[-1][2].append(line.strip())
    if broken:
        results.append((False, f"{script} runs to its end", [broken]))
    # a description may end with how many were compared
    return [result for result in results if re.sub(r" \(\d+\)$", "", result[1]) not in LEFT_OUT]


def report(good, text, details=()):
    print(("ok - " if good else "not ok - ") + text)
    for detail in [] if good else details:
        print("# " + str(detail))


def report_each(name, results):
    for good, text, details in results:
        report(good, f"{name}: {text}", details)


def report_together(name, results):
    bad = [line for good, text, details in results if not good for line in [text, *details]]
    report(results and not bad, f"{name}: as the program did", bad)


def compare_threads(name, out, patience, tracer):
    report_each(name, patience.with_gap(name, "threads.py", out / f"{name}.truth",
                                        out / f"{name}.ndjson"))
    exported = subprocess.run([tracer, "export", "-t", "ndjson", out / f"{name}.asnap"],
                              capture_output=True, text=True, check=False)
    recorded = (out / f"{name}.ndjson").read_text(encoding="utf-8")
    report(sorted(exported.stdout.splitlines()[1:]) == sorted(recorded.splitlines()[1:]),
           f"{name}: the snapshot says on this machine what the recording said there",
           exported.stderr.splitlines()[-3:])


def compare_asleep(name, out, patience, _):
    """Threads asleep at attach. Pools on condition variables: idle, or, where futex words cannot be
    read then, other, and the recording says so; never a lock. On epoll: idle, wherever."""
    recording = truth.Recording(out / f"{name}.ndjson")
    reduced = patience.label in REDUCED
    source = truth.get(recording.meta, "sources.waits") or ""
    for pattern in ("condvar", "epoll"):
        pool = [task for task in recording.tasks if task["task_name"].startswith(pattern)]
        sums = {part: sum(truth.time_of(task, part) or 0 for task in pool)
                for part in [*truth.BLOCKED, "on_cpu", "runqueue", "wall"]}
        small = 0.02 * sums["wall"] + 3 * truth.MS * FLOOR
        report(pool and sums["blocked_lock"] <= small, f"{name}: {pattern} pools show no lock wait",
               [sums])
        may_be = sums["idle"] + (sums["blocked_other"] if reduced and pattern == "condvar" else 0)
        report(pool and may_be >= 0.9 * sums["wall"], f"{name}: {pattern} pools are idle", [sums])
    report(("slept at attach are not told" in source) == reduced,
           f"{name}: the recording says whether futex words could be read", [source])


def without_bounds(name, scenario, results, patience):
    """On kernels that cannot tell, what frames left by longjmp took is not compared."""
    if scenario != "missing-leave":
        return results
    text = f"{name}: frames left by longjmp end where their stack ended"
    if patience.label not in REDUCED:
        hold = [good for good, what, _ in results if what.startswith(tuple(NEEDS_BOUNDS))]
        report(len(hold) == len(NEEDS_BOUNDS) and all(hold), text)
        return results
    print(f"ok - {text} # SKIP no bpf_find_vma in this kernel")
    return [result for result in results if not result[1].startswith(tuple(NEEDS_BOUNDS))]


def compare_marks(name, out, patience, _, scenario, rung):
    results = patience.with_gap(scenario, "marks.py", scenario, out / f"{name}.truth",
                                out / f"{name}.ndjson")
    results = without_bounds(name, scenario, results, patience)
    sources = str(truth.get(truth.Recording(out / f"{name}.ndjson").meta, "sources"))
    results.append((RUNGS[rung] in sources, "the recording names the rung", [sources]))
    report_together(name, results)


def compare_load(name, out, *_):
    """As rate.py, but for the pace, which a burner and more threads than CPUs hold up."""
    did, recording = truth.read_truth(out / f"{name}.truth")[0], truth.Recording(
        out / f"{name}.ndjson")
    tasks = recording.runtime("marks")
    runs = sum(truth.get(task, "runs.count") or 0 for task in tasks.values())
    report(did["pairs"] > 1000, f"{name}: the program ran", [did])
    report(len(tasks) == did["tasks"], f"{name}: every task is there", [len(tasks), did["tasks"]])
    report(runs == did["pairs"], f"{name}: every run is counted", [runs, did["pairs"]])
    report(not recording.losses(), f"{name}: nothing was lost", [recording.losses()])
    print(f"# {name}: {did['pairs'] * 1e9 / did['elapsed_ns']:,.0f} runs per second")


def compare_hw(name, out, patience, _, source):
    report_together(name, patience.with_gap("nest", "marks.py", "nest", out / f"{name}.truth",
                                            out / f"{name}.ndjson"))
    tasks = truth.Recording(out / f"{name}.ndjson").tasks
    vals = {field: [truth.get(task, f"cpu_metrics.{field}") for task in tasks]
            for field in HW_COUNTERS}
    if source == "sw":
        # what stands in for branch misses counts switches, and not every task has one
        good = all(None not in column for column in vals.values()) and all(
            any(column) for column in vals.values())
        report(tasks and good, f"{name}: each task has counters", [vals])
        return
    reasons = [task["not_measured"].get(f"cpu_metrics.{field}") for task in tasks
               for field in HW_COUNTERS]
    report(tasks and all(set(column) == {None} for column in vals.values()) and all(reasons),
           f"{name}: null, and why", [vals, reasons])


def said_lost(label, source):
    return [loss for labels, sources, loss in SAID if label in labels and source in sources]


def compare_io(name, out, patience, _, source, left_out=()):
    """A recording that is not exact for a reason of the kernel's must say how much may lack."""
    said = said_lost(patience.label, source)
    if patience.label in NO_ARRIVALS and source.startswith("syscall"):
        left_out += ARRIVALS
    what = name.split("-", maxsplit=1)[0]
    results = run_script("io_compare.py", what, out / f"{name}.truth", out / f"{name}.ndjson",
                         "auto+kernel" if source == "auto" else source, *said)
    results = [result for result in results if not result[1].startswith(left_out)]
    report_together(name, results)
    losses = truth.Recording(out / f"{name}.ndjson").losses()
    print(f"# {name}: {', '.join(f'{loss} {losses.get(loss, 0)}' for loss in said) or 'exact'}")
    patience.whole.append(not any(text.endswith(LACKING) for _, text, _ in results))


def compare_alone(*args):
    """Of a program that nothing preempts: what holds it up does not show in its own account."""
    compare_io(*args, left_out=TIMES)


def ring_counts(recording, path, owner):
    """operation -> [count, bytes] on one file or port, of the tasks that `owner` takes."""
    sums = {op: [0, 0] for op in ("read", "write", "sent", "received")}
    tasks = {task["task_id"]: task for task in recording.tasks}
    for record in recording.of("file") + recording.of("connection"):
        if path not in (record.get("path"), record.get("peer")):
            continue
        if record["task_id"] is None or not owner(tasks[record["task_id"]]):
            continue
        for op, total in sums.items():
            entry = record.get(op) or {}
            total[0] += entry.get("operations") or 0
            total[1] += entry.get("bytes") or 0
    return sums


def compare_ring(name, out, patience, _, source):
    """Of the first row what is on sockets is the thread's own, and files may be anybody's: not all
    file systems can say that they would block. The second one is that of io_uring's workers."""
    recording = truth.Recording(out / f"{name}.ndjson")
    rows = [row for row in truth.read_truth(out / f"{name}.truth") if "row" in row]
    report(len(rows) == 2, f"{name}: the program ran", rows)
    for row in rows:
        if row["skipped"]:
            print(f"ok - {name}: {row['row']} # SKIP {row['skipped']}")
            continue
        tid, diffs = str(row["tid"]), []
        for obj in row["objects"]:
            is_tcp = obj["kind"] == "tcp"
            if not is_tcp and patience.label in NO_RING_FILES:
                continue
            names = {"write": "sent", "read": "received"} if is_tcp else {}
            if row["row"] == "workers":
                owner = lambda task: task["task_name"].startswith("iou-wrk")
            else:
                owner = lambda task: task["native_id"] == tid or not is_tcp
            got = ring_counts(recording, obj["name"], owner)
            for op in ("read", "write"):
                done = obj["ops"].get(op, {})
                want = [done.get("operations", 0), done.get("bytes", 0)]
                if got[names.get(op, op)] != want:
                    diffs.append(f"{obj['name']} {op}: got {got[names.get(op, op)]}, truth {want}")
        report(not diffs, f"{name}: {row['row']}: operations and bytes of each file and peer", diffs)
    losses = recording.losses()
    for loss in said_lost(patience.label, source):
        losses.pop(loss, None)
    report(not losses, f"{name}: nothing was lost", [losses])


def compare_heap(name, out, _, __, rung):
    """How long blocks live is left out: an emulated program sleeps as it likes."""
    results = run_script("heap_compare.py", "truth", out / f"{name}.truth",
                         out / f"{name}.ndjson", name)
    report_each(name, [result for result in results if "lifetimes of blocks" not in result[1]])
    sources = str(truth.get(truth.Recording(out / f"{name}.ndjson").meta, "sources"))
    report("malloc" in sources, f"{name}: the recording names the allocator ({rung})", [sources])


KINDS = {"heap": compare_heap, "ring": compare_ring, "threads": compare_threads, "asleep": compare_asleep, "marks": compare_marks,
         "load": compare_load, "io": compare_io, "alone": compare_alone, "conn": compare_io,
         "hw": compare_hw}


def main(label, out, tracer):
    out, patience = pathlib.Path(out), Patience(label)
    listed = out / "comparisons"
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        name, kind, *args = line.split()
        try:
            KINDS[kind](name, out, patience, tracer, *args)
        except (SystemExit, Exception) as error: # pylint: disable=broad-except
            report(False, f"{name}: can be compared", [f"{type(error).__name__}: {error}"])
    patience.report()


main(*sys.argv[1:])
