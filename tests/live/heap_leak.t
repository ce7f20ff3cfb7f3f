#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A planted leak of known size among caches, pools, queues and lists that grow and are freed: it is the
# first that is found, at its place, and nothing else is. Without it nothing is found. 20 times in full.
FULL=${FULL-} LIVE_LIMIT=220
[ -z "$FULL" ] || LIVE_LIMIT=1800
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/heap.sh
. "$live/heap.sh"
need_root

# leak NAME PROGRAM [ARG...]
leak() {
	local name=$1

	shift
	record_heap "$work/$name.ndjson" "$@"
	compare heap_compare.py leak "$program_out" "$work/$name.ndjson" "$name"
	rm "$work/$name.ndjson"
}

# Ends at different points of what grows and is freed, which takes 1.3 s.
times=${FULL:+20}
for ((run = 0; run < ${times:-2}; run++)); do
	leak "c-$run" heap_leak --seconds "$((5 + run % 3)).$((run * 3 % 10))" \
		--rate "$((20000 * (1 + run % 5)))"
done
leak cpp heap_leak_cpp
leak rust heap_leak_rust
leak none heap_leak --rate 0

done_testing
