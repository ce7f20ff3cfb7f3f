# SPDX-License-Identifier: GPL-2.0-or-later
"""marks, pipe and place: what a slice of a task, a switch and a trap cost."""
import json
import os
import subprocess

from benchmarks.common import (BUILD, NO_MEMORY, PROGRAMS, TRACER, cpu_ns, die, lost, read_meta,
                               start, table, wait_for)


def run_bare(program):
    process = start([os.path.join(PROGRAMS, program[0]), *program[1:]], stdout=subprocess.PIPE)
    line = wait_for(process.stdout, "{", program[0])
    process.wait(60)
    return {"truth": json.loads(line)}


def run_traced(program, snapshot):
    process = start([os.path.join(PROGRAMS, program[0]), "--wait", *program[1:]],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_for(process.stdout, "ready", program[0])
    with open(os.devnull, "r+", encoding="utf-8") as null:
        tracer = start([TRACER, "-p", str(process.pid), *NO_MEMORY, "-o", snapshot], stdin=null,
                       stdout=null, stderr=subprocess.PIPE)
    wait_for(tracer.stderr, "attached", "the tracer")
    attached_ns = cpu_ns(tracer.pid)
    process.stdin.write("go\n")
    process.stdin.flush()
    line = wait_for(process.stdout, "{", program[0])
    # the target ends now, and with it the recording; the writing is not the tracing
    try:
        traced_ns = cpu_ns(tracer.pid) - attached_ns
    except OSError:
        traced_ns = None
    process.stdin.close()
    process.wait(60)
    tracer.stderr.read()
    if tracer.wait(120):
        die(f"the tracer ended with {tracer.returncode}")
    return {"truth": json.loads(line), "tracer_ns": traced_ns, "meta": read_meta(snapshot)}


def bench_marks(seconds, work):
    rows, good = [], True
    for rate in (100_000, 200_000):
        program = ["marks", "rate", str(rate), str(seconds), "2"]
        bare = run_bare(program)["truth"]
        traced = run_traced(program, os.path.join(work, "marks.asnap"))
        truth, losses = traced["truth"], lost(traced["meta"])
        per_bare = bare["cpu_ns"] / bare["pairs"]
        per_traced = truth["cpu_ns"] / truth["pairs"]
        rows.append([
            f"{rate:,}", f"{truth['pairs'] * 1e9 / truth['elapsed_ns']:,.0f}",
            "?" if traced["tracer_ns"] is None else
            f"{traced['tracer_ns'] / truth['pairs'] / 1000:.2f}",
            f"{per_bare / 1000:.3f}", f"{per_traced / 1000:.2f}",
            f"{(per_traced - per_bare) / 1000:.2f}", f"{per_traced / per_bare:.1f}",
            ", ".join(f"{name} {count:,}" for name, count in losses.items()) or "0"])
        good = good and not (rate == 100_000 and losses)
    table("marks: enter + leave, two threads, default ring",
          ["asked/s", "done/s", "tracer us/slice", "target us/slice bare", "traced", "added us",
           "traced/bare", "lost"], rows)
    return good


def bench_pipe(seconds, work):
    rows = []
    for name, extra in (("two CPUs", ["--apart"]), ("one CPU", ["--together"])):
        program = ["pingpong", *extra, str(seconds)]
        bare = run_bare(program)["truth"]
        traced = run_traced(program, os.path.join(work, "pipe.asnap"))
        again = run_bare(program)["truth"] # how far two bare runs differ: the noise
        per = [run["switches"] * 1e9 / run["elapsed_ns"] for run in (bare, traced["truth"], again)]
        added = 1e9 / per[1] - 2e9 / (per[0] + per[2])
        tracer_ns = traced["tracer_ns"]
        rows.append([
            name, f"{per[0]:,.0f}", f"{per[2]:,.0f}", f"{per[1]:,.0f}",
            f"{2 * per[1] / (per[0] + per[2]):.2f}", f"{added / 1000:+.2f}",
            "?" if tracer_ns is None else
            f"{tracer_ns / 10 / traced['truth']['elapsed_ns'] * 1000:.1f}",
            ", ".join(f"{k} {v:,}" for k, v in lost(traced["meta"]).items()) or "0"])
    table("pipe: switches per second of two threads",
          ["", "bare", "bare again", "traced", "traced/bare", "us/switch", "tracer CPU %", "lost"],
          rows)


def bench_place():
    rows = []
    bench = start([os.path.join(BUILD, "bench-place")], stdout=subprocess.PIPE)
    for line in bench.stdout:
        row = json.loads(line)
        added = [(row[f"{where}_ns"] - row["bare_ns"]) / 1000 for where in ("entry", "place")]
        rows.append([row["function"], f"{row['bare_ns'] / 1000:.3f}", f"{added[0]:.2f}",
                     f"{added[1]:.2f}", f"{added[0] / added[1]:.1f}", row["reason"]])
    if bench.wait(60):
        die("bench-place failed")
    table("place: us that a probe adds to a pair of malloc and free",
          ["", "bare", "at the entry", "placed", "entry/placed", "where"], rows)
