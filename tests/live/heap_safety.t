#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a target must survive: exceptions through `new`, filters of system calls as containers have, and
# probes that come and go 200 times (20 outside of the full run) while it allocates as fast as it can.
# And that nothing is lost at 500,000 pairs per second.
FULL=${FULL-} LIVE_LIMIT=220
[ -z "$FULL" ] || LIVE_LIMIT=1800
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/heap.sh
. "$live/heap.sh"
need_root

STALL_NS=100000000

# mimalloc ends a program whose new fails
for preload in '' libjemalloc.so.2 libtcmalloc_minimal.so.4; do
	name=throw-${preload:-libstdc++}
	record_heap "$work/$name.ndjson" heap_cpp
	like "$(cat "$program_out")" '"thread": "throwing".*"thrown": 100,' "$name: all were caught"
done
preload=

for filter in deny allow kill; do
	record_heap "$work/seccomp-$filter.ndjson" heap_seccomp "$filter"
	compare_heap "$work/seccomp-$filter.ndjson"
done

record_heap "$work/storm.ndjson" heap_storm --rate 500000 --seconds "$([ -n "$FULL" ] && echo 30 || echo 5)"
compare heap_compare.py storm "$program_out" "$work/storm.ndjson" storm

# The program measures how long it stood still. It is alone with the tracer, on all CPUs.
times=${FULL:+200}
times=${times:-20}
start_program heap_storm --timed --seconds 1500
go
failed=0
for ((i = 0; i < times; i++)); do
	run_tracer 30 -p "$program" -d 200ms -o "$work/attached.ndjson" "${exact[@]}"
	[ "$status" -eq 0 ] || failed=$((failed + 1))
	alive "$program" || break
done
is "$failed" 0 "$times times attached and detached" || diag "$err"
alive "$program"
ok $? "the program is alive"
kill -USR1 "$program"
wait_line "$program_out" '^quiet' 10 "$program"
ok $? "and ends when it is told to"
stall=$(sed -n 's/.*"thread": "all".*"stall_ns": \([0-9]*\).*/\1/p' "$program_out")
[ -n "$stall" ] && [ "$stall" -lt "$STALL_NS" ]
ok $? "it never stood still for 100 ms, but for a CPU" || diag "$(grep all "$program_out")"

done_testing
