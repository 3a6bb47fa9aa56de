/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - a sample's numbers (pid, slots, addresses) to the stream's ids. See resolve.c. */
#ifndef PROFILER_RESOLVE_H
#define PROFILER_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"

struct kallsyms;
struct procmap;
struct stacks;
struct stream;

/**
 * struct resolver - what resolving needs, all of it the caller's
 * @kallsyms: NULL when the kernel hides its symbols
 * @kernel_addresses: offsets of kernel frames are raw addresses
 * @unresolved: counts stacks given up because nothing was known of them or a table was full
 *
 * The rest is resolve.c's and starts as 0.
 */
struct resolver {
	struct procmap *procmap;
	struct kallsyms *kallsyms;
	struct stacks *stacks;
	struct stream *stream;
	bool kernel_addresses;
	uint64_t unresolved;
	uint32_t epoch; /* that the mapping ids below are of */
	uint32_t kernel_mapping;
	uint32_t bpf_mapping;
	uint32_t unknown_mapping;
	uint32_t last_module_mapping;
	char last_module[64];
};

/** resolve_sample() - resolve a sample and append it to the stream */
void resolve_sample(struct resolver *r, const struct sample_event *sample);

#endif /* PROFILER_RESOLVE_H */
