// SPDX-License-Identifier: Apache-2.0
/*
 * test_jail_names.c - names through the jail are those of the table, locked up as it is, and what
 * people do to their files and maps meanwhile costs nobody else's names.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "jail/symtab.h"
#include "profiler/jail.h"
#include "tests/unit/elf_writer.h"

#define PLACES 600

static struct jail *jail;
static struct symtab symtab;
static struct name_answer answer;

static void setup(void)
{
	cr_assert(zero(int, jail_open(&jail, JAIL_PROGRAM)));
}

static void teardown(void)
{
	jail_free(jail);
}

TestSuite(jail_names, .init = setup, .fini = teardown, .timeout = 60);

static void send_file(uint32_t id, int fd)
{
	struct jail_file_answer file;

	cr_assert(zero(int, jail_file(jail, id, fd, &file)));
}

/* The file of the C library. */
static int open_library(void)
{
	char line[PATH_MAX + 128], path[PATH_MAX] = "";
	FILE *maps = fopen("/proc/self/maps", "re");
	int fd;

	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "/libc.so") || strstr(line, "/libc-"))
			sscanf(strchr(line, '/'), "%4095s", path);
	}
	fclose(maps);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(ge(int, fd, 0));
	return fd;
}

/* Asks for names of a file that is known as @id, in the jail and here: all the same. */
static void compare(uint32_t id, int fd, uint64_t first, uint64_t step)
{
	uint64_t offsets[PLACES];
	struct jail_names names;
	struct elf_file file;

	for (uint32_t i = 0; i < PLACES; i++)
		offsets[i] = first + i * step;
	cr_assert(zero(int, elf_file_open_fd(&file, fd)));
	cr_assert(zero(int, symtab_names(&symtab, &file, NULL, offsets, PLACES, &answer)));
	elf_file_close(&file);
	cr_assert(zero(int, jail_names(jail, id, offsets, PLACES, &names)));
	cr_assert(eq(u32, names.count, answer.count));
	cr_assert(zero(int, memcmp(names.stretches, answer.stretches,
				   names.count * sizeof(names.stretches[0]))));
	cr_assert(zero(int, memcmp(names.texts, answer.text, answer.text_bytes)));
	cr_assert(gt(u32, answer.text_bytes, 0));
}

Test(jail_names, are_those_of_the_table)
{
	const uint64_t place = 0x1000;
	struct jail_names names;
	int fd = open_library();

	cr_assert(eq(int, jail_names(jail, 1, &place, 1, &names), -ENOENT));
	send_file(1, fd);
	compare(1, fd, 0x30000, 1000);
	compare(1, fd, 0, 2500);
	cr_assert(eq(int, jail_names(jail, 1, &place, 0, &names), -EINVAL));
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
	close(fd);
}

/* A file with MiniDebugInfo of so many bytes, of which the first are a symbol table. */
static int make_mini(size_t bytes)
{
	static const struct writer_symbol hidden = { "hidden", WRITER_CODE, 0x8000,
						     STT_FUNC, STB_LOCAL,   1 };
	static const struct writer_symbol dynamic = { "dynamic", WRITER_CODE + 0x100, 0x100,
						      STT_FUNC,	 STB_LOCAL,	      1 };
	static struct elf_writer mini, writer;
	static uint8_t xz[1 << 17];
	const int fd = memfd_create("mini", MFD_CLOEXEC);
	uint8_t *content = calloc(1, bytes);
	size_t used = 0;

	elf_writer_begin(&mini, EM_X86_64);
	elf_writer_code(&mini, ".text", WRITER_CODE, 0x8000);
	elf_writer_symbols(&mini, SHT_SYMTAB, &hidden, 1);
	elf_writer_end(&mini);
	memcpy(content, mini.bytes, sizeof(mini.bytes));
	cr_assert(zero(int, (int)lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, content, bytes,
							 xz, &used, sizeof(xz))));
	free(content);
	elf_writer_begin(&writer, EM_X86_64);
	elf_writer_code(&writer, ".text", WRITER_CODE, 0x8000);
	elf_writer_symbols(&writer, SHT_DYNSYM, &dynamic, 1);
	elf_writer_content(&writer, ".gnu_debugdata", SHT_PROGBITS, 0, xz, (uint32_t)used);
	elf_writer_end(&writer);
	cr_assert(eq(long, write(fd, writer.bytes, sizeof(writer.bytes)), sizeof(writer.bytes)));
	return fd;
}

/* The decoder has the memory and the system calls that it needs, and no more. */
Test(jail_names, of_mini_debug_info)
{
	const size_t sizes[] = { WRITER_BYTES, MINIDEBUG_BYTES_MAX, MINIDEBUG_BYTES_MAX + 1 };
	const uint64_t place = WRITER_CODE_OFFSET;
	struct jail_names names;

	for (uint32_t i = 0; i < 3; i++) {
		int fd = make_mini(sizes[i]);

		send_file(i + 1, fd);
		compare(i + 1, fd, WRITER_CODE_OFFSET, 10);
		cr_assert(zero(int, jail_names(jail, i + 1, &place, 1, &names)));
		cr_expect(eq(int, names.stretches[0].name == JAIL_NO_NAME, i == 2));
		close(fd);
	}
	/* and again: it has freed what it took */
	for (uint32_t i = 0; i < 3; i++)
		cr_assert(zero(int, jail_names(jail, 2, &place, 1, &names)));
	cr_expect(ne(u32, names.stretches[0].name, JAIL_NO_NAME));
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
	cr_assert(zero(u64, jail_stats(jail).deaths));
}

/* Cut off while it is mapped: that file is refused, and no other suffers. */
Test(jail_names, of_a_file_cut_short)
{
	int library = open_library(), fd = memfd_create("copy", MFD_CLOEXEC);
	const uint64_t place = 0x30000;
	char buffer[65536];
	struct jail_names names;
	ssize_t n;

	while ((n = read(library, buffer, sizeof(buffer))) > 0)
		cr_assert(eq(long, write(fd, buffer, (size_t)n), n));
	send_file(1, fd);
	send_file(2, library);
	cr_assert(zero(int, jail_names(jail, 1, &place, 1, &names)));
	cr_assert(zero(int, ftruncate(fd, 8192)));
	cr_assert(eq(int, jail_names(jail, 1, &place, 1, &names), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_TRUNCATED));
	cr_assert(eq(int, jail_names(jail, 1, &place, 1, &names), -ENOEXEC));
	compare(2, library, 0x30000, 1000);
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
	close(fd);
	close(library);
}

/* A table of 2 GB is refused at once. */
Test(jail_names, of_a_table_that_is_too_large)
{
	static const struct writer_symbol symbol = { "f", WRITER_CODE, 16, STT_FUNC, STB_LOCAL, 1 };
	static struct elf_writer writer;
	const int fd = memfd_create("large", MFD_CLOEXEC);
	const uint64_t place = WRITER_CODE_OFFSET;
	struct jail_names names;
	uint32_t table;

	elf_writer_begin(&writer, EM_X86_64);
	elf_writer_code(&writer, ".text", WRITER_CODE, 0x1000);
	table = elf_writer_symbols(&writer, SHT_SYMTAB, &symbol, 1);
	writer.sections[table].sh_size = 1u << 31;
	elf_writer_end(&writer);
	cr_assert(eq(long, write(fd, writer.bytes, sizeof(writer.bytes)), sizeof(writer.bytes)));
	cr_assert(zero(int, ftruncate(fd, (off_t)sizeof(writer.bytes) + (1l << 31))));
	send_file(1, fd);
	cr_assert(eq(int, jail_names(jail, 1, &place, 1, &names), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_TOO_LARGE));
	cr_assert(zero(u64, jail_stats(jail).deaths));
	close(fd);
}

Test(jail_names, of_maps)
{
	static const char map[] = "1000 100 f\n0x2000 0x10 g h\n3000 1";
	static const uint32_t dump[] = {
		0x4a695444, 1,	40, 0, 0, 0, 0, 0, 0,	   0, /* header */
		0,	    64, 0,  0, 1, 1, 0, 0, 0x1000, 0, 4, 0, 1, 0, 'f' | 'g' << 8, 0,
	};
	const uint64_t places[] = { 0xfff, 0x1000, 0x10ff, 0x2000 };
	const int fd = memfd_create("map", MFD_CLOEXEC);
	uint32_t content[sizeof(dump) / sizeof(dump[0])];
	struct jail_names names;
	int pipes[2];

	cr_assert(eq(long, write(fd, map, sizeof(map) - 1), sizeof(map) - 1));
	cr_assert(zero(int, jail_jit(jail, JAIL_JIT_PERF_MAP, fd, UINT64_MAX, places, 4, &names)));
	cr_assert(eq(u32, names.count, 3));
	cr_expect(eq(u32, names.stretches[0].name, JAIL_NO_NAME));
	cr_expect(zero(int, strcmp(names.texts + names.stretches[1].name, "f")));
	cr_expect(zero(int, strcmp(names.texts + names.stretches[2].name, "g h")));

	cr_assert(eq(int, jail_jit(jail, JAIL_JIT_DUMP, fd, UINT64_MAX, places, 4, &names),
		     -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_CORRUPT));
	memcpy(content, dump, sizeof(dump));
	content[3] = EM_386;
	cr_assert(eq(long, pwrite(fd, content, sizeof(content), 0), sizeof(content)));
	cr_assert(eq(int, jail_jit(jail, JAIL_JIT_DUMP, fd, UINT64_MAX, places, 4, &names),
		     -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_NOT_ELF));
#if defined(__x86_64__)
	content[3] = EM_X86_64;
#else
	content[3] = EM_AARCH64;
#endif
	cr_assert(eq(long, pwrite(fd, content, sizeof(content), 0), sizeof(content)));
	cr_assert(zero(int, jail_jit(jail, JAIL_JIT_DUMP, fd, UINT64_MAX, places, 4, &names)));
	cr_assert(eq(u32, names.count, 3));
	cr_expect(zero(int, strcmp(names.texts + names.stretches[1].name, "fg")));

	cr_assert(zero(int, pipe(pipes)));
	cr_assert(eq(int,
		     jail_jit(jail, JAIL_JIT_PERF_MAP, pipes[0], UINT64_MAX, places, 4, &names),
		     -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_NOT_REGULAR));
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

/* Names may take longer than tables; but not for ever. */
Test(jail_names, late)
{
	const uint64_t place = 0x30000;
	struct jail_names names;
	struct timespec start, now;
	int fd = open_library();
	double took_s;

	send_file(1, fd);
	cr_assert(zero(int, kill((pid_t)jail_pid(jail), SIGSTOP)));
	clock_gettime(CLOCK_MONOTONIC, &start);
	cr_assert(eq(int, jail_names(jail, 1, &place, 1, &names), -ETIMEDOUT));
	clock_gettime(CLOCK_MONOTONIC, &now);
	took_s = (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
	cr_assert(ge(dbl, took_s, JAIL_NAMES_DEADLINE_MS / 1e3));
	cr_assert(lt(dbl, took_s, JAIL_NAMES_DEADLINE_MS / 1e3 + 2));
	close(fd);
}
