# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recording cost a program, and what it says of that. Called by budget.t.

budget.py NAME RECORDING OUTPUT ATTACHED_MS : OUTPUT is hotloop's, ATTACHED_MS the wall clock.
"""
import sys

import truth

NAME, RECORDING, OUTPUT, ATTACHED = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
# Its speed while it is recorded by its speed alone, per CPU time: 5% of budget and what two cores that are
# shared with others add.
SPEED_MIN = 0.88
SPEED_UNLIMITED = 0.5


def speed(lines, begin, end):
    """Pairs per CPU nanosecond between two times."""
    part = [line for line in lines if begin <= line[0] <= end]
    return (part[-1][2] - part[0][2]) / max(part[-1][1] - part[0][1], 1)


with open(OUTPUT, encoding="ascii") as file:
    LINES = [[int(word) for word in line.split()] for line in file if line[0].isdigit()]
META = truth.Recording(RECORDING).meta
OVERHEAD = META["overhead"]
STEPS = OVERHEAD["backoffs"]
END = ATTACHED + META["duration_ns"] // 1000000
ALONE = speed(LINES, 0, LINES[0][0] + 1500)
RECORDED = speed(LINES, ATTACHED + 2000, END - 200)

print(f"# {NAME}: alone {ALONE * 1e3:.1f} pairs/us, recorded {RECORDED * 1e3:.1f}; {STEPS}")
if NAME == "hot":
    truth.ok(OVERHEAD["budget_percent"] == 5, "hot: the budget is told")
    truth.ok(STEPS and STEPS[0]["what"] == "heap" and STEPS[0]["from"] == "exact" and
             STEPS[0]["at_ns"] < 2e9, "hot: steps down within 2 s", [STEPS])
    truth.ok(all("the budget is 5%" in step["reason"] for step in STEPS),
             "hot: each step has its reason", [STEPS])
    truth.ok(RECORDED > SPEED_MIN * ALONE, "hot: then it is nearly as fast as it is alone",
             [RECORDED / ALONE])
    truth.ok("memory" in (OVERHEAD.get("estimates") or {}),
             "hot: what was counted in windows is told to be an estimate", [OVERHEAD])
    truth.ok("memory_live" in str(META["not_measured"]) or "memory_live" not in META["sources"],
             "hot: what is held is not known any more", [META["sources"]])
elif NAME == "idle":
    truth.ok(STEPS == [], "idle: never stepped", [STEPS])
else:
    truth.ok(OVERHEAD["budget_percent"] == 0 and STEPS == [], "unlimited: never stepped", [STEPS])
    truth.ok(RECORDED < SPEED_UNLIMITED * ALONE,
             "unlimited: the program pays for it, which the test can tell", [RECORDED / ALONE])
