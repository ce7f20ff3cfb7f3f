# SPDX-License-Identifier: GPL-2.0-or-later
"""memory.py PID: resident kB of a process beside its mapped BPF maps (the ring), by smaps."""
import sys

rss = ring = 0
is_map = False
with open(f"/proc/{sys.argv[1]}/smaps", encoding="utf-8") as lines:
    for line in lines:
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):
            is_map = "bpf" in line and "anon_inode" in line
        elif first == "Rss:":
            rss += int(line.split()[1])
            ring += int(line.split()[1]) if is_map else 0
print(rss - ring, ring)
