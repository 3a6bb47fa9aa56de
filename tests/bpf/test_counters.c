// SPDX-License-Identifier: Apache-2.0
/*
 * test_counters.c - the counters of a group: what they count is told once, or counted as what
 * nobody wanted, whatever becomes of the samples.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/bpf/machine.h"
#include "tests/bpf/sample_reader.h"

#define COUNTERS 3

static void load_group(void)
{
	load((struct machine_settings){ .group_size = { 0, COUNTERS } });
	machine.regs.ip = USER_IP;
}

TestSuite(counters, .init = load_group);

/* Time goes on, and all counters with it. */
static void count(uint64_t n)
{
	machine.time_ns += 1000;
	machine.enabled_ns += 1000;
	machine.running_ns += 1000;
	for (int i = 0; i < COUNTERS; i++)
		machine.value[i] += n * (uint64_t)(i + 1);
}

/* The next record of counts on the ring, if it comes before the next sample. */
static bool next_counts(struct counts_record *ret, struct sample_event *sample)
{
	const struct machine_record *r;
	bool found = false;

	while ((r = machine_take(machine.cpu))) {
		if (r->bytes == sizeof(*sample)) {
			*sample = *r->sample;
			return found;
		}
		if (r->counts->type != RECORD_COUNTS)
			continue;
		cr_assert(eq(u32, r->bytes, COUNTS_RECORD_HEADER + COUNTERS * 8));
		cr_assert(eq(u32, r->counts->size, r->bytes));
		memset(ret, 0, sizeof(*ret));
		memcpy(ret, r->counts, r->bytes);
		found = true;
	}
	memset(sample, 0, sizeof(*sample));
	return found;
}

static void expect_counts(uint64_t n, bool shared)
{
	struct counts_record c;
	struct sample_event s;

	cr_assert(next_counts(&c, &s));
	cr_assert(eq(u64, c.time_ns, s.time_ns));
	cr_assert(eq(u32, c.event, s.event));
	cr_assert(eq(int, c.shared != 0, shared));
	for (int i = 0; i < COUNTERS; i++)
		cr_assert(eq(u64, c.count[i], n * (uint64_t)(i + 1)));
}

static void expect_no_counts(void)
{
	struct counts_record c;
	struct sample_event s;

	cr_assert(not(next_counts(&c, &s)));
	cr_assert(ne(u64, s.time_ns, 0));
}

Test(counters, since_the_sample_before)
{
	count(7);
	machine_overflow(1);
	expect_counts(7, false);
	count(1000);
	machine_overflow(1);
	expect_counts(1000, false);
	cr_assert(eq(u64, machine_group(0, 1).counted[2], 3021));
	machine_overflow(0); /* leads nobody */
	expect_no_counts();
}

Test(counters, each_cpu_by_itself)
{
	count(5);
	machine_overflow(1);
	expect_counts(5, false);
	count(5);
	machine.cpu = 2;
	machine_overflow(1);
	expect_counts(10, false);
	machine.cpu = 0;
	machine_overflow(1);
	expect_counts(5, false);
}

Test(counters, of_several_tasks_are_marked)
{
	count(5);
	machine_overflow(1);
	expect_counts(5, false);
	count(5);
	machine_switch(2000);
	count(5);
	machine_overflow(1); /* of both */
	expect_counts(10, true);
	count(5);
	machine_overflow(1);
	expect_counts(5, false);
	machine_switch(3000); /* for a moment, and is not there any more when the sample comes */
	machine_switch(2000);
	count(5);
	machine_overflow(1);
	expect_counts(5, true);
}

/* A task that sleeps shares its counters with nobody. */
Test(counters, idle_is_no_other_task)
{
	machine_overflow(1);
	expect_counts(0, false);
	count(5);
	machine_switch(0);
	count(1);
	machine_switch(1001);
	count(5);
	machine_overflow(1);
	expect_counts(11, false);
	machine_switch(0);
	machine_overflow(1); /* idle: not wanted */
	machine_switch(2000);
	count(3);
	machine_overflow(1);
	expect_counts(3, false);
}

Test(counters, of_samples_that_nobody_wants)
{
	load((struct machine_settings){ .group_size = { 0, COUNTERS },
					.filter = FILTER_TARGET_PID });
	machine.target_pid = 77;
	machine.regs.ip = USER_IP;
	count(100);
	machine_overflow(1); /* another process */
	count(10);
	machine.pid = machine.tid = 0;
	machine_overflow(1); /* idle */
	machine.pid = machine.tid = 77;
	count(1);
	machine_overflow(1);
	expect_counts(1, false);
	cr_assert(eq(u64, machine_group(0, 1).uncounted[0], 110));
	cr_assert(eq(u64, machine_group(0, 1).counted[0], 1));
}

/* A sample without room in the ring leaves its counts to the next. */
Test(counters, of_a_sample_that_is_lost)
{
	count(5);
	machine.lock_busy = true;
	machine_overflow(1);
	machine.lock_busy = false;
	count(6);
	machine_overflow(1);
	expect_counts(11, false);
	cr_assert(zero(u64, machine_group(0, 1).lost), "there is no sample without its counts");
	cr_assert(eq(u64, machine_group(0, 1).counted[0], 11));
}

/* Where the record of counts has room and its sample has not, the counts come once more. */
Test(counters, of_a_sample_that_is_lost_behind_them)
{
	struct counts_record c;
	struct sample_event s;

	count(5);
	machine.reserve_busy = true;
	machine_overflow(1);
	machine.reserve_busy = false;
	cr_assert(next_counts(&c, &s));
	cr_assert(zero(u64, s.time_ns));
	count(6);
	machine_overflow(1);
	expect_counts(11, false);
	cr_assert(eq(u64, machine_group(0, 1).counted[0], 11));
}

/* With :u the counters count nothing in the kernel: a sample there leaves all to the next. */
Test(counters, of_a_sample_in_the_other_mode)
{
	struct frames kernel = make_frames(KERNEL_IP, 3), user = make_frames(USER_IP, 2);

	load((struct machine_settings){ .group_size = { 0, COUNTERS },
					.mode_filter = { 0, MODE_USER_ONLY } });
	in_kernel_mode(&kernel, &user);
	count(5);
	machine_overflow(1);
	in_user_mode(&user);
	count(6);
	machine_overflow(1);
	expect_counts(11, false);
	cr_assert(zero(u64, machine_group(0, 1).uncounted[0]));
}

/* A member of a group whose PMU is on other CPUs only. */
Test(counters, that_this_cpu_does_not_have)
{
	struct counts_record c;
	struct sample_event s;

	machine.absent = 1;
	count(5);
	machine_overflow(1);
	cr_assert(next_counts(&c, &s));
	cr_assert(eq(u64, c.count[0], 5));
	cr_assert(zero(u64, c.count[1]));
	cr_assert(eq(u64, c.count[2], 15));
}

Test(counters, that_cannot_be_read)
{
	count(5);
	machine.unreadable = 2;
	machine_overflow(1);
	expect_no_counts();
	machine.unreadable = -1;
	machine_overflow(1);
	expect_counts(5, false);
	cr_assert(eq(u64, machine_group(0, 1).lost, 1));
}

Test(counters, times_of_shared_hardware)
{
	struct counts_record c;
	struct sample_event s;

	machine.enabled_ns = 5000;
	machine.running_ns = 2000;
	machine_overflow(1);
	machine.enabled_ns += 700;
	machine.running_ns += 300;
	cr_assert(next_counts(&c, &s));
	machine_overflow(1);
	cr_assert(next_counts(&c, &s));
	cr_assert(eq(u64, c.enabled_ns, 700));
	cr_assert(eq(u64, c.running_ns, 300));
}
