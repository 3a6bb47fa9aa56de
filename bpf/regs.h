/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * regs.h - what the sampling program needs of the registers, for each architecture.
 *
 * The layouts are those that the kernel promises to user space (ptrace): they do not
 * change, so no type information of the running kernel is needed to read them.
 */
#ifndef PROFILER_REGS_H
#define PROFILER_REGS_H

#include <linux/types.h>

/* A thread in user mode, as far as its frame-pointer chain goes. */
struct user_regs {
	__u64 ip;
	__u64 sp;
	__u64 fp;
};

#if defined(__TARGET_ARCH_x86)

#define REGS_IN_KERNEL(regs) (((regs)->cs & 3) == 0)
/* 64-bit code has frames of two 8-byte words; the segment tells it from 32-bit code. */
#define REGS_USER64(regs) (((regs)->cs & 0xffff) == 0x33)
#define REGS_TO_USER(regs)                                              \
	(struct user_regs)                                              \
	{                                                               \
		.ip = (regs)->rip, .sp = (regs)->rsp, .fp = (regs)->rbp \
	}
#define RETURN_ADDRESS(word) (word)

#elif defined(__TARGET_ARCH_arm64)

#define REGS_IN_KERNEL(regs) (((regs)->pstate & 0xf) != 0) /* anything but EL0t */
#define REGS_USER64(regs)    (((regs)->pstate & 0x1f) == 0)
#define REGS_TO_USER(regs)                                                 \
	(struct user_regs)                                                 \
	{                                                                  \
		.ip = (regs)->pc, .sp = (regs)->sp, .fp = (regs)->regs[29] \
	}
/* The bits above a user address carry a signature where return addresses are signed. */
#define RETURN_ADDRESS(word) ((word)&0x0000ffffffffffffULL)

#else
#error "x86_64 and arm64 only"
#endif

#endif /* PROFILER_REGS_H */
