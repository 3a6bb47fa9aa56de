// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_symtab.c - the input is an ELF file: the names of places all over it keep the promises of
 * jail/symtab.h, and are those of each place alone.
 */
#include <stdlib.h>

#include "jail/symtab.h"
#include "tests/fuzz/names_promises.h"

#define PLACES 256
#define ALONE  8

static struct symtab symtab;
static struct name_answer all, alone;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Segments may lie over each other: then a place belongs to the first, and stretches are cut. */
static bool segments_overlap(const struct elf_file *file)
{
	for (uint32_t i = 0; i < file->load_count; i++) {
		const struct elf_part *a = &file->loads[i].part;

		for (uint32_t k = 0; k < i; k++) {
			const struct elf_part *b = &file->loads[k].part;

			if (a->offset < b->offset + b->size && b->offset < a->offset + a->size)
				return true;
		}
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t offsets[PLACES];
	struct elf_file file;
	uint32_t count = 0;

	if (elf_file_open_memory(&file, data, size) != 0)
		return 0;
	for (uint64_t i = 0; i < size && count < PLACES; i += 1 + size / PLACES)
		offsets[count++] = i;
	if (symtab_names(&symtab, &file, &file, offsets, count, &all) == 0) {
		if (!names_keep_promises(&all, offsets, count))
			abort();
		for (uint32_t i = 0; i < count; i += 1 + count / ALONE) {
			if (symtab_names(&symtab, &file, &file, offsets + i, 1, &alone) != 0 ||
			    !names_keep_promises(&alone, offsets + i, 1))
				abort();
			if (!segments_overlap(&file) && !names_are_equal(&alone, &all, offsets[i]))
				abort();
		}
	}
	elf_file_close(&file);
	return 0;
}
