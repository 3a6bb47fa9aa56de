/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_writer.h - an ELF file made in memory, with the sections and symbols that a test wants.
 *
 *   offset    address
 *   0                   headers
 *   0x1000    0x401000  code, up to offset 0x9000: executable
 *   0x9000    0x809000  room for tables, by elf_writer_room()
 *
 * Section headers are written by elf_writer_end(), behind everything.
 */
#ifndef PROFILER_ELF_WRITER_H
#define PROFILER_ELF_WRITER_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define WRITER_BYTES	   0x40000
#define WRITER_CODE	   0x401000u /* address */
#define WRITER_CODE_OFFSET 0x1000u
#define WRITER_CODE_BYTES  0x8000u
#define WRITER_SECTIONS	   16

struct elf_writer {
	_Alignas(16) uint8_t bytes[WRITER_BYTES];
	uint32_t used;
	Elf64_Shdr sections[WRITER_SECTIONS];
	uint32_t section_count;
	char section_names[512];
	uint32_t section_names_size;
};

/** elf_writer_room() - takes some bytes, at a multiple of 16; returns their offset */
static inline uint32_t elf_writer_room(struct elf_writer *w, uint32_t size)
{
	uint32_t at = (w->used + 15) & ~15u;

	w->used = at + size;
	return at;
}

static inline void elf_writer_begin(struct elf_writer *w, uint16_t machine)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	const Elf64_Phdr load = { .p_type = PT_LOAD,
				  .p_flags = PF_R | PF_X,
				  .p_offset = WRITER_CODE_OFFSET,
				  .p_vaddr = WRITER_CODE,
				  .p_filesz = WRITER_CODE_BYTES,
				  .p_memsz = WRITER_CODE_BYTES,
				  .p_align = 4096 };

	memset(w, 0, sizeof(*w));
	memcpy(w->bytes, &header, sizeof(header));
	memcpy(w->bytes + sizeof(header), &load, sizeof(load));
	w->used = WRITER_CODE_OFFSET + WRITER_CODE_BYTES;
	w->section_count = 1;
	w->section_names_size = 1;
}

/** elf_writer_section() - adds one; returns its index */
static inline uint32_t elf_writer_section(struct elf_writer *w, const char *name, Elf64_Shdr header)
{
	header.sh_name = w->section_names_size;
	strcpy(w->section_names + w->section_names_size, name);
	w->section_names_size += (uint32_t)strlen(name) + 1;
	w->sections[w->section_count] = header;
	return w->section_count++;
}

/** elf_writer_content() - the same, with content for which there is no room yet */
static inline uint32_t elf_writer_content(struct elf_writer *w, const char *name, uint32_t type,
					  uint32_t link, const void *content, uint32_t size)
{
	uint32_t at = elf_writer_room(w, size);

	memcpy(w->bytes + at, content, size);
	return elf_writer_section(
		w, name,
		(Elf64_Shdr){ .sh_type = type, .sh_offset = at, .sh_size = size, .sh_link = link });
}

/** elf_writer_code() - the same for code, at an address */
static inline uint32_t elf_writer_code(struct elf_writer *w, const char *name, uint64_t address,
				       uint64_t size)
{
	return elf_writer_section(
		w, name,
		(Elf64_Shdr){ .sh_type = SHT_PROGBITS,
			      .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			      .sh_addr = address,
			      .sh_offset = address - WRITER_CODE + WRITER_CODE_OFFSET,
			      .sh_size = size });
}

/** elf_writer_end() - writes the section headers; returns the size of the file */
static inline uint32_t elf_writer_end(struct elf_writer *w)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)w->bytes;
	uint32_t names, at;

	names = elf_writer_section(w, ".shstrtab", (Elf64_Shdr){ .sh_type = SHT_STRTAB });
	at = elf_writer_room(w, w->section_names_size);
	memcpy(w->bytes + at, w->section_names, w->section_names_size);
	w->sections[names].sh_offset = at;
	w->sections[names].sh_size = w->section_names_size;
	at = elf_writer_room(w, w->section_count * (uint32_t)sizeof(w->sections[0]));
	memcpy(w->bytes + at, w->sections, w->section_count * sizeof(w->sections[0]));
	header->e_shoff = at;
	header->e_shentsize = sizeof(w->sections[0]);
	header->e_shnum = (uint16_t)w->section_count;
	header->e_shstrndx = (uint16_t)names;
	return w->used;
}

/* A symbol as a test writes it. */
struct writer_symbol {
	const char *name;
	uint64_t start;
	uint64_t size;
	uint8_t type;
	uint8_t bind;
	uint16_t section;
};

/** elf_writer_symbols() - adds a symbol table and its names; returns its index */
static inline uint32_t elf_writer_symbols(struct elf_writer *w, uint32_t type,
					  const struct writer_symbol *symbols, uint32_t count)
{
	char names[4096] = "";
	Elf64_Sym table[64] = { { 0 } };
	uint32_t used = 1, text;

	for (uint32_t i = 0; i < count; i++) {
		table[i + 1] = (Elf64_Sym){
			.st_name = used,
			.st_info = ELF64_ST_INFO(symbols[i].bind, symbols[i].type),
			.st_shndx = symbols[i].section,
			.st_value = symbols[i].start,
			.st_size = symbols[i].size,
		};
		strcpy(names + used, symbols[i].name);
		used += (uint32_t)strlen(symbols[i].name) + 1;
	}
	text = elf_writer_content(w, type == SHT_DYNSYM ? ".dynstr" : ".strtab", SHT_STRTAB, 0,
				  names, used);
	return elf_writer_content(w, type == SHT_DYNSYM ? ".dynsym" : ".symtab", type, text, table,
				  (count + 1) * (uint32_t)sizeof(table[0]));
}

#endif /* PROFILER_ELF_WRITER_H */
