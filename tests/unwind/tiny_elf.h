/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiny_elf.h - an ELF file made in memory, with the call frame information that a test wants.
 *
 *   offset    address
 *   0                   headers; sections behind the program headers
 *   0x1000    0x401000  code, up to offset 0x20000: two pages of tables (it is all zero)
 *   0x20000   0x820000  .eh_frame: tiny_elf_cie(), tiny_elf_fde()
 *   0x28000   0x828000  .eh_frame_hdr, with the FDEs in the order they were added
 *
 * Code and tables are apart by another distance in addresses than in the file, so that who takes
 * the one for the other is seen.
 */
#ifndef PROFILER_TINY_ELF_H
#define PROFILER_TINY_ELF_H

#include <dwarf.h>
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TINY_BYTES	 0x30000
#define TINY_CODE	 0x401000u /* address */
#define TINY_CODE_OFFSET 0x1000u
#define TINY_CODE_BYTES	 0x1f000u
#define TINY_FRAMES	 0x820000u
#define TINY_FRAMES_AT	 0x20000u
#define TINY_HDR	 0x828000u
#define TINY_HDR_AT	 0x28000u
#define TINY_FDES	 64

struct tiny_elf {
	uint8_t bytes[TINY_BYTES];
	uint32_t frames_size;
	uint32_t fde_count;
	uint32_t fde_offset[TINY_FDES]; /* in .eh_frame */
	uint32_t fde_start[TINY_FDES];	/* address */
};

static inline void tiny_put32(struct tiny_elf *elf, uint32_t offset, uint32_t value)
{
	memcpy(elf->bytes + offset, &value, sizeof(value));
}

static inline Elf64_Phdr tiny_load(uint64_t offset, uint64_t address, uint64_t size, uint32_t flags)
{
	return (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = flags,
			     .p_offset = offset,
			     .p_vaddr = address,
			     .p_filesz = size,
			     .p_memsz = size };
}

/** tiny_elf_init() - headers, code, no call frame information yet */
static inline void tiny_elf_init(struct tiny_elf *elf, uint16_t machine)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	const Elf64_Phdr loads[] = {
		tiny_load(TINY_FRAMES_AT, TINY_FRAMES, TINY_BYTES - TINY_FRAMES_AT, PF_R),
		tiny_load(TINY_CODE_OFFSET, TINY_CODE, TINY_CODE_BYTES, PF_R | PF_X),
	};

	memset(elf, 0, sizeof(*elf));
	memcpy(elf->bytes, &header, sizeof(header));
	memcpy(elf->bytes + sizeof(header), loads, sizeof(loads));
}

/** tiny_elf_program_header() - adds one: a note, another segment */
static inline void tiny_elf_program_header(struct tiny_elf *elf, const Elf64_Phdr *header)
{
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)elf->bytes;

	memcpy(elf->bytes + ehdr->e_phoff + ehdr->e_phnum++ * sizeof(*header), header,
	       sizeof(*header));
}

/** tiny_elf_entry() - appends bytes to .eh_frame behind their length; returns the offset there */
static inline uint32_t tiny_elf_entry(struct tiny_elf *elf, const void *body, uint32_t size)
{
	uint32_t at = elf->frames_size;

	tiny_put32(elf, TINY_FRAMES_AT + at, size);
	memcpy(elf->bytes + TINY_FRAMES_AT + at + 4, body, size);
	elf->frames_size += 4 + size;
	return at;
}

/**
 * tiny_elf_cie() - augmentation "zR", or "zRS" for signal frames; pointers relative, 4 bytes
 *
 * Alignments of code 1 and data -8; the return address is in column @ra.
 */
static inline uint32_t tiny_elf_cie(struct tiny_elf *elf, bool signal_frame, uint8_t ra,
				    const uint8_t *program, uint32_t size)
{
	uint8_t body[256] = { 0, 0, 0, 0, 1, 'z', 'R', 'S' };
	uint32_t n = signal_frame ? 8 : 7;

	body[n] = 0;
	memcpy(body + n + 1, (const uint8_t[]){ 1, 0x78, ra, 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4 },
	       5);
	memcpy(body + n + 6, program, size);
	return tiny_elf_entry(elf, body, n + 6 + size);
}

/** tiny_elf_fde() - a function of @bytes bytes at @start, an address */
static inline uint32_t tiny_elf_fde(struct tiny_elf *elf, uint32_t cie, uint32_t start,
				    uint32_t bytes, const uint8_t *program, uint32_t size)
{
	uint32_t at = elf->frames_size, words[3] = { at + 4 - cie, 0, bytes };
	uint8_t body[512] = { 0 };

	words[1] = start - (TINY_FRAMES + at + 8);
	memcpy(body, words, sizeof(words));
	memcpy(body + sizeof(words) + 1, program, size);
	elf->fde_offset[elf->fde_count] = at;
	elf->fde_start[elf->fde_count++] = start;
	return tiny_elf_entry(elf, body, sizeof(words) + 1 + size);
}

/** tiny_elf_header() - makes .eh_frame_hdr and the program header that names it */
static inline void tiny_elf_header(struct tiny_elf *elf)
{
	static const uint8_t head[] = { 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4,
					DW_EH_PE_datarel | DW_EH_PE_sdata4 };
	Elf64_Phdr header = tiny_load(TINY_HDR_AT, TINY_HDR, 12 + 8 * elf->fde_count, PF_R);

	header.p_type = PT_GNU_EH_FRAME;
	tiny_elf_program_header(elf, &header);
	memcpy(elf->bytes + TINY_HDR_AT, head, sizeof(head));
	tiny_put32(elf, TINY_HDR_AT + 4, TINY_FRAMES - (TINY_HDR + 4));
	tiny_put32(elf, TINY_HDR_AT + 8, elf->fde_count);
	for (uint32_t i = 0; i < elf->fde_count; i++) {
		tiny_put32(elf, TINY_HDR_AT + 12 + 8 * i, elf->fde_start[i] - TINY_HDR);
		tiny_put32(elf, TINY_HDR_AT + 16 + 8 * i,
			   TINY_FRAMES + elf->fde_offset[i] - TINY_HDR);
	}
}

/**
 * tiny_elf_section() - section headers with one section, and their names
 * @type: SHT_PROGBITS or another
 * @at:   its offset; its address is @address
 */
static inline void tiny_elf_section(struct tiny_elf *elf, const char *name, uint32_t type,
				    uint64_t flags, uint32_t at, uint32_t address, uint32_t size)
{
	const uint32_t names_at = 0x800, headers_at = 0xa00;
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)elf->bytes;
	const Elf64_Shdr headers[] = {
		{ .sh_type = SHT_NULL },
		{ .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = 64 },
		{ .sh_name = 1,
		  .sh_type = type,
		  .sh_flags = flags,
		  .sh_offset = at,
		  .sh_addr = address,
		  .sh_size = size },
	};

	/* As linkers do, with more names behind it. */
	strcpy((char *)elf->bytes + names_at + 1, name);
	strcpy((char *)elf->bytes + names_at + 2 + strlen(name), ".shstrtab.and.other.names");
	memcpy(elf->bytes + headers_at, headers, sizeof(headers));
	ehdr->e_shoff = headers_at;
	ehdr->e_shentsize = sizeof(headers[0]);
	ehdr->e_shnum = 3;
	ehdr->e_shstrndx = 1;
}

#endif /* PROFILER_TINY_ELF_H */
