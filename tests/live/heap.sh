# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of memory share: recordings that end before their target does, so that what the target
# holds is what it says. Sourced after lib.sh.
#
#   record_heap OUTPUT PROGRAM [ARG...]	as `record`; $preload is loaded into the program, and
#					options for the tracer stand in $options
#   compare_heap OUTPUT [ARG...]	heap_compare.py with what the program printed
preload=
exact=(--max-overhead 0 --heap exact) # nothing is stepped down

# start_heap PROGRAM [ARG...]
start_heap() {
	if [ -n "$preload" ]; then
		LD_PRELOAD=$preload start_program "$@"
	else
		start_program "$@"
	fi
}

# end_recording NAME : the tracer first, then the program
end_recording() {
	kill -INT "$tracer"
	wait_end "$tracer" 30
	is "$status" 0 "$1: the recording ends, exit 0" || diag "$(tail -n 5 "$tracer_err")"
	kill -USR1 "$program"
	wait_end "$program" 10
	is "$status" 0 "$1: the program goes on and ends well" || diag "$(cat "$program_out.err")"
}

record_heap() {
	local output=$1 name

	shift
	name=$(basename "$output" .ndjson)
	start_heap "$@"
	start_tracer -p "$program" -o "$output" "${exact[@]}" "${options[@]}"
	go
	wait_line "$program_out" '^quiet' "${quiet_limit:-60}" "$program" ||
		bail "$name: not done: $(tail -n 3 "$program_out.err")"
	end_recording "$name"
}

compare_heap() {
	local output=$1

	shift
	compare heap_compare.py truth "$program_out" "$output" "$(basename "$output" .ndjson)" "$@"
}
