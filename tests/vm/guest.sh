#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What runs in each guest of the kernel matrix: the steps below, as TAP. Started by matrix.t, in a
# guest that has busybox, the static program in /usr/sbin, the truth programs in /programs, what
# matrix.t built in /tools, and this file. What a step leaves in /out is looked at by matrix.t on the
# host.
#
# guest.sh LABEL VERSION [FULL [STEP...]]	all steps by default but those that io.t asks for
#
# shellcheck disable=SC3043,SC2317 # busybox has local; the steps are called by name
#
# A new step is a function step_NAME and a row in STEPS. It prints its results by ok, is, like and
# skip; a skip names the missing feature, and a step must not be skipped on every kernel.

LABEL=$1 VERSION=$2 FULL=${3:-}
if [ $# -gt 3 ]; then shift 3; else set --; fi
PROGRAM=asyncscope-bpf

STEPS='
kernel
mounts
version
truth
check
placed
threads
asleep
marks
arm
heap
load
hw
kill
'

tests=0 failed=0 step=

# ok STATUS NAME [DIAGNOSTIC] : one result.
ok() {
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - $step: $2"
		return
	fi
	failed=1
	echo "not ok $tests - $step: $2"
	[ -z "$3" ] || echo "$3" | head -n 30 | sed 's/^/# /'
}

# is GOT WANTED NAME
is() {
	[ "$1" = "$2" ]
	ok $? "$3" "got '$1', wanted '$2'"
}

# like TEXT REGEX NAME
like() {
	echo "$1" | grep -Eq -e "$2"
	ok $? "$3" "no match for $2 in: $1"
}

skip() {
	tests=$((tests + 1))
	echo "ok $tests - $step: $1 # SKIP $2"
}

# The labels mean what tests expect of them; "new" can show the private-stack oops (finding A).
step_kernel() {
	local release preempt
	release=$(uname -r)
	case $LABEL in
	new)
		preempt=$(cat /sys/kernel/debug/sched/preempt)
		like "$release" '^(6[.](1[3-9]|[2-9][0-9])|[7-9])[.]' "is 6.13 or newer"
		like "$preempt" '[(]lazy[)]' "preempts lazily"
		;;
	*) like "$release" "^${LABEL}[.]" "is $LABEL" ;;
	esac
}

step_mounts() {
	local path
	for path in /sys/kernel/tracing/uprobe_events /sys/kernel/debug/tracing \
		/sys/kernel/btf/vmlinux /sys/fs/cgroup/cgroup.procs /dev/null /dev/shm; do
		[ -e "$path" ]
		ok $? "$path"
	done
	grep -q ' /sys/fs/bpf bpf ' /proc/mounts
	ok $? "bpf on /sys/fs/bpf"
	ip addr show lo | grep -q 'inet 127.0.0.1'
	ok $? "loopback is up"
}

step_version() {
	local output
	output=$($PROGRAM --version 2>&1)
	is $? 0 "the static program runs"
	like "$output" "(^| )$VERSION( |\$)" "says version $VERSION"
}

# The truth programs run here.
step_truth() {
	local output
	output=$(timeout 60 /programs/spin 2 1 2>&1)
	is $? 0 "spin ends well" "$output"
	like "$output" '^ready [0-9]+' "spin says ready"
}

# Its rows are compared with expect.tsv on the host, by matrix.t.
step_check() {
	$PROGRAM check --json >/out/check.json 2>/out/check.err
	ok $? "check --json" "$(cat /out/check.err)"
	[ -s /out/check.json ]
	ok $? "says something" "$(cat /out/check.err)"
}

# tests/bpf/test_placed.c: what instructions this kernel emulates, and where probes go.
step_placed() {
	local output
	output=$(timeout 100 /tools/placed 2>&1)
	ok $? "probes are where they should be, and cost what they should" \
		"$(echo "$output" | grep -v '^ok')"
	like "$output" '^1[.][.][1-9][0-9]' "all of it ran"
}

# shellcheck source=tests/vm/guest_live.sh
. /guest_live.sh

[ $# = 0 ] || STEPS=$*
for step in $STEPS; do
	started=$(cut -d . -f 1 /proc/uptime)
	step_"$step"
	echo "# $step: $(($(cut -d . -f 1 /proc/uptime) - started)) s"
done
echo "1..$tests"
exit $failed
