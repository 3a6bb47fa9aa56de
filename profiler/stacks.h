/* SPDX-License-Identifier: Apache-2.0 */
/* stacks.h - what each slot of each CPU's intern table means: raw addresses. See stacks.c. */
#ifndef PROFILER_STACKS_H
#define PROFILER_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"

struct stacks;

/**
 * struct raw_stack - a stack as the kernel walked it, and what it was last resolved to
 * @hash: the kernel side's hash of the frames
 * @outcome: STACK_OUTCOME() of a user stack
 * @image_id: the address space that @node holds for
 * @epoch: the stream's epoch that @node belongs to, 0 when @node is not set
 * @node: leaf of the stack in the stream's call tree
 *
 * The last three are the resolver's; they are zero in a new raw_stack.
 */
struct raw_stack {
	uint64_t hash;
	uint64_t image_id;
	uint32_t first_frame;
	uint16_t frames;
	uint16_t outcome;
	uint32_t epoch;
	uint32_t node;
};

/**
 * stacks_new() - tables for @cpus CPUs
 *
 * Returns 0, or -ENOMEM.
 */
__attribute__((warn_unused_result)) int stacks_new(struct stacks **ret, uint32_t cpus);

/** stacks_free() - NULL is fine */
void stacks_free(struct stacks *s);

/**
 * stacks_put() - a stack record was read from the ring of @cpu
 * @record: valid, see parse_stack()
 * @n: its frames
 *
 * The slot means these frames from now on; when the table is full it means nothing
 * (stacks_find() gives NULL).
 */
void stacks_put(struct stacks *s, uint32_t cpu, const struct stack_record *record, uint32_t n);

/**
 * stacks_find() - the stack behind the id in a sample of @cpu
 * @id: slot + 1
 *
 * Returns the stack, valid until the next call of stacks_put() or stacks_next_generation(), or NULL
 * when nothing is known of it.
 */
struct raw_stack *stacks_find(struct stacks *s, uint32_t cpu, uint32_t id);

/** stacks_frames() - the addresses of a stack, leaf first; valid as long as the stack */
const __u64 *stacks_frames(const struct stacks *s, const struct raw_stack *stack);

/** stacks_filling() - the table runs out soon: a new generation is due */
bool stacks_filling(const struct stacks *s);

/**
 * stacks_next_generation() - forget all stacks but those of the generation that ends now
 *
 * The caller raises the generation of the BPF programs first, and lets a full round of all rings
 * go by before it calls again.
 */
void stacks_next_generation(struct stacks *s);

#endif /* PROFILER_STACKS_H */
