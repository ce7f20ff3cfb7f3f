# SPDX-License-Identifier: GPL-2.0-or-later
# What the live tests share: TAP, starting a truth program and the tracer in the right order, and
# bounds on everything. Sourced first by each tests/live/*.t; run them by `prove tests/live`.
#
#   start_program NAME [ARG...]	-> $program, $program_out; it waits for `go`
#   start_tracer [ARG...]	-> $tracer, $tracer_out, $tracer_err; returns when it is attached
#   go				lets the program begin
#   wait_end PID SECONDS	-> $status, 124 when it had to be killed
#   compare SCRIPT [ARG...]	a Python script whose "ok" and "not ok" lines are tests
#   done_testing		prints the plan
#
# A test that takes longer than $LIVE_LIMIT seconds (default 180) is killed.
if [ -z "${LIVE_BOUNDED-}" ]; then
	LIVE_BOUNDED=1 exec timeout -k 10 "${LIVE_LIMIT:-180}" "$BASH" "$0" "$@"
fi
unset LIVE_BOUNDED
set -u

live=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$live/../.." && pwd)
BUILD=${BUILD:-$repo/build}
TRACER=${TRACER:-$BUILD/asyncscope-bpf}
PROGRAMS=$BUILD/tests/programs
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C

test_cnt=0
failed_cnt=0
started=() # what this test started, to be ended by its id
mounted=()

cleanup() {
	local item

	trap - EXIT
	for item in "${started[@]}"; do
		kill -KILL "$item" 2>/dev/null
		wait "$item" 2>/dev/null
	done
	for item in "${mounted[@]}"; do
		umount "$item" 2>/dev/null
	done
	[ -n "${KEEP-}" ] || rm -rf "$work"
	exit "${1:-0}"
}

mkdir -p "$BUILD/live"
work=$(mktemp -d "$BUILD/live/$(basename "$0" .t).XXXXXX") # on a real disk, for O_DIRECT
trap 'cleanup $?' EXIT
trap 'diag "interrupted"; cleanup 143' TERM INT HUP

diag() {
	printf '%s\n' "$*" | sed 's/^/# /' >&2
}

# ok STATUS DESCRIPTION
ok() {
	test_cnt=$((test_cnt + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' "$test_cnt" "$2"
	else
		failed_cnt=$((failed_cnt + 1))
		printf 'not ok %d - %s\n' "$test_cnt" "$2"
	fi
	return "$1"
}

is() {
	[ "$1" = "$2" ]
	ok $? "$3" || diag "got '$1', expected '$2'"
}

# like TEXT EXTENDED-REGEX DESCRIPTION
like() {
	grep -qiE -- "$2" <<<"$1"
	ok $? "$3" || diag "no match for /$2/ in:" "$1"
}

unlike() {
	! grep -qiE -- "$2" <<<"$1"
	ok $? "$3" || diag "/$2/ matches:" "$1"
}

skip() {
	test_cnt=$((test_cnt + 1))
	printf 'ok %d - %s # SKIP %s\n' "$test_cnt" "$1" "$2"
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$1"
	cleanup 0
}

done_testing() {
	printf '1..%d\n' "$test_cnt"
	[ "$failed_cnt" -eq 0 ] || keep_evidence
	cleanup $((failed_cnt > 0))
}

keep_evidence() {
	local kept=$BUILD/live/failed-$(basename "$0" .t)

	rm -rf "$kept"
	cp -r "$work" "$kept" 2>/dev/null && diag "kept $kept"
}

bail() {
	diag "$1"
	ok 1 "${2:-$1}"
	done_testing
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	[ -x "$TRACER" ] || bail "$TRACER is not built"
}

# wait_until SECONDS COMMAND...: polls a condition
wait_until() {
	local tries=$(($1 * 50))

	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$((tries -= 1))" -gt 0 ] || return 1
		sleep 0.02
	done
}

alive() {
	kill -0 "$1" 2>/dev/null
}

# wait_line FILE REGEX SECONDS PID: until the line is there; fails at once when PID has ended
wait_line() {
	local tries=$(($3 * 50))

	while ! grep -qE -- "$2" "$1" 2>/dev/null; do
		if ! alive "$4"; then
			grep -qE -- "$2" "$1" 2>/dev/null
			return
		fi
		[ "$((tries -= 1))" -gt 0 ] || return 1
		sleep 0.02
	done
}

wait_end() {
	local tries=$(($2 * 50)) late=

	while alive "$1"; do
		if [ "$((tries -= 1))" -le 0 ]; then
			diag "process $1 did not end within $2 s"
			kill -KILL "$1"
			late=1
			break
		fi
		sleep 0.02
	done
	wait "$1" 2>/dev/null
	status=$?
	[ -z "$late" ] || status=124
}

run_cnt=0

start_program() {
	local name=$1

	shift
	run_cnt=$((run_cnt + 1))
	program_in=$work/$name.$run_cnt.in
	program_out=$work/$name.$run_cnt.out
	mkfifo "$program_in"
	exec {go_fd}<>"$program_in"
	"$PROGRAMS/$name" --wait "$@" <"$program_in" >"$program_out" 2>"$program_out.err" &
	program=$!
	started+=("$program")
	wait_line "$program_out" '^ready [0-9]+' 20 "$program" ||
		bail "$name did not get ready: $(cat "$program_out.err")"
}

go() {
	echo go >&"$go_fd"
	exec {go_fd}>&-
}

start_tracer() {
	launch_tracer "$@"
	wait_line "$tracer_err" '^attached' 30 "$tracer" && return
	bail "$(tail -n 5 "$tracer_err")" "asyncscope-bpf $* attaches"
}

# What tests compare with the truth is looked at all the time, whatever it costs; budget.t says otherwise.
max_overhead=0

# Without waiting for "attached".
launch_tracer() {
	case ${1-} in
	-*) set -- --max-overhead "$max_overhead" "$@" ;;
	esac
	run_cnt=$((run_cnt + 1))
	tracer_out=$work/tracer.$run_cnt.out
	tracer_err=$work/tracer.$run_cnt.err
	"$TRACER" "$@" >"$tracer_out" 2>"$tracer_err" </dev/null &
	tracer=$!
	started+=("$tracer")
}

# Runs the tracer to its end: run_tracer SECONDS [ARG...] -> $status, $out, $err
run_tracer() {
	local limit=$1

	shift
	launch_tracer "$@"
	wait_end "$tracer" "$limit"
	out=$(cat "$tracer_out")
	err=$(cat "$tracer_err")
}

# The usual order: program, tracer, go, until both have ended. record OUTPUT PROGRAM [ARG...]
# More options for the tracer stand in the array `options`.
options=()
record() {
	local output=$1 name=$2

	shift
	start_program "$@"
	start_tracer -p "$program" -o "$output" "${options[@]}"
	go
	wait_end "$program" 60
	[ "$status" -eq 0 ] || diag "$name ended with $status: $(cat "$program_out.err")"
	wait_end "$tracer" 30
	is "$status" 0 "$name: the recording ends with its target, exit 0" ||
		diag "$(tail -n 5 "$tracer_err")"
	[ -s "$output" ]
	ok $? "$name: $(basename "$output") is written"
}

compare() {
	local line script=$1 rc lines

	shift
	lines=$(python3 "$live/$script" "$@")
	rc=$?
	while IFS= read -r line; do
		case $line in
		"ok - "*) ok 0 "${line#ok - }" ;;
		"not ok - "*) ok 1 "${line#not ok - }" ;;
		*) [ -z "$line" ] || diag "$line" ;;
		esac
	done <<<"$lines"
	[ "$rc" -eq 0 ] || ok 1 "$script runs to its end"
}
