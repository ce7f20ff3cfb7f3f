#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The runtime `marks` through the full path: nesting, depth, missing LEAVEs, threads that end inside
# a frame, wakes, ends, tasks that were there before, tasks that move, and a high rate.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

options=(--slices)
for scenario in nest deep missing-leave thread-exit wakes cancel existing ordering; do
	record "$work/$scenario.ndjson" marks "$scenario"
	compare marks.py "$scenario" "$program_out" "$work/$scenario.ndjson"
done

# a probe that is not at its function's first byte sees the same
start_program marks_pushed nest
out=$("$TRACER" runtimes -p "$program" -v)
is "$(grep -c 'probe marks_.*, push at +4, emulated$' <<<"$out")" 5 \
	"marks_pushed: its probes are behind endbr64" || diag "$out"
out=$("$TRACER" check -p "$program" -v)
like "$out" "^Process $program, marks_pushed: 5 probes, 5 on instructions that the kernel emulates" \
	"marks_pushed: check says so"
is "$(grep -c 'probe marks_.*, push at +4, emulated$' <<<"$out")" 5 "marks_pushed: of each"
go
wait_end "$program" 60
record "$work/pushed.ndjson" marks_pushed nest
compare marks.py nest "$program_out" "$work/pushed.ndjson"

options=()
# what a second tracer's rings and a loaded machine surely carry; 100,000 is the benchmark's
for run in 1 ${FULL:+2 3}; do
	record "$work/rate.ndjson" marks rate 20000 2 2
	compare rate.py "$program_out" "$work/rate.ndjson"
done

done_testing
