#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory in known numbers: what each thread allocated, freed, holds and held at most, what each function
# of the malloc family was called for, and where, against what the program itself counted. In C, C++
# and Rust; by threads that free each other's blocks, end, fork, and load libraries.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/live/heap.sh
. "$live/heap.sh"
need_root

mkdir "$work/self"
compare heap_compare.py self "$work/self"

record_heap "$work/core.ndjson" heap_truth core
compare_heap "$work/core.ndjson"
like "$(cat "$tracer_out")" 'memory|heap' "the summary speaks of memory"

# what glibc frees when a thread ends is counted, too
record_heap "$work/ended.ndjson" heap_truth ended
compare_heap "$work/ended.ndjson" --least

options=(--follow)
record_heap "$work/fork.ndjson" heap_truth fork
compare_heap "$work/fork.ndjson" --least
options=()

# the dynamic linker allocates, too; jemalloc cannot be loaded late
for library in '' libtcmalloc_minimal.so.4 libmimalloc.so.2; do
	name=dlopen${library:+-$library}
	# shellcheck disable=SC2086
	record_heap "$work/$name.ndjson" heap_truth dlopen $library
	compare_heap "$work/$name.ndjson" --least
done

record_heap "$work/cpp.ndjson" heap_cpp
compare_heap "$work/cpp.ndjson"

# Rust's own names for them may be what is seen
record_heap "$work/rust.ndjson" heap_rust
compare_heap "$work/rust.ndjson" --summed

done_testing
