#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same truth under other allocators than glibc's: preloaded, linked in with their symbols, and musl.
# Some of their functions are wrappers around others, so the functions' counts are compared in sum.
# Stripped, they are named as what cannot be seen.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/heap.sh
. "$live/heap.sh"
need_root

for preload in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
	name=${preload%.so*}
	record_heap "$work/$name.ndjson" heap_truth core pages
	compare_heap "$work/$name.ndjson" --summed
	# mimalloc ends a program whose new fails
	[ "$name" = libmimalloc ] && calm=calm || calm=
	# shellcheck disable=SC2086
	record_heap "$work/$name-cpp.ndjson" heap_cpp $calm
	compare_heap "$work/$name-cpp.ndjson" --summed
done
preload=

for linked in jemalloc tcmalloc static static-jemalloc musl; do
	if [ ! -x "$PROGRAMS/heap_truth-$linked" ]; then
		ok 1 "heap_truth-$linked is built (tools/deps test)"
		continue
	fi
	record_heap "$work/$linked.ndjson" "heap_truth-$linked" core pages
	compare_heap "$work/$linked.ndjson" --summed
done

# Nothing can be known of what has no symbols: that is said, and no number is 0.
for linked in static-jemalloc musl; do
	# musl leaves nothing that it could be known by
	case $linked in *jemalloc) named=jemalloc ;; *) named="no allocator's functions are visible" ;; esac
	allocator=${linked#static-}
	strip -o "$work/without-symbols" "$PROGRAMS/heap_truth-$linked"
	PROGRAMS=$work record_heap "$work/stripped-$allocator.ndjson" without-symbols ended
	like "$(cat "$tracer_out")" 'memory: not measured' \
		"stripped-$allocator: it is said that its calls are not seen"
	compare heap_compare.py unseen "$work/stripped-$allocator.ndjson" "stripped-$allocator"
	PROGRAMS=$work start_program without-symbols ended
	run_tracer 10 runtimes -p "$program"
	like "$out$err" "$named" "stripped-$allocator: runtimes: $named"
	kill -KILL "$program"
	wait "$program" 2>/dev/null
done

done_testing
