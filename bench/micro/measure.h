/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - runs benches by turns and keeps what each round took. See harness.c. */
#ifndef PROFILER_BENCH_MEASURE_H
#define PROFILER_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/micro/harness.h"

#define FIGURES_MAX 8
#define GROUP_MAX   32 /* benches */

/** struct figure - one that a run() told by bench_figure() */
struct figure {
	const char *name;
	const char *unit;
	double value;
};

/**
 * struct measured - what one run() came to
 * @ops: operations done
 * @ns: they took, without pauses
 * @wall_ns: with pauses
 * @cycles, @instructions: of the calling thread in user mode; 0 without counters
 * @allocations, @allocated_bytes: by all threads, without pauses
 * @disturbed: another thread had the CPU for some of the time
 */
struct measured {
	uint64_t ops;
	uint64_t ns;
	uint64_t wall_ns;
	uint64_t cycles;
	uint64_t instructions;
	uint64_t allocations;
	uint64_t allocated_bytes;
	bool disturbed;
	uint32_t figures;
	struct figure figure[FIGURES_MAX];
};

/**
 * struct contender - a bench in its group
 * @bench: what to run
 * @state: of its setup()
 * @skipped: why it cannot run here, or NULL
 * @failed: what was wrong, or NULL
 * @ops: in each round
 * @bytes: per operation
 * @round: one per round, of the caller
 */
struct contender {
	const struct bench *bench;
	void *state;
	const char *skipped;
	const char *failed;
	uint64_t ops;
	double bytes;
	struct measured *round;
};

/** struct cpus - where benches run */
struct cpus {
	int first;
	int second;    /* -1: there is none */
	bool counters; /* cycles and instructions can be counted */
};

/** measure_begin() - pin this thread, find out what the machine has; 0 or -errno */
__attribute__((warn_unused_result)) int measure_begin(struct cpus *ret);

/** measure_mhz() - frequency that the CPU runs at now, by timing additions */
double measure_mhz(void);

/**
 * measure_group() - set the benches up, warm up, take turns, tear down
 * @c: the contenders, with bench and round set and the rest 0
 * @count: of them, at least 1
 * @rounds: values to take
 * @value_ns: about how long a value should take
 *
 * In each round the order is another one. What could not run has skipped or failed set.
 */
void measure_group(struct contender *c, uint32_t count, uint32_t rounds, uint64_t value_ns);

/**
 * measure_once() - set one up, run @ops operations, tear it down
 *
 * Nothing else is done, so what an instruction counter sees beyond setup is the work.
 */
void measure_once(struct contender *c, uint64_t ops);

#endif /* PROFILER_BENCH_MEASURE_H */
