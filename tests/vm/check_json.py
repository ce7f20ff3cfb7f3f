#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the output of `check --json` in a guest with expect.tsv. Called by matrix.t.

check_json.py LABEL FILE : prints TAP result lines without numbers ("ok - ...", "not ok - ...").
"""
import json
import pathlib
import sys


def expected(label):
    """capability -> rung, of this kernel's column."""
    path = pathlib.Path(__file__).with_name("expect.tsv")
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    column = lines[0].split("\t").index(label)
    return {row[0]: row[column] for row in (line.split("\t") for line in lines[1:])}


def rows(value):
    """Every object with a "capability", wherever in the document."""
    if isinstance(value, dict):
        if "capability" in value:
            yield value
        else:
            for item in value.values():
                yield from rows(item)
    elif isinstance(value, list):
        for item in value:
            yield from rows(item)


def report(good, text, why=""):
    print(("ok - " if good else "not ok - ") + "check: " + text)
    if not good and why:
        print("# " + why)


def main():
    label, path = sys.argv[1:]
    try:
        document = json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        report(False, "the output is JSON", str(error))
        return
    report(True, "the output is JSON")
    got = {row["capability"]: row for row in rows(document)}
    want = expected(label)
    for name, rung in want.items():
        has = got.get(name, {"rung": "no such row"}).get("rung") or "-"
        report(rung in ("*", has), f"{name}: {rung}", f"got '{has}'")
    extra = sorted(set(got) - set(want))
    report(not extra, "every capability has a row in expect.tsv", ", ".join(extra))
    silent = [n for n, r in got.items() if not r.get("rung") and not r.get("remedy")]
    report(not silent, "what is not available has a remedy", ", ".join(silent))


main()
