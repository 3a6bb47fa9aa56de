// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_cfi.c - the input is an ELF file: all its unwind tables, those of .eh_frame, of a compressed
 * .debug_frame and of both together, keep the promises of jail/table.h.
 */
#include <stdlib.h>

#include "tests/unwind/table_promises.h"

static struct table_page page;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pages(const struct cfi *cfi, size_t size)
{
	for (uint32_t i = 0; i <= size >> UNWIND_PAGE_SHIFT; i++)
		if (table_compile(cfi, i, &page) == 0 && !table_keeps_promises(&page))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file file;
	struct cfi cfi, more;

	if (elf_file_open_memory(&file, data, size) != 0)
		return 0;
	/* As if it were its own debug file. */
	if (cfi_init_debug(&more, &file, &file) == 0)
		check_pages(&more, size);
	else
		cfi_release(&more);
	if (cfi_init(&cfi, &file) == 0) {
		cfi.more = more.file ? &more : NULL;
		check_pages(&cfi, size);
	}
	cfi_release(&cfi);
	cfi_release(&more);
	elf_file_close(&file);
	return 0;
}
