#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The rules of tools/check as tests, one each. Run by tests/run, which sets BUILD.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
mapfile -t names < <(tools/check --list)
echo "1..${#names[@]}"
code=0
for i in "${!names[@]}"; do
	if output=$(tools/check "${names[i]}" 2>&1); then
		echo "ok $((i + 1)) - ${names[i]}"
	else
		echo "not ok $((i + 1)) - ${names[i]}"
		head -n 20 <<<"$output" | sed 's/^/# /'
		code=1
	fi
done
exit $code
