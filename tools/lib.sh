# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts in tools/ and tests/ share: messages, the cache directory and the kernel labels.
# Sourced by them with: . "$ROOT/tools/lib.sh"

# The kernels of the matrix, oldest first. tools/kernels says what stands behind each label.
# shellcheck disable=SC2034 # used by who sources this
KERNEL_LABELS=(5.10 6.1 6.12 new)

note() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	note "$*"
	exit 1
}

# Prints the comment that the calling script opens with.
usage() {
	sed -n '3,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"
}

# Called by the scripts that fetch and keep things between runs.
cache_dir() {
	printf '%s\n' "${ASYNCSCOPE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/asyncscope-bpf}"
}

# need_commands COMMAND... : dies naming every command that is missing.
need_commands() {
	local name missing=()
	for name in "$@"; do
		command -v "$name" >/dev/null || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]} (run tools/deps)"
}
