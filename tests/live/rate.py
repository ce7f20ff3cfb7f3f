# SPDX-License-Identifier: GPL-2.0-or-later
"""rate.py TRUTH NDJSON: `marks rate`: every run counted, and nothing lost."""
import sys

from truth import Recording, get, ok, read_truth

truth, recording = read_truth(sys.argv[1])[0], Recording(sys.argv[2])
tasks = recording.runtime("marks")
runs = sum(get(task, "runs.count") or 0 for task in tasks.values())
per_sec = truth["pairs"] * 1e9 / truth["elapsed_ns"]
ok(per_sec >= 0.9 * truth["asked_per_sec"], f"the program keeps its pace: {per_sec:,.0f}/s")
ok(len(tasks) == truth["tasks"], f"tasks: {len(tasks)} of {truth['tasks']}")
ok(runs == truth["pairs"], f"runs: {runs} of {truth['pairs']}")
ok(not recording.losses(), "nothing was lost", recording.losses())
