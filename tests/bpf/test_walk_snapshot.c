// SPDX-License-Identifier: Apache-2.0
/*
 * test_walk_snapshot.c - when the sampling program takes a snapshot of a stack, and what is in it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/bpf/walk_world.h"

TestSuite(walk_snapshot, .init = load_tables);

#define WINDOW_NS (UINT64_C(1) << 27)
#define CREDIT	  64

/* A thread in the middle of code for which there is no table. */
static void in_unknown_code(void)
{
	for (uint64_t i = 0; i < MACHINE_REGISTERS; i++)
		machine.regs.by_number[i] = i << 32 | 0x111;
	machine.regs.ip = CODE + UNWIND_PAGE_BYTES + 5;
	machine.regs.sp = STACK(100);
	for (uint64_t i = 0; i < MACHINE_WORDS; i++)
		machine.user_words[i] = i * 0x10001;
}

static uint32_t snapshots(void)
{
	return (uint32_t)machine_counters(0, 0).snapshots;
}

/* Lets an event overflow; true if it gave a snapshot. */
static bool takes_snapshot(void)
{
	uint32_t before = snapshots();

	machine_overflow(0);
	while (next_sample(0))
		;
	return snapshots() != before;
}

static void check_contents(const struct machine_regs *regs)
{
	const struct snapshot_record *s = &snapshot_of[0];

	cr_assert(eq(u32, s->pid, machine.pid));
	cr_assert(eq(u32, s->tid, machine.tid));
	cr_assert(eq(u64, s->time_ns, machine.time_ns));
	cr_assert(eq(u64, s->leaf, regs->ip - regs->in_syscall));
	cr_assert(eq(u32, s->outcome, STACK_OUTCOME(STACK_NO_TABLE, STACK_BY_TABLE)));
	cr_assert(eq(u32, s->stack_bytes, 2048));
	cr_assert(zero(int, memcmp(s->stack, &machine.user_words[100], 2048)));
	cr_assert(zero(int, memcmp(s->registers, regs->by_number, sizeof(regs->by_number))));
}

Test(walk_snapshot, has_the_stack_and_all_registers)
{
	in_unknown_code();
	expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, machine.regs.ip);
	check_contents(&machine.regs);
}

/* Of a thread in the kernel those that it had in user mode. */
Test(walk_snapshot, from_the_kernel)
{
	struct frames kernel = make_frames(KERNEL_IP, 3);
	struct machine_regs user;

	in_unknown_code();
	user = machine.regs;
	in_kernel_mode(&kernel, NULL);
	for (int in_syscall = 0; in_syscall < 2; in_syscall++) {
		user.in_syscall = in_syscall;
		machine.saved = user;
		expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, user.ip);
		check_contents(&user);
	}
}

/* The registers are the leaf's, also where the walk ends in another frame. */
Test(walk_snapshot, in_an_outer_frame)
{
	uint64_t missing = CODE + UNWIND_PAGE_BYTES + 5;
	struct machine_regs before;

	machine.regs.ip = plain_function(2);
	machine.user_words[101] = missing;
	before = machine.regs;
	expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, machine.regs.ip, missing);
	cr_assert(eq(u64, snapshot_of[0].leaf, machine.regs.ip));
	cr_assert(zero(
		int, memcmp(snapshot_of[0].registers, before.by_number, sizeof(before.by_number))));
	cr_assert(zero(int, memcmp(snapshot_of[0].stack, &machine.user_words[100], 2048)));
}

/* Registers that were fetched for a rule are those of this sample, each time. */
Test(walk_snapshot, registers_are_not_of_an_earlier_sample)
{
	uint64_t leaf = function((struct unwind_rule){
		.cfa = UNWIND_REG, .cfa_reg = 10, .cfa_off = 8, .ra_off = -8 });

	machine.regs.ip = leaf;
	for (uint32_t at = 110; at < 200; at++) {
		machine.regs.r10 = STACK(at);
		machine.user_words[at] = CODE + UNWIND_PAGE_BYTES + at;
		expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, leaf, machine.user_words[at]);
		cr_assert(eq(u64, snapshot_of[0].registers[10], STACK(at)));
		machine.time_ns += WINDOW_NS;
	}
}

/* The part of the stack that is there, in pieces. */
Test(walk_snapshot, near_the_end_of_the_stack)
{
	in_unknown_code();
	for (uint32_t words = 1; words < 300; words++) {
		uint32_t whole = words * 8 / 512 * 512;

		machine.regs.sp = STACK(MACHINE_WORDS - words);
		machine.time_ns += WINDOW_NS;
		expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, machine.regs.ip);
		cr_assert(eq(u32, snapshot_of[0].stack_bytes, whole < 2048 ? whole : 2048));
		cr_assert(zero(int, memcmp(snapshot_of[0].stack,
					   &machine.user_words[MACHINE_WORDS - words],
					   snapshot_of[0].stack_bytes)));
	}
	machine.regs.sp = 8;
	expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, machine.regs.ip);
	cr_assert(zero(u32, snapshot_of[0].stack_bytes));
}

static uint8_t large_stack[MAX_SNAPSHOT_BYTES + 100];
#define LARGE_STACK UINT64_C(0x7fff00000008)

static bool read_large_stack(void *to, uint32_t bytes, uint64_t address)
{
	uint64_t offset = address - LARGE_STACK;

	if (offset > sizeof(large_stack) || bytes > sizeof(large_stack) - offset)
		return false;
	memcpy(to, large_stack + offset, bytes);
	return true;
}

Test(walk_snapshot, of_the_largest_size)
{
	load((struct machine_settings){ .user_walk = USER_WALK_TABLES,
					.snapshot_bytes = MAX_SNAPSHOT_BYTES,
					.ring_bytes = 1 << 20 });
	for (size_t i = 0; i < sizeof(large_stack); i++)
		large_stack[i] = (uint8_t)(i * 7 >> 3);
	machine.read_user = read_large_stack;
	machine.regs.sp = LARGE_STACK;
	machine.regs.ip = CODE;
	expect_walk(STACK_NO_PROCESS, STACK_BY_TABLE, CODE);
	cr_assert(eq(u32, snapshot_of[0].stack_bytes, MAX_SNAPSHOT_BYTES));
	cr_assert(zero(int, memcmp(snapshot_of[0].stack, large_stack, MAX_SNAPSHOT_BYTES)));
}

/* It wakes the recorder, who is to load what is missing. */
Test(walk_snapshot, wakes_the_recorder)
{
	in_unknown_code();
	cr_assert(zero(u64, machine_wakeups(0)));
	cr_assert(takes_snapshot());
	cr_assert(eq(u64, machine_wakeups(0), 1));
}

Test(walk_snapshot, so_many_in_a_window)
{
	in_unknown_code();
	for (int window = 0; window < 5; window++) {
		for (int i = 0; i < CREDIT; i++)
			cr_assert(takes_snapshot());
		cr_assert(not(takes_snapshot()));
		machine.time_ns |= WINDOW_NS - 1; /* to the end of the window */
		cr_assert(not(takes_snapshot()));
		machine.time_ns++;
	}
	machine.time_ns += 1000 * WINDOW_NS; /* nothing is saved up */
	for (int i = 0; i < CREDIT; i++)
		cr_assert(takes_snapshot());
	cr_assert(not(takes_snapshot()));
	cr_assert(eq(u64, machine_counters(0, 0).submitted, 6 * CREDIT + 11));
	machine.cpu = 1; /* each CPU has its own */
	machine_overflow(0);
	cr_assert(eq(u64, machine_counters(1, 0).snapshots, 1));
}

/* Half of the ring is the samples'. */
Test(walk_snapshot, none_when_the_ring_fills_up)
{
	const uint32_t watermark = 1 << 19;
	uint32_t taken = 0;

	in_unknown_code();
	for (int i = 0; i < 3000; i++) {
		bool before = machine_used(0) < watermark;
		uint32_t was = snapshots();

		machine.time_ns += WINDOW_NS;
		machine_overflow(0);
		cr_assert(eq(u32, snapshots() - was, before), "%d", i);
		taken += before;
	}
	cr_assert(gt(u32, taken, 200));
	cr_assert(eq(u64, machine_counters(0, 0).submitted, 3000));
}

/* No room: the sample has what the walker found, and no flag. */
Test(walk_snapshot, that_finds_no_room)
{
	load_world(USER_WALK_TABLES);
	load((struct machine_settings){
		.user_walk = USER_WALK_TABLES, .snapshot_bytes = 2048, .ring_bytes = 2048 });
	in_unknown_code();
	expect_walk(STACK_NO_PROCESS, STACK_BY_TABLE, machine.regs.ip);
	cr_assert(zero(u32, snapshots()));
	cr_assert(zero(u64, machine_counters(0, 0).ring_full));
}

/* A snapshot belongs to the next sample: those that are lost leave none behind for another. */
Test(walk_snapshot, is_followed_by_its_sample)
{
	const struct machine_record *r;

	in_unknown_code();
	machine_overflow(0);
	r = machine_take(0);
	cr_assert(eq(u32, r->stack->type, RECORD_SNAPSHOT));
	r = machine_take(0);
	cr_assert(eq(u32, r->stack->type, RECORD_STACK));
	r = machine_take(0);
	cr_assert(eq(u32, r->bytes, sizeof(struct sample_event)));
	cr_assert(eq(u8, r->sample->flags, SAMPLE_SNAPSHOT));
}

Test(walk_snapshot, of_every_sample_if_that_is_wanted)
{
	uint64_t first, plain;

	load_world(USER_WALK_SNAPSHOTS);
	first = first_function() + 1;
	plain = plain_function(2);
	machine.regs.ip = plain;
	machine.user_words[101] = first;
	for (int i = 0; i < 3 * CREDIT; i++)
		expect_walk(STACK_BEYOND, STACK_BY_TABLE, plain);
	cr_assert(eq(u32, snapshots(), 3 * CREDIT));
	cr_assert(eq(u64, machine_wakeups(0), 3 * CREDIT), "each wakes the recorder");
}
