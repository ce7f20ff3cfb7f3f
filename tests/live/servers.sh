# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For live tests with servers of Debian's: starting them on free ports of the loopback, and a client
# that does what it is told. Sourced after lib.sh by nginx.t and redis.t.
#
#   need_programs COMMAND...		skips the test where one is not installed
#   free_ports CNT			prints them
#   start_server LOG REGEX COMMAND...	-> $server; returns when LOG has a line like REGEX
#   start_client PROTOCOL PORT CNT	clients.py; its connections are open when this returns
#   ask COMMAND...			-> $answer, one line of JSON
#   stop_client				closes its connections
#   stop_tracer				what Ctrl-C does; a test that the recording ends well

need_programs() {
	local name

	for name in "$@"; do
		command -v "$name" >/dev/null || skip_all "no $name (run tools/deps test)"
	done
}

free_ports() {
	python3 "$live/clients.py" ports "$1"
}

start_server() {
	local log=$1 regex=$2

	shift 2
	"$@" >>"$log" 2>&1 </dev/null &
	server=$!
	started+=("$server")
	wait_line "$log" "$regex" 10 "$server" || bail "$1 did not start: $(tail -n 5 "$log")"
}

start_client() {
	run_cnt=$((run_cnt + 1))
	mkfifo "$work/client.$run_cnt.in" "$work/client.$run_cnt.out"
	exec {client_in}<>"$work/client.$run_cnt.in" {client_out}<>"$work/client.$run_cnt.out"
	python3 "$live/clients.py" "$@" <&"$client_in" >&"$client_out" &
	client=$!
	started+=("$client")
	read_answer "$@"
}

read_answer() {
	read -r -t 20 answer <&"$client_out" || bail "clients.py does not answer: $*"
}

ask() {
	echo "$*" >&"$client_in"
	read_answer "$@"
}

stop_client() {
	ask quit
	wait_end "$client" 5
	exec {client_in}>&- {client_out}>&-
}

stop_tracer() {
	kill -INT "$tracer" 2>/dev/null # it may have failed
	wait_end "$tracer" 30
	is "$status" 0 "$1: the recording ends, exit 0" || diag "$(tail -n 5 "$tracer_err")"
}
