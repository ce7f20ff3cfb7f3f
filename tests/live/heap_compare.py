# SPDX-License-Identifier: GPL-2.0-or-later
"""heap_compare.py truth TRUTH NDJSON NAME [OPTION...]: the recording of heap_truth, heap_cpp, heap_rust
or heap_seccomp against what the program printed.
heap_compare.py storm TRUTH NDJSON NAME: of heap_storm, where what is lost must be shown.
heap_compare.py leak TRUTH NDJSON NAME: of heap_leak and its kin.
heap_compare.py counting|sampled TRUTH NDJSON NAME: of heap_truth, looked at less closely.
heap_compare.py unseen NDJSON NAME: of an allocator that cannot be seen, or is not looked at.
heap_compare.py self DIR: whether this script can fail; files are written to DIR.

What each thread holds, held at most, allocated and freed is exact; so is what each function of the
family was called for. Options, where something cannot be known:

  --least      others allocate, too: the functions were called at least so often
  --summed     new and delete may be functions of their own: all that allocate together
  --no-sites   no symbols
"""
import contextlib
import io
import json
import sys

from truth import MS, Recording, Worst, get, ok, read_truth, show

FIELDS = {"allocations": "allocations_count", "deallocations": "deallocations_count",
          "total_bytes": "total_bytes", "current_bytes": "current_bytes",
          "peak_bytes": "peak_bytes"}
# What must not happen where every block is kept.
MISSING = ["heap_returns_unseen", "heap_missed_frees", "heap_full", "heap_owners_full"]
# libstdc++ without an allocator's own functions
CXX = {"new": "malloc", "new_aligned": "memalign", "delete": "free"}
FREES = ["free", "delete"]
# A thrown object with what the C++ runtime puts before it.
EXCEPTION_BYTES = (100, 300)
# Four buckets per power of two, and the time until a sleeper runs again.
LIFETIME_FACTOR = 1.3
LIFETIME_LATE_NS = 20 * MS


def memory(task, field):
    return get(task, f"memory_metrics.{field}")


class Names:
    """What a test is called, and whether it is about all or only about at least so many."""

    def __init__(self, name, options):
        self.name = name
        self.least = "--least" in options
        self.summed = "--summed" in options
        self.sites = "--no-sites" not in options

    def ok(self, good, what, *details):
        return ok(good, f"{self.name}: {what}", *details)


def thrown_by(truth):
    """How many exceptions there may have been: some allocators' `new` that must not throw does so
    inside."""
    inside = truth.get("thrown_inside", 0)
    return [truth.get("thrown", 0) + inside, truth.get("thrown", 0)]


def compare_thread(truth, task, thrown):
    """What differs. Exceptions are blocks of a size that the program does not know."""
    diffs = []
    for field, name in FIELDS.items():
        got, want = memory(task, name), truth[field]
        if field in ("allocations", "deallocations"):
            want += thrown
        if got == want:
            continue
        if thrown and got is not None and field in ("total_bytes", "peak_bytes"):
            extra = (got - want) / (thrown if field == "total_bytes" else 1)
            if EXCEPTION_BYTES[0] <= extra <= EXCEPTION_BYTES[1]:
                continue
        diffs.append(f"{truth['thread']} ({truth['tid']}) {name}: got {show(got)}, truth {show(want)}")
    return diffs


def compare_threads(names, rows, tasks):
    diffs = []
    for truth in rows:
        task = tasks.get(str(truth["tid"]))
        if not task:
            diffs.append(f"no task {truth['tid']} ({truth['thread']})")
            continue
        diffs += min((compare_thread(truth, task, thrown) for thrown in thrown_by(truth)), key=len)
    names.ok(rows and not diffs, f"counts, bytes, current and peak of {len(rows)} threads", *diffs)


def counters(recording):
    return {record["name"]: record["value"] for record in recording.of("counter")}


def expected_functions(rows):
    """Summed over the threads, under the names of the recording."""
    sums = {}
    for truth in rows:
        functions = dict(truth["functions"])
        thrown = thrown_by(truth)[0]
        if thrown:
            functions["exception"] = {"calls": thrown, "failed": 0, "bytes": 0}
            functions["exception_free"] = functions["exception"]
        for name, counts in functions.items():
            name = {**CXX, "exception": "malloc", "exception_free": "free"}.get(name, name)
            entry = sums.setdefault(name, {"calls": 0, "failed": 0, "bytes": 0})
            for field, val in counts.items():
                entry[field] += val
    return sums


def recorded_functions(recording):
    sums = {}
    for name, val in counters(recording).items():
        parts = name.split("_")
        if parts[0] == "heap" and parts[-1] in ("calls", "failed", "bytes") and len(parts) > 2:
            sums.setdefault("_".join(parts[1:-1]), {})[parts[-1]] = val
    return sums


def summed(sums):
    """All that allocate, and all that free."""
    result = {}
    for name, counts in sums.items():
        entry = result.setdefault("free" if name in FREES else "allocating", {})
        for field, val in counts.items():
            entry[field] = entry.get(field, 0) + (val or 0)
    return result


def compare_functions(names, rows, recording):
    want, got = expected_functions(rows), recorded_functions(recording)
    thrown = sum(thrown_by(truth)[0] for truth in rows)
    if names.summed:
        want, got = summed(want), summed(got)
    diffs = []
    for name in sorted(set(want) | set(got)):
        for field in ("calls", "failed", "bytes"):
            expected = want.get(name, {}).get(field, 0)
            found = got.get(name, {}).get(field) or 0
            if "free" in name and field != "calls":
                continue
            # those that throw do not return; an exception's size is not known
            slack = thrown * (EXCEPTION_BYTES[1] if field == "bytes" else names.summed)
            if found == expected or (names.least and found > expected) or (
                    abs(found - expected) <= slack):
                continue
            diffs.append(f"{name}: {field}: got {show(found)}, truth {show(expected)}")
    names.ok(want and not diffs, f"calls of {len(want)} functions: {', '.join(sorted(want))}", *diffs)


def compare_losses(names, rows, recording):
    losses = recording.losses()
    unknown = sum(truth["unknown"] for truth in rows)
    got = counters(recording).get("heap_unknown_frees")
    names.ok(got == unknown or (names.least and got and got > unknown), f"blocks from before: {unknown}",
             f"got {got}")
    lost = {name: losses[name] for name in MISSING if losses.get(name)}
    names.ok(not lost, "nothing was missed", lost)


def sites(recording, kind):
    """function -> (blocks, bytes)"""
    sums = {}
    for record in recording.of("stack"):
        if record["kind"] == kind and record["frames"]:
            name = record["frames"][0].get("function") or "?"
            name = name.replace("(anonymous namespace)", "").split("(")[0].split("::")[-1]
            cnt, size = sums.get(name, (0, 0))
            sums[name] = (cnt + record["samples"], size + record["bytes"])
    return sums


def compare_sites(names, rows, recording):
    """The function that allocated, where that is one of the program's own."""
    want = {}
    for truth in rows:
        if truth["site"]:
            entry = want.setdefault(truth["site"], [0, 0, 0, 0])
            for i, field in enumerate(("allocations", "total_bytes", "current_bytes")):
                entry[i] += truth[field]
            entry[3] += truth["allocations"] - truth["deallocations"]
    made, live = sites(recording, "alloc"), sites(recording, "live")
    diffs = []
    for name, (cnt, size, held, blocks) in want.items():
        if cnt and made.get(name) != (cnt, size):
            diffs.append(f"{name}: allocated {made.get(name)}, truth {(cnt, size)}")
        if (blocks or name in live) and live.get(name) != (blocks, held):
            diffs.append(f"{name}: holds {live.get(name)}, truth {(blocks, held)}")
    if want:
        names.ok(not diffs, f"{len(want)} places, by function", *diffs)


def compare_lifetimes(names, rows, tasks):
    timed = [truth for truth in rows if truth["lifetime_ns"]]
    if not timed:
        return
    worst = Worst(f"{names.name}: lifetimes of blocks")
    for truth in timed:
        spots = get(tasks.get(str(truth["tid"]), {}), "hot_metrics.memory_hotspots") or [{}]
        got, want = spots[0].get("lifetime_p50_ns"), truth["lifetime_ns"]
        good = got is not None and want / LIFETIME_FACTOR <= got <= (
            want * LIFETIME_FACTOR + LIFETIME_LATE_NS)
        worst.require(f"{truth['thread']}: {show(want)}", good, show(got))
    worst.finish()


def compare_rates(names, rows, tasks, recording):
    """Bytes per second: over the time that the task was there in the recording."""
    diffs = []
    longest = recording.meta["duration_ns"]
    for truth in rows:
        task = tasks.get(str(truth["tid"]), {})
        rate, total = memory(task, "memory_bandwidth"), truth["total_bytes"]
        shortest = truth["end_ns"] - truth["start_ns"]
        if total and not (rate and shortest <= total * 1e9 / rate * 1.01 and
                          total * 1e9 / rate <= 1.01 * longest):
            diffs.append(f"{truth['thread']}: {rate} bytes/s of {total} bytes")
        unused = memory(task, "heap_fragmentation")
        if unused is None and not (task.get("not_measured") or {}).get(
                "memory_metrics.heap_fragmentation"):
            diffs.append(f"{truth['thread']}: heap_fragmentation is null without a reason")
        if unused is not None and not 0 <= unused <= 1:
            diffs.append(f"{truth['thread']}: heap_fragmentation {unused}")
    names.ok(not diffs, "bytes per second; fragmentation is a share, or null with its reason", *diffs)


def texts(val):
    """All that stands in a value."""
    if isinstance(val, dict):
        return [text for item in val.values() for text in texts(item)]
    if isinstance(val, list):
        return [text for item in val for text in texts(item)]
    return [str(val)]


def findings(recording, ident):
    return [record for record in recording.of("finding") if record["id"] == ident]


def compare_ended(names, rows, tasks, recording):
    held = [truth for truth in rows if truth["leaves"] and truth["current_bytes"]]
    if not held:
        return
    states = [tasks.get(str(truth["tid"]), {}).get("end_time") for truth in held]
    names.ok(all(state is not None for state in states), "the threads that left have ended", states)
    found = findings(recording, "memory_held_by_ended_task")
    total = sum(truth["current_bytes"] for truth in held)
    names.ok(found and str(total) in texts(found),
             f"finding: threads that ended still hold {total} bytes", json.dumps(found))


def compare_truth(truth_path, recording_path, name, *options):
    names = Names(name, options)
    rows, recording = read_truth(truth_path), Recording(recording_path)
    tasks = recording.runtime("thread")
    compare_threads(names, rows, tasks)
    compare_functions(names, rows, recording)
    compare_losses(names, rows, recording)
    if names.sites:
        compare_sites(names, rows, recording)
    compare_lifetimes(names, rows, tasks)
    compare_rates(names, rows, tasks, recording)
    compare_ended(names, rows, tasks, recording)


def compare_storm(truth_path, recording_path, name):
    """Every pair, or as many as the recording says that it lost."""
    rows, recording = read_truth(truth_path), Recording(recording_path)
    tasks, losses = recording.runtime("thread"), recording.losses()
    pairs = sum(row["pairs"] for row in rows if "tid" in row)
    lost = sum(losses.get(loss, 0) for loss in MISSING)
    for field in ("allocations_count", "deallocations_count"):
        got = sum(memory(tasks.get(str(row["tid"]), {}), field) or 0 for row in rows if "tid" in row)
        ok(pairs and got <= pairs <= got + lost, f"{name}: {field}: {pairs} pairs, or the losses shown",
           f"got {got}, truth {pairs}, lost {losses}")
    for function in ("malloc", "free"):
        calls = counters(recording).get(f"heap_{function}_calls")
        ok(calls == pairs, f"{name}: calls of {function}: {pairs}", f"got {calls}")
    ok(not lost, f"{name}: nothing is lost", losses)
    seconds = max(row["ns_per_pair"] for row in rows if "tid" not in row) * pairs / 1e9 / (len(rows) - 1)
    print(f"{name}: {pairs / seconds:,.0f} pairs per second")


def compare_leak(truth_path, recording_path, name):
    """The planted leak is what is found, with its place and size, and nothing else is."""
    truth, recording = read_truth(truth_path)[0], Recording(recording_path)
    found = findings(recording, "memory_leak") + findings(recording, "memory_growth")
    of_leak = [item for item in found if any(truth["function"] in text for text in texts(item))]
    others = [item for item in found if item not in of_leak]
    if not truth["rate"]:
        ok(not found, f"{name}: no leak, none found", json.dumps(found))
        return
    ok(of_leak and found[0] in of_leak, f"{name}: the leak in {truth['function']} is the first found",
       json.dumps(found))
    ok(not others, f"{name}: nothing else is found", json.dumps(others))
    live = sites(recording, "live").get(truth["function"], (0, 0))
    ok(live == (truth["blocks"], truth["bytes"]), f"{name}: {truth['bytes']} bytes are held there",
       f"got {live}, truth {truth['blocks']} blocks")
    counted = (sites(recording, "alloc").get(truth["function"]) or (0, 0))[1]
    ok(counted == truth["bytes"], f"{name}: and were allocated there", f"got {counted}")


def compare_unseen(recording_path, name):
    """What was not measured is null with its reason."""
    tasks = Recording(recording_path).runtime("thread").values()
    diffs = []
    for task in tasks:
        for field in FIELDS.values():
            reason = (task.get("not_measured") or {}).get(f"memory_metrics.{field}")
            if memory(task, field) is not None or not reason:
                diffs.append(f"{task['task_name']}: {field} is {memory(task, field)}, {reason}")
    ok(tasks and not diffs, f"{name}: numbers are null with their reason", *diffs)


def calls_of(truth, freeing):
    return sum(counts["calls"] for name, counts in truth["functions"].items()
               if (name in FREES) == freeing)


def compare_counting(truth_path, recording_path, name):
    """Calls, not blocks: nobody looks at what they return. What fails here asks for too much, as the
    tracer can tell; and calls that others make are told by their size and the stack."""
    rows, recording = read_truth(truth_path), Recording(recording_path)
    tasks, diffs, blocks = recording.runtime("thread"), [], []
    for truth in rows:
        task = tasks.get(str(truth["tid"]), {})
        failed = sum(counts["failed"] for counts in truth["functions"].values())
        got, want = memory(task, "allocations_count"), calls_of(truth, False) - failed
        if got != want:
            diffs.append(f"{truth['thread']}: {show(got)} allocations, truth {show(want)}")
        got, want = memory(task, "frees_made"), calls_of(truth, True)
        if got != want:
            diffs.append(f"{truth['thread']}: {show(got)} frees, truth {show(want)}")
        if memory(task, "total_bytes") != truth["total_bytes"]:
            diffs.append(f"{truth['thread']}: {show(memory(task, 'total_bytes'))} bytes, "
                         f"truth {show(truth['total_bytes'])}")
        if any(memory(task, field) is not None for field in ("current_bytes", "peak_bytes")):
            blocks.append(truth["thread"])
    ok(rows and not diffs, f"{name}: calls made by {len(rows)} threads", *diffs)
    ok(not blocks, f"{name}: what is held is null", *blocks)


def compare_sampled(truth_path, recording_path, name):
    """Calls are exact; blocks are estimated without a bias, so their sum is near."""
    rows, recording = read_truth(truth_path), Recording(recording_path)
    tasks, diffs = recording.runtime("thread"), []
    sums = {"freed_bytes": [0, 0], "deallocations": [0, 0]}
    for truth in rows:
        task = tasks.get(str(truth["tid"]), {})
        for field in ("allocations", "total_bytes"):
            got = memory(task, FIELDS[field])
            if got != truth[field]:
                diffs.append(f"{truth['thread']} {field}: {show(got)}, truth {show(truth[field])}")
        for field, entry in sums.items():
            entry[0] += memory(task, FIELDS.get(field, field)) or 0
            entry[1] += truth[field]
    ok(rows and not diffs, f"{name}: calls and bytes of {len(rows)} threads", *diffs)
    near = Worst(f"{name}: estimates of what was freed, in sum")
    for field, (got, want) in sums.items():
        near.add(field, got, want, 0.2, 0)
    near.finish()
    estimates = get(recording.meta, "overhead.estimates")
    ok(estimates, f"{name}: it is said what is estimated", estimates)


def sample():
    """A truth and a recording that agree."""
    truth = {"thread": "one", "pid": 1, "tid": 7, "allocations": 5, "total_bytes": 500,
             "deallocations": 3, "freed_bytes": 300, "current_bytes": 200, "peak_bytes": 400,
             "unknown": 2, "leaves": True, "site": "run_one", "lifetime_ns": 30 * MS,
             "start_ns": 0, "end_ns": MS,
             "functions": {"malloc": {"calls": 6, "failed": 1, "bytes": 500},
                           "free": {"calls": 5, "failed": 0, "bytes": 0}}}
    task = {"record": "task", "task_id": "t", "runtime": "thread", "native_id": "7", "pid": 1,
            "end_time": 5, "not_measured": {"memory_metrics.heap_fragmentation": "why"},
            "memory_metrics": {"allocations_count": 5, "deallocations_count": 3, "total_bytes": 500,
                               "current_bytes": 200, "peak_bytes": 400,
                               "memory_bandwidth": 500e9 / (10 * MS), "heap_fragmentation": None},
            "hot_metrics": {"memory_hotspots": [{"lifetime_p50_ns": 31 * MS}]}}
    stack = {"record": "stack", "frames": [{"function": "run_one"}]}
    recording = [
        {"record": "meta", "duration_ns": 10 * MS, "losses": {}}, task,
        {**stack, "kind": "alloc", "samples": 5, "bytes": 500},
        {**stack, "kind": "live", "samples": 2, "bytes": 200},
        {"record": "finding", "id": "memory_held_by_ended_task", "evidence": {"bytes": 200}},
    ] + [{"record": "counter", "name": f"heap_{name}", "value": val} for name, val in (
        ("malloc_calls", 6), ("malloc_failed", 1), ("malloc_bytes", 500), ("free_calls", 5),
        ("unknown_frees", 2))]
    return truth, recording


# What is changed in the recording, and which test must then fail.
FAULTS = [
    (lambda r: r[1]["memory_metrics"].update(current_bytes=199), "current and peak"),
    (lambda r: r[1]["memory_metrics"].update(peak_bytes=None), "current and peak"),
    (lambda r: r[1]["memory_metrics"].update(memory_bandwidth=1), "bytes per second"),
    (lambda r: r[1].update(native_id="8"), "current and peak"),
    (lambda r: r[1].update(end_time=None), "have ended"),
    (lambda r: r[1].update(not_measured={}), "null with its reason"),
    (lambda r: r[1]["hot_metrics"].update(memory_hotspots=[{"lifetime_p50_ns": 70 * MS}]),
     "lifetimes"),
    (lambda r: r[9].update(value=1), "from before"),
    (lambda r: r[0]["losses"].update(heap_full=1), "nothing was missed"),
    (lambda r: r[2].update(samples=4), "by function"),
    (lambda r: r[3].update(bytes=100), "by function"),
    (lambda r: r[4]["evidence"].update(bytes=100), "still hold"),
    (lambda r: r[5].update(value=7), "calls of"),
    (lambda r: r[6].update(value=0), "calls of"),
    (lambda r: r.append({"record": "counter", "name": "heap_calloc_calls", "value": 1}), "calls of"),
]


def run_self(fault):
    """The lines of a comparison after a fault was planted."""
    truth, recording = sample()
    fault(recording)
    files = {"truth": [truth], "recording": recording}
    for name, records in files.items():
        with open(f"{sys.argv[2]}/{name}", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(record) + "\n" for record in records)
    lines = io.StringIO()
    with contextlib.redirect_stdout(lines):
        compare_truth(f"{sys.argv[2]}/truth", f"{sys.argv[2]}/recording", "self")
    return lines.getvalue().splitlines()


def compare_self(_work):
    lines = run_self(lambda recording: None)
    ok(lines and not any(line.startswith("not ok") for line in lines), "self: no fault, none found",
       *lines)
    missed = [name for fault, name in FAULTS
              if not any(line.startswith("not ok") and name in line for line in run_self(fault))]
    ok(not missed, f"self: each of {len(FAULTS)} faults is found", *missed)


{"truth": compare_truth, "storm": compare_storm, "leak": compare_leak,
 "unseen": compare_unseen, "counting": compare_counting, "sampled": compare_sampled,
 "self": compare_self}[sys.argv[1]](*sys.argv[2:])
