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

/* A thread in user mode, as far as nearly every frame needs it. */
struct user_regs {
	__u64 ip;
	__u64 sp;
	__u64 fp;
	__u64 bx; /* x86_64: rbx; arm64: x30, the link register */
};

#if defined(__TARGET_ARCH_x86)

#define REGS_IN_KERNEL(r) (((r)->cs & 3) == 0)
/* 64-bit code has frames of two 8-byte words; the segment tells it from 32-bit code. */
#define REGS_USER64(r) (((r)->cs & 0xffff) == 0x33)
#define REGS_TO_USER(r)                                                        \
	(struct user_regs)                                                     \
	{                                                                      \
		.ip = (r)->rip, .sp = (r)->rsp, .fp = (r)->rbp, .bx = (r)->rbx \
	}
#define RETURN_ADDRESS(word) (word)
/*
 * In a system call the address is that behind the instruction, as a return address is. But not at
 * its end where a signal came: then it is a handler's first instruction, with the third argument as
 * the kernel sets it up, the context that is behind one word on the stack (struct rt_sigframe).
 */
#define REGS_IN_SYSCALL(r) ((long)(r)->orig_rax >= 0 && (r)->rdx != (r)->rsp + 8)

/* All of them by DWARF number, into an array of SNAPSHOT_REGISTERS. */
#define REGS_TO_DWARF(r, to)         \
	do {                         \
		(to)[0] = (r)->rax;  \
		(to)[1] = (r)->rdx;  \
		(to)[2] = (r)->rcx;  \
		(to)[3] = (r)->rbx;  \
		(to)[4] = (r)->rsi;  \
		(to)[5] = (r)->rdi;  \
		(to)[6] = (r)->rbp;  \
		(to)[7] = (r)->rsp;  \
		(to)[8] = (r)->r8;   \
		(to)[9] = (r)->r9;   \
		(to)[10] = (r)->r10; \
		(to)[11] = (r)->r11; \
		(to)[12] = (r)->r12; \
		(to)[13] = (r)->r13; \
		(to)[14] = (r)->r14; \
		(to)[15] = (r)->r15; \
		(to)[16] = (r)->rip; \
	} while (0)

/*
 * A signal frame: the kernel leaves struct ucontext at SP. Of the words from here on, in the order
 * of struct sigcontext (asm/sigcontext.h), these are the ones to go on with.
 */
#define SIGNAL_WORDS_AT 120 /* rbp, rbx, rdx, rax, rcx, rsp, rip */
#define SIGNAL_FP	0
#define SIGNAL_BX	1
#define SIGNAL_SP	5
#define SIGNAL_IP	6
#define SIGNAL_WORDS	7

#elif defined(__TARGET_ARCH_arm64)

#define REGS_IN_KERNEL(r) (((r)->pstate & 0xf) != 0) /* anything but EL0t */
#define REGS_USER64(r)	  (((r)->pstate & 0x1f) == 0)
#define REGS_TO_USER(r)                                                                \
	(struct user_regs)                                                             \
	{                                                                              \
		.ip = (r)->pc, .sp = (r)->sp, .fp = (r)->regs[29], .bx = (r)->regs[30] \
	}
/* The bits above a user address carry a signature where return addresses are signed. */
#define RETURN_ADDRESS(word) ((word)&0x0000ffffffffffffULL)
/* The number of the system call lies behind what the kernel promises of its registers. */
#define REGS_IN_SYSCALL(r)   ((void)(r), false)

#define REGS_TO_DWARF(r, to)                                                               \
	do {                                                                               \
		_Pragma("unroll") for (int i_ = 0; i_ < 31; i_++)(to)[i_] = (r)->regs[i_]; \
		(to)[31] = (r)->sp;                                                        \
		(to)[32] = (r)->pc;                                                        \
	} while (0)

/* struct rt_sigframe: siginfo, ucontext, and in it from regs[29] of struct sigcontext on. */
#define SIGNAL_WORDS_AT 544 /* x29, x30, sp, pc */
#define SIGNAL_FP	0
#define SIGNAL_BX	1
#define SIGNAL_SP	2
#define SIGNAL_IP	3
#define SIGNAL_WORDS	4

#else
#error "x86_64 and arm64 only"
#endif

#endif /* PROFILER_REGS_H */
