/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user needs to be allowed; one wording for all messages. */
#ifndef LIVE_CAPS_H
#define LIVE_CAPS_H

#define CAPS_REMEDY                                                                                \
	"run as root, or give CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE and "   \
	"CAP_DAC_READ_SEARCH"
#define HW_REMEDY "a machine, or a virtual machine, with a performance monitoring unit"

#endif
