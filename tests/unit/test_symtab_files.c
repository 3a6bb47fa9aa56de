// SPDX-License-Identifier: Apache-2.0
/*
 * test_symtab_files.c - the jail and the tools name every function of real files alike, whether the
 * symbols are in the file, in its debug file or in MiniDebugInfo; stubs of the PLT have the names
 * that the relocations have.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jail/symtab.h"
#include "tools/symbol_table.h"

static struct symtab symtab;
static struct name_answer answer;
static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/test_symtab-XXXXXX");
	cr_assert(mkdtemp(dir) != NULL);
}

static void run(const char *command)
{
	cr_assert(zero(int, system(command)), "%s", command);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	run(command);
}

TestSuite(symtab_files, .init = setup, .fini = teardown, .timeout = 60);

/* The symbols of a file as the tools have them. */
struct reference {
	Dwfl *dwfl;
	struct symbols symbols;
};

/* Debug files that happen to be installed are for another test. */
static int find_no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			     const char *file, const char *link, GElf_Word crc, char **ret)
{
	(void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
	(void)ret;
	return -1;
}

static void open_reference(struct reference *r, const char *path)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = find_no_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl_Module *module;

	r->dwfl = dwfl_begin(&callbacks);
	dwfl_report_begin(r->dwfl);
	module = dwfl_report_elf(r->dwfl, path, path, -1, 0, true);
	cr_assert(module != NULL, "%s", path);
	dwfl_report_end(r->dwfl, NULL, NULL);
	cr_assert(zero(int, symbols_load(&r->symbols, module)));
	cr_assert(gt(sz, r->symbols.count, 0), "%s", path);
}

static void close_reference(struct reference *r)
{
	symbols_release(&r->symbols);
	dwfl_end(r->dwfl);
}

/* The name of an address, without its version; "" for none. */
static const char *reference_name(const struct reference *r, uint64_t address)
{
	const struct symbol *symbol = symbols_find(&r->symbols, address);
	static char name[JAIL_NAME_BYTES_MAX];

	snprintf(name, sizeof(name), "%s", symbol ? symbols_name(&r->symbols, symbol) : "");
	name[strcspn(name, "@")] = '\0';
	return name;
}

static void open_elf(struct elf_file *elf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(ge(int, fd, 0), "%s", path);
	cr_assert(zero(int, elf_file_open_fd(elf, fd)), "%s", path);
	close(fd);
}

/* The offset of an address of code. */
static bool find_offset(const struct elf_file *elf, uint64_t address, uint64_t *ret)
{
	for (uint32_t i = 0; i < elf->load_count; i++) {
		const struct elf_part *part = &elf->loads[i].part;

		if (!elf->loads[i].executable || address < part->address ||
		    address - part->address >= part->size)
			continue;
		*ret = address - part->address + part->offset;
		return true;
	}
	return false;
}

static uint64_t address_of(const struct elf_file *elf, uint64_t offset)
{
	for (uint32_t i = 0; i < elf->load_count; i++) {
		const struct elf_part *part = &elf->loads[i].part;

		if (elf->loads[i].executable && offset >= part->offset &&
		    offset - part->offset < part->size)
			return offset - part->offset + part->address;
	}
	return 0;
}

static int compare_offsets(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Where every symbol starts, ends and has its middle. Return: how many. */
static size_t list_offsets(const struct reference *r, const struct elf_file *elf, uint64_t **ret)
{
	uint64_t *offsets = calloc(r->symbols.count * 4, sizeof(*offsets));
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < r->symbols.count; i++) {
		const struct symbol *s = &r->symbols.symbol[i];
		const uint64_t places[] = { s->start, s->start + (s->end - s->start) / 2,
					    s->end - 1, s->end };

		for (size_t k = 0; k < 4; k++)
			count += find_offset(elf, places[k], &offsets[count]);
	}
	qsort(offsets, count, sizeof(*offsets), compare_offsets);
	for (size_t i = 0; i < count; i++) {
		if (!kept || offsets[i] != offsets[kept - 1])
			offsets[kept++] = offsets[i];
	}
	*ret = offsets;
	return kept;
}

/* Stubs, and what else the tools have no name for. */
static bool is_stub(const char *name)
{
	const size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, "@plt");
}

static void expect_alike(const struct reference *r, const struct elf_file *elf, uint64_t offset,
			 const struct jail_stretch *stretch)
{
	const uint64_t places[] = { offset, stretch->start, stretch->end - 1 };
	const char *name = stretch->name == JAIL_NO_NAME ? "" : answer.text + stretch->name;

	for (size_t i = 0; i < 3; i++) {
		const char *expected = reference_name(r, address_of(elf, places[i]));

		if (!*expected && is_stub(name))
			continue;
		cr_assert(zero(int, strcmp(name, expected)), "%#lx: '%s', not '%s'",
			  address_of(elf, places[i]), name, expected);
	}
}

/* All functions of a file, so many at a time; the names are those of @reference. */
static void compare(const char *reference, const char *path, const char *debug_path,
		    uint32_t at_once)
{
	struct elf_file elf, debug = { 0 };
	struct reference r;
	uint64_t *offsets;
	size_t count, done = 0;

	open_reference(&r, reference);
	open_elf(&elf, path);
	if (debug_path) {
		int fd = open(debug_path, O_RDONLY | O_CLOEXEC);

		cr_assert(zero(int, elf_file_open_debug_fd(&debug, fd)));
		close(fd);
	}
	count = list_offsets(&r, &elf, &offsets);
	cr_assert(gt(sz, count, 3), "%s", path);
	while (done < count) {
		const uint32_t n = count - done < at_once ? (uint32_t)(count - done) : at_once;
		uint32_t at = 0;

		cr_assert(zero(int, symtab_names(&symtab, &elf, debug_path ? &debug : NULL,
						 offsets + done, n, &answer)));
		cr_assert(gt(u32, answer.count, 0));
		for (uint32_t i = 0; i < n && at < answer.count; done++, i++) {
			while (at < answer.count && answer.stretches[at].end <= offsets[done])
				at++;
			if (at == answer.count)
				break;
			cr_assert(le(u64, answer.stretches[at].start, offsets[done]));
			expect_alike(&r, &elf, offsets[done], &answer.stretches[at]);
		}
	}
	free(offsets);
	elf_file_close(&elf);
	elf_file_close(&debug);
	close_reference(&r);
}

/* The file of a library that this test has mapped. */
static void find_library(const char *part, char path[PATH_MAX])
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];

	path[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, part))
			sscanf(strchr(line, '/'), "%4095s", path);
	}
	fclose(maps);
	cr_assert(ne(chr, path[0], '\0'), "%s", part);
}

Test(symtab_files, functions_of_libraries)
{
	static const char *const mapped[] = { "/libc.so", "/ld-linux", "/libelf", "/libstdc++" };
	static const char *const others[] = { "/usr/bin/python3", "/bin/bash",
					      "/lib/x86_64-linux-gnu/libcrypto.so.3",
					      "/lib/aarch64-linux-gnu/libcrypto.so.3" };
	char path[PATH_MAX];

	for (size_t i = 0; i < 3; i++) {
		find_library(mapped[i], path);
		compare(path, path, NULL, JAIL_NAMES_MAX);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!access(others[i], R_OK))
			compare(others[i], others[i], NULL, JAIL_NAMES_MAX);
	}
	find_library("/ld-linux", path);
	compare(path, path, NULL, 1);
	compare("/proc/self/exe", "/proc/self/exe", NULL, 7);
}

/* The tests below take files apart with these, and a small root may lack them. */
static void need_programs(const char *names)
{
	char command[256];

	snprintf(command, sizeof(command), "for p in %s; do command -v $p >/dev/null || exit; done",
		 names);
	if (system(command))
		cr_skip_test("not all of these programs are here: %s", names);
}

/* This test with its symbols elsewhere is named as with them inside. */
Test(symtab_files, functions_of_stripped_files)
{
	char command[2048], stripped[128], debug[128], mini[128];

	need_programs("awk comm nm objcopy sed sort xz");
	snprintf(stripped, sizeof(stripped), "%s/stripped", dir);
	snprintf(debug, sizeof(debug), "%s/debug", dir);
	snprintf(mini, sizeof(mini), "%s/mini", dir);
	snprintf(command, sizeof(command),
		 "cd %s && cp /proc/%d/exe whole && objcopy --only-keep-debug whole debug && "
		 "objcopy -S whole stripped && nm -D stripped --format=posix --defined-only | "
		 "awk '{ print $1 }' | sed 's/@.*//' | sort >dynamic && nm whole --format=posix "
		 "--defined-only | "
		 "awk '$2 ~ /[TtWw]/ { print $1 }' | sort | comm -13 dynamic - >names && "
		 "objcopy -S --remove-section .comment --keep-symbols=names debug small && "
		 "xz -k small && objcopy --add-section .gnu_debugdata=small.xz stripped mini",
		 dir, getpid());
	run(command);
	compare("/proc/self/exe", stripped, debug, JAIL_NAMES_MAX);
	compare("/proc/self/exe", mini, NULL, JAIL_NAMES_MAX);
	/* and as the tools name what is in there */
	compare(mini, mini, NULL, JAIL_NAMES_MAX);
}

/* Every stub that `objdump` finds has the name that it gives it. */
Test(symtab_files, stubs)
{
	char path[PATH_MAX], command[PATH_MAX + 256], line[256];
	uint32_t known = 0, other = 0;
	struct elf_file elf;
	FILE *list;

	need_programs("objdump sed");
	find_library("/libelf", path);
	open_elf(&elf, path);
	snprintf(command, sizeof(command),
		 "objdump -d -j .plt -j .plt.sec -j .plt.got %s 2>/dev/null | "
		 "sed -n 's/^\\([0-9a-f]*\\) <\\(.*\\)>:$/\\1 \\2/p'",
		 path);
	list = popen(command, "re");
	while (fgets(line, sizeof(line), list)) {
		uint64_t address, offset;
		char name[200];

		if (sscanf(line, "%lx %199s", &address, name) != 2 || !is_stub(name) ||
		    !find_offset(&elf, address, &offset))
			continue;
		cr_assert(zero(int, symtab_names(&symtab, &elf, NULL, &offset, 1, &answer)));
		cr_assert(eq(u64, answer.stretches[0].start, offset));
		if (answer.stretches[0].name == JAIL_NO_NAME) {
			other++;
			continue;
		}
		cr_assert(zero(int, strcmp(answer.text, name)), "%#lx: '%s', not '%s'", address,
			  answer.text, name);
		known++;
	}
	pclose(list);
	cr_expect(gt(u32, known, 20));
	cr_expect(zero(u32, other));
	elf_file_close(&elf);
}
