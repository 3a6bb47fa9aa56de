/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail.c - tail calls: first() jumps to second(), and second() to last(), so that last() returns
 * to main() and the other two are not on the stack.
 *
 * last 1/2, called 1/2.
 */
#include "tests/live/stacks/chain.h"

static WORKLOAD void last(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void second(uint64_t loops)
{
	last(loops | 1);
}

static WORKLOAD void first(uint64_t loops)
{
	use_saved_registers(); /* a frame to be taken down before the jump */
	second(loops);
}

static WORKLOAD void called(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	struct run r;
	uint64_t loops;

	run_begin(&r, argc, argv, NULL, NULL);
	while ((loops = run_next(&r))) {
		first(loops);
		called(loops);
	}
	return 0;
}
