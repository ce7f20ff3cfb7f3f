# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# shellcheck disable=SC3043 # busybox has local
# The steps of guest.sh that record: sourced by it. A recording is left in /out as NAME.truth (what
# the program says it did), NAME.ndjson, NAME.err and a line in /out/comparisons, from which live.py
# compares them on the host.

TRACEFS=/sys/kernel/tracing
ATTACH_SECONDS=40

# wait_for SECONDS COMMAND... : until it holds.
wait_for() {
	local left=$(($1 * 50))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.02
	done
}

# Has a child ended, without being waited for?
has_ended() {
	local pid name state rest
	# shellcheck disable=SC2034 # the others stand around it
	read -r pid name state rest <"/proc/$1/stat"
	[ "$state" = Z ]
}

# A line that begins so in a file? Without a process, so that it can be asked often.
has_line() {
	local line
	while read -r line; do
		case $line in "$1"*) return ;; esac
	done <"$2"
	return 1
}

# end SIGNAL PID
end() {
	kill -"$1" "$2"
	wait "$2" 2>/dev/null
}

# start_program NAME PROGRAM [ARG...] : it waits for go. -> $program
start_program() {
	local name=$1 path=/programs/$2
	shift 2
	rm -f /tmp/go
	mkfifo /tmp/go
	exec 3<>/tmp/go
	"$path" --wait "$@" </tmp/go >"/out/$name.truth" 2>&1 3>&- &
	program=$!
	wait_for 10 has_line ready "/out/$name.truth"
}

go() {
	echo go >&3
	exec 3>&-
}

is_attached() {
	has_line attached "/out/$1.err" || has_ended "$tracer"
}

# start_tracer NAME [ARG...] : returns when it is attached, or has failed. -> $tracer
# Without what accounts IO and memory, unless it is asked for: an emulated CPU verifies those programs for
# long. And with no budget, because what is compared is exact.
start_tracer() {
	local name=$1
	shift
	# shellcheck disable=SC2153 # of guest.sh
	$PROGRAM --io-source off --heap off --max-overhead 0 "$@" >"/out/$name.txt" 2>"/out/$name.err" 3>&- &
	tracer=$!
	wait_for $ATTACH_SECONDS is_attached "$name"
}

# record NAME OPTIONS PROGRAM [ARG...] : a recording from before the program's first work to its end.
record() {
	local name=$1 options=$2 ended
	shift 2
	start_program "$name" "$@"
	# shellcheck disable=SC2086 # several options
	start_tracer "$name" -p "$program" -o "/out/$name.ndjson" $options
	go
	wait "$program"
	ended=$?
	wait "$tracer"
	is "$ended:$?" 0:0 "$name: the program and the recording end well"
}

# record_alone NAME OPTIONS PROGRAM [ARG...] : the program has a CPU for itself, and nothing preempts
# it there: where programs of the tracer are skipped when another one of theirs is preempted, see
# live.py, such a recording is whole.
record_alone() {
	local name=$1 options=$2 everywhere=$PROGRAM
	shift 2
	PROGRAM="taskset 1 $everywhere"
	record "$name" "$options" "$@" --alone 1
	PROGRAM=$everywhere
}

# record_quiet NAME OPTIONS PROGRAM [ARG...] : the program goes on, and does nothing more, until the
# recording has ended.
record_quiet() {
	local name=$1 options=$2 ended
	shift 2
	start_program "$name" "$@"
	# shellcheck disable=SC2086 # several options
	start_tracer "$name" -p "$program" -o "/out/$name.ndjson" $options
	go
	wait_for 60 has_line quiet "/out/$name.truth"
	kill -INT "$tracer"
	wait "$tracer"
	ended=$?
	kill -USR1 "$program"
	wait "$program"
	is "$ended:$?" 0:0 "$name: the recording and the program end well"
}

# compare NAME WHAT [ARG...] : live.py's part.
compare() {
	echo "$@" >>/out/comparisons
}

# The rungs of attaching uprobes that this kernel has, best first.
rungs() {
	if grep -q '"rung":"uprobe.multi"' /out/check.json; then
		echo multi
	fi
	echo tracefs perf
}

# Threads of known patterns against what each measured itself.
step_threads() {
	record threads '-o /out/threads.asnap' threads --threads 30 --seconds 1.5 --dir /tmp
	compare threads threads
}

has_pool() {
	cat "/proc/$program/task/"*/comm | grep -q condvar
}

# Threads that sleep when the tracer comes: what they wait for must be found out.
step_asleep() {
	/programs/threads --threads 20 --seconds 50 --dir /tmp >/out/asleep.truth 2>&1 &
	program=$!
	wait_for 20 has_pool
	start_tracer asleep -p "$program" -d 1 -o /out/asleep.ndjson
	wait "$tracer"
	is $? 0 "a recording of a second ends well"
	end KILL "$program"
	compare asleep asleep
}

# Frames and tasks through each rung: the best one with every scenario, the others with those that
# differ most in their calls. The tracer mounts tracefs itself where nobody did.
step_marks() {
	local rung scenario scenarios='nest deep missing-leave thread-exit wakes cancel ordering'
	case $(rungs) in
	multi*) ;;
	*)
		for scenario in $scenarios; do
			skip "multi-$scenario: the program and the recording end well" \
				"no uprobe.multi in this kernel"
		done
		;;
	esac
	umount /sys/kernel/debug/tracing /sys/kernel/debug $TRACEFS 2>/dev/null
	[ ! -e $TRACEFS/uprobe_events ]
	ok $? "nobody has mounted tracefs"
	for rung in $(rungs); do
		for scenario in $scenarios; do
			record "$rung-$scenario" "--slices --attach $rung" marks "$scenario"
			compare "$rung-$scenario" marks "$scenario" "$rung"
		done
		[ -n "$FULL" ] || scenarios='nest missing-leave wakes'
	done
	[ -e $TRACEFS/uprobe_events ]
	ok $? "tracefs is mounted by who needs it"
}

# 100 probes are armed and disarmed in under 200 ms each, by the best rung that the kernel has.
step_arm() {
	local rungs=best output name armed disarmed held left
	[ -z "$FULL" ] || rungs='best tracefs perf'
	# shellcheck disable=SC2086 # several words
	output=$(/tools/arm_100 $rungs 2>&1)
	ok $? "100 probes" "$output"
	echo "$output" | sed 's/^/# /'
	echo "$output" | head -n 1 >/tmp/best
	IFS="$(printf '\t')" read -r name armed disarmed held left </tmp/best
	is "$held:$left" 100:0 "breakpoints while armed and afterwards"
	[ "${armed%.*}" -lt 200 ]
	ok $? "$name: armed in under 200 ms" "$armed ms"
	[ "${disarmed%.*}" -lt 200 ]
	ok $? "$name: disarmed in under 200 ms" "$disarmed ms"
}

# Uprobe programs that are preempted all the time, by each other and by a stranger: what makes the
# kernel of finding A oops. More threads than CPUs, each in a probe most of the time.
step_load() {
	local burner
	/programs/spin 2 60 >/dev/null 2>&1 &
	burner=$!
	record load '' marks rate 8000 5 6
	end TERM $burner
	compare load load
}

# Files, sockets and connections, by the sources of IO accounting: the best one with what it has
# beside it, and each of the others on its own. Attaching takes long where the CPU is emulated, so not
# all of them every time.
io_sources() {
	if [ -n "$FULL" ]; then
		echo auto syscall syscall-classic fentry kprobe kprobe-tracefs
	else
		echo auto fentry kprobe
	fi
}

conn_sources() {
	if [ -n "$FULL" ]; then
		io_sources
	else
		echo kprobe-tracefs
	fi
}

step_io() {
	local source
	mkdir -p /disk
	mount -t ext4 /dev/nvme0n1 /disk
	ok $? "a disk is mounted"
	for source in $(io_sources); do
		if [ "$LABEL:$source" = new:auto ]; then
			record_alone "io-$source" "--io-source $source" io_truth --dir /disk
			compare "io-$source" alone "$source"
		else
			record "io-$source" "--io-source $source" io_truth --dir /disk
			compare "io-$source" io "$source"
		fi
	done
	for source in $(conn_sources); do
		record_quiet "conn-$source" "--io-source $source" conn_truth
		compare "conn-$source" conn "$source"
	done
}

# What io_uring does, at once and in the threads that the kernel makes for it.
step_ring() {
	local source
	for source in auto ${FULL:+fentry kprobe}; do
		record "ring-$source" "--io-source $source" io_workers /tmp
		compare "ring-$source" ring "$source"
	done
}

# Memory: every function of the malloc family through each rung, in threads. The program is linked
# statically, with symbols.
step_heap() {
	local rung
	for rung in $(rungs); do
		record_quiet "heap-$rung" "--heap exact --attach $rung" heap_truth core
		compare "heap-$rung" heap "$rung"
	done
}

# Hardware counters: stood in for by software events; without them null, with the reason.
step_hw() {
	record hw-sw '--hw sw --slices' marks nest
	compare hw-sw hw sw
	record hw-none '--slices' marks nest
	compare hw-none hw none
}

# left_behind : what is there of tracers.
left_behind() {
	xargs /tools/left_behind "$program" </tools/spin.addresses
}

nothing_left() {
	[ "$(left_behind)" = '0 programs, 0 links, 0 breakpoints' ]
}

progress() {
	tail -n 1 /out/kill.truth
}

moved_from() {
	[ "$(progress)" != "$1" ]
}

# kill -9 of an attached tracer: the target goes on, nothing stays in it or in the kernel but tracefs
# events, which the next start removes.
step_kill() {
	local rung before
	start_program kill spin 2 300
	go
	for rung in $(rungs); do
		start_tracer "kill-$rung" -p "$program" -o /out/killed.ndjson --attach "$rung"
		like "$(left_behind)" '^[1-9][0-9]* programs, [1-9][0-9]* links, 5 breakpoints' \
			"$rung: attached, there is something that could be left"
		end KILL "$tracer"
		before=$(progress)
		wait_for 10 moved_from "$before"
		ok $? "$rung: the target goes on"
		wait_for 20 nothing_left
		ok $? "$rung: no program, link or breakpoint is left" "$(left_behind)"
		if [ "$rung" = tracefs ]; then
			grep -q asyncscope $TRACEFS/uprobe_events
			ok $? "$rung: its event is left"
		fi
	done
	start_tracer kill-kprobes -p "$program" -o /out/killed.ndjson --io-source kprobe-tracefs
	grep -q "asyncscope_$tracer/" $TRACEFS/kprobe_events
	ok $? "kprobes of tracefs: attached"
	end KILL "$tracer"
	wait_for 20 nothing_left
	ok $? "kprobes of tracefs: no program, link or breakpoint is left" "$(left_behind)"
	grep -q asyncscope $TRACEFS/kprobe_events
	ok $? "kprobes of tracefs: its events are left"
	start_tracer kill-next -p "$program" -d 1 -o /out/kill-next.ndjson --io-source auto
	wait "$tracer"
	is $? 0 "the next recording works"
	is "$(grep -h asyncscope $TRACEFS/uprobe_events $TRACEFS/kprobe_events)" '' \
		"no stale tracefs event is left after it"
	end KILL "$program"
}
