// SPDX-License-Identifier: Apache-2.0
/*
 * table.c - turns the call frame information of 64 KiB of a file into rows and rules.
 *
 * Rows are only ever added at the end. Where functions overlap the one that is named later wins:
 * its rows replace those that are there from its start on, so that offsets rise whatever the file
 * says. Code that no function covers has UNWIND_NONE.
 */
#include "jail/table.h"

#include <errno.h>
#include <string.h>

#include "jail/startcode.h"

/*
 * Instructions and functions that a page may take. It is some 10 ms of time; the most that a page
 * of a Debian system takes is about a twentieth.
 */
#define TABLE_STEPS (1u << 20)

static const struct unwind_rule none = { .cfa = UNWIND_NONE };
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

static int add_stretch(const struct cfi *cfi, const struct stretch *s, uint32_t *steps,
		       struct table_page *page);

/* No function covers [from, to); some things are known of it all the same. */
static int add_gap(const struct cfi *cfi, const struct stretch *s, uint64_t from, uint64_t to,
		   uint32_t *steps, struct table_page *page)
{
	const struct stretch gap = { .address = from,
				     .end = to,
				     .offset = s->offset + (uint32_t)(from - s->address) };
	struct startcode known;
	int err = 0;

	if (cfi->more)
		return add_stretch(cfi->more, &gap, steps, page);
	while (!err && startcode_next(cfi->file, from, to, &known)) {
		err = add_function(cfi, &known.fde, &gap, steps, page);
		from = known.fde.end;
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
			err = add_gap(cfi, s, covered, fde.start, steps, page);
		if (!err)
			err = add_function(cfi, &fde, s, steps, page);
		if (fde.end > covered)
			covered = fde.end;
	}
	return err || covered >= s->end ? err : add_gap(cfi, s, covered, s->end, steps, page);
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
