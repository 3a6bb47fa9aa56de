// SPDX-License-Identifier: Apache-2.0
/*
 * bench_name.c - the function that an address of a file is in, by three tables of one content: that
 * of the recorder (profiler/name_list.c), that of the tools (tools/stretches.c), and libdw's.
 *
 * The content is what the C library exports, read by libdw. Functions that share their code with
 * others are left out, so that there is one right answer; all three are held to it.
 */
#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <gelf.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/harness.h"
#include "bench/micro/sample_mix.h"
#include "profiler/name_list.h"
#include "tools/stretches.h"

#define PLACES	  4096
#define NAMES_MAX 8192
#define FILE_ID	  1

struct names {
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct name_stretch *function;
	uint32_t functions;
	struct name_list list;
	struct stretches stretches;
	uint32_t next;
	uint64_t place[PLACES];
	uint64_t start[PLACES]; /* of the function that is there */
};

static int no_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **ret_path)
{
	(void)module, (void)userdata, (void)name, (void)base;
	(void)file, (void)link, (void)crc, (void)ret_path;
	return -1;
}

static const char no_libc[] = "libdw cannot read the C library's file";

static int open_libc(struct names *n)
{
	static const Dwfl_Callbacks callbacks = {
		.find_debuginfo = no_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	Dl_info libc;

	if (!dladdr((void *)gnu_get_libc_version, &libc))
		return -EOPNOTSUPP;
	n->dwfl = dwfl_begin(&callbacks);
	if (!n->dwfl)
		return -ENOMEM;
	n->module = dwfl_report_offline(n->dwfl, "libc", libc.dli_fname, -1);
	dwfl_report_end(n->dwfl, NULL, NULL);
	return n->module ? 0 : -EOPNOTSUPP;
}

static int compare_starts(const void *a, const void *b)
{
	const struct name_stretch *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Leaves out those that overlap with another. */
static void drop_shared(struct names *n)
{
	uint64_t end = 0; /* of all before */
	uint32_t kept = 0;

	qsort(n->function, n->functions, sizeof(*n->function), compare_starts);
	for (uint32_t i = 0; i < n->functions; i++) {
		const struct name_stretch f = n->function[i];
		bool alone = f.start >= end &&
			     (i + 1 == n->functions || f.end <= n->function[i + 1].start);

		if (f.end > end)
			end = f.end;
		if (alone)
			n->function[kept++] = f;
	}
	n->functions = kept;
}

static int read_functions(struct names *n)
{
	int symbols = dwfl_module_getsymtab(n->module);

	n->function = calloc(NAMES_MAX, sizeof(*n->function));
	if (!n->function)
		return -ENOMEM;
	for (int i = 0; i < symbols && n->functions < NAMES_MAX; i++) {
		GElf_Sym symbol;
		GElf_Addr start;

		if (!dwfl_module_getsym_info(n->module, i, &symbol, &start, NULL, NULL, NULL) ||
		    !symbol.st_size || !symbol.st_shndx)
			continue;
		if (GELF_ST_TYPE(symbol.st_info) == STT_FUNC)
			n->function[n->functions++] =
				(struct name_stretch){ .start = start,
						       .end = start + symbol.st_size };
	}
	drop_shared(n);
	return n->functions ? 0 : -EOPNOTSUPP;
}

/* Names are as good as their text: here "", one for all. */
static int fill_tables(struct names *n)
{
	int err = name_list_add(&n->list, n->function, n->functions, "", 1);

	for (uint32_t i = 0; !err && i < n->functions; i++) {
		const struct stretch s = { .start = n->function[i].start,
					   .end = n->function[i].end,
					   .file = FILE_ID,
					   .name = i + 1 };

		err = stretches_add(&n->stretches, &s);
	}
	return err ? err : stretches_sort(&n->stretches);
}

static void make_addresses(struct names *n)
{
	uint64_t random = 1;

	for (uint32_t i = 0; i < PLACES; i++) {
		const struct name_stretch *f = &n->function[mix_below(&random, n->functions)];

		n->start[i] = f->start;
		n->place[i] = f->start + mix_below(&random, (uint32_t)(f->end - f->start));
	}
}

static uint64_t find_list(struct names *n, uint64_t place)
{
	const struct name_stretch *s = name_list_find(&n->list, place);

	return s ? s->start : 0;
}

static uint64_t find_stretch(struct names *n, uint64_t place)
{
	const struct stretch *s = stretches_find(&n->stretches, FILE_ID, place);

	return s ? s->start : 0;
}

static uint64_t find_libdw(struct names *n, uint64_t place)
{
	GElf_Off offset;
	GElf_Sym symbol;

	if (!dwfl_module_addrinfo(n->module, place, &offset, &symbol, NULL, NULL, NULL))
		return 0;
	return place - offset;
}

/* Not all of them by libdw: it takes too long. */
static int check(struct names *n)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (find_list(n, n->place[i]) != n->start[i] ||
		    find_stretch(n, n->place[i]) != n->start[i] ||
		    (i % 128 == 0 && find_libdw(n, n->place[i]) != n->start[i]))
			return -EBADMSG;
	return 0;
}

#define RUN(name, find)                                    \
	static uint64_t name(void *state, uint64_t ops)    \
	{                                                  \
		struct names *n = state;                   \
		uint64_t sum = 0;                          \
                                                           \
		for (uint64_t i = 0; i < ops; i++) {       \
			sum += find(n, n->place[n->next]); \
			n->next = (n->next + 1) % PLACES;  \
		}                                          \
		bench_keep(sum);                           \
		return ops;                                \
	}

RUN(run_list, find_list)
RUN(run_stretches, find_stretch)
RUN(run_libdw, find_libdw)

static void free_names(void *state)
{
	struct names *n = state;

	if (n->dwfl)
		dwfl_end(n->dwfl);
	name_list_release(&n->list);
	stretches_release(&n->stretches);
	free(n->function);
	free(n);
}

static int make_names(void **ret_state)
{
	struct names *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	stretches_init(&n->stretches);
	err = open_libc(n);
	if (!err)
		err = read_functions(n);
	if (!err)
		err = fill_tables(n);
	if (!err) {
		make_addresses(n);
		err = check(n);
	}
	if (err) {
		free_names(n);
		memcpy(ret_state, &(const char *){ no_libc }, sizeof(*ret_state));
		return err;
	}
	*ret_state = n;
	return 0;
}

static const struct bench benches[] = {
	{
		.group = "name",
		.name = "profiler",
		.about = "the recorder's table of a file",
		.role = BENCH_OURS,
		.op = "address",
		.allocates_nothing = 1,
		.setup = make_names,
		.run = run_list,
		.teardown = free_names,
	},
	{
		.group = "name",
		.name = "profiler-tools",
		.about = "the tools' table of all files",
		.role = BENCH_OURS,
		.op = "address",
		.allocates_nothing = 1,
		.setup = make_names,
		.run = run_stretches,
		.teardown = free_names,
	},
	{
		.group = "name",
		.name = "libdw",
		.about = "dwfl_module_addrinfo()",
		.role = BENCH_PEER,
		.op = "address",
		.setup = make_names,
		.run = run_libdw,
		.teardown = free_names,
	},
};

const struct bench_list bench_name = { benches, sizeof(benches) / sizeof(benches[0]) };
