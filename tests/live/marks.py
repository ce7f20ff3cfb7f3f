# SPDX-License-Identifier: GPL-2.0-or-later
"""marks.py SCENARIO TRUTH NDJSON: the recording of tests/programs/marks.c against what it printed.

Wall and CPU time within 3% or 1 ms + 0.2 ms per frame: the program reads its clocks outside of the
probes, and a thread may be preempted between its clock and the probe.
"""
import sys

from truth import MS, Recording, US, Worst, get, ok, read_truth, show, time_of

DEPTH = 16 # frames that the tracer follows; deeper ones are only counted (DESIGN.md, "Slices")


def compare_tasks(truths, tasks, recording):
    runs = Worst("runs of each task, exactly")
    wall = Worst("wall time, inner frames included")
    total = Worst("the sum of the runs is the wall time")
    inner = Worst("self time, inner frames excluded")
    cpu = Worst("CPU time goes to the innermost frame")
    wakes = Worst("wakes received, by itself and sent, exactly")
    state = Worst("state of each task")
    seen = Worst("tasks are seen from the start unless they were there before")
    kind = Worst("the class of a task is its kind")
    classes = {record["class_id"]: record["name"] for record in recording.of("class")}
    # A frame's CPU time is told by the clock, and put right at the next switch: what interrupts and
    # the hypervisor took meanwhile may be on the wrong frame.
    stolen = sum(max(0, time_of(task, "stolen") or 0) for task in recording.tasks)
    for truth in truths:
        task, name = tasks[str(truth["task"])], f"{truth['task']} ({truth['kind']})"
        floor = 1 * MS + 200 * US * truth["enters"]
        runs.add(name, get(task, "runs.count"), truth["enters"], 0, 0)
        wall.add(name, time_of(task, "wall"), truth["wall_ns"], 0.03, floor)
        total.add(name, get(task, "runs.total_ns"), time_of(task, "wall"), 0.001, 1000)
        inner.add(name, time_of(task, "self"), truth["self_ns"], 0.03, floor)
        cpu.add(name, time_of(task, "on_cpu"), truth["cpu_ns"], 0.03, floor + stolen)
        for field, key in (("received", "wakes_received"), ("by_self", "wakes_self"),
                           ("sent", "wakes_sent")):
            wakes.add(f"{name} {field}", get(task, f"wakes.{field}"), truth[key], 0, 0)
        allowed = {truth["state"]}
        if truth["state"] == "unfinished": # no END was seen, and its frames are all left
            allowed = {"unfinished", "waiting"}
        state.require(name, task["state"] in allowed, task["state"])
        seen.require(name, task["seen_from_start"] == (not truth["existed"]),
                     task["seen_from_start"])
        if not truth["existed"]: # the kind is told by SPAWN
            kind.require(name, classes.get(task["class_id"]) == truth["kind"],
                         classes.get(task["class_id"]))
    for worst in (runs, wall, total, inner, cpu, wakes, state, seen, kind):
        worst.finish()


def compare_parents(truths, tasks, recording):
    parents = Worst("parent of each task")
    for truth in truths:
        if truth["existed"]:
            continue
        parent = recording.by_id.get(tasks[str(truth["task"])]["parent_task_id"])
        want = ("thread" if truth["parent_is_thread"] else "marks", truth["parent"])
        got = parent and (parent["runtime"], parent["native_id"])
        parents.require(truth["task"], got == want, got)
    if parents.seen:
        parents.finish()


def compare_losses(recording, expected):
    """Losses, and the frames whose end was inferred, which are none."""
    losses = recording.losses()
    losses |= {row["name"]: row["value"] for row in recording.of("counter")
               if row["name"] == "frame_forced" and row["value"]}
    ok(losses == expected, f"what was lost: {expected or 'nothing'}", losses)


def check_times_sum(recording):
    """The frames' CPU time and the thread's own are disjoint: their sum is the threads' CPU time."""
    threads = [task for task in recording.tasks if task["runtime"] == "thread"]
    ok(threads and all(task["state"] == "completed" for task in threads),
       "the target's threads ended", [(task["task_name"], task["state"]) for task in threads])
    slices = recording.of("slice")
    inside = [piece for piece in slices if piece["depth"] >= 1]
    end = get(recording.meta, "duration_ns")
    ok(inside and all(-MS <= piece["start_ns"] and
                      piece["start_ns"] + piece["duration_ns"] <= end + MS for piece in inside),
       f"slices of tasks lie within the recording ({len(inside)})")


def scenario_deep(truths, tasks, recording):
    """Levels beyond the depth are counted; what they do is their last followed ancestor's."""
    levels = [truth for truth in truths if truth["kind"] == "level"]
    followed = [truth for truth in levels if get(tasks[str(truth["task"])], "runs.count")]
    deep = len(levels) - len(followed)
    ok(len(levels) - DEPTH <= deep <= len(levels) - DEPTH + 1, f"frames followed: {len(followed)}")
    compare_losses(recording, {"frames_deep": 3 * deep})
    last = followed[-1]
    beyond = sum(truth["self_ns"] for truth in levels[len(followed):])
    beyond_cpu = sum(truth["cpu_ns"] for truth in levels[len(followed):])
    last["self_ns"] += beyond
    last["cpu_ns"] += beyond_cpu
    rest = followed + [truth for truth in truths if truth["kind"] != "level"]
    compare_tasks(rest, tasks, recording)
    compare_parents(truths, tasks, recording)


def scenario_missing_leave(truths, tasks, recording):
    compare_losses(recording, {"frame_forced": 4})
    compare_tasks(truths, tasks, recording)
    compare_parents(truths, tasks, recording)


def scenario_thread_exit(truths, tasks, recording):
    compare_losses(recording, {"frame_forced": 2})
    compare_tasks(truths, tasks, recording)
    compare_parents(truths, tasks, recording)


def scenario_existing(truths, tasks, recording):
    compare_losses(recording, {"leave_unmatched": 2})
    compare_tasks(truths, tasks, recording)
    compare_parents(truths, tasks, recording)


def scenario_wakes(truths, tasks, recording):
    compare_losses(recording, {})
    compare_tasks(truths, tasks, recording)
    compare_parents(truths, tasks, recording)
    by_id = {truth["task"]: truth for truth in truths}
    latency = Worst("wake latency: woken until running, within 5%")
    for truth in truths:
        task, want = tasks[str(truth["task"])], truth["wake_delay_ns"]
        latency.add(truth["kind"], get(task, "wake_latency.total_ns"), want, 0.05, MS)
        latency.add(truth["kind"], get(task, "wake_latency.max_ns"), truth["wake_delay_max_ns"],
                    0.08, MS) # the histogram's buckets are 3% wide
        latency.add(f"{truth['kind']} count", get(task, "wake_latency.count"),
                    truth["wakes_run"], 0, 0)
    latency.finish()
    edges = recording.edges("wake")
    for source, to in ((1, 2), (3, 3)):
        count = by_id[to]["wakes_run"] # a wake that no run followed has no delay, and no edge
        edge = edges.get((("marks", str(source)), ("marks", str(to))))
        ok(edge is not None and edge["count"] == count, f"edge {source} -> {to}: {count} wakes", edge)
        want = by_id[to]["wake_delay_ns"]
        ok(edge is not None and abs(edge["total_delay_ns"] - want) <= 0.05 * want + MS,
           f"edge {source} -> {to}: its delay", edge, show(want))
    outside = [edge for (source, to), edge in edges.items()
               if to == ("marks", "1") and source and source[0] == "thread"]
    ok(len(outside) == 1 and outside[0]["count"] == 1, "a wake from outside of tasks is the thread's",
       list(edges))


def scenario_plain(truths, tasks, recording):
    compare_losses(recording, {})
    compare_tasks(truths, tasks, recording)
    compare_parents(truths, tasks, recording)


SCENARIOS = {"deep": scenario_deep, "missing-leave": scenario_missing_leave,
             "thread-exit": scenario_thread_exit, "existing": scenario_existing,
             "wakes": scenario_wakes}


def main(scenario, truth_path, recording_path):
    truths, recording = read_truth(truth_path), Recording(recording_path)
    tasks = recording.runtime("marks")
    want = [str(truth["task"]) for truth in truths]
    if not ok(sorted(tasks) == sorted(want), f"{scenario}: every task once, and no other",
              sorted(tasks)):
        return
    marks = [task["binding"] for task in tasks.values()]
    ok(all(marks), f"{scenario}: each task says how it was learned", marks)
    SCENARIOS.get(scenario, scenario_plain)(truths, tasks, recording)
    check_times_sum(recording)


main(*sys.argv[1:])
