/* SPDX-License-Identifier: Apache-2.0 */
/*
 * one_table.h - a file made by hand, a page of its table, and what the page says.
 */
#ifndef PROFILER_ONE_TABLE_H
#define PROFILER_ONE_TABLE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dwarf.h>
#include <string.h>

#include "jail/table.h"
#include "tests/unwind/table_promises.h"
#include "tests/unwind/tiny_elf.h"

#define PROGRAM(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define X86_START    DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1

/* An offset in .eh_frame's first page of code, for which there is a function at address. */
#define AT(offset) (TINY_CODE + (offset)-TINY_CODE_OFFSET)

static struct tiny_elf elf;
static struct table_page page;
static uint32_t cie;

static inline void begin(uint16_t machine)
{
	tiny_elf_init(&elf, machine);
	if (machine == EM_AARCH64)
		cie = tiny_elf_cie(&elf, false, 30, PROGRAM(DW_CFA_def_cfa, 31, 0));
	else
		cie = tiny_elf_cie(&elf, false, 16, PROGRAM(X86_START));
}

/* A function at this offset of the file. */
static inline void add(uint32_t offset, uint32_t bytes, const uint8_t *program, uint32_t size)
{
	tiny_elf_fde(&elf, cie, AT(offset), bytes, program, size);
}

/* Compiles without asking for a header or an order of functions. */
static inline int compile_as_is(uint32_t number)
{
	struct elf_file file;
	struct cfi cfi;
	int err;

	cr_assert(zero(int, elf_file_open_memory(&file, elf.bytes, sizeof(elf.bytes))));
	cr_assert(zero(int, cfi_init(&cfi, &file)));
	memset(&page, 0x55, sizeof(page));
	err = table_compile(&cfi, number, &page);
	if (!err)
		cr_assert(table_keeps_promises(&page));
	cfi_release(&cfi);
	return err;
}

static inline void compile(uint32_t number)
{
	tiny_elf_header(&elf);
	cr_assert(zero(int, compile_as_is(number)));
}

/* The rule at an offset in the page. */
static inline struct unwind_rule rule_at(uint32_t offset)
{
	uint32_t i = page.row_count;

	cr_assert(page.row_count > 0);
	while (page.rows[i - 1].offset > offset)
		i--;
	return page.rules[page.rows[i - 1].rule];
}

static inline bool rule_is(uint32_t offset, struct unwind_rule wanted)
{
	struct unwind_rule rule = rule_at(offset);

	return memcmp(&rule, &wanted, sizeof(rule)) == 0;
}

static inline bool is_none(uint32_t offset)
{
	return rule_is(offset, (struct unwind_rule){ .cfa = UNWIND_NONE });
}

#endif /* PROFILER_ONE_TABLE_H */
