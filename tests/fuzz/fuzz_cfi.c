// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_cfi.c - the input is an ELF file: all its unwind tables keep the promises of jail/table.h.
 */
#include <stdlib.h>

#include "tests/unwind/table_promises.h"

static struct table_page page;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file file;
	struct cfi cfi;

	if (elf_file_open_memory(&file, data, size) != 0)
		return 0;
	if (cfi_init(&cfi, &file) == 0)
		for (uint32_t i = 0; i <= size >> UNWIND_PAGE_SHIFT; i++)
			if (table_compile(&cfi, i, &page) == 0 && !table_keeps_promises(&page))
				abort();
	cfi_release(&cfi);
	elf_file_close(&file);
	return 0;
}
