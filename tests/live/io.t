#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every operation on files and sockets, and connections, in known numbers: what the recording says of
# each thread, each file and each peer against what the program itself counted.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

# the sources that this kernel has; kprobes and fentry are compared in the guests of tests/vm
for source in auto syscall syscall-classic; do
	options=(--io-source "$source")
	record "$work/io-$source.ndjson" io_truth --dir "$work"
	compare io_compare.py io "$program_out" "$work/io-$source.ndjson" "$source"
done

# it stays quiet until it is told to end, and the recording ends before it
start_program conn_truth
start_tracer -p "$program" -o "$work/conn.ndjson"
go
wait_line "$program_out" '^quiet' 30 "$program"
ok $? "conn_truth: has done everything" || diag "$(cat "$program_out.err")"
kill -INT "$tracer"
wait_end "$tracer" 30
is "$status" 0 "conn_truth: the recording ends, exit 0" || diag "$(tail -n 5 "$tracer_err")"
kill -USR1 "$program"
wait_end "$program" 10
is "$status" 0 "conn_truth: ends well"
compare io_compare.py conn "$program_out" "$work/conn.ndjson"

done_testing
