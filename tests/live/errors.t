#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong: one clear line and the exit code of facts/report.md (1 failure, 2 usage, 3
# environment or permission, 4 no target), before anything is attached.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

# fails CODE REGEX DESCRIPTION [ARG...]
fails() {
	local code=$1 regex=$2 what=$3

	shift 3
	run_tracer 20 "$@"
	is "$status" "$code" "$what: exit $code" || diag "$err"
	like "$err" "$regex" "$what: says so"
	is "$(grep -c . "$tracer_err")" 1 "$what: in one line" || diag "$err"
	unlike "$err" '^attached|libbpf:' "$what: attached nothing, no text of libbpf"
}

sleep 0.01 &
gone=$!
wait "$gone"
fails 4 "$gone|no (such )?process" "no such PID" -p "$gone"
if [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; then
	fails 4 'kernel thread' "kernel thread" -p 2
else
	skip "kernel thread" "no kernel threads in this pid namespace"
fi

python3 -c 'import os, sys, time
pid = os.fork()
if not pid:
    os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(pid, flush=True)
time.sleep(60)' >"$work/zombie" &
parent=$!
started+=("$parent")
wait_line "$work/zombie" '^[0-9]+$' 10 "$parent"
fails 4 'zombie' "zombie" -p "$(cat "$work/zombie")"
kill -KILL "$parent"

start_program spin 2 120
go
target=$program

# options
for bad in "-d x" "-d -1" "-d" "--no-such-option" "-o x.unknown" "-p x" "-p -1" "--max-memory x"; do
	args=($bad)
	[ "${args[0]}" = -p ] || args=(-p "$target" "${args[@]}")
	run_tracer 20 "${args[@]}"
	is "$status" 2 "$bad: exit 2" || diag "$err"
	unlike "$err" '^attached' "$bad: attached nothing"
done
run_tracer 20
is "$status" 2 "no target given: exit 2"
like "$err" '-p' "no target given: says how"

# outputs
fails 1 'no such file or directory' "directory that is not there" -p "$target" -d 1 \
	-o "$work/none/x.ndjson"
mkdir "$work/full" "$work/dir.ndjson"
fails 1 'is a directory' "output is a directory" -p "$target" -d 1 -o "$work/dir.ndjson"
if mount -t tmpfs -o size=8k tmpfs "$work/full"; then
	mounted+=("$work/full")
	for suffix in ndjson asnap html; do
		run_tracer 30 -p "$target" -d 1 -o "$work/full/x.$suffix"
		is "$status" 1 "full disk, $suffix: exit 1" || diag "$err"
		like "$err" "x\.$suffix.*no space left" "full disk, $suffix: says which file and why"
		rm -f "$work/full/"*
	done
	# what can be written is written
	run_tracer 30 -p "$target" -d 1 -o "$work/full/x.ndjson" -o "$work/good.ndjson"
	is "$status" 1 "full disk and a good one: exit 1"
	[ -s "$work/good.ndjson" ]
	ok $? "full disk and a good one: the good one is written"
	mount -o remount,ro,size=8k "$work/full"
	fails 1 'read-only' "read-only file system" -p "$target" -d 1 -o "$work/full/y.ndjson"
else
	skip "full disk" "cannot mount a tmpfs"
fi

# a kernel without type information
if unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf' 2>/dev/null; then
	err=$(unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf; exec "$0" -p "$1" -d 1' "$TRACER" \
		"$target" 2>&1 >/dev/null)
	is $? 3 "no BTF: exit 3"
	like "$err" 'CONFIG_DEBUG_INFO_BTF' "no BTF: names the remedy"
	is "$(grep -c . <<<"$err")" 1 "no BTF: in one line" || diag "$err"
else
	skip "no BTF" "cannot hide /sys/kernel/btf in a mount namespace"
fi

# not root: the program must be where nobody can run it
open=$(mktemp -d /tmp/asyncscope.XXXXXX)
cp "$TRACER" "$open/asyncscope-bpf"
chmod 755 "$open" "$open/asyncscope-bpf"
setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
	"$open/asyncscope-bpf" -p "$target" -d 1 -o "$open/x.ndjson" >"$work/user.out" 2>"$work/user.err"
is $? 3 "not root: exit 3"
for capability in CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_CHECKPOINT_RESTORE CAP_DAC_READ_SEARCH; do
	like "$(cat "$work/user.err")" "$capability" "not root: names $capability"
done
is "$(grep -c . "$work/user.err")" 1 "not root: in one line" || diag "$(cat "$work/user.err")"

# with these capabilities and no other it works
caps=+bpf,+perfmon,+sys_ptrace,+checkpoint_restore,+dac_read_search
chown 65534 "$open"
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$caps" --ambient-caps "$caps" \
	--bounding-set "$caps" "$open/asyncscope-bpf" -p "$target" -d 0.5 -o "$open/x.ndjson" \
	>"$work/user.out" 2>"$work/user.err"
is $? 0 "the five capabilities suffice" || diag "$(cat "$work/user.err")"
like "$(cat "$open/x.ndjson")" '"record": *"task"' "the five capabilities suffice: tasks are recorded"
rm -rf "$open"

# two tracers on one target
start_tracer -p "$target" -d 3 -o "$work/first.ndjson"
first=$tracer
start_tracer -p "$target" -d 1 -o "$work/second.ndjson"
wait_end "$tracer" 20
is "$status" 0 "two tracers: the second one ends well"
wait_end "$first" 20
is "$status" 0 "two tracers: the first one ends well"
compare two.py "$work/first.ndjson" "$work/second.ndjson"
alive "$target"
ok $? "the target lives through all of it"
kill -TERM "$target"

done_testing
