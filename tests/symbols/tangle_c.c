/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tangle_c.c - C that compilers inline, clone, split and leave out, for tests/symbols/run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
	long a;
	long b;
};

static long scale(long x, long by)
{
	for (long i = 0; i < by; i++)
		x = x * 3 + (x >> 7);
	return x;
}

static inline long blend(const struct pair *p)
{
	return scale(p->a, 4) ^ scale(p->b, 9);
}

__attribute__((noinline)) static long chosen(struct pair *p, int how, const char *why)
{
	switch (how) {
	case 0:
		return blend(p);
	case 1:
		p->a = blend(p);
		return scale(p->a, p->b);
	default:
		fprintf(stderr, "no way %d: %s\n", how, why);
		exit(2);
	}
}

/*
 * Nobody calls it: with --gc-sections its DWARF stays, at the address 0. It is so long that it
 * would reach into the code of others there.
 */
long left_out(long x);
long left_out(long x)
{
	struct pair p = { x, x };

	__asm__ volatile(".skip 16384, 0x90");
	for (int i = 0; i < 9; i++)
		p.a += blend(&p) + scale(i, 77);
	return p.a;
}

#ifndef __clang__
__attribute__((noinline)) static long with_inner(long x, long times)
{
	__attribute__((noinline)) long inner(long y)
	{
		return scale(y, times) + x;
	}
	long sum = 0;

	for (long i = 0; i < times; i++)
		sum += inner(i);
	return sum;
}
#else
#define with_inner scale
#endif

int main(int argc, char **argv)
{
	struct pair p = { argc, (long)strlen(argv[0]) };

	return (chosen(&p, argc - 1, argv[0]) + with_inner(p.a, p.b)) == 42;
}
