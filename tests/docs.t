#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The man page and README.md say what the program does: options, commands, exit codes, counters,
# capabilities and file names are held against the code, both ways. Run by tests/run.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

BUILD=${BUILD:-$PWD/build}
program=$BUILD/asyncscope-bpf
page=asyncscope-bpf.8
export LC_ALL=C

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

# same DOCUMENTED REAL DESCRIPTION : two lists, one item per line, in any order; none is empty.
same() {
	local difference

	difference=$(diff <(sort -u <<<"$1") <(sort -u <<<"$2") |
		sed -n 's/^</only documented:/p; s/^>/not documented:/p')
	[ -n "$1" ] && [ -n "$2" ] && [ -z "$difference" ]
	ok $? "$3" "${difference:-a list is empty}"
}

# section NAME : the man page's lines of it. subsection NAME reads on.
section() {
	awk -v want=".Sh $1" '/^\.Sh /{on = $0 == want; next} on' "$page"
}
subsection() {
	awk -v want=".Ss $1" '/^\.Ss /{on = $0 == want; next} on'
}

# What the items of a list are called, one per line.
items() {
	sed -n 's/^\.It //p' | sed -E 's/^(Cm|Va|Pa) //; s/ , /\n/g' | grep .
}

# Options in the items of the man page: "Fl o , Fl -output Ar FILE" is -o and --output.
man_options() {
	sed -n 's/^\.It //p' | grep -oE 'Fl -?[A-Za-z][A-Za-z-]*' | sed 's/^Fl /-/'
}

# Options in a help text: what stands before the explanation, and in the line of usage.
help_options() {
	"$program" "$1" -h | sed -nE 's/^ +(-.*)$/\1/p; s/^[Uu]sage: (.*)$/\1/p' | sed -E 's/  +.*//' |
		sed 's/asyncscope-bpf//' | grep -oE '(^|[][ ,])--?[A-Za-z][A-Za-z-]*' |
		sed 's/^[][ ,]//'
}

commands=$(sed -n 's/^\t{"\([a-z]*\)", cmd_.*/\1/p' user/main.c)
same "$(section COMMANDS | items)" "$commands" "each command is in the man page"
same "$(section OPTIONS | sed -n 's/^\.Ss //p')" "$commands" "and has its options there"
for command in $commands; do
	same "$(section OPTIONS | subsection "$command" | man_options)" "$(help_options "$command")" \
		"$command: the options are those of -h"
	# by the program itself: an option that it does not know is wrong usage
	unknown=
	for option in $(section OPTIONS | subsection "$command" | man_options); do
		"$program" "$command" "$option" x -h </dev/null 2>&1 | grep -qE 'unrecognized|invalid option' &&
			unknown+=" $option"
	done
	[ -z "$unknown" ]
	ok $? "$command: takes each of them" "does not know$unknown"
done

same "$(section 'EXIT STATUS' | items)" \
	"$(sed -n 's/^\tEXIT_[A-Z_]* = \([0-9]*\),.*/\1/p' user/cmd/cmd.h)" "exit codes are those of cmd.h"

# counters: a loss is what the code calls one
wire=$(tr '\n' ' ' <bpf/wire.h | grep -oE 'X\([A-Z_]+, [a-z_]+, [01],' | sed 's/X([A-Z_]*, //')
others=$(cat user/cmd/meta.c user/model/*.c user/snapshot/*.c | tr -s '\n\t ' ' ' |
	grep -oE '(model__counter_add\( ?model, |\{)"[a-z_]+", ("[^"]*" ?)+, (true|false)' |
	sed -E 's/^[^"]*"([a-z_]+)".*, (true|false)$/\1 \2/')
same "$(section 'LOSSES AND COUNTERS' | subsection Losses | items)" \
	"$(sed -n 's/, 1,//p' <<<"$wire"; sed -n 's/ true//p' <<<"$others")" "each loss is there"
same "$(section 'LOSSES AND COUNTERS' | subsection 'Other counters' | items)" \
	"$(sed -n 's/, 0,//p' <<<"$wire"; sed -n 's/ false//p' <<<"$others")" "each other counter is there"

# `check` prints all rows, whatever the machine and whoever asks
same "$(section 'KERNELS AND RUNGS' | items)" \
	"$("$program" check --json | grep -oE '"capability":"[^"]*"' | cut -d'"' -f4)" \
	"each row of check is there"

suffixes=$("$program" report -h | grep -oE '( \.[a-z]+)+$' | tr ' ' '\n' | grep .)
same "$(section 'OUTPUT FORMATS' | items)" "$suffixes" "each format is there"

named=$(tr '\n' ' ' <user/live/caps.h | grep -oE 'CAP_[A-Z_]+' | grep -v CAPS_ | sort -u)
missing=$(for name in $named; do section PERMISSIONS | grep -q "$name" || echo "$name"; done)
[ -n "$named" ] && [ -z "$missing" ]
ok $? "the capabilities that messages name are there" "$missing"

# the page itself
if command -v mandoc >/dev/null; then
	warnings=$(mandoc -T lint -W error "$page" 2>&1)
	ok $? "mandoc finds no error" "$warnings"
elif command -v man >/dev/null && command -v groff >/dev/null; then
	warnings=$(man --warnings -l "$page" 2>&1 >/dev/null)
	[ -z "$warnings" ]
	ok $? "man finds nothing to warn of" "$warnings"
else
	ok 0 "man finds nothing to warn of # SKIP no man-db and no mandoc"
fi

# README.md
first=$(grep -E '^    [a-z]' README.md | head -n 2 | awk '{print $1}')
[ "$first" = "$(printf 'tools/demo\ntools/test')" ]
ok $? "README.md begins with the two commands" "$first"
[ -x tools/demo ] && [ -x tools/test ]
ok $? "which are there"
# shellcheck disable=SC2016 # backquotes of Markdown
same "$(grep -oE '^\| `user/[a-z]+/`' README.md | tr -d '|` ')" "$(printf '%s\n' user/*/)" \
	"README.md lists each folder of user/"
# shellcheck disable=SC2016
missing=$(grep -oE '`[a-zA-Z-]+/[A-Za-z0-9_./-]*`|`LICENSE`' README.md | tr -d '`' | sort -u |
	while read -r path; do [ -e "$path" ] || echo "$path"; done)
[ -z "$missing" ]
ok $? "the files that README.md names are there" "$missing"

echo "1..$test_cnt"
