/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inlines.c - the hot code is inlined two deep: inline_leaf() in inline_middle() in inline_outer().
 *
 * The lines are known: of inline_leaf() the one marked "the hot line", of its callers those marked
 * "calls".
 */
#include "tests/names/steady.h"

#if defined(__x86_64__)
#define SQUARE "imul %0, %0"
#else
#define SQUARE "mul %0, %0, %0"
#endif

static inline __attribute__((always_inline)) uint64_t inline_leaf(uint64_t x, uint64_t loops)
{
	for (uint64_t i = 0; i < loops; i++)	    /* the hot line */
		__asm__ volatile(SQUARE : "+r"(x)); /* the hot line */
	return x;
}

static inline __attribute__((always_inline)) uint64_t inline_middle(uint64_t x, uint64_t loops)
{
	return inline_leaf(x ^ loops, loops); /* calls inline_leaf */
}

static WORKLOAD uint64_t inline_outer(uint64_t loops)
{
	uint64_t x = inline_middle(loops, 4 * loops); /* calls inline_middle */

	barrier();
	return x;
}

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	uint64_t loops, x = 0;

	while ((loops = span_next(&span)))
		x += inline_outer(loops);
	return x == 1;
}
