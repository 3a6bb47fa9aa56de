/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpulist.c - lists of CPUs.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include "profiler/cpulist.h"

Test(cpulist, reads_lists)
{
	struct cpulist list = { 0 };

	cr_assert(eq(int, cpulist_parse("0-3,8\n", &list), 0));
	cr_expect(eq(uint, list.count, 5));
	for (unsigned int cpu = 0; cpu < 10; cpu++)
		cr_expect(eq(int, cpulist_has(&list, cpu), cpu <= 3 || cpu == 8), "%u", cpu);
	cr_assert(eq(int, cpulist_parse("64,64,63-65,8191", &list), 0));
	cr_expect(eq(uint, list.count, 4), "a CPU counts once");
	cr_expect(cpulist_has(&list, 8191));
	cr_expect(not(cpulist_has(&list, 8192)));
	cr_expect(not(cpulist_has(&list, 0)), "nothing is left of the list before");
}

Test(cpulist, refuses_the_rest)
{
	static const char *const bad[] = { "",	   "\n", "a",  "-1", "1-",  "3-1",   ",",   "1,",
					   "1,,2", " 1", "1 ", "+1", "0x1", "1-2-3", "1\n2" };
	struct cpulist list = { .count = 77 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, cpulist_parse(bad[i], &list), -EINVAL), "'%s'", bad[i]);
	cr_expect(eq(int, cpulist_parse("8192", &list), -ERANGE));
	cr_expect(eq(int, cpulist_parse("0-99999999999999999999", &list), -ERANGE));
	cr_expect(eq(int, cpulist_read("/nonexistent", &list), -ENOENT));
	cr_expect(eq(uint, list.count, 77), "untouched on failure");
}

Test(cpulist, compares_the_cpus_and_nothing_else)
{
	struct cpulist a, b;

	memset(&a, 0xaa, sizeof(a)); /* what is between the fields differs */
	memset(&b, 0x55, sizeof(b));
	a.count = b.count = 0;
	memset(a.bits, 0, sizeof(a.bits));
	memset(b.bits, 0, sizeof(b.bits));
	cr_expect(cpulist_equal(&a, &b), "both are empty");
	a.count = b.count = 1;
	a.bits[0] = 1 << 3;
	b.bits[0] = 1 << 4;
	cr_expect(not(cpulist_equal(&a, &b)), "as many, but others");
	b.bits[0] = 1 << 3;
	cr_expect(cpulist_equal(&a, &b));
	a.bits[CPULIST_MAX / 64 - 1] = UINT64_C(1) << 63;
	a.count++;
	cr_expect(not(cpulist_equal(&a, &b)), "the last one");
}
