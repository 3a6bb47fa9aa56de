/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.c - nothing but calls, built in all the ways that programs come: -O2, -O3, at a fixed
 * address, stripped, static, static-pie, and without any unwind information.
 *
 * hot 3/4, inner 1/4.
 */
#include "tests/live/stacks/chain.h"

static WORKLOAD void hot(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void inner(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void middle(uint64_t loops)
{
	mislead();
	inner(loops);
	no_tail_call();
}

static WORKLOAD void outer(uint64_t loops)
{
	mislead();
	for (int i = 0; i < 3; i++)
		hot(loops);
	middle(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	struct run r;
	uint64_t loops;

	run_begin(&r, argc, argv, NULL, NULL);
	while ((loops = run_next(&r)))
		outer(loops);
	return 0;
}
