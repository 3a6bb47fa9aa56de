// SPDX-License-Identifier: Apache-2.0
/*
 * startcode.c - what is known of code that has no call frame information, see startcode.h.
 */
#include "jail/startcode.h"

#include <dwarf.h>
#include <elf.h>
#include <string.h>

/* What _init() and _fini() of x86_64 begin and end with. */
static const uint8_t glued_begin[] = { 0x48, 0x83, 0xec, 0x08 };
static const uint8_t glued_end[] = { 0x48, 0x83, 0xc4, 0x08, 0xc3 };

/* arm64: mov x8, #__NR_rt_sigreturn; svc #0 */
static const uint32_t sigreturn[] = { 0xd2801168, 0xd4000001 };
#define PLT_FIRST	 32	     /* bytes of the first entry of arm64's linkage table */
#define SIGRETURN_SEARCH (64u << 10) /* bytes of a gap; a page of the walker has no more */

/* Where in [from, to) a signal handler returns to; `to` if it is not there. */
static uint64_t find_sigreturn(const struct elf_file *file, uint64_t from, uint64_t to)
{
	struct elf_part part;
	uint64_t size;

	if (file->machine != EM_AARCH64 || elf_file_locate(file, from, &part))
		return to;
	size = part.size < to - from ? part.size : to - from;
	size = size < SIGRETURN_SEARCH ? size : SIGRETURN_SEARCH;
	for (uint64_t at = -from & 3; at + sizeof(sigreturn) <= size; at += 4) {
		if (memcmp(file->data + part.offset + at, sigreturn, sizeof(sigreturn)) == 0)
			return from + at;
	}
	return to;
}

/* Code of arm64 that keeps CFA and return address where a call put them: in SP and x30. */
static void tell_untouched(uint64_t from, uint64_t to, bool signal_frame, struct startcode *ret)
{
	static const uint8_t program[] = { DW_CFA_def_cfa, 31, 0 };

	ret->fde = (struct cfi_fde){ .cie = { .code_align = 1, .data_align = -8, .ra = 30 },
				     .start = from,
				     .end = to };
	ret->fde.cie.signal_frame = signal_frame;
	ret->fde.cie.program = bytes_of(program, sizeof(program));
	ret->outermost = false;
}

/* Has code of arm64 no instruction that makes a frame? */
static bool is_frameless(const struct elf_file *file, uint64_t from, uint64_t to)
{
	uint32_t instruction;
	struct elf_part part;

	if (elf_file_locate(file, from, &part) || part.size < to - from)
		return false;
	for (uint64_t at = -from & 3; at + sizeof(instruction) <= to - from; at += 4) {
		memcpy(&instruction, file->data + part.offset + at, sizeof(instruction));
		if ((instruction & 0xffc003ff) == 0xd10003ff || /* sub sp, sp, #n */
		    (instruction & 0xffc003e0) == 0xa98003e0 || /* stp x, x, [sp, #n]! */
		    (instruction & 0xffe00fe0) == 0xf8000fe0)	/* str x, [sp, #n]! */
			return false;
	}
	return true;
}

/*
 * The code that signal handlers return to, with an instruction before, where those look who look
 * before a return address, and one behind, where a thread in the system call is. In the vDSO, the
 * one file of a single segment, the clock functions come before.
 */
static void tell_sigreturn(const struct elf_file *file, uint64_t from, uint64_t at, uint64_t to,
			   struct startcode *ret)
{
	const uint64_t behind = at + sizeof(sigreturn);
	const uint64_t begin = at - from < 4 ? at : at - 4;

	if (file->load_count == 1 && begin > from && is_frameless(file, from, begin))
		tell_untouched(from, begin, false, ret);
	else
		tell_untouched(begin, to - behind < 4 ? to : behind + 4, true, ret);
}

/*
 * arm64's linkage table, as far as it is in the gap. Its first entry, which is not always there,
 * has its address and x30 on the stack before it goes on to the dynamic linker; the others touch
 * nothing.
 */
static bool tell_plt(const struct elf_file *file, uint64_t from, uint64_t to, struct startcode *ret)
{
	const uint32_t bti = 0xd503245f, save = 0xa9bf7bf0; /* stp x16, x30, [sp, #-16]! */
	const struct elf_part *plt = &file->plt;
	uint64_t end = plt->address + plt->size;
	uint8_t saved_at = 4;
	uint32_t code[2];

	if (file->machine != EM_AARCH64 || plt->size < PLT_FIRST || from >= to ||
	    plt->address >= to || end <= from)
		return false;
	tell_untouched(from > plt->address ? from : plt->address, end < to ? end : to, false, ret);
	memcpy(code, file->data + plt->offset, sizeof(code));
	if (code[0] == bti) {
		saved_at = 8;
		code[0] = code[1];
	}
	if (code[0] == save && from <= plt->address) {
		const uint8_t program[] = {
			DW_CFA_advance_loc | saved_at,
			DW_CFA_def_cfa_offset,
			16,
			DW_CFA_offset | 30,
			1,
			DW_CFA_advance_loc | (PLT_FIRST - saved_at),
			DW_CFA_def_cfa_offset,
			0,
			DW_CFA_same_value,
			30,
		};

		_Static_assert(sizeof(program) <= sizeof(ret->program), "it has room");
		memcpy(ret->program, program, sizeof(program));
		ret->fde.program = bytes_of(ret->program, sizeof(program));
	}
	return true;
}

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
	const struct elf_part *known[] = { &file->init, &file->plt, &entry, &file->fini };
	const uint64_t end = to;

	to = find_sigreturn(file, from, end);
	/* By address; usually that is their order. */
	for (int i = 0; i < 4; i++) {
		const struct elf_part *part = known[i];

		if (part == &file->plt) {
			if (tell_plt(file, from, to, ret))
				return true;
			continue;
		}
		if (!part->address || part->address < from || part->address >= to)
			continue;
		if (part == &entry)
			tell_entry(file, to, ret);
		else if (!tell_glued(file, part, to, ret))
			continue;
		return true;
	}
	if (to != end)
		tell_sigreturn(file, from, to, end, ret);
	return to != end;
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

bool startcode_is_all(const struct elf_file *file)
{
	const struct elf_part *part = &file->loads[0].part;

	return file->load_count == 1 && file->loads[0].executable &&
	       find_sigreturn(file, part->address, part->address + part->size) !=
		       part->address + part->size;
}
