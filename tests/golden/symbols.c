/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.c - a program with all kinds of symbols, for tests/golden/run to look names up in.
 *
 * It is built several times: position-independent or not, with and without a build id, and with
 * OTHER_BUILD as a later version of itself, in which all functions lie elsewhere.
 */
#include <stdio.h>

#define NOINLINE __attribute__((noinline, noclone))

#ifdef OTHER_BUILD
NOINLINE int added_later(int x)
{
	return printf("a later version %d\n", x) + printf("has one more function %d\n", x);
}
#endif

NOINLINE static int static_function(int x)
{
	return printf("static %d\n", x) + 1;
}

NOINLINE int global_function(int x)
{
	return static_function(x) + static_function(x + 1);
}

/* One place, three names: the one without underscores is what people know. */
NOINLINE int __real_name(int x)
{
	return printf("real %d\n", x) * 2;
}
int real_name(int x) __attribute__((weak, alias("__real_name")));
int _real_name(int x) __attribute__((alias("__real_name")));

/* The same with the names in other orders, whatever makes the order of a symbol table. */
NOINLINE int other_name(int x)
{
	return printf("other %d\n", x) * 3;
}
int __other_name(int x) __attribute__((alias("other_name")));

NOINLINE int third_name(int x)
{
	return printf("third %d\n", x) * 4;
}
int _a_third_name(int x) __attribute__((weak, alias("third_name")));

/* What a C++ compiler would call geometry::area(int, double). */
NOINLINE int _ZN8geometry4areaEid(int x)
{
	return printf("area %d\n", x) - 1;
}

/* Hand-written assembly often has no size. */
int without_size(int x);
__asm__(".text\n"
	".globl without_size\n"
	".type without_size, %function\n"
	"without_size:\n"
	".skip 64, 0x90\n"
#ifdef __x86_64__
	"mov %edi, %eax\n"
#endif
	"ret\n"
	/* and some has an entry within a function: what follows it is the outer one's again */
	".type outer, %function\n"
	".type inner, %function\n"
	"outer:\n"
	".skip 16, 0x90\n"
	"inner:\n"
	".skip 8, 0x90\n"
	".size inner, 8\n"
	".skip 40, 0x90\n"
	".size outer, 64\n");

int main(int argc, char **argv)
{
	(void)argv;
#ifdef OTHER_BUILD
	argc += added_later(argc);
#endif
	return global_function(argc) + __other_name(argc) + _a_third_name(argc) + real_name(argc) +
	       _real_name(argc) + _ZN8geometry4areaEid(argc) + without_size(argc);
}
