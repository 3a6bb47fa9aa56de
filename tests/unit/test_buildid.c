// SPDX-License-Identifier: Apache-2.0
/*
 * test_buildid.c - build ids of made ELF files: right ones, and those made to hurt.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/buildid.h"
#include "tests/unit/random.h"

#define NOTES_AT 4096

static struct {
	_Alignas(8) uint8_t bytes[8192];
	size_t size;
} elf;

static size_t add_note(size_t at, uint32_t type, const char *name, uint32_t size)
{
	const Elf64_Nhdr note = { .n_namesz = (uint32_t)strlen(name) + 1,
				  .n_descsz = size,
				  .n_type = type };

	memcpy(elf.bytes + at, &note, sizeof(note));
	at += sizeof(note);
	memcpy(elf.bytes + at, name, note.n_namesz);
	at += (note.n_namesz + 3) & ~3u;
	for (uint32_t i = 0; i < size; i++)
		elf.bytes[at + i] = (uint8_t)(i + 1);
	return at + ((size + 3) & ~3u);
}

/* Two segments; the second has two notes, of which the second is the build id. */
static void make_elf64(void)
{
	Elf64_Ehdr header = { .e_phoff = sizeof(Elf64_Ehdr),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 2 };
	Elf64_Phdr segments[2] = { { .p_type = PT_LOAD }, { .p_type = PT_NOTE } };

	memset(&elf, 0, sizeof(elf));
	elf.size = add_note(NOTES_AT, NT_GNU_ABI_TAG, "GNU", 16);
	elf.size = add_note(elf.size, NT_GNU_BUILD_ID, "GNU", 20);
	segments[1].p_offset = NOTES_AT;
	segments[1].p_filesz = elf.size - NOTES_AT;
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(elf.bytes, &header, sizeof(header));
	memcpy(elf.bytes + sizeof(header), segments, sizeof(segments));
}

static void make_elf32(void)
{
	Elf32_Ehdr header = { .e_phoff = 100, .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1 };
	Elf32_Phdr segment = { .p_type = PT_NOTE, .p_offset = NOTES_AT };

	memset(&elf, 0, sizeof(elf));
	elf.size = add_note(NOTES_AT, NT_GNU_BUILD_ID, "GNU", 8);
	segment.p_filesz = (Elf32_Word)(elf.size - NOTES_AT);
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS32;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(elf.bytes, &header, sizeof(header));
	memcpy(elf.bytes + 100, &segment, sizeof(segment));
}

/* What is read from the first @size bytes. */
static int read_id(size_t size, uint8_t *id)
{
	int fd = memfd_create("elf", MFD_CLOEXEC), result;

	cr_assert(fd >= 0);
	cr_assert(write(fd, elf.bytes, size) == (ssize_t)size);
	result = buildid_read(fd, id);
	close(fd);
	return result;
}

Test(buildid, of_both_classes)
{
	uint8_t id[BUILDID_SIZE];

	make_elf64();
	cr_assert(eq(int, read_id(elf.size, id), 20));
	for (int i = 0; i < 20; i++)
		cr_expect(id[i] == i + 1);
	make_elf32();
	cr_assert(eq(int, read_id(elf.size, id), 8));
	cr_expect(id[0] == 1 && id[7] == 8);
}

Test(buildid, cut_anywhere)
{
	uint8_t id[BUILDID_SIZE];

	make_elf64();
	for (size_t size = 0; size < elf.size; size++) {
		int result = read_id(size, id);

		cr_assert(result == -ENOEXEC || result == -ENODATA, "%zu bytes: %d", size, result);
	}
}

Test(buildid, flipped_anywhere)
{
	uint8_t id[BUILDID_SIZE];
	uint64_t random = 5;

	for (int i = 0; i < 5000; i++) {
		size_t at;
		int result;

		make_elf64();
		at = random_below(&random, 400);
		elf.bytes[at < 200 ? at : NOTES_AT + at - 200] = (uint8_t)next_random(&random);
		result = read_id(elf.size, id);
		cr_assert(result <= BUILDID_SIZE && result != 0 && result != -EFAULT);
	}
}

static Elf64_Ehdr *header64(void)
{
	return (Elf64_Ehdr *)(void *)elf.bytes;
}

Test(buildid, refused)
{
	uint8_t id[BUILDID_SIZE];
	int fds[2];

	make_elf64();
	header64()->e_phnum = 0xffff;
	cr_expect(eq(int, read_id(elf.size, id), -ENOEXEC));
	make_elf64();
	header64()->e_phentsize = 8;
	cr_expect(eq(int, read_id(elf.size, id), -ENOEXEC));
	make_elf64();
	header64()->e_phoff = UINT64_MAX - 8;
	cr_expect(eq(int, read_id(elf.size, id), -ENOEXEC));
	make_elf64();
	header64()->e_ident[EI_DATA] = ELFDATA2MSB;
	cr_expect(eq(int, read_id(elf.size, id), -ENOEXEC));
	make_elf64();
	header64()->e_phnum = 1;
	cr_expect(eq(int, read_id(elf.size, id), -ENODATA));
	cr_assert(zero(int, pipe(fds)));
	cr_expect(eq(int, buildid_read(fds[0], id), -EINVAL), "not a regular file");
	cr_expect(eq(int, buildid_read(-1, id), -EBADF));
}

Test(buildid, notes)
{
	uint8_t id[BUILDID_SIZE];
	uint8_t note[40] = { 4, 0, 0, 0, 20, 0, 0, 0, NT_GNU_BUILD_ID, 0, 0, 0, 'G', 'N', 'U' };

	cr_expect(eq(int, buildid_parse_notes(note, 36, id), 20));
	cr_expect(eq(int, buildid_parse_notes(note, 35, id), -ENODATA), "cut");
	note[4] = 21;
	cr_expect(eq(int, buildid_parse_notes(note, 40, id), -ENODATA), "too large");
	note[4] = 0;
	cr_expect(eq(int, buildid_parse_notes(note, 40, id), -ENODATA), "empty");
	note[4] = 20;
	note[12] = 'X';
	cr_expect(eq(int, buildid_parse_notes(note, 36, id), -ENODATA), "another owner");
	memset(note, 0xff, 12);
	cr_expect(eq(int, buildid_parse_notes(note, 40, id), -ENODATA), "sizes that wrap");
	memset(note, 0, sizeof(note));
	cr_expect(eq(int, buildid_parse_notes(note, 40, id), -ENODATA), "zeros");
}

Test(buildid, of_this_kernel)
{
	uint8_t id[BUILDID_SIZE];
	int size = buildid_read_kernel(id);

	if (size == -ENOENT || size == -EACCES || size == -ENODATA)
		cr_skip_test("the kernel shows no notes");
	cr_expect(size == 20 || size == 16, "%d", size);
}
