// SPDX-License-Identifier: Apache-2.0
/*
 * ledger.c - where every sample went, for one event on one CPU.
 *
 *   expected = blind + throttled + entries
 *   entries  = idle + filtered + dropped + written (+ in flight, until the run is over)
 *
 * The right side of the second line comes from different stages, and entries from the program
 * itself, so a sample that vanishes shows as unaccounted. expected is measured without the
 * programs:
 *
 *   clock events   (time running - time idle) / period + samples taken in the idle task: an idle
 *                  CPU has no duty to be sampled, its timers may sleep
 *   fixed period   the event's own count / period, and what it would have counted while the kernel
 *                  had stopped it
 *   frequency mode the period moves, so both sides are compared in counts and divided by the mean
 *                  period: an estimate
 */
#include "profiler/ledger.h"

static uint64_t divide(uint64_t a, uint64_t b)
{
	return b ? a / b : 0;
}

/* Samples the event would have taken while throttled, at the rate it had otherwise. */
static uint64_t throttled_at_mean_rate(const struct ledger_input *in)
{
	uint64_t active_ns = in->count.running_ns - in->count.throttled_ns;

	if (!in->count.throttled_ns || in->count.throttled_ns >= in->count.running_ns)
		return 0;
	return (uint64_t)((double)in->kernel.entries * (double)in->count.throttled_ns /
			  (double)active_ns);
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void expect_clock(uint64_t period_ns, const struct ledger_input *in,
			 Profiler__LedgerRow *row)
{
	/* With its tick asleep an idle CPU stays throttled: that is idle time, counted as such. */
	uint64_t unsampled_idle_ns = less(in->idle_ns, in->kernel.idle_weight);

	row->expected = divide(less(in->count.running_ns, in->idle_ns), period_ns) +
			divide(in->kernel.idle_weight, period_ns);
	row->throttled = divide(less(in->count.throttled_ns, unsampled_idle_ns), period_ns);
}

static void expect_counter(const struct event_spec *event, const struct ledger_input *in,
			   Profiler__LedgerRow *row)
{
	row->throttled = throttled_at_mean_rate(in);
	if (event->frequency_mode) {
		uint64_t mean = divide(in->kernel.weight, in->kernel.entries);
		int64_t missing = (int64_t)(in->count.count - in->kernel.weight);

		row->expected = in->kernel.entries + row->throttled;
		if (mean)
			row->expected += (uint64_t)(missing / (int64_t)mean);
	} else {
		row->expected = divide(in->count.count, event->granted) + row->throttled;
	}
}

void ledger_row(const struct event_spec *event, const struct ledger_input *in, bool final,
		Profiler__LedgerRow *row)
{
	const struct event_counters *k = &in->kernel;
	uint64_t period_ns =
		event->asked_in_hz ? divide(1000000000u, event->granted) : event->granted;
	int64_t rest;

	if (event->leader)
		; /* only counts */
	else if (event->clock)
		expect_clock(period_ns, in, row);
	else
		expect_counter(event, in, row);
	row->entries = k->entries;
	row->blind = (int64_t)(row->expected - row->throttled - row->entries);
	row->idle = k->idle;
	row->filtered_target = k->filtered_target;
	row->filtered_mode = k->filtered_mode;
	row->ring_full = k->ring_full;
	row->ring_busy = k->ring_busy;
	row->handoff = in->handoff;
	row->output = in->output;
	row->written = in->written;
	rest = (int64_t)(row->entries - row->idle - row->filtered_target - row->filtered_mode -
			 row->ring_full - row->ring_busy - row->handoff - row->output -
			 row->written);
	if (final || rest < 0)
		row->unaccounted = rest;
	else
		row->in_flight = (uint64_t)rest;
	row->entries_weight = k->weight;
	row->count = in->count.count;
	row->enabled_ns = in->count.enabled_ns;
	row->running_ns = in->count.running_ns;
	row->throttles = in->count.throttles;
	row->idle_ns = in->idle_ns;
	row->steal_ns = in->steal_ns;
	row->stack_lost = k->stack_lost;
	row->user_failed = k->user_failed;
	row->user_truncated = k->user_truncated;
	row->kernel_truncated = k->kernel_truncated;
}

uint64_t ledger_dropped(const Profiler__LedgerRow *row)
{
	return row->ring_full + row->ring_busy + row->handoff + row->output;
}
