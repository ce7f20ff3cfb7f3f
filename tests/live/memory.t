#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tracer's own memory at 1,000 threads, and what --max-memory does with very many tasks.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

start_program sleeper 1000 30
start_tracer -p "$program" -d 3 -o "$work/many.ndjson" -o "$work/many.html"
go
most=0
while alive "$tracer"; do
	read -r own ring_now < <(python3 "$live/memory.py" "$tracer" 2>/dev/null) || break
	[ "${own:-0}" -le "$most" ] || most=$own ring=$ring_now
	sleep 0.1
done
wait_end "$tracer" 20
is "$status" 0 "1,000 threads: the recording ends, exit 0"
diag "most resident beside the ring: $most kB (ring ${ring:-?} kB)"
[ "$most" -gt 0 ] && [ "$most" -lt 65536 ]
ok $? "1,000 threads: under 64 MiB resident beside the ring" || diag "$most kB"
is "$(grep -c '"record": *"task"' "$work/many.ndjson")" 1001 "1,000 threads: all are recorded"
like "$(head -n 1 "$work/many.ndjson")" '"kernel_memory_bytes": *[1-9]' "kernel memory is reported"
kill -TERM "$program"
wait_end "$program" 5

# ended tasks are kept for a second, as records come out of order: 10,000 tasks fit in 24 MiB
options=(--max-memory 24M)
record "$work/fold.ndjson" marks many 60000 10000
compare fold.py "$program_out" "$work/fold.ndjson"
like "$(cat "$tracer_out" "$tracer_err")" 'fold' "the summary says that tasks were folded"

done_testing
