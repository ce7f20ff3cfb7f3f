/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime `marks`: a program that says itself what it does, by calling functions of its own
 * named asyncscope_spawn(id, kind), _enter(id, stack), _leave(id), _wake(id), _end(id, state). It
 * drives frames through the whole path in tests, and serves programs with a runtime that we do not
 * know. `stack` is the address of the stack frame that the task runs in, or NULL: when that frame is
 * gone without a _leave, so is the task.
 */
#include "core.bpf.h"

SEC("?uprobe")
int BPF_KPROBE(marks_spawn, u64 id, u64 kind)
{
	UPROBE_GUARD(ctx);
	verb_spawn(RUNTIME_MARKS, id, kind, 0);
	return 0;
}

SEC("?uprobe")
int BPF_KPROBE(marks_enter, u64 id, u64 stack)
{
	UPROBE_GUARD(ctx);
	verb_enter(RUNTIME_MARKS, id, 0, stack);
	return 0;
}

SEC("?uprobe")
int BPF_KPROBE(marks_leave, u64 id)
{
	UPROBE_GUARD(ctx);
	verb_leave(RUNTIME_MARKS, id);
	return 0;
}

SEC("?uprobe")
int BPF_KPROBE(marks_wake, u64 id)
{
	UPROBE_GUARD(ctx);
	verb_wake(RUNTIME_MARKS, id);
	return 0;
}

SEC("?uprobe")
int BPF_KPROBE(marks_end, u64 id, u32 state)
{
	UPROBE_GUARD(ctx);
	verb_end(RUNTIME_MARKS, id, state);
	return 0;
}
