# SPDX-License-Identifier: GPL-2.0-or-later
"""programs.py TRUTH: is the truth of tests/programs/threads.c consistent in itself?"""
import sys

from truth import MS, Worst, ok, read_truth

records = read_truth(sys.argv[1])
threads = [record for record in records if "thread" in record]
process = next(record for record in records if "process" in record)
explained = Worst("wait + CPU + run queue is the wall time of each thread")
rusage = Worst("RUSAGE_THREAD and the thread's CPU clock agree")
pattern_ns = {}
for truth in threads:
    waits = sum(truth["wait_ns"].values())
    explained.add(truth["thread"], waits + truth["cpu_ns"] - truth["birth_cpu_ns"] +
                  truth["schedstat_runqueue_ns"] - truth["birth_runqueue_ns"],
                  truth["end_ns"] - truth["start_ns"], 0.01, 3 * MS)
    rusage.add(truth["thread"], truth["cpu_user_ns"] + truth["cpu_system_ns"], truth["cpu_ns"],
               0.02, 5 * MS)
    for name, ns in truth["wait_ns"].items():
        pattern_ns[truth["pattern"], name] = pattern_ns.get((truth["pattern"], name), 0) + ns
explained.finish()
rusage.finish()
ok(process["disk_direct"], "the disk threads read and write past the page cache")
total = sum(truth["cpu_ns"] for truth in threads)
ok(abs(total - process["cpu_ns"]) <= 0.02 * process["cpu_ns"],
   "CPU time over all threads is the process's within 2%", total, process["cpu_ns"])
for pattern, cause in (("sleep", "timer"), ("lock", "lock"), ("rwlock", "lock"), ("disk", "disk"),
                       ("net", "net"), ("condvar", "idle"), ("epoll", "idle"), ("sem", "sem"),
                       ("join", "join"), ("pipe", "pipe")):
    ns = pattern_ns.get((pattern, cause), 0)
    # on a loaded machine both ends of the pipe share a CPU and hardly ever block
    ok(ns > (MS if pattern == "pipe" else 100 * MS), f"{pattern} threads really wait: {ns / 1e9:.2f} s")
ok(sum(t["schedstat_runqueue_ns"] for t in threads if t["pattern"] == "oversub") > 200 * MS,
   "burners really wait for a CPU")
ok(sum(t["nvcsw"] for t in threads if t["pattern"] == "pipe") > 20000, "the pipe pair really switches")
