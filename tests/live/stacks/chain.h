/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.h - what the programs in this folder share.
 *
 * Each is one way to make a stack hard to walk. It has a few chains of calls, all known, and
 * spends in the innermost function of each a share of its work that is known too: the rounds are
 * of random length, so that no sampling period beats with them, and a chain gets a fixed number of
 * units of a round. It prints nothing; tests/live/test_stacks.py has the chains and the shares.
 *
 * Built without frame pointers, and the register is made to mislead: see mislead().
 */
#ifndef PROFILER_CHAIN_H
#define PROFILER_CHAIN_H

#include <stdbool.h>

#include "bench/workloads/common.h"

#define UNIT_MIN_NS 20e3
#define UNIT_MAX_NS 50e3

struct run {
	double seconds; /* of wall time */
	uint64_t end_ns;
	uint64_t random;
	uint64_t shortest;
	uint64_t spread;
};

/* The options, `-d SECONDS` and perhaps another; and how long a unit of work is here. */
static inline void run_begin(struct run *r, int argc, char **argv, const char *name, double *value)
{
	const struct workload_option options[] = { { "-d", &r->seconds },
						   { name, value },
						   { NULL, NULL } };
	uint64_t longest;

	r->seconds = 1;
	r->random = RANDOM_SEED;
	workload_options(argc, argv, options);
	r->shortest = loops_for_ns(UNIT_MIN_NS);
	longest = loops_for_ns(UNIT_MAX_NS);
	r->spread = longest > r->shortest ? longest - r->shortest : 1;
	r->end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(r->seconds * NS_PER_S);
}

/* Loops of a unit of the next round; 0 when the time is over. */
static inline uint64_t run_next(struct run *r)
{
	if (clock_ns(CLOCK_MONOTONIC) >= r->end_ns)
		return 0;
	return r->shortest + random_next(&r->random) % r->spread;
}

/*
 * From here to the function's end the frame pointer's register points into the stack, but not at
 * a frame: who follows it finds nonsense, and callers that are none.
 */
__attribute__((always_inline)) static inline void mislead(void)
{
#if defined(__x86_64__)
	__asm__ volatile("lea 24(%%rsp), %%rbp" ::: "rbp");
#endif
}

/* Registers that belong to the caller: they are pushed and popped around this. */
__attribute__((always_inline)) static inline void use_saved_registers(void)
{
#if defined(__x86_64__)
	__asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15");
#else
	__asm__ volatile("" ::: "x19", "x20", "x21", "x22", "x23");
#endif
}

#endif /* PROFILER_CHAIN_H */
