/* SPDX-License-Identifier: Apache-2.0 */
/*
 * savedregs.h - where an old kernel keeps the registers that a thread had in user mode.
 *
 * From 5.15 on a BPF program asks the kernel (bpf_task_pt_regs). Before, it has to know that they
 * are at the end of the thread's kernel stack.
 */
#ifndef PROFILER_SAVEDREGS_H
#define PROFILER_SAVEDREGS_H

#include <stdint.h>

/** struct savedregs - offsets in bytes; @at is 0 where they are not known */
struct savedregs {
	uint32_t task_stack; /* of the stack's address in struct task_struct */
	uint32_t at;	     /* of the registers in the stack */
};

/** savedregs_find() - by the running kernel's type information, whose reading takes megabytes */
struct savedregs savedregs_find(void);

#endif /* PROFILER_SAVEDREGS_H */
