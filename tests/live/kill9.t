#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of the tracer at any moment leaves the target running and no probe behind, on each rung of
# attaching: 50 times with FULL=1, else 15.
LIVE_LIMIT=400
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

times=15
[ -z "${FULL-}" ] || times=50
tracefs=/sys/kernel/tracing
if [ ! -e "$tracefs/uprobe_events" ]; then
	mount -t tracefs nodev "$tracefs" && mounted+=("$tracefs")
fi

progress() {
	tail -n 1 "$program_out"
}

moves() {
	local before=$1

	[ "$(progress)" != "$before" ] && [[ "$(progress)" =~ ^[0-9]+$ ]]
}

our_events() {
	grep -i asyncscope "$tracefs/uprobe_events" 2>/dev/null
}

no_breakpoints() {
	[ -z "$(python3 "$live/probes.py" bytes "$program")" ]
}

no_objects() {
	[ -z "$(python3 "$live/probes.py" new "$work/objects" "${killed[@]}")" ]
}

python3 "$live/probes.py" objects "$work/objects"
start_program spin 4 300
go
wait_until 5 moves "$(progress)"
ok $? "the target runs under load"

# that the check can fail: while a tracer is attached, breakpoints are found
start_tracer -p "$program" -d 2 -o "$work/attached.ndjson"
! no_breakpoints
ok $? "attached: the probes are in the target's code"
wait_end "$tracer" 20
is "$status" 0 "the recording ends"
wait_until 5 no_breakpoints
ok $? "detached: they are gone"

killed=()
rungs=(multi tracefs perf)
RANDOM=42
frozen=0 attached=0
for ((i = 0; i < times; i++)); do
	launch_tracer -p "$program" -o "$work/killed.ndjson" --attach "${rungs[i % 3]}"
	# at any moment: in the first 300 ms it loads, then attaches, then records
	span=$((i % 2 ? 300 : 1500)) delay=0
	delay=$((RANDOM % span))
	sleep "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
	! grep -q '^attached' "$tracer_err" || attached=$((attached + 1))
	killed+=("$tracer")
	before=$(progress)
	kill -KILL "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
	wait_until 5 moves "$before" || frozen=$((frozen + 1))
	alive "$program" || break
done
diag "killed $times times, $attached of them after it had attached"
[ "$attached" -gt 0 ] && [ "$attached" -lt "$times" ]
ok $? "some were killed before and some after they had attached: $attached of $times"
is "$frozen" 0 "the target went on each time ($times)"
alive "$program"
ok $? "the target lives"
wait_until 10 no_breakpoints
ok $? "no breakpoint is left in its code" ||
	diag "$(python3 "$live/probes.py" bytes "$program")"
wait_until 10 no_objects
ok $? "no BPF program or link is left" ||
	diag "$(python3 "$live/probes.py" new "$work/objects" "${killed[@]}")"

# tracefs events are the one thing that outlives a process; the next start removes stale ones
run_tracer 30 -p "$program" -d 1 -o "$work/last.ndjson"
is "$status" 0 "the next recording works" || diag "$err"
[ -s "$work/last.ndjson" ]
ok $? "and is written"
if [ -r "$tracefs/uprobe_events" ]; then
	is "$(our_events)" "" "no stale tracefs event after the next start"
else
	skip "no stale tracefs event after the next start" "no tracefs uprobe events here"
fi
kill -TERM "$program"

done_testing
