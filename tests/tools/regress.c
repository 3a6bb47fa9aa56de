/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regress.c - a program in two builds: a fixed number of requests, of which render() takes
 * RENDER_PERCENT of what it took in the other build, and parse(), lookup() what they did: 25 %,
 * 45 % and 30 % of the time with 100.
 */
#include "bench/workloads/common.h"

#define PARSE_LOOPS  5000
#define LOOKUP_LOOPS 9000
#define RENDER_LOOPS (6000 * RENDER_PERCENT / 100)

static WORKLOAD void parse(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void lookup(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void render(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void serve(uint64_t random)
{
	uint64_t factor = 1 + random % 3; /* requests differ in size */

	parse(PARSE_LOOPS * factor);
	lookup(LOOKUP_LOOPS * factor);
	render(RENDER_LOOPS * factor);
	barrier();
}

int main(int argc, char **argv)
{
	long requests = argc > 1 ? atol(argv[1]) : 10000;
	uint64_t random = RANDOM_SEED;

	for (long i = 0; i < requests; i++)
		serve(random_next(&random) >> 32);
	return 0;
}
