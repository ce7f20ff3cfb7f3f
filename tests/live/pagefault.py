# SPDX-License-Identifier: GPL-2.0-or-later
"""pagefault.py TRUTH NDJSON: page faults of tests/programs/pagefault.c, and what they wait for."""
import sys

from truth import MS, Recording, US, get, ok, read_truth, show, time_of

truths, recording = read_truth(sys.argv[1]), Recording(sys.argv[2])
tasks = recording.runtime("thread")
for truth in truths:
    task, want = tasks.get(str(truth["tid"])), truth["minflt"] + truth["majflt"]
    got = get(task, "memory_metrics.page_faults")
    ok(got is not None and abs(got - want) <= 6, f"{truth['thread']} faults: {show(got)} of {want}")
    if truth["thread"] != "major":
        continue
    ok(truth["majflt"] >= 0.9 * truth["expected"], "the page cache was really dropped",
       f"{truth['majflt']} major faults of {truth['expected']} pages")
    wait = truth["wall_ns"] - truth["cpu_ns"] - truth["schedstat_runqueue_ns"]
    got = time_of(task, "blocked_disk")
    # a fault is about as short as a switch: 10 us of each are anybody's (see threads.py)
    ok(got is not None and abs(got - wait) <= max(0.05 * wait, 2 * MS + want * 10 * US),
       "waiting for a mapped file's page is waiting for the disk", f"got {show(got)}, truth {show(wait)}")
