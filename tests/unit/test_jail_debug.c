// SPDX-License-Identifier: Apache-2.0
/*
 * test_jail_debug.c - a separate debug file is used if it belongs to the file, by its build id or
 * its checksum, and otherwise the file stays as it was.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "profiler/jail.h"
#include "tests/unwind/tiny_elf.h"

#define NOTE_AT	   0x600
#define LINK_AT	   0x700
#define LINK_BYTES 20
#define ID_AT	   (NOTE_AT + 16)

static struct jail *jail;
static struct jail_file_answer answer;
static enum jail_kind kind;
static struct jail_page page;

/* The file has code and a debug link; what its code is like is in the debug file alone. */
static struct tiny_elf program, debug;
static int debug_fd;

static void add_build_id(struct tiny_elf *elf)
{
	static const char note[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef";
	Elf64_Phdr header = tiny_load(NOTE_AT, 0, sizeof(note) - 1, PF_R);

	header.p_type = PT_NOTE;
	tiny_elf_program_header(elf, &header);
	memcpy(elf->bytes + NOTE_AT, note, sizeof(note) - 1);
}

/* A function of 0x20 bytes at TINY_CODE, whose CFA is rsp + 8. */
static void add_debug_frame(struct tiny_elf *elf)
{
	static const uint8_t cie[] = { 0xff, 0xff, 0xff, 0xff, 4, 0, 8,	   0,
				       1,    0x78, 16,	 0x0c, 7, 8, 0x90, 1 };
	const uint32_t fde[] = { 0, TINY_CODE, 0, 0x20, 0 };

	tiny_elf_entry(elf, cie, sizeof(cie));
	tiny_elf_entry(elf, fde, sizeof(fde));
	tiny_elf_section(elf, ".debug_frame", SHT_PROGBITS, 0, TINY_FRAMES_AT, 0, elf->frames_size);
}

/* The debug link names the debug file as it is now. */
static void link_them(void)
{
	const uint32_t crc = (uint32_t)crc32_z(0, debug.bytes, sizeof(debug.bytes));

	memcpy(program.bytes + LINK_AT, "program.debug\0\0", LINK_BYTES - 4);
	memcpy(program.bytes + LINK_AT + LINK_BYTES - 4, &crc, sizeof(crc));
	tiny_elf_section(&program, ".gnu_debuglink", SHT_PROGBITS, 0, LINK_AT, 0, LINK_BYTES);
}

static void setup(void)
{
	cr_assert(zero(int, jail_open(&jail, JAIL_PROGRAM)));
	tiny_elf_init(&program, EM_X86_64);
	tiny_elf_init(&debug, EM_X86_64);
	add_debug_frame(&debug);
}

static void teardown(void)
{
	close(debug_fd);
	jail_free(jail);
}

TestSuite(jail_debug, .init = setup, .fini = teardown, .timeout = 20);

static int make_fd(const void *bytes, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(long, write(fd, bytes, size), (long)size));
	return fd;
}

static void send_program(void)
{
	int fd = make_fd(program.bytes, sizeof(program.bytes));

	cr_assert(zero(int, jail_file(jail, 1, fd, &answer)));
	close(fd);
	cr_assert(eq(int, answer.kind, JAIL_KIND_BARE));
	cr_assert(eq(u32, answer.lacks, JAIL_LACKS_TABLES | JAIL_LACKS_SYMBOLS));
}

static int send_debug(size_t size)
{
	debug_fd = make_fd(debug.bytes, size);
	kind = JAIL_KINDS;
	return jail_debug(jail, 1, debug_fd, &kind);
}

static void expect_used(void)
{
	send_program();
	cr_assert(zero(int, send_debug(sizeof(debug.bytes))));
	cr_assert(eq(int, kind, JAIL_KIND_TABLES));
	cr_assert(zero(int, jail_page(jail, 1, TINY_CODE_OFFSET >> UNWIND_PAGE_SHIFT, &page)));
	cr_assert(eq(u32, page.row_count, 3));
	cr_assert(eq(u16, page.rows[1].offset, TINY_CODE_OFFSET));
	cr_assert(eq(u8, page.rules[page.rows[1].rule].cfa, UNWIND_SP));
}

/* Refused, and the jail goes on with the file as it was. */
static void expect_refused(size_t size)
{
	send_program();
	cr_assert(eq(int, send_debug(size), -ENOEXEC));
	cr_assert(eq(int, kind, JAIL_KINDS), "untouched");
	cr_assert(zero(int, jail_page(jail, 1, 0, &page)));
	cr_assert(zero(u32, page.row_count));
	cr_assert(zero(u64, jail_stats(jail).deaths));
}

Test(jail_debug, by_build_id)
{
	add_build_id(&program);
	add_build_id(&debug);
	expect_used();
	cr_assert(eq(int, jail_debug(jail, 1, debug_fd, &kind), -ENOEXEC), "it has one");
	cr_assert(eq(int, jail_debug(jail, 2, debug_fd, &kind), -ENOENT));
}

Test(jail_debug, by_checksum)
{
	link_them();
	expect_used();
	cr_assert(zero(int, strcmp(answer.debug_link, "program.debug")));
}

/* As linkers and strippers leave it: only one of the two has an id. */
Test(jail_debug, by_checksum_with_one_build_id)
{
	add_build_id(&debug);
	link_them();
	expect_used();
}

Test(jail_debug, of_another_build)
{
	add_build_id(&program);
	add_build_id(&debug);
	debug.bytes[ID_AT + 3] ^= 1;
	link_them(); /* though the link's checksum is right */
	expect_refused(sizeof(debug.bytes));
}

Test(jail_debug, of_another_checksum)
{
	link_them();
	debug.bytes[TINY_BYTES - 1] ^= 1;
	expect_refused(sizeof(debug.bytes));
}

Test(jail_debug, nothing_joins_them)
{
	expect_refused(sizeof(debug.bytes));
}

Test(jail_debug, of_another_machine)
{
	debug.bytes[18] = EM_AARCH64;
	link_them();
	expect_refused(sizeof(debug.bytes));
}

Test(jail_debug, not_a_file_of_code)
{
	link_them();
	memset(debug.bytes, 'x', 64);
	expect_refused(64);
	close(debug_fd);
	expect_refused(0);
}

/* Cut off after it was believed: costs that file's tables, and no other and not the jail. */
Test(jail_debug, cut_short)
{
	add_build_id(&program);
	add_build_id(&debug);
	expect_used();
	cr_assert(zero(int, ftruncate(debug_fd, 4096)));
	cr_assert(eq(int, jail_page(jail, 1, 0, &page), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_TRUNCATED));
	cr_assert(zero(u64, jail_stats(jail).deaths));
	close(debug_fd);
	expect_used();
}

/* The sections' headers say that there is more than there is. */
Test(jail_debug, cut_short_before)
{
	add_build_id(&program);
	add_build_id(&debug);
	send_program();
	cr_assert(zero(int, send_debug(TINY_FRAMES_AT)));
	cr_assert(eq(int, kind, JAIL_KIND_BARE));
}

/* Compressed, as most are. */
Test(jail_debug, compressed)
{
	Elf64_Chdr header = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = debug.frames_size };
	uint8_t packed[256];
	uLongf size = sizeof(packed);

	cr_assert(zero(int,
		       compress(packed, &size, debug.bytes + TINY_FRAMES_AT, debug.frames_size)));
	memcpy(debug.bytes + TINY_FRAMES_AT, &header, sizeof(header));
	memcpy(debug.bytes + TINY_FRAMES_AT + sizeof(header), packed, size);
	tiny_elf_section(&debug, ".debug_frame", SHT_PROGBITS, SHF_COMPRESSED, TINY_FRAMES_AT, 0,
			 (uint32_t)(sizeof(header) + size));
	link_them();
	expect_used();
}
