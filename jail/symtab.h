/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symtab.h - the functions at places of an ELF file, by its symbol tables.
 *
 * Of the symbols of code that cover a place, the innermost names it; of several of the same start,
 * the one that people know: with a type rather than without, with fewer underscores in front,
 * global rather than weak rather than local, the first by letters. Where none covers it, one
 * without a size (hand-written assembly) that is the last before it in its section. Never one that
 * ends before the place: in a stripped file that would be the wrong function. The tools have the
 * same rule.
 *
 * Symbols come from .symtab of the file, or else that of its separate debug file, or else from
 * .dynsym and MiniDebugInfo; and the stubs of the PLT, which have no symbols, have the names of
 * what they call. One pass over the table, whatever its size: memory follows the places.
 */
#ifndef PROFILER_SYMTAB_H
#define PROFILER_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jail/elf_file.h"
#include "jail/minidebug.h"
#include "jail/places.h"
#include "jail/sections.h"

/*
 * What a question may cost: a unit is a symbol, a place that one covers, or a relocation. The
 * largest programs have 3 million symbols. 0.1 s.
 */
#define SYMTAB_WORK_MAX (6u << 20)

/* A string that may be longer than what is left of its table. */
struct symtab_name {
	const char *at; /* NULL: no name */
	size_t room;
};

struct symtab_symbol {
	uint64_t start;
	uint64_t limit; /* without a size: where its section ends; 0: it is not in it */
	struct symtab_name name;
	uint8_t type;
	uint8_t bind;
};

/* The last start of a symbol in a gap between places. */
struct symtab_label {
	uint64_t start;
	bool any;		     /* is there one? */
	bool sized;		     /* one of those that start there has a size */
	struct symtab_symbol symbol; /* the best of those without */
};

/* A symbol table, in the image of a file. */
struct symtab_source {
	struct sections sections;
	struct bytes symbols;
	const char *names;
	size_t names_size;
	bool mapped; /* from a file: pages can be given back */
};

/* What a question needs; all zero at first. */
struct symtab {
	struct places places;
	struct symtab_symbol best[JAIL_NAMES_MAX];
	struct symtab_label label[JAIL_NAMES_MAX + 1];
	struct symtab_source sources[2];
	uint32_t source_count;
	uint32_t work;	     /* that is left */
	uint32_t names_read; /* since their pages were given back */
	struct minidebug minidebug;
	char text[JAIL_NAME_BYTES_MAX];
};

/**
 * symtab_names() - names of places
 * @s: any content that an earlier question left, also one that siglongjmp() ended
 * @debug: the separate debug file, NULL for none
 * @offsets: in the file, ascending, no two alike
 * @count: 1 to JAIL_NAMES_MAX
 * @ret: the answer; of the first places, if not all have room
 *
 * A place in no executable segment has no name. Return: 0, -E2BIG if it would take too long.
 */
__attribute__((warn_unused_result)) int symtab_names(struct symtab *s, const struct elf_file *file,
						     const struct elf_file *debug,
						     const uint64_t *offsets, uint32_t count,
						     struct name_answer *ret);

/** symtab_release() - frees what siglongjmp() may have left; twice is in order. */
void symtab_release(struct symtab *s);

#endif /* PROFILER_SYMTAB_H */
