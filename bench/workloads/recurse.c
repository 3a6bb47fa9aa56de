/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurse.c - --depth calls of recurse() on the stack, all work in bottom() below
 * them. From a depth of about 120 the kernel gives no whole stack any more.
 */
#include "common.h"

#define UNIT_NS 1e6

static WORKLOAD void bottom(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

/* Frames of recurse() when it reaches bottom(): depth. */
static WORKLOAD void recurse(unsigned int depth, uint64_t loops)
{
	if (depth > 1)
		recurse(depth - 1, loops);
	else
		bottom(loops);
	barrier();
}

int main(int argc, char **argv)
{
	double seconds = 10, depth = 100;
	const struct workload_option options[] = { { "-d", &seconds },
						   { "--depth", &depth },
						   { NULL, NULL } };
	uint64_t spent_ns;

	workload_options(argc, argv, options);
	uint64_t loops = loops_for_ns(UNIT_NS);
	do {
		recurse((unsigned int)depth, loops);
		spent_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	} while ((double)spent_ns < seconds * NS_PER_S);
	printf("{\"workload\": \"recurse\", \"cpu_ns\": %llu, \"depth\": %u, "
	       "\"frames\": {\"recurse\": %u, \"bottom\": 1}}\n",
	       (unsigned long long)spent_ns, (unsigned int)depth, (unsigned int)depth);
	return 0;
}
