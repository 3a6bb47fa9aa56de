/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deep.c - --depth calls of descend() on the stack, 300 if not said, all work in bottom().
 */
#include "tests/live/stacks/chain.h"

static WORKLOAD void bottom(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void descend(unsigned int depth, uint64_t loops)
{
	if (depth > 1)
		descend(depth - 1, loops);
	else
		bottom(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	double depth = 300;
	struct run r;
	uint64_t loops;

	run_begin(&r, argc, argv, "--depth", &depth);
	while ((loops = run_next(&r)))
		descend((unsigned int)depth, loops * 8);
	return 0;
}
