// SPDX-License-Identifier: Apache-2.0
/*
 * kallsyms.c - names of kernel addresses.
 *
 * One sorted list of pieces of code: what the side-band registered, and what the kernel answered
 * when it was asked about an address that was in none of them. Where it cannot be asked, its whole
 * table stands behind the list instead.
 *
 * Invariant: a name is given only up to the end of what it belongs to, and the newest word on an
 * address counts: a piece that is put in takes out what it overlaps.
 */
#include "profiler/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/ksymask.h"
#include "profiler/ksymload.h"

/* Code that comes and goes: far more than anybody loads, a few MB. */
#define MAX_ADDED 65536

/* Answers that are kept, some 500 KB: a busy machine samples one to two thousand functions. */
#define MAX_ASKED 4096

/* /proc/kallsyms tells no sizes; most programs are smaller, and the next one ends it in any case.
 */
#define UNKNOWN_PROGRAM 65536

struct code {
	uint64_t start;
	uint64_t end;
	enum ksym_kind kind;
	bool asked;	    /* else from the side-band, or a program of the table */
	char *name;	    /* with the module behind it in the same memory, if it has one */
	const char *module; /* as in struct ksym */
};

struct kallsyms {
	struct ksymask *ask; /* NULL: the tables are used */
	struct ksym_tables tables;
	struct code *codes; /* by address, not overlapping */
	size_t count;
	size_t room;
	size_t asked_count;
	uint64_t names_bytes;
	uint64_t load_ns;
	uint64_t refused;
};

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int compare_programs(const void *a, const void *b)
{
	const struct ksym_program *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Moves the programs that were in the file to the list of those that come and go. */
static int take_programs(struct kallsyms *ks)
{
	struct ksym_tables *t = &ks->tables;
	int err = 0;

	if (t->program_count)
		qsort(t->programs, t->program_count, sizeof(*t->programs), compare_programs);
	for (size_t i = 0; i < t->program_count && !err; i++) {
		const struct ksym_program *p = &t->programs[i];
		uint64_t size = UNKNOWN_PROGRAM;

		if (i + 1 < t->program_count && p[1].start - p->start < size)
			size = p[1].start - p->start;
		/* Two names of one place: the second. */
		if (size)
			err = kallsyms_add(ks, p->bpf ? KSYM_BPF : KSYM_OTHER, p->start,
					   (uint32_t)size, t->names + p->name);
	}
	free(t->programs);
	t->programs = NULL;
	t->program_count = 0;
	return err == -ENOMEM ? err : 0;
}

int kallsyms_open_at(struct kallsyms **ret, const char *kallsyms_path, const char *modules_path)
{
	struct kallsyms *ks = calloc(1, sizeof(*ks));
	uint64_t begin_ns = monotonic_ns();
	int err;

	if (!ks)
		return -ENOMEM;
	err = ksymload_read(&ks->tables, kallsyms_path, modules_path);
	if (!err)
		err = take_programs(ks);
	if (err) {
		kallsyms_free(ks);
		return err;
	}
	ks->load_ns = monotonic_ns() - begin_ns;
	*ret = ks;
	return 0;
}

int kallsyms_open(struct kallsyms **ret)
{
	struct kallsyms *ks = calloc(1, sizeof(*ks));
	uint64_t begin_ns = monotonic_ns();

	if (!ks)
		return -ENOMEM;
	if (ksymask_open(&ks->ask)) {
		free(ks);
		return kallsyms_open_at(ret, "/proc/kallsyms", "/proc/modules");
	}
	ks->load_ns = monotonic_ns() - begin_ns;
	*ret = ks;
	return 0;
}

void kallsyms_free(struct kallsyms *ks)
{
	if (!ks)
		return;
	for (size_t i = 0; i < ks->count; i++)
		free(ks->codes[i].name);
	free(ks->codes);
	ksymload_release(&ks->tables);
	ksymask_free(ks->ask);
	free(ks);
}

uint64_t kallsyms_text_start(const struct kallsyms *ks)
{
	return ks->ask ? ksymask_text_start(ks->ask) : ks->tables.text_start;
}

static size_t name_bytes(const struct code *c)
{
	return strlen(c->name) + 1 + (c->kind == KSYM_MODULE ? strlen(c->module) + 1 : 0);
}

static void release(struct kallsyms *ks, struct code *c)
{
	ks->names_bytes -= name_bytes(c);
	ks->asked_count -= c->asked;
	free(c->name);
}

/* Takes out the entries [from, to). */
static void drop(struct kallsyms *ks, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		release(ks, &ks->codes[i]);
	if (to > from)
		memmove(&ks->codes[from], &ks->codes[to], (ks->count - to) * sizeof(*ks->codes));
	ks->count -= to - from;
}

static void drop_asked(struct kallsyms *ks)
{
	size_t kept = 0;

	for (size_t i = 0; i < ks->count; i++) {
		if (ks->codes[i].asked)
			release(ks, &ks->codes[i]);
		else
			ks->codes[kept++] = ks->codes[i];
	}
	ks->count = kept;
}

/* Index of the first code that ends behind @addr. */
static size_t first_code(const struct kallsyms *ks, uint64_t addr)
{
	size_t low = 0, high = ks->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ks->codes[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int reserve(struct kallsyms *ks)
{
	size_t room = ks->room ? 2 * ks->room : 16;
	struct code *codes;

	if (ks->count < ks->room)
		return 0;
	codes = realloc(ks->codes, room * sizeof(*codes));
	if (!codes)
		return -ENOMEM;
	ks->codes = codes;
	ks->room = room;
	return 0;
}

/* One piece of memory with copies of the name and, if it is of a module, of that. */
static int copy_names(struct code *code, const char *name)
{
	size_t name_size = strlen(name) + 1;
	size_t module_size = code->kind == KSYM_MODULE ? strlen(code->module) + 1 : 0;

	code->name = malloc(name_size + module_size);
	if (!code->name)
		return -ENOMEM;
	memcpy(code->name, name, name_size);
	if (module_size)
		code->module = memcpy(code->name + name_size, code->module, module_size);
	return 0;
}

/* Puts code, but with a copy of its names, in the place of all that it overlaps. */
static int insert(struct kallsyms *ks, struct code new, const char *name)
{
	size_t at, behind;
	int err = reserve(ks);

	if (!err)
		err = copy_names(&new, name);
	if (err)
		return err;
	at = first_code(ks, new.start);
	for (behind = at; behind < ks->count && ks->codes[behind].start < new.end;)
		behind++;
	drop(ks, at, behind);
	memmove(&ks->codes[at + 1], &ks->codes[at], (ks->count - at) * sizeof(new));
	ks->codes[at] = new;
	ks->count++;
	ks->asked_count += new.asked;
	ks->names_bytes += name_bytes(&new);
	return 0;
}

/* Keeps an answer of the kernel; without memory the next address will be asked about again. */
static void keep(struct kallsyms *ks, const struct ksymask_code *c)
{
	const struct code code = {
		.start = c->start,
		.end = c->end,
		.kind = c->kind,
		.asked = true,
		.module = c->module,
	};

	if (ks->asked_count >= MAX_ASKED)
		drop_asked(ks);
	(void)insert(ks, code, c->name);
}

static int find_asked(struct kallsyms *ks, uint64_t addr, struct ksym *ret)
{
	struct ksymask_code c;
	int err = ksymask_find(ks->ask, addr, &c);

	if (err)
		return err;
	keep(ks, &c);
	*ret = (struct ksym){ c.name, c.module, c.start, c.kind };
	return 0;
}

int kallsyms_find(struct kallsyms *ks, uint64_t addr, struct ksym *ret)
{
	size_t i = first_code(ks, addr);
	const struct code *c;

	if (i == ks->count || ks->codes[i].start > addr)
		return ks->ask ? find_asked(ks, addr, ret) : ksymload_find(&ks->tables, addr, ret);
	c = &ks->codes[i];
	*ret = (struct ksym){ c->name, c->module, c->start, c->kind };
	return 0;
}

int kallsyms_add(struct kallsyms *ks, enum ksym_kind kind, uint64_t addr, uint32_t size,
		 const char *name)
{
	const struct code code = {
		.start = addr,
		.end = addr + size,
		.kind = kind,
		.module = kind == KSYM_BPF ? "[bpf]" : "",
	};

	if (code.end <= addr || (kind != KSYM_BPF && kind != KSYM_OTHER))
		return -EINVAL;
	if (ks->count - ks->asked_count >= MAX_ADDED) {
		ks->refused++;
		return -ENOSPC;
	}
	return insert(ks, code, name);
}

void kallsyms_del(struct kallsyms *ks, uint64_t addr)
{
	size_t i = first_code(ks, addr);

	if (i < ks->count && ks->codes[i].start == addr)
		drop(ks, i, i + 1);
}

void kallsyms_stats(const struct kallsyms *ks, struct kallsyms_stats *ret)
{
	*ret = (struct kallsyms_stats){
		.symbols = ks->ask ? ks->asked_count : ks->tables.count,
		.added = ks->count - ks->asked_count,
		.bytes = sizeof(*ks) + ksymload_bytes(&ks->tables) + ks->room * sizeof(*ks->codes) +
			 ks->names_bytes,
		.load_ns = ks->load_ns,
		.refused = ks->refused,
	};
}
