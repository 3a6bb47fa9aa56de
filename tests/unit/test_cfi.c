// SPDX-License-Identifier: Apache-2.0
/*
 * test_cfi.c - call frame information, as it is and as nobody should make it.
 *
 * Whole files of compilers are held against libdw in tests/unwind; here are the instructions and
 * encodings one by one, and what must be refused.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "jail/cfi.h"
#include "tests/unwind/tiny_elf.h"

#define PROGRAM(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* What compilers begin with on x86_64: CFA = rsp + 8, return address at CFA - 8. */
#define X86_START DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1

static struct tiny_elf elf;
static struct elf_file file;
static struct cfi cfi;
static struct cfi_fde fde;
static struct cfi_program program;
static uint32_t budget;

static int open_tiny(void)
{
	return elf_file_open_memory(&file, elf.bytes, sizeof(elf.bytes));
}

/* One function of 0x40 bytes at the start of the code with this program; its FDE is read. */
static void start_with(uint16_t machine, uint8_t ra, const uint8_t *cie, uint32_t cie_size,
		       const uint8_t *code, uint32_t size)
{
	tiny_elf_init(&elf, machine);
	tiny_elf_fde(&elf, tiny_elf_cie(&elf, false, ra, cie, cie_size), TINY_CODE, 0x40, code,
		     size);
	tiny_elf_header(&elf);
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_assert(eq(u32, cfi.pair_count, 1));
	memset(&fde, 0, sizeof(fde));
	cr_assert(zero(int, cfi_read_fde(&cfi, 0, &fde)));
	budget = 1000;
}

/* The same, up to the first row of a function on x86_64. */
static int first_row(const uint8_t *code, uint32_t size)
{
	start_with(EM_X86_64, 16, PROGRAM(X86_START), code, size);
	cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
	return cfi_program_next(&program);
}

static bool place_is(const struct cfi_place *place, enum cfi_how how, int64_t value)
{
	return place->how == how && place->value == value;
}

static bool slot_is(enum cfi_slot slot, enum cfi_how how, int64_t value)
{
	return place_is(&program.row.slots[slot], how, value);
}

static bool cfa_is(uint32_t reg, int64_t value)
{
	return place_is(&program.row.cfa, CFI_REGISTER, value) && program.row.cfa.reg == reg;
}

static bool row_is(uint32_t start, uint32_t end)
{
	return program.start == TINY_CODE + start && program.end == TINY_CODE + end;
}

Test(cfi, rows_follow_the_advances)
{
	start_with(EM_X86_64, 16, PROGRAM(X86_START),
		   PROGRAM(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
			   DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc1,
			   0x10, DW_CFA_def_cfa, 7, 8, DW_CFA_restore | 6));
	cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(row_is(0, 1) && cfa_is(7, 8) && slot_is(CFI_RA, CFI_OFFSET, -8));
	cr_expect(slot_is(CFI_FP, CFI_UNSPECIFIED, 0));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(row_is(1, 4) && cfa_is(7, 16) && slot_is(CFI_FP, CFI_OFFSET, -16));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(row_is(4, 0x14) && cfa_is(6, 16));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(row_is(0x14, 0x40) && cfa_is(7, 8) && slot_is(CFI_FP, CFI_UNSPECIFIED, 0));
	cr_expect(zero(int, cfi_program_next(&program)));
	cr_expect(zero(int, cfi_program_next(&program)));
}

Test(cfi, each_advance)
{
	start_with(EM_X86_64, 16, PROGRAM(X86_START),
		   PROGRAM(DW_CFA_advance_loc | 0, DW_CFA_advance_loc1, 1, DW_CFA_advance_loc2, 2,
			   0, DW_CFA_advance_loc4, 3, 0, 0, 0, DW_CFA_MIPS_advance_loc8, 4, 0, 0, 0,
			   0, 0, 0, 0, DW_CFA_advance_loc | 0x3f));
	cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
	for (uint32_t i = 1, at = 0; i <= 4; at += i++) {
		cr_assert(eq(int, cfi_program_next(&program), 1));
		cr_expect(row_is(at, at + i));
	}
	/* The last one would go beyond the function. */
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(row_is(10, 0x40));
	cr_expect(zero(int, cfi_program_next(&program)));
}

/* The operand stands at program + 1 and is relative to itself. */
Test(cfi, set_loc)
{
	uint32_t operand = TINY_FRAMES;

	first_row(PROGRAM(DW_CFA_set_loc, 0, 0, 0, 0, DW_CFA_def_cfa_offset, 32));
	operand += (uint32_t)(fde.program.at - elf.bytes) - TINY_FRAMES_AT + 1;
	for (int32_t delta = 0x20; delta >= -1; delta -= 0x21) {
		tiny_put32(&elf, (uint32_t)(fde.program.at + 1 - elf.bytes),
			   TINY_CODE + (uint32_t)delta - operand);
		cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
		cr_assert(eq(int, cfi_program_next(&program), delta > 0 ? 1 : -EINVAL));
		if (delta > 0)
			cr_expect(row_is(0, 0x20) && cfa_is(7, 8));
	}
}

Test(cfi, each_rule)
{
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_offset_extended, 6, 2)), 1));
	cr_expect(slot_is(CFI_FP, CFI_OFFSET, -16));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_offset_extended_sf, 6, 0x7e)), 1));
	cr_expect(slot_is(CFI_FP, CFI_OFFSET, 16));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_GNU_negative_offset_extended, 3, 2)), 1));
	cr_expect(slot_is(CFI_BX, CFI_OFFSET, 16));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_val_offset, 7, 2)), 1));
	cr_expect(slot_is(CFI_SP, CFI_VAL_OFFSET, -16));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_val_offset_sf, 7, 0x7f)), 1));
	cr_expect(slot_is(CFI_SP, CFI_VAL_OFFSET, 8));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_register, 16, 5)), 1));
	cr_expect(slot_is(CFI_RA, CFI_REGISTER, 0) && program.row.slots[CFI_RA].reg == 5);
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_undefined, 16)), 1));
	cr_expect(slot_is(CFI_RA, CFI_UNDEFINED, 0));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_same_value, 16)), 1));
	cr_expect(slot_is(CFI_RA, CFI_SAME, 0));
	cr_assert(
		eq(int, first_row(PROGRAM(DW_CFA_undefined, 16, DW_CFA_restore_extended, 16)), 1));
	cr_expect(slot_is(CFI_RA, CFI_OFFSET, -8));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_expression, 6, 2, DW_OP_breg6, 0)), 1));
	cr_expect(slot_is(CFI_FP, CFI_EXPRESSION, 2));
	cr_expect(zero(int, memcmp(program.row.slots[CFI_FP].expression, "\x76", 2)));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_val_expression, 3, 1, DW_OP_lit0)), 1));
	cr_expect(slot_is(CFI_BX, CFI_VAL_EXPRESSION, 1));
	/* All other registers are read over. */
	cr_assert(eq(
		int,
		first_row(PROGRAM(DW_CFA_offset | 12, 3, DW_CFA_undefined, 14, DW_CFA_GNU_args_size,
				  0x80, 1, DW_CFA_nop, DW_CFA_offset | 6, 4)),
		1));
	cr_expect(slot_is(CFI_FP, CFI_OFFSET, -32));
}

Test(cfi, each_cfa)
{
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_def_cfa_sf, 10, 0x7e)), 1));
	cr_expect(cfa_is(10, 16));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_def_cfa_offset_sf, 0x7d)), 1));
	cr_expect(cfa_is(7, 24));
	cr_assert(eq(int, first_row(PROGRAM(DW_CFA_def_cfa_offset, 0x90, 0x02)), 1));
	cr_expect(cfa_is(7, 272));
	cr_assert(
		eq(int,
		   first_row(PROGRAM(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref)),
		   1));
	cr_expect(place_is(&program.row.cfa, CFI_VAL_EXPRESSION, 3));
	/* An expression has no register that could be changed. */
	cr_expect(eq(int,
		     first_row(PROGRAM(DW_CFA_def_cfa_expression, 1, DW_OP_lit0,
				       DW_CFA_def_cfa_offset, 8)),
		     -EINVAL));
	cr_expect(eq(int,
		     first_row(PROGRAM(DW_CFA_def_cfa_expression, 1, DW_OP_lit0,
				       DW_CFA_def_cfa_register, 6)),
		     -EINVAL));
}

Test(cfi, states_nest)
{
	uint8_t code[128];
	uint32_t n = 0;

	for (uint32_t i = 0; i < CFI_STATES; i++) {
		memcpy(code + n, (uint8_t[]){ DW_CFA_remember_state, DW_CFA_def_cfa_offset, 16 },
		       3);
		code[n + 2] = (uint8_t)(16 + i);
		n += 3;
	}
	memcpy(code + n, (uint8_t[]){ DW_CFA_restore_state, DW_CFA_restore_state }, 2);
	cr_assert(eq(int, first_row(code, n + 2), 1));
	cr_expect(cfa_is(7, 16 + CFI_STATES - 3), "the CFA is restored, too");
	code[n] = DW_CFA_remember_state;
	cr_expect(eq(int, first_row(code, n + 1), -EINVAL), "one too deep");
	cr_expect(eq(int, first_row(PROGRAM(DW_CFA_restore_state)), -EINVAL), "nothing was saved");
}

Test(cfi, arm64_signs_return_addresses)
{
	static const uint8_t negate[] = { 0x2d, DW_CFA_advance_loc | 4, 0x2c };

	start_with(EM_AARCH64, 30, PROGRAM(DW_CFA_def_cfa, 31, 0), negate, sizeof(negate));
	cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(row_is(0, 4) && cfa_is(31, 0));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(eq(int, first_row(negate, sizeof(negate)), -EINVAL), "not on x86_64");
}

Test(cfi, arm64_registers)
{
	start_with(EM_AARCH64, 30, PROGRAM(DW_CFA_def_cfa, 31, 0),
		   PROGRAM(DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 29, 4, DW_CFA_offset | 30, 3,
			   DW_CFA_offset | 3, 1, DW_CFA_offset | 6, 1));
	cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
	cr_assert(eq(int, cfi_program_next(&program), 1));
	cr_expect(slot_is(CFI_FP, CFI_OFFSET, -32) && slot_is(CFI_RA, CFI_OFFSET, -24));
	cr_expect(slot_is(CFI_BX, CFI_UNSPECIFIED, 0));
}

/* What was known before stays, and nothing is said of the rest. */
Test(cfi, bad_instructions)
{
	static const struct {
		uint8_t size;
		uint8_t code[12];
	} bad[] = {
		{ 1, { 0x3f } }, /* unknown */
		/* Cut short, by the end of the entry. */
		{ 1, { DW_CFA_advance_loc1 } },
		{ 2, { DW_CFA_advance_loc4, 1 } },
		{ 2, { DW_CFA_def_cfa, 0x80 } },
		{ 4, { DW_CFA_def_cfa_expression, 3, DW_OP_lit0, DW_OP_lit0 } },
		{ 5, { DW_CFA_expression, 6, 100, DW_OP_breg6, 0 } },
		{ 3, { DW_CFA_def_cfa_expression, 0xff, 0x7f } },
		/* 2^64 + 8, 2^63 - 8, and what wraps when it is multiplied. */
		{ 11, { DW_CFA_def_cfa_offset, 0x88, 128, 128, 128, 128, 128, 128, 128, 128, 2 } },
		{ 11,
		  { DW_CFA_def_cfa_offset_sf, 0x88, 128, 128, 128, 128, 128, 128, 128, 128, 2 } },
		{ 11, { DW_CFA_def_cfa_offset, 0xf8, 255, 255, 255, 255, 255, 255, 255, 255, 1 } },
		{ 10, { DW_CFA_offset | 6, 255, 255, 255, 255, 255, 255, 255, 255, 0x7f } },
		{ 9, { DW_CFA_MIPS_advance_loc8, 255, 255, 255, 255, 255, 255, 255, 255 } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint8_t code[16] = { DW_CFA_advance_loc | 5 };

		memcpy(code + 1, bad[i].code, bad[i].size);
		cr_assert(eq(int, first_row(code, 1u + bad[i].size), 1));
		cr_expect(row_is(0, 5));
		cr_expect(eq(int, cfi_program_next(&program), -EINVAL), "number %zu", i);
		cr_expect(eq(u64, program.end, TINY_CODE + 5));
	}
}

Test(cfi, programs_end)
{
	uint8_t code[256];

	memset(code, DW_CFA_advance_loc, sizeof(code)); /* by nothing */
	cr_assert(eq(int, first_row(code, sizeof(code)), 1));
	budget = 100;
	cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
	cr_expect(eq(int, cfi_program_next(&program), -E2BIG));
}

Test(cfi, a_cie_has_no_location)
{
	start_with(EM_X86_64, 16, PROGRAM(X86_START, DW_CFA_advance_loc | 1), PROGRAM(DW_CFA_nop));
	cr_expect(eq(int, cfi_program_init(&program, &cfi, &fde, &budget), -EINVAL));
}

/* A CIE body behind its id, and whether it can be used. */
struct cie_case {
	uint8_t body[24];
	uint32_t size;
	int result;
};

Test(cfi, augmentations_and_versions)
{
	static const struct cie_case cases[] = {
		{ "\1zPLR\0\1\x78\x10\7\x9b____\x1b\x1b", 18, 0 },     /* personality is skipped */
		{ "\1zPLR\0\1\x78\x10\x0b\0________\x1b\x1b", 22, 0 }, /* of 8 bytes */
		{ "\1zPLR\0\1\x78\x10\7\x50____\x1b\x1b", 18, -EINVAL }, /* aligned */
		{ "\1zRSBG\0\1\x78\x10\1\x1b", 12, 0 },
		{ "\1zRX\0\1\x78\x10\3\x1b__", 12, 0 },	    /* length is known */
		{ "\1zR\0\1\x78\x10\x7f\x1b", 9, -EINVAL }, /* but wrong */
		{ "\1zR\0\1\x78\x10\1\xff", 9, -EINVAL },   /* no pointers at all */
		{ "\1zR\0\1\x78\x10\1\x9b", 9, -EINVAL },   /* indirect */
		{ "\1SR\0\1\x78\x10\x1b", 8, -EINVAL },
		{ "\1eh\0________\1\x78\x10", 15, -EINVAL }, /* of old */
		{ "\1zRRRRRRRRRRRRRRRRR\0\1\x78", 22, -EINVAL },
		{ "\1zR", 3, -EINVAL },
		{ "\2zR\0\1\x78\x10\1\x1b", 9, -EINVAL },
		{ "\3zR\0\1\x78\x10\1\x1b", 9, 0 },
		{ "\4zR\0\x08\0\1\x78\x10\1\x1b", 11, 0 },
		{ "\4zR\0\x04\0\1\x78\x10\1\x1b", 11, -EINVAL },
		{ "\4zR\0\x08\1\1\x78\x10\1\x1b", 11, -EINVAL },
		{ "", 0, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t body[32] = { 0 };
		uint32_t cie;

		tiny_elf_init(&elf, EM_X86_64);
		memcpy(body + 4, cases[i].body, cases[i].size);
		cie = tiny_elf_entry(&elf, body, 4 + cases[i].size);
		tiny_elf_fde(&elf, cie, TINY_CODE, 0x40, PROGRAM(DW_CFA_nop));
		tiny_elf_header(&elf);
		cr_assert(zero(int, open_tiny()));
		cr_assert(zero(int, cfi_init(&cfi, &file)));
		memset(&fde, 0, sizeof(fde));
		cr_expect(eq(int, cfi_read_fde(&cfi, 0, &fde), cases[i].result), "number %zu", i);
		if (!cases[i].result)
			cr_expect(all(eq(u64, fde.start, TINY_CODE),
				      eq(u64, fde.end, TINY_CODE + 0x40), eq(u64, fde.cie.ra, 16)));
	}
}

static uint64_t read_encoded(uint8_t encoding, bool *bad)
{
	static const uint8_t number[] = { 0xf0, 0xff, 0xff, 0x7f, 0, 0, 0, 0x80 };
	struct bytes from;
	uint64_t value;

	memcpy(elf.bytes + TINY_FRAMES_AT + 0x10, number, sizeof(number));
	from = bytes_of(elf.bytes + TINY_FRAMES_AT + 0x10, sizeof(number));
	value = cfi_read_encoded(&cfi, &from, encoding);
	*bad = from.bad;
	return value;
}

Test(cfi, pointer_encodings)
{
	static const struct {
		uint8_t encoding;
		uint64_t value;
	} good[] = {
		{ DW_EH_PE_absptr, 0x800000007ffffff0 },
		{ DW_EH_PE_udata8, 0x800000007ffffff0 },
		{ DW_EH_PE_sdata8, 0x800000007ffffff0 },
		{ DW_EH_PE_udata2, 0xfff0 },
		{ DW_EH_PE_sdata2, 0xfffffffffffffff0 },
		{ DW_EH_PE_udata4, 0x7ffffff0 },
		{ DW_EH_PE_sdata4, 0x7ffffff0 },
		{ DW_EH_PE_uleb128, 0xffffff0 | 0x7full << 21 },
		{ DW_EH_PE_sleb128, 0xfffffffffffffff0 },
		{ DW_EH_PE_pcrel | DW_EH_PE_sdata2, TINY_FRAMES },
		{ DW_EH_PE_pcrel | DW_EH_PE_udata4, TINY_FRAMES + 0x10 + 0x7ffffff0 },
	};
	static const uint8_t bad_ones[] = { DW_EH_PE_omit,
					    DW_EH_PE_aligned,
					    DW_EH_PE_indirect | DW_EH_PE_pcrel | DW_EH_PE_sdata4,
					    DW_EH_PE_datarel | DW_EH_PE_sdata4,
					    DW_EH_PE_textrel,
					    DW_EH_PE_funcrel,
					    0x05,
					    0x0f };
	bool bad;

	first_row(PROGRAM(DW_CFA_nop));
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_expect(eq(u64, read_encoded(good[i].encoding, &bad), good[i].value),
			  "encoding %#x", good[i].encoding);
		cr_expect(not(bad));
	}
	for (size_t i = 0; i < sizeof(bad_ones); i++) {
		read_encoded(bad_ones[i], &bad);
		cr_expect(bad, "encoding %#x", bad_ones[i]);
	}
}

/* Three functions at 0x10, 0x30 and 0x50 of the code, of 0x10 bytes each, in some order. */
static void make_in_order(const uint32_t order[static 3])
{
	uint32_t cie;

	tiny_elf_init(&elf, EM_X86_64);
	cie = tiny_elf_cie(&elf, false, 16, PROGRAM(X86_START));
	for (uint32_t i = 0; i < 3; i++)
		tiny_elf_fde(&elf, cie, TINY_CODE + 0x10 + 0x20 * order[i], 0x10,
			     PROGRAM(DW_CFA_nop));
}

static void make_three(void)
{
	make_in_order((const uint32_t[]){ 0, 1, 2 });
}

static void expect_three(void)
{
	memset(&fde, 0, sizeof(fde));
	cr_assert(eq(u32, cfi.pair_count, 3));
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t start = TINY_CODE + 0x10 + 0x20 * i;

		cr_expect(eq(u64, cfi_pair_start(&cfi, i), start));
		cr_expect(eq(u32, cfi_find(&cfi, start), i));
		cr_expect(eq(u32, cfi_find(&cfi, start - 1), i ? i - 1 : 0));
		cr_expect(eq(u32, cfi_find(&cfi, start + 0x1f), i));
		cr_expect(zero(int, cfi_read_fde(&cfi, i, &fde)));
		cr_expect(all(eq(u64, fde.start, start), eq(u64, fde.end, start + 0x10)));
	}
	cr_expect(zero(u32, cfi_find(&cfi, 0)));
	cr_expect(eq(u32, cfi_find(&cfi, INT64_MAX), 2));
}

Test(cfi, finds_by_the_header)
{
	make_three();
	tiny_elf_header(&elf);
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_expect(zero(ptr, cfi.index));
	expect_three();
	cfi_release(&cfi);
}

Test(cfi, makes_an_index)
{
	make_in_order((const uint32_t[]){ 2, 0, 1 });
	tiny_elf_section(&elf, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, TINY_FRAMES_AT, TINY_FRAMES,
			 elf.frames_size);
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_expect(not(zero(ptr, cfi.index)));
	expect_three();
	cfi_release(&cfi);
	cfi_release(&cfi);
}

/* A header that cannot be used still says where .eh_frame is, which ends with a zero. */
Test(cfi, an_index_where_the_header_is_bad)
{
	static const uint8_t changes[][2] = {
		{ 2, DW_EH_PE_omit },			   /* no count */
		{ 3, DW_EH_PE_omit },			   /* no table */
		{ 3, DW_EH_PE_datarel | DW_EH_PE_sdata8 }, /* of another kind */
		{ 11, 0x80 },				   /* more than there is */
		{ 8, 0 },				   /* empty */
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		make_three();
		tiny_elf_header(&elf);
		elf.bytes[TINY_HDR_AT + changes[i][0]] = changes[i][1];
		cr_assert(zero(int, open_tiny()));
		cr_assert(zero(int, cfi_init(&cfi, &file)), "number %zu", i);
		cr_expect(not(zero(ptr, cfi.index)));
		expect_three();
		cfi_release(&cfi);
	}
}

Test(cfi, a_damaged_entry_costs_itself)
{
	make_three();
	elf.bytes[TINY_FRAMES_AT + elf.fde_offset[1] + 4] ^= 1; /* its CIE */
	tiny_elf_section(&elf, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, TINY_FRAMES_AT, TINY_FRAMES,
			 elf.frames_size);
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_expect(eq(u32, cfi.pair_count, 2));
	cfi_release(&cfi);
	/* One of unknown length ends what can be found. */
	elf.bytes[TINY_FRAMES_AT + elf.fde_offset[1] + 3] = 0x7f;
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_expect(eq(u32, cfi.pair_count, 1));
	cfi_release(&cfi);
}

Test(cfi, a_pair_that_lies_is_refused)
{
	make_three();
	tiny_elf_header(&elf);
	tiny_put32(&elf, TINY_HDR_AT + 12, TINY_CODE + 0x11 - TINY_HDR); /* begins elsewhere */
	tiny_put32(&elf, TINY_HDR_AT + 24, TINY_FRAMES - TINY_HDR);	 /* a CIE */
	tiny_put32(&elf, TINY_HDR_AT + 32, 0x7fffffff);			 /* outside */
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	memset(&fde, 0, sizeof(fde));
	for (uint32_t i = 0; i < 3; i++)
		cr_expect(eq(int, cfi_read_fde(&cfi, i, &fde), -EINVAL), "pair %u", i);
}

Test(cfi, an_empty_function_is_none)
{
	make_three();
	tiny_put32(&elf, TINY_FRAMES_AT + elf.fde_offset[1] + 12, 0);
	tiny_elf_header(&elf);
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	memset(&fde, 0, sizeof(fde));
	cr_expect(eq(int, cfi_read_fde(&cfi, 1, &fde), -EINVAL));
	cr_expect(zero(int, cfi_read_fde(&cfi, 2, &fde)));
}

/* 32- and 64-bit lengths, absolute addresses, CIEs by offset. */
Test(cfi, debug_frame)
{
	static const uint8_t cie[] = { 0xff, 0xff, 0xff, 0xff, 4, 0, 8, 0, 1, 0x78, 16, X86_START };
	static const uint8_t wide_cie[] = "\xff\xff\xff\xff\x13\0\0\0\0\0\0\0" /* length */
					  "\xff\xff\xff\xff\xff\xff\xff\xff"   /* it is one */
					  "\3S\0\1\x78\x10\x0c\7\x08\x90\1";
	static const uint8_t wide_length[] = "\xff\xff\xff\xff\x18\0\0\0\0\0\0\0";
	const uint32_t fde_body[] = { 0, TINY_CODE, 0, 0x20, 0 };
	uint64_t wide_body[] = { 0, TINY_CODE + 0x20, 0x20 };
	uint8_t *frames = elf.bytes + TINY_FRAMES_AT;
	uint32_t n;

	tiny_elf_init(&elf, EM_X86_64);
	tiny_elf_entry(&elf, cie, sizeof(cie));
	tiny_elf_entry(&elf, fde_body, sizeof(fde_body));
	wide_body[0] = n = elf.frames_size;
	memcpy(frames + n, wide_cie, sizeof(wide_cie) - 1);
	n += sizeof(wide_cie) - 1;
	memcpy(frames + n, wide_length, 12);
	memcpy(frames + n + 12, wide_body, sizeof(wide_body));
	tiny_elf_section(&elf, ".debug_frame", SHT_PROGBITS, 0, TINY_FRAMES_AT, 0, n + 36);
	cr_assert(zero(int, open_tiny()));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	cr_expect(cfi.debug_frame);
	cr_assert(eq(u32, cfi.pair_count, 2));
	memset(&fde, 0, sizeof(fde));
	budget = 100;
	for (uint32_t i = 0; i < 2; i++) {
		cr_assert(zero(int, cfi_read_fde(&cfi, i, &fde)), "entry %u", i);
		cr_expect(eq(u64, fde.start, TINY_CODE + 0x20 * i));
		cr_expect(eq(u64, fde.end, TINY_CODE + 0x20 * (i + 1)));
		cr_expect(eq(int, fde.cie.signal_frame, i == 1));
		cr_assert(zero(int, cfi_program_init(&program, &cfi, &fde, &budget)));
		cr_assert(eq(int, cfi_program_next(&program), 1));
		cr_expect(cfa_is(7, 8));
	}
	cfi_release(&cfi);
}

/* Start-up files alone, or tables of what the file has. */
Test(cfi, sparse)
{
	const uint32_t enough = 8 + TINY_CODE_BYTES / 4096;
	uint32_t cie;

	for (uint32_t count = enough - 1; count <= enough; count++) {
		tiny_elf_init(&elf, EM_X86_64);
		cie = tiny_elf_cie(&elf, false, 16, PROGRAM(X86_START));
		for (uint32_t i = 0; i < count; i++)
			tiny_elf_fde(&elf, cie, TINY_CODE + 0x10 * i, 0x10, PROGRAM(DW_CFA_nop));
		tiny_elf_header(&elf);
		cr_assert(zero(int, open_tiny()));
		cr_assert(zero(int, cfi_init(&cfi, &file)));
		cr_expect(eq(int, cfi_is_sparse(&cfi), count < enough));
	}
}

/* Go's own functions have none, and its frame pointers are whole. */
Test(cfi, not_of_go)
{
	make_three();
	tiny_elf_header(&elf);
	cr_assert(zero(int, open_tiny()));
	file.go = true;
	cr_expect(eq(int, cfi_init(&cfi, &file), -ENODATA));
}

Test(cfi, none_at_all)
{
	tiny_elf_init(&elf, EM_X86_64);
	cr_assert(zero(int, open_tiny()));
	cr_expect(eq(int, cfi_init(&cfi, &file), -ENODATA));
	cfi_release(&cfi);
	/* A section with nothing in it, or compressed, is none. */
	make_three();
	tiny_elf_section(&elf, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, TINY_FRAMES_AT + 0x8000,
			 TINY_FRAMES + 0x8000, 64);
	cr_assert(zero(int, open_tiny()));
	cr_expect(eq(int, cfi_init(&cfi, &file), -ENODATA));
	tiny_elf_section(&elf, ".eh_frame", SHT_PROGBITS, SHF_COMPRESSED, TINY_FRAMES_AT,
			 TINY_FRAMES, elf.frames_size);
	cr_assert(zero(int, open_tiny()));
	cr_expect(eq(int, cfi_init(&cfi, &file), -ENODATA));
}
