// SPDX-License-Identifier: Apache-2.0
/*
 * test_symtab.c - names of places by symbol tables: the rule, place by place and in stretches;
 * stubs of the PLT; files that would cost too much.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jail/symtab.h"
#include "tests/unit/elf_writer.h"
#include "tests/unit/random.h"

#define CODE  WRITER_CODE
#define TEXT  1 /* sections of code, in this order */
#define OTHER 2

static struct elf_writer writer;
static struct elf_file file;
static struct symtab symtab;
static struct name_answer answer;

static uint64_t offset_of(uint64_t address)
{
	return address - WRITER_CODE + WRITER_CODE_OFFSET;
}

/* A file with two sections of code that lie side by side, and no symbols yet. */
static void begin(uint16_t machine)
{
	elf_writer_begin(&writer, machine);
	elf_writer_code(&writer, ".text", CODE, 0x1000);
	elf_writer_code(&writer, ".other", CODE + 0x1000, 0x1000);
}

static void end(void)
{
	cr_assert(zero(int, elf_file_open_memory(&file, writer.bytes, elf_writer_end(&writer))));
}

static void use(const struct writer_symbol *symbols, uint32_t count)
{
	begin(EM_X86_64);
	elf_writer_symbols(&writer, SHT_SYMTAB, symbols, count);
	end();
}

#define USE(symbols) use(symbols, sizeof(symbols) / sizeof((symbols)[0]))

static const struct jail_stretch *ask(uint64_t address)
{
	const uint64_t offset = offset_of(address);

	cr_assert(zero(int, symtab_names(&symtab, &file, NULL, &offset, 1, &answer)));
	cr_assert(eq(u32, answer.count, 1));
	cr_assert(le(u64, answer.stretches[0].start, offset));
	cr_assert(gt(u64, answer.stretches[0].end, offset));
	return &answer.stretches[0];
}

static const char *text_of(const struct jail_stretch *stretch)
{
	return stretch->name == JAIL_NO_NAME ? "" : answer.text + stretch->name;
}

/* A place has this name ("": none) and so have all from start up to end, and no more. */
static void expect(uint64_t address, const char *name, uint64_t start, uint64_t limit)
{
	const struct jail_stretch *stretch = ask(address);

	cr_expect(zero(int, strcmp(text_of(stretch), name)), "%#lx: '%s', not '%s'", address,
		  text_of(stretch), name);
	cr_expect(eq(u64, stretch->start, offset_of(start)), "%#lx", address);
	cr_expect(eq(u64, stretch->end, offset_of(limit)), "%#lx", address);
}

static void expect_name(uint64_t address, const char *name)
{
	cr_expect(zero(int, strcmp(text_of(ask(address)), name)), "%#lx: '%s', not '%s'", address,
		  text_of(&answer.stretches[0]), name);
}

Test(symtab, innermost_and_nothing_between)
{
	static const struct writer_symbol symbols[] = {
		{ "inner", CODE + 0x140, 0x20, STT_FUNC, STB_LOCAL, TEXT },
		{ "outer", CODE + 0x100, 0x100, STT_FUNC, STB_GLOBAL, TEXT },
		{ "data", CODE + 0x108, 8, STT_OBJECT, STB_GLOBAL, TEXT },
		{ "missing", CODE + 0x110, 8, STT_FUNC, STB_GLOBAL, SHN_UNDEF },
		{ "number", CODE + 0x118, 8, STT_FUNC, STB_GLOBAL, SHN_ABS },
		{ "next", CODE + 0x300, 0x40, STT_GNU_IFUNC, STB_GLOBAL, TEXT },
	};

	USE(symbols);
	expect(CODE + 0xff, "", CODE, CODE + 0x100);
	expect(CODE + 0x100, "outer", CODE + 0x100, CODE + 0x140);
	expect(CODE + 0x13f, "outer", CODE + 0x100, CODE + 0x140);
	expect(CODE + 0x140, "inner", CODE + 0x140, CODE + 0x160);
	expect(CODE + 0x160, "outer", CODE + 0x160, CODE + 0x200);
	/* never the one that ended before */
	expect(CODE + 0x200, "", CODE + 0x200, CODE + 0x300);
	expect(CODE + 0x33f, "next", CODE + 0x300, CODE + 0x340);
	expect(CODE + 0x340, "", CODE + 0x340, CODE + WRITER_CODE_BYTES);
}

Test(symtab, the_name_that_people_know)
{
	static const struct writer_symbol symbols[] = {
		{ "_start_of_it", CODE, 0x10, STT_NOTYPE, STB_GLOBAL, TEXT },
		{ "__write", CODE, 0x10, STT_FUNC, STB_GLOBAL, TEXT },
		{ "write", CODE, 0x10, STT_FUNC, STB_WEAK, TEXT },
		{ "awrite_local", CODE, 0x10, STT_FUNC, STB_LOCAL, TEXT },
		{ "a_label", CODE, 0x10, STT_NOTYPE, STB_GLOBAL, TEXT },
		{ "weak", CODE + 0x10, 0x10, STT_FUNC, STB_WEAK, TEXT },
		{ "zz", CODE + 0x10, 0x10, STT_FUNC, STB_GLOBAL, TEXT },
		{ "yy", CODE + 0x10, 0x10, STT_FUNC, STB_GLOBAL, TEXT },
		{ "yyy", CODE + 0x10, 0x10, STT_FUNC, STB_GLOBAL, TEXT },
		{ "old@@VERSION_2", CODE + 0x20, 0x10, STT_FUNC, STB_GLOBAL, TEXT },
		{ "$x", CODE + 0x30, 0x10, STT_NOTYPE, STB_LOCAL, TEXT },
		{ "$real", CODE + 0x30, 0x10, STT_FUNC, STB_LOCAL, TEXT },
	};

	USE(symbols);
	expect_name(CODE, "write");
	expect_name(CODE + 0x10, "yy");
	expect_name(CODE + 0x20, "old");
	expect_name(CODE + 0x30, "$real");
}

Test(symtab, without_a_size)
{
	static const struct writer_symbol symbols[] = {
		{ "label", CODE + 0x100, 0, STT_FUNC, STB_LOCAL, TEXT },
		{ "sized", CODE + 0x200, 0x10, STT_FUNC, STB_LOCAL, TEXT },
		{ "$d", CODE + 0x210, 0, STT_NOTYPE, STB_LOCAL, TEXT },
		{ "__last", CODE + 0x300, 0, STT_NOTYPE, STB_GLOBAL, TEXT },
		{ "last", CODE + 0x300, 0, STT_NOTYPE, STB_LOCAL, TEXT },
		{ "end_of_text", CODE + 0x1000, 0, STT_NOTYPE, STB_GLOBAL, TEXT },
		{ "inside", CODE + 0x1180, 0, STT_FUNC, STB_LOCAL, OTHER },
		{ "around", CODE + 0x1100, 0x100, STT_FUNC, STB_LOCAL, OTHER },
		{ "same", CODE + 0x1300, 0, STT_FUNC, STB_LOCAL, OTHER },
		{ "same_sized", CODE + 0x1300, 0x10, STT_FUNC, STB_LOCAL, OTHER },
	};

	USE(symbols);
	expect(CODE + 0xff, "", CODE, CODE + 0x100);
	expect(CODE + 0x1ff, "label", CODE + 0x100, CODE + 0x200);
	expect(CODE + 0x20f, "sized", CODE + 0x200, CODE + 0x210);
	/* "sized" is the last start, and has ended */
	expect(CODE + 0x280, "", CODE + 0x210, CODE + 0x300);
	expect(CODE + 0xfff, "last", CODE + 0x300, CODE + 0x1000);
	/* a label behind a section is none of the next one */
	expect(CODE + 0x1000, "", CODE + 0x1000, CODE + 0x1100);
	expect(CODE + 0x1180, "around", CODE + 0x1180, CODE + 0x1200);
	/* the last start before it is "inside" */
	expect(CODE + 0x1200, "inside", CODE + 0x1200, CODE + 0x1300);
	expect(CODE + 0x1310, "", CODE + 0x1310, CODE + 0x9000 - 0x1000);
}

/* Many places at once: as each alone, and a stretch is sent once. */
Test(symtab, many_places_at_once)
{
	static struct writer_symbol symbols[63];
	static char names[63][8];
	static struct name_answer all;
	uint64_t state = 1, offsets[JAIL_NAMES_MAX];
	uint32_t count = 0, at = 0;

	for (uint32_t i = 0; i < 63; i++) {
		snprintf(names[i], sizeof(names[i]), "f%u", i);
		symbols[i] = (struct writer_symbol){ .name = names[i],
						     .start = CODE + random_below(&state, 0x1f00),
						     .size = random_below(&state, 4)
								     ? random_below(&state, 0x100)
								     : 0,
						     .type = STT_FUNC,
						     .bind = STB_LOCAL,
						     .section = TEXT };
		if (symbols[i].start >= CODE + 0x1000)
			symbols[i].section = OTHER;
	}
	USE(symbols);
	for (uint64_t address = CODE; count < JAIL_NAMES_MAX;
	     address += 1 + random_below(&state, 14))
		offsets[count++] = offset_of(address);
	cr_assert(zero(int, symtab_names(&symtab, &file, NULL, offsets, count, &all)));
	for (uint32_t i = 0; i < count; i++) {
		const struct jail_stretch *alone = ask(offsets[i] - offset_of(CODE) + CODE);
		const struct jail_stretch *stretch;

		while (all.stretches[at].end <= offsets[i])
			cr_assert(lt(u32, ++at, all.count));
		stretch = &all.stretches[at];
		cr_assert(eq(u64, stretch->start, alone->start));
		cr_assert(eq(u64, stretch->end, alone->end));
		cr_assert(eq(int, stretch->name == JAIL_NO_NAME, alone->name == JAIL_NO_NAME));
		if (alone->name != JAIL_NO_NAME)
			cr_assert(zero(
				int, strcmp(all.text + stretch->name, answer.text + alone->name)));
	}
	cr_assert(eq(u32, at, all.count - 1));
}

/* Of the debug file only if the file has none; .dynsym only if neither has. */
Test(symtab, which_table)
{
	static const struct writer_symbol dynamic = { "dynamic", CODE,	     0x100,
						      STT_FUNC,	 STB_GLOBAL, TEXT };
	static const struct writer_symbol full = { "full", CODE, 0x10, STT_FUNC, STB_LOCAL, TEXT };
	static struct elf_writer debug_writer;
	const uint64_t offsets[] = { offset_of(CODE), offset_of(CODE + 0x20) };
	struct elf_file debug;

	elf_writer_begin(&debug_writer, EM_X86_64);
	elf_writer_code(&debug_writer, ".text", CODE, 0x1000);
	elf_writer_symbols(&debug_writer, SHT_SYMTAB, &full, 1);
	cr_assert(zero(int, elf_file_open_memory(&debug, debug_writer.bytes,
						 elf_writer_end(&debug_writer))));
	begin(EM_X86_64);
	elf_writer_symbols(&writer, SHT_DYNSYM, &dynamic, 1);
	end();
	expect_name(CODE, "dynamic");
	cr_assert(zero(int, symtab_names(&symtab, &file, &debug, offsets, 2, &answer)));
	cr_expect(zero(int, strcmp(text_of(&answer.stretches[0]), "full")));
	cr_expect(eq(u32, answer.stretches[1].name, JAIL_NO_NAME));
	cr_assert(zero(int, symtab_names(&symtab, &debug, &file, offsets, 2, &answer)));
	cr_expect(zero(int, strcmp(text_of(&answer.stretches[0]), "full")));
}

/* What is compressed into .gnu_debugdata; damaged or too large it costs no other name. */
Test(symtab, mini_debug_info)
{
	static const struct writer_symbol dynamic = { "dynamic", CODE,	     0x100,
						      STT_FUNC,	 STB_GLOBAL, TEXT };
	static const struct writer_symbol hidden = { "hidden", CODE + 0x200, 0x10,
						     STT_FUNC, STB_LOCAL,    TEXT };
	static uint8_t xz[65536];
	static uint8_t zeroes[MINIDEBUG_BYTES_MAX + 4096];
	static struct elf_writer mini;
	static uint64_t damage;

	for (int round = 0; round < 4; round++) {
		const uint8_t *content = mini.bytes;
		size_t bytes, used = 0;

		elf_writer_begin(&mini, EM_X86_64);
		elf_writer_code(&mini, ".text", CODE, 0x1000);
		elf_writer_symbols(&mini, SHT_SYMTAB, &hidden, 1);
		bytes = elf_writer_end(&mini);
		if (round == 3) {
			content = zeroes;
			bytes = sizeof(zeroes);
		}
		cr_assert(zero(int, (int)lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, content,
								 bytes, xz, &used, sizeof(xz))));
		if (round == 1)
			used -= 20;
		if (round == 2)
			xz[used / 2 + next_random(&damage) % 16] ^= 0x10;
		begin(EM_X86_64);
		elf_writer_symbols(&writer, SHT_DYNSYM, &dynamic, 1);
		elf_writer_content(&writer, ".gnu_debugdata", SHT_PROGBITS, 0, xz, (uint32_t)used);
		end();
		expect_name(CODE, "dynamic");
		expect_name(CODE + 0x200, round == 0 ? "hidden" : "");
	}
}

/* Places in no executable segment, and in several. */
Test(symtab, segments)
{
	static const struct writer_symbol symbols[] = {
		{ "first", CODE, 0x10000, STT_FUNC, STB_GLOBAL, TEXT },
		{ "second", 0x809000, 0x1000, STT_FUNC, STB_GLOBAL, TEXT },
	};
	const Elf64_Phdr second = { .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_X,
				    .p_offset = 0xa000,
				    .p_vaddr = 0x809000,
				    .p_filesz = 0x800 };
	const uint64_t offsets[] = { 0, 0x1000, 0x1001, 0x8fff, 0x9000, 0xa000, 0xa7ff, 0xa800 };
	static const char *const names[] = { "", "first", "", "second", "" };
	Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)writer.bytes;

	USE(symbols);
	header->e_phnum = 2;
	memcpy(writer.bytes + header->e_phoff + sizeof(second), &second, sizeof(second));
	cr_assert(zero(int, elf_file_open_memory(&file, writer.bytes, sizeof(writer.bytes))));
	cr_assert(zero(int, symtab_names(&symtab, &file, NULL, offsets, 8, &answer)));
	cr_assert(eq(u32, answer.count, 5));
	for (uint32_t i = 0; i < 5; i++)
		cr_expect(zero(int, strcmp(text_of(&answer.stretches[i]), names[i])), "%u", i);
	cr_expect(eq(u64, answer.stretches[1].start, 0x1000));
	cr_expect(eq(u64, answer.stretches[1].end, 0x9000));
	cr_expect(eq(u64, answer.stretches[3].start, 0xa000));
	cr_expect(eq(u64, answer.stretches[3].end, 0xa800));
}

/* More text than an answer has room for: the first places, all whole. */
Test(symtab, answers_a_part)
{
	static struct writer_symbol symbols[60];
	static char text[8300];
	uint64_t offsets[60];
	const Elf64_Shdr *header;
	Elf64_Sym *table;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	for (uint32_t i = 0; i < 60; i++) {
		symbols[i] =
			(struct writer_symbol){ "", CODE + i * 16, 16, STT_FUNC, STB_LOCAL, TEXT };
		offsets[i] = offset_of(CODE + i * 16);
	}
	begin(EM_X86_64);
	header = &writer.sections[elf_writer_symbols(&writer, SHT_SYMTAB, symbols, 60)];
	table = (Elf64_Sym *)(void *)(writer.bytes + header->sh_offset);
	for (uint32_t i = 0; i < 60; i++)
		table[i + 1].st_name = 1 + i; /* names overlap: each is a bit shorter */
	writer.sections[header->sh_link].sh_offset = elf_writer_room(&writer, sizeof(text));
	writer.sections[header->sh_link].sh_size = sizeof(text);
	memcpy(writer.bytes + writer.sections[header->sh_link].sh_offset, text, sizeof(text));
	end();
	cr_assert(zero(int, symtab_names(&symtab, &file, NULL, offsets, 60, &answer)));
	cr_expect(eq(u32, answer.count, JAIL_NAME_TEXT_MAX / JAIL_NAME_BYTES_MAX));
	cr_expect(le(u32, answer.text_bytes, JAIL_NAME_TEXT_MAX));
	for (uint32_t i = 0; i < answer.count; i++)
		cr_expect(eq(sz, strlen(text_of(&answer.stretches[i])), JAIL_NAME_BYTES_MAX - 1));
	cr_assert(zero(int, symtab_names(&symtab, &file, NULL, offsets + answer.count,
					 60 - answer.count, &answer)));
	cr_expect(eq(u64, answer.stretches[0].start, offsets[32]));
}

/*
 * A file of 1 GB whose table of symbols is nearly all of it, and another in which everything covers
 * everything: refused, and soon.
 */
Test(symtab, would_take_too_long, .timeout = 20)
{
	const size_t size = 1u << 30;
	const int fd = memfd_create("large", MFD_CLOEXEC);
	const Elf64_Sym all = { .st_name = 1,
				.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
				.st_shndx = TEXT,
				.st_size = UINT64_MAX };
	static const struct writer_symbol symbol = { "all", 0, 1, STT_FUNC, STB_LOCAL, TEXT };
	uint64_t offsets[JAIL_NAMES_MAX];
	struct elf_file large;
	uint32_t table, many = 100000;

	for (uint32_t i = 0; i < JAIL_NAMES_MAX; i++)
		offsets[i] = WRITER_CODE_OFFSET + i;
	begin(EM_X86_64);
	table = elf_writer_symbols(&writer, SHT_SYMTAB, &symbol, 1);
	writer.sections[table].sh_offset = sizeof(writer.bytes);
	writer.sections[table].sh_size = size - sizeof(writer.bytes);
	end();
	cr_assert(zero(int, ftruncate(fd, (off_t)size)));
	cr_assert(eq(long, write(fd, writer.bytes, sizeof(writer.bytes)), sizeof(writer.bytes)));
	cr_assert(zero(int, elf_file_open_fd(&large, fd)));
	cr_expect(eq(int, symtab_names(&symtab, &large, NULL, offsets, 1, &answer), -E2BIG));
	elf_file_close(&large);

	writer.sections[table].sh_size = many * sizeof(all);
	memcpy(writer.bytes + ((Elf64_Ehdr *)(void *)writer.bytes)->e_shoff, writer.sections,
	       sizeof(writer.sections));
	cr_assert(
		eq(long, pwrite(fd, writer.bytes, sizeof(writer.bytes), 0), sizeof(writer.bytes)));
	for (uint32_t i = 0; i < many; i++)
		cr_assert(eq(long,
			     pwrite(fd, &all, sizeof(all),
				    (off_t)(sizeof(writer.bytes) + i * sizeof(all))),
			     sizeof(all)));
	cr_assert(zero(int, elf_file_open_fd(&large, fd)));
	cr_expect(eq(int, symtab_names(&symtab, &large, NULL, offsets, JAIL_NAMES_MAX, &answer),
		     -E2BIG));
	cr_expect(zero(int, symtab_names(&symtab, &large, NULL, offsets, 1, &answer)));
	cr_expect(zero(int, strcmp(text_of(&answer.stretches[0]), "all")));
	elf_file_close(&large);
	close(fd);
}

/* A relocation that fills an entry of the global offset table with a function's address. */
static Elf64_Rela relocation(uint64_t entry, uint32_t symbol, uint32_t type)
{
	return (Elf64_Rela){ .r_offset = entry, .r_info = ELF64_R_INFO((uint64_t)symbol, type) };
}

#define GOT 0x410000u

/* A file with stubs at CODE + 0x1000, and three functions of others. */
static void use_stubs(uint16_t machine, const char *section, uint32_t stub_bytes, const void *code,
		      uint32_t size)
{
	static const struct writer_symbol symbols[] = {
		{ "main", CODE, 0x100, STT_FUNC, STB_GLOBAL, TEXT },
		{ "puts", 0, 0, STT_FUNC, STB_GLOBAL, SHN_UNDEF },
		{ "exit", 0, 0, STT_FUNC, STB_GLOBAL, SHN_UNDEF },
		{ "free", 0, 0, STT_FUNC, STB_WEAK, SHN_UNDEF },
		{ "__memcpy", CODE + 0x200, 0x40, STT_GNU_IFUNC, STB_GLOBAL, TEXT },
		{ "memcpy", CODE + 0x200, 0x40, STT_GNU_IFUNC, STB_GLOBAL, TEXT },
		{ "a_resolver", CODE + 0x200, 0x40, STT_FUNC, STB_GLOBAL, TEXT },
	};
	const bool x86 = machine == EM_X86_64;
	Elf64_Rela slots[] = {
		relocation(GOT, 2, x86 ? R_X86_64_JUMP_SLOT : R_AARCH64_JUMP_SLOT),
		relocation(GOT + 8, 3, x86 ? R_X86_64_JUMP_SLOT : R_AARCH64_JUMP_SLOT),
		relocation(GOT + 24, 0, x86 ? R_X86_64_IRELATIVE : R_AARCH64_IRELATIVE),
	};
	const Elf64_Rela data[] = {
		relocation(GOT + 16, 1, x86 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE),
		relocation(GOT + 16, 4, x86 ? R_X86_64_GLOB_DAT : R_AARCH64_GLOB_DAT),
	};
	uint32_t index, dynsym;

	slots[2].r_addend = CODE + 0x200;
	elf_writer_begin(&writer, machine);
	elf_writer_code(&writer, ".text", CODE, 0x1000);
	index = elf_writer_code(&writer, section, CODE + 0x1000, size);
	writer.sections[index].sh_entsize = stub_bytes;
	memcpy(writer.bytes + offset_of(CODE + 0x1000), code, size);
	dynsym = elf_writer_symbols(&writer, SHT_DYNSYM, symbols, 7);
	elf_writer_content(&writer, ".rela.plt", SHT_RELA, dynsym, slots, sizeof(slots));
	elf_writer_content(&writer, ".rela.dyn", SHT_RELA, dynsym, data, sizeof(data));
	end();
}

/* The displacement of an instruction of x86_64 that ends at an offset in the stubs. */
static void displace(uint8_t *code, uint32_t instruction_end, uint64_t to)
{
	const int32_t displacement = (int32_t)(to - (CODE + 0x1000 + instruction_end));

	memcpy(code + instruction_end - 4, &displacement, sizeof(displacement));
}

Test(symtab, stubs_of_x86)
{
	/* the first stub is the linker's own */
	uint8_t plain[64] = "\xff\x35....\xff\x25....\x0f\x1f\x40\0"
			    "\xff\x25....\x68\0\0\0\0\xe9...."
			    "\xff\x25....\x68\1\0\0\0\xe9...."
			    "\xff\x25....\x68\2\0\0\0\xe9....";
	uint8_t got[16] = "\xff\x25....\x66\x90\xff\x25....\x66\x90";
	uint8_t landing[32] = "\xf3\x0f\x1e\xfa\xff\x25....\x66\x0f\x1f\x44\0\0"
			      "\xf3\x0f\x1e\xfa\xf2\xff\x25....\x0f\x1f\x44\0\0";
	uint8_t lazy[32] = "\xf3\x0f\x1e\xfa\x68\1\0\0\0\xe9....\x66\x90"
			   "\xf3\x0f\x1e\xfa\x68\x07\0\0\0\xe9....\x66\x90";
	uint8_t index[16] = "\xf3\x0f\x1e\xfa\x41\xbb\0\0\0\0\xff\x25....";

	displace(plain, 12, GOT - 8);
	displace(plain, 16 + 6, GOT);
	displace(plain, 32 + 6, GOT + 8);
	displace(plain, 48 + 6, GOT + 24);
	use_stubs(EM_X86_64, ".plt", 16, plain, sizeof(plain));
	expect(CODE + 0x50, "main", CODE, CODE + 0x100);
	expect(CODE + 0xfff, "", CODE + 0x240, CODE + 0x1000);
	expect(CODE + 0x1000, "", CODE + 0x1000, CODE + 0x1010);
	expect(CODE + 0x1010, "puts@plt", CODE + 0x1010, CODE + 0x1020);
	expect(CODE + 0x102f, "exit@plt", CODE + 0x1020, CODE + 0x1030);
	/* which memcpy is chosen at start */
	expect(CODE + 0x1030, "memcpy@plt", CODE + 0x1030, CODE + 0x1040);

	displace(got, 6, GOT + 16);
	displace(got, 8 + 6, GOT + 32);
	use_stubs(EM_X86_64, ".plt.got", 8, got, sizeof(got));
	expect(CODE + 0x1006, "free@plt", CODE + 0x1000, CODE + 0x1008);
	expect(CODE + 0x1008, "", CODE + 0x1008, CODE + 0x1010);

	displace(landing, 10, GOT + 8);
	displace(landing, 16 + 11, GOT);
	use_stubs(EM_X86_64, ".plt.sec", 16, landing, sizeof(landing));
	expect(CODE + 0x1004, "exit@plt", CODE + 0x1000, CODE + 0x1010);
	expect(CODE + 0x101f, "puts@plt", CODE + 0x1010, CODE + 0x1020);

	use_stubs(EM_X86_64, ".plt", 16, lazy, sizeof(lazy));
	expect(CODE + 0x1004, "exit@plt", CODE + 0x1000, CODE + 0x1010);
	expect(CODE + 0x1014, "", CODE + 0x1010, CODE + 0x1020);

	displace(index, 16, GOT);
	use_stubs(EM_X86_64, ".plt", 16, index, sizeof(index));
	expect(CODE + 0x1004, "puts@plt", CODE + 0x1000, CODE + 0x1010);
}

Test(symtab, stubs_of_arm64)
{
	/* adrp x16; ldr x17, [x16, #lo]; add x16, x16, #lo; br x17. Code is at page 0x402. */
	static const uint32_t plain[] = {
		0xa9bf7bf0, 0xf0000070, 0xf947fe11, 0x913fe210, 0xd61f0220, 0xd503201f,
		0xd503201f, 0xd503201f, 0xd0000070, 0xf9400211, 0x91000210, 0xd61f0220,
		0xd0000070, 0xf9400611, 0x91002210, 0xd61f0220,
	};
	static const uint32_t landing[] = {
		0xd503245f, 0xd0000070, 0xf9400211, 0x91000210, 0xd61f0220, 0xd503201f,
		0xd503245f, 0xd0000070, 0xf9400611, 0x91002210, 0xd61f0220, 0xd503201f,
	};

	use_stubs(EM_AARCH64, ".plt", 16, plain, sizeof(plain));
	expect_name(CODE + 0x1000, ""); /* the linker's own */
	expect_name(CODE + 0x1010, "");
	expect(CODE + 0x1020, "puts@plt", CODE + 0x1020, CODE + 0x1030);
	expect(CODE + 0x102c, "puts@plt", CODE + 0x1020, CODE + 0x1030);
	expect(CODE + 0x1034, "exit@plt", CODE + 0x1030, CODE + 0x1040);
	use_stubs(EM_AARCH64, ".plt", 24, landing, sizeof(landing));
	expect(CODE + 0x1000, "puts@plt", CODE + 0x1000, CODE + 0x1018);
	expect(CODE + 0x1014, "puts@plt", CODE + 0x1000, CODE + 0x1018);
	expect(CODE + 0x1018, "exit@plt", CODE + 0x1018, CODE + 0x1030);
	expect(CODE + 0x102c, "exit@plt", CODE + 0x1018, CODE + 0x1030);
}
