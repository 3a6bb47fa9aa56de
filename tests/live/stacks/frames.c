/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c - frames of unusual shape: one whose size is only known at run time, one of 1.5 MB, one
 * that is aligned beyond what the caller gave it, so that only memory says where the caller's is.
 *
 * A third each.
 */
#include <alloca.h>

#include "tests/live/stacks/chain.h"

#define HUGE_BYTES 1500000

static WORKLOAD void in_variable(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void in_huge(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void in_aligned(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void use(volatile char *bytes, size_t count)
{
	bytes[0] = 1;
	bytes[count - 1] = 1;
}

static WORKLOAD void variable(uint64_t loops)
{
	size_t count = 64 + loops % 4096;

	use(alloca(count), count);
	in_variable(loops);
	no_tail_call();
}

static WORKLOAD void huge(uint64_t loops)
{
	char bytes[HUGE_BYTES];

	use(bytes, sizeof(bytes));
	mislead();
	in_huge(loops);
	use(bytes, sizeof(bytes));
}

static WORKLOAD void aligned(uint64_t loops)
{
	size_t count = 64 + loops % 4096;
	_Alignas(256) char bytes[256];

	use(bytes, sizeof(bytes));
	use(alloca(count), count);
	in_aligned(loops);
	use(bytes, sizeof(bytes));
}

int main(int argc, char **argv)
{
	struct run r;
	uint64_t loops;

	run_begin(&r, argc, argv, NULL, NULL);
	while ((loops = run_next(&r))) {
		variable(loops);
		huge(loops);
		aligned(loops);
	}
	return 0;
}
