#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files, sockets and connections on every kernel of the matrix, by the sources of IO accounting: a test
# of its own, because attaching all that takes long where the CPU is emulated.
#
# tests/vm/io.t [LABEL...]	and the variables of matrix.t
STEPS='io ring' GUEST_SECONDS=290 exec "$(dirname "$0")/matrix.t" "$@"
