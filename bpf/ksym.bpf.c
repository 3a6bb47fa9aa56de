// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * ksym.bpf.c - asks the kernel what code is at an address.
 *
 * Never attached: the recorder runs it once for an address that it has no name for, so that it
 * needs no copy of the kernel's whole symbol table. Question and answer lie in memory that both
 * sides have mapped.
 *
 * bpf_snprintf is there since 5.13; before, this does not load.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The question. 0 asks for the kernel's own call chain to here instead. */
__u64 address;

/* "name+0xoffset/0xsize [module]", or the bare address; a name has up to 511 bytes, a module 55. */
char answer[640];

__u64 callers[32];

/* Returns the bytes of the answer with its end, or of the call chain; negative on failure. */
SEC("raw_tp")
int ksym_ask(void *ctx)
{
	static const char format[] = "%pS";
	__u64 argument = address;

	if (!argument)
		return (int)bpf_get_stack(ctx, callers, sizeof(callers), 0);
	return (int)bpf_snprintf(answer, sizeof(answer), format, &argument, sizeof(argument));
}
