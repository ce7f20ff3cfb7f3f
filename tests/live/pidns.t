#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A target in another pid namespace works by its host PID; a tracer in one says what it needs.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

unshare -pf --mount-proc true 2>/dev/null || skip_all "cannot make a pid namespace"

mkfifo "$work/in"
exec {in_fd}<>"$work/in"
unshare -pf --mount-proc --kill-child "$PROGRAMS/spin" --wait 3 30 \
	<"$work/in" >"$work/spin.out" 2>&1 &
unshare=$!
started+=("$unshare")
wait_line "$work/spin.out" '^ready ' 10 "$unshare" || bail "spin did not start in a namespace"
is "$(cat "$work/spin.out")" "ready 1" "the target calls itself process 1"
target=$(cat "/proc/$unshare/task/$unshare/children")
target=${target%% *}
echo go >&"$in_fd"

run_tracer 30 -p "$target" -d 1 -o "$work/pidns.ndjson"
is "$status" 0 "a target in another pid namespace by its host PID" || diag "$err"
recorded=$(grep '"record": *"task"' "$work/pidns.ndjson")
for tid in $(ls "/proc/$target/task"); do
	like "$recorded" "\"native_id\": *\"$tid\"" "thread $tid is there by its host tid"
done
like "$recorded" '"runtime": *"marks"' "its marks tasks are there"
like "$(head -n 1 "$work/pidns.ndjson")" "\"pid\": *$target" "the recording names the host PID"

unshare -pf --mount-proc "$TRACER" -p 1 -d 1 >"$work/inside.out" 2>"$work/inside.err" </dev/null
is $? 3 "a tracer inside of a pid namespace: exit 3"
like "$(cat "$work/inside.err")" "host.s pid namespace" "and says that it needs the host's"

done_testing
