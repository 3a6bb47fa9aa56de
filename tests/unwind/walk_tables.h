/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk_tables.h - loads the tables of real files into the machine's walker, as the recorder does
 * into the kernel's, and keeps the files for who else walks by them.
 */
#ifndef PROFILER_WALK_TABLES_H
#define PROFILER_WALK_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "jail/cfi.h"
#include "jail/elf_file.h"
#include "tests/unwind/capture.h"

enum walk_file_kind {
	WALK_FILE_TABLES,
	WALK_FILE_FRAME_POINTERS, /* no tables, but frame pointers */
	WALK_FILE_UNTOLD,	  /* no tables, and nothing else is known */
	WALK_FILE_REFUSED,
};

struct walk_file {
	uint64_t device;
	uint64_t inode; /* 0: the vDSO */
	enum walk_file_kind kind;
	uint32_t directory; /* as in a mapping of the walker's; 0: none yet */
	struct elf_file elf;
	struct cfi cfi;
};

/** walk_tables_file() - number of the file of a captured mapping, from 1 on; 0: code without a file
 */
uint32_t walk_tables_file(const struct capture *c, const struct capture_mapping *m);

/** walk_tables_get() - the file of a number */
const struct walk_file *walk_tables_get(uint32_t number);

/** walk_tables_use() - makes the captured process the one that the walker knows */
void walk_tables_use(const struct capture *c);

/** walk_tables_load() - loads the page of tables for an address; false if there is none to load */
bool walk_tables_load(const struct capture *c, uint64_t address);

/** walk_tables_counts() - pages that were refused, rules and rows that were loaded so far */
void walk_tables_counts(uint32_t *refused, uint32_t *rules, uint32_t *rows);

#endif /* PROFILER_WALK_TABLES_H */
