#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tools/check can fail: plants one violation of every kind in a copy of the tree and sees that it is
# reported, and that what is right is not. Run by tests/run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
COPY=$(mktemp -d)
trap 'rm -rf "$COPY"' EXIT
export BUILD=build

TESTS=0 FAILED=0
SPDX='SPDX-License-Identifier: GPL-2.0-or-later'

# Whatever is planted is made of words that are not in this file as such.
MARKERS=(TO""DO FIX""ME X""XX HA""CK)
HOST=deb.deb""ian.org

result() {
	local ok=$1 name=$2
	TESTS=$((TESTS + 1))
	if [ "$ok" = 0 ]; then
		echo "ok $TESTS - $name"
	else
		echo "not ok $TESTS - $name"
		FAILED=1
	fi
}

comment() {
	printf '%s\n' "$*" | head -n 10 | sed 's/^/# /'
}

# check_says CHECK : what it reports about the copy.
check_says() {
	"$COPY/tools/check" "$1" 2>&1 || true
}

# plant FILE : the copy's FILE is standard input, and tracked.
plant() {
	mkdir -p "$(dirname "$COPY/$1")"
	cat >"$COPY/$1"
	git -C "$COPY" add -f "$1"
}

remove() {
	git -C "$COPY" rm -q -f --cached "$1"
	rm -f "$COPY/$1"
}

# expect CHECK FILE TEXT NAME : the planted FILE is reported with a line that has TEXT; removes it.
expect() {
	local check=$1 file=$2 text=$3 name=$4 output code=0
	output=$("$COPY/tools/check" "$check" 2>&1) || code=$?
	if [ $code = 1 ] && grep -F "$file" <<<"$output" | grep -qF "$text"; then
		result 0 "$check reports $name"
	else
		result 1 "$check reports $name"
		comment "$output"
	fi
	remove "${file%:[0-9]*}"
}

# accept CHECK FILE NAME : the planted FILE is not reported; removes it.
accept() {
	local check=$1 file=$2 name=$3
	if grep -F "$file" <<<"$(check_says "$check")" | sed 's/^/# /' | grep .; then
		result 1 "$check accepts $name"
	else
		result 0 "$check accepts $name"
	fi
	remove "$file"
}

copy_tree() {
	git -C "$ROOT" ls-files -co --exclude-standard -z | while IFS= read -r -d '' file; do
		[ ! -f "$ROOT/$file" ] || printf '%s\0' "$file"
	done | (cd "$ROOT" && xargs -0 cp --parents -t "$COPY")
	git -C "$COPY" init -q
	git -C "$COPY" config core.excludesFile /dev/null
	git -C "$COPY" add .
}

test_includes() {
	plant user/base/planted.c <<<'#include "model/model.h"'
	expect includes user/base/planted.c "base must not include model/model.h" "base -> model"
	plant user/model/planted.c <<<'#include "wire.h"'
	expect includes user/model/planted.c "must not include wire.h" "wire.h in model"
	plant user/analyze/planted.h <<<'#  include <bpf/libbpf.h>'
	expect includes user/analyze/planted.h "must not include bpf/libbpf.h" "libbpf outside live"
	plant user/cmd/planted.c <<<'#include "asyncscope.skel.h"'
	expect includes user/cmd/planted.c "must not include asyncscope.skel.h" "the skeleton in cmd"
	plant user/planted.c <<<'#include "live/live.h"'
	expect includes user/planted.c "main must not include live/live.h" "main -> live"
	plant user/extra/planted.c <<<'#include <stdio.h>'
	expect includes user/extra/planted.c "no row" "an unknown folder"
	printf '#include "base/log.h"\n#include "live/planted.h"\n' | plant user/live/planted.c
	: >"$COPY/user/live/planted.h"
	expect includes user/live/planted.c "own header first: live/planted.h" "an own header not first"
	rm "$COPY/user/live/planted.h"
	printf '#include "target/maps.h"\n#include <bpf/bpf.h>\n#include "wire.h"\n' |
		plant user/live/planted.c
	accept includes user/live/planted.c "what live may include"
}

test_format() {
	printf 'int  f(void) {\n  return 0; }\n' | plant user/base/planted.c
	expect format user/base/planted.c "not formatted" "an unformatted file"
	printf 'int f(void)\n{\n\treturn 0;\n}\n' | plant user/base/planted.c
	accept format user/base/planted.c "a formatted file"
}

test_guards() {
	printf 'SEC("?uprobe")\nint BPF_KPROBE(f)\n{\n\treturn 0;\n}\n' | plant bpf/planted.bpf.c
	expect guards bpf/planted.bpf.c:1 "must begin with" "a uprobe without the guard"
	printf 'SEC("uretprobe")\nint f(void *ctx)\n{\n\tint a;\n\tUPROBE_GUARD(ctx);\n}\n' |
		plant bpf/planted.bpf.c
	expect guards bpf/planted.bpf.c:1 "must begin with" "a guard that is not first"
	printf 'SEC("?usdt/a:b")\nint f(void *ctx)\n{\n}\n' | plant bpf/planted.bpf.c
	expect guards bpf/planted.bpf.c:1 "must begin with" "a USDT program without the guard"
	printf 'SEC("?uprobe.multi.s/x")\nint f(void *ctx)\n{\n\tUPROBE_GUARD(ctx);\n}\n' |
		plant bpf/planted.bpf.c
	expect guards bpf/planted.bpf.c:1 "sleepable" "a sleepable uprobe"
	printf '#define P(n) \\\n\tSEC("?uprobe") int n(void *ctx)\n' | plant bpf/planted.bpf.h
	expect guards bpf/planted.bpf.h:2 "hidden in a macro" "a program made by a macro"
	printf 'SEC("?uprobe")\nint f(void *ctx)\n{\n\n\t/* why */\n\tUPROBE_GUARD(ctx);\n}\n' |
		plant bpf/planted.bpf.c
	accept guards bpf/planted.bpf.c "a guarded program"
}

# build_object BODY SECTION : the copy's object is made of one program and one local function.
build_object() {
	mkdir -p "$COPY/build"
	clang -O2 -target bpf -mcpu=v3 -x c -c -o "$COPY/build/asyncscope.bpf.o" - <<-SOURCE
		#define SEC(name) __attribute__((section(name), used))
		static long (*bpf_tail_call)(void *ctx, void *map, unsigned index) = (void *)12;
		long counter, programs[8];
		const volatile _Bool never SEC(".rodata");
		SEC("$2") int planted(long *ctx)
		{
			if (never)
				$1;
			for (int i = 0; i < ctx[0]; i++)
				ctx[i + ctx[1]] += i;
			return 0;
		}
	SOURCE
}

expect_object() {
	local check=$1 text=$2 name=$3 output
	output=$(check_says "$check")
	if grep -F "$text" <<<"$output" | grep -q planted; then
		result 0 "$check reports $name"
	else
		result 1 "$check reports $name"
		comment "$output"
	fi
}

accept_object() {
	local check=$1 name=$2 output
	output=$(check_says "$check")
	[ -z "$output" ] && result 0 "$check accepts $name" && return
	result 1 "$check accepts $name"
	comment "$output"
}

test_objects() {
	local guard='bpf_tail_call(ctx, programs, 0)' section

	plant bpf/planted.bpf.c <<<'/* one source, so that an object is asked for */'
	rm -rf "$COPY/build"
	result "$(grep -q 'not there' <<<"$(check_says guard-calls)"; echo $?)" \
		"guard-calls reports a missing object"
	for section in '?uprobe' 'uretprobe/x' '?usdt' 'uprobe.multi'; do
		build_object 'ctx[2] = 1' "$section"
		expect_object guard-calls "no tail call" "an unguarded $section in the object"
	done
	build_object "$guard" '?uprobe'
	accept_object guard-calls "a guarded uprobe"
	build_object 'ctx[2] = 1' 'kprobe/x'
	accept_object guard-calls "another kind of program"
	touch -d '1 minute ago' "$COPY/build/asyncscope.bpf.o"
	result "$(grep -q 'older than' <<<"$(check_says guard-calls)"; echo $?)" \
		"guard-calls reports a stale object"

	build_object 'ctx[3] = __sync_fetch_and_add(&counter, 1)' tp_btf/x
	expect_object atomics "returns a value" "a fetching atomic"
	build_object 'ctx[3] = __sync_lock_test_and_set(&counter, 1)' tp_btf/x
	expect_object atomics "returns a value" "an exchange"
	build_object 'ctx[3] = __sync_val_compare_and_swap(&counter, 1, 2)' tp_btf/x
	expect_object atomics "returns a value" "a compare and exchange"
	build_object '__sync_fetch_and_add(&counter, 1)' tp_btf/x
	accept_object atomics "an atomic add whose value nobody reads"
	sed -i 's/^ATOMICS_ALLOWED=.*/ATOMICS_ALLOWED=(planted)/' "$COPY/tools/check"
	build_object 'ctx[3] = __sync_fetch_and_add(&counter, 1)' tp_btf/x
	accept_object atomics "one in the allow list"
	remove bpf/planted.bpf.c
}

test_texts() {
	local marker

	plant tests/planted.c <<<'int a;'
	expect licenses tests/planted.c "no SPDX line" "a file without a licence line"
	plant tests/planted.c <<<"/* $SPDX */"
	accept licenses tests/planted.c "a file with one"
	plant tests/planted.json <<<'{}'
	accept licenses tests/planted.json "a format without comments"

	plant planted.md <<<"see http://$HOST/debian"
	expect hosts planted.md:1 "package registry" "a registry's host"
	plant planted.md <<<'see https://kernel.org/doc'
	accept hosts planted.md "another host"

	for marker in "${MARKERS[@]}"; do
		plant tests/planted.c <<<"/* $marker: later */"
		expect markers tests/planted.c:1 "unfinished" "a marker of unfinished work"
	done
	plant tests/planted.c <<<'mktemp a.XXXXXX'
	accept markers tests/planted.c "a template of mktemp"

	printf '#!/bin/bash\nif true; then\n' | plant tools/planted
	expect scripts tools/planted "syntax error" "a broken script"
	printf '#!/bin/sh\ntrue\n' | plant tools/planted
	expect scripts tools/planted "executable" "a script that is not executable"
	printf '#!/bin/sh\ntrue\n' | (umask 022 && cat >"$COPY/tools/planted")
	chmod +x "$COPY/tools/planted"
	git -C "$COPY" add tools/planted
	accept scripts tools/planted "a good script"
}

copy_tree
test_includes
test_format
test_guards
test_objects
test_texts
echo "1..$TESTS"
exit $FAILED
