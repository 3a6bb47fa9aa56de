/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_symbolize.c - files that symbolize() must refuse, the vDSO, and this program's own
 * inlined functions and lines.
 *
 * That all names are right is for tests/golden and tests/symbols to show, against other tools.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/symbolize.h"

#ifdef __x86_64__
#define ADDRESS_OF_THIS "1: lea 1b(%%rip), %0"
#else
#define ADDRESS_OF_THIS "1: adr %0, 1b"
#endif

static struct symbolizer *symbolizer;

static void open_symbolizer(void)
{
	static const struct symbol_options options = { .debug_dirs = 0 };

	cr_assert(eq(int, symbolizer_open(&symbolizer, &options), 0));
}

static void close_symbolizer(void)
{
	symbolizer_free(symbolizer);
}

TestSuite(tools_symbolize, .init = open_symbolizer, .fini = close_symbolizer, .timeout = 20);

static int ask(const char *path, const void *build_id, size_t bytes, struct symbol_query *query)
{
	const struct symbol_file file = {
		.path = path,
		.build_id = build_id,
		.build_id_bytes = bytes,
		.recorded_ns = UINT64_MAX,
	};

	return symbolize(symbolizer, &file, query, 1);
}

Test(tools_symbolize, refuses_what_is_no_file)
{
	struct symbol_query query = { .offset = 1 };
	char folder[] = "/tmp/test_tools_symbolize.XXXXXX";
	char path[64];

	cr_assert(not(zero(ptr, mkdtemp(folder))));
	snprintf(path, sizeof(path), "%s/pipe", folder);
	cr_assert(eq(int, mkfifo(path, 0600), 0));
	cr_expect(
		eq(int, ask(path, NULL, 0, &query), -ENOENT)); /* and does not wait for a writer */
	unlink(path);
	cr_expect(eq(int, ask(path, NULL, 0, &query), -ENOENT));
	cr_expect(eq(int, ask(folder, NULL, 0, &query), -ENOENT));
	rmdir(folder);
	cr_expect(eq(int, ask("/dev/null", NULL, 0, &query), -ENOENT));
	cr_expect(eq(int, ask("/proc/self/cmdline", NULL, 0, &query), -ENOEXEC));
	cr_expect(query.frame == NULL);
}

Test(tools_symbolize, refuses_other_builds)
{
	struct symbol_query query = { .offset = 1 };

	cr_expect(eq(int, ask("/proc/self/exe", "other", 5, &query), -ESTALE));
	cr_expect(query.frame == NULL);
	cr_expect(zero(int, query.has_address));
}

Test(tools_symbolize, refuses_what_was_changed_since)
{
	struct symbol_query query = { .offset = 1 };
	struct symbol_file file = { .path = "/proc/self/exe" };
	struct stat st;

	cr_assert(eq(int, stat(file.path, &st), 0));
	file.recorded_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec;
	cr_expect(eq(int, symbolize(symbolizer, &file, &query, 1), -ESTALE));
	file.recorded_ns++;
	cr_expect(eq(int, symbolize(symbolizer, &file, &query, 1), 1));
	file.recorded_ns = 0; /* not known */
	cr_expect(eq(int, symbolize(symbolizer, &file, &query, 1), -ESTALE));
}

struct build_id {
	uint8_t bytes[64];
	size_t count;
};

/* Finds the build id of the vDSO in its notes. */
static int find_vdso(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct build_id *id = ctx;

	(void)size;
	if (info->dlpi_addr != getauxval(AT_SYSINFO_EHDR))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const uint8_t *at = (const uint8_t *)info->dlpi_addr + p->p_vaddr;
		const uint8_t *end = at + p->p_memsz;

		while (p->p_type == PT_NOTE && at < end) {
			ElfW(Nhdr) note;

			memcpy(&note, at, sizeof(note));
			at += sizeof(note) + (note.n_namesz + 3) / 4 * 4;
			if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= sizeof(id->bytes)) {
				memcpy(id->bytes, at, note.n_descsz);
				id->count = note.n_descsz;
			}
			at += (note.n_descsz + 3) / 4 * 4;
		}
	}
	return 1;
}

Test(tools_symbolize, vdso)
{
	struct symbol_query query = { 0 };
	struct build_id id = { .count = 0 };
	const char *name = "__vdso_clock_gettime";
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	const uint8_t *function = vdso ? dlsym(vdso, name) : NULL;

	if (!function || dl_iterate_phdr(find_vdso, &id) != 1 || !id.count)
		cr_skip("no vDSO with a build id here");
	query.offset = (uint64_t)(function - (const uint8_t *)getauxval(AT_SYSINFO_EHDR));
	cr_expect(eq(int, ask(NULL, id.bytes, id.count, &query), 0));
	cr_assert(query.frame != NULL);
	/* it has an alias without underscores */
	cr_expect(not(zero(ptr, strstr(name, query.frame->name))));
	cr_expect(query.frame->caller == NULL);
	cr_expect(eq(int, ask(NULL, "other", 5, &query), -ESTALE));
	cr_expect(eq(int, ask(NULL, NULL, 0, &query), -ENOENT));
}

#define INLINED static inline __attribute__((always_inline))

/* Functions whose lines are known, inlined one into the other; the address is in the innermost. */
INLINED const void *here(uint32_t line[3])
{
	const void *address;

	line[0] = __LINE__ + 1;
	__asm__ volatile(ADDRESS_OF_THIS : "=r"(address));
	return address;
}

INLINED const void *between(uint32_t line[3])
{
	line[1] = __LINE__ + 1;
	return here(line);
}

static __attribute__((noinline, noclone)) const void *outermost(uint32_t line[3])
{
	line[2] = __LINE__ + 1;
	return between(line);
}

/* Where in this program's file a byte of its code is. */
static int find_offset(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uint64_t *address = ctx;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || *address < start || *address - start >= p->p_memsz)
			continue;
		*address = *address - start + p->p_offset;
		return 1;
	}
	return 0;
}

Test(tools_symbolize, inlined_functions_and_lines)
{
	static const char *const names[] = { "here", "between", "outermost" };
	uint32_t line[3];
	uint64_t address = (uint64_t)(uintptr_t)outermost(line);
	struct symbol_query query = { 0 };
	const struct symbol_frame *frame;

	cr_assert(eq(int, dl_iterate_phdr(find_offset, &address), 1));
	query.offset = address;
	cr_assert(eq(int, ask("/proc/self/exe", NULL, 0, &query), 1));
	frame = query.frame;
	for (size_t i = 0; i < 3; i++, frame = frame->caller) {
		cr_assert(frame != NULL);
		cr_expect(zero(int, strcmp(frame->name, names[i])), "%s", frame->name);
		cr_expect(zero(int, strcmp(frame->file, __FILE__)), "%s", frame->file);
		cr_expect(eq(u32, frame->line, line[i]));
	}
	cr_expect(frame == NULL);
}

Test(tools_symbolize, folders_that_cannot_be)
{
	static const char *const missing[] = { "/usr", "/nonexistent/folder" };
	struct symbol_options options = { .debug_dir = missing, .debug_dirs = 2 };
	struct symbolizer *other = NULL;
	char folder[] = "/tmp/test:symbolize.XXXXXX";
	const char *colon = folder;

	cr_expect(eq(int, symbolizer_open(&other, &options), -ENOENT));
	cr_assert(not(zero(ptr, mkdtemp(folder))));
	options.debug_dir = &colon;
	options.debug_dirs = 1;
	cr_expect(eq(int, symbolizer_open(&other, &options), -EINVAL));
	rmdir(folder);
	cr_expect(zero(ptr, other));
}

Test(tools_symbolize, network_only_on_request)
{
	struct symbol_options options = { .ask_debuginfod = true };
	struct symbolizer *other;

	setenv("DEBUGINFOD_URLS", "http://localhost:1", 1);
	cr_assert(eq(int, symbolizer_open(&other, &options), 0));
	symbolizer_free(other);
	cr_expect(not(zero(ptr, getenv("DEBUGINFOD_URLS"))));
	options.ask_debuginfod = false;
	cr_assert(eq(int, symbolizer_open(&other, &options), 0));
	symbolizer_free(other);
	cr_expect(zero(ptr, getenv("DEBUGINFOD_URLS")));
}
