#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel matrix: boots every kernel of tools/kernels, two at a time, runs guest.sh there with the
# static build, and merges the results, each with its kernel in front. Run by tests/run, as root.
#
# tests/vm/matrix.t [LABEL...]     all kernels by default
# STEPS=NAMES runs these steps of guest.sh only, see io.t.
# STATIC_BUILD=DIR takes a static build from there and builds nothing.
# FULL=1 runs every scenario by every rung, and measures every rung. KEEP=1 keeps what guests left.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# shellcheck source=tools/lib.sh
. "$ROOT/tools/lib.sh"

BUILD=${BUILD:-$ROOT/build}
STATIC=${STATIC_BUILD:-$BUILD/static}
GUESTS=2 GUEST_SECONDS=${GUEST_SECONDS:-240}
[ -z "${FULL:-}" ] || GUEST_SECONDS=600
LABELS=("$@")
[ $# -gt 0 ] || LABELS=("${KERNEL_LABELS[@]}")

TESTS=0 FAILED=0
WORK=$(mktemp -d)
trap '[ -n "${KEEP:-}" ] || rm -rf "$WORK"' EXIT

# result OK NAME : one numbered TAP line; OK is 0 when it holds.
result() {
	TESTS=$((TESTS + 1))
	if [ "$1" = 0 ]; then
		echo "ok $TESTS - $2"
	else
		echo "not ok $TESTS - $2"
		FAILED=1
	fi
}

finish() {
	echo "1..$TESTS"
	exit $FAILED
}

# needed NAME COMMAND... : a step without which nothing else can be tested.
needed() {
	local name=$1
	shift
	if "$@" >"$WORK/log" 2>&1; then
		result 0 "$name"
	else
		result 1 "$name"
		tail -n 20 "$WORK/log" | sed 's/^/# /'
		finish
	fi
}

# shellcheck disable=SC2317 # called by needed
# A make of its own: neither the variables nor the job server of the make that runs the tests.
build_static() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u MAKEOVERRIDES \
		make -C "$ROOT" -j2 STATIC=1 BUILD="$STATIC" all programs </dev/null
}

# shellcheck disable=SC2317 # called by needed
has_static() {
	ls "$STATIC/asyncscope-bpf" "$STATIC/tests/programs/"
}

# The programs of the guests' own, and the addresses of the functions of spin that are probed.
# shellcheck disable=SC2317 # called by needed
build_tools() {
	local flags=(-O2 -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -static)
	local libs=(-lbpf -lelf -liberty -lzstd -lz -lm -lpthread) objects
	mkdir -p "$WORK/tools"
	mapfile -t objects < <(find "$STATIC/user" -name '*.o' ! -path '*/user/main.o')
	gcc "${flags[@]}" -I"$ROOT/user" -I"$ROOT/bpf" -I"$STATIC/gen" -o "$WORK/tools/arm_100" \
		"$HERE/arm_100.c" "${objects[@]}" "${libs[@]}" || return
	gcc "${flags[@]}" -o "$WORK/tools/left_behind" "$HERE/left_behind.c" "${libs[@]}" || return
	gcc "${flags[@]}" -I"$ROOT/user" -I"$ROOT/bpf" -I"$STATIC/gen" -o "$WORK/tools/placed" \
		"$ROOT/tests/bpf/test_placed.c" "${objects[@]}" "${libs[@]}" || return
	nm "$STATIC/tests/programs/spin" | awk '$3 ~ /^asyncscope_/ { print $1 }' \
		>"$WORK/tools/spin.addresses"
	[ -s "$WORK/tools/spin.addresses" ]
}

# A disk that is none of memory: files on it must really be read and written.
# shellcheck disable=SC2317 # called by needed
build_disk() {
	truncate -s 48M "$WORK/disk" && mke2fs -q -F -t ext4 "$WORK/disk"
}

version() {
	sed -n 's/^## \([0-9][^ ]*\).*/\1/p' "$ROOT/CHANGELOG.md" | head -n 1
}

run_guest() {
	local label=$1 dir=$WORK/$1 started=$SECONDS code=0
	mkdir -p "$dir"
	# shellcheck disable=SC2086 # several steps
	"$ROOT/tools/vm" --timeout $GUEST_SECONDS --out "$dir/out" --console "$dir/console" \
		--disk "$WORK/disk" \
		--file "$STATIC/asyncscope-bpf:/usr/sbin/asyncscope-bpf" \
		--file "$STATIC/tests/programs:/programs" \
		--file "$WORK/tools:/tools" \
		--file "$HERE/guest.sh:/guest.sh" --file "$HERE/guest_live.sh:/guest_live.sh" \
		"$label" -- sh /guest.sh "$label" "$(version)" "${FULL:-}" ${STEPS:-} \
		>"$dir/tap" 2>"$dir/errors" || code=$?
	echo $code >"$dir/code"
	echo $((SECONDS - started)) >"$dir/seconds"
}

# Reads TAP, prints it renumbered with the kernel in front.
merge() {
	local label=$1 line good name
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			good=1
			case $line in ok*) good=0 ;; esac
			name=$(sed -E 's/^(not )?ok *[0-9]* *-? *//' <<<"$line")
			result $good "$label: $name"
			echo "$label	$name" >>"$WORK/names"
			;;
		1..*) ;;
		'#'*) echo "# $label: ${line#\# }" ;;
		*) echo "# $label said: $line" ;;
		esac
	done
}

# What a guest must have done whatever its steps say: all of them, to the end, with no word of
# trouble from the kernel.
report_guest() {
	local label=$1 dir=$WORK/$1 code planned ran good=0
	code=$(cat "$dir/code")
	merge "$label" <"$dir/tap"
	planned=$(sed -n 's/^1\.\.//p' "$dir/tap" | tail -n 1)
	ran=$(grep -acE '^(not )?ok ' "$dir/tap" || true)
	[ "${planned:-none}" = "$ran" ] || good=1
	result $good "$label: all steps ran ($ran results of ${planned:-an unknown number})"
	good=0
	[ "$code" -lt 123 ] || good=1
	result $good "$label: the guest ended well"
	[ $good = 0 ] || sed 's/^/# /' "$dir/errors"
	if [ -e "$dir/out/check.json" ]; then
		merge "$label" < <(python3 "$HERE/check_json.py" "$label" "$dir/out/check.json")
	fi
	if [ -e "$dir/out/comparisons" ]; then
		merge "$label" < <(python3 "$HERE/live.py" "$label" "$dir/out" "$STATIC/asyncscope-bpf")
	fi
	echo "# $label: $(cat "$dir/seconds") s"
}

# A test that every kernel skips tests nothing.
report_skips() {
	local name
	cut -f 2 "$WORK/names" | sed -n 's/ *# SKIP.*//p' | sort -u >"$WORK/skipped"
	while IFS= read -r name; do
		if ! cut -f 2 "$WORK/names" | grep -qxF "$name"; then
			result 1 "$name: is skipped on every kernel"
		fi
	done <"$WORK/skipped"
}

main() {
	local label

	: >"$WORK/names"
	if [ -n "${STATIC_BUILD:-}" ]; then
		needed "$STATIC is a static build" has_static
	else
		needed "make STATIC=1" build_static
	fi
	needed "what the guests need besides" build_tools
	needed "a disk for the guests" build_disk
	needed "the kernels ${LABELS[*]} are there" "$ROOT/tools/kernels" "${LABELS[@]}"
	for label in "${LABELS[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge $GUESTS ]; do
			wait -n || true
		done
		run_guest "$label" &
	done
	wait
	for label in "${LABELS[@]}"; do
		report_guest "$label"
	done
	report_skips
	finish
}

main
