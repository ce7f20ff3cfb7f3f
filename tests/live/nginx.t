#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's nginx under wrk: what the recording says of its workers, peers and files against wrk,
# stub_status and the access log, which has one line per request with the worker and all its bytes.
#
# 1. Both workers by their ids; connections that were there before go on.
# 2. The master with -f; it reloads, so that the workers are born inside of the recording.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/servers.sh
. "$live/servers.sh"
need_root
need_programs nginx wrk

read -r port status_port < <(free_ports 2)
mkdir "$work/www" "$work/tmp"
head -c 65536 /dev/urandom >"$work/www/sendfile.bin"
head -c 20000 /dev/urandom >"$work/www/buffered.bin"
cat >"$work/nginx.conf" <<END
daemon off;
user root root;
worker_processes 2;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 256; }
http {
	log_format truth '{"pid": \$pid, "port": \$server_port, "uri": "\$uri", "sent": \$bytes_sent, '
		'"body": \$body_bytes_sent, "received": \$request_length}';
	access_log access.log truth;
	client_body_temp_path tmp/1; proxy_temp_path tmp/2; fastcgi_temp_path tmp/3;
	uwsgi_temp_path tmp/4; scgi_temp_path tmp/5;
	keepalive_requests 1000000;
	server {
		listen 127.0.0.1:$port;
		root www;
		location = /sendfile.bin { sendfile on; }
		location = /buffered.bin { sendfile off; }
	}
	server {
		listen 127.0.0.1:$status_port;
		location = /status { stub_status; }
	}
}
END
# each fourth request is for the file that nginx reads and writes itself
cat >"$work/mix.lua" <<'END'
local cnt = 0
function request()
	cnt = cnt + 1
	return wrk.format("GET", cnt % 4 == 0 and "/buffered.bin" or "/sendfile.bin")
end
function done(summary)
	local errors = summary.errors
	io.write(string.format('{"requests": %d, "bytes": %d, "errors": %d}\n', summary.requests,
		summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
END

workers() {
	cat "/proc/$server/task/$server/children"
}

has_two_workers() {
	local list

	read -ra list < <(workers)
	[ "${#list[@]}" -eq 2 ]
}

has_new_workers() {
	has_two_workers && ! grep -qwE "${old// /|}" < <(workers)
}

add_workers() {
	wait_until 10 "$1" || bail "nginx has no two workers: $(workers)"
	read -ra pids < <(workers)
	started+=("${pids[@]}") # killing their master would leave them
}

# load RUN : wrk between two looks at stub_status
load() {
	python3 "$live/clients.py" status "$status_port" >"$work/$1.before"
	wrk -t 1 -c 8 -d 2s -s "$work/mix.lua" "http://127.0.0.1:$port/" >"$work/$1.wrk" 2>&1 </dev/null ||
		bail "wrk: $(cat "$work/$1.wrk")"
}

start_server "$work/error.log" 'start worker process [0-9]+$' nginx -p "$work/" -c nginx.conf
add_workers has_two_workers

start_client http "$port" 5
ask get /buffered.bin 1
from=$(stat -c %s "$work/access.log")
start_tracer -p "${pids[0]},${pids[1]}" -o "$work/existing.ndjson"
load existing
ask get /sendfile.bin 7
echo "$answer" >"$work/existing.client"
ask idle 3
python3 "$live/clients.py" status "$status_port" >"$work/existing.after"
stop_tracer "both workers"
tail -c "+$((from + 1))" "$work/access.log" >"$work/existing.access"
stop_client
compare nginx.py existing "$work" "$port" "$status_port"

from=$(stat -c %s "$work/access.log")
start_tracer -p "$server" -f -o "$work/follow.ndjson"
old=$(echo "${pids[*]}")
kill -HUP "$server"
add_workers has_new_workers
load follow
python3 "$live/clients.py" status "$status_port" >"$work/follow.after"
kill -QUIT "$server"
wait_end "$server" 10
wait_end "$tracer" 30
is "$status" 0 "master with -f: the recording ends with its target, exit 0" ||
	diag "$(tail -n 5 "$tracer_err")"
tail -c "+$((from + 1))" "$work/access.log" >"$work/follow.access"
compare nginx.py follow "$work" "$port" "$status_port"

done_testing
