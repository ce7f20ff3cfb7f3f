# SPDX-License-Identifier: GPL-2.0-or-later
"""life.py CHECK TRUTH NDJSON [PID]: what happens to threads and processes while recording."""
import sys

from truth import MS, Recording, Worst, get, ok, read_truth, show, time_of


def near(got, want, relative, floor):
    return got is not None and abs(got - want) <= max(relative * want, floor)


def check_fork(truths, recording):
    """Every process of the tree; the second child of two runs anew by exec."""
    cpu = Worst("CPU time of each process within 3% or 3 ms")
    threads = Worst("second threads of the children are recorded")
    for truth in truths:
        tasks = [task for task in recording.tasks if task["pid"] == truth["pid"]]
        total = sum(time_of(task, "on_cpu") or 0 for task in tasks)
        cpu.add(f"{truth['kind']} {truth['pid']}", total, truth["cpu_ns"], 0.03, 3 * MS)
        if truth["kind"] == "root":
            continue
        second = [task for task in tasks if task["task_name"] == "second"]
        threads.require(truth["pid"], len(second) == 1 and near(
            time_of(second[0], "on_cpu"), truth["second_thread_cpu_ns"], 0.03, 2 * MS), second)
    cpu.finish()
    threads.finish()
    ok(get(recording.meta, "target.processes") == len(truths), "the processes are counted",
       get(recording.meta, "target.processes"))
    began = [task for task in recording.tasks if task["seen_from_start"] is False]
    ok(len(began) == 1, "only the first thread was there before", [t["task_name"] for t in began])


def check_nofork(truths, recording):
    root = next(truth for truth in truths if truth["kind"] == "root")
    pids = {task["pid"] for task in recording.tasks}
    ok(pids == {root["pid"]}, "without -f the children are not recorded", pids)
    total = sum(time_of(task, "on_cpu") or 0 for task in recording.tasks)
    ok(near(total, root["cpu_ns"], 0.03, 3 * MS), "CPU time of the process alone", show(total),
       show(root["cpu_ns"]))


def check_exec(truths, recording):
    truth = truths[0]
    total = sum(time_of(task, "on_cpu") or 0 for task in recording.tasks)
    ok(near(total, truth["cpu_ns"], 0.03, 3 * MS), "CPU time before and after the exec",
       show(total), show(truth["cpu_ns"]))
    after = [task for task in recording.tasks if task["task_name"] == "after-exec"]
    ok(len(after) >= 1 and {task["pid"] for task in recording.tasks} == {truth["pid"]},
       "the thread after the exec has its new name, in the same process",
       [(task["task_name"], task["pid"]) for task in recording.tasks])
    ids = [task["task_id"] for task in recording.tasks]
    ok(len(ids) == len(set(ids)), "task ids are unique", ids)
    running = [task["task_name"] for task in recording.tasks if task["state"] in
               ("running", "waiting")]
    ok(not running, "no thread is left running after the target's end", running)


def check_rename(truths, recording):
    last = {0: "after-self", 1: "after-other", 2: "round-9"}
    tasks = recording.runtime("thread")
    for truth in truths:
        task = tasks.get(str(truth["tid"]))
        got = task and task["task_name"]
        if truth["idx"] in last:
            ok(got == last[truth["idx"]], f"thread {truth['idx']} ends with its last name", got)
        elif truth["idx"] == 3:
            ok(got is not None and "script" in got, "a hostile name is valid JSON", got)
        else:
            ok(task is not None, "a thread without a name is recorded", got)


def check_existing(truths, recording):
    threads = [task for task in recording.tasks if task["runtime"] == "thread"]
    ok(len(threads) == truths[0]["threads"], f"threads: {len(threads)} of {truths[0]['threads']}")
    early = [task["task_name"] for task in threads if task["seen_from_start"]]
    ok(not early, "threads that existed are marked so", early[:5])
    starts = [task["start_time"] for task in threads]
    ok(all(start is not None and start < 0 for start in starts),
       "and began before the recording", starts[:5])
    duration = get(recording.meta, "duration_ns")
    wall = Worst("their wall time is the recording's")
    for task in threads:
        wall.add(task["task_name"], time_of(task, "wall"), duration, 0.05, 50 * MS)
    wall.finish()
    asleep = Worst("who sleeps from before until after shows it")
    for task in threads:
        asleep.add(task["task_name"], time_of(task, "blocked_timer"), time_of(task, "wall"), 0.1,
                   100 * MS)
    asleep.finish()


CHECKS = {"fork": check_fork, "nofork": check_nofork, "exec": check_exec, "rename": check_rename,
          "existing": check_existing}
CHECKS[sys.argv[1]](read_truth(sys.argv[2]), Recording(sys.argv[3]))
