# SPDX-License-Identifier: GPL-2.0-or-later
"""What the recording says of malloc's free memory, against the program's: heap_frag.t runs it.

heap_frag.py PROGRAM_OUTPUT RECORDING.ndjson
"""
import json
import sys

free, fast, total = map(int, open(sys.argv[1]).readline().split()[1:])
heap = next(json.loads(line) for line in open(sys.argv[2]))["heap"]
told, resident = heap["allocator_free_bytes"], heap["allocator_resident_bytes"]


def ok(cond, text):
    print(f"{'ok' if cond else 'not ok'} - {text}")


# pages that nobody has touched are free, and not resident
ok(told <= free - fast and told >= 0.98 * (free - fast), f"free: {told} of {free - fast}")
ok(resident <= total and resident >= 0.98 * total, f"resident: {resident} of {total}")
ok(abs(heap["fragmentation"] - told / resident) < 1e-9, f"their share: {heap['fragmentation']:.3f}")
