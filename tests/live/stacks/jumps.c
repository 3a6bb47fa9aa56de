/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jumps.c - setjmp() and longjmp(): away over three frames, and on in the first of them.
 *
 * before_jump 1/2, after_jump 1/2.
 */
#include <setjmp.h>

#include "tests/live/stacks/chain.h"

static jmp_buf landing;

static WORKLOAD void before_jump(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void after_jump(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void leap(uint64_t loops)
{
	mislead();
	before_jump(loops);
	longjmp(landing, 1);
}

static WORKLOAD void run_up(uint64_t loops)
{
	leap(loops);
	no_tail_call();
}

static WORKLOAD void jump(uint64_t loops)
{
	if (setjmp(landing) == 0)
		run_up(loops);
	else
		after_jump(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	struct run r;
	uint64_t loops;

	run_begin(&r, argc, argv, NULL, NULL);
	while ((loops = run_next(&r)))
		jump(loops);
	return 0;
}
