# SPDX-License-Identifier: GPL-2.0-or-later
"""threads.py TRUTH NDJSON: the recording of tests/programs/threads.c against what it printed.

Tolerances, and why they are not zero:
- CPU: 2% or 2 ms. A thread reads its clock for the last time before it exits.
- Waits: 5% or 5 ms, the same plus the moment of birth; and SWITCH_NS for every switch: the kernel's
  own clocks for CPU and run queue are read at the begin of schedule(), the tracer sees the switch
  itself. It decides only where a wait is as short as a switch (pipes, block IO).
- Run queue: 5% or 5 ms, and SWITCH_NS.
"""
import sys
from collections import defaultdict

from truth import BLOCKED, MS, Recording, US, Worst, get, ok, read_truth, show, time_of

SWITCH_NS = 10 * US

# What the program calls a wait -> the tracer's cause (DESIGN.md, "Waits"). A semaphore and a pipe
# are unclear, so other; waiting for a thread's end is no bottleneck, so idle.
CAUSE = {"lock": "blocked_lock", "net": "blocked_net", "disk": "blocked_disk",
         "timer": "blocked_timer", "idle": "idle", "pipe": "blocked_other",
         "sem": "blocked_other", "create": "blocked_other", "join": "idle"}


def expected_waits(truth):
    waits = defaultdict(int)
    for name, ns in truth["wait_ns"].items():
        waits[CAUSE[name]] += ns
    return waits


def unmeasured(truth):
    """Blocked in the kernel outside of what the thread measures, on a loaded machine: for a lock of
    the address space or of procfs whose holder was preempted."""
    if truth["pattern"] == "main":
        return 0
    return max(0, truth["end_ns"] - truth["born_ns"] - truth["cpu_ns"] -
               truth["schedstat_runqueue_ns"] - sum(truth["wait_ns"].values()))


def switches(truth):
    return truth["nvcsw"] + truth["nivcsw"]


def compare_times(pairs):
    cpu = Worst("CPU time of each thread within max(2%, 2 ms)")
    runqueue = Worst("run-queue time of each thread within 5% of schedstat")
    wall = Worst("wall time of each thread within 1% or 5 ms")
    whole = Worst("the parts of each thread's time add up to its wall time")
    for truth, task in pairs:
        name, slack = truth["thread"], switches(truth) * SWITCH_NS
        # the main thread goes on to print what all have found
        is_main = truth["pattern"] == "main"
        cpu.add(name, time_of(task, "on_cpu"), truth["cpu_ns"], 0.02, 15 * MS if is_main else 2 * MS)
        if not is_main:
            runqueue.add(name, time_of(task, "runqueue"), truth["schedstat_runqueue_ns"], 0.05,
                         5 * MS + slack)
            birth = truth["created_ns"] - truth["born_ns"] # it was born somewhere in between
            wall.add(name, time_of(task, "wall"), truth["end_ns"] - truth["born_ns"], 0.01,
                     5 * MS + birth)
        parts = sum(time_of(task, part) or 0 for part in BLOCKED + ["on_cpu", "runqueue", "stolen"])
        whole.add(name, parts, time_of(task, "wall"), 0.01, 3 * MS + slack)
    for worst in (cpu, runqueue, wall, whole):
        worst.finish()


def compare_waits(pairs):
    by_cause = {cause: Worst(f"{cause} of the threads that wait so within 5%")
                for cause in BLOCKED}
    nothing = Worst("no thread shows a wait that it did not have")
    for truth, task in pairs:
        waits, slack = expected_waits(truth), switches(truth) * SWITCH_NS
        for cause in BLOCKED:
            got = time_of(task, cause)
            if waits[cause] > 10 * MS:
                by_cause[cause].add(truth["thread"], got, waits[cause], 0.05, 5 * MS + slack)
            else:
                floor = 5 * MS + slack + (unmeasured(truth) if cause == "blocked_other" else 0)
                nothing.add(f"{truth['thread']} {cause}", got, waits[cause], 0, floor)
    for worst in by_cause.values():
        worst.finish()
    nothing.finish()


def compare_idle_pools(pairs):
    lock = Worst("idle pools show no lock wait")
    for truth, task in pairs:
        if truth["pattern"] in ("condvar", "epoll"):
            lock.add(truth["thread"], time_of(task, "blocked_lock"), 0, 0, 3 * MS)
    lock.finish()


def compare_counts(pairs):
    total = Worst("context switches of each thread within 1%")
    involuntary = Worst("involuntary switches of each thread within 2%")
    faults = Worst("page faults of each thread")
    # Birth and exit are outside of the program's own readings; where others are busy (an emulated
    # CPU most of all), a thread is preempted a few times in them.
    floor = 8
    for truth, task in pairs:
        name = truth["thread"]
        if truth["pattern"] == "main": # it goes on to print
            continue
        total.add(name, get(task, "cpu_metrics.context_switches"), switches(truth), 0.01, floor)
        involuntary.add(name, get(task, "cpu_metrics.context_switches_involuntary"),
                        truth["nivcsw"], 0.02, floor)
        faults.add(name, get(task, "memory_metrics.page_faults"),
                   truth["minflt"] + truth["majflt"], 0, 6)
    for worst in (total, involuntary, faults):
        worst.finish()


def compare_modes(pairs):
    """Both the kernel's split and the tracer's are sampled by ticks: burners only."""
    user = Worst("user time of burners within 15% of their CPU time")
    kernel = Worst("kernel time of burners within 15% of their CPU time")
    for truth, task in pairs:
        if truth["pattern"] not in ("burn", "oversub"):
            continue
        floor = 0.15 * truth["cpu_ns"] + 20 * MS
        for worst, field, key in ((user, "time_user_ms", "cpu_user_ns"),
                                  (kernel, "time_kernel_ms", "cpu_system_ns")):
            got = get(task, f"cpu_metrics.{field}")
            worst.add(truth["thread"], None if got is None else got * MS, truth[key], 0, floor)
    user.finish()
    kernel.finish()


def compare_identity(recording, pairs):
    name = Worst("each thread has the name that it gave itself")
    seen = Worst("threads that began while recording are seen from the start, the first one not")
    parent = Worst("each thread's parent is the thread that made it")
    state = Worst("threads that ended are completed")
    main = next(task for truth, task in pairs if truth["pattern"] == "main")
    for truth, task in pairs:
        is_main = truth["pattern"] == "main"
        name.require(truth["thread"], task["task_name"] == truth["thread"], task["task_name"])
        seen.require(truth["thread"], task["seen_from_start"] == (not is_main),
                     task["seen_from_start"])
        if not is_main:
            parent.require(truth["thread"], task["parent_task_id"] == main["task_id"],
                           task["parent_task_id"])
        state.require(truth["thread"], task["state"] == "completed", task["state"])
    for worst in (name, seen, parent, state):
        worst.finish()


def compare_wakes(recording, pairs):
    edges = recording.edges("wake")
    tid = {truth["thread"]: ("thread", str(truth["tid"])) for truth, _ in pairs}
    by_name = {truth["thread"]: (truth, task) for truth, task in pairs}
    for a, b in (("pipe-00", "pipe-01"), ("pipe-01", "pipe-00")):
        edge = edges.get((tid[a], tid[b]))
        count, want = edge["count"] if edge else 0, by_name[b][0]["nvcsw"]
        ok(abs(count - want) <= 0.03 * want + 5, f"wakes of {b} by {a}: {count} for {want} sleeps")
    fed = [truth["thread"] for truth, _ in pairs if truth["pattern"] == "net"]
    found = [to for to in fed if any((tid[f"feed-0{i}"], tid[to]) in edges for i in (0, 1))]
    ok(len(found) >= 0.9 * len(fed), f"receivers are woken by their feeder: {len(found)} of {len(fed)}")
    latency = Worst("wake latencies are counted for each wait of the pipe pair")
    for name in ("pipe-00", "pipe-01"):
        truth, task = by_name[name]
        latency.add(name, get(task, "wake_latency.count"), truth["nvcsw"], 0.05, 5)
    latency.finish()


def compare_cores(pairs, cpus):
    cores = Worst("cores used are cores of this machine")
    for truth, task in pairs:
        used = get(task, "cpu_metrics.core_affinity")
        good = bool(used) and all(0 <= cpu < cpus for cpu in used)
        cores.require(truth["thread"], good, used)
    cores.finish()


def main(truth_path, recording_path):
    records, recording = read_truth(truth_path), Recording(recording_path)
    process = next(record for record in records if "process" in record)
    threads = [record for record in records if "thread" in record]
    tasks = recording.runtime("thread", process["process"])
    missing = [truth["thread"] for truth in threads if str(truth["tid"]) not in tasks]
    ok(not missing, f"every thread is in the recording ({len(threads)})", missing)
    pairs = [(truth, tasks[str(truth["tid"])]) for truth in threads if str(truth["tid"]) in tasks]

    ok(not recording.losses(), "nothing was lost", recording.losses())
    compare_identity(recording, pairs)
    compare_times(pairs)
    compare_waits(pairs)
    compare_idle_pools(pairs)
    compare_counts(pairs)
    compare_modes(pairs)
    compare_cores(pairs, get(recording.meta, "host.cpus"))
    compare_wakes(recording, pairs)

    # The program's last reading is before it prints and exits, which the recording still sees: what
    # the main thread has more than at its own last reading, an emulated exit takes tens of ms.
    after = sum(max(0, time_of(task, "on_cpu") - truth["cpu_ns"]) for truth, task in pairs
                if truth["pattern"] == "main")
    total = sum(time_of(task, "on_cpu") or 0 for task in recording.tasks) - after
    want = process["cpu_ns"]
    ok(abs(total - want) <= 0.01 * want, "CPU time over all tasks is the process's within 1%",
       f"got {show(total)}, truth {show(want)}")


main(*sys.argv[1:])
