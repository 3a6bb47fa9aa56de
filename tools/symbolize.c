/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolize.c - functions, files and lines for offsets in an ELF file, see symbolize.h.
 */
#include "tools/symbolize.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>

#include "tools/binary.h"
#include "tools/dwarf.h"
#include "tools/dwarf_file.h"
#include "tools/frame_pool.h"
#include "tools/symbol_table.h"

struct symbolizer {
	struct binary_places places;
	struct frame_pool pool;
};

static int compare_queries(const void *a, const void *b)
{
	const struct symbol_query *x = a;
	const struct symbol_query *y = b;

	if (x->has_address != y->has_address)
		return x->has_address ? 1 : -1;
	return (x->address > y->address) - (x->address < y->address);
}

/* Turns file offsets into the addresses that symbol tables and DWARF speak of. */
static int find_addresses(Elf *elf, struct symbol_query *query, size_t count)
{
	size_t segments;
	GElf_Phdr segment;

	if (elf_getphdrnum(elf, &segments))
		return -ENOEXEC;
	for (size_t i = 0; i < segments; i++) {
		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_X))
			continue;
		for (size_t k = 0; k < count; k++) {
			struct symbol_query *q = &query[k];

			if (q->has_address || q->offset < segment.p_offset ||
			    q->offset - segment.p_offset >= segment.p_filesz)
				continue;
			q->address = q->offset - segment.p_offset + segment.p_vaddr;
			q->has_address = true;
		}
	}
	qsort(query, count, sizeof(*query), compare_queries);
	return 0;
}

/* Linkers leave DWARF of functions that they left out at 0 or close to it. */
static uint64_t find_first_code(Elf *elf)
{
	uint64_t first = UINT64_MAX;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_flags & SHF_EXECINSTR &&
		    header.sh_addr < first)
			first = header.sh_addr;
	return first;
}

/* Gives each place the function that the symbol tables say. */
static int name_by_symbols(struct symbolizer *s, struct binary *b, struct symbol_query *query,
			   size_t count)
{
	const struct symbol *previous = NULL;
	const char *name = NULL;
	struct symbols symbols;
	int err = symbols_load(&symbols, b->module);

	for (size_t i = 0; !err && i < count; i++) {
		const struct symbol *symbol = symbols_find(&symbols, query[i].address);
		struct symbol_frame *frame;

		if (!symbol)
			continue;
		if (symbol != previous)
			err = frame_pool_name(&s->pool, symbols_name(&symbols, symbol), &name);
		previous = symbol;
		if (err || !name)
			continue;
		frame = frame_pool_new(&s->pool);
		if (!frame) {
			err = -ENOMEM;
			break;
		}
		frame->name = name;
		query[i].frame = frame;
		query[i].is_guess = symbol->end == symbol->start;
	}
	symbols_release(&symbols);
	return err;
}

static int add_dwarf(struct symbolizer *s, struct binary *b, struct symbol_query *query,
		     size_t count)
{
	struct dwarf_file dwarf;
	int err;

	if (dwarf_file_open(&dwarf, b))
		return 0; /* most files have none */
	err = dwarf_answer(&dwarf, &s->pool, find_first_code(b->elf), query, count);
	dwarf_file_release(&dwarf);
	return err;
}

int symbolizer_open(struct symbolizer **ret, const struct symbol_options *options)
{
	struct symbolizer *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = binary_places_init(&s->places, options);
	if (!err && !options->ask_debuginfod && unsetenv("DEBUGINFOD_URLS"))
		err = -errno;
	if (err) {
		symbolizer_free(s);
		return err;
	}
	s->pool.short_names = options->short_names;
	*ret = s;
	return 0;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	frame_pool_clear(&s->pool);
	binary_places_release(&s->places);
	free(s);
}

int symbolize(struct symbolizer *s, const struct symbol_file *file, struct symbol_query *query,
	      size_t count)
{
	struct binary binary;
	size_t outside = 0;
	int err;

	frame_pool_clear(&s->pool);
	err = binary_open(&binary, &s->places, file);
	if (err)
		return err;
	err = find_addresses(binary.elf, query, count);
	while (outside < count && !query[outside].has_address)
		outside++;
	if (!err)
		err = name_by_symbols(s, &binary, query + outside, count - outside);
	if (!err)
		err = add_dwarf(s, &binary, query + outside, count - outside);
	binary_release(&binary);
	if (!err && !file->build_id_bytes)
		return 1;
	return err;
}
