# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparing scripts of the live tests share: reading the truth and the recording, and
TAP lines without numbers, which lib.sh counts."""
import json
import sys

MS = 1_000_000
US = 1_000
# How much longer than on a machine of its own it may take to read a clock, and for how long a whole
# machine may stand still between two clocks; changed by tests/vm/live.py.
CLOCK_FACTOR = 1
CLOCK_GAP_NS = 0


def ok(good, description, *details):
    print(("ok - " if good else "not ok - ") + description)
    if not good:
        for detail in details:
            print("  " + str(detail))
    return good


class Worst:
    """One test over many things: fails with the worst of them."""

    def __init__(self, description):
        self.description = description
        self.seen, self.bad, self.worst = 0, 0, None

    def add(self, name, got, want, relative, floor):
        """|got - want| <= max(relative * want, floor)"""
        self.seen += 1
        allowed = max(relative * abs(want), floor)
        excess = float("inf") if got is None else abs(got - want) / allowed if allowed else (
            0 if got == want else float("inf"))
        self.bad += excess > 1
        if self.worst is None or excess > self.worst[0]:
            self.worst = (excess, name, got, want, allowed)

    def require(self, name, good, got):
        self.seen += 1
        self.bad += not good
        if not good or self.worst is None:
            self.worst = (0 if good else float("inf"), name, got, None, None)

    def finish(self):
        if not self.seen:
            return ok(False, self.description, "nothing was compared")
        excess, name, got, want, allowed = self.worst
        text = f"worst {name}: got {show(got)}"
        if want is not None:
            text += f", truth {show(want)}, allowed +-{show(allowed)}"
        return ok(self.bad == 0, f"{self.description} ({self.seen})",
                  f"{self.bad} of {self.seen} are off; {text}")


def show(val):
    return f"{val:,.0f}" if isinstance(val, (int, float)) else str(val)


def read_truth(path):
    """The JSON lines of a truth program."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.startswith("{")]


class Recording:
    def __init__(self, path):
        self.records = []
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    self.records.append(json.loads(line))
                except ValueError as error:
                    sys.exit(f"{path}:{number}: {error}")
        if not self.records or self.records[0].get("record") != "meta":
            sys.exit(f"{path}: does not begin with the meta record")
        self.meta = self.records[0]
        self.tasks = self.of("task")
        self.by_id = {task["task_id"]: task for task in self.tasks}

    def of(self, kind):
        return [record for record in self.records if record["record"] == kind]

    def runtime(self, runtime, pid=None):
        """Tasks of a runtime by their native id."""
        return {task["native_id"]: task for task in self.tasks
                if task["runtime"] == runtime and pid in (None, task["pid"])}

    def losses(self):
        return {name: count for name, count in (get(self.meta, "losses") or {}).items() if count}

    def edges(self, kind):
        """(from native id, to native id) -> edge"""
        name = {task["task_id"]: (task["runtime"], task["native_id"]) for task in self.tasks}
        return {(name.get(edge["from_task_id"]), name.get(edge["to_task_id"])): edge
                for edge in self.of("edge") if edge["kind"] == kind}


def get(record, path):
    """A value by its dotted path; None when it is null or absent."""
    for part in path.split("."):
        if not isinstance(record, dict):
            return None
        record = record.get(part)
    return record


def time_of(task, name):
    return get(task, f"time.{name}_ns")


BLOCKED = ["blocked_disk", "blocked_net", "blocked_lock", "blocked_timer", "blocked_other", "idle"]
