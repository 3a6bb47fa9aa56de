/* SPDX-License-Identifier: Apache-2.0 */
/* liblate.c - the library that late.c loads. */
#include "tests/live/stacks/chain.h"

void library_enter(uint64_t loops, void (*back)(uint64_t loops));

static WORKLOAD void in_library(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

WORKLOAD void library_enter(uint64_t loops, void (*back)(uint64_t loops))
{
	mislead();
	in_library(loops);
	back(loops);
	no_tail_call();
}
