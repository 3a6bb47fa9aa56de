/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness.h - measures pieces of code beside their peers.
 *
 * A bench is a function that does its work a given number of times. Those of one group do the
 * same work and are compared with each other, so they take turns in every round: what disturbs the
 * machine disturbs all of them. What is reported of a bench is a list of values, one a round; what
 * to make of them (median, interval, ratio to a peer) is for the readers of the result.
 *
 * Also included from C++, for peers that are written in it.
 */
#ifndef PROFILER_BENCH_HARNESS_H
#define PROFILER_BENCH_HARNESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum bench_role - what a bench is in the comparison of its group */
enum bench_role {
	BENCH_OURS,  /* code of the product */
	BENCH_PEER,  /* what others use for the same work */
	BENCH_LIMIT, /* what the machine could do at best, as a memcpy() of the same bytes */
};

/**
 * struct bench - one piece of code to measure
 * @group: the work, as "push"; benches of one group are compared
 * @name: who does it, as "profiler" or "ck_ring"; unique in its group
 * @about: one line for people
 * @role: of enum bench_role
 * @op: what is counted, as "event"; the same in a group
 * @bytes_per_op: bytes that the operation moves or reads, 0 where that means nothing
 * @allocates_nothing: the code promises to allocate nothing; it is an error if it does
 * @setup: makes what run() needs; 0 or -errno, -EOPNOTSUPP where this machine cannot (with
 *	@ret_state set to a string that says why). NULL if there is nothing to make
 * @run: does the work @ops times, or somewhat more where it has to be whole rounds; returns how
 *	many operations that were. What it computes has to go to bench_keep()
 * @teardown: frees what setup() made; NULL if there is nothing
 * @threads: 2 when run() also uses bench_second_cpu(); 0 and 1 are one
 * @bytes: bytes that an operation came to, where only running tells (the size of what was
 *	encoded); asked after the last run(). NULL: @bytes_per_op holds
 *
 * A bench without @op has no time of its own: what counts are its figures.
 */
struct bench {
	const char *group;
	const char *name;
	const char *about;
	enum bench_role role;
	const char *op;
	uint32_t bytes_per_op;
	int allocates_nothing;
	int (*setup)(void **ret_state);
	uint64_t (*run)(void *state, uint64_t ops);
	void (*teardown)(void *state);
	uint32_t threads;
	double (*bytes)(void *state);
};

/** struct bench_list - the benches of one file */
struct bench_list {
	const struct bench *bench;
	uint32_t count;
};

/** bench_keep() - @value counts as used: the compiler has to compute it */
static inline void bench_keep(uint64_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

/*
 * What a run() may say while it runs, from the thread that it was called in.
 */

/** bench_pause() - what follows is not part of the work, up to bench_resume(); about 50 ns */
void bench_pause(void);

/** bench_resume() - the work goes on */
void bench_resume(void);

/**
 * bench_figure() - a further figure of this run, as a percentile
 * @name: a word, and @unit one; both stay valid
 */
void bench_figure(const char *name, const char *unit, double value);

/** bench_check() - unless @right, the bench has failed; @what, which stays valid, says how */
void bench_check(int right, const char *what);

/** bench_second_cpu() - the CPU for the second thread of a bench with @threads 2 */
int bench_second_cpu(void);

/** bench_now_ns() - the clock that times are measured by */
uint64_t bench_now_ns(void);

#ifdef __cplusplus
}
#endif

#endif /* PROFILER_BENCH_HARNESS_H */
