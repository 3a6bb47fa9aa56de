// SPDX-License-Identifier: Apache-2.0
/*
 * ksymload.c - /proc/kallsyms and /proc/modules read into compact tables.
 *
 * One pass over the text gives an array of all text symbols, which is sorted (the kernel's own come
 * sorted, modules do not) and then thinned out into the tables.
 */
#include "profiler/ksymload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/proctext.h"

#define READ_BUFFER (64 * 1024)

/* Longest padding in front of a function (x86 has 16 bytes). */
#define MAX_PADDING    64
#define PADDING_PREFIX "__pfx_"

/* A module's code ends at most so far behind its last symbol, where /proc/modules does not tell. */
#define UNKNOWN_TAIL 4096

#define NO_NAME	  UINT32_MAX
#define NO_MODULE UINT16_MAX

struct raw_symbol {
	uint64_t addr;
	uint32_t name;	 /* offset in the names; NO_NAME for padding */
	uint16_t module; /* index, NO_MODULE for the kernel */
	uint16_t rank;	 /* of several names of one address the lowest is kept */
};

struct loader {
	struct ksym_tables *t;
	struct raw_symbol *symbols;
	size_t count;
	uint64_t stext;
	bool sorted;
	bool saw_address; /* one that is not 0 */
};

typedef int (*line_reader)(struct loader *l, const char *line, size_t size);

/* Calls @reader for each whole line of a file. */
static int read_lines(struct loader *l, const char *path, line_reader reader)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	char *buffer = malloc(READ_BUFFER);
	size_t used = 0;
	ssize_t n;

	if (fd < 0 || !buffer) {
		err = fd < 0 ? -errno : -ENOMEM;
		goto out;
	}
	while (!err && (n = read(fd, buffer + used, READ_BUFFER - used)) != 0) {
		const char *at = buffer, *end, *newline;

		if (n < 0) {
			err = -errno;
			break;
		}
		end = buffer + used + n;
		while (!err && (newline = memchr(at, '\n', (size_t)(end - at)))) {
			err = reader(l, at, (size_t)(newline - at));
			at = newline + 1;
		}
		used = (size_t)(end - at);
		if (used == READ_BUFFER)
			used = 0; /* no such line comes from the kernel */
		memmove(buffer, at, used);
	}
out:
	free(buffer);
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * Room for one more: arrays double when their count is a power of two. Returns the array, perhaps
 * moved, or NULL without memory, and then the old one stays.
 */
static void *reserve(void *array, size_t count, size_t size)
{
	if (array && (count & (count - 1)))
		return array;
	return realloc(array, (count ? 2 * count : 1) * size);
}

static int add_name(struct ksym_tables *t, const char *name, size_t size, uint32_t *ret)
{
	size_t room = 1, wanted = t->names_size + size + 1;

	if (wanted > KSYM_NAME_MASK)
		return -E2BIG;
	while (room < t->names_size)
		room *= 2;
	if (!t->names || wanted > room) {
		char *names;

		while (room < wanted)
			room *= 2;
		names = realloc(t->names, room);
		if (!names)
			return -ENOMEM;
		t->names = names;
	}
	memcpy(t->names + t->names_size, name, size);
	t->names[t->names_size + size] = '\0';
	*ret = (uint32_t)t->names_size;
	t->names_size = wanted;
	return 0;
}

static bool is_name(const struct proctext_symbol *s, const char *name)
{
	return s->name_size == strlen(name) && memcmp(s->name, name, s->name_size) == 0;
}

static bool has_prefix(const char *name, size_t size, const char *prefix)
{
	size_t n = strlen(prefix);

	return size >= n && memcmp(name, prefix, n) == 0;
}

/* Functions before section marks, strong before weak, global before local, _underscored last. */
static uint16_t rank_of(const struct proctext_symbol *s)
{
	bool weak = s->type == 'w' || s->type == 'W';
	bool local = s->type == 't';
	bool mark = has_prefix(s->name, s->name_size, "__") &&
		    memmem(s->name, s->name_size, "_text_", 6);
	uint16_t underscores = 0;

	while (underscores < s->name_size && underscores < 15 && s->name[underscores] == '_')
		underscores++;
	return (uint16_t)(mark << 6 | weak << 5 | local << 4 | underscores);
}

/* The index of the module of a symbol; a module's symbols follow each other. */
static int module_index(struct ksym_tables *t, const struct proctext_symbol *s, uint16_t *ret)
{
	struct ksym_module *last = t->module_count ? &t->modules[t->module_count - 1] : NULL;
	char name[KSYM_MODULE_SIZE];

	snprintf(name, sizeof(name), "[%.*s]", (int)s->module_size, s->module);
	if (!last || strcmp(last->name, name) != 0) {
		struct ksym_module *modules =
			reserve(t->modules, t->module_count, sizeof(*modules));

		if (!modules)
			return -ENOMEM;
		t->modules = modules;
		if (t->module_count == NO_MODULE)
			return -E2BIG;
		last = &modules[t->module_count++];
		*last = (struct ksym_module){ .start = UINT64_MAX };
		memcpy(last->name, name, sizeof(name));
	}
	if (s->addr < last->start)
		last->start = s->addr;
	if (s->addr + UNKNOWN_TAIL > last->end)
		last->end = s->addr + UNKNOWN_TAIL;
	*ret = (uint16_t)(t->module_count - 1);
	return 0;
}

static int add_program(struct ksym_tables *t, const struct proctext_symbol *s)
{
	struct ksym_program *programs = reserve(t->programs, t->program_count, sizeof(*programs));
	struct ksym_program *p;

	if (!programs)
		return -ENOMEM;
	t->programs = programs;
	p = &programs[t->program_count];
	p->start = s->addr;
	p->bpf = s->module_size == 3;
	t->program_count++;
	return add_name(t, s->name, s->name_size, &p->name);
}

static int add_symbol(struct loader *l, const struct proctext_symbol *s)
{
	struct raw_symbol *symbols = reserve(l->symbols, l->count, sizeof(*symbols)), *raw;

	if (!symbols)
		return -ENOMEM;
	l->symbols = symbols;
	raw = &symbols[l->count];
	*raw = (struct raw_symbol){ .addr = s->addr, .name = NO_NAME, .module = NO_MODULE };
	if (l->count && raw[-1].addr > raw->addr)
		l->sorted = false;
	l->count++;
	if (s->module_size) {
		int err = module_index(l->t, s, &raw->module);

		if (err)
			return err;
	}
	if (has_prefix(s->name, s->name_size, PADDING_PREFIX))
		return 0;
	raw->rank = rank_of(s);
	return add_name(l->t, s->name, s->name_size, &raw->name);
}

static int read_symbol(struct loader *l, const char *line, size_t size)
{
	struct proctext_symbol s;

	if (proctext_parse_symbol(line, size, &s))
		return 0;
	/* The marks may be of any type. */
	if (is_name(&s, "_text") && !s.module_size)
		l->t->text_start = s.addr;
	else if (is_name(&s, "_stext") && !s.module_size)
		l->stext = s.addr;
	else if (is_name(&s, "_etext") && !s.module_size)
		l->t->text_end = s.addr;
	if (!strchr("tTwW", s.type))
		return 0;
	l->saw_address = l->saw_address || s.addr;
	if ((s.module_size == 3 && memcmp(s.module, "bpf", 3) == 0) ||
	    has_prefix(s.module, s.module_size, "__builtin__"))
		return add_program(l->t, &s);
	return add_symbol(l, &s);
}

static int read_module(struct loader *l, const char *line, size_t size)
{
	struct proctext_module m;
	char name[KSYM_MODULE_SIZE];

	if (proctext_parse_module(line, size, &m))
		return 0;
	snprintf(name, sizeof(name), "[%.*s]", (int)m.name_size, m.name);
	for (size_t i = 0; i < l->t->module_count; i++) {
		struct ksym_module *module = &l->t->modules[i];

		if (strcmp(module->name, name) != 0)
			continue;
		if (m.addr <= module->start && m.addr + m.size > module->start)
			module->end = m.addr + m.size;
	}
	return 0;
}

static int compare_raw(const void *a, const void *b)
{
	const struct raw_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int compare_modules(const void *a, const void *b)
{
	const struct ksym_module *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Kernel code that is there to be run. */
static bool is_wanted(const struct ksym_tables *t, const struct raw_symbol *raw)
{
	return raw->addr - t->base <= UINT32_MAX &&
	       (raw->module != NO_MODULE || raw->addr < t->text_end);
}

/* The best name of the address of symbol *i, which is moved behind all of its names. */
static const struct raw_symbol *best_name(const struct loader *l, size_t *i)
{
	const struct raw_symbol *best = NULL;
	uint64_t addr = l->symbols[*i].addr;

	for (; *i < l->count && l->symbols[*i].addr == addr; ++*i) {
		const struct raw_symbol *raw = &l->symbols[*i];

		if (raw->name != NO_NAME && is_wanted(l->t, raw) &&
		    (!best || raw->rank < best->rank))
			best = raw;
	}
	return best;
}

/* All names of the addresses go through here in order of address. */
static void fill_symbols(struct loader *l)
{
	struct ksym_tables *t = l->t;
	uint64_t padding_at = 0;

	for (size_t i = 0; i < l->count;) {
		uint64_t addr = l->symbols[i].addr;
		const struct raw_symbol *best = best_name(l, &i);
		struct ksym_entry *entry = &t->symbols[t->count];

		if (!best) {
			padding_at = addr;
			continue;
		}
		entry->offset = (uint32_t)(addr - t->base);
		entry->name = best->name;
		if (!t->padding && padding_at && addr - padding_at <= MAX_PADDING)
			t->padding = (uint32_t)(addr - padding_at);
		if (padding_at && addr - padding_at == t->padding)
			entry->name |= KSYM_PADDED;
		padding_at = 0;
		t->count++;
	}
}

static int finish(struct loader *l)
{
	struct ksym_tables *t = l->t;
	void *shrunk;

	if (!l->sorted)
		qsort(l->symbols, l->count, sizeof(*l->symbols), compare_raw);
	if (t->module_count)
		qsort(t->modules, t->module_count, sizeof(*t->modules), compare_modules);
	t->base = l->symbols[0].addr;
	if (!t->text_start)
		t->text_start = l->stext ? l->stext : t->base;
	t->symbols = malloc(l->count * sizeof(*t->symbols));
	if (!t->symbols)
		return -ENOMEM;
	fill_symbols(l);
	/* Give back what was too much; where that fails it stays. */
	shrunk = realloc(t->symbols, (t->count ? t->count : 1) * sizeof(*t->symbols));
	t->symbols = shrunk ? shrunk : t->symbols;
	shrunk = realloc(t->names, t->names_size);
	t->names = shrunk ? shrunk : t->names;
	return t->count ? 0 : -ENODATA;
}

int ksymload_read(struct ksym_tables *ret, const char *kallsyms_path, const char *modules_path)
{
	struct loader l = { .t = ret, .sorted = true };
	int err;

	ret->text_end = UINT64_MAX;
	err = read_lines(&l, kallsyms_path, read_symbol);
	if (!err && !l.count)
		err = -ENODATA;
	if (!err && !l.saw_address)
		err = -EPERM;
	if (!err && modules_path)
		(void)read_lines(&l, modules_path, read_module);
	if (!err)
		err = finish(&l);
	free(l.symbols);
	return err;
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

int ksymload_find(const struct ksym_tables *t, uint64_t addr, struct ksym *ret)
{
	const struct ksym_entry *entry = find_entry(t, addr);
	const struct ksym_module *module;
	uint64_t start;

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

uint64_t ksymload_bytes(const struct ksym_tables *t)
{
	return t->count * sizeof(*t->symbols) + t->names_size +
	       t->module_count * sizeof(*t->modules);
}

void ksymload_release(struct ksym_tables *t)
{
	free(t->symbols);
	free(t->modules);
	free(t->programs);
	free(t->names);
}
