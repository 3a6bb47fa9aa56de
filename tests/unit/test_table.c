// SPDX-License-Identifier: Apache-2.0
/*
 * test_table.c - from call frame information to the rules of the walker, page by page.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "tests/unit/one_table.h"
#include "tests/unit/random.h"

/* The rule of a function on x86_64 with this program. */
static struct unwind_rule rule_of(const uint8_t *program, uint32_t size)
{
	begin(EM_X86_64);
	add(0x2000, 0x10, program, size);
	compile(0);
	return rule_at(0x2000);
}

static bool same(struct unwind_rule a, struct unwind_rule b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static const struct unwind_rule beyond = { .cfa = UNWIND_BEYOND };
static const struct unwind_rule leaf = { .cfa = UNWIND_SP, .cfa_off = 8, .ra_off = -8 };

Test(table, a_function_and_nothing_around_it)
{
	begin(EM_X86_64);
	add(0x2000, 0x20,
	    PROGRAM(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
		    DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc | 0x18,
		    DW_CFA_def_cfa, 7, 8));
	compile(0);
	cr_expect(eq(u32, page.row_count, 6));
	cr_expect(is_none(0) && is_none(0x1fff) && is_none(0x2020) && is_none(0xffff));
	cr_expect(rule_is(0x2000, leaf));
	cr_expect(rule_is(0x2001,
			  (struct unwind_rule){
				  .cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8, .fp_off = -16 }));
	cr_expect(rule_is(0x2004,
			  (struct unwind_rule){
				  .cfa = UNWIND_FP, .cfa_off = 16, .ra_off = -8, .fp_off = -16 }));
	cr_expect(rule_is(0x201c,
			  (struct unwind_rule){
				  .cfa = UNWIND_SP, .cfa_off = 8, .ra_off = -8, .fp_off = -16 }));
}

Test(table, equal_neighbours_are_one_row)
{
	begin(EM_X86_64);
	add(0x2000, 0x20, PROGRAM(DW_CFA_advance_loc | 8, DW_CFA_offset | 12, 3));
	add(0x2020, 0x20, PROGRAM(DW_CFA_nop));
	add(0x2050, 0x10, PROGRAM(DW_CFA_nop));
	compile(0);
	cr_expect(eq(u32, page.row_count, 5));
	cr_expect(eq(u32, page.rule_count, 2));
	cr_expect(is_none(0x2040) && rule_is(0x203f, leaf) && rule_is(0x2050, leaf));
}

/* What is in a page does not depend on where in a function it begins. */
Test(table, a_function_across_pages)
{
	static const uint8_t program[] = { DW_CFA_advance_loc2,
					   0,
					   0x10,
					   DW_CFA_def_cfa_offset,
					   16,
					   DW_CFA_advance_loc4,
					   0,
					   0xf0,
					   0,
					   0,
					   DW_CFA_def_cfa_offset,
					   24 };
	const struct unwind_rule second = { .cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8 };
	const struct unwind_rule third = { .cfa = UNWIND_SP, .cfa_off = 24, .ra_off = -8 };

	begin(EM_X86_64);
	add(0x2000, 0x1c000, program, sizeof(program));
	compile(0);
	cr_expect(rule_is(0x2fff, leaf) && rule_is(0x3000, second) && rule_is(0xffff, second));
	cr_assert(zero(int, compile_as_is(1)));
	cr_expect(eq(u32, page.row_count, 3));
	cr_expect(rule_is(0, second) && rule_is(0x1fff, second) && rule_is(0x2000, third));
	cr_expect(rule_is(0xdfff, third) && is_none(0xe000));
}

Test(table, pages_with_nothing_are_bare)
{
	begin(EM_X86_64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	tiny_elf_fde(&elf, cie, TINY_FRAMES, 0x10, PROGRAM(DW_CFA_nop));
	compile(1);
	cr_expect(zero(u32, page.row_count));
	/* Not executable, behind the end, far behind it. */
	cr_assert(zero(int, compile_as_is(2)));
	cr_expect(zero(u32, page.row_count));
	cr_assert(zero(int, compile_as_is(1000)));
	cr_expect(zero(u32, page.row_count));
	cr_assert(zero(int, compile_as_is(UINT32_MAX)));
	cr_expect(zero(u32, page.row_count));
}

/* A function may say that it reaches beyond its segment; another segment may follow in the file. */
Test(table, functions_end_with_their_segment)
{
	Elf64_Phdr second = tiny_load(TINY_CODE_OFFSET + TINY_CODE_BYTES, 0x900000, 0x100, PF_X);

	begin(EM_X86_64);
	add(0x1fff0, 0x1000, PROGRAM(DW_CFA_nop));
	tiny_elf_program_header(&elf, &second);
	compile(1);
	cr_expect(rule_is(0xfff0, leaf) && rule_is(0xffff, leaf));
	cr_assert(zero(int, compile_as_is(2)));
	cr_expect(zero(u32, page.row_count));

	begin(EM_X86_64);
	tiny_elf_fde(&elf, cie, AT(0x1fff0), 0x10, PROGRAM(DW_CFA_nop));
	tiny_elf_fde(&elf, cie, 0x8ffff0, 0x20, PROGRAM(DW_CFA_def_cfa_offset, 48));
	second.p_offset = 0xf000;
	tiny_elf_program_header(&elf, &second);
	/* Two segments have these bytes: the first one has them in the table. */
	compile(0);
	cr_expect(zero(u32, page.row_count));
	second.p_offset = 0x1000 - 0x100;
	memcpy(elf.bytes + sizeof(Elf64_Ehdr) + 2 * sizeof(second), &second, sizeof(second));
	cr_assert(zero(int, compile_as_is(0)));
	cr_expect(rule_is(0xf00,
			  (struct unwind_rule){ .cfa = UNWIND_SP, .cfa_off = 48, .ra_off = -8 }));
	cr_expect(is_none(0xeff) && is_none(0xf10));
}

/* As those do it who search .eh_frame_hdr: the last one that begins before counts. */
Test(table, where_functions_overlap)
{
	begin(EM_X86_64);
	add(0x2000, 0x100, PROGRAM(DW_CFA_advance_loc | 0x30, DW_CFA_def_cfa_offset, 16));
	add(0x2020, 0x20, PROGRAM(DW_CFA_def_cfa_offset, 24));
	add(0x2020, 0x10, PROGRAM(DW_CFA_def_cfa_offset, 32));
	compile(0);
	cr_expect(rule_is(0x201f, leaf));
	cr_expect(rule_is(0x202f,
			  (struct unwind_rule){ .cfa = UNWIND_SP, .cfa_off = 32, .ra_off = -8 }));
	cr_expect(is_none(0x2030) && is_none(0x2080));
}

Test(table, a_bad_program_is_beyond_from_there_on)
{
	begin(EM_X86_64);
	add(0x2000, 0x20, PROGRAM(DW_CFA_advance_loc | 4, 0x3f));
	add(0x2040, 0x20, PROGRAM(0x3f));
	compile(0);
	cr_expect(rule_is(0x2003, leaf) && rule_is(0x2004, beyond) && rule_is(0x201f, beyond));
	cr_expect(is_none(0x2020) && rule_is(0x2040, beyond) && is_none(0x2060));
}

Test(table, a_bad_cie_is_beyond)
{
	begin(EM_X86_64);
	cie = tiny_elf_cie(&elf, false, 16, PROGRAM(0x3f));
	add(0x2000, 0x20, PROGRAM(DW_CFA_def_cfa, 7, 8));
	compile(0);
	cr_expect(rule_is(0x2000, beyond) && is_none(0x2020));
}

Test(table, ways_to_the_cfa)
{
	struct unwind_rule rule = { .ra_off = -8, .cfa_off = 16 };

	rule.cfa = UNWIND_BX;
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa, 3, 16)), rule));
	rule.cfa = UNWIND_REG;
	rule.cfa_reg = 10;
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa, 10, 16)), rule));
	/* rip is none that the walker has, nor is there a 17th. */
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa, 16, 16)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa, 0xff, 0xff, 0xff, 0xff, 0x1f, 16)), beyond));
	rule = (struct unwind_rule){ .cfa = UNWIND_SP, .cfa_off = INT32_MAX, .ra_off = -8 };
	cr_expect(
		same(rule_of(PROGRAM(DW_CFA_def_cfa_offset, 0xff, 0xff, 0xff, 0xff, 0x07)), rule));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x08)),
		       beyond));
}

Test(table, cfa_through_memory)
{
	struct unwind_rule rule = { .cfa = UNWIND_FP_DEREF, .deref_off = -8, .ra_off = -8 };

	cr_expect(
		same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref)),
		     rule));
	rule = (struct unwind_rule){
		.cfa = UNWIND_SP_DEREF, .deref_off = 152, .cfa_off = 8, .ra_off = -8
	};
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0x98, 0x01,
				       DW_OP_deref, DW_OP_plus_uconst, 8)),
		       rule));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0x98, 0x01,
				       DW_OP_deref, DW_OP_lit8, DW_OP_plus)),
		       rule));
}

Test(table, cfa_by_other_expressions)
{
	/* Another register; two pointers; nothing; an offset of 32768; what follows is no sum. */
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 3, DW_OP_breg10, 0, DW_OP_deref)),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0, DW_OP_deref,
				       DW_OP_deref)),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 0)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 0x80, 0x80, 0x02,
				       DW_OP_deref)),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 0, DW_OP_deref,
				       DW_OP_lit8, DW_OP_minus)),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0, DW_OP_deref,
				       DW_OP_lit8)),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 7, DW_OP_breg7, 0, DW_OP_deref,
				       DW_OP_plus_uconst, 8, DW_OP_plus_uconst, 8)),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8)), beyond));
}

#define PLT(literal)                                                                            \
	DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and, \
		literal, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus

Test(table, plt)
{
	const struct unwind_rule lazy = { .cfa = UNWIND_PLT, .cfa_reg = 11, .ra_off = -8 };
	const struct unwind_rule ibt = { .cfa = UNWIND_PLT, .cfa_reg = 5, .ra_off = -8 };

	cr_expect(same(rule_of(PROGRAM(PLT(DW_OP_lit11))), lazy));
	cr_expect(same(rule_of(PROGRAM(PLT(DW_OP_lit5))), ibt));
	cr_expect(same(rule_of(PROGRAM(PLT(DW_OP_lit16))), beyond));
	cr_expect(same(rule_of(PROGRAM(PLT(DW_OP_dup))), beyond));
	/* One operation is another. */
	for (uint32_t i = 0; i < 11; i++) {
		uint8_t program[] = { PLT(DW_OP_lit11) };

		program[2 + i] = DW_OP_nop;
		cr_expect(same(rule_of(program, sizeof(program)), beyond), "operation %u", i);
	}
}

#define INDEXED(...) \
	DW_CFA_def_cfa_expression, sizeof((const uint8_t[]){ __VA_ARGS__ }), __VA_ARGS__

/* bn_mul_mont() of OpenSSL: the stack pointer of before is in a word that a register points to. */
Test(table, cfa_through_an_index)
{
	struct unwind_rule rule = {
		.cfa = UNWIND_SP_INDEXED, .cfa_reg = 9, .deref_off = 8, .cfa_off = 8, .ra_off = -8
	};
	uint8_t good[] = { INDEXED(DW_OP_breg7, 8, DW_OP_breg9, 0, DW_OP_lit8, DW_OP_mul,
				   DW_OP_plus, DW_OP_deref, DW_OP_plus_uconst, 8) };

	cr_expect(same(rule_of(good, sizeof(good)), rule));
	/* One operation, or the offset that has to be 0, is another. */
	for (uint32_t i = 0; i < sizeof(good) - 3; i++) {
		uint8_t program[sizeof(good)];

		if (i == 1)
			continue;
		memcpy(program, good, sizeof(good));
		program[2 + i] = i == 3 ? 1 : DW_OP_nop;
		cr_expect(same(rule_of(program, sizeof(program)), beyond), "byte %u", i);
	}
	rule.deref_off = -8;
	rule.cfa_off = 0;
	cr_expect(same(rule_of(PROGRAM(INDEXED(DW_OP_breg7, 0x78, DW_OP_breg9, 0, DW_OP_lit8,
					       DW_OP_mul, DW_OP_plus, DW_OP_deref))),
		       rule));
	/* rip is no index, and the word is no stack pointer. */
	cr_expect(same(rule_of(PROGRAM(INDEXED(DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit8,
					       DW_OP_mul, DW_OP_plus, DW_OP_deref))),
		       beyond));
	cr_expect(same(rule_of(PROGRAM(INDEXED(DW_OP_breg7, 8, DW_OP_breg9, 0, DW_OP_lit8,
					       DW_OP_mul, DW_OP_plus))),
		       beyond));
}

Test(table, return_addresses)
{
	struct unwind_rule rule = leaf;

	rule.ra = UNWIND_RA_REG;
	rule.ra_off = 0;
	rule.ra_reg = 5; /* __vfork: it popped it into rdi */
	cr_expect(same(rule_of(PROGRAM(DW_CFA_register, 16, 5)), rule));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_register, 16, 16)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_same_value, 16)), beyond),
		  "x86_64 has no such register");
	cr_expect(same(rule_of(PROGRAM(DW_CFA_undefined, 16)),
		       (struct unwind_rule){ .cfa = UNWIND_END }));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_expression, 16, 2, DW_OP_breg7, 0)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_val_offset, 16, 1)), beyond));
	rule = leaf;
	rule.ra_off = INT16_MIN;
	cr_expect(same(rule_of(PROGRAM(DW_CFA_offset | 16, 0x80, 0x20)), rule));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_offset | 16, 0x81, 0x20)), beyond));
}

Test(table, saved_registers)
{
	struct unwind_rule rule = leaf;

	cr_expect(same(rule_of(PROGRAM(DW_CFA_undefined, 6, DW_CFA_same_value, 3)), leaf));
	rule.fp_off = -24;
	rule.bx_off = INT16_MIN;
	cr_expect(
		same(rule_of(PROGRAM(DW_CFA_offset | 6, 3, DW_CFA_offset | 3, 0x80, 0x20)), rule));
	/* 0 is for a register that was not saved; so what is at CFA + 0 cannot be said. */
	cr_expect(same(rule_of(PROGRAM(DW_CFA_offset | 6, 0)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_offset | 3, 0x81, 0x20)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_register, 6, 12)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_expression, 3, 2, DW_OP_breg6, 0)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_val_offset, 6, 2)), beyond));
	/* All others are somebody else's. */
	cr_expect(same(rule_of(PROGRAM(DW_CFA_register, 12, 13, DW_CFA_offset | 15, 0)), leaf));
	/* The stack pointer is the CFA, or it is too much. */
	cr_expect(same(rule_of(PROGRAM(DW_CFA_val_offset, 7, 0)), leaf));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_val_offset, 7, 1)), beyond));
	cr_expect(same(rule_of(PROGRAM(DW_CFA_offset | 7, 2)), beyond));
}

Test(table, signal_frames)
{
	const struct unwind_rule signal_frame = { .cfa = UNWIND_SIGNAL };

	begin(EM_X86_64);
	cie = tiny_elf_cie(&elf, true, 16, PROGRAM(DW_CFA_nop));
	add(0x1fff, 10,
	    PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref,
		    DW_CFA_expression, 16, 3, DW_OP_breg7, 0xa8, 0x01));
	/* Says that it is one, but is none of the kernel's. */
	add(0x3000, 10, PROGRAM(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1));
	add(0x4000, 10,
	    PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa8, 0x01, DW_OP_deref,
		    DW_CFA_expression, 16, 3, DW_OP_breg7, 0xa8, 0x01));
	add(0x5000, 10,
	    PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref,
		    DW_CFA_expression, 16, 3, DW_OP_breg7, 0xb0, 0x01));
	add(0x6000, 10,
	    PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref));
	compile(0);
	cr_expect(rule_is(0x1fff, signal_frame) && rule_is(0x2008, signal_frame));
	for (uint32_t offset = 0x3000; offset <= 0x6000; offset += 0x1000)
		cr_expect(rule_is(offset, beyond), "at %#x", offset);

	begin(EM_AARCH64);
	cie = tiny_elf_cie(&elf, true, 30, PROGRAM(DW_CFA_def_cfa, 31, 0));
	add(0x2000, 8, PROGRAM(DW_CFA_offset | 29, 0, DW_CFA_offset | 30, 0x7f));
	compile(0);
	cr_expect(rule_is(0x2000, signal_frame));
}

Test(table, arm64)
{
	begin(EM_AARCH64);
	add(0x2000, 0x40,
	    PROGRAM(0x2d, DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 29, 4,
		    DW_CFA_offset | 30, 3, DW_CFA_offset | 19, 2, DW_CFA_advance_loc | 4,
		    DW_CFA_def_cfa_register, 29, DW_CFA_advance_loc | 4, DW_CFA_def_cfa, 3, 0,
		    DW_CFA_advance_loc | 4, DW_CFA_undefined, 30));
	compile(0);
	cr_expect(rule_is(0x2000, (struct unwind_rule){
					  .cfa = UNWIND_SP, .ra = UNWIND_RA_REG, .ra_reg = 30 }));
	cr_expect(rule_is(0x2004,
			  (struct unwind_rule){
				  .cfa = UNWIND_SP, .cfa_off = 32, .ra_off = -24, .fp_off = -32 }));
	cr_expect(rule_is(0x2008,
			  (struct unwind_rule){
				  .cfa = UNWIND_FP, .cfa_off = 32, .ra_off = -24, .fp_off = -32 }));
	cr_expect(rule_is(0x200c,
			  (struct unwind_rule){
				  .cfa = UNWIND_REG, .cfa_reg = 3, .ra_off = -24, .fp_off = -32 }));
	cr_expect(rule_is(0x2010, (struct unwind_rule){ .cfa = UNWIND_END }));
}

/* So many instructions that it would take long: the page is refused, the same each time. */
Test(table, too_many_steps)
{
	const uint32_t pairs = 4000;
	uint8_t program[300];

	memset(program, DW_CFA_nop, sizeof(program));
	begin(EM_X86_64);
	add(0x2000, 0x10, program, sizeof(program));
	tiny_elf_header(&elf);
	cr_assert(zero(int, compile_as_is(0)));
	/* The function is named again and again. */
	tiny_put32(&elf, TINY_HDR_AT + 8, pairs);
	tiny_put32(&elf,
		   (uint32_t)sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) +
			   offsetof(Elf64_Phdr, p_filesz),
		   12 + 8 * pairs);
	for (uint32_t i = 1; i < pairs; i++)
		memcpy(elf.bytes + TINY_HDR_AT + 12 + 8 * i, elf.bytes + TINY_HDR_AT + 12, 8);
	cr_expect(eq(int, compile_as_is(0), -E2BIG));
}

/* Pairs in any order give a table that is in order, and the same one each time. */
Test(table, pairs_out_of_order)
{
	static struct table_page first;
	uint64_t state = 1;

	for (uint32_t round = 0; round < 200; round++) {
		begin(EM_X86_64);
		for (uint32_t i = 0; i < 20; i++)
			add(0xff00 + random_below(&state, 0x200), 1 + random_below(&state, 0x80),
			    PROGRAM(DW_CFA_advance_loc | 3, DW_CFA_def_cfa_offset,
				    (uint8_t)(8 + i)));
		compile(0);
		for (uint32_t number = 0; number < 2; number++) {
			cr_assert(zero(int, compile_as_is(number)));
			first = page;
			cr_assert(zero(int, compile_as_is(number)));
			cr_assert(eq(u32, page.row_count, first.row_count));
			cr_assert(zero(int, memcmp(page.rows, first.rows,
						   page.row_count * sizeof(*page.rows))));
		}
	}
}

/* Sorted ones as well, and then each byte is as the last function before it says. */
Test(table, each_byte_has_its_function)
{
	uint64_t state = 2;

	for (uint32_t round = 0; round < 100; round++) {
		uint32_t at = 0x1000, starts[40], ends[40];

		begin(EM_X86_64);
		for (uint32_t i = 0; i < 40; i++) {
			starts[i] = at;
			ends[i] = at + 1 + random_below(&state, 12);
			add(at, ends[i] - at, PROGRAM(DW_CFA_def_cfa_offset, (uint8_t)(8 + i)));
			at += 1 + random_below(&state, 16);
		}
		compile(0);
		for (uint32_t offset = 0x1000, i = 0; offset < at + 16; offset++) {
			while (i < 39 && starts[i + 1] <= offset)
				i++;
			if (offset < ends[i])
				cr_assert(eq(i32, rule_at(offset).cfa_off, (int32_t)(8 + i)));
			else
				cr_assert(is_none(offset));
		}
	}
}

/* Where .eh_frame has nothing .debug_frame is asked; where both have something, .eh_frame. */
Test(table, more_tables)
{
	const struct unwind_rule one = { .cfa = UNWIND_SP, .cfa_off = 24, .ra_off = -8 };
	static struct tiny_elf other;
	struct elf_file file, other_file;
	struct cfi cfi, more;

	begin(EM_X86_64);
	cie = tiny_elf_cie(&elf, false, 16, PROGRAM(DW_CFA_def_cfa, 7, 24, DW_CFA_offset | 16, 1));
	add(0x1fff, 0x12, PROGRAM(DW_CFA_nop));
	add(0x2020, 0x20, PROGRAM(DW_CFA_nop));
	tiny_elf_header(&elf);
	other = elf;
	begin(EM_X86_64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	add(0x2030, 0x20, PROGRAM(DW_CFA_nop));
	tiny_elf_header(&elf);
	cr_assert(zero(int, elf_file_open_memory(&file, elf.bytes, sizeof(elf.bytes))));
	cr_assert(zero(int, elf_file_open_memory(&other_file, other.bytes, sizeof(other.bytes))));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_assert(zero(int, cfi_init(&more, &other_file)));
	cfi.more = &more;
	cr_assert(zero(int, table_compile(&cfi, 0, &page)));
	cr_expect(table_keeps_promises(&page));
	cr_expect(is_none(0x1ffe) && rule_is(0x1fff, one) && rule_is(0x2000, leaf));
	cr_expect(rule_is(0x200f, leaf) && rule_is(0x2010, one) && is_none(0x2011));
	cr_expect(is_none(0x201f) && rule_is(0x2020, one) && rule_is(0x202f, one));
	cr_expect(rule_is(0x2030, leaf) && rule_is(0x204f, leaf) && is_none(0x2050));
}
