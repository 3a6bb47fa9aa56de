/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pmu_groups.c - lists and groups: how they are written, what their events have in common,
 * and what is said of those that do not open together.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/pmu.h"
#include "tests/unit/sysfs_tree.h"

#define ROOM 64

TestSuite(pmu_groups, .init = need_one_kind_of_core);

/* eq(str, ...) does not take a const char *. */
#define expect_text(actual, expected) \
	cr_expect(eq(int, strcmp(actual, expected), 0), "'%s' is not '%s'", actual, expected)

static uint32_t parsed(const char *text, struct event_spec ret[ROOM])
{
	char err[PMU_ERROR_BYTES] = "";
	int n = pmu_parse(text, ret, ROOM, err, sizeof(err));

	cr_assert(gt(int, n, 0), "%s: %s", text, err);
	return (uint32_t)n;
}

/* "name<leader" of each event, with the leader's place in the list where there is one. */
Test(pmu_groups, shapes)
{
	static const struct {
		const char *text, *shape;
	} cases[] = {
		{ "cs", "cs" },
		{ "{cs}", "cs" },
		{ "cs,faults", "cs faults" },
		{ "{cs,faults}", "cs faults<1" },
		{ "{cs,faults},{cycles,instructions,branches}",
		  "cs faults<1 cycles instructions<3 branches<3" },
		{ "cs,{faults,migrations},cpu-clock", "cs faults migrations<2 cpu-clock" },
		{ "{cs,faults}:u", "cs:u faults:u<1" },
		{ "{cs,faults:k}:u,faults", "cs:u faults<1 faults" },
		{ "{cycles,instructions}:upp", "cycles:upp instructions:u<1" },
		{ "{cycles:P,instructions}:k", "cycles:kP instructions:k<1" },
		{ "software/config=2,config1=3/,cs", "software/config=2,config1=3/ cs" },
		{ "{software/config=2,config1=3/u,cs}", "software/config=2,config1=3/u cs<1" },
	};
	static struct event_spec events[ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char shape[512] = "", one[PMU_NAME_BYTES + 16];
		uint32_t n = parsed(cases[i].text, events);

		for (uint32_t j = 0; j < n; j++) {
			if (events[j].leader)
				snprintf(one, sizeof(one), " %s<%u", events[j].typed,
					 events[j].leader);
			else
				snprintf(one, sizeof(one), " %s", events[j].typed);
			strncat(shape, one, sizeof(shape) - strlen(shape) - 1);
		}
		expect_text(shape + 1, cases[i].shape);
	}
}

/* Members count when their leader does and take no samples; clocks of a group are one. */
Test(pmu_groups, members_only_count)
{
	static const struct {
		const char *text;
		uint32_t n;
		bool boottime;
	} cases[] = {
		{ "{cycles,instructions,faults}:p", 3, false },
		{ "{cs,faults}", 2, true },
		{ "{cpu-clock,cycles}", 2, false }, /* hardware refuses BOOTTIME */
		{ "{cycles,cs}", 2, false },
	};
	static struct event_spec events[ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(eq(u32, parsed(cases[i].text, events), cases[i].n));
		cr_expect(eq(u32, events[0].attr.disabled, 1));
		cr_expect(eq(u32, pmu_group_size(events, cases[i].n, 0), cases[i].n));
		for (uint32_t j = 0; j < cases[i].n; j++)
			cr_expect(eq(int, events[j].attr.use_clockid, cases[i].boottime), "%s",
				  cases[i].text);
		for (uint32_t j = 1; j < cases[i].n; j++) {
			const struct perf_event_attr *attr = &events[j].attr;

			cr_expect(not(attr->freq || attr->sample_period || attr->disabled ||
				      attr->pinned || attr->precise_ip));
			cr_expect(eq(u64, events[j].asked + events[j].granted, 0));
		}
	}
}

/* In a group all counters count the same thing; alone, the program filters and counts. */
Test(pmu_groups, modes)
{
	static const struct {
		const char *text;
		uint32_t at;
		enum mode_filter mode;
		bool no_user, no_kernel;
	} cases[] = {
		{ "cycles:u", 0, MODE_USER_ONLY, false, false },
		{ "{cycles}:u", 0, MODE_USER_ONLY, false, false },
		{ "{cycles,instructions}:u", 0, MODE_USER_ONLY, false, true },
		{ "{cycles,instructions}:u", 1, MODE_USER_ONLY, false, true },
		{ "{cycles,instructions}:k", 0, MODE_KERNEL_ONLY, true, false },
		{ "{cycles,instructions}:k", 1, MODE_KERNEL_ONLY, true, false },
		{ "{cycles,instructions}:uk", 1, MODE_ANY, false, false },
		{ "{cycles:u,instructions}", 1, MODE_ANY, false, false },
		{ "{cycles,instructions:u}", 1, MODE_USER_ONLY, false, true },
		/* a clock counts all time, whatever its attribute says */
		{ "{cpu-clock,cycles}:u", 0, MODE_USER_ONLY, false, false },
		{ "{cpu-clock,cycles}:u", 1, MODE_USER_ONLY, false, true },
		{ "{cpu-clock,task-clock}:u", 1, MODE_USER_ONLY, false, false },
		{ "{cpu-clock,faults}:k", 1, MODE_KERNEL_ONLY, true, false },
	};
	static struct event_spec events[ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct event_spec *event = &events[cases[i].at];

		parsed(cases[i].text, events);
		cr_expect(eq(int, (int)event->mode, (int)cases[i].mode), "%s", cases[i].text);
		cr_expect(eq(int, event->attr.exclude_user, cases[i].no_user), "%s", cases[i].text);
		cr_expect(eq(int, event->attr.exclude_kernel, cases[i].no_kernel), "%s",
			  cases[i].text);
	}
}

#define WRITTEN "; groups are written {a,b} and separated by commas"
#define COMMA	"a name is missing beside a comma; lists are written a,b"
#define UNKNOWN "no such event on this CPU; profiler --list-events shows them"

Test(pmu_groups, refusals)
{
	static const struct {
		const char *text;
		int error;
		const char *message;
	} cases[] = {
		{ "{", -EINVAL, "a group is not closed" WRITTEN },
		{ "{cs", -EINVAL, "a group is not closed" WRITTEN },
		{ "{cs,", -EINVAL, "a group is not closed" WRITTEN },
		{ "cs,{faults", -EINVAL, "a group is not closed" WRITTEN },
		{ "{}", -EINVAL, "a group is empty" WRITTEN },
		{ "{cs,}", -EINVAL, "a name is missing" WRITTEN },
		{ "{,cs}", -EINVAL, "a name is missing beside a comma; lists are written a,b" },
		{ "{cs,,faults}", -EINVAL, COMMA },
		{ "{{cs}}", -EINVAL, "a group in a group" WRITTEN },
		{ "{cs,{faults}}", -EINVAL, "a group in a group" WRITTEN },
		{ "{cs{faults}}", -EINVAL, "'{' behind a name" WRITTEN },
		{ "cs{faults}", -EINVAL, "'{' behind a name" WRITTEN },
		{ "cs}", -EINVAL, "'}' behind a name" WRITTEN },
		{ "}", -EINVAL, "'}' without '{'" WRITTEN },
		{ "{cs}}", -EINVAL,
		  "'}' behind a group; groups are written {a,b} or {a,b}:u and separated by "
		  "commas" },
		{ "{cs}u", -EINVAL,
		  "'u' behind a group; groups are written {a,b} or {a,b}:u and separated by "
		  "commas" },
		{ "{cs}:", -EOPNOTSUPP,
		  "modifier '' not supported; they are :u (user mode only), :k (kernel only), and "
		  "precise levels :p to :ppp and :P" },
		{ "{cs,faults}:S", -EOPNOTSUPP,
		  "modifier 'S' not supported; they are :u (user mode only), :k (kernel only), and "
		  "precise levels :p to :ppp and :P" },
		{ ",", -EINVAL, COMMA },
		{ "cs,", -EINVAL, COMMA },
		{ ",cs", -EINVAL, COMMA },
		{ "cs,,faults", -EINVAL, COMMA },
		{ "{cs,cs}", -EINVAL, "'cs' is in the group already; leave it out" },
		{ "{cs,faults,context-switches}", -EINVAL,
		  "'context-switches' is in the group already; leave it out" },
		{ "{cs,nonsense}", -ENOENT, "'nonsense': " UNKNOWN },
		{ "cs,nonsense", -ENOENT, "'nonsense': " UNKNOWN },
		{ "{cycles,instructions:p}", -EINVAL,
		  "'instructions' takes no samples, so it has no precise level; only the first of "
		  "a group does" },
		{ "{cs,cycles}:pp", -EOPNOTSUPP,
		  "'cs': a software event has no precise level; leave the p out" },
		{ "{r1,r2,r3,r4,r5,r6,r7,r8,r9}", -E2BIG,
		  "more than 8 events in a group; take fewer" },
	};
	static struct event_spec events[ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char err[PMU_ERROR_BYTES] = "";
		int error = pmu_parse(cases[i].text, events, ROOM, err, sizeof(err));

		cr_expect(eq(int, error, cases[i].error), "%s", cases[i].text);
		expect_text(err, cases[i].message);
	}
}

/* Nothing is written behind the room there is. */
Test(pmu_groups, room)
{
	struct event_spec events[3] = { [2] = { .weight_shift = 77 } };
	char err[PMU_ERROR_BYTES];

	cr_expect(eq(int, pmu_parse("cs,faults,migrations", events, 2, err, sizeof(err)), -E2BIG));
	expect_text(err, "more than 2 events in one; give several -e");
	cr_expect(eq(u32, events[2].weight_shift, 77));
	cr_expect(eq(int, pmu_parse("{cs,faults}", events, 2, err, sizeof(err)), 2));
}

/* Live: software events can be grouped on every machine, and really are. */
Test(pmu_groups, a_group_opens_and_counts_together)
{
	static struct event_spec events[ROOM];
	uint64_t leader[3] = { 0 }, member[3] = { 0 };
	char note[PMU_ERROR_BYTES];
	uint32_t failed = 77;

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	cr_assert(eq(u32, parsed("{cpu-clock,faults,cs}", events), 3));
	cr_expect(eq(int, pmu_probe(events, 3, 0, &failed), 0));
	cr_expect(eq(u32, failed, 77));
	cr_assert(
		eq(int, pmu_set_hz(&events[0], 100, pmu_max_sample_rate(), note, sizeof(note)), 0));
	int first = pmu_open(&events[0], 0, -1);
	cr_assert(ge(int, first, 0), "%s", strerror(-first));
	int second = pmu_open(&events[1], 0, first);
	cr_assert(ge(int, second, 0), "%s", strerror(-second));
	cr_expect(eq(sz, (size_t)read(second, member, sizeof(member)), sizeof(member)));
	cr_expect(eq(u64, member[2], 0), "its leader is not enabled yet");
	close(second);
	cr_expect(eq(sz, (size_t)read(first, leader, sizeof(leader)), sizeof(leader)));
	close(first);
}

/* The kernel wants one clock for all of a group: a way to a refusal that any machine has. */
Test(pmu_groups, what_does_not_fit_is_told_from_what_is_not_there)
{
	static struct event_spec events[ROOM];
	char why[PMU_ERROR_BYTES];
	uint32_t failed = 77;

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	cr_assert(eq(u32, parsed("{cs,cpu-clock,faults}", events), 3));
	events[2].attr.use_clockid = 0;
	events[2].attr.clockid = 0;
	int error = pmu_probe(events, 3, 0, &failed);
	cr_expect(eq(int, error, -EINVAL));
	cr_expect(eq(u32, failed, 2));
	pmu_explain_member(error, events, failed, 0, why, sizeof(why));
	cr_expect(eq(ptr, strstr(why, "it does not fit beside the others of the group"), why), "%s",
		  why);
	cr_expect(not(eq(ptr, strstr(why, "take fewer events in the group"), NULL)), "%s", why);

	events[2].attr.config = 1000; /* no such software event */
	error = pmu_probe(events, 3, 0, &failed);
	cr_expect(eq(int, error, -ENOENT));
	cr_expect(eq(u32, failed, 2));
	pmu_explain_member(error, events, failed, 0, why, sizeof(why));
	expect_text(why, "this kernel does not have it; --list-events shows what opens");

	events[1].attr.type = 1000;
	events[2].attr.type = 1001;
	error = pmu_probe(events, 3, 0, &failed);
	cr_expect(eq(u32, failed, 1), "the first that does not open");
}

/* An event of other CPUs is passed over, not refused. */
Test(pmu_groups, a_member_of_other_cpus_is_passed_over)
{
	static struct event_spec events[ROOM];
	uint32_t failed = 77;

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	cr_assert(eq(u32, parsed("{cs,faults}", events), 2));
	events[1].attr.config = 1000;
	cr_assert(eq(int, cpulist_parse("1", &events[1].cpus), 0));
	cr_expect(eq(int, pmu_probe(events, 2, 0, &failed), 0));
	cr_assert(eq(int, cpulist_parse("0", &events[1].cpus), 0));
	cr_expect(eq(int, pmu_probe(events, 2, 0, &failed), -ENOENT));
}
