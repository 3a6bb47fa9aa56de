/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depth.c - a stack of --frames functions above main(), built without frame pointers; the work is
 * all in the innermost. With glibc's two functions that call main(), and _start, the default gives
 * stacks of exactly 20 frames: what an unwinder costs is stated for those.
 */
#include "common.h"

#define UNIT_NS 1e6

static WORKLOAD void bottom(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void descend(unsigned int frames, uint64_t loops)
{
	if (frames > 1)
		descend(frames - 1, loops);
	else
		bottom(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	double seconds = 10, frames = 16;
	const struct workload_option options[] = { { "-d", &seconds },
						   { "--frames", &frames },
						   { NULL, NULL } };
	uint64_t spent_ns;

	workload_options(argc, argv, options);
	uint64_t loops = loops_for_ns(UNIT_NS);
	do {
		descend(frames > 1 ? (unsigned int)frames - 1 : 1, loops);
		spent_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	} while ((double)spent_ns < seconds * NS_PER_S);
	printf("{\"workload\": \"depth\", \"cpu_ns\": %llu, \"frames\": %u}\n",
	       (unsigned long long)spent_ns, (unsigned int)frames);
	return 0;
}
