/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_stretches.c - what code is called, however a stream says it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tools/stretches.h"

#include "random.h"

static struct stretches stretches;

static void set_up(void)
{
	stretches_init(&stretches);
}

static void tear_down(void)
{
	stretches_release(&stretches);
}

TestSuite(tools_stretches, .init = set_up, .fini = tear_down);

static void add(uint32_t file, uint64_t start, uint64_t end, uint32_t name)
{
	const struct stretch s = { .start = start, .end = end, .file = file, .name = name };

	cr_assert(zero(int, stretches_add(&stretches, &s)));
}

/* The name of a place, 0 for a stretch without one, UINT32_MAX where nothing is told. */
static uint32_t name_at(uint32_t file, uint64_t offset)
{
	const struct stretch *s = stretches_find(&stretches, file, offset);

	return s ? s->name : UINT32_MAX;
}

Test(tools_stretches, edges_and_gaps)
{
	add(1, 100, 200, 7);
	add(1, 300, 400, 8);
	add(2, 100, 101, 9);
	add(3, 0, UINT64_MAX, 10);
	cr_assert(zero(int, stretches_sort(&stretches)));
	cr_expect(eq(u32, name_at(1, 99), UINT32_MAX));
	cr_expect(eq(u32, name_at(1, 100), 7));
	cr_expect(eq(u32, name_at(1, 199), 7));
	cr_expect(eq(u32, name_at(1, 200), UINT32_MAX), "in the gap");
	cr_expect(eq(u32, name_at(1, 300), 8));
	cr_expect(eq(u32, name_at(1, 400), UINT32_MAX));
	cr_expect(eq(u32, name_at(2, 100), 9), "another file");
	cr_expect(eq(u32, name_at(2, 101), UINT32_MAX));
	cr_expect(eq(u32, name_at(3, 0), 10));
	cr_expect(eq(u32, name_at(3, UINT64_MAX - 1), 10));
	cr_expect(eq(u32, name_at(4, 100), UINT32_MAX));
}

Test(tools_stretches, nothing_is_known_of_nothing)
{
	cr_expect(eq(u32, name_at(1, 0), UINT32_MAX), "not even sorted");
	cr_assert(zero(int, stretches_sort(&stretches)));
	cr_expect(eq(u32, name_at(1, 0), UINT32_MAX));
}

Test(tools_stretches, a_name_goes_before_none_and_the_first_before_others)
{
	add(1, 0, 100, 0);
	add(1, 50, 60, 5);
	add(1, 55, 70, 6);
	add(1, 40, 80, 7);
	add(1, 50, 60, 5); /* an epoch repeats it */
	cr_assert(zero(int, stretches_sort(&stretches)));
	cr_expect(eq(u32, stretches.list.count, 4));
	cr_expect(eq(u32, name_at(1, 39), 0));
	cr_expect(eq(u32, name_at(1, 40), 7));
	cr_expect(eq(u32, name_at(1, 50), 5));
	cr_expect(eq(u32, name_at(1, 59), 5));
	cr_expect(eq(u32, name_at(1, 60), 6));
	cr_expect(eq(u32, name_at(1, 70), 7));
	cr_expect(eq(u32, name_at(1, 99), 0));
	cr_expect(eq(u32, name_at(1, 100), UINT32_MAX));
}

/* Any overlaps, against the definition spelled out. */
Test(tools_stretches, random_stretches)
{
	enum { ROUNDS = 200, STRETCHES = 40, OFFSETS = 64, FILES = 3 };
	uint64_t state = 1;

	for (int round = 0; round < ROUNDS; round++) {
		tear_down();
		set_up();
		for (int i = 0; i < STRETCHES; i++) {
			uint64_t start = next_random(&state) % OFFSETS;
			uint64_t end = start + 1 + next_random(&state) % 20;

			add(1 + (uint32_t)(next_random(&state) % FILES), start, end,
			    (uint32_t)(next_random(&state) % 5));
		}
		cr_assert(zero(int, stretches_sort(&stretches)));
		for (uint32_t file = 1; file <= FILES; file++) {
			for (uint64_t offset = 0; offset < OFFSETS + 20; offset++) {
				uint32_t best = UINT32_MAX;

				for (uint32_t id = stretches.list.count; id; id--) {
					const struct stretch *s = idmap_at(&stretches.list, id);

					if (s->file != file || offset < s->start ||
					    offset >= s->end)
						continue;
					if (s->name || best == UINT32_MAX || !best)
						best = s->name;
				}
				cr_assert(eq(u32, name_at(file, offset), best), "round %d", round);
			}
		}
	}
}
