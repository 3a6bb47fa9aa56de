// SPDX-License-Identifier: Apache-2.0
/*
 * savedregs.c - where an old kernel keeps the registers that a thread had in user mode.
 *
 * Source: task_pt_regs() in arch/x86/include/asm/processor.h and
 * arch/arm64/include/asm/processor.h, 5.8 to 5.14.
 */
#include "profiler/savedregs.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <unistd.h>

/* THREAD_SIZE of x86_64 and arm64, but for kernels built to find their own bugs (KASAN). */
#define KERNEL_STACK_BYTES 16384

static uint32_t kernel_stack_bytes(void)
{
	long page = sysconf(_SC_PAGESIZE); /* 64 KB on some arm64: a stack is at least a page */

	return page > KERNEL_STACK_BYTES ? (uint32_t)page : KERNEL_STACK_BYTES;
}

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
}

struct savedregs savedregs_find(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *task, *regs;
	struct savedregs found = { 0 };

	if (libbpf_get_error(btf))
		return found;
	task = find_struct(btf, "task_struct");
	regs = find_struct(btf, "pt_regs");
	for (uint32_t i = 0; task && regs && i < btf_vlen(task); i++) {
		const char *name = btf__name_by_offset(btf, btf_members(task)[i].name_off);

		if (!name || strcmp(name, "stack") != 0)
			continue;
		found.task_stack = btf_member_bit_offset(task, i) / 8;
		found.at = kernel_stack_bytes() - regs->size;
	}
	btf__free(btf);
	return found;
}
