# SPDX-License-Identifier: GPL-2.0-or-later
"""Is any allocation lost at a high rate? Two threads that allocate and free, under exact: the calls
that they made against those that the recording has, and against what it charged to the threads."""
import json
import os
import signal
import subprocess

from benchmarks.common import PROGRAMS, read_records, start, table
from benchmarks.memory_beside import Missing, ours

RATE, THREADS = 500_000, 2
SUMS = {"calls of malloc": "heap_malloc_calls", "calls of free": "heap_free_calls"}
CHARGED = {"allocations of threads": "allocations_count", "frees of threads": "deallocations_count"}


def run_storm(seconds, work):
    """(rows that the program printed, where the recording is, what the tracer told)"""
    beside = ours("exact")
    storm = start([os.path.join(PROGRAMS, "heap_storm"), "--wait", "--threads", str(THREADS),
                   "--rate", str(RATE), "--seconds", str(seconds)], seconds + 90,
                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if not storm.stdout.readline().startswith("ready"):
            raise Missing("heap_storm did not start")
        beside.begin(storm.pid, None, work)
        before = beside.cpu_ns()
        storm.stdin.write("go\n")
        storm.stdin.flush()
        rows = []
        for line in storm.stdout:
            if line.startswith("quiet"):
                break
            rows.append(json.loads(line))
        told = dict(beside_percent=100 * (beside.cpu_ns() - before) / (seconds * 1e9))
        told.update(beside.end())
        storm.send_signal(signal.SIGUSR1)
        storm.wait()
        return rows, beside.snapshot, told
    finally:
        if storm.poll() is None:
            storm.kill()
            storm.wait()
        beside.finish()


def recorded(snapshot, tids):
    got = {record["name"]: record["value"] for record in read_records(snapshot, "counter")}
    sums = {what: got.get(name) for what, name in SUMS.items()}
    for task in read_records(snapshot, "task"):
        if task.get("runtime") != "thread" or str(task.get("native_id")) not in tids:
            continue
        for what, name in CHARGED.items():
            val = (task.get("memory_metrics") or {}).get(name)
            if val is not None:
                sums[what] = sums.get(what, 0) + val
    return {what: sums.get(what) for what in [*SUMS, *CHARGED]}


def bench_losses(seconds, work):
    try:
        rows, snapshot, told = run_storm(seconds, work)
    except Missing as why:
        print(f"\nmemory: two threads at {RATE:,} pairs per second: not measured: {why}")
        return {"not_measured": str(why)}
    threads = [row for row in rows if "tid" in row]
    pairs = sum(row["pairs"] for row in threads)
    whole = next(row for row in rows if row.get("thread") == "all")
    sums = recorded(snapshot, {str(row["tid"]) for row in threads})
    complete = all(val == pairs for val in sums.values())
    done = len(threads) * 1e9 / whole["ns_per_pair"] if whole["ns_per_pair"] else 0
    table(f"memory: two threads for {seconds:g} s, exact: every pair?",
          ["", "asked/s", "done/s", "CPU ns/pair", "CPU % beside", "pairs", *sums, "lost"],
          [["", f"{RATE:,}", f"{done:,.0f}", f"{whole['cpu_ns_per_pair']:,.0f}",
            f"{told['beside_percent']:.1f}", f"{pairs:,}",
            *("-" if val is None else f"{val:,}" for val in sums.values()),
            ", ".join(f"{k} {v:,}" for k, v in (told["losses"] or {}).items()) or
            ("0" if complete else "NOT SHOWN")]])
    return {"seconds": seconds, "asked_per_s": RATE, "done_per_s": done, "pairs": pairs,
            "cpu_ns_per_pair": whole["cpu_ns_per_pair"], "recorded": sums,
            "losses": told["losses"], "beside_percent": told["beside_percent"],
            "good": bool(pairs) and (complete or bool(told["losses"]))}
