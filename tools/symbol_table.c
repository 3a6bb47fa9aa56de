/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol_table.c - functions of the symbol tables by address, see symbol_table.h.
 */
#include "tools/symbol_table.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Symbols within another, labels of assembly for instance, that are looked past to find it. */
#define NESTED_MAX 10000

static int compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a;
	const struct symbol *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool is_code(const GElf_Sym *sym, GElf_Word section, const char *name)
{
	int type = GELF_ST_TYPE(sym->st_info);

	if (section == SHN_UNDEF || section == SHN_ABS || !name || !*name)
		return false;
	if (type == STT_NOTYPE)
		return *name != '$'; /* marks of the assembler between code and data */
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

int symbols_load(struct symbols *s, Dwfl_Module *module)
{
	int total = dwfl_module_getsymtab(module);
	uint64_t furthest = 0;

	*s = (struct symbols){ .module = module };
	if (total <= 0)
		return 0; /* stripped: no names, but the file is the right one */
	s->symbol = calloc((size_t)total, sizeof(*s->symbol));
	if (!s->symbol)
		return -ENOMEM;
	for (int i = 0; i < total; i++) {
		GElf_Sym sym;
		GElf_Addr address;
		GElf_Word section;
		const char *name =
			dwfl_module_getsym_info(module, i, &sym, &address, &section, NULL, NULL);

		if (!is_code(&sym, section, name) || address + sym.st_size < address)
			continue;
		s->symbol[s->count++] = (struct symbol){
			.start = address,
			.end = address + sym.st_size,
			.index = i,
			.type = GELF_ST_TYPE(sym.st_info),
			.bind = GELF_ST_BIND(sym.st_info),
			.section = section,
		};
	}
	qsort(s->symbol, s->count, sizeof(*s->symbol), compare_symbols);
	for (size_t i = 0; i < s->count; i++) {
		if (s->symbol[i].end > furthest)
			furthest = s->symbol[i].end;
		s->symbol[i].furthest = furthest;
	}
	return 0;
}

void symbols_release(struct symbols *s)
{
	free(s->symbol);
	s->symbol = NULL;
}

const char *symbols_name(const struct symbols *s, const struct symbol *symbol)
{
	GElf_Sym sym;
	GElf_Addr address;
	const char *name =
		dwfl_module_getsym_info(s->module, symbol->index, &sym, &address, NULL, NULL, NULL);

	return name ? name : "";
}

/* Of two symbols at the same place, is @a the one that people know? */
static bool is_better_name(const struct symbols *s, const struct symbol *a, const struct symbol *b)
{
	static const uint8_t rank[] = { [STB_LOCAL] = 1, [STB_GLOBAL] = 3, [STB_WEAK] = 2 };
	const char *name_a = symbols_name(s, a);
	const char *name_b = symbols_name(s, b);
	size_t score_a = strspn(name_a, "_");
	size_t score_b = strspn(name_b, "_");

	if ((a->type == STT_NOTYPE) != (b->type == STT_NOTYPE))
		return b->type == STT_NOTYPE;
	if (score_a != score_b)
		return score_a < score_b;
	score_a = a->bind < sizeof(rank) ? rank[a->bind] : 0;
	score_b = b->bind < sizeof(rank) ? rank[b->bind] : 0;
	if (score_a != score_b)
		return score_a > score_b;
	return strcmp(name_a, name_b) < 0;
}

/* How many symbols start at or before an address. */
static size_t symbols_before(const struct symbols *s, uint64_t address)
{
	size_t low = 0;
	size_t high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->symbol[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool same_section(const struct symbols *s, const struct symbol *symbol, uint64_t address)
{
	GElf_Addr bias;
	GElf_Shdr header;
	Elf *elf = dwfl_module_getelf(s->module, &bias);
	Elf_Scn *section = elf ? elf_getscn(elf, symbol->section) : NULL;

	return section && gelf_getshdr(section, &header) && address >= header.sh_addr &&
	       address - header.sh_addr < header.sh_size;
}

const struct symbol *symbols_find(const struct symbols *s, uint64_t address)
{
	size_t before = symbols_before(s, address);
	size_t last = before > NESTED_MAX ? before - NESTED_MAX : 0;
	const struct symbol *best = NULL;

	for (size_t i = before; i-- > last && s->symbol[i].furthest > address;) {
		const struct symbol *symbol = &s->symbol[i];

		if (best && symbol->start != best->start)
			break;
		if (symbol->end > address && (!best || is_better_name(s, symbol, best)))
			best = symbol;
	}
	if (best)
		return best;
	for (size_t i = before; i--;) {
		const struct symbol *symbol = &s->symbol[i];

		if (symbol->start != s->symbol[before - 1].start || symbol->end != symbol->start)
			break;
		if (same_section(s, symbol, address) && (!best || is_better_name(s, symbol, best)))
			best = symbol;
	}
	return best;
}
