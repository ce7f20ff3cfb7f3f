# SPDX-License-Identifier: GPL-2.0-or-later
"""container_io.py open|ended TRUTH WORK: the recording WORK/RUN.ndjson of tests/programs/container.c
against what it did.

A file is called what the target calls it when it uses it: its path from the target's root. What the
target cannot reach by a path at all (it was opened outside of its root, or its root was changed) has
the path within its own mount.
"""
import sys

from truth import Recording, Worst, get, ok, read_truth

PATH_MAX = 4096
COUNTS = (("reads", "read.operations"), ("read_bytes", "read.bytes"),
          ("writes", "write.operations"), ("write_bytes", "write.bytes"),
          ("syncs", "sync.operations"), ("errors", "errors"))
TALK = (("sends", "sent.operations"), ("sent", "sent.bytes"), ("receives", "received.operations"),
        ("received", "received.bytes"), ("met", "connections.met"),
        ("opened", "connections.opened"), ("closed", "connections.closed"),
        ("active", "connections.active"))


def number(record, path):
    return get(record, path) or 0


def total(records, path):
    return sum(number(record, path) for record in records)


def short(path):
    return path if len(path) < 60 else f"...{path[-40:]} ({len(path)})"


def named(item, directory):
    """The test on a recorded path: is it the file of the truth?"""
    outside = "(unreachable)" + directory
    names = {
        # what is done under each name is told apart
        "/data/renamed-from": {"/data/renamed-from", "/data/renamed-to"},
        "/data/deleted": {"/data/deleted", "/data/deleted (deleted)"},
        "outside": {f"{outside}/outside"},
        "inherited": {f"{outside}/inherited"},
        # first used after the root was changed
        "/data/early-chroot": {"(unreachable)/data/early-chroot"},
        "memfd": {"memfd:container"},
        "eventfd": {"[eventfd]"},
    }.get(item["path"], {item["path"]})

    def test(path):
        if item["path"] == "pipe":
            return path.startswith("pipe:[")
        if len(item["path"]) > PATH_MAX: # the path's end is kept
            return path.startswith(".../") and item["path"].endswith(path[3:])
        return path in names
    return test


def compare_files(recording, truth, directory):
    records = recording.of("file")
    counts = Worst("reads, writes, syncs, errors and bytes of each file are exact")
    kinds = Worst("each file has its kind")
    for item in truth:
        is_it = named(item, directory)
        mine = [record for record in records if is_it(record["path"])]
        for what, path in COUNTS:
            counts.add(f"{short(item['path'])} {what}", total(mine, path) if mine else None,
                       item[what], 0, 0)
        kinds.require(short(item["path"]), {record["kind"] for record in mine} == {item["kind"]},
                      [record["kind"] for record in mine])
    counts.finish()
    kinds.finish()


def compare_flags(recording, directory):
    """What is special about a path is said apart from it."""
    by_path = {record["path"]: record for record in recording.of("file")}
    for path, field, want in (("/data/plain", "deleted", False), ("/data/plain", "path_whole", True),
                              ("/data/deleted (deleted)", "deleted", True),
                              (f"(unreachable){directory}/outside", "path_whole", False)):
        ok(by_path.get(path, {}).get(field) is want,
           f"{short(path)}: {field} is {want}", by_path.get(path))
    cut = [record for path, record in by_path.items() if path.startswith(".../")]
    ok(cut and not any(record["path_whole"] for record in cut), "paths that are cut say so", cut)


def compare_peers(recording, truth, run):
    records = recording.of("connection")
    counts = Worst("operations, bytes and connections of each peer are exact")
    for item in truth:
        if run == "ended":
            item["active"] = 0
        item["closed"] = item["met"] + item["opened"] - item["active"]
        mine = [record for record in records
                if all(item[key] in (None, record[key])
                       for key in ("peer", "local", "protocol", "role"))]
        for what, path in TALK:
            counts.add(f"{item['name']} {what}", total(mine, path) if mine else None, item[what], 0,
                       0)
    counts.finish()


def main():
    run, truth, work = sys.argv[1], read_truth(sys.argv[2]), sys.argv[3]
    recording, directory = Recording(f"{work}/{run}.ndjson"), f"{work}/{run}"
    ok(len(truth) > 20, "truth: the program told what it did", len(truth))
    compare_files(recording, [item for item in truth if item["type"] == "file"], directory)
    compare_flags(recording, directory)
    compare_peers(recording, [item for item in truth if item["type"] == "peer"], run)
    ok(not recording.losses(), "nothing was lost", recording.losses())


main()
