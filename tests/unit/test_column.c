// SPDX-License-Identifier: Apache-2.0
/*
 * test_column.c - the wire format by hand, held against protobuf-c.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "profiler/column.h"
#include "stream.pb-c.h"
#include "tests/unit/random.h"

#define WEIGHT_FIELD 10

Test(wire, varints_at_their_edges)
{
	static const struct {
		uint64_t value;
		size_t bytes;
		uint8_t first, last;
	} cases[] = {
		{ 0, 1, 0x00, 0x00 },		{ 1, 1, 0x01, 0x01 },
		{ 127, 1, 0x7f, 0x7f },		{ 128, 2, 0x80, 0x01 },
		{ 300, 2, 0xac, 0x02 },		{ 16383, 2, 0xff, 0x7f },
		{ 16384, 3, 0x80, 0x01 },	{ UINT32_MAX, 5, 0xff, 0x0f },
		{ UINT64_MAX, 10, 0xff, 0x01 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[WIRE_VARINT_MAX] = { 0 };

		cr_assert(eq(sz, wire_put_varint(bytes, cases[i].value), cases[i].bytes));
		cr_assert(eq(u8, bytes[0], cases[i].first));
		cr_assert(eq(u8, bytes[cases[i].bytes - 1], cases[i].last));
	}
}

Test(wire, zigzag)
{
	cr_assert(eq(u64, wire_zigzag(0), 0));
	cr_assert(eq(u64, wire_zigzag(-1), 1));
	cr_assert(eq(u64, wire_zigzag(1), 2));
	cr_assert(eq(u64, wire_zigzag(-2), 3));
	cr_assert(eq(u64, wire_zigzag(INT64_MAX), UINT64_MAX - 1));
	cr_assert(eq(u64, wire_zigzag(INT64_MIN), UINT64_MAX));
}

Test(wire, a_buffer_keeps_its_bytes_as_it_grows)
{
	struct buffer b = { 0 };

	for (uint32_t i = 0; i < 10000; i++)
		wire_append(&b, &(uint8_t){ (uint8_t)i }, 1);
	cr_assert(eq(sz, b.size, 10000));
	for (uint32_t i = 0; i < 10000; i++)
		cr_assert(eq(u8, b.data[i], (uint8_t)i));
	wire_append(&b, NULL, 0);
	buffer_clear(&b);
	cr_assert(zero(sz, b.size));
	cr_assert(not(b.failed));
	buffer_free(&b);
	cr_assert(b.data == NULL);
}

/* Encodes @n values as the weights of a block and has protobuf-c read them. */
static Profiler__SampleBlock *encode(struct column *c, const uint32_t *value, uint32_t n)
{
	struct buffer out = { 0 };
	Profiler__SampleBlock *block;

	for (uint32_t i = 0; i < n; i++)
		column_push(c, i, value[i]);
	column_encode(c, WEIGHT_FIELD, &out);
	cr_assert(not(out.failed));
	block = profiler__sample_block__unpack(NULL, out.size, out.data);
	cr_assert(block != NULL);
	buffer_free(&out);
	return block;
}

/* One column for all that a test checks: a cleared one is as good as a new one. */
static struct column column;

static void free_column(void)
{
	column_free(&column);
}

TestSuite(column, .fini = free_column);

static void check(const uint32_t *value, uint32_t n, size_t entries)
{
	Profiler__SampleBlock *block = encode(&column, value, n);

	cr_assert(eq(sz, block->n_weight, entries));
	for (uint32_t i = 0; i < entries; i++)
		cr_assert(eq(u32, block->weight[i], value[i]));
	profiler__sample_block__free_unpacked(block, NULL);
	column_clear(&column);
}

Test(column, all_zero_costs_nothing)
{
	check((uint32_t[]){ 0, 0, 0, 0 }, 4, 0);
	check((uint32_t[]){ 0 }, 1, 0);
}

Test(column, a_constant_is_one_entry)
{
	check((uint32_t[]){ 7, 7, 7, 7, 7 }, 5, 1);
	check((uint32_t[]){ UINT32_MAX }, 1, 1);
}

Test(column, mixed_values_are_all_there)
{
	check((uint32_t[]){ 0, 0, 1 }, 3, 3);
	check((uint32_t[]){ 1, 0, 0 }, 3, 3);
	check((uint32_t[]){ 5, 5, 5, 6, 5 }, 5, 5);
	check((uint32_t[]){ UINT32_MAX, 0 }, 2, 2);
}

Test(column, random_values)
{
	uint64_t random = 1;

	for (int round = 0; round < 2000; round++) {
		uint32_t value[50], n = 1 + random_below(&random, 50), same = 1;
		uint32_t shift = random_below(&random, 32);

		for (uint32_t i = 0; i < n; i++) {
			value[i] = (uint32_t)next_random(&random) >> shift;
			if (i && random_below(&random, 2))
				value[i] = value[i - 1];
			same &= value[i] == value[0];
		}
		check(value, n, !same ? n : value[0] != 0);
	}
}

/* Whoever packs a column that had no memory learns of it. */
Test(column, failure_is_passed_on)
{
	struct column c = { 0 };
	struct buffer packed = { 0 };

	column_push(&c, 0, 1);
	column_push(&c, 1, 2);
	c.bytes.failed = true;
	column_encode(&c, WEIGHT_FIELD, &packed);
	cr_assert(packed.failed);
	column_clear(&c);
	buffer_clear(&packed);
	column_push(&c, 0, 1);
	column_encode(&c, WEIGHT_FIELD, &packed);
	cr_assert(not(packed.failed));
	buffer_free(&packed);
	column_free(&c);
}
