// SPDX-License-Identifier: Apache-2.0
/*
 * cfi_program.c - runs the programs of call frame information, one row after the other.
 *
 * Source: DWARF 5, section 6.4.2; the arm64 psABI for its own instruction. Time is bounded by the
 * caller's budget of instructions, memory by CFI_STATES.
 */
#include "jail/cfi.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>

/* The two high bits say which of three instructions it is, or that the low ones do. */
#define PRIMARY_MASK 0xc0
#define OPERAND_MASK 0x3f

/* Not in every dwarf.h. */
#define CFA_AARCH64_NEGATE_RA_STATE_WITH_PC 0x2c
#define CFA_AARCH64_NEGATE_RA_STATE	    0x2d

/* What execute() did. */
enum { ADVANCED = 1 };

/* The place in a row that a register has, or NULL if nobody asks. */
static struct cfi_place *slot(const struct cfi_program *program, struct cfi_row *row, uint64_t reg)
{
	bool arm64 = program->cfi->file->machine == EM_AARCH64;

	if (reg == program->fde->cie.ra)
		return &row->slots[CFI_RA];
	if (reg == (arm64 ? 29 : 6))
		return &row->slots[CFI_FP];
	if (reg == (arm64 ? 31 : 7))
		return &row->slots[CFI_SP];
	if (reg == 3 && !arm64)
		return &row->slots[CFI_BX];
	return NULL;
}

static void set(struct cfi_program *program, uint64_t reg, struct cfi_place place)
{
	struct cfi_place *to = slot(program, &program->row, reg);

	if (to)
		*to = place;
}

/* Registers beyond all that exist are equal. */
static uint32_t reg_number(uint64_t reg)
{
	return reg < UINT32_MAX ? (uint32_t)reg : UINT32_MAX;
}

/* An operand that is counted in data alignments. */
static int64_t scaled(struct cfi_program *program, int64_t value)
{
	int64_t product;

	if (__builtin_mul_overflow(value, program->fde->cie.data_align, &product)) {
		program->rest.bad = true;
		return 0;
	}
	return product;
}

static int64_t operand_unsigned(struct cfi_program *program)
{
	uint64_t value = bytes_uleb(&program->rest);

	if (value > INT64_MAX)
		program->rest.bad = true;
	return (int64_t)value;
}

static struct cfi_place operand_expression(struct cfi_program *program, enum cfi_how how)
{
	struct bytes expression = bytes_take(&program->rest, bytes_uleb(&program->rest));

	return (struct cfi_place){ .how = how,
				   .value = (int64_t)bytes_left(&expression),
				   .expression = expression.at };
}

static int advance(struct cfi_program *program, uint64_t delta)
{
	uint64_t to;

	if (program->rest.bad ||
	    __builtin_mul_overflow(delta, program->fde->cie.code_align, &delta) ||
	    __builtin_add_overflow(program->start, delta, &to))
		return -EINVAL;
	program->end = to;
	return delta ? ADVANCED : 0;
}

static int set_location(struct cfi_program *program)
{
	uint64_t to =
		cfi_read_encoded(program->cfi, &program->rest, program->fde->cie.fde_encoding);

	if (program->rest.bad || to < program->start)
		return -EINVAL;
	program->end = to;
	return to > program->start ? ADVANCED : 0;
}

static int restore(struct cfi_program *program, uint64_t reg)
{
	const struct cfi_place *from = slot(program, &program->initial, reg);

	if (from)
		set(program, reg, *from);
	return 0;
}

static int remember_state(struct cfi_program *program)
{
	if (program->depth == CFI_STATES)
		return -EINVAL;
	program->saved[program->depth++] = program->row;
	return 0;
}

static int restore_state(struct cfi_program *program)
{
	if (!program->depth)
		return -EINVAL;
	program->row = program->saved[--program->depth];
	return 0;
}

/* The instructions that set the CFA. */
static int execute_cfa(struct cfi_program *program, uint8_t opcode)
{
	struct cfi_place *cfa = &program->row.cfa;
	struct bytes *rest = &program->rest;

	switch (opcode) {
	case DW_CFA_def_cfa:
		*cfa = (struct cfi_place){ .how = CFI_REGISTER,
					   .reg = reg_number(bytes_uleb(rest)) };
		cfa->value = operand_unsigned(program);
		return 0;
	case DW_CFA_def_cfa_sf:
		*cfa = (struct cfi_place){ .how = CFI_REGISTER,
					   .reg = reg_number(bytes_uleb(rest)) };
		cfa->value = scaled(program, bytes_sleb(rest));
		return 0;
	case DW_CFA_def_cfa_expression:
		*cfa = operand_expression(program, CFI_VAL_EXPRESSION);
		return 0;
	default:
		break;
	}
	/* These change one half of a rule that has to be there. */
	if (cfa->how != CFI_REGISTER)
		return -EINVAL;
	switch (opcode) {
	case DW_CFA_def_cfa_register:
		cfa->reg = reg_number(bytes_uleb(rest));
		return 0;
	case DW_CFA_def_cfa_offset:
		cfa->value = operand_unsigned(program);
		return 0;
	case DW_CFA_def_cfa_offset_sf:
		cfa->value = scaled(program, bytes_sleb(rest));
		return 0;
	default:
		return -EINVAL;
	}
}

/* The instructions that begin with a register and say where its value is. */
static int execute_register(struct cfi_program *program, uint8_t opcode)
{
	struct bytes *rest = &program->rest;
	uint64_t reg = bytes_uleb(rest);
	struct cfi_place place = { .how = CFI_OFFSET };

	switch (opcode) {
	case DW_CFA_offset_extended:
		place.value = scaled(program, operand_unsigned(program));
		break;
	case DW_CFA_offset_extended_sf:
		place.value = scaled(program, bytes_sleb(rest));
		break;
	case DW_CFA_GNU_negative_offset_extended:
		place.value = scaled(program, -operand_unsigned(program));
		break;
	case DW_CFA_val_offset:
		place.how = CFI_VAL_OFFSET;
		place.value = scaled(program, operand_unsigned(program));
		break;
	case DW_CFA_val_offset_sf:
		place.how = CFI_VAL_OFFSET;
		place.value = scaled(program, bytes_sleb(rest));
		break;
	case DW_CFA_register:
		place.how = CFI_REGISTER;
		place.reg = reg_number(bytes_uleb(rest));
		break;
	case DW_CFA_undefined:
		place.how = CFI_UNDEFINED;
		break;
	case DW_CFA_same_value:
		place.how = CFI_SAME;
		break;
	case DW_CFA_expression:
		place = operand_expression(program, CFI_EXPRESSION);
		break;
	case DW_CFA_val_expression:
		place = operand_expression(program, CFI_VAL_EXPRESSION);
		break;
	case DW_CFA_restore_extended:
		return restore(program, reg);
	default:
		return -EINVAL;
	}
	set(program, reg, place);
	return 0;
}

/* The instructions without operand bits of their own. */
static int execute_extended(struct cfi_program *program, uint8_t opcode)
{
	struct bytes *rest = &program->rest;

	switch (opcode) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_set_loc:
		return set_location(program);
	case DW_CFA_advance_loc1:
		return advance(program, bytes_u8(rest));
	case DW_CFA_advance_loc2:
		return advance(program, bytes_u16(rest));
	case DW_CFA_advance_loc4:
		return advance(program, bytes_u32(rest));
	case DW_CFA_MIPS_advance_loc8:
		return advance(program, bytes_u64(rest));
	case DW_CFA_remember_state:
		return remember_state(program);
	case DW_CFA_restore_state:
		return restore_state(program);
	case DW_CFA_GNU_args_size: /* for those who run exception handlers */
		bytes_uleb(rest);
		return 0;
	case CFA_AARCH64_NEGATE_RA_STATE: /* walkers mask the signature, be it there or not */
	case CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
		return program->cfi->file->machine == EM_AARCH64 ? 0 : -EINVAL;
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_def_cfa_expression:
		return execute_cfa(program, opcode);
	default:
		return execute_register(program, opcode);
	}
}

/* One instruction. Return: ADVANCED with the new location in program->end, 0, -EINVAL. */
static int execute(struct cfi_program *program)
{
	uint8_t opcode = bytes_u8(&program->rest);
	uint8_t operand = opcode & OPERAND_MASK;
	int64_t offset;
	int ret;

	switch (opcode & PRIMARY_MASK) {
	case DW_CFA_advance_loc:
		ret = advance(program, operand);
		break;
	case DW_CFA_offset:
		offset = scaled(program, operand_unsigned(program));
		set(program, operand, (struct cfi_place){ .how = CFI_OFFSET, .value = offset });
		ret = 0;
		break;
	case DW_CFA_restore:
		ret = restore(program, operand);
		break;
	default:
		ret = execute_extended(program, opcode);
		break;
	}
	return program->rest.bad ? -EINVAL : ret;
}

/* Runs up to the next advance or the end. Return: ADVANCED, 0 at the end, -EINVAL, -E2BIG. */
static int run(struct cfi_program *program)
{
	while (bytes_left(&program->rest)) {
		int ret;

		if (!*program->budget)
			return -E2BIG;
		--*program->budget;
		ret = execute(program);
		if (ret)
			return ret;
	}
	return 0;
}

int cfi_program_init(struct cfi_program *program, const struct cfi *cfi, const struct cfi_fde *fde,
		     uint32_t *budget)
{
	static const struct cfi_row nothing;
	int ret;

	program->cfi = cfi;
	program->fde = fde;
	program->budget = budget;
	program->depth = 0;
	program->row = program->initial = nothing;
	program->start = program->end = fde->start;
	program->rest = fde->cie.program;
	ret = run(program);
	if (ret) {
		program->end = fde->start;
		return ret < 0 ? ret : -EINVAL; /* a CIE stands at no location */
	}
	program->initial = program->row;
	program->rest = fde->program;
	return 0;
}

int cfi_program_next(struct cfi_program *program)
{
	int ret;

	program->start = program->end;
	if (program->start >= program->fde->end)
		return 0;
	ret = run(program);
	if (ret < 0) {
		program->end = program->start;
		return ret;
	}
	if (ret == 0 || program->end > program->fde->end)
		program->end = program->fde->end;
	return 1;
}
