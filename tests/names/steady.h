/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steady.h - what the programs of this folder share: a chain of functions whose names are known,
 * and how long it goes on.
 *
 * Every program and library that includes it with a PREFIX of its own has code of the same shape at
 * the same offsets under other names: who takes one file for another gives names that are wrong and
 * look right. Of the work hot() does 3/4, inner() 1/4:
 *
 *	PREFIX_outer -> PREFIX_hot
 *	PREFIX_outer -> PREFIX_middle -> PREFIX_inner
 *
 * Nothing is measured at the start, unlike in tests/live/stacks: some of these live for 5 ms.
 */
#ifndef PROFILER_STEADY_H
#define PROFILER_STEADY_H

#include <stdbool.h>

#include "bench/workloads/common.h"

#ifndef PREFIX
#define PREFIX steady
#endif
#define STEADY_JOIN_(a, b) a##_##b
#define STEADY_JOIN(a, b)  STEADY_JOIN_(a, b)
#define NAME(function)	   STEADY_JOIN(PREFIX, function)

#define STEADY_TEXT_(a) #a
#define STEADY_TEXT(a)	STEADY_TEXT_(a)

/* A build id is made of what is loaded, and names are not: it has to differ for them to. */
__attribute__((used)) static const char steady_build[] = STEADY_TEXT(PREFIX);

#define UNIT_LOOPS 8000 /* some 10 us */

/* Time left to a program. */
struct span {
	uint64_t end_ns;
	uint64_t random;
};

static inline struct span span_of(double seconds)
{
	struct span s = { .random = RANDOM_SEED };

	s.end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * NS_PER_S);
	return s;
}

/* Loops of a unit of the next round, of random length so that no sampling period beats with them;
 * 0 when the time is over. */
static inline uint64_t span_next(struct span *s)
{
	if (clock_ns(CLOCK_MONOTONIC) >= s->end_ns)
		return 0;
	return UNIT_LOOPS / 2 + random_next(&s->random) % UNIT_LOOPS;
}

/* `-d SECONDS` and nothing else, for programs that have no other options. */
static inline struct span span_begin(int argc, char **argv)
{
	double seconds = 1;
	const struct workload_option options[] = { { "-d", &seconds }, { NULL, NULL } };

	workload_options(argc, argv, options);
	return span_of(seconds);
}

void NAME(outer)(uint64_t loops);
void NAME(middle)(uint64_t loops);
void NAME(inner)(uint64_t loops);
void NAME(hot)(uint64_t loops);

WORKLOAD void NAME(hot)(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

WORKLOAD void NAME(inner)(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

WORKLOAD void NAME(middle)(uint64_t loops)
{
	NAME(inner)(loops);
	barrier();
}

WORKLOAD void NAME(outer)(uint64_t loops)
{
	NAME(hot)(3 * loops);
	NAME(middle)(loops);
	barrier();
}

#endif /* PROFILER_STEADY_H */
