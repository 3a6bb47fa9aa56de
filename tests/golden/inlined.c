/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inlined.c - a program with a function that three others are inlined into, two of them one in the
 * other, for tests/golden/run. Built with DWARF.
 */
#include <stdint.h>

int main(int argc, char **argv);

#define INLINED static inline __attribute__((always_inline))
#define KEPT	__attribute__((noinline, used))

INLINED uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 27;
}

INLINED uint64_t mix_twice(uint64_t x)
{
	x = mix(x + 1);
	return mix(x * 3);
}

INLINED uint64_t fold(uint64_t x, uint64_t y)
{
	return (x << 5 | x >> 59) ^ y;
}

KEPT uint64_t digest(uint64_t *data, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		data[i] = mix_twice(data[i]);
		sum = fold(sum, data[i]);
	}
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t data[16] = { (uint64_t)argc, (uint64_t)(uintptr_t)argv };

	return (int)digest(data, 16);
}
