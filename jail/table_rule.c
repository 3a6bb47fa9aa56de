// SPDX-License-Identifier: Apache-2.0
/*
 * table_rule.c - what a row of call frame information is to the walker.
 *
 * No rule is better than a wrong one: what is not understood in full is UNWIND_BEYOND. Registers
 * that the walker does not follow are not looked at.
 */
#include "jail/table.h"

#include <dwarf.h>
#include <elf.h>
#include <string.h>

/* DWARF numbers of registers, from the psABIs. */
enum {
	X86_RBX = 3,
	X86_RBP = 6,
	X86_RSP = 7,
	X86_REGS = 16,
	ARM64_X29 = 29,
	ARM64_SP = 31,
	ARM64_REGS = 31, /* but SP */
};

static bool fits_16(int64_t value)
{
	return value >= INT16_MIN && value <= INT16_MAX;
}

static bool fits_32(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

/* CFA = register + offset. */
static bool rule_register(uint16_t machine, uint64_t reg, int64_t offset, struct unwind_rule *rule)
{
	bool arm64 = machine == EM_AARCH64;

	if (!fits_32(offset))
		return false;
	if (reg == (arm64 ? ARM64_SP : X86_RSP)) {
		rule->cfa = UNWIND_SP;
	} else if (reg == (arm64 ? ARM64_X29 : X86_RBP)) {
		rule->cfa = UNWIND_FP;
	} else if (reg == X86_RBX && !arm64) {
		rule->cfa = UNWIND_BX;
	} else if (reg < (arm64 ? ARM64_REGS : X86_REGS)) {
		rule->cfa = UNWIND_REG;
		rule->cfa_reg = (uint8_t)reg;
	} else {
		return false;
	}
	rule->cfa_off = (int32_t)offset;
	return true;
}

/* breg7 8; breg16 0; lit15; and; lit N; ge; lit3; shl; plus: the linker's, for lazy PLT entries */
static bool rule_plt(struct bytes expression, struct unwind_rule *rule)
{
	static const uint8_t plt[] = { DW_OP_breg7, 8,	       DW_OP_breg16, 0,
				       DW_OP_lit15, DW_OP_and, DW_OP_lit0,   DW_OP_ge,
				       DW_OP_lit3,  DW_OP_shl, DW_OP_plus };
	const size_t literal_at = 6;
	uint8_t copy[sizeof(plt)], literal;

	if (bytes_left(&expression) != sizeof(copy))
		return false;
	memcpy(copy, expression.at, sizeof(copy));
	literal = copy[literal_at];
	copy[literal_at] = DW_OP_lit0;
	if (memcmp(copy, plt, sizeof(plt)) != 0 || literal < DW_OP_lit0 || literal > DW_OP_lit15)
		return false;
	rule->cfa = UNWIND_PLT;
	rule->cfa_reg = literal - DW_OP_lit0;
	return true;
}

/* What is added to the number on the stack: nothing, or `plus_uconst N`, or `litN; plus`. */
static bool read_addend(struct bytes *b, int64_t *ret)
{
	uint8_t op;

	*ret = 0;
	if (!bytes_left(b))
		return true;
	op = bytes_u8(b);
	if (op == DW_OP_plus_uconst) {
		*ret = (int64_t)bytes_uleb(b);
	} else if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
		*ret = op - DW_OP_lit0;
		if (bytes_u8(b) != DW_OP_plus)
			return false;
	} else {
		return false;
	}
	return !b->bad && !bytes_left(b);
}

/* CFA = *(register + offset) + addend: after a prologue that aligns the stack. */
static bool rule_deref(uint16_t machine, struct bytes b, struct unwind_rule *rule)
{
	uint8_t op = bytes_u8(&b);
	int64_t deref_off = bytes_sleb(&b);
	int64_t addend;

	if (op < DW_OP_breg0 || op > DW_OP_breg31 || !fits_16(deref_off) ||
	    bytes_u8(&b) != DW_OP_deref || b.bad || !read_addend(&b, &addend) ||
	    !rule_register(machine, op - DW_OP_breg0, addend, rule))
		return false;
	rule->deref_off = (int16_t)deref_off;
	switch (rule->cfa) {
	case UNWIND_SP:
		rule->cfa = UNWIND_SP_DEREF;
		return true;
	case UNWIND_FP:
		rule->cfa = UNWIND_FP_DEREF;
		return true;
	default:
		return false;
	}
}

/* breg7 N; bregR 0; lit8; mul; plus; deref; addend: bn_mul_mont() of OpenSSL keeps SP there */
static bool rule_indexed(struct bytes b, struct unwind_rule *rule)
{
	uint8_t op = bytes_u8(&b);
	int64_t offset = bytes_sleb(&b), addend;
	uint8_t index = bytes_u8(&b);

	if (op != DW_OP_breg7 || index < DW_OP_breg0 || index - DW_OP_breg0 >= X86_REGS ||
	    bytes_sleb(&b) || bytes_u8(&b) != DW_OP_lit8 || bytes_u8(&b) != DW_OP_mul ||
	    bytes_u8(&b) != DW_OP_plus || bytes_u8(&b) != DW_OP_deref || b.bad ||
	    !read_addend(&b, &addend) || !fits_16(offset) || !fits_32(addend))
		return false;
	rule->cfa = UNWIND_SP_INDEXED;
	rule->cfa_reg = index - DW_OP_breg0;
	rule->deref_off = (int16_t)offset;
	rule->cfa_off = (int32_t)addend;
	return true;
}

static bool rule_cfa(uint16_t machine, const struct cfi_place *cfa, struct unwind_rule *rule)
{
	struct bytes expression;

	switch (cfa->how) {
	case CFI_REGISTER:
		return rule_register(machine, cfa->reg, cfa->value, rule);
	case CFI_VAL_EXPRESSION:
		expression = bytes_of(cfa->expression, (size_t)cfa->value);
		if (machine == EM_X86_64 &&
		    (rule_plt(expression, rule) || rule_indexed(expression, rule)))
			return true;
		return rule_deref(machine, expression, rule);
	default:
		return false;
	}
}

static bool rule_ra(uint16_t machine, uint64_t column, const struct cfi_place *ra,
		    struct unwind_rule *rule)
{
	bool arm64 = machine == EM_AARCH64;
	uint64_t reg = column;

	switch (ra->how) {
	case CFI_OFFSET:
		rule->ra = UNWIND_RA_MEMORY;
		rule->ra_off = (int16_t)ra->value;
		return fits_16(ra->value);
	case CFI_REGISTER:
		reg = ra->reg;
		break;
	case CFI_UNSPECIFIED:
	case CFI_SAME: /* still where the call put it; x86_64 has no such register */
		break;
	default:
		return false;
	}
	rule->ra = UNWIND_RA_REG;
	rule->ra_reg = (uint8_t)reg;
	return reg < (arm64 ? ARM64_REGS : X86_REGS);
}

/* A register that the walker carries along: where it is saved, 0 where it still has its value. */
static bool rule_saved(const struct cfi_place *place, int16_t *ret)
{
	*ret = 0;
	switch (place->how) {
	case CFI_UNSPECIFIED:
	case CFI_UNDEFINED:
	case CFI_SAME:
		return true;
	case CFI_OFFSET:
		*ret = (int16_t)place->value;
		return place->value && fits_16(place->value);
	default:
		return false;
	}
}

/* Whether the caller's stack pointer is the CFA, as it is unless something else is said. */
static bool sp_is_cfa(const struct cfi_place *sp)
{
	return sp->how == CFI_UNSPECIFIED || (sp->how == CFI_VAL_OFFSET && !sp->value);
}

static bool expression_is(const struct cfi_place *place, enum cfi_how how, const uint8_t *wanted,
			  size_t size)
{
	return place->how == how && (size_t)place->value == size &&
	       memcmp(place->expression, wanted, size) == 0;
}

/*
 * Only the kernel's frames are known, which on x86_64 have rsp and rip 160 and 168 bytes behind
 * SP at sigreturn; others may say that they are like a signal's, too.
 */
static bool is_signal(uint16_t machine, const struct cfi_row *row)
{
	static const uint8_t sp[] = { DW_OP_breg7, 0xa0, 0x01, DW_OP_deref };
	static const uint8_t pc[] = { DW_OP_breg7, 0xa8, 0x01 };

	if (machine == EM_AARCH64)
		return true;
	return expression_is(&row->cfa, CFI_VAL_EXPRESSION, sp, sizeof(sp)) &&
	       expression_is(&row->slots[CFI_RA], CFI_EXPRESSION, pc, sizeof(pc));
}

/* The address FP + offset, as an expression; x86_64 only. */
static bool is_at_fp(const struct cfi_place *place, int64_t *ret)
{
	struct bytes b;

	if (place->how != CFI_EXPRESSION)
		return false;
	b = bytes_of(place->expression, (size_t)place->value);
	if (bytes_u8(&b) != DW_OP_breg6)
		return false;
	*ret = bytes_sleb(&b);
	return !b.bad && !bytes_left(&b);
}

/*
 * Where the registers that the walker carries along are saved. After a prologue that aligns the
 * stack that is told by the frame pointer: the CFA cannot be computed from it.
 */
static bool rule_carried(const struct cfi_row *row, struct unwind_rule *rule)
{
	const struct cfi_place *fp = &row->slots[CFI_FP], *bx = &row->slots[CFI_BX];
	int64_t offset;

	if (rule->cfa != UNWIND_FP_DEREF || !is_at_fp(fp, &offset))
		return rule_saved(fp, &rule->fp_off) && rule_saved(bx, &rule->bx_off);
	if (offset)
		return false;
	rule->cfa = UNWIND_FP_ALIGNED;
	if (!is_at_fp(bx, &offset))
		return bx->how == CFI_UNSPECIFIED || bx->how == CFI_SAME;
	rule->bx_off = (int16_t)offset;
	return offset && fits_16(offset);
}

void table_rule(uint16_t machine, const struct cfi_fde *fde, const struct cfi_row *row,
		struct unwind_rule *ret)
{
	static const struct unwind_rule end = { .cfa = UNWIND_END };
	static const struct unwind_rule beyond = { .cfa = UNWIND_BEYOND };
	static const struct unwind_rule signal_frame = { .cfa = UNWIND_SIGNAL };
	struct unwind_rule rule = { 0 };

	if (row->slots[CFI_RA].how == CFI_UNDEFINED)
		*ret = end;
	else if (fde->cie.signal_frame)
		*ret = is_signal(machine, row) ? signal_frame : beyond;
	else if (rule_cfa(machine, &row->cfa, &rule) && sp_is_cfa(&row->slots[CFI_SP]) &&
		 rule_ra(machine, fde->cie.ra, &row->slots[CFI_RA], &rule) &&
		 rule_carried(row, &rule))
		*ret = rule;
	else
		*ret = beyond;
}
