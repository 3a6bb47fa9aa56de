// SPDX-License-Identifier: Apache-2.0
/*
 * kallsyms.c - names of kernel addresses.
 *
 * Two sorted lists: what was read once (8 bytes a symbol), and code that comes and goes.
 *
 * Invariant: a name is given only up to the end of what it belongs to: _etext for the kernel, a
 * module's size, a program's size, and UNKNOWN_PROGRAM for one that was there before the recording.
 */
#include "profiler/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/ksymload.h"

/* Code that comes and goes: far more than anybody loads, a few MB. */
#define MAX_ADDED 65536

/* /proc/kallsyms tells no sizes; most programs are smaller, and the next one ends it in any case.
 */
#define UNKNOWN_PROGRAM 65536

struct added {
	uint64_t start;
	uint64_t end;
	enum ksym_kind kind;
	char *name;
};

struct kallsyms {
	struct ksym_tables tables;
	struct added *added; /* by address, not overlapping */
	size_t added_count;
	size_t added_room;
	uint64_t added_bytes; /* of the names */
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
	return kallsyms_open_at(ret, "/proc/kallsyms", "/proc/modules");
}

void kallsyms_free(struct kallsyms *ks)
{
	if (!ks)
		return;
	for (size_t i = 0; i < ks->added_count; i++)
		free(ks->added[i].name);
	free(ks->added);
	ksymload_release(&ks->tables);
	free(ks);
}

uint64_t kallsyms_text_start(const struct kallsyms *ks)
{
	return ks->tables.text_start;
}

/* Index of the first added code that ends behind @addr. */
static size_t first_added(const struct kallsyms *ks, uint64_t addr)
{
	size_t low = 0, high = ks->added_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ks->added[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int find_added(const struct kallsyms *ks, uint64_t addr, struct ksym *ret)
{
	size_t i = first_added(ks, addr);

	if (i == ks->added_count || ks->added[i].start > addr)
		return -ENOENT;
	*ret = (struct ksym){
		.name = ks->added[i].name,
		.module = ks->added[i].kind == KSYM_BPF ? "[bpf]" : "",
		.start = ks->added[i].start,
		.kind = ks->added[i].kind,
	};
	return 0;
}

static uint64_t symbol_start(const struct ksym_tables *t, size_t i)
{
	return t->base + t->symbols[i].offset;
}

/* The symbol whose code, or whose padding before it, holds the address; NULL below the first. */
static const struct ksym_entry *find_entry(const struct ksym_tables *t, uint64_t addr)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbol_start(t, middle) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < t->count && (t->symbols[low].name & KSYM_PADDED) &&
	    symbol_start(t, low) - addr <= t->padding)
		return &t->symbols[low];
	return low ? &t->symbols[low - 1] : NULL;
}

/* The module whose code holds the address, or NULL. */
static const struct ksym_module *find_module(const struct ksym_tables *t, uint64_t addr)
{
	size_t low = 0, high = t->module_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->modules[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr < t->modules[low - 1].end ? &t->modules[low - 1] : NULL;
}

int kallsyms_find(const struct kallsyms *ks, uint64_t addr, struct ksym *ret)
{
	const struct ksym_tables *t = &ks->tables;
	const struct ksym_entry *entry;
	const struct ksym_module *module;
	uint64_t start;

	if (find_added(ks, addr, ret) == 0)
		return 0;
	entry = find_entry(t, addr);
	if (!entry)
		return -ENOENT;
	start = t->base + entry->offset;
	module = find_module(t, addr);
	if (module ? start < module->start : addr >= t->text_end)
		return -ENOENT;
	*ret = (struct ksym){
		.name = t->names + (entry->name & KSYM_NAME_MASK),
		.module = module ? module->name : "",
		.start = start > addr ? start - t->padding : start,
		.kind = module ? KSYM_MODULE : KSYM_KERNEL,
	};
	return 0;
}

/* Takes out the entries [from, to). */
static void drop_added(struct kallsyms *ks, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		ks->added_bytes -= strlen(ks->added[i].name) + 1;
		free(ks->added[i].name);
	}
	if (to > from)
		memmove(&ks->added[from], &ks->added[to],
			(ks->added_count - to) * sizeof(*ks->added));
	ks->added_count -= to - from;
}

static int reserve_added(struct kallsyms *ks)
{
	size_t room = ks->added_room ? 2 * ks->added_room : 16;
	struct added *added;

	if (ks->added_count < ks->added_room)
		return 0;
	if (ks->added_count >= MAX_ADDED) {
		ks->refused++;
		return -ENOSPC;
	}
	added = realloc(ks->added, room * sizeof(*added));
	if (!added)
		return -ENOMEM;
	ks->added = added;
	ks->added_room = room;
	return 0;
}

int kallsyms_add(struct kallsyms *ks, enum ksym_kind kind, uint64_t addr, uint32_t size,
		 const char *name)
{
	struct added new = { .start = addr, .end = addr + size, .kind = kind };
	size_t at, behind;
	int err;

	if (new.end <= addr || (kind != KSYM_BPF && kind != KSYM_OTHER))
		return -EINVAL;
	err = reserve_added(ks);
	if (err)
		return err;
	new.name = strdup(name);
	if (!new.name)
		return -ENOMEM;
	at = first_added(ks, addr);
	for (behind = at; behind < ks->added_count && ks->added[behind].start < new.end;)
		behind++;
	drop_added(ks, at, behind);
	memmove(&ks->added[at + 1], &ks->added[at], (ks->added_count - at) * sizeof(new));
	ks->added[at] = new;
	ks->added_count++;
	ks->added_bytes += strlen(name) + 1;
	return 0;
}

void kallsyms_del(struct kallsyms *ks, uint64_t addr)
{
	size_t i = first_added(ks, addr);

	if (i < ks->added_count && ks->added[i].start == addr)
		drop_added(ks, i, i + 1);
}

void kallsyms_stats(const struct kallsyms *ks, struct kallsyms_stats *ret)
{
	const struct ksym_tables *t = &ks->tables;

	*ret = (struct kallsyms_stats){
		.symbols = t->count,
		.added = ks->added_count,
		.bytes = sizeof(*ks) + t->count * sizeof(*t->symbols) + t->names_size +
			 t->module_count * sizeof(*t->modules) +
			 ks->added_room * sizeof(*ks->added) + ks->added_bytes,
		.load_ns = ks->load_ns,
		.refused = ks->refused,
	};
}
