// SPDX-License-Identifier: Apache-2.0
/*
 * test_startcode.c - the rules of code that no call frame information covers.
 */
#include "jail/startcode.h"
#include "tests/unit/one_table.h"

static const struct unwind_rule leaf = { .cfa = UNWIND_SP, .cfa_off = 8, .ra_off = -8 };
static const struct unwind_rule frameless = { .cfa = UNWIND_SP, .ra = UNWIND_RA_REG, .ra_reg = 30 };
static const struct unwind_rule signal_frame = { .cfa = UNWIND_SIGNAL };

/* The beginning of a process has no caller, though nothing in the tables says so. */
Test(startcode, entry_point)
{
	static const uint16_t machines[] = { EM_X86_64, EM_AARCH64 };
	const struct unwind_rule end = { .cfa = UNWIND_END };

	for (uint32_t i = 0; i < 2; i++) {
		begin(machines[i]);
		((Elf64_Ehdr *)(void *)elf.bytes)->e_entry = AT(0x2010);
		add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
		add(0x2030, 0x10, PROGRAM(DW_CFA_nop));
		compile(0);
		cr_expect(rule_is(0x2010, end) && rule_is(0x202f, end) && !rule_is(0x2030, end));
		cr_expect(is_none(0x2040));
		/* As far as it may reach. */
		((Elf64_Ehdr *)(void *)elf.bytes)->e_entry = AT(0x3000);
		cr_assert(zero(int, compile_as_is(0)));
		cr_expect(is_none(0x2fff) && rule_is(0x3000, end));
		cr_expect(rule_is(0x303f, end) && is_none(0x3040));
		/* What the tables say counts. */
		((Elf64_Ehdr *)(void *)elf.bytes)->e_entry = AT(0x2000);
		cr_assert(zero(int, compile_as_is(0)));
		cr_expect(not(rule_is(0x2000, end)));
	}
}

/* _init() as the linker puts it together; what looks otherwise is not believed. */
Test(startcode, glued_code)
{
	static const uint8_t code[] = {
		0x48, 0x83, 0xec, 8, 0x90, 0x90, 0x48, 0x83, 0xc4, 8, 0xc3
	};
	const struct unwind_rule inside = { .cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8 };

	begin(EM_X86_64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	memcpy(elf.bytes + 0x3000, code, sizeof(code));
	tiny_elf_section(&elf, ".init", SHT_PROGBITS, SHF_ALLOC, 0x3000, AT(0x3000), sizeof(code));
	compile(0);
	cr_expect(is_none(0x2fff) && rule_is(0x3000, leaf) && rule_is(0x3003, leaf));
	cr_expect(rule_is(0x3004, inside) && rule_is(0x3009, inside));
	cr_expect(rule_is(0x300a, leaf) && is_none(0x300b));
	elf.bytes[0x3003] = 16;
	cr_assert(zero(int, compile_as_is(0)));
	cr_expect(is_none(0x3000) && is_none(0x300a));
	/* A function in the middle of it: then it is something else. */
	elf.bytes[0x3003] = 8;
	add(0x3008, 2, PROGRAM(DW_CFA_nop));
	compile(0);
	cr_expect(is_none(0x3000) && is_none(0x3004) && is_none(0x300a));
}

/*
 * Where arm64's signal handlers return to is known by its code, with the nop before it, and the
 * instruction behind, where a thread is in the system call.
 */
static const uint32_t sigreturn[] = { 0xd503201f, 0xd2801168, 0xd4000001, 0xd503201f };

Test(startcode, sigreturn)
{
	begin(EM_AARCH64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	memcpy(elf.bytes + 0x2ffc, sigreturn, sizeof(sigreturn));
	compile(0);
	cr_expect(is_none(0x2ffb) && rule_is(0x2ffc, signal_frame));
	cr_expect(rule_is(0x300b, signal_frame) && is_none(0x300c));
	/* Right behind a function: that one's last instruction is its own. */
	add(0x2ff0, 0x10, PROGRAM(DW_CFA_nop));
	compile(0);
	cr_expect(not(rule_is(0x2fff, signal_frame)));
	cr_expect(rule_is(0x3000, signal_frame) && is_none(0x300c));
	/* The same bytes mean nothing where they are no instructions, or another machine's. */
	memset(elf.bytes + 0x3000, 0, 8);
	memcpy(elf.bytes + 0x3002, sigreturn + 1, 8);
	cr_assert(zero(int, compile_as_is(0)));
	cr_expect(is_none(0x3002));
	begin(EM_X86_64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	memcpy(elf.bytes + 0x2ffc, sigreturn, sizeof(sigreturn));
	compile(0);
	cr_expect(is_none(0x3000));
}

/* arm64's linkage table touches nothing, but for its first entry, which saves x30. */
Test(startcode, linkage_table)
{
	static const uint32_t first[] = { 0xd503245f, 0xa9bf7bf0, 0x90000010 };
	const struct unwind_rule saved = { .cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8 };

	begin(EM_AARCH64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	add(0x3100, 0x10, PROGRAM(DW_CFA_nop));
	tiny_elf_section(&elf, ".plt", SHT_PROGBITS, SHF_ALLOC, 0x3000, AT(0x3000), 0x80);
	for (uint32_t bti = 0; bti < 2; bti++) {
		memcpy(elf.bytes + 0x3000, first + 1 - bti, 8);
		compile(0);
		cr_expect(is_none(0x2fff) && rule_is(0x3003 + 4 * bti, frameless));
		cr_expect(rule_is(0x3004 + 4 * bti, saved) && rule_is(0x301f, saved));
		cr_expect(rule_is(0x3020, frameless) && rule_is(0x307f, frameless));
		cr_expect(is_none(0x3080));
	}
	/* Without a first entry, as in static programs. */
	memcpy(elf.bytes + 0x3000, first + 2, 4);
	cr_assert(zero(int, compile_as_is(0)));
	cr_expect(rule_is(0x3000, frameless) && rule_is(0x307f, frameless) && is_none(0x3080));
	/* In two pages. */
	begin(EM_AARCH64);
	add(0x2000, 0x10, PROGRAM(DW_CFA_nop));
	tiny_elf_section(&elf, ".plt", SHT_PROGBITS, SHF_ALLOC, 0xffc0, AT(0xffc0), 0x80);
	memcpy(elf.bytes + 0xffc0, first + 1, 4);
	compile(0);
	cr_expect(rule_is(0xffdf, saved) && rule_is(0xffe0, frameless));
	cr_expect(rule_is(0xffff, frameless));
	cr_assert(zero(int, compile_as_is(1)));
	cr_expect(rule_is(0, frameless) && rule_is(0x3f, frameless) && is_none(0x40));
}

/* arm64's vDSO has a single segment and no tables; what comes before has no frames, or no rule. */
Test(startcode, vdso_without_tables)
{
	static const uint32_t frames[] = { 0xa9b87bfd, 0xd10083ff, 0xf81f0ffe };
	struct elf_file file;
	struct cfi cfi = { .file = &file, .debug_frame = true };

	begin(EM_AARCH64);
	((Elf64_Phdr *)(void *)(elf.bytes + sizeof(Elf64_Ehdr)))->p_type = PT_NULL;
	cr_assert(zero(int, elf_file_open_memory(&file, elf.bytes, sizeof(elf.bytes))));
	cr_expect(not(startcode_is_all(&file)));
	memcpy(elf.bytes + 0x2ffc, sigreturn, sizeof(sigreturn));
	cr_expect(startcode_is_all(&file));
	cr_assert(zero(int, table_compile(&cfi, 0, &page)));
	cr_expect(rule_is(0x2010, frameless) && rule_is(0x2ffb, frameless));
	cr_expect(rule_is(0x2ffc, signal_frame) && is_none(0x300c));
	for (uint32_t i = 0; i < 3; i++) {
		memcpy(elf.bytes + 0x2800, &frames[i], sizeof(frames[i]));
		cr_assert(zero(int, table_compile(&cfi, 0, &page)));
		cr_expect(is_none(0x2010) && is_none(0x2ffb) && rule_is(0x2ffc, signal_frame));
	}
}
