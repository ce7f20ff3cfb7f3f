#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Attaching to node, a binary of 98 MB: under a second until it is attached, the best of three (the
# machine is shared).
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root
command -v node >/dev/null || skip_all "node is not installed"

node -e 'console.log("ready " + process.pid); setInterval(() => {
	for (let i = 0, end = Date.now() + 5; Date.now() < end;) i++;
}, 20)' >"$work/node.out" 2>&1 &
node=$!
started+=("$node")
wait_line "$work/node.out" '^ready ' 20 "$node" || bail "node did not start"

best=999999
for run in 1 2 3; do
	begin=$(date +%s%N)
	start_tracer -p "$node" -d 1 -o "$work/node.ndjson"
	took=$((($(date +%s%N) - begin) / 1000000))
	[ "$took" -ge "$best" ] || best=$took
	wait_end "$tracer" 20
	is "$status" 0 "recording node, exit 0"
done
diag "attached after $best ms"
[ "$best" -lt 1000 ]
ok $? "attached in under 1 s"
attached=$(sed -n '1s/.*"attached_ns": *\([0-9]*\).*/\1/p' "$work/node.ndjson")
[ -n "$attached" ] && [ "$attached" -lt 1000000000 ]
ok $? "the first event came in under 1 s" || diag "attached_ns: $attached"
like "$(grep '"record": *"task"' "$work/node.ndjson")" '"task_name": *"node"' "its main thread is there"
alive "$node"
ok $? "node goes on"

done_testing
