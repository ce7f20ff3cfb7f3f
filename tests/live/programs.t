#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The truth programs alone, without the tracer: a truth that is wrong proves nothing.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"

start_program threads --dir "$work"
go
wait_end "$program" 60
is "$status" 0 "threads ends well"
compare programs.py "$program_out"

for function in spawn enter leave wake end; do
	first=$(objdump -d --no-show-raw-insn "$PROGRAMS/marks" |
		sed -n "/<asyncscope_$function>:/{n;s/.*:[[:space:]]*//;p;q}" | tr -d '[:space:]')
	is "$first" nop "asyncscope_$function begins with a nop"
done

for scenario in nest deep missing-leave thread-exit wakes cancel existing ordering; do
	start_program marks "$scenario"
	go
	wait_end "$program" 30
	is "$status:$(grep -c '"task"' "$program_out" | sed 's/^[1-9].*/tasks/')" 0:tasks \
		"marks $scenario ends well and prints its tasks"
done

done_testing
