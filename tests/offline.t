#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The commands that need neither root nor a process: report, export and schema on a snapshot of the
# unit tests' hand-made model (tests/unit/rich_model.h), and what -o does when it cannot write.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

BUILD=${BUILD:-$PWD/build}
program=$BUILD/asyncscope-bpf
export LC_ALL=C
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
umask 022

test_cnt=0
ok() {
	test_cnt=$((test_cnt + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' "$test_cnt" "$2"
	else
		printf 'not ok %d - %s\n' "$test_cnt" "$2"
		printf '%s\n' "${3-}" | sed 's/^/# /' >&2
	fi
}

is() {
	[ "$1" = "$2" ]
	ok $? "$3" "got '$1', expected '$2'"
}

like() {
	grep -qiE -- "$2" <<<"$1"
	ok $? "$3" "no match for /$2/ in: $1"
}

# run ARG... -> $status, $out, $err
run() {
	"$program" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	out=$(cat "$work/out")
	err=$(cat "$work/err")
}

# fails STATUS REGEX DESCRIPTION ARG... : one line on stderr that tells why
fails() {
	local want=$1 regex=$2 what=$3

	shift 3
	run "$@"
	is "$status" "$want" "$what: exit $want"
	like "$err" "$regex" "$what: says why"
	is "$(wc -l <"$work/err")" 1 "$what: in one line"
}

snapshot=$work/rich.asnap
"$BUILD/tests/unit/test_export" --snapshot "$snapshot"
ok $? "a snapshot of the hand-made model"

# what comes out is what the unit test's exporters say of the model itself
run export "$snapshot" -t ndjson --slices
is "$status:$err" "0:" "export -t ndjson: exit 0, silent"
cmp -s "$work/out" tests/golden/spine.ndjson
ok $? "export -t ndjson: the golden file" "$(cmp "$work/out" tests/golden/spine.ndjson 2>&1)"
run export "$snapshot" -o "$work/x.ndjson" --slices
is "$status" 0 "export -o x.ndjson: exit 0"
cmp -s "$work/x.ndjson" tests/golden/spine.ndjson
ok $? "export -o x.ndjson: the golden file"
run report "$snapshot" --width 80
is "$status" 0 "report: exit 0"
cmp -s "$work/out" tests/golden/spine.txt
ok $? "report: the golden summary" "$(diff "$work/out" tests/golden/spine.txt)"
run report "$snapshot" -o "$work/x.html" -o "$work/x.txt" -o "$work/x.asnap" --theme dark
is "$status:$out" "0:" "report to three files: exit 0, nothing on stdout"
like "$(head -c 200 "$work/x.html")" '<!doctype html>' "report: x.html is a page"
run export "$work/x.asnap" --slices
cmp -s "$work/out" tests/golden/spine.ndjson
ok $? "a snapshot written anew says the same"
is "$(stat -c %a "$work/x.html" "$work/x.asnap" | paste -sd' ')" "644 600" \
	"pages are for all, snapshots for their owner"
run export "$snapshot" -o "$work/named.like.this" -t summary
is "$status" 0 "export -t: the suffix does not matter"

# what cannot be
fails 2 'x\.foo.*\.html \.asnap \.ndjson \.txt' "unknown suffix" report "$snapshot" -o "$work/x.foo"
fails 2 'no format' "a suffix is no name" report "$snapshot" -o "$work/.html"
fails 2 'ndjson, summary' "unknown format" export "$snapshot" -t csv
fails 2 'given twice' "one file twice" report "$snapshot" -o "$work/a.txt" -o "$work/a.txt"
fails 2 'auto, dark or light' "unknown theme" report "$snapshot" --theme pink
fails 1 'no such file' "no snapshot" report "$work/none.asnap"
fails 6 'not a snapshot' "something else than a snapshot" export tests/golden/spine.ndjson
fails 1 'no such file.*make the directory' "no directory" export "$snapshot" -o "$work/none/x.txt"
mkdir "$work/dir.txt"
fails 1 'is a directory' "a directory" export "$snapshot" -o "$work/dir.txt"
fails 1 '/dev/full: no space left' "full disk" export "$snapshot" -o /dev/full -t ndjson
for bad in report "report a b" "export --frob" "schema a b"; do
	# shellcheck disable=SC2086
	run $bad
	is "$status" 2 "$bad: exit 2"
done

# an old file survives a failed write, and nothing else stays behind
mkdir "$work/small"
echo old >"$work/small/x.ndjson"
(ulimit -f 8 && "$program" export "$snapshot" -o "$work/small/x.ndjson") 2>"$work/err"
is $? 1 "a limit on file sizes: exit 1"
like "$(cat "$work/err")" 'x\.ndjson: file too large' "a limit on file sizes: told"
is "$(cat "$work/small/"*)" old "the old file survives, and no temporary one is left"

# links and devices
echo precious >"$work/precious"
ln -s "$work/precious" "$work/link.txt"
run export "$snapshot" -o "$work/link.txt"
is "$(cat "$work/precious")" precious "a link is replaced, what it points to is not written"
run export "$snapshot" -t summary -o /dev/null
is "$status:$(stat -c %F /dev/null)" "0:character special file" "a device is not replaced"

# schema
run schema
is "$status" 0 "schema: exit 0"
like "$out" '^  time\.on_cpu_ns +nanoseconds +cpu ' "schema: a field with its type and capability"
run schema --json edge
is "$(wc -l <"$work/out")" 6 "schema --json edge: one line per field"
fails 2 'nothing' "schema of no record" schema nothing

echo "1..$test_cnt"
