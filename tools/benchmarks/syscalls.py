# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls under each --io-source, of the target and of a process beside it."""
import json
import os
import signal
import subprocess
import time

from benchmarks.common import NO_MEMORY, PROGRAMS, TRACER, die, start, table, wait_for

ROUNDS = 5
CALLS_SECONDS = 0.4
# The recorder has the kernel time its programs for 100 ms of each 2 s, first when it begins; that
# clock makes calls dearer meanwhile.
SETTLE_SECONDS = 0.2


class Nothing:
    label = "bare"

    def begin(self, pid, work):
        return True

    def end(self, with_target):
        pass


class Tracepoints:
    """Programs that do nothing on entry and exit of system calls: the floor of what a source costs."""

    def __init__(self, kind):
        self.kind, self.label, self.process = kind, f"empty programs, {kind}", None

    def begin(self, pid, work):
        self.process = start([os.path.join(PROGRAMS, "tracepoints"), self.kind],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        return self.process.stdout.readline().startswith("ready")

    def end(self, with_target):
        self.process.stdin.close()
        self.process.wait(10)


class Source:
    """A recording that takes IO and network from one source."""

    def __init__(self, source):
        self.label, self.process = source, None

    def begin(self, pid, work):
        self.process = start([TRACER, "-p", str(pid), *NO_MEMORY, "--io-source", self.label, "-o",
                              os.path.join(work, "calls.asnap")], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            if line.startswith("attached"):
                time.sleep(SETTLE_SECONDS)
                return True
        return False

    def end(self, with_target):
        if not with_target and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read()
        if self.process.wait(60):
            die(f"--io-source {self.label}: the tracer ended with {self.process.returncode}: {said}")


BESIDE = [Nothing(), Tracepoints("raw"), Tracepoints("classic"), Source("off"), Source("syscall"),
          Source("syscall-classic"), Source("fentry"), Source("kprobe"), Source("kprobe-tracefs")]


def run_calls(calls, beside, target, work):
    """ns of CPU time per call, of a process beside the target or (None) of the target itself."""
    process = start([os.path.join(PROGRAMS, "calls"), "--wait", *calls, str(CALLS_SECONDS)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_for(process.stdout, "ready", "calls")
    if not beside.begin(target or process.pid, work):
        process.kill()
        process.wait()
        return None
    process.stdin.write("go\n")
    process.stdin.close()
    truth = json.loads(wait_for(process.stdout, "{", "calls"))
    process.wait(60)
    beside.end(target is None)
    return truth["cpu_ns"] / truth["calls"]


def bench_calls(title, programs, target, besides, work):
    """Interleaved: each round measures all of them once. The least of each is shown: whatever else runs
    on the machine, other recorders most of all, only adds."""
    taken, missing = {}, set()
    for _ in range(ROUNDS):
        for beside in besides:
            for name, calls in programs:
                got = None if beside.label in missing else run_calls(calls, beside, target, work)
                if got is None:
                    missing.add(beside.label)
                else:
                    taken.setdefault((beside.label, name), []).append(got)
    rows = []
    for beside in besides:
        row = [beside.label]
        for name, _ in programs:
            if beside.label in missing:
                row += ["not available here", "", ""]
                continue
            least, bare = (min(taken[(label, name)])
                           for label in (beside.label, Nothing.label))
            row += [f"{least:,.0f}", f"{least - bare:+,.0f}", f"{least / bare:.2f}"]
        rows.append(row)
    head = ["--io-source"]
    for name, _ in programs:
        head += [f"{name} ns", "added", "ratio"]
    table(title, head, rows)


def bench_sources(work):
    path = os.path.join(work, "byte")
    with open(path, "w", encoding="utf-8") as file:
        file.write("x")
    getpid, pread, tcp = ("getpid", ["getpid"]), ("pread", ["pread", path]), ("tcp", ["tcp"])
    other = start([os.path.join(PROGRAMS, "sleeper"), "1", "300"], stdin=subprocess.DEVNULL,
                  stdout=subprocess.DEVNULL)
    bench_calls("system calls of a process while another one is recorded", [getpid, pread],
                other.pid, BESIDE, work)
    bench_calls("system calls of the target", [getpid, pread, tcp], None,
                [beside for beside in BESIDE if not isinstance(beside, Tracepoints)], work)
