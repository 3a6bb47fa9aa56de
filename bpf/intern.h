/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * intern.h - the hash by which a stack is known, and its slot.
 *
 * The frames are hashed one after the other, as the walk finds them. The seed is random per run and
 * changes with the generation: no program can make its stacks collide with another's on purpose,
 * and a new generation makes every slot miss, so that the kernel side says all stacks in use again.
 */
#ifndef PROFILER_INTERN_H
#define PROFILER_INTERN_H

#include "bpf/event.h"

/* Odd 64-bit constants with well mixed bits: fractional parts of sqrt(2) and sqrt(3). */
#define INTERN_MUL_A 0x6A09E667F3BCC909ULL
#define INTERN_MUL_B 0xBB67AE8584CAA73BULL

/* One step: a bijection of h for a given frame. */
static inline __attribute__((always_inline)) __u64 intern_step(__u64 h, __u64 frame, __u64 mul)
{
	h ^= frame;
	h *= mul;
	return h ^ (h >> 29);
}

/* The frames' hash, the outcome and the number of frames in one value; 0 is kept for an empty slot.
 */
static inline __attribute__((always_inline)) __u64 intern_final(__u64 frames, __u32 outcome,
								__u32 n)
{
	__u64 h = intern_step(frames, (__u64)outcome + n, INTERN_MUL_B);

	h = intern_step(h, n, INTERN_MUL_A);
	return h ? h : 1;
}

static inline __attribute__((always_inline)) __u32 intern_slot(__u64 hash)
{
	return (__u32)(hash >> 40) & (STACK_SLOTS - 1);
}

#endif /* PROFILER_INTERN_H */
