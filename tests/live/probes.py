# SPDX-License-Identifier: GPL-2.0-or-later
"""What a tracer may leave behind.

probes.py bytes PID		prints the addresses of marks functions that hold a breakpoint
probes.py objects FILE	writes the ids of all BPF programs and links to FILE
probes.py new FILE PID...	prints those that are new since, and nobody's or one of the PIDs'
"""
import glob
import json
import os
import subprocess
import sys

BPFTOOL = "/usr/sbin/bpftool" if os.path.exists("/usr/sbin/bpftool") else "bpftool"


def marks_functions(exe):
    text = subprocess.run(["nm", exe], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in text.splitlines())
    return {row[2]: int(row[0], 16) for row in rows
            if len(row) == 3 and row[2].startswith("asyncscope_")}


def breakpoints(pid):
    exe = os.readlink(f"/proc/{pid}/exe")
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        base = min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(exe))
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for name, address in marks_functions(exe).items():
            memory.seek(base + address)
            if memory.read(1) == b"\xcc":
                found.append(name)
    return found


def holders():
    """Kind and id of BPF programs and links -> pids that have a descriptor of it. Debian's bpftool
    cannot tell."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path, encoding="utf-8") as info:
                rows = [line.split(":\t") for line in info if line.startswith(("prog_id", "link_id"))]
        except OSError:
            continue
        for name, number in rows:
            found.setdefault(f"{name[:4]} {int(number)}", set()).add(int(path.split("/")[2]))
    return found


def objects():
    """Kind and id -> pids that hold it."""
    held, found = holders(), {}
    for kind in ("prog", "link"):
        text = subprocess.run([BPFTOOL, "-j", kind, "show"], capture_output=True, text=True,
                              check=True).stdout
        for item in json.loads(text):
            name = f"{kind} {item['id']}"
            found[name] = held.get(name, set())
    return found


def new_objects(path, pids):
    with open(path, encoding="utf-8") as lines:
        before = set(json.load(lines))
    return [name for name, held_by in objects().items()
            if name not in before and (not held_by or held_by & pids)]


def main(command, *args):
    if command == "bytes":
        print(*breakpoints(int(args[0])))
    elif command == "objects":
        with open(args[0], "w", encoding="utf-8") as out:
            json.dump(sorted(objects()), out)
    else:
        print(*new_objects(args[0], {int(pid) for pid in args[1:]}))


main(*sys.argv[1:])
