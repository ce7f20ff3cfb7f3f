#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same truth under other allocators than glibc's: preloaded, linked in with their symbols, and musl.
# Stripped, they are named as what cannot be seen.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/heap.sh
. "$live/heap.sh"
need_root

for preload in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
	name=${preload%.so*}
	record_heap "$work/$name.ndjson" heap_truth core
	compare_heap "$work/$name.ndjson"
	record_heap "$work/$name-cpp.ndjson" heap_cpp
	compare_heap "$work/$name-cpp.ndjson" --summed --no-sites
done
preload=

for linked in jemalloc tcmalloc static musl; do
	if [ ! -x "$PROGRAMS/heap_truth-$linked" ]; then
		ok 1 "heap_truth-$linked is built (tools/deps test)"
		continue
	fi
	record_heap "$work/$linked.ndjson" "heap_truth-$linked" core
	compare_heap "$work/$linked.ndjson"
done

# nothing can be known of what has no symbols, and that is said
cp "$PROGRAMS/heap_truth-jemalloc" "$work/stripped"
strip "$work/stripped"
PROGRAMS=$work
record_heap "$work/stripped.ndjson" stripped core
like "$(cat "$tracer_err")" 'jemalloc' "stripped: the allocator is named"
like "$(cat "$tracer_err")" 'not (visible|seen)|no symbols' "stripped: and that its calls are not seen"

done_testing
