#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tools/vm itself: a guest's output, exit code and files come out as they are, and a kernel that
# breaks is seen. The break is the one that the guard of every uprobe program is for: without it the
# newest kernel oopses under load, with it it does not. Run by tests/run, as root.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# shellcheck source=tools/lib.sh
. "$ROOT/tools/lib.sh"

GUESTS=2
TESTS=0 FAILED=0
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

result() {
	TESTS=$((TESTS + 1))
	if [ "$1" = 0 ]; then
		echo "ok $TESTS - $2"
	else
		echo "not ok $TESTS - $2"
		FAILED=1
	fi
}

# is GOT WANTED NAME
is() {
	if [ "$1" = "$2" ]; then
		result 0 "$3"
	else
		result 1 "$3"
		printf "got '%s'\nwanted '%s'\n" "$1" "$2" | sed 's/^/# /'
	fi
}

# boot NAME ARGUMENT... : tools/vm in the background, what it says is kept under NAME.
boot() {
	local name=$1
	shift
	while [ "$(jobs -rp | wc -l)" -ge $GUESTS ]; do
		wait -n || true
	done
	{
		code=0
		"$ROOT/tools/vm" "$@" >"$WORK/$name.output" 2>"$WORK/$name.errors" || code=$?
		echo $code >"$WORK/$name.code"
	} &
}

# code_is NAME CODE TEXT : the exit code of a boot.
code_is() {
	is "$(cat "$WORK/$1.code")" "$2" "$3"
	[ "$(cat "$WORK/$1.code")" = "$2" ] || tail -n 20 "$WORK/$1.errors" | sed 's/^/# /'
}

build() {
	local variant
	for variant in unguarded guarded; do
		clang -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter \
			"$([ $variant = guarded ] && echo -DGUARD || echo -UGUARD)" \
			-idirafter /usr/include/x86_64-linux-gnu \
			-c -o "$WORK/$variant.bpf.o" "$HERE/preempted.bpf.c"
	done
	gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -static -o "$WORK/preempted" \
		"$HERE/preempted.c" -lbpf -lelf -lzstd -lz -lpthread
}

# The load of finding A, on a kernel, with or without the guard.
boot_preempted() {
	local label=$1 variant=$2
	boot "$variant-$label" --file "$WORK/preempted:/bin/preempted" \
		--file "$WORK/$variant.bpf.o:/program.o" \
		"$label" -- /bin/preempted /program.o 4
}

build
head -c 100000 /dev/urandom >"$WORK/random"
{ echo on a disk && head -c 1M /dev/zero; } >"$WORK/disk"
"$ROOT/tools/kernels" >/dev/null

boot_preempted new unguarded
boot_preempted new guarded
# shellcheck disable=SC2016 # expanded in the guest
boot plain --file "$WORK/random:/random" --disk "$WORK/disk" --out "$WORK/out" 5.10 -- sh -c \
	'printf "a\n\nb  c"; cp /random /out/copy; mkdir /out/dir; echo x >/out/dir/x;
	head -c 9 /dev/nvme0n1 >/out/disk; echo planted >/dev/nvme0n1; sync; exit $1' sh 7
boot late --timeout 15 6.12 -- 'echo before; sleep 60'
for label in 6.1 new; do
	boot "root-$label" --root --file "$WORK/random:/tmp/random" --out "$WORK/out-$label" \
		"$label" -- 'python3 -c "print(6 * 7)"; cp /tmp/random /out/copy; touch /usr/planted; exit 3'
done
wait

code_is plain 7 "the command's exit code is the exit code"
is "$(cat "$WORK/plain.output" && echo .)" "$(printf 'a\n\nb  c.')" "its output comes out as it is"
is "$(sha1sum <"$WORK/out/copy")" "$(sha1sum <"$WORK/random")" "so do the files of /out"
is "$(cat "$WORK/out/dir/x")" x "and its directories"
is "$(cat "$WORK/out/disk")" "on a disk" "it has the disk"
is "$(head -n 1 "$WORK/disk")" "on a disk" "and what it writes there is forgotten"
code_is late 124 "a command that takes too long ends with 124"
is "$(cat "$WORK/late.output")" before "and what it said until then"
for label in 6.1 new; do
	code_is "root-$label" 3 "$label: with the host's root, the exit code"
	is "$(cat "$WORK/root-$label.output")" 42 "$label: the host's programs run there"
	is "$(sha1sum <"$WORK/out-$label/copy")" "$(sha1sum <"$WORK/random")" "$label: files go in and out"
done
is "$(ls /usr/planted 2>/dev/null)" "" "what a guest writes stays in the guest"

code_is unguarded-new 123 "an unguarded uprobe program breaks the newest kernel, and that is seen"
grep -Eq 'Oops|BUG' "$WORK/unguarded-new.errors" && good=0 || good=$?
result "$good" "the kernel's words are printed"
code_is guarded-new 0 "with the guard it does not"
grep -q '^hits [1-9]' "$WORK/guarded-new.output" && good=0 || good=$?
result "$good" "and the program ran"

echo "1..$TESTS"
exit $FAILED
