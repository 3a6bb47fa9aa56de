// SPDX-License-Identifier: Apache-2.0
/*
 * startcode.c - what is known of a program's beginning and end where no call frame information is.
 */
#include "jail/startcode.h"

#include <dwarf.h>
#include <elf.h>
#include <string.h>

/* What _init() and _fini() of x86_64 begin and end with. */
static const uint8_t glued_begin[] = { 0x48, 0x83, 0xec, 0x08 };
static const uint8_t glued_end[] = { 0x48, 0x83, 0xc4, 0x08, 0xc3 };

static void tell_entry(const struct elf_file *file, uint64_t to, struct startcode *ret)
{
	static const uint8_t x86[] = { DW_CFA_def_cfa, 7, 8, DW_CFA_undefined, 16 };
	static const uint8_t arm64[] = { DW_CFA_def_cfa, 31, 0, DW_CFA_undefined, 30 };
	uint64_t size = to - file->entry;

	if (size > STARTCODE_ENTRY_BYTES)
		size = STARTCODE_ENTRY_BYTES;
	ret->fde = (struct cfi_fde){ .cie = { .code_align = 1, .data_align = -8, .ra = 16 },
				     .start = file->entry,
				     .end = file->entry + size };
	ret->fde.cie.program = bytes_of(x86, sizeof(x86));
	if (file->machine == EM_AARCH64) {
		ret->fde.cie.ra = 30;
		ret->fde.cie.program = bytes_of(arm64, sizeof(arm64));
	}
	ret->outermost = true;
}

/* False if it does not look as expected, or is not wholly in the gap. */
static bool tell_glued(const struct elf_file *file, const struct elf_part *part, uint64_t to,
		       struct startcode *ret)
{
	static const uint8_t outside[] = { DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1 };
	const uint8_t *code = file->data + part->offset;
	uint32_t inside_bytes = (uint32_t)part->size - sizeof(glued_begin) - 1;
	uint8_t *p = ret->program;

	if (file->machine != EM_X86_64 || part->size > UINT32_MAX ||
	    part->size < sizeof(glued_begin) + sizeof(glued_end) ||
	    part->size > to - part->address ||
	    memcmp(code, glued_begin, sizeof(glued_begin)) != 0 ||
	    memcmp(code + part->size - sizeof(glued_end), glued_end, sizeof(glued_end)) != 0)
		return false;
	*p++ = DW_CFA_advance_loc | sizeof(glued_begin);
	*p++ = DW_CFA_def_cfa_offset;
	*p++ = 16;
	*p++ = DW_CFA_advance_loc4;
	memcpy(p, &inside_bytes, sizeof(inside_bytes));
	p += sizeof(inside_bytes);
	*p++ = DW_CFA_def_cfa_offset;
	*p++ = 8;
	ret->fde = (struct cfi_fde){ .cie = { .code_align = 1, .data_align = -8, .ra = 16 },
				     .start = part->address,
				     .end = part->address + part->size };
	ret->fde.cie.program = bytes_of(outside, sizeof(outside));
	ret->fde.program = bytes_of(ret->program, (size_t)(p - ret->program));
	ret->outermost = false;
	return true;
}

bool startcode_next(const struct elf_file *file, uint64_t from, uint64_t to, struct startcode *ret)
{
	const struct elf_part entry = { .address = file->entry };
	const struct elf_part *known[] = { &file->init, &entry, &file->fini };

	/* By address; usually that is their order. */
	for (int i = 0; i < 3; i++) {
		const struct elf_part *part = known[i];

		if (!part->address || part->address < from || part->address >= to)
			continue;
		if (part == &entry)
			tell_entry(file, to, ret);
		else if (!tell_glued(file, part, to, ret))
			continue;
		return true;
	}
	return false;
}

/* Narrows a gap around an address to what functions of @cfi leave of it. */
static void narrow(const struct cfi *cfi, uint64_t address, uint64_t *from, uint64_t *to)
{
	for (uint32_t i = cfi_find(cfi, address); i < cfi->pair_count; i++) {
		uint64_t start = cfi_pair_start(cfi, i);

		if (start > address) {
			*to = start < *to ? start : *to;
			return;
		}
		*from = start >= *from ? start + 1 : *from;
	}
}

bool startcode_at(const struct cfi *cfi, uint64_t address, struct startcode *ret)
{
	uint64_t from = 0, to = UINT64_MAX;

	narrow(cfi, address, &from, &to);
	if (cfi->more)
		narrow(cfi->more, address, &from, &to);
	while (startcode_next(cfi->file, from, to, ret)) {
		if (address >= ret->fde.start && address < ret->fde.end)
			return true;
		from = ret->fde.end;
	}
	return false;
}
