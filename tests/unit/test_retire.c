// SPDX-License-Identifier: Apache-2.0
/*
 * test_retire.c - nothing is used again while a program that may be reading it runs.
 */
#include "tests/unit/random.h"
#include "tests/unit/unwind_world.h"

#define STEP_NS (RETIRE_SETTLE_NS + 1)
#define RUNS	(WORLD_CPUS * WORLD_EVENTS)

static struct world w;

static void setup(void)
{
	world_open(&w);
}

static void teardown(void)
{
	world_close(&w);
}

TestSuite(retire, .init = setup, .fini = teardown);

static void polls(int n)
{
	while (n--)
		retire_poll(w.retire, w.now_ns += STEP_NS);
}

Test(retire, done_when_nothing_runs)
{
	uint64_t ticket = retire_ticket(w.retire);

	cr_assert(gt(u64, ticket, retire_done(w.retire)));
	polls(2);
	cr_assert(ge(u64, retire_done(w.retire), ticket));
}

Test(retire, waits_for_each_run_that_had_begun)
{
	uint64_t ticket;

	for (uint32_t i = 0; i < RUNS; i++) {
		struct world_reader r = { .cpu_event = i };

		for (uint32_t outcome = 0; outcome < 6; outcome++) {
			reader_begin(&w, &r);
			ticket = retire_ticket(w.retire);
			polls(10);
			cr_assert(lt(u64, retire_done(w.retire), ticket));
			reader_end(&w, &r, outcome);
			polls(1);
			cr_assert(ge(u64, retire_done(w.retire), ticket));
		}
	}
}

Test(retire, does_not_wait_for_later_runs)
{
	struct world_reader old = { .cpu_event = 1 }, young = { .cpu_event = 1 };
	uint64_t ticket;

	reader_begin(&w, &old);
	ticket = retire_ticket(w.retire);
	polls(3);
	cr_assert(lt(u64, retire_done(w.retire), ticket));
	reader_end(&w, &old, 5);
	reader_begin(&w, &young);
	polls(1);
	cr_assert(ge(u64, retire_done(w.retire), ticket));
}

/* A run that read the place before it was taken back may be seen in the counters a little later. */
Test(retire, a_store_that_is_held_back_counts)
{
	struct world_reader r = { .cpu_event = 2 };
	uint64_t ticket = retire_ticket(w.retire);

	retire_poll(w.retire, w.now_ns);
	retire_poll(w.retire, w.now_ns += RETIRE_SETTLE_NS - 1);
	cr_assert(lt(u64, retire_done(w.retire), ticket));
	reader_begin(&w, &r);
	polls(5);
	cr_assert(lt(u64, retire_done(w.retire), ticket));
	reader_end(&w, &r, 0);
	polls(1);
	cr_assert(ge(u64, retire_done(w.retire), ticket));
}

Test(retire, costs_nothing_when_nothing_is_retired)
{
	polls(1000);
	cr_assert(zero(u64, w.reads));
}

#define ITEMS 16

/*
 * Items are taken back at any time, by tickets that are shared; runs begin, hold what is there,
 * end, and the entries of some are seen late. What is used again is held by no run.
 */
Test(retire, random_runs_and_items)
{
	static bool holds[RUNS][ITEMS];
	static uint64_t seen_late_ns[RUNS], ticket_of[ITEMS]; /* 0: there for all */
	static bool running[RUNS];
	uint64_t random = 1, reused = 0;

	for (int i = 0; i < 1000000; i++) {
		uint32_t run = random_below(&random, RUNS), item = random_below(&random, ITEMS);
		struct world_reader r = { .cpu_event = run };

		w.now_ns += random_below(&random, (uint32_t)RETIRE_SETTLE_NS / 8);
		for (uint32_t k = 0; k < RUNS; k++) {
			if (seen_late_ns[k] && w.now_ns >= seen_late_ns[k]) {
				w.counters[k].entries++;
				seen_late_ns[k] = 0;
			}
		}
		if (random_below(&random, 3) == 0 && !running[run]) {
			running[run] = true;
			for (uint32_t k = 0; k < ITEMS; k++)
				holds[run][k] = !ticket_of[k];
			seen_late_ns[run] =
				w.now_ns + random_below(&random, (uint32_t)RETIRE_SETTLE_NS / 2);
		} else if (running[run] && !seen_late_ns[run] && random_below(&random, 3) == 0) {
			running[run] = false;
			reader_end(&w, &r, i);
			memset(holds[run], 0, sizeof(holds[run]));
		}
		if (!ticket_of[item] && random_below(&random, 4) == 0) {
			ticket_of[item] = retire_ticket(w.retire);
			cr_assert(le(u64, ticket_of[item], retire_done(w.retire) + 2));
			cr_assert(gt(u64, ticket_of[item], retire_done(w.retire)));
		}
		if (random_below(&random, 4) == 0)
			retire_poll(w.retire, w.now_ns);
		for (uint32_t k = 0; k < ITEMS; k++) {
			if (!ticket_of[k] || ticket_of[k] > retire_done(w.retire))
				continue;
			for (uint32_t j = 0; j < RUNS; j++)
				cr_assert(not(holds[j][k]), "used again while it is read");
			ticket_of[k] = 0;
			reused++;
		}
	}
	cr_assert(gt(u64, reused, 10000));
}
