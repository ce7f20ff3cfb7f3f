#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The report's page in a real browser. Checks what it needs, then page-test.mjs says the TAP.
# Needs: make unit (test_report writes the pages), chromium, node, and tools/page-tools once.
# What is missing fails with the remedy: a page that nobody looked at is not a page that works.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
npm=${XDG_CACHE_HOME:-$HOME/.cache}/asyncscope-bpf/npm

missing()
{
	echo "not ok 1 - $1 ($2)"
	echo '1..1'
	exit 1
}

command -v node >/dev/null || missing 'node is missing' 'run tools/page-tools, it says what to install'
[ -x /usr/bin/chromium ] || missing '/usr/bin/chromium is missing' 'install the package chromium'
[ -d "$npm/node_modules/playwright-core" ] && [ -d "$npm/node_modules/axe-core" ] ||
	missing 'playwright-core or axe-core is missing' 'run tools/page-tools'
[ -x "$build/tests/unit/test_report" ] || missing "$build/tests/unit/test_report is missing" 'run make unit'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PAGE_NPM=$npm PAGE_DIR=$dir PAGE_GENERATOR=$build/tests/unit/test_report timeout 300 \
	node "$here/page-test.mjs"
