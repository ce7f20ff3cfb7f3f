#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ways to name a target, the ways to attach (each rung of the ladder on its own), and the forms
# of output: they all lead to the same recording.
# shellcheck source=tests/live/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

# each rung; where the kernel lacks one, `check` says so and a lower one is taken
for rung in multi tracefs perf; do
	options=(--slices --attach "$rung")
	record "$work/$rung.ndjson" marks nest
	compare marks.py nest "$program_out" "$work/$rung.ndjson"
	like "$(head -n 1 "$work/$rung.ndjson")" "\"sources\".*(uprobe|$rung)" \
		"--attach $rung: the recording says how it attached"
done

# a command of ours: recorded from its first instruction on
run_tracer 60 -o "$work/command.ndjson" -o "$work/command.txt" -- "$PROGRAMS/marks" nest
is "$status" 0 "-- CMD: exit 0" || diag "$err"
grep '^{"task"' <<<"$out" >"$work/command.truth"
is "$(wc -l <"$work/command.truth")" 4 "-- CMD: its output comes through"
like "$(cat "$work/command.txt")" 'marks' "-o x.txt: the summary as a file"
recorded=$(grep '"record": *"task"' "$work/command.ndjson")
is "$(grep -c '"runtime": *"marks"' <<<"$recorded")" 4 "-- CMD: its tasks are there"
unlike "$recorded" '"seen_from_start": *false' "-- CMD: seen from the start"

run_tracer 30 -o "$work/none.ndjson" -- "$work/no-such-command"
[ "$status" -ne 0 ]
ok $? "-- CMD that is not there: fails"
like "$err" 'no such file' "-- CMD that is not there: says so"

# a recorder that is killed before it has attached never lets the command run
for after in 0.02 0.06 0.1; do
	"$TRACER" -q -- touch "$work/ran-alone" >/dev/null 2>&1 &
	killed=$!
	sleep "$after"
	kill -KILL "$killed" 2>/dev/null
	wait "$killed" 2>/dev/null
done
sleep 0.3
[ ! -e "$work/ran-alone" ]
ok $? "-- CMD: does not run when the recorder is killed first"

# two processes by their ids, and all of a name
cp "$PROGRAMS/spin" "$work/spin-by-name"
for i in 1 2; do
	"$work/spin-by-name" 1 60 >"$work/spin.$i" 2>&1 </dev/null &
	started+=("$!")
	pids[i]=$!
	wait_line "$work/spin.$i" '^[1-9]' 10 "${pids[i]}"
done
for by in "-p ${pids[1]},${pids[2]}" "-n spin-by-name"; do
	read -ra target <<<"$by"
	run_tracer 30 "${target[@]}" -d 1 -o "$work/two.ndjson"
	is "$status" 0 "$by: exit 0" || diag "$err"
	for i in 1 2; do
		like "$(grep '"runtime": *"marks"' "$work/two.ndjson")" "\"pid\": *${pids[i]}\b" \
			"$by: process $i has its tasks"
	done
done

# a cgroup: by its path below the mount, by a part of its name; who joins later is recorded too
mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
group=$mount/asyncscope-test-$$
if [ -n "$mount" ] && mkdir "$group" 2>/dev/null; then
	echo "${pids[1]}" >"$group/cgroup.procs"
	(sleep 1 && echo "${pids[2]}" >"$group/cgroup.procs") &
	run_tracer 30 -c "${group##*/}" -d 4 -o "$work/group.ndjson"
	is "$status" 0 "-c: exit 0" || diag "$err"
	for i in 1 2; do
		like "$(grep '"runtime": *"thread"' "$work/group.ndjson")" "\"pid\": *${pids[i]}\b" \
			"-c: process $i is recorded"
		echo "${pids[i]}" >"$mount/cgroup.procs"
	done
	rmdir "$group"
else
	skip "-c" "no writable cgroup2"
fi
run_tracer 30 -c no-such-group-here -d 1
is "$status" 4 "-c of none: exit 4"
run_tracer 30 -p "${pids[1]}" -d 1 --hw sw -o "$work/hw.ndjson"
python3 - "$work/hw.ndjson" <<'EOF'
import json, sys
tasks = [row for row in map(json.loads, open(sys.argv[1])) if row["record"] == "task"]
cpu = sum(task["time"]["on_cpu_ns"] for task in tasks)
counted = sum(task["cpu_metrics"]["cpu_cycles"] for task in tasks)
sys.exit(not (cpu > 1e8 and abs(counted - cpu) <= 0.05 * cpu))
EOF
ok $? "--hw sw: the CPU clock as a counter agrees with the CPU time within 5%"
run_tracer 30 -p "${pids[1]}" -d 1 --hw off -o "$work/hw.ndjson"
like "$(grep '"record": *"task"' "$work/hw.ndjson")" '"cpu_metrics.cpu_cycles": *"switched off' \
	"--hw off: null with the reason"
run_tracer 30 -n no-such-name-here -d 1
is "$status" 4 "-n of nobody: exit 4"

# forms of output
run_tracer 30 -p "${pids[1]}" -d 1 --json
is "$(head -n 1 <<<"$out" | cut -c1-17)" '{"record":"meta",' "--json: NDJSON on stdout" ||
	diag "$(head -c 300 <<<"$out")"
run_tracer 30 -p "${pids[1]}" -d 1 -q
is "$status:$err" "0:" "-q: nothing on stderr"
run_tracer 30 -p "${pids[1]}" -d 1 -o "$work/all.asnap" -o "$work/all.html" -o "$work/all.ndjson"
is "$status" 0 "three outputs: exit 0"
like "$(head -c 200 "$work/all.html")" '<!doctype html>' "x.html is a page"
"$TRACER" export -t ndjson "$work/all.asnap" >"$work/exported.ndjson" 2>"$work/export.err"
is $? 0 "the snapshot exports" || diag "$(cat "$work/export.err")"
is "$(grep -v '"record": *"meta"' "$work/exported.ndjson" | sort | md5sum)" \
	"$(grep -v '"record": *"meta"' "$work/all.ndjson" | sort | md5sum)" \
	"and says what the recording said"
is "$(stat -c %a "$work/all.asnap")" 600 "the snapshot is its owner's alone"

done_testing
