/* SPDX-License-Identifier: Apache-2.0 */
/* malloc_count.h - how often this program has asked for memory. See malloc_count.c. */
#ifndef PROFILER_BENCH_MALLOC_COUNT_H
#define PROFILER_BENCH_MALLOC_COUNT_H

#include <stdint.h>

/** struct malloc_count - since the program began, by all threads */
struct malloc_count {
	uint64_t calls;
	uint64_t bytes; /* asked for */
};

/** malloc_count_now() - any thread */
struct malloc_count malloc_count_now(void);

#endif /* PROFILER_BENCH_MALLOC_COUNT_H */
