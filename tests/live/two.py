# SPDX-License-Identifier: GPL-2.0-or-later
"""two.py FIRST SECOND: two recordings of spin.c at once; neither disturbs the other."""
import sys

from truth import Recording, get, ok, time_of

for path in sys.argv[1:]:
    recording, name = Recording(path), path.rsplit("/", 1)[-1]
    spin = next((task for task in recording.tasks if task["task_name"] == "spin-00" and
                 task["runtime"] == "thread"), None)
    marks = list(recording.runtime("marks").values())
    # most of the thread's time is charged to its task: both together are its CPU time
    cpu = sum(time_of(task, "on_cpu") or 0 for task in recording.tasks)
    ok(spin is not None and cpu > 0.1 * get(recording.meta, "duration_ns"),
       f"{name}: the target's CPU time is there", cpu)
    ok(len(marks) == 2 and all(get(task, "runs.count") > 10 for task in marks),
       f"{name}: its tasks and their runs are there", len(marks))
    ok(not {loss for loss in recording.losses() if loss != "leave_unmatched"},
       f"{name}: nothing was lost", recording.losses())
