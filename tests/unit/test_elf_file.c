// SPDX-License-Identifier: Apache-2.0
/*
 * test_elf_file.c - what the jail reads of ELF files, as they are and as nobody should make them.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jail/elf_file.h"
#include "tests/unwind/tiny_elf.h"

static struct tiny_elf elf;
static struct elf_file file;

static int open_tiny(void)
{
	return elf_file_open_memory(&file, elf.bytes, sizeof(elf.bytes));
}

Test(elf_file, go_keeps_frame_pointers)
{
	static const char note[] = "\4\0\0\0\4\0\0\0\4\0\0\0Go\0\0abcd";
	Elf64_Phdr header = tiny_load(0x600, 0, sizeof(note) - 1, PF_R);

	tiny_elf_init(&elf, EM_X86_64);
	tiny_elf_header(&elf);
	cr_assert(zero(int, open_tiny()));
	cr_expect(not(file.go));
	tiny_elf_section(&elf, ".gopclntab", SHT_PROGBITS, SHF_ALLOC, 0x1000, TINY_CODE, 16);
	cr_assert(zero(int, open_tiny()));
	cr_expect(file.go);

	tiny_elf_init(&elf, EM_X86_64);
	header.p_type = PT_NOTE;
	tiny_elf_program_header(&elf, &header);
	memcpy(elf.bytes + 0x600, note, sizeof(note));
	cr_assert(zero(int, open_tiny()));
	cr_expect(file.go);
}

Test(elf_file, build_id_and_debug_link)
{
	static const char notes[] = "\4\0\0\0\3\0\0\0\1\0\0\0GNU\0xyz\0" /* another note first */
				    "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef";
	Elf64_Phdr header = tiny_load(0x600, 0, sizeof(notes) - 1, PF_R);

	tiny_elf_init(&elf, EM_X86_64);
	cr_assert(zero(int, open_tiny()));
	cr_expect(zero(u8, file.build_id_size));
	cr_expect(zero(u8, (uint8_t)file.debug_link[0]));
	header.p_type = PT_NOTE;
	tiny_elf_program_header(&elf, &header);
	memcpy(elf.bytes + 0x600, notes, sizeof(notes));
	memcpy(elf.bytes + 0x700, "libx.so.debug\0\0\0\1\2\3\4", 20);
	tiny_elf_section(&elf, ".gnu_debuglink", SHT_PROGBITS, 0, 0x700, 0, 20);
	cr_assert(zero(int, open_tiny()));
	cr_expect(eq(u8, file.build_id_size, 4));
	cr_expect(zero(int, memcmp(file.build_id, "\xde\xad\xbe\xef", 4)));
	cr_expect(zero(int, strcmp(file.debug_link, "libx.so.debug")));
	/* Neither a path, nor a name without end, nor an id longer than there is room. */
	memcpy(elf.bytes + 0x700, "../x", 4);
	elf.bytes[0x600 + 20 + 4] = ELF_FILE_BUILD_ID + 1;
	cr_assert(zero(int, open_tiny()));
	cr_expect(zero(u8, file.build_id_size));
	cr_expect(zero(u8, (uint8_t)file.debug_link[0]));
	memset(elf.bytes + 0x700, 'x', 20);
	cr_assert(zero(int, open_tiny()));
	cr_expect(zero(u8, (uint8_t)file.debug_link[0]));
}

Test(elf_file, what_is_no_program)
{
	static const uint8_t changes[][2] = { { 0, 0 },
					      { EI_CLASS, ELFCLASS32 },
					      { EI_DATA, ELFDATA2MSB },
					      { 18, EM_386 },
					      { 54, 32 },
					      { 56, 0 },
					      { 39, 0x80 } };

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		tiny_elf_init(&elf, EM_X86_64);
		elf.bytes[changes[i][0]] = changes[i][1];
		cr_expect(eq(int, open_tiny(), -ENOEXEC), "byte %d", changes[i][0]);
	}
	tiny_elf_init(&elf, EM_X86_64);
	for (size_t size = 0; size < sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr); size++)
		cr_expect(eq(int, elf_file_open_memory(&file, elf.bytes, size), -ENOEXEC));
}

/* Parts are cut at the end of the file, and left out where they would wrap. */
Test(elf_file, segments_lie_in_the_file)
{
	const Elf64_Phdr wild[] = {
		tiny_load(TINY_BYTES - 0x10, 0x900000, UINT64_MAX, PF_R | PF_X),
		tiny_load(TINY_BYTES, 0xa00000, 0x1000, PF_R | PF_X),
		tiny_load(UINT64_MAX, 0xb00000, 2, PF_R | PF_X),
		tiny_load(0x1000, UINT64_MAX - 0xfff, 0x1000, PF_R | PF_X),
	};
	struct elf_part part;

	tiny_elf_init(&elf, EM_X86_64);
	for (size_t i = 0; i < sizeof(wild) / sizeof(*wild); i++)
		tiny_elf_program_header(&elf, &wild[i]);
	cr_assert(zero(int, open_tiny()));
	cr_expect(eq(u16, file.load_count, 3));
	cr_assert(zero(int, elf_file_locate(&file, 0x900002, &part)));
	cr_expect(all(eq(u64, part.offset, TINY_BYTES - 0xe), eq(u64, part.size, 0xe),
		      eq(u64, part.address, 0x900002)));
	cr_expect(eq(int, elf_file_locate(&file, 0x900010, &part), -ENOENT));
	cr_expect(eq(int, elf_file_locate(&file, 0xa00000, &part), -ENOENT));
	cr_expect(eq(int, elf_file_locate(&file, TINY_CODE - 1, &part), -ENOENT));
	cr_assert(zero(int, elf_file_locate(&file, TINY_CODE, &part)));
	cr_expect(all(eq(u64, part.offset, TINY_CODE_OFFSET), eq(u64, part.size, TINY_CODE_BYTES)));
}

Test(elf_file, by_descriptor)
{
	int fd = memfd_create("tiny", MFD_CLOEXEC), pipe_fds[2];

	tiny_elf_init(&elf, EM_AARCH64);
	cr_assert(fd >= 0 && write(fd, elf.bytes, sizeof(elf.bytes)) == sizeof(elf.bytes));
	cr_assert(zero(int, elf_file_open_fd(&file, fd)));
	close(fd);
	cr_expect(all(eq(u16, file.machine, EM_AARCH64), eq(u16, file.load_count, 2),
		      eq(sz, file.size, TINY_BYTES)));
	elf_file_close(&file);
	elf_file_close(&file);
	cr_assert(zero(int, pipe(pipe_fds)));
	cr_expect(eq(int, elf_file_open_fd(&file, pipe_fds[0]), -EINVAL));
	elf_file_close(&file);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_expect(eq(int, elf_file_open_fd(&file, fd), -EINVAL));
	close(fd);
	fd = memfd_create("empty", MFD_CLOEXEC);
	cr_expect(eq(int, elf_file_open_fd(&file, fd), -ENOEXEC));
	elf_file_close(&file);
	close(fd);
	cr_expect(eq(int, elf_file_open_fd(&file, -1), -EBADF));
}
