/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - numbers for tests that try many cases: the same ones in every run. */
#ifndef PROFILER_RANDOM_H
#define PROFILER_RANDOM_H

#include <stdint.h>

/** next_random() - splitmix64: small, and the same everywhere */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/** random_below() - a number from 0 up to, not including, @limit */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(next_random(state) % limit);
}

#endif /* PROFILER_RANDOM_H */
