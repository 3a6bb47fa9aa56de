/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_flame.c - what a flame graph's timeline keeps of the samples is right on average, and
 * bounded.
 *
 * What the page makes of it is for tests/tools/test_flamegraph.py to show.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "tools/flame_columns.h"
#include "tools/flame_time.h"

static double decoded(uint16_t code)
{
	return code < 32 ? code : ldexp(16 + (code & 15), (code >> 4) - 1);
}

Test(flame, small_values_are_exact)
{
	for (uint64_t value = 0; value < 32; value++)
		cr_expect(eq(dbl, decoded(flame_time_code(value, value * 12345)), (double)value));
}

/* Of all that chance may say, the mean is the value. */
Test(flame, values_are_right_on_average)
{
	static const uint64_t values[] = { 32, 33, 63, 64, 65, 1000, 1023, 12345, 65535 };

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		double sum = 0;

		for (uint64_t random = 0; random < 65536; random++)
			sum += decoded(flame_time_code(values[i], random));
		cr_expect(epsilon_eq(dbl, sum / 65536, (double)values[i], 1e-9 * values[i]),
			  "%.3f instead of %lu", sum / 65536, (unsigned long)values[i]);
	}
}

Test(flame, values_of_any_size_are_near)
{
	for (unsigned int shift = 0; shift < 64; shift++) {
		uint64_t value = UINT64_MAX >> shift;
		double got = decoded(flame_time_code(value, value >> 1));

		cr_expect(le(dbl, fabs(got / (double)value - 1), 1.0 / 16), "%lu",
			  (unsigned long)value);
	}
}

/* So many samples, 1 us apart, each with its number for a weight where that differs. */
static void take(struct flame_time *t, uint64_t samples, bool differs)
{
	struct profile_listener listener = flame_time_listener(t);

	for (uint64_t i = 0; i < samples; i++) {
		const struct reader_sample sample = { .time_ns = i * 1000,
						      .weight = differs ? i : 7 };

		cr_assert(zero(int, listener.sample(listener.ctx, &sample, 1 + (uint32_t)(i & 3))));
	}
}

Test(flame, a_million_samples_are_all_kept)
{
	struct flame_time t = { 0 };

	take(&t, 1000000, false);
	cr_expect(eq(u32, t.samples, 1000000));
	cr_expect(eq(u32, t.every, 1));
	cr_expect(eq(u64, flame_time_period(&t, 0), 7));
	flame_time_release(&t);
}

/* Every part of the recording keeps its share: 5 sigma of the binomial distribution. */
Test(flame, of_more_each_part_keeps_its_share)
{
	struct flame_time t = { 0 };
	uint32_t part[10] = { 0 };
	const double expected = 5e5;

	take(&t, 5000000, true);
	cr_expect(le(u32, t.samples, FLAME_TIME_SAMPLES));
	cr_expect(zero(u64, flame_time_period(&t, 0)));
	for (uint32_t i = 0; i < t.samples; i++)
		part[t.sample[i].time_ns / 500000000]++;
	for (size_t i = 0; i < 10; i++)
		cr_expect(le(dbl, fabs(part[i] * (double)t.every - expected),
			     5 * sqrt(expected * (t.every - 1))),
			  "part %zu: %u of every %u", i, part[i], t.every);
	flame_time_release(&t);
}

Test(flame, cells_hold_all_samples)
{
	static const uint64_t lengths[] = { 1, 999, 20000, 599999, 3600000, 10000000 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct flame_sample sample[] = { { .time_ns = 5000000000 },
						 { .time_ns = 5000000000 + lengths[i] * 1000000 } };
		const struct flame_time t = { .sample = sample, .samples = 2 };
		struct flame_grid grid = flame_grid_of(&t, 4000000000);
		uint64_t end_ns = grid.origin_ns + grid.cell_ns * grid.rows * grid.columns;

		cr_expect(le(u64, grid.origin_ns, 1000000000));
		cr_expect(gt(u64, end_ns, 1000000000 + lengths[i] * 1000000));
		cr_expect(le(u32, grid.columns, 601));
	}
}
