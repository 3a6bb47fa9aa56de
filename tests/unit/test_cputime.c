// SPDX-License-Identifier: Apache-2.0
/*
 * test_cputime.c - the CPU lines of /proc/stat.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <unistd.h>

#include "profiler/cputime.h"

#define TICK UINT64_C(10000000) /* 100 a second */

static const char real[] = "cpu  1132 34 1441 11311718 3675 127 438 12 0 0\n"
			   "cpu0 512 0 700 5655859 1800 60 200 5 0 0\n"
			   "cpu1 620 34 741 5655859 1875 67 238 7 0 0\n"
			   "cpu12 1 2 3 4 5 6 7 8 9 10\n"
			   "intr 114930548 113199788 3 0 5 263 0 4\n"
			   "ctxt 1990473\n"
			   "cpu3 1 1 1 1 1 1 1 1 1 1\n"; /* not among the first: no CPU's line */

Test(cputime, of_each_cpu)
{
	struct cputime t[13];

	memset(t, 0xee, sizeof(t));
	cputime_parse(real, t, 13, 100);
	cr_assert(eq(u64, t[0].idle_ns, (5655859 + 1800) * TICK));
	cr_assert(eq(u64, t[0].steal_ns, 5 * TICK));
	cr_assert(eq(u64, t[1].idle_ns, (5655859 + 1875) * TICK));
	cr_assert(eq(u64, t[1].steal_ns, 7 * TICK));
	cr_assert(eq(u64, t[12].idle_ns, 9 * TICK));
	cr_assert(eq(u64, t[12].steal_ns, 8 * TICK));
	cr_assert(eq(u64, t[2].idle_ns, UINT64_C(0xeeeeeeeeeeeeeeee)), "an offline CPU");
	cr_assert(eq(u64, t[3].idle_ns, UINT64_C(0xeeeeeeeeeeeeeeee)));
}

Test(cputime, cpus_beyond_the_room_are_left_out)
{
	struct cputime t[2] = { { 0 } };

	cputime_parse(real, t, 1, 100);
	cr_assert(ne(u64, t[0].idle_ns, 0));
	cr_assert(zero(u64, t[1].idle_ns));
}

Test(cputime, other_ticks)
{
	struct cputime t = { 0 };

	cputime_parse("cpu0 0 0 0 3 0 0 0 1\n", &t, 1, 1000);
	cr_assert(eq(u64, t.idle_ns, 3000000));
	cr_assert(eq(u64, t.steal_ns, 1000000));
}

Test(cputime, the_line_of_all_cpus_is_nobodys)
{
	struct cputime t[8] = { { 0 } };

	cputime_parse("cpu 3 1 1 1 1 1 1 1 1 1\n", t, 8, 100);
	cr_assert(zero(u64, t[3].idle_ns));
}

Test(cputime, garbage_changes_nothing)
{
	static const char *const texts[] = {
		"",
		"\n",
		"cpu",
		"cpu\n\n\ncpu0 1 2 3 4 5 6 7 8\n",
		"cpu0",
		"cpu0 1 2 3\n",
		"cpu0 1 2 3 x 5 6 7 8\n",
		"cpu0\n1 2 3\n",
		"cpux 1 2 3 4 5 6 7 8\n",
		"cpu99999999999999999999 1 2 3 4 5 6 7 8\n",
		"cpu4294967295 1 2 3 4 5 6 7 8\n",
		"cpu1 1 2 3 4 5 6 7 8",
		"processes 7\ncpu0 1 2 3 4 5 6 7 8\n",
		"\xff\xfe\x01",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cputime t = { 17, 18 };

		cputime_parse(texts[i], &t, 1, 100);
		cr_assert(eq(u64, t.idle_ns, 17), "text %zu", i);
		cr_assert(eq(u64, t.steal_ns, 18), "text %zu", i);
	}
}

Test(cputime, of_this_machine)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	struct cputime t[4096] = { { 0 } };
	uint64_t idle = 0;

	cr_assert(zero(int, cputime_read(t, (uint32_t)(n < 4096 ? n : 4096))));
	for (int i = 0; i < 4096; i++)
		idle += t[i].idle_ns;
	cr_assert(gt(u64, idle, 0));
}
