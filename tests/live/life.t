#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Threads and processes that begin, end, change their names and run another program meanwhile.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

options=(-f)
record "$work/fork.ndjson" forker 4
compare life.py fork "$program_out" "$work/fork.ndjson"

options=()
record "$work/nofork.ndjson" forker 4
compare life.py nofork "$program_out" "$work/nofork.ndjson"

for by in leader thread; do
	record "$work/exec-$by.ndjson" execer "$by"
	compare life.py exec "$program_out" "$work/exec-$by.ndjson"
done

record "$work/rename.ndjson" renamer
compare life.py rename "$program_out" "$work/rename.ndjson"

# -d ends the recording, the target goes on
start_program sleeper 20 30
go
start_tracer -p "$program" -d 1 -o "$work/existing.ndjson"
wait_end "$tracer" 20
is "$status" 0 "-d 1 ends the recording, exit 0"
alive "$program"
ok $? "the target goes on"
kill -TERM "$program"
wait_end "$program" 5
echo '{"threads": 21}' >"$work/existing.truth"
compare life.py existing "$work/existing.truth" "$work/existing.ndjson"

# Ctrl-C and SIGTERM finish the recording
for signal in INT TERM; do
	start_program spin 2 30
	go
	start_tracer -p "$program" -o "$work/$signal.ndjson"
	sleep 0.3
	kill -"$signal" "$tracer"
	wait_end "$tracer" 20
	is "$status" 0 "SIG$signal finishes the recording, exit 0"
	[ -s "$work/$signal.ndjson" ]
	ok $? "SIG$signal: the output is written"
	alive "$program"
	ok $? "SIG$signal: the target goes on"
	kill -TERM "$program"
	wait_end "$program" 5
done

# a target that is killed
start_program spin 2 30
go
start_tracer -p "$program" -o "$work/killed.ndjson"
kill -KILL "$program"
wait_end "$tracer" 20
is "$status" 0 "a killed target completes the recording, exit 0"
like "$(cat "$tracer_out" "$tracer_err")" 'exit|ended|gone|killed' "and the recording says so"

done_testing
