// SPDX-License-Identifier: Apache-2.0
/*
 * test_walk.c - the walker over tables and stacks made by hand: each kind of rule, and each way in
 * which a walk ends.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/bpf/walk_world.h"
#include "tests/unit/random.h"

TestSuite(walk, .init = load_tables);

/* A leaf with the rule is called by a function that nobody called: two frames. */
static uint64_t call_leaf(struct unwind_rule rule, uint32_t return_address_at)
{
	uint64_t first = first_function() + 20;

	machine.regs.ip = function(rule);
	machine.user_words[return_address_at] = first;
	return first;
}

Test(walk, cfa_by_a_register)
{
	static const struct {
		uint8_t cfa, cfa_reg, number;
	} cases[] = {
		{ UNWIND_SP, 0, 7 },	{ UNWIND_FP, 0, 6 },	{ UNWIND_BX, 0, 3 },
		{ UNWIND_REG, 0, 0 },	{ UNWIND_REG, 10, 10 }, { UNWIND_REG, 13, 13 },
		{ UNWIND_REG, 15, 15 }, { UNWIND_REG, 2, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int32_t offset = -64; offset <= 4096; offset += 32) {
			struct unwind_rule rule = { .cfa = cases[i].cfa,
						    .cfa_reg = cases[i].cfa_reg,
						    .cfa_off = offset,
						    .ra_off = -8 };
			uint64_t first;

			load_tables();
			first = call_leaf(rule, 1000 - 1);
			machine.regs.by_number[cases[i].number] = STACK(1000) - (uint64_t)offset;
			if (machine.regs.sp >= STACK(1000)) /* that one has left its frame */
				continue;
			expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
		}
	}
}

Test(walk, cfa_through_memory)
{
	struct unwind_rule rule = { .cfa_off = 24, .ra_off = -8 };
	uint64_t first;

	for (int16_t deref_off = -16; deref_off <= 16; deref_off += 8) {
		load_tables();
		rule.cfa = UNWIND_SP_DEREF;
		rule.deref_off = deref_off;
		first = call_leaf(rule, 199);
		machine.user_words[100 + deref_off / 8] = STACK(200) - 24;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);

		load_tables();
		rule.cfa = UNWIND_FP_DEREF;
		first = call_leaf(rule, 199);
		machine.regs.fp = STACK(150);
		machine.user_words[150 + deref_off / 8] = STACK(200) - 24;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
	}
}

/* As bn_mul_mont() of OpenSSL keeps it: at an index that is in a register. */
Test(walk, cfa_at_an_index)
{
	for (uint8_t reg = 8; reg < 16; reg++) {
		struct unwind_rule rule = { .cfa = UNWIND_SP_INDEXED,
					    .cfa_reg = reg,
					    .cfa_off = 8,
					    .deref_off = 8,
					    .ra_off = -8 };
		uint64_t first;

		load_tables();
		first = call_leaf(rule, 200);
		machine.regs.by_number[reg] = 33;
		machine.user_words[100 + 33 + 1] = STACK(200);
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
		machine.user_words[100] = machine.regs.ip + 1; /* not of an outer frame */
		machine.regs.ip = plain_function(1);
		expect_walk(STACK_BEYOND, STACK_BY_TABLE, machine.regs.ip, machine.user_words[100]);
	}
}

/* Before the instruction at the literal one word is on the stack, from there on two. */
Test(walk, plt)
{
	for (uint32_t at = 0; at < 64; at++) {
		const uint32_t literal = 11;
		bool pushed = (at & 15) >= literal;
		uint64_t first;

		load_tables();
		first = call_leaf(
			(struct unwind_rule){ .cfa = UNWIND_PLT, .cfa_reg = literal, .ra_off = -8 },
			100 + pushed);
		machine.user_words[101 - pushed] = CODE + 5; /* wrong, but code */
		machine.regs.ip += at;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
	}
}

/* As in vfork(), which keeps its return address from the child. */
Test(walk, return_address_in_a_register)
{
	const struct unwind_rule rule = { .cfa = UNWIND_SP, .ra = UNWIND_RA_REG, .ra_reg = 5 };
	uint64_t leaf, first = first_function();

	leaf = function(rule);
	machine.regs.ip = leaf;
	machine.regs.di = first + 9; /* the stack is as the caller has it: CFA = SP */
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, leaf, first + 9);
	/* Another than the leaf has lost its registers. */
	machine.regs.ip = plain_function(3);
	machine.user_words[102] = leaf + 4;
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, machine.regs.ip, leaf + 4);
}

Test(walk, other_registers_are_the_leafs_only)
{
	uint64_t outer = function((struct unwind_rule){
		.cfa = UNWIND_REG, .cfa_reg = 12, .cfa_off = 16, .ra_off = -8 });

	machine.regs.ip = plain_function(1);
	machine.regs.r12 = STACK(120);
	machine.user_words[100] = outer + 7;
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, machine.regs.ip, outer + 7);
	cr_assert(eq(u64, snapshot_of[0].leaf, machine.regs.ip));
}

/* Three frames: the leaf saves both registers, the second's CFA is by one of them. */
static void expect_saved(uint8_t by, int16_t fp_off, int16_t bx_off, int16_t ra_off)
{
	const int cfa = 160;
	uint64_t first, second;

	load_tables();
	first = first_function() + 1;
	second = function((struct unwind_rule){ .cfa = by, .cfa_off = 16, .ra_off = -8 }) + 1;
	machine.regs.ip = function((struct unwind_rule){ .cfa = UNWIND_SP,
							 .cfa_off = (cfa - 100) * 8,
							 .ra_off = ra_off,
							 .fp_off = fp_off,
							 .bx_off = bx_off });
	machine.regs.fp = STACK(200);
	machine.regs.bx = STACK(220);
	machine.user_words[201] = machine.user_words[221] = first;
	machine.user_words[cfa + ra_off / 8] = second;
	if (fp_off) {
		machine.user_words[cfa + fp_off / 8] = STACK(300);
		machine.user_words[201] = 0;
		machine.user_words[301] = first;
	}
	if (bx_off) {
		machine.user_words[cfa + bx_off / 8] = STACK(320);
		machine.user_words[221] = 0;
		machine.user_words[321] = first;
	}
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, second, first);
}

/* Near the CFA words are read together, others one by one. */
Test(walk, registers_saved_anywhere)
{
	static const int16_t offsets[] = {
		0, -16, -24, -56, -64, -72, -80, -400, 8, 400, 440, 448
	};
	const size_t n = sizeof(offsets) / sizeof(offsets[0]);

	for (size_t fp = 0; fp < n; fp++) {
		for (size_t bx = 0; bx < n; bx++) {
			if (offsets[fp] == offsets[bx] && offsets[fp])
				continue;
			expect_saved(UNWIND_FP, offsets[fp], offsets[bx], -8);
			expect_saved(UNWIND_BX, offsets[fp], offsets[bx], -8);
		}
		expect_saved(UNWIND_FP, -8, 0, offsets[fp]);
		expect_saved(UNWIND_BX, 0, -8, offsets[fp]);
	}
}

/* A frame that is aligned: the caller's registers are beside the frame pointer, not the CFA. */
Test(walk, aligned_frame)
{
	const struct unwind_rule aligned = {
		.cfa = UNWIND_FP_ALIGNED, .deref_off = -8, .ra_off = -8, .bx_off = -16
	};
	uint64_t first = first_function() + 1, by_fp, by_bx;

	by_fp = function((struct unwind_rule){ .cfa = UNWIND_FP, .cfa_off = 16, .ra_off = -8 }) + 1;
	by_bx = function((struct unwind_rule){ .cfa = UNWIND_BX, .cfa_off = 16, .ra_off = -8 }) + 1;
	machine.regs.ip = function(aligned);
	machine.regs.fp = STACK(140);
	machine.user_words[138] = STACK(220); /* rbx, CFA, rbp */
	machine.user_words[139] = STACK(160);
	machine.user_words[140] = STACK(200);
	machine.user_words[159] = by_fp;
	machine.user_words[201] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, by_fp, first);
	machine.user_words[159] = by_bx;
	machine.user_words[201] = 0;
	machine.user_words[221] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, by_bx, first);
	machine.regs.ip = function(
		(struct unwind_rule){ .cfa = UNWIND_FP_ALIGNED, .deref_off = -8, .ra_off = -8 });
	machine.regs.bx = STACK(220); /* still the caller's */
	machine.user_words[138] = 0;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, by_bx, first);
}

/* An offset may be anything. */
Test(walk, saved_at_no_word)
{
	uint64_t second, address = STACK(200), first = first_function() + 1;

	second = function((struct unwind_rule){ .cfa = UNWIND_FP, .cfa_off = 8, .ra_off = -8 }) + 1;
	machine.regs.ip = function((struct unwind_rule){
		.cfa = UNWIND_SP, .cfa_off = 64, .ra_off = -8, .fp_off = -21 });
	machine.user_words[107] = second;
	memcpy((uint8_t *)&machine.user_words[108] - 21, &address, sizeof(address));
	machine.user_words[200] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, second, first);
}

/* The page below the stack pointer need not be there. */
Test(walk, at_the_edge_of_readable_memory)
{
	uint64_t first = first_function() + 1;

	for (uint32_t words = 1; words < 10; words++) {
		machine.regs.ip = plain_function(words);
		machine.regs.sp = STACK(0);
		memset(machine.user_words, 0, 128);
		machine.user_words[words - 1] = first;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
	}
	machine.regs.ip = plain_function(1);
	machine.regs.sp = STACK(MACHINE_WORDS - 1);
	machine.user_words[MACHINE_WORDS - 1] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
	machine.regs.sp += 8;
	expect_walk(STACK_UNREADABLE, STACK_BY_TABLE, machine.regs.ip);
}

Test(walk, what_cannot_be_read)
{
	struct unwind_rule rule = { .cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8 };
	struct event_counters c;

	rule.fp_off = INT16_MIN;
	machine.regs.ip = function(rule);
	machine.user_words[101] = CODE + 5;
	expect_walk(STACK_UNREADABLE, STACK_BY_TABLE, machine.regs.ip);
	rule.fp_off = 0;
	rule.bx_off = INT16_MIN;
	machine.regs.ip = function(rule);
	expect_walk(STACK_UNREADABLE, STACK_BY_TABLE, machine.regs.ip);
	machine.regs.ip = function((struct unwind_rule){
		.cfa = UNWIND_SP_DEREF, .deref_off = INT16_MIN, .ra_off = -8 });
	expect_walk(STACK_UNREADABLE, STACK_BY_TABLE, machine.regs.ip);
	machine.regs.ip = function((struct unwind_rule){ .cfa = UNWIND_SIGNAL });
	machine.regs.sp = STACK(MACHINE_WORDS - 20);
	expect_walk(STACK_UNREADABLE, STACK_BY_TABLE, machine.regs.ip);
	c = machine_counters(0, 0);
	cr_assert(eq(u64, c.user_failed, 4));
	cr_assert(zero(u64, c.snapshots));
}

/* The first row of a function holds for a leaf that has just been entered, ... */
Test(walk, a_leaf_is_where_it_is)
{
	uint64_t first = first_function() + 3;

	plain_function(9);
	machine.regs.ip = plain_function(2);
	machine.user_words[101] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
	machine.regs.ip--;
	machine.user_words[108] = first;
	machine.user_words[101] = 0;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, first);
}

/* ... but a call that is a function's last instruction returns to the next function. */
Test(walk, a_return_address_belongs_to_the_call_before_it)
{
	uint64_t after, first = first_function() + 3;

	plain_function(2);
	after = plain_function(9);
	machine.regs.ip = plain_function(1);
	machine.user_words[100] = after;
	machine.user_words[102] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, machine.regs.ip, after, first);
}

/* A thread in a system call is behind its instruction, which may be a function's last. */
Test(walk, in_a_system_call)
{
	struct frames kernel = make_frames(KERNEL_IP, 3);
	uint64_t after, first = first_function() + 3;

	plain_function(2);
	after = plain_function(9);
	machine.user_words[101] = machine.user_words[108] = first;
	for (int in_syscall = 0; in_syscall < 2; in_syscall++) {
		in_kernel_mode(&kernel, NULL);
		machine.saved = (struct machine_regs){
			.ip = after, .sp = STACK(100), .cs = 0x33, .in_syscall = in_syscall
		};
		machine.user_words[in_syscall ? 101 : 108] = first;
		machine.user_words[in_syscall ? 108 : 101] = 0;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, after, first);
	}
	/* At the end of a system call a signal has come: a handler's first instruction. */
	machine.saved.dx = machine.saved.sp + 8;
	machine.user_words[101] = 0;
	machine.user_words[108] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, after, first);
}

/* What a signal interrupted is where it is, has all its registers, and may be on another stack. */
Test(walk, through_a_signal)
{
	uint64_t first = first_function() + 3, handler, interrupted, restorer;
	const int context = 300 + 120 / 8; /* rbp, rbx, rdx, rax, rcx, rsp, rip */

	plain_function(9);
	interrupted = function((struct unwind_rule){
		.cfa = UNWIND_BX, .cfa_off = 8, .ra_off = -8, .fp_off = -16 });
	handler = plain_function(200);
	restorer = function((struct unwind_rule){ .cfa = UNWIND_SIGNAL }) + 1;
	machine.regs.ip = handler + 9;
	machine.user_words[299] = restorer;
	machine.user_words[context + 1] = STACK(50) - 8;
	machine.user_words[context + 5] = STACK(40);
	machine.user_words[context + 6] = interrupted;
	machine.user_words[49] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, handler + 9, restorer, interrupted, first);
	machine.user_words[context + 6] = 0;
	expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, handler + 9, restorer);
}

/* Memory that was read for the handler and is read again says the same. */
Test(walk, through_a_signal_on_the_same_stack)
{
	const int context = 300 + 120 / 8;
	uint64_t first = first_function() + 3, handler = plain_function(200), restorer, caller;
	uint64_t interrupted = function((struct unwind_rule){
		.cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8, .fp_off = -16 });

	caller =
		function((struct unwind_rule){ .cfa = UNWIND_FP, .cfa_off = 16, .ra_off = -8 }) + 1;
	restorer = function((struct unwind_rule){ .cfa = UNWIND_SIGNAL }) + 1;
	for (int sp = 280; sp < 310; sp++) {
		memset(&machine.user_words[200], 0, 300 * 8);
		machine.user_words[context + 5] = STACK(sp);
		machine.user_words[context + 6] = interrupted;
		machine.user_words[sp] = STACK(400);
		machine.user_words[sp + 1] = caller;
		machine.user_words[401] = first;
		if (sp == 298 || sp == 299) /* where the handler's return address is */
			continue;
		machine.user_words[299] = restorer;
		machine.regs.ip = handler;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, handler, restorer, interrupted, caller,
			    first);
	}
}

/* Not followed through a signal: the leaf's registers are not those of what was interrupted. */
Test(walk, registers_after_a_signal)
{
	uint64_t interrupted = function((struct unwind_rule){
		.cfa = UNWIND_REG, .cfa_reg = 10, .cfa_off = 8, .ra_off = -8 });

	machine.regs.ip = function((struct unwind_rule){ .cfa = UNWIND_SIGNAL });
	machine.user_words[100 + 15 + 5] = STACK(200);
	machine.user_words[100 + 15 + 6] = interrupted;
	machine.regs.r10 = STACK(210);
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, machine.regs.ip, interrupted);
}

Test(walk, the_stack_pointer_never_goes_down)
{
	uint64_t first = first_function() + 1;
	static const struct {
		uint8_t cfa;
		int32_t offset;
	} cases[] = {
		{ UNWIND_SP, -8 },	{ UNWIND_SP, 0 },	{ UNWIND_SP, INT32_MIN },
		{ UNWIND_FP, 8 },	{ UNWIND_BX, 8 },	{ UNWIND_REG, 8 },
		{ UNWIND_SP_DEREF, 8 }, { UNWIND_FP_DEREF, 8 },
	};

	machine.regs.fp = machine.regs.bx = machine.regs.r12 = STACK(98);
	machine.user_words[100] = machine.user_words[98] = STACK(98);
	machine.user_words[99] = first;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		machine.regs.ip = function(
			(struct unwind_rule){ .cfa = cases[i].cfa,
					      .cfa_reg = cases[i].cfa == UNWIND_REG ? 12 : 0,
					      .cfa_off = cases[i].offset,
					      .ra_off = -8 });
		expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, machine.regs.ip);
	}
}

Test(walk, no_address_to_return_to)
{
	machine.regs.ip = plain_function(2);
	expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, machine.regs.ip);
}

Test(walk, deep)
{
	static uint64_t frames[MAX_FRAMES + 50];
	uint64_t first = first_function() + 1, function = plain_function(3);
	struct frames got;

	machine.regs.ip = function + 77;
	for (int i = 0; i < MAX_FRAMES + 50; i++)
		machine.user_words[100 + i * 3 + 2] = frames[i] = function + 1 + i % 200;
	got = walked();
	cr_assert(eq(u32, got.n, MAX_FRAMES));
	cr_assert(eq(u32, got.outcome, STACK_OUTCOME(STACK_MAX_FRAMES, STACK_BY_TABLE)));
	cr_assert(zero(int, memcmp(got.ip + 1, frames, (MAX_FRAMES - 1) * sizeof(*frames))));
	cr_assert(eq(u64, machine_counters(0, 0).user_truncated, 1));

	for (int n = 1; n < MAX_FRAMES; n++) { /* callers */
		machine.user_words[100 + (n - 1) * 3 + 2] = first;
		got = walked();
		cr_assert(eq(u32, got.n, n + 1u));
		cr_assert(eq(u32, got.outcome, STACK_OUTCOME(STACK_COMPLETE, STACK_BY_TABLE)));
		machine.user_words[100 + (n - 1) * 3 + 2] = frames[n - 1];
	}
}

/*
 * A leaf that no table covers and that has no frame of its own: its caller is passed over, and the
 * stack not called whole. As is told by the return address at the top of the stack.
 */
Test(walk, does_not_vouch_for_a_leaf_without_a_frame)
{
	uint64_t first = first_function() + 1, bare = function((struct unwind_rule){ 0 }) + 1;
	uint64_t caller = plain_function(2) + 1,
		 signal = function((struct unwind_rule){ .cfa = UNWIND_SIGNAL });

	machine.regs.ip = bare;
	machine.regs.fp = STACK(110);
	machine.user_words[111] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, bare, first);
	machine.user_words[100] = caller;
	expect_walk(STACK_CHAIN_END, STACK_BY_FRAME_POINTER, bare, first);
	machine.user_words[100] = CODE + CODE_PAGES * 4096; /* no code */
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, bare, first);
	/* Another end is not better for it. */
	machine.user_words[100] = caller;
	machine.user_words[111] = CODE + CODE_PAGES * 4096 - 5;
	expect_walk(STACK_NO_TABLE, STACK_BY_FRAME_POINTER, bare, CODE + CODE_PAGES * 4096 - 5);
	machine.user_words[111] = first;
	/* Nor is it known of what a signal came upon; what it called has a frame. */
	machine.regs.ip = signal;
	machine.user_words[115] = STACK(140);
	machine.user_words[115 + 5] = STACK(130);
	machine.user_words[115 + 6] = bare;
	machine.user_words[130] = caller;
	machine.user_words[141] = first;
	expect_walk(STACK_CHAIN_END, STACK_BY_FRAME_POINTER, signal, bare, first);
	machine.user_words[115] = 0;
	expect_walk(STACK_NO_RULE, STACK_BY_FRAME_POINTER, signal, bare);
	machine.regs.ip = caller;
	machine.user_words[101] = bare;
	machine.user_words[102] = caller;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, caller, bare, first);
}

/* What no table covers may have a frame pointer. */
Test(walk, steps_over_code_without_rules_by_its_frame_pointer)
{
	uint64_t first = first_function() + 1, bare = function((struct unwind_rule){ 0 }) + 1;
	uint64_t plain = plain_function(2);

	machine.regs.ip = plain;
	machine.regs.fp = STACK(110);
	machine.user_words[101] = bare;
	machine.user_words[111] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare, first);
	/* A reason keeps how the stack was walked so far. */
	machine.user_words[111] = CODE + CODE_PAGES * 4096 - 5;
	expect_walk(STACK_NO_TABLE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare,
		    CODE + CODE_PAGES * 4096 - 5);
	machine.user_words[110] = 7;
	machine.user_words[111] = 0;
	expect_walk(STACK_BAD_FRAME, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	machine.user_words[110] = 0;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	machine.regs.fp = 0;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	machine.regs.ip = bare; /* a leaf may have called nobody, but somebody called it */
	expect_walk(STACK_NO_RULE, STACK_BY_FRAME_POINTER, bare);
	machine.regs.ip = plain;
	machine.regs.fp = STACK(100); /* below the second frame's stack pointer */
	expect_walk(STACK_NO_RULE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	machine.regs.fp = STACK(111) + 1;
	expect_walk(STACK_NO_RULE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	machine.regs.fp = STACK(103) + (8 << 20);
	expect_walk(STACK_NO_RULE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	machine.regs.fp = STACK(MACHINE_WORDS);
	expect_walk(STACK_UNREADABLE, STACK_BY_FRAME_POINTER, machine.regs.ip, bare);
	cr_assert(eq(u64, machine_counters(0, 0).snapshots, 1));
}

/* What a table may say that no version of the walker knows. */
Test(walk, rules_that_are_none)
{
	for (uint32_t cfa = UNWIND_CFAS; cfa < 256; cfa++) {
		load_tables();
		machine.regs.ip = function((struct unwind_rule){ .cfa = (uint8_t)cfa });
		expect_walk(STACK_BEYOND, STACK_BY_TABLE, machine.regs.ip);
	}
	load_tables();
	machine.regs.ip = function((struct unwind_rule){ .cfa = UNWIND_BEYOND });
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, machine.regs.ip);
	machine_shard(1)[1000].rule = UNWIND_RULES;
	set_code_page();
	expect_walk(STACK_REFUSED, STACK_BY_TABLE, machine.regs.ip);
	machine_shard(1)[1000].rule = UINT16_MAX;
	set_code_page();
	expect_walk(STACK_REFUSED, STACK_BY_TABLE, machine.regs.ip);
}

Test(walk, registers_that_are_none)
{
	for (uint32_t reg = MACHINE_REGISTERS; reg < 256; reg++) {
		load_tables();
		machine.regs.ip = function((struct unwind_rule){
			.cfa = UNWIND_REG, .cfa_reg = (uint8_t)reg, .ra_off = -8 });
		expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, machine.regs.ip);
		machine.regs.ip = function((struct unwind_rule){
			.cfa = UNWIND_SP, .ra = UNWIND_RA_REG, .ra_reg = (uint8_t)reg });
		expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, machine.regs.ip);
	}
}
