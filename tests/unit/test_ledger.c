// SPDX-License-Identifier: Apache-2.0
/*
 * test_ledger.c - the sums of a ledger row: by hand for each kind of event, and always.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "profiler/ledger.h"
#include "tests/unit/random.h"

#define SECOND UINT64_C(1000000000)

static const struct event_spec clock_1khz = {
	.clock = true,
	.asked_in_hz = true,
	.granted = 1000,
};
static const struct event_spec clock_by_period = { .clock = true, .granted = 250000 };
static const struct event_spec fixed_period = { .granted = 1000 };
static const struct event_spec frequency = {
	.asked_in_hz = true,
	.granted = 1000,
	.frequency_mode = true,
};

static Profiler__LedgerRow row_of(const struct event_spec *event, const struct ledger_input *in,
				  bool final)
{
	Profiler__LedgerRow row = PROFILER__LEDGER_ROW__INIT;

	ledger_row(event, in, final, &row);
	return row;
}

static void check_sums(const Profiler__LedgerRow *r)
{
	cr_assert(eq(u64, r->expected, (uint64_t)r->blind + r->throttled + r->entries));
	cr_assert(eq(u64, r->entries,
		     r->idle + r->filtered_target + r->filtered_mode + r->ring_full + r->ring_busy +
			     r->handoff + r->output + r->written + r->in_flight +
			     (uint64_t)r->unaccounted));
	cr_assert(eq(u64, ledger_dropped(r), r->ring_full + r->ring_busy + r->handoff + r->output));
}

/* 10 s at 1 kHz, 4 s of them idle with 100 samples taken all the same. */
Test(ledger, clock_event_owes_nothing_to_an_idle_cpu)
{
	struct ledger_input in = {
		.kernel = { .entries = 6090, .idle = 100, .idle_weight = 100 * 1000000 },
		.count = { .enabled_ns = 10 * SECOND, .running_ns = 10 * SECOND },
		.idle_ns = 4 * SECOND,
		.written = 5990,
	};
	Profiler__LedgerRow r = row_of(&clock_1khz, &in, true);

	cr_assert(eq(u64, r.expected, 6100));
	cr_assert(eq(i64, r.blind, 10));
	cr_assert(zero(u64, r.throttled));
	cr_assert(zero(i64, r.unaccounted));
	check_sums(&r);
}

Test(ledger, clock_event_by_period)
{
	struct ledger_input in = {
		.kernel = { .entries = 4000 },
		.count = { .running_ns = SECOND },
		.written = 4000,
	};
	Profiler__LedgerRow r = row_of(&clock_by_period, &in, true);

	cr_assert(eq(u64, r.expected, 4000));
	cr_assert(zero(i64, r.blind));
}

/* 2 s of 10 s the kernel had the event stopped: no samples came, and none are blind for it. */
Test(ledger, throttled_clock_event)
{
	struct ledger_input in = {
		.kernel = { .entries = 7995 },
		.count = { .running_ns = 10 * SECOND, .throttled_ns = 2 * SECOND },
		.written = 7995,
	};
	Profiler__LedgerRow r = row_of(&clock_1khz, &in, true);

	cr_assert(eq(u64, r.expected, 10000));
	cr_assert(eq(u64, r.throttled, 2000));
	cr_assert(eq(i64, r.blind, 5));
	check_sums(&r);
}

/* An idle CPU without a tick is not set going again: what it was not sampled then is idle time. */
Test(ledger, throttled_while_idle)
{
	struct ledger_input in = {
		.kernel = { .entries = 7000, .idle = 1500, .idle_weight = 1500 * 1000000 },
		.count = { .running_ns = 10 * SECOND, .throttled_ns = 3 * SECOND },
		.idle_ns = 4 * SECOND,
		.written = 5500,
	};
	Profiler__LedgerRow r = row_of(&clock_1khz, &in, true);

	cr_assert(eq(u64, r.expected, 7500));
	cr_assert(eq(u64, r.throttled, 500));
	cr_assert(zero(i64, r.blind));
	in.count.throttled_ns = 2 * SECOND;
	cr_assert(zero(u64, row_of(&clock_1khz, &in, true).throttled));
}

/* Idle time is counted in steps of 10 ms: more of it than running time is no expectation. */
Test(ledger, more_idle_than_running)
{
	struct ledger_input in = {
		.count = { .running_ns = SECOND },
		.idle_ns = SECOND + 1,
	};
	Profiler__LedgerRow r = row_of(&clock_1khz, &in, true);

	cr_assert(zero(u64, r.expected));
	check_sums(&r);
}

Test(ledger, fixed_period_by_the_events_own_counter)
{
	struct ledger_input in = {
		.kernel = { .entries = 9900 },
		.count = { .count = 10000999, .running_ns = 10 * SECOND },
		.written = 9900,
	};
	Profiler__LedgerRow r = row_of(&fixed_period, &in, true);

	cr_assert(eq(u64, r.expected, 10000));
	cr_assert(eq(i64, r.blind, 100));
	check_sums(&r);
}

/* The kernel stops the counter too: 8000 samples in 8 s of 10 s make 2000 throttled. */
Test(ledger, throttled_fixed_period)
{
	struct ledger_input in = {
		.kernel = { .entries = 8000 },
		.count = { .count = 8000000,
			   .running_ns = 10 * SECOND,
			   .throttled_ns = 2 * SECOND },
		.written = 8000,
	};
	Profiler__LedgerRow r = row_of(&fixed_period, &in, true);

	cr_assert(eq(u64, r.expected, 10000));
	cr_assert(eq(u64, r.throttled, 2000));
	cr_assert(zero(i64, r.blind));
	in.count.throttled_ns = 10 * SECOND; /* nothing to conclude a rate from */
	r = row_of(&fixed_period, &in, true);
	cr_assert(zero(u64, r.throttled));
	check_sums(&r);
}

/* 1000 samples of 100 counts on average, of 120000 counts in all: 200 were not seen. */
Test(ledger, frequency_mode_by_counts)
{
	struct ledger_input in = {
		.kernel = { .entries = 1000, .weight = 100000 },
		.count = { .count = 120000, .running_ns = SECOND },
		.written = 1000,
	};
	Profiler__LedgerRow r = row_of(&frequency, &in, true);

	cr_assert(eq(u64, r.expected, 1200));
	cr_assert(eq(i64, r.blind, 200));
	in.count.throttled_ns = SECOND / 2;
	r = row_of(&frequency, &in, true);
	cr_assert(eq(u64, r.throttled, 1000));
	cr_assert(eq(u64, r.expected, 2200));
	cr_assert(eq(i64, r.blind, 200));
	in.count.count = 95000; /* the last periods were longer than they got */
	r = row_of(&frequency, &in, true);
	cr_assert(eq(i64, r.blind, -50));
	check_sums(&r);
}

Test(ledger, an_event_that_never_ran)
{
	const struct event_spec *events[] = { &clock_1khz, &fixed_period, &frequency };
	struct ledger_input in = { 0 };

	for (int i = 0; i < 3; i++) {
		Profiler__LedgerRow r = row_of(events[i], &in, true);

		cr_assert(zero(u64, r.expected));
		cr_assert(zero(i64, r.blind));
		check_sums(&r);
	}
}

Test(ledger, what_is_missing_is_on_its_way_until_the_end)
{
	struct ledger_input in = { .kernel = { .entries = 100, .idle = 10 }, .written = 50 };
	Profiler__LedgerRow r = row_of(&fixed_period, &in, false);

	cr_assert(eq(u64, r.in_flight, 40));
	cr_assert(zero(i64, r.unaccounted));
	check_sums(&r);
	r = row_of(&fixed_period, &in, true);
	cr_assert(zero(u64, r.in_flight));
	cr_assert(eq(i64, r.unaccounted, 40));
	check_sums(&r);
	in.written = 91; /* more than there were is wrong at any time */
	r = row_of(&fixed_period, &in, false);
	cr_assert(zero(u64, r.in_flight));
	cr_assert(eq(i64, r.unaccounted, -1));
	check_sums(&r);
}

Test(ledger, every_count_is_in_its_column)
{
	struct ledger_input in = {
		.kernel = { .entries = 1000,
			    .weight = 2,
			    .idle = 3,
			    .filtered_target = 4,
			    .filtered_mode = 5,
			    .ring_full = 6,
			    .ring_busy = 7,
			    .submitted = 8,
			    .stack_lost = 9,
			    .user_failed = 10,
			    .user_truncated = 11,
			    .kernel_truncated = 12 },
		.count = { 13, 14, 15, 0, 0 },
		.idle_ns = 16,
		.steal_ns = 17,
		.handoff = 18,
		.output = 19,
		.written = 20,
	};
	Profiler__LedgerRow r = row_of(&fixed_period, &in, false);
	const uint64_t columns[] = {
		r.entries_weight, r.idle,	    r.filtered_target,	r.filtered_mode,
		r.ring_full,	  r.ring_busy,	    r.in_flight,	r.stack_lost,
		r.user_failed,	  r.user_truncated, r.kernel_truncated, r.count,
		r.enabled_ns,	  r.running_ns,	    r.idle_ns,		r.steal_ns,
		r.handoff,	  r.output,	    r.written,
	};

	for (uint32_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (i != 6)
			cr_assert(eq(u64, columns[i], i + 2), "column %u", i);
	cr_assert(eq(u64, r.in_flight, 1000 - 3 - 4 - 5 - 6 - 7 - 18 - 19 - 20));
	cr_assert(eq(u64, ledger_dropped(&r), 6 + 7 + 18 + 19));
}

static uint64_t some(uint64_t *random)
{
	return next_random(random) >> (24 + random_below(random, 40));
}

/* Whatever the stages say, true or not: both sums hold, and nothing is in two places. */
Test(ledger, the_sums_hold_for_any_input)
{
	const struct event_spec *events[] = { &clock_1khz, &clock_by_period, &fixed_period,
					      &frequency };
	uint64_t random = 1;

	for (int i = 0; i < 200000; i++) {
		bool final = random_below(&random, 2);
		struct ledger_input in = {
			.kernel = { .entries = some(&random),
				    .weight = some(&random),
				    .idle = some(&random),
				    .idle_weight = some(&random),
				    .filtered_target = some(&random),
				    .filtered_mode = some(&random),
				    .ring_full = some(&random),
				    .ring_busy = some(&random) },
			.count = { .count = some(&random),
				   .running_ns = some(&random),
				   .throttled_ns = some(&random) },
			.idle_ns = some(&random),
			.handoff = some(&random),
			.output = some(&random),
			.written = some(&random),
		};
		Profiler__LedgerRow r = row_of(events[i % 4], &in, final);

		check_sums(&r);
		cr_assert(not(all(r.in_flight != 0, r.unaccounted != 0)));
		if (final)
			cr_assert(zero(u64, r.in_flight));
		else
			cr_assert(le(i64, r.unaccounted, 0));
	}
}
