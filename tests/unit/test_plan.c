/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plan.c - which events a run has, in which order, and what is said when they are not those
 * that were asked for. As root: the plan tries every event.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/plan.h"
#include "tests/unit/sysfs_tree.h"

TestSuite(plan, .init = need_one_kind_of_core);

/* eq(str, ...) does not take a const char *. */
#define expect_text(actual, expected) \
	cr_expect(eq(int, strcmp(actual, expected), 0), "'%s' is not '%s'", actual, expected)

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
}

/* With hardware counters nothing is substituted. */
static void need_no_pmu(void)
{
	struct event_spec cycles;
	char err[PMU_ERROR_BYTES];
	uint32_t failed;

	need_root();
	if (pmu_parse("cycles", &cycles, 1, err, sizeof(err)) != 1 ||
	    !pmu_probe(&cycles, 1, 0, &failed))
		cr_skip_test("there are hardware counters here");
}

static struct plan plan;

static int make(const char *const *events, unsigned int n, bool strict, char err[512])
{
	struct options options = { .hz = 100, .strict = strict, .all_cpus = true };

	for (options.n_events = 0; options.n_events < n; options.n_events++)
		options.events[options.n_events] = events[options.n_events];
	err[0] = '\0';
	return plan_make(&plan, &options, err, 512);
}

static void expect_plan(const char *expected)
{
	char all[1024] = "";

	for (uint32_t i = 0; i < plan.n_events; i++) {
		const struct event_spec *e = &plan.events[i];
		size_t len = strlen(all);

		cr_expect(eq(int, e->leader == 0, i < plan.n_sampling), "those that sample first");
		snprintf(all + len, sizeof(all) - len, e->leader ? " %s<%u" : " %s", e->typed,
			 e->leader);
	}
	expect_text(all + 1, expected);
}

Test(plan, those_that_sample_come_first)
{
	static const char *const events[] = { "{cs,faults,migrations}", "cpu-clock",
					      "faults:u,{task-clock,faults}" };
	char err[512];

	need_root();
	cr_assert(eq(int, make(events, 3, false, err), 0), "%s", err);
	cr_expect(eq(u32, plan.n_sampling, 4));
	expect_plan("cs cpu-clock faults:u task-clock faults<1 migrations<1 faults<4");
	for (uint32_t i = 0; i < plan.n_events; i++) {
		const struct event_spec *e = &plan.events[i];

		cr_expect(eq(u64, e->asked, i < 4 ? 100 : 0), "members have no rate");
		cr_expect(eq(u64, e->granted, i < 4 ? 100 : 0));
		cr_expect(not(e->leader && (e->attr.freq || e->attr.sample_period)));
	}
	cr_expect(eq(u64, plan.interval_ns[3], 10000000));
	cr_expect(eq(u64, plan.interval_ns[4], 0));
	plan_release(&plan);
}

Test(plan, nothing_is_sampled_twice)
{
	static const char *const events[] = { "{cs,faults}", "cs,{cs,faults}", "{cs,migrations}",
					      "cs:u" };
	char err[512];

	need_root();
	cr_assert(eq(int, make(events, 4, false, err), 0), "%s", err);
	/* another group of the same leader has something new to say */
	expect_plan("cs cs cs:u faults<1 migrations<2");
	plan_release(&plan);
}

Test(plan, as_many_as_there_are_programs)
{
	static const char *const full[] = { "cs,faults,migrations,cpu-clock,task-clock,cs:u,cs:k,"
					    "{faults:u,cs,migrations}" };
	static const char *const more[] = { "cs,faults,migrations,cpu-clock,task-clock,cs:u,cs:k,"
					    "faults:u,faults:k" };
	char err[512];

	need_root();
	cr_expect(eq(int, make(full, 1, false, err), 0), "%s", err);
	cr_expect(eq(u32, plan.n_sampling, MAX_EVENTS));
	cr_expect(eq(u32, plan.n_events, MAX_EVENTS + 2));
	plan_release(&plan);
	cr_expect(eq(int, make(more, 1, false, err), -E2BIG));
	expect_text(err, "more than 8 events that take samples; give fewer -e");
}

/* A round of the drain loop may come three times as late as it should, and as late as 0.35 s. */
Test(plan, rings_outlast_a_late_round)
{
	static const uint32_t rates[] = { 99, 1000, 4000, 10000 };
	char err[512];

	need_root();
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct options options = { .hz = rates[i], .all_cpus = true };

		options.events[options.n_events++] = "cpu-clock";
		cr_assert(eq(int, plan_make(&plan, &options, err, sizeof(err)), 0), "%s", err);
		cr_expect(ge(u64, plan.ring_ns, 350 * UINT64_C(1000000)), "at %u Hz", rates[i]);
		/* 40 bytes a sample in the ring, and some for stacks */
		cr_expect(le(dbl, (double)plan.ring_ns / 1e9 * rates[i] * 40,
			     (double)plan.ring_bytes));
		plan_release(&plan);
	}
}

Test(plan, a_leader_without_hardware_gives_way_to_the_clock)
{
	static const char *const events[] = { "{cycles,instructions}:u", "{cycles}", "faults" };
	char err[512];

	need_no_pmu();
	cr_assert(eq(int, make(events, 3, false, err), 0), "%s", err);
	expect_plan("cpu-clock cpu-clock faults");
	expect_text(plan.events[0].requested, "cycles:u");
	expect_text(plan.events[0].modifier, "u");
	expect_text(plan.events[1].requested, "cycles");
	cr_expect(eq(u32, plan.n_notices, 2));
	cr_expect(
		eq(ptr,
		   strstr(plan.notices[0], "cpu-clock stands in for 'cycles:u', without the others "
					   "of its group: no hardware counter for it here"),
		   plan.notices[0]),
		"%s", plan.notices[0]);
	cr_expect(eq(ptr, strstr(plan.notices[1], "cpu-clock stands in for 'cycles': "),
		     plan.notices[1]),
		  "%s", plan.notices[1]);
	plan_release(&plan);
	cr_expect(eq(int, make(events, 1, true, err), -ENOENT));
	cr_expect(eq(ptr, strstr(err, "cannot open event 'cycles:u': no hardware counter"), err),
		  "%s", err);
}

Test(plan, a_member_that_does_not_open_is_left_out)
{
	static const char *const events[] = { "{cpu-clock,cycles,faults,instructions:k}" };
	char err[512];

	need_no_pmu();
	cr_assert(eq(int, make(events, 1, false, err), 0), "%s", err);
	expect_plan("cpu-clock faults<1");
	cr_assert(eq(u32, plan.n_notices, 2));
	cr_expect(eq(ptr,
		     strstr(plan.notices[0], "'cycles' is left out of the group of 'cpu-clock': no "
					     "hardware counter for it here"),
		     plan.notices[0]),
		  "%s", plan.notices[0]);
	cr_expect(eq(ptr, strstr(plan.notices[1], "'instructions:k' is left out"), plan.notices[1]),
		  "%s", plan.notices[1]);
	plan_release(&plan);
	cr_expect(eq(int, make(events, 1, true, err), -ENOENT));
	cr_expect(eq(ptr, strstr(err, "cannot open event 'cycles': no hardware counter"), err),
		  "%s", err);
}

Test(plan, errors_name_the_event)
{
	static const char *const unknown[] = { "{cs,nonsense}" }, *const open[] = { "{cs" };
	char err[512];

	need_root();
	cr_expect(eq(int, make(unknown, 1, false, err), -ENOENT));
	expect_text(err,
		    "cannot open event '{cs,nonsense}': 'nonsense': no such event on this CPU; "
		    "profiler --list-events shows them");
	cr_expect(eq(int, make(open, 1, false, err), -EINVAL));
	expect_text(err, "cannot open event '{cs': a group is not closed; groups are written {a,b} "
			 "and separated by commas");
}
