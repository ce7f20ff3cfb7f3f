# SPDX-License-Identifier: GPL-2.0-or-later
"""fold.py TRUTH NDJSON: `marks many N` with little memory: ended tasks are in their class."""
import sys

from truth import Recording, get, ok, read_truth

cnt, recording = read_truth(sys.argv[1])[0]["tasks"], Recording(sys.argv[2])
kept = recording.runtime("marks")
folded = get(recording.meta, "tasks_folded")
ok(folded and folded > 0, f"the recording says that it folded tasks: {folded}")
ok(len(kept) + (folded or 0) == cnt, f"kept and folded tasks are all: {len(kept)} + {folded} of {cnt}")
classes = {record["name"]: record for record in recording.of("class")
           if record["runtime"] == "marks" and get(record, "counts.total")}
ok(sorted(classes) == ["even", "odd"], "two classes", sorted(classes))
for name, record in classes.items():
    ok(get(record, "counts.total") == cnt // 2, f"{name}: tasks {get(record, 'counts.total')}")
    ok(get(record, "counts.completed") == cnt // 2,
       f"{name}: completed {get(record, 'counts.completed')}")
    ok(get(record, "runs.count") == cnt // 2, f"{name}: runs {get(record, 'runs.count')}")
ok(not recording.losses(), "nothing was lost", recording.losses())
