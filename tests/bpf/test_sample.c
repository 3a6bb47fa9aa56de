// SPDX-License-Identifier: Apache-2.0
/*
 * test_sample.c - the sampling program, run on a machine made of memory: its filters, flags and
 * limits one by one. Any mixture of them is in test_sample_random.c.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/bpf/machine.h"
#include "tests/bpf/sample_reader.h"

/* The next sample of a ring, which there must be. */
static struct sample_event take_sample(uint32_t cpu)
{
	const struct sample_event *s = next_sample(cpu);

	cr_assert(s != NULL);
	return s ? *s : (struct sample_event){ 0 };
}

/* The one sample that an overflow of event 0 on CPU 0 gives. */
static struct sample_event one_sample(void)
{
	struct sample_event s;

	machine_overflow(0);
	s = take_sample(0);
	cr_assert(next_sample(0) == NULL);
	return s;
}

TestSuite(sample, .init = load_default);

Test(sample, says_who_when_where)
{
	struct frames user = make_frames(USER_IP, 5);
	struct sample_event s;

	machine.cpu = 2;
	machine.time_ns = UINT64_C(0x123456789abc);
	machine.period = 77;
	in_user_mode(&user);
	machine_overflow(6);
	s = take_sample(2);
	cr_assert(eq(u64, s.time_ns, UINT64_C(0x123456789abc)));
	cr_assert(eq(u32, s.pid, 1000));
	cr_assert(eq(u32, s.tid, 1001));
	cr_assert(eq(u32, s.weight, 77));
	cr_assert(eq(u16, s.cpu, 2));
	cr_assert(eq(u8, s.event, 6));
	cr_assert(eq(u8, s.flags, 0));
	cr_assert(eq(u32, s.kernel_stack, 0));
	cr_assert(stack_is(2, s.user_stack, &user));
	cr_assert(eq(u64, machine_counters(2, 6).submitted, 1));
	cr_assert(eq(u64, machine_counters(2, 6).entries, 1));
	cr_assert(eq(u64, machine_counters(2, 6).weight, 77));
}

Test(sample, in_the_kernel_has_both_stacks)
{
	struct frames kernel = make_frames(KERNEL_IP, 12), user = make_frames(USER_IP, 7);
	struct sample_event s;

	in_kernel_mode(&kernel, &user);
	s = one_sample();
	cr_assert(eq(u8, s.flags, SAMPLE_IN_KERNEL));
	cr_assert(stack_is(0, s.kernel_stack, &kernel));
	cr_assert(stack_is(0, s.user_stack, &user));
}

Test(sample, of_a_kernel_thread_has_no_user_stack)
{
	struct frames kernel = make_frames(KERNEL_IP, 3);
	struct sample_event s;

	in_kernel_mode(&kernel, NULL);
	s = one_sample();
	cr_assert(eq(u8, s.flags, SAMPLE_IN_KERNEL));
	cr_assert(eq(u32, s.user_stack, 0));
	machine.saved_readable = false;
	cr_assert(eq(u32, one_sample().user_stack, 0));
}

/* What the registers do not tell, the kernel's own walker is asked for. */
Test(sample, user_stack_by_the_kernels_walker)
{
	struct machine_settings old_kernel = { .ring_bytes = RING, .wakeup_bytes = NEVER };
	struct frames kernel = make_frames(KERNEL_IP, 3), user = make_frames(USER_IP, 9);
	struct sample_event s;

	memcpy(machine.walker_frames, user.ip, sizeof(user.ip));
	machine.n_walker_frames = user.n;
	machine.regs = (struct machine_regs){ .cs = USER32_CS, .ip = 1, .fp = MACHINE_STACK_BASE };
	s = one_sample();
	cr_assert(stack_is(0, s.user_stack, &user));

	machine_load(&old_kernel); /* no bpf_task_pt_regs there: the machine aborts */
	machine.pid = machine.tid = 5;
	memcpy(machine.walker_frames, user.ip, sizeof(user.ip));
	machine.n_walker_frames = user.n;
	in_kernel_mode(&kernel, NULL);
	s = one_sample();
	cr_assert(stack_is(0, s.user_stack, &user));
	cr_assert(stack_is(0, s.kernel_stack, &kernel));
}

/* Before 5.15 the registers are found at the end of the thread's kernel stack. */
Test(sample, saved_registers_of_old_kernels)
{
	struct machine_settings old_kernel = { .ring_bytes = RING,
					       .wakeup_bytes = NEVER,
					       .know_saved_regs = true };
	struct frames kernel = make_frames(KERNEL_IP, 3), user = make_frames(USER_IP, 9);

	machine_load(&old_kernel);
	machine.pid = machine.tid = 5;
	machine.walker_frames[0] = 1; /* what the kernel's walker would say */
	machine.n_walker_frames = 1;
	in_kernel_mode(&kernel, &user);
	cr_assert(stack_is(0, one_sample().user_stack, &user));
}

Test(sample, walk_ends_where_the_chain_is_none)
{
	struct frames user = make_frames(USER_IP, 4), leaf = make_frames(USER_IP, 1);
	struct sample_event s;

	in_user_mode(&user);
	machine.regs.fp = MACHINE_STACK_BASE + 1; /* not aligned */
	cr_assert(stack_is(0, one_sample().user_stack, &leaf));
	machine.regs.fp = MACHINE_STACK_BASE;
	machine.regs.sp = MACHINE_STACK_BASE + 8; /* below the stack */
	cr_assert(stack_is(0, one_sample().user_stack, &leaf));
	machine.regs.sp = MACHINE_STACK_BASE - (UINT64_C(8) << 20) - 8; /* too far above */
	cr_assert(stack_is(0, one_sample().user_stack, &leaf));
	machine.regs.sp = MACHINE_STACK_BASE;
	machine.user_words[0] = MACHINE_STACK_BASE; /* its own caller */
	user.n = 2;
	cr_assert(stack_is(0, one_sample().user_stack, &user));
	machine.user_words[0] = MACHINE_STACK_BASE + 16;
	machine.user_words[3] = 0; /* nobody called it */
	s = one_sample();
	cr_assert(stack_is(0, s.user_stack, &user));
	cr_assert(eq(u8, s.flags, 0));
	cr_assert(eq(u64, machine_counters(0, 0).user_failed, 0));
}

Test(sample, unreadable_memory_is_flagged_and_counted)
{
	struct frames user = make_frames(USER_IP, 4);
	struct sample_event s;

	in_user_mode(&user);
	machine.user_words[4] = MACHINE_STACK_BASE + MACHINE_WORDS * 8; /* past the end */
	s = one_sample();
	cr_assert(stack_is(0, s.user_stack, &user));
	cr_assert(eq(u8, s.flags, SAMPLE_USER_FAILED));
	cr_assert(eq(u64, machine_counters(0, 0).user_failed, 1));
}

Test(sample, longest_stacks_are_flagged_truncated)
{
	struct frames kernel = make_frames(KERNEL_IP, MAX_KERNEL_FRAMES);
	struct frames user = make_frames(USER_IP, MAX_FRAMES);
	struct sample_event s;

	in_kernel_mode(&kernel, &user);
	machine.n_kernel_frames = MAX_KERNEL_FRAMES + 3;
	machine.user_words[2 * (MAX_FRAMES - 1) - 2] = MACHINE_STACK_BASE + 16384; /* goes on */
	machine.user_words[16384 / 8 + 1] = USER_IP;
	s = one_sample();
	cr_assert(eq(u8, s.flags,
		     SAMPLE_IN_KERNEL | SAMPLE_KERNEL_TRUNCATED | SAMPLE_USER_TRUNCATED));
	cr_assert(stack_is(0, s.kernel_stack, &kernel));
	cr_assert(stack_is(0, s.user_stack, &user));
	cr_assert(eq(u64, machine_counters(0, 0).kernel_truncated, 1));
	cr_assert(eq(u64, machine_counters(0, 0).user_truncated, 1));

	kernel.n = MAX_KERNEL_FRAMES - 1;
	user.n = MAX_FRAMES - 1;
	in_kernel_mode(&kernel, &user);
	s = one_sample();
	cr_assert(eq(u8, s.flags, SAMPLE_IN_KERNEL));
	cr_assert(stack_is(0, s.user_stack, &user));
}

Test(sample, single_frame_record_is_never_taken_for_an_event)
{
	struct frames user = make_frames(USER_IP, 1);
	const struct machine_record *r;

	in_user_mode(&user);
	machine_overflow(0);
	r = machine_take(0);
	cr_assert(eq(u32, r->bytes, STACK_RECORD_MIN));
	cr_assert(eq(u64, r->stack->frames[0], USER_IP));
	cr_assert(eq(u64, r->stack->frames[1], 0));
	cr_assert(eq(u32, machine_take(0)->bytes, sizeof(struct sample_event)));
}

Test(sample, a_known_stack_is_not_sent_again)
{
	struct frames user = make_frames(USER_IP, 20);
	struct event_counters c;

	in_user_mode(&user);
	for (int i = 0; i < 10; i++)
		machine_overflow(0);
	c = machine_counters(0, 0);
	cr_assert(eq(u64, c.stack_records, 1));
	cr_assert(eq(u64, c.stack_bytes, STACK_RECORD_HEADER + 20 * 8));
	cr_assert(eq(u64, machine_used(0), 8 + c.stack_bytes + 10 * 40));
	for (int i = 0; i < 10; i++)
		cr_assert(stack_is(0, take_sample(0).user_stack, &user));
}

Test(sample, a_new_generation_sends_every_stack_again)
{
	struct frames user[50];

	for (uint64_t generation = 0; generation < 5; generation++) {
		for (uint32_t i = 0; i < 50; i++) {
			user[i] = make_frames(USER_IP + i * 4096, 1 + i);
			in_user_mode(&user[i]);
			cr_assert(stack_is(0, one_sample().user_stack, &user[i]));
		}
		cr_assert(eq(u64, machine_counters(0, 0).stack_records, 50 * (generation + 1)));
		machine_raise_generation();
	}
}

/* A user stack that falls into the slot of the same sample's kernel stack leaves it alone. */
Test(sample, both_stacks_of_a_sample_never_share_a_slot)
{
	const uint32_t chain_end = STACK_OUTCOME(STACK_CHAIN_END, STACK_BY_FRAME_POINTER);
	struct frames kernel = make_frames(KERNEL_IP, 1), user = make_frames(USER_IP, 1);

	while (machine_slot(user.ip, 1, chain_end) != machine_slot(kernel.ip, 1, 0))
		user.ip[0]++;
	in_kernel_mode(&kernel, &user);
	for (int i = 0; i < 3; i++) {
		struct sample_event s = one_sample();

		cr_assert(stack_is(0, s.kernel_stack, &kernel));
		cr_assert(stack_is(0, s.user_stack, &user));
	}
	cr_assert(eq(u64, machine_counters(0, 0).stack_records, 2));
}

/* Room for the event, not for the stack: the slot stays unmarked, so the stack comes later. */
Test(sample, a_lost_stack_is_flagged_counted_and_sent_later)
{
	struct frames user = make_frames(USER_IP, 100);
	struct sample_event s;

	load((struct machine_settings){ .ring_bytes = 512 });
	in_user_mode(&user);
	machine_overflow(0);
	s = take_sample(0);
	cr_assert(eq(u32, s.user_stack, 0));
	cr_assert(eq(u8, s.flags, SAMPLE_USER_LOST));
	cr_assert(eq(u64, machine_counters(0, 0).stack_lost, 1));
	cr_assert(eq(u64, machine_counters(0, 0).stack_records, 0));
	user.n = 20;
	in_kernel_mode(&user, NULL);
	for (int i = 0; i < 10; i++) /* fill up */
		machine_overflow(0);
	cr_assert(gt(u64, machine_counters(0, 0).ring_full, 0));
	cr_assert(eq(u64, machine_counters(0, 0).ring_busy, 0));
	while (next_sample(0))
		;
	user = make_frames(KERNEL_IP, 60);
	in_kernel_mode(&user, NULL);
	machine_overflow(0);
	s = take_sample(0);
	cr_assert(eq(u32, s.kernel_stack, 0));
	cr_assert(eq(u8, s.flags, SAMPLE_IN_KERNEL | SAMPLE_KERNEL_LOST));
}

Test(sample, a_stack_lost_to_a_held_lock_comes_with_the_next_sample)
{
	struct frames user = make_frames(USER_IP, 10);

	in_user_mode(&user);
	machine.lock_busy = true;
	machine_overflow(0);
	cr_assert(eq(u64, machine_counters(0, 0).ring_busy, 1));
	cr_assert(eq(u64, machine_counters(0, 0).stack_lost, 1));
	machine.lock_busy = false;
	cr_assert(stack_is(0, one_sample().user_stack, &user));
}

/* The kernel keeps one byte free: a ring with exactly 40 bytes left is full, not busy. */
Test(sample, full_and_busy_are_told_apart_to_the_byte)
{
	for (uint32_t pad = 0; pad < 10; pad++) {
		struct frames user = make_frames(USER_IP, 2 + pad);
		struct event_counters c;
		uint64_t room;

		load((struct machine_settings){ .ring_bytes = 4096 });
		in_user_mode(&user);
		do {
			machine_overflow(0);
			c = machine_counters(0, 0);
		} while (c.submitted == c.entries);
		room = 4096 - machine_used(0);
		cr_assert(le(u64, room, 40));
		cr_assert(eq(u64, c.ring_full, 1), "%d bytes left", (int)room);
		cr_assert(eq(u64, c.ring_busy, 0), "%d bytes left", (int)room);
	}
}

Test(sample, cpu_without_a_ring_is_counted)
{
	struct machine_settings settings = { .wakeup_bytes = NEVER };

	machine_load(&settings);
	machine.period = 7;
	machine.tid = 3;
	machine_overflow(1);
	cr_assert(eq(u64, machine_counters(0, 1).entries, 1));
	cr_assert(eq(u64, machine_counters(0, 1).ring_busy, 1));
	cr_assert(eq(u64, machine_counters(0, 1).weight, 7));
	machine.cpu = MACHINE_CPUS; /* no maps either: nowhere to count, but nothing breaks */
	machine_overflow(1);
}

Test(sample, weight_is_shifted_and_saturates)
{
	struct machine_settings settings = { .weight_shift = { 0, 10, 63 } };
	static const struct {
		uint32_t event;
		uint64_t period;
		uint32_t weight;
	} cases[] = {
		{ 0, 0, 0 },
		{ 0, UINT32_MAX, UINT32_MAX },
		{ 0, UINT64_C(1) << 32, UINT32_MAX },
		{ 1, 1023, 0 },
		{ 1, 1024, 1 },
		{ 1, (UINT64_C(1) << 42) - 1, UINT32_MAX },
		{ 1, UINT64_C(1) << 42, UINT32_MAX },
		{ 1, UINT64_MAX, UINT32_MAX },
		{ 2, UINT64_MAX, 1 },
	};
	uint64_t sum[3] = { 0 };

	load(settings);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		machine.period = cases[i].period;
		machine_overflow(cases[i].event);
		sum[cases[i].event] += cases[i].period;
		cr_assert(eq(u32, take_sample(0).weight, cases[i].weight), "case %zu", i);
	}
	for (uint32_t i = 0; i < 3; i++)
		cr_assert(eq(u64, machine_counters(0, i).weight, sum[i]));
}

Test(sample, idle_is_counted_and_written_only_when_wanted)
{
	struct frames kernel = make_frames(KERNEL_IP, 5);
	struct event_counters c;
	struct sample_event s;

	for (uint32_t keep = 0; keep < 2; keep++) {
		load((struct machine_settings){ .filter = keep ? FILTER_KEEP_IDLE : 0 });
		machine.pid = machine.tid = 0;
		machine.period = 10;
		in_kernel_mode(&kernel, NULL);
		machine_overflow(0);
		c = machine_counters(0, 0);
		cr_assert(eq(u64, c.idle, !keep));
		cr_assert(eq(u64, c.submitted, keep));
		cr_assert(eq(u64, c.idle_weight, 10));
		cr_assert(eq(u64, c.weight, 10));
	}
	s = take_sample(0);
	cr_assert(eq(u8, s.flags, SAMPLE_IN_KERNEL | SAMPLE_IDLE));
	cr_assert(stack_is(0, s.kernel_stack, &kernel));
}

Test(sample, without_stacks_the_leaf_alone_is_written)
{
	struct frames kernel = make_frames(KERNEL_IP, 5), user = make_frames(USER_IP, 5);
	struct sample_event s;

	load((struct machine_settings){ .filter = FILTER_NO_STACKS });
	in_user_mode(&user);
	s = one_sample();
	user.n = kernel.n = 1;
	cr_assert(stack_is(0, s.user_stack, &user));
	cr_assert(eq(u32, s.kernel_stack, 0));
	in_kernel_mode(&kernel, &user);
	s = one_sample();
	cr_assert(stack_is(0, s.kernel_stack, &kernel));
	cr_assert(eq(u32, s.user_stack, 0));
	user.ip[0]++;
	in_user_mode(&user);
	machine.lock_busy = true;
	machine_overflow(0);
	cr_assert(eq(u64, machine_counters(0, 0).stack_lost, 1));
}

Test(sample, mode_filter)
{
	struct machine_settings settings = {
		.mode_filter = { MODE_ANY, MODE_USER_ONLY, MODE_KERNEL_ONLY },
	};
	struct frames kernel = make_frames(KERNEL_IP, 2), user = make_frames(USER_IP, 2);
	static const uint64_t filtered[2][3] = { { 0, 0, 1 }, { 0, 1, 0 } };

	for (int in_kernel = 0; in_kernel < 2; in_kernel++) {
		load(settings);
		if (in_kernel)
			in_kernel_mode(&kernel, &user);
		else
			in_user_mode(&user);
		for (uint32_t event = 0; event < 3; event++) {
			struct event_counters c;

			machine_overflow(event);
			c = machine_counters(0, event);
			cr_assert(eq(u64, c.filtered_mode, filtered[in_kernel][event]));
			cr_assert(eq(u64, c.submitted, !filtered[in_kernel][event]));
		}
	}
}

Test(sample, target_filters)
{
	static const struct {
		uint32_t filter, pid, tid;
		int cgroup;
		bool taken;
	} cases[] = {
		{ 0, 1, 2, MACHINE_NO_CGROUP, true },
		{ FILTER_TARGET_PID, 10, 12, MACHINE_NO_CGROUP, true },
		{ FILTER_TARGET_PID, 11, 10, MACHINE_NO_CGROUP, false },
		{ FILTER_TARGET_TID, 11, 20, MACHINE_NO_CGROUP, true },
		{ FILTER_TARGET_TID, 20, 21, MACHINE_NO_CGROUP, false },
		{ FILTER_TARGET_TID, 10, 21, MACHINE_NO_CGROUP, false },
		{ FILTER_TARGET_PID | FILTER_TARGET_TID, 10, 21, MACHINE_NO_CGROUP, true },
		{ FILTER_TARGET_PID | FILTER_TARGET_TID, 11, 20, MACHINE_NO_CGROUP, true },
		{ FILTER_TARGET_PID | FILTER_TARGET_TID, 11, 21, MACHINE_NO_CGROUP, false },
		{ FILTER_CGROUP, 1, 2, MACHINE_NO_CGROUP, false },
		{ FILTER_CGROUP, 1, 2, 0, true },
		{ FILTER_CGROUP, 1, 2, 2, true },
		{ FILTER_CGROUP | FILTER_TARGET_PID, 10, 2, 1, true },
		{ FILTER_CGROUP | FILTER_TARGET_PID, 11, 2, 1, false },
		{ FILTER_CGROUP | FILTER_TARGET_PID, 10, 2, MACHINE_NO_CGROUP, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_counters c;

		load((struct machine_settings){ .filter = cases[i].filter });
		machine.target_pid = 10;
		machine.target_tid = 20;
		machine.pid = cases[i].pid;
		machine.tid = cases[i].tid;
		machine.cgroup = cases[i].cgroup;
		machine_overflow(0);
		c = machine_counters(0, 0);
		cr_assert(eq(u64, c.submitted, cases[i].taken), "case %zu", i);
		cr_assert(eq(u64, c.filtered_target, !cases[i].taken), "case %zu", i);
		cr_assert(eq(u64, c.entries, 1));
	}
}

/* Silent below the watermark; beyond it one wake-up for each watermark's worth of bytes. */
Test(sample, wakes_the_reader_at_the_watermark_only)
{
	struct frames user = make_frames(USER_IP, 3);
	uint64_t at_last = 0;

	load((struct machine_settings){ .wakeup_bytes = 4000 });
	in_user_mode(&user);
	while (machine_used(0) < 4000) {
		cr_assert(eq(u64, machine_wakeups(0), 0), "%d bytes", (int)machine_used(0));
		at_last = machine_used(0);
		machine_overflow(0);
	}
	cr_assert(eq(u64, machine_wakeups(0), 1));
	for (int i = 0; i < 1000; i++) {
		uint64_t before = machine_wakeups(0);

		machine_overflow(0);
		if (machine_wakeups(0) == before)
			continue;
		cr_assert(ge(u64, machine_used(0) - at_last, 4000));
		at_last = machine_used(0);
	}
	cr_assert(gt(u64, machine_wakeups(0), 9));
	cr_assert(eq(u32, machine.bad_flags, 0));
}

/* What the reader took on its own timer does not count. */
Test(sample, does_not_wake_a_reader_that_keeps_up)
{
	struct frames user = make_frames(USER_IP, 3);

	load((struct machine_settings){ .wakeup_bytes = 4000 });
	in_user_mode(&user);
	for (int i = 0; i < 5000; i++) {
		machine_overflow(0);
		if (i % 50 == 0)
			while (next_sample(0))
				;
	}
	cr_assert(eq(u64, machine_wakeups(0), 0));
}
