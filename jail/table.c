// SPDX-License-Identifier: Apache-2.0
/*
 * table.c - turns the call frame information of 64 KiB of a file into rows and rules.
 *
 * Rows are only ever added at the end. Where functions overlap the one that is named later wins:
 * its rows replace those that are there from its start on, so that offsets rise whatever the file
 * says. Code that no function covers has UNWIND_NONE.
 */
#include "jail/table.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/*
 * Instructions and functions that a page may take. It is some 10 ms of time; the most that a page
 * of a Debian system takes is about a twentieth.
 */
#define TABLE_STEPS (1u << 20)

static const struct unwind_rule none = { .cfa = UNWIND_NONE };
static const struct unwind_rule outermost = { .cfa = UNWIND_END };
static const struct unwind_rule beyond = { .cfa = UNWIND_BEYOND };

/* A piece of the page that is all in one segment: [address, end) at offset of the page. */
struct stretch {
	uint64_t address;
	uint64_t end;
	uint32_t offset;
};

static uint32_t bucket_of(const struct unwind_rule *rule)
{
	uint64_t words[2];

	_Static_assert(sizeof(words) == sizeof(*rule), "a rule is two words");
	memcpy(words, rule, sizeof(words));
	return (uint32_t)(((words[0] ^ words[1] >> 7) * 0x9E3779B97F4A7C15ull) >> 32) %
	       TABLE_BUCKETS;
}

/* The index of a rule, which is added if it is new; -E2BIG if there is no room. */
static int intern(struct table_page *page, const struct unwind_rule *rule)
{
	uint16_t *bucket = &page->buckets[bucket_of(rule)];

	for (uint32_t i = *bucket; i; i = page->next[i - 1])
		if (memcmp(&page->rules[i - 1], rule, sizeof(*rule)) == 0)
			return (int)(i - 1);
	if (page->rule_count == UNWIND_RULES)
		return -E2BIG;
	page->rules[page->rule_count] = *rule;
	page->next[page->rule_count] = *bucket;
	*bucket = (uint16_t)++page->rule_count;
	return (int)page->rule_count - 1;
}

/* From @offset on @rule holds, whatever was said before. */
static int add_row(struct table_page *page, uint32_t offset, const struct unwind_rule *rule)
{
	int index = intern(page, rule);

	if (index < 0)
		return index;
	while (page->row_count && page->rows[page->row_count - 1].offset >= offset)
		page->row_count--;
	if (!page->row_count || page->rows[page->row_count - 1].rule != index)
		page->rows[page->row_count++] =
			(struct unwind_row){ .offset = (uint16_t)offset, .rule = (uint16_t)index };
	return 0;
}

/* The rows of a function, as far as it lies in the stretch. */
static int add_function(const struct cfi *cfi, const struct cfi_fde *fde, const struct stretch *s,
			uint32_t *steps, struct table_page *page)
{
	uint64_t at = fde->start > s->address ? fde->start : s->address;
	uint64_t end = fde->end < s->end ? fde->end : s->end;
	struct cfi_program program;
	struct unwind_rule rule;
	int ret, err = 0;

	ret = cfi_program_init(&program, cfi, fde, steps);
	while (ret >= 0 && !err && at < end) {
		ret = cfi_program_next(&program);
		if (ret <= 0)
			break;
		if (program.end <= at)
			continue;
		table_rule(cfi->file->machine, fde, &program.row, &rule);
		err = add_row(page, s->offset + (uint32_t)(at - s->address), &rule);
		at = program.end;
	}
	if (ret == -E2BIG)
		return ret;
	if (!err && at < end)
		err = add_row(page, s->offset + (uint32_t)(at - s->address), &beyond);
	if (!err && end < s->end)
		err = add_row(page, s->offset + (uint32_t)(end - s->address), &none);
	return err;
}

static int add_entry(const struct stretch *s, uint64_t entry, uint64_t to, struct table_page *page)
{
	uint64_t end = entry + ELF_FILE_ENTRY_BYTES;
	int err = add_row(page, s->offset + (uint32_t)(entry - s->address), &outermost);

	if (!err && end < to)
		err = add_row(page, s->offset + (uint32_t)(end - s->address), &none);
	return err;
}

/*
 * _init() and _fini() are put together by the linker of pieces without call frame information: on
 * x86_64 `sub $8,%rsp`, calls, `add $8,%rsp; ret`.
 */
static int add_glued(const struct elf_file *file, const struct stretch *s,
		     const struct elf_part *part, uint64_t to, struct table_page *page)
{
	static const struct unwind_rule outside = { .cfa = UNWIND_SP, .cfa_off = 8, .ra_off = -8 };
	static const struct unwind_rule inside = { .cfa = UNWIND_SP, .cfa_off = 16, .ra_off = -8 };
	static const uint8_t begin[] = { 0x48, 0x83, 0xec, 0x08 };
	static const uint8_t end[] = { 0x48, 0x83, 0xc4, 0x08, 0xc3 };
	const uint8_t *code = file->data + part->offset;
	uint32_t at = s->offset + (uint32_t)(part->address - s->address);
	uint32_t size = (uint32_t)part->size;
	int err;

	if (file->machine != EM_X86_64 || part->size < sizeof(begin) + sizeof(end) ||
	    part->size > to - part->address || memcmp(code, begin, sizeof(begin)) != 0 ||
	    memcmp(code + size - sizeof(end), end, sizeof(end)) != 0)
		return 0;
	err = add_row(page, at, &outside);
	if (!err)
		err = add_row(page, at + sizeof(begin), &inside);
	if (!err)
		err = add_row(page, at + size - 1, &outside);
	if (!err && part->address + size < to)
		err = add_row(page, at + size, &none);
	return err;
}

/* No function covers [from, to); some things are known of it all the same. */
static int add_gap(const struct cfi *cfi, const struct stretch *s, uint64_t from, uint64_t to,
		   struct table_page *page)
{
	const struct elf_file *file = cfi->file;
	const struct elf_part entry = { .address = file->entry };
	const struct elf_part *known[] = { &file->init, &entry, &file->fini };
	uint64_t at = from;
	int err = 0;

	/* By address; usually that is their order. */
	for (int i = 0; !err && i < 3; i++) {
		const struct elf_part *part = known[i];

		if (!part->address || part->address < at || part->address >= to)
			continue;
		at = part->address;
		err = part == &entry ? add_entry(s, at, to, page)
				     : add_glued(file, s, part, to, page);
	}
	return err;
}

static int add_stretch(const struct cfi *cfi, const struct stretch *s, uint32_t *steps,
		       struct table_page *page)
{
	struct cfi_fde fde = { 0 };
	uint64_t covered = s->address; /* up to here */
	int err = add_row(page, s->offset, &none);

	for (uint32_t i = cfi_find(cfi, s->address); !err && i < cfi->pair_count; i++) {
		if (cfi_pair_start(cfi, i) >= s->end)
			break;
		if (!*steps)
			return -E2BIG;
		--*steps;
		if (cfi_read_fde(cfi, i, &fde) || fde.end <= s->address)
			continue;
		if (fde.start > covered)
			err = add_gap(cfi, s, covered, fde.start, page);
		if (!err)
			err = add_function(cfi, &fde, s, steps, page);
		if (fde.end > covered)
			covered = fde.end;
	}
	return err || covered >= s->end ? err : add_gap(cfi, s, covered, s->end, page);
}

/* The first part of the file offsets [from, to) that is mapped executable; empty: no more. */
static struct elf_part next_part(const struct elf_file *file, uint64_t from, uint64_t to)
{
	struct elf_part first = { 0 };

	for (uint32_t i = 0; i < file->load_count; i++) {
		const struct elf_part *part = &file->loads[i].part;
		uint64_t start = part->offset > from ? part->offset : from;
		uint64_t end = part->offset + part->size < to ? part->offset + part->size : to;

		if (!file->loads[i].executable || start >= end ||
		    (first.size && start >= first.offset))
			continue;
		first = (struct elf_part){ .offset = start,
					   .address = part->address + (start - part->offset),
					   .size = end - start };
	}
	return first;
}

static int add_part(const struct cfi *cfi, const struct elf_part *part, uint64_t begin,
		    uint32_t *steps, struct table_page *page)
{
	const struct stretch s = { .address = part->address,
				   .end = part->address + part->size,
				   .offset = (uint32_t)(part->offset - begin) };
	uint64_t end = s.offset + part->size;
	int err = add_stretch(cfi, &s, steps, page);

	if (!err && end < UNWIND_PAGE_BYTES)
		err = add_row(page, (uint32_t)end, &none);
	return err;
}

int table_compile(const struct cfi *cfi, uint32_t page, struct table_page *ret)
{
	const uint64_t begin = (uint64_t)page << UNWIND_PAGE_SHIFT;
	const uint64_t end = begin + UNWIND_PAGE_BYTES;
	uint32_t steps = TABLE_STEPS;
	struct elf_part part;
	int err;

	ret->row_count = 0;
	ret->rule_count = 0;
	memset(ret->buckets, 0, sizeof(ret->buckets));
	err = add_row(ret, 0, &none);
	for (uint64_t at = begin; !err; at = part.offset + part.size) {
		part = next_part(cfi->file, at, end);
		if (!part.size)
			break;
		err = add_part(cfi, &part, begin, &steps, ret);
	}
	if (!err && ret->row_count == 1 && ret->rows[0].rule == 0)
		ret->row_count = 0;
	return err;
}
