#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 200 threads of known patterns: what the recording says of each against what each measured itself.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

record "$work/threads.ndjson" threads --dir "$work"
like "$(cat "$tracer_out")" 'cpu|lock|run queue' "the summary is printed"
compare threads.py "$program_out" "$work/threads.ndjson"

record "$work/pagefault.ndjson" pagefault 2000 300 "$work"
compare pagefault.py "$program_out" "$work/pagefault.ndjson"

done_testing
