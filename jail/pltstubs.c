// SPDX-License-Identifier: Apache-2.0
/*
 * pltstubs.c - decodes stubs of the procedure linkage table, see pltstubs.h.
 */
#include "jail/pltstubs.h"

#include <string.h>

#define STUB_BYTES 16

/* The first bytes of the instructions of x86_64, at the places where linkers put them. */
#define JUMP_INDIRECT "\xff\x25" /* jmp *rel32(%rip) */
#define PUSH	      '\x68'	 /* push $index of the relocation */

/* Instructions of arm64. */
#define A64_BTI_C     0xd503245fu
#define A64_NOP	      0xd503201fu
#define A64_BR_X17    0xd61f0220u
#define A64_ADRP_X16  0x90000010u /* and 0x9f00001f */
#define A64_LDR_X17   0xf9400211u /* ldr x17, [x16, #imm], and 0xffc003ff */
#define A64_STUB_MOST 6		  /* instructions */

void stubs_open(struct stubs *stubs, const struct elf_file *file, const struct sections *sections)
{
	static const char *const names[] = { ".plt", ".plt.sec", ".plt.got" };
	static const char *const relocations[] = { ".rela.plt", ".rela.dyn" };
	const struct bytes none = bytes_of(sections->data, 0);
	Elf64_Shdr header;

	*stubs = (struct stubs){ .machine = file->machine, .symbols = none, .names = none };
	for (size_t i = 0; i < STUB_SECTIONS; i++) {
		struct stub_section *section = &stubs->sections[stubs->count];

		if (!sections_named(sections, names[i], &header))
			continue;
		section->code = sections_content(sections, &header);
		section->start = header.sh_addr;
		section->stub_bytes = header.sh_entsize == 8 ? 8 : STUB_BYTES;
		if (bytes_left(&section->code) &&
		    !__builtin_add_overflow(section->start, bytes_left(&section->code),
					    &section->end))
			stubs->count++;
	}
	for (size_t i = 0; i < 2; i++)
		stubs->relocations[i] = sections_named(sections, relocations[i], &header)
						? sections_content(sections, &header)
						: none;
	if (!sections_of_type(sections, SHT_DYNSYM, &header))
		return;
	stubs->symbols = sections_content(sections, &header);
	if (sections_get(sections, header.sh_link, &header))
		stubs->names = sections_content(sections, &header);
}

/* Bytes from an offset on, cut at the end of the section. */
static struct bytes code_at(const struct stub_section *section, uint64_t offset)
{
	struct bytes code = section->code;

	bytes_take(&code, offset);
	return code;
}

/* The function of a relocation; NULL if it is of no function. */
static const char *relocated_name(const struct stubs *stubs, const Elf64_Rela *rela,
				  size_t *ret_room)
{
	struct bytes symbols = stubs->symbols;
	struct bytes names = stubs->names;
	Elf64_Sym symbol;

	bytes_take(&symbols, ELF64_R_SYM(rela->r_info) * sizeof(symbol));
	bytes_read(&symbols, &symbol, sizeof(symbol));
	bytes_take(&names, symbol.st_name);
	if (symbols.bad || names.bad || !ELF64_R_SYM(rela->r_info))
		return NULL;
	*ret_room = bytes_left(&names);
	return *ret_room ? (const char *)names.at : NULL;
}

/* Takes what a relocation says of a stub; false if it is not of that kind. */
static bool take_relocation(const struct stubs *stubs, const Elf64_Rela *rela, struct stub *ret)
{
	const bool x86 = stubs->machine == EM_X86_64;
	const uint32_t type = ELF64_R_TYPE(rela->r_info);

	if (type == (x86 ? R_X86_64_IRELATIVE : R_AARCH64_IRELATIVE)) {
		ret->resolver = (uint64_t)rela->r_addend;
		return true;
	}
	if (type != (x86 ? R_X86_64_JUMP_SLOT : R_AARCH64_JUMP_SLOT) &&
	    type != (x86 ? R_X86_64_GLOB_DAT : R_AARCH64_GLOB_DAT))
		return false;
	ret->name = relocated_name(stubs, rela, &ret->room);
	return true;
}

/* The function whose address the dynamic linker puts into an entry of the global offset table. */
static void name_entry(const struct stubs *stubs, uint64_t entry, uint32_t *work, struct stub *ret)
{
	for (size_t i = 0; i < 2; i++) {
		struct bytes left = stubs->relocations[i];
		Elf64_Rela rela;

		for (; *work && bytes_left(&left) >= sizeof(rela); --*work) {
			bytes_read(&left, &rela, sizeof(rela));
			if (rela.r_offset == entry && take_relocation(stubs, &rela, ret))
				return;
		}
	}
}

static void name_index(const struct stubs *stubs, uint32_t index, struct stub *ret)
{
	struct bytes left = stubs->relocations[0];
	Elf64_Rela rela;

	bytes_take(&left, index * (uint64_t)sizeof(rela));
	bytes_read(&left, &rela, sizeof(rela));
	if (!left.bad)
		take_relocation(stubs, &rela, ret);
}

static void find_x86(const struct stubs *stubs, const struct stub_section *section, uint64_t offset,
		     uint32_t *work, struct stub *ret)
{
	/* behind nothing, bnd, endbr64, both, or endbr64 and mov $index, %r11d */
	static const uint8_t jumps[] = { 0, 1, 4, 5, 10 };
	const uint64_t skip = offset - offset % section->stub_bytes;
	struct bytes code = code_at(section, skip);
	uint8_t stub[STUB_BYTES] = { 0 };
	uint32_t number;

	ret->start = section->start + skip;
	ret->end = ret->start + section->stub_bytes;
	if (bytes_left(&code) < section->stub_bytes)
		return;
	bytes_read(&code, stub, section->stub_bytes);
	for (size_t i = 0; i < sizeof(jumps); i++) {
		const uint8_t *jump = stub + jumps[i];

		if (memcmp(jump, JUMP_INDIRECT, 2) != 0)
			continue;
		memcpy(&number, jump + 2, sizeof(number));
		name_entry(stubs, ret->start + jumps[i] + 6 + (uint64_t)(int32_t)number, work, ret);
		return;
	}
	for (size_t i = 0; i <= 4; i += 4) {
		if (stub[i] != PUSH)
			continue;
		memcpy(&number, stub + i + 1, sizeof(number));
		name_index(stubs, number, ret);
		return;
	}
}

static uint32_t a64_at(const struct stub_section *section, uint64_t offset)
{
	struct bytes code = code_at(section, offset);

	return bytes_u32(&code);
}

/* Does a load of a function's address begin here? */
static bool a64_loads(const struct stub_section *section, uint64_t offset)
{
	return (a64_at(section, offset) & 0x9f00001fu) == A64_ADRP_X16 &&
	       (a64_at(section, offset + 4) & 0xffc003ffu) == A64_LDR_X17;
}

/* Where an adrp and a ldr read the function's address. */
static uint64_t a64_entry(const struct stub_section *section, uint64_t offset)
{
	const uint32_t adrp = a64_at(section, offset);
	const uint32_t ldr = a64_at(section, offset + 4);
	const uint64_t pages = (adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3);
	const uint64_t page = (section->start + offset) & ~0xfffull;

	/* 21 bits with a sign */
	return page + ((pages ^ 0x100000) - 0x100000) * 4096 + (ldr >> 10 & 0xfff) * 8;
}

static void find_a64(const struct stubs *stubs, const struct stub_section *section, uint64_t offset,
		     uint32_t *work, struct stub *ret)
{
	const uint64_t here = offset & ~3ull;
	uint64_t load = a64_at(section, here) == A64_BTI_C ? here + 4 : here;
	uint64_t end;

	ret->start = section->start + here;
	ret->end = ret->start + 4;
	while (!a64_loads(section, load)) {
		if (load < 4 || load + 4 * A64_STUB_MOST <= here)
			return;
		load -= 4;
	}
	for (end = load; a64_at(section, end) != A64_BR_X17; end += 4) {
		if (end - load >= 4 * A64_STUB_MOST)
			return;
	}
	end += a64_at(section, end + 4) == A64_NOP ? 8 : 4;
	if (here >= end)
		return;
	ret->start = section->start + load;
	if (load >= 4 && a64_at(section, load - 4) == A64_BTI_C)
		ret->start -= 4;
	ret->end = section->start + end;
	name_entry(stubs, a64_entry(section, load), work, ret);
}

bool stubs_find(const struct stubs *stubs, uint64_t address, uint32_t *work, struct stub *ret)
{
	for (uint32_t i = 0; i < stubs->count; i++) {
		const struct stub_section *section = &stubs->sections[i];

		if (address < section->start || address >= section->end)
			continue;
		*ret = (struct stub){ .name = NULL };
		if (stubs->machine == EM_X86_64)
			find_x86(stubs, section, address - section->start, work, ret);
		else
			find_a64(stubs, section, address - section->start, work, ret);
		return true;
	}
	return false;
}
