/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolize.c - names for offsets in an ELF file, see symbolize.h.
 *
 * libdwfl finds the symbol tables and their separate files; the search is ours, because
 * libdwfl's own looks through the whole table for each address.
 */
#include "tools/symbolize.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any vDSO has: they are of two to four pages. */
#define VDSO_BYTES_MAX (1u << 20)

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
	struct symbol *symbol;
	size_t count;
};

static int compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a;
	const struct symbol *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static int compare_queries(const void *a, const void *b)
{
	const struct symbol_query *x = a;
	const struct symbol_query *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* A copy of this kernel's vDSO as a file, since libdwfl wants one. */
static int open_vdso(void)
{
	const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)image;
	size_t bytes;
	int fd;

	if (!image || header->e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOENT;
	bytes = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	if (bytes > VDSO_BYTES_MAX)
		return -ENOEXEC;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, image, bytes) != (ssize_t)bytes) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Opens the file if it is one that can be read without harm: no device, no pipe that blocks. */
static int open_file(const struct symbol_file *file)
{
	struct stat st;
	uint64_t changed_ns;
	int fd;
	int err = 0;

	if (!file->path)
		return file->build_id_bytes ? open_vdso() : -ENOENT;
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -ENOENT;
	changed_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec;
	if (!err && !file->build_id_bytes && changed_ns >= file->recorded_ns)
		err = -ESTALE;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static bool is_recorded_build(Dwfl_Module *module, const struct symbol_file *file)
{
	const unsigned char *bits;
	GElf_Addr where;
	int bytes = dwfl_module_build_id(module, &bits, &where);

	if (!file->build_id_bytes)
		return true; /* nothing to compare: open_file() looked at its age */
	return bytes > 0 && (size_t)bytes == file->build_id_bytes &&
	       !memcmp(bits, file->build_id, file->build_id_bytes);
}

/* Turns file offsets into the addresses that symbol tables speak of. */
static int find_addresses(Dwfl_Module *module, struct symbol_query *query, size_t count)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(module, &bias);
	size_t segments;
	GElf_Phdr segment;

	if (!elf || elf_getphdrnum(elf, &segments))
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

static bool is_code(const GElf_Sym *sym, GElf_Word section, const char *name)
{
	int type = GELF_ST_TYPE(sym->st_info);

	if (section == SHN_UNDEF || section == SHN_ABS || !name || !*name)
		return false;
	if (type == STT_NOTYPE)
		return *name != '$'; /* marks of the assembler between code and data */
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

/* Loads what may be code of all the module's symbols, sorted by address. */
static int load_symbols(struct symbols *s, Dwfl_Module *module)
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

static const char *symbol_name(const struct symbols *s, const struct symbol *symbol)
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
	const char *name_a = symbol_name(s, a);
	const char *name_b = symbol_name(s, b);
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

/*
 * The innermost symbol that covers the address; else one without a size (hand-written assembly)
 * that is the last before it in the same section. Never a symbol that ends before the address:
 * in a stripped file that would be the wrong function.
 */
static const struct symbol *find_symbol(const struct symbols *s, uint64_t address)
{
	size_t before = symbols_before(s, address);
	const struct symbol *best = NULL;

	for (size_t i = before; i-- && s->symbol[i].furthest > address;) {
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

/* C++ and Rust names as in the source; the version behind an '@' is cut off. */
static char *readable_name(const char *name)
{
	char *demangled = NULL;

	if (!strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2))
		demangled = cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
	return demangled ? demangled : strndup(name, strcspn(name, "@"));
}

static int answer(Dwfl_Module *module, struct symbol_query *query, size_t count)
{
	struct symbols symbols;
	int err;

	err = load_symbols(&symbols, module);
	for (size_t i = 0; !err && i < count; i++) {
		const struct symbol *symbol = NULL;

		if (query[i].has_address)
			symbol = find_symbol(&symbols, query[i].address);
		if (!symbol)
			continue;
		query[i].name = readable_name(symbol_name(&symbols, symbol));
		if (!query[i].name)
			err = -ENOMEM;
	}
	free(symbols.symbol);
	return err;
}

int symbolize(const struct symbol_file *file, struct symbol_query *query, size_t count)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	const char *path = file->path ? file->path : "[vdso]";
	Dwfl_Module *module;
	Dwfl *dwfl;
	int fd = open_file(file);
	int err;

	if (fd < 0)
		return fd;
	dwfl = dwfl_begin(&callbacks);
	if (!dwfl) {
		close(fd);
		return -ENOMEM;
	}
	dwfl_report_begin(dwfl);
	module = dwfl_report_elf(dwfl, path, path, fd, 0, true); /* takes fd over */
	if (!module)
		close(fd);
	dwfl_report_end(dwfl, NULL, NULL);
	if (!module)
		err = -ENOEXEC;
	else if (!is_recorded_build(module, file))
		err = -ESTALE;
	else
		err = find_addresses(module, query, count);
	if (!err)
		err = answer(module, query, count);
	dwfl_end(dwfl);
	if (!err && !file->build_id_bytes)
		return 1;
	return err;
}
