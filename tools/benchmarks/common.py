# SPDX-License-Identifier: GPL-2.0-or-later
"""What the sections of tools/bench share: where things are, processes that never outlive the run, how
busy the machine is, and tables."""
import json
import os
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
TRACER = os.path.join(BUILD, "asyncscope-bpf")
PROGRAMS = os.path.join(BUILD, "tests/programs")
# For sections about something else; and nothing is stepped down while it is measured.
NO_MEMORY = ["--heap", "off", "--max-overhead", "0"]
STARTED = []


def die(text):
    sys.exit(f"bench: {text}")


def start(command, limit=None, **streams):
    """limit: seconds after which it is ended, for what does not bound itself."""
    process = subprocess.Popen(command, text=True, **streams)
    STARTED.append(process)
    if limit:
        timer = threading.Timer(limit, process.kill)
        timer.daemon = True
        timer.start()
    return process


def stop_all():
    for process in STARTED:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_for(stream, begin, what):
    """The first line that begins so. The programs and the tracer are bounded themselves."""
    seen = []
    for line in stream:
        if line.startswith(begin):
            return line
        seen.append(line)
    return die(f"{what} ended early: {''.join(seen[-5:])}")


def cpu_ns(pid):
    """CPU time of a process's threads until now."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="utf-8") as stat:
            total += int(stat.read().split()[0])
    return total


def busy_percent(seconds=1.0):
    """How busy all CPUs together are, with what others do. A figure that was taken while they were
    is not one to cite."""
    def ticks():
        with open("/proc/stat", encoding="utf-8") as stat:
            numbers = [int(field) for field in stat.readline().split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    before = ticks()
    time.sleep(seconds)
    total, idle = (after - first for after, first in zip(ticks(), before))
    return 100 * (total - idle) / total if total else 0


def read_records(snapshot, kind):
    """Records of one kind. The first of all is the meta record; the export is cut off when the caller
    wants no more of it, for millions of slices may follow."""
    export = start([TRACER, "export", "-t", "ndjson", snapshot], stdout=subprocess.PIPE,
                   stderr=subprocess.DEVNULL)
    try:
        for line in export.stdout:
            if line.startswith(f'{{"record":"{kind}"'):
                yield json.loads(line)
    finally:
        export.stdout.close()
        export.wait(60)


def read_meta(snapshot):
    records = read_records(snapshot, "meta")
    meta = next(records, {})
    records.close()
    return meta


def lost(meta):
    return {name: count for name, count in (meta.get("losses") or {}).items() if count}


def table(title, head, rows):
    rows = [head] + rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    print(f"\n{title}")
    for row in rows:
        cells = [row[0].ljust(widths[0])] if head[0] == "" else [row[0].rjust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print(("  " + "  ".join(cells)).rstrip())
    sys.stdout.flush()
