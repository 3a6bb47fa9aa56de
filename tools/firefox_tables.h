/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firefox_tables.h - what all threads of a profile for the Firefox Profiler share: texts, source
 * files, libraries, functions, frames and stacks.
 *
 * Indexes are from 0, ids of maps here from 1.
 */
#ifndef PROFILER_FIREFOX_TABLES_H
#define PROFILER_FIREFOX_TABLES_H

#include <stdint.h>

#include "tools/idmap.h"
#include "tools/names.h"

struct firefox_tables {
	const struct profile *profile;
	const struct names *names;
	uint32_t *file_of;	/* by function: source file, string */
	uint32_t *stack_of_row; /* by row id: in stacks, 0 = nobody has asked for it */
	struct idmap texts;	/* strings of the profile, as indexes in stringArray say them */
	struct idmap sources;	/* likewise */
	struct idmap libs;	/* likewise: paths */
	struct idmap frames;
	struct idmap stacks;
};

/**
 * firefox_find() - the tables for all samples of a profile
 * @ret: all zero; to be freed with firefox_release(), also after a failure
 * @n: the names
 *
 * Return: 0 or -ENOMEM.
 */
int firefox_find(struct firefox_tables *ret, const struct names *n)
	__attribute__((warn_unused_result));

/** firefox_release() - free what they own */
void firefox_release(struct firefox_tables *t);

/** firefox_print_libs() - the member "libs" of a profile, and a comma */
void firefox_print_libs(const struct firefox_tables *t);

/** firefox_print_shared() - the member "shared", and a comma */
void firefox_print_shared(const struct firefox_tables *t);

#endif /* PROFILER_FIREFOX_TABLES_H */
