// SPDX-License-Identifier: Apache-2.0
/* What is known of a file's code is found again, whatever order it came in. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "profiler/name_list.h"
#include "tests/unit/random.h"

static void add(struct name_list *list, uint64_t start, uint64_t end, const char *name)
{
	const struct name_stretch s = { .start = start,
					.end = end,
					.text = name ? 0 : NAME_LIST_NONE };

	cr_assert_eq(name_list_add(list, &s, 1, name, name ? (uint32_t)strlen(name) + 1 : 0), 0);
}

static const char *at(const struct name_list *list, uint64_t place)
{
	const struct name_stretch *s = name_list_find(list, place);

	return !s ? "not known" : s->text == NAME_LIST_NONE ? "no name" : list->texts + s->text;
}

Test(name_list, finds_what_was_added_and_nothing_beside)
{
	struct name_list list = { 0 };

	cr_assert_str_eq(at(&list, 0), "not known");
	add(&list, 100, 200, "middle");
	add(&list, 300, 400, NULL);
	add(&list, 10, 20, "first");
	cr_assert_str_eq(at(&list, 9), "not known");
	cr_assert_str_eq(at(&list, 10), "first");
	cr_assert_str_eq(at(&list, 19), "first");
	cr_assert_str_eq(at(&list, 20), "not known");
	cr_assert_str_eq(at(&list, 100), "middle");
	cr_assert_str_eq(at(&list, 199), "middle");
	cr_assert_str_eq(at(&list, 200), "not known");
	cr_assert_str_eq(at(&list, 399), "no name");
	cr_assert_str_eq(at(&list, 400), "not known");
	name_list_release(&list);
}

/* A hostile map may contradict what it said before: what was said first stays. */
Test(name_list, what_overlaps_stays_out)
{
	struct name_list list = { 0 };

	add(&list, 100, 200, "old");
	add(&list, 150, 250, "behind");
	add(&list, 50, 101, "before");
	add(&list, 0, 1000, "around");
	add(&list, 120, 130, "inside");
	add(&list, 200, 201, "next");
	cr_assert_eq(list.count, 2);
	cr_assert_str_eq(at(&list, 150), "old");
	cr_assert_str_eq(at(&list, 200), "next");
	cr_assert_str_eq(at(&list, 220), "not known");
	name_list_release(&list);
}

Test(name_list, many_in_any_order)
{
	enum { COUNT = 500 };
	struct name_list list = { 0 };
	uint32_t order[COUNT];
	uint64_t random = 1;
	char name[16];

	for (uint32_t i = 0; i < COUNT; i++)
		order[i] = i;
	for (uint32_t i = COUNT - 1; i > 0; i--) {
		uint32_t k = random_below(&random, i + 1), other = order[k];

		order[k] = order[i];
		order[i] = other;
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "f%u", order[i]);
		add(&list, order[i] * 16, order[i] * 16 + 8, name);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		cr_assert_str_eq(at(&list, i * 16 + 7), name);
		cr_assert_str_eq(at(&list, i * 16 + 8), "not known");
	}
	name_list_release(&list);
}
