#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The budget, on programs that allocate as fast as they can, or nearly nothing: what tracing costs them,
# what is stepped down for that, and that it is told. Compared by budget.py.
LIVE_LIMIT=200
. "$(dirname "$0")/lib.sh"
need_root

# budget NAME PERCENT SECONDS [ARG...] : the program runs alone for 2 s, then recorded
budget() {
	local name=$1 seconds=$3

	max_overhead=$2
	shift 3
	start_program hotloop $((seconds + 5)) "$@"
	go
	sleep 2
	start_tracer -p "$program" -d "$seconds" --io-source off -o "$work/$name.ndjson" -o "$work/$name.txt"
	attached_ms=$(date +%s%3N)
	wait_end "$tracer" $((seconds + 20))
	is "$status" 0 "$name: the recording ends well" || diag "$(tail -n 5 "$tracer_err")"
	wait_end "$program" 30
	is "$status" 0 "$name: and so does the program"
	compare budget.py "$name" "$work/$name.ndjson" "$program_out" "$attached_ms"
}

budget hot 5 10
like "$(cat "$tracer_err")" 'heap: exact -> .*probes on malloc and free cost [0-9.]+% of the target' \
	"hot: the step is told when it is made"
budget idle 5 5 20000
budget unlimited 0 4

done_testing
