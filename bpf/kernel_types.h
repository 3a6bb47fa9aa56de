/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * kernel_types.h - the few kernel types that the BPF programs look into.
 *
 * Only the fields that are used, without their real offsets: libbpf relocates
 * each access by the running kernel's BTF (preserve_access_index), so this
 * stands in for a dump of a kernel's whole type information.
 */
#ifndef PROFILER_KERNEL_TYPES_H
#define PROFILER_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	int tgid;
	__u64 start_boottime;
};

#pragma clang attribute pop

#endif /* PROFILER_KERNEL_TYPES_H */
