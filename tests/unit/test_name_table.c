// SPDX-License-Identifier: Apache-2.0
/* What goes into the columns of message Names comes out of them. */
#include <criterion/criterion.h>

#include "profiler/name_table.h"
#include "stream.pb-c.h"
#include "tests/unit/random.h"

struct entry {
	uint32_t mapping;
	uint64_t start;
	uint64_t end;
	uint32_t function;
	uint32_t unknown;
};

static Profiler__Definitions *encode(struct name_table *t, const struct entry *e, size_t count)
{
	struct buffer out = { 0 };
	Profiler__Definitions *d;

	for (size_t i = 0; i < count; i++)
		name_table_add(t, e[i].mapping, e[i].start, e[i].end, e[i].function, e[i].unknown);
	name_table_encode(t, &out);
	d = profiler__definitions__unpack(NULL, out.size, out.data);
	cr_assert(d && !out.failed);
	buffer_free(&out);
	return d;
}

/* A column that is all 0 may be empty; every other one has an entry for each. */
static uint32_t value(const uint32_t *column, size_t n, size_t i)
{
	return n ? column[i] : 0;
}

static void check(const Profiler__Names *n, const struct entry *e, size_t count)
{
	uint64_t start = 0;

	cr_assert_eq(n->n_mapping, count);
	cr_assert_eq(n->n_start_delta, count);
	cr_assert_eq(n->n_size, count);
	cr_assert(n->n_function == count || !n->n_function);
	cr_assert(n->n_unknown == count || !n->n_unknown);
	for (size_t i = 0; i < count; i++) {
		start += (uint64_t)n->start_delta[i];
		cr_assert_eq(n->mapping[i], e[i].mapping);
		cr_assert_eq(start, e[i].start);
		cr_assert_eq(start + n->size[i], e[i].end);
		cr_assert_eq(value(n->function, n->n_function, i), e[i].function);
		cr_assert_eq(value(n->unknown, n->n_unknown, i), e[i].unknown);
	}
}

Test(name_table, columns_of_one_value_and_of_many)
{
	static const struct entry entries[] = {
		{ 1, 4096, 4100, 7, 0 },
		{ 1, 64, 128, 7, 0 },
		{ 2, 0, INT64_MAX, 0, 2 },
		{ 3, UINT64_C(0x7fffffff0000), UINT64_C(0x7fffffff0040), 9, 0 },
	};
	struct name_table t = { 0 };

	for (size_t count = 1; count <= 4; count++) {
		Profiler__Definitions *d = encode(&t, entries, count);

		check(d->names, entries, count);
		profiler__definitions__free_unpacked(d, NULL);
	}
	name_table_release(&t);
}

Test(name_table, nothing_is_nothing_and_is_not_said_twice)
{
	static const struct entry entry = { 1, 2, 3, 4, 0 };
	struct name_table t = { 0 };
	Profiler__Definitions *d = encode(&t, &entry, 1);

	check(d->names, &entry, 1);
	profiler__definitions__free_unpacked(d, NULL);
	d = encode(&t, NULL, 0);
	cr_assert_null(d->names);
	profiler__definitions__free_unpacked(d, NULL);
	name_table_release(&t);
}

Test(name_table, random_entries)
{
	uint64_t random = 3;
	struct entry entries[64];
	struct name_table t = { 0 };

	for (int round = 0; round < 200; round++) {
		size_t count = 1 + random_below(&random, 64);
		Profiler__Definitions *d;

		for (size_t i = 0; i < count; i++) {
			uint64_t start = next_random(&random) >> random_below(&random, 64);

			entries[i] =
				(struct entry){ .mapping = 1 + random_below(&random, 3),
						.start = start / 2,
						.end = start / 2 + 1 + random_below(&random, 999),
						.function = random_below(&random, 2),
						.unknown = random_below(&random, 2) };
		}
		d = encode(&t, entries, count);
		check(d->names, entries, count);
		profiler__definitions__free_unpacked(d, NULL);
	}
	name_table_release(&t);
}
