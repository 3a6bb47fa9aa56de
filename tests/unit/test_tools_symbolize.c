/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_symbolize.c - files that symbolize() must refuse, and the vDSO.
 *
 * That names are right is for tests/golden to show, against nm.
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

static int ask(const char *path, const void *build_id, size_t bytes, struct symbol_query *query)
{
	const struct symbol_file file = {
		.path = path,
		.build_id = build_id,
		.build_id_bytes = bytes,
		.recorded_ns = UINT64_MAX,
	};

	return symbolize(&file, query, 1);
}

Test(tools_symbolize, refuses_what_is_no_file, .timeout = 10)
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
	cr_expect(zero(ptr, query.name));
}

Test(tools_symbolize, refuses_other_builds)
{
	struct symbol_query query = { .offset = 1 };

	cr_expect(eq(int, ask("/proc/self/exe", "other", 5, &query), -ESTALE));
	cr_expect(zero(ptr, query.name));
	cr_expect(zero(int, query.has_address));
}

Test(tools_symbolize, refuses_what_was_changed_since)
{
	struct symbol_query query = { .offset = 1 };
	struct symbol_file file = { .path = "/proc/self/exe" };
	struct stat st;

	cr_assert(eq(int, stat(file.path, &st), 0));
	file.recorded_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec;
	cr_expect(eq(int, symbolize(&file, &query, 1), -ESTALE));
	file.recorded_ns++;
	cr_expect(eq(int, symbolize(&file, &query, 1), 1));
	file.recorded_ns = 0; /* not known */
	cr_expect(eq(int, symbolize(&file, &query, 1), -ESTALE));
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
	cr_assert(not(zero(ptr, query.name)));
	cr_expect(
		not(zero(ptr, strstr(name, query.name)))); /* it has an alias without underscores */
	free(query.name);
	query.name = NULL;
	cr_expect(eq(int, ask(NULL, "other", 5, &query), -ESTALE));
	cr_expect(eq(int, ask(NULL, NULL, 0, &query), -ENOENT));
}
