// SPDX-License-Identifier: Apache-2.0
/*
 * test_tools_losses.c - which blind samples a statement is made from.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tools/losses.h"

#define ROWS   4
#define SECOND 1000000000u

static struct {
	Profiler__Header header;
	Profiler__Event event[2], *events[2];
	Profiler__Ledger ledger;
	Profiler__LedgerRow row[ROWS], *rows[ROWS];
} made;

/* Event 0 is a clock, event 1 is not. */
static void setup(void)
{
	static char clock_unit[] = "nanoseconds", counter_unit[] = "count";

	made.header = (Profiler__Header)PROFILER__HEADER__INIT;
	made.ledger = (Profiler__Ledger)PROFILER__LEDGER__INIT;
	for (size_t i = 0; i < 2; i++) {
		made.event[i] = (Profiler__Event)PROFILER__EVENT__INIT;
		made.event[i].unit = i ? counter_unit : clock_unit;
		made.events[i] = &made.event[i];
	}
	made.header.n_event = 2;
	made.header.event = made.events;
	made.ledger.row = made.rows;
}

TestSuite(losses, .init = setup);

static void add_row(uint32_t event, uint64_t idle_ns, int64_t blind)
{
	Profiler__LedgerRow *row = &made.row[made.ledger.n_row];

	*row = (Profiler__LedgerRow)PROFILER__LEDGER_ROW__INIT;
	row->event = event;
	row->running_ns = SECOND;
	row->idle_ns = idle_ns;
	row->blind = blind;
	made.rows[made.ledger.n_row++] = row;
}

static int64_t busy_blind(uint32_t event)
{
	return ledger_busy_blind(&made.header, &made.ledger, event);
}

Test(losses, blind_on_an_idle_cpu_says_nothing)
{
	add_row(0, SECOND / 10 - 1, 1);
	add_row(0, SECOND / 10, 20);
	add_row(0, SECOND, 300);
	cr_expect(eq(i64, busy_blind(0), 1));
	cr_expect(eq(i64, ledger_sum(&made.ledger, 0).blind, 321), "the ledger itself stays");
}

Test(losses, other_events_do_not_need_the_clock_of_idle_time)
{
	add_row(0, SECOND, 1);
	add_row(1, SECOND, 20);
	add_row(7, SECOND, 300);
	cr_expect(zero(i64, busy_blind(0)));
	cr_expect(eq(i64, busy_blind(1), 20));
	cr_expect(eq(i64, busy_blind(7), 300), "one that the header does not know");
	cr_expect(eq(i64, busy_blind(PROFILE_ALL_EVENTS), 320));
}

Test(losses, a_clock_that_never_ran_or_is_ahead)
{
	cr_expect(zero(i64, ledger_busy_blind(&made.header, NULL, PROFILE_ALL_EVENTS)));
	add_row(0, 0, -5);
	cr_expect(eq(i64, busy_blind(0), -5), "within the error of the clock");
	add_row(0, 0, 9);
	made.row[1].running_ns = 0;
	cr_expect(eq(i64, busy_blind(0), -5));
}

Test(losses, an_events_own_counter)
{
	struct ledger_counter c;

	add_row(1, SECOND / 2, 0);
	made.row[0].enabled_ns = 2 * SECOND;
	made.row[0].count = 1000;
	made.row[0].counted = 700;
	made.row[0].uncounted = 200;
	made.row[0].entries = 110;
	made.row[0].idle = 10;
	made.row[0].throttles = 2;
	add_row(1, 2 * SECOND, 0); /* the clock of idle time is coarse */
	made.row[1].enabled_ns = 2 * SECOND;
	made.row[1].counts_lost = 3;
	add_row(1, 0, 0);
	made.row[2].enabled_ns = 2 * SECOND;
	made.row[2].running_ns = 0;
	add_row(0, 0, 0);
	made.row[3].count = 5;
	c = ledger_counter(&made.ledger, 1);
	cr_expect(eq(u64, c.count, 1000));
	cr_expect(eq(u64, c.counted + c.uncounted, 900));
	cr_expect(eq(u64, c.counts_lost, 3));
	cr_expect(eq(u64, c.throttles, 2));
	cr_expect(eq(u64, c.running_ns, 2 * (uint64_t)SECOND));
	cr_expect(eq(u64, c.enabled_ns, 6 * (uint64_t)SECOND));
	cr_expect(eq(u32, c.rows, 3));
	cr_expect(eq(u32, c.never, 1), "enabled, and never on the hardware");
	cr_expect(eq(dbl, ledger_achieved_hz(&c), 200), "100 samples in half a second");
	c = ledger_counter(NULL, 1);
	cr_expect(zero(dbl, ledger_achieved_hz(&c)));
}
