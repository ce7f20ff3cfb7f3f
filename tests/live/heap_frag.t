#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What malloc keeps unused, compared with what mallinfo2() of the program itself counts; and null, with
# the reason, where nobody can tell.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

# start_frag [ARG...]: tests/programs/heap_frag runs until it is killed
start_frag() {
	program_out=$work/frag.out
	"$PROGRAMS/heap_frag" "$@" <"$work/in" >"$program_out" &
	program=$!
	started+=("$program")
	for _ in {1..200}; do
		grep -qs ready "$program_out" && return
		sleep 0.1
	done
	diag "heap_frag is not ready"
}

mkfifo "$work/in"
exec 9<>"$work/in" # its standard input does not end
start_frag 3 3000
start_tracer -p "$program" -d 1 -o "$work/frag.ndjson"
wait_end "$tracer" 30
is "$status" 0 "the recording ends"
compare heap_frag.py "$program_out" "$work/frag.ndjson"
kill -0 "$program"
ok $? "the program lives on"

start_tracer -p "$program" -o "$work/ended.ndjson"
kill -KILL "$program"
wait_end "$tracer" 30
like "$(head -n 1 "$work/ended.ndjson")" 'the target had ended when it was looked at' \
	"null when the program has ended, with the reason"

done_testing
