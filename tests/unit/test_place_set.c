// SPDX-License-Identifier: Apache-2.0
/* A set of places has each once, in order, and never more than it may. */
#include <criterion/criterion.h>

#include "profiler/place_set.h"
#include "tests/unit/random.h"

Test(place_set, each_once_and_in_order)
{
	struct place_set set = { 0 };
	uint64_t random = 5;

	for (int i = 0; i < 20000; i++)
		cr_assert(place_set_add(&set, random_below(&random, 3000)));
	place_set_sort(&set);
	cr_assert_leq(set.count, 3000);
	cr_assert_geq(set.count, 2900);
	for (uint32_t i = 1; i < set.count; i++)
		cr_assert_lt(set.place[i - 1], set.place[i]);
	place_set_release(&set);
}

Test(place_set, full_is_full_until_some_are_taken_out)
{
	struct place_set set = { 0 };
	uint64_t place = 0;

	while (place_set_add(&set, place))
		place++;
	cr_assert_eq(place, PLACE_SET_MAX);
	cr_assert_not(place_set_add(&set, 1));
	place_set_sort(&set);
	cr_assert_eq(set.count, PLACE_SET_MAX);
	place_set_drop(&set, 1000);
	cr_assert_eq(set.count, PLACE_SET_MAX - 1000);
	cr_assert_eq(set.place[0], 1000);
	cr_assert(place_set_add(&set, 7));
	place_set_sort(&set);
	cr_assert_eq(set.place[0], 7);
	place_set_drop(&set, set.count);
	cr_assert_eq(set.count, 0);
	place_set_release(&set);
}
