#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's redis-server under redis-benchmark: what the recording says of its threads, of its peer and
# of its append-only file against INFO, the size of the file, and the kernel's own count of what each
# thread reads and writes (/proc/PID/task/TID/io).
#
# 1. One thread serves; four connections were there before.
# 2. Two threads serve the same connections, and the other kind of tracepoints is used.
# 3. Each command is synced to the file before it is answered: as many syncs as commands of a client
#    that waits for each answer.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/servers.sh
. "$live/servers.sh"
need_root
need_programs redis-check-rdb redis-benchmark

# Debian's redis-server is this link, in a package that makes a service of it
ln -s "$(command -v redis-check-rdb)" "$work/redis-server"

# start_redis NAME [OPTION...]
start_redis() {
	local name=$1

	shift
	port=$(free_ports 1)
	mkdir "$work/$name"
	start_server "$work/$name.log" 'Ready to accept connections' "$work/redis-server" --port "$port" \
		--bind 127.0.0.1 --dir "$work/$name" --save '' "$@"
	start_client redis "$port" 4
}

# redis notices later that clients are gone
has_clients() {
	ask info
	grep -q "\"connected_clients\": $1," <<<"$answer"
}

# look FILE CLIENTS : what INFO and the kernel say, once so many are connected
look() {
	wait_until 10 has_clients "$2" || diag "there are not $2 clients: $answer"
	echo "$answer" >"$work/$1.info"
	for tid in $(ls "/proc/$server/task"); do
		echo "{\"tid\": $tid, \"name\": \"$(cat "/proc/$server/task/$tid/comm")\"," \
			"$(sed 's/\(.*\): \(.*\)/"\1": \2/' "/proc/$server/task/$tid/io" | paste -sd,)}"
	done >"$work/$1.io"
}

bench() {
	redis-benchmark -h 127.0.0.1 -p "$port" -q "$@" >"$work/bench.out" 2>&1 </dev/null ||
		bail "redis-benchmark $*: $(cat "$work/bench.out")"
}

# end_redis NAME
end_redis() {
	stop_tracer "$1"
	stop_client
	kill -TERM "$server"
	wait_end "$server" 10
	compare redis.py "$1" "$work" "$port"
}

for run in one two; do
	[ "$run" = one ] && threads=1 || threads=2
	start_redis "$run" --io-threads "$threads" --io-threads-do-reads yes
	[ "$run" = one ] && source=syscall || source=syscall-classic
	start_tracer -p "$server" -o "$work/$run.ndjson" --io-source "$source"
	look "$run.before" 4
	bench -c 20 -n "$((threads == 1 ? 40000 : 3000))" -d 512 -t set,get
	ask idle 3
	look "$run.after" 7
	end_redis "$run"
done

start_redis synced --appendonly yes --appendfsync always
aof=$work/synced/appendonlydir/appendonly.aof.1.incr.aof
start_tracer -p "$server" -o "$work/synced.ndjson"
look synced.before 4
bench -c 1 -n 500 -d 100 -t set
look synced.after 4
stat -c '{"size": %s}' "$aof" >"$work/synced.aof"
end_redis synced

done_testing
