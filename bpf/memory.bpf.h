/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What system calls map and unmap, told by either source of system calls: the tracepoints, or the
 * kernel's functions for them. */
#ifndef MEMORY_BPF_H
#define MEMORY_BPF_H

#include <asm/unistd.h>
#include "core.bpf.h"
#include "compat.bpf.h"

#define PAGE_ALIGN(sz) (((sz) + 4095) & ~4095ULL)

/* So much was mapped there, and so much is now. */
static __always_inline void count_mapping(struct frame *frame, u64 was, u64 is)
{
	if (is > was)
		frame->c[COUNTER_MAPPED_BYTES] += is - was;
	else
		frame->c[COUNTER_UNMAPPED_BYTES] += was - is;
}

/* The end of mmap, munmap, mremap or brk; brk's `was`: where it stood, 0 = not known. */
static __always_inline void account_memory(struct thread_state *thread, struct pt_regs *regs,
					   u32 nr, u64 was, s64 ret)
{
	struct frame *frame = innermost(thread);
	u64 sz = USER_REG(regs, si);

	if (ret < 0 && ret > -4096)
		return;
	if (nr == __NR_mmap)
		count_mapping(frame, 0, PAGE_ALIGN(sz));
	else if (nr == __NR_munmap)
		count_mapping(frame, PAGE_ALIGN(sz), 0);
	else if (nr == __NR_mremap)
		count_mapping(frame, PAGE_ALIGN(sz), PAGE_ALIGN(USER_REG(regs, dx)));
	else if (was)
		count_mapping(frame, was, ret);
}

#endif
