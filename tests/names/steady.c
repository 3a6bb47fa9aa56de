/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steady.c - the chain of steady.h and nothing else, built and stripped in all the ways that
 * programs come.
 */
#include "tests/names/steady.h"

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	uint64_t loops;

	while ((loops = span_next(&span)))
		NAME(outer)(loops);
	return 0;
}
