/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_vdso.c - asks for the time over and over: the code is the kernel's, mapped in the vDSO.
 */
#include "tests/names/steady.h"

static WORKLOAD uint64_t ask_time(uint64_t times)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < times; i++)
		sum += clock_ns(CLOCK_MONOTONIC);
	barrier();
	return sum;
}

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	uint64_t loops, sum = 0;

	while ((loops = span_next(&span)))
		sum += ask_time(loops / 32);
	return sum == 1;
}
