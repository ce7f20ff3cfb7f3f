#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A target with namespaces and a root of its own: its files are called what it calls them, its peers
# are those of its own network, and descriptors that come from elsewhere are told apart.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

unshare -mnpf --mount-proc true 2>/dev/null || skip_all "cannot make namespaces"
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
	skip_all "no overlay file system"

# start RUN
start() {
	mkdir "$work/$1"
	start_program container "$work/$1"
	target=$(cat "/proc/$program/task/$program/children")
	target=${target%% *}
	started+=("$target")
	start_tracer -p "$target" -o "$work/$1.ndjson"
	echo go >&"$go_fd"
	wait_line "$program_out" '^done' 20 "$program" || bail "$(cat "$program_out.err")"
}

# the recording ends before its target, which has connections still
start open
kill -INT "$tracer"
wait_end "$tracer" 30
is "$status" 0 "the recording ends, exit 0" || diag "$(tail -n 5 "$tracer_err")"
go # and end
wait_end "$program" 10
is "$status" 0 "and then the program" || diag "$(cat "$program_out.err")"
compare container_io.py open "$program_out" "$work"

# the target ends before the recording, and with it whatever it has open
start ended
go
wait_end "$program" 10
is "$status" 0 "the program ends" || diag "$(cat "$program_out.err")"
wait_end "$tracer" 30
is "$status" 0 "and with it the recording, exit 0" || diag "$(tail -n 5 "$tracer_err")"
compare container_io.py ended "$program_out" "$work"

done_testing
