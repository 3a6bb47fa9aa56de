/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the unwind table of 64 KiB of a file: which rule holds from which offset on.
 *
 * What it promises, for any file: the first row is at offset 0, offsets rise, neighbours differ
 * in their rule, each row names a rule that is there, no two rules are equal, unused fields of a
 * rule are 0. Time is bounded, and the same file gives the same table.
 */
#ifndef PROFILER_TABLE_H
#define PROFILER_TABLE_H

#include <stdint.h>

#include "bpf/unwind.h"
#include "jail/cfi.h"

#define TABLE_BUCKETS 1024

/* About 580 KB, of which a usual page touches 20 KB. Keep one, and use it again. */
struct table_page {
	uint32_t row_count; /* 0: nothing is known of any code here (UNWIND_PAGE_BARE) */
	uint32_t rule_count;
	struct unwind_row rows[UNWIND_PAGE_BYTES];
	struct unwind_rule rules[UNWIND_RULES];
	/* For finding equal rules: the first of a bucket, the next of the same; index + 1. */
	uint16_t buckets[TABLE_BUCKETS];
	uint16_t next[UNWIND_RULES];
};

/**
 * table_compile() - compiles the table of the file's offsets [page << 16, (page + 1) << 16)
 * @cfi:  the file's call frame information
 * @page: any number; beyond the end of the file there is nothing
 * @ret:  the caller's; contents undefined after a failure
 *
 * Allocates nothing, and may be left by siglongjmp() (see elf_file.h).
 *
 * Return: 0, or -E2BIG where the page would take too many steps or rules: refuse it.
 */
__attribute__((warn_unused_result)) int table_compile(const struct cfi *cfi, uint32_t page,
						      struct table_page *ret);

/**
 * table_rule() - what the walker is to do where a row of a call frame table holds
 * @machine: e_machine of the file
 * @fde:     the row's function, for its augmentation
 * @row:     the row
 * @ret:     UNWIND_BEYOND for whatever the walker cannot do
 */
void table_rule(uint16_t machine, const struct cfi_fde *fde, const struct cfi_row *row,
		struct unwind_rule *ret);

#endif /* PROFILER_TABLE_H */
