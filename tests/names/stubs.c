/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs.c - calls empty functions of a library, so that a good part of the time is spent in the
 * stubs of the procedure linkage table that lead to them.
 */
#include "tests/names/steady.h"
#include "tests/names/stubs.h"

static WORKLOAD void call_stubs(uint64_t loops)
{
	for (uint64_t i = 0; i < loops; i++) {
		stub_one();
		stub_two();
	}
	barrier();
}

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	uint64_t loops;

	while ((loops = span_next(&span)))
		call_stubs(loops);
	return 0;
}
