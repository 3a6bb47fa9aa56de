/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol_table.h - which function of the symbol tables an address belongs to.
 *
 * libdwfl finds the symbol tables and their separate files; the search is ours, because
 * libdwfl's own looks through the whole table for each address.
 */
#ifndef PROFILER_SYMBOL_TABLE_H
#define PROFILER_SYMBOL_TABLE_H

#include <elfutils/libdwfl.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t start;
	uint64_t end;	   /* == start when the symbol has no size */
	uint64_t furthest; /* highest end of this and all symbols before it */
	int index;
	uint8_t type;
	uint8_t bind;
	GElf_Word section;
};

struct symbols {
	Dwfl_Module *module;
	struct symbol *symbol; /* by address */
	size_t count;
};

/**
 * symbols_load() - what may be code of all of a module's symbols
 * @s: the symbols, uninitialised
 * @module: must outlive them
 *
 * Return: 0, also when there are none; or -ENOMEM.
 */
int symbols_load(struct symbols *s, Dwfl_Module *module) __attribute__((warn_unused_result));

/** symbols_release() - free what symbols own */
void symbols_release(struct symbols *s);

/**
 * symbols_find() - the symbol of an address
 * @s: the symbols
 * @address: as in the ELF file
 *
 * The innermost symbol that covers the address; else one without a size (hand-written assembly)
 * that is the last before it in the same section. Never a symbol that ends before the address:
 * in a stripped file that would be the wrong function.
 *
 * Return: the symbol, or NULL.
 */
const struct symbol *symbols_find(const struct symbols *s, uint64_t address);

/** symbols_name() - the name of a symbol as in the table, "" when it cannot be read */
const char *symbols_name(const struct symbols *s, const struct symbol *symbol);

#endif /* PROFILER_SYMBOL_TABLE_H */
