// SPDX-License-Identifier: Apache-2.0
/*
 * cfi_mutated.c - compiles the unwind tables of real programs after damaging them.
 *
 *   cfi_mutated ROUNDS FILE...     a FILE that is not there is passed over
 *
 * In each round some bytes of the headers, .eh_frame_hdr and .eh_frame are changed, or the file
 * is cut short, and all its pages are compiled: what comes out must be a table that keeps the
 * promises of jail/table.h, or a refusal. Run it with the sanitizers; the copies have their exact
 * size. The changes are the same in every run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/random.h"
#include "tests/unwind/table_promises.h"

#define CHANGES_MAX   8
#define HEADERS_BYTES 1024
#define REGIONS	      3
#define PASSED_OVER   77
#define FILE_MAX      (4u << 20)

struct change {
	uint64_t offset;
	uint8_t old;
};

/* A file, and where its bytes are worth changing. */
struct subject {
	const char *path;
	uint8_t *data;
	size_t size;
	struct elf_part regions[REGIONS];
	uint64_t pages, bare, refused, unreadable;
};

static struct table_page page;

static bool read_subject(struct subject *s)
{
	FILE *from = fopen(s->path, "rb");

	if (!from)
		return false;
	s->data = malloc(FILE_MAX);
	if (s->data)
		s->size = fread(s->data, 1, FILE_MAX, from);
	fclose(from);
	return s->size > HEADERS_BYTES;
}

static bool find_regions(struct subject *s)
{
	struct elf_file file;
	struct cfi cfi;
	bool found =
		elf_file_open_memory(&file, s->data, s->size) == 0 && cfi_init(&cfi, &file) == 0;

	if (!found)
		return false;
	s->regions[0].size = HEADERS_BYTES;
	s->regions[1] = file.eh_frame_hdr;
	s->regions[2] = (struct elf_part){ .offset = (uint64_t)(cfi.frames.at - file.data),
					   .size = bytes_left(&cfi.frames) };
	if (file.eh_frame.size)
		s->regions[2] = file.eh_frame;
	cfi_release(&cfi);
	return s->regions[1].size && s->regions[2].size;
}

/* Return: whether all tables are as promised. */
static bool compile_all(struct subject *s, const uint8_t *data, size_t size)
{
	struct elf_file file;
	struct cfi cfi;
	bool good = true;

	if (elf_file_open_memory(&file, data, size) != 0) {
		s->unreadable++;
		return true;
	}
	if (cfi_init(&cfi, &file) != 0)
		s->unreadable++;
	else
		for (uint32_t i = 0; i <= size >> UNWIND_PAGE_SHIFT; i++) {
			if (table_compile(&cfi, i, &page) != 0) {
				s->refused++;
				continue;
			}
			good &= table_keeps_promises(&page);
			s->pages++;
			s->bare += !page.row_count;
		}
	cfi_release(&cfi);
	return good;
}

static uint8_t other_value(uint64_t *state, uint8_t old)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0xf0, 0x40, 0x0a };

	switch (random_below(state, 3)) {
	case 0:
		return (uint8_t)next_random(state);
	case 1:
		return values[random_below(state, sizeof(values))];
	default:
		return old ^ (uint8_t)(1u << random_below(state, 8));
	}
}

static bool damaged_round(struct subject *s, uint64_t *state)
{
	struct change changes[CHANGES_MAX];
	uint32_t count = 1 + random_below(state, CHANGES_MAX);
	bool good;

	for (uint32_t i = 0; i < count; i++) {
		const struct elf_part *region = &s->regions[random_below(state, REGIONS)];
		uint64_t offset = region->offset + next_random(state) % region->size;

		/* The beginnings of the tables matter most. */
		if (random_below(state, 4) == 0 && region->size > 64)
			offset = region->offset + random_below(state, 64);
		changes[i] = (struct change){ .offset = offset, .old = s->data[offset] };
		s->data[offset] = other_value(state, s->data[offset]);
	}
	good = compile_all(s, s->data, s->size);
	while (count--)
		s->data[changes[count].offset] = changes[count].old;
	return good;
}

static bool cut_round(struct subject *s, uint64_t *state)
{
	const struct elf_part *region = &s->regions[random_below(state, REGIONS)];
	size_t size = region->offset + next_random(state) % region->size;
	uint8_t *copy = malloc(size ? size : 1);
	bool good = false;

	if (copy) {
		memcpy(copy, s->data, size);
		good = compile_all(s, copy, size);
	}
	free(copy);
	return good;
}

static bool mutate(struct subject *s, uint64_t rounds)
{
	uint64_t state = s->size;
	uint8_t *exact;

	if (!find_regions(s)) {
		printf("%s: no usable call frame information\n", s->path);
		return false;
	}
	exact = realloc(s->data, s->size);
	if (!exact)
		return false;
	s->data = exact;
	for (uint64_t i = 0; i < rounds; i++) {
		if (!(i % 8 ? damaged_round(s, &state) : cut_round(s, &state))) {
			printf("%s: round %llu broke a promise of jail/table.h\n", s->path,
			       (unsigned long long)i);
			return false;
		}
	}
	printf("%s: %llu pages compiled, %llu of them bare, %llu refused; %llu files unreadable\n",
	       s->path, (unsigned long long)s->pages, (unsigned long long)s->bare,
	       (unsigned long long)s->refused, (unsigned long long)s->unreadable);
	return s->pages > s->bare;
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	int files = 0;
	bool good = true;

	for (int i = 2; i < argc; i++) {
		struct subject s = { .path = argv[i] };

		if (read_subject(&s)) {
			good &= mutate(&s, rounds);
			files++;
		}
		free(s.data);
	}
	if (!files) {
		printf("none of the files is here\n");
		return PASSED_OVER;
	}
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
