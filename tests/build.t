#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The build: with clang as with gcc, out of the tree, quiet, and what `make install` puts where.
# Run by tests/run.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-$PWD/build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cnt=0

ok() {
	cnt=$((cnt + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $cnt - $2"
	else
		echo "not ok $cnt - $2"
		tail -n 20 "$work/log" | sed 's/^/# /' >&2
	fi
}

make CC=clang BUILD="$BUILD/clang" -j2 all programs >"$work/log" 2>&1
ok $? "clang builds it, warnings are errors"
"$BUILD/clang/asyncscope-bpf" --version >"$work/log" 2>&1
ok $? "and what it built runs"

make BUILD="$BUILD" PREFIX=/usr DESTDIR="$work/root" install >"$work/log" 2>&1
ok $? "make install PREFIX=/usr DESTDIR="
[ "$(stat -c %a "$work/root/usr/sbin/asyncscope-bpf")" = 755 ] &&
	[ "$(stat -c %a "$work/root/usr/share/man/man8/asyncscope-bpf.8")" = 644 ]
ok $? "the program and its man page are where they belong"
[ "$("$work/root/usr/sbin/asyncscope-bpf" -V)" = "$("$BUILD/asyncscope-bpf" -V)" ]
ok $? "the installed program runs"

make BUILD="$BUILD" all >"$work/log" 2>&1
ok $? "a second make"
! grep -qE '^(gcc|cc|clang)' "$work/log"
ok $? "shows no commands"
make V=1 BUILD="$work/verbose" "$work/verbose/user/base/array.o" >"$work/log" 2>&1
grep -q -- '-o ' "$work/log"
ok $? "V=1 shows them"
[ -z "$(git status --porcelain --ignored 2>/dev/null | grep '^!!' | grep -v '^!! build')" ]
ok $? "nothing is built beside build/"
echo "1..$cnt"
