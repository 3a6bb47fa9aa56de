/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throws.cpp - exceptions, all the time: libgcc unwinds these frames while we do.
 *
 * Of the work, not of the time: before_throw 1/3, in_cleanup 1/3, after_catch 1/3.
 */
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#define KEPT __attribute__((noipa))

extern "C" {

__attribute__((always_inline)) static inline void work_loops(uint64_t loops)
{
	uint64_t x = loops;

	for (uint64_t i = 0; i < loops; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		__asm__ volatile("" : "+r"(x));
	}
	__asm__ volatile("" ::: "memory");
}

KEPT void before_throw(uint64_t loops)
{
	work_loops(loops);
}

KEPT void in_cleanup(uint64_t loops)
{
	work_loops(loops);
}

KEPT void after_catch(uint64_t loops)
{
	work_loops(loops);
}

struct guard {
	uint64_t loops;
	~guard()
	{
		in_cleanup(loops);
	}
};

KEPT void thrower(uint64_t loops)
{
	before_throw(loops);
	throw loops;
}

KEPT void passing(uint64_t loops)
{
	thrower(loops);
	__asm__ volatile("" ::: "memory");
}

KEPT void guarded(uint64_t loops)
{
	guard g = { loops };

	passing(g.loops);
	__asm__ volatile("" ::: "memory");
}

KEPT void catcher(uint64_t loops)
{
	try {
		guarded(loops);
	} catch (uint64_t thrown) {
		after_catch(thrown);
	}
}
}

static double now()
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double end = now() + (argc == 3 && !strcmp(argv[1], "-d") ? atof(argv[2]) : 1);
	uint64_t random = 1;

	while (now() < end) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		catcher(500 + (random >> 33) % 1000);
	}
	return 0;
}
